"""Marketplaces on the embedded run: they wait for an acknowledgement by their own call, before their own deadline, and
get it once, whatever goes wrong on the way.

One run for all of it: starting it is what costs. An hour of an order is passed by having been placed an hour ago.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import yaml
from pydantic import AwareDatetime, TypeAdapter

from activities.answer_source import ASK_AGAIN
from orderack.contracts.journal import ClockName, Event, Stage
from orderack.contracts.looks import LookRequest, SourceLook
from orderack.contracts.queries import OrderStatus
from orderack.contracts.updates import ReviewVerdict
from orderack.domain.assessment import FlagName
from orderack.domain.order import Order, Totals
from orderack.domain.value import Value
from orderack.embedded.demo.driver import Driver, NotAsTold
from orderack.embedded.demo.orders import an_order
from orderack.embedded.stack import Ports, running
from orderack.settings import Settings
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders
from orderack.temporal.schedules import id_of


class Shop(NamedTuple):
    store: str
    system: str
    margin: str


WALMART = Shop("cedar", "walmart", "30m")
AT_ONCE = Shop("hazel", "walmart", "3h59m55s")
"""A store that wants its acknowledgement out within seconds."""
VENDOR = Shop("alder", "amazon_vendor_df", "30m")
SHOPS = (WALMART, AT_ONCE, VENDOR)
SCARCE = "SCARCE"
OUT_OF_STOCK, ALL_OF_IT = "03", "00"
"""Amazon's codes of an acknowledgement."""
PATIENCE = 90
FOUR_HOURS = timedelta(hours=4)
GIVES_UP_AFTER = 60
"""Seconds in which the look-alike of Walmart, which knows nothing of the past, wants its acknowledgement."""


class _Acceptance(Value):
    at: AwareDatetime
    operation: str
    recipient: str = ""
    provider_id: str = ""
    key: str | None = None
    repeated: bool = False


class _Log(Value):
    accepted: tuple[_Acceptance, ...]


_LOG = TypeAdapter(_Log)


def own_policy(folder: Path) -> Path:
    """The policy as it stands, with a store for each marketplace."""
    shutil.copytree(Settings().policy_dir, folder)
    file = folder / "policy.yaml"
    policy = yaml.safe_load(file.read_text())
    policy["erps"] = {"sandbox": {"system": "sandbox", "ask_every": "2s"}}
    for shop in SHOPS:
        store = yaml.safe_load(yaml.safe_dump(policy["stores"]["demo"]))
        store["connections"] = {shop.system: {"source": "marketplace"}}
        store["service_levels"] = {"partner_margin": shop.margin}
        store["checks"] = ["payment_flagged", "totals_mismatch", "high_value", "stock_gone"]
        policy["stores"][shop.store] = store
    file.write_text(yaml.safe_dump(policy, sort_keys=False))
    return folder


def an_order_of(
    shop: Shop, place: int, *, ago: timedelta = timedelta(0), sku: str = "TENT", price: str = "89.00"
) -> Order:
    """An order that nobody has seen yet, placed so long ago."""
    place += 100 * (1 + SHOPS.index(shop))
    made = an_order(str(200_000 + place), place, source="marketplace", sku=sku, price=price)
    return made.model_copy(update={"store": shop.store, "trigger_at": made.trigger_at - ago})


def dear(order: Order) -> Order:
    """The same order at a price at which a person looks at it first."""
    line = order.lines[0].model_copy(update={"unit_price": Decimal(9_000)})
    lines = (line, *order.lines[1:])
    total = sum((each.amount for each in lines), Decimal(0))
    return order.model_copy(update={"lines": lines, "totals": Totals(total=total)})


