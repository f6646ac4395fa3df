"""What all sources read in the same way."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from orderack.domain.order import Address, Customer, Line, Payment, PaymentStatus, Totals
from orderack.sources._reading import NOWHERE, UNKNOWN, address_of, canonical, country_of


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("DE", "DE"),
        ("de", "DE"),
        ("DEU", "DE"),
        ("Germany", "DE"),
        (" Deutschland ", "DE"),
        ("Allemagne", "DE"),
        ("España", "ES"),
        ("ÖSTERREICH", "AT"),
        ("Paesi Bassi", "NL"),
        ("UK", "GB"),
        ("Scotland", "GB"),
        ("USA", "US"),
        ("Niger", "NE"),
        ("", "SE"),
        (None, "SE"),
        ("XX", None),
        ("ZZ", None),
        ("Narnia", None),
        (7, None),
    ],
)
def test_a_country_goes_by_its_codes_and_its_names_and_is_never_guessed(written: object, code: str | None) -> None:
    assert country_of(written, "SE") == code


def order(address: Address | None) -> dict[str, object]:
    return {
        "store": "demo",
        "number": "1",
        "source": "web",
        "trigger_at": datetime(2026, 11, 21, tzinfo=UTC),
        "customer": Customer(id="C-1"),
        "lines": (Line(line_id="1", sku="A", quantity=Decimal(1), unit_price=Decimal(1)),),
        "delivery_address": address,
        "payment": Payment(status=PaymentStatus.CONFIRMED, terms="prepaid"),
        "currency": "EUR",
        "totals": Totals(total=Decimal(1)),
    }


def test_a_country_that_nobody_knows_stays_as_it_was_written_and_is_a_persons_to_see() -> None:
    address = address_of(street="1 Lamp Post", city="Cair Paravel", country="Narnia", region="West", otherwise="US")
    assert address is not None
    assert (address.country, address.region) == (UNKNOWN, "West, Narnia")
    assert canonical(order(address), "form").doubts == (NOWHERE,)
    assert canonical(order(address.model_copy(update={"country": "GB"})), "form").doubts == ()
