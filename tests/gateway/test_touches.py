"""Touches over HTTP: always the same image, no way to anywhere else, and the message that a page belongs to."""

import asyncio
import json
from datetime import timedelta
from pathlib import Path
from urllib.parse import urlsplit

import httpx
import pytest
import time_machine

from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import Grade
from orderack.domain.order import Order
from orderack.domain.store import StoreProfile, TouchRules
from orderack.gateway.touches import GIF
from orderack.touch_links import TouchLink, TouchLinks
from orderack.touches import What
from tests.gateway.conftest import PUBLIC, Gateway
from tests.gateway.test_intake import take_away
from tests.gateway.touching import ADDRESS, BROWSER, Sent, graded, rows, send
from tests.temporal.server import now
from tests.workflows.orders import an_order


@pytest.fixture
def order() -> Order:
    return an_order("1001", now())


# -- the image ------------------------------------------------------------------------------------------------------


async def test_the_image_is_the_same_for_any_token(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    forged = TouchLinks("another secret of enough length", PUBLIC)
    other = TouchLink(key=sent.key, what=What.PIXEL, made_at=sent.made_at)
    tokens = (
        sent.path(What.PIXEL),
        f"/t/{forged.token(other)}",
        f"/t/{gateway.parts.links.token(order.ref)}",
        sent.path(What.PAGE).replace("/l/", "/t/"),
        *("/t/x", "/t/a/b/c", "/t/%00%ff", "/t/" + "x" * 9_000, "/t/..%2f..%2fetc", sent.path(What.PIXEL) + "x"),
    )
    answers = [await gateway.http.get(token) for token in tokens]
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.content for answer in answers} == {GIF}
    assert len({tuple(sorted(answer.headers.items())) for answer in answers}) == 1
    assert len(GIF) == 43
    headers = answers[0].headers
    assert headers["content-type"] == "image/gif"
    assert headers["cache-control"] == "no-store"
    assert headers["cross-origin-resource-policy"] == "cross-origin"


async def test_only_the_pixels_own_token_counts(gateway: Gateway, order: Order, database: Path) -> None:
    sent = await send(gateway, order)
    for path in ("/t/x", sent.path(What.PAGE).replace("/l/", "/t/"), sent.path(What.PIXEL).replace("/t/", "/l/")):
        await gateway.http.get(path)
    assert await rows(database) == []


async def test_a_touch_is_recorded_with_what_a_verdict_needs_and_nothing_else(
    gateway: Gateway, order: Order, database: Path
) -> None:
    sent = await send(gateway, order)
    await sent.touch(headers={"sec-purpose": "prefetch", "cookie": "secret", "referer": "https://mail.example/inbox"})
    (row,) = await rows(database)
    assert (row["send_key"], row["what"], row["method"]) == (str(sent.key), What.PIXEL, "GET")
    assert (row["address"], row["user_agent"]) == ("127.0.0.1", BROWSER["user-agent"])
    assert json.loads(row["headers"]) == {"sec-purpose": "prefetch"}
    assert row["graded_at"] is None


async def test_the_head_of_an_image_is_a_touch_too(gateway: Gateway, order: Order, database: Path) -> None:
    sent = await send(gateway, order)
    assert (await sent.touch(method="HEAD")).status_code == 200
    assert (await sent.touch(What.PAGE, method="HEAD")).status_code == 303
    assert {(row["what"], row["method"]) for row in await rows(database)} == {("pixel", "HEAD"), ("page", "HEAD")}


async def test_the_image_comes_while_the_ledger_is_away(gateway: Gateway, order: Order, database: Path) -> None:
    sent = await send(gateway, order)
    await gateway.ledger.aclose()
    take_away(database)
    answer = await sent.touch()
    assert (answer.status_code, answer.content) == (200, GIF)
    assert (await sent.touch(What.PAGE)).status_code == 303


async def test_a_thousand_opens_at_once_are_a_count_and_no_evidence(
    gateway: Gateway, order: Order, database: Path
) -> None:
    sent = await send(gateway, order)
    answers = await asyncio.gather(*(sent.touch() for _ in range(1_000)))
    assert {answer.status_code for answer in answers} == {200}
    (row,) = await rows(database)
    assert row["count"] == 1_000
    assert await gateway.ledger.evidence(order.ref) == []
    assert gateway.orders.facts == []


