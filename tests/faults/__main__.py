"""`make faults`: cause every fault in running processes, judge what became of the orders, and say so as a table."""

import argparse
import asyncio
import json
import signal
import sys
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from orderack.domain.value import Value
from orderack.embedded.demo.driver import NotAsTold
from orderack.errors import OrderAckError
from orderack.temporal.ending import end
from tests.faults.fault import Fault, Outcome, registered
from tests.faults.rig import Rig, Setup, world

COLUMNS = ("fault", "fired", "orders", "lost", "doubled", "in doubt", "recovery s", "invariants")


class Row(Value):
    """One fault's line, and what stands in the JSON."""

    name: str
    what: str
    outcome: Outcome
    seconds: float

    @property
    def wrong(self) -> tuple[str, ...]:
        """Everything that makes the run fail."""
        if not self.outcome.fired and not self.outcome.wrong:
            return ("the fault never fired: the run proves nothing",)
        return self.outcome.wrong

    def cells(self) -> tuple[str, ...]:
        out = self.outcome
        recovery = "" if out.recovery is None else f"{out.recovery:.1f}"
        counts = (out.fired, out.orders, out.lost, out.doubled, out.in_doubt)
        return (self.name, *map(str, counts), recovery, f"{len(self.wrong)} broken" if self.wrong else "hold")


class Worlds:
    """The world under way; another is made when a fault wants it."""

    def __init__(self, folder: Path, short: bool) -> None:
        self._folder = folder
        self._short = short
        self._made = 0
        self._setup: Setup | None = None
        self._rig: Rig | None = None
        self._exits = AsyncExitStack()

    @asynccontextmanager
    async def for_(self, fault: Fault) -> AsyncIterator[Rig]:
        if self._rig is None or self._setup != fault.setup:
            await self.aclose()
            self._made += 1
            folder = self._folder / f"world-{self._made}"
            self._rig = await self._exits.enter_async_context(world(folder, fault.setup, short=self._short))
            self._setup = fault.setup
        try:
            yield self._rig
        finally:
            if fault.spoils:
                await self.aclose()

    async def aclose(self) -> None:
        self._rig = self._setup = None
        exits, self._exits = self._exits, AsyncExitStack()
        await exits.aclose()


async def rows(faults: Sequence[Fault], folder: Path, short: bool) -> list[Row]:
    """Cause them one after another; those that want the same world share it. SIGTERM ends every process of ours."""
    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    worlds, found = Worlds(folder, short), list[Row]()
    try:
        for place, fault in enumerate(faults, start=1):
            _say(f"[{place}/{len(faults)}] {fault.name}: {fault.what}")
            began = time.monotonic()
            try:
                async with worlds.for_(fault) as rig:
                    outcome = await fault.run(rig)
            except (NotAsTold, OrderAckError, TimeoutError) as error:
                outcome = Outcome(fired=0, orders=0, wrong=(f"{type(error).__name__}: {error}",))
                await worlds.aclose()
            row = Row(name=fault.name, what=fault.what, outcome=outcome, seconds=time.monotonic() - began)
            for wrong in row.wrong:
                _say(f"      wrong: {wrong}")
            _say(f"      {row.seconds:.1f} s; {outcome.note or 'done'}")
            found.append(row)
    finally:
        await worlds.aclose()
    return found


def table(found: Sequence[Row]) -> str:
    lines = [COLUMNS, *(row.cells() for row in found)]
    widths = [max(len(line[column]) for line in lines) for column in range(len(COLUMNS))]
    drawn = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in lines]
    return "\n".join([drawn[0], "-" * sum(widths, 2 * len(widths)), *drawn[1:]])


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


def _wanted(arguments: argparse.Namespace, known: dict[str, Fault]) -> list[Fault]:
    if arguments.only:
        return [fault for fault in known.values() if any(fault.name.startswith(word) for word in arguments.only)]
    return [fault for fault in known.values() if fault.short or not arguments.short]


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.faults", description=__doc__)
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these, or all whose names begin so")
    parser.add_argument("--list", action="store_true", help="name the faults and end")
    parser.add_argument("--short", action="store_true", help="the short form")
    parser.add_argument("--json", type=Path, help="write the table here, too")
    arguments = parser.parse_args()
    known = dict(registered())
    faults = _wanted(arguments, known)
    if arguments.list or not faults:
        print("\n".join(f"{fault.name:32} {fault.what}" for fault in faults or known.values()))
        end(0 if faults else 2)
    with TemporaryDirectory(prefix="orderack-faults-") as folder:
        found = asyncio.run(rows(faults, Path(folder), arguments.short))
    print(table(found))
    if arguments.json:
        arguments.json.parent.mkdir(parents=True, exist_ok=True)
        written = [row.model_dump(mode="json") | {"held": not row.wrong} for row in found]
        arguments.json.write_text(json.dumps({"faults": written}, indent=2) + "\n")
    failed = [row.name for row in found if row.wrong]
    print(
        f"\n{len(found) - len(failed)} of {len(found)} faults left everything as it should be."
        + (f" Not so: {', '.join(failed)}." if failed else "")
    )
    end(1 if failed else 0)


if __name__ == "__main__":
    main()
