"""ERP receipts over HTTP: signed in the ERP's words, or canonical with the ERP's own key."""

import json
from collections.abc import Callable
from datetime import timedelta

import httpx
import pytest

from orderack.domain.receipt import ErpReceipt
from orderack.gateway.announce import announce_stragglers
from orderack.temporal.orders import Told
from tests.gateway.conftest import ERP_KEY, KEY, OTHER_KEY, PUBLIC, Gateway
from tests.gateway.fakes import signed
from tests.temporal.server import now
from tests.workflows.orders import a_receipt, an_order

URL = f"{PUBLIC}/receipts/sandbox"


@pytest.fixture
def receipt() -> ErpReceipt:
    at = now()
    return a_receipt(an_order("1001", at), at)


def listed(*receipts: ErpReceipt) -> bytes:
    return b"[" + b",".join(receipt.model_dump_json().encode() for receipt in receipts) + b"]"


async def report(gateway: Gateway, body: bytes, headers: dict[str, str] | None = None) -> httpx.Response:
    return await gateway.http.post("/receipts/sandbox", content=body, headers=headers or signed(body, URL))


async def with_key(gateway: Gateway, body: bytes | str, key: str = ERP_KEY) -> httpx.Response:
    return await gateway.http.post("/receipts/sandbox", content=body, headers={"authorization": f"Bearer {key}"})


async def test_a_signed_receipt_is_recorded_and_told_to_its_order(gateway: Gateway, receipt: ErpReceipt) -> None:
    answer = await report(gateway, listed(receipt))
    assert (answer.status_code, answer.json()) == (202, {"receipts": [{"id": "R1", "outcome": "told"}]})
    assert gateway.orders.receipts == [receipt]
    assert await gateway.inbox() == []


async def test_a_replayed_receipt_is_one_receipt(gateway: Gateway, receipt: ErpReceipt) -> None:
    body = listed(receipt)
    headers = signed(body, URL)
    await report(gateway, body, headers)
    again = await report(gateway, body, headers)
    assert (again.status_code, again.json()["receipts"][0]["outcome"]) == (202, "repeated")
    assert gateway.orders.receipts == [receipt]


FORGERIES: dict[str, Callable[[bytes], dict[str, str]]] = {
    "unsigned": lambda body: {"content-type": "application/json"},
    "another secret": lambda body: signed(body, URL, secret=b"guessed"),
    "another body": lambda body: signed(body + b" ", URL),
    "another address": lambda body: signed(body, "https://evil.example/receipts/sandbox"),
    "old": lambda body: signed(body, URL, now() - timedelta(minutes=6)),
    "from the future": lambda body: signed(body, URL, now() + timedelta(minutes=6)),
    "malformed time": lambda body: signed(body, URL) | {"x-time": "yesterday"},
    "malformed signature": lambda body: signed(body, URL) | {"x-signature": "%%not-hex%%"},
    "an unknown key": lambda body: {"authorization": "Bearer guessed"},
}


@pytest.mark.parametrize("forgery", FORGERIES)
async def test_a_receipt_that_does_not_prove_where_it_comes_from_is_refused(
    forgery: str, gateway: Gateway, receipt: ErpReceipt
) -> None:
    body = listed(receipt)
    answer = await report(gateway, body, FORGERIES[forgery](body))
    assert (answer.status_code, answer.json()["error"]) == (401, "bad_signature")
    assert gateway.orders.receipts == []
    assert await gateway.inbox() == []


async def test_the_signature_is_checked_against_our_public_address_and_never_against_the_host_header(
    gateway: Gateway, receipt: ErpReceipt
) -> None:
    body = listed(receipt)
    headers = signed(body, URL) | {"host": "evil.example"}
    assert (await report(gateway, body, headers)).status_code == 202


async def test_an_erp_that_only_has_a_key_sends_one_canonical_receipt_or_a_list(
    gateway: Gateway, receipt: ErpReceipt
) -> None:
    other = receipt.model_copy(update={"id": "R2"})
    one = await with_key(gateway, receipt.model_dump_json())
    many = await with_key(gateway, listed(receipt, other))
    assert [r["outcome"] for r in (*one.json()["receipts"], *many.json()["receipts"])] == ["told", "repeated", "told"]
    assert gateway.orders.receipts == [receipt, other]


