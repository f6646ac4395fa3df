"""Walmart in the sandbox: the source, set up by the look-alike's settings alone, reads what it posts and answers it."""

from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from orderack.domain.money import add_up
from orderack.domain.order import Order
from orderack.domain.source import AnswerKey, AnswerStage, AnswerState
from orderack.embedded.sandbox import Action, Behaviour, Fault, Operation, Target
from orderack.embedded.sandbox.look_alike import ShopDeed
from orderack.errors import Misconfigured, Unavailable
from orderack.ports import Connection, Hint, RawRequest, SourceAnswer, Standing
from orderack.sources.walmart import Walmart, WalmartSettings

ORDER = Order.model_validate(
    {
        "store": "shop",
        "number": "2000116012345678",
        "source": "walmart",
        "trigger_at": "2026-11-21T09:30:00Z",
        "customer": {"id": "b-1", "name": "Ada Exämple"},
        "contacts": {"email": "ada@relay.walmart.com", "phone": "+15005550006"},
        "lines": [
            {"line_id": "1", "sku": "KET", "description": "Kettle", "quantity": "3", "unit_price": "19.99"},
            {"line_id": "2", "sku": "MUG", "description": "Mug", "quantity": "1", "unit_price": "12.50"},
        ],
        "delivery_address": {
            "name": "Ada Exämple", "street": "1 Sample Street", "street2": "Flat 2", "city": "Springfield",
            "region": "IL", "postal_code": "62701", "country": "US",
        },
        "delivery_window": {"start": "2026-11-23T00:00:00Z", "end": "2026-11-27T00:00:00Z"},
        "payment": {"status": "confirmed", "terms": "prepaid through Walmart", "method": "CREDITCARD"},
        "currency": "USD",
        "totals": {"discount": "3", "tax": "5.28", "shipping": "6", "fees": "0.75", "total": "81.50"},
    }
)  # fmt: skip


@pytest.fixture
def vendor(sandbox):
    return next(one for one in sandbox.vendors if one.target is Target.WALMART)


@pytest.fixture
async def source(sandbox, vendor):
    made = Walmart(
        Connection(store="shop", system="walmart", source="walmart"),
        WalmartSettings(**vendor.connection(f"{sandbox.url}/walmart")),
        "ORDERACK_SOURCE_SHOP_WALMART_",
    )
    yield made
    await made.aclose()


async def placed(source, sandbox, gateway, http) -> str:
    """The id under which Walmart keeps the order that it has just told of."""
    body = {"source": "walmart", "order": ORDER.model_dump(mode="json")}
    assert (await http.post("/shops", json=body)).status_code == 202
    (posted,) = (await gateway.wait_for(1, "/intake/shop/walmart"))[-1:]
    request = RawRequest(url=posted.url, headers=dict(posted.headers), body=posted.body)
    await source.verify(request)
    (delivery,) = source.deliveries(request)
    (hint,) = await source.read(delivery)
    assert isinstance(hint, Hint)
    return hint.external_id


def answer(external_id: str, stage: AnswerStage) -> SourceAnswer:
    key = AnswerKey(ref=ORDER.ref, revision=1, stage=stage)
    return SourceAnswer(key=key, order=ORDER, external_id=external_id, now=datetime.now(UTC))


async def test_an_order_survives_the_way_there_and_back(source, sandbox, gateway, http):
    (found,) = await source.fetch(await placed(source, sandbox, gateway, http))
    order = found.order
    same = ("number", "lines", "delivery_address", "delivery_window", "contacts", "currency", "payment", "trigger_at")
    for name in same[:1] + same[2:]:
        assert getattr(order, name) == getattr(ORDER, name), name
    assert [(line.line_id, line.sku, line.quantity, line.amount) for line in order.lines] == [
        (line.line_id, line.sku, line.quantity, line.amount) for line in ORDER.lines
    ]
    assert order.totals.total == add_up(order) == ORDER.totals.total
    assert order.totals.discount == Decimal(3)


async def test_what_waits_is_found_by_looking_and_gone_once_it_is_acknowledged(source, sandbox, gateway, http):
    external_id = await placed(source, sandbox, gateway, http)
    looked = await source.look("", datetime.now(UTC))
    assert [one.id.partition("/")[0] for one in looked.deliveries] == [external_id]
    first = await source.answer(answer(external_id, AnswerStage.RECEIVED))
    again = await source.answer(answer(external_id, AnswerStage.CONFIRMED))
    assert (first.state, again.state) == (AnswerState.ACCEPTED, AnswerState.ACCEPTED)
    assert len(sandbox.state.log.entries(Target.WALMART, key=str(ORDER.ref))) == 1
    assert not (await source.look("", datetime.now(UTC))).deliveries


async def test_pages_are_gone_through_to_the_end(source, vendor):
    for n in range(205):
        vendor.shop(ShopDeed.PLACE, ORDER.model_copy(update={"number": str(n)}))
    cursor, found, more = "", set(), True
    while more:
        looked = await source.look(cursor, datetime.now(UTC))
        cursor, more = looked.cursor, looked.more
        found |= {one.id for one in looked.deliveries}
    assert len(found) == 205


