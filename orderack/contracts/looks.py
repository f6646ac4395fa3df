"""Looks: what is asked for on a schedule because nobody tells us: feeds of orders, and receipts that did not come.

A look at an ERP is the quick probe: the newest orders that wait, twice a minute. A sweep is the audit: every order that
is not receipted, to its end as receipted or as an exception that somebody owns.
"""

from temporalio import activity

from orderack.contracts import names
from orderack.domain.order import Name, Text
from orderack.domain.value import Value


class SourceLook(Value):
    """One look at a store's connection."""

    store: Name
    system: Name


class ErpLook(Value):
    """One look at an ERP: it is asked for the receipts of orders that wait for it."""

    erp: Name
    at_most: int = 30
    """Orders that it is asked about in one look."""


class LookRequest(Value):
    """One of the two."""

    source: SourceLook | None = None
    erp: ErpLook | None = None


class LookResult(Value):
    """What was found, and how much of it was told to its order now; the gateway's sweep tells the rest."""

    found: int = 0
    told: int = 0
    waiting: int = 0
    """Of an ERP: orders that wait for it."""


class SweepRequest(Value):
    """Of one ERP; or, where none is named, of the books: the ledger against Temporal and the inbox."""

    erp: Name | None = None


class SweepResult(Value):
    """How a sweep ended."""

    waiting: int = 0
    """Orders without a receipt when it began."""
    asked: int = 0
    unanswered: int = 0
    """Asked about, and the ERP answered for others but not for these: the next sweep asks again."""
    receipted: int = 0
    """The ERP had booked them and never signalled."""
    opened: int = 0
    """Exceptions."""
    closed: int = 0
    cannot: Text = ""
    """Why this ERP cannot be asked at all."""


@activity.defn(name=names.LOOK_AT_SOURCE)
async def look_at_source(look: SourceLook) -> LookResult:
    """See `activities/look.py`."""
    raise AssertionError("declared here, implemented in activities/")


@activity.defn(name=names.LOOK_AT_ERP)
async def look_at_erp(look: ErpLook) -> LookResult:
    """See `activities/look.py`."""
    raise AssertionError("declared here, implemented in activities/")


@activity.defn(name=names.SWEEP_ERP)
async def sweep_erp(request: SweepRequest) -> SweepResult:
    """See `activities/sweep.py`."""
    raise AssertionError("declared here, implemented in activities/")


@activity.defn(name=names.SWEEP_BOOKS)
async def sweep_books(request: SweepRequest) -> SweepResult:
    """See `activities/sweep.py`."""
    raise AssertionError("declared here, implemented in activities/")
