"""The boundary: what Temporal is told of an error, when it hears a heartbeat, and what a cancellation leaves whole."""

import asyncio
import dataclasses
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationErrorCategory
from temporalio.testing import ActivityEnvironment

from activities import _boundary
from orderack.domain.acknowledgement import SendState
from orderack.domain.problem import Problem
from orderack.errors import (
    InDoubt,
    InvalidInput,
    Misconfigured,
    OrderAckError,
    OrderUnknown,
    Refused,
    Unavailable,
    Unsupported,
)
from tests.activities.fakes import CUT_OFF, DOWN, REFUSED, THROTTLED, TOO_LONG, UNSET, KeyChannel, NoneChannel, Step
from tests.activities.world import ADDRESS, GIVE_UP, World, request

SLOW = 0.2
PROBLEM = Problem(field="number", problem="missing", remedy="give it")


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Heartbeats a hundred times as fast."""
    assert (timedelta(seconds=2), timedelta(seconds=1)) == (_boundary.QUIET_FOR, _boundary.BEAT)
    monkeypatch.setattr(_boundary, "QUIET_FOR", _boundary.QUIET_FOR / 100)
    monkeypatch.setattr(_boundary, "BEAT", _boundary.BEAT / 100)


def _counting() -> tuple[ActivityEnvironment, list[object]]:
    environment, beats = ActivityEnvironment(), list[object]()
    environment.on_heartbeat = lambda *details: beats.append(details)
    return environment, beats


async def test_a_quick_activity_costs_no_heartbeat(world: World) -> None:
    world.with_channel(KeyChannel())
    environment, beats = _counting()
    await world.run(request("key"), environment)
    assert beats == []


@pytest.mark.usefixtures("impatient")
async def test_an_activity_that_lasts_heartbeats_until_it_ends(world: World) -> None:
    world.with_channel(KeyChannel(Step(takes=True, after=SLOW)))
    environment, beats = _counting()
    await world.run(request("key"), environment)
    assert len(beats) >= 2
    heard = len(beats)
    await asyncio.sleep(0.05)
    assert len(beats) == heard


@pytest.mark.usefixtures("impatient")
async def test_a_local_activity_does_not_heartbeat(world: World) -> None:
    world.with_channel(KeyChannel(Step(takes=True, after=SLOW)))
    environment, beats = _counting()
    environment.info = dataclasses.replace(environment.info, is_local=True)
    await world.run(request("key"), environment)
    assert beats == []


async def test_a_cancelled_activity_ends_its_send_and_records_it_first(world: World) -> None:
    channel = world.with_channel(NoneChannel(Step(takes=True, after=SLOW)))
    environment = ActivityEnvironment()
    running = asyncio.create_task(world.run(request("none"), environment))
    await channel.began.wait()
    environment.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running
    held = await world.stored_send("none")
    assert (held.state, held.provider_id) == (SendState.ACCEPTED, "p-1")
    (outcome,) = await world.send("none")
    assert outcome.state is SendState.ACCEPTED
    assert len(channel.attempts) == 1


@pytest.mark.parametrize(
    ("error", "type_", "final", "delay"),
    [
        (Unavailable("away"), "Unavailable", False, None),
        (Unavailable("limited", timedelta(seconds=7)), "Unavailable", False, timedelta(seconds=7)),
        (InDoubt("reset"), "InDoubt", False, None),
        (Misconfigured("no key"), "Misconfigured", False, timedelta(minutes=5)),
        (Refused("no"), "Refused", True, None),
        (InvalidInput([PROBLEM]), "InvalidInput", True, None),
        (Unsupported("html"), "Unsupported", False, None),
        (OrderUnknown("north/1"), "OrderUnknown", False, None),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_error_says_what_happens_next(
    error: OrderAckError, type_: str, final: bool, delay: timedelta | None
) -> None:
    failure = _boundary.translate(error)
    assert (failure.type, failure.non_retryable, failure.next_retry_delay) == (type_, final, delay)
    assert failure.message == str(error)
    benign = failure.category is ApplicationErrorCategory.BENIGN
    assert benign is isinstance(error, Unavailable), "an outage that is waited out is no alarm"


def test_a_long_error_is_cut() -> None:
    assert _boundary.translate(Unavailable("x" * 5_000)).message == "x" * 300


async def test_an_error_carries_no_context_into_history(world: World) -> None:
    world.with_channel(KeyChannel(DOWN))
    error = await world.fail("key")
    assert error.__cause__ is None
    assert error.__suppress_context__


@pytest.mark.parametrize("step", [DOWN, THROTTLED, CUT_OFF, UNSET, REFUSED, TOO_LONG], ids=lambda s: str(s.error))
async def test_no_failure_outcome_or_log_holds_the_buyers_address(
    world: World, step: Step, caplog: pytest.LogCaptureFixture
) -> None:
    world.with_channel(KeyChannel(step, step))
    world.with_channel(NoneChannel(step))
    shown = []
    for later in (timedelta(0), GIVE_UP):
        world.clock.advance(later)
        for channel in ("key", "none"):
            ended = await asyncio.gather(world.run(request(channel)), return_exceptions=True)
            shown.append(repr(ended))
    shown.append(caplog.text)
    assert ADDRESS not in "".join(shown)
    assert "ada@" not in "".join(shown).lower()


async def test_a_long_error_of_a_provider_is_cut_in_the_outcome(world: World) -> None:
    world.with_channel(KeyChannel(Step(error=Refused("x" * 5_000))))
    world.with_channel(NoneChannel(Step(error=InDoubt("y" * 5_000))))
    rejected, unknown = await world.send("key", "none")
    assert (rejected.detail, unknown.detail) == ("x" * 200, "y" * 200)
