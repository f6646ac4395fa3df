"""Attacks that hold for every channel, each by its own conformance suite and its vendor's own signer."""

import json
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import replace
from datetime import UTC
from typing import NamedTuple
from urllib.parse import parse_qsl, urlencode, urlsplit

import httpx
import pytest
from pydantic import JsonValue, ValidationError

from orderack.errors import BadSignature, InvalidInput, OrderAckError
from orderack.gateway.app import create_app
from orderack.ports import ChannelEvent, Message, RawRequest
from tests.conformance.channel import NOW, HttpChannelConformance
from tests.conformance.peer import Received
from tests.gateway.attack_world import BOUNDLESS, NOWHERE, watched
from tests.gateway.channel_suites import POSTING, SENDING, SUITES
from tests.gateway.conftest import Gateway

every_channel = pytest.mark.parametrize("name", SUITES)
every_posting = pytest.mark.parametrize("name", POSTING)
every_sending = pytest.mark.parametrize("name", SENDING)

CHEAP = 120.0
"""Yardsticks that a stranger's largest body may cost: reading a mebibyte of arrays takes more."""


class Believing:
    """A channel whose vendor signs whatever it likes: only what it makes of the body is asked."""

    def __init__(self, channel: object) -> None:
        self._channel = channel

    def __getattr__(self, name: str) -> object:
        return getattr(self._channel, name)

    async def verify(self, request: RawRequest) -> None:
        """Every request is genuine."""