class Markets(NamedTuple):
    driver: Driver
    whole: Order
    """A vendor's purchase order of which we have all."""
    short: Order
    """One of which we have a part, and so is the next."""
    unwanted: Order

    async def happens(self, shop: Shop, deed: str, order: Order) -> None:
        body = {"source": shop.system, "deed": deed, "order": order.model_dump(mode="json")}
        answer = await self.driver.http.post(f"{self.driver.stack.sandbox_url}/shops", json=body)
        assert answer.status_code == 202, answer.text

    async def until(self, order: Order, ready: Callable[[OrderStatus], bool], what: str) -> OrderStatus:
        try:
            return await self.driver.until(order.ref, ready, what, PATIENCE)
        except NotAsTold as error:
            status = await self.driver.status(order.ref)
            why = "; ".join(flag.why for flag in status.flags) if status else ""
            raise NotAsTold(f"{error} {why}") from None

    async def looked_at(self, shop: Shop) -> None:
        """The connection's schedule runs now, and not in its two minutes."""
        client = await connect(env=self.driver.stack.environment)
        look = LookRequest(source=SourceLook(store=shop.store, system=shop.system))
        await client.get_schedule_handle(id_of(look)).trigger()

    async def log_of(self, shop: Shop, order: Order, operation: str = "send") -> Sequence[_Acceptance]:
        answer = await self.driver.http.get(f"{self.driver.stack.sandbox_url}/log", params={"target": shop.system})
        found = _LOG.validate_python(answer.json()).accepted
        return [entry for entry in found if entry.operation == operation and order.number in (entry.key or "")]

    async def logged(self, shop: Shop, order: Order, operation: str = "send") -> _Acceptance:
        """The first such request of this order that the marketplace takes."""
        async with asyncio.timeout(PATIENCE):
            while True:
                if found := await self.log_of(shop, order, operation):
                    return found[0]
                await asyncio.sleep(0.2)

    async def fault(self, shop: Shop, action: str, match: str, **more: object) -> None:
        await self.driver.fault(shop.system, action, match, **more)

    async def all_fired(self) -> None:
        """A fault that never struck proves nothing."""
        faults = (await self.driver.http.get(f"{self.driver.stack.sandbox_url}/faults")).json()["faults"]
        assert faults
        assert all(standing["fired"] for standing in faults), faults
        await self.driver.http.delete(f"{self.driver.stack.sandbox_url}/faults")


@pytest.fixture(scope="module")
async def markets(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Markets]:
    """The vendor's orders are placed at once: Amazon takes a minute to judge what it is answered."""
    folder = tmp_path_factory.mktemp("marketplaces")
    extra = {"ORDERACK_POLICY_DIR": str(own_policy(folder / "policy"))}
    async with running(folder / "home", Ports(0, 0, 0, 0, 0), extra=extra) as stack:
        async with httpx.AsyncClient(timeout=30) as http:
            driver = Driver(stack, Orders(await connect(env=stack.environment)), http)
            await driver.stock(SCARCE, "unavailable", "2026-12-24")
            patch = {"acknowledged_within": GIVES_UP_AFTER}
            (await http.patch(f"{stack.sandbox_url}/behaviour", json=patch)).raise_for_status()
            placed = (an_order_of(VENDOR, 1), an_order_of(VENDOR, 2, sku=SCARCE), an_order_of(VENDOR, 3, sku=SCARCE))
            made = Markets(driver, *placed)
            for order in placed:
                await made.happens(VENDOR, "place", order)
            await made.looked_at(VENDOR)
            yield made


def under_review(status: OrderStatus) -> bool:
    return status.stage is Stage.REVIEW


def confirmed(status: OrderStatus) -> bool:
    return status.confirmed_revision == status.revision


def in_time(status: OrderStatus) -> bool:
    """Whether the partner's deadline is kept."""
    return any(c.name is ClockName.PARTNER and c.met_at is not None and c.breached_at is None for c in status.clocks)


