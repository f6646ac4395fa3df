"""Flags: each rises when it should, stays down when it should, and says why."""

from datetime import timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderack.domain.assessment import FlagName, LineStock
from orderack.domain.flags import CHECKS, Background, EarlierOrder, Thresholds, fingerprint, raise_flags
from orderack.domain.intake import parse_order
from orderack.domain.order import Order, OrderRef
from orderack.domain.receipt import StockVerdict

HOME = {"street": "Hauptstraße 5", "city": "Berlin", "postal_code": "10115", "country": "DE"}


def order(**changes: object) -> Order:
    body = {
        "store": "demo",
        "number": "A-1",
        "source": "web",
        "trigger_at": "2026-11-12T10:00:00Z",
        "customer": {"id": "C-1"},
        "lines": [{"line_id": "1", "sku": "TENT", "quantity": 10, "unit_price": "10"}],
        "currency": "EUR",
        "totals": {"total": "100"},
    }
    parsed = parse_order({**body, **changes})
    assert isinstance(parsed, Order), parsed
    return parsed


def earlier(
    subject: Order, number: str = "B-7", ago: timedelta = timedelta(hours=1), **quantities: int
) -> EarlierOrder:
    return EarlierOrder(
        ref=OrderRef(store=subject.store, number=number),
        trigger_at=subject.trigger_at - ago,
        fingerprint=fingerprint(subject),
        quantities={sku: Decimal(quantity) for sku, quantity in quantities.items()},
    )


def raised(subject: Order, check: FlagName, **background: object) -> bool:
    flags = raise_flags(subject, Background.model_validate(background), [check])
    assert all(flag.name is check and flag.why for flag in flags)
    return bool(flags)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [({"EUR": "100"}, False), ({"EUR": "99.99"}, True), ({"EUR": "100.01"}, False), ({"USD": "1000"}, True)],
    ids=["at the threshold", "over it", "under it", "no threshold for the currency"],
)
def test_a_total_over_its_currencys_threshold_is_high_value(limits: dict[str, str], expected: bool) -> None:
    assert raised(order(), FlagName.HIGH_VALUE, thresholds={"high_value": limits}) is expected


@pytest.mark.parametrize(
    ("past", "cap", "expected"),
    [
        ([3, 3, 3], None, True),
        ([4, 4, 4], None, False),
        ([1, 4, 9], None, False),
        ([1, 1, 1, 50], None, True),
        ([3, 3], 5, True),
        ([3, 3], 10, False),
        ([], None, False),
        ([9, 9, 9], 5, False),
    ],
    ids=[
        "over three times the median",
        "within three times the median",
        "a customer whose orders vary",
        "one odd order does not hide it",
        "too little history: over the cap",
        "too little history: at the cap",
        "no history and no cap",
        "own history goes before the cap",
    ],
)
def test_a_quantity_is_unusual_against_the_customers_own_history(
    past: list[int], cap: int | None, expected: bool
) -> None:
    subject = order()
    history = tuple(earlier(subject, f"B-{n}", TENT=quantity) for n, quantity in enumerate(past))
    found = raised(
        subject, FlagName.UNUSUAL_QUANTITY, history=history, thresholds=Thresholds(quantity_cap=cap and Decimal(cap))
    )
    assert found is expected


def test_quantities_of_one_item_on_two_lines_count_together() -> None:
    lines = [{"line_id": str(n), "sku": "TENT", "quantity": 6, "unit_price": "10"} for n in (1, 2)]
    assert raised(order(lines=lines), FlagName.UNUSUAL_QUANTITY, thresholds={"quantity_cap": 10})


def test_an_earlier_revision_of_the_order_is_not_its_history() -> None:
    subject = order()
    history = tuple(earlier(subject, "A-1", TENT=1) for _ in range(3))
    assert not raised(subject, FlagName.UNUSUAL_QUANTITY, history=history)


@pytest.mark.parametrize(
    ("billing", "expected"),
    [
        (HOME, False),
        ({**HOME, "street": "HAUPTSTR. 5"}, False),
        ({**HOME, "street": "hauptstrasse  5"}, False),
        ({**HOME, "postal_code": "1 0115"}, False),
        ({**HOME, "city": "Berlin-Mitte"}, False),
        ({**HOME, "street": "Hauptstraße 6"}, True),
        ({**HOME, "postal_code": "10117"}, True),
        ({**HOME, "country": "FR"}, True),
        (None, False),
    ],
)
def test_a_billing_address_elsewhere_is_a_mismatch_and_another_spelling_is_not(
    billing: dict[str, str] | None, expected: bool
) -> None:
    subject = order(delivery_address=HOME, billing_address=billing)
    assert raised(subject, FlagName.BILLING_MISMATCH) is expected


