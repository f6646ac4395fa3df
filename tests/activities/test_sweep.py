"""`sweep_erp`: every order that is not receipted ends as receipted, or as an exception with an owner; twice is once."""

from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio
from sqlalchemy import update
from temporalio.exceptions import ApplicationError

from orderack.contracts.journal import Event, Stage
from orderack.contracts.looks import SweepResult
from orderack.domain.assessment import Side
from orderack.domain.order import OrderRef
from orderack.errors import Refused, Unavailable, Unsupported
from orderack.ledger.repository import SqlLedger
from orderack.ledger.tables import Orders
from orderack.messages import MessageRenderer
from orderack.ports.sweeps import ExceptionKind
from tests.activities.sweeping import LATE, ListsErp, Sweeping
from tests.activities.world import World
from tests.ledger.samples import entry, journal, order


@pytest_asyncio.fixture
async def sweeping(own_ledger: SqlLedger, renderer: MessageRenderer) -> Sweeping:
    """A clock beyond every promise: revisions are stamped with the machine's time."""
    world = World(own_ledger, renderer)
    world.clock.at = datetime.now(UTC) + LATE
    return Sweeping(world)


async def test_an_order_that_the_erp_lost_becomes_an_exception_with_an_owner_and_a_next_step(
    sweeping: Sweeping,
) -> None:
    lost = await sweeping.waiting("LOST")
    assert await sweeping.erp_swept() == SweepResult(waiting=1, asked=1, opened=1)
    (found,) = await sweeping.exceptions()
    assert (found.ref, found.kind, found.revision, found.system) == (lost.ref, "missing_in_erp", 1, "main")
    assert found.owner == "ops"
    assert "search the ERP" in found.next_step


async def test_an_order_without_an_owner_goes_to_the_first_in_the_rota_of_the_stores_team(sweeping: Sweeping) -> None:
    lost = await sweeping.waiting("LOST")
    nobody = journal([entry(6)], stage=Stage.AWAITING_ERP, ref=lost.ref).model_copy(update={"owner": None})
    await sweeping.world.ledger.write(nobody)
    await sweeping.erp_swept()
    assert [one.owner for one in await sweeping.exceptions()] == ["operations-lead"]


async def test_a_shadow_order_is_asked_about_and_nobodys_to_miss(sweeping: Sweeping) -> None:
    lost, booked = await sweeping.waiting("LOST"), await sweeping.waiting("BOOKED")
    async with sweeping.world.ledger._database.write() as session:
        await session.execute(update(Orders).values(side=Side.SHADOW))
    receipt = sweeping.erp.book(booked)
    assert await sweeping.erp_swept() == SweepResult(waiting=2, asked=2, receipted=1)
    assert sweeping.orders.receipts == [receipt]
    assert (lost.ref, 1) in sweeping.erp.asked
    assert await sweeping.exceptions() == []


async def test_an_order_that_the_erp_has_and_never_signalled_is_told_its_receipt_once(sweeping: Sweeping) -> None:
    content = await sweeping.waiting("SILENT")
    receipt = sweeping.erp.book(content)
    assert await sweeping.erp_swept() == SweepResult(waiting=1, asked=1, receipted=1)
    assert sweeping.orders.receipts == [receipt]
    assert await sweeping.exceptions() == []
    await sweeping.erp_swept()
    assert sweeping.orders.receipts == [receipt], "the inbox knows it"


async def test_a_second_sweep_of_the_same_opens_nothing_new(sweeping: Sweeping) -> None:
    await sweeping.waiting("LOST")
    await sweeping.erp_swept()
    (first,) = await sweeping.exceptions()
    sweeping.world.clock.advance(LATE)
    assert await sweeping.erp_swept() == SweepResult(waiting=1, asked=1)
    (again,) = await sweeping.exceptions()
    assert (again.opened_at, again.reopened) == (first.opened_at, 0)
    assert again.seen_at > first.seen_at


async def test_an_exception_closes_by_itself_when_the_receipt_comes(sweeping: Sweeping) -> None:
    lost = await sweeping.waiting("LATE")
    await sweeping.erp_swept()
    sweeping.erp.book(lost)
    assert await sweeping.erp_swept() == SweepResult(waiting=1, asked=1, receipted=1, closed=1)
    (closed,) = await sweeping.exceptions(closed=True)
    assert (closed.closed_by, closed.note) == (None, "its receipt came")


