"""What a bench found: what was measured, what was aimed at, whether it was met; and the arithmetic of it."""

from collections.abc import Sequence
from math import ceil
from statistics import median

from rich.console import Console
from rich.table import Table

from orderack.domain.value import Value

KIB, MIB = 1024, 1024 * 1024


class Line(Value):
    """One figure. `met` is None where nothing was aimed at."""

    what: str
    measured: str
    aim: str = ""
    met: bool | None = None


class Result(Value):
    """One bench's figures, in the order in which they are shown."""

    bench: str
    title: str
    lines: tuple[Line, ...]
    notes: tuple[str, ...] = ()
    """What limits the figures, and what was left out."""
    seconds: float = 0.0

    @property
    def ok(self) -> bool:
        return all(line.met is not False for line in self.lines)


class Report(Value):
    """All benches of one run, on a machine of so many cores and so much memory."""

    quick: bool
    cores: int
    memory_gib: int
    results: tuple[Result, ...]

    @property
    def ok(self) -> bool:
        return all(result.ok for result in self.results)


def at_least(what: str, value: float, aim: float, unit: str = "", digits: int = 2) -> Line:
    """A line that is met from the aim on upwards."""
    return Line(what=what, measured=_said(value, unit, digits), aim=f"≥ {aim:g}{unit}", met=value >= aim)


def at_most(what: str, value: float, aim: float, unit: str = "", digits: int = 1) -> Line:
    """A line that is met up to the aim."""
    return Line(what=what, measured=_said(value, unit, digits), aim=f"≤ {aim:g}{unit}", met=value <= aim)


def figure(what: str, value: float, unit: str = "", digits: int = 1) -> Line:
    """A line without an aim."""
    return Line(what=what, measured=_said(value, unit, digits))


def words(what: str, measured: str) -> Line:
    return Line(what=what, measured=measured)


def _said(value: float, unit: str, digits: int) -> str:
    return f"{value:,.{digits}f}{unit}"


def quantile(values: Sequence[float], share: float) -> float:
    """The smallest value that at least this share of them does not exceed (nearest rank). Raises ValueError for none.

    >>> quantile([4, 1, 3, 2], 0.5)
    2
    """
    if not values:
        raise ValueError("no value was measured")
    return sorted(values)[max(0, ceil(share * len(values)) - 1)]


def spread(values: Sequence[float]) -> str:
    """The lowest and the highest of several rounds."""
    return f"{min(values):.2f} to {max(values):.2f}"


class Ratio(Value):
    """One rate beside another, round by round, so that a machine that slows down slows both."""

    rounds: tuple[float, ...]

    @property
    def value(self) -> float:
        """The median of the rounds."""
        return median(self.rounds)


def ratio(ours: Sequence[float], beside: Sequence[float]) -> Ratio:
    """Raises ValueError where the rounds don't pair, or one of the others measured nothing."""
    if len(ours) != len(beside) or not ours or min(beside) <= 0:
        raise ValueError("the rounds do not pair")
    return Ratio(rounds=tuple(mine / other for mine, other in zip(ours, beside, strict=True)))


def within(values: Sequence[float], limit: float, expected: int) -> float:
    """The share of the expected, in percent, that came and was no later than the limit."""
    return 100 * sum(value <= limit for value in values) / expected


def show(console: Console, result: Result) -> None:
    """The result as a table that reads by itself."""
    table = Table(title=f"{result.bench}: {result.title} ({result.seconds:.0f} s)", title_justify="left")
    for column in ("", "measured", "aim", "met"):
        table.add_column(column)
    for line in result.lines:
        table.add_row(line.what, line.measured, line.aim, MET[line.met])
    console.print(table)
    for note in result.notes:
        console.print(f"  {note}")


MET = {None: "", True: "yes", False: "NO"}
