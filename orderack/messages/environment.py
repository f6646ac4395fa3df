"""The template engine, fenced in: business people write words, not programs (reliability.md §3.5)."""

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TypeVar

from jinja2 import FileSystemLoader, StrictUndefined, TemplateError, Undefined
from jinja2.exceptions import SecurityError
from jinja2.runtime import Context, Macro
from jinja2.sandbox import ImmutableSandboxedEnvironment
from markupsafe import Markup, escape
from mjml import mjml2html

from orderack.errors import Misconfigured

T = TypeVar("T")

_FILTERS = ("default", "first", "join", "last", "length", "lower", "trim", "upper")
_BROKEN = (TemplateError, TypeError, ValueError, ArithmeticError, LookupError, AttributeError, RecursionError)
"""What a template that is wrong can raise while it runs."""


class WordingEnvironment(ImmutableSandboxedEnvironment):
    """Sandboxed Jinja without functions, loops over anything but data, or operators that blow a text up."""

    intercepted_binops = frozenset({"*", "**", "%"})

    def __init__(self, messages_dir: Path, *, html: bool) -> None:
        super().__init__(
            loader=FileSystemLoader(messages_dir),
            autoescape=html,
            undefined=StrictUndefined,
            auto_reload=False,
            cache_size=-1,
        )
        self.globals.clear()
        self.filters = {name: self.filters[name] for name in _FILTERS} | {"breaks": breaks, "indent_with": indent_with}
        self.tests = {name: self.tests[name] for name in ("defined", "undefined")}

    def is_safe_callable(self, obj: object) -> bool:
        return isinstance(obj, Macro | Undefined)

    def call_binop(self, context: Context, operator: str, left: object, right: object) -> object:
        raise SecurityError(f"the operator {operator} is not allowed in a wording")


def breaks(text: str) -> Markup:
    """Line breaks as `<br>`; the text itself is escaped."""
    return Markup("<br>").join(escape(row) for row in text.split("\n"))


def indent_with(text: str, margin: str) -> str:
    """The text with a margin before every row but the first."""
    return text.replace("\n", "\n" + margin)


def compiled_mjml(messages_dir: Path, name: str) -> str:
    """The HTML layout: MJML made into tables once, template marks untouched, so that no data ever meets MJML."""
    try:
        html = mjml2html((messages_dir / name).read_text(encoding="utf-8"), disable_comments=True, fonts={})
    except (OSError, UnicodeDecodeError, ValueError) as error:
        raise Misconfigured(f"messages/{name}: not readable as MJML: {error}") from None
    return re.sub(r"<table (?![^>]*role=)", '<table role="presentation" ', html)  # MRML drops the role of an mj-table


def guarded(where: str, work: Callable[[], T]) -> T:
    """Run a template's code; whatever is wrong with it becomes Misconfigured naming the file, never the data."""
    try:
        return work()
    except _BROKEN as error:
        detail = f": {error}" if isinstance(error, TemplateError) else ""
        raise Misconfigured(f"messages/{where}: {type(error).__name__}{detail}") from None


def capped(pieces: Iterable[str], limit: int, where: str) -> str:
    """The pieces as one text; raises Misconfigured as soon as they are longer than `limit` characters."""
    kept: list[str] = []
    room = limit
    for piece in pieces:
        room -= len(piece)
        if room < 0:
            raise Misconfigured(f"messages/{where}: renders to more than {limit} characters; shorten the wording")
        kept.append(piece)
    return "".join(kept)
