"""What cannot be read is kept or refused in words, and the order goes on."""

import pytest
from temporalio.client import WorkflowUpdateFailedError

from orderack.contracts.journal import Stage
from orderack.contracts.updates import (
    SubmitVerdict,
)
from tests.workflows.beginnings import begin
from tests.workflows.orders import a_decision, a_receipt, an_assessment, an_order
from tests.workflows.world import World, a_number, receipt_first, submit


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
