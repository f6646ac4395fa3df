"""`POST /shadow/{store}/events`: the old flow's messages, taken once, whole or not at all, by the store's key."""

from typing import Any

import httpx
import pytest

from orderack.errors import Unavailable
from tests.gateway.conftest import KEY, OTHER_KEY, Gateway

EVENT = {"id": "m-1", "order": "1001", "kind": "order_confirmation", "at": "2026-03-02T09:30:00Z", "channel": "mail"}


async def post(gateway: Gateway, body: object, key: str | None = KEY, store: str = "demo") -> httpx.Response:
    headers = {"authorization": f"Bearer {key}"} if key else {}
    return await gateway.http.post(f"/shadow/{store}/events", json=body, headers=headers)


def outcomes(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 202, answer.text
    return [event["outcome"] for event in answer.json()["events"]]


async def test_an_event_or_a_list_is_taken_once_however_often_it_is_sent(gateway: Gateway) -> None:
    assert outcomes(await post(gateway, EVENT)) == ["taken"]
    other = EVENT | {"id": "m-2", "figures": {"total": "20.00", "lines": 2, "promise_on": "2026-03-05"}}
    assert outcomes(await post(gateway, [EVENT, other])) == ["repeated", "taken"]
    found = (await gateway.ledger.shadow_facts("demo")).old
    assert [(one.id, one.figures.lines) for one in found] == [("m-1", None), ("m-2", 2)]
    assert await gateway.inbox() == [], "nobody is told of it"


async def test_another_event_under_the_same_id_is_refused_and_the_first_stands(gateway: Gateway) -> None:
    await post(gateway, EVENT)
    answer = await post(gateway, EVENT | {"order": "1002"})
    assert (answer.status_code, answer.json()["error"]) == (409, "id_reused")
    assert "m-1" in answer.json()["message"]
    assert [one.number for one in (await gateway.ledger.shadow_facts("demo")).old] == ["1001"]


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"kind": "hello"}, "[1].kind"),
        ({"at": "yesterday"}, "[1].at"),
        ({"at": "2026-03-02T09:30:00"}, "[1].at"),
        ({"order": ""}, "[1].order"),
        ({"figures": {"total": "NaN"}}, "[1].figures.total"),
        ({"figures": {"lines": -1}}, "[1].figures.lines"),
        ({"surprise": 1}, "[1].surprise"),
    ],
)
async def test_one_wrong_event_and_none_is_taken(change: dict[str, Any], field: str, gateway: Gateway) -> None:
    answer = await post(gateway, [EVENT, EVENT | {"id": "m-2"} | change])
    assert answer.status_code == 422
    assert [problem["field"] for problem in answer.json()["problems"]] == [field]
    assert (await gateway.ledger.shadow_facts("demo")).old == ()


@pytest.mark.parametrize(
    ("key", "store", "status"),
    [(None, "demo", 401), ("guessed", "demo", 401), (OTHER_KEY, "demo", 403), (KEY, "nowhere", 404)],
)
async def test_only_the_stores_own_key_may_tell(key: str | None, store: str, status: int, gateway: Gateway) -> None:
    assert (await post(gateway, EVENT, key, store)).status_code == status


async def test_more_than_a_thousand_at_once_and_no_json_are_refused(gateway: Gateway) -> None:
    many = [EVENT | {"id": f"m-{n}"} for n in range(1_001)]
    assert (await post(gateway, many)).status_code == 422
    plain = await gateway.http.post("/shadow/demo/events", content=b"x", headers={"authorization": f"Bearer {KEY}"})
    assert plain.status_code == 415


async def test_what_could_not_be_recorded_is_asked_for_again(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> None:
        raise Unavailable("the ledger is away")

    monkeypatch.setattr(gateway.ledger, "take_old_events", away)
    answer = await post(gateway, EVENT)
    assert (answer.status_code, answer.json()["recorded"]) == (503, False)
