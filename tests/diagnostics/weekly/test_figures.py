"""Every figure of the week against a count of the raw tables that is written differently, on both databases."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
import pytest_asyncio

from orderack.diagnostics.weekly.counting import GRADES, count, look
from orderack.diagnostics.weekly.figures import WeekFigures
from orderack.diagnostics.weekly.promises import PROMISES
from orderack.diagnostics.weekly.weeks import Week, parse_week
from orderack.ledger.reliability import Cohort
from orderack.ledger.repository import SqlLedger
from tests.diagnostics.weekly.brute import Brute, quantile
from tests.diagnostics.weekly.past import keep, past

BERLIN = ZoneInfo("Europe/Berlin")
WEEK = parse_week("2026-W43")
"""Its Sunday is the day of 25 hours."""
SETTLED = timedelta(hours=7)
STORE = "north"


async def counted(ledger: SqlLedger, week: Week = WEEK, settled: timedelta = SETTLED) -> WeekFigures:
    lives = await ledger.lives(Cohort(STORE, week.begins(BERLIN), week.ends(BERLIN)))
    return count(look(week, BERLIN, settled, lives))


@pytest_asyncio.fixture
async def kept(ledger: SqlLedger) -> SqlLedger:
    """Six hundred orders of three weeks, most things going wrong often, and another store's."""
    begin, end = WEEK.before().begins(BERLIN), WEEK.before(-1).ends(BERLIN)
    await keep(ledger, past(11, STORE, 600, begin, end, ill=0.35))
    await keep(ledger, past(12, "south", 60, begin, end, ill=0.35))
    return ledger


@pytest.fixture(params=[timedelta(0), SETTLED, timedelta(days=2)], ids=["at once", "7 h", "2 d"])
def settled(request: pytest.FixtureRequest) -> timedelta:
    found: timedelta = request.param
    return found


async def test_every_figure_is_what_a_count_over_the_raw_tables_finds(kept: SqlLedger, settled: timedelta) -> None:
    found = await counted(kept, settled=settled)
    brute = Brute(kept, STORE, found.since, found.until, found.until + settled, BERLIN)
    orders = await brute.orders()
    assert found.orders == orders
    assert orders > 150
    assert found.shadow == await brute.number(
        "SELECT count(*) FROM orders WHERE store = :store AND side = 'shadow' "
        "AND trigger_at >= :since AND trigger_at < :until"
    )
    await same_words(found, brute)
    await same_clocks(found, brute)
    await same_work(found, brute)
    await same_ends(found, brute)


async def same_words(found: WeekFigures, brute: Brute) -> None:
    told = found.told
    assert (told.in_time.hits, told.in_time.of, told.untold) == await brute.told()
    assert told.untold
    for spread, seconds in (
        (told.after, await brute.told_after()),
        (found.receipts.after, await brute.receipt_after()),
    ):
        assert spread.values == len(seconds)
        assert spread.p50
        assert spread.p95
        assert spread.p50.seconds == pytest.approx(quantile(seconds, 0.5), abs=1e-6)
        assert spread.p95.seconds == pytest.approx(quantile(seconds, 0.95), abs=1e-6)
    held = await brute.orders(brute.having("acknowledgements", "x.kind = 'holding' AND x.out_at < :by"))
    assert (found.held.hits, found.held.of) == (held, found.orders)
    assert held
    assert found.receipts.missing == await brute.without_receipt()
    confirmed = await brute.orders(brute.having("acknowledgements", "x.kind = 'confirmation' AND x.out_at < :by"))
    assert (found.confirmed.orders.hits, found.confirmed.orders.of) == (confirmed, found.orders)
    early = await brute.early()
    assert set(found.confirmed.before_receipt) == early
    assert len(found.confirmed.before_receipt) == len(early) > 0


