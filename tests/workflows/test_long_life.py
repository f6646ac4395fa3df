"""Fresh histories, repeats and retries change nothing."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

from orderack.contracts.journal import Event, Stage
from orderack.contracts.updates import ChangeRequest, Reply, ReviewDecision, ReviewVerdict
from orderack.domain.assessment import ErpMode
from tests.workflows.beginnings import begin, changed
from tests.workflows.orders import HIGH_VALUE, MINUTE, a_decision, a_receipt, an_assessment, an_order
from tests.workflows.world import World, a_number, receipt_first, submit


async def test_continue_as_new_carries_everything_and_dedupes_across_it(world: World) -> None:
    # Nothing is submitted: this server's clock stands still once a run has ended with an activity that nobody ended.
    story = await begin(world, can=10, erp_mode=ErpMode.WAIT)
    first = (await story.handle.describe()).run_id
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
    assert (await story.handle.describe()).run_id != first
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


async def test_an_order_approved_in_the_step_that_begins_a_fresh_history_is_booked_and_no_entry_is_lost(
    world: World,
) -> None:
    # The last story here: a submission is left behind, and this server's clock stands still from then on.
    length = 0
    for limit in (None, 1):  # told twice: how long its history is before the approval is seen in the first
        story = await begin(world, flags=(HIGH_VALUE,), can=limit and length)
        await story.settle()
        first = await story.handle.describe()
        assert (await story.status()).stage is Stage.REVIEW
        length = first.history_length
        approve = ReviewDecision(id="r", verdict=ReviewVerdict.APPROVE, by="ann")
        assert (await story.ask("decide_review", approve, Reply)).accepted
        await _until(lambda script=story.script: bool(script.submissions))
        await story.receipt(a_receipt(story.order, await world.now()))
        await _until(lambda script=story.script: bool(script.handoffs))
    assert (await story.handle.describe()).run_id != first.run_id
    assert story.script.kinds()[-1] == "confirmation"
    assert sorted(story.script.entries) == list(range(1, len(story.script.entries) + 1))


async def _until(happened: Callable[[], bool]) -> None:
    """Looks at the world alone: this server may leave a query unanswered that comes between two runs."""
    for _ in range(400):
        if happened():
            return
        await asyncio.sleep(0.05)
    raise AssertionError("it has not happened within twenty seconds")
