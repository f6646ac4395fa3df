"""The daily plot, as inline SVG: nothing to load, the same bytes for the same figures."""

import io
import re
from collections.abc import Sequence
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from orderack.diagnostics.wismo.figures import DayFigures, WismoFigures
from orderack.diagnostics.wording import duration
from orderack.errors import Misconfigured

if TYPE_CHECKING:
    import numpy as np
    from matplotlib.axes import Axes
    from numpy.typing import NDArray

LINE, ASKED, GAP = "#d9dfe6", "#0b57d0", "#b45309"
LABEL = "By day: orders asked about per 100, and the time to the ERP receipt; the table below has the figures"
_TICKS = (0.1, 1, 10, 30, 60, 300, 900, 3_600, 14_400, 43_200, 86_400, 604_800)
"""Seconds."""
_STYLE = files("orderack.diagnostics.gap").joinpath("templates/gap.mplstyle")
_PROLOGUE = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)


def demand_plots() -> None:
    """Raises Misconfigured where the library that draws is missing."""
    try:
        import matplotlib  # an extra
    except ImportError:
        raise Misconfigured('a page needs matplotlib: pip install "orderack[reports]"') from None
    matplotlib.use("svg")


def by_day(found: WismoFigures) -> str:
    """The rate with its interval above, the gap's p95 below, on the same days. Empty where there is no day to show."""
    days = [day for day in found.days if day.rate]
    if len(days) < 2:
        return ""
    demand_plots()
    from matplotlib import rc_context
    from matplotlib.figure import Figure

    with as_file(_STYLE) as style, rc_context(fname=style):
        figure = Figure(figsize=(8.4, 4.2), layout="constrained")
        above, below = figure.subplots(2, sharex=True)
        _rates(above, days)
        _gaps(below, days)
        figure.align_ylabels()
        text = io.StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None}, transparent=True)
    return _embedded(text.getvalue())


def _rates(axes: "Axes", days: Sequence[DayFigures]) -> None:
    shown = [(day, day.rate) for day in days if day.rate]
    at = _noons([day for day, _ in shown])
    axes.vlines(at, [one.low for _, one in shown], [one.high for _, one in shown], color=ASKED, linewidth=3, alpha=0.25)
    axes.plot(at, [one.per_100 for _, one in shown], "o-", color=ASKED, markersize=3, linewidth=1.2)
    axes.set_ylabel("asked about\nper 100 orders")
    axes.set_ylim(bottom=0)
    _plain(axes)


def _gaps(axes: "Axes", days: Sequence[DayFigures]) -> None:
    from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator

    known = [(day, day.gap.receipt_p50, day.gap.receipt_p95) for day in days if day.gap.receipt_p95]
    at = _noons([day for day, _, _ in known])
    axes.plot(at, [max(high or 0, 0.1) for _, _, high in known], "o-", color=GAP, markersize=3, linewidth=1.2)
    axes.plot(at, [max(middle or 0, 0.1) for _, middle, _ in known], "--", color=GAP, linewidth=1)
    axes.set_yscale("log")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: duration(float(value))))
    axes.yaxis.set_minor_locator(NullLocator())
    low, high = axes.get_ylim()
    axes.yaxis.set_major_locator(FixedLocator([tick for tick in _TICKS if low <= tick <= high]))
    axes.set_ylabel("to the ERP receipt:\np95, and p50 dashed")
    _plain(axes)


def _plain(axes: "Axes") -> None:
    axes.grid(axis="y", color=LINE, linewidth=0.8)
    axes.set_axisbelow(True)
    for side in ("top", "right"):
        axes.spines[side].set_visible(False)


def _noons(days: Sequence[DayFigures]) -> "NDArray[np.datetime64]":
    import numpy as np

    return np.array([f"{day.day}T12:00" for day in days], dtype="datetime64[us]")


def _embedded(svg: str) -> str:
    body = _METADATA.sub("", _PROLOGUE.sub("", svg, count=1))
    body = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", body, count=1)
    body = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", body, count=1)
    return body.replace("<svg", f'<svg role="img" aria-label="{LABEL}"', 1)
