"""The page's pictures, as inline SVG: nothing to load, the same bytes for the same figures."""

import io
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from orderack.diagnostics.whatif.load import Load
from orderack.diagnostics.whatif.result import Differences, Level
from orderack.errors import Misconfigured

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

INK, QUIET, BEFORE, AFTER = "#1a1d21", "#555c66", "#8a93a0", "#1f3a5f"
DAYS = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")

_PROLOGUE = re.compile(r"^.*?(?=<svg)", re.DOTALL)


def demand_plots() -> None:
    """Raises Misconfigured where the library that draws is missing."""
    try:
        import matplotlib  # an extra
    except ImportError:
        raise Misconfigured('a page needs matplotlib: pip install "orderack[reports]"') from None
    matplotlib.use("svg")


def bars(kinds: Sequence[Differences]) -> str:
    """Orders by kind of change."""

    def draw(axes: "Axes") -> None:
        titles = [kind.title for kind in reversed(kinds)]
        counts = [kind.orders for kind in reversed(kinds)]
        drawn = axes.barh(titles, counts, color=AFTER, height=0.6)
        axes.bar_label(drawn, labels=[str(count) for count in counts], padding=4, color=INK)
        axes.margins(x=0.12)
        axes.set_xlabel("orders")

    return _svg(draw, (8, 0.7 + 0.42 * len(kinds)), "Orders by kind of change")


def levels(found: Sequence[Level]) -> str:
    """Runs over their level, before and after; what is estimated as a line with ends."""

    def draw(axes: "Axes") -> None:
        rows = list(reversed(found))
        places = range(len(rows))
        axes.barh([at + 0.2 for at in places], [row.broken_before for row in rows], 0.38, color=BEFORE, label="before")
        axes.barh([at - 0.2 for at in places], [row.broken_after for row in rows], 0.38, color=AFTER, label="after")
        for at, row in zip(places, rows, strict=True):
            if row.estimate:
                low, high = (row.broken_after + end for end in (row.estimate.low, row.estimate.high))
                axes.plot([low, high], [at - 0.2, at - 0.2], color="#b3541e", linewidth=2, marker="|", markersize=9)
        if any(row.estimate for row in rows):
            axes.plot([], [], color="#b3541e", linewidth=2, marker="|", label="after, with the estimated (95 %)")
        axes.set_yticks(list(places), [row.title for row in rows])
        axes.set_xlabel("runs over their level")
        axes.legend(frameon=False, loc="best")

    return _svg(draw, (8, 1.1 + 0.5 * len(found)), "Service levels that are not kept, before and after")


def week(found: Load) -> str:
    """Reviews opened by weekday and hour, before and after, in one scale."""
    from matplotlib.figure import Figure  # an extra

    figure = Figure(figsize=(8, 4.6), layout="constrained")
    top = max(1, *(n for grid in (found.grid_before, found.grid_after) for row in grid for n in row))
    above, below = figure.subplots(2, 1, sharex=True)
    image = None
    for axes, grid, title in ((above, found.grid_before, "before"), (below, found.grid_after, "after")):
        image = axes.imshow(grid, cmap="Blues", vmin=0, vmax=top, aspect="auto")
        axes.set_yticks(range(len(DAYS)), DAYS)
        axes.set_title(title, loc="left", fontsize=10, color=INK)
        _numbers(axes, grid, top)
    below.set_xticks(range(0, 24, 2), [f"{hour:02}" for hour in range(0, 24, 2)])
    below.set_xlabel("hour in the store's zone")
    if image is not None:
        figure.colorbar(image, ax=[above, below], label="reviews opened", shrink=0.8)
    return _written(figure, "Reviews opened by weekday and hour, before and after")


def _numbers(axes: "Axes", grid: Sequence[Sequence[int]], top: int) -> None:
    for day, row in enumerate(grid):
        for hour, count in enumerate(row):
            if count:
                colour = "white" if count > top * 0.55 else INK
                axes.text(hour, day, str(count), ha="center", va="center", fontsize=7, color=colour)


def _svg(draw: "Callable[[Axes], None]", size: tuple[float, float], title: str) -> str:
    from matplotlib.figure import Figure  # an extra

    figure = Figure(figsize=size, layout="constrained")
    axes = figure.subplots()
    draw(axes)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=QUIET)
    return _written(figure, title)


def _written(figure: "Figure", title: str) -> str:
    """SVG for use inside HTML: text stays text, no date, no address, ids of its own, and a name for who cannot see."""
    import matplotlib  # an extra

    target = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": title, "font.family": "sans-serif"}):
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None, "Type": None, "Format": None})
    drawn = _PROLOGUE.sub("", target.getvalue())
    mine = re.sub(r"\W", "", title)
    drawn = re.sub(r'(id="|xlink:href="#|url\(#)', rf"\g<1>{mine}-", drawn)
    return re.sub(r"<svg ", f'<svg role="img" aria-label="{title}" ', drawn, count=1)
