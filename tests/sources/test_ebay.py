"""eBay: notifications and their signature, orders as they are fetched and looked up."""

import asyncio
import base64
import hashlib
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from decimal import Decimal
from functools import cache
from pathlib import Path
from urllib.parse import parse_qs

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from orderack.errors import BadSignature, Unavailable
from orderack.ports import Delivery, Hint, RawRequest, Skipped, Source
from orderack.sources._ebay_signature import KEPT, MOST_KEYS
from orderack.sources.ebay import KEYS, Ebay
from tests.conformance.peer import Answer, CutOff, json_answer, running_peer
from tests.conformance.source import NOW, Sample, SampleConformance, SourceConformance
from tests.payloads import payload
from tests.sources.ebay_bodies import SECRETS, TOKEN, ebay

TOLD = payload("ebay/order_confirmation.json")


VECTORS = json.loads(payload("ebay/signature_test_vectors.json"))


URL = "https://shop.example/intake/shop/ebay"


KID = "9936261a-7d7b-4621-a0f1-96ccb428af49"


@cache
def key() -> ec.EllipticCurvePrivateKey:
    return ec.generate_private_key(ec.SECP256R1())


def pem(public: ec.EllipticCurvePublicKey | rsa.RSAPublicKey | None = None) -> str:
    """On one line, as eBay gives it."""
    found = public or key().public_key()
    return found.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode().replace("\n", "")


def header(signed: bytes, digest: str = "SHA1", **more: str) -> str:
    algorithm = {"SHA1": hashes.SHA1, "SHA256": hashes.SHA256}.get(digest, hashes.SHA1)()
    signature = base64.b64encode(key().sign(signed, ec.ECDSA(algorithm))).decode()
    return base64.b64encode(
        json.dumps({"alg": "ecdsa", "kid": KID, "signature": signature, "digest": digest, **more}).encode()
    ).decode()


def posted(body: bytes, signature: str) -> RawRequest:
    return RawRequest(url=URL, headers={"x-ebay-signature": signature}, body=body)


def knowing(source: Ebay) -> Ebay:
    source._keys.keep(KID, key().public_key(), NOW)
    return source


class TestEbay(SourceConformance):
    name = "ebay"
    secrets = SECRETS
    required = ("client_id", "client_secret", "refresh_token", "verification_token")
    body = TOLD
    """With the spaces of a page, signed as it is: then one space more is another body."""

    def make(self, base_url: str = "http://127.0.0.1:9") -> Source:
        return knowing(ebay(base_url))

    def signed(self, body: bytes, at: datetime = NOW) -> RawRequest:
        return posted(body, header(body))


class TestSamples(SampleConformance):
    folder = "ebay"

    def source(self) -> Source:
        return ebay()

    def samples(self, path: Path) -> Sequence[Sample] | str:
        body = json.loads(path.read_bytes())
        orders = body.get("orders", [body])
        found = [one for one in orders if "lineItems" in one]
        if not found:
            return "a notification, or a signature's test: what it is about has to be fetched"
        return [
            Sample(
                f"{path.name} {one['orderId']}",
                Delivery(id=one["orderId"], body=json.dumps(one)),
                Decimal(one["pricingSummary"]["total"]["value"]),
            )
            for one in found
        ]


# -- the signature --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "fate"),
    [("VALID", None), ("INVALID", BadSignature), ("SIGNATURE_MISMATCH", BadSignature), ("ERROR", Unavailable)],
)
async def test_ebays_own_vectors_hold_or_fail_as_ebay_says(name: str, fate: type[Exception] | None) -> None:
    vector = VECTORS[name]
    body = json.dumps(vector["message"], separators=(",", ":")).encode()
    async with running_peer() as peer:
        answer = json_answer(200, vector["response"]) if vector["response"] else Answer(500, b"")
        peer.will(TOKEN, answer)
        source = ebay(peer.url)
        if fate is None:
            await source.verify(posted(body, vector["signature"]))
            spaced = json.dumps(vector["message"], indent=2).encode()
            await source.verify(posted(spaced, vector["signature"]))
            assert len(peer.received) == 2, "the key is kept"
        else:
            with pytest.raises(fate):
                await source.verify(posted(body, vector["signature"]))
        await source.aclose()
        kid = json.loads(base64.b64decode(vector["signature"]))["kid"]
        assert peer.received[1].target == f"{KEYS}/{kid}"
        assert peer.received[1].headers["authorization"] == "Bearer v^1.1#token"
        form = parse_qs(peer.received[0].body.decode())
        assert form == {
            "grant_type": ["client_credentials"],
            "scope": ["https://api.ebay.com/oauth/api_scope"],
        }


@pytest.mark.parametrize("digest", ["SHA1", "SHA256"])
async def test_the_digest_is_the_one_that_is_named_and_the_bytes_may_be_those_that_came_or_json_anew(
    digest: str,
) -> None:
    compact = json.dumps(json.loads(TOLD), ensure_ascii=False, separators=(",", ":")).encode()
    unicode = '{"title":"緑茶 – é","n":1}'.encode()
    source = knowing(ebay())
    await source.verify(posted(TOLD, header(TOLD, digest)))
    await source.verify(posted(TOLD, header(compact, digest)))
    await source.verify(posted(json.dumps(json.loads(unicode)).encode(), header(unicode, digest)))
    other = "SHA256" if digest == "SHA1" else "SHA1"
    lying = json.loads(base64.b64decode(header(TOLD, digest))) | {"digest": other}
    with pytest.raises(BadSignature):
        await source.verify(posted(TOLD, base64.b64encode(json.dumps(lying).encode()).decode()))
    await source.aclose()


