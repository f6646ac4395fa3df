"""What a sweep leaves behind: exceptions that somebody owns, and how far it came (R134, R135, R150)."""

from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from types import MappingProxyType
from typing import Protocol

from pydantic import AwareDatetime

from orderack.contracts.journal import Stage
from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.value import Value
from orderack.ports.ledger import Ledger

BOOKS = "books"
"""The name of the sweep that compares the ledger with Temporal and the inbox. An ERP's is `erp/<name>`."""


class ExceptionKind(StrEnum):
    """Where an order is absent. Frozen names."""

    MISSING_IN_ERP = "missing_in_erp"
    """The ERP was given it, or is expected to have it, and has no booking of it."""
    NOT_SUBMITTED = "not_submitted"
    """We have not got it through to the ERP yet: it is still being tried."""
    WAITS_IN_ERP = "waits_in_erp"
    """The ERP has it as a draft that waits for an approval of its own."""
    RECEIPT_NOT_TAKEN = "receipt_not_taken"
    """The ERP has booked it, and the order has not acted on the receipt."""
    NO_ERP_TO_ASK = "no_erp_to_ask"
    """It waits for a receipt of an ERP that nobody asks: none is named, or that one is not set up here."""
    NOT_RUNNING = "not_running"
    """The ledger has it open, and no workflow runs."""
    NOT_IN_LEDGER = "not_in_ledger"
    """A workflow runs, and the ledger does not have the order's content."""
    NOT_ANNOUNCED = "not_announced"
    """It was recorded when it came in, and never handed to a workflow."""


IN_ERP = frozenset(
    {
        ExceptionKind.MISSING_IN_ERP,
        ExceptionKind.NOT_SUBMITTED,
        ExceptionKind.WAITS_IN_ERP,
        ExceptionKind.RECEIPT_NOT_TAKEN,
    }
)
"""What an ERP's sweep finds. The other kinds are the books' sweep's."""

NEXT_STEP: Mapping[ExceptionKind, str] = MappingProxyType(
    {
        ExceptionKind.MISSING_IN_ERP: "search the ERP for its number; lost: enter it there, or orderack cancel",
        ExceptionKind.NOT_SUBMITTED: "it is tried again by itself; see why not yet: orderack status",
        ExceptionKind.WAITS_IN_ERP: "approve the draft in the ERP, or orderack cancel",
        ExceptionKind.RECEIPT_NOT_TAKEN: "see why the receipt does not fit: orderack timeline",
        ExceptionKind.NO_ERP_TO_ASK: "set the ERP up (orderack erps), or report its receipt: orderack receipt",
        ExceptionKind.NOT_RUNNING: "begin it anew: orderack ledger rerun",
        ExceptionKind.NOT_IN_LEDGER: "write its content back: orderack ledger recall; a receipt only: ask its source",
        ExceptionKind.NOT_ANNOUNCED: "it is announced by itself once gateway and Temporal run: orderack doctor",
    }
)
"""What its owner does."""


class Place(Value):
    """How far a sweep has come: behind this revision in the order of time."""

    since: AwareDatetime
    ref: OrderRef


class NotReceipted(Value):
    """The present revision of an order that has not ended and has no receipt."""

    ref: OrderRef
    revision: int
    erp: Name | None
    stage: Stage
    since: AwareDatetime
    """When the revision was recorded."""
    overdue_at: AwareDatetime
    """When its receipt is late, as its own service level says."""
    owner: Name | None
    """The order's owner; where it has none, the first of its team's rota."""
    draft: bool
    """The ERP said that it has it as a draft."""
    shadow: bool = False
    """The old flow books it, and nobody here waits for it (docs/shadow.md)."""

    @property
    def place(self) -> Place:
        return Place(since=self.since, ref=self.ref)


class Finding(Value):
    """What a sweep found of one order. `kind` None: nothing (any more), and why in `note`."""

    ref: OrderRef
    revision: int = 0
    kind: ExceptionKind | None = None
    system: Text = ""
    since: AwareDatetime
    owner: Name | None = None
    event: int | None = None
    """The inbox's row, where nothing but that is known of the order."""
    note: Text = ""


