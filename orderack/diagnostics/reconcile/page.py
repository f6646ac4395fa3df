"""The result as one HTML page that stands by itself: no script, nothing fetched."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined

from orderack.diagnostics.gap.reading import unusable

_TEMPLATES = Environment(
    loader=PackageLoader("orderack.diagnostics.reconcile"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)


@dataclass(frozen=True)
class PageTable:
    title: str
    columns: Sequence[str]
    rows: Sequence[Sequence[str]]


def write_page(file: Path, title: str, told: str, tables: Sequence[PageTable], made_at: datetime) -> None:
    """Raises InvalidInput where the file cannot be written."""
    page = _TEMPLATES.get_template("reconcile.html").render(
        title=title, told=told, tables=tables, made_at=made_at.astimezone(UTC)
    )
    try:
        file.write_text(page, encoding="utf-8")
    except OSError as error:
        raise unusable(
            "--html", f"{file} cannot be written: {error.strerror}", "name a file in a folder of yours"
        ) from None
