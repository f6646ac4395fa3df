"""Simulate many orders: the real workflow and activities in a seeded world without a server (docs/simulation.md).

Ends with 0 when every order kept every invariant and everything was reached, with 1 when not, with 2 on wrong input.
"""

import argparse
import json
import sys
import time
from collections.abc import Iterable
from pathlib import Path

from tests.simulation import coverage
from tests.simulation.page import show
from tests.simulation.run import Part, all_of, be_quiet, processors
from tests.simulation.steps import tell_one

ORDERS = 20_000


def main() -> None:
    asked = _arguments().parse_args()
    be_quiet()
    if asked.only is not None:
        sys.exit(tell_one(asked.seed, asked.only))
    began = time.monotonic()

    def progress(part: Part) -> None:
        done, seconds = len(part.traces), time.monotonic() - began
        rate = done / seconds if seconds else 0.0
        line = f"\r{done:,} of {asked.orders:,} orders, {rate:.0f}/s, {len(part.found)} found broken "
        sys.stderr.write(line if sys.stderr.isatty() or done == asked.orders else "")
        sys.stderr.flush()

    part = all_of(asked.seed, asked.orders, asked.processes, progress)
    sys.stderr.write("\n")
    seconds = time.monotonic() - began
    unreached = coverage.missing(part.reached) if asked.orders >= coverage.ENOUGH else []
    ok = not part.found and not unreached
    if asked.json:
        _write(asked.json, part, asked.seed, seconds, unreached, ok)
    show(part, asked.seed, seconds, asked.processes, unreached)
    sys.exit(0 if ok else 1)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--seed", type=_whole, default=1, help="another seed, other orders (default 1)")
    parser.add_argument("--orders", type=_some, default=ORDERS, help=f"how many (default {ORDERS:,})")
    parser.add_argument("--only", type=_whole, metavar="N", help="tell the story of order N of that seed, step by step")
    parser.add_argument("--processes", type=_some, default=processors(), help="default: one for each processor")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the figures there, too")
    return parser


def _whole(text: str) -> int:
    number = int(text)
    if number < 0:
        raise argparse.ArgumentTypeError("it is a whole number from 0 on")
    return number


def _some(text: str) -> int:
    number = int(text)
    if number < 1:
        raise argparse.ArgumentTypeError("it is a whole number from 1 on")
    return number


def _write(file: Path, part: Part, seed: int, seconds: float, unreached: Iterable[str], ok: bool) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    found = [
        {"seed": f.seed, "order": f.index, "rule": f.rule, "text": f.text, "at": f.at, "command": f.command}
        for f in part.found
    ]
    figures = {
        "ok": ok,
        "seed": seed,
        "seconds": round(seconds, 1),
        "orders_per_second": round(len(part.traces) / seconds, 1),
        "order_days": round(part.days),
        "trace": part.trace,
        "counts": dict(sorted(part.counts.items())),
        "reached": {name: part.reached[name] for name in coverage.WANTED},
        "unreached": list(unreached),
        "found": found,
    }
    file.write_text(json.dumps(figures, indent=1) + "\n")


if __name__ == "__main__":
    main()
