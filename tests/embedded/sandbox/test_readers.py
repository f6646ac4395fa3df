"""Readers: machines and people, by what stands in the message; nothing leaves for anywhere but the gateway."""

import asyncio
import json
import time
from urllib.parse import parse_qs

import pytest

from orderack.embedded.sandbox import Sandbox, Target
from orderack.embedded.sandbox.mail_clients import MAIL_CLIENTS, Does, ReadAs

TOKEN = "tok-1"


def mail(base: str) -> str:
    return f"""<img src="{base}/t/{TOKEN}" width="1" height="1"><img src="http://elsewhere.invalid/logo.png">
    <div style="display:none"><a href="{base}/l/honey">.</a></div>
    <a href="http://elsewhere.invalid/shop">Shop</a> <a href="{base}/l/shop">The shop by another link</a>
    <a style="display: inline-block; background: #123" href="{base}/l/page">Your order</a>"""


PAGE = """<form method="post" action="/o/tok/affirm"><input type="hidden" name="revision" value="3">
<button>OK</button></form>
<form method="post" action="/o/tok/answer"><input type="hidden" name="revision" value="3">
<input type="radio" name="line-1" value="accept" checked><input type="radio" name="line-1" value="decline">
<input type="radio" name="line-2" value="accept" checked><input type="radio" name="line-2" value="decline">
<textarea name="note"></textarea></form>
<form method="post" action="/o/tok/question"><textarea name="text"></textarea></form>
<form method="get" action="/o/tok/cancel"></form>"""


@pytest.fixture
def posted(sandbox: Sandbox, gateway):
    """One e-mail to Ada, whose link leads by a redirect to the page."""
    gateway.redirects["/l/page"] = "/o/tok"
    gateway.redirects["/l/shop"] = "http://elsewhere.invalid/shop"
    gateway.redirects["/l/honey"] = "http://elsewhere.invalid/"
    gateway.pages["/o/tok"] = PAGE
    for path in ("affirm", "answer", "question"):
        gateway.redirects[f"/o/tok/{path}"] = "/o/tok"
    return sandbox.state.outbox.put(
        Target.SENDGRID,
        recipient="ada@example.com",
        provider_id="m1",
        text="Order A-1",
        html=mail(gateway.url),
        key="k/A-1",
    )


def seen(gateway) -> list[tuple[str, str]]:
    return [(one.method, one.path) for one in gateway.received]


async def test_apple_mail_loads_the_pixel_with_its_bare_name_and_opens_nothing(http, gateway, posted):
    reading = (await http.post("/readers", json={"as": "apple_mail", "match": "A-1"})).json()
    assert seen(gateway) == [("GET", f"/t/{TOKEN}")]
    assert gateway.received[0].headers["user-agent"] == "Mozilla/5.0"
    assert (reading["message"], reading["problem"]) == (posted.id, "")
    assert reading["fetched"] == [{"method": "GET", "url": f"{gateway.url}/t/{TOKEN}", "status": 200}]


async def test_googles_proxy_names_itself(http, gateway, posted):
    await http.post("/readers", json={"as": "google_proxy", "match": "ada@example.com"})
    assert "GoogleImageProxy" in gateway.received[0].headers["user-agent"]


async def test_safe_links_asks_for_the_head_of_every_link_without_a_name_and_then_opens_it(http, gateway, posted):
    began = time.monotonic()
    await http.post("/readers", json={"as": "safe_links", "match": "A-1"})
    assert time.monotonic() - began < 1
    first = gateway.received[:5]
    assert {(one.method, one.path) for one in first} >= {("HEAD", "/l/honey"), ("HEAD", "/l/page")}
    assert all("user-agent" not in one.headers for one in gateway.received if one.method == "HEAD")
    assert ("GET", "/l/honey") in seen(gateway)
    assert ("GET", "/o/tok") in seen(gateway)
    assert {one.method for one in gateway.received} == {"HEAD", "GET"}


async def test_a_scanner_opens_even_what_nobody_can_see(http, gateway, posted):
    await http.post("/readers", json={"as": "scanner", "match": "A-1"})
    assert {path for _, path in seen(gateway)} == {f"/t/{TOKEN}", "/l/honey", "/l/shop", "/l/page", "/o/tok"}


@pytest.mark.parametrize("machine", [who for who in ReadAs if who is not ReadAs.PERSON])
async def test_a_machine_presses_no_button(http, gateway, posted, machine):
    answer = await http.post("/readers", json={"as": machine, "match": "A-1", "does": ["affirms"]})
    assert answer.status_code == 422
    assert gateway.received == []
    assert Does.AFFIRMS not in MAIL_CLIENTS[machine].can


async def test_a_person_comes_later_sees_what_can_be_seen_and_sends_the_form_as_it_stands(http, gateway, posted):
    began = time.monotonic()
    body = {"as": "person", "match": "A-1", "does": ["opens", "clicks", "affirms"], "after": 0.3}
    assert (await http.post("/readers", json=body)).status_code == 200
    assert time.monotonic() - began >= 0.2
    assert seen(gateway) == [
        ("GET", f"/t/{TOKEN}"),
        ("GET", "/l/page"),
        ("GET", "/o/tok"),
        ("POST", "/o/tok/affirm"),
        ("GET", "/o/tok"),
    ]
    image, page, post = gateway.received[0], gateway.received[1], gateway.received[3]
    assert parse_qs(post.body.decode()) == {"revision": ["3"]}
    assert (image.headers["sec-fetch-dest"], page.headers["sec-fetch-dest"]) == ("image", "document")
    assert "Firefox" in image.headers["user-agent"]
    assert post.headers["origin"] == "null"  # the page asks for no referrer
    assert post.headers["content-type"] == "application/x-www-form-urlencoded"


