"""Attacks on `/intake/{store}/{system}`: by strangers, by other systems, and by whoever holds a system's own secret."""

import asyncio
import contextlib
import gzip
import itertools
import json
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import replace
from functools import lru_cache

import httpx
import pytest
import structlog
from sqlalchemy import select

from orderack.errors import Misconfigured, Unavailable
from orderack.gateway.app import create_app
from orderack.gateway.rates import Rates
from orderack.intake.deliveries import KIND, inbox_of
from orderack.intake.memory import recall
from orderack.ledger.tables import Inbox
from orderack.ports import RawRequest, Source
from tests.gateway.attack_world import BOUNDLESS, TOO_LONG, watched
from tests.gateway.conftest import Gateway
from tests.gateway.source_suites import POSTING

NAMES = sorted(POSTING)
STORE = "shop"
PROOFS = frozenset(
    {
        *("webhook-id", "webhook-timestamp", "x-wc-webhook-signature", "x-shopify-hmac-sha256"),
        *("x-ebay-signature", "x-hubspot-signature-v3", "x-hubspot-request-timestamp", "authorization"),
        *("x-twilio-email-event-webhook-signature", "x-twilio-email-event-webhook-timestamp", "x-orderack-secret"),
    }
)
"""Headers that prove something, and nothing once there are two. (`webhook-signature` may hold several by itself.)"""