class OpenException(Value):
    """An exception as it stands. Closed by itself: `closed_by` is None."""

    ref: OrderRef
    kind: ExceptionKind
    revision: int
    system: Text
    since: AwareDatetime
    opened_at: AwareDatetime
    seen_at: AwareDatetime
    owner: Name | None
    reopened: int = 0
    closed_at: AwareDatetime | None = None
    closed_by: Name | None = None
    note: Text = ""
    claimed_by: Name | None = None
    """Who has it in hand."""
    claimed_at: AwareDatetime | None = None
    told: int = 0
    """How often `told_to` was told of it, since it was opened."""
    told_to: Name | None = None
    told_at: AwareDatetime | None = None

    @property
    def next_step(self) -> str:
        return NEXT_STEP[self.kind]


class Settled(Value):
    """What came of a sweep's findings: those newly opened, and how many closed by themselves."""

    opened: tuple[OpenException, ...] = ()
    closed: int = 0


class SweepState(Value):
    """The last sweep of that name, under way or ended."""

    name: Name
    run: Text
    began_at: AwareDatetime
    at: AwareDatetime
    ended_at: AwareDatetime | None = None
    complete_at: AwareDatetime | None = None
    """When one last got through all of it. None leaves what stands."""
    failed_at: AwareDatetime | None = None
    """When it last could not be asked. None leaves what stands."""
    failure: Text = ""
    waiting: int = 0
    asked: int = 0
    unanswered: int = 0
    """Asked about, and no answer to just these."""
    receipted: int = 0
    opened: int = 0
    closed: int = 0


class Unannounced(Value):
    """An order that came in and was never handed on. One whose number is not read yet goes by its delivery's id."""

    ref: OrderRef
    event: int
    system: Name
    received_at: AwareDatetime


class SweepBook(Protocol):
    """What sweeps ask of the record. Every write is keyed and may be repeated."""

    async def not_receipted(
        self, erp: str, before: datetime, after: Place | None, limit: int
    ) -> Sequence[NotReceipted]:
        """Of this ERP, recorded before then, the oldest first; those behind `after`."""
        ...

    async def count_not_receipted(self, erp: str, before: datetime) -> int: ...

    async def asked_by_nobody(self, erps: Collection[str], limit: int) -> Sequence[NotReceipted]:
        """Those without an ERP, or with one that is none of these; the oldest first."""
        ...

    async def settle(self, findings: Sequence[Finding], now: datetime) -> Settled:
        """Open what was found, once; close what an ERP's sweep no longer finds of these orders.

        One that closed by itself and is found again is opened again; one that a person closed stays closed.
        """
        ...

    async def close_over(self, erp: str, now: datetime) -> int:
        """Close this ERP's whose order was receipted, changed or has ended; how many."""
        ...

    async def close_unseen(self, since: datetime, now: datetime) -> int:
        """Close the books' that no sweep has found since then; how many."""
        ...

    async def exceptions(
        self, store: str | None = None, limit: int = 200, *, closed: bool = False
    ) -> Sequence[OpenException]:
        """The open ones, the longest waiting first; `closed`: the others, the latest first."""
        ...

    async def resolve(
        self, ref: OrderRef, by: str, note: str, now: datetime, kind: ExceptionKind | None = None
    ) -> Sequence[OpenException]:
        """Close an order's open exceptions (of that kind): a person's word stands. Those that were."""
        ...

    async def swept(self, state: SweepState) -> None:
        """Keep how far a sweep came."""
        ...

    async def sweeps(self) -> Sequence[SweepState]:
        """The last one of each name."""
        ...

    async def open_after(self, before: datetime, after: Place | None, limit: int) -> Sequence[Place]:
        """Orders that came before then and have not ended, the longest open first; those behind `after`."""
        ...

    async def with_content(self, refs: Sequence[OrderRef]) -> Sequence[OrderRef]:
        """Those of these orders (some hundreds at a time) of which a revision is kept."""
        ...

    async def orders_unannounced(self, before: datetime, limit: int) -> Sequence[Unannounced]:
        """Orders that came in before then and were never handed on, the oldest first."""
        ...


class SweepLedger(Ledger, SweepBook, Protocol):
    """All that a sweep asks of the record."""


class Runs(Protocol):
    """The orders that run, as Temporal knows them. Raises Unavailable."""

    def open_orders(self) -> AsyncIterator[Place]:
        """Every open order and since when it runs; the list may lag by a second."""
        ...

    async def is_running(self, ref: OrderRef) -> bool:
        """As the server knows it itself, without lag."""
        ...

    async def is_trying(self, ref: OrderRef, activity: str) -> bool:
        """Whether an activity of that name is under way or waits to be tried again."""
        ...
