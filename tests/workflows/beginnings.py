"""How stories begin: an order at the door, or one that the ERP has booked and the buyer was told of."""

from decimal import Decimal

from orderack.contracts.activities import ErpAnswer, ErpSubmission, Invoiced
from orderack.domain.acknowledgement import SendState
from orderack.domain.assessment import Flag, Side
from orderack.domain.order import Order
from orderack.domain.source import Answered, AnswerState
from tests.workflows.orders import a_decision, a_receipt, an_assessment, an_order
from tests.workflows.world import Story, World, a_number, submit


async def begin(world: World, *, flags: tuple[Flag, ...] = (), can: int | None = None, **decision: object) -> Story:
    """An order that was just submitted; `decision` as `a_decision` takes it."""
    order = an_order(a_number(), await world.now())
    made = a_decision(**decision)  # type: ignore[arg-type]
    world.script(order.number).assess = lambda r: an_assessment(
        r.order, r.revision, made, tuple(f for f in flags if f.name not in r.waived and r.revision == 1)
    )
    return await submit(world, order, continue_as_new_after=can)


async def confirmed(world: World, **decision: object) -> Story:
    """An order that was booked at once, confirmed and handed off."""
    story = await begin(world, **decision)  # type: ignore[arg-type]
    await booked(story)
    return story


async def booked(story: Story, revision: int = 1, **verdicts: str) -> None:
    """The ERP's receipt of this revision comes in, and what follows from it is done."""
    now = await story.world.now()
    await story.receipt(a_receipt(story.order, now, id=f"R{revision}", revision=revision, **verdicts))
    await story.settle()


def changed(order: Order, quantity: int = 5) -> Order:
    """The same order with another quantity in its first line."""
    line = order.lines[0].model_copy(update={"quantity": Decimal(quantity)})
    return order.model_copy(update={"lines": (line, *order.lines[1:])})


async def shadow(world: World, *, flags: tuple[Flag, ...] = (), can: int | None = None, **decision: object) -> Story:
    """A shadow order that was just submitted, whose every act the activities keep."""
    order = an_order(a_number(), await world.now())
    made = a_decision(**decision).model_copy(update={"side": Side.SHADOW})  # type: ignore[arg-type]
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(
        r.order, r.revision, made, tuple(f for f in flags if f.name not in r.waived and r.revision == 1)
    )
    script.send = lambda dispatch, attempt: SendState.KEPT
    script.submit = lambda asked: ErpSubmission(answer=ErpAnswer.KEPT)
    script.cancel_answer = ErpAnswer.KEPT
    script.answer = lambda asked: Answered(state=AnswerState.KEPT)
    script.invoice = lambda asked: Invoiced(invoice_id=None, reason="kept")
    return await submit(world, order, continue_as_new_after=can)
