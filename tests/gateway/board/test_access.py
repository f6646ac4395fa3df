"""Who gets in, how long they stay, and whose forms count."""

import re
from datetime import timedelta

import httpx
import pytest

from orderack.errors import Misconfigured
from orderack.gateway.app import create_app
from orderack.gateway.board.doors import next_page
from orderack.gateway.board.once import OneTimeLinks, once_url
from orderack.gateway.board.roles import EVERY_STORE, GroupRoles, KeyRoles, Person, Role
from orderack.gateway.keys import ApiKeys
from tests.gateway.board.board_world import (
    ADA,
    BOSS,
    ELSEWHERE,
    KEYS,
    SECRET,
    SHOP,
    WALL,
    World,
    a_world,
    visit_of,
    words,
)
from tests.gateway.conftest import PUBLIC, Gateway

PAGES = ["/board", "/board/order/demo/1001", "/board/sheet/demo/1001"]


@pytest.mark.parametrize("path", ["/board", "/board/login", "/board/stream", "/board/assets/board.css"])
async def test_without_a_key_or_an_issuer_there_is_no_board(path: str, gateway: Gateway) -> None:
    assert (await gateway.http.get(path)).status_code == 404


async def test_the_board_is_in_no_description_for_programs(desk: World) -> None:
    described = create_app(desk.gateway.parts).openapi()
    assert not [path for path in described["paths"] if path.startswith("/board")]


@pytest.mark.parametrize("path", PAGES)
async def test_a_stranger_is_led_to_the_login_and_back(path: str, desk: World) -> None:
    await desk.order()
    browser = desk.browser()
    answer = await browser.get(path)
    assert answer.status_code == 303
    page = await browser.get(answer.headers["location"])
    wanted = re.search(r'name="next" value="([^"]*)"', page.text)
    assert wanted
    there = await browser.post("/board/login", key=ADA, next=wanted[1])
    assert there.headers["location"] == path
    assert (await browser.get(path)).status_code in (200, 409)


async def test_a_strangers_stream_is_refused_and_led_nowhere(desk: World) -> None:
    answer = await desk.browser().get("/board/stream", accept="text/event-stream")
    assert answer.status_code == 401


@pytest.mark.parametrize("key", ["", "guessed", SHOP, "x" * 100_000])
async def test_a_key_that_has_no_role_opens_nothing(key: str, desk: World) -> None:
    browser = desk.browser()
    answer = await browser.post("/board/login", key=key)
    assert answer.status_code == 401
    assert "does not open the board" in words(answer)
    assert (await browser.get("/board")).status_code == 303


async def test_few_wrong_keys_are_tried_from_one_address(desk: World) -> None:
    browser = desk.browser()
    codes = [(await browser.post("/board/login", key=f"guess-{n}")).status_code for n in range(12)]
    assert codes == [401] * 10 + [429] * 2
    refused = await browser.post("/board/login", key=ADA)
    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    elsewhere = desk.browser(client=("192.0.2.7", 1))
    assert (await elsewhere.post("/board/login", key=ADA)).status_code == 303


async def test_the_cookie_is_for_us_alone(desk: World) -> None:
    answer = await desk.browser().post("/board/login", key=ADA)
    cookie = answer.headers["set-cookie"]
    assert cookie.startswith("__Host-orderack_board=")
    for wanted in ("HttpOnly", "Secure", "SameSite=lax", "Path=/"):
        assert wanted in cookie
    assert ADA not in cookie
    assert "Domain" not in cookie


async def test_every_page_allows_no_script_but_ours_and_nobody_frames_it(desk: World) -> None:
    await desk.order()
    browser = await desk.logged_in()
    for path in (*PAGES, "/board/login?next=/board"):
        policy = (await browser.get(path)).headers["content-security-policy"]
        assert "script-src 'self';" in policy
        assert "frame-ancestors 'none'" in policy
        assert "unsafe" not in policy
        assert browser.shown is not None
        assert not re.search(r"<script>|<style|\son\w+=|javascript:", browser.shown.text)


