"""Who may speak for whom: one ERP for another's orders, one store's connection for another's, one shop for another."""

import asyncio
import hashlib
import hmac
import json
from base64 import b64encode
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace

import httpx
import pytest

from orderack.domain.assessment import Assessment, Decision
from orderack.domain.order import OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.embedded.sandbox import signatures
from orderack.errors import BadSignature
from orderack.gateway.app import create_app
from orderack.ports import Connection, RawRequest, Source, StoredRevision
from orderack.sources.form import Form, FormSettings
from tests.conformance.peer import Silence, running_peer
from tests.conformance.source import NOW
from tests.gateway.attack_world import BOUNDLESS
from tests.gateway.conftest import ERP_KEY, PUBLIC, Gateway
from tests.gateway.fakes import SigningErp, signed
from tests.ledger.samples import journal, order
from tests.sources import magento_bodies, shopify_bodies, test_magento_events
from tests.temporal.server import now
from tests.workflows.orders import a_receipt, an_order

ERPS = {"demo": "sandbox", "other": "second"}
FORM = {"number": "number", "price": "total", "cur": "currency", "state": "status", "mail": "email", "at": "placed_at"}


@asynccontextmanager
async def with_parts(gateway: Gateway, **parts: object) -> AsyncIterator[Gateway]:
    made = replace(gateway.parts, rates=BOUNDLESS, **parts)  # type: ignore[arg-type]
    transport = httpx.ASGITransport(create_app(made), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
        yield Gateway(made, http, gateway.orders, gateway.ledger, gateway.clock)


def two_erps(gateway: Gateway) -> Mapping[str, object]:
    return {"erps": {"sandbox": SigningErp(), "second": SigningErp()}, "erp_of": ERPS.get}


def receipt_of(store: str) -> ErpReceipt:
    at = now()
    return a_receipt(an_order("1001", at), at).model_copy(update={"store": store})


async def told_by(gateway: Gateway, erp: str, *receipts: ErpReceipt) -> httpx.Response:
    body = b"[" + b",".join(receipt.model_dump_json().encode() for receipt in receipts) + b"]"
    path = f"/receipts/{erp}"
    return await gateway.http.post(path, content=body, headers=signed(body, f"{PUBLIC}{path}"))


async def test_one_installation_says_nothing_of_what_another_has_booked(gateway: Gateway) -> None:
    async with with_parts(gateway, **two_erps(gateway)) as world:
        for receipts in ([receipt_of("other")], [receipt_of("demo"), receipt_of("other")]):
            answer = await told_by(world, "sandbox", *receipts)
            assert (answer.status_code, answer.json()["error"]) == (403, "wrong_erp")
        assert not world.orders.receipts, "not even those beside it"
        assert not await world.inbox()
        assert (await told_by(world, "sandbox", receipt_of("demo"))).status_code == 202
        assert (await told_by(world, "second", receipt_of("other"))).status_code == 202


async def test_an_order_that_was_given_to_an_erp_before_the_store_changed_it_is_still_answered_for(
    gateway: Gateway,
) -> None:
    content = order("1001").model_copy(update={"store": "other"})
    decision = Decision(rule="default", policy_version="v1", erp="sandbox")
    made = StoredRevision(
        order=content,
        revision=1,
        content_hash=content.content_hash,
        assessment=Assessment(revision=1, content_hash=content.content_hash, decision=decision),
        explanation="{}",
    )
    await gateway.ledger.save_revision(made, "f-1", journal(ref=OrderRef(store="other", number="1001")))
    async with with_parts(gateway, **two_erps(gateway)) as world:
        assert (await told_by(world, "sandbox", receipt_of("other"))).status_code == 202


async def test_a_key_that_bears_an_erps_name_for_a_store_is_that_stores(gateway: Gateway) -> None:
    async with with_parts(gateway, **two_erps(gateway)) as world:
        body = receipt_of("other").model_dump_json()
        headers = {"authorization": f"Bearer {ERP_KEY}"}
        assert (await world.http.post("/receipts/sandbox", content=body, headers=headers)).status_code == 403


def form(store: str, secret: str) -> Form:
    connection = Connection(store=store, system="form", source="portal", country="DE", fields=FORM)
    return Form(connection, FormSettings.model_validate({"secret": secret}), clock=lambda: NOW)


SECRETS = {store: "whsec_" + b64encode(store.encode() * 8).decode() for store in ("demo", "other")}


async def posted(gateway: Gateway, store: str, by: str, **said: object) -> httpx.Response:
    whole = {"number": "1001", "price": 10, "cur": "EUR", "mail": "ada@example.com", "at": "2026-11-21T09:00:00Z"}
    body = json.dumps(whole | said).encode()
    message = hashlib.sha256(body).hexdigest()
    headers = signatures.standard_webhooks(SECRETS[by], message, int(NOW.timestamp()), body)
    return await gateway.http.post(f"/intake/{store}/form", content=body, headers=headers)


async def test_a_stores_form_speaks_for_no_other_store_and_cancels_nothing_there(gateway: Gateway) -> None:
    made: dict[str, Source] = {f"{store}/form": form(store, secret) for store, secret in SECRETS.items()}
    async with with_parts(gateway, sources=made) as world:
        for store in SECRETS:
            assert (await posted(world, store, store)).status_code == 200
        assert (await posted(world, "other", "demo", state="cancelled")).status_code == 401
        assert not world.orders.cancellations
        assert [str(one.ref) for one in world.orders.submitted] == ["demo/1001", "other/1001"]
        assert (await posted(world, "other", "other", state="cancelled")).status_code == 200
        assert len(world.orders.cancellations) == 1


@pytest.mark.parametrize("shop", ["another-shop.myshopify.com", "demo.myshopify.com.evil.example"])
async def test_a_webhook_of_another_shop_that_has_the_same_app_is_not_this_shops(shop: str) -> None:
    """The app's secret signs for all of its shops: only the header says which."""
    source = shopify_bodies.shopify("https://demo.myshopify.com")
    mac = b64encode(hmac.digest(shopify_bodies.SECRET.encode(), shopify_bodies.BODY, "sha256")).decode()
    headers = {"x-shopify-hmac-sha256": mac, "x-shopify-topic": "orders/create"}

    def request(**more: str) -> RawRequest:
        return RawRequest(url=shopify_bodies.URL, headers=headers | more, body=shopify_bodies.BODY)

    await source.verify(request(**{"x-shopify-shop-domain": "demo.myshopify.com"}))
    with pytest.raises(BadSignature):
        await source.verify(request(**{"x-shopify-shop-domain": shop}))
    await source.aclose()


async def test_strangers_who_name_keys_keep_nobody_waiting_who_has_one() -> None:
    async with running_peer() as peer:
        source = magento_bodies.magento(peer.url)
        request = test_magento_events.by_adobe(test_magento_events.event())
        own = {name: text for name, text in request.headers.items() if "1" not in name}
        known = request.model_copy(update={"headers": own})
        peer.will(test_magento_events.pem())
        await source.verify(known)
        peer.will(Silence())
        reached = asyncio.Event()
        peer.aside = lambda request: reached.set()
        strange = request.model_copy(update={"headers": own | {"x-adobe-public-key2-path": "/prod/x.pem"}})
        stranger = asyncio.create_task(source.verify(strange))
        await reached.wait()
        async with asyncio.timeout(20):
            await source.verify(known)
        stranger.cancel()
        await asyncio.gather(stranger, return_exceptions=True)
        await source.aclose()
