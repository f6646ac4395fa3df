"""The content linter: a confirmation lacks nothing that the buyer must be told (R84, R100–R102, mission.md 1d.10)."""

from collections.abc import Callable, Iterator, Mapping

from markupsafe import escape

from orderack.messages.view import View

_REQUIRED: Mapping[str, Callable[[View], Iterator[str]]] = {
    "details": lambda view: (row.value for row in view.details),
    "what changed": lambda view: (
        text for change in view.changes for text in (change.label, change.before, change.after)
    ),
    "stock notices": lambda view: (notice for notice in (*view.notices, view.more_notices)),
    "items": lambda view: (text for line in view.lines for text in (line.title, line.ids, line.price, line.amount)),
    "stock per line": lambda view: (line.stock for line in view.lines),
    "line instructions": lambda view: (note.value for line in view.lines for note in line.notes),
    "items left out": lambda view: iter((view.more_lines,)),
    "totals": lambda view: (row.value for row in (*view.totals, *filter(None, (view.total,)))),
    "address": lambda view: iter(view.address),
    "instructions": lambda view: iter((view.instructions,)),
    "request to confirm": lambda view: iter((view.ask,)),
    "contact": lambda view: (row.value for row in view.contact),
}


def missing(view: View, next_steps: tuple[str, ...], text: str, html: str) -> tuple[str, ...]:
    """Names of the parts of which the text or the HTML version leaves something out."""
    parts = {name: list(values(view)) for name, values in _REQUIRED.items()} | {"next steps": list(next_steps)}
    if not next_steps:
        return ("next steps",)
    linked = view.link in text and escape(view.button) in html
    return (() if linked else ("link",)) + tuple(
        name
        for name, values in parts.items()
        if not all(row in text and escape(row) in html for value in values for row in value.split("\n"))
    )
