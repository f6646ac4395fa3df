"""What the watch on "where is my order" tickets asks of the record.

Plain dataclasses, not pydantic models: there are tens of thousands of them, and each was checked when it was stored.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Protocol

from orderack.domain.order import OrderRef


@dataclass(frozen=True, slots=True)
class WatchedOrder:
    """One order: what its buyer was told, and when; None: it has not happened.

    Of a shadow order the messages are those of the old flow, which its buyer got; none of ours went out.
    """

    ref: OrderRef
    source: str
    trigger_at: datetime
    told_at: datetime | None
    """When a channel took the first message of any kind to the buyer."""
    promised_at: datetime | None
    """When that was due; None: no such clock ran."""
    confirmed_at: datetime | None
    """Of its first revision."""
    erp_receipt_at: datetime | None
    held: bool
    """Its buyer got a `holding` acknowledgement."""
    escalated: bool


@dataclass(frozen=True, slots=True)
class NamedOrder:
    """An order that goes by a word or an address that was asked for."""

    goes_by: str = field(repr=False)
    """As it was asked: it may be an address."""
    ref: OrderRef
    trigger_at: datetime
    open: bool


class WatchBook(Protocol):
    """The part of the record that the watch reads."""

    async def watched_orders(self, since: datetime, until: datetime, store: str | None) -> Sequence[WatchedOrder]:
        """Orders triggered from `since` on and before `until`, by their trigger."""
        ...

    async def named_orders(
        self, words: Collection[str], emails: Collection[str], store: str | None
    ) -> Sequence[NamedOrder]:
        """Orders whose number or id elsewhere is one of the words, and orders of these addresses (case-folded).

        One row for each order and what it goes by. An order whose content has not come is left out.
        """
        ...
