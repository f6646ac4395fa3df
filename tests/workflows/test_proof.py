"""Receipt, reading and assent in the order's own state: the same facts end the same, in whatever order they come."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderack.contracts.activities import Facts
from orderack.contracts.journal import Event, Stage
from orderack.contracts.updates import AcceptHandoff, CancelRequest, ChangeRequest, HandoffReply, Reply
from orderack.domain.acknowledgement import Kind, SendOutcome, SendState
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from orderack.domain.proof import prove
from tests.workflows.beginnings import booked, changed, confirmed
from tests.workflows.orders import a_decision, a_receipt, an_assessment, an_order
from tests.workflows.world import World
from workflows import _view
from workflows._facts import take_evidence
from workflows._requests import cancel, change
from workflows._state import LegState, OrderState
from workflows._steps import accept_order, assessed, confirm_if_booked, declined, handed_off, take_receipt, work_gate
from workflows._telling import say, take_outcome

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
MINUTE = timedelta(minutes=1)


def send_everything(state: OrderState) -> None:
    """Every pending message is accepted."""
    for ack in state.acknowledgements:
        for leg in ack.legs:
            if ack.pending:
                take_outcome(state, NOON, ack, leg, SendOutcome(channel=leg.channel, state=SendState.ACCEPTED))


def confirm(state: OrderState) -> None:
    """Assess, book, confirm and hand off the current revision."""
    order = state.order
    assert order is not None
    legs = (("email", "sms"), ("portal",))
    assessed(state, an_assessment(order, state.revision, a_decision(legs=legs)), NOON)
    take_receipt(state, a_receipt(order, NOON, id=f"R{state.revision}", revision=state.revision), NOON)
    confirm_if_booked(state, NOON)
    send_everything(state)
    handed_off(state, NOON)
    assert state.stage is Stage.HANDED_OFF


def an_order_state(revisions: int = 1) -> OrderState:
    """An order confirmed at noon, and changed and confirmed again as often as asked."""
    order = an_order("P-1", NOON)
    state = OrderState(ref=order.ref, started_at=NOON)
    accept_order(state, order, NOON)
    confirm(state)
    for n in range(2, revisions + 1):
        change(state, ChangeRequest(id=f"c{n}", order=changed(order, quantity=n + 7)), NOON)
        confirm(state)
    return state


def a_fact(event: EvidenceEvent, grade: Grade = Grade.E5, *, minute: int = 1, revision: int = 1) -> EvidenceFact:
    return EvidenceFact(
        id=f"{event}/{grade}/{minute}/{revision}",
        event=event,
        grade=grade,
        channel="portal",
        revision=revision,
        kind=Kind.CONFIRMATION,
        occurred_at=NOON + minute * MINUTE,
    )


def take(state: OrderState, *facts: EvidenceFact) -> None:
    for fact in facts:
        take_evidence(state, fact, NOON + MINUTE)


# -- order and repetition make no difference ------------------------------------------------------------------------

facts = st.builds(
    EvidenceFact,
    id=st.uuids().map(str),
    event=st.sampled_from(sorted(set(EvidenceEvent) - {EvidenceEvent.BOUNCED})),
    grade=st.sampled_from(Grade),
    channel=st.sampled_from(["email", "sms", "portal"]),
    revision=st.sampled_from([1, 2, 3]),
    kind=st.sampled_from([Kind.RECEIVED, Kind.CONFIRMATION]),
    n=st.sampled_from([1, 1, 1, 2]),
    occurred_at=st.integers(0, 4).map(lambda minute: NOON + minute * MINUTE),
)


def ends(taken: Sequence[EvidenceFact]) -> object:
    """All that a state concludes from facts: what is proved of which message, what is sent, whether work begins."""
    state = an_order_state(revisions=2)
    take(state, *taken)
    said = {(a.kind, a.revision, a.n): (a.grade, a.proof) for a in state.acknowledgements if a.kind is not Kind.ALERT}
    legs = [leg.model_dump() for ack in state.acknowledgements if ack.kind is not Kind.ALERT for leg in ack.legs]
    return said, legs, work_gate(state), declined(state), state.disputes, set(state.seen), _view.evidence(state)


@settings(max_examples=120, deadline=None)
@given(st.data(), st.lists(facts, max_size=7))
def test_late_repeated_and_reordered_facts_end_in_the_same_state(data: st.DataObject, came: list[EvidenceFact]) -> None:
    repeated = came + data.draw(st.lists(st.sampled_from(came), max_size=4)) if came else came
    assert ends(came) == ends(data.draw(st.permutations(repeated)))


@settings(max_examples=60, deadline=None)
@given(st.lists(facts, max_size=7))
def test_each_message_has_the_proof_of_its_own_facts_and_no_others(came: list[EvidenceFact]) -> None:
    state = an_order_state(revisions=2)
    take(state, *came)
    for ack in state.acknowledgements:
        own = [f for f in came if (f.kind, f.revision, f.n) == (ack.kind, ack.revision, ack.n)]
        assert ack.proof == prove(own)


@settings(max_examples=60, deadline=None)
@given(st.lists(facts, max_size=7))
def test_what_is_known_of_an_older_revision_never_counts_for_the_current(came: list[EvidenceFact]) -> None:
    everything, current = an_order_state(revisions=2), an_order_state(revisions=2)
    take(everything, *came)
    take(current, *(fact for fact in came if fact.revision == 2))
    assert (work_gate(everything), declined(everything)) == (work_gate(current), declined(current))


@pytest.mark.parametrize("first", [EvidenceEvent.BOUNCED, EvidenceEvent.DELIVERED])
def test_a_bounce_takes_nothing_from_what_a_delivery_proves(first: EvidenceEvent) -> None:
    state = an_order_state()
    both = [a_fact(EvidenceEvent.BOUNCED, Grade.E1), a_fact(EvidenceEvent.DELIVERED, Grade.E2)]
    take(state, *sorted(both, key=lambda fact: fact.event is not first))
    ack = state.said(Kind.CONFIRMATION)[0]
    assert ack.grade is Grade.E2
    assert ack.proof.receipt is not None


def test_a_second_bounce_of_the_last_channel_changes_nothing() -> None:
    state = an_order_state()
    take(state, a_fact(EvidenceEvent.BOUNCED, Grade.E1))
    before = [leg.model_dump() for leg in state.said(Kind.CONFIRMATION)[0].legs]
    take(state, a_fact(EvidenceEvent.BOUNCED, Grade.E1, minute=2))
    assert [leg.model_dump() for leg in state.said(Kind.CONFIRMATION)[0].legs] == before


def test_a_read_message_was_delivered_though_nobody_reported_a_delivery() -> None:
    state = an_order_state()
    take(state, a_fact(EvidenceEvent.DISPLAYED, Grade.E3))
    proof = state.said(Kind.CONFIRMATION)[0].proof
    assert proof.receipt is not None
    assert work_gate(state) == ()


@pytest.mark.parametrize(
    ("event", "settled"),
    [
        (EvidenceEvent.DELIVERED, True),
        (EvidenceEvent.REPLIED, True),
        (EvidenceEvent.DECLINED, True),
        (EvidenceEvent.MACHINE_TOUCH, False),
        (EvidenceEvent.UNKNOWN, False),
        (EvidenceEvent.OPTED_OUT, False),
    ],
)
def test_what_only_follows_a_message_that_went_out_settles_its_doubt(event: EvidenceEvent, settled: bool) -> None:
    state = an_order_state()
    leg = state.said(Kind.CONFIRMATION)[0].legs[1]
    leg.state = LegState.UNKNOWN
    take(state, a_fact(event, Grade.M if event is EvidenceEvent.MACHINE_TOUCH else Grade.E4))
    assert (leg.state is LegState.DONE) is settled


def test_a_machine_touch_opens_no_gate() -> None:
    state = an_order_state()
    take(state, a_fact(EvidenceEvent.MACHINE_TOUCH, Grade.M))
    assert work_gate(state)


def test_an_attested_arrival_opens_no_gate_that_asks_for_the_buyers_word() -> None:
    state = an_order_state(revisions=2)
    take(state, a_fact(EvidenceEvent.DELIVERED, Grade.E6, revision=2))
    assert work_gate(state) == ("no evidence of grade E5 that the buyer has revision 2",)
    take(state, a_fact(EvidenceEvent.AFFIRMED, Grade.E6, revision=2))
    assert work_gate(state) == ()


@pytest.mark.parametrize(
    ("event", "grade", "falls_back"),
    [
        (EvidenceEvent.DISPLAYED, Grade.E3P, True),
        (EvidenceEvent.DELIVERED, Grade.E2, False),
        (EvidenceEvent.AFFIRMED, Grade.E5, False),
    ],
)
def test_what_came_back_after_an_image_was_fetched_opens_the_fallback(
    event: EvidenceEvent, grade: Grade, falls_back: bool
) -> None:
    state = an_order_state()
    seen, back = a_fact(event, grade), a_fact(EvidenceEvent.BOUNCED, Grade.E0, minute=2)
    take(state, *(one.model_copy(update={"channel": "email"}) for one in (seen, back)))
    confirmation = state.said(Kind.CONFIRMATION)[0]
    assert (confirmation.legs[0].channel == "sms") is falls_back
    assert confirmation.proof.returned is not None


@pytest.mark.parametrize("grade", [Grade.E4, Grade.E5])
def test_a_reply_counts_by_its_grade(grade: Grade) -> None:
    state = an_order_state(revisions=2)
    take(state, a_fact(EvidenceEvent.REPLIED, grade, revision=2))
    assert (work_gate(state) == ()) is (grade is Grade.E5)
    assert state.said(Kind.CONFIRMATION, 2)[0].proof.assent is None


def test_the_grade_in_lists_is_the_current_confirmations_and_else_the_last_messages() -> None:
    state = an_order_state()
    take(state, a_fact(EvidenceEvent.DISPLAYED, Grade.E3))
    say(state, NOON, [Kind.ANSWER], Facts())
    assert _view.evidence(state) == "E3"
    order = state.order
    assert order is not None
    change(state, ChangeRequest(id="c", order=changed(order)), NOON)
    assert _view.evidence(state) == ""
    take(state, a_fact(EvidenceEvent.DELIVERED, Grade.E2, revision=2).model_copy(update={"kind": Kind.CHANGE_RECEIVED}))
    assert _view.evidence(state) == "E2"


# -- the buyer's no ---------------------------------------------------------------------------------------------------

YES, NO = EvidenceEvent.ASSENTED, EvidenceEvent.DECLINED


def alerts(state: OrderState) -> list[str]:
    return [ack.facts.reason for ack in state.said(Kind.ALERT)]


def events(state: OrderState, event: Event) -> int:
    return [entry.event for entry in state.timeline].count(event)


def test_a_declined_part_stops_the_work_and_the_owner_hears_of_it_once() -> None:
    state = an_order_state()
    take(state, a_fact(EvidenceEvent.AFFIRMED), a_fact(NO, minute=2), a_fact(NO, minute=3))
    assert work_gate(state) == ("the buyer declined a part of revision 1",)
    assert alerts(state) == ["the buyer declined a part of revision 1: work waits"]
    assert events(state, Event.DECLINED) == 1


def test_a_later_yes_lifts_it_and_a_later_no_stops_it_again() -> None:
    state = an_order_state()
    take(state, a_fact(NO, minute=2), a_fact(YES, minute=3))
    assert work_gate(state) == ()
    take(state, a_fact(NO, minute=4))
    assert work_gate(state) == ("the buyer declined a part of revision 1",)
    assert (events(state, Event.DECLINED), events(state, Event.WORK_MAY_BEGIN)) == (2, 1)


def test_a_no_that_comes_after_the_yes_that_took_it_back_stops_nothing() -> None:
    state = an_order_state()
    take(state, a_fact(YES, minute=3), a_fact(NO, minute=2))
    assert work_gate(state) == ()
    assert alerts(state) == []


def test_of_a_yes_and_a_no_at_the_same_moment_the_no_counts() -> None:
    for both in ((YES, NO), (NO, YES)):
        state = an_order_state()
        take(state, *(a_fact(event, minute=2) for event in both))
        assert declined(state)


@pytest.mark.parametrize(("first", "second"), [(1, 2), (2, 1)])
def test_the_last_word_counts_over_all_copies_of_the_confirmation(first: int, second: int) -> None:
    state = an_order_state()
    copy = state.said(Kind.CONFIRMATION)[0].model_copy(update={"n": 2})
    state.acknowledgements.append(copy)
    said = [
        a_fact(NO, minute=2).model_copy(update={"n": first}),
        a_fact(YES, minute=3).model_copy(update={"n": second}),
    ]
    take(state, *said)
    assert not declined(state)


def test_a_new_confirmed_revision_lifts_the_no_to_the_old_one() -> None:
    state = an_order_state()
    take(state, a_fact(NO))
    order = state.order
    assert order is not None
    change(state, ChangeRequest(id="c", order=changed(order)), NOON)
    confirm(state)
    take(state, a_fact(NO, minute=5), a_fact(EvidenceEvent.AFFIRMED, revision=2))
    assert work_gate(state) == ()


def test_a_no_to_an_order_that_was_cancelled_disturbs_nobody() -> None:
    state = an_order_state()
    cancel(state, CancelRequest(id="x"), NOON)
    before = alerts(state)
    take(state, a_fact(NO))
    assert alerts(state) == before


async def test_a_declined_order_is_held_back_from_the_team_until_the_buyer_agrees(world: World) -> None:
    story = await confirmed(world)
    await story.evidence(EvidenceEvent.DELIVERED, Grade.E2)
    assert (await story.status()).work_may_begin
    await story.evidence(NO, Grade.E5, channel="portal")
    await story.settle()
    assert [t.request.facts.reason for t in story.script.told if t.dispatch.audience == "internal"] == [
        "the buyer declined a part of revision 1: work waits"
    ]
    hand = AcceptHandoff(id="a", revision=1, content_hash=story.order.content_hash, by="warehouse")
    reply = await story.ask("accept_handoff", hand, HandoffReply)
    assert (reply.accepted, reply.may_begin) == (True, False)
    assert reply.why_not == ("the buyer declined a part of revision 1",)
    (proof,) = [said.proof for said in (await story.status()).acknowledgements if said.kind is Kind.CONFIRMATION]
    assert (proof.assented, proof.receipt is not None, proof.reading is not None) == (False, True, True)
    await story.evidence(YES, Grade.E5, channel="portal")
    assert (await story.status()).work_may_begin


def test_a_dispute_holds_the_work_whatever_its_grade_until_the_buyer_accepts_or_a_change_is_confirmed() -> None:
    state, dispute = an_order_state(revisions=2), EvidenceEvent.DISPUTED
    take(state, a_fact(dispute, minute=2, revision=2), a_fact(YES, minute=1, revision=2))
    assert work_gate(state) == ("the buyer disputes revision 2",), "that yes was said before"
    take(state, a_fact(YES, minute=3, revision=2))
    assert work_gate(state) == ()
    take(state, a_fact(dispute, minute=9, revision=1))
    assert work_gate(state) == (), "revision 1 stands no more"


async def test_the_grade_is_written_for_lists_when_a_no_or_a_dispute_comes_and_at_no_other_evidence(
    world: World,
) -> None:
    story = await confirmed(world)

    async def written() -> int:
        upsert = "upsert_workflow_search_attributes_event_attributes"
        return len([e async for e in story.handle.fetch_history_events() if e.HasField(upsert)])  # type: ignore[arg-type]

    counts = []
    for event in (EvidenceEvent.DELIVERED, EvidenceEvent.AFFIRMED, NO, EvidenceEvent.DISPUTED, YES):
        await story.evidence(event, Grade.E5)
        await story.settle()
        await story.world.sleep(MINUTE)
        counts.append(await written())
    assert counts == [0, 0, 1, 2, 3]
    found = (await story.handle.describe()).search_attributes
    assert found["OrderackEvidence"] == ["E5"]
    assert found["OrderackStage"] == ["open"]


async def test_a_change_after_a_no_is_confirmed_anew_and_work_waits_for_that(world: World) -> None:
    story = await confirmed(world)
    await story.evidence(NO, Grade.E5)
    await story.ask("change", ChangeRequest(id="c", order=changed(story.order)), Reply)
    await story.settle()
    await booked(story, 2)
    assert not any("declined" in why for why in (await story.status()).work_why_not)
    await story.evidence(EvidenceEvent.AFFIRMED, Grade.E5, revision=2)
    assert (await story.status()).work_may_begin
    assert [entry.note for entry in story.script.entries.values() if entry.event is Event.CONFIRMED] == [
        f"SO-{story.order.number}-1",
        f"SO-{story.order.number}-2",
    ]