async def test_a_login_ends_when_idle_and_in_any_case(desk: World) -> None:
    browser = await desk.logged_in()
    desk.gateway.clock.ahead = timedelta(minutes=59)
    assert (await browser.get("/board")).status_code == 200
    desk.gateway.clock.ahead = timedelta(minutes=117)
    assert (await browser.get("/board")).status_code == 200, "it was used meanwhile"
    desk.gateway.clock.ahead = timedelta(minutes=178)
    assert (await browser.get("/board")).status_code == 303
    busy = await desk.logged_in()
    for _ in range(13):
        desk.gateway.clock.ahead += timedelta(minutes=58)
        last = await busy.get("/board")
    assert last.status_code == 303


async def test_a_wall_screen_stays_logged_in_and_sees_no_order(desk: World) -> None:
    await desk.order()
    browser = await desk.logged_in(ADA, wall=True)
    desk.gateway.clock.ahead = timedelta(days=29)
    page = await browser.get("/board?wall")
    assert page.status_code == 200
    assert "1001" in page.text
    assert "<form" not in page.text.replace('<form id="claim"', "")
    for path in PAGES[1:]:
        assert (await browser.get(path)).status_code == 404
    csrf = desk.board.sessions.csrf(visit_of(desk, browser).session)
    assert (await browser.post("/board/find", csrf=csrf, q="1001")).status_code == 404
    desk.gateway.clock.ahead = timedelta(days=31)
    assert (await browser.get("/board?wall")).status_code == 303


async def test_a_logged_out_cookie_counts_no_more(desk: World) -> None:
    browser = await desk.logged_in()
    await browser.get("/board")
    kept = dict(browser.http.cookies)
    answer = await browser.acts("/board/logout")
    assert (answer.status_code, answer.headers["location"]) == (303, "/board/login")
    thief = desk.browser()
    thief.http.cookies.update(kept)
    assert (await thief.get("/board")).status_code == 303


async def test_an_altered_or_foreign_cookie_is_nobodys(desk: World) -> None:
    browser = await desk.logged_in()
    name, value = next((n, v) for n, v in browser.http.cookies.items() if n == desk.board.sessions.cookie)
    body, _, mac = value.rpartition(".")
    for bad in (f"{body[:-2]}AA.{mac}", f"{body}.{mac[:-2]}AA", body, "", "x" * 10_000, "é"):
        stranger = desk.browser()
        stranger.http.headers["cookie"] = f"{name}={bad}".encode("latin-1", "replace").decode("latin-1")
        assert (await stranger.get("/board")).status_code == 303, bad[:40]


async def test_a_key_that_was_taken_away_ends_its_sessions(desk: World) -> None:
    browser = await desk.logged_in()
    left = ",".join(entry for entry in KEYS.split(",") if not entry.startswith("ada:"))
    desk.board.sessions.keys = ApiKeys.parse(left)
    assert (await browser.get("/board")).status_code == 303


async def test_a_role_that_was_lowered_holds_at_once(desk: World) -> None:
    await desk.order()
    browser = await desk.logged_in()
    assert "Approve" in (await browser.get("/board/order/demo/1001")).text
    desk.board.sessions.key_roles = KeyRoles.parse("ada:viewer")
    assert "Approve" not in (await browser.get("/board/order/demo/1001")).text


# -- stores and roles ----------------------------------------------------------------------------------------


async def test_nobody_sees_another_stores_orders(desk: World) -> None:
    await desk.order("1001", store="demo")
    await desk.order("2002", store="other")
    for key, seen, hidden in ((ADA, "1001", "2002"), (ELSEWHERE, "2002", "1001")):
        browser = await desk.logged_in(key)
        board = await browser.get("/board")
        assert seen in board.text
        assert hidden not in board.text
        store = "other" if hidden == "2002" else "demo"
        for kind in ("order", "sheet"):
            assert (await browser.get(f"/board/{kind}/{store}/{hidden}")).status_code == 404
        assert "Nothing found" in (await browser.finds(hidden)).text
        desk.board.feed.fresh()
    both = await (await desk.logged_in(BOSS)).get("/board")
    assert "1001" in both.text
    assert "2002" in both.text


