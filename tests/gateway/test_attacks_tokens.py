"""Links that are guessed, bent, cut, old, revoked or somebody else's: one answer to all, and no second spelling."""

import string
from datetime import UTC, datetime, timedelta
from urllib.parse import quote

import httpx
import pytest

from orderack.domain.acknowledgement import Kind, SendKey
from orderack.errors import BadSignature
from orderack.links import PageLinks
from orderack.touch_links import TouchLink, TouchLinks
from orderack.touches import What
from tests.gateway.conftest import PUBLIC, Gateway
from tests.gateway.page_world import Buyer, a_buyer, stored
from tests.temporal.server import now
from tests.workflows.orders import an_order

URL_SAFE = string.ascii_letters + string.digits + "-_"


@pytest.fixture
async def buyer(gateway: Gateway) -> Buyer:
    return await a_buyer(gateway)


def a_touch(buyer: Buyer, what: What = What.PAGE) -> str:
    key = SendKey(ref=buyer.order.ref, revision=1, kind=Kind.CONFIRMATION, n=1, channel="email")
    return buyer.gateway.parts.touch_links.token(TouchLink(key=key, what=what, made_at=datetime.now(UTC)))


def reads(links: PageLinks | TouchLinks, token: str) -> bool:
    try:
        links.read(token)
    except BadSignature:
        return False
    return True


async def opens(gateway: Gateway, token: str, word: str = "o") -> httpx.Response:
    return await gateway.http.get(f"/{word}/{quote(token, safe='')}")


def bent(token: str) -> set[str]:
    """Every prefix, every character left out, doubled or turned, and what lenient decoders overlook."""
    near = {token[:i] for i in range(len(token))}
    near |= {token[:i] + token[i + 1 :] for i in range(len(token))}
    near |= {token[:i] + other + token[i + 1 :] for i in range(len(token)) for other in "Aa0_."}
    near |= {token[:i] + junk + token[i:] for i in range(len(token) + 1) for junk in "!=\n é%\x00+/"}
    near |= {token[:-1] + other for other in URL_SAFE}
    near |= {token.replace("-", "+").replace("_", "/"), token + "==", token.swapcase(), token[::-1], "." + token}
    near |= {token + "\ud800", token.encode("utf-16").decode("latin-1"), token * 100}
    return near - {token}


@pytest.mark.parametrize("role", ["buyer", "finance"])
async def test_a_page_token_has_one_spelling(buyer: Buyer, role: str) -> None:
    links = buyer.gateway.parts.links
    token = links.token(buyer.order.ref, role, "email", "ada@example.com")
    assert reads(links, token)
    assert [other for other in bent(token) if reads(links, other)] == []


async def test_a_touch_token_has_one_spelling(buyer: Buyer) -> None:
    links = buyer.gateway.parts.touch_links
    token = a_touch(buyer)
    assert reads(links, token)
    assert [other for other in bent(token) if reads(links, other)] == []


async def test_a_token_of_one_kind_is_none_of_the_other(buyer: Buyer) -> None:
    touch = a_touch(buyer)
    assert (await opens(buyer.gateway, touch, "l")).status_code == 303
    assert (await opens(buyer.gateway, touch, "o")).status_code == 404
    assert (await opens(buyer.gateway, buyer.token, "o")).status_code == 200
    assert (await opens(buyer.gateway, buyer.token, "l")).status_code == 404


@pytest.mark.parametrize("what", [what for what in What if what is not What.PIXEL])
async def test_a_link_never_leads_to_where_the_request_says(buyer: Buyer, what: What) -> None:
    token = a_touch(buyer, what)
    for more in ("?url=https://evil.example", "?next=//evil.example", "?to=javascript:alert(1)"):
        answer = await buyer.gateway.http.get(
            f"/l/{token}{more}",
            headers={"host": "evil.example", "x-forwarded-host": "evil.example", "referer": "https://evil.example/"},
        )
        assert "evil" not in answer.headers.get("location", "") + answer.text


async def test_every_link_that_does_not_hold_gets_the_very_same_answer(buyer: Buyer, gateway: Gateway) -> None:
    ref = buyer.order.ref
    forged = PageLinks("another secret that signs links", PUBLIC).token(ref)
    expired = PageLinks("a secret that signs buyers' links", PUBLIC)
    late = buyer.gateway.parts.links.read(buyer.token).model_copy(
        update={"made_at": datetime.now(UTC) - timedelta(days=181)}
    )
    early = late.model_copy(update={"made_at": datetime.now(UTC) + timedelta(days=1)})
    nobodys = gateway.parts.links.token(ref.model_copy(update={"number": "no-such-order"}))
    elsewhere = gateway.parts.links.token(ref.model_copy(update={"store": "no-such-store"}))
    revoked = gateway.parts.links.token(ref)
    await gateway.ledger.revoke_links(ref, datetime.now(UTC))
    tokens = [
        "x",
        forged,
        nobodys,
        elsewhere,
        revoked,
        *(expired.again(link).rpartition("/")[2] for link in (late, early)),
    ]
    answers = [await opens(gateway, token) for token in tokens]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.content for answer in answers}) == 1
    assert len({frozenset(answer.headers.items()) for answer in answers}) == 1
    posted = [await gateway.http.post(f"/o/{token}/affirm", data={"revision": "1"}) for token in tokens]
    assert {answer.content for answer in posted} == {answers[0].content}
    assert not gateway.orders.facts


async def test_a_readers_link_of_another_role_shows_and_takes_nothing(buyer: Buyer, gateway: Gateway) -> None:
    token = gateway.parts.links.token(buyer.order.ref, "finance")
    for action in ("affirm", "answer", "question", "change", "cancel"):
        answer = await gateway.http.post(f"/o/{token}/{action}", data={"revision": "1", "text": "x", "sure": "yes"})
        assert answer.status_code == 404
    assert "<form" not in (await opens(gateway, token)).text
    assert not await gateway.inbox()


async def test_one_orders_link_says_nothing_of_anothers(buyer: Buyer, gateway: Gateway) -> None:
    other = an_order("2002", now()).model_copy(update={"instructions": "only for Grace"})
    await stored(gateway, other)
    for path in ("", "?number=2002", "?store=demo&number=2002", f"?token={gateway.parts.links.token(other.ref)}"):
        answer = await gateway.http.get(f"/o/{buyer.token}{path}", headers={"x-original-url": "/o/other"})
        assert "Grace" not in answer.text


@pytest.mark.parametrize(
    "path",
    [
        *("/o/{t}%00", "/o/{t}/", "/o//{t}", "//o/{t}", "/o/./{t}/..", "/o/{t}/%2e%2e", "/O/{t}"),
        *("/o/{t};a=b", "/o/{t}%0d%0aSet-Cookie:a=b", "/o/{t}/affirm/", "/o/{t}/affirm;x", "/o/{t}%20", "/o/%20{t}"),
        *("/o/{t}\\affirm", "/o/{t}%5caffirm", "/o/{t}%c0%af", "/o/{t}%ed%a0%80", "/o/{t}" + "a" * 8_192),
    ],
)
@pytest.mark.parametrize("verb", ["GET", "POST"])
async def test_no_trick_with_the_address_reaches_the_page(buyer: Buyer, verb: str, path: str) -> None:
    answer = await buyer.gateway.http.request(
        verb, path.replace("{t}", buyer.token), headers={"host": "evil.example"}, data={"revision": "1"}
    )
    assert answer.status_code in (303, 404, 405, 422)
    assert "evil" not in answer.headers.get("location", "")
    assert "set-cookie" not in answer.headers
    assert not buyer.gateway.orders.facts
