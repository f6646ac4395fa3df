"""What an Amazon order costs, and in which currency.

`proceeds` hold the money by kind: for the whole order, for each item, or for both. Where both say something the order's
own figure counts, and what no item has (a tip) stands there alone. Facts: orders_2026-01-01.json, commerce.md §16.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

from babel.numbers import get_territory_currencies

from orderack.domain.order import Line, TaxBasis, Totals
from orderack.ports import Connection, Standing
from orderack.sources._amazon_shapes import AmazonOrder, Item, Money, Proceeds
from orderack.sources._loose import payable
from orderack.sources._reading import amount, refuse

ZERO = Decimal(0)
FACILITATOR = "MARKETPLACE_FACILITATOR"
_NAMED = frozenset({"ITEM", "SHIPPING", "TAX", "DISCOUNT"})


def currency_of(found: AmazonOrder, standing: Standing, connection: Connection) -> str:
    """The one currency of everything in it. Raises InvalidInput where there are two, or none.

    An order that is not paid for, or is cancelled, may show no money at all. It is not taken, so nobody reckons with
    it: the store's own currency stands there.
    """
    seen = {money.currencyCode for money in _all_money(found)}
    if not seen and standing is not Standing.OPEN:
        seen = set(get_territory_currencies(connection.country)[:1])
    if len(seen) != 1:
        raise refuse("currency", "is not one and the same for all amounts", "see the order at Amazon")
    return seen.pop()


def _all_money(found: AmazonOrder) -> Iterable[Money]:
    for proceeds in (found.proceeds, *(item.proceeds for item in found.orderItems)):
        if proceeds is not None:
            yield from (money for money in (proceeds.grandTotal, proceeds.proceedsTotal) if money)
            yield from (one.subtotal for one in proceeds.breakdowns)
    for item in found.orderItems:
        if item.product.price and item.product.price.unitPrice:
            yield item.product.price.unitPrice


def cost_of(item: Item) -> Decimal:
    """Of all pieces of it, before discounts. A unit price is one's; `ITEM` is the cost of all of them."""
    cost = _sum(item.proceeds, "ITEM")
    if cost is None and item.product.price and item.product.price.unitPrice:
        cost = amount(item.product.price.unitPrice.amount, "product.price.unitPrice") * item.quantityOrdered
    return _not_negative(cost or ZERO, "proceeds.ITEM")


def discount_of(item: Item) -> Decimal:
    return abs(_sum(item.proceeds, "DISCOUNT") or ZERO)


def totals_of(found: AmazonOrder, lines: Sequence[Line], currency: str, standing: Standing) -> Totals:
    """Raises InvalidInput where an order that is to be delivered does not say what it comes to."""
    grand = _grand_total(found)
    if grand is None and standing is Standing.OPEN:
        raise refuse("proceeds.grandTotal", "is missing", "give the application the role that shows an order's money")
    said = {kind: payable(_of_order(found, kind), currency) for kind in sorted(_kinds(found) | _NAMED)}
    tax, shipping = (_not_negative(said[kind], f"proceeds.{kind}") for kind in ("TAX", "SHIPPING"))
    discount = abs(said["DISCOUNT"])
    others = [value for kind, value in said.items() if kind not in _NAMED]
    fees = sum((one for one in others if one > 0), ZERO)
    credit = -sum((one for one in others if one < 0), ZERO)
    net = sum((line.amount for line in lines), ZERO) - discount + shipping + fees - credit
    total = payable(max(net + tax, ZERO) if grand is None else grand, currency)
    beside = net == total and _kept_by_amazon(found)
    return Totals(
        discount=discount,
        tax=ZERO if beside else tax,
        shipping=shipping,
        fees=fees,
        credit=credit,
        # nothing in the order says whether a price holds the tax: the sums do
        tax_basis=TaxBasis.INCLUDED if tax and net == total and not beside else TaxBasis.ADDED,
        total=_not_negative(total, "proceeds.grandTotal"),
    )


def _grand_total(found: AmazonOrder) -> Decimal | None:
    """The order's; else the sum of its items', where each of them has one."""
    if found.proceeds and found.proceeds.grandTotal:
        return amount(found.proceeds.grandTotal.amount, "proceeds.grandTotal")
    kept = [item for item in found.orderItems if not item.gone]
    totals = [item.proceeds.proceedsTotal for item in kept if item.proceeds and item.proceeds.proceedsTotal]
    if not kept or len(totals) < len(kept):
        return None
    return sum((amount(one.amount, "proceeds.proceedsTotal") for one in totals), ZERO)


def _kept_by_amazon(found: AmazonOrder) -> bool:
    """Whether Amazon collects the tax beside the price, as in the United States: a tax that the total does not hold is
    no part of the price then. A European scheme's (UOSS, IOSS) is a part of the price that the buyer sees."""
    taxed = [item for item in found.orderItems if _sum(item.proceeds, "TAX")]
    return bool(taxed) and all(
        item.tax is not None
        and any(one.model == FACILITATOR for one in item.tax.taxCollections)
        and not any(one.reportingScheme for one in item.tax.taxCalculationBreakdowns)
        for item in taxed
    )


def _kinds(found: AmazonOrder) -> set[str]:
    all_proceeds = (found.proceeds, *(item.proceeds for item in found.orderItems))
    return {one.type for proceeds in all_proceeds if proceeds for one in proceeds.breakdowns}


def _of_order(found: AmazonOrder, kind: str) -> Decimal:
    whole = _sum(found.proceeds, kind)
    if whole is not None:
        return whole
    return sum((_sum(item.proceeds, kind) or ZERO for item in found.orderItems if not item.gone), ZERO)


def _sum(proceeds: Proceeds | None, kind: str) -> Decimal | None:
    found = [one.subtotal.amount for one in (proceeds.breakdowns if proceeds else []) if one.type == kind]
    return sum((amount(one, f"proceeds.{kind}") for one in found), ZERO) if found else None


def _not_negative(value: Decimal, field: str) -> Decimal:
    if value < 0:
        raise refuse(field, "is below zero", "see the order at Amazon")
    return value
