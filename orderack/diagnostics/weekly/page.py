"""The report as one HTML page that stands by itself: no script, nothing fetched, to be read on a screen or on paper."""

from collections.abc import Mapping
from importlib.resources import files

from markupsafe import Markup

from orderack.diagnostics.weekly import plots
from orderack.diagnostics.weekly.figures import StoreReport, Weekly
from orderack.diagnostics.weekly.templates_of import TEMPLATES
from orderack.diagnostics.wismo.page import fragment

_GAPS_STYLE = files("orderack.diagnostics.gap").joinpath("templates/gap.css")
"""One look for all reports."""


def page(report: Weekly) -> str:
    """The whole page. Raises Misconfigured where matplotlib is missing."""
    plots.demand_plots()
    style = _GAPS_STYLE.read_text(encoding="utf-8") + TEMPLATES.get_template("weekly.css").render()
    return TEMPLATES.get_template("weekly.html").render(
        r=report,
        style=Markup(style),  # noqa: S704 - our stylesheets
        wismo=fragment(report.wismo) if report.wismo else "",
        plots={store.store: _pictures(store) for store in report.stores},
    )


def _pictures(store: StoreReport) -> Mapping[str, Markup]:
    """Drawn of figures; the store's name in them is escaped by the one who draws. None of a store without orders."""
    if not any(week.orders for week in store.weeks):
        return {}
    drawn = {
        "told": plots.told(store.weeks, store.store),
        "durations": plots.durations(store.weeks, store.store),
        "promises": plots.promises(store.week, store.store),
    }
    return {name: Markup(picture) for name, picture in drawn.items()}  # noqa: S704 - our SVG
