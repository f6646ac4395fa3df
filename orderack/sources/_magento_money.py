"""What a Magento order costs in the currency in which it was paid (`order_currency_code`), never in the base's."""

from collections.abc import Callable, Mapping
from decimal import Decimal
from itertools import product

from orderack.domain.money import minor_unit
from orderack.domain.order import TaxBasis
from orderack.sources._loose import ZERO, payable
from orderack.sources._magento_wire import Item, Ordered, Parts
from orderack.sources._reading import FOUR, refuse

ENDED = frozenset({"canceled", "closed"})
"""States of an order that is given up as a whole: it is told as it was."""


def rows_that_count(order: Ordered) -> tuple[Item, ...]:
    """The rows that are something to deliver, each priced once.

    A configurable product is the row that has the price, with the variant's SKU; the variant's own row repeats it. A
    bundle that is priced by its parts is its parts; one with a price of its own is itself, and its parts at nothing.
    """
    by_id = {item.item_id: item for item in order.items}
    parts: dict[str, list[Item]] = {}
    for item in order.items:
        if item.parent in by_id:
            parts.setdefault(item.parent or "", []).append(item)
    priced_by_parts = {
        number
        for number, found in parts.items()
        if by_id[number].product_type == "bundle" and _have_the_price(found, by_id[number])
    }
    repeated = {
        part.item_id
        for number, found in parts.items()
        if by_id[number].product_type != "bundle"
        for part in found
        if not part.row_total
    }
    return tuple(item for item in order.items if item.item_id not in priced_by_parts | repeated)


def _have_the_price(parts: list[Item], bundle: Item) -> bool:
    """Whether the parts are what is paid for; also where a discount has left nothing of their price."""
    discounted = any(part.discount_amount for part in parts) and not (bundle.row_total or bundle.discount_amount)
    return discounted or any(part.row_total for part in parts)


def _top_rows(order: Ordered) -> tuple[Item, ...]:
    numbers = {item.item_id for item in order.items}
    return tuple(item for item in order.items if item.parent not in numbers)


def _as_told(row: Item, *, included: bool) -> Decimal | None:
    return row.row_total_incl_tax if included else row.row_total


def _before_discount(row: Item, *, included: bool) -> Decimal | None:
    told = _as_told(row, included=included)
    return None if told is None else told + abs(row.discount_amount or ZERO)


def _each(row: Item, *, included: bool) -> Decimal | None:
    price = row.price_incl_tax if included else row.price
    return None if price is None or row.qty_ordered is None else price * row.qty_ordered


Cost = Callable[..., Decimal | None]
_COSTS: tuple[Cost, ...] = (_as_told, _before_discount, _each)
"""What a row costs. Shops where the tax is reckoned after the discount may write the row's total after it too."""


