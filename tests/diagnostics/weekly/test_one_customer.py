"""One customer's record: the same numbers as the weekly report's, and they add up."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from orderack.contracts.journal import ClockName
from orderack.diagnostics.weekly.one_customer import AskedOf, record_of
from orderack.diagnostics.weekly.report import Asked, weekly
from orderack.diagnostics.weekly.statistics import Share
from orderack.diagnostics.weekly.weeks import parse_week, settled
from orderack.domain.order import OrderRef
from orderack.ledger.repository import SqlLedger
from tests.diagnostics.weekly.brute import COHORT, SPOKEN, Brute
from tests.diagnostics.weekly.past import HOUR, Life, keep, past

BERLIN = ZoneInfo("Europe/Berlin")
WEEK, WEEKS = parse_week("2025-W10"), 4
NOW = datetime(2025, 3, 11, 15, 30, tzinfo=UTC)
"""A Tuesday: the last whole week is known for a day and a half."""
COUNTED = ("told", "held", "confirmed", "quietly", "promises", "with_wrong")


async def test_the_record_is_the_weekly_reports_own_week_by_week(ledger: SqlLedger) -> None:
    since, until = WEEK.before(WEEKS - 1).begins(BERLIN), NOW
    lives = past(11, "demo", 600, since, until, ill=0.25)
    await keep(ledger, [*lives, *past(12, "north", 50, since, until)])
    ranks = sorted({life.customer or "" for life in lives} - {""})
    someone = 0
    for customer in [*ranks[:4], "nobody"]:
        report = await weekly(ledger, Asked(WEEK, WEEKS, NOW, {"demo": BERLIN}, customer))
        record = await record_of(ledger, AskedOf("demo", customer, BERLIN, WEEKS, NOW))
        assert record.weeks == report.stores[0].customer
        someone += record.total.orders
        for name in COUNTED:
            shares = [getattr(one.figures, name) for one in record.weeks]
            total = getattr(record.total, name)
            assert (total.hits, total.of) == (sum(s.hits for s in shares), sum(s.of for s in shares)), name
        assert record.total.orders == sum(one.figures.orders for one in record.weeks)
        mine = [life for life in lives if life.customer == customer and not life.shadow]
        assert record.orders == len(mine), "those of this week are there too"
    assert someone > 20


async def test_the_customers_counts_are_those_of_the_raw_tables(ledger: SqlLedger) -> None:
    since, until = WEEK.begins(BERLIN), WEEK.ends(BERLIN)
    await keep(ledger, past(15, "demo", 400, since, until, ill=0.3))
    brute = Brute(ledger, "demo", since, until, until + settled(WEEK, BERLIN, NOW), BERLIN)
    customers = [row[0] for row in await brute.rows(f"SELECT DISTINCT o.customer_id FROM orders o WHERE {COHORT}")]
    held = confirmed = quietly = 0
    for customer in filter(None, customers[:6]):
        found = (await record_of(ledger, AskedOf("demo", customer, BERLIN, 1, NOW))).total
        his = "o.customer_id = '" + customer.replace("'", "''") + "'"
        holding = brute.having("acknowledgements", f"{SPOKEN} AND x.kind = 'holding'")
        told = brute.having("acknowledgements", f"{SPOKEN} AND x.kind = 'confirmation'")
        escalated = brute.having("timeline", "x.event = 'escalated' AND x.at < :by")
        assert found.orders == await brute.orders(his)
        assert found.held.hits == await brute.orders(f"{his} AND {holding}")
        assert found.confirmed.hits == await brute.orders(f"{his} AND {told}")
        assert found.quietly.hits == await brute.orders(f"{his} AND {told} AND NOT {escalated}")
        held, confirmed, quietly = (
            held + found.held.hits,
            confirmed + found.confirmed.hits,
            quietly + found.quietly.hits,
        )
    assert 0 < held < confirmed
    assert 0 < quietly < confirmed


async def test_the_worst_of_the_report_have_the_figures_of_their_record(ledger: SqlLedger) -> None:
    await keep(ledger, past(13, "demo", 300, WEEK.begins(BERLIN), WEEK.ends(BERLIN), ill=0.3))
    (store,) = (await weekly(ledger, Asked(WEEK, 2, NOW, {"demo": BERLIN}))).stores
    assert store.worst
    by_id = [one for one in store.worst if not one.customer.startswith("address #")]
    assert by_id
    for one in by_id:
        record = await record_of(ledger, AskedOf("demo", one.customer, BERLIN, 1, NOW))
        assert record.total == one == record.weeks[0].figures


async def test_what_is_still_due_is_neither_kept_nor_broken(ledger: SqlLedger) -> None:
    life = Life(OrderRef(store="demo", number="N-1"), NOW - timedelta(minutes=10), customer="C-1")
    life.clock(ClockName.HOLD, 0, 15 * 60)
    await keep(ledger, [life])
    young, old = [await record_of(ledger, AskedOf("demo", "C-1", BERLIN, 1, NOW + wait)) for wait in (0 * HOUR, HOUR)]
    assert (young.total.orders, young.this_week.orders) == (0, 1)
    assert (young.this_week.promises, young.this_week.with_wrong.hits) == (Share(hits=0, of=0), 0)
    assert (old.this_week.promises, old.this_week.with_wrong.hits) == (Share(hits=0, of=1), 1)
