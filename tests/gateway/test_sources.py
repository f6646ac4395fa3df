"""`/intake/{store}/{system}`: a shop's own webhook becomes an order."""

import asyncio
import threading
from collections.abc import Sequence
from datetime import timedelta

import pytest

from orderack.gateway.announce import announce_stragglers
from orderack.gateway.sources import LARGE
from orderack.ports import Delivery, Greeting, RawRequest
from tests.gateway.conftest import Gateway
from tests.intake.fakes import SIGNATURE, FakeSource, a_delivery

HEADERS = {"x": SIGNATURE}


@pytest.fixture
def source(gateway: Gateway) -> FakeSource:
    made = FakeSource()
    gateway.parts.sources["demo/fake"] = made  # type: ignore[index]
    return made


def body(**said: object) -> bytes:
    return a_delivery("d", **said).body.encode()  # type: ignore[arg-type]


async def test_an_order_that_a_shop_posts_is_recorded_told_and_answered_with_200(
    gateway: Gateway, source: FakeSource
) -> None:
    for _ in range(2):
        answer = await gateway.http.post("/intake/demo/fake", content=body(), headers=HEADERS)
        assert (answer.status_code, answer.json()) == (200, {"deliveries": 1})
    assert [order.number for order in gateway.orders.submitted] == ["1001"]
    assert await gateway.inbox() == []


async def test_a_strangers_request_is_refused_and_leaves_nothing(gateway: Gateway, source: FakeSource) -> None:
    answer = await gateway.http.post("/intake/demo/fake", content=body(), headers={"x": "forged"})
    assert answer.status_code == 401
    assert await gateway.inbox() == []
    assert gateway.orders.submitted == []


async def test_a_connection_that_there_is_not_is_404_for_every_store(gateway: Gateway, source: FakeSource) -> None:
    for path in ("/intake/demo/other", "/intake/other/fake", "/intake/nosuch/fake"):
        assert (await gateway.http.post(path, content=body(), headers=HEADERS)).status_code == 404


async def test_a_ping_is_thanked_for_and_recorded_nowhere(gateway: Gateway, source: FakeSource) -> None:
    answer = await gateway.http.post("/intake/demo/fake", content=b"ping", headers=HEADERS)
    assert (answer.status_code, answer.json()) == (200, {"deliveries": 0})


async def test_a_body_that_cannot_be_read_is_kept_for_a_person_and_not_sent_again_for_ever(
    gateway: Gateway, source: FakeSource
) -> None:
    answer = await gateway.http.post("/intake/demo/fake", content=b'{"no": "order"}', headers=HEADERS)
    assert answer.status_code == 200
    (row,) = await gateway.ledger.refused("demo/fake")
    assert "id" in row.outcome


async def test_a_body_over_the_systems_limit_is_413(gateway: Gateway, source: FakeSource) -> None:
    answer = await gateway.http.post("/intake/demo/fake", content=b"x" * 1_001, headers=HEADERS)
    assert answer.status_code == 413


async def test_a_large_body_is_taken_apart_while_others_are_served(
    gateway: Gateway, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    began, others_served = threading.Event(), threading.Event()

    def slowly(request: RawRequest) -> Sequence[Delivery]:
        began.set()
        assert others_served.wait(5), "nothing else was done meanwhile"
        return (Delivery(id="large", body=request.body.decode()),)

    monkeypatch.setattr(source, "deliveries", slowly)
    monkeypatch.setattr(FakeSource, "traits", FakeSource.traits.model_copy(update={"max_body": 2 * LARGE}))
    large = body() + b" " * LARGE
    posting = asyncio.create_task(gateway.http.post("/intake/demo/fake", content=large, headers=HEADERS))
    assert await asyncio.to_thread(began.wait, 5)
    others_served.set()
    assert (await posting).status_code == 200
    assert [order.number for order in gateway.orders.submitted] == ["1001"]


async def test_while_temporal_is_away_the_shop_has_its_200_and_the_sweep_tells_it_later(
    gateway: Gateway, source: FakeSource
) -> None:
    gateway.orders.away = True
    answer = await gateway.http.post("/intake/demo/fake", content=body(), headers=HEADERS)
    assert answer.status_code == 200
    assert len(await gateway.inbox()) == 1
    gateway.orders.away = False
    gateway.clock.ahead += timedelta(minutes=1)
    assert await announce_stragglers(gateway.parts) == 1
    assert len(gateway.orders.submitted) == 1


async def test_a_shop_that_cannot_be_asked_in_time_keeps_no_webhook_waiting(
    gateway: Gateway, source: FakeSource, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orderack.gateway.sources.PATIENCE", 0.05)
    released = asyncio.Event()
    fetch = source.fetch

    async def slowly(external_id: str) -> object:
        await released.wait()
        return await fetch(external_id)

    monkeypatch.setattr(source, "fetch", slowly)
    answer = await gateway.http.post("/intake/demo/fake", content=body(kind="hint"), headers=HEADERS)
    assert answer.status_code == 200
    released.set()
    await asyncio.gather(*gateway.parts.under_way)
    assert await gateway.inbox() == []


async def test_a_system_that_tries_the_address_first_is_answered_by_get_and_by_post(gateway: Gateway) -> None:
    class Trying(FakeSource):
        async def greet(self, request: RawRequest) -> Greeting | None:
            return Greeting(body="hello") if "challenge" in request.url else None

    gateway.parts.sources["demo/fake"] = Trying()  # type: ignore[index]
    for method in ("GET", "POST"):
        answer = await gateway.http.request(method, "/intake/demo/fake?challenge=1")
        assert (answer.status_code, answer.text) == (200, "hello")
    assert (await gateway.http.get("/intake/demo/fake")).status_code == 401


async def test_a_partner_that_is_owed_an_answer_gets_it_in_the_response(gateway: Gateway) -> None:
    class Owing(FakeSource):
        async def respond(self, request: RawRequest, recorded: object) -> Greeting:
            return Greeting(body="ISA*997", media_type="application/edi-x12")

    gateway.parts.sources["demo/fake"] = Owing()  # type: ignore[index]
    answer = await gateway.http.post("/intake/demo/fake", content=body(), headers=HEADERS)
    assert (answer.status_code, answer.text) == (200, "ISA*997")
    assert answer.headers["content-type"].startswith("application/edi-x12")