async def test_who_declines_declines_the_first_line_unless_told_another(http, gateway, posted):
    await http.post("/readers", json={"as": "person", "match": "A-1", "does": ["declines"]})
    fill = {"line-1": "accept", "line-2": "decline", "note": "not in blue"}
    await http.post("/readers", json={"as": "person", "match": "A-1", "does": ["declines"], "fill": fill})
    first, second = [parse_qs(one.body.decode()) for one in gateway.received if one.method == "POST"]
    assert first == {"revision": ["3"], "line-1": ["decline"], "line-2": ["accept"]}
    assert second == {"revision": ["3"], "line-1": ["accept"], "line-2": ["decline"], "note": ["not in blue"]}


async def test_several_deeds_are_done_in_their_order(http, gateway, posted):
    body = {"as": "person", "match": "A-1", "does": ["asks", "accepts"], "fill": {"text": "When?"}}
    assert (await http.post("/readers", json=body)).status_code == 200
    posts = [(one.path, parse_qs(one.body.decode())) for one in gateway.received if one.method == "POST"]
    assert posts[0] == ("/o/tok/question", {"text": ["When?"]})
    assert posts[1][1]["line-1"] == ["accept"]


async def test_who_cancels_ticks_that_they_are_sure(http, gateway, posted):
    gateway.pages["/o/tok"] = """<form method="post" action="/o/tok/cancel"><textarea name="reason"></textarea>
    <input type="checkbox" name="sure" value="yes"><button>Cancel</button></form>"""
    body = {"as": "person", "match": "A-1", "does": ["cancels"], "fill": {"reason": "by mistake"}}
    await http.post("/readers", json=body)
    (post,) = [one for one in gateway.received if one.method == "POST"]
    assert parse_qs(post.body.decode()) == {"reason": ["by mistake"], "sure": ["yes"]}


@pytest.mark.parametrize(
    ("does", "why"),
    [("changes", "shows no form"), ("cancels", "must be posted")],
)
async def test_what_the_page_does_not_offer_is_said_and_nothing_is_posted(http, gateway, posted, does, why):
    answer = await http.post("/readers", json={"as": "person", "match": "A-1", "does": [does]})
    assert answer.status_code == 409
    assert why in answer.json()["problem"]
    assert "POST" not in {method for method, _ in seen(gateway)}


async def test_a_page_that_refuses_is_a_problem_with_its_status(http, gateway, posted):
    gateway.statuses = [200, 200, 200]
    gateway.redirects.pop("/o/tok/affirm")
    gateway.pages["/o/tok/affirm"] = "no"
    gateway.statuses = [303, 200, 409]
    answer = await http.post("/readers", json={"as": "person", "match": "A-1", "does": ["affirms"]})
    assert (answer.status_code, answer.json()["problem"]) == (409, "the page answered 409")


async def test_a_reader_waits_for_its_message_and_reads_the_newest(sandbox, http, gateway, posted):
    async def later():
        await asyncio.sleep(0.2)
        sandbox.state.outbox.put(
            Target.TWILIO, recipient="+15005550010", provider_id="s1", text=f"A-2 {gateway.url}/o/tok", key="k/A-2"
        )

    waiting = asyncio.create_task(later())
    reading = (await http.post("/readers", json={"as": "person", "match": "A-2", "does": ["affirms"]})).json()
    await waiting
    assert (reading["message"], reading["problem"]) == (posted.id + 1, "")
    assert seen(gateway)[0] == ("GET", "/o/tok")


async def test_a_message_that_never_comes_is_not_found_and_is_told_of(http, monkeypatch):
    monkeypatch.setattr("orderack.embedded.sandbox.readers.PATIENCE", 0.2)
    answer = await http.post("/readers", json={"as": "person", "match": "nobody"})
    assert answer.status_code == 404
    (told,) = (await http.get("/readers")).json()["readings"]
    assert told["problem"] == "no message matches"


async def test_sendgrid_reports_what_its_own_tracking_saw_and_flags_apples_machines_alone(sandbox, http, gateway):
    headers = {"Authorization": f"Bearer {sandbox.state.credentials.sendgrid_api_key}"}
    body = {
        "personalizations": [{"to": [{"email": "ada@example.com"}]}],
        "from": {"email": "orders@shop.example"},
        "subject": "Order A-1",
        "content": [{"type": "text/plain", "value": "A-1"}, {"type": "text/html", "value": mail(gateway.url)}],
        "custom_args": {"orderack_key": "k/A-1"},
    }
    await http.post("/sendgrid/v3/mail/send", json=body, headers=headers)
    await gateway.wait_for(1, "/webhooks")
    for who in ("apple_mail", "scanner"):
        await http.post("/readers", json={"as": who, "match": "A-1", "reported": True})
    posts = await gateway.wait_for(5, "/webhooks/sendgrid_email")
    events = [event for post in posts[1:] for event in json.loads(post.body)]
    opens = {event["useragent"]: event["sg_machine_open"] for event in events if event["event"] == "open"}
    assert opens == {"Mozilla/5.0": True, "Barracuda Sentinel (EE)": False}
    assert {event["url"] for event in events if event["event"] == "click"} >= {f"{gateway.url}/l/honey"}
    assert {(event["orderack_key"], event["email"]) for event in events} == {("k/A-1", "ada@example.com")}
