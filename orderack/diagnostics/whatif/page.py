"""The whole result as one HTML file: no script, no address, nothing to load."""

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from orderack.diagnostics.whatif import plots, words
from orderack.diagnostics.whatif.result import Simulation

_TEMPLATES = Environment(
    loader=PackageLoader("orderack.diagnostics.whatif"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_TEMPLATES.filters |= {
    "money": words.money,
    "percent": words.percent,
    "checked": words.checked,
    "estimated": words.estimated,
}


def page(found: Simulation) -> str:
    """The page. Raises Misconfigured where matplotlib is missing."""
    plots.demand_plots()
    drawn = {
        "kinds": plots.bars(found.kinds) if found.kinds else "",
        "levels": plots.levels(found.levels) if found.levels else "",
        "week": plots.week(found.load)
        if found.load and (found.load.before.reviews or found.load.after.reviews)
        else "",
    }
    return _TEMPLATES.get_template("what_if.html").render(
        found=found,
        check=found.self_check,
        not_kept=list(words.not_kept(found.self_check)),
        # Drawn by us from figures and fixed words alone; what an order says is in no picture.
        plots={name: Markup(svg) for name, svg in drawn.items()},  # noqa: S704 - our SVG
        css=Markup(_TEMPLATES.get_template("what_if.css").render()),  # noqa: S704 - our stylesheet
    )
