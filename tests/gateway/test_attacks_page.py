"""The buyer's page under attack: floods, other sites, hostile words, other verbs. One form is one word."""

import asyncio
import time
from collections.abc import AsyncIterator

import httpx
import pytest

from orderack.domain.acknowledgement import Kind, SendKey
from orderack.gateway.app import create_app
from orderack.touch_links import TouchLink
from orderack.touches import What
from tests.gateway.attack_world import TOO_LONG, armed, watched
from tests.gateway.conftest import KEY, PUBLIC, Gateway
from tests.gateway.page_world import Buyer, a_buyer, words
from tests.gateway.test_page_hostile import harmless, untouched
from tests.temporal.server import now

MUST = {
    "cache-control": "no-store",
    "x-content-type-options": "nosniff",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
    "x-robots-tag": "noindex, nofollow",
}


@pytest.fixture
async def buyer(gateway: Gateway) -> AsyncIterator[Buyer]:
    async with armed(gateway) as world:
        yield await a_buyer(world)


# -- floods -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("posts", [50, pytest.param(300, marks=pytest.mark.long)])
async def test_many_posts_of_one_form_are_one_request_and_one_signal(buyer: Buyer, posts: int) -> None:
    answers = await asyncio.gather(*(buyer.sends("affirm", form="the one") for _ in range(posts)))
    assert {answer.status_code for answer in answers} == {303}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert len(buyer.gateway.orders.facts) == 1
    assert len(await buyer.facts()) == 1


@pytest.mark.parametrize("posts", [30, pytest.param(100, marks=pytest.mark.long)])
async def test_a_question_that_is_sent_many_times_at_once_is_asked_once(buyer: Buyer, posts: int) -> None:
    async with watched() as watch:
        await asyncio.gather(*(buyer.sends("question", form="the one", text="When?") for _ in range(posts)))
    assert [question.text for question in buyer.gateway.orders.questions] == ["When?"]
    assert watch.longest < TOO_LONG


@pytest.mark.parametrize("opens", [100, pytest.param(1_000, marks=pytest.mark.long)])
async def test_many_opens_change_nothing_and_hold_up_nobody(buyer: Buyer, opens: int) -> None:
    slowest, at_once = 0.0, asyncio.Semaphore(250)  # of more, a slow machine's last would wait longer than they may

    async def one() -> httpx.Response:
        async with at_once:
            return await buyer.opens()

    opening = asyncio.gather(*(one() for _ in range(opens)))
    while not opening.done():
        before = time.perf_counter()
        assert (await buyer.gateway.http.get("/healthz")).status_code == 200
        slowest = max(slowest, time.perf_counter() - before)
        await asyncio.sleep(0.02)
    assert {answer.status_code for answer in await opening} == {200}
    assert await untouched(buyer)
    assert slowest < 30


async def test_a_thousand_opens_of_one_picture_are_kept_within_bounds(buyer: Buyer) -> None:
    key = SendKey(ref=buyer.order.ref, revision=1, kind=Kind.CONFIRMATION, n=1, channel="email")
    token = buyer.gateway.parts.touch_links.token(TouchLink(key=key, what=What.PIXEL, made_at=now()))
    answers = await asyncio.gather(*(buyer.gateway.http.get(f"/t/{token}") for _ in range(1_000)))
    assert {answer.status_code for answer in answers} == {200}
    assert await untouched(buyer)


# -- other sites ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("site", ["cross-site", "same-site"])
@pytest.mark.parametrize("action", ["affirm", "answer", "question", "change", "cancel"])
async def test_a_form_on_somebody_elses_page_says_nothing_for_the_buyer(buyer: Buyer, site: str, action: str) -> None:
    fields = {"revision": "1", "form": "x", "text": "x", "sure": "yes", "all": "accept", "quantity-1": "1"}
    answer = await buyer.gateway.http.post(
        f"/o/{buyer.token}/{action}", data=fields, headers={"sec-fetch-site": site, "origin": "https://evil.example"}
    )
    assert answer.status_code == 422
    assert "Nothing was changed" in words(answer)
    assert await untouched(buyer)


@pytest.mark.parametrize(
    "headers", [{"sec-fetch-site": "same-origin", "origin": "null"}, {"sec-fetch-site": "none"}, {}]
)
async def test_the_pages_own_form_does(buyer: Buyer, headers: dict[str, str]) -> None:
    data = {"revision": "1", "form": "x"}
    answer = await buyer.gateway.http.post(f"/o/{buyer.token}/affirm", data=data, headers=headers)
    assert answer.status_code == 303
    assert len(buyer.gateway.orders.facts) == 1


async def test_nobody_can_frame_or_restyle_the_page_or_have_its_forms_sent_elsewhere(buyer: Buyer) -> None:
    policy = (await buyer.opens()).headers["content-security-policy"]
    for word in ("default-src 'none'", "frame-ancestors 'none'", "base-uri 'none'", "form-action 'self'"):
        assert word in policy
    assert "unsafe" not in policy
    assert "script-src" not in policy


# -- verbs and headers ------------------------------------------------------------------------------------------------