class MagentoMoney:
    """The order's sums as they stand, after cancellations and credit memos of a part of it.

    Magento's grand total is the sum of the totals that it names and of those that modules add to it, which its API does
    not name (a surcharge for cash on delivery, points). Where the rows add up to the subtotal and the same remainder
    stands in the base currency too, that remainder is such a total: a fee, or a credit where it lowers the total. Any
    other is left as it is, for a person to see.
    """

    def __init__(self, order: Ordered) -> None:
        if order.grand_total is None:
            raise refuse("grand_total", "is missing", "see the order in Magento")
        self._order, self._grand = order, order.grand_total
        self.currency = (order.order_currency_code or "").upper()
        self.rows, net = self._fitting((rows_that_count(order), _top_rows(order)), included=False)
        self._costs: Mapping[bool, Cost] = {False: net, True: self._fitting((self.rows,), included=True)[1]}
        self._over = order.stands in ENDED
        parts = order.extension_attributes or Parts()
        self._fees = _sum(
            parts.gw_price,
            parts.gw_items_price,
            parts.gw_card_price,
            *(fee.custom_fee_amount for fee in parts.custom_fees),
            *(row.weee_tax_applied_row_amount for row in self.rows),
        )
        self._credit = _sum(parts.gift_cards_amount, parts.customer_balance_amount, parts.reward_currency_amount)
        self._included = bool(self._rest(included=False)) and not self._rest(included=True)
        self._name_the_rest()

    def _fitting(self, choices: tuple[tuple[Item, ...], ...], *, included: bool) -> tuple[tuple[Item, ...], Cost]:
        """The rows, and what they cost, that add up to the subtotal; the first of either where none do."""
        subtotal = self._order.subtotal_incl_tax if included else self._order.subtotal
        for cost, rows in product(_COSTS, choices):
            whole = _sum(*(cost(row, included=included) for row in rows))
            if subtotal is not None and abs(whole - subtotal) < minor_unit(self.currency):
                return rows, cost
        return choices[0], _as_told

    def left(self, row: Item) -> Decimal:
        """How many are still ordered. Raises InvalidInput for a quantity that is none."""
        if row.qty_ordered is None or row.qty_ordered < 0:
            raise refuse("items.qty_ordered", "is missing or negative", "see the order in Magento")
        return max(row.qty_ordered - self._gone(row), ZERO)

    def cost(self, row: Item) -> Decimal:
        """What that many cost, before discounts."""
        whole = self._full(row, self._included)
        if not row.qty_ordered or not self._gone(row):
            return whole
        return (whole * self.left(row) / row.qty_ordered).quantize(FOUR)

    def discount(self, row: Item) -> Decimal:
        """That many pieces' part of the discount."""
        whole = abs(row.discount_amount or ZERO)
        return whole if not row.qty_ordered else (whole * self.left(row) / row.qty_ordered).quantize(FOUR)

    @property
    def totals(self) -> dict[str, object]:
        order = self._order
        tax, shipping, fees = _sum(order.tax_amount), self._shipping(self._included), self._fees
        discount, total = self._discount(self._included), self._grand
        gone = ZERO if self._over else _sum(order.total_refunded, order.total_canceled)
        if gone:
            total = self._grand - gone
            tax -= _sum(order.tax_refunded, order.tax_canceled)
            shipping -= _sum(order.shipping_refunded, order.shipping_canceled)
            fees += _sum(order.adjustment_negative)
            lines = _sum(*(self.cost(row) for row in self.rows if self.left(row)))
            whole = lines + (ZERO if self._included else tax) + shipping + fees - self._credit
            # a credit memo may give back more than the goods: where all re-added before, that is a discount
            discount = discount if self._rest(included=self._included) else max(whole - total, ZERO)
        parts = {"discount": discount, "tax": tax, "shipping": shipping, "fees": fees, "credit": self._credit}
        rounded = {name: payable(amount, self.currency) for name, amount in {**parts, "total": total}.items()}
        return {**rounded, "tax_basis": TaxBasis.INCLUDED if self._included else TaxBasis.ADDED}

    def _gone(self, row: Item) -> Decimal:
        return ZERO if self._over else _sum(row.qty_canceled, row.qty_refunded)

    def _full(self, row: Item, included: bool) -> Decimal:
        cost = self._costs[included](row, included=included)
        if cost is None and row.parent is None:
            raise refuse("items.row_total", "is missing", "see the order in Magento")
        return cost or ZERO

    def _discount(self, included: bool) -> Decimal:
        """Magento writes it below zero, and with the tax in it where the catalogue's prices are with tax."""
        order = self._order
        whole = abs(_sum(order.discount_amount))
        if included:
            return whole
        return whole - _sum(order.discount_tax_compensation_amount, order.shipping_discount_tax_compensation_amount)

    def _shipping(self, included: bool) -> Decimal:
        return _sum(self._order.shipping_incl_tax if included else self._order.shipping_amount)

    def _rest(self, *, included: bool) -> Decimal:
        """What the grand total has beside all that is named."""
        lines = _sum(*(self._full(row, included) for row in self.rows))
        tax = ZERO if included else _sum(self._order.tax_amount)
        named = lines - self._discount(included) + tax + self._shipping(included) + self._fees - self._credit
        return payable(self._grand, self.currency) - payable(named, self.currency)

    def _name_the_rest(self) -> None:
        rest, order = self._rest(included=self._included), self._order
        lines = _sum(*(self._full(row, False) for row in self.rows))
        if not rest or abs(lines - _sum(order.subtotal)) >= minor_unit(self.currency):
            return
        compensation = (
            order.base_discount_tax_compensation_amount,
            order.base_shipping_discount_tax_compensation_amnt,
        )
        base = _sum(order.base_grand_total) - _sum(
            order.base_subtotal, order.base_shipping_amount, order.base_tax_amount, *compensation
        )
        if self._same_in_base(base + abs(_sum(order.base_discount_amount)), rest + self._fees - self._credit):
            self._fees, self._credit = self._fees + max(rest, ZERO), self._credit + max(-rest, ZERO)

    def _same_in_base(self, base: Decimal, here: Decimal) -> bool:
        """Whether these are the same, give or take a hundredth; some modules forget to convert theirs."""
        order = self._order
        rate = _sum(order.subtotal) / order.base_subtotal if order.base_subtotal else Decimal(1)
        near = abs(here) / 100 + 2 * minor_unit(self.currency)
        return bool(base) and min(abs(base * rate - here), abs(base - here)) <= near


def _sum(*amounts: Decimal | None) -> Decimal:
    return sum((amount or ZERO for amount in amounts), ZERO)
