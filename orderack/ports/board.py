"""The record as operators look at it: what is open and how old, what is due, what waits for a person, what flows."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Protocol

from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.value import Value
from orderack.ports.channel_book import Pause
from orderack.ports.sweeps import OpenException

BANDS = (timedelta(minutes=15), timedelta(hours=1), timedelta(hours=4), timedelta(hours=24))
"""Where one age band ends and the next begins; the last has no end. At the first the buyer hears that it takes longer,
at the third a review is due."""

LATELY = timedelta(hours=1)
"""What rates and counts of what has just happened look back on."""

A_DAY = timedelta(hours=24)


class Standing(Value):
    """Open orders of one store and source in one stage."""

    store: Name
    source: Name
    stage: Name
    orders: int
    bands: tuple[int, ...]
    """How many in each age band, the youngest first."""
    oldest_at: datetime
    latest_at: datetime
    """When the last of them came in."""
    lately: int
    """How many came in lately."""


class Due(Value):
    """An order's next deadline. `clock` is None for one that the record cannot tell."""

    ref: OrderRef
    clock: Name | None
    due_at: datetime
    owner: Name | None = None
    stage: Name


class Flagged(Value):
    """An order that a person has to decide on."""

    ref: OrderRef
    revision: int
    source: Name | None = None
    opened_at: datetime
    why: Text
    owner: Name | None = None
    due_at: datetime | None = None
    total: Decimal | None = None
    currency: Name | None = None


class Offered(Value):
    """A confirmed revision that its team has not accepted."""

    ref: OrderRef
    revision: int
    team: Name
    owner: Name | None = None
    offered_at: datetime


class InDoubt(Value):
    """A send of which nobody knows whether it went out."""

    ref: OrderRef
    channel: Name
    key: Text
    since: datetime
    repeat_due_at: datetime | None = None
    """When the policy has it said again, unless it is settled before."""


class ErpFlow(Value):
    """One store's orders on their way through one ERP."""

    store: Name
    erp: Name
    waiting: int = 0
    """Given to it, and not answered for."""
    waiting_since: datetime | None = None
    receipt_at: datetime | None = None
    """Its last receipt within a day."""
    latencies: tuple[float, ...] = ()
    """Seconds from submission to receipt, of what it answered for lately."""


class ChannelFlow(Value):
    """One store's sends by one channel lately."""

    store: Name
    channel: Name
    accepted: int = 0
    failed: int = 0
    accepted_at: datetime | None = None
    failed_at: datetime | None = None
    failure: Text = ""
    in_doubt: int = 0


class BoardRecord(Value):
    """All of it as of one moment. Lists hold the first of each store, the most urgent first."""

    standings: tuple[Standing, ...] = ()
    """Of live orders, as all else here."""
    shadow: tuple[tuple[Name, int], ...] = ()
    """Open shadow orders of each store, counted apart."""
    due: tuple[Due, ...] = ()
    flagged: tuple[Flagged, ...] = ()
    offered: tuple[Offered, ...] = ()
    offers: tuple[tuple[Name, int], ...] = ()
    """How many are offered in each store, also those that the list leaves out."""
    in_doubt: tuple[InDoubt, ...] = ()
    absent: tuple[OpenException, ...] = ()
    """What the sweeps found to be absent somewhere, the longest first; live orders' alone."""
    erps: tuple[ErpFlow, ...] = ()
    channels: tuple[ChannelFlow, ...] = ()
    paused: tuple[Pause, ...] = ()


class BoardBook(Protocol):
    """The record's side of the board."""

    async def board(self, stores: Sequence[str], now: datetime) -> BoardRecord:
        """How these stores stand: a fixed number of queries and a few for each ERP and channel, never one an order."""
        ...

    async def asked(self, limit: int = 200) -> Sequence[OrderRef]:
        """Orders with questions of the buyer's that, as far as the record knows, nobody has answered. Not cheap."""
        ...
