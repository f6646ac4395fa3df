"""WooCommerce: topics, deliveries, secrets, and mutated bodies."""

import copy
import json
from decimal import Decimal

import pytest
from hypothesis import example
from hypothesis import strategies as st
from pydantic import JsonValue

from orderack.errors import BadSignature, InvalidInput
from orderack.ports import Delivery, Greeting, Hint, RawRequest, Reading, Skipped, Snapshot
from tests.conformance.source import anything, given, quickly
from tests.sources.woocommerce_bodies import BODY, GONE, ORDER, SIGNING, URL, posted, readings, shop

MADE_UP = "aB,9$k (x)"
"""As WooCommerce makes secrets up: with a comma in it."""


@pytest.mark.parametrize(
    ("topic", "body", "expected"),
    [
        ("order.deleted", {"id": 727}, Hint(external_id="727")),
        ("order.updated", {"id": 727, "status": "processing"}, Hint(external_id="727")),
        ("subscription.created", ORDER, Skipped(why="not about an order, but subscription.created")),
        ("product.updated", {"id": 1}, Skipped(why="not about an order, but product.updated")),
        ("order.created", {}, None),
        ("order.created", {"data": {"id": 1}}, None),
    ],
)
async def test_what_a_topic_brings(topic: str, body: dict[str, JsonValue], expected: Reading | None) -> None:
    if expected is None:
        with pytest.raises(InvalidInput):
            await readings(body, topic)
    else:
        assert list(await readings(body, topic)) == [expected]


@pytest.mark.parametrize(
    ("body", "headers", "is_ping"),
    [
        (b"webhook_id=123", {}, True),
        (b"webhook_id=", {}, False),
        (b"webhook_id=123&x=1", {}, False),
        (b"webhook_id=123\n", {}, False),
        (b"webhook_id=abc", {}, False),
        (b"xwebhook_id=123", {}, False),
        (b"", {}, False),
        (b"webhook_id=123", {"x-wc-webhook-signature": "x"}, False),
    ],
)
async def test_the_ping_and_nothing_else_unsigned_is_answered(
    body: bytes, headers: dict[str, str], is_ping: bool
) -> None:
    source = shop()
    request = RawRequest(url=URL, headers=headers, body=body)
    assert await source.greet(request) == (Greeting(status=200, body="") if is_ping else None)
    assert await source.greet(request.model_copy(update={"method": "GET"})) is None
    with pytest.raises(BadSignature):
        await source.verify(request)
    await source.aclose()


async def test_a_secret_may_hold_a_comma_and_there_may_be_several() -> None:
    for secret, signers in ((MADE_UP, [MADE_UP]), (f"{SIGNING}, another", [SIGNING, "another"])):
        source = shop(secret=secret)
        for signer in signers:
            await source.verify(posted(BODY, secret=signer))
        with pytest.raises(BadSignature):
            await source.verify(posted(BODY, secret="a stranger's"))
        await source.aclose()


def test_two_orders_of_one_second_are_two_deliveries_and_one_sent_twice_is_one() -> None:
    source = shop()

    def known_as(body: bytes, topic: str = "order.updated", **headers: str) -> str:
        (delivery,) = source.deliveries(posted(body, topic, **headers))
        return delivery.id

    other = BODY.replace(b'"id": 727', b'"id": 728')
    assert known_as(BODY) != known_as(other)
    assert known_as(BODY) == known_as(BODY, x_wc_webhook_delivery_id="another")
    assert known_as(BODY) != known_as(BODY, "order.restored")
    assert "/order/" in known_as(BODY, " ")
    assert len(known_as(BODY, "order.deleted" * 30, x_wc_webhook_id="9" * 300)) <= 200
    assert known_as(BODY) != known_as(BODY, x_wc_webhook_id="143")
    gone = b'{"id":727}'
    first, again = [known_as(gone, "order.deleted", x_wc_webhook_delivery_id=n) for n in ("1", "2")]
    assert first != again


def _paths(value: JsonValue, at: tuple[str | int, ...] = ()) -> list[tuple[str | int, ...]]:
    found = [at] if at else []
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, inner in pairs:
        found += _paths(inner, (*at, key))
    return found


SOURCE = shop()
"""Reading asks nobody, so it may be anybody's."""


@quickly
@given(path=st.sampled_from(_paths(ORDER)), value=anything | st.just(GONE) | st.none())
@example(path=("line_items", 0, "quantity"), value=1e300)
@example(path=("line_items", 0, "price"), value="1e400")
@example(path=("line_items", 0, "subtotal"), value=-5)
@example(path=("date_modified_gmt",), value="0001-01-01T00:00:00")
@example(path=("gift_cards", 0, "amount"), value=-5)
@example(path=("total",), value=64.3349)
@example(path=("number",), value="№" * 200)
async def test_whatever_is_changed_in_a_body_is_an_order_or_named_and_its_total_is_the_shops(
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
        found = await SOURCE.read(Delivery(id="1", topic="order.updated", body=json.dumps(body)))
    except InvalidInput:
        return
    for one in found:
        if isinstance(one, Snapshot):
            said = Decimal(str(body["total"])).quantize(Decimal("0.0001"))
            assert one.order.totals.total == said or "totals.total" in [doubt.field for doubt in one.order.doubts]
