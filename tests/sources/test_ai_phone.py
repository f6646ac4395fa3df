"""Orders that an AI phone host took: what it is not sure of goes to a person."""

import copy
import json
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderack.domain.order import Order
from orderack.embedded.sandbox import signatures
from orderack.errors import BadSignature, InvalidInput
from orderack.ports import Connection, Delivery, RawRequest, Reading, Skipped, Snapshot
from orderack.sources.ai_phone import AiPhone, AiPhoneSettings
from tests.conformance.source import NOW, SourceConformance, anything, quickly

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CALL: dict[str, Any] = {
    "call_id": "call_1",
    "ended_at": "2026-11-21T09:29:00Z",
    "caller": "+15005550006",
    "transcript": "Caller: ten blue lamps, please.",
    "order": {
        "customer_name": "Ada Example",
        "email": "ada@example.com",
        "lines": [{"sku": "AB-100", "description": "Blue lamp", "quantity": 10, "unit_price": "3.50"}],
        "delivery_address": {"street": "Hauptstr. 5", "city": "Berlin", "postal_code": "10115", "country": "DE"},
        "delivery_window": {"start": "2026-12-01T09:00", "end": "2026-12-01T12:00"},
        "payment_terms": "net 30",
        "currency": "EUR",
        "total": "35.00",
    },
    "confidence": {"lines[0].sku": 0.97, "lines[0].quantity": 0.99, "delivery": 0.9},
}


def source() -> AiPhone:
    connection = Connection(store="shop", system="ai_phone", source="phone", country="DE", time_zone="Europe/Berlin")
    return AiPhone(connection, AiPhoneSettings.model_validate({"secret": SECRET}), clock=lambda: NOW)


async def read(call: dict[str, Any]) -> Reading:
    (reading,) = await source().read(Delivery(id="1", body=json.dumps(call), sent_at=NOW))
    return reading


async def order(**changes: object) -> Order:
    reading = await read({**copy.deepcopy(CALL), **changes})
    assert isinstance(reading, Snapshot)
    return reading.order


def said(**changes: object) -> dict[str, Any]:
    return {**CALL["order"], **changes}


class TestAiPhone(SourceConformance):
    name: ClassVar[str] = "ai_phone"
    secrets: ClassVar[Sequence[str]] = (SECRET,)
    required: ClassVar[Sequence[str]] = ("secret",)
    body: ClassVar[bytes] = json.dumps(CALL).encode()

    def make(self, base_url: str = "") -> AiPhone:
        return source()

    def signed(self, body: bytes, at: datetime = NOW) -> RawRequest:
        headers = dict(signatures.standard_webhooks(SECRET, "msg_1", int(at.timestamp()), body))
        return RawRequest(url="https://o.example/intake/shop/ai_phone", headers=headers, body=body)

    async def test_an_old_post_is_not_believed(self) -> None:
        with pytest.raises(BadSignature):
            await source().verify(self.signed(self.body, NOW - timedelta(minutes=6)))


async def test_a_call_becomes_an_order_whose_clock_starts_at_its_end() -> None:
    found = await order()
    assert found.trigger_at == datetime(2026, 11, 21, 9, 29, tzinfo=UTC)
    assert (found.contacts.phone, found.contacts.email) == ("+15005550006", "ada@example.com")
    assert found.delivery_window is not None
    assert found.delivery_window.start.isoformat() == "2026-12-01T09:00:00+01:00"
    assert found.totals.total == 35
    assert found.payment.terms == "net 30"
    assert not found.doubts
    assert found.number.startswith("CALL-")


async def test_the_same_call_has_the_same_number_and_another_has_another() -> None:
    first, again, other = await read(CALL), await read(CALL), await read({**CALL, "call_id": "call_2"})
    assert isinstance(first, Snapshot)
    assert isinstance(again, Snapshot)
    assert isinstance(other, Snapshot)
    assert first.order.number == again.order.number != other.order.number
    assert first.external_id == again.external_id != other.external_id


async def test_what_the_host_is_not_sure_of_is_a_doubt() -> None:
    found = await order(confidence={"lines[0].sku": 0.79, "lines[0].quantity": 0.8})
    assert [doubt.field for doubt in found.doubts] == ["lines[0].sku"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"confidence": {}}, "order"),
        ({"order": said(lines=[])}, "lines"),
        ({"order": said(lines=[{"sku": "A", "quantity": 1}], total=None)}, "lines[0].unit_price"),
        ({"order": said(pickup_location="Kiel")}, "delivery"),
    ],
)
async def test_what_was_not_said_goes_to_a_person(changes: dict[str, object], field: str) -> None:
    assert field in {doubt.field for doubt in (await order(**changes)).doubts}


@pytest.mark.parametrize("changes", [{"order": None}, {"outcome": "wrong_number"}, {"outcome": "voicemail"}])
async def test_a_call_without_an_order_is_none(changes: dict[str, object]) -> None:
    assert isinstance(await read({**CALL, **changes}), Skipped)


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"call_id": ""}, "call_id"),
        ({"ended_at": "2026-11-21"}, "ended_at"),
        ({"ended_at": "2027-11-21T09:29:00Z"}, "ended_at"),
        ({"confidence": {"lines": 2}}, "confidence.lines"),
        ({"order": said(currency="euro")}, "order.currency"),
        ({"order": said(lines=[{"sku": "A", "quantity": 0}])}, "order.lines.0.quantity"),
        ({"order": said(delivery_window={"start": "soon", "end": "later"})}, "order.delivery_window"),
    ],
)
async def test_what_is_wrong_is_refused_by_its_name(changes: dict[str, object], field: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        await read({**CALL, **changes})
    assert field in {problem.field for problem in refused.value.problems}


@pytest.mark.parametrize(("currency", "total"), [("KWD", "3.765"), ("JPY", "4"), ("EUR", "3.77")])
async def test_a_total_that_was_not_said_is_what_can_be_paid_in_its_currency(currency: str, total: str) -> None:
    lines = [{"sku": "A", "quantity": 3, "unit_price": "1.255"}]
    assert str((await order(order=said(lines=lines, total=None, currency=currency))).totals.total) == total


async def test_a_long_call_with_its_whole_transcript_is_taken() -> None:
    assert (await order(transcript="ä" * 300_000)).totals.total == 35
    with pytest.raises(InvalidInput, match="transcript"):
        await order(transcript="x" * 500_001)


async def test_a_caller_who_gives_no_name_and_no_number_is_the_calls_own_customer() -> None:
    unknown = said(customer_name=None, email=None)
    first, other = await order(order=unknown, caller=None), await order(order=unknown, caller=None, call_id="call_2")
    assert (first.contacts.phone, first.customer.name) == (None, None)
    assert first.customer.id != other.customer.id
    assert (await order(order=unknown)).customer.id == (await order(order=unknown, call_id="call_2")).customer.id


@quickly
@given(st.sampled_from(sorted(CALL["order"])), anything)
async def test_whatever_the_host_sends_it_is_an_order_or_a_named_refusal(field: str, value: object) -> None:
    try:
        reading = await read({**CALL, "order": said(**{field: value})})
    except InvalidInput:
        return
    assert isinstance(reading, Snapshot)
