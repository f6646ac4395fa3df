"""The report's plots, as SVG to stand in a page: text stays text, nothing is fetched, the same data draws the same."""

import re
from collections.abc import Callable
from importlib.resources import as_file, files
from io import StringIO

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from orderack.diagnostics.gap.diagnose import Report
from orderack.diagnostics.gap.resampling import Numbers
from orderack.diagnostics.gap.telling import moment
from orderack.diagnostics.wording import duration

INK, SOFT, LINE = "#18202a", "#55606e", "#d9dfe6"
BLUE, ORANGE, GREEN = "#0b57d0", "#b45309", "#14532d"
_DOTS = 1_500
"""Orders drawn as dots at most; bands and lines are of all."""

_BANDS = 60
_TICKS = (0.1, 0.3, 1, 3, 10, 30, 60, 180, 600, 1_800, 3_600, 10_800, 43_200, 86_400, 604_800)
_CLOSE = (
    0.1,
    0.2,
    0.5,
    1,
    2,
    5,
    10,
    15,
    20,
    30,
    45,
    60,
    90,
    120,
    180,
    240,
    300,
    420,
    600,
    900,
    1_200,
    1_800,
    2_700,
    3_600,
)
_CLOSER = 12.0
"""Times the least, up to which an axis has the closer ticks."""


_STYLE = files("orderack.diagnostics.gap").joinpath("templates/gap.mplstyle")


def _drawn(draw: Callable[[Axes], None], label: str, height: float = 3.4) -> str:
    """One plot; `label` is what a screen reader says of it."""
    with as_file(_STYLE) as style, mpl.rc_context(fname=style):
        figure = Figure(figsize=(8.4, height), layout="constrained")
        draw(figure.subplots())
        text = StringIO()
        figure.savefig(text, format="svg", metadata={"Date": None}, transparent=True)
    return _embedded(text.getvalue(), label)


def _embedded(svg: str, label: str) -> str:
    """Only the element itself, scaled to its column, without links to descriptions elsewhere."""
    body = svg[svg.index("<svg") :]
    body = re.sub(r"\s*<metadata>.*?</metadata>", "", body, flags=re.DOTALL)
    body = re.sub(r'(<svg[^>]*?) width="[^"]*"', r"\1", body, count=1)
    body = re.sub(r'(<svg[^>]*?) height="[^"]*"', r"\1", body, count=1)
    return body.replace("<svg", f'<svg role="img" aria-label="{label}"', 1)


def _seconds(axis: Axes, low: float, high: float, *, upright: bool) -> None:
    """A logarithmic scale with ticks in people's units."""
    chosen = _CLOSE if high <= low * _CLOSER and high <= _CLOSE[-1] else _TICKS
    ticks = [tick for tick in chosen if low / 1.2 <= tick <= high * 1.2]
    which = axis.yaxis if upright else axis.xaxis
    (axis.set_yscale if upright else axis.set_xscale)("log")
    which.set_major_locator(mpl.ticker.FixedLocator(ticks))
    which.set_minor_locator(mpl.ticker.NullLocator())
    which.set_major_formatter(mpl.ticker.FuncFormatter(lambda value, _: _tick(float(value))))


def _tick(value: float) -> str:
    for size, unit in ((86_400, "d"), (3_600, "h"), (60, "min")):
        if value >= size:
            return f"{value / size:g} {unit}"
    return f"{value:g} s"


def _shown(values: Numbers) -> Numbers:
    """On a logarithmic scale nothing is under a tenth of a second."""
    shown: Numbers = np.maximum(values, 0.1)
    return shown


