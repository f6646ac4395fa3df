"""`hand_off` and `record`: asked twice, they stand once."""

from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.hand_off import HandOff
from activities.record import Record
from orderack.contracts.activities import HandOffRequest
from orderack.contracts.journal import Event, Journal, Stage
from orderack.errors import Unavailable
from tests.activities.world import World
from tests.ledger.samples import REF, entry, journal, order, stored


def _offer(revision: int = 1) -> HandOffRequest:
    return HandOffRequest(
        ref=REF,
        revision=revision,
        content_hash=order().content_hash,
        team="kitchen",
        owner="duty_manager",
        document_id="SO-1",
        answers=(),
        journal=journal([entry(6, Event.HANDED_OFF)], stage=Stage.HANDED_OFF, revision=revision),
    )


async def _hand_off(world: World, revision: int = 1) -> str:
    activity = HandOff(world.ledger, world.clock).hand_off
    return (await ActivityEnvironment().run(activity, _offer(revision))).handoff_id


async def test_a_revision_offered_twice_is_one_handoff(world: World) -> None:
    first = await _hand_off(world)
    world.clock.advance(timedelta(minutes=5))
    assert await _hand_off(world) == first
    assert [handoff.offered_at for handoff in await world.ledger.open_handoffs()] == [
        world.clock() - timedelta(minutes=5)
    ]
    assert [line.seq for line in await world.ledger.entries(REF)] == [6]


async def test_another_revision_is_another_handoff(world: World) -> None:
    await world.ledger.save_revision(stored(revision=2), "fingerprint", journal(revision=2))
    assert await _hand_off(world) != await _hand_off(world, 2)


async def test_entries_recorded_twice_stand_once(world: World) -> None:
    last = journal([entry(7), entry(8, Event.CLOSED)], stage=Stage.CLOSED)
    for _ in range(2):
        await ActivityEnvironment().run(Record(world.ledger).record, last)
    assert [line.seq for line in await world.ledger.entries(REF)] == [7, 8]
    row = await world.ledger.order(REF)
    assert row is not None
    assert row.stage == Stage.CLOSED


async def test_a_ledger_that_does_not_answer_is_tried_again(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(journal: Journal) -> None:
        raise Unavailable("the ledger does not answer")

    monkeypatch.setattr(world.ledger, "write", away)
    with pytest.raises(ApplicationError) as caught:
        await ActivityEnvironment().run(Record(world.ledger).record, journal())
    assert (caught.value.type, caught.value.non_retryable) == ("Unavailable", False)
