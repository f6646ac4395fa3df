"""`python -m tests.faults.victim FOLDER -- workers …`: the workers, one of which dies where it is told to.

FOLDER/armed/<name> holds `<point> <part of the send's key>`. The first worker that passes the point with such a key
takes the file away and ends itself with kill -9: one file kills one process, once, however many watch. What it
leaves is the proof: FOLDER/fired/<name>, with the time of its death.
"""

import os
import sys
import time
from datetime import datetime
from pathlib import Path
from signal import SIGKILL
from unittest.mock import patch

from activities.sending import Sender
from orderack.domain.acknowledgement import SendOutcome
from orderack.ports import Channel, Message
from tests.faults.points import Point, planted
from workers import __main__ as workers

ARMED, FIRED, ATTEMPTS = "armed", "fired", "attempts"
LAUNCHER = ("tests.faults.victim", "{folder}")


def arm(folder: Path, point: Point, part: str) -> Path:
    """Let the next worker die that passes this point with such a key; the file that will prove it."""
    name = f"{point}-{time.time_ns()}"
    for room in (ARMED, FIRED):
        (folder / room).mkdir(exist_ok=True)
    written = folder / f"{name}.new"
    written.write_text(f"{point} {part}")
    written.rename(folder / ARMED / name)
    return folder / FIRED / name


def died_at(proof: Path) -> float:
    """When the process died that left this proof."""
    return float(proof.read_text())


def attempts(folder: Path, key: str) -> list[float]:
    """When each attempt at this send began, whichever worker made it."""
    lines = (line.split(" ", 1) for line in (folder / ATTEMPTS).read_text().splitlines())
    return sorted(float(at) for at, name in lines if name == key)


class Victim:
    """Watches the armed files of a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def strike(self, point: Point, key: str) -> None:
        for armed in (self._folder / ARMED).glob(f"{point}-*"):
            try:
                _, part = armed.read_text().split(" ", 1)
                if part not in key:
                    continue
                armed.rename(self._folder / armed.name)  # it is ours: for another it is gone
            except FileNotFoundError:
                continue
            taken = self._folder / armed.name
            taken.write_text(repr(time.time()))
            taken.rename(self._folder / FIRED / armed.name)
            os.kill(os.getpid(), SIGKILL)

    def watch(self) -> None:
        """Write down when each attempt at a send begins."""
        once = Sender.once

        async def watched(
            sender: Sender, channel: Channel, message: Message, give_up_at: datetime, **more: bool
        ) -> SendOutcome:
            with (self._folder / ATTEMPTS).open("a") as file:
                file.write(f"{time.time()} {message.key}\n")
            return await once(sender, channel, message, give_up_at, **more)

        patch.object(Sender, "once", watched).start()


def main() -> None:
    folder, _, _, *queues = sys.argv[1:]
    sys.argv = ["workers", *queues]
    victim = Victim(Path(folder))
    victim.watch()
    with planted(victim.strike):
        workers.main()


if __name__ == "__main__":
    main()
