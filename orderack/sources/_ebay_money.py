"""What an eBay order costs its buyer, in the currency that was paid.

`pricingSummary.total` is what the buyer pays; what the seller gets (`totalDueSeller`) is less eBay's fees and is none
of the buyer's business. Taxes and charges that eBay collects itself are in the total or are not, depending on how it
was asked (TAX_BREAKDOWN), and nothing in the order says which: what adds up to the total is what is in it. Where a
currency was converted for the seller, the amounts before (`convertedFrom…`) are the buyer's. Facts: sell_fulfillment
1.20.7.
"""

from collections.abc import Iterable, Iterator
from decimal import Decimal

from pydantic import BaseModel

from orderack.domain.order import TaxBasis, Totals
from orderack.sources._ebay_shapes import Amount, EbayOrder, LineItem, Tax
from orderack.sources._loose import payable
from orderack.sources._reading import amount, refuse

ZERO = Decimal(0)


class Purse:
    """Amounts in one currency."""

    def __init__(self, currency: str, before: bool) -> None:
        self.currency = currency
        self._before = before

    def of(self, found: Amount | None, field: str) -> Decimal:
        """Zero where there is none. Raises InvalidInput for another currency."""
        if found is None:
            return ZERO
        written, currency = found.value, found.currency
        if self._before and found.convertedFromValue is not None:
            written, currency = found.convertedFromValue, found.convertedFromCurrency or ""
        value = amount(written, field)
        if value and currency != self.currency:
            raise refuse(field, "is in another currency than the order", "see the order at eBay")
        return value

    def sum(self, found: Iterable[Amount | None], field: str) -> Decimal:
        return sum((self.of(one, field) for one in found), ZERO)


def purse_of(order: EbayOrder) -> Purse:
    """The currency of the amounts before conversion, where all were converted from one; else the amounts' own."""
    total = order.pricingSummary.total
    paid = total.convertedFromCurrency
    amounts = [one for one in _amounts(order) if amount(one.value, "amount")]
    if paid and total.convertedFromValue is not None and all(_was(one, paid) for one in amounts):
        return Purse(paid, before=True)
    return Purse(total.currency, before=False)


def _was(found: Amount, currency: str) -> bool:
    if found.convertedFromValue is None:
        return found.currency == currency
    return found.convertedFromCurrency == currency


def _amounts(value: BaseModel) -> Iterator[Amount]:
    """Every amount that is read of the order, but not refunds: those come later, in whatever currency they come."""
    for name, field in value:
        if isinstance(field, Amount):
            yield field
        elif isinstance(field, BaseModel) and name != "paymentSummary":
            yield from _amounts(field)
        elif isinstance(field, list) and name != "refunds":
            for one in field:
                if isinstance(one, BaseModel):
                    yield from _amounts(one)


def totals_of(order: EbayOrder, purse: Purse) -> Totals:
    """Raises InvalidInput for amounts that cannot be."""
    pricing = order.pricingSummary
    adjusted = purse.of(pricing.adjustment, "pricingSummary.adjustment")
    discount = abs(purse.of(pricing.priceDiscount, "pricingSummary.priceDiscount")) + max(-adjusted, ZERO)
    fees = purse.of(pricing.fee, "pricingSummary.fee") + max(adjusted, ZERO)
    shipping = _shipping(order, purse)
    total = purse.of(pricing.total, "pricingSummary.total")
    net = purse.sum((line.lineItemCost for line in _bought(order)), "lineItemCost") - discount + shipping + fees
    tax, charges, basis = _collected(order, purse, total - net)
    said = {"discount": discount, "tax": tax, "shipping": shipping, "fees": fees + charges, "total": total}
    found = {name: payable(value, purse.currency) for name, value in said.items()}
    for name, value in found.items():
        if value < 0:
            raise refuse(f"pricingSummary ({name})", "is below zero", "see the order at eBay")
    return Totals(**found, tax_basis=basis)


def _bought(order: EbayOrder) -> list[LineItem]:
    return [line for line in order.lineItems if line.quantity]


def _shipping(order: EbayOrder, purse: Purse) -> Decimal:
    """After its discount."""
    pricing = order.pricingSummary
    if pricing.deliveryCost is not None:
        cost = purse.of(pricing.deliveryCost, "pricingSummary.deliveryCost")
        return cost - abs(purse.of(pricing.deliveryDiscount, "pricingSummary.deliveryDiscount"))
    costs = [line.deliveryCost for line in _bought(order) if line.deliveryCost]
    whole = purse.sum((one for cost in costs for one in (cost.shippingCost, cost.handlingCost)), "deliveryCost")
    return whole - abs(purse.sum((cost.discountAmount for cost in costs), "deliveryCost.discountAmount"))


def _collected(order: EbayOrder, purse: Purse, over: Decimal) -> tuple[Decimal, Decimal, TaxBasis]:
    """The tax and eBay's own charges, as they make up what the total is over the rest; where nothing does, the tax as
    eBay names it, and a person sees that the sums differ."""
    lines = _bought(order)
    own = _taxes(purse, [tax for line in lines for tax in line.taxes])
    remitted = _taxes(purse, [tax for line in lines for tax in line.ebayCollectAndRemitTaxes])
    said = order.pricingSummary.tax
    named = own if said is None else purse.of(said, "pricingSummary.tax")
    charged = _charges(order, purse)
    if named and not over:
        return named, ZERO, TaxBasis.INCLUDED
    for charges in (ZERO, charged):
        for tax in (named, own, named + remitted, remitted):
            if tax + charges == over:
                return tax, charges, TaxBasis.ADDED
    return named, ZERO, TaxBasis.ADDED


def _taxes(purse: Purse, taxes: list[Tax]) -> Decimal:
    return purse.sum((tax.amount for tax in taxes), "taxes.amount")


def _charges(order: EbayOrder, purse: Purse) -> Decimal:
    found = [line.ebayCollectedCharges for line in _bought(order) if line.ebayCollectedCharges]
    charged = purse.sum((one.amount for each in found for one in each.charges), "ebayCollectedCharges.charges")
    imported = (line.deliveryCost.importCharges for line in _bought(order) if line.deliveryCost)
    shipped = purse.sum((each.ebayShipping for each in found), "ebayCollectedCharges.ebayShipping")
    return charged + shipped + purse.sum(imported, "deliveryCost.importCharges")
