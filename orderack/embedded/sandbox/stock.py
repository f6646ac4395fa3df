"""The sandbox ERP's stock: what it answers for each sku. Scripted, never counted down: a run repeats exactly."""

from collections.abc import Iterable
from datetime import date
from decimal import Decimal

from pydantic import ConfigDict, model_validator

from orderack.domain.order import Line
from orderack.domain.receipt import LineVerdict, StockVerdict
from orderack.domain.value import Value


class SkuStock(Value):
    """The answer for one sku: `available` is what a partial one has at hand, `expected_on` when the rest comes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    verdict: StockVerdict = StockVerdict.AVAILABLE
    available: Decimal | None = None
    expected_on: date | None = None
    substitute_sku: str | None = None

    @model_validator(mode="after")
    def _makes_sense(self) -> "SkuStock":
        if self.verdict is StockVerdict.PARTIAL and (self.available is None or self.available <= 0):
            raise ValueError("a partial sku needs `available`, more than 0")
        if self.verdict is StockVerdict.SUBSTITUTED and self.substitute_sku is None:
            raise ValueError("a substituted sku needs `substitute_sku`")
        return self

    def answer(self, quantity: Decimal) -> "SkuStock":
        """The answer for this quantity: a partial sku that covers it is available."""
        if self.verdict is StockVerdict.PARTIAL and self.available is not None and self.available >= quantity:
            return SkuStock(available=self.available)
        return self


class Stock:
    """A table from sku to answer; what is not in it is available."""

    def __init__(self) -> None:
        self._table: dict[str, SkuStock] = {}

    def set(self, sku: str, stock: SkuStock) -> None:
        self._table[sku] = stock

    def clear(self) -> None:
        self._table.clear()

    def table(self) -> dict[str, SkuStock]:
        return dict(self._table)

    def answer(self, sku: str, quantity: Decimal) -> SkuStock:
        return self._table.get(sku, SkuStock()).answer(quantity)

    def verdicts(self, lines: Iterable[Line]) -> tuple[LineVerdict, ...]:
        """What a receipt says of these lines."""
        return tuple(_verdict(line, self.answer(line.sku, line.quantity)) for line in lines)


def _verdict(line: Line, stock: SkuStock) -> LineVerdict:
    return LineVerdict(
        line_id=line.line_id,
        verdict=stock.verdict,
        quantity=stock.available if stock.verdict is StockVerdict.PARTIAL else None,
        expected_on=stock.expected_on,
        substitute_sku=stock.substitute_sku,
    )
