"""`sweep_books`: an order that ledger, Temporal or inbox lack is an exception with an owner, until it is there."""

from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from temporalio.exceptions import ApplicationError

from orderack.contracts.journal import Event, Stage
from orderack.domain.order import Order, OrderRef
from orderack.ledger.repository import SqlLedger
from orderack.messages import MessageRenderer
from orderack.ports.sweeps import ExceptionKind
from tests.activities.sweeping import LATE, POLICY, Sweeping
from tests.activities.world import World
from tests.ledger.samples import entry, journal

GHOST = OrderRef(store="demo", number="GHOST")


@pytest_asyncio.fixture
async def sweeping(own_ledger: SqlLedger, renderer: MessageRenderer) -> Sweeping:
    world = World(own_ledger, renderer)
    world.clock.at = datetime.now(UTC) + LATE
    return Sweeping(world)


async def kinds(sweeping: Sweeping) -> dict[str, ExceptionKind]:
    return {one.ref.number: one.kind for one in await sweeping.exceptions()}


async def test_an_order_that_the_ledger_has_open_and_that_does_not_run_is_an_exception_until_it_runs(
    sweeping: Sweeping,
) -> None:
    still = await sweeping.waiting("STILL")
    assert (await sweeping.books_swept()).opened == 1
    assert await kinds(sweeping) == {"STILL": "not_running"}
    assert (await sweeping.books_swept()).opened == 0
    sweeping.runs.running[still.ref] = sweeping.world.clock()
    assert (await sweeping.books_swept()).closed == 1
    assert await kinds(sweeping) == {}


async def test_an_order_that_the_list_lags_behind_with_is_asked_about_itself(sweeping: Sweeping) -> None:
    still = await sweeping.waiting("LISTED-LATE")
    sweeping.runs.unlisted.add(still.ref)
    assert (await sweeping.books_swept()).opened == 0


async def test_an_order_that_has_ended_need_not_run(sweeping: Sweeping) -> None:
    done = await sweeping.waiting("DONE")
    await sweeping.world.ledger.write(journal([entry(6, Event.CLOSED)], stage=Stage.CLOSED, ref=done.ref))
    assert (await sweeping.books_swept()).opened == 0


async def test_a_workflow_that_the_ledger_does_not_know_is_an_exception_of_its_stores_team(sweeping: Sweeping) -> None:
    sweeping.runs.running[GHOST] = sweeping.world.clock() - timedelta(hours=1)
    await sweeping.books_swept()
    (found,) = await sweeping.exceptions()
    assert (found.ref, found.kind, found.owner) == (GHOST, "not_in_ledger", "operations-lead")


async def test_a_workflow_that_has_just_begun_may_be_unknown_yet(sweeping: Sweeping) -> None:
    sweeping.runs.running[GHOST] = sweeping.world.clock()
    assert (await sweeping.books_swept()).opened == 0


async def received(sweeping: Sweeping, ref: OrderRef | None, source: str, kind: str) -> int:
    at = sweeping.world.clock() - timedelta(hours=1)
    return (await sweeping.world.ledger.receive(source, "d-1", kind, ref, "{}", at)).id


async def test_an_order_that_was_recorded_and_never_announced_is_an_exception_until_it_is(sweeping: Sweeping) -> None:
    row = await received(sweeping, GHOST, "intake/demo", "order")
    await sweeping.books_swept()
    (found,) = await sweeping.exceptions()
    assert (found.ref, found.kind, found.system) == (GHOST, "not_announced", "intake/demo")
    await sweeping.world.ledger.announced(row, "accepted", sweeping.world.clock())
    assert (await sweeping.books_swept()).closed == 1


async def test_a_delivery_whose_order_nobody_has_read_yet_goes_by_its_own_id(sweeping: Sweeping) -> None:
    await received(sweeping, None, "sources/demo/shopify", "delivery")
    await sweeping.books_swept()
    assert [str(one.ref) for one in await sweeping.exceptions()] == ["demo/delivery d-1"]


async def test_an_event_that_is_no_order_is_not_one(sweeping: Sweeping) -> None:
    await received(sweeping, GHOST, "webhooks/sendgrid_email", "channel_event")
    assert (await sweeping.books_swept()).opened == 0


async def test_an_order_whose_erp_nobody_asks_is_an_exception(sweeping: Sweeping) -> None:
    """It was to be booked in `main`, which no store of the policy books in any more: no sweep asks it."""
    sweeping.policy = POLICY
    content: Order = await sweeping.waiting("ALONE")
    sweeping.runs.running[content.ref] = sweeping.world.clock()
    await sweeping.books_swept()
    (found,) = await sweeping.exceptions()
    assert (found.kind, found.system) == ("no_erp_to_ask", "main")


async def test_temporal_out_of_reach_closes_nothing_and_is_said_so(sweeping: Sweeping) -> None:
    await sweeping.waiting("STILL")
    await sweeping.books_swept()
    sweeping.runs.away = True
    with pytest.raises(ApplicationError):
        await sweeping.books_swept()
    assert await kinds(sweeping) == {"STILL": "not_running"}
    (state,) = await sweeping.world.ledger.sweeps()
    assert state.failed_at
    assert state.complete_at