async def same_clocks(found: WeekFigures, brute: Brute) -> None:
    by_name = {promise.clock: promise for promise in found.promises}
    assert set(by_name) == set(PROMISES)
    for clock, promise in by_name.items():
        assert (promise.kept, promise.broken) == await brute.clock(clock), clock
    escalated = await brute.with_event("escalated")
    assert (found.escalations.orders.hits, found.escalations.begun) == (escalated, await brute.events("escalated"))
    same_day, left = await brute.same_day()
    assert (found.escalations.same_day.hits, found.escalations.left) == (same_day, left)
    assert same_day
    assert left


async def same_work(found: WeekFigures, brute: Brute) -> None:
    reviews = await brute.reviews()
    took = [one.total_seconds() for one in reviews if one is not None]
    assert (found.reviews.opened, found.reviews.decided) == (len(reviews), len(took))
    assert found.reviews.took.p50
    assert found.reviews.took.p50.seconds == pytest.approx(quantile(took, 0.5), abs=1e-6)
    assert sum(one.reviews for one in found.reviews.verdicts) == len(took)
    proposed, acknowledged, confirmed = await brute.changes()
    assert found.changes.proposed == proposed > acknowledged > 0
    assert found.changes.acknowledged.hits == acknowledged
    assert found.changes.confirmed.hits == confirmed
    offered, accepted = await brute.handoffs()
    assert (found.handoffs.offered, found.handoffs.accepted.hits) == (offered, len(accepted))
    assert found.handoffs.took.p95
    assert found.handoffs.took.p95.seconds == pytest.approx(quantile(accepted, 0.95), abs=1e-6)
    assert found.handoffs.reassigned == await brute.reassigned()
    assert found.handoffs.reassigned


async def same_ends(found: WeekFigures, brute: Brute) -> None:
    sends, ends = found.sends, found.ends
    assert sends.undeliverable == await brute.with_event("undeliverable")
    assert sends.in_doubt == await brute.events("send_unknown")
    assert sends.doubts_left == await brute.open_pairs("send_unknown", "send_settled")
    assert 0 < sends.doubts_left < sends.in_doubt
    grades = ["'E2'", "'E3p'", "'E3'", "'E4'", "'E5', 'E6'"]
    for place, one in enumerate(found.evidence.reached):
        assert one.grade is GRADES[place]
        assert one.share.hits == await brute.reached(", ".join(grades[place:])), one.grade
        assert 0 < one.share.hits < one.share.of == found.evidence.confirmations
    assert ends.cancelled == await brute.with_event("cancelled")
    assert ends.rejected == await brute.with_event("rejected")
    assert ends.declined == await brute.with_event("declined")
    assert ends.disputed == await brute.disputed()
    assert ends.questions == await brute.events("question_asked")
    assert ends.unanswered == await brute.open_pairs("question_asked", "question_answered")
    assert min(ends.cancelled, ends.rejected, ends.declined, ends.disputed, ends.unanswered) > 0


async def test_a_week_looked_at_later_knows_more_and_never_less(kept: SqlLedger) -> None:
    """What was broken stays broken, and what was proved stays proved."""
    early, late = await counted(kept, settled=timedelta(0)), await counted(kept, settled=timedelta(days=2))
    assert early.orders == late.orders
    assert early.evidence.reached[-1].share.hits < late.evidence.reached[-1].share.hits
    broken = [{one.clock: one.broken for one in figures.promises} for figures in (early, late)]
    assert all(broken[1][clock] >= many for clock, many in broken[0].items())
    assert sum(broken[1].values()) > sum(broken[0].values())


async def test_a_ledger_without_orders_has_no_figures_and_no_failure(ledger: SqlLedger) -> None:
    found = await counted(ledger)
    assert (found.orders, found.told.in_time.value, found.told.after.p50, found.promises) == (0, None, None, ())


async def test_stores_are_those_with_an_order_in_the_span(kept: SqlLedger) -> None:
    begin, end = WEEK.begins(BERLIN), WEEK.ends(BERLIN)
    assert list(await kept.stores_with_orders(begin, end)) == [STORE, "south"]
    assert list(await kept.stores_with_orders(end + timedelta(days=30), end + timedelta(days=31))) == []
    assert list(await kept.stores_with_orders(datetime(2020, 1, 1, tzinfo=UTC), begin - timedelta(days=8))) == []
