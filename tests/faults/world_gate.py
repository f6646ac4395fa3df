"""`python -m tests.faults.world_gate FOLDER`: whether the workflows on this path replay the histories in FOLDER."""

import asyncio
import sys
from pathlib import Path

from orderack.temporal.converter import data_converter
from orderack.temporal.ending import end
from tests.invariants.folder import histories_in
from tests.invariants.lives import replay


def main() -> None:
    histories = histories_in(Path(sys.argv[1]) / "histories")
    _, failures = asyncio.run(replay(histories, data_converter()))
    print(f"{len(failures)} of {len(histories)} histories do not replay")
    end(1 if failures or not histories else 0)


if __name__ == "__main__":
    main()
