"""eBay in the sandbox: the source, set up by its settings alone, proves and reads what it posts and gives."""

from datetime import UTC, datetime, timedelta

import pytest

from orderack.domain.money import add_up
from orderack.domain.order import DIGITAL
from orderack.embedded.sandbox import Action, Fault, Operation, Target
from orderack.embedded.sandbox.look_alike import ShopDeed
from orderack.errors import BadSignature, Misconfigured, Refused, Unavailable
from orderack.ports import Hint, Skipped, Standing
from tests.embedded.sandbox.marketplaces import ORDER, PENDING, SAME, connected, raw, vendor_of


@pytest.fixture
async def source(sandbox, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    async with connected("ebay", sandbox, monkeypatch) as made:
        yield made


async def test_an_order_survives_the_way_there_and_back(source, sandbox):
    vendor_of(sandbox, "ebay").shop(ShopDeed.PLACE, ORDER)
    (found,) = await source.fetch(ORDER.number)
    for name in SAME:
        assert getattr(found.order, name) == getattr(ORDER, name), name
    for there, ours in zip(found.order.lines, ORDER.lines, strict=True):
        assert there.model_copy(update={"codes": ()}) == ours
    assert found.order.customer == ORDER.customer
    assert found.order.totals.total == add_up(found.order) == ORDER.totals.total
    assert found.order.totals.model_copy(update={"tax_basis": None}) == ORDER.totals


async def test_digital_goods_and_a_pickup_survive_it_too(source, sandbox):
    vendor = vendor_of(sandbox, "ebay")
    vendor.shop(ShopDeed.PLACE, ORDER.model_copy(update={"order_type": DIGITAL, "delivery_address": None}))
    (digital,) = await source.fetch(ORDER.number)
    assert (digital.order.order_type, digital.order.delivery_address) == (DIGITAL, None)
    pickup = ORDER.model_validate(ORDER.model_dump() | {"delivery_address": None, "pickup": {"location": "Oslo-1"}})
    vendor.shop(ShopDeed.CHANGE, pickup)
    (fetched,) = await source.fetch(ORDER.number)
    assert fetched.order.pickup == pickup.pickup


async def test_a_notification_is_proved_by_ebays_key_and_leads_to_the_order(source, sandbox, gateway, http):
    body = {"source": "ebay", "order": ORDER.model_dump(mode="json")}
    sandbox.state.faults.add(Fault(target=Target.EBAY, action=Action.DUPLICATE_WEBHOOK))
    assert (await http.post("/shops", json=body)).status_code == 202
    first, second = [raw(one) for one in await gateway.wait_for(2, "/intake/shop/ebay")]
    await source.verify(first)
    await source.verify(second)
    with pytest.raises(BadSignature):
        await source.verify(first.model_copy(update={"body": first.body.replace(b"0000007", b"0000008")}))
    (delivery,), (again,) = source.deliveries(first), source.deliveries(second)
    assert delivery.id == again.id
    assert await source.read(delivery) == [Hint(external_id=ORDER.number)]


async def test_what_happens_to_an_order_there_is_seen_by_looking(source, sandbox):
    vendor = vendor_of(sandbox, "ebay")
    seen = []
    for deed, order, told in [
        (ShopDeed.PLACE, PENDING, 0),
        (ShopDeed.PAY, PENDING, 1),
        (ShopDeed.CHANGE, ORDER.model_copy(update={"lines": ORDER.lines[:1]}), 0),
        (ShopDeed.CANCEL, ORDER, 0),
    ]:
        assert len(vendor.shop(deed, order)) == told
        looked = await source.look("", datetime.now(UTC) + timedelta(seconds=1))
        (delivery,) = looked.deliveries
        (found,) = await source.read(delivery)
        seen.append((found.standing, len(found.order.lines), found.reason))
    assert seen == [
        (Standing.NOT_YET, 2, ""),
        (Standing.OPEN, 2, ""),
        (Standing.OPEN, 1, ""),
        (Standing.CANCELLED, 2, "cancelled at eBay"),
    ]
    assert (await source.fetch(ORDER.number))[0].reason == "ORDER_MISTAKE"


async def test_many_orders_come_page_by_page_and_where_the_pages_overlap_the_same_state_is_the_same_delivery(
    source, sandbox
):
    vendor = vendor_of(sandbox, "ebay")
    for number in range(230):
        vendor.shop(ShopDeed.PLACE, ORDER.model_copy(update={"number": f"12-{number:05}"}))
    now = datetime.now(UTC) + timedelta(seconds=1)
    looks = [await source.look("", now)]
    while looks[-1].more:
        looks.append(await source.look(looks[-1].cursor, now))
    assert [len(look.deliveries) for look in looks] == [100, 100, 50]
    assert len({one.id for look in looks for one in look.deliveries}) == 230
    again = await source.look(looks[-1].cursor, now + timedelta(minutes=5))
    assert {one.id for one in again.deliveries} <= {one.id for look in looks for one in look.deliveries}


@pytest.mark.parametrize(
    ("fault", "fate"),
    [
        ({"action": Action.THROTTLE, "retry_after": 9}, Unavailable),
        ({"action": Action.FAIL}, Unavailable),
        ({"action": Action.NONSENSE}, Unavailable),
        ({"action": Action.CUT_OFF_BEFORE}, Unavailable),
        ({"action": Action.CUT_OFF_AFTER_ACCEPT}, Unavailable),
        ({"action": Action.REFUSE}, Refused),
    ],
)
async def test_every_fault_has_its_fate_and_the_next_look_brings_it_all(source, sandbox, fault, fate):
    vendor_of(sandbox, "ebay").shop(ShopDeed.PLACE, ORDER)
    sandbox.state.faults.add(Fault(target=Target.EBAY, operation=Operation.LOOKUP, times=1, **fault))
    now = datetime.now(UTC) + timedelta(seconds=1)
    with pytest.raises(fate) as caught:
        await source.look("", now)
    if fault["action"] is Action.THROTTLE:
        assert caught.value.retry_after.total_seconds() == 9
    assert len((await source.look("", now)).deliveries) == 1
    assert sandbox.state.faults.unfired() == ()


async def test_a_wrong_secret_is_named_and_an_order_that_is_not_there_is_skipped(source, sandbox, monkeypatch):
    assert "orders" in await source.check()
    assert isinstance((await source.fetch("none"))[0], Skipped)
    async with connected("ebay", sandbox, monkeypatch, client_secret="wrong") as stranger:
        with pytest.raises(Misconfigured, match="CLIENT_SECRET"):
            await stranger.look("", datetime.now(UTC))
    with pytest.raises(KeyError):
        vendor_of(sandbox, "ebay").shop(ShopDeed.CANCEL, ORDER)
