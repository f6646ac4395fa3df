"""Other quantities in an order, and what it comes to then: what a buyer asks for on the order's page."""

from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal

from orderack.domain.money import add_up, minor_unit
from orderack.domain.order import Line, Order, TaxBasis

_EXACT = Decimal("0.0001")


def with_quantities(order: Order, quantities: Mapping[str, Decimal]) -> Order:
    """The order with these quantities by `line_id`; 0: without the line. Ids that it has not are passed over.

    The total changes by the lines, and by the tax in proportion to them (only where the prices do not contain it
    already), each rounded half up to the currency's minor unit. Discount and shipping stay: the store decides on them.
    """
    lines = tuple(line for old in order.lines if (line := _with(old, quantities.get(old.line_id))) is not None)
    if lines == order.lines:
        return order
    before, after = _amount(order.lines), _amount(lines)
    digit, totals = minor_unit(order.currency), order.totals
    tax = (totals.tax * after / before).quantize(digit, ROUND_HALF_UP) if before else totals.tax
    change = (after - before).quantize(digit, ROUND_HALF_UP)
    total = totals.total + change + (Decimal(0) if _contains_tax(order) else tax - totals.tax)
    update = {"tax": tax, "total": max(total, Decimal(0))}
    return order.model_copy(update={"lines": lines, "totals": totals.model_copy(update=update)})


def _with(line: Line, quantity: Decimal | None) -> Line | None:
    if quantity is None or quantity == line.quantity:
        return line
    if not quantity:
        return None
    parts = {"subtotal": line.subtotal, "discount": line.discount}
    scaled = {name: (part * quantity / line.quantity).quantize(_EXACT) for name, part in parts.items() if part}
    return line.model_copy(update={"quantity": quantity} | scaled)


def _amount(lines: tuple[Line, ...]) -> Decimal:
    return sum((line.amount for line in lines), Decimal(0))


def _contains_tax(order: Order) -> bool:
    """What the order says; else whether it adds up only if its prices contain the tax."""
    total = order.totals.total
    if order.totals.tax_basis is not None:
        return order.totals.tax_basis is TaxBasis.INCLUDED
    return total != add_up(order) and total == add_up(order, tax_included=True)
