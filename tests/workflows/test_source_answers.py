"""The system that an order came from hears what became of it by its own call, in time, and once."""

from datetime import datetime, timedelta

from orderack.contracts.activities import AnswerSourceRequest, ErpAnswer, ErpSubmission, Invoiced, InvoiceRequest
from orderack.contracts.journal import ClockName, Event, Stage
from orderack.contracts.updates import (
    CancelRequest,
    ChangeRequest,
    Claim,
    ClaimTarget,
    Reply,
    ReviewDecision,
    ReviewVerdict,
)
from orderack.domain.assessment import AnswerCall, SourceCall
from orderack.domain.source import Answered, AnswerStage, AnswerState
from orderack.errors import Unavailable
from tests.workflows.beginnings import begin, booked, changed, confirmed
from tests.workflows.orders import HIGH_VALUE, HOUR, MINUTE, a_decision, an_assessment, an_order
from tests.workflows.world import Story, World, a_number, submit

ALL = tuple(AnswerStage)
NOTE = SourceCall(
    system="shopify", call=AnswerCall.NOTE, stages=(AnswerStage.CONFIRMED, AnswerStage.REJECTED, AnswerStage.CANCELLED)
)
WALMART = SourceCall(system="walmart", call=AnswerCall.RECEIPT, stages=(AnswerStage.RECEIVED, AnswerStage.CONFIRMED))
EDI = SourceCall(system="edi_x12", call=AnswerCall.COMMITMENT, stages=(AnswerStage.CONFIRMED, AnswerStage.REJECTED))


def told(story: Story) -> list[str]:
    return [f"{request.revision}/{request.stage}" for _, request in story.script.answers]


async def of_partner(world: World, call: SourceCall, within: timedelta, *, flagged: bool = False) -> Story:
    """An order whose partner has a clock of its own."""
    now = await world.now()
    order = an_order(a_number(), now, partner_due=now + within)
    made = a_decision(answer=call)
    world.script(order.number).assess = lambda r: an_assessment(
        r.order, r.revision, made, (HIGH_VALUE,) if flagged and HIGH_VALUE.name not in r.waived else ()
    )
    return await submit(world, order)


async def test_the_shop_hears_once_of_the_confirmation_with_what_the_erp_said_of_every_line(world: World) -> None:
    story = await begin(world, answer=NOTE)
    await story.settle()
    assert told(story) == []
    await booked(story, l2="backordered")
    await story.sleep(HOUR)
    ((_, request),) = story.script.answers
    assert (request.stage, request.revision, request.system) == (AnswerStage.CONFIRMED, 1, "shopify")
    assert [(line.line_id, line.outcome) for line in request.answers] == [("1", "accept"), ("2", "backorder")]
    assert request.document_id == f"SO-{story.order.number}-1"
    assert Event.SOURCE_ANSWERED in [entry.event for entry in (await story.timeline()).entries]


async def test_every_changed_revision_is_answered_anew_and_no_other(world: World) -> None:
    story = await confirmed(world, answer=NOTE)
    await story.ask("change", ChangeRequest(id="c1", order=changed(story.order)), Reply)
    await story.settle()
    assert told(story) == ["1/confirmed"]
    await booked(story, 2)
    assert told(story) == ["1/confirmed", "2/confirmed"]


async def test_a_source_that_is_not_answered_is_told_nothing(world: World) -> None:
    story = await confirmed(world)
    await story.ask("cancel", CancelRequest(id="x"), Reply)
    await story.settle()
    assert told(story) == []


async def test_a_cancellation_is_told_to_the_shop_unless_it_came_from_there(world: World) -> None:
    ours, theirs = await confirmed(world, answer=NOTE), await confirmed(world, answer=NOTE)
    await ours.ask("cancel", CancelRequest(id="x", by="buyer", reason="too late"), Reply)
    await theirs.ask("cancel", CancelRequest(id="x", by=theirs.order.source), Reply)
    await ours.settle()
    await theirs.settle()
    assert told(ours) == ["1/confirmed", "1/cancelled"]
    assert ours.script.answers[-1][1].reason == "too late"
    assert told(theirs) == ["1/confirmed"]


async def test_an_order_under_review_is_acknowledged_to_walmart_before_its_four_hours(world: World) -> None:
    story = await of_partner(world, WALMART, 4 * HOUR, flagged=True)
    await story.sleep(3 * HOUR)
    assert told(story) == []
    await story.sleep(HOUR)
    await story.settle()
    assert told(story) == ["1/received"]
    assert story.script.answers[0][0] <= story.order.trigger_at + 4 * HOUR - 29 * MINUTE
    status = await story.status()
    assert status.stage is Stage.REVIEW
    (clock,) = [clock for clock in status.clocks if clock.name is ClockName.PARTNER]
    assert clock.met_at is not None
    assert clock.breached_at is None
    await story.ask("decide_review", ReviewDecision(id="r", verdict=ReviewVerdict.APPROVE, by="ann"), Reply)
    await story.settle()
    await booked(story)
    assert told(story) == ["1/received"], "the call says no more than that we have it: it is not made twice"


