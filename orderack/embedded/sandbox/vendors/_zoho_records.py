"""A deal, the sales order that was made of it, its account, its contact and its notes as Zoho CRM's records (v8)."""

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC
from decimal import Decimal

from pydantic import JsonValue

from orderack.domain.order import Address, TaxBasis
from orderack.embedded.sandbox.vendors._deals import ZERO, Deal, Row

NUMBER, TERMS, PURCHASE_ORDER, WINDOW = "Order_Number", "Payment_Terms", "PO_Number", "Delivery_Window"
"""The fields that the account's admin has made on Deals."""
WON, LOST = "Closed Won", "Closed Lost"
DEAL, SALES_ORDER, ACCOUNT, CONTACT, LINE = "4150868", "4150869", "4150870", "4150871", "4150872"
"""How the ids of each kind of record begin; one deal's records all end alike."""
_PARTS = ("Street", "City", "State", "Code", "Country")

Record = dict[str, JsonValue]


def _own(deal: Deal, kind: str) -> str:
    return kind + deal.id.removeprefix(DEAL)


def _deal(deal: Deal) -> Sequence[Record]:
    order = deal.order
    person = (order.delivery_address.name if order.delivery_address else None) or order.customer.name
    return [
        {
            "id": deal.id,
            "Deal_Name": f"Order {order.number}",
            "Stage": WON if deal.won else LOST,
            "Amount": float(order.totals.total),
            "Currency": order.currency,
            "Modified_Time": deal.modified.astimezone(UTC).isoformat(timespec="seconds"),
            "Description": order.instructions,
            "Account_Name": {"name": order.customer.name, "id": _own(deal, ACCOUNT)},
            "Contact_Name": {"name": person, "id": _own(deal, CONTACT)},
            NUMBER: order.number,
            TERMS: order.payment.terms,
            PURCHASE_ORDER: order.purchase_order,
            WINDOW: deal.window(),
        }
    ]


def _made(deal: Deal) -> Sequence[Record]:
    return [{"id": _own(deal, SALES_ORDER), "Status": "Created"}]


def _sales_order(deal: Deal) -> Sequence[Record]:
    """Shipping, fees and credit are its adjustment."""
    order, totals = deal.order, deal.order.totals
    rows = deal.rows(lambda n: f"{_own(deal, LINE)}{n:04d}", taxes=False)[: len(order.lines)]
    tax = ZERO if totals.tax_basis is TaxBasis.INCLUDED else totals.tax
    off = totals.discount - sum((line.discount for line in order.lines), ZERO)
    return [
        {
            "id": _own(deal, SALES_ORDER),
            "Subject": f"Order {order.number}",
            "Status": "Created",
            "Deal_Name": {"name": f"Order {order.number}", "id": deal.id},
            "Currency": order.currency,
            "Modified_Time": deal.modified.astimezone(UTC).isoformat(timespec="seconds"),
            "Ordered_Items": [_item(row) for row in rows],
            "Sub_Total": float(sum((row.amount for row in rows), ZERO)),
            "Discount": float(off),
            "Tax": float(tax),
            "Adjustment": float(totals.shipping + totals.fees - totals.credit),
            "Grand_Total": float(totals.total),
            **_address("Shipping", order.delivery_address),
            **_address("Billing", order.billing_address),
        }
    ]


def _item(row: Row) -> JsonValue:
    goods = row.price * row.quantity
    return {
        "id": row.id,
        "Product_Name": {"Product_Code": row.sku, "name": row.name, "id": f"4150873{row.id[7:]}"},
        "Quantity": float(row.quantity),
        "List_Price": float(row.price),
        "Total": float(goods.quantize(Decimal("0.0001"))),
        "Discount": float(row.off),
        "Total_After_Discount": float(row.amount),
        "Tax": 0,
        "Net_Total": float(row.amount),
        "Description": row.note,
    }


def _address(kind: str, where: Address | None) -> Mapping[str, JsonValue]:
    said: Sequence[str | None] = (None,) * len(_PARTS)
    if where is not None:
        street = ", ".join(filter(None, (where.street, where.street2)))
        said = (street, where.city, where.region, where.postal_code, where.country)
    return {f"{kind}_{part}": value for part, value in zip(_PARTS, said, strict=True)}


def _account(deal: Deal) -> Sequence[Record]:
    return [{"id": _own(deal, ACCOUNT), "Account_Name": deal.order.customer.name, "Phone": None}]


def _contact(deal: Deal) -> Sequence[Record]:
    contacts = deal.order.contacts
    return [{"id": _own(deal, CONTACT), "Email": contacts.email, "Phone": contacts.phone, "Mobile": None}]


def _notes(deal: Deal) -> Sequence[Record]:
    """The newest first."""
    return [{"id": note.id, "Note_Title": note.title, "Note_Content": note.body} for note in reversed(deal.notes)]


RECORDS: Mapping[str, tuple[str, Callable[[Deal], Sequence[Record]]]] = {
    "Deals/{id}": (DEAL, _deal),
    "Deals/{id}/SalesOrders": (DEAL, _made),
    "Deals/{id}/Notes": (DEAL, _notes),
    "Sales_Orders/{id}": (SALES_ORDER, _sales_order),
    "Accounts/{id}": (ACCOUNT, _account),
    "Contacts/{id}": (CONTACT, _contact),
}
"""Path → how the id in it begins, and what is there."""


def only(record: Record, fields: str | None) -> Record:
    """With the fields that were asked for; all of them where none were named."""
    return {name: value for name, value in record.items() if fields is None or name in ("id", *fields.split(","))}
