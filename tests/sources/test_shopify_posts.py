"""Shopify: what its webhooks bring, who signed them, and mutated bodies."""

import copy
import json
from datetime import UTC, datetime

import pytest
from hypothesis import example
from hypothesis import strategies as st
from pydantic import JsonValue

from orderack.errors import BadSignature, InvalidInput
from orderack.ports import Delivery, Hint, RawRequest, Reading, Skipped, Snapshot
from tests.conformance.source import anything, given, quickly
from tests.sources.shopify_bodies import BODY, OLD, ORDER, SECRET, URL, posted, readings, shopify, signature


@pytest.mark.parametrize(
    ("topic", "body", "expected"),
    [
        ("refunds/create", {"id": 509562969, "order_id": 450789469}, Hint(external_id="450789469")),
        (
            "order_transactions/create",
            {"id": 1, "order_id": 820982911946154508},
            Hint(external_id="820982911946154508"),
        ),
        ("orders/edited", {"order_edit": {"id": 1, "order_id": 450789469}}, Hint(external_id="450789469")),
        ("orders/updated", {"id": 450789469, "name": "#1001"}, Hint(external_id="450789469")),
        ("orders/delete", {"id": 450789469}, Hint(external_id="450789469")),
        ("order/update", {"id": "gid://shopify/Order/450789469"}, None),
        ("orders/update", {"id": "gid://shopify/Order/450789469"}, Hint(external_id="450789469")),
        ("products/update", {"id": 1, "title": "Lamp"}, Skipped(why="not about an order, but products/update")),
        (
            "draft_orders/create",
            {"id": 1, "line_items": []},
            Skipped(why="not about an order, but draft_orders/create"),
        ),
        ("orders/create", ORDER | {"test": True}, Skipped(why="a test order")),
        ("refunds/create", {"id": 1}, None),
        ("orders/updated", {}, None),
    ],
)
async def test_what_a_topic_brings(topic: str, body: dict[str, JsonValue], expected: Reading | None) -> None:
    if expected is None:
        with pytest.raises(InvalidInput):
            await readings(body, topic)
    else:
        assert list(await readings(body, topic)) == [expected]


@pytest.mark.parametrize("secret", [SECRET, OLD, "shpss_notifications"])
async def test_each_secret_that_is_set_signs(secret: str) -> None:
    source = shopify()
    await source.verify(posted(BODY, secret=secret))
    with pytest.raises(BadSignature):
        await source.verify(posted(BODY, secret="shpss_a_stranger"))
    with pytest.raises(BadSignature):
        await source.verify(posted(BODY, secret=""))
    await source.aclose()


async def test_one_app_in_two_shops_signs_for_both_and_each_is_told_apart() -> None:
    source = shopify()
    with pytest.raises(BadSignature):
        await source.verify(posted(BODY, x_shopify_shop_domain="other.myshopify.com"))
    await source.verify(posted(BODY, x_shopify_shop_domain="Fjordlight.myshopify.com"))
    await source.aclose()


async def test_the_headers_of_today_are_read_as_those_before() -> None:
    source = shopify()
    own = {
        "shopify-topic": "orders", "shopify-action": "Create", "shopify-hmac-sha256": signature(BODY),
        "shopify-event-id": "e-1", "shopify-triggered-at": "2026-11-21T09:00:05Z",
    }  # fmt: skip
    request = RawRequest(url=URL, headers=own, body=BODY)
    await source.verify(request)
    (delivery,) = source.deliveries(request)
    assert (delivery.id[:18], delivery.topic) == ("orders/create/e-1/", "orders/create")
    assert delivery.sent_at == datetime(2026, 11, 21, 9, 0, 5, tzinfo=UTC)
    await source.aclose()


def test_a_delivery_is_known_by_its_topic_and_event_else_by_its_webhook_else_by_its_body() -> None:
    source = shopify()

    def known_as(*, topic: str = "orders/create", body: bytes = BODY, **headers: str) -> str:
        (delivery,) = source.deliveries(posted(body, topic, **headers))
        return delivery.id

    assert known_as(x_shopify_webhook_id="1") == known_as(x_shopify_webhook_id="2")
    assert known_as(topic="orders/paid") != known_as()
    assert known_as(x_shopify_event_id="2") != known_as(x_shopify_event_id="1")
    assert known_as(body=BODY.replace(b"#1001", b"#1002")) != known_as()  # done to two orders at once: one event
    assert len(known_as(x_shopify_event_id="x" * 400, topic="y" * 400)) <= 200
    assert known_as(topic=" ").startswith("order/")
    neither = {"x_shopify_event_id": ""}
    assert known_as(x_shopify_webhook_id="1", **neither) != known_as(x_shopify_webhook_id="2", **neither)
    nothing = neither | {"x_shopify_webhook_id": ""}
    assert known_as(**nothing) == known_as(**nothing) != known_as(body=BODY + b" ", **nothing)


def _paths(value: JsonValue, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [at] if at else []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        found += _paths(inner, (*at, key))
    return found


PATHS = _paths(ORDER)


GONE = object()


SOURCE = shopify()
"""Reading asks nobody, so it may be anybody's."""


@quickly
@given(path=st.sampled_from(PATHS), value=anything | st.just(GONE) | st.none())
@example(path=("current_total_price_set",), value=GONE)
@example(path=("line_items", 0, "current_quantity"), value=1)
@example(path=("customer", "id"), value="x" * 300)
@example(path=("updated_at",), value="9999-12-31T23:59:59Z")
@example(path=("line_items", 0, "quantity"), value=10**30)
@example(path=("line_items", 0, "price_set", "presentment_money", "amount"), value=-1)
async def test_whatever_is_changed_in_a_body_is_an_order_or_named_and_no_sum_is_made_up(
    path: tuple[str | int, ...], value: object
) -> None:
    body = copy.deepcopy(ORDER)
    holder: JsonValue = body
    for step in path[:-1]:
        holder = holder[step]
    if value is GONE:
        del holder[path[-1]]
    else:
        holder[path[-1]] = value
    try:
        found = await SOURCE.read(Delivery(id="1", topic="orders/updated", body=json.dumps(body)))
    except InvalidInput:
        return
    for one in found:
        if isinstance(one, Snapshot):
            said = json.dumps(body)
            assert any(
                f'"{text}"' in said for text in {f"{one.order.totals.total:f}", f"{one.order.totals.total:.2f}"}
            ) or (f"{one.order.totals.total.normalize():f}" in said)
