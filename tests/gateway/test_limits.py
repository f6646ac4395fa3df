"""Who asks too often is told when to come back; who asks for somebody else's share uses up only their own."""

from collections.abc import Awaitable, Callable
from dataclasses import replace

import httpx
import pytest
from fastapi import FastAPI, Request
from structlog.testing import capture_logs
from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from orderack.errors import Misconfigured
from orderack.gateway.app import create_app
from orderack.gateway.limits import client_of
from orderack.gateway.proxies import trusted
from orderack.gateway.rates import Rates
from orderack.gateway.requests import MAX_BATCH
from tests.gateway.conftest import ERP_KEY, KEY, OTHER_KEY, PUBLIC, Gateway
from tests.gateway.fakes import signed

RATES = Rates(key=3, provider=4, page=2, guesses=5)
Ask = Callable[[httpx.AsyncClient], Awaitable[httpx.Response]]


def at(gateway: Gateway, address: str = "192.0.2.1", app: FastAPI | None = None) -> httpx.AsyncClient:
    """A client at this address; its app is the gateway with the small rates above."""
    app = app or limited(gateway)
    transport = httpx.ASGITransport(app, raise_app_exceptions=False, client=(address, 4711))
    return httpx.AsyncClient(transport=transport, base_url="http://testserver")


def limited(gateway: Gateway) -> FastAPI:
    return create_app(replace(gateway.parts, rates=RATES))


async def answers(http: httpx.AsyncClient, ask: Ask, times: int) -> list[int]:
    return [(await ask(http)).status_code for _ in range(times)]


def standing(key: str, store: str = "demo") -> Ask:
    return lambda http: http.get(f"/orders/{store}/1", headers={"x-api-key": key})


def webhook(channel: str = "email", secret: bytes | None = None) -> Ask:
    def ask(http: httpx.AsyncClient) -> Awaitable[httpx.Response]:
        url = f"{PUBLIC}/webhooks/{channel}"
        headers = signed(b"[]", url) if secret is None else signed(b"[]", url, secret=secret)
        return http.post(f"/webhooks/{channel}", content=b"[]", headers=headers)

    return ask


async def test_a_key_that_asks_too_often_waits_and_another_does_not(gateway: Gateway) -> None:
    async with at(gateway) as http:
        assert await answers(http, standing(KEY), 4) == [404, 404, 404, 429]
        answer = await standing(KEY)(http)
        assert answer.json()["error"] == "too_many_requests"
        assert 1 <= int(answer.headers["retry-after"]) <= 61
        assert answer.headers["cache-control"] == "no-store"
        assert await answers(http, standing(OTHER_KEY, "other"), 1) == [404]


async def test_who_goes_on_asking_does_not_fill_the_log(gateway: Gateway) -> None:
    async with at(gateway) as http:
        with capture_logs() as logged:
            assert (await answers(http, standing(KEY), 30)).count(429) == 27
            assert (await answers(http, standing("guessed"), 30)).count(429) == 25
    assert [line["event"] for line in logged] == ["asked too often"] * 2


async def test_a_key_has_one_share_over_all_that_it_opens_however_it_is_shown(gateway: Gateway) -> None:
    async with at(gateway) as http:
        await standing(ERP_KEY)(http)
        await http.post("/receipts/sandbox", content=b"[]", headers={"authorization": f"Bearer {ERP_KEY}"})
        await http.post("/intake/demo", content=b"{}", headers={"authorization": f"bearer  {ERP_KEY}"})
        assert await answers(http, standing(ERP_KEY), 1) == [429]


async def test_a_provider_has_a_share_for_each_channel(gateway: Gateway) -> None:
    async with at(gateway) as http:
        assert await answers(http, webhook(), 5) == [200] * 4 + [429]
        assert await answers(http, webhook("alerts"), 1) == [200]


async def test_forged_reports_use_up_the_forgers_share_and_not_the_providers(gateway: Gateway) -> None:
    app = limited(gateway)
    async with at(gateway, "192.0.2.66", app) as forger, at(gateway, "192.0.2.1", app) as provider:
        assert await answers(forger, webhook(secret=b"guessed"), 7) == [401] * 5 + [429] * 2
        assert await answers(forger, webhook(), 1) == [429]
        assert await answers(provider, webhook(), 4) == [200] * 4


@pytest.mark.parametrize(
    "stranger",
    [
        lambda http: http.head("/webhooks/email"),
        lambda http: http.put("/webhooks/email"),
        lambda http: http.post("/webhooks/email", content=b"x", headers={"content-encoding": "gzip"}),
        lambda http: http.post("/webhooks/email", content=b"x" * (MAX_BATCH + 1)),
        lambda http: http.get(f"/webhooks/email?{'x' * 3_000}"),
    ],
    ids=["head", "put", "compressed", "too large", "too long"],
)
async def test_what_is_turned_away_unread_uses_up_no_providers_share(stranger: Ask, gateway: Gateway) -> None:
    app = limited(gateway)
    async with at(gateway, "192.0.2.66", app) as forger, at(gateway, "192.0.2.1", app) as provider:
        assert 401 not in await answers(forger, stranger, 9)
        assert await answers(provider, webhook(), 5) == [200] * 4 + [429]


