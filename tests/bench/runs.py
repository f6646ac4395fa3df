"""The runs that are measured beside the stories: their bare twins, and one more step on an order at rest."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Any

from temporalio.client import WithStartWorkflowOperation, WorkflowHandle
from temporalio.common import WorkflowIDConflictPolicy

from orderack.contracts import names
from orderack.contracts.activities import AssessRequest
from orderack.contracts.ids import order_workflow_id
from orderack.contracts.journal import Journal, Stage
from orderack.contracts.start import Start
from orderack.contracts.updates import AcceptHandoff, ChangeRequest, HandoffReply, Reply, ReviewDecision, ReviewVerdict
from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import Gate, ServiceLevels
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from tests.bench.bare import PLANS, Plan
from tests.bench.measure import Meter
from tests.history.stories import UPDATES, ack_gated, handed_off
from tests.workflows.orders import HIGH_VALUE, a_decision, a_receipt, an_assessment, an_order
from tests.workflows.world import Story, World, a_number, submit


@dataclass(frozen=True)
class Step:
    """What one more step added."""

    events: int
    actions: int
    bytes: int
    server_metric: dict[str, int]


WAITS: dict[str, Callable[[ServiceLevels], list[timedelta]]] = {
    "straight through, erp_gated": lambda levels: [levels.erp_budget],
    "straight through, ack_gated": lambda levels: [levels.hold_after],
    "holding, then confirmed": lambda levels: [levels.hold_after, levels.update_every],
    "escalated for 24 hours": lambda levels: [levels.hold_after] + [levels.update_every] * (UPDATES + 1),
}


async def tell_bare(world: World, story: Story, name: str, levels: ServiceLevels) -> WorkflowHandle[Any, Any]:
    """The same story once more, by the bare workflow with the payloads of the order's history."""
    order, id = story.order, f"{order_workflow_id(story.ref)}/bare"
    reply = world.env.client.data_converter.payload_converter.to_payload(story.reply)
    now = await world.now()
    plan = Plan(
        gate=Gate.ERP_GATED if "erp_gated" in name else Gate.ACK_GATED,
        waits=WAITS[name](levels),
        at_rest=levels.claim_within,
        assess=AssessRequest(
            order=order, revision=1, now=now, journal=Journal(ref=order.ref, stage=Stage.ASSESSING, revision=1)
        ),
        reply=reply,
    )
    plan.take([event async for event in story.handle.fetch_history_events()])
    PLANS[id] = plan
    start: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
        "Bare",
        Start(store=order.store, number=order.number),
        id=id,
        task_queue=names.ORDERS_QUEUE,
        id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
    )
    update = f"submit/{order.content_hash}"
    client = world.env.client
    await client.execute_update_with_start_workflow(
        names.UPDATE_SUBMIT, order, start_workflow_operation=start, id=update
    )
    handle = client.get_workflow_handle(id)
    await world.env.sleep(sum(plan.waits[:-1], timedelta()) + plan.waits[-1] / 4)
    story.script.handoffs.clear()
    await handle.signal(names.SIGNAL_ERP_RECEIPT, a_receipt(order, await world.now()))
    await handed_off(story)
    return handle


async def increments(world: World, meter: Meter, levels: ServiceLevels) -> dict[str, Step]:
    """What one more step costs, on an order that rests."""
    story = await ack_gated(world, levels)
    await story.sleep(levels.hold_after)
    steps = {
        "a read confirmation": await _more(story, meter, _read),
        "the handoff accepted": await _more(story, meter, _accept),
        "a change, confirmed anew": await _more(story, meter, _change),
    }
    reviewed = await _in_review(world, levels)
    return steps | {"a review approved (and submitted)": await _more(reviewed, meter, _approve)}


async def _more(story: Story, meter: Meter, step: Callable[[Story], Awaitable[None]]) -> Step:
    before = await meter.cost(story.handle)
    await meter.begin()
    await step(story)
    await story.sleep(timedelta(milliseconds=500))
    after = await meter.cost(story.handle)
    return Step(
        events=after.events - before.events,
        actions=after.actions - before.actions,
        bytes=after.bytes - before.bytes,
        server_metric=dict(await meter.served()),
    )


async def _read(story: Story) -> None:
    at, seen = await story.world.now(), EvidenceEvent.DISPLAYED
    fact = EvidenceFact(
        id="read-1", event=seen, grade=Grade.E3, channel="email", revision=1, kind=Kind.CONFIRMATION, occurred_at=at
    )
    await story.handle.signal(names.SIGNAL_EVIDENCE, fact)


async def _accept(story: Story) -> None:
    accepted = AcceptHandoff(id="a", revision=1, content_hash=story.order.content_hash, by="warehouse")
    await story.ask(names.UPDATE_ACCEPT_HANDOFF, accepted, HandoffReply)


async def _change(story: Story) -> None:
    line = story.order.lines[0].model_copy(update={"quantity": Decimal(5)})
    changed = story.order.model_copy(update={"lines": (line, *story.order.lines[1:])})
    story.script.handoffs.clear()
    await story.ask(names.UPDATE_CHANGE, ChangeRequest(id="c", order=changed), Reply)
    await story.sleep(timedelta(seconds=1))
    await story.receipt(a_receipt(changed, await story.world.now(), id="R2", revision=2))
    await handed_off(story)


async def _approve(story: Story) -> None:
    decision = ReviewDecision(id="r", verdict=ReviewVerdict.APPROVE, by="ann")
    await story.ask(names.UPDATE_DECIDE_REVIEW, decision, Reply)


async def _in_review(world: World, levels: ServiceLevels) -> Story:
    order = an_order(a_number(), await world.now())
    made = a_decision(levels=levels)
    world.script(order.number).assess = lambda r: an_assessment(r.order, r.revision, made, (HIGH_VALUE,))
    story = await submit(world, order)
    await story.sleep(timedelta(seconds=1))
    return story
