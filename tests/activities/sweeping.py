"""An ERP with books of its own, the orders that run, and a sweep over both with a clock that only sleeping moves."""

from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from dataclasses import replace as changed
from datetime import datetime, timedelta
from pathlib import Path

from sqlalchemy import select
from temporalio.testing import ActivityEnvironment

from activities._erp_sweep import Progress
from activities._owners_told import Telling
from activities.sweep import Sweep
from orderack.contracts import names
from orderack.contracts.journal import ClockName, Event, Stage
from orderack.contracts.looks import SweepRequest, SweepResult
from orderack.domain.order import Order, OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.errors import Unavailable
from orderack.ledger.database import insert_all
from orderack.ledger.tables import Deadlines, Orders, Revisions
from orderack.policy.load import load_policy
from orderack.policy.model import ErpChoice, Policy
from orderack.ports import Awaited
from orderack.ports.sweeps import OpenException, Place
from tests.activities.fakes import ScriptedErp
from tests.activities.world import NOW, World
from tests.gateway.fakes import ScriptedOrders
from tests.ledger.samples import clock_entry, entry, journal, order

LATE = timedelta(minutes=20)
POLICY = load_policy(Path(__file__).parents[2] / "policy")
"""As it is delivered: no store books in `main`, the ERP of the sample orders."""


def booking_in(erp: str) -> Policy:
    """The policy whose store books there."""
    demo = POLICY.stores["demo"]
    return POLICY.model_copy(update={"stores": {"demo": demo.model_copy(update={"erp": ErpChoice(name=erp)})}})


@dataclass
class BooksErp(ScriptedErp):
    """Answers from its books. `fails`: what it raises, by the order's number; `down_after`: of so many questions."""

    books: dict[OrderRef, ErpReceipt] = field(default_factory=dict)
    fails: dict[str, Exception] = field(default_factory=dict)
    down_after: int | None = None
    asked_at: list[datetime] = field(default_factory=list)

    def book(self, content: Order) -> ErpReceipt:
        return self.book_ref(content.ref)

    def book_ref(self, ref: OrderRef) -> ErpReceipt:
        receipt = ErpReceipt(
            id=f"r-{ref.number}",
            erp="main",
            store=ref.store,
            number=ref.number,
            document_id=f"SO-{ref.number}",
            recorded_at=NOW,
        )
        self.books[ref] = receipt
        return receipt

    async def find(self, ref: OrderRef, revision: int) -> ErpReceipt | None:
        if self.down_after is not None and len(self.asked) >= self.down_after:
            raise Unavailable("503")
        await super().find(ref, revision)
        if (failure := self.fails.get(ref.number)) is not None:
            raise failure
        return self.books.get(ref)


class ListsErp(BooksErp):
    """Can say of many at once; `whole` false: only one by one today."""

    whole = True

    async def find_several(self, wanted: Sequence[Awaited]) -> Sequence[ErpReceipt]:
        if not self.whole:
            raise Unavailable("the list is broken")
        self.asked += [(one.ref, one.revision) for one in wanted]
        return [self.books[one.ref] for one in wanted if one.ref in self.books]


@dataclass
class FakeRuns:
    """The orders that Temporal would list."""

    running: dict[OrderRef, datetime] = field(default_factory=dict)
    unlisted: set[OrderRef] = field(default_factory=set)
    """They run, and the list lags."""
    trying: set[OrderRef] = field(default_factory=set)
    away: bool = False

    async def open_orders(self) -> AsyncIterator[Place]:
        if self.away:
            raise Unavailable("Temporal does not answer")
        for ref, since in self.running.items():
            yield Place(since=since, ref=ref)

    async def is_running(self, ref: OrderRef) -> bool:
        return ref in self.running or ref in self.unlisted

    async def is_trying(self, ref: OrderRef, activity: str) -> bool:
        return activity == names.SUBMIT_TO_ERP and ref in self.trying


@dataclass
class Sweeping:
    """A sweep's collaborators, and the activity over them."""

    world: World
    erp: BooksErp = field(default_factory=BooksErp)
    orders: ScriptedOrders = field(default_factory=ScriptedOrders)
    runs: FakeRuns = field(default_factory=FakeRuns)
    per_second: float = 10.0
    policy: Policy = field(default_factory=lambda: booking_in("main"))
    beats: list[Progress] = field(default_factory=list)
    to_owners: Telling | None = None
    """By what owners are told; None: nobody is."""

    def activity(self) -> Sweep:
        return Sweep(
            self.world.ledger,
            self.orders,
            self.runs,
            {"main": self.erp},
            lambda: self.policy,
            self.world.clock,
            self.per_second,
            self.world.sleep,
            self.to_owners,
        )

    async def erp_swept(self, after: Progress | None = None, *, stopping: bool = False) -> SweepResult:
        """One attempt; `after`: where an earlier one was, as its last heartbeat said."""
        environment = ActivityEnvironment()
        environment.on_heartbeat = lambda *details: self.beats.extend(details)
        if stopping:
            environment.worker_shutdown()
        if after is not None:
            details = [after.model_dump(mode="json")]
            environment.info = changed(environment.info, heartbeat_details=details, attempt=2)
        return await environment.run(self.activity().sweep_erp, SweepRequest(erp="main"))

    async def books_swept(self) -> SweepResult:
        self.world.clock.advance(timedelta(minutes=1))
        return await ActivityEnvironment().run(self.activity().sweep_books, SweepRequest())

    async def waiting(self, number: str, *, minutes: int = 0, stage: Stage = Stage.AWAITING_ERP) -> Order:
        """An order that was given to the ERP; its receipt is promised for `minutes` after `NOW`."""
        content = order(number, external=f"gid-{number}")
        await self.world.save(content)
        told = [
            entry(4, Event.SUBMITTED_TO_ERP),
            clock_entry(5, Event.CLOCK_STARTED, ClockName.ERP_RECEIPT, minutes),
        ]
        await self.world.ledger.write(journal(told, stage=stage, ref=content.ref))
        return content

    async def many_waiting(self, count: int) -> Sequence[OrderRef]:
        """So many orders that all came in the same second, written at one go."""
        first = await self.waiting("00000")
        refs = [OrderRef(store=first.store, number=f"{number:05}") for number in range(1, count)]
        async with self.world.ledger._database.write() as session:
            of = first.ref.model_dump()
            rows = [
                (table, (await session.execute(select(table).filter_by(**of))).scalars().one().model_dump())
                for table in (Orders, Revisions, Deadlines)
            ]
            for table, row in rows:
                await insert_all(session, table, [row | ref.model_dump() for ref in refs])
        return [first.ref, *refs]

    async def exceptions(self, *, closed: bool = False) -> Sequence[OpenException]:
        return await self.world.ledger.exceptions(closed=closed, limit=10_000)
