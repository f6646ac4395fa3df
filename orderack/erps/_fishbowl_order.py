"""An order of ours as the rows of Fishbowl's sales order import. Pure.

Columns in the vendor's order, blank where we have nothing to say; the first header is the order's, the second its
items'. What a column is too short for is shortened visibly and told in full in the order's note.
"""

import base64
import hashlib
import re
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from urllib.parse import quote, unquote

from babel import Locale
from pydantic import BaseModel, ConfigDict

from orderack.domain.order import Address, Line, Order, OrderRef, Priority, TaxBasis
from orderack.erps._fitting import Fitting
from orderack.erps._line_marks import LineMark, digest, read_line_mark

ORDER = (
    *("Flag", "SONum", "Status", "CustomerName", "CustomerContact"),
    *("BillToName", "BillToAddress", "BillToCity", "BillToState", "BillToZip", "BillToCountry"),
    *("ShipToName", "ShipToAddress", "ShipToCity", "ShipToState", "ShipToZip", "ShipToCountry"),
    *("ShipToResidential", "CarrierName", "TaxRateName", "PriorityId", "TotalIncludesTax", "PONum", "VendorPONum"),
    *("Date", "Salesman", "ShippingTerms", "PaymentTerms", "FOB", "Note", "QuickBooksClassName"),
    *("LocationGroupName", "OrderDateScheduled", "URL", "CarrierService", "CurrencyName", "CurrencyRate"),
    *("PriceIsHomeCurrency", "DateExpired", "Phone", "Email", "Category"),
)
ITEM = (
    *("Flag", "SOItemTypeID", "ProductNumber", "ProductDescription", "ProductQuantity", "UOM", "ProductPrice"),
    *("Taxable", "TaxCode", "Note", "ItemQuickBooksClassName", "ItemDateScheduled", "ShowItem", "KitItem"),
    *("RevisionLevel", "CustomerPartNumber"),
)
LIMITS: Mapping[str, int] = MappingProxyType(
    {"Name": 60, "Address": 90, "City": 30, "State": 2, "Zip": 10, "Country": 30}
    | {"SONum": 25, "CustomerName": 40, "CustomerContact": 30, "PONum": 25, "ProductDescription": 256}
)
ESTIMATE, ISSUED = "10", "20"
SALE, SHIPPING = "10", "60"
PRIORITIES: Mapping[Priority, str] = MappingProxyType({Priority.NORMAL: "30", Priority.HIGH: "20"})
UNSAID = "n/a"
NO_STATE = "NA"
"""The columns of an address are required, and so is one for a state, wherever the address is."""
READABLE = 14
"""Characters of a sales order's number that are the order's own; ten more tell it from every other."""
CENT = Decimal("0.000001")

_OTHER = re.compile(r"[^A-Z0-9]+")
_STATE = re.compile(r"^[A-Za-z]{2}$")
_HEAD = re.compile(r"^orderack ([^\s/]+)/([^\s/]+) r(\d{1,9})(?!\S)")
_LINE = re.compile(r"^#(\S+)")
_COUNTRIES = Locale("en").territories

Rows = list[list[str]]


class Mark(BaseModel):
    """The first words of a sales order's note: whose it is, and which revision."""

    model_config = ConfigDict(frozen=True)

    ref: OrderRef
    revision: int

    def __str__(self) -> str:
        return f"orderack {quote(self.ref.store, safe='')}/{quote(self.ref.number, safe='')} r{self.revision}"

    @classmethod
    def read(cls, note: str) -> "Mark | None":
        """None: the note does not begin with a mark of ours."""
        found = _HEAD.match(note.strip())
        if found is None:
            return None
        return cls(ref=OrderRef(store=unquote(found[1]), number=unquote(found[2])), revision=int(found[3]))


def line_mark_in(note: str) -> LineMark | None:
    """Which line of ours an item is, by the first word of its note."""
    found = _LINE.match(note.strip())
    line_id, _, item = found[1].rpartition("~") if found else ("", "", "")
    return read_line_mark(f"{unquote(line_id)}~{item}" if line_id else unquote(item))


def number_of(ref: OrderRef) -> str:
    """The sales order's number: of at most 25 characters, and another one for every store and number.

    Capitals, digits and hyphens alone, for Fishbowl's database ignores case.
    """
    own = _OTHER.sub("-", ref.number.upper()).strip("-")[:READABLE].strip("-")
    digest = hashlib.sha256(f"{quote(ref.store, safe='')}/{quote(ref.number, safe='')}".encode()).digest()
    return f"{own}-{base64.b32encode(digest).decode()[:10]}".lstrip("-")


