"""Looks: what is asked for on a schedule because nobody tells us: feeds of orders, and receipts that did not come."""

from temporalio import activity

from orderack.contracts import names
from orderack.domain.order import Name
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


@activity.defn(name=names.LOOK_AT_SOURCE)
async def look_at_source(look: SourceLook) -> LookResult:
    """See `activities/look.py`."""
    raise AssertionError("declared here, implemented in activities/")


@activity.defn(name=names.LOOK_AT_ERP)
async def look_at_erp(look: ErpLook) -> LookResult:
    """See `activities/look.py`."""
    raise AssertionError("declared here, implemented in activities/")