@pytest.mark.parametrize("key", [KEY, OTHER_KEY])
async def test_a_shops_key_cannot_say_that_the_erp_booked_something(
    key: str, gateway: Gateway, receipt: ErpReceipt
) -> None:
    answer = await with_key(gateway, receipt.model_dump_json(), key)
    assert (answer.status_code, answer.json()["error"]) == (403, "wrong_key")
    assert gateway.orders.receipts == []


async def test_an_erps_key_is_good_for_its_own_stores_only(gateway: Gateway, receipt: ErpReceipt) -> None:
    answer = await with_key(gateway, receipt.model_copy(update={"store": "other"}).model_dump_json())
    assert (answer.status_code, answer.json()["error"]) == (403, "wrong_store")


@pytest.mark.parametrize(
    ("change", "field"),
    [
        ({"document_id": ""}, "document_id"),
        ({"recorded_at": "yesterday"}, "recorded_at"),
        ({"recorded_at": "2026-11-21T10:00:00"}, "recorded_at"),
        ({"erp": "another"}, "[0].erp"),
        ({"lines": [{"line_id": "1", "verdict": "maybe"}]}, "lines[0].verdict"),
        ({"lines": [{"line_id": "1", "verdict": "partial", "quantity": False}]}, "lines[0].quantity"),
        ({"documentid": "typo"}, "documentid"),
    ],
)
async def test_a_malformed_receipt_is_told_the_field_and_the_remedy(
    change: dict[str, object], field: str, gateway: Gateway, receipt: ErpReceipt
) -> None:
    body = json.dumps(json.loads(receipt.model_dump_json()) | change)
    answer = await with_key(gateway, body)
    assert answer.status_code == 422
    problems = answer.json()["problems"]
    assert field in {p["field"] for p in problems}
    assert all(p["remedy"] for p in problems)


@pytest.mark.parametrize("body", [b"", b"{", b"null", b"[" * 10_000, b"[1]", b"\xff"])
async def test_hostile_json_is_one_clear_error(body: bytes, gateway: Gateway) -> None:
    assert (await with_key(gateway, body)).status_code == 422
    assert (await report(gateway, body)).status_code == 422


async def test_a_receipt_for_no_store_of_ours_starts_nothing(gateway: Gateway, receipt: ErpReceipt) -> None:
    answer = await report(gateway, listed(receipt.model_copy(update={"store": "nosuch"})))
    assert (answer.status_code, answer.json()["problems"][0]["field"]) == (422, "[0].store")
    assert gateway.orders.receipts == []


async def test_another_receipt_under_a_known_id_is_a_conflict_and_the_first_stands(
    gateway: Gateway, receipt: ErpReceipt
) -> None:
    await report(gateway, listed(receipt))
    answer = await report(gateway, listed(receipt.model_copy(update={"document_id": "SO-other"})))
    assert (answer.status_code, answer.json()["error"]) == (409, "id_reused")
    assert gateway.orders.receipts == [receipt]


async def test_while_temporal_is_away_every_receipt_is_recorded_and_told_later_exactly_once(
    gateway: Gateway, receipt: ErpReceipt
) -> None:
    other = receipt.model_copy(update={"id": "R2", "number": "1002"})
    gateway.orders.away = True
    answer = await report(gateway, listed(receipt, other))
    assert (answer.status_code, answer.json()["recorded"]) == (503, True)
    gateway.orders.away = False
    gateway.clock.ahead = timedelta(minutes=1)
    assert await announce_stragglers(gateway.parts) == 2
    assert await announce_stragglers(gateway.parts) == 0
    assert sorted(gateway.orders.receipts, key=lambda r: r.id) == [receipt, other]


async def test_a_receipt_for_a_closed_order_is_in_the_record_as_late(gateway: Gateway, receipt: ErpReceipt) -> None:
    gateway.orders.told = Told.LATE
    answer = await report(gateway, listed(receipt))
    assert answer.json()["receipts"][0]["outcome"] == "late"
    row = await gateway.ledger.receive("receipts/sandbox", "R1", "erp_receipt", None, "", now())
    assert row.outcome == "late"


async def test_an_erp_that_we_do_not_know_has_no_address(gateway: Gateway) -> None:
    assert (await gateway.http.post("/receipts/nosuch", content=b"[]")).status_code == 404
