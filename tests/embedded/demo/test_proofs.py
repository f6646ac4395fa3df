"""The demo's judge of proof: the grade exactly, and no sentence that says more than it."""

from datetime import UTC, datetime, timedelta

import pytest

from orderack.contracts.journal import Stage
from orderack.contracts.queries import AcknowledgementStatus, OrderStatus, SendStatus
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.claims import claim
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from orderack.domain.order import OrderRef
from orderack.domain.proof import prove
from orderack.embedded.demo.proofs import Proved, says_too_much

AT = datetime(2026, 3, 2, 9, tzinfo=UTC)
E = EvidenceEvent
FACTS = {
    "accepted": (E.ACCEPTED, Grade.E1, "sendgrid_email"),
    "machine": (E.MACHINE_TOUCH, Grade.M, "sendgrid_email"),
    "delivered": (E.DELIVERED, Grade.E2, "sendgrid_email"),
    "displayed": (E.DISPLAYED, Grade.E3P, "sendgrid_email"),
    "engaged": (E.ENGAGED, Grade.E4, "portal"),
    "affirmed": (E.AFFIRMED, Grade.E5, "portal"),
    "assented": (E.ASSENTED, Grade.E5, "portal"),
    "declined": (E.DECLINED, Grade.E5, "portal"),
}


def said(*names: str) -> AcknowledgementStatus:
    """A confirmation of which these things are known."""
    facts = [
        EvidenceFact(
            id=name,
            event=event,
            grade=grade,
            channel=channel,
            revision=1,
            kind=Kind.CONFIRMATION,
            occurred_at=AT + timedelta(seconds=place),
            basis=f"{'page' if channel == 'portal' else channel}:{name}",
        )
        for place, name in enumerate(names)
        for event, grade, channel in [FACTS[name]]
    ]
    return AcknowledgementStatus(
        kind=Kind.CONFIRMATION,
        revision=1,
        n=1,
        decided_at=AT,
        out_at=AT,
        grade=max((fact.grade for fact in facts), key=lambda grade: grade.rank, default=None),
        proof=prove(facts),
        sends=(SendStatus(key="k", channel="sendgrid_email", state=SendState.ACCEPTED),),
    )


def status(*messages: AcknowledgementStatus) -> OrderStatus:
    return OrderStatus(
        ref=OrderRef(store="demo", number="A-1"), stage=Stage.CONFIRMED, revision=1, acknowledgements=messages
    )


EVERY = [
    (),
    ("accepted",),
    ("machine",),
    ("delivered",),
    ("delivered", "machine"),
    ("delivered", "displayed"),
    ("delivered", "engaged"),
    ("affirmed",),
    ("delivered", "assented"),
    ("delivered", "affirmed", "declined"),
]


@pytest.mark.parametrize("names", EVERY)
def test_the_generated_sentence_never_says_too_much(names):
    message = said(*names)
    assert says_too_much(message, claim(message)) == ""


def test_of_a_message_that_is_not_out_nothing_need_be_denied():
    message = said().model_copy(update={"out_at": None, "sends": ()})
    assert says_too_much(message, claim(message)) == ""


@pytest.mark.parametrize(
    ("names", "sentence"),
    [
        (("machine",), claim(said("delivered", "displayed"))),
        (("machine",), claim(said("delivered"))),
        (("delivered",), claim(said("delivered", "displayed"))),
        (("delivered", "displayed"), claim(said("affirmed"))),
        (("delivered", "displayed"), claim(said("assented"))),
        (("affirmed",), claim(said("assented"))),
        (("assented",), claim(said("declined"))),
        (("machine",), "The confirmation of revision 1 was read."),
        (("delivered",), "The confirmation of revision 1 went out. Its delivery was reported."),
    ],
)
def test_a_sentence_of_stronger_evidence_is_too_much_for_weaker(names, sentence):
    assert says_too_much(said(*names), sentence)


def test_a_grade_above_the_expected_is_as_wrong_as_one_below():
    proved = Proved(Grade.E3P)
    assert proved.stands(status(said("delivered", "displayed")))
    for names in (("delivered",), ("delivered", "displayed", "affirmed")):
        assert not proved.stands(status(said(*names)))
        assert "not E3p" in proved.wrong(status(said(*names)))


def test_agreeing_and_declining_are_not_affirming():
    affirmed, agreed = status(said("affirmed")), status(said("assented"))
    assert Proved(Grade.E5).stands(affirmed)
    assert not Proved(Grade.E5).stands(agreed)
    assert Proved(Grade.E5, assented=True).stands(agreed)
    assert not Proved(Grade.E5, assented=False).stands(agreed)


def test_the_grade_of_one_revision_is_not_the_others():
    assert "no confirmation of revision 2" in Proved(Grade.E5, revision=2).wrong(status(said("affirmed")))
    assert Proved(Grade.E2, kind=Kind.CANCELLATION).wrong(status(said("delivered")))