@pytest.mark.parametrize(
    "ask",
    [
        standing("a guessed key"),
        lambda http: http.post("/intake/demo", content=b"{}"),
        lambda http: http.post("/receipts/sandbox", content=b"[]", headers={"x-api-key": "guessed"}),
        lambda http: http.post("/attestations/demo/1", content=b"{}", headers={"x-api-key": "guessed"}),
        lambda http: http.get("/o/a-guessed-token"),
        lambda http: http.get("/l/a-guessed-token"),
    ],
    ids=["orders", "intake", "receipts", "attestations", "page", "link"],
)
async def test_an_address_that_guesses_is_let_in_no_more(ask: Ask, gateway: Gateway) -> None:
    async with at(gateway) as http:
        wrong = await answers(http, ask, 7)
        assert len(set(wrong[:5])) == 1
        assert wrong[0] in (401, 404)
        assert wrong[5:] == [429, 429]


async def test_guesses_of_every_kind_count_together_and_only_for_their_own_address(gateway: Gateway) -> None:
    app = limited(gateway)
    async with at(gateway, "192.0.2.66", app) as guesser, at(gateway, "192.0.2.67", app) as neighbour:
        for ask in (standing("x"), webhook(secret=b"x"), standing("y"), standing("z"), standing("w")):
            assert (await ask(guesser)).status_code == 401
        assert (await guesser.get("/o/guessed")).status_code == 429
        assert (await neighbour.get("/o/guessed")).status_code == 404


async def test_a_page_is_answered_in_words_for_a_person(gateway: Gateway) -> None:
    async with at(gateway) as http:
        await answers(http, lambda http: http.get("/o/guessed"), 5)
        answer = await http.get("/o/guessed")
    assert (answer.status_code, answer.headers["content-type"]) == (429, "text/html; charset=utf-8")
    assert answer.headers["retry-after"]
    assert "Wait a minute" in answer.text


async def test_forms_of_one_page_are_limited_by_its_token_and_looking_is_not(gateway: Gateway) -> None:
    async with at(gateway) as http:
        forms = await answers(http, lambda http: http.post("/o/one/affirm", data={"revision": "1"}), 3)
        assert forms == [404, 404, 429]
        assert await answers(http, lambda http: http.post("/o/two/affirm", data={"revision": "1"}), 1) == [404]


async def test_health_is_never_refused(gateway: Gateway) -> None:
    async with at(gateway) as http:
        assert await answers(http, lambda http: http.get("/healthz"), 50) == [200] * 50


@pytest.mark.parametrize(
    ("host", "who"),
    [
        ("192.0.2.1", "192.0.2.1"),
        ("2001:db8:1:2:aaaa::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:bbbb::2", "2001:db8:1:2::/64"),
        ("not an address", "not an address"),
    ],
)
def test_an_ipv6_subscriber_is_one_asker(host: str, who: str) -> None:
    assert client_of(Request({"type": "http", "client": (host, 1), "headers": []})) == who


async def test_what_a_stranger_says_of_where_it_comes_from_is_not_believed(gateway: Gateway) -> None:
    """As the gateway is served: uvicorn rewrites the address for our own proxies, and for nobody else."""
    app = limited(gateway)
    proxied = ProxyHeadersMiddleware(app, trusted_hosts=list(trusted("10.0.0.7, 10.1.0.0/16")))  # type: ignore[arg-type]

    async def guess(peer: str, said: str) -> int:
        transport = httpx.ASGITransport(proxied, client=(peer, 1))  # type: ignore[arg-type]
        async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
            return (await http.get("/o/guessed", headers={"x-forwarded-for": said})).status_code

    assert [await guess("192.0.2.66", f"198.51.100.{n}") for n in range(6)] == [404] * 5 + [429]
    assert [await guess("10.1.2.3", f"198.51.100.{n}") for n in range(6)] == [404] * 6
    assert await guess("10.0.0.7", "198.51.100.77, 192.0.2.66") == 429  # what our proxy itself saw counts


@pytest.mark.parametrize("text", ["*", "proxy.example", "10.0.0.0/8, *", "0.0.0.0/0", "::/0", "10.0.0.1/8"])
def test_trusting_everybody_or_nobody_in_particular_is_refused(text: str) -> None:
    with pytest.raises(Misconfigured, match="ORDERACK_TRUSTED_PROXIES"):
        trusted(text)


def test_no_proxies_are_trusted_unless_named() -> None:
    assert trusted("") == trusted(" , ") == ()