async def test_nobody_acts_on_another_stores_orders(desk: World) -> None:
    mine, theirs = await desk.order("1001"), await desk.order("2002", store="other")
    browser = await desk.logged_in()
    await browser.get("/board/order/demo/1001")
    form = browser.form("/board/decide/demo/1001") | {"verdict": "approve"}
    assert (await browser.post("/board/decide/other/2002", **form)).status_code == 404
    claims = browser.form("/board/claim") | {"order": "review|order/other/2002"}
    assert (await browser.post("/board/claim", **claims)).status_code == 404
    assert (desk.orders.decisions, desk.orders.claims) == ([], [])
    assert mine.number != theirs.number


async def test_a_viewer_does_nothing(desk: World) -> None:
    await desk.order()
    viewer = await desk.logged_in(WALL)
    await viewer.get("/board/order/demo/1001")
    csrf = viewer.form("/board/logout")["csrf"]
    sent = {"csrf": csrf, "form": "a-form-of-mine", "revision": "1"}
    for path, more in (
        ("/board/decide/demo/1001", {"verdict": "approve"}),
        ("/board/claim", {"order": "review|order/demo/1001"}),
        ("/board/accept/demo/1001", {"content_hash": "0" * 64}),
        ("/board/answer/demo/1001", {"question": "q", "text": "yes"}),
        ("/board/settle/demo/1001", {"key": "k", "verdict": "sent"}),
        ("/board/channel", {"channel": "email", "do": "pause"}),
    ):
        assert (await viewer.post(path, **sent, **more)).status_code == 403, path
    assert desk.orders.decisions == desk.orders.claims == desk.orders.acceptances == desk.orders.answers == []
    assert await desk.gateway.ledger.paused() == {}


async def test_only_an_admin_of_every_store_pauses_a_channel(desk: World) -> None:
    boss = await desk.logged_in(BOSS)
    await boss.get("/board")
    answer = await boss.acts("/board/channel", channel="email", do="pause", reason="it bounces")
    assert await boss.said(answer) == "✓ email is paused. Its messages take the fallback that the policy names."
    pause = (await desk.gateway.ledger.paused())["email"]
    assert (pause.by, pause.reason) == ("boss", "it bounces")
    answer = await boss.acts("/board/channel", channel="email", do="resume")
    assert await boss.said(answer) == "✓ email sends again."


# -- forms that are not ours ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "headers",
    [
        {"origin": "https://evil.example"},
        {"origin": "null"},
        {"origin": ""},
        {"origin": f"{PUBLIC}.evil.example"},
        {"sec-fetch-site": "cross-site"},
        {"sec-fetch-site": "same-site"},
    ],
)
async def test_a_form_from_elsewhere_does_nothing(headers: dict[str, str], desk: World) -> None:
    await desk.order()
    browser = await desk.logged_in()
    await browser.get("/board/order/demo/1001")
    form = browser.form("/board/decide/demo/1001") | {"verdict": "approve"}
    assert (await browser.post("/board/decide/demo/1001", headers, **form)).status_code == 403
    assert desk.orders.decisions == []
    assert (await desk.browser().post("/board/login", headers, key=ADA)).status_code == 403


async def test_a_form_of_another_login_does_nothing(desk: World) -> None:
    await desk.order()
    ada, boss = await desk.logged_in(ADA), await desk.logged_in(BOSS)
    await ada.get("/board/order/demo/1001")
    await boss.get("/board/order/demo/1001")
    forms = ada.form("/board/decide/demo/1001"), boss.form("/board/decide/demo/1001")
    for csrf in (forms[1]["csrf"], "", "0" * 64, "é"):
        answer = await ada.post("/board/decide/demo/1001", **forms[0] | {"csrf": csrf, "verdict": "approve"})
        assert answer.status_code == 403
    assert desk.orders.decisions == []


async def test_a_form_without_a_login_says_that_nothing_was_done(desk: World) -> None:
    await desk.order()
    answer = await desk.browser().post("/board/decide/demo/1001", verdict="approve")
    assert answer.status_code == 401
    assert "Nothing was done" in words(answer)


