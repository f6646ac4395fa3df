"""WooCommerce's private notes against the conformance suite and WooCommerce's own index of routes."""

import hashlib
import json
import re
from datetime import timedelta
from typing import Annotated
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import BaseModel, BeforeValidator

from orderack.channels.woocommerce_note import WoocommerceNote, WoocommerceNoteSettings
from orderack.clients.woocommerce import NOTE_BYTES, REFUSED_CODE
from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.order import Order
from orderack.errors import Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import Message, RawRequest
from tests.conformance.channel import NOW, WEBHOOK_URL, HttpChannelConformance
from tests.conformance.openapi import spec
from tests.conformance.orders import ORDER, known_as
from tests.conformance.peer import Answer, Received, json_answer
from tests.payloads import payload

KEY, SECRET = "ck_0123456789abcdef", "cs_fedcba9876543210"
MARKER = "orderack " + hashlib.sha256(b"shop/A-1001/1/confirmation/1/woocommerce_note").hexdigest()[:16]


def no(status: int, code: str) -> Answer:
    return json_answer(status, {"code": code, "message": "No.", "data": {"status": status}})


def notes(*texts: str) -> Answer:
    return json_answer(200, [{"id": 280 + n, "note": text, "customer_note": False} for n, text in enumerate(texts)])


class Argument(BaseModel):
    """One argument in WordPress's index of routes."""

    type: str | None = None
    required: bool = False
    enum: list[str] | None = None


class Endpoint(BaseModel):
    methods: list[str]
    args: Annotated[dict[str, Argument], BeforeValidator(lambda args: args or {})] = {}  # PHP writes none as []


class Route(BaseModel):
    endpoints: list[Endpoint]


class Index(BaseModel):
    routes: dict[str, Route]


TYPES: dict[str, type | tuple[type, ...]] = {"string": str, "boolean": bool, "integer": int}


def assert_in_the_index(request: Received) -> None:
    """The route is there, every argument is one of its, of its type, and none that it requires is missing."""
    index = Index.model_validate_json(
        (spec("x").parents[1] / "commerce/woocommerce/wc-v3-index-routes-trimmed.json").read_text()
    )
    target = urlsplit(request.target)
    path = target.path.removeprefix("/wp-json")
    matched = {name: found for name in index.routes if (found := re.fullmatch(name, path))}
    ((route, found),) = matched.items()
    (endpoint,) = [one for one in index.routes[route].endpoints if request.method in one.methods]
    body = json.loads(request.body) if request.body else {}
    query = {name: values[0] for name, values in parse_qs(target.query).items() if name != "_fields"}  # WordPress's own
    for name, value in {**body, **query}.items():
        argument = endpoint.args[name]
        assert name in query or isinstance(value, TYPES[argument.type or "string"]), name
        assert argument.enum is None or value in argument.enum, name
    given = {*body, *query, *found.groupdict()}
    assert {name for name, argument in endpoint.args.items() if argument.required} <= given


