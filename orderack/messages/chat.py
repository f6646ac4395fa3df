"""The chat shape: one message of plain text, whatever the order's size. Lines that do not fit are counted.

It holds no web address of the buyer's page: that goes into a button, or the channel puts it at the end.
"""

import re
from collections.abc import Callable, Sequence
from functools import partial

from orderack.messages.clean import cut
from orderack.messages.formats import Formats
from orderack.messages.labels import Labels
from orderack.messages.view import ChangeView, Row, View
from orderack.messages.wording import Wording

LIMIT = 2_000
"""Characters. Messenger's limit of a text, and less than any other chat takes."""

_BREAK = "\n\n"
_SENTENCES = re.compile(r"(?<=[.!?…]) +")

_Fit = Callable[[int], str]
"""A part in at most so many characters; empty when nothing of it fits."""


def chat(view: View, wording: Wording, ask: str, labels: Labels, formats: Formats) -> str:
    """Everything that matters, in the order in which it is read; `ask` asks the buyer to confirm having it.

    What the buyer must be told is placed first, then as many lines as there is room for. Our own sentences are kept
    whole or left out, so that a cut never makes a promise of them.
    """

    def rows(heading: str, shown: Sequence[str], of: int) -> _Fit:
        return partial(_counted, heading and heading + labels.colon, shown, of, labels, formats)

    def facts(*shown: Row | None) -> _Fit:
        return rows("", texts := [_said(row, labels) for row in shown if row], len(texts))

    changes = [_changed(change, labels) for change in view.changes]
    lines = [_joined(line.title, f"{line.price} = {line.amount}", line.stock) for line in view.lines]
    others = [row for row in view.details if row != view.promise]
    contact = [f"{way.label}{labels.colon} {way.value}" for way in view.contact]
    parts: Sequence[tuple[int, int, _Fit]] = (  # how urgent, at most how long, and the part; in reading order
        (0, LIMIT, partial(cut, wording.subject)),
        (2, 450, partial(_whole, _sentences(wording.paragraphs))),
        (1, 800, partial(_quoted, labels.question_heading + labels.colon, view.question)),
        (3, 300, partial(_quoted, labels.asked_heading + labels.colon, view.asked)),
        (1, 800, partial(_quoted, labels.answer_heading + labels.colon, view.answer)),
        (0, LIMIT, facts(view.promise)),
        (4, 300, rows(labels.changes_heading, _bulleted(changes), view.of_changes)),
        (4, 300, rows(labels.attention_heading, _bulleted(view.notices), view.of_notices)),
        (8, 450, partial(_whole, [[_said(row, labels)] for row in others])),
        (7, 750, rows(labels.items_heading, _bulleted(lines), view.of_lines)),
        (0, LIMIT, facts(view.total)),
        (6, 400, partial(_whole, _sentences(wording.next_steps))),
        (0, LIMIT, partial(cut, ask)),
        (5, 250, partial(_whole, [[way] for way in contact])),
    )
    room, placed = LIMIT, dict[int, str]()
    for place, (_, most, fit) in sorted(enumerate(parts), key=lambda part: part[1][0]):
        if text := fit(min(most, room)):
            placed[place] = text
            room -= len(text) + len(_BREAK)
    return _BREAK.join(placed[place] for place in sorted(placed))


def _counted(heading: str, shown: Sequence[str], of: int, labels: Labels, formats: Formats, room: int) -> str:
    """A heading and as many rows as fit, and how many are left out."""
    if not shown:
        return ""
    for kept in range(len(shown), -1, -1):
        rows = [heading, *shown[:kept]] if heading else list(shown[:kept])
        if kept < of:
            rows.append("- " + formats.plural(labels.more if kept else labels.items, of - kept))
        if len(text := "\n".join(rows)) <= room:
            return text
    return ""


def _whole(paragraphs: Sequence[Sequence[str]], room: int) -> str:
    """As many whole sentences as fit, in order; a paragraph starts a row."""
    kept, length = list[str](), 0
    for paragraph in paragraphs:
        row = ""
        for sentence in paragraph:
            if length + len(longer := _joined(row, sentence, by=" ")) > room:
                return "\n".join([*kept, row] if row else kept)
            row = longer
        kept.append(row)
        length += len(row) + 1
    return "\n".join(kept)


def _quoted(heading: str, text: str, room: int) -> str:
    """Somebody's words under their heading; an ellipsis marks a cut."""
    left = room - len(heading) - 1
    return f"{heading}\n{cut(text, left)}" if text and left > 0 else ""


def _sentences(paragraphs: Sequence[str]) -> list[list[str]]:
    return [_SENTENCES.split(paragraph) for paragraph in paragraphs]


def _bulleted(rows: Sequence[str]) -> list[str]:
    return [f"- {row}" for row in rows]


def _changed(change: ChangeView, labels: Labels) -> str:
    named = cut(change.label, 80)
    if not (change.before or change.after):
        return named
    return f"{named}{labels.colon} {_flat(change.before)} → {_flat(change.after)}"


def _said(row: Row, labels: Labels) -> str:
    return f"{row.label}{labels.colon} {row.value}"


def _flat(text: str) -> str:
    """A value on one row; a long one (an address, an instruction) is marked as cut."""
    return cut(", ".join(text.split("\n")), 120)


def _joined(*texts: str, by: str = " · ") -> str:
    return by.join(text for text in texts if text)
