"""What an order may cost: a regression in history fails here. Real durations, on the server that skips time."""

from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from temporalio.api.history.v1 import HistoryEvent

from orderack.contracts import names
from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from tests.history.actions import actions
from tests.history.stage import skipping
from tests.history.stories import STORIES, ack_gated, real_levels
from tests.workflows.world import Story, World


@pytest_asyncio.fixture(scope="module")
async def stage() -> AsyncIterator[World]:
    async with skipping() as world:
        yield world


async def history(story: Story) -> list[HistoryEvent]:
    return [event async for event in story.handle.fetch_history_events()]


def cost(events: list[HistoryEvent]) -> tuple[int, int]:
    return len(events), actions(events).total()


@pytest.mark.parametrize("name", STORIES)
async def test_a_story_stays_within_its_budget(stage: World, name: str) -> None:
    tell, budget = STORIES[name]
    events = await history(await tell(stage, real_levels()))
    found, length, size = actions(events), len(events), sum(event.ByteSize() for event in events)
    spent = f"{name}: {length} events, {dict(found)}, {size} bytes; see docs/history-cost.md"
    assert length <= budget.events, spent
    assert found.total() <= budget.actions, spent
    assert size <= budget.kilobytes * 1024, spent


async def test_the_timer_left_to_fire_costs_one_action_and_a_task_and_then_the_order_rests(stage: World) -> None:
    story = await ack_gated(stage, real_levels())
    told = cost(await history(story))
    await story.sleep(timedelta(minutes=20))
    rest = cost(await history(story))
    assert (rest[0] - told[0], rest[1] - told[1]) == (5, 1)


async def test_each_read_confirmation_costs_one_action_and_a_task(stage: World) -> None:
    story = await ack_gated(stage, real_levels())
    before = cost(await history(story))
    for n, (event, grade) in enumerate([(EvidenceEvent.DISPLAYED, Grade.E3), (EvidenceEvent.ENGAGED, Grade.E4)], 1):
        fact = EvidenceFact(
            id=f"read-{n}",
            event=event,
            grade=grade,
            channel="email",
            revision=1,
            kind=Kind.CONFIRMATION,
            occurred_at=await stage.now(),
        )
        await story.handle.signal(names.SIGNAL_EVIDENCE, fact)
        await story.settle()
        after = cost(await history(story))
        assert (after[0] - before[0], after[1] - before[1]) == (4 * n, n)
