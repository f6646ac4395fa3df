"""The arithmetic against scipy and numpy, which do it otherwise; and the test of days on made-up days."""

import random
from collections import Counter
from collections.abc import Sequence
from datetime import date, datetime, timedelta

import numpy as np
import pytest
from scipy.stats import binomtest, fisher_exact
from scipy.stats.contingency import relative_risk

from orderack.diagnostics.wismo.figures import DayFigures, Effect, GapFigures, LeadFigures, Leading, Split
from orderack.diagnostics.wismo.lead import lead
from orderack.diagnostics.wismo.rates import quantile, rate
from orderack.diagnostics.wismo.splits import split_orders
from orderack.domain.order import OrderRef
from orderack.ports.wismo import WatchedOrder
from tests.diagnostics.wismo.world import SINCE

MONDAY = date(2026, 1, 5)


@pytest.mark.parametrize(("asked", "orders"), [(0, 1), (1, 1), (0, 40), (3, 40), (40, 40), (120, 2_400)])
def test_a_rates_interval_is_wilsons(asked: int, orders: int) -> None:
    found, truth = rate(asked, orders), binomtest(asked, orders).proportion_ci(method="wilson")
    assert found is not None
    assert (found.per_100, found.low, found.high) == pytest.approx(
        (100 * asked / orders, 100 * truth.low, 100 * truth.high), abs=1e-9
    )


def test_what_is_no_share_has_no_rate() -> None:
    assert rate(0, 0) is None
    assert rate(3, 2) is None


def test_quantiles_are_those_of_numpy() -> None:
    values = [random.Random(4).uniform(0, 1_000) for _ in range(77)]
    for share in (0, 0.05, 0.5, 0.95, 1):
        assert quantile(values, share) == pytest.approx(float(np.quantile(values, share)))
    assert quantile([], 0.5) is None


def orders(held: int, held_asked: int, others: int, others_asked: int) -> tuple[list[WatchedOrder], set[OrderRef]]:
    found, asked = [], set()
    for place in range(held + others):
        ref = OrderRef(store="s", number=str(place))
        is_held = place < held
        told = SINCE + timedelta(seconds=30)
        found.append(WatchedOrder(ref, "web", SINCE, told, None, None, None, held=is_held, escalated=False))
        if (place < held_asked) if is_held else (place - held < others_asked):
            asked.add(ref)
    return found, asked


@pytest.mark.parametrize("cells", [(100, 14, 900, 40), (60, 1, 400, 30), (200, 30, 200, 12)])
def test_a_splits_ratio_interval_and_p_are_those_of_scipy(cells: tuple[int, int, int, int]) -> None:
    held, held_asked, others, others_asked = cells
    made, asked = orders(*cells)
    found = next(each for each in split_orders(made, asked, SINCE) if each.split is Split.HELD)
    truth = relative_risk(held_asked, held, others_asked, others)
    interval = truth.confidence_interval()
    table = np.array([[held_asked, held - held_asked], [others_asked, others - others_asked]])
    assert (found.ratio, found.ratio_low, found.ratio_high) == pytest.approx(
        (truth.relative_risk, interval.low, interval.high)
    )
    assert found.p == pytest.approx(float(fisher_exact(table).pvalue))


def test_a_side_that_nobody_asked_about_has_a_ratio_all_the_same() -> None:
    found = next(each for each in split_orders(*orders(400, 0, 400, 30), SINCE) if each.split is Split.HELD)
    assert (found.effect, found.ratio_low is not None) == (Effect.FEWER, True)
    assert 0 < (found.ratio_low or 0) < (found.ratio or 0) < (found.ratio_high or 0)


def test_ps_are_held_against_how_many_were_tested() -> None:
    made, asked = orders(300, 24, 900, 40)
    late = [
        WatchedOrder(
            one.ref,
            one.source,
            one.trigger_at,
            one.trigger_at + timedelta(seconds=90 if place % 3 == 0 else 30),
            None,
            None,
            None,
            one.held,
            escalated=place % 2 == 0,
        )
        for place, one in enumerate(made)
    ]
    found = [each for each in split_orders(late, asked, SINCE) if each.p is not None and each.p_held is not None]
    assert len(found) == 3
    by_p = sorted(found, key=lambda each: each.p or 0)
    assert by_p[0].p_held == pytest.approx(min(1.0, 3 * (by_p[0].p or 0)))
    held = [each.p_held or 0 for each in by_p]
    assert held == sorted(held)
    assert all((each.p_held or 0) >= (each.p or 0) for each in found)


