"""What a page on the open net is sent: markup, floods, broken bytes, other people's tokens. Never a 500 or a change."""

import html
from html.parser import HTMLParser
from urllib.parse import quote

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orderack.domain.order import Address, Contacts
from orderack.gateway.page_forms import Unreadable, read_form
from orderack.gateway.requests import MAX_BYTES
from tests.gateway.conftest import Gateway
from tests.gateway.page_world import Buyer, a_buyer, stored, words
from tests.temporal.server import now
from tests.workflows.orders import an_order

MARKUP = '"><script>alert(1)</script><img src=x onerror=alert(1)>{{ 7*7 }}{% raw %}&lt;'
URLENCODED = {"content-type": "application/x-www-form-urlencoded"}


@pytest.fixture
async def buyer(gateway: Gateway) -> Buyer:
    return await a_buyer(gateway)


async def posts(buyer: Buyer, action: str, body: bytes, **headers: str) -> httpx.Response:
    return await buyer.gateway.http.post(f"/o/{buyer.token}/{action}", content=body, headers=URLENCODED | headers)


async def untouched(buyer: Buyer) -> bool:
    orders = buyer.gateway.orders
    told = [*orders.facts, *orders.changes, *orders.cancellations, *orders.questions]
    return not told and not await buyer.facts() and not await buyer.gateway.inbox()


# -- markup ---------------------------------------------------------------------------------------------------------


