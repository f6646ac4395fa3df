"""Completeness: what is missing, in words that a person can act on."""

import pytest

from orderack.domain.assessment import Flag, FlagName, LineStock
from orderack.domain.completeness import MINIMUM, REQUIRABLE, five_fields, missing_fields
from orderack.domain.intake import parse_order
from orderack.domain.order import Order
from orderack.domain.receipt import StockVerdict

WHOLE = {
    "store": "demo",
    "number": "A-1",
    "source": "web",
    "trigger_at": "2026-11-12T10:00:00Z",
    "customer": {"id": "C-1", "name": "Ada Example"},
    "contacts": {"email": "ada@example.com", "phone": "+15005550006"},
    "lines": [{"line_id": "1", "sku": "TENT", "quantity": 1, "unit_price": "10"}],
    "delivery_address": {"street": "Road 1", "city": "Berlin", "postal_code": "10115", "country": "DE"},
    "billing_address": {"street": "Road 1", "city": "Berlin", "postal_code": "10115", "country": "DE"},
    "delivery_window": {"start": "2026-11-20T08:00:00Z", "end": "2026-11-20T12:00:00Z"},
    "payment": {"status": "confirmed", "terms": "prepaid"},
    "currency": "EUR",
    "totals": {"total": "10"},
}
BOTH = frozenset({"email", "phone"})


def order(**changes: object) -> Order:
    parsed = parse_order({**WHOLE, **changes})
    assert isinstance(parsed, Order), parsed
    return parsed


def missing(subject: Order, *required: str, reachable: frozenset[str] = BOTH) -> list[str]:
    return [flag.field for flag in missing_fields(subject, required, reachable)]


def test_a_whole_order_lacks_nothing_that_can_be_required() -> None:
    assert missing(order(), *REQUIRABLE) == []


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"customer": {"name": "Ada Example"}}, "customer.id"),
        ({"lines": []}, "lines"),
        ({"delivery_address": None}, "delivery"),
        ({"delivery_address": {"street": " ", "city": "Berlin", "country": "DE"}}, "delivery"),
        ({"delivery_address": {"street": "Road 1", "city": "", "country": "DE"}}, "delivery"),
        ({"delivery_address": None, "pickup": {"location": " "}}, "delivery"),
        ({"payment": {"status": "confirmed"}}, "payment.terms"),
        ({"payment": {"status": "confirmed", "terms": "  "}}, "payment.terms"),
    ],
)
def test_the_minimum_is_required_of_every_source(changes: dict[str, object], field: str) -> None:
    assert missing(order(**changes)) == [field]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"customer": {"id": "C-1"}}, "customer.name"),
        ({"billing_address": None}, "billing_address"),
        ({"delivery_window": None}, "delivery_window"),
        ({"payment": {"status": "pending", "terms": "prepaid"}}, "payment.confirmed"),
        (
            {"delivery_address": {"street": "Road 1", "city": "Berlin", "country": "DE"}},
            "delivery.postal_code",
        ),
    ],
)
def test_a_source_may_require_more(changes: dict[str, object], field: str) -> None:
    assert missing(order(**changes)) == []
    assert missing(order(**changes), field) == [field]


def test_a_pickup_needs_no_address() -> None:
    assert missing(order(delivery_address=None, pickup={"location": "Shop"}), "delivery.postal_code") == []


def test_a_contact_counts_only_when_it_can_be_reached() -> None:
    assert missing(order(), "contact", reachable=frozenset()) == ["contact"]
    assert missing(order(), "contact", "contact.email", reachable=frozenset({"phone"})) == ["contact.email"]
    assert missing(order(), "contact.phone", reachable=frozenset({"email"})) == ["contact.phone"]
    assert missing(order(), "contact", reachable=frozenset({"chat:whatsapp"})) == []


def test_an_empty_order_says_everything_that_is_missing_once_and_what_to_do() -> None:
    bare = order(customer={}, lines=[], delivery_address=None, payment={})
    flags = missing_fields(bare, MINIMUM, BOTH)
    assert [flag.field for flag in flags] == list(MINIMUM)
    assert all(flag.name is FlagName.INCOMPLETE and ":" in flag.why for flag in flags)


def test_the_five_fields_are_shown_as_seen() -> None:
    stock = (LineStock(line_id="1", verdict=StockVerdict.AVAILABLE),)
    flag = Flag(name=FlagName.HIGH_VALUE, why="over the threshold")
    whole = five_fields(order(), stock, order().trigger_at.date(), ())
    assert [field.ok for field in whole] == [True] * 5
    unknown = five_fields(order(payment={"status": "flagged", "terms": "x"}), None, None, (flag,))
    assert [field.ok for field in unknown] == [True, False, False, False, False]
    assert unknown[4].seen == "high_value"
