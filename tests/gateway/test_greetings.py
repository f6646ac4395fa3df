"""Providers that try the address first, look whether it is there, or report by GET."""

from dataclasses import replace

import httpx
import pytest

from orderack.domain.order import OrderRef
from orderack.gateway.app import create_app
from orderack.gateway.rates import Rates
from tests.gateway.conftest import PUBLIC, Gateway
from tests.gateway.fakes import GreetingChannel, signed
from tests.gateway.test_webhooks import an_event

REF = OrderRef(store="demo", number="1001")


@pytest.fixture
def http(gateway: Gateway) -> httpx.AsyncClient:
    """The gateway with such a channel, where a provider may ask three times a minute and guess twice."""
    channels = {**gateway.parts.channels, "greets": GreetingChannel()}
    parts = replace(gateway.parts, channels=channels, rates=Rates(provider=3, guesses=2))
    return httpx.AsyncClient(transport=httpx.ASGITransport(create_app(parts)), base_url="http://testserver")


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_greeting_is_answered_word_for_word_and_nothing_is_recorded(
    http: httpx.AsyncClient, method: str, gateway: Gateway
) -> None:
    answer = await http.request(method, "/webhooks/greets?validationToken=a%20%3Cb%3E%20token")
    assert (answer.status_code, answer.text) == (200, "a <b> token")
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert await gateway.inbox() == []


async def test_its_status_and_type_are_the_adapters(http: httpx.AsyncClient) -> None:
    answer = await http.get("/webhooks/greets?hub.challenge=77&hub.verify_token=ours")
    assert (answer.status_code, answer.headers["content-type"]) == (201, "application/json")
    assert answer.json() == {"challenge": ["77"]}


async def test_a_greeting_that_proves_nothing_is_refused_and_counts_as_a_guess(http: httpx.AsyncClient) -> None:
    wrong = "/webhooks/greets?hub.challenge=77&hub.verify_token=guessed"
    assert [(await http.get(wrong)).status_code for _ in range(3)] == [401, 401, 429]


async def test_a_strangers_greetings_use_up_nobodys_share(http: httpx.AsyncClient) -> None:
    for _ in range(20):
        assert (await http.post("/webhooks/greets?validationToken=x")).status_code == 200
    headers = signed(b"[]", f"{PUBLIC}/webhooks/greets")
    asked = [await http.post("/webhooks/greets", content=b"[]", headers=headers) for _ in range(4)]
    assert [answer.status_code for answer in asked] == [200, 200, 200, 429]


@pytest.mark.parametrize("path", ["/webhooks/email", "/webhooks/greets"])
async def test_what_is_no_greeting_must_be_signed(http: httpx.AsyncClient, path: str) -> None:
    assert [(await http.get(path)).status_code, (await http.post(path)).status_code] == [401, 401]


async def test_a_report_may_come_by_get(http: httpx.AsyncClient, gateway: Gateway) -> None:
    await gateway.accepted_send(REF)
    body = b"[" + an_event("e1").model_dump_json().encode() + b"]"
    headers = signed(body, f"{PUBLIC}/webhooks/email")
    answer = await http.request("GET", "/webhooks/email", content=body, headers=headers)
    assert (answer.status_code, answer.json()) == (200, {"events": 1, "waiting": 0})
    assert [fact.id for fact in gateway.orders.facts] == ["e1"]


async def test_reports_by_get_draw_on_the_same_share(http: httpx.AsyncClient) -> None:
    headers = signed(b"[]", f"{PUBLIC}/webhooks/email")
    for method, status in (("GET", 200), ("POST", 200), ("GET", 200), ("POST", 429), ("GET", 429)):
        answer = await http.request(method, "/webhooks/email", content=b"[]", headers=headers)
        assert answer.status_code == status


async def test_head_says_whether_there_is_such_a_channel(http: httpx.AsyncClient) -> None:
    there, not_there = await http.head("/webhooks/email"), await http.head("/webhooks/nosuch")
    assert (there.status_code, there.content) == (200, b"")
    assert (not_there.status_code, not_there.content) == (404, b"")
