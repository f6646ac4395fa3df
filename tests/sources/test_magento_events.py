"""Magento: Adobe's events and the module's posts."""

import base64
import json
from datetime import timedelta
from functools import cache

import pytest
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from orderack.errors import BadSignature, InvalidInput, Unavailable
from orderack.ports import Hint, RawRequest, Skipped
from orderack.sources.magento import Magento, MagentoSettings
from tests.conformance.peer import Answer, CutOff, running_peer
from tests.conformance.source import NOW
from tests.sources.magento_bodies import BODY, CLIENT, ORDER, TOKEN, by_module, connection, magento, snapshot

# --------------------------------------------------------------------------------------------- Adobe's events


@cache
def adobes_key() -> rsa.RSAPrivateKey:
    return rsa.generate_private_key(public_exponent=65_537, key_size=2_048)


def pem() -> Answer:
    return Answer(200, adobes_key().public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def event(client: str = CLIENT, **value: object) -> bytes:
    said = {
        "id": "e-1",
        "type": "com.adobe.commerce.observer.sales_order_save_commit_after",
        "data": {"key": "k", "value": value or {"entity_id": 361, "increment_id": "000000361"}},
        "recipientclientid": client,
    }
    return json.dumps(said).encode()


def by_adobe(body: bytes, **headers: str) -> RawRequest:
    signature = base64.b64encode(adobes_key().sign(body, padding.PKCS1v15(), SHA256())).decode()
    made = {
        "x-adobe-event-id": "e-1",
        "x-adobe-digital-signature-1": "AAAA",
        "x-adobe-digital-signature-2": signature,
        "x-adobe-public-key1-path": "/prod/keys/old.pem",
        "x-adobe-public-key2-path": "/prod/keys/pub-key-1.pem",
    }
    return RawRequest(url="https://shop.example/intake/shop/magento", headers=made | headers, body=body)


async def test_an_event_is_a_hint_once_adobes_signature_holds():
    async with running_peer() as peer:
        source = magento(peer.url)
        peer.will(Answer(404), pem())
        request = by_adobe(event())
        await source.verify(request)
        await source.verify(request)
        assert [one.target for one in peer.received][:2] == ["/prod/keys/old.pem", "/prod/keys/pub-key-1.pem"]
        assert [one.target for one in peer.received].count("/prod/keys/pub-key-1.pem") == 1
        (delivery,) = source.deliveries(request)
        (again,) = source.deliveries(by_adobe(event(), **{"x-adobe-retry-count": "2"}))
        assert delivery.id == again.id == "adobe:e-1"
        assert await source.read(delivery) == (Hint(external_id="361"),)
        await source.aclose()


@pytest.mark.parametrize(
    "request_",
    [
        by_adobe(event("another-client")),
        by_adobe(event()).model_copy(update={"body": event() + b" "}),
        by_adobe(event(), **{"x-adobe-public-key2-path": "https://evil.example/key.pem"}),
        by_adobe(event(), **{"x-adobe-public-key2-path": "//evil.example/key.pem"}),
        by_adobe(event(), **{"x-adobe-public-key2-path": "/prod/../key.pem"}),
        by_adobe(event(), **{"x-adobe-digital-signature-2": "not base64"}),
        by_adobe(b"{}"),
        by_adobe(b"["),
    ],
)
async def test_a_forged_event_is_none(request_):
    async with running_peer() as peer:
        source = magento(peer.url)
        peer.will(pem())
        with pytest.raises(BadSignature):
            await source.verify(request_)
        await source.aclose()


async def test_a_key_that_cannot_be_fetched_now_loses_no_event():
    async with running_peer() as peer:
        source = magento(peer.url)
        for reaction in (Answer(503), CutOff()):
            peer.will(reaction)
            with pytest.raises(Unavailable):
                await source.verify(by_adobe(event()))
        await source.aclose()


async def test_a_key_is_kept_for_a_day_and_no_longer():
    async with running_peer() as peer:
        now = [NOW]
        source = Magento(
            connection(),
            MagentoSettings(
                _env_file=None, base_url=peer.url, access_token=TOKEN, event_client_id=CLIENT, event_keys_url=peer.url
            ),
            clock=lambda: now[0],
        )
        peer.will(pem())
        only = {"x-adobe-digital-signature-1": ""}
        for at, fetched in ((NOW, 1), (NOW + timedelta(hours=23), 1), (NOW + timedelta(hours=24), 2)):
            now[0] = at
            await source.verify(by_adobe(event(), **only))
            assert len(peer.received) == fetched
        await source.aclose()


@pytest.mark.parametrize("first", [Answer(503), CutOff(), Answer(404), Answer(200, b"no key")])
async def test_one_signature_that_holds_is_enough_whatever_became_of_the_other(first):
    async with running_peer() as peer:
        source = magento(peer.url)
        peer.will(first, pem())
        await source.verify(by_adobe(event()))
        await source.aclose()


async def test_an_event_with_the_second_signature_alone_is_adobes():
    async with running_peer() as peer:
        source, request = magento(peer.url), by_adobe(event())
        alone = {
            name: value for name, value in request.headers.items() if "key1" not in name and "signature-1" not in name
        }
        peer.will(pem())
        await source.verify(request.model_copy(update={"headers": alone}))
        (delivery,) = source.deliveries(request.model_copy(update={"headers": alone}))
        assert delivery.id == "adobe:e-1"
        await source.aclose()


def test_keys_come_from_adobe_only():
    with pytest.raises(ValueError, match="EVENT_KEYS_URL"):
        magento(event_keys_url="https://keys.example.com")


async def test_the_challenge_is_answered_and_nothing_else_is_taken_for_one():
    source = magento()
    url = "https://shop.example/intake/shop/magento"
    tried = await source.greet(RawRequest(method="GET", url=f"{url}?challenge=8ec8d794-e0ab", headers={}, body=b""))
    assert json.loads(tried.body) == {"challenge": "8ec8d794-e0ab"}
    tried = await source.greet(RawRequest(url=url, headers={}, body=b'{"challenge": "abc"}'))
    assert json.loads(tried.body) == {"challenge": "abc"}
    for request in (
        RawRequest(method="GET", url=url, headers={}, body=b""),
        RawRequest(method="GET", url=f"{url}?challenge=<script>", headers={}, body=b""),
        by_adobe(b'{"challenge": "abc"}'),
        by_module(BODY),
    ):
        assert await source.greet(request) is None
    await source.aclose()
    deaf = magento(event_client_id=None)
    assert await deaf.greet(RawRequest(method="GET", url=f"{url}?challenge=a", headers={}, body=b"")) is None
    await deaf.aclose()


@pytest.mark.parametrize(
    ("body", "reading"),
    [
        (event(increment_id="000000361"), Hint(external_id="number:000000361")),
        (event().replace(b"sales_order_save", b"catalog_product_save"), Skipped),
        (event(status="pending"), InvalidInput),
    ],
)
async def test_what_an_event_says_is_read(body, reading):
    source = magento()
    (delivery,) = source.deliveries(by_adobe(body))
    if isinstance(reading, Hint):
        assert await source.read(delivery) == (reading,)
    elif reading is Skipped:
        assert isinstance((await source.read(delivery))[0], Skipped)
    else:
        with pytest.raises(InvalidInput, match="entity_id"):
            await source.read(delivery)
    await source.aclose()


async def test_a_module_signs_as_standard_webhooks_do():
    source = magento()
    await source.verify(by_module(BODY))
    (delivery,) = source.deliveries(by_module(BODY))
    assert (delivery.id, await source.read(delivery)) == ("module:msg_1", (snapshot(ORDER),))
    with pytest.raises(BadSignature):
        await source.verify(by_module(BODY, NOW - timedelta(minutes=6)))
    await source.aclose()
    deaf = magento(webhook_secret=None)
    with pytest.raises(BadSignature):
        await deaf.verify(by_module(BODY))
    await deaf.aclose()
