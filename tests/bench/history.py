"""What an order costs, on a real dev server, beside a bare workflow with the same steps.

`python -m tests.bench.history --json build/bench-history.json`: about three minutes; exit 1 when a budget is missed.
"""

import argparse
import asyncio
import json
import tempfile
from dataclasses import asdict, dataclass
from pathlib import Path

from rich.console import Console
from rich.table import Table

from orderack.temporal.ending import end
from tests.bench.bare import Bare
from tests.bench.measure import Cost, Meter, free_port
from tests.bench.runs import Step, increments, tell_bare
from tests.history.stage import serving
from tests.history.stories import STORIES, Budget, scaled_levels


@dataclass(frozen=True)
class Row:
    """One story: when it was handed off, when its last early timer has fired, and its bare twin at rest."""

    handed_off: Cost
    at_rest: Cost
    bare: Cost
    budget: Budget
    server_metric: dict[str, int]
    bare_server_metric: dict[str, int]

    @property
    def beside_bare(self) -> dict[str, float]:
        rest, bare = self.at_rest, self.bare
        return {
            "events": round(rest.events / bare.events, 3),
            "actions": round(rest.actions / bare.actions, 3),
            "bytes": round(rest.bytes / bare.bytes, 3),
        }

    @property
    def verdicts(self) -> dict[str, bool]:
        """By what was promised: whether it was kept."""
        told, budget = self.handed_off, self.budget
        return {
            "events": told.events <= budget.events,
            "actions": told.actions <= budget.actions,
            "bytes": told.bytes <= budget.kilobytes * 1024,
            "Actions as the server counts them": self.at_rest.actions == sum(self.server_metric.values()),
        } | {f"{what} beside bare": ratio <= budget.beside for what, ratio in self.beside_bare.items()}

    def as_json(self) -> dict[str, object]:
        computed = {
            "beside_bare": self.beside_bare,
            "at_most_beside_bare": self.budget.beside,
            "verdicts": self.verdicts,
        }
        return asdict(self) | computed | {"ok": all(self.verdicts.values())}


async def bench(console: Console) -> tuple[dict[str, Row], dict[str, Step]]:
    """Every story and its bare twin, and what one more step costs on an order at rest."""
    port, levels = free_port(), scaled_levels()
    rows: dict[str, Row] = {}
    with tempfile.TemporaryDirectory() as folder:
        async with serving(Path(folder) / "temporal.db", port, [Bare]) as world:
            meter = Meter(port)
            for name, (tell, budget) in STORIES.items():
                await meter.begin()
                story = await tell(world, levels)
                told = await meter.cost(story.handle)
                await story.sleep(levels.hold_after)
                rest = await meter.cost(story.handle)
                served = await meter.served()
                await meter.begin()
                bare = await meter.cost(await tell_bare(world, story, name, levels))
                rows[name] = Row(told, rest, bare, budget, dict(served), dict(await meter.served()))
                console.print(f"{name}: {told.events} events, {told.actions} Actions, {told.bytes:,} bytes")
            return rows, await increments(world, meter, levels)


def show(console: Console, rows: dict[str, Row], steps: dict[str, Step]) -> None:
    """A table for each story, and one for the single steps."""
    for name, row in rows.items():
        missed = ", ".join(what for what, kept in row.verdicts.items() if not kept)
        table = Table(title=f"{name}: {f'MISSED {missed}' if missed else 'within budget'}", title_justify="left")
        for column in ("", "events", "Actions", "by the server", "bytes"):
            table.add_column(column)
        told, rest, bare, budget, ratio = row.handed_off, row.at_rest, row.bare, row.budget, row.beside_bare
        served, bare_served = (str(sum(counted.values())) for counted in (row.server_metric, row.bare_server_metric))
        table.add_row("handed off", str(told.events), str(told.actions), "", f"{told.bytes:,}")
        table.add_row("budget", str(budget.events), str(budget.actions), "", f"{budget.kilobytes * 1024:,}")
        table.add_row("at rest", str(rest.events), str(rest.actions), served, f"{rest.bytes:,}")
        table.add_row("bare", str(bare.events), str(bare.actions), bare_served, f"{bare.bytes:,}")
        table.add_row(
            "at rest / bare", f"{ratio['events']:.2f}", f"{ratio['actions']:.2f}", "", f"{ratio['bytes']:.2f}"
        )
        console.print(table)
    more = Table(title="One more step on an order at rest", title_justify="left")
    for column in ("step", "events", "Actions", "bytes"):
        more.add_column(column)
    for name, step in steps.items():
        more.add_row(name, f"+{step.events}", f"+{step.actions}", f"+{step.bytes}")
    console.print(more)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", type=Path)
    to: Path | None = parser.parse_args().json
    console = Console()
    rows, steps = asyncio.run(bench(console))
    ok = all(all(row.verdicts.values()) for row in rows.values()) and steps["a read confirmation"].actions == 1
    if to:
        to.parent.mkdir(parents=True, exist_ok=True)
        stories = {name: row.as_json() for name, row in rows.items()}
        more = {name: asdict(step) for name, step in steps.items()}
        to.write_text(json.dumps({"ok": ok, "stories": stories, "steps": more}, indent=1) + "\n")
    show(console, rows, steps)
    end(0 if ok else 1)


if __name__ == "__main__":
    main()
