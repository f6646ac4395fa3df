"""The demo's orders: invented people, each with a basket and an address of their own."""

from datetime import UTC, datetime
from decimal import Decimal

from orderack.domain.order import Address, Contacts, Customer, Line, Order, Payment, PaymentStatus, Relation, Totals

STORE = "demo"


def an_order(number: str, place: int, *, source: str = "web", sku: str = "TENT", price: str = "89.00") -> Order:
    """A complete, paid order of a repeat customer for two things; `place` makes buyer and basket unlike the others'."""
    address = Address(
        name=f"Ada Example {place}", street=f"{place} Sample Street", city="Berlin", postal_code="10115", country="DE"
    )
    lines = (
        Line(line_id="1", sku=sku, description=sku.title(), quantity=Decimal(2), unit_price=Decimal(price)),
        Line(
            line_id="2",
            sku=f"ROPE-{place}",
            description="Rope, 20 m",
            quantity=Decimal(1),
            unit_price=Decimal("24.50"),
            instructions="Cut in two",
        ),
    )
    return Order(
        store=STORE,
        number=number,
        source=source,
        trigger_at=datetime.now(UTC),
        customer=Customer(id=f"C-{number}", name=f"Ada Example {place}", relation=Relation.REPEAT),
        contacts=Contacts(email=f"ada{place}@example.com", phone=f"+49305550{place:03d}", language="en"),
        lines=lines,
        delivery_address=address,
        billing_address=address,
        payment=Payment(status=PaymentStatus.CONFIRMED, terms="prepaid", method="card"),
        currency="EUR",
        totals=Totals(total=sum((line.amount for line in lines), Decimal(0))),
    )


def with_quantity(order: Order, quantity: int) -> Order:
    """The same order with another quantity on its first line, and the total that follows."""
    line = order.lines[0].model_copy(update={"quantity": Decimal(quantity)})
    lines = (line, *order.lines[1:])
    total = sum((each.amount for each in lines), Decimal(0))
    return order.model_copy(update={"lines": lines, "totals": Totals(total=total)})