@pytest.mark.parametrize(
    ("shop", "ago"),
    [
        pytest.param(
            *(WALMART, FOUR_HOURS - timedelta(minutes=30, seconds=8)), id="half an hour before", marks=pytest.mark.long
        ),
        pytest.param(AT_ONCE, timedelta(0), id="in the first minute"),
    ],
)
async def test_a_walmart_order_under_review_is_acknowledged_before_its_four_hours_and_cancelled_once_it_is_rejected(
    markets: Markets, shop: Shop, ago: timedelta
) -> None:
    order = dear(an_order_of(shop, 10, ago=ago))
    await markets.happens(shop, "place", order)
    status = await markets.until(order, under_review, "go to a person")
    assert {flag.name for flag in status.flags} == {FlagName.HIGH_VALUE}
    acknowledged = await markets.logged(shop, order)
    assert acknowledged.at < order.trigger_at + FOUR_HOURS - timedelta(minutes=29)
    assert acknowledged.at < order.trigger_at + ago + timedelta(minutes=1)
    status = await markets.until(order, in_time, "keep Walmart's deadline")
    assert under_review(status), "nobody has decided yet"

    await markets.driver.decide(order.ref, ReviewVerdict.REJECT, note="not at this price")
    cancelled = await markets.logged(shop, order, "cancel")
    assert cancelled.provider_id == acknowledged.provider_id
    assert len(await markets.log_of(shop, order)) == 1
    assert len(await markets.log_of(shop, order, "cancel")) == 1


@pytest.mark.long
async def test_an_acknowledgement_stands_while_walmart_limits_is_slow_and_cuts_off_and_says_all_that_it_wants(
    markets: Markets,
) -> None:
    order = dear(an_order_of(AT_ONCE, 11))
    await markets.fault(AT_ONCE, "slow", "", operation="lookup", seconds=1, times=3)
    await markets.fault(AT_ONCE, "throttle", "/acknowledge", retry_after=1, times=2)
    await markets.fault(AT_ONCE, "cut_off_after_accept", "/acknowledge")
    await markets.happens(AT_ONCE, "place", order)
    await markets.logged(AT_ONCE, order)
    await markets.until(order, in_time, "keep Walmart's deadline")
    await markets.all_fired()
    await markets.driver.decide(order.ref, ReviewVerdict.APPROVE)
    status = await markets.until(order, confirmed, "be confirmed")
    assert status.erp_document_id
    assert len([entry for entry in await markets.log_of(AT_ONCE, order) if not entry.repeated]) == 1
    assert not await markets.log_of(AT_ONCE, order, "cancel")


async def test_amazon_hears_no_yes_to_an_order_of_which_we_have_a_part_and_a_persons_no_of_all_of_it(
    markets: Markets,
) -> None:
    for order, verdict in ((markets.short, ReviewVerdict.APPROVE), (markets.unwanted, ReviewVerdict.REJECT)):
        status = await markets.until(order, under_review, "go to a person")
        assert FlagName.STOCK_GONE in {flag.name for flag in status.flags}
        await markets.driver.decide(order.ref, verdict)
    rejected = await markets.logged(VENDOR, markets.unwanted)
    assert (rejected.recipient, rejected.repeated) == (OUT_OF_STOCK, False)
    await markets.driver.seen(markets.short.ref, Event.SOURCE_REFUSED)
    assert not await markets.log_of(VENDOR, markets.short)
    status = await markets.until(markets.short, confirmed, "be confirmed as far as we have it")
    assert not in_time(status), "Amazon still waits, and a person is told"


@pytest.mark.long
async def test_a_vendors_order_is_acknowledged_once_as_the_erp_says_and_counts_once_amazon_has_judged(
    markets: Markets,
) -> None:
    order = markets.whole
    acknowledged = await markets.logged(VENDOR, order)
    assert (acknowledged.recipient, acknowledged.repeated) == (ALL_OF_IT, False)
    status = await markets.until(order, in_time, "keep Amazon's deadline once Amazon has judged")
    assert confirmed(status)
    assert {answer.line_id: answer.accepted for answer in status.answers} == {
        line.line_id: line.quantity for line in order.lines
    }
    met = next(clock.met_at for clock in status.clocks if clock.name is ClockName.PARTNER)
    assert met is not None
    assert met - acknowledged.at >= ASK_AGAIN - timedelta(seconds=5)
    timeline = await markets.driver.orders.timeline(order.ref)
    (told,) = [entry for entry in timeline.entries if entry.event is Event.SOURCE_ANSWERED]
    assert acknowledged.provider_id in told.note
    assert len(await markets.log_of(VENDOR, order)) == 1
