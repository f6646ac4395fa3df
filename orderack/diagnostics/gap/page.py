"""The report as one HTML page that stands by itself: no script, nothing fetched, to be read on a screen or on paper."""

from datetime import UTC, datetime
from pathlib import Path

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from orderack.diagnostics.gap import plots, thresholds, words
from orderack.diagnostics.gap.diagnose import Report
from orderack.diagnostics.gap.reading import unusable
from orderack.diagnostics.wording import duration

_TEMPLATES = Environment(
    loader=PackageLoader("orderack.diagnostics.gap"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {"duration": duration, "percent": words.percent, "probability": words.probability}
_TEMPLATES.globals["named_parts"] = words.named_parts


def page(report: Report, made_at: datetime) -> str:
    """The whole page."""
    drawn = {
        "distribution": plots.distribution,
        "over_time": plots.over_time,
        "by_hour": plots.by_hour,
        "by_volume": plots.by_volume,
        "by_channel": plots.by_channel,
        "unseen": plots.unseen,
    }
    # The drawings are made here, of figures; channels' names in them are escaped by the one who draws.
    pictures = {name: Markup(draw(report)) for name, draw in drawn.items()} if len(report.flow) > 1 else {}  # noqa: S704 - our SVG
    style = _TEMPLATES.get_template("gap.css").render()
    return _TEMPLATES.get_template("gap.html").render(
        d=report.diagnosis,
        style=Markup(style),  # noqa: S704 - our stylesheet
        plots=pictures,
        made_at=made_at.astimezone(UTC),
        zone=report.zone,
        t=thresholds,
    )


def write_page(report: Report, file: Path, made_at: datetime) -> None:
    """Raises InvalidInput where the file cannot be written."""
    try:
        file.write_text(page(report, made_at), encoding="utf-8")
    except OSError as error:
        raise unusable(
            "--html", f"{file} cannot be written: {error.strerror}", "name a file in a folder of yours"
        ) from None
