"""What figures of stock mean for a line: the same arithmetic for every ERP that answers in quantities."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from decimal import ROUND_DOWN, Decimal

from orderack.domain.order import Line
from orderack.domain.receipt import LineVerdict, StockVerdict
from orderack.ports import Stock

NONE = Decimal(0)
_SMALLEST = Decimal("0.0001")
_MOST = Decimal(99_999_999)
"""Of one line; whoever answers with more means "enough"."""


@dataclass(frozen=True)
class Incoming:
    """An open purchase. `on`: when it is expected there, where that is said."""

    quantity: Decimal
    on: date | None = None


@dataclass(frozen=True)
class Position:
    """One item's stock, in the unit it is sold in."""

    free: Decimal
    """At hand and promised to nobody else; below zero where more is promised than there is."""
    incoming: tuple[Incoming, ...] = ()
    endless: bool = False
    """A service, or something else that is not stocked."""

    def less(self, quantity: Decimal) -> "Position":
        """What is left for the order's next line of the same item."""
        return replace(self, free=self.free - quantity)

    def per(self, units: Decimal) -> "Position":
        """The same in a unit that holds so many."""
        coming = tuple(replace(one, quantity=one.quantity / units) for one in self.incoming)
        return replace(self, free=self.free / units, incoming=coming)

    def expected_on(self, wanted: Decimal) -> date | None:
        """The day from which what is bought covers this quantity too, where the purchases say."""
        covered = self.free
        for coming in sorted(self.incoming, key=lambda one: one.on or date.max):
            covered += coming.quantity
            if covered >= wanted:
                return coming.on
        return None


def whole_parts(quantity: Decimal) -> Decimal:
    """The quantity in as many decimals as orders have; what is beyond them is not there."""
    return max(min(quantity, _MOST), -_MOST).quantize(_SMALLEST, ROUND_DOWN).normalize() + NONE


def at_hand(position: Position, wanted: Decimal) -> Decimal:
    """How much of the wanted quantity can be supplied now."""
    if position.endless:
        return wanted
    return whole_parts(max(min(position.free, wanted), NONE))


def judge(position: Position, wanted: Decimal) -> StockVerdict:
    """Available, partly, bought and awaited, or not to be had: nothing here and nothing coming."""
    has = at_hand(position, wanted)
    if has >= wanted:
        return StockVerdict.AVAILABLE
    if has > 0:
        return StockVerdict.PARTIAL
    return StockVerdict.BACKORDERED if position.incoming else StockVerdict.UNAVAILABLE


@dataclass(frozen=True)
class Part:
    """One row of a document: what is still open of it, what has left already, and the stock that is for it."""

    position: Position
    wanted: Decimal
    supplied: Decimal = NONE

    @property
    def has(self) -> Decimal:
        return at_hand(self.position, self.wanted) + self.supplied

    @property
    def short(self) -> bool:
        return at_hand(self.position, self.wanted) < self.wanted


def verdict(line_id: str, *parts: Part) -> LineVerdict:
    """The answer for a booked line. Somebody may have split it into rows: two warehouses, two dates."""
    short = [part for part in parts if part.short]
    has = whole_parts(sum((part.has for part in parts), NONE))
    if has > 0 and not short:
        word = StockVerdict.AVAILABLE
    elif has > 0:
        word = StockVerdict.PARTIAL
    elif any(part.position.incoming for part in short):
        word = StockVerdict.BACKORDERED
    else:
        word = StockVerdict.UNAVAILABLE
    days = [part.position.expected_on(part.wanted) for part in short]
    known = [day for day in days if day is not None]
    late = word in (StockVerdict.PARTIAL, StockVerdict.BACKORDERED) and len(known) == len(days)
    return LineVerdict(
        line_id=line_id,
        verdict=word,
        quantity=has if has > 0 else None,
        expected_on=max(known, default=None) if late else None,
    )


def stock(line: Line, position: Position) -> Stock:
    """The answer for a line that is not booked."""
    word = judge(position, line.quantity)
    if word is StockVerdict.AVAILABLE:
        return Stock(line_id=line.line_id, verdict=word, available=None if position.endless else position.free)
    return Stock(
        line_id=line.line_id,
        verdict=word,
        available=position.free if word is StockVerdict.PARTIAL else None,
        expected_on=position.expected_on(line.quantity),
    )


def stocks(
    lines: Iterable[Line], positions: Mapping[str, Position], key: Callable[[str], str] = str
) -> Sequence[Stock]:
    """The answers for lines that are not booked: what one was promised is not there for the next of the same item.

    `positions`: by `key` of the sku; lines of others are absent.
    """
    left, said = dict(positions), list[Stock]()
    for line in lines:
        name = key(line.sku)
        if (position := left.get(name)) is not None:
            said.append(stock(line, position))
            left[name] = position.less(line.quantity)
    return tuple(said)