@pytest.mark.parametrize(
    "wanted",
    [
        "https://evil.example",
        "//evil.example/board",
        "/board//evil.example",
        "/boardevil",
        "/board/../o/token",
        "/board\\evil",
        "/board\r\nset-cookie: a=b",
        "javascript:alert(1)",
        "/o/token",
        "",
        "/board/login",
        "/board?next=\u202e",
    ],
)
async def test_the_login_leads_nowhere_else(wanted: str, desk: World) -> None:
    assert next_page(wanted) == "/board"
    answer = await desk.browser().post("/board/login", key=ADA, next=wanted)
    assert answer.headers["location"].startswith("/board")
    assert httpx.URL(PUBLIC).join(answer.headers["location"]).host == "shop.example"


# -- the one-time link ---------------------------------------------------------------------------------------


async def test_a_one_time_link_opens_the_board_once_and_only_from_here(gateway: Gateway) -> None:
    local = a_world(gateway, roles="", local=True)
    path = once_url(SECRET, PUBLIC).removeprefix(PUBLIC)
    stranger = local.browser(client=("192.0.2.7", 1))
    assert (await stranger.get(path)).status_code == 404
    here = local.browser()
    for _ in range(3):
        assert (await here.get(path)).status_code == 200, "to look at it does not use it up"
    assert (await here.post(path)).headers["location"] == "/board"
    board = await here.get("/board")
    assert board.status_code == 200
    assert "local admin" in board.text
    assert (await local.browser().post(path)).status_code == 404


async def test_an_old_or_foreign_link_opens_nothing(gateway: Gateway) -> None:
    local = a_world(gateway, roles="", local=True)
    forged = once_url("somebody else's secret", PUBLIC).removeprefix(PUBLIC)
    assert (await local.browser().post(forged)).status_code == 404
    assert not OneTimeLinks(SECRET).holds("x")


async def test_where_there_is_no_local_run_no_link_counts(desk: World) -> None:
    path = once_url(SECRET, PUBLIC).removeprefix(PUBLIC)
    assert (await desk.browser().post(path)).status_code == 404


# -- settings ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("text", ["ada", "ada:owner", ":viewer", "ada:"])
def test_a_role_that_is_none_is_refused_by_its_place(text: str) -> None:
    with pytest.raises(Misconfigured, match="entry 1"):
        KeyRoles.parse(text)


@pytest.mark.parametrize("text", ["staff", "staff=viewer", "staff=owner@demo", "=viewer@demo", "staff=viewer@"])
def test_a_groups_role_that_is_none_is_refused_by_its_place(text: str) -> None:
    with pytest.raises(Misconfigured, match="entry 2"):
        GroupRoles.parse(f"ok=viewer@*,{text}")


def test_a_role_for_a_key_that_nobody_has_is_refused(gateway: Gateway) -> None:
    with pytest.raises(Misconfigured, match="grace"):
        a_world(gateway, roles="grace:admin")


def test_the_best_of_several_groups_holds() -> None:
    roles = GroupRoles.parse("all=viewer@*,desk=reviewer@demo,ops=admin@demo").of(["all", "ops", "desk"])
    person = Person("ada", roles)
    assert (person.role("demo"), person.role("other")) == (Role.ADMIN, Role.VIEWER)
    assert not person.may_everywhere(["demo", "other"], Role.ADMIN)
    assert Person("boss", {EVERY_STORE: Role.ADMIN}).may_everywhere(["demo", "other"], Role.ADMIN)


async def test_a_board_without_a_secret_is_not_started(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tests.gateway.board.board_world.SECRET", "short")
    with pytest.raises(Misconfigured, match="ORDERACK_SECRET"):
        a_world(gateway)


async def test_behind_plain_http_the_cookie_is_not_marked_secure(gateway: Gateway) -> None:
    local = a_world(gateway, url="http://127.0.0.1:8090")
    browser = local.browser("http://127.0.0.1:8090")
    cookie = (await browser.post("/board/login", key=ADA)).headers["set-cookie"]
    assert cookie.startswith("orderack_board=")
    assert "Secure" not in cookie