async def test_a_walmart_that_is_out_of_reach_is_asked_on_up_to_its_four_hours_and_kept_at_3_h_59(world: World) -> None:
    story = await of_partner(world, WALMART, 4 * HOUR, flagged=True)
    back = story.order.trigger_at + 4 * HOUR - 2 * MINUTE
    asked: list[datetime] = []

    def answer(request: AnswerSourceRequest) -> Answered:
        asked.append(story.script.answers[-1][0])
        if asked[-1] < back:
            raise Unavailable("Walmart answered 503")
        return Answered(state=AnswerState.ACCEPTED)

    story.script.answer = answer
    await story.sleep(4 * HOUR + MINUTE)
    await story.settle()
    assert len(asked) > 25, "it is asked about once a minute from half an hour before the deadline on"
    assert set(told(story)) == {"1/received"}
    (clock,) = [clock for clock in (await story.status()).clocks if clock.name is ClockName.PARTNER]
    assert clock.breached_at is None
    assert clock.met_at is not None
    assert back <= clock.met_at < story.order.trigger_at + 4 * HOUR


async def test_the_buyers_confirmation_does_not_keep_the_partners_deadline_but_its_own_call_does(world: World) -> None:
    story = await of_partner(world, EDI, 24 * HOUR)
    story.script.answer = lambda r: Answered(state=AnswerState.REFUSED, detail="unknown purchase order")
    await story.settle()
    await booked(story)
    assert story.script.kinds() == ["received", "confirmation"]
    (clock,) = [clock for clock in (await story.status()).clocks if clock.name is ClockName.PARTNER]
    assert clock.met_at is None
    await story.sleep(MINUTE)
    assert "alert" in story.script.kinds("internal"), "a person hears that the partner refused our answer"
    assert Event.SOURCE_REFUSED in story.script.events()


async def test_a_commitment_is_made_only_once_the_erp_has_booked_or_a_person_has_refused(world: World) -> None:
    story, refused = await of_partner(world, EDI, 24 * HOUR), await of_partner(world, EDI, 24 * HOUR, flagged=True)
    await story.sleep(25 * HOUR)
    assert told(story) == [], "no promise without the ERP, whatever the partner's clock says"
    assert (await story.status()).escalated
    await booked(story)
    assert told(story) == ["1/confirmed"]
    await refused.settle()
    await refused.ask(
        "decide_review", ReviewDecision(id="r", verdict=ReviewVerdict.REJECT, by="ann", note="no stock"), Reply
    )
    await refused.settle()
    assert told(refused) == ["1/rejected"]
    assert refused.script.answers[0][1].reason == "no stock"


async def test_what_was_answered_is_carried_into_a_fresh_history(world: World) -> None:
    story = await begin(world, answer=NOTE, can=20)
    await story.settle()
    await booked(story)
    for n in range(6):
        await story.ask("cancel", CancelRequest(id=f"never-{n}"), Reply) if n == 5 else await story.sleep(MINUTE)
    await story.settle()
    assert told(story) == ["1/confirmed", "1/cancelled"]


async def test_what_is_cancelled_while_its_partner_is_out_of_reach_is_never_promised_to_it_later(world: World) -> None:
    story = await begin(world, answer=EDI)
    away = True

    def answer(request: AnswerSourceRequest) -> Answered:
        if away:
            raise Unavailable("the partner's server answered 503")
        return Answered(state=AnswerState.ACCEPTED)

    story.script.answer = answer
    await booked(story)
    await story.sleep(HOUR)
    assert set(told(story)) == {"1/confirmed"}
    await story.ask("cancel", CancelRequest(id="x", by="buyer"), Reply)
    await story.settle()
    tried, away = len(told(story)), False
    await story.sleep(HOUR)
    assert len(told(story)) == tried
    assert Event.SOURCE_ANSWERED not in [entry.event for entry in (await story.timeline()).entries]


async def test_a_shop_that_was_away_hears_of_the_cancellation_alone(world: World) -> None:
    story = await begin(world, answer=NOTE)
    taken: list[str] = []
    away = True

    def answer(request: AnswerSourceRequest) -> Answered:
        if away:
            raise Unavailable("the shop answered 503")
        taken.append(request.stage)
        return Answered(state=AnswerState.ACCEPTED)

    story.script.answer = answer
    await booked(story)
    await story.sleep(24 * HOUR)
    await story.ask("cancel", CancelRequest(id="x", by="buyer"), Reply)
    await story.settle()
    away = False
    await story.sleep(HOUR)
    assert taken == ["cancelled"]


