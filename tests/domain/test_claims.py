"""Claim sentences: generated from the evidence, in any order the same, and never a stronger word than it has."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderack.contracts.queries import AcknowledgementStatus, SendStatus
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.claims import TITLE, claim
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade, stronger
from orderack.domain.proof import Proof, prove

AT = datetime(2026, 11, 21, 10, 2, tzinfo=UTC)

E = EvidenceEvent
WITNESSED = (
    (E.ACCEPTED, Grade.E0, "twilio_sms", "twilio_sms:queued"),
    (E.ACCEPTED, Grade.E1, "twilio_sms", "twilio_sms:sent"),
    (E.BOUNCED, Grade.E0, "twilio_sms", "twilio_sms:failed"),
    (E.MACHINE_TOUCH, Grade.M, "sendgrid_email", "sendgrid_email:open"),
    (E.DELIVERED, Grade.E2, "twilio_sms", "twilio_sms:delivered"),
    (E.DELIVERED, Grade.E2, "sendgrid_email", "sendgrid_email:delivered"),
    (E.DISPLAYED, Grade.E3P, "sendgrid_email", "touch:pixel"),
    (E.DISPLAYED, Grade.E3, "viber", "viber:seen"),
    (E.ENGAGED, Grade.E4, "portal", "page:asked"),
    (E.REPLIED, Grade.E4, "twilio_sms", "twilio_sms:reply"),
    (E.AFFIRMED, Grade.E5, "portal", "page:affirmed"),
    (E.AFFIRMED, Grade.E5, "twilio_sms", "twilio_sms:keyword"),
    (E.ASSENTED, Grade.E5, "portal", "page:assented"),
    (E.DECLINED, Grade.E5, "portal", "page:declined"),
    (E.DISPUTED, Grade.E4, "twilio_sms", "twilio_sms:no"),
    (E.DELIVERED, Grade.E6, "as2", "as2:signed-mdn"),
    (E.AFFIRMED, Grade.E6, "login", "attested:login"),
    (E.ASSENTED, Grade.E6, "signature", "attested:signature"),
)

STRONG_WORDS = {
    Grade.E2: r"went out|deliver|arrived|received|sent\b",
    Grade.E3P: r"displa",
    Grade.E3: r"(?<!probably )displayed|a display|opened|\bread\b",
    Grade.E4: r"acted|an act|reached us|disputed|wrote",
    Grade.E5: r"affirmed|answer(ed| to it)|agreed|Agreement|declined|refusal",
    Grade.E6: r"attest",
}
"""Words that say as much as this grade, or more than any weaker one."""

FACTS = st.lists(
    st.builds(
        lambda seen, second: EvidenceFact(
            id=f"{seen[1]}-{second}",
            event=seen[0],
            grade=seen[1],
            channel=seen[2],
            revision=2,
            kind=Kind.CONFIRMATION,
            occurred_at=AT + timedelta(seconds=second),
            basis=seen[3],
        ),
        st.sampled_from(WITNESSED),
        st.integers(0, 200),
    ),
    max_size=6,
)


def fact(event: EvidenceEvent, grade: Grade, channel: str, basis: str = "", after: int = 0) -> EvidenceFact:
    return EvidenceFact(
        id="1",
        event=event,
        grade=grade,
        channel=channel,
        revision=2,
        kind=Kind.CONFIRMATION,
        occurred_at=AT + timedelta(seconds=after),
        basis=basis,
    )


def message(
    facts: Sequence[EvidenceFact] = (),
    *,
    kind: Kind = Kind.CONFIRMATION,
    out: bool = True,
    sends: Sequence[tuple[str, SendState]] = (("twilio_sms", SendState.ACCEPTED),),
) -> AcknowledgementStatus:
    grade: Grade | None = None
    for one in facts:
        grade = one.grade if grade is None else stronger(grade, one.grade)
    return AcknowledgementStatus(
        kind=kind,
        revision=2,
        n=1,
        decided_at=AT,
        out_at=AT if out else None,
        grade=grade,
        proof=prove(facts),
        sends=tuple(SendStatus(key=f"k/{channel}", channel=channel, state=state) for channel, state in sends),
    )


def said(text: str) -> str:
    """What is claimed, without what is said to be unproved."""
    clauses = re.split(r"(?<=\.) (?=[A-Z])", text)
    return " ".join(c for c in clauses if not c.startswith(("No evidence", "A machine fetched")))


def limit(facts: Sequence[EvidenceFact]) -> int:
    return max([Grade.E1.rank, *(one.grade.rank for one in facts)])


@settings(max_examples=600)
@given(FACTS, st.sampled_from(Kind), st.booleans())
def test_no_sentence_uses_a_stronger_word_than_its_evidence(facts: list[EvidenceFact], kind: Kind, known: bool) -> None:
    whole = message(facts, kind=kind)
    text = said(claim(whole if known else whole.model_copy(update={"proof": Proof()})))
    for grade, words in STRONG_WORDS.items():
        if grade.rank > limit(facts):
            assert not re.search(words, text), (grade, text)
    if known:
        assert ("agreed" in text or "Agreement" in text) == (whole.proof.assented is True)
        assert ("declined" in text or "refusal" in text) == (whole.proof.assented is False)


@settings(max_examples=300)
@given(FACTS.flatmap(lambda facts: st.tuples(st.just(facts), st.permutations(facts * 2))))
def test_facts_in_any_order_and_any_number_of_times_give_the_same_sentence(
    case: tuple[list[EvidenceFact], list[EvidenceFact]],
) -> None:
    assert claim(message(case[0])) == claim(message(case[1]))


@given(FACTS)
def test_what_is_unproved_is_said_to_be_unproved(facts: list[EvidenceFact]) -> None:
    text, proof = claim(message(facts)), prove(facts)
    assert ("that it arrived" in text) == (proof.receipt is None)
    assert ("that a person opened it" in text) == (proof.reading is None)
    assert ("that anyone agreed to its content" in text) == (proof.assent is None)


@pytest.mark.parametrize("kind", list(Kind))
def test_no_name_of_a_message_sounds_like_evidence(kind: Kind) -> None:
    assert not any(re.search(words, TITLE[kind]) for words in STRONG_WORDS.values())


def test_a_delivery_to_a_handset_is_claimed_as_that_and_no_more() -> None:
    delivered = fact(E.DELIVERED, Grade.E2, "twilio_sms", after=3)
    assert claim(message([delivered])) == (
        "The confirmation of revision 2 went out on 21 Nov 2026 10:02 UTC by twilio_sms. "
        "Its delivery to the handset was reported by twilio_sms on 21 Nov 2026 10:02 UTC. "
        "No evidence that a person opened it or that anyone agreed to its content."
    )


def test_an_acceptance_by_the_provider_is_not_called_sent() -> None:
    assert claim(message()) == (
        "The confirmation of revision 2 was accepted by the provider (twilio_sms) on 21 Nov 2026 10:02 UTC. "
        "No evidence that it arrived, that a person opened it or that anyone agreed to its content."
    )


def test_a_machine_touch_is_told_and_proves_nothing() -> None:
    touch = fact(E.MACHINE_TOUCH, Grade.M, "sendgrid_email", after=5)
    delivered = fact(E.DELIVERED, Grade.E2, "sendgrid_email", after=3)
    text = claim(message([touch, delivered], sends=[("sendgrid_email", SendState.ACCEPTED)]))
    assert "to the recipient's mail server was reported by sendgrid_email" in text
    assert "A machine fetched its image or a link in it on 21 Nov 2026 10:02 UTC, 2 s after its delivery" in text
    assert "No evidence that a person opened it" in text
    alone = claim(message([touch]))
    assert "that it arrived" in alone
    assert "after its delivery" not in alone


def test_a_probable_display_is_only_probable_and_says_whose_record_it_is() -> None:
    text = claim(message([fact(E.DISPLAYED, Grade.E3P, "sendgrid_email", "touch:pixel")]))
    assert "It was probably displayed on 21 Nov 2026 10:02 UTC, by our own record of what was fetched." in text
    assert "that a person read it" in text
    reported = claim(message([fact(E.DISPLAYED, Grade.E3, "viber", "viber:seen")]))
    assert "It was displayed on 21 Nov 2026 10:02 UTC, by viber's report." in reported


def test_an_affirmation_names_who_affirmed_as_far_as_that_is_known() -> None:
    page = claim(message([fact(E.AFFIRMED, Grade.E5, "portal", "page:affirmed")]))
    assert "The holder of its link affirmed its receipt on 21 Nov 2026 10:02 UTC." in page
    reply = claim(message([fact(E.AFFIRMED, Grade.E5, "twilio_sms", "twilio_sms:yes")]))
    assert "A reply from the address it went to (twilio_sms) affirmed its receipt on" in reply
    assert "had arrived by 21 Nov 2026 10:02 UTC, as an answer to it then implies" in reply
    assert reply.endswith("No evidence that anyone agreed to its content.")


def test_receipt_reading_and_assent_are_clauses_of_their_own() -> None:
    facts = [
        fact(E.DELIVERED, Grade.E2, "twilio_sms", after=1),
        fact(E.AFFIRMED, Grade.E5, "portal", "page:affirmed", after=120),
        fact(E.DECLINED, Grade.E5, "portal", "page:declined", after=300),
    ]
    assert claim(message(facts)).split(". ")[1:] == [
        "Its delivery to the handset was reported by twilio_sms on 21 Nov 2026 10:02 UTC",
        "The holder of its link affirmed its receipt on 21 Nov 2026 10:04 UTC",
        "The holder of its link declined its content, a part or all of it, on 21 Nov 2026 10:07 UTC.",
    ]


def test_the_strongest_reading_is_told_although_a_weaker_one_came_first() -> None:
    facts = [
        fact(E.DISPLAYED, Grade.E3P, "sendgrid_email", "touch:pixel"),
        fact(E.AFFIRMED, Grade.E5, "portal", "page:affirmed", after=60),
    ]
    text = claim(message(facts))
    assert "had arrived by 21 Nov 2026 10:02 UTC, as a probable display then implies" in text
    assert "affirmed its receipt on 21 Nov 2026 10:03 UTC" in text


def test_an_attested_delivery_proves_no_reading() -> None:
    text = claim(message([fact(E.DELIVERED, Grade.E6, "as2", "as2:signed-mdn")]))
    assert "Its delivery was attested on 21 Nov 2026 10:02 UTC (as2:signed-mdn)." in text
    assert "No evidence that a person opened it" in text


def test_an_attested_word_names_what_vouches_for_it_and_no_address() -> None:
    text = claim(message([fact(E.ASSENTED, Grade.E6, "login", "attested:login")]))
    assert "Its receipt was attested on 21 Nov 2026 10:02 UTC (attested:login)." in text
    assert "Agreement to its content was attested on 21 Nov 2026 10:02 UTC (attested:login)." in text
    assert "reply" not in text
    assert "holder" not in text


def test_a_send_in_doubt_is_said_to_be_in_doubt() -> None:
    doubt = ("smtp_email", SendState.UNKNOWN)
    assert claim(message(out=False, sends=[doubt])) == (
        "The confirmation of revision 2 is in doubt. By smtp_email it may or may not have gone out."
    )
    both = claim(message(sends=[("twilio_sms", SendState.ACCEPTED), doubt]))
    assert "accepted by the provider (twilio_sms)" in both
    assert "By smtp_email it may or may not have gone out" in both
    assert claim(message(out=False, sends=[("smtp_email", SendState.CLAIMED)])) == (
        "The confirmation of revision 2 is not out yet."
    )


def test_what_a_provider_took_is_not_said_to_be_not_out_yet_though_nobody_kept_when() -> None:
    """An internal alert: the end of its send is kept, and not its moment."""
    text = claim(message(out=False, sends=[("slack", SendState.ACCEPTED)]))
    assert text.startswith("The confirmation of revision 2 was accepted by the provider (slack). ")
    assert "not out yet" not in text


def test_a_refusal_and_a_provider_out_of_reach_are_told() -> None:
    ends = [("smtp_email", SendState.REJECTED), ("viber", SendState.UNAVAILABLE), ("twilio_sms", SendState.ACCEPTED)]
    text = claim(message(sends=ends))
    assert "By smtp_email it was refused or came back. By viber nothing went out." in text


def test_times_are_in_the_stores_zone() -> None:
    assert "on 21 Nov 2026 11:02 CET" in claim(message(), ZoneInfo("Europe/Berlin"))


def test_a_grade_without_its_fact_says_neither_when_nor_who() -> None:
    bare = message().model_copy(update={"grade": Grade.E5})
    assert "Its receipt was affirmed." in claim(bare)
    assert "holder" not in claim(bare)


def test_a_machine_touch_is_weaker_than_a_delivery_in_either_order() -> None:
    assert stronger(Grade.M, Grade.E2) is stronger(Grade.E2, Grade.M) is Grade.E2
    assert stronger(Grade.E1, Grade.M) is Grade.M


def test_of_two_channels_only_the_one_that_proved_it_is_said_to_have_brought_it() -> None:
    both = (("sendgrid_email", SendState.ACCEPTED), ("twilio_sms", SendState.ACCEPTED))
    late = fact(E.DELIVERED, Grade.E2, "twilio_sms", "twilio_sms:delivered", after=1_800)
    assert claim(message([late], sends=both)).startswith(
        "The confirmation of revision 2 was accepted by several providers (sendgrid_email, twilio_sms), by the first "
        "of them on 21 Nov 2026 10:02 UTC. "
        "Its delivery to the handset was reported by twilio_sms on 21 Nov 2026 10:32 UTC."
    )


def test_a_delivery_of_what_its_provider_refused_before_is_not_said_to_be_not_out_yet() -> None:
    refused = (("twilio_sms", SendState.REJECTED),)
    text = claim(message([fact(E.DELIVERED, Grade.E2, "twilio_sms")], out=False, sends=refused))
    assert "not out yet" not in text
    assert "has no provider's acceptance on record. By twilio_sms it was refused or came back." in text


@pytest.mark.parametrize("first", [E.BOUNCED, E.DISPLAYED])
def test_a_message_that_came_back_after_it_was_opened_is_said_to_have_come_back(first: EvidenceEvent) -> None:
    opened = fact(E.DISPLAYED, Grade.E3P, "sendgrid_email", "touch:pixel", after=30)
    back = fact(E.BOUNCED, Grade.E0, "sendgrid_email", "sendgrid_email:bounce", after=90)
    sends = (("sendgrid_email", SendState.ACCEPTED),)
    text = claim(message(sorted([opened, back], key=lambda one: one.event is not first), sends=sends))
    assert "By sendgrid_email's report of 21 Nov 2026 10:03 UTC it failed or came back." in text
    told = (*sends, ("sendgrid_email", SendState.REJECTED))
    assert claim(message([opened, back], sends=told)).count("came back") == 1
