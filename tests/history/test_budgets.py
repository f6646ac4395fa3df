"""What an order may cost: a regression in history fails here. Real durations, on the server that skips time."""

from collections import Counter
from collections.abc import AsyncIterator
from datetime import timedelta

import pytest
import pytest_asyncio
from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from orderack.contracts import names
from orderack.contracts.updates import AcceptHandoff, CancelRequest, ChangeRequest, HandoffReply, Reply
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.assessment import Gate
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from tests.history.actions import actions
from tests.history.stage import skipping
from tests.history.stories import STORIES, ack_gated, begin, book, real_levels, told
from tests.workflows.beginnings import booked, changed
from tests.workflows.world import Story, World


@pytest_asyncio.fixture(scope="module")
async def stage() -> AsyncIterator[World]:
    async with skipping() as world:
        yield world


async def history(story: Story) -> list[HistoryEvent]:
    return [event async for event in story.handle.fetch_history_events()]


def cost(events: list[HistoryEvent]) -> tuple[int, int]:
    return len(events), actions(events).total()


def asked_for(events: list[HistoryEvent]) -> Counter[str]:
    """Everything but workflow tasks, of which a busy machine needs one more or less for the same."""
    kinds = (EventType.Name(event.event_type) for event in events)
    return Counter(kind for kind in kinds if not kind.startswith("EVENT_TYPE_WORKFLOW_TASK"))


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


async def test_telling_the_team_costs_nothing_at_the_handoff_and_an_action_for_each_further_word(stage: World) -> None:
    silent, story = await ack_gated(stage, real_levels()), await told(stage, real_levels())
    await story.settle()
    before = cost(await history(story))
    assert before[1] == cost(await history(silent))[1]
    hand = AcceptHandoff(id="a1", revision=1, content_hash=story.order.content_hash, by="grace")
    await story.ask("accept_handoff", hand, HandoffReply)
    await story.settle()
    accepted = cost(await history(story))
    assert accepted[1] - before[1] == 1
    await story.evidence(EvidenceEvent.DELIVERED, Grade.E2)
    await story.settle()
    assert story.script.to_team()[-1] == "may_begin 1 grace"
    delivered = cost(await history(story))
    assert delivered[1] - accepted[1] == 2, "the signal, and the word to whoever has it in hand"


async def test_what_the_policy_says_of_doubts_costs_nothing_until_there_is_one_and_then_a_timer_and_a_message(
    stage: World,
) -> None:
    words = {"received": "resend_marked", "confirmation": "resend_marked", "holding": "never"}
    silent = await begin(stage, real_levels(), Gate.ACK_GATED)
    sure = await begin(stage, real_levels(), Gate.ACK_GATED, on_doubt=words)
    for story in (silent, sure):
        await book(story)
    assert asked_for(await history(sure)) == asked_for(await history(silent))
    found = []
    for said in ({}, words):
        story = await begin(stage, real_levels(), Gate.ACK_GATED, on_doubt=said)
        story.script.send = lambda dispatch, attempt: SendState.UNKNOWN if dispatch.n == 1 else SendState.ACCEPTED
        await story.sleep(timedelta(minutes=3))
        found.append(cost(await history(story))[1])
        await book(story)
    assert found[1] - found[0] in (-1, 0, 1), "its minute is kept, so that what a broken one costs falls away"


async def test_a_change_of_work_in_hand_costs_one_action_more_where_the_team_is_told(stage: World) -> None:
    costs = []
    for tell in (ack_gated, told):
        story = await tell(stage, real_levels())
        hand = AcceptHandoff(id="a1", revision=1, content_hash=story.order.content_hash, by="grace")
        await story.ask("accept_handoff", hand, HandoffReply)
        await story.settle()
        before = cost(await history(story))
        await story.ask("change", ChangeRequest(id="c1", order=changed(story.order)), Reply)
        await story.settle()
        await booked(story, 2)
        costs.append(cost(await history(story))[1] - before[1])
        words = ["offered 1 ops-1", "stopped 1 grace", "offered 2 grace"] if tell is told else []
        assert story.script.to_team() == words
    silent, said = costs
    assert said - silent == 1, costs


async def test_an_order_called_off_costs_one_action_less_where_the_team_is_told(stage: World) -> None:
    costs = []
    for tell in (ack_gated, told):
        story = await tell(stage, real_levels())
        before = cost(await history(story))
        await story.ask("cancel", CancelRequest(id="x"), Reply)
        await story.settle()
        costs.append(cost(await history(story))[1] - before[1])
    silent, said = costs
    assert silent - said == 1, costs


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