@pytest.mark.parametrize(
    "agent", ["x" * 9_000, "\x7f\x01", "ü".encode().decode("latin-1"), "'; DROP TABLE touches; --"]
)
async def test_a_hostile_user_agent_is_only_text(gateway: Gateway, order: Order, database: Path, agent: str) -> None:
    sent = await send(gateway, order)
    answer = await gateway.http.get(sent.path(What.PIXEL), headers={b"user-agent": agent.encode("latin-1")})
    assert answer.status_code == 200
    (row,) = await rows(database)
    assert row["user_agent"] == agent[:500]


async def test_a_touch_of_an_unknown_or_an_internal_message_is_dropped(
    gateway: Gateway, order: Order, database: Path
) -> None:
    internal = await send(gateway, order, channel="alerts", kind=Kind.ALERT)
    never = Sent(gateway, internal.key.model_copy(update={"n": 9, "channel": "email"}))
    for sent in (internal, never):
        assert (await sent.touch()).content == GIF
        assert (await sent.touch(What.PAGE)).status_code == 303
    assert await rows(database) == []


# -- the links ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", [What.PAGE, What.HONEYPOT])
async def test_a_tracked_link_leads_to_the_very_page_link_of_its_message(
    gateway: Gateway, order: Order, database: Path, what: What
) -> None:
    sent = await send(gateway, order)
    answer = await sent.touch(what)
    assert answer.status_code == 303
    assert answer.headers["location"] == sent.page
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["referrer-policy"] == "no-referrer"
    assert [row["what"] for row in await rows(database)] == [what]


