"""What comes early, late, twice, half or malformed ends where the tidy order of events would have ended."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest
from temporalio.client import WorkflowUpdateFailedError

from orderack.contracts.activities import ErpAnswer, ErpSubmission
from orderack.contracts.journal import Event, Stage
from orderack.contracts.updates import (
    CancelRequest,
    ChangeRequest,
    PaymentChanged,
    Reply,
    ReviewDecision,
    ReviewVerdict,
    SettleSend,
    SettleVerdict,
    SubmitVerdict,
)
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.assessment import Flag, FlagName, Gate
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from orderack.domain.order import Order, PaymentStatus
from tests.workflows.orders import HIGH_VALUE, HOUR, INCOMPLETE, MINUTE, a_decision, a_receipt, an_assessment, an_order
from tests.workflows.world import Story, World, a_number, receipt_first, submit


async def begin(world: World, *, flags: tuple[Flag, ...] = (), can: int | None = None, **decision: object) -> Story:
    order = an_order(a_number(), await world.now())
    made = a_decision(**decision)  # type: ignore[arg-type]

    world.script(order.number).assess = lambda r: an_assessment(
        r.order, r.revision, made, tuple(f for f in flags if f.name not in r.waived and r.revision == 1)
    )
    return await submit(world, order, continue_as_new_after=can)


async def confirmed(world: World, **decision: object) -> Story:
    story = await begin(world, **decision)
    await story.receipt(a_receipt(story.order, await world.now()))
    await story.settle()
    return story


def changed(order: Order, quantity: int = 5) -> Order:
    line = order.lines[0].model_copy(update={"quantity": Decimal(quantity)})
    return order.model_copy(update={"lines": (line, *order.lines[1:])})


async def delivered(world: World, story: Story, revision: int = 1, grade: Grade = Grade.E2, id: str = "d") -> None:
    fact = EvidenceFact(
        id=f"{id}-{revision}-{grade}",
        event=EvidenceEvent.DELIVERED if grade is Grade.E2 else EvidenceEvent.AFFIRMED,
        grade=grade,
        channel="email",
        revision=revision,
        kind=Kind.CONFIRMATION,
        occurred_at=await world.now(),
    )
    await story.handle.signal("evidence", fact)


# -- the ERP's receipt ----------------------------------------------------------------------------------------------


async def test_a_receipt_before_the_order_waits_for_it_and_the_confirmation_is_the_only_message(world: World) -> None:
    order = an_order(a_number(), await world.now())
    world.script(order.number).assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    early = await receipt_first(world, order, a_receipt(order, await world.now()))
    assert (await early.status()).stage is Stage.AWAITING_ORDER
    story = await submit(world, order)
    await story.settle()
    assert story.script.kinds() == ["confirmation"]
    assert story.script.submissions == []


async def test_a_partial_receipt_confirms_and_tells_the_backorder_in_the_first_message(world: World) -> None:
    story = await begin(world, gate=Gate.ERP_GATED)
    await story.receipt(a_receipt(story.order, await world.now(), l1="backordered"))
    await story.settle()
    assert story.script.kinds() == ["confirmation"]
    answers = {a.line_id: a.outcome for a in story.script.told[0].request.facts.answers}
    assert answers == {"1": "backorder", "2": "accept"}


async def test_a_receipt_that_says_the_stock_is_gone_becomes_a_review_and_not_a_confirmation(world: World) -> None:
    story = await begin(world)
    await story.receipt(a_receipt(story.order, await world.now(), l1="unavailable"))
    await story.settle()
    status = await story.status()
    assert status.stage is Stage.REVIEW
    assert status.flags[0].name is FlagName.STOCK_GONE
    assert "confirmation" not in story.script.kinds()
    reply = await story.ask("decide_review", ReviewDecision(id="r", verdict=ReviewVerdict.APPROVE, by="ann"), Reply)
    assert reply.accepted
    await story.settle()
    assert story.script.kinds()[-1] == "confirmation"


async def test_a_document_id_without_stock_is_not_a_receipt(world: World) -> None:
    story = await begin(world)
    await story.receipt(a_receipt(story.order, await world.now()).model_copy(update={"lines": ()}))
    await story.settle()
    assert "confirmation" not in story.script.kinds()
    await story.receipt(a_receipt(story.order, await world.now(), id="R2"))
    await story.settle()
    assert story.script.kinds().count("confirmation") == 1


async def test_a_receipt_for_an_old_revision_confirms_nothing(world: World) -> None:
    story = await begin(world)
    await story.settle()
    await story.ask("change", ChangeRequest(id="c1", order=changed(story.order)), Reply)
    await story.settle()
    await story.receipt(a_receipt(story.order, await world.now(), revision=1))
    await story.settle()
    assert "confirmation" not in story.script.kinds()
    await story.receipt(a_receipt(story.order, await world.now(), id="R2", revision=2))
    await story.settle()
    assert [(t.key.revision, t.dispatch.kind) for t in story.script.told if t.dispatch.kind == "confirmation"] == [
        (2, "confirmation")
    ]


async def test_an_erp_that_refuses_the_order_brings_a_person_in_and_approval_submits_it_again(world: World) -> None:
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    script.submit = lambda r: ErpSubmission(answer=ErpAnswer.REFUSED, reason="customer is blocked")
    story = await submit(world, order)
    await story.settle()
    assert (await story.status()).flags[0].name is FlagName.ERP_REFUSED
    script.submit = lambda r: ErpSubmission(answer=ErpAnswer.SUBMITTED)
    await story.ask("decide_review", ReviewDecision(id="r", verdict=ReviewVerdict.APPROVE, by="ann"), Reply)
    await story.settle()
    assert len(script.submissions) == 2


async def test_an_erp_that_answers_in_the_same_call_needs_no_signal(world: World) -> None:
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision(gate=Gate.ERP_GATED))
    receipt = a_receipt(order, await world.now())
    script.submit = lambda r: ErpSubmission(answer=ErpAnswer.SUBMITTED, receipt=receipt)
    story = await submit(world, order)
    await story.settle()
    assert script.kinds() == ["confirmation"]


# -- changes and cancellations --------------------------------------------------------------------------------------


async def test_every_change_is_a_new_confirmation_and_evidence_for_the_old_one_does_not_count(world: World) -> None:
    story = await confirmed(world)
    await delivered(world, story)
    assert (await story.status()).work_may_begin
    reply = await story.ask("change", ChangeRequest(id="c1", order=changed(story.order)), Reply)
    assert reply.accepted
    again = await story.ask("change", ChangeRequest(id="c1", order=changed(story.order)), Reply)
    assert again == reply
    await story.settle()
    status = await story.status()
    assert status.revision == 2
    assert not status.work_may_begin
    await story.receipt(a_receipt(story.order, await world.now(), id="R2", revision=2))
    await story.settle()
    assert story.script.kinds() == ["received", "confirmation", "change_received", "confirmation"]
    assert story.script.told[-1].request.facts.changed_from == 1
    await delivered(world, story, 1, Grade.E5, "late")
    assert not (await story.status()).work_may_begin
    await delivered(world, story, 2, Grade.E5)
    assert (await story.status()).work_may_begin
    assert [h.revision for h in story.script.handoffs] == [1, 2]
    assert [s.revision for s in story.script.submissions] == [1, 2]


async def test_the_same_number_with_another_body_is_a_change_proposal(world: World) -> None:
    story = await confirmed(world)
    second = await submit(world, changed(story.order))
    assert second.reply
    assert second.reply.verdict is SubmitVerdict.CHANGE_PROPOSED
    assert second.reply.revision == 2


async def test_a_cancellation_that_beats_the_receipt_wins_and_the_erp_is_told_when_the_order_lands(
    world: World,
) -> None:
    story = await begin(world)
    await story.settle()
    story.script.cancel_answer = ErpAnswer.NOT_FOUND
    assert (await story.ask("cancel", CancelRequest(id="x", reason="changed my mind"), Reply)).accepted
    await story.settle()
    assert story.script.kinds() == ["received", "cancellation"]
    assert len(story.script.cancellations) == 1
    story.script.cancel_answer = ErpAnswer.SUBMITTED
    await story.receipt(a_receipt(story.order, await world.now()))
    await story.settle()
    assert [c.document_id for c in story.script.cancellations] == [None, f"SO-{story.order.number}-1"]
    await story.sleep(HOUR * 30)
    assert story.script.kinds() == ["received", "cancellation"]
    await story.sleep(timedelta(days=8))
    assert (await story.result()).stage is Stage.CLOSED


async def test_after_a_cancellation_nothing_goes_out_but_the_cancellation(world: World) -> None:
    story = await begin(world, flags=(HIGH_VALUE,))
    await story.settle()
    await story.ask("cancel", CancelRequest(id="x"), Reply)
    await story.sleep(HOUR * 9)
    assert [k for k in story.script.kinds() if k != "received"] == ["cancellation"]


async def test_a_message_that_a_cancellation_made_untrue_never_goes_out_and_no_entry_is_lost(world: World) -> None:
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    script.send = lambda d, n: SendState.CLAIMED if d.kind in ("holding", "alert") else SendState.ACCEPTED
    story = await submit(world, order)
    await story.sleep(MINUTE * 16)
    await story.ask("cancel", CancelRequest(id="x"), Reply)
    await story.settle()
    script.send = lambda d, n: SendState.ACCEPTED
    await story.sleep(timedelta(days=8))
    assert (await story.result()).stage is Stage.CLOSED
    assert script.kinds() == ["received", "cancellation"]
    assert sorted(script.entries) == list(range(1, len(script.entries) + 1))


# -- review ---------------------------------------------------------------------------------------------------------


async def test_a_flagged_order_is_withheld_until_approved_and_then_booked_and_confirmed(world: World) -> None:
    story = await begin(world, flags=(HIGH_VALUE,), withhold=True)
    await story.sleep(MINUTE * 5)
    assert story.script.kinds() == []
    assert story.script.submissions == []
    await story.ask("decide_review", ReviewDecision(id="r", verdict=ReviewVerdict.APPROVE, by="ann"), Reply)
    await story.settle()
    assert len(story.script.submissions) == 1
    await story.receipt(a_receipt(story.order, await world.now()))
    await story.settle()
    assert story.script.kinds() == ["confirmation"]


async def test_an_incomplete_order_is_never_approved_but_asked_amended_and_confirmed(world: World) -> None:
    story = await begin(world, flags=(INCOMPLETE,), withhold=True)
    await story.settle()
    approve = ReviewDecision(id="r0", verdict=ReviewVerdict.APPROVE, by="ann")
    assert not (await story.ask("decide_review", approve, Reply)).accepted
    ask = ReviewDecision(id="r1", verdict=ReviewVerdict.ASK, by="ann", question="Where shall it go?")
    assert (await story.ask("decide_review", ask, Reply)).accepted
    await story.settle()
    assert story.script.kinds() == ["question"]
    amend = ReviewDecision(id="r2", verdict=ReviewVerdict.AMEND, by="ann", order=changed(story.order))
    assert (await story.ask("decide_review", amend, Reply)).accepted
    await story.settle()
    await story.receipt(a_receipt(story.order, await world.now(), revision=2))
    await story.settle()
    assert story.script.kinds() == ["question", "confirmation"]
    assert (await story.status()).confirmed_revision == 2


async def test_a_rejected_order_is_told_so_and_nothing_else(world: World) -> None:
    story = await begin(world, flags=(HIGH_VALUE,), withhold=True)
    await story.settle()
    reject = ReviewDecision(id="r", verdict=ReviewVerdict.REJECT, by="ann", note="we can't serve this region")
    await story.ask("decide_review", reject, Reply)
    await story.sleep(HOUR * 5)
    assert story.script.kinds() == ["rejection"]
    assert story.script.submissions == []


async def test_nothing_goes_to_the_buyer_of_an_order_under_fraud_hold(world: World) -> None:
    flag = Flag(name=FlagName.PAYMENT_FLAGGED, why="the payment was flagged")
    story = await begin(world, flags=(flag,), withhold=True, silent=True)
    await story.sleep(HOUR * 9)
    assert story.script.kinds() == []
    assert "alert" in story.script.kinds("internal")


async def test_a_payment_flagged_while_the_erp_is_awaited_brings_a_person_in(world: World) -> None:
    story = await begin(world)
    await story.settle()
    at = await world.now()
    flagged = PaymentChanged(id="p1", status=PaymentStatus.FLAGGED, occurred_at=at)
    await story.handle.signal("payment_changed", flagged)
    await story.handle.signal(
        "payment_changed", PaymentChanged(id="p0", status=PaymentStatus.CONFIRMED, occurred_at=at - HOUR)
    )
    await story.receipt(a_receipt(story.order, at))
    await story.settle()
    status = await story.status()
    assert status.stage is Stage.REVIEW
    assert status.payment is PaymentStatus.FLAGGED
    assert "confirmation" not in story.script.kinds()


# -- sends ----------------------------------------------------------------------------------------------------------


async def test_a_refused_channel_opens_its_fallback_and_an_exhausted_leg_is_undeliverable(world: World) -> None:
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision(legs=(("email", "sms"), ("portal",))))
    script.send = lambda d, n: SendState.REJECTED if d.channel == "email" else SendState.ACCEPTED
    story = await submit(world, order)
    await story.settle()
    assert [t.what for t in script.told] == ["received portal", "received sms"]

    nobody = an_order(a_number(), await world.now())
    world.script(nobody.number).assess = script.assess
    world.script(nobody.number).send = lambda d, n: SendState.REJECTED
    lost = await submit(world, nobody)
    await lost.settle()
    timeline = await lost.handle.query("timeline")
    assert any(entry["event"] == "undeliverable" for entry in timeline["entries"])


async def test_a_send_in_doubt_is_never_repeated_and_its_delivery_settles_it(world: World) -> None:
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    script.send = lambda d, n: SendState.UNKNOWN if d.kind == "confirmation" else SendState.ACCEPTED
    story = await submit(world, order)
    await story.receipt(a_receipt(order, await world.now()))
    await story.sleep(HOUR * 5)
    status = await story.status()
    assert status.unknown_sends == (f"demo/{order.number}/1/confirmation/1/email",)
    assert script.attempts[status.unknown_sends[0]] == 1
    await delivered(world, story)
    status = await story.status()
    assert status.unknown_sends == ()
    assert status.work_may_begin


async def test_a_person_settles_a_send_that_nobody_else_can(world: World) -> None:
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    script.send = lambda d, n: SendState.UNKNOWN if (d.kind, d.n) == ("confirmation", 1) else SendState.ACCEPTED
    story = await submit(world, order)
    await story.receipt(a_receipt(order, await world.now()))
    await story.settle()
    key = (await story.status()).unknown_sends[0]
    settle = SettleSend(id="s", key=key, verdict=SettleVerdict.SEND_AGAIN, by="ann")
    assert (await story.ask("settle_send", settle, Reply)).accepted
    assert not (await story.ask("settle_send", settle.model_copy(update={"id": "s2"}), Reply)).accepted
    await story.settle()
    assert [t.key.n for t in script.told if t.dispatch.kind == "confirmation"] == [2]


async def test_a_holding_that_cannot_go_out_is_superseded_by_the_confirmation(world: World) -> None:
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    script.send = lambda d, n: SendState.CLAIMED if d.kind in ("holding", "alert") else SendState.ACCEPTED
    story = await submit(world, order)
    await story.sleep(MINUTE * 16)
    await story.receipt(a_receipt(order, await world.now()))
    await story.settle()
    script.send = lambda d, n: SendState.ACCEPTED
    await story.sleep(HOUR)
    assert "holding" not in script.kinds()
    assert script.kinds()[:2] == ["received", "confirmation"]


async def test_a_bounce_after_acceptance_opens_the_fallback_unless_it_was_delivered(world: World) -> None:
    story = await confirmed(world)
    bounce = EvidenceFact(
        id="b1",
        event=EvidenceEvent.BOUNCED,
        grade=Grade.E1,
        channel="email",
        revision=1,
        kind=Kind.CONFIRMATION,
        occurred_at=await world.now(),
    )
    await story.handle.signal("evidence", bounce)
    await story.handle.signal("evidence", bounce)
    await story.settle()
    assert [t.what for t in story.script.told][-1] == "confirmation sms"
    assert len(story.minutes("confirmation", "sms")) == 1


# -- malformed ------------------------------------------------------------------------------------------------------


async def test_a_signal_that_cannot_be_read_is_quarantined_and_the_order_goes_on(world: World) -> None:
    story = await begin(world)
    for bad in ({}, {"id": 7}, "text", None, [1, 2]):
        await story.handle.signal("erp_receipt", bad)
    await story.handle.signal("erp_receipt", args=[])
    await story.handle.signal("erp_receipt", args=[{}, {}])
    await story.handle.signal("no_such_signal", {"a": 1})
    other = a_receipt(an_order("OTHER", await world.now()), await world.now())
    await story.handle.signal("erp_receipt", other)
    await story.receipt(a_receipt(story.order, await world.now()))
    await story.settle()
    status = await story.status()
    assert status.quarantined == 9
    assert story.script.kinds().count("confirmation") == 1


async def test_an_order_that_cannot_be_read_is_answered_with_its_problems_and_can_be_mended(world: World) -> None:
    order = an_order(a_number(), await world.now())
    world.script(order.number).assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    story = await receipt_first(world, order, a_receipt(order, await world.now()))
    body = order.model_dump(mode="json") | {"currency": "NOPE"}
    reply = await story.handle.execute_update("submit", body, id="bad")
    assert reply["verdict"] == "invalid"
    assert reply["problems"][0]["field"] == "currency"
    mended = await submit(world, order)
    assert mended.reply
    assert mended.reply.verdict is SubmitVerdict.ACCEPTED


async def test_a_request_that_cannot_be_read_is_refused_to_its_caller_and_leaves_no_trace(world: World) -> None:
    story = await begin(world)
    with pytest.raises(WorkflowUpdateFailedError) as refused:
        await story.handle.execute_update("cancel", {"reason": 3})
    assert "id" in str(refused.value.cause)
    assert (await story.status()).stage is not Stage.CANCELLED


# -- long life ------------------------------------------------------------------------------------------------------


async def test_continue_as_new_carries_everything_and_dedupes_across_it(world: World) -> None:
    story = await begin(world, can=10)
    await story.settle()
    receipt = a_receipt(story.order, await world.now())
    await story.receipt(receipt)
    await story.settle()
    change = ChangeRequest(id="c1", order=changed(story.order))
    reply = await story.ask("change", change, Reply)
    await story.settle()
    await story.receipt(receipt)
    again = await story.handle.execute_update("change", change, id="another-update-id", result_type=Reply)
    assert again == reply
    second = a_receipt(story.order, await world.now(), id="R2", revision=2)
    await story.receipt(second)
    await story.receipt(second)
    await story.sleep(MINUTE * 40)
    status = await story.status()
    assert status.confirmed_revision == 2
    assert story.script.kinds() == ["received", "confirmation", "change_received", "confirmation"]
    description = await story.handle.describe()
    first = story.handle.first_execution_run_id
    assert description.run_id != first
    runs = sorted(story.script.entries)
    assert runs == list(range(1, len(runs) + 1))


async def test_the_metamorphic_rule_duplicates_and_disorder_change_nothing(world: World) -> None:
    tidy = await begin(world)
    await tidy.receipt(a_receipt(tidy.order, await world.now()))
    await tidy.settle()
    messy_order = an_order(a_number(), await world.now())
    world.script(messy_order.number).assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    receipt = a_receipt(messy_order, await world.now())
    await receipt_first(world, messy_order, receipt)
    messy = await submit(world, messy_order)
    await submit(world, messy_order)
    await messy.receipt(receipt)
    await messy.receipt(receipt.model_copy(update={"id": "R-again"}))
    await messy.settle()
    a, b = await tidy.status(), await messy.status()
    assert (a.stage, a.confirmed_revision, len(tidy.script.handoffs)) == (
        b.stage,
        b.confirmed_revision,
        len(messy.script.handoffs),
    )
    assert [k for k in tidy.script.kinds() if k != "received"] == messy.script.kinds()


async def test_a_failed_assessment_is_retried_as_a_regular_activity_and_loses_nothing(world: World) -> None:
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    calls = {"n": 0}

    def assess(request: object) -> object:
        calls["n"] += 1
        if calls["n"] < 4:
            raise RuntimeError("the ledger is down")
        return an_assessment(order, 1, a_decision())

    script.assess = assess  # type: ignore[assignment]
    story = await submit(world, order)
    await story.sleep(MINUTE)
    assert script.kinds() == ["received"]
    assert replace(script).events()[0] is Event.ORDER_ACCEPTED
