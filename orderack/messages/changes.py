"""What changed since the last confirmation, in words."""

from collections.abc import Callable, Mapping, Sequence

from orderack.domain.difference import Change, Changed
from orderack.domain.order import Line, Order
from orderack.messages.addresses import address_lines
from orderack.messages.clean import cut, prose, unlinked
from orderack.messages.formats import Formats
from orderack.messages.labels import Labels
from orderack.messages.lines import title
from orderack.messages.view import ChangeView

_LineWords = Callable[[Line, Order, Formats], str]
_OrderWords = Callable[[Order, Formats], str]


def _quantity(line: Line, order: Order, formats: Formats) -> str:
    return formats.number(line.quantity)


def _price(line: Line, order: Order, formats: Formats) -> str:
    return formats.money(line.unit_price, order.currency)


def _whole(line: Line, order: Order, formats: Formats) -> str:
    return f"{_quantity(line, order, formats)} × {_price(line, order, formats)}"


def _text(value: str | None) -> str:
    return unlinked(cut(prose(value or ""), 300))


def _pickup(order: Order, formats: Formats) -> str:
    pickup = order.pickup
    if pickup is None:
        return ""
    return ", ".join(filter(None, (_text(pickup.location), formats.moment(pickup.at) if pickup.at else "")))


def _window(order: Order, formats: Formats) -> str:
    window = order.delivery_window
    return formats.span(window.start, window.end) if window else ""


def _address(order: Order, formats: Formats) -> str:
    return ", ".join(address_lines(order.delivery_address, formats)) if order.delivery_address else ""


_IN_A_LINE: Mapping[Changed, _LineWords] = {
    Changed.LINE_ADDED: _whole,
    Changed.LINE_REMOVED: _whole,
    Changed.ITEM: lambda line, order, formats: f"{title(line)} ({_text(line.sku)})",
    Changed.QUANTITY: _quantity,
    Changed.UNIT_PRICE: _price,
    Changed.LINE_INSTRUCTIONS: lambda line, order, formats: _text(line.instructions),
    Changed.DESIGN: lambda line, order, formats: _text(line.design),
    Changed.DIETARY: lambda line, order, formats: _text(line.dietary),
}

_IN_THE_ORDER: Mapping[Changed, _OrderWords] = {
    Changed.INSTRUCTIONS: lambda order, formats: _text(order.instructions),
    Changed.ADDRESS: _address,
    Changed.PICKUP: _pickup,
    Changed.WINDOW: _window,
    Changed.DISCOUNT: lambda order, formats: formats.rounded(order.totals.discount, order.currency),
    Changed.SHIPPING: lambda order, formats: formats.rounded(order.totals.shipping, order.currency),
    Changed.TAX: lambda order, formats: formats.rounded(order.totals.tax, order.currency),
    Changed.FEES: lambda order, formats: formats.rounded(order.totals.fees, order.currency),
    Changed.CREDIT: lambda order, formats: formats.rounded(order.totals.credit, order.currency),
    Changed.TOTAL: lambda order, formats: formats.rounded(order.totals.total, order.currency),
    Changed.TERMS: lambda order, formats: _text(order.payment.terms),
}


def change_views(
    changes: Sequence[Change], previous: Order, current: Order, labels: Labels, formats: Formats
) -> tuple[ChangeView, ...]:
    """Each difference as a label with its value before and after (`none` where there was none)."""
    before = {line.line_id: line for line in previous.lines}
    after = {line.line_id: line for line in current.lines}

    def words(change: Change, order: Order, lines: Mapping[str, Line]) -> str:
        if change.line_id is None:
            return _IN_THE_ORDER[change.what](order, formats) or labels.none
        line = lines.get(change.line_id)
        return (_IN_A_LINE[change.what](line, order, formats) if line else "") or labels.none

    def label(change: Change) -> str:
        line = after.get(change.line_id or "") or before.get(change.line_id or "")
        return f"{title(line)}: {labels.changed[change.what]}" if line else labels.changed[change.what]

    return tuple(
        ChangeView(label(change), words(change, previous, before), words(change, current, after)) for change in changes
    )