@pytest.mark.parametrize(
    "signature",
    [
        "",
        "no base64!",
        base64.b64encode(b"no json").decode(),
        base64.b64encode(b"{}").decode(),
        header(TOLD, digest="MD5"),
        header(TOLD, alg="none"),
        header(TOLD, kid="../../secrets"),
        header(TOLD, kid="http://evil.example/key"),
        header(TOLD, signature="not base64"),
        header(TOLD, signature=""),
        header(TOLD[:-1]),
    ],
)
async def test_a_signature_that_is_none_is_not_believed_and_asks_nobody(signature: str) -> None:
    source = knowing(ebay())
    with pytest.raises(BadSignature):
        await source.verify(posted(TOLD, signature))
    await source.aclose()


@pytest.mark.parametrize("answer", [json_answer(404, {"errors": [{"errorId": 195001}]}), json_answer(400, {})])
async def test_a_key_that_ebay_does_not_have_is_asked_for_once(answer: Answer) -> None:
    async with running_peer() as peer:
        peer.will(TOKEN, answer)
        source = ebay(peer.url)
        for _ in range(3):
            with pytest.raises(BadSignature):
                await source.verify(posted(TOLD, header(TOLD)))
        assert len(peer.received) == 2
        await source.aclose()


async def test_of_many_strange_keys_at_once_no_more_are_asked_for_than_one_by_one() -> None:
    async with running_peer() as peer:
        source = ebay(peer.url)
        peer.will(TOKEN, json_answer(404, {}))
        posts = [posted(TOLD, header(TOLD, kid=f"none-{number}")) for number in range(3 * MOST_KEYS)]
        fates = await asyncio.gather(*(source.verify(post) for post in posts), return_exceptions=True)
        await source.aclose()
    assert {type(fate) for fate in fates} == {BadSignature, Unavailable}
    assert len(peer.received) == 1 + MOST_KEYS


async def test_of_many_keys_that_are_none_no_more_are_asked_for_but_a_good_one_is_renewed() -> None:
    async with running_peer() as peer:
        source = knowing(ebay(peer.url))
        peer.will(TOKEN, json_answer(404, {}))
        for number in range(MOST_KEYS):
            with pytest.raises(BadSignature):
                await source.verify(posted(TOLD, header(TOLD, kid=f"none-{number}")))
        with pytest.raises(Unavailable):
            await source.verify(posted(TOLD, header(TOLD, kid="one-more")))
        assert len(peer.received) == 1 + MOST_KEYS
        source.test_clock[0] = NOW + KEPT - timedelta(seconds=1)
        await source.verify(posted(TOLD, header(TOLD)))
        assert len(peer.received) == 1 + MOST_KEYS
        source.test_clock[0] = NOW + KEPT + timedelta(seconds=1)
        peer.will(json_answer(200, {"key": pem(), "algorithm": "ECDSA", "digest": "SHA1"}))
        await source.verify(posted(TOLD, header(TOLD)))
        assert peer.received[-1].target == f"{KEYS}/{KID}"
        await source.aclose()


@pytest.mark.parametrize(
    "answer",
    [
        CutOff(),
        json_answer(500, {}),
        json_answer(429, {}),
        json_answer(200, {"key": "-----BEGIN PUBLIC KEY-----AAAA-----END PUBLIC KEY-----"}),
        json_answer(200, {"key": "none"}),
        json_answer(200, {"key": pem(rsa.generate_private_key(65537, 2048).public_key())}),
        Answer(200, b"<html>"),
    ],
)
async def test_while_the_key_cannot_be_had_nothing_is_lost(answer: Answer | CutOff) -> None:
    async with running_peer() as peer:
        peer.will(TOKEN, answer)
        source = ebay(peer.url)
        with pytest.raises(Unavailable):
            await source.verify(posted(TOLD, header(TOLD)))
        await source.aclose()


async def test_the_challenge_is_answered_with_the_hash_of_code_token_and_address() -> None:
    source = ebay()
    greeting = await source.greet(
        RawRequest(method="GET", url=f"{URL}?challenge_code=71745723-d031-455c-bfa5-f90d11b4f20a", headers={}, body=b"")
    )
    assert greeting is not None
    expected = hashlib.sha256(f"71745723-d031-455c-bfa5-f90d11b4f20a{SECRETS[2]}{URL}".encode()).hexdigest()
    assert json.loads(greeting.body) == {"challengeResponse": expected}
    assert greeting.media_type == "application/json"
    assert await source.greet(RawRequest(method="GET", url=URL, headers={}, body=b"")) is None
    assert await source.greet(posted(TOLD, header(TOLD))) is None
    await source.aclose()


async def test_a_notification_is_a_hint_by_its_own_id() -> None:
    source = ebay()
    (delivery,) = source.deliveries(posted(TOLD, header(TOLD)))
    again = json.loads(TOLD)
    again["notification"]["publishAttemptCount"] = 2
    (second,) = source.deliveries(posted(json.dumps(again).encode(), ""))
    assert delivery.id == second.id == json.loads(TOLD)["notification"]["notificationId"]
    assert await source.read(delivery) == [Hint(external_id="12-34567-89012")]
    await source.aclose()


async def test_a_notification_of_another_topic_is_skipped() -> None:
    source = ebay()
    body = json.dumps(VECTORS["VALID"]["message"]).encode()
    (delivery,) = source.deliveries(posted(body, ""))
    (found,) = await source.read(delivery)
    assert isinstance(found, Skipped)
    await source.aclose()
