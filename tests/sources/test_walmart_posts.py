"""Walmart: mutated orders, and what is posted."""

import base64
import copy
import hashlib
import hmac
import json
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderack.errors import BadSignature, InvalidInput
from orderack.ports import Delivery, Hint, Skipped, Snapshot
from orderack.sources.walmart import Walmart, WalmartSettings
from tests.conformance.source import NOW, anything, quickly
from tests.sources.walmart_bodies import CONNECTION, EVENT, MX, US, request, walmart


def _places(tree: object, path: tuple = ()) -> Iterator[tuple]:
    if path:
        yield path
    items = tree.items() if isinstance(tree, dict) else enumerate(tree) if isinstance(tree, list) else ()
    for key, value in items:
        yield from _places(value, (*path, key))


@quickly
@given(data=st.data())
async def test_a_mutated_order_is_an_order_or_a_named_refusal(data: st.DataObject) -> None:
    shape = copy.deepcopy(data.draw(st.sampled_from((US, MX))))
    *way, last = data.draw(st.sampled_from(list(_places(shape))))
    at = shape
    for step in way:
        at = at[step]
    if data.draw(st.booleans()):
        del at[last]
    else:
        at[last] = data.draw(anything)
    source = walmart()
    try:
        readings = await source.read(Delivery(id="1", body=json.dumps(shape)))
    except InvalidInput:
        return
    for reading in readings:
        if isinstance(reading, Snapshot) and "amount" not in str(last):
            assert reading.order.totals.total >= 0


class TestWhatIsPosted:
    @pytest.mark.parametrize("prefix", ["", "Basic "])
    async def test_the_subscriptions_login_is_believed_and_no_other(self, prefix: str) -> None:
        source, body = walmart(), json.dumps(EVENT).encode()
        login = base64.b64encode(b"orderack:password-of-the-hook").decode()
        await source.verify(request(body, authorization=prefix + login))
        for wrong in ("orderack:password", "orderack:"):
            with pytest.raises(BadSignature):
                await source.verify(request(body, authorization=prefix + base64.b64encode(wrong.encode()).decode()))

    async def test_an_hmac_in_base64_and_in_hex_in_the_header_that_is_set(self) -> None:
        source, body = walmart(webhook_header="X-Walmart-Auth"), b'{"source":{}}'
        digest = hmac.new(b"secret-of-the-hook", body, hashlib.sha256)
        for text in (digest.hexdigest(), base64.b64encode(digest.digest()).decode()):
            await source.verify(request(body, **{"x-walmart-auth": text}))
        with pytest.raises(BadSignature):
            await source.verify(request(body + b" ", **{"x-walmart-auth": digest.hexdigest()}))

    async def test_without_a_login_nothing_is_believed(self) -> None:
        settings = WalmartSettings(client_id="id", client_secret="secret", base_url="http://127.0.0.1:9")
        source = Walmart(CONNECTION, settings, "P_")
        for header in ("", "Basic ", "Basic Og=="):
            with pytest.raises(BadSignature):
                await source.verify(request(b"{}", authorization=header))

    @pytest.mark.parametrize(
        "payload",
        [
            EVENT["payload"],
            {"meta": {"subEventType": "PO_CREATED"}, "order": {"purchaseOrderId": US["purchaseOrderId"]}},
        ],
    )
    async def test_an_event_is_a_hint_under_walmarts_own_id(self, payload: dict) -> None:
        source = walmart()
        (delivery,) = source.deliveries(request(json.dumps({**EVENT, "payload": payload}).encode()))
        assert delivery.id == EVENT["source"]["eventId"]
        assert delivery.sent_at == NOW
        assert await source.read(delivery) == [Hint(external_id="9007199254740993123")]

    async def test_an_order_in_an_event_is_not_taken_for_one_that_was_fetched(self) -> None:
        source = walmart()
        (delivery,) = source.deliveries(request(json.dumps({**US, **EVENT}).encode()))
        (reading,) = await source.read(delivery)
        assert isinstance(reading, Hint)

    async def test_an_event_that_names_no_order_is_skipped(self) -> None:
        source = walmart()
        (delivery,) = source.deliveries(request(b'{"source":{"eventType":"OFFER_PUBLISHED"},"payload":{}}'))
        (reading,) = await source.read(delivery)
        assert isinstance(reading, Skipped)