@pytest.mark.parametrize(
    ("event", "stage", "note"),
    [
        (Event.ERP_RECEIPT, Stage.CONFIRMED, "its receipt came"),
        (Event.CANCELLED, Stage.CANCELLED, "the order has ended: cancelled"),
    ],
)
async def test_an_exception_is_over_as_soon_as_the_order_is_receipted_or_ends(
    sweeping: Sweeping, event: Event, stage: Stage, note: str
) -> None:
    lost = await sweeping.waiting("LOST")
    await sweeping.erp_swept()
    await sweeping.world.ledger.write(journal([entry(6, event, note="SO-1")], stage=stage, ref=lost.ref))
    assert await sweeping.exceptions() == [], "nobody need wait for the next sweep"
    assert await sweeping.erp_swept() == SweepResult(closed=1)
    assert [one.note for one in await sweeping.exceptions(closed=True)] == [note]


async def test_what_a_person_has_closed_stays_closed(sweeping: Sweeping) -> None:
    lost = await sweeping.waiting("LOST")
    await sweeping.erp_swept()
    closed = await sweeping.world.ledger.resolve(lost.ref, "grace", "entered by hand", sweeping.world.clock())
    assert [one.kind for one in closed] == ["missing_in_erp"]
    assert (await sweeping.erp_swept()).opened == 0
    assert await sweeping.exceptions() == []
    assert [(one.closed_by, one.note) for one in await sweeping.exceptions(closed=True)] == [
        ("grace", "entered by hand")
    ]


async def test_what_closed_by_itself_and_is_found_again_is_opened_again(sweeping: Sweeping) -> None:
    lost = await sweeping.waiting("LOST")
    await sweeping.erp_swept()
    sweeping.runs.trying.add(lost.ref)
    assert (await sweeping.erp_swept()).closed == 1
    sweeping.runs.trying.clear()
    assert (await sweeping.erp_swept()).opened == 1
    assert [(one.kind, one.reopened) for one in await sweeping.exceptions()] == [("missing_in_erp", 1)]


async def test_an_order_in_its_time_is_asked_about_and_no_exception(sweeping: Sweeping) -> None:
    await sweeping.waiting("YOUNG", minutes=60 * 24 * 365 * 30)
    assert await sweeping.erp_swept() == SweepResult(waiting=1, asked=1)
    assert await sweeping.exceptions() == []


async def test_an_order_that_a_person_reviews_is_that_persons(sweeping: Sweeping) -> None:
    await sweeping.waiting("DOUBTFUL", stage=Stage.REVIEW)
    assert await sweeping.erp_swept() == SweepResult(waiting=1, asked=1)


async def test_an_order_that_is_still_being_submitted_and_a_draft_are_said_so(sweeping: Sweeping) -> None:
    stuck, draft = await sweeping.waiting("STUCK"), await sweeping.waiting("DRAFT")
    sweeping.runs.trying.add(stuck.ref)
    await sweeping.world.ledger.write(
        journal([entry(6, Event.ERP_WAITS, note="approval")], stage=Stage.AWAITING_ERP, ref=draft.ref)
    )
    await sweeping.erp_swept()
    assert {one.ref.number: one.kind for one in await sweeping.exceptions()} == {
        "STUCK": ExceptionKind.NOT_SUBMITTED,
        "DRAFT": ExceptionKind.WAITS_IN_ERP,
    }


async def test_a_receipt_that_was_told_and_not_acted_upon_becomes_an_exception(sweeping: Sweeping) -> None:
    sweeping.erp.book(await sweeping.waiting("DEAF"))
    assert (await sweeping.erp_swept()).receipted == 1
    assert await sweeping.exceptions() == []
    sweeping.world.clock.advance(LATE)
    await sweeping.erp_swept()
    assert [one.kind for one in await sweeping.exceptions()] == ["receipt_not_taken"]