@asynccontextmanager
async def standing(gateway: Gateway, name: str, *, believed: bool = False) -> AsyncIterator[httpx.AsyncClient]:
    """The gateway with this one channel, which nobody limits."""
    channel = SUITES[name]().make(NOWHERE)
    found = Believing(channel) if believed else channel
    parts = replace(gateway.parts, channels={name: found}, rates=BOUNDLESS)  # type: ignore[dict-item]
    transport = httpx.ASGITransport(create_app(parts), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
        yield http
    await channel.aclose()


# -- whose it is ------------------------------------------------------------------------------------------------------

ROBES = {
    "x-hub-signature-256": "sha256=" + "0" * 64,
    "x-hub-signature": "sha1=" + "0" * 40,
    "x-twilio-signature": "AAAA",
    "x-line-signature": "",
    "x-viber-content-signature": "0" * 64,
    "x-telegram-bot-api-secret-token": "",
    "authorization": "Bearer eyJhbGciOiJub25lIn0.e30.",
    "webhook-signature": "v1,",
    "webhook-id": "1",
    "webhook-timestamp": "0",
    "x-slack-signature": "v0=",
    "x-slack-request-timestamp": "0",
}
"""Headers of vendors, proving nothing."""


@every_channel
async def test_nobody_is_heard_without_a_proof(gateway: Gateway, name: str) -> None:
    async with standing(gateway, name) as http:
        for body in (b"", b"{}", b"[]", b'{"clientState":"","value":[{"clientState":"","subscriptionId":"1"}]}'):
            for method in ("POST", "GET"):
                for headers in ({}, ROBES, dict.fromkeys(ROBES, ""), dict.fromkeys(ROBES, "None")):
                    answer = await http.request(method, f"/webhooks/{name}", content=body, headers=headers)
                    assert answer.status_code == 401, (method, body, headers)
    assert await gateway.inbox() == []


@every_posting
async def test_no_other_vendors_proof_is_taken(name: str) -> None:
    suite = POSTING[name]()
    async with suite.channel() as channel:
        for other, kind in POSTING.items():
            if other == name:
                continue
            stolen = kind().callback(next(iter(kind.statuses)))
            with pytest.raises(BadSignature):
                await channel.verify(stolen)


@every_posting
async def test_a_proof_that_comes_twice_is_none(name: str) -> None:
    """The gateway joins headers of one name with a comma, as HTTP says."""
    suite = POSTING[name]()
    async with suite.channel() as channel:
        genuine = suite.callback(next(iter(suite.statuses)))
        for key, value in genuine.headers.items():
            if key in ("content-type", "webhook-id", "webhook-signature"):  # this one is a list
                continue
            for twice in (f"{value}, {value}", f"forged, {value}", f"{value}, forged"):
                with pytest.raises(BadSignature):
                    await channel.verify(genuine.model_copy(update={"headers": {**genuine.headers, key: twice}}))


LARGE = {
    "arrays": b"[" + b"[]," * 300_000 + b"[]]",
    "below": b"[" + b"[]," * 80_000 + b"[]]",
    "objects": b'{"a":[' + b"{}," * 300_000 + b"{}]}",
    "fields": b"&".join(b"f%d=" % place for place in range(90_000)),
    "depth": b'{"a":' * 150_000,
    "digits": b'{"a":' + b"9" * 900_000 + b"}",
    "challenge": b'{"type":"url_verification","challenge":[' + b"{}," * 290_000 + b"{}]}",
    "nulls": b"\x00" * 1_000_000,
}


@every_channel
@pytest.mark.parametrize("large", LARGE)
async def test_a_strangers_largest_body_costs_little_and_is_refused(gateway: Gateway, name: str, large: str) -> None:
    async with standing(gateway, name) as http:
        async with watched() as watch:
            answer = await http.post(f"/webhooks/{name}", content=LARGE[large])
    assert answer.status_code == 401
    assert watch.longest < CHEAP


# -- what a vendor that holds its secret may send ---------------------------------------------------------------------

BENT = [
    *(b"", b"\x00", b"\xff\xfe", b"\xef\xbb\xbf{}", b"null", b"{}", b'""', b"NaN", b"-Infinity", b"9" * 5_000),
    *(b"[" * 100_000, b'{"a":' * 50_000, b'{"a":' + b"9" * 5_000 + b"}", b'{"a":"\\ud800"}', b"&" * 900, b"%ff%fe"),
    *(b'{"event":NaN,"event":1e999}', b'[{"a":"\\udfff"}]', b"payload=%7B", b'{"a":{},"a":[]}', b"a" * 100_000),
]
NESTED: JsonValue = json.loads('{"a": {"a": [1, null]}}')
WRONG: tuple[JsonValue, ...] = (
    *(None, 0, -1, 10**30, 1e308, True, "", " ", "x" * 10_000, "\x00", "é" * 1_500, [], {}, NESTED),
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", 253_402_300_799, 253_402_300_799_000, "٣", "NaN", "-1"),
    "a/b/1/confirmation/1/x",
)
SPOTS = 60
"""Values of a report that are bent, at most: a suite has to end."""


def spots(value: JsonValue, path: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """The path of every value in it."""
    yield path
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, one in inside:
        yield from spots(one, (*path, key))


def bent(value: JsonValue, path: tuple[str | int, ...], wrong: JsonValue) -> JsonValue:
    """The same with another value there."""
    if not path:
        return wrong
    first, *rest = path
    if isinstance(value, dict):
        return {key: bent(one, tuple(rest), wrong) if key == first else one for key, one in value.items()}
    assert isinstance(value, list)
    return [bent(one, tuple(rest), wrong) if place == first else one for place, one in enumerate(value)]


def bodies(genuine: bytes) -> Iterator[bytes]:
    """The report with each of its values wrong in every way."""
    try:
        document = json.loads(genuine)
    except ValueError:
        pairs = parse_qsl(genuine.decode(), keep_blank_values=True)
        for place, (key, value) in enumerate(pairs):
            inside = bodies(value.encode()) if value.startswith("{") else ()
            for wrong in (*(one if isinstance(one, str) else json.dumps(one) for one in WRONG), *inside):
                yield urlencode([*pairs[:place], (key, wrong), *pairs[place + 1 :]]).encode()
        return
    for path in list(spots(document))[:SPOTS]:
        for wrong in WRONG:
            yield json.dumps(bent(document, path, wrong)).encode()


@every_posting
async def test_whatever_is_wrong_in_a_report_is_refused_or_an_event_that_can_be_kept(name: str) -> None:
    suite = POSTING[name]()
    async with suite.channel() as channel:
        genuine = [suite.callback(status) for status in list(suite.statuses)[:3]]
        for request in genuine:
            for body in [*BENT, *bodies(request.body)]:
                events: Sequence[ChannelEvent] = ()
                with suppress(InvalidInput, ValidationError):  # as the route does
                    events = channel.events(request.model_copy(update={"body": body}))
                for event in events:
                    ChannelEvent.model_validate_json(event.model_dump_json())
                    assert event.occurred_at.astimezone(UTC).year >= 1970
                    assert not event.grade or event.grade.rank <= channel.traits.evidence_ceiling.rank, body[:300]


@every_posting
async def test_a_bent_report_is_a_4xx_or_recorded_and_never_an_error_of_ours(gateway: Gateway, name: str) -> None:
    suite = POSTING[name]()
    body = suite.callback(next(iter(suite.statuses))).body
    some = list(bodies(body))
    async with standing(gateway, name, believed=True) as http:
        for one in [*BENT, *some[:: max(1, len(some) // 20)]]:
            answer = await http.post(f"/webhooks/{name}", content=one)
            assert answer.status_code in (200, 401, 409, 422), (one[:300], answer.text)


@every_posting
async def test_events_of_two_channels_never_share_an_id(gateway: Gateway, name: str) -> None:
    """The same id from two vendors is two events: the inbox knows each by its channel."""
    event = ChannelEvent.model_validate({"id": "same", "event": "unknown", "grade": None, "occurred_at": NOW})
    for channel in (name, "another"):
        row = await gateway.ledger.receive(f"webhooks/{channel}", event.id, "channel_event", None, "{}", NOW)
        assert row.announced_at is None
    assert len(await gateway.inbox()) == 2


# -- what an order says, in what is sent ------------------------------------------------------------------------------

NASTY = (
    *("a\r\nX-Evil: 1", "../../evil", "..", "%2e%2e/", "a/b?c=d#e", "x' or Id != '", '" } mutation {x', "a\x00b"),
    *("<users/all> <!channel> <b>", "<script>alert(1)</script>", "{{ custom.x }}", "\u202eevil", "a,b;c", "٠١٢٣٤٥٦"),
    *("spaces/AAAA\n", "12345\n", "+15005550006\n", "C0123456789\n", f"U{'0' * 32}\n", 'x:y" created>1', "😀" * 40),
)


class Form(NamedTuple):
    """What of a request no order's data may change."""

    method: str
    segments: int
    query: tuple[str, ...]
    headers: tuple[str, ...]


def form_of(request: Received) -> Form:
    url = urlsplit(request.target)
    asked = tuple(key for key, _ in parse_qsl(url.query, keep_blank_values=True))
    return Form(request.method, url.path.count("/"), asked, tuple(sorted(request.headers)))


async def asked(suite: HttpChannelConformance, message: Message) -> list[Received]:
    """The requests of one send, whatever became of it."""
    async with suite.provider() as (peer, channel):
        peer.will(*suite.login, *suite.prelude, suite.accepted)
        with suppress(OrderAckError):
            await channel.send(message)
        return peer.received


def written(message: Message, nasty: str) -> Iterator[Message]:
    """The message with this wherever an order's data comes in; and with this as its recipient."""
    key, content = message.key, message.content
    ref = key.ref.model_copy(update={"number": nasty, "store": nasty})
    said = content.model_copy(update=dict.fromkeys(("subject", "text", "sms", "chat", "statement"), nasty))
    filled = {"key": key.model_copy(update={"ref": ref}), "content": said, "sender_name": nasty}
    yield message.model_copy(update=filled)
    yield message.model_copy(update={"recipient": nasty})


@every_sending
async def test_nothing_in_an_order_changes_the_form_of_a_request(name: str) -> None:
    suite = SENDING[name]()
    plain = [form_of(request) for request in await asked(suite, suite.message())]
    for nasty in NASTY:
        for message in written(suite.message(), nasty):
            requests = await asked(suite, message)
            assert [form_of(request) for request in requests] == plain[: len(requests)], nasty
            for request in requests:
                if "json" in request.headers.get("content-type", ""):
                    json.loads(request.body)


def test_every_channel_that_takes_posts_is_attacked() -> None:
    assert {"slack", "telegram", "line", "viber", "messenger", "whatsapp", "google_chat"} <= set(POSTING)
    assert len(SENDING) >= 25
