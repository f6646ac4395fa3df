"""The weekly report of orders that really were: a whole installation, its ledger, its mail server."""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx

from orderack.contracts.journal import Stage
from orderack.contracts.queries import OrderStatus
from orderack.contracts.updates import ChangeRequest, ReviewVerdict
from orderack.diagnostics.weekly.figures import StoreReport
from orderack.diagnostics.weekly.report import Asked, weekly
from orderack.diagnostics.weekly.weeks import Week, last_whole
from orderack.domain.acknowledgement import Kind
from orderack.embedded.demo.driver import Driver, told
from orderack.embedded.demo.orders import an_order, with_quantity
from orderack.embedded.stack import Ports, running
from orderack.ledger.repository import open_ledger
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders
from tests.e2e.shadow_run import COMMAND
from tests.ended import Ended

BERLIN = ZoneInfo("Europe/Berlin")
"""The demo store's."""
STRAIGHT = 4


async def lived(driver: Driver) -> datetime:
    """Four straight orders, one changed, one cancelled, one reviewed, and one of last week; when they were."""
    orders = [an_order(f"W-{place}", 40 + place) for place in range(STRAIGHT)]
    changed, cancelled = an_order("W-CHANGED", 50), an_order("W-CANCELLED", 51)
    flagged = with_quantity(an_order("W-FLAGGED", 52), 900)
    last_week = an_order("W-OLD", 53).model_copy(update={"trigger_at": datetime.now(UTC) - timedelta(days=7)})
    for order in (*orders, changed, cancelled, flagged, last_week):
        await driver.hand_in(order)
    for order in (*orders, changed):
        await driver.erp_books(order)
    for order in (*orders, changed):
        await driver.until(order.ref, _handed_off, "be handed off")
    request = ChangeRequest(id="c1", by="web", order=with_quantity(changed, 3))
    assert (await driver.orders.change(changed.ref, request)).accepted
    await driver.cancel(cancelled.ref, "changed my mind")
    await driver.until(flagged.ref, lambda s: s.stage is Stage.REVIEW, "be held")
    await driver.decide(flagged.ref, ReviewVerdict.REJECT, note="as in life")
    await driver.until(flagged.ref, _out(Kind.REJECTION), "be rejected")
    await driver.until(cancelled.ref, _out(Kind.CANCELLATION), "be cancelled")
    await driver.until(changed.ref, lambda s: s.confirmed_revision == 2, "be confirmed anew")
    await driver.until(changed.ref, _handed_off, "be handed off again")
    await driver.until(last_week.ref, lambda s: bool(told(s)), "be told")
    return datetime.now(UTC)


def _handed_off(status: OrderStatus) -> bool:
    return status.stage is Stage.HANDED_OFF


def _out(kind: Kind) -> Callable[[OrderStatus], bool]:
    return lambda status: kind in [message.kind for message in told(status)]


async def command(driver: Driver, *arguments: str) -> Ended:
    process = await asyncio.create_subprocess_exec(
        str(COMMAND),
        *("report", "weekly", *arguments),
        env=driver.stack.environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return Ended(process.returncode or 0, out.decode(), err.decode())


async def this_weeks(driver: Driver, at: datetime) -> StoreReport:
    """The report of the week that is not over, as it will be read two days after it."""
    ledger = await open_ledger(f"sqlite+aiosqlite:///{driver.stack.home.folder}/ledger.db")
    this = Week(last_whole(at, BERLIN).monday + timedelta(weeks=1))
    asked = Asked(this, 2, this.ends(BERLIN) + timedelta(days=2), {"demo": BERLIN})
    found = await weekly(ledger, asked)
    await ledger.aclose()
    return found.stores[0]


async def test_real_orders_are_reported_as_they_went_and_the_mail_is_in_the_mailbox_once(tmp_path: Path) -> None:
    async with (
        running(tmp_path / "home", Ports(0, 0, 0, 0, 0)) as stack,
        httpx.AsyncClient(timeout=30) as http,
    ):
        driver = Driver(stack, Orders(await connect(env=stack.environment)), http)
        store = await this_weeks(driver, await lived(driver))
        as_they_went(store)
        await the_mail(driver)


def as_they_went(store: StoreReport) -> None:
    week = store.week
    assert (week.orders, week.shadow) == (STRAIGHT + 3, 0)
    assert week.confirmed.before_receipt == ()
    assert week.confirmed.orders.hits >= STRAIGHT + 1
    assert (week.told.in_time.hits, week.told.untold) == (week.told.in_time.of, 0)
    assert week.told.in_time.of >= STRAIGHT + 2
    assert week.receipts.after.values >= STRAIGHT + 1
    assert (week.changes.proposed, week.changes.acknowledged.hits, week.changes.confirmed.hits) == (1, 1, 1)
    assert (week.ends.cancelled, week.ends.rejected) == (1, 1)
    assert (week.reviews.opened, week.reviews.decided) == (1, 1)
    assert week.handoffs.offered >= STRAIGHT + 2
    assert (week.sends.in_doubt, week.sends.undeliverable) == (0, 0)
    assert week.evidence.confirmations >= STRAIGHT + 2
    assert week.evidence.reached[0].share.hits >= 1
    assert sum(channel.messages for channel in store.reach.channels) >= STRAIGHT
    assert store.weeks[-2].orders == 1
    assert store.weeks[-2].told.in_time.hits == 0, "a week late is not within the minute"


async def the_mail(driver: Driver) -> None:
    to = ("--email", "owner@shop.example")
    first = await command(driver, *to)
    assert (first.code, first.err) == (0, "mailed to owner@shop.example\n")
    assert "demo: " in first.out
    assert "demo/W-OLD" not in first.out, "a late order is no order that must not be"
    again = await command(driver, *to)
    assert (again.code, "has it already" in again.err) == (0, True)
    found = (await driver.http.get(f"{driver.stack.sandbox_url}/mailbox", params={"format": "json"})).json()
    mails = [one for one in found["messages"] if one["recipient"] == "owner@shop.example"]
    assert len(mails) == 1
    assert mails[0]["subject"].startswith("Record of reliability, ")
    assert "of 1 buyer was told within the promised minute" in mails[0]["text"].replace("\r\n", " ")
    customer = await command(driver, "--customer", "C-W-OLD", "--json")
    assert customer.code == 0
    (one,) = [week for week in customer.json["stores"][0]["customer"] if week["figures"]["orders"]]
    assert "told late" in [wrong["what"] for wrong in one["figures"]["wrong"]]