class Tags(HTMLParser):
    """What a browser would make of it: its elements and their attributes."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.attributes: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        self.attributes |= {name for name, _ in attrs}


def harmless(shown: httpx.Response) -> bool:
    tags = Tags(shown.text)
    active = {"script", "img", "iframe", "object", "embed", "svg", "b"} & tags.names
    return not active and not any(name.startswith("on") or name == "style" for name in tags.attributes)


async def test_markup_in_an_order_is_only_ever_text(gateway: Gateway) -> None:
    order = an_order("<b>1</b>", now())
    line = order.lines[0].model_copy(
        update=dict.fromkeys(("sku", "model", "description", "instructions", "design", "dietary"), MARKUP)
    )
    address = Address(name=MARKUP, company=MARKUP, street=MARKUP, city=MARKUP, region=MARKUP, country="GB")
    buyer = Buyer(gateway, order)
    hostile = await a_buyer(
        gateway, lines=(line,), delivery_address=address, instructions=MARKUP, contacts=Contacts(language="en")
    )
    assert harmless(await hostile.opens())
    await stored(gateway, order)
    assert "<b>1" not in (await buyer.opens()).text


async def test_markup_in_a_question_stays_the_buyers_words(buyer: Buyer) -> None:
    answer = await buyer.sends("question", text=MARKUP)
    shown = await buyer.gateway.http.get(answer.headers["location"])
    assert harmless(shown)
    assert html.escape(MARKUP)[:40] in shown.text.replace("&#34;", "&quot;")
    assert buyer.gateway.orders.questions[0].text == MARKUP


@pytest.mark.parametrize("action", ["question", "change", "cancel", "answer"])
async def test_markup_in_a_form_that_is_not_taken_is_shown_as_it_was_typed(buyer: Buyer, action: str) -> None:
    fields = dict.fromkeys(("text", "note", "reason", "instructions", "street", "city", "country"), MARKUP)
    answer = await buyer.sends(action, **fields | {"quantity-1": MARKUP, "line-1": MARKUP, "text": MARKUP * 60})
    assert answer.status_code == 422
    assert harmless(answer)


async def test_what_cannot_be_seen_is_taken_out_of_the_buyers_words(buyer: Buyer) -> None:
    await buyer.sends("question", text="pay\u202eevil\u200b now\x00\x07")
    assert buyer.gateway.orders.questions[0].text == "payevil now"


# -- bodies ---------------------------------------------------------------------------------------------------------

BROKEN = {
    "ten thousand fields": b"&".join(b"f%d=1" % n for n in range(10_000)),
    "not UTF-8": b"revision=1&text=%ff%fe",
    "raw bytes": b"revision=1&text=\xff\x00",
    "half a character": b"revision=1&text=%e2%82",
    "a lone surrogate": b"revision=1&text=%ed%a0%80",
    "UTF-16": "revision=1&text=hello".encode("utf-16"),
}


@pytest.mark.parametrize("action", ["affirm", "answer", "question", "change", "cancel"])
@pytest.mark.parametrize("body", BROKEN.values(), ids=BROKEN)
async def test_a_body_that_no_form_of_ours_sends_is_refused_with_the_page(
    buyer: Buyer, action: str, body: bytes
) -> None:
    answer = await posts(buyer, action, body)
    assert answer.status_code == 422
    assert "We could not read what your browser sent" in words(answer)
    assert await untouched(buyer)


@pytest.mark.parametrize(
    "kind", ["application/json", "text/plain", "multipart/form-data; boundary=x", "", "application/xml"]
)
async def test_another_kind_of_body_is_refused_with_the_page(buyer: Buyer, kind: str) -> None:
    answer = await posts(buyer, "affirm", b"revision=1", **{"content-type": kind})
    assert answer.status_code == 422
    assert await untouched(buyer)


async def test_a_huge_body_is_refused_before_it_is_read_to_its_end(buyer: Buyer) -> None:
    answer = await posts(buyer, "question", b"revision=1&text=" + b"x" * (MAX_BYTES + 1))
    assert answer.status_code == 413
    assert "more than this page can take" in words(answer)
    assert await untouched(buyer)


async def test_a_compressed_body_is_refused(buyer: Buyer) -> None:
    answer = await posts(buyer, "affirm", b"revision=1", **{"content-encoding": "gzip"})
    assert answer.status_code == 422
    assert await untouched(buyer)


async def test_of_a_repeated_field_the_first_counts(buyer: Buyer) -> None:
    await posts(buyer, "question", b"revision=1&text=first&text=second&revision=7")
    assert [question.text for question in buyer.gateway.orders.questions] == ["first"]


async def test_fields_that_the_form_does_not_have_change_nothing(buyer: Buyer) -> None:
    await buyer.sends("change", **{"quantity-1": "3", "quantity-99": "1", "total": "0", "unit_price-1": "0"})
    (change,) = buyer.gateway.orders.changes
    assert change.order.lines[0].unit_price == buyer.order.lines[0].unit_price
    assert change.order.totals.total == buyer.order.totals.total + buyer.order.lines[0].unit_price


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=300), st.sampled_from([URLENCODED["content-type"], "text/plain", "x", ""]))
def test_any_bytes_are_a_form_or_unreadable(body: bytes, kind: str) -> None:
    try:
        form = read_form(body, kind, 2)
    except Unreadable:
        return
    assert all(isinstance(value, str) for value in form.fields.values())


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    action=st.sampled_from(["affirm", "answer", "question", "change", "cancel"]),
    fields=st.dictionaries(
        st.sampled_from(["line-1", "line-2", "note", "text", "quantity-1", "street", "country", "reason", "sure"]),
        st.text(max_size=60),
    ),
)
async def test_whatever_is_typed_the_page_answers(buyer: Buyer, action: str, fields: dict[str, str]) -> None:
    clean = {name: value.encode("utf-8", "replace").decode() for name, value in fields.items()}
    assert (await buyer.sends(action, **clean)).status_code in (303, 409, 422)


# -- addresses ------------------------------------------------------------------------------------------------------


async def test_a_token_opens_its_own_order_and_no_other(buyer: Buyer, gateway: Gateway) -> None:
    other = an_order("2002", now()).model_copy(update={"instructions": "only for Grace"})
    await stored(gateway, other)
    assert "only for Grace" not in (await buyer.opens()).text
    assert "Order 1001" in await buyer.reads()


@pytest.mark.parametrize("verb", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "PROPFIND"])
@pytest.mark.parametrize("action", ["", "/affirm", "/answer", "/question", "/change", "/cancel"])
async def test_no_verb_but_post_changes_anything(buyer: Buyer, verb: str, action: str) -> None:
    answer = await buyer.gateway.http.request(
        verb, f"/o/{buyer.token}{action}", content=b"revision=1&text=x&all=accept&sure=yes", headers=URLENCODED
    )
    assert answer.status_code in (200, 303, 405)
    assert (answer.status_code == 200) == (verb in ("GET", "HEAD") and not action)
    assert await untouched(buyer)


async def test_a_forms_address_opened_by_hand_leads_back_to_the_page(buyer: Buyer) -> None:
    answer = await buyer.gateway.http.get(f"/o/{buyer.token}/change")
    assert (answer.status_code, answer.headers["location"]) == (303, f"/o/{buyer.token}")


@pytest.mark.parametrize("path", ["nonsense", "affirm/affirm", "affirm%00", "AFFIRM", "%2e%2e"])
async def test_an_address_that_is_no_form_of_ours_is_refused(buyer: Buyer, path: str) -> None:
    assert (await posts(buyer, path, b"revision=1")).status_code in (404, 405, 422)
    assert await untouched(buyer)


@pytest.mark.parametrize(
    "token",
    ["x", "%00", "..%2f..%2fetc", "a.b.c", "é", "'; drop table orders; --", "x" * 1_999, "x" * 2_001, "%F0%9F%8D%B5"],
)
@pytest.mark.parametrize("action", ["", "/affirm"])
async def test_a_guessed_token_opens_nothing(gateway: Gateway, token: str, action: str) -> None:
    address = f"/o/{quote(token, safe='%')}{action}"
    for verb in ("GET", "POST") if action else ("GET",):
        answer = await gateway.http.request(verb, address, content=b"revision=1", headers=URLENCODED)
        assert answer.status_code in (303, 404, 422)


async def test_the_notice_of_a_request_that_is_not_this_orders_is_not_given(buyer: Buyer, gateway: Gateway) -> None:
    other = an_order("2002", now())
    await stored(gateway, other)
    grace = Buyer(gateway, other)
    grace.stands(gateway.orders.standing[buyer.order.ref].model_copy(update={"ref": other.ref}))
    taken = (await grace.sends("question", text="Grace's own words")).headers["location"].split("taken=")[1]
    for guess in (taken, "x", MARKUP, "%00"):
        shown = await gateway.http.get(f"/o/{buyer.token}", params={"taken": guess})
        assert "Grace" not in shown.text
        assert harmless(shown)
