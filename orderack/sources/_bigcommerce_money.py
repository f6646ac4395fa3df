"""What a BigCommerce order costs, and what is left of it after refunds (commerce.md §10)."""

from decimal import Decimal
from itertools import product

from orderack.domain.money import minor_unit
from orderack.domain.order import TaxBasis
from orderack.sources._bigcommerce_wire import Product, Whole
from orderack.sources._loose import ZERO, first, payable
from orderack.sources._reading import FOUR, refuse


class BigCommerceMoney:
    """What the order costs now: after its refunds, in the currency in which it was paid.

    Prices stand in it with and without tax, and BigCommerce's rounding makes one of the two re-add: the shop's own
    (`is_tax_inclusive_pricing`) wherever that does. Gift certificates and store credit are payments there:
    `total_inc_tax` contains them, unless only the sum without them re-adds. `coupon_discount` is a discount beside
    `discount_amount`, unless only the sum with the greater of the two re-adds.
    """

    def __init__(self, whole: Whole) -> None:
        head = whole.order
        if head.total_inc_tax is None:
            raise refuse("total_inc_tax", "is missing", "see the order in BigCommerce")
        self._head, self._products, self._total = head, whole.products, head.total_inc_tax
        self.currency = (first(head.default_currency_code, head.currency_code) or "").upper()
        self._refunds = [refund for refund in whole.refunds if refund.happened]
        self._back: dict[str, Decimal] = {}
        for item in (item for refund in self._refunds for item in refund.items if item.item_type == "PRODUCT"):
            self._back[item.item_id] = self._back.get(item.item_id, ZERO) + (item.quantity or ZERO)
        self._credit = (head.store_credit_amount or ZERO) + (head.gift_certificate_amount or ZERO)
        own, given, coupon = head.is_tax_inclusive_pricing, head.discount_amount or ZERO, head.coupon_discount or ZERO
        self._discounts = tuple(dict.fromkeys((given + coupon, max(given, coupon))))
        self._included, self._discount, self._taken = self._fitting() or (own, given + coupon, ZERO)

    def left(self, one: Product) -> Decimal:
        """How many are still ordered. Raises InvalidInput for a quantity that is none."""
        if one.quantity is None or one.quantity < 0:
            raise refuse("products.quantity", "is missing or negative", "see the order in BigCommerce")
        return max(one.quantity - self._back.get(one.id, ZERO), ZERO)

    def cost(self, one: Product) -> Decimal:
        """What that many cost, before discounts."""
        whole = self._full(one, self._included)
        return whole if not one.quantity else (whole * self.left(one) / one.quantity).quantize(FOUR)

    def discount(self, one: Product) -> Decimal:
        """That many pieces' part of the discount."""
        whole = sum((discount.amount or ZERO for discount in one.applied_discounts), ZERO)
        return whole if not one.quantity else (whole * self.left(one) / one.quantity).quantize(FOUR)

    @property
    def totals(self) -> dict[str, object]:
        head, refunded = self._head, sum((refund.total_amount or ZERO for refund in self._refunds), ZERO)
        tax = (head.total_tax or ZERO) - sum((refund.total_tax or ZERO for refund in self._refunds), ZERO)
        discount = self._discount
        if self._refunds and self._fits(self._included, self._discount, self._taken):
            discount = max(ZERO, discount + self._given_back(refunded, tax))
        total = self._total - refunded
        parts = {
            "discount": discount,
            "tax": tax,
            "shipping": self._shipping(self._included),
            "fees": self._fees(self._included),
            "credit": self._taken,
            "total": total,
        }
        rounded = {name: payable(amount, self.currency) for name, amount in parts.items()}
        return {**rounded, "tax_basis": TaxBasis.INCLUDED if self._included else TaxBasis.ADDED}

    def _given_back(self, refunded: Decimal, tax: Decimal) -> Decimal:
        """What the refunds took off beside the goods that came back: shipping, a sum for goodwill."""
        before = sum((self._full(one, self._included) for one in self._products), ZERO)
        after = sum((self.cost(one) for one in self._products if self.left(one)), ZERO)
        taxes = ZERO if self._included else (self._head.total_tax or ZERO) - tax
        return refunded - (before - after) - taxes

    def _fitting(self) -> tuple[bool, Decimal, Decimal] | None:
        """Tax included or added, the discount and the credit with which everything re-adds to the total."""
        own = self._head.is_tax_inclusive_pricing
        readings = product(self._discounts, (own, not own), dict.fromkeys((ZERO, self._credit)))
        tried = ((included, discount, credit) for discount, included, credit in readings)
        return next((reading for reading in tried if self._fits(*reading)), None)

    def _fits(self, included: bool, discount: Decimal, credit: Decimal) -> bool:
        head = self._head
        lines = sum((self._full(one, included) for one in self._products), ZERO)
        tax = ZERO if included else payable(head.total_tax, self.currency)
        rest = (
            self._shipping(included),
            self._fees(included),
            -discount,
            -credit,
        )
        whole = lines + tax + sum((payable(part, self.currency) for part in rest), ZERO)
        return abs(payable(whole, self.currency) - payable(self._total, self.currency)) < minor_unit(self.currency)

    def _full(self, one: Product, included: bool) -> Decimal:
        cost = one.total_inc_tax if included else one.total_ex_tax
        if cost is None:
            raise refuse("products.total_ex_tax", "is missing", "see the order in BigCommerce")
        return cost

    def _shipping(self, included: bool) -> Decimal:
        head = self._head
        return (head.shipping_cost_inc_tax if included else head.shipping_cost_ex_tax) or ZERO

    def _fees(self, included: bool) -> Decimal:
        """Handling, gift wrapping, and the fees that the shop added."""
        head = self._head
        parts = (
            [head.handling_cost_inc_tax, head.wrapping_cost_inc_tax]
            if included
            else [head.handling_cost_ex_tax, head.wrapping_cost_ex_tax]
        )
        for fee in head.fees if isinstance(head.fees, tuple) else ():
            without = fee.cost_ex_tax if fee.cost_ex_tax is not None else fee.cost_exc_tax
            parts.append(fee.cost_inc_tax if included else without)
        return sum((part or ZERO for part in parts), ZERO)
