"""An order of ours as a sales order of SAP Business One. Pure."""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from pydantic import JsonValue

from orderack.domain.acknowledgement import Reason
from orderack.domain.order import Address, Line, Order, TaxBasis
from orderack.erps._fitting import Fitting
from orderack.erps._line_marks import mark_of
from orderack.erps._sap_b1_wire import Fields, key_of
from orderack.errors import Refused

COMMENTS = 254
REFERENCE = 100
ITEM_CODE = 50
ADDRESS: Mapping[str, tuple[str, int]] = MappingProxyType(
    {
        "street": ("Street", 100),
        "street2": ("Block", 100),
        "city": ("City", 100),
        "postal_code": ("ZipCode", 20),
        "name": ("Address2", 50),
        "company": ("Address3", 50),
    }
)
"""Our field → theirs and its length. Address2 and Address3 are the two further lines of the name."""
STATE = 3
"""Longer ones are names, not codes; they go into the county, where any text may stand."""
COUNTY = 100
UNIT_PRICE: Mapping[TaxBasis | None, tuple[str, str]] = MappingProxyType(
    {
        None: ("UnitPrice", "LineTotal"),
        TaxBasis.ADDED: ("UnitPrice", "LineTotal"),
        TaxBasis.INCLUDED: ("PriceAfterVAT", "GrossTotal"),
    }
)
"""Where a price and a line's total go, without and with the tax in it."""

Json = dict[str, JsonValue]


class Writing:
    """How one installation wants its orders. `shipping`: the freight's code there; without it none is written."""

    def __init__(
        self, fields: Fields, *, warehouse: str | None = None, tax_code: str | None = None, shipping: int | None = None
    ) -> None:
        self._fields = fields
        self._warehouse = warehouse
        self._tax_code = tax_code
        self._shipping = shipping

    @property
    def no_charges(self) -> Json:
        """What a document says that has no freight any more."""
        return {} if self._shipping is None else {"DocumentAdditionalExpenses": []}

    def document(self, order: Order, revision: int, customer: str) -> Json:
        """The body of POST /Orders."""
        fitting = Fitting()
        body: Json = {
            "CardCode": customer,
            "NumAtCard": fitting.fit("reference", order.purchase_order or order.number, REFERENCE),
            "DocDueDate": _due(order),
            "DocCurrency": order.currency,
            self._fields.key: key_of(order.ref),
            self._fields.revision: str(revision),
            "DocumentLines": [self._line(line, order) for line in order.lines],
            "AddressExtension": _addresses(order, fitting),
        }
        body |= self._money(order, fitting)
        if order.instructions:
            body["OpeningRemarks"] = order.instructions
        body["Comments"] = _comments(order, fitting)
        return body

    def _line(self, line: Line, order: Order) -> Json:
        price, total = UNIT_PRICE[order.totals.tax_basis]
        row: Json = {
            "ItemCode": line.sku,
            "Quantity": _number(line.quantity),
            price: _number(line.unit_price),
            self._fields.line: str(mark_of(line.line_id, line.sku)),
        }
        if line.discount or line.subtotal is not None:
            row[total] = _number(line.amount - line.discount)
        if self._warehouse:
            row["WarehouseCode"] = self._warehouse
        if self._tax_code:
            row["TaxCode"] = self._tax_code
        said = [text for text in (line.instructions, line.design, line.dietary) if text]
        if said:
            row["ItemDetails"] = "\n".join(said)
        return row

    def _money(self, order: Order, fitting: Fitting) -> Json:
        totals, body = order.totals, Json()
        if rest := totals.discount - sum((line.discount for line in order.lines), Decimal(0)):
            body["TotalDiscount"] = _number(rest)
        if totals.shipping and self._shipping is not None:
            cost = "LineGross" if totals.tax_basis is TaxBasis.INCLUDED else "LineTotal"
            body["DocumentAdditionalExpenses"] = [{"ExpenseCode": self._shipping, cost: _number(totals.shipping)}]
        elif totals.shipping:
            fitting.tell(f"shipping {totals.shipping} {order.currency} is not on this document")
        for word, amount in (("fees", totals.fees), ("paid by gift card or credit", totals.credit)):
            if amount:
                fitting.tell(f"{word} {amount} {order.currency} is not on this document")
        return body


def _number(amount: Decimal) -> float:
    """Business One takes JSON numbers. Raises Refused for one that would be another number there."""
    number = float(amount)
    if Decimal(repr(number)) != amount:
        raise Refused(f"{amount} has more digits than SAP Business One takes", Reason.OTHER, "digits")
    return number


def _due(order: Order) -> str:
    window = order.delivery_window
    return (window.end if window else order.trigger_at).date().isoformat()


def _addresses(order: Order, fitting: Fitting) -> Json:
    found: Json = {}
    for side, address in (("ShipTo", order.delivery_address), ("BillTo", order.billing_address)):
        if address is not None:
            found |= {f"{side}{name}": text for name, text in _address(address, fitting).items()}
    return found


def _address(address: Address, fitting: Fitting) -> dict[str, str]:
    found = {"Country": address.country}
    for ours, (theirs, limit) in ADDRESS.items():
        if text := getattr(address, ours):
            found[theirs] = fitting.fit(ours, text, limit)
    region = (address.region or "").strip()
    if region:
        found |= {"State": region} if len(region) <= STATE else {"County": fitting.fit("region", region, COUNTY)}
    return found


def _comments(order: Order, fitting: Fitting) -> str:
    """For the people there. What was shortened above is told here, as far as there is room."""
    pickup = f"picked up at {order.pickup.location}" if order.pickup else ""
    parts = [f"Order {order.ref}", pickup, *fitting.told]
    text = "; ".join(part for part in parts if part)
    return text if len(text) <= COMMENTS else text[: COMMENTS - 1] + "…"
