"""A person decides: approve, ask, amend, reject; nothing goes out that a flag withholds."""

from orderack.contracts.journal import Stage
from orderack.contracts.updates import (
    PaymentChanged,
    Reply,
    ReviewDecision,
    ReviewVerdict,
)
from orderack.domain.assessment import Flag, FlagName
from orderack.domain.order import PaymentStatus
from tests.workflows.beginnings import begin, changed
from tests.workflows.orders import HIGH_VALUE, HOUR, INCOMPLETE, MINUTE, a_receipt
from tests.workflows.world import World


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


async def test_an_approved_order_is_waited_for_anew_where_the_erps_time_ran_out_in_the_review(world: World) -> None:
    story = await begin(world)
    await story.settle()
    flagged = PaymentChanged(id="p1", status=PaymentStatus.FLAGGED, occurred_at=await world.now())
    await story.handle.signal("payment_changed", flagged)
    await story.sleep(MINUTE * 20)
    approve = ReviewDecision(id="r", verdict=ReviewVerdict.APPROVE, by="ann")
    assert (await story.ask("decide_review", approve, Reply)).accepted
    await story.settle()
    status = await story.status()
    assert (status.stage, status.escalated) == (Stage.AWAITING_ERP, False)
    assert status.next_due_at is not None
    await story.sleep(MINUTE * 16)
    assert (await story.status()).escalated
    assert len(story.script.submissions) == 1
