"""Amazon's sellers in the sandbox: the source, set up by its settings alone, reads what it gives and posts."""

from datetime import UTC, datetime, timedelta

import pytest

from orderack.domain.money import add_up
from orderack.embedded.sandbox import Action, Fault, Operation, Target
from orderack.embedded.sandbox.look_alike import ShopDeed
from orderack.errors import BadSignature, Misconfigured, Refused, Unavailable
from orderack.ports import Hint, Skipped, Snapshot, Standing
from tests.embedded.sandbox.marketplaces import ORDER, PENDING, SAME, connected, raw, vendor_of


@pytest.fixture
async def source(sandbox, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    async with connected("amazon", sandbox, monkeypatch) as made:
        yield made


async def test_an_order_survives_the_way_there_and_back(source, sandbox):
    vendor_of(sandbox, "amazon").shop(ShopDeed.PLACE, ORDER)
    (found,) = await source.fetch(ORDER.number)
    for name in SAME:
        assert getattr(found.order, name) == getattr(ORDER, name), name
    for there, ours in zip(found.order.lines, ORDER.lines, strict=True):
        assert there.model_copy(update={"codes": ()}) == ours
    assert found.order.customer.name == ORDER.customer.name
    assert found.order.totals.total == add_up(found.order) == ORDER.totals.total
    assert found.order.totals.model_copy(update={"tax_basis": None}) == ORDER.totals


async def test_what_happens_to_an_order_there_is_seen_by_looking(source, sandbox):
    vendor = vendor_of(sandbox, "amazon")
    seen = []
    for deed, order in [
        (ShopDeed.PLACE, PENDING),
        (ShopDeed.PAY, PENDING),
        (ShopDeed.CHANGE, ORDER.model_copy(update={"lines": ORDER.lines[:1]})),
        (ShopDeed.CANCEL, ORDER),
    ]:
        vendor.shop(deed, order)
        looked = await source.look("", datetime.now(UTC))
        (delivery,) = looked.deliveries
        (found,) = await source.read(delivery)
        seen.append((found.standing, len(found.order.lines), delivery.id))
        assert not looked.more
    assert [one[:2] for one in seen] == [
        (Standing.NOT_YET, 2),
        (Standing.OPEN, 2),
        (Standing.OPEN, 1),
        (Standing.CANCELLED, 2),
    ]
    assert len({one[2] for one in seen}) == 4


async def test_many_orders_come_page_by_page_and_each_once(source, sandbox):
    vendor = vendor_of(sandbox, "amazon")
    for number in range(230):
        vendor.shop(ShopDeed.PLACE, ORDER.model_copy(update={"number": f"302-{number:07}"}))
    looks = [await source.look("", datetime.now(UTC))]
    while looks[-1].more:
        looks.append(await source.look(looks[-1].cursor, datetime.now(UTC)))
    assert [len(look.deliveries) for look in looks] == [100, 100, 30]
    assert len({one.id for look in looks for one in look.deliveries}) == 230
    again = await source.look(looks[-1].cursor, datetime.now(UTC) + timedelta(minutes=3))
    assert {one.id for one in again.deliveries} <= {one.id for look in looks for one in look.deliveries}


async def test_a_notification_is_posted_once_its_subscription_is_confirmed_and_leads_to_the_order(
    source, sandbox, gateway
):
    for webhook in vendor_of(sandbox, "amazon").shop(ShopDeed.PLACE, ORDER):
        sandbox.state.courier.post(webhook, 0)
    (asked,) = await gateway.wait_for(1, "/intake/shop/amazon")
    assert await source.greet(raw(asked)) is not None
    _, told = await gateway.wait_for(2, "/intake/shop/amazon")
    request = raw(told)
    assert await source.greet(request) is None
    await source.verify(request)
    with pytest.raises(BadSignature):
        await source.verify(request.model_copy(update={"body": request.body.replace(b"0000007", b"0000008")}))
    (delivery,) = source.deliveries(request)
    (hint,) = await source.read(delivery)
    assert hint == Hint(external_id=ORDER.number)
    assert isinstance((await source.fetch(hint.external_id))[0], Snapshot)


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
    vendor_of(sandbox, "amazon").shop(ShopDeed.PLACE, ORDER)
    sandbox.state.faults.add(Fault(target=Target.AMAZON, operation=Operation.LOOKUP, times=1, **fault))
    with pytest.raises(fate) as caught:
        await source.look("", datetime.now(UTC))
    if fault["action"] is Action.THROTTLE:
        assert caught.value.retry_after.total_seconds() == pytest.approx(9)
    assert len((await source.look("", datetime.now(UTC))).deliveries) == 1
    assert sandbox.state.faults.unfired() == ()


async def test_a_wrong_secret_is_named_and_an_order_that_is_not_there_is_skipped(source, sandbox, monkeypatch):
    assert "signed us in" in await source.check()
    assert isinstance((await source.fetch("302-none"))[0], Skipped)
    async with connected("amazon", sandbox, monkeypatch, client_secret="wrong") as stranger:
        with pytest.raises(Misconfigured, match="CLIENT_SECRET"):
            await stranger.look("", datetime.now(UTC))
    with pytest.raises(KeyError):
        vendor_of(sandbox, "amazon").shop(ShopDeed.CANCEL, ORDER)


@pytest.mark.parametrize(
    "query",
    [
        "",
        "createdAfter=2026-11-21T00:00:00Z&lastUpdatedAfter=2026-11-21T00:00:00Z",
        "lastUpdatedAfter=yesterday",
        "lastUpdatedAfter=2026-11-21T00:00:00Z&maxResultsPerPage=101",
        "lastUpdatedAfter=2026-11-21T00:00:00Z&fulfillmentStatuses=Unshipped",
        "lastUpdatedAfter=2026-11-21T00:00:00Z&includedData=ALL",
        "lastUpdatedAfter=2026-11-21T00:00:00Z&paginationToken=none",
        "lastUpdatedAfter=2026-11-21T00:00:00Z&MarketplaceIds=X",
    ],
)
async def test_it_takes_no_query_that_amazon_would_not(sandbox, http, query):
    own = sandbox.connections(["shop/amazon"])
    form = {
        "grant_type": "refresh_token",
        "client_id": own["ORDERACK_SOURCE_SHOP_AMAZON_CLIENT_ID"],
        "client_secret": own["ORDERACK_SOURCE_SHOP_AMAZON_CLIENT_SECRET"],
        "refresh_token": own["ORDERACK_SOURCE_SHOP_AMAZON_REFRESH_TOKEN"],
    }
    stranger = await http.get("/amazon/orders/2026-01-01/orders")
    assert stranger.status_code == 403
    token = (await http.post("/amazon/auth/o2/token", data=form)).json()["access_token"]
    answer = await http.get(f"/amazon/orders/2026-01-01/orders?{query}", headers={"x-amz-access-token": token})
    assert (answer.status_code, answer.json()["errors"][0]["code"]) == (400, "InvalidInput")
