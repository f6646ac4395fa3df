"""The ordered lines as a message shows them: what, how many, how much, and the ERP's answer about stock."""

from collections.abc import Iterator

from orderack.domain.order import Line, Order
from orderack.domain.response import LineAnswer, Outcome
from orderack.messages.clean import cut, line, prose, unlinked
from orderack.messages.formats import Formats
from orderack.messages.labels import Labels, fill
from orderack.messages.view import LineView, Row

MAX_LINES = 100
MAX_CHARACTERS = 30_000
"""A message shows this much of an order at most; the buyer's page has the rest (Gmail cuts mails at 102 KB)."""


class LineWriter:
    """Writes one order's lines; those that are not simply in stock come first (R65)."""

    def __init__(self, order: Order, answers: tuple[LineAnswer, ...], labels: Labels, formats: Formats) -> None:
        self._order = order
        self._answers = {answer.line_id: answer for answer in answers}
        self._answered = bool(answers)
        self._labels = labels
        self._formats = formats

    def lines(self) -> tuple[LineView, ...]:
        """As many lines as a message holds."""
        views: list[LineView] = []
        room = MAX_CHARACTERS
        for ordered in self._in_order():
            view = self._view(ordered)
            room -= len(view.title) + len(view.ids) + sum(len(note.value) for note in view.notes)
            if views and (room < 0 or len(views) == MAX_LINES):
                break
            views.append(view)
        return tuple(views)

    def every(self) -> tuple[LineView, ...]:
        """All lines, in the order's own order: what the buyer's page shows."""
        return tuple(map(self._view, self._order.lines))

    def troubled(self) -> tuple[Line, ...]:
        """The lines that are late, changed or refused."""
        return tuple(ordered for ordered in self._order.lines if self._tone(ordered) != "good")

    def notice(self, ordered: Line) -> str:
        """One sentence for a troubled line: its name and what the ERP says of it."""
        return fill(self._labels.notice, item=title(ordered), stock=self._stock(ordered))

    def _in_order(self) -> Iterator[Line]:
        if not self._answered:
            return iter(self._order.lines)
        return iter(sorted(self._order.lines, key=lambda ordered: self._tone(ordered) == "good"))

    def _tone(self, ordered: Line) -> str:
        match self._answers.get(ordered.line_id):
            case None:
                return "bad"
            case LineAnswer(outcome=Outcome.REJECT | Outcome.HOLD):
                return "bad"
            case LineAnswer(rejected=rejected) if rejected:
                return "bad"
            case LineAnswer(outcome=Outcome.ACCEPT):
                return "good"
            case _:
                return "late"

    def _stock(self, ordered: Line) -> str:
        labels, answer = self._labels, self._answers.get(ordered.line_id)
        if answer is None or answer.outcome is Outcome.HOLD:
            return labels.stock_hold
        counts = ((labels.stock_backorder, answer.backordered), (labels.stock_reject, answer.rejected))
        words = [fill(pattern, n=self._formats.number(count)) for pattern, count in counts if count]
        if answer.substitute_sku:
            words.insert(0, fill(labels.stock_substitute, sku=unlinked(line(answer.substitute_sku))))
        elif answer.outcome is Outcome.SUBSTITUTE and answer.accepted:
            words.insert(0, self._formats.plural(labels.replaced_items, answer.accepted))
        elif answer.accepted:
            some = fill(labels.stock_some, n=self._formats.number(answer.accepted))
            words.insert(0, some if words else labels.stock_all)
        if answer.unit_price is not None:
            price = self._formats.money(answer.unit_price, self._order.currency)
            words.append(fill(labels.stock_price, price=price))
        if answer.expected_on:
            words.append(fill(labels.expected, date=self._formats.day(answer.expected_on)))
        return ", ".join(words)

    def _view(self, ordered: Line) -> LineView:
        labels, currency = self._labels, self._order.currency
        model = unlinked(line(ordered.model or "", 100))
        ids = [f"{labels.sku} {unlinked(line(ordered.sku, 100))}"] + ([f"{labels.model} {model}"] if model else [])
        return LineView(
            title=title(ordered),
            ids=" · ".join(ids),
            price=f"{self._formats.number(ordered.quantity)} × {self._formats.money(ordered.unit_price, currency)}",
            amount=self._formats.rounded(ordered.amount, currency),
            stock=self._stock(ordered) if self._answered else "",
            tone=self._tone(ordered),
            notes=self._notes(ordered),
        )

    def _notes(self, ordered: Line) -> tuple[Row, ...]:
        labels, answer = self._labels, self._answers.get(ordered.line_id)
        texts = (
            (labels.line_instructions, ordered.instructions),
            (labels.design, ordered.design),
            (labels.dietary, ordered.dietary),
            (labels.note, answer.note if answer else None),
        )
        return tuple(Row(label, note) for label, text in texts if text and (note := unlinked(cut(prose(text), 600))))


def title(ordered: Line) -> str:
    """The item's name for a reader: its description, else its model, else its sku."""
    return unlinked(line(ordered.description, 160) or line(ordered.model or "", 160) or line(ordered.sku, 160))
