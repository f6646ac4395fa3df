"""One attempt at a provider and one call to an ERP are timed, with how they ended; a send put off is counted."""

from contextlib import suppress
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from activities._measured import FAILED, OK, RESULTS, erp_call
from orderack.errors import InDoubt, OrderAckError, Unavailable
from tests.activities.conftest import own_ledger, renderer, world
from tests.activities.fakes import (
    ACCEPTED,
    CUT_OFF,
    DOWN,
    KILLED_BEFORE,
    REFUSED,
    TOO_LONG,
    UNSET,
    Killed,
    NoneChannel,
    Step,
)
from tests.activities.test_sending import busy
from tests.activities.world import GIVE_UP, World
from tests.telemetry.since import Since

__all__ = ["own_ledger", "renderer", "world"]


@pytest.mark.parametrize(
    ("step", "result", "ended"),
    [
        (ACCEPTED, OK, "accepted"),
        (REFUSED, "refused", "rejected"),
        (TOO_LONG, "unsupported", "rejected"),
        (DOWN, "unavailable", None),
        (CUT_OFF, "in_doubt", "unknown"),
        (UNSET, "misconfigured", None),
        (KILLED_BEFORE, FAILED, None),
    ],
)
async def test_an_attempt_counts_by_its_result_and_a_send_by_its_end(
    world: World, step: Step, result: str, ended: str | None
) -> None:
    since = Since()
    world.with_channel(NoneChannel(step))
    with suppress(Killed, ApplicationError):
        await world.send("none")
    assert since.of("orderack_provider_seconds_count", channel="none", result=result) == 1
    assert since.of("orderack_provider_seconds_count") == 1
    assert since.of("orderack_sends_total") == (1 if ended else 0)
    if ended:
        assert since.of("orderack_sends_total", channel="none", outcome=ended) == 1


async def test_a_provider_that_stays_away_is_given_up_once(world: World) -> None:
    since = Since()
    world.with_channel(NoneChannel(DOWN, DOWN))
    await world.fail("none")
    world.clock.advance(GIVE_UP + timedelta(minutes=1))
    await world.send("none")
    assert since.of("orderack_sends_total", channel="none", outcome="given_up") == 1
    assert since.of("orderack_provider_seconds_count", channel="none", result="unavailable") == 2


async def test_a_send_that_must_wait_for_its_turn_is_counted_and_asks_nobody(world: World) -> None:
    since = Since()
    world.with_channel(NoneChannel())
    world.rates["none"] = 0.1
    await busy(world, "none", 3, 0.1)
    await world.fail("none")
    assert since.of("orderack_turn_waits_total", channel="none", why="rate") == 1
    assert since.of("orderack_provider_seconds_count") == 0


@pytest.mark.parametrize(("error", "result"), [(TimeoutError(), "too_late"), (InDoubt(""), "in_doubt"), (None, OK)])
def test_a_call_to_an_erp_counts_by_what_it_asks_and_how_it_ended(error: Exception | None, result: str) -> None:
    since = Since()
    try:
        with erp_call("main", "submit"):
            if error:
                raise error
    except (TimeoutError, OrderAckError):
        pass
    assert since.of("orderack_erp_call_seconds_count", erp="main", call="submit", result=result) == 1


def test_every_error_that_an_adapter_may_raise_has_its_word() -> None:
    assert Unavailable in RESULTS
    assert len(set(RESULTS.values()) | {OK, FAILED}) == len(RESULTS) + 2
