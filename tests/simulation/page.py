"""What a run is shown as: how fast, what was in it, what it reached, what it broke."""

import sys
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tests.simulation import coverage
from tests.simulation.run import Part

MIX = (
    "plain",
    "lively",
    "wild",
    "confirmed",
    "handed off",
    "with a change",
    "with a cancellation",
    "with a review",
    "rejected",
    "escalated",
    "with a broken deadline",
    "with a send in doubt",
    "with a worker killed in an activity",
    "with a repeat",
    "with something malformed",
    "with something late",
    "told twice",
    "faults of old code",
)

WORK = (
    "tasks",
    "activations",
    "several_jobs",
    "replays",
    "lost_tasks",
    "unhandled",
    "fresh_histories",
    "local_activities",
    "backoffs",
    "cancelled_activities",
    "cancelled_timers",
    "upserts",
    "patches",
    "old_code",
    "refused_updates",
    "queries",
    "activity attempts",
    "worker deaths in activities",
    "messages accepted",
    "came in",
)


def show(part: Part, seed: int, seconds: float, processes: int, unreached: Sequence[str]) -> None:
    """Print it."""
    console = Console(width=None if sys.stdout.isatty() else 120)
    orders = len(part.traces)
    console.print(
        f"{orders:,} orders of seed {seed}, {part.days:,.0f} order-days in {seconds:.1f} s on {processes} processes: "
        f"{orders / seconds:.0f} orders/s. Trace {part.trace}."
    )
    console.print(_table("The orders", "orders", {name: part.counts[name] for name in MIX}, orders))
    console.print(_table("What was done for them", "times", {name: part.counts[name] for name in WORK}, orders))
    console.print(_reached(part))
    for name in unreached:
        console.print(f"never reached: {name}")
    for found in part.found[:20]:
        console.print(f"{found.text}\n    order {found.index}, at {found.at}: {found.command}", highlight=False)
    console.print(f"{len(part.found)} orders broke a rule." if part.found else "Every order kept every rule.")


def _table(title: str, unit: str, rows: dict[str, int], orders: int) -> Table:
    table = Table(title=title, title_justify="left")
    table.add_column("")
    table.add_column(unit, justify="right")
    table.add_column("per order", justify="right")
    for name, count in rows.items():
        table.add_row(name.replace("_", " "), f"{count:,}", f"{count / orders:.3f}")
    return table


def _reached(part: Part) -> Table:
    """Orders that reached each thing, in four columns of names."""
    table = Table(title="What was reached, and how often", title_justify="left", show_header=False)
    names = sorted(coverage.WANTED)
    for _ in range(3):
        table.add_column()
        table.add_column(justify="right")
    rows = -(-len(names) // 3)
    for row in range(rows):
        cells: list[str] = []
        for name in names[row::rows]:
            cells += [name, f"{part.reached[name]:,}"]
        table.add_row(*cells)
    return table
