"""The four pairings of shop and ERP on the embedded run: the shop's webhook in, booked in the ERP, confirmed to the
buyer once its receipt is there, and written back beside the order in the shop; whatever goes wrong on the way.

One run for all of it: starting it is what costs. Each store has its own shop and its own ERP. The short form lets every
pairing book, and every mishap befall one of them.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
import yaml
from pydantic import TypeAdapter

from orderack.contracts.journal import Event, Stage
from orderack.contracts.queries import OrderStatus
from orderack.contracts.updates import ReviewVerdict
from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import FlagName
from orderack.domain.order import Order
from orderack.domain.response import Outcome
from orderack.domain.value import Value
from orderack.embedded.demo.driver import Driver, NotAsTold
from orderack.embedded.demo.orders import an_order, with_quantity
from orderack.embedded.stack import Ports, running
from orderack.settings import Settings
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders


class Pair(NamedTuple):
    store: str
    shop: str
    erp: str


PAIRS = (
    Pair("spruce", "shopify", "netsuite"),
    Pair("willow", "woocommerce", "cin7_core"),
    Pair("birch", "bigcommerce", "fishbowl"),
    Pair("maple", "magento", "sap_b1"),
)
SCARCE = "SCARCE"
PATIENCE = 60


class _Acceptance(Value):
    target: str
    operation: str
    provider_id: str = ""
    recipient: str = ""
    repeated: bool = False


class _Log(Value):
    accepted: tuple[_Acceptance, ...]


_LOG = TypeAdapter(_Log)


def own_policy(folder: Path) -> Path:
    """The policy as it stands, with a store for each pairing. ERPs are asked more often than in life."""
    shutil.copytree(Settings().policy_dir, folder)
    file = folder / "policy.yaml"
    policy = yaml.safe_load(file.read_text())
    policy["erps"] = {pair.erp: {"system": pair.erp, "ask_every": "2s"} for pair in PAIRS}
    for rule in policy["rules"]:
        if rule["name"] == "new_client":  # whoever buys in an open shop for the first time is no client to be vetted
            rule["when"] += ' && order.source != "shop"'
    for pair in PAIRS:
        store = yaml.safe_load(yaml.safe_dump(policy["stores"]["demo"]))
        store["erp"] = {"name": pair.erp, "mode": "push"}
        store["checks"].remove("new_client")
        store["connections"] = {pair.shop: {"source": "shop"}}
        policy["stores"][pair.store] = store
    file.write_text(yaml.safe_dump(policy, sort_keys=False))
    return folder


@pytest.fixture(scope="module")
async def driver(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Driver]:
    folder = tmp_path_factory.mktemp("pairings")
    extra = {"ORDERACK_POLICY_DIR": str(own_policy(folder / "policy"))}
    async with running(folder / "home", Ports(0, 0, 0, 0, 0), extra=extra) as stack:
        async with httpx.AsyncClient(timeout=30) as http:
            made = Driver(stack, Orders(await connect(env=stack.environment)), http)
            await made.stock(SCARCE, "unavailable", "2026-12-24")
            yield made


def in_short(*shops: str) -> pytest.MarkDecorator:
    """With every pairing; those of other shops in the long form only."""
    return pytest.mark.parametrize(
        "pair",
        [
            pytest.param(pair, id=f"{pair.shop}+{pair.erp}", marks=[] if pair.shop in shops else [pytest.mark.long])
            for pair in PAIRS
        ],
    )


def order_of(driver: Driver, pair: Pair, place: int, **more: str) -> Order:
    """An order that nobody has seen yet, of this store; ids differ between the stores as they do in life."""
    place = 100 * (PAIRS.index(pair) + 1) + place
    return an_order(str(100_000 + place), place, source="shop", **more).model_copy(update={"store": pair.store})


async def happens(driver: Driver, pair: Pair, deed: str, order: Order) -> None:
    body = {"source": pair.shop, "deed": deed, "order": order.model_dump(mode="json")}
    answer = await driver.http.post(f"{driver.stack.sandbox_url}/shops", json=body)
    assert answer.status_code == 202, answer.text


async def until(driver: Driver, order: Order, ready: Callable[[OrderStatus], bool], what: str) -> OrderStatus:
    try:
        return await driver.until(order.ref, ready, what, PATIENCE)
    except NotAsTold as error:
        status = await driver.status(order.ref)
        why = "; ".join(flag.why for flag in status.flags) if status else ""
        raise NotAsTold(f"{error} {why}") from None


async def accepted(driver: Driver, target: str) -> Sequence[_Acceptance]:
    answer = await driver.http.get(f"{driver.stack.sandbox_url}/log")
    return [entry for entry in _LOG.validate_python(answer.json()).accepted if entry.target == target]


def confirmed(status: OrderStatus) -> bool:
    sent = [ack for ack in status.acknowledgements if ack.kind is Kind.CONFIRMATION and ack.revision == status.revision]
    return status.confirmed_revision == status.revision and bool(sent) and sent[0].out_at is not None


async def written_back(driver: Driver, order: Order, revision: int = 1) -> None:
    """The shop has the note, and the timeline says so."""
    async with asyncio.timeout(PATIENCE):
        while True:
            timeline = await driver.orders.timeline(order.ref)
            if any(entry.event is Event.SOURCE_ANSWERED and entry.revision == revision for entry in timeline.entries):
                return
            await asyncio.sleep(0.3)


async def fired(driver: Driver, target: str) -> None:
    """A fault that never struck proves nothing."""
    faults = (await driver.http.get(f"{driver.stack.sandbox_url}/faults")).json()["faults"]
    mine = [standing for standing in faults if standing["fault"]["target"] == target]
    assert mine
    assert all(standing["fired"] for standing in mine), mine


@in_short("shopify", "woocommerce", "bigcommerce", "magento")
async def test_an_order_of_the_shop_is_booked_once_confirmed_and_written_back(driver: Driver, pair: Pair) -> None:
    order = order_of(driver, pair, 1)
    await happens(driver, pair, "place", order)
    status = await until(driver, order, confirmed, "be confirmed")
    assert status.erp_document_id
    assert {answer.outcome for answer in status.answers} == {Outcome.ACCEPT}
    assert len(status.answers) == len(order.lines)
    await written_back(driver, order)
    booked = {entry.provider_id for entry in await accepted(driver, pair.erp) if entry.operation == "send"}
    notes = [entry for entry in await accepted(driver, pair.shop) if entry.operation == "send"]
    assert booked
    assert notes
    kinds = [ack.kind for ack in status.acknowledgements if ack.kind is not Kind.RECEIVED]
    assert kinds == [Kind.CONFIRMATION]


@in_short("shopify")
async def test_a_change_in_the_shop_is_a_confirmation_of_its_own_in_the_same_document(
    driver: Driver, pair: Pair
) -> None:
    order = order_of(driver, pair, 2)
    await happens(driver, pair, "place", order)
    first = await until(driver, order, confirmed, "be confirmed")
    await happens(driver, pair, "change", with_quantity(order, 5))
    status = await until(driver, order, lambda s: s.revision == 2 and confirmed(s), "be confirmed anew")
    assert status.erp_document_id == first.erp_document_id
    await written_back(driver, order, 2)


@in_short("woocommerce")
async def test_a_cancellation_in_the_shop_reaches_the_buyer_and_the_erp(driver: Driver, pair: Pair) -> None:
    order = order_of(driver, pair, 3)
    await happens(driver, pair, "place", order)
    await until(driver, order, confirmed, "be confirmed")
    await happens(driver, pair, "cancel", order)

    def told(status: OrderStatus) -> bool:
        sent = [ack for ack in status.acknowledgements if ack.kind is Kind.CANCELLATION]
        return status.stage is Stage.CANCELLED and bool(sent) and sent[0].out_at is not None

    await until(driver, order, told, "be cancelled")


@in_short("bigcommerce")
async def test_an_erp_that_was_cut_off_after_it_had_booked_has_the_order_once(driver: Driver, pair: Pair) -> None:
    order = order_of(driver, pair, 4)
    before = {entry.provider_id for entry in await accepted(driver, pair.erp)}
    await driver.fault(pair.erp, "cut_off_after_accept", "")
    await happens(driver, pair, "place", order)
    await until(driver, order, confirmed, "be confirmed although the ERP was cut off")
    await fired(driver, pair.erp)
    after = {
        entry.provider_id
        for entry in await accepted(driver, pair.erp)
        if entry.operation == "send" and not entry.repeated and entry.provider_id not in before
    }
    assert len(after) <= 2, after  # a document, and for some its second half


@in_short("magento")
async def test_an_erp_that_is_down_for_a_while_books_once_it_is_back(driver: Driver, pair: Pair) -> None:
    order = order_of(driver, pair, 5)
    await driver.fault(pair.erp, "fail", "", times=3, operation="any", status=503)
    await happens(driver, pair, "place", order)
    await until(driver, order, confirmed, "be confirmed once the ERP is back")
    await fired(driver, pair.erp)


@in_short("bigcommerce")
async def test_an_erp_that_is_slow_is_waited_for_and_nothing_is_confirmed_before(driver: Driver, pair: Pair) -> None:
    order = order_of(driver, pair, 6)
    await driver.erp_takes(4.0)
    try:
        await happens(driver, pair, "place", order)
        status = await until(driver, order, lambda s: bool(s.acknowledgements), "be received")
        assert status.confirmed_revision != 1
        await until(driver, order, confirmed, "be confirmed")
    finally:
        await driver.erp_takes(0.2)


@in_short("woocommerce")
async def test_a_line_that_the_erp_has_not_is_a_persons_to_decide_and_then_told_line_by_line(
    driver: Driver, pair: Pair
) -> None:
    order = order_of(driver, pair, 7, sku=SCARCE)
    await happens(driver, pair, "place", order)
    status = await until(driver, order, lambda s: s.stage is Stage.REVIEW, "go to a person")
    assert FlagName.STOCK_GONE in {flag.name for flag in status.flags}
    await driver.decide(order.ref, ReviewVerdict.APPROVE)
    status = await until(driver, order, confirmed, "be confirmed as a person decided")
    assert {answer.outcome for answer in status.answers} >= {Outcome.ACCEPT}
    assert {answer.outcome for answer in status.answers} & {Outcome.REJECT, Outcome.BACKORDER}
    await written_back(driver, order)
