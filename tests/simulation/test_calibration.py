"""The simulator against Temporal's own test server: the same schedule of the same orders makes the same sends."""

import asyncio
import contextlib
from collections.abc import Sequence
from datetime import datetime, timedelta

import pytest
from temporalio.client import WithStartWorkflowOperation
from temporalio.common import RawValue, WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import WorkflowAlreadyStartedError
from temporalio.service import RPCError

from orderack.contracts import names
from orderack.contracts.ids import order_workflow_id
from orderack.contracts.start import Start
from orderack.domain.assessment import ErpMode
from tests.simulation import agenda
from tests.simulation.chance import DAY, MINUTE, SECOND
from tests.simulation.door import Sent
from tests.simulation.plan import Plan
from tests.simulation.providers import Accepted
from tests.simulation.server import RealServer, real_server
from tests.simulation.storm import CALM
from tests.simulation.story import Story

SEED = 5
ORDERS = 8
NEAR = 30 * SECOND
"""Of simulated time: the test server's clock goes on while it works."""


def chosen() -> list[Story]:
    """Orders that hear of the ERP only what we and it tell them: all that a recorded schedule holds."""
    found: list[Story] = []
    index = 0
    while len(found) < ORDERS:
        story = Story(SEED, index, CALM)
        index += 1
        if story.plan.decision.erp_mode is ErpMode.WAIT or races(story.plan):
            continue
        ending = story.live()
        assert ending.violation is None
        if not story.world.erp.by_hand:
            found.append(story)
    return found


def races(plan: Plan) -> bool:
    """Whether two things are to happen at one moment: which of them is first is chance on a real server."""
    moments = [happening.at for happening in plan.happenings]
    overdue = plan.arrives_at - agenda.micros(plan.order.trigger_at) > MINUTE
    return overdue or len(set(moments)) < len(moments)


def midnight(now: datetime) -> datetime:
    return now.replace(hour=0, minute=0, second=0, microsecond=0) + timedelta(days=1)


async def test_the_same_schedule_makes_the_same_sends_on_a_real_server(monkeypatch: pytest.MonkeyPatch) -> None:
    async with real_server() as server:
        monkeypatch.setattr(agenda, "EPOCH", midnight(await server.env.get_current_time()))
        stories = await asyncio.to_thread(chosen)  # the simulator has event loops of its own
        for story in stories:
            server.add(story.plan)
        schedule = sorted(((sent, story) for story in stories for sent in story.door.sent), key=lambda pair: pair[0].at)
        for sent, story in schedule:
            await server.at(sent.at)
            await deliver(server, story, sent)
            await server.settle()
        await server.at(schedule[-1][0].at + DAY)
        await server.settle()
        told = sum(len(story.world.accepted) for story in stories)
        assert told > 3 * ORDERS
        for story in stories:
            same(story.world.accepted, server.worlds[story.plan.number].accepted)


async def deliver(server: RealServer, story: Story, sent: Sent) -> None:
    """As `orderack.temporal.orders` does it; what comes for a closed order is refused by the server."""
    workflow_id = order_workflow_id(story.door.ref)
    start = Start(store=story.door.ref.store, number=story.door.ref.number)
    given = RawValue(sent.payload)
    handle = server.client.get_workflow_handle(workflow_id)
    with contextlib.suppress(WorkflowAlreadyStartedError, RPCError):
        if sent.name == names.UPDATE_SUBMIT:
            await server.client.execute_update_with_start_workflow(
                sent.name,
                given,
                id=sent.id,
                start_workflow_operation=WithStartWorkflowOperation(
                    names.WORKFLOW,
                    start,
                    id=workflow_id,
                    task_queue=names.ORDERS_QUEUE,
                    id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
                    id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
                ),
            )
        elif sent.update:
            await handle.execute_update(sent.name, given, id=sent.id)
        else:
            await handle.signal(sent.name, given)


def same(simulated: Sequence[Accepted], real: Sequence[Accepted]) -> None:
    """The same messages by the same channels, at about the same times."""
    a, b = ({str(message.key): message.at for message in log} for log in (simulated, real))
    assert sorted(a) == sorted(b)
    assert not {key: (at - b[key]) / SECOND for key, at in a.items() if abs(at - b[key]) > NEAR}