def an_order(number: str, at: datetime, told_at: datetime | None) -> WatchedOrder:
    ref = OrderRef(store="s", number=number)
    return WatchedOrder(ref, "web", at, told_at, None, None, None, held=False, escalated=False)


def test_an_order_that_was_never_told_is_late_once_its_minute_is_over() -> None:
    until = SINCE + timedelta(minutes=10)
    untold = [an_order(f"{place}", until - timedelta(seconds=30 if place < 5 else 90), None) for place in range(60)]
    told = [an_order(f"t{place}", SINCE, SINCE) for place in range(40)]
    splits = split_orders([*untold, *told], {one.ref for one in untold}, until)
    found = next(each for each in splits if each.split is Split.TOLD_LATE)
    assert found.with_it is not None
    assert found.without_it is not None
    assert (found.with_it.orders, found.without_it.orders) == (55, 40)


def days(tickets: Sequence[int], gaps: Sequence[float], placed: int = 80) -> list[DayFigures]:
    return [
        DayFigures(
            day=MONDAY + timedelta(days=place),
            tickets=count,
            rate=None,
            gap=GapFigures(
                orders=placed,
                received_p50=None,
                received_p95=None,
                receipt_p50=gap,
                receipt_p95=gap,
                without_receipt=0,
                confirmed=0,
                confirmed_early=0,
            ),
        )
        for place, (count, gap) in enumerate(zip(tickets, gaps, strict=True))
    ]


def judged(made: Sequence[DayFigures]) -> LeadFigures:
    return lead(made, MONDAY, MONDAY + timedelta(days=len(made)))


def drifting(chance: np.random.Generator, length: int, keeps: float = 0.6) -> np.ndarray:
    """A series of which each day takes over much of the day before."""
    values = np.zeros(length + 30)
    for place in range(1, len(values)):
        values[place] = keeps * values[place - 1] + chance.normal()
    return values[30:]


@pytest.mark.parametrize(("apart", "says"), [(1, Leading.LEADS), (0, Leading.SAME_DAY), (-1, Leading.FOLLOWS)])
def test_a_lead_of_so_many_days_is_found(apart: int, says: Leading) -> None:
    found = Counter[tuple[Leading, int]]()
    for seed in range(20):
        chance = np.random.default_rng(seed)
        gap = drifting(chance, 70)
        # a day's tickets go by the gap so many days later
        tickets = chance.poisson(np.clip(6 + 2.5 * np.roll(gap, -apart), 0.2, None))
        one = judged(days([int(each) for each in tickets[4:-4]], [float(each) for each in np.exp(4 + gap)[4:-4]]))
        found[one.leading, one.best.days if one.best else 99] += 1
    assert found[says, apart] >= 16


def test_days_that_drift_by_themselves_have_no_link_but_by_chance() -> None:
    claimed = 0
    for seed in range(100):
        chance = np.random.default_rng(1_000 + seed)
        week = np.tile([0.0, 0, 0, 0, 0, 1.5, 1.5], 9)[:60]
        gap, rate_ = np.exp(4 + drifting(chance, 60, 0.85) + week), 8 + 1.5 * drifting(chance, 60, 0.85) + week
        tickets = [int(each) for each in chance.poisson(np.clip(rate_, 0.2, None))]
        claimed += judged(days(tickets, [float(each) for each in gap])).leading is not Leading.NONE_FOUND
    assert claimed <= 6, "without what a day takes over from the one before there are 14"


def test_days_without_enough_orders_or_without_any_difference_give_no_lead() -> None:
    few = days([1] * 30, [60.0 + each for each in range(30)], placed=9)
    assert "0 whole days with 10 orders or more, 21 are needed: 21 more" in judged(few).why
    same = days([1] * 30, [60.0 + each for each in range(30)])
    assert judged(same).leading is Leading.REFUSED
    assert "the same every day" in judged(same).why


def test_a_day_with_more_tickets_than_orders_counts() -> None:
    chance = np.random.default_rng(5)
    gap = drifting(chance, 30)
    tickets = [200 if place == 11 else int(each) for place, each in enumerate(chance.poisson(6, 30))]
    assert judged(days(tickets, [float(each) for each in np.exp(4 + gap)])).days == 30