async def test_nothing_in_the_request_can_name_another_place(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    evil = "https://evil.example/"
    for query in (f"?url={evil}", f"?to={evil}&target={evil}&next=//evil.example", f"?{evil}"):
        headers = {"host": "evil.example", "x-forwarded-host": "evil.example", "referer": evil}
        answer = await gateway.http.get(sent.path(What.PAGE) + query, headers=headers)
        assert answer.headers["location"] == sent.page
    for path in (f"/l/{evil}", "/l//evil.example", f"{sent.path(What.PAGE)}/{evil}", "/l/%2f%2fevil.example"):
        answer = await gateway.http.get(path)
        assert answer.status_code == 404
        assert "location" not in answer.headers


async def test_the_shops_link_leads_where_the_policy_says_and_without_that_nowhere(
    gateway: Gateway, order: Order, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = await send(gateway, order)
    gone = await gateway.http.get("/o/x")
    answer = await sent.touch(What.SHOP)
    assert (answer.status_code, answer.text) == (404, gone.text)
    for url, target in (("https://shop.example/de", "https://shop.example/de"), ("javascript:alert(1)", None)):
        store = StoreProfile(id="demo", display_name="Demo", url=url)
        monkeypatch.setitem(gateway.parts.stores, "demo", store)
        assert (await sent.touch(What.SHOP)).headers.get("location") == target


async def test_every_bad_link_gets_the_page_that_a_bad_page_link_gets(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    gone = await gateway.http.get("/o/x")
    page = gateway.parts.links.token(order.ref)
    for path in (
        "/l/x",
        f"/l/{page}",
        sent.path(What.PAGE)[:-2],
        sent.path(What.PIXEL).replace("/t/", "/l/"),
        "/l/a/b",
    ):
        answer = await gateway.http.get(path)
        assert (answer.status_code, answer.text) == (404, gone.text)
        assert answer.headers["content-security-policy"] == gone.headers["content-security-policy"]


async def test_a_click_makes_no_younger_link_than_the_message_had(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    before = gateway.parts.links.read(urlsplit(sent.page).path.rsplit("/", 1)[1])
    await gateway.ledger.revoke_links(order.ref, before.made_at + timedelta(seconds=1))
    answer = await sent.touch(What.PAGE)
    assert (await gateway.http.get(urlsplit(answer.headers["location"]).path)).status_code == 404


async def test_opening_anything_a_hundred_times_changes_nothing(gateway: Gateway, order: Order) -> None:
    sent = await send(gateway, order)
    for _ in range(100):
        await sent.touch()
    for what in What:
        await sent.touch(what)
    assert await gateway.ledger.evidence(order.ref) == []
    assert await gateway.inbox() == []
    assert gateway.orders.facts == []


# -- the buyer's page -----------------------------------------------------------------------------------------------


async def open_page(gateway: Gateway, url: str) -> httpx.Response:
    return await gateway.http.get(urlsplit(url).path, headers=BROWSER)


@pytest.mark.parametrize("channel", ["email", "text"])
async def test_opening_the_page_by_a_messages_own_link_touches_that_message(
    gateway: Gateway, order: Order, database: Path, channel: str
) -> None:
    await send(gateway, order, kind=Kind.RECEIVED)
    sent = await send(gateway, order, channel=channel)
    assert (await open_page(gateway, sent.page)).status_code == 200
    (row,) = await rows(database)
    assert row["what"] == What.PAGE
    assert row["user_agent"] == BROWSER["user-agent"]


async def test_the_head_of_the_page_touches_its_message_as_a_machine_does(
    gateway: Gateway, order: Order, database: Path
) -> None:
    sent = await send(gateway, order)
    assert (await gateway.http.head(urlsplit(sent.page).path, headers=BROWSER)).status_code == 200
    (row,) = await rows(database)
    assert (row["what"], row["method"]) == (What.PAGE, "HEAD")
    (fact,) = await graded(gateway)
    assert fact.grade is Grade.M


async def test_two_links_of_one_second_to_one_buyer_touch_each_its_own_message(
    gateway: Gateway, order: Order, database: Path
) -> None:
    with time_machine.travel(now(), tick=False):
        first = await send(gateway, order, kind=Kind.UPDATE)
        second = await send(gateway, order)
    assert first.made_at == second.made_at
    await open_page(gateway, second.page)
    (row,) = await rows(database)
    assert row["send_key"] == str(second.key)


async def test_a_tracked_click_and_the_page_that_it_opens_are_one_touch(
    gateway: Gateway, order: Order, database: Path
) -> None:
    sent = await send(gateway, order)
    await open_page(gateway, (await sent.touch(What.PAGE)).headers["location"])
    (row,) = await rows(database)
    assert (row["send_key"], row["what"], row["count"]) == (str(sent.key), What.PAGE, 2)


async def test_a_link_that_no_message_carried_touches_none(gateway: Gateway, order: Order, database: Path) -> None:
    await send(gateway, order)
    links = gateway.parts.links
    for url, status in (
        (links.url(order.ref), 200),
        (links.url(order.ref, via="email", recipient=ADDRESS), 200),
        (links.url(order.ref, via="email", recipient="somebody.else@example.com"), 404),
        (links.url(order.ref, role="order-desk", via="email", recipient=ADDRESS), 200),
    ):
        assert (await open_page(gateway, url)).status_code == status
    assert await rows(database) == []


async def test_our_own_people_opening_the_page_touch_nothing(gateway: Gateway, order: Order, database: Path) -> None:
    theirs = await send(gateway, order, role="order-desk")
    assert (await open_page(gateway, theirs.page)).status_code == 200
    assert await rows(database) == []


@pytest.mark.parametrize(
    ("rules", "counted"),
    [
        (TouchRules(), True),
        (TouchRules(pixel=False), True),
        (TouchRules(links=False), False),
        (TouchRules(off_in=frozenset({"US"})), True),
        (TouchRules(off_in=frozenset({"GB"})), False),
    ],
)
async def test_where_links_are_switched_off_opening_the_page_is_not_counted(
    gateway: Gateway, order: Order, database: Path, monkeypatch: pytest.MonkeyPatch, rules: TouchRules, counted: bool
) -> None:
    sent = await send(gateway, order)
    monkeypatch.setitem(gateway.parts.stores, "demo", StoreProfile(id="demo", display_name="Demo", touches=rules))
    assert (await open_page(gateway, sent.page)).status_code == 200
    assert bool(await rows(database)) is counted


async def test_links_that_are_out_when_a_store_switches_off_still_lead_and_count_no_more(
    gateway: Gateway, order: Order, database: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sent = await send(gateway, order)
    off = StoreProfile(id="demo", display_name="Demo", touches=TouchRules(pixel=False, links=False))
    monkeypatch.setitem(gateway.parts.stores, "demo", off)
    assert (await sent.touch()).content == GIF
    assert (await sent.touch(What.PAGE)).headers["location"] == sent.page
    assert await rows(database) == []