def test_pickup_has_no_billing_mismatch() -> None:
    assert not raised(order(pickup={"location": "Shop"}, billing_address=HOME), FlagName.BILLING_MISMATCH)


@pytest.mark.parametrize(("relation", "expected"), [("new", True), ("repeat", False), ("enterprise", False)])
def test_a_new_client_is_flagged(relation: str, expected: bool) -> None:
    assert raised(order(customer={"id": "C-1", "relation": relation}), FlagName.NEW_CLIENT) is expected


@pytest.mark.parametrize(
    ("number", "ago", "expected"),
    [
        ("B-7", timedelta(hours=1), True),
        ("B-7", timedelta(hours=24), True),
        ("B-7", timedelta(hours=24, seconds=1), False),
        ("B-7", -timedelta(hours=1), True),
        ("A-1", timedelta(hours=1), False),
    ],
    ids=["an hour ago", "at the window's end", "outside the window", "it arrived first", "its own earlier revision"],
)
def test_the_same_buyer_lines_and_total_within_the_window_is_a_probable_duplicate(
    number: str, ago: timedelta, expected: bool
) -> None:
    subject = order()
    assert raised(subject, FlagName.PROBABLE_DUPLICATE, lookalikes=(earlier(subject, number, ago),)) is expected


@pytest.mark.parametrize(
    "changes",
    [
        {"source": "email"},
        {"number": "Z-9"},
        {"trigger_at": "2026-11-13T10:00:00Z"},
        {"totals": {"total": "100.00"}},
        {"instructions": "Ring twice"},
        {"contacts": {"email": "other@example.com"}},
        {"lines": [{"line_id": "x", "sku": "tent", "quantity": "10.0", "unit_price": "10"}]},
    ],
)
def test_the_fingerprint_is_the_same_across_channels(changes: dict[str, object]) -> None:
    assert fingerprint(order(**changes)) == fingerprint(order())


@pytest.mark.parametrize(
    "changes",
    [
        {"store": "other"},
        {"customer": {"id": "C-2"}},
        {"totals": {"total": "101"}},
        {"currency": "USD"},
        {"lines": [{"line_id": "1", "sku": "TENT", "quantity": 9, "unit_price": "10"}]},
    ],
)
def test_another_buyer_line_or_total_has_another_fingerprint(changes: dict[str, object]) -> None:
    assert fingerprint(order(**changes)) != fingerprint(order())


def test_without_a_customer_id_the_buyer_is_the_email_then_the_phone() -> None:
    def known_by(**contacts: str) -> str:
        return fingerprint(order(customer={}, contacts=contacts))

    assert known_by(email="Ada@Example.com") == known_by(email="ada@example.com", phone="+15005550006")
    assert known_by(phone="+1 500 555-0006") == known_by(phone="+15005550006")
    assert known_by(phone="+15005550006") != known_by(phone="+15005550007")


def test_a_flagged_payment_is_flagged() -> None:
    assert raised(order(payment={"status": "flagged"}), FlagName.PAYMENT_FLAGGED)
    assert not raised(order(payment={"status": "pending"}), FlagName.PAYMENT_FLAGGED)


@pytest.mark.parametrize(
    ("total", "expected"), [("100", False), ("100.01", False), ("100.02", True), ("99", True), ("1000", True)]
)
def test_a_total_that_does_not_add_up_is_flagged_beyond_rounding(total: str, expected: bool) -> None:
    assert raised(order(totals={"total": total}), FlagName.TOTALS_MISMATCH) is expected


def test_prices_with_tax_inside_add_up_without_it() -> None:
    subject = order(totals={"total": "100", "tax": "15.97"})
    assert raised(subject, FlagName.TOTALS_MISMATCH)
    assert not raised(subject, FlagName.TOTALS_MISMATCH, tax_included=True)


def test_stock_that_is_gone_is_flagged_and_a_backorder_is_not() -> None:
    for verdict in StockVerdict:
        stock = (LineStock(line_id="1", verdict=verdict),)
        assert raised(order(), FlagName.STOCK_GONE, stock=stock) is (verdict is StockVerdict.UNAVAILABLE)


@given(st.frozensets(st.sampled_from(sorted(CHECKS))))
def test_only_switched_on_checks_raise_flags(checks: frozenset[FlagName]) -> None:
    subject = order(
        payment={"status": "flagged"}, customer={"id": "C-1", "relation": "new"}, totals={"total": "999999"}
    )
    flags = raise_flags(subject, Background(), checks)
    assert {flag.name for flag in flags} == checks & {
        FlagName.PAYMENT_FLAGGED,
        FlagName.NEW_CLIENT,
        FlagName.TOTALS_MISMATCH,
        FlagName.HIGH_VALUE,
    }
