"""Bodies that no honest program sends, by whoever holds a key: refused in our words, quickly, and never repeated."""

import gzip
import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import structlog

from orderack.domain.intake import MAX_LINES
from orderack.gateway.requests import MAX_BYTES
from orderack.telemetry import logs
from tests.gateway.attack_world import TOO_LONG, armed, watched
from tests.gateway.conftest import ERP_KEY, KEY, OTHER_KEY, Gateway
from tests.gateway.page_world import a_buyer
from tests.temporal.server import now
from tests.workflows.orders import an_order

JSON = {"content-type": "application/json", "x-api-key": KEY}
ADA = "ada.secret@example.com"


@pytest.fixture
async def world(gateway: Gateway) -> AsyncIterator[Gateway]:
    async with armed(gateway) as found:
        yield found


def order(**more: object) -> dict[str, object]:
    return an_order("1001", now()).model_dump(mode="json") | more


def bytes_of(**more: object) -> bytes:
    return json.dumps(order(**more)).encode()


WHOLE = bytes_of()
BENT = [
    *(b"", b"\x00", b" " * MAX_BYTES, b"null", b"[]", b"{}", b'""', b"NaN", b"[" * 100_000, b'{"a":' * 50_000),
    *(WHOLE[:-1], WHOLE[: len(WHOLE) // 2], WHOLE + b"}", WHOLE + WHOLE, WHOLE.decode().encode("utf-16")),
    *(
        WHOLE.decode().encode("utf-32"),
        b"\xff\xfe" + WHOLE,
        gzip.compress(WHOLE),
        WHOLE.replace(b"1001", b"\xed\xa0\x80"),
    ),
    *(WHOLE.replace(b"1001", bad) for bad in (b"\xc0\xaf", b"\xe9", b"\\ud800", b"\\u0000", b"\\u202e", b"a\\nb")),
    *(
        WHOLE[:-1] + tail
        for tail in (b',"number":"2"}', b',"\\ud800":1}', b',"x":NaN}', b',"x":-Infinity}', b',"x":1e999}')
    ),
    b'{"number":' + b"9" * 200_000 + b"}",
    b'{"number":1.' + b"9" * 200_000 + b"}",
    b"{" + b",".join(b'"k%d":1' % n for n in range(20_000)) + b"}",
    b"{" + b",".join(b'"' + b"quantiti" * 25 + b'%d":1' % n for n in range(1_000)) + b"}",
    b'{"' + b"k" * 200_000 + b'":1}',
    json.dumps({"lines": [{}] * MAX_LINES}).encode(),
    json.dumps({"lines": [[]] * 60_000}).encode(),
    json.dumps({"external_ids": [1] * 80_000}).encode(),
    *(
        bytes_of(**{name: value})
        for name in ("number", "trigger_at", "totals")
        for value in (None, [], {}, True, 1e308)
    ),
    *(
        bytes_of(trigger_at=at)
        for at in ("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "٢٠٢٦-11-21T00:00:00Z")
    ),
    *(bytes_of(number=number) for number in ("x" * 201, " ", "a\r\nSet-Cookie: a=b", "\u2028", "../../../etc", ADA)),
    bytes_of(contacts={"email": ADA, "language": "x" * 9_000, "phone": "not a number " + ADA}),
]


@pytest.mark.parametrize("path", ["/intake/demo", "/receipts/sandbox", "/attestations/demo/1001"])
async def test_whatever_a_key_holder_sends_is_refused_in_our_words_or_taken(world: Gateway, path: str) -> None:
    await a_buyer(world)
    key = ERP_KEY if path.startswith("/receipts") else KEY
    for body in BENT:
        async with watched() as watch:
            answer = await world.http.post(path, content=body, headers=JSON | {"x-api-key": key})
        assert answer.status_code in (202, 403, 409, 413, 422), (body[:100], answer.status_code)
        assert watch.longest < TOO_LONG, body[:60]
        assert ADA not in answer.text or answer.status_code == 202
        assert len(answer.content) < 40_000
        assert "set-cookie" not in answer.headers


@pytest.mark.parametrize("path", ["/intake/demo", "/receipts/sandbox", "/attestations/demo/1001", "/orders/demo/1001"])
@pytest.mark.parametrize("key", ["", " ", "x", "é", "\xff" * 4_000, KEY[:-1], KEY + " x", KEY.upper(), OTHER_KEY])
async def test_no_key_but_the_stores_own_opens_it(world: Gateway, path: str, key: str) -> None:
    verb = "GET" if path.startswith("/orders") else "POST"
    for headers in ({"x-api-key": key}, {"authorization": f"Bearer {key}"}, {"authorization": key}):
        raw = {
            name: value.encode("latin-1") for name, value in ({"content-type": "application/json"} | headers).items()
        }
        answer = await world.http.request(verb, path, content=WHOLE, headers=raw)
        padded = key.strip() == KEY
        assert answer.status_code in (401, 403) or padded, headers
    assert not world.orders.submitted
    assert not await world.inbox()


@pytest.mark.parametrize(
    "number",
    [
        "%00",
        "%0d%0aSet-Cookie:a=b",
        "..%2f..",
        "%2e%2e",
        "%ed%a0%80",
        "%ff",
        "a%2fb",
        "x" * 8_192,
        "%F0%9F%8D%B5",
        "%20",
    ],
)
async def test_an_orders_address_is_a_name_and_nothing_else(world: Gateway, number: str) -> None:
    for path in (f"/orders/demo/{number}", f"/orders/{number}/1", f"/orders/demo//{number}"):
        answer = await world.http.get(path, headers=JSON)
        assert answer.status_code in (404, 422)
        assert "set-cookie" not in answer.headers
    body = {"id": "a1", "revision": 1, "content_hash": "x", "what": "receipt", "method": "login", "reference": "r"}
    said = json.dumps(body | {"occurred_at": "2026-11-20T09:30:00Z"}).encode()
    answer = await world.http.post(f"/attestations/demo/{number}", content=said, headers=JSON)
    assert answer.status_code in (404, 422)


@pytest.mark.parametrize("number", ["é" * 200, "🍵" * 100, "/" * 200 + "é" * 20])
async def test_a_number_that_no_workflow_can_bear_is_refused_and_never_waits(world: Gateway, number: str) -> None:
    assert (await world.http.post("/intake/demo", content=bytes_of(number=number), headers=JSON)).status_code == 422
    receipt = {"id": "r", "erp": "sandbox", "store": "demo", "number": number, "document_id": "d"}
    body = json.dumps(receipt | {"recorded_at": "2026-11-20T09:30:00Z"}).encode()
    answer = await world.http.post("/receipts/sandbox", content=body, headers=JSON | {"x-api-key": ERP_KEY})
    assert answer.status_code == 422
    assert not await world.inbox()


@pytest.mark.parametrize("number", ["a\r\nX: y", "//evil.example", "?x=1#y", "%2e%2e", "{t}", "é\u2028"])
async def test_an_orders_number_forges_no_address(world: Gateway, number: str) -> None:
    answer = await world.http.post("/intake/demo", content=bytes_of(number=number), headers=JSON)
    if answer.status_code == 202:
        rest = answer.json()["status_url"].removeprefix("https://shop.example/orders/demo/")
        assert not set(rest) & set("/?# \r\n")
    else:
        assert answer.status_code == 422


async def test_nothing_that_was_sent_is_written_to_the_log(
    world: Gateway, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    logs.configure()
    try:
        buyer = await a_buyer(world)
        world.orders.away = True
        for body in BENT[-12:]:
            await world.http.post("/intake/demo", content=body, headers=JSON)
        await buyer.sends("question", text=f"call me: {ADA} +15005550006")

        async def breaks(*_: object) -> None:
            secret = f"{ADA} +15005550006"
            raise ValueError(secret)

        monkeypatch.setattr(type(world.ledger), "order", breaks)
        assert (await buyer.opens()).status_code == 500
        log = structlog.get_logger("test")
        try:
            await breaks()
        except ValueError:
            log.exception("a job failed")
    finally:
        structlog.reset_defaults()
    written = "".join(capfd.readouterr())
    assert "request failed unexpectedly" in written
    assert "ValueError at " in written
    assert Path(__file__).name in written
    for secret in (ADA, "5005550006", buyer.token, KEY, "call me"):
        assert secret not in written
