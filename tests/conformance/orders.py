"""An order of invented people, for the channels that keep records."""

from orderack.domain.order import ExternalId, Order

ORDER = Order.model_validate(
    {
        "store": "shop",
        "number": "A-1001",
        "source": "web",
        "trigger_at": "2026-11-21T09:00:00Z",
        "customer": {"id": "C-7", "name": "Ada Example"},
        "contacts": {"email": "ada@example.com", "phone": "+15005550010"},
        "currency": "EUR",
        "lines": [
            {"line_id": "1", "sku": "TEA-1", "description": "Green tea", "quantity": "2", "unit_price": "12.50"},
            {"line_id": "2", "sku": "CUP-9", "model": "Fjord", "quantity": "1", "unit_price": "19.90"},
        ],
        "totals": {"discount": "2.00", "tax": "8.15", "shipping": "4.90", "total": "55.95"},
        "delivery_address": {"street": "1 Analytical Way", "city": "Oslo", "postal_code": "0150", "country": "NO"},
    }
)


def known_as(system: str, number: str) -> Order:
    """The same order with its id in another system."""
    return ORDER.model_copy(update={"external_ids": (ExternalId(system=system, id=number),)})
