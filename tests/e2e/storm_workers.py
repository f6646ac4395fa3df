"""`python -m tests.e2e.storm_workers FOLDER -- workers`: the workers, which mark nothing down while FOLDER/unmarked is
there. What an outage costs without marks is measured beside what it costs with them."""

import sys
from pathlib import Path
from unittest.mock import patch

from orderack.domain.outage import Window
from workers import __main__ as workers

LAUNCHER = ("tests.e2e.storm_workers", "{folder}")
UNMARKED = "unmarked"


def main() -> None:
    folder, words = Path(sys.argv[1]), sys.argv[sys.argv.index("--") + 1 :]
    outage = Window.outage

    def seen(self: Window) -> str | None:
        return None if (folder / UNMARKED).exists() else outage(self)

    sys.argv = words
    with patch.object(Window, "outage", seen):
        workers.main()


if __name__ == "__main__":
    main()