async def test_what_is_not_acknowledged_in_walmarts_time_is_cancelled_by_walmart(source, sandbox, gateway, http):
    external_id = await placed(source, sandbox, gateway, http)
    sandbox.state.behaviour = Behaviour(acknowledged_within=0)
    (found,) = await source.fetch(external_id)
    assert (found.standing, found.reason) == (Standing.CANCELLED, "AUTO_CANCELLED")
    await gateway.wait_for(2, "/intake/shop/walmart")
    answered = await source.answer(answer(external_id, AnswerStage.RECEIVED))
    assert (answered.state, answered.detail) == (AnswerState.REFUSED, "it is cancelled at Walmart")
    tally = {(one.operation, one.outcome): one.count for one in sandbox.state.log.tally()}
    assert tally[Operation.CANCEL, "AUTO_CANCELLED"] == 1


async def test_what_was_acknowledged_in_time_outlives_the_clock(source, sandbox, gateway, http):
    external_id = await placed(source, sandbox, gateway, http)
    await source.answer(answer(external_id, AnswerStage.RECEIVED))
    sandbox.state.behaviour = Behaviour(acknowledged_within=0)
    (found,) = await source.fetch(external_id)
    assert found.standing is Standing.OPEN


async def test_a_person_who_rejects_it_cancels_every_line_and_once(source, sandbox, gateway, http):
    external_id = await placed(source, sandbox, gateway, http)
    for _ in range(2):
        assert (await source.answer(answer(external_id, AnswerStage.REJECTED))).state is AnswerState.ACCEPTED
    (found,) = await source.fetch(external_id)
    assert (found.standing, found.reason) == (Standing.CANCELLED, "SELLER_CANCEL_OUT_OF_STOCK")
    assert len(sandbox.state.log.entries(Target.WALMART)) == 1


async def test_a_cancelled_order_is_told_of_and_an_unknown_one_is_not_there(source, sandbox, gateway, http, vendor):
    external_id = await placed(source, sandbox, gateway, http)
    vendor.shop(ShopDeed.CANCEL, ORDER)
    (found,) = await source.fetch(external_id)
    assert found.standing is Standing.CANCELLED
    with pytest.raises(KeyError):
        vendor.shop(ShopDeed.CHANGE, ORDER.model_copy(update={"number": "none"}))


@pytest.mark.parametrize(
    ("operation", "action", "more"),
    [
        (Operation.LOOKUP, Action.CUT_OFF_BEFORE, {}),
        (Operation.LOOKUP, Action.NONSENSE, {}),
        (Operation.SEND, Action.CUT_OFF_BEFORE, {}),
        (Operation.SEND, Action.CUT_OFF_AFTER_ACCEPT, {}),
        (Operation.SEND, Action.FAIL, {}),
        (Operation.SEND, Action.THROTTLE, {"retry_after": 30}),
        (Operation.CANCEL, Action.CUT_OFF_AFTER_ACCEPT, {}),
    ],
)
async def test_a_fault_at_any_request_ends_in_one_answer(source, sandbox, gateway, http, operation, action, more):
    external_id = await placed(source, sandbox, gateway, http)
    stage = AnswerStage.REJECTED if operation is Operation.CANCEL else AnswerStage.RECEIVED
    sandbox.state.faults.add(Fault(target=Target.WALMART, operation=operation, action=action, **more))
    with pytest.raises(Unavailable) as caught:
        await source.answer(answer(external_id, stage))
    if more:
        assert timedelta(seconds=25) < caught.value.retry_after <= timedelta(seconds=30)
    assert (await source.answer(answer(external_id, stage))).state is AnswerState.ACCEPTED
    assert len(sandbox.state.log.entries(Target.WALMART)) == 1
    assert sandbox.state.faults.unfired() == ()


async def test_a_token_that_died_is_made_anew_and_a_wrong_secret_is_named(source, sandbox, gateway, http, vendor):
    assert "signed in" in await source.check()
    vendor.expire()
    assert "signed in" in await source.check()
    own = vendor.connection(f"{sandbox.url}/walmart") | {"client_secret": "wrong"}
    stranger = Walmart(source.connection, WalmartSettings(**own), "P_")
    with pytest.raises(Misconfigured, match="P_CLIENT_SECRET"):
        await stranger.check()
    await stranger.aclose()


async def test_a_request_that_is_not_as_walmart_wants_it_is_refused(http, vendor):
    login = {name.upper(): value for name, value in vendor.connection("").items()}
    auth = (login["CLIENT_ID"], login["CLIENT_SECRET"])
    form = {"grant_type": "client_credentials"}
    assert (await http.post("/walmart/v3/token", data=form, auth=auth)).status_code == 400
    headers = {"WM_QOS.CORRELATION_ID": "1", "WM_SVC.NAME": "x"}
    token = (await http.post("/walmart/v3/token", data=form, auth=auth, headers=headers)).json()["access_token"]
    signed = {**headers, "WM_SEC.ACCESS_TOKEN": token}
    assert (await http.get("/walmart/v3/orders", headers=signed)).status_code == 200
    assert (await http.get("/walmart/v3/orders", headers=signed)).status_code == 400
    assert (await http.get("/walmart/v3/orders", headers=headers)).status_code == 401
    wrong = await http.post("/walmart/v3/orders/1/cancel", headers={**signed, "WM_QOS.CORRELATION_ID": "2"}, json={})
    assert wrong.status_code == 400
