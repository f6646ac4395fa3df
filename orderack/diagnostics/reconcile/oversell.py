"""Oversell by the gap: what was promised of a sku while the ERP did not know, against the stock known then (R136).

The ERP's free stock, as it said when an order was looked at, does not count what it has not booked yet. So from it go
the units of every earlier order that stood in its gap (captured, not yet receipted, not ended) at that moment; what the
order wants beyond the rest is oversold, and its window is the order's own gap.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from pydantic import AwareDatetime

from orderack.domain.order import OrderRef
from orderack.domain.value import Value
from orderack.ports.captured import CapturedOrder


class Window(Value):
    """One order's gap for one sku: from its capture to the ERP's receipt (None: it is open still)."""

    ref: OrderRef
    sku: str
    captured_at: AwareDatetime
    ends_at: AwareDatetime | None
    units: Decimal
    stock: Decimal | None
    """What the ERP said was free."""
    before: Decimal
    """Units of earlier orders that stood in their gap then."""
    oversold: Decimal
    confirmed_within: bool
    """The buyer was told "confirmed" before the ERP had booked it."""

    @property
    def seconds(self) -> float | None:
        return (self.ends_at - self.captured_at).total_seconds() if self.ends_at else None


class Oversold(Value):
    """One sku."""

    sku: str
    orders: int
    units: Decimal
    """Promised, each within a gap."""
    oversold: Decimal
    unknown: Decimal
    """Units of orders for which the ERP had said nothing of the stock."""
    windows: tuple[Window, ...]
    """Those with oversold units."""


class OversellReport(Value):
    skus: tuple[Oversold, ...]
    """Those with any, the most oversold first."""
    orders: int
    units: Decimal
    oversold: Decimal
    unknown: Decimal


@dataclass(frozen=True, slots=True)
class _Promise:
    order: CapturedOrder
    units: Decimal


def oversell(ours: Iterable[CapturedOrder]) -> OversellReport:
    """Each unit of each order is once in `units`, and at most once in `oversold` or in `unknown`."""
    by_sku: dict[str, list[_Promise]] = {}
    orders = 0
    for order in ours:
        orders += 1
        for sku, units in order.units.items():
            by_sku.setdefault(sku, []).append(_Promise(order, units))
    all_skus = [_of_sku(sku, promises) for sku, promises in sorted(by_sku.items())]
    return OversellReport(
        skus=tuple(sorted((one for one in all_skus if one.oversold), key=lambda one: -one.oversold)),
        orders=orders,
        units=sum((one.units for one in all_skus), Decimal(0)),
        oversold=sum((one.oversold for one in all_skus), Decimal(0)),
        unknown=sum((one.unknown for one in all_skus), Decimal(0)),
    )


def _of_sku(sku: str, promises: Sequence[_Promise]) -> Oversold:
    """In the order of capture; a promise whose gap has ended counts no more."""
    standing: list[_Promise] = []
    windows: list[Window] = []
    unknown = Decimal(0)
    for promise in sorted(promises, key=lambda one: (one.order.captured_at, str(one.order.ref))):
        now = promise.order.captured_at
        standing = [one for one in standing if (ended := _ends(one.order)) is None or ended > now]
        before = sum((one.units for one in standing), Decimal(0))
        stock = promise.order.stock.get(sku)
        if stock is None:
            unknown += promise.units
        else:
            over = min(promise.units, max(Decimal(0), before + promise.units - stock))
            if over > 0:
                windows.append(_window(sku, promise, stock, before, over))
        standing.append(promise)
    return Oversold(
        sku=sku,
        orders=len(promises),
        units=sum((one.units for one in promises), Decimal(0)),
        oversold=sum((one.oversold for one in windows), Decimal(0)),
        unknown=unknown,
        windows=tuple(windows),
    )


def _ends(order: CapturedOrder) -> datetime | None:
    """When the ERP knew, or the order was off."""
    return min((at for at in (order.booked_at, order.ended_at) if at), default=None)


def _window(sku: str, promise: _Promise, stock: Decimal, before: Decimal, over: Decimal) -> Window:
    order, ends = promise.order, _ends(promise.order)
    confirmed = order.confirmed_at is not None and (order.booked_at is None or order.confirmed_at < order.booked_at)
    return Window(
        ref=order.ref,
        sku=sku,
        captured_at=order.captured_at,
        ends_at=ends,
        units=promise.units,
        stock=stock,
        before=before,
        oversold=over,
        confirmed_within=confirmed,
    )


def left_over(ours: Sequence[CapturedOrder]) -> tuple[Mapping[str, Decimal], Mapping[str, Decimal]]:
    """Per sku the ERP's last word on its stock, and what has been promised since and it does not know of."""
    known: dict[str, Decimal] = {}
    said_at: dict[str, datetime] = {}
    for order in sorted(ours, key=lambda one: one.captured_at):
        for sku, free in order.stock.items():
            known[sku], said_at[sku] = free, order.captured_at
    promised: dict[str, Decimal] = {}
    for order in ours:
        for sku, units in order.units.items():
            ends = _ends(order)
            if sku in known and not order.ended and (ends is None or ends > said_at[sku]):
                promised[sku] = promised.get(sku, Decimal(0)) + units
    return known, promised