async def test_a_receipt_that_temporal_cannot_be_told_now_is_recorded_and_left_to_the_gateway(
    sweeping: Sweeping,
) -> None:
    sweeping.erp.book(await sweeping.waiting("SILENT"))
    sweeping.orders.away = True
    assert (await sweeping.erp_swept()).receipted == 1
    (row,) = await sweeping.world.ledger.unannounced(sweeping.world.clock() + LATE)
    assert (row.source, row.external_id, row.kind) == ("receipts/main", "r-SILENT", "erp_receipt")


async def test_an_erp_that_is_down_makes_no_exception_and_is_said_so(sweeping: Sweeping) -> None:
    for number in range(5):
        await sweeping.waiting(f"N-{number}")
    sweeping.erp.down_after = 0
    with pytest.raises(ApplicationError, match="does not answer"):
        await sweeping.erp_swept()
    assert await sweeping.exceptions() == []
    (state,) = await sweeping.world.ledger.sweeps()
    assert (state.name, state.complete_at, state.asked) == ("erp/main", None, 0)
    assert state.failed_at
    assert "does not answer" in state.failure


async def test_one_order_that_waits_for_an_erp_that_is_down_is_enough_to_say_so(sweeping: Sweeping) -> None:
    await sweeping.waiting("ONLY")
    sweeping.erp.down_after = 0
    with pytest.raises(ApplicationError, match="does not answer"):
        await sweeping.erp_swept()
    assert await sweeping.exceptions() == []


async def test_an_erp_that_goes_down_in_the_middle_is_asked_the_rest_when_it_is_back(sweeping: Sweeping) -> None:
    for number in range(60):
        await sweeping.waiting(f"N-{number:02}")
    sweeping.erp.down_after = 40
    with pytest.raises(ApplicationError):
        await sweeping.erp_swept()
    assert len(await sweeping.exceptions()) == 40, "what it answered before it went down stands"
    last = sweeping.beats[-1]
    assert (last.asked, last.waiting) == (40, 60)
    sweeping.erp.down_after = None
    done = await sweeping.erp_swept(after=last)
    assert done == SweepResult(waiting=60, asked=60, opened=60)
    assert len(sweeping.erp.asked) == 60, "nobody is asked about twice"
    (state,) = await sweeping.world.ledger.sweeps()
    assert state.complete_at
    assert state.failure == ""
    assert state.failed_at, "when it last could not be asked is kept"


async def test_a_worker_that_is_killed_loses_one_page_at_most(sweeping: Sweeping) -> None:
    for number in range(60):
        await sweeping.waiting(f"N-{number:02}")
    sweeping.erp.fails["N-30"] = RuntimeError("killed")  # nothing in the product knows this error
    with pytest.raises(RuntimeError):
        await sweeping.erp_swept()
    sweeping.erp.fails.clear()
    before = len(sweeping.erp.asked)
    done = await sweeping.erp_swept(after=sweeping.beats[-1])
    assert (done.asked, done.opened) == (60, 60)
    assert [ref.number for ref, _ in sweeping.erp.asked[before:]] == [f"N-{number}" for number in range(25, 60)]


async def test_a_worker_that_is_told_to_stop_leaves_after_its_page_and_another_goes_on(sweeping: Sweeping) -> None:
    for number in range(60):
        await sweeping.waiting(f"N-{number:02}")
    with pytest.raises(ApplicationError, match="another goes on"):
        await sweeping.erp_swept(stopping=True)
    assert sweeping.beats[-1].asked == 25
    (state,) = await sweeping.world.ledger.sweeps()
    assert (state.failure, state.ended_at) == ("", None), "nothing is wrong with the ERP"
    assert (await sweeping.erp_swept(after=sweeping.beats[-1])).asked == 60
    assert len(sweeping.erp.asked) == 60


@pytest.mark.parametrize("failure", [Unavailable("500 for just this one"), Refused("it chokes on that number")])
async def test_one_order_that_the_erp_chokes_on_does_not_keep_the_others_from_their_end(
    sweeping: Sweeping, failure: Exception
) -> None:
    for number in range(10):
        await sweeping.waiting(f"N-{number}")
    sweeping.erp.fails["N-4"] = failure
    done = await sweeping.erp_swept()
    assert done == SweepResult(waiting=10, asked=10, unanswered=1, opened=9)
    assert "N-4" not in {one.ref.number for one in await sweeping.exceptions()}


