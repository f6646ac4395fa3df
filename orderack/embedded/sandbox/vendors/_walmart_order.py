"""An order of ours in Walmart's words (the United States' shape), and what a request to it may say."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel, ConfigDict, Field, JsonValue

from orderack.domain.order import Line, Order, TaxBasis

ALPHA3 = {"US": "USA", "CA": "CAN", "MX": "MEX", "DE": "DEU", "GB": "GBR", "FR": "FRA"}
REASONS = frozenset(
    {
        "CUSTOMER_REQUESTED_SELLER_TO_CANCEL",
        "SELLER_CANCEL_PRICING_ERROR",
        "SELLER_CANCEL_OUT_OF_STOCK",
        "SELLER_CANCEL_FRAUD_STOP_SHIPMENT",
        "SELLER_CANCEL_ADDRESS_NOT_SERVICEABLE",
    }
)


class _Strict(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=True)


class Amount(_Strict):
    unit: str = Field(alias="unitOfMeasurement", pattern=r"^(EACH|EA)$")
    amount: str = Field(pattern=r"^\d+(\.\d+)?$")


class NewStatus(_Strict):
    status: str = Field(pattern=r"^Cancelled$")
    reason: str = Field(alias="cancellationReason")
    quantity: Amount = Field(alias="statusQuantity")


class NewStatuses(_Strict):
    statuses: list[NewStatus] = Field(alias="orderLineStatus", min_length=1)


class CancelLine(_Strict):
    number: str = Field(alias="lineNumber")
    statuses: NewStatuses = Field(alias="orderLineStatuses")


class CancelLines(_Strict):
    lines: list[CancelLine] = Field(alias="orderLine", min_length=1)


class _Cancellation(_Strict):
    lines: CancelLines = Field(alias="orderLines")


class Cancel(_Strict):
    cancellation: _Cancellation = Field(alias="orderCancellation")


@dataclass
class Kept:
    """A purchase order as the marketplace keeps it. `stands`: line → status → units, oldest status first."""

    id: str
    order: Order
    placed: float
    """Seconds of the marketplace's own clock."""
    modified: datetime
    stands: dict[str, dict[str, Decimal]] = field(default_factory=dict)
    reason: str = ""

    def move(self, line: str, start: Iterable[str], end: str, units: Decimal | None = None) -> Decimal:
        """Move units of a line from these statuses; how many moved."""
        moved, stands = Decimal(0), self.stands[line]
        for status in start:
            part = stands.get(status, Decimal(0))
            part = part if units is None else min(part, units - moved)
            if part:
                stands[status] -= part
                stands[end] = stands.get(end, Decimal(0)) + part
                moved += part
        return moved

    def units(self, *statuses: str) -> Decimal:
        return sum((found.get(status, Decimal(0)) for found in self.stands.values() for status in statuses), Decimal(0))

    @property
    def shape(self) -> JsonValue:
        """What Walmart answers."""
        order, address, window = self.order, self.order.delivery_address, self.order.delivery_window
        ids = {one.system: one.id for one in order.external_ids}
        return {
            "purchaseOrderId": self.id,
            "customerOrderId": order.number,
            "customerEmailId": order.contacts.email or "",
            "orderType": "REPLACEMENT" if order.order_type == "replacement" else "REGULAR",
            **({"originalCustomerOrderID": ids[found]} if (found := "walmart_original_order") in ids else {}),
            "orderDate": _millis(order.trigger_at),
            "buyerId": order.customer.id or "",
            "shippingInfo": {
                "phone": order.contacts.phone or "",
                "estimatedDeliveryDate": _millis(window.end if window else order.trigger_at),
                "estimatedShipDate": _millis(window.start if window else order.trigger_at),
                "methodCode": "Standard",
                "postalAddress": {
                    "name": (address.name if address else None) or order.customer.name or "",
                    "address1": address.street if address else "",
                    **({"address2": address.street2} if address and address.street2 else {}),
                    "city": address.city if address else "",
                    "state": (address.region if address else None) or "",
                    "postalCode": (address.postal_code if address else None) or "",
                    "country": ALPHA3.get(address.country, address.country) if address else "USA",
                    "addressType": "RESIDENTIAL",
                },
            },
            "orderLines": {"orderLine": [self._line(line, first=not n) for n, line in enumerate(order.lines)]},
            "orderSummary": {
                "totalAmount": {"currencyAmount": float(order.totals.total), "currencyUnit": order.currency}
            },
            "paymentTypes": [order.payment.method or "CREDITCARD"],
            "shipNode": {"type": "SellerFulfilled"},
        }  # fmt: skip

    def _line(self, line: Line, *, first: bool) -> JsonValue:
        """What is said of the whole order is charged with its first line."""
        stands: list[JsonValue] = [
            {
                "status": status,
                "statusQuantity": {"unitOfMeasurement": "EACH", "amount": f"{units.normalize():f}"},
                **({"cancellationReason": self.reason} if status == "Cancelled" else {}),
            }
            for status, units in self.stands[line.line_id].items()
            if units
        ]
        return {
            "lineNumber": line.line_id,
            "item": {"productName": line.description, "sku": line.sku},
            "charges": {"charge": list(_charges(line, self.order, first=first))},
            "orderLineQuantity": {"unitOfMeasurement": "EACH", "amount": f"{line.quantity.normalize():f}"},
            "statusDate": _millis(self.modified),
            "orderLineStatuses": {"orderLineStatus": stands},
            "fulfillment": {"fulfillmentOption": "S2H", "shipMethod": "STANDARD"},
        }


def _charges(line: Line, order: Order, *, first: bool) -> Sequence[JsonValue]:
    totals, currency = order.totals, order.currency
    tax = Decimal(0) if totals.tax_basis is TaxBasis.INCLUDED else totals.tax
    found = [_charge("PRODUCT", "ItemPrice", line.amount, currency, tax if first else Decimal(0))]
    more = (
        ("PRODUCT", "Discount", -totals.discount),
        ("SHIPPING", "Shipping", totals.shipping),
        ("FEE", "Fee", totals.fees),
    )
    return [*found, *(_charge(*one, currency) for one in more if first and one[2])]


def _charge(kind: str, name: str, money: Decimal, currency: str, tax: Decimal = Decimal(0)) -> JsonValue:
    taxed: JsonValue = {"taxName": "Tax1", "taxAmount": {"currency": currency, "amount": float(tax)}}
    return {
        "chargeType": kind,
        "chargeName": name,
        "chargeAmount": {"currency": currency, "amount": float(money)},
        **({"tax": taxed} if tax else {}),
    }


def _millis(at: datetime) -> int:
    return round(at.timestamp() * 1000)
