"""Orders over HTTP: recorded once, announced once, each bad input told what is wrong with it."""

import gzip
import json
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from orderack.contracts.updates import SubmitVerdict
from orderack.domain.order import Order
from orderack.gateway.announce import announce_stragglers
from tests.gateway.conftest import KEY, OTHER_KEY, PUBLIC, Gateway
from tests.temporal.server import now
from tests.workflows.orders import an_order

BEARER = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}


def take_away(database: Path) -> None:
    """What stands in the file's place can't be opened as a database."""
    database.unlink()
    database.mkdir()


def body_of(order: Order) -> str:
    return order.model_dump_json(exclude_unset=True)


@pytest.fixture
def order() -> Order:
    return an_order("1001", now())


async def test_an_order_is_recorded_announced_and_answered_with_what_happens_next(
    gateway: Gateway, order: Order
) -> None:
    answer = await gateway.http.post("/intake/demo", content=body_of(order), headers=BEARER)
    assert answer.status_code == 202
    reply = answer.json()
    assert (reply["reference"], reply["verdict"], reply["stage"]) == ("demo/1001", "accepted", "assessing")
    assert reply["next"]
    assert reply["acknowledge_by"]
    assert reply["status_url"] == f"{PUBLIC}/orders/demo/1001"
    assert gateway.orders.submitted == [order]
    assert await gateway.inbox() == []


async def test_the_same_order_again_is_a_repeat_with_the_same_answer(gateway: Gateway, order: Order) -> None:
    first = (await gateway.http.post("/intake/demo", content=body_of(order), headers=BEARER)).json()
    later = order.model_copy(update={"trigger_at": order.trigger_at + timedelta(hours=1)})
    answer = await gateway.http.post("/intake/demo", content=body_of(order), headers=BEARER)
    other_minute = await gateway.http.post("/intake/demo", content=body_of(later), headers=BEARER)
    assert answer.status_code == other_minute.status_code == 202
    assert answer.json() == first | {"verdict": "repeated"}
    assert other_minute.json()["verdict"] == "repeated"


async def test_the_key_is_taken_in_either_header(gateway: Gateway, order: Order) -> None:
    headers = {"x-api-key": KEY, "content-type": "application/json"}
    assert (await gateway.http.post("/intake/demo", content=body_of(order), headers=headers)).status_code == 202


@pytest.mark.parametrize(
    ("store", "headers", "status", "word"),
    [
        ("demo", {}, 401, "no_key"),
        ("demo", {"authorization": "Bearer guessed"}, 401, "no_key"),
        ("demo", {"authorization": "Bearer "}, 401, "no_key"),
        ("demo", {"authorization": f"Basic {KEY}"}, 401, "no_key"),
        ("demo", {"x-api-key": ""}, 401, "no_key"),
        ("demo", {"x-api-key": OTHER_KEY}, 403, "wrong_store"),
        ("nosuch", {"x-api-key": KEY}, 404, "store_unknown"),
        ("nosuch", {}, 401, "no_key"),
    ],
)
async def test_without_the_stores_own_key_nothing_gets_in(
    store: str, headers: dict[str, str], status: int, word: str, gateway: Gateway, order: Order
) -> None:
    sent = headers | {"content-type": "application/json"}
    answer = await gateway.http.post(f"/intake/{store}", content=body_of(order), headers=sent)
    assert (answer.status_code, answer.json()["error"]) == (status, word)
    assert ("www-authenticate" in answer.headers) == (status == 401)
    assert gateway.orders.submitted == []


async def test_an_order_of_another_store_than_the_address_is_refused(gateway: Gateway, order: Order) -> None:
    wrong = order.model_copy(update={"store": "other"})
    answer = await gateway.http.post("/intake/demo", content=body_of(wrong), headers=BEARER)
    assert answer.status_code == 422
    assert [p["field"] for p in answer.json()["problems"]] == ["store"]


async def test_a_malformed_order_is_told_each_field_and_its_remedy_but_none_of_its_values(
    gateway: Gateway, order: Order
) -> None:
    broken = json.loads(body_of(order))
    broken["lines"][1]["quantity"] = -3
    broken["contacts"]["email"] = "secret-person@example.com\u202e"
    broken["colour"] = "red"
    answer = await gateway.http.post("/intake/demo", json=broken, headers={"x-api-key": KEY})
    assert answer.status_code == 422
    problems = answer.json()["problems"]
    assert {"colour", "contacts.email"} <= {p["field"] for p in problems}
    assert all(p["problem"] and p["remedy"] for p in problems)
    assert "secret-person" not in answer.text
    assert gateway.orders.submitted == []


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"order"',
        b"{",
        b"\xff\xfe{}",
        b'{"store":"demo","store":"demo"}',
        b'{"totals":{"total":NaN}}',
        b'{"totals":{"total":1e400}}',
        b'{"number":"\\ud800"}',
        b"[" * 10_000 + b"]" * 10_000,
        b'{"a":' * 10_000 + b"1" + b"}" * 10_000,
    ],
    ids=["empty", "null", "list", "text", "cut off", "utf-16", "twice", "nan", "1e400", "surrogate", "deep", "deeper"],
)
async def test_hostile_json_is_one_clear_error_and_never_a_crash(body: bytes, gateway: Gateway) -> None:
    answer = await gateway.http.post("/intake/demo", content=body, headers=BEARER)
    assert answer.status_code == 422
    assert answer.json()["problems"]
    assert await gateway.inbox() == []


