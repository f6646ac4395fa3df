"""`python -m tests.invariants FOLDER [--json FILE]`: check a run's exports; exit 1 where an invariant is violated."""

import argparse
import asyncio
from pathlib import Path

from rich.console import Console

from orderack.temporal.ending import end
from tests.invariants.catalog import check
from tests.invariants.folder import read
from tests.invariants.report import report, show


def main() -> None:
    parser = argparse.ArgumentParser(prog="tests.invariants", description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--json", type=Path, help="write the report there as well")
    arguments = parser.parse_args()
    found = report(check(asyncio.run(read(arguments.folder))))
    show(found, Console())
    if arguments.json:
        arguments.json.write_text(found.model_dump_json(indent=1))
    end(0 if found.sound else 1)


if __name__ == "__main__":
    main()
