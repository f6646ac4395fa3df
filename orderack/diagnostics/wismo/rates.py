"""Shares with their intervals, and how long things took: arithmetic that needs no library."""

from collections.abc import Sequence
from math import sqrt

from orderack.diagnostics.wismo.figures import GapFigures, Rate
from orderack.ports.wismo import WatchedOrder

Z = 1.959_963_984_540_054
"""Of a 95 % interval."""


def rate(asked: int, orders: int) -> Rate | None:
    """Orders asked about per 100, with Wilson's interval (Wilson 1927). None where that is no share."""
    if not 0 <= asked <= orders or not orders:
        return None
    share, spread = asked / orders, Z * Z / orders
    middle = (share + spread / 2) / (1 + spread)
    half = Z / (1 + spread) * sqrt(share * (1 - share) / orders + spread / (4 * orders))
    low, high = max(0.0, middle - half), min(1.0, middle + half)
    return Rate(
        orders=orders,
        asked=asked,
        per_100=100 * share,
        low=0.0 if not asked else 100 * low,
        high=100.0 if asked == orders else 100 * high,
    )


def quantile(values: Sequence[float], share: float) -> float | None:
    """By linear interpolation between the two nearest; None of nothing."""
    if not values:
        return None
    ordered = sorted(values)
    place = share * (len(ordered) - 1)
    below = int(place)
    above = min(below + 1, len(ordered) - 1)
    return ordered[below] + (ordered[above] - ordered[below]) * (place - below)


def gap(orders: Sequence[WatchedOrder]) -> GapFigures:
    """How these orders' acknowledgements stood against the ERP."""
    told = [(order.told_at - order.trigger_at).total_seconds() for order in orders if order.told_at]
    booked = [(order.erp_receipt_at - order.trigger_at).total_seconds() for order in orders if order.erp_receipt_at]
    return GapFigures(
        orders=len(orders),
        received_p50=quantile(told, 0.5),
        received_p95=quantile(told, 0.95),
        receipt_p50=quantile(booked, 0.5),
        receipt_p95=quantile(booked, 0.95),
        without_receipt=len(orders) - len(booked),
        confirmed=sum(order.confirmed_at is not None for order in orders),
        confirmed_early=sum(confirmed_early(order) is True for order in orders),
    )


def confirmed_early(order: WatchedOrder) -> bool | None:
    """Confirmed before the ERP receipt, or without one; None: not confirmed."""
    if order.confirmed_at is None:
        return None
    return order.erp_receipt_at is None or order.confirmed_at < order.erp_receipt_at
