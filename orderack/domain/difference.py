"""What changed from one revision to the next: the pure comparison a changed order's messages show."""

from collections.abc import Callable, Mapping
from enum import StrEnum

from orderack.domain.order import Line, Name, Order
from orderack.domain.value import Value


class Changed(StrEnum):
    """What can differ, in the words of the order."""

    LINE_ADDED = "line_added"
    LINE_REMOVED = "line_removed"
    ITEM = "item"
    QUANTITY = "quantity"
    UNIT_PRICE = "unit_price"
    LINE_INSTRUCTIONS = "line_instructions"
    DESIGN = "design"
    DIETARY = "dietary"
    INSTRUCTIONS = "instructions"
    ADDRESS = "address"
    PICKUP = "pickup"
    WINDOW = "window"
    DISCOUNT = "discount"
    SHIPPING = "shipping"
    TAX = "tax"
    FEES = "fees"
    CREDIT = "credit"
    TOTAL = "total"
    TERMS = "terms"


class Change(Value):
    """One difference. The values are in the two orders themselves; `line_id` says in which line."""

    what: Changed
    line_id: Name | None = None


_IN_A_LINE: Mapping[Changed, Callable[[Line], object]] = {
    Changed.ITEM: lambda line: (line.sku, line.model, line.description),
    Changed.QUANTITY: lambda line: line.quantity,
    Changed.UNIT_PRICE: lambda line: line.unit_price,
    Changed.LINE_INSTRUCTIONS: lambda line: line.instructions or "",
    Changed.DESIGN: lambda line: line.design or "",
    Changed.DIETARY: lambda line: line.dietary or "",
}

_IN_THE_ORDER: Mapping[Changed, Callable[[Order], object]] = {
    Changed.INSTRUCTIONS: lambda order: order.instructions or "",
    Changed.ADDRESS: lambda order: order.delivery_address,
    Changed.PICKUP: lambda order: order.pickup,
    Changed.WINDOW: lambda order: order.delivery_window,
    Changed.DISCOUNT: lambda order: order.totals.discount,
    Changed.SHIPPING: lambda order: order.totals.shipping,
    Changed.TAX: lambda order: order.totals.tax,
    Changed.FEES: lambda order: order.totals.fees,
    Changed.CREDIT: lambda order: order.totals.credit,
    Changed.TOTAL: lambda order: (order.totals.total, order.currency),
    Changed.TERMS: lambda order: order.payment.terms or "",
}


def difference(previous: Order, current: Order) -> tuple[Change, ...]:
    """Every difference a buyer should see: added lines, removed lines, changed lines, then the order itself.

    Lines are matched by `line_id`. Payment status and contacts are not part of what was agreed and never show.
    """
    before = {line.line_id: line for line in previous.lines}
    after = {line.line_id: line for line in current.lines}
    added = [Change(what=Changed.LINE_ADDED, line_id=key) for key in after if key not in before]
    removed = [Change(what=Changed.LINE_REMOVED, line_id=key) for key in before if key not in after]
    inside = [
        Change(what=what, line_id=key)
        for key, line in after.items()
        if key in before
        for what, value in _IN_A_LINE.items()
        if value(before[key]) != value(line)
    ]
    around = [Change(what=what) for what, value in _IN_THE_ORDER.items() if value(previous) != value(current)]
    return (*added, *removed, *inside, *around)
