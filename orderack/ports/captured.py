"""Orders as they were captured, for whoever compares them with other systems' lists.

A plain dataclass, not a pydantic model: there are tens of thousands of them, and each was checked when it was stored.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from orderack.domain.order import OrderRef


@dataclass(frozen=True, slots=True)
class CapturedOrder:
    """An order as the ledger has it, in its present revision."""

    ref: OrderRef
    captured_at: datetime
    revision: int
    erp: str | None
    ids: frozenset[str]
    """By which others know it: its number, its ids elsewhere, the ERP's document."""
    total: Decimal | None
    currency: str
    units: Mapping[str, Decimal]
    """Per sku."""
    ended: str = ""
    """`cancelled`, `rejected`: it is off. A closed one is done, and not off."""
    ended_at: datetime | None = None
    paid: bool | None = None
    """As its content says; None where that is not known any more."""
    on_account: bool = False
    confirmed_at: datetime | None = None
    booked_at: datetime | None = None
    """When the ERP's receipt came."""
    overdue_at: datetime | None = None
    """When that receipt is late."""
    owner: str | None = None
    stock: Mapping[str, Decimal] = field(default_factory=dict)
    """What the ERP said was free of each sku when the order was looked at."""
