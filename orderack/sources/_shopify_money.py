"""What a Shopify order costs, in the currency that the buyer pays.

Each figure is Shopify's own: those of now where it gives them, those of the order as it was placed otherwise. What
does not add up is left so, for a person to see.
"""

from collections.abc import Mapping, Sequence
from decimal import ROUND_HALF_UP, Decimal

from orderack.domain.money import minor_unit
from orderack.domain.order import TaxBasis, Totals
from orderack.sources._reading import refuse
from orderack.sources._shopify_order import Adjustment, Allocation, Bag, Line, Shipping, ShopOrder

NOTHING = Decimal(0)
BASIS: Mapping[bool | None, TaxBasis] = {True: TaxBasis.INCLUDED, False: TaxBasis.ADDED}
"""`taxes_included`; where it is not said, the store's own row in the policy says it."""


class Purse:
    """Reads amounts of one order in one currency."""

    def __init__(self, order: ShopOrder) -> None:
        self._order = order
        paid = order.total_set.presentment_money if order.total_set else None
        self._presented = paid is not None
        self.currency = (paid.currency_code if paid else order.currency).upper()
        self._shops = self.currency == order.currency.upper()

    def of(self, bag: Bag | None, plain: Decimal | None = None) -> Decimal | None:
        """The amount; None where Shopify says none in this currency. A plain one is in the shop's currency."""
        if bag is not None:
            money = bag.presentment_money if self._presented else bag.shop_money
            if money is not None and money.currency_code.upper() == self.currency:
                return money.amount
        return plain if self._shops else None

    def cost(self, line: Line) -> Decimal:
        """Of all of the line that is still wanted, before discounts. Raises InvalidInput where it has no price."""
        each = self.of(line.price_set, line.price)
        if each is None:
            raise refuse("line_items.price", f"is not said in {self.currency}", "see the order in the shop")
        return each * self._order.count(line)

    def discount(self, line: Line) -> Decimal:
        """The line's part of the discounts; that of what is still wanted, where some of it was taken back."""
        whole = self._allocated(line.discount_allocations)
        if not whole or not line.quantity:
            return NOTHING
        part = whole * self._order.count(line) / line.quantity
        return part.quantize(minor_unit(self.currency), ROUND_HALF_UP)

    def _allocated(self, allocations: Sequence[Allocation]) -> Decimal:
        return sum((self.of(one.amount_set, one.amount) or NOTHING for one in allocations), NOTHING)

    def _shipping_before(self, line: Shipping) -> Decimal:
        return self.of(line.price_set, line.price) or NOTHING

    def _shipping_after(self, line: Shipping) -> Decimal:
        after = self.of(line.discounted_price_set, line.discounted_price)
        before = self._shipping_before(line)
        return before - self._allocated(line.discount_allocations) if after is None else after

    def _shipping(self) -> tuple[Decimal, Decimal]:
        """What the way costs now, and how much of its price was a discount."""
        order = self._order
        lines = [line for line in order.shipping_lines if not line.is_removed]
        before = sum((self._shipping_before(line) for line in lines), NOTHING)
        after = sum((self._shipping_after(line) for line in lines), NOTHING)
        now = self.of(order.current_shipping_price_set) if order.edited else None
        if now is None and order.edited:
            back = [one for refund in order.refunds for one in refund.order_adjustments]
            now = after + sum((self.of(one.amount_set, one.amount) or NOTHING for one in _of_the_way(back)), NOTHING)
        return (after if now is None else max(now, NOTHING)), before - after

    def _discounts(self, lines: Sequence[Line], on_the_way: Decimal) -> Decimal:
        """Of the lines. Shopify's total has held the shipping's as well, or not: it is what fits the lines' parts."""
        order = self._order
        parts = sum((self.discount(line) for line in lines), NOTHING)
        said = (
            self.of(order.current_total_discounts_set, order.current_total_discounts)
            if order.edited
            else self.of(order.total_discounts_set, order.total_discounts)
        )
        if said is None:
            return parts
        with_it = abs(said - parts - on_the_way) < abs(said - parts)
        return max(said - on_the_way, NOTHING) if with_it else said

    def _fees(self, tips: Sequence[Line]) -> Decimal:
        """Duties, the shop's additional fees, and the tip (as lines of its own, or in the order's head)."""
        order = self._order
        duties = order.current_total_duties_set if order.edited else order.original_total_duties_set
        fees = order.current_total_additional_fees_set if order.edited else order.original_total_additional_fees_set
        tip = sum((self.cost(line) for line in tips), NOTHING)
        if not tips:
            tip = self.of(order.total_tip_received_set, order.total_tip_received) or NOTHING
        owed = NOTHING if order.duties_included else self.of(duties) or NOTHING
        return owed + (self.of(fees) or NOTHING) + tip

    def totals(self) -> Totals:
        """Raises InvalidInput where there is no total, and ValidationError where one of its figures cannot be."""
        order = self._order
        shipping, on_the_way = self._shipping()
        if order.edited:
            total = self.of(order.current_total_price_set, order.current_total_price)
            tax = self.of(order.current_total_tax_set, order.current_total_tax)
        else:
            total = self.of(order.total_price_set, order.total_price)
            tax = self.of(order.total_tax_set, order.total_tax)
        if total is None:
            raise refuse("total_price", f"is not said in {self.currency}", "see the order in the shop")
        return Totals(
            discount=self._discounts(order.sold, on_the_way),
            tax=tax or NOTHING,
            shipping=shipping,
            fees=self._fees(order.tips),
            tax_basis=BASIS.get(order.taxes_included),
            total=total,
        )


def _of_the_way(adjustments: Sequence[Adjustment]) -> list[Adjustment]:
    return [one for one in adjustments if one.kind == "shipping_refund"]
