"""Words on a terminal: tables with lines for people, plain aligned text for a pipe, JSON for programs."""

import json
import sys
from collections.abc import Iterable, Sequence
from datetime import datetime

import typer
from pydantic import BaseModel
from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

NOTHING = "–"
_UNBROKEN = 1_000
"""Columns of a pipe: one row stays one line."""


def print_json(value: BaseModel) -> None:
    """One JSON object on one line."""
    typer.echo(escaped(value.model_dump_json()))


def escaped(text: str) -> str:
    """JSON whose characters that would steer a terminal are written as JSON escapes: the value is the same."""
    return "".join(character if character.isprintable() else json.dumps(character)[1:-1] for character in text)


def plain(words: str) -> str:
    """Words in lines, without the characters that would steer the terminal: what an order says is not ours."""
    return "".join(character for character in words if character.isprintable() or character == "\n")


def console() -> Console:
    """Where tables go: as wide as the terminal, or a pipe whose lines are never broken."""
    if sys.stdout.isatty():
        return Console(highlight=False)
    return Console(width=_UNBROKEN, no_color=True, highlight=False)


def table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Table:
    """A table of plain words; nothing in a cell is taken for markup."""
    plain = not sys.stdout.isatty()
    made = Table(box=None if plain else box.SIMPLE_HEAD, pad_edge=False, header_style="bold")
    for column in columns:
        made.add_column(column, overflow="fold")
    for row in rows:
        made.add_row(*(cell(value) for value in row))
    return made


def print_table(columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    console().print(table(columns, rows))


def print_facts(facts: Iterable[tuple[str, object]]) -> None:
    """Names and values, one a line; what is not known is left out."""
    made = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    made.add_column(style="bold")
    made.add_column(overflow="fold")
    for name, value in facts:
        if value not in (None, "", ()):
            made.add_row(Text(name), cell(value))
    console().print(made)


def cell(value: object) -> Text:
    """A value as people read it; characters that would steer the terminal are dropped."""
    match value:
        case None | "":
            words = NOTHING
        case bool():
            words = "yes" if value else "no"
        case datetime():
            words = when(value)
        case _:
            words = str(value)
    return Text(plain(words).replace("\n", ""))


def when(at: datetime) -> str:
    """A moment in this machine's zone."""
    return f"{at.astimezone():%d %b %H:%M:%S %Z}"


def words(name: str) -> str:
    """`awaiting_erp` → `awaiting erp`."""
    return name.replace("_", " ")