class Writing(BaseModel):
    """How one installation wants its orders."""

    model_config = ConfigDict(frozen=True)

    status: str = ISSUED
    customer: str | None = None
    """The customer of every order; None: the buyer's own name."""
    country: str = "US"
    """For an order without an address."""
    location_group: str = ""
    tax_rate: str = ""
    unit: str = "ea"
    shipping_product: str | None = None

    def rows(self, order: Order, revision: int, currency: str) -> Rows:
        """Both headers, the order, its items. `currency`: its name in Fishbowl; empty: the company's own."""
        fitting = Fitting()
        items = [self._item(line, fitting) for line in order.lines]
        items += self._charges(order, fitting)
        head = self._head(order, currency, fitting)
        head["Note"] = "\n".join([str(Mark(ref=order.ref, revision=revision)), *_remarks(order), *fitting.told])
        return [list(ORDER), list(ITEM), _row(ORDER, head), *(_row(ITEM, item) for item in items)]

    def _head(self, order: Order, currency: str, fitting: Fitting) -> dict[str, str]:
        home = order.delivery_address or order.billing_address
        name = order.customer.name or (home.name if home else None) or UNSAID
        customer = self.customer or (home.company if home and home.company else name)
        head = {
            "Flag": "SO",
            "SONum": number_of(order.ref),
            "Status": self.status,
            "CustomerName": fitting.fit("customer", customer, LIMITS["CustomerName"]),
            "CustomerContact": fitting.fit("contact", name, LIMITS["CustomerContact"]),
            **self._address("BillTo", order.billing_address or home, name, fitting),
            **self._address("ShipTo", order.delivery_address or home, name, fitting),
            "PriorityId": PRIORITIES[order.priority],
            "TaxRateName": self.tax_rate,
            "PONum": fitting.fit("purchase order", order.purchase_order, LIMITS["PONum"]),
            "LocationGroupName": self.location_group,
            "CurrencyName": currency,
            "Phone": order.contacts.phone or "",
            "Email": order.contacts.email or "",
        }
        if order.totals.tax_basis is not None:
            head["TotalIncludesTax"] = "true" if order.totals.tax_basis is TaxBasis.INCLUDED else "false"
        if order.delivery_window is not None:
            head["OrderDateScheduled"] = order.delivery_window.start.strftime("%m/%d/%Y")
        return head

    def _address(self, side: str, address: Address | None, name: str, fitting: Fitting) -> dict[str, str]:
        if address is None:
            fitting.tell("the order has no address")
            address = Address(street=UNSAID, city=UNSAID, country=self.country)
        street = ", ".join(part for part in (address.company, address.street, address.street2) if part)
        state = (address.region or "").strip()
        if not _STATE.match(state):
            if state:
                fitting.tell(f"{side} region: {state}")
            state = NO_STATE
        said = {
            "Name": address.name or name,
            "Address": street,
            "City": address.city,
            "State": state.upper(),
            "Zip": address.postal_code or UNSAID,
            "Country": _COUNTRIES.get(address.country, address.country),
        }
        return {f"{side}{part}": fitting.fit(f"{side} {part}", text, LIMITS[part]) for part, text in said.items()}

    def _item(self, line: Line, fitting: Fitting) -> dict[str, str]:
        price = (line.amount - line.discount) / line.quantity
        rounded = price.quantize(CENT)
        if rounded != price:
            fitting.tell(f"line {line.line_id} costs {line.amount - line.discount} in all")
        said = (line.instructions, line.design, line.dietary)
        return {
            "Flag": "Item",
            "SOItemTypeID": SALE,
            "ProductNumber": line.sku,
            "ProductDescription": fitting.fit(f"line {line.line_id}", line.description, LIMITS["ProductDescription"]),
            "ProductQuantity": _plain(line.quantity),
            "UOM": line.unit or self.unit,
            "ProductPrice": _plain(rounded),
            "Note": " ".join(
                [
                    f"#{quote(line.line_id, safe='')}~{digest(line.sku)}",
                    *(" ".join(text.split()) for text in said if text),
                ]
            ),
        }

    def _charges(self, order: Order, fitting: Fitting) -> list[dict[str, str]]:
        """Shipping as an item of its own, where there is a product for it; the rest is told."""
        totals = order.totals
        rest = totals.discount - sum((line.discount for line in order.lines), Decimal(0))
        shipping = Decimal(0) if self.shipping_product else totals.shipping
        charges = {"discount": rest, "shipping": shipping, "fees": totals.fees, "gift cards and credit": totals.credit}
        for word, amount in charges.items():
            if amount:
                fitting.tell(f"{word} of {amount} {order.currency} is on no line of this order")
        if not self.shipping_product or not totals.shipping:
            return []
        item = {"Flag": "Item", "SOItemTypeID": SHIPPING, "ProductNumber": self.shipping_product, "UOM": self.unit}
        return [item | {"ProductQuantity": "1", "ProductPrice": _plain(totals.shipping)}]


def _remarks(order: Order) -> Sequence[str]:
    pickup = f"picked up at {order.pickup.location}" if order.pickup else ""
    return [text for text in (f"order {order.ref}", pickup, order.instructions or "") if text]


def _row(columns: Sequence[str], values: Mapping[str, str]) -> list[str]:
    return [values.get(column, "") for column in columns]


def _plain(number: Decimal) -> str:
    return format(number.normalize() + 0, "f")