async def test_a_body_that_is_too_large_is_refused_however_it_is_sent(gateway: Gateway) -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        for _ in range(100):
            sent += 16_384
            yield b" " * 16_384

    whole = await gateway.http.post("/intake/demo", content=b" " * 300_000, headers=BEARER)
    lying = await gateway.http.post("/intake/demo", content=endless(), headers=BEARER | {"content-length": "10"})
    streamed = await gateway.http.post("/intake/demo", content=endless(), headers=BEARER)
    assert [a.status_code for a in (whole, lying, streamed)] == [413, 413, 413]
    assert "256 KiB" in whole.json()["message"]


async def test_a_compressed_body_is_refused_before_it_can_unfold(gateway: Gateway, order: Order) -> None:
    body = gzip.compress(body_of(order).encode())
    answer = await gateway.http.post("/intake/demo", content=body, headers=BEARER | {"content-encoding": "gzip"})
    assert (answer.status_code, answer.json()["error"]) == (415, "unsupported_encoding")


@pytest.mark.parametrize("kind", ["text/plain", "application/xml", "multipart/form-data; boundary=x", ""])
async def test_what_does_not_say_it_is_json_is_refused(kind: str, gateway: Gateway, order: Order) -> None:
    headers = BEARER | {"content-type": kind}
    answer = await gateway.http.post("/intake/demo", content=body_of(order), headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (415, "unsupported_type")


async def test_while_temporal_is_away_the_order_is_recorded_and_announced_later_exactly_once(
    gateway: Gateway, order: Order
) -> None:
    gateway.orders.away = True
    answer = await gateway.http.post("/intake/demo", content=body_of(order), headers=BEARER)
    assert answer.status_code == 503
    assert answer.headers["retry-after"].isdecimal()
    assert answer.json()["recorded"] is True
    assert [row.ref for row in await gateway.inbox()] == [order.ref]

    gateway.orders.away = False
    gateway.clock.ahead = timedelta(minutes=1)
    assert await announce_stragglers(gateway.parts) == 1
    assert await announce_stragglers(gateway.parts) == 0
    assert gateway.orders.submitted == [order]
    assert await gateway.inbox() == []


async def test_the_sweep_leaves_a_young_event_to_the_request_that_recorded_it(gateway: Gateway, order: Order) -> None:
    gateway.orders.away = True
    await gateway.http.post("/intake/demo", content=body_of(order), headers=BEARER)
    gateway.orders.away = False
    assert await announce_stragglers(gateway.parts) == 0
    assert len(await gateway.inbox()) == 1


async def test_an_event_that_cannot_be_announced_holds_up_no_other(gateway: Gateway, order: Order) -> None:
    await gateway.ledger.receive("intake/demo", "poison", "order", order.ref, "{not json", now())
    await gateway.ledger.receive("elsewhere", "stranger", "no such kind", order.ref, "{}", now())
    await gateway.ledger.receive("intake/demo", "good", "order", order.ref, body_of(order), now())
    gateway.clock.ahead = timedelta(minutes=1)
    assert await announce_stragglers(gateway.parts) == 1
    assert gateway.orders.submitted == [order]
    assert await gateway.inbox() == []


async def test_while_the_ledger_is_away_nothing_is_accepted(gateway: Gateway, order: Order, database: Path) -> None:
    await gateway.ledger.aclose()
    take_away(database)
    answer = await gateway.http.post("/intake/demo", content=body_of(order), headers=BEARER)
    assert answer.status_code == 503
    assert answer.headers["retry-after"]
    assert answer.json()["recorded"] is False
    assert gateway.orders.submitted == []


async def test_an_order_that_has_closed_says_so_and_a_repeat_of_it_is_harmless(gateway: Gateway, order: Order) -> None:
    gateway.orders.verdict = SubmitVerdict.CLOSED
    answer = await gateway.http.post("/intake/demo", content=body_of(order), headers=BEARER)
    assert (answer.status_code, answer.json()["error"]) == (409, "order_closed")
    again = await gateway.http.post("/intake/demo", content=body_of(order), headers=BEARER)
    assert (again.status_code, again.json()["verdict"]) == (202, "closed")


async def test_numbers_of_any_length_and_script_are_recorded(gateway: Gateway) -> None:
    for number in ("9" * 200, "Bestellung 7/2026 – ü", "O'Brien; DROP TABLE orders"):
        order = an_order(number, now())
        answer = await gateway.http.post("/intake/demo", content=body_of(order), headers=BEARER)
        assert answer.status_code == 202, number
    assert len(gateway.orders.submitted) == 3


async def test_a_change_never_overtakes_the_order_that_waits_to_be_announced(gateway: Gateway, order: Order) -> None:
    changed = order.model_copy(update={"instructions": "leave it with the porter"})
    gateway.orders.away = True
    await gateway.http.post("/intake/demo", content=body_of(order), headers=BEARER)
    gateway.orders.away = False
    answer = await gateway.http.post("/intake/demo", content=body_of(changed), headers=BEARER)
    assert answer.status_code == 202
    assert gateway.orders.submitted == [order, changed]


async def test_the_sweep_announces_one_orders_events_in_the_order_in_which_they_came(
    gateway: Gateway, order: Order
) -> None:
    changed = order.model_copy(update={"instructions": "leave it with the porter"})
    gateway.orders.away = True
    for content in (order, changed):
        await gateway.http.post("/intake/demo", content=body_of(content), headers=BEARER)
    gateway.orders.away = False
    gateway.clock.ahead = timedelta(minutes=1)
    assert await announce_stragglers(gateway.parts) == 2
    assert gateway.orders.submitted == [order, changed]