@asynccontextmanager
async def armed(gateway: Gateway, *names: str, rates: Rates = BOUNDLESS) -> AsyncIterator[Gateway]:
    """The gateway with these systems connected, at the address that the first one's signatures are for; a 500 is an
    answer, not an error of the test."""
    made: dict[str, Source] = {f"{STORE}/{name}": POSTING[name]().make() for name in names}
    recall(made, gateway.ledger, gateway.clock)
    public = httpx.URL(POSTING[names[0]]().signed(b"{}").url).join("/")
    parts = replace(gateway.parts, sources=made, rates=rates, public_url=str(public))
    transport = httpx.ASGITransport(create_app(parts), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
        yield Gateway(parts, http, gateway.orders, gateway.ledger, gateway.clock)
    await asyncio.gather(*parts.under_way)
    for source in made.values():
        await source.aclose()


async def sends(gateway: Gateway, name: str, request: RawRequest, **more: str) -> httpx.Response:
    return await gateway.http.post(f"/intake/{STORE}/{name}", content=request.body, headers={**request.headers, **more})


async def rows_of(gateway: Gateway, source: str) -> int:
    async with gateway.ledger._database.read() as session:
        return len((await session.execute(select(Inbox).filter_by(source=source, kind=KIND))).all())


async def nothing_is_kept(gateway: Gateway) -> bool:
    return not await gateway.inbox() and not gateway.orders.submitted


@pytest.mark.parametrize("name", NAMES)
async def test_nobody_is_heard_without_a_proof(gateway: Gateway, name: str) -> None:
    suite = POSTING[name]()
    async with armed(gateway, name) as world:
        signed = suite.signed(suite.body)
        kinds = {key: value for key, value in signed.headers.items() if key == "content-type"}
        for headers in ({}, kinds, {"authorization": "Basic Og=="}, dict.fromkeys(signed.headers, ""),
                        dict.fromkeys(signed.headers, "~")):  # fmt: skip
            answer = await sends(world, name, RawRequest(url=signed.url, headers=headers, body=b'{"id": 1}'))
            assert answer.status_code in (401, 503), (headers, answer.text)
        assert await nothing_is_kept(world)


@pytest.mark.parametrize("name", NAMES)
async def test_no_other_systems_proof_is_taken(gateway: Gateway, name: str) -> None:
    own = set(POSTING[name].secrets)
    async with armed(gateway, name) as world:
        for signer in NAMES:
            suite = POSTING[signer]()
            if not own & set(suite.secrets):
                answer = await sends(world, name, suite.signed(suite.body))
                assert answer.status_code == 401, signer
        assert await nothing_is_kept(world)


@pytest.mark.parametrize("name", NAMES)
async def test_a_proof_that_comes_twice_is_none(gateway: Gateway, name: str) -> None:
    suite = POSTING[name]()
    signed = suite.signed(suite.body)
    async with armed(gateway, name) as world:
        for key, value in signed.headers.items():
            twice = [*signed.headers.items(), (key, value)]
            answer = await world.http.post(f"/intake/{STORE}/{name}", content=signed.body, headers=twice)
            assert answer.status_code == 401 or key not in PROOFS


@pytest.mark.parametrize("name", NAMES)
async def test_a_header_is_one_however_it_is_written(gateway: Gateway, name: str) -> None:
    suite = POSTING[name]()
    signed = suite.signed(suite.body)
    async with armed(gateway, name) as world:
        loud = {key.upper(): value for key, value in signed.headers.items()}
        answer = await world.http.post(f"/intake/{STORE}/{name}", content=signed.body, headers=loud)
        assert answer.status_code == 200, answer.text


@pytest.mark.parametrize("name", NAMES)
async def test_what_is_packed_is_not_unpacked_and_what_is_too_large_is_not_read(gateway: Gateway, name: str) -> None:
    suite = POSTING[name]()
    async with armed(gateway, name) as world:
        packed = suite.signed(gzip.compress(b" " * 10_000_000))
        for encoding in ("gzip", "br", "deflate, gzip"):
            assert (await sends(world, name, packed, **{"content-encoding": encoding})).status_code == 415
        most = world.parts.sources[f"{STORE}/{name}"].traits.max_body

        async def endless() -> AsyncIterator[bytes]:
            while True:
                yield b" " * 65_536

        answer = await world.http.post(f"/intake/{STORE}/{name}", content=endless())
        assert answer.status_code == 413
        assert most <= 32 * 1024 * 1024
        assert await nothing_is_kept(world)


LARGE: Mapping[str, Callable[[int], bytes]] = {
    "spaces": lambda size: b" " * size,
    "deep lists": lambda size: b"[" * size,
    "deep objects": lambda size: b'{"a":' * (size // 5),
    "one long text": lambda size: b'{"id":"' + b"x" * (size - 9) + b'"}',
    "one long number": lambda size: b'{"id":' + b"9" * (size - 7) + b"}",
    "many keys": lambda size: b"{" + b",".join(b'"%d":1' % n for n in range(size // 14)) + b"}",
    "one key often": lambda size: b"{" + b",".join([b'"id":1'] * (size // 8)) + b"}",
    "many lines": lambda size: b'{"id":1,"line_items":[' + b",".join([b"{}"] * (size // 4)) + b"]}",
    "no text": lambda size: b"\xff" * size,
}


@lru_cache(maxsize=2)  # of one kind after the other, in the few sizes that sources have
def large_body(kind: str, size: int) -> bytes:
    return LARGE[kind](size)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("large", LARGE)
async def test_a_strangers_largest_body_costs_little_and_is_refused(gateway: Gateway, name: str, large: str) -> None:
    async with armed(gateway, name) as world:
        most = world.parts.sources[f"{STORE}/{name}"].traits.max_body
        body = large_body(large, most - 100)
        headers = dict(POSTING[name]().signed(b"{}").headers)
        async with watched() as watch:
            answer = await sends(world, name, RawRequest(url="https://x.example", headers=headers, body=body))
        assert answer.status_code in (401, 413)
        assert watch.longest < TOO_LONG, watch.longest
        assert await nothing_is_kept(world)


HOSTILE = (
    *(b"[" * 100_000, b'{"a":' * 100_000, b'{"id":' + b"[" * 50_000 + b"]" * 50_000 + b"}"),
    *(b'{"id":1e400}', b'{"id":1e-400}', b'{"id":NaN}', b'{"id":-Infinity}', b'{"id":' + b"9" * 10_000 + b"}"),
    *(b'{"id":1,"id":2}', b'{"id":"1","line_items":[{"quantity":1e400}]}', b'{"id":"\\ud800"}', b'{"id":"\\u0000"}'),
    *(b"\xef\xbb\xbf{}", "{}".encode("utf-16"), b"\x00", b"null", b'""', b"0", b"{}" * 1_000, b"ISA*" * 1_000),
)
"""What somebody signs who holds the secret: no parser of ours may fall over it."""


@pytest.mark.parametrize("name", NAMES)
async def test_whatever_a_system_signs_is_refused_or_kept_and_told_to_the_end(
    gateway: Gateway, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    suite = POSTING[name]()
    async with armed(gateway, name) as world:
        for place, body in enumerate(HOSTILE):
            answer = await sends(world, name, suite.signed(body))
            assert answer.status_code in (200, 401, 413, 422), (place, answer.text)
        await asyncio.gather(*world.parts.under_way)
        with structlog.testing.capture_logs() as logs:
            for row in await world.inbox():
                with contextlib.suppress(Unavailable, Misconfigured):
                    await world.parts.intake.announce(row)
        assert not [line for line in logs if line["log_level"] == "error"]
        assert not world.orders.submitted


@pytest.mark.parametrize("name", NAMES)
async def test_the_very_same_request_at_once_and_again_is_recorded_once(gateway: Gateway, name: str) -> None:
    suite = POSTING[name]()
    signed = suite.signed(suite.body)
    async with armed(gateway, name) as world:
        answers = await asyncio.gather(*(sends(world, name, signed) for _ in range(5)))
        assert {answer.status_code for answer in answers} == {200}
        await asyncio.gather(*world.parts.under_way)
        assert len(world.orders.submitted) <= 1
        source = world.parts.sources[f"{STORE}/{name}"]
        kept = await rows_of(world, inbox_of(source.connection.store, source.connection.system))
        assert kept == len({one.id for one in source.deliveries(signed)})


@pytest.mark.parametrize("name", NAMES)
async def test_who_guesses_signatures_is_stopped_and_the_system_itself_is_not(gateway: Gateway, name: str) -> None:
    suite = POSTING[name]()
    async with armed(gateway, name, rates=replace(BOUNDLESS, guesses=5)) as world:
        transport = httpx.ASGITransport(create_app(world.parts), client=("203.0.113.7", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as stranger:
            said = [(await stranger.post(f"/intake/{STORE}/{name}", content=b"{}")).status_code for _ in range(8)]
        assert said == [401] * 5 + [429] * 3
    async with armed(gateway, name, rates=replace(BOUNDLESS, provider=3)) as world:
        for _ in range(10):
            assert (await world.http.post(f"/intake/{STORE}/{name}", content=b"{}")).status_code == 401
        said = [(await sends(world, name, suite.signed(suite.body))).status_code for _ in range(4)]
        assert said == [200, 200, 200, 429], "a connection has a share of its own, which strangers do not use up"


MARKUP = "<script>alert(1)</script>"


@pytest.mark.parametrize("name", NAMES)
async def test_a_greeting_is_no_page_and_leads_nowhere(gateway: Gateway, name: str) -> None:
    words = ("challenge", "challenge_code", "hub.challenge", "validationToken", "echostr", "SubscribeURL", "redirect")
    async with armed(gateway, name) as world:
        for word, value in itertools.product(words, (MARKUP, "https://evil.example/", "a\r\nSet-Cookie: x=y")):
            query = {"hub.mode": "subscribe", "hub.verify_token": "x", word: value}
            for method, body in (
                ("GET", b""),
                ("POST", json.dumps({word: value, "type": "url_verification"}).encode()),
            ):
                answer = await world.http.request(method, f"/intake/{STORE}/{name}", params=query, content=body)
                assert "html" not in answer.headers["content-type"]
                assert answer.headers["x-content-type-options"] == "nosniff"
                assert not {"location", "set-cookie"} & set(answer.headers)
                assert value not in answer.text
        assert await nothing_is_kept(world)