async def test_an_erp_that_says_when_to_come_back_is_asked_again_then(sweeping: Sweeping) -> None:
    content = await sweeping.waiting("ONE")
    wait = Unavailable("429", timedelta(seconds=7))
    sweeping.erp.fails["ONE"] = wait

    async def sleep(seconds: float) -> None:
        if seconds == 7:
            sweeping.erp.fails.clear()

    sweeping.world.sleep = sleep  # type: ignore[method-assign]
    sweeping.erp.book(content)
    assert (await sweeping.erp_swept()).receipted == 1


async def test_an_erp_without_a_way_to_ask_is_said_so_and_makes_no_exception(sweeping: Sweeping) -> None:
    await sweeping.waiting("ONE")
    sweeping.erp.fails["ONE"] = Unsupported("find")
    assert (await sweeping.erp_swept()).cannot
    assert await sweeping.exceptions() == []
    (state,) = await sweeping.world.ledger.sweeps()
    assert state.failure.startswith("cannot be asked")
    assert state.complete_at is None


async def test_an_erp_that_can_say_of_many_at_once_is_asked_by_the_page(sweeping: Sweeping) -> None:
    contents = [await sweeping.waiting(f"N-{number:02}") for number in range(30)]
    sweeping.erp = ListsErp()
    for content in contents[::2]:
        sweeping.erp.book(content)
    assert await sweeping.erp_swept() == SweepResult(waiting=30, asked=30, receipted=15, opened=15)
    assert len(sweeping.erp.asked) == 30


async def test_a_list_that_is_broken_is_gone_through_one_by_one(sweeping: Sweeping) -> None:
    content = await sweeping.waiting("ONE")
    sweeping.erp = lists = ListsErp()
    lists.whole = False
    lists.book(content)
    assert (await sweeping.erp_swept()).receipted == 1


async def test_an_order_that_has_its_receipt_or_has_ended_is_not_asked_about(sweeping: Sweeping) -> None:
    for number, event, stage in (("A", Event.ERP_RECEIPT, Stage.HANDED_OFF), ("B", Event.REJECTED, Stage.REJECTED)):
        content = await sweeping.waiting(number)
        await sweeping.world.ledger.write(journal([entry(6, event, note="SO-1")], stage=stage, ref=content.ref))
    assert await sweeping.erp_swept() == SweepResult()
    assert sweeping.erp.asked == []


async def test_a_receipt_that_comes_while_the_erp_is_asked_opens_nothing(sweeping: Sweeping) -> None:
    lost = await sweeping.waiting("RACE")

    async def signalled() -> None:
        await sweeping.world.ledger.write(
            journal([entry(6, Event.ERP_RECEIPT, note="SO-1")], stage=Stage.CONFIRMED, ref=lost.ref)
        )

    sweeping.erp.finding = signalled
    assert await sweeping.erp_swept() == SweepResult(waiting=1, asked=1)
    assert await sweeping.exceptions() == []
    assert await sweeping.exceptions(closed=True) == []


async def test_orders_that_came_after_the_sweep_began_are_the_next_ones(sweeping: Sweeping) -> None:
    sweeping.world.clock.at = datetime.now(UTC) - timedelta(hours=1)
    await sweeping.waiting("NEW")
    assert await sweeping.erp_swept() == SweepResult()


async def test_numbers_alike_in_two_stores_are_two_orders(sweeping: Sweeping) -> None:
    here = await sweeping.waiting("SAME")
    there = order("SAME", external="gid-other").model_copy(update={"store": "south"})
    await sweeping.world.save(there)
    await sweeping.world.ledger.write(
        journal([entry(4, Event.SUBMITTED_TO_ERP)], stage=Stage.AWAITING_ERP, ref=there.ref)
    )
    sweeping.world.clock.advance(LATE)
    sweeping.erp.book(here)
    assert await sweeping.erp_swept() == SweepResult(waiting=2, asked=2, receipted=1, opened=1)
    assert [one.ref for one in await sweeping.exceptions()] == [OrderRef(store="south", number="SAME")]
