"""The page's pictures, as inline SVG: nothing to load, and the same figures draw the same."""

import io
import re
from collections.abc import Callable, Sequence
from importlib.resources import as_file, files
from typing import TYPE_CHECKING

from markupsafe import escape

from orderack.diagnostics.weekly.figures import Promise, WeekFigures
from orderack.diagnostics.weekly.statistics import Quantile
from orderack.diagnostics.wording import duration
from orderack.errors import Misconfigured

if TYPE_CHECKING:
    from matplotlib.axes import Axes

BLUE, ORANGE, GREY = "#0b57d0", "#b45309", "#8a94a0"
_PROLOGUE = re.compile(r"^.*?(?=<svg)", re.DOTALL)
_SIZE = re.compile(r'(<svg[^>]*?) width="[^"]*" height="[^"]*"')
_METADATA = re.compile(r"\s*<metadata>.*?</metadata>", re.DOTALL)
_STYLE = files("orderack.diagnostics.gap").joinpath("templates/gap.mplstyle")
"""One look for all reports."""

MOST_TICKS = 8
_TICKS = (1.0, 2, 5, 10, 20, 30, 60, 120, 300, 600, 900, 1_800, 3_600, 7_200, 14_400, 43_200, 86_400, 172_800)


def demand_plots() -> None:
    """Raises Misconfigured where the library that draws is missing."""
    try:
        import matplotlib  # an extra
    except ImportError:
        raise Misconfigured('a page needs matplotlib: pip install "orderack[reports]"') from None
    matplotlib.use("svg")


def told(weeks: Sequence[WeekFigures], store: str) -> str:
    """The share of buyers told in time, week by week, each with its interval."""

    def draw(axes: "Axes") -> None:
        known = [(place, week.told.in_time) for place, week in enumerate(weeks)]
        for place, share in known:
            if share.value is not None and share.interval is not None:
                axes.plot(
                    [place, place], [share.interval.low * 100, share.interval.high * 100], color=BLUE, linewidth=2
                )
                axes.plot([place], [share.value * 100], "o", color=BLUE)
        axes.set_ylabel("% told in time")
        lows = [share.interval.low * 100 for _, share in known if share.interval]
        axes.set_ylim(min([*lows, 95.0]) - 2, 101)
        _weeks(axes, weeks)

    return _svg(draw, f"Buyers told within the promised minute, by week, store {store}")


def durations(weeks: Sequence[WeekFigures], store: str) -> str:
    """The first word and the ERP's receipt: p50 and p95 by week."""

    def draw(axes: "Axes") -> None:
        from matplotlib.ticker import FixedLocator, FuncFormatter, NullLocator  # an extra

        seen = list[float]()
        for name, colour, of in (("first word", BLUE, _first), ("ERP receipt", ORANGE, _receipt)):
            for place, style in ((0, "-"), (1, ":")):
                drawn = [(n, quantile.seconds) for n, w in enumerate(weeks) if (quantile := of(w)[place])]
                seen += [max(seconds, 0.5) for _, seconds in drawn]
                axes.plot(
                    [n for n, _ in drawn],
                    [max(seconds, 0.5) for _, seconds in drawn],
                    marker="o",
                    linestyle=style,
                    color=colour,
                    label=f"{name}, {('p50', 'p95')[place]}",
                )
        axes.set_yscale("log")
        low, high = min(seen, default=1), max(seen, default=60)
        ticks = [t for t in _TICKS if low / 2 <= t <= high * 2]
        axes.yaxis.set_major_locator(FixedLocator(ticks[:: 1 + len(ticks) // MOST_TICKS]))
        axes.yaxis.set_minor_locator(NullLocator())
        axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: duration(float(value)).replace(" 00 s", "")))
        axes.set_ylim(low / 2, high * 2)
        axes.set_ylabel("after the order")
        axes.legend(frameon=False, loc="upper left", bbox_to_anchor=(0, 1.22), ncols=2, fontsize=9)
        _weeks(axes, weeks)

    return _svg(draw, f"How long the first word and the ERP's receipt took, by week, store {store}")


def promises(week: WeekFigures, store: str) -> str:
    """Each promised clock of the week: kept, broken, fallen away."""

    def draw(axes: "Axes") -> None:
        rows = list(reversed(week.promises))
        left = [0.0] * len(rows)
        for name, colour, of in (
            ("kept", BLUE, [row.kept for row in rows]),
            ("broken", ORANGE, [row.broken for row in rows]),
            ("fell away or runs", GREY, [row.fell_away + row.running for row in rows]),
        ):
            shares = [100 * many / _runs(row) for many, row in zip(of, rows, strict=True)]
            axes.barh(range(len(rows)), shares, left=left, color=colour, height=0.6, label=name)
            left = [at + more for at, more in zip(left, shares, strict=True)]
        axes.set_yticks(range(len(rows)), [row.clock.value for row in rows])
        axes.set_xlim(0, 100)
        axes.set_xlabel("% of the clocks that were started")
        axes.legend(frameon=False, loc="lower left", bbox_to_anchor=(0, 1), ncols=3, fontsize=9)

    return _svg(draw, f"Promised clocks kept and broken, store {store}", 1.3 + 0.4 * len(week.promises))


def _runs(row: Promise) -> int:
    return max(1, row.kept + row.broken + row.fell_away + row.running)


def _first(week: WeekFigures) -> tuple[Quantile | None, Quantile | None]:
    return week.told.after.p50, week.told.after.p95


def _receipt(week: WeekFigures) -> tuple[Quantile | None, Quantile | None]:
    return week.receipts.after.p50, week.receipts.after.p95


def _weeks(axes: "Axes", weeks: Sequence[WeekFigures]) -> None:
    axes.set_xticks(range(len(weeks)), [week.week.partition("-")[2] for week in weeks])
    axes.set_xlim(-0.5, len(weeks) - 0.5)


def _svg(draw: "Callable[[Axes], None]", title: str, height: float = 2.8) -> str:
    """Text stays text; no date, no address; ids of its own, a width that fits, and a name for who cannot see."""
    import matplotlib  # an extra
    from matplotlib.figure import Figure

    with as_file(_STYLE) as style, matplotlib.rc_context(fname=style):
        figure, target = Figure(figsize=(7.2, height), layout="constrained"), io.StringIO()
        draw(figure.subplots())
        figure.savefig(target, format="svg", metadata={"Date": None}, transparent=True)
    drawn = _METADATA.sub("", _SIZE.sub(r"\1", _PROLOGUE.sub("", target.getvalue()), count=1))
    mine = re.sub(r"\W", "", title)
    drawn = re.sub(r'(id="|xlink:href="#|url\(#)', rf"\g<1>{mine}-", drawn)
    return drawn.replace("<svg", f'<svg role="img" aria-label="{escape(title)}"', 1)
