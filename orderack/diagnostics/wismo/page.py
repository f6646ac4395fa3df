"""The watch as HTML: a fragment for a page that holds other reports too, or one page that stands by itself."""

from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from orderack.diagnostics.wismo import plots, telling
from orderack.diagnostics.wismo.figures import WismoFigures
from orderack.diagnostics.wording import duration
from orderack.domain.problem import Problem
from orderack.errors import InvalidInput

PHRASES = 12
"""Shown at most; `--json` has all."""

_TEMPLATES = Environment(
    loader=PackageLoader("orderack.diagnostics.wismo"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {
    "duration": lambda seconds: "–" if seconds is None else duration(seconds),
    "probability": telling.probability,
}
_TEMPLATES.globals |= {"names": telling.NAMES, "effects": telling.EFFECTS, "most": PHRASES}


def fragment(found: WismoFigures) -> Markup:
    """The report's sections, without a stylesheet. Raises Misconfigured where matplotlib is missing."""
    template = _TEMPLATES.get_template("wismo.html.j2")
    # Drawn by us, of figures and dates alone; the template escapes the rest.
    return Markup(template.render(w=found, plot=Markup(plots.by_day(found))))  # noqa: S704 - our SVG


def page(found: WismoFigures, made_at: datetime) -> str:
    """The whole page: no script, nothing fetched. Raises Misconfigured where matplotlib is missing."""
    style = _TEMPLATES.get_template("wismo.css").render()
    return _TEMPLATES.get_template("page.html.j2").render(
        w=found,
        fragment=fragment(found),
        style=Markup(style),  # noqa: S704 - our stylesheet
        made_at=made_at.astimezone(UTC),
    )


def write_page(found: WismoFigures, file: Path, made_at: datetime) -> None:
    """Raises InvalidInput where the file cannot be written, Misconfigured where matplotlib is missing."""
    whole = page(found, made_at)
    try:
        file.write_text(whole, encoding="utf-8")
    except OSError as error:
        problem = Problem(
            field="--html",
            problem=f"{file} cannot be written: {error.strerror}",
            remedy="name a file in a folder of yours",
        )
        raise InvalidInput((problem,)) from None