async def test_what_is_cancelled_while_the_erp_is_away_is_not_invoiced_when_it_is_back(world: World) -> None:
    story = await begin(world, invoice=True)
    away = True

    def invoice(request: InvoiceRequest) -> Invoiced:
        if away:
            raise Unavailable("the ERP answered 503")
        return Invoiced(invoice_id="INV-1")

    story.script.invoice = invoice
    await booked(story)
    await story.sleep(HOUR)
    assert story.script.invoices
    await story.ask("cancel", CancelRequest(id="x", by="buyer"), Reply)
    await story.settle()
    tried, away = len(story.script.invoices), False
    await story.sleep(HOUR)
    assert len(story.script.invoices) == tried


async def test_an_order_whose_partners_deadline_is_over_when_it_comes_is_answered_all_the_same(world: World) -> None:
    story = await of_partner(world, WALMART, -2 * HOUR, flagged=True)
    await story.settle()
    assert told(story) == ["1/received"]
    status = await story.status()
    (clock,) = [clock for clock in status.clocks if clock.name is ClockName.PARTNER]
    assert clock.breached_at is not None, "that it was late is on the record"


async def test_the_erp_invoices_what_was_handed_off_once_whatever_changes_later(world: World) -> None:
    story = await confirmed(world, invoice=True)
    await story.settle()
    ((request),) = story.script.invoices
    assert request.document_id == f"SO-{story.order.number}-1"
    await story.ask("change", ChangeRequest(id="c1", order=changed(story.order)), Reply)
    await story.settle()
    await booked(story, 2)
    assert len(story.script.invoices) == 1
    notes = [entry.note for entry in (await story.timeline()).entries if entry.event is Event.INVOICED]
    assert notes == ["INV-1"]


async def test_an_invoice_that_the_erp_refuses_is_on_the_record_and_stops_nothing(world: World) -> None:
    story = await begin(world, invoice=True)
    story.script.invoice = lambda r: Invoiced(invoice_id=None, reason="the period is closed")
    await booked(story)
    await story.settle()
    assert (await story.status()).stage is Stage.HANDED_OFF
    notes = [entry.note for entry in (await story.timeline()).entries if entry.event is Event.INVOICED]
    assert notes == ["not invoiced: the period is closed"]


async def test_a_draft_that_waits_in_the_erp_is_no_receipt_and_the_timeline_says_what_it_waits_for(
    world: World,
) -> None:
    now = await world.now()
    order = an_order(a_number(), now)
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    script.submit = lambda r: ErpSubmission(
        answer=ErpAnswer.SUBMITTED, document_id="D-7", reason="waits for an approval in the ERP"
    )
    story = await submit(world, order)
    await story.sleep(HOUR)
    status = await story.status()
    assert status.stage is Stage.AWAITING_ERP
    assert status.escalated
    notes = [entry.note for entry in (await story.timeline()).entries if entry.event is Event.ERP_WAITS]
    assert notes == ["waits for an approval in the ERP"]


async def test_a_partner_that_is_late_answered_is_the_houses_trouble_and_no_confirmed_buyers(world: World) -> None:
    story = await of_partner(world, EDI, HOUR)
    answered = AnswerState.REFUSED
    story.script.answer = lambda r: Answered(state=answered)
    await story.settle()
    await booked(story)
    await story.sleep(7 * HOUR)
    assert (await story.status()).escalated
    assert story.script.kinds() == ["received", "confirmation"]
    assert "alert" in story.script.kinds("internal")
    claim = Claim(id="c", target=ClaimTarget.ESCALATION, by="ann")
    assert (await story.ask("claim", claim, Reply)).accepted
    assert not (await story.status()).escalated


async def test_an_answer_that_the_partner_takes_late_ends_the_escalation(world: World) -> None:
    story = await of_partner(world, EDI, HOUR)
    back = story.order.trigger_at + 3 * HOUR

    def answer(request: AnswerSourceRequest) -> Answered:
        if story.script.answers[-1][0] < back:
            raise Unavailable("the partner answered 503")
        return Answered(state=AnswerState.ACCEPTED)

    story.script.answer = answer
    await story.settle()
    await booked(story)
    await story.sleep(2 * HOUR)
    assert (await story.status()).escalated
    await story.sleep(3 * HOUR)
    assert not (await story.status()).escalated
    assert story.script.kinds() == ["received", "confirmation"]
