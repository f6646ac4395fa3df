"""`python -m tests.bench`: every aim of docs/performance.md, measured on this machine (`make bench`).

Progress goes to standard error, a table for each bench to standard output. Exit code 1: an aim was missed; 2: wrong
input. Ratios are measured side by side in one run, so that a busy machine does not decide them.
"""

import argparse
import asyncio
import sys
import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path

from pydantic import ValidationError
from rich.console import Console
from temporalio.runtime import LoggingConfig, Runtime, TelemetryConfig, TelemetryFilter

from orderack.temporal.ending import end
from tests.bench import beside, cost, intake, latency, page, scale, throughput
from tests.bench.figures import Line, Report, Result, show
from tests.bench.processes import cores, machine_memory

Bench = Callable[[bool, Console], Awaitable[Result]]

BENCHES: Mapping[str, Bench] = {
    "throughput": throughput.bench,
    "latency": latency.bench,
    "scale": scale.bench,
    "cost": cost.bench,
    "intake": intake.bench,
    "beside": beside.bench,
}

KEPT = Path("build/bench.json")
WIDE = 150
"""Columns of a table that nobody's terminal bounds."""


def chosen(text: str) -> tuple[str, ...]:
    """The benches' names, separated by commas. Raises ArgumentTypeError for one that there is not."""
    names = tuple(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    if unknown := [name for name in names if name not in BENCHES]:
        raise argparse.ArgumentTypeError(f"there is no {', '.join(unknown)}: there are {', '.join(BENCHES)}")
    if not names:
        raise argparse.ArgumentTypeError(f"name one of {', '.join(BENCHES)}")
    return names


def arguments(given: Sequence[str] | None = None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("--only", type=chosen, default=tuple(BENCHES), metavar="NAME[,NAME…]", help=", ".join(BENCHES))
    parser.add_argument("--quick", action="store_true", help="a tenth of the orders: to see that it runs")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures here; others in it are kept")
    parser.add_argument(
        "--page", action="store_true", help=f"only write the tables of --json (else {KEPT}) into {page.PAGE}"
    )
    return parser.parse_args(given)


async def measure(names: Sequence[str], quick: bool, progress: Console) -> tuple[Result, ...]:
    """These benches, one after the other. One that breaks off is a missed aim, and the others go on."""
    found = []
    for name in names:
        began = time.monotonic()
        progress.print(f"[bold]{name}[/]")
        try:
            result = await BENCHES[name](quick, progress)
        except Exception as error:
            progress.print_exception(max_frames=6)
            result = broken(name, error)
        found.append(result.model_copy(update={"seconds": round(time.monotonic() - began, 1)}))
    return tuple(found)


def broken(name: str, error: Exception) -> Result:
    said = f"{type(error).__name__}: {error}"[:300]
    return Result(bench=name, title="broke off", lines=(Line(what="it broke off", measured=said, met=False),))


def merged(file: Path, fresh: Report) -> Report:
    """What the file held of benches that were not run now, and what was measured now."""
    try:
        kept = Report.model_validate_json(file.read_text())
    except (OSError, ValidationError):
        return fresh
    if kept.quick != fresh.quick:
        return fresh
    by_name = {result.bench: result for result in (*kept.results, *fresh.results)}
    return fresh.model_copy(update={"results": tuple(by_name[name] for name in BENCHES if name in by_name)})


def quieten() -> None:
    """Temporal's library writes warnings to standard output, where the tables go."""
    only_errors = TelemetryFilter(core_level="ERROR", other_level="ERROR")
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=LoggingConfig(filter=only_errors))))


def main() -> None:
    asked = arguments()
    if asked.page:
        try:
            page.refresh(asked.json or KEPT)
        except (OSError, ValidationError) as error:
            sys.stderr.write(f"the figures cannot be read: {error}\n")
            end(2)
        end(0)
    quieten()
    progress = Console(stderr=True, highlight=False)
    console = Console(highlight=False, width=None if sys.stdout.isatty() else WIDE)
    results = asyncio.run(measure(asked.only, asked.quick, progress))
    report = Report(quick=asked.quick, cores=cores(), memory_gib=round(machine_memory() / 1024**3), results=results)
    for result in results:
        show(console, result)
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(merged(asked.json, report).model_dump_json(indent=1) + "\n")
    end(0 if report.ok else 1)


if __name__ == "__main__":
    main()
