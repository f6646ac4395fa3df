"""A deal, its line items, its contact, its company and its notes in HubSpot's properties, all of them text."""

from collections.abc import Callable, Mapping, Sequence
from decimal import Decimal

from pydantic import JsonValue

from orderack.domain.order import TaxBasis
from orderack.embedded.sandbox.vendors._deals import ZERO, Deal, Row

WON, LOST = "closedwon", "closedlost"
NUMBER, TERMS, PURCHASE_ORDER, WINDOW = "order_number", "payment_terms", "po_number", "delivery_window"
"""The properties that the account has added to its deals."""

Properties = dict[str, JsonValue]
"""Of one object; `id` beside them."""


def properties_of(deal: Deal) -> Properties:
    """The deal itself. Its amount is without the taxes that are added."""
    order, totals = deal.order, deal.order.totals
    amount = totals.total if totals.tax_basis is TaxBasis.INCLUDED else totals.total - totals.tax
    return {
        "amount": f"{amount:f}",
        "closedate": deal.placed.isoformat(),
        "deal_currency_code": order.currency,
        "dealname": f"Order {order.number}",
        "dealstage": WON if deal.won else LOST,
        "description": order.instructions,
        "hs_lastmodifieddate": deal.modified.isoformat(timespec="milliseconds"),
        f"hs_v2_date_entered_{WON}": order.trigger_at.isoformat(),
        NUMBER: order.number,
        TERMS: order.payment.terms,
        PURCHASE_ORDER: order.purchase_order,
        WINDOW: deal.window(),
    }


def _line_items(deal: Deal) -> Sequence[Properties]:
    """The whole tax is the first line's."""
    tax = deal.order.totals.tax
    rows = deal.rows(lambda n: f"{int(deal.id) * 1_000 + n}", taxes=False)
    added = deal.order.totals.tax_basis is not TaxBasis.INCLUDED
    return [_line_item(row, tax if n == 0 else ZERO, added) for n, row in enumerate(rows)]


def _line_item(row: Row, tax: Decimal, added: bool) -> Properties:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.note,
        "hs_sku": row.sku,
        "quantity": f"{row.quantity:f}",
        "price": f"{row.price:f}",
        "amount": f"{row.amount:f}",
        "hs_total_discount": f"{row.off:f}",
        "hs_tax_amount": f"{tax:f}",
        "hs_post_tax_amount": f"{row.amount + (tax if added else ZERO):f}",
    }


def _contacts(deal: Deal) -> Sequence[Properties]:
    order, where = deal.order, deal.order.delivery_address
    first, _, last = ((where.name if where else None) or order.customer.name or "").partition(" ")
    return [
        {
            "id": f"{deal.id}1",
            "firstname": first,
            "lastname": last,
            "email": order.contacts.email,
            "phone": order.contacts.phone,
            "hs_language": order.contacts.language,
        }
    ]


def _companies(deal: Deal) -> Sequence[Properties]:
    order, where = deal.order, deal.order.delivery_address
    address = {
        "address": where.street if where else None,
        "address2": where.street2 if where else None,
        "city": where.city if where else None,
        "state": where.region if where else None,
        "zip": where.postal_code if where else None,
        "country": where.country if where else None,
    }
    return [{"id": order.customer.id or f"{deal.id}2", "name": order.customer.name, **address}]


def _notes(deal: Deal) -> Sequence[Properties]:
    return [{"id": note.id, "hs_note_body": note.body} for note in deal.notes]


KINDS: Mapping[str, Callable[[Deal], Sequence[Properties]]] = {
    "line_items": _line_items,
    "contacts": _contacts,
    "companies": _companies,
    "notes": _notes,
}
"""What is associated with a deal."""