class TestWoocommerceNote(HttpChannelConformance):
    name = "woocommerce_note"
    recipient = "ops"
    audience = Audience.INTERNAL
    secrets = (KEY, SECRET)
    required = (
        "ORDERACK_WOOCOMMERCE_NOTE_BASE_URL",
        "ORDERACK_WOOCOMMERCE_NOTE_CONSUMER_KEY",
        "ORDERACK_WOOCOMMERCE_NOTE_CONSUMER_SECRET",
    )
    nowhere = "https://nowhere.invalid"

    accepted = Answer(201, payload("woocommerce_note/created.json"))
    provider_id = "723/281"
    found = (notes("Payment complete.", f"Your order A-1001\n\n{MARKER}\n"),)
    missing = (notes("Payment complete.", f"{MARKER} is in the first line\nof another", "orderack 0000000000000000"),)
    healthy = (json_answer(200, [{"id": 727}]),)
    refusals = (
        *((no(404 if "id" in code else 400, code), reason) for code, reason in REFUSED_CODE.items()),
        (no(400, "a_word_of_tomorrow"), Reason.OTHER),
        (Answer(400, b"<html>no</html>"), Reason.OTHER),
        (Answer(413, b"<html>too large</html>"), Reason.TOO_LONG),
    )
    ours_to_mend = (
        no(401, "woocommerce_rest_cannot_create"),
        no(401, "woocommerce_rest_authentication_error"),
        no(403, "woocommerce_rest_cannot_create"),
        no(404, "rest_no_route"),
        Answer(404, b"<html>not found</html>"),
        Answer(301, headers={"Location": "https://www.shop.example.com/"}),
    )
    in_doubt = (
        json_answer(201, {"id": 281, "note": "x", "customer_note": True}),
        json_answer(201, {"note": "x", "customer_note": False}),
        Answer(304, b""),
    )

    def make(self, base_url: str) -> WoocommerceNote:
        return WoocommerceNote(self.settings(base_url=base_url), clock=lambda: NOW)

    def settings(self, **changes: str) -> WoocommerceNoteSettings:
        given = {"base_url": "https://shop.example.com", "consumer_key": KEY, "consumer_secret": SECRET}
        return WoocommerceNoteSettings.model_validate(given | changes)

    def message(self, **content: str | None) -> Message:
        return super().message(**content).model_copy(update={"order": known_as("woocommerce", "723")})

    async def test_the_request_is_what_the_index_describes_and_logs_in_with_the_key(self) -> None:
        request = await self.sent()
        assert_in_the_index(request)
        assert (request.method, request.target) == ("POST", "/wp-json/wc/v3/orders/723/notes")
        assert request.headers["authorization"].startswith("Basic ")

    async def test_what_is_read_is_of_the_index_too(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(*self.found, *self.healthy)
            assert isinstance(channel, WoocommerceNote)
            await channel.lookup(self.message(), NOW)
            await channel.check()
            for request in peer.received:
                assert_in_the_index(request)
                assert request.headers["authorization"].startswith("Basic ")

    async def test_the_buyer_is_never_mailed_and_the_last_line_names_the_send(self) -> None:
        body = json.loads((await self.sent()).body)
        assert body["customer_note"] is False
        assert body["note"].splitlines()[0] == "Your order A-1001"
        assert body["note"].splitlines()[-1] == MARKER
        assert self.message().content.text in body["note"]

    async def test_an_orders_text_is_shown_and_not_obeyed(self) -> None:
        body = json.loads((await self.sent(self.message(text="<b>Tea</b> & <script>x</script>"))).body)
        assert "&lt;b&gt;Tea&lt;/b&gt; &amp; &lt;script&gt;x&lt;/script&gt;" in body["note"]

    async def test_a_text_too_long_for_the_column_gives_way_to_the_short_one_and_is_never_cut(self) -> None:
        long = "ü" * (NOTE_BYTES // 2)
        body = json.loads((await self.sent(self.message(text=long, chat="In short."))).body)
        assert "In short." in body["note"]
        async with self.channel() as channel:
            with pytest.raises(Unsupported):
                await channel.send(self.message(text=long, chat=None))

    @pytest.mark.parametrize(
        ("order", "reason"),
        [
            (ORDER, Reason.NO_RECIPIENT),
            (known_as("shopify", "723"), Reason.NO_RECIPIENT),
            (known_as("woocommerce", "723/../7"), Reason.BAD_RECIPIENT),
            (known_as("woocommerce", "7٣"), Reason.BAD_RECIPIENT),
        ],
    )
    async def test_an_order_that_this_shop_does_not_know_is_refused_before_anything_is_sent(
        self, order: Order, reason: Reason
    ) -> None:
        async with self.channel() as channel:
            with pytest.raises(Refused) as caught:
                await channel.send(self.message().model_copy(update={"order": order}))
            assert caught.value.reason is reason
            with pytest.raises(Unsupported):
                await channel.send(self.message().model_copy(update={"order": None}))

    async def test_another_shops_ids_are_named_by_a_setting(self) -> None:
        async with self.provider() as (peer, _):
            peer.will(self.accepted)
            channel = WoocommerceNote(self.settings(base_url=peer.url, system="woo-north"))
            order = ORDER.model_copy(
                update={
                    "external_ids": (
                        *known_as("woocommerce", "1").external_ids,
                        *known_as("woo-north", "2").external_ids,
                    )
                }
            )
            await channel.send(self.message().model_copy(update={"order": order}))
            assert peer.received[0].target == "/wp-json/wc/v3/orders/2/notes"
            await channel.aclose()

    async def test_another_sends_note_is_not_found(self) -> None:
        other = self.message()
        other = other.model_copy(update={"key": other.key.model_copy(update={"n": 2})})
        async with self.provider() as (peer, channel):
            peer.will(*self.found)
            assert await channel.lookup(other, NOW) is None

    async def test_a_look_up_that_cannot_be_read_is_unavailable_and_a_gone_order_is_refused(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(
                Answer(200, b"<html>"),
                Answer(429, b"", {"Retry-After": "9"}),
                no(404, "woocommerce_rest_shop_order_invalid_id"),
            )
            with pytest.raises(Unavailable):
                await channel.lookup(self.message(), NOW)
            with pytest.raises(Unavailable) as caught:
                await channel.lookup(self.message(), NOW)
            assert caught.value.retry_after == timedelta(seconds=9)
            with pytest.raises(Refused):
                await channel.lookup(self.message(), NOW)

    async def test_a_check_of_what_is_no_shop_names_the_address(self) -> None:
        async with self.provider() as (peer, channel):
            peer.will(Answer(503, b""))
            assert isinstance(channel, WoocommerceNote)
            for asking in (channel.check(), channel.lookup(self.message(), NOW)):
                with pytest.raises(Unavailable):
                    await asking
        for answer in (Answer(200, b"<html>"), json_answer(200, {}), no(400, "rest_invalid_param")):
            async with self.provider() as (peer, channel):
                peer.will(answer)
                assert isinstance(channel, WoocommerceNote)
                with pytest.raises(Misconfigured, match="ORDERACK_WOOCOMMERCE_NOTE_BASE_URL"):
                    await channel.check()

    def test_nothing_is_read_from_a_request(self) -> None:
        with pytest.raises(Exception, match="has no webhook"):
            self.make("https://shop.example.com").events(RawRequest(url=WEBHOOK_URL, headers={}, body=b"{}"))