def distribution(report: Report) -> str:
    """How long each stage took, as histograms on one scale."""
    flow = report.flow
    series = [("capture to ERP receipt", flow.delay, BLUE, "-")]
    for name, times, colour in (
        ("capture to confirmation", flow.confirmed, ORANGE),
        ("capture to integration", _middle(report), GREEN),
    ):
        known = np.isfinite(times)
        if known.any():
            series.append((name, (times - flow.captured)[known], colour, "--" if colour == ORANGE else ":"))
    every = _shown(np.concatenate([values for _, values, _, _ in series]))
    low, high = float(np.quantile(every, 0.001)), float(every.max())

    def draw(axis: Axes) -> None:
        edges = np.geomspace(low, max(high, low * 2), 70)
        for name, values, colour, style in series:
            axis.hist(
                _shown(values),
                bins=edges.tolist(),
                histtype="step",
                linewidth=1.8,
                color=colour,
                linestyle=style,
                label=name,
            )
        _seconds(axis, low, high, upright=False)
        axis.set(xlabel="time from capture", ylabel="orders")
        axis.legend(loc="upper left", bbox_to_anchor=(0, 1.16), ncols=3)

    middle = duration(float(np.median(flow.delay)))
    return _drawn(draw, f"Histogram of the time from capture; half of the ERP receipts come within {middle}")


def _middle(report: Report) -> Numbers:
    flow = report.flow
    return flow.delivered if np.isfinite(flow.delivered).any() else flow.received


def over_time(report: Report) -> str:
    """The delay by time of capture: its middle half and median, single orders, outages."""
    flow = report.flow
    edges = np.linspace(flow.captured[0], flow.captured[-1] + 1, _BANDS + 1)
    places = np.clip(np.searchsorted(edges, flow.captured, side="right") - 1, 0, _BANDS - 1)
    dots = np.linspace(0, len(flow) - 1, min(_DOTS, len(flow))).astype(np.intp)
    low, high = float(_shown(flow.delay).min()), float(_shown(flow.delay).max())

    def draw(axis: Axes) -> None:
        times = np.array([moment(each).replace(tzinfo=None) for each in flow.captured[dots]], dtype="datetime64[us]")
        axis.plot(
            times,
            _shown(flow.delay[dots]),
            ".",
            markersize=3,
            color=BLUE,
            alpha=0.35,
            label="one order",
            rasterized=False,
        )
        middles = [
            float(np.median(_shown(flow.delay[places == each]))) for each in range(_BANDS) if (places == each).any()
        ]
        at = [
            moment(float(edges[each : each + 2].mean())).replace(tzinfo=None)
            for each in range(_BANDS)
            if (places == each).any()
        ]
        axis.plot(np.array(at, dtype="datetime64[us]"), middles, color=ORANGE, linewidth=2, label="median")
        for outage in report.diagnosis.ruling.outages:
            between = [outage.since.replace(tzinfo=None), outage.until.replace(tzinfo=None)]
            axis.fill_between(np.array(between, dtype="datetime64[us]"), low, high, color=LINE)
        _seconds(axis, low, high, upright=True)
        axis.set(xlabel="captured (UTC)", ylabel="capture to receipt")
        axis.legend(loc="upper left", bbox_to_anchor=(0, 1.16), ncols=2)

    return _drawn(draw, "Delay from capture to ERP receipt over the time of capture, with its running median")


def by_hour(report: Report) -> str:
    """Median and middle half of the delay in each hour of the shop's day."""
    hours = report.diagnosis.ruling.hours

    def draw(axis: Axes) -> None:
        places = [int(each.name) for each in hours]
        low, high = _shown(np.array([each.p25 for each in hours])), _shown(np.array([each.p75 for each in hours]))
        axis.vlines(places, low.tolist(), high.tolist(), color=BLUE, linewidth=6, alpha=0.35, label="middle half")
        axis.plot(places, _shown(np.array([each.median for each in hours])), "o", color=ORANGE, label="median")
        _seconds(axis, float(low.min()), float(high.max()), upright=True)
        axis.set(xlabel=f"hour of capture ({report.zone})", ylabel="capture to receipt", xlim=(-0.6, 23.6))
        axis.set_xticks(range(0, 24, 2))
        axis.legend(loc="upper left", bbox_to_anchor=(0, 1.18), ncols=2)

    return _drawn(draw, "Delay by hour of the day: median and middle half; the table below has the figures", 3.0)


