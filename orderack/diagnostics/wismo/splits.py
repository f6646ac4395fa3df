"""Are orders that were held, told late, confirmed early or escalated asked about more often than the others?

Fisher's exact test on each division of the orders, corrected by Holm for how many were tested, so that in a record
without any effect at most one report in twenty claims one. A difference is no cause: see docs/wismo.md.
"""

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta
from math import exp, log, sqrt

from orderack.diagnostics.wismo.figures import Effect, Split, SplitFigures
from orderack.diagnostics.wismo.rates import Z, confirmed_early, rate
from orderack.domain.order import OrderRef
from orderack.ports.wismo import WatchedOrder

SIDE = 30
"""Orders that each side needs."""
ASKED = 10
"""Orders asked about that both sides need together."""
LEVEL = 0.05
PROMISE = timedelta(seconds=60)
"""Where no clock ran: the default `acknowledge_within`."""


def split_orders(
    orders: Sequence[WatchedOrder], asked: Collection[OrderRef], until: datetime
) -> tuple[SplitFigures, ...]:
    """Every split, in its order."""
    found = [_counted(split, orders, asked, until) for split in Split]
    return tuple(_corrected(found))


def _side(split: Split, order: WatchedOrder, until: datetime) -> bool | None:
    """On which side of the split the order is; None: on neither."""
    match split:
        case Split.TOLD_LATE:
            due = order.promised_at or order.trigger_at + PROMISE
            if order.told_at is None:
                return True if due < until else None
            return order.told_at > due
        case Split.CONFIRMED_EARLY:
            return confirmed_early(order)
        case Split.HELD:
            return order.held
        case Split.ESCALATED:
            return order.escalated


def _counted(
    split: Split, orders: Sequence[WatchedOrder], asked: Collection[OrderRef], until: datetime
) -> SplitFigures:
    sides = [(side, order.ref in asked) for order in orders if (side := _side(split, order, until)) is not None]
    with_it, without_it = [hit for side, hit in sides if side], [hit for side, hit in sides if not side]
    a, n, c, m = sum(with_it), len(with_it), sum(without_it), len(without_it)
    why = _too_few(a, n, c, m)
    ratio = None if why else _ratio(a, n, c, m)
    return SplitFigures(
        split=split,
        effect=Effect.NO_VERDICT if why else Effect.NONE_FOUND,
        why=why,
        with_it=rate(a, n),
        without_it=rate(c, m),
        ratio=ratio[0] if ratio else None,
        ratio_low=ratio[1] if ratio else None,
        ratio_high=ratio[2] if ratio else None,
        p=None if why else _fisher(a, n, c, m),
        p_held=None,
    )


def _too_few(a: int, n: int, c: int, m: int) -> str:
    if min(n, m) < SIDE:
        side = "on this side" if n <= m else "on the other side"
        return f"{min(n, m)} orders {side}, {SIDE} are needed: {SIDE - min(n, m)} more"
    if a + c < ASKED:
        return f"{a + c} orders asked about, {ASKED} are needed: {ASKED - a - c} more"
    return ""


def _ratio(a: int, n: int, c: int, m: int) -> tuple[float, float, float]:
    """The risk ratio and Katz' interval (Katz 1978); with an empty cell, half an order is added to each."""
    add = 0.5 if 0 in (a, c, n - a, m - c) else 0.0
    one, two = (a + add) / (n + 2 * add), (c + add) / (m + 2 * add)
    spread = sqrt(max(0.0, 1 / (a + add) - 1 / (n + 2 * add) + 1 / (c + add) - 1 / (m + 2 * add)))
    middle = log(one / two)
    return exp(middle), exp(middle - Z * spread), exp(middle + Z * spread)


def _fisher(a: int, n: int, c: int, m: int) -> float:
    import numpy as np
    from scipy.stats import fisher_exact

    return min(1.0, float(fisher_exact(np.array([[a, n - a], [c, m - c]])).pvalue))


def _corrected(found: Sequence[SplitFigures]) -> Sequence[SplitFigures]:
    """Holm's step-down: the smallest p is held against all tests, the next against one fewer, and so on."""
    tested = sorted((one.p, place) for place, one in enumerate(found) if one.p is not None)
    made, least = list(found), 0.0
    for rank, (p, place) in enumerate(tested):
        least = max(least, min(1.0, p * (len(tested) - rank)))
        one = found[place]
        effect = one.effect
        if least < LEVEL and one.ratio is not None:
            effect = Effect.MORE if one.ratio > 1 else Effect.FEWER
        made[place] = one.model_copy(update={"p_held": least, "effect": effect})
    return made