async def test_head_is_the_page_without_its_body_and_changes_nothing(buyer: Buyer) -> None:
    opened = await buyer.opens()
    head = await buyer.gateway.http.head(f"/o/{buyer.token}")
    assert head.status_code == 200
    for name in ("content-type", "content-security-policy", "cache-control"):
        assert head.headers[name] == opened.headers[name]
    assert await untouched(buyer)
    assert (await buyer.gateway.http.head("/o/guessed")).status_code == 404


async def test_no_route_changes_anything_by_a_verb_that_must_not(buyer: Buyer) -> None:
    paths = create_app(buyer.gateway.parts).openapi()["paths"]
    known = {
        "store": "demo",
        "number": "1001",
        "erp": "sandbox",
        "channel": "email",
        "system": "form",
        "token": buyer.token,
    }
    assert len(paths) >= 9
    for path in paths:
        address = path.format(**known, action="affirm")
        for verb in ("GET", "HEAD", "OPTIONS", "TRACE", "PUT", "PATCH", "DELETE", "PROPFIND", "X" * 60):
            answer = await buyer.gateway.http.request(
                verb,
                address,
                content=b"revision=1&form=x",
                headers={
                    "content-type": "application/x-www-form-urlencoded",
                    "x-api-key": KEY,
                    "x-http-method-override": "POST",
                    "x-method-override": "POST",
                },
            )
            assert answer.status_code in (200, 303, 401, 404, 405, 503), (verb, path)
            assert (answer.status_code == 405) or verb in ("GET", "HEAD")
    assert await untouched(buyer)


async def test_every_answer_forbids_keeping_and_framing_it(buyer: Buyer) -> None:
    ask = buyer.gateway.http.request
    answers: list[httpx.Response] = [
        *[
            await ask("GET", f"/o/{token}{more}")
            for token in (buyer.token, "guessed")
            for more in ("", "/affirm", "/x/y")
        ],
        *[await ask(verb, path) for verb in ("GET", "POST", "TRACE") for path in ("/", "/healthz", "/readyz", "/%00")],
        *[await ask("POST", path) for path in ("/intake/demo", "/webhooks/email", "/webhooks/none", "/receipts/none")],
        *[await ask("GET", path) for path in ("/orders/demo/1", "/openapi.json", "/docs", "/t/x", "/l/x")],
        await ask("POST", f"/o/{buyer.token}/affirm", data={"revision": "1"}),
        await ask("POST", f"/o/{buyer.token}/affirm", content=b"x" * 300_000),
        await ask("GET", f"/o/{buyer.token}?taken={'x' * 300}"),
        await ask("GET", f"/o/{'x' * 3_000}"),
    ]
    for answer in answers:
        wrong = {name for name, value in MUST.items() if answer.headers.get(name) != value}
        assert not wrong, (answer.request.url, wrong)
        assert "set-cookie" not in answer.headers
        assert "frame-ancestors 'none'" in answer.headers["content-security-policy"]


async def test_a_failure_that_nobody_foresaw_has_the_headers_and_tells_nothing(
    buyer: Buyer, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def breaks(*_: object) -> None:
        raise RuntimeError("ada@example.com at /srv/secret")

    monkeypatch.setattr(type(buyer.gateway.orders), "status", breaks)
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(create_app(buyer.gateway.parts)), base_url=PUBLIC
    ) as http:
        answer = await http.get(f"/o/{buyer.token}")
    assert answer.status_code == 500
    assert answer.headers["cache-control"] == "no-store"
    assert "ada" not in answer.text
    assert "secret" not in answer.text


# -- words ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "status"),
    [
        ("😀" * 2_000, 303),
        ("\u202emoc.elpmaxe\u202c\u200b\u2066x", 303),
        ("\x00\x01a\x7f\x9f", 303),
        ("=cmd|' /C calc'!A0 {{7*7}} ${x} <%= 1 %> \\u003cscript\\u003e", 303),
        ("http://evil.example www.evil.example javascript:alert(1) data:text/html,x", 303),
        ("a" * 100_000, 422),
        ("\n" * 80_000, 422),
        ("\u200b" * 25_000, 422),
        ("e" + "\u0301" * 1_999, 303),
        ("\ud83d".encode("utf-8", "replace").decode(), 303),
    ],
    ids=range(10),
)
async def test_whatever_a_buyer_writes_stays_words(buyer: Buyer, text: str, status: int) -> None:
    async with watched() as watch:
        answer = await buyer.sends("question", text=text)
    assert answer.status_code == status
    assert watch.longest < TOO_LONG
    shown = await buyer.gateway.http.get(answer.headers["location"]) if status == 303 else answer
    assert harmless(shown)
    assert 'href="http://evil' not in shown.text
    assert not {"\u202e", "\u2066", "\x01"} & set(shown.text)
    assert len(buyer.gateway.orders.questions) == (status == 303)


@pytest.mark.parametrize(
    "language", ["../../../etc/passwd", "x" * 9_000, "\u00e9", "de;q=\x00", "", "*", "..", "d" * 300]
)
async def test_a_browsers_language_names_no_file(buyer: Buyer, language: str) -> None:
    for token in (buyer.token, "guessed"):
        answer = await buyer.gateway.http.get(f"/o/{token}", headers={"accept-language": language.encode("latin-1")})
        assert answer.status_code in (200, 404)
        assert "root:" not in answer.text