def by_volume(report: Report) -> str:
    """Single orders by how many were captured around them, and the median of each band."""
    flow = report.flow
    found = report.diagnosis.ruling.variation
    place = (5, 15, 60).index(found.volume_minutes) if found else 1
    volume = flow.load.volumes[place]
    minutes = (5, 15, 60)[place]
    dots = np.linspace(0, len(flow) - 1, min(_DOTS, len(flow))).astype(np.intp)
    edges = np.unique(np.quantile(volume, np.linspace(0, 1, 13)))

    def draw(axis: Axes) -> None:
        axis.plot(volume[dots], _shown(flow.delay[dots]), ".", markersize=3, color=BLUE, alpha=0.35, label="one order")
        bands = np.clip(np.searchsorted(edges, volume, side="right") - 1, 0, max(0, len(edges) - 2))
        there = np.unique(bands)
        axis.plot(
            [float(volume[bands == each].mean()) for each in there],
            [float(np.median(_shown(flow.delay[bands == each]))) for each in there],
            "o-",
            color=ORANGE,
            label="median of a band",
        )
        _seconds(axis, float(_shown(flow.delay).min()), float(flow.delay.max()), upright=True)
        axis.set(xlabel=f"orders captured within {minutes} minutes around", ylabel="capture to receipt")
        axis.legend(loc="upper left", bbox_to_anchor=(0, 1.16), ncols=2)

    return _drawn(draw, "Delay against the number of orders captured around each order, with medians of bands")


def by_channel(report: Report) -> str:
    """Each channel's quantiles of the delay, and where it has confirmations, their median."""
    flow, names = report.flow, report.channels

    def draw(axis: Axes) -> None:
        for place, _ in enumerate(names):
            mine = flow.load.group == place
            marks = _shown(np.quantile(flow.delay[mine], [0.05, 0.25, 0.5, 0.75, 0.95]))
            axis.hlines(
                place,
                marks[0],
                marks[4],
                color=BLUE,
                linewidth=1.5,
                label="5th to 95th percentile" if not place else "",
            )
            axis.hlines(
                place,
                marks[1],
                marks[3],
                color=BLUE,
                linewidth=9,
                alpha=0.35,
                label="middle half" if not place else "",
            )
            axis.plot(marks[2], place, "o", color=ORANGE, label="median receipt" if not place else "")
            told = mine & flow.told
            if told.any():
                middle = float(_shown(np.array([np.median((flow.confirmed - flow.captured)[told])]))[0])
                axis.plot(middle, place, "x", color=INK, markersize=8, label="median confirmation" if not place else "")
        _seconds(axis, float(_shown(np.quantile(flow.delay, [0.02]))[0]), float(flow.delay.max()), upright=False)
        axis.set(xlabel="time from capture", yticks=range(len(names)), ylim=(len(names) - 0.5, -0.5))
        axis.set_yticklabels([name[:24] for name in names])
        axis.legend(loc="upper left", bbox_to_anchor=(0, -0.28 * 3 / (2 + len(names))), ncols=2)

    return _drawn(draw, "Delay of each channel; the table above has the figures", 2.0 + 0.42 * len(names))


def unseen(report: Report) -> str:
    """Demand captured and not yet in the ERP, over time."""
    found = report.signals.unseen

    def draw(axis: Axes) -> None:
        at = np.array([moment(each).replace(tzinfo=None) for each in found.at], dtype="datetime64[us]")
        axis.fill_between(at, found.amount, step="post", color=BLUE, alpha=0.3)
        axis.step(at, found.amount, where="post", color=BLUE, linewidth=1.2)
        axis.set(xlabel="UTC", ylabel=f"{found.unit} not yet in the ERP")
        axis.set_ylim(bottom=0)

    return _drawn(
        draw, f"Demand that planning does not see over time: {found.unit} captured and not yet in the ERP", 2.8
    )
