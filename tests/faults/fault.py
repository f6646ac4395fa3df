"""What a fault is: a name, the world it wants, and a run that says what became of it.

A file of this folder registers its faults as `FAULTS`; the folder is the registry.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from pathlib import Path

from orderack.domain.value import Value
from tests.faults.rig import Rig, Setup


class Outcome(Value):
    """What became of it, judged by what the vendors took. Whatever is not as it should be stands in `wrong`."""

    fired: int
    """How often the fault struck. 0 is a failure: such a run proves nothing."""
    orders: int
    lost: int = 0
    """Messages that no vendor took and that nobody is told of."""
    doubled: int = 0
    """Messages that a vendor took more than once under one key."""
    in_doubt: int = 0
    """Sends surfaced in `orderack queue`, because nobody can know whether they went out."""
    recovery: float | None = None
    """Seconds from the fault to the next effect; the longest, where there were several."""
    wrong: tuple[str, ...] = ()
    """Aims and expectations that were missed, in words."""
    note: str = ""


@dataclass(frozen=True)
class Fault:
    """One fault. `run` causes it, waits until all is well again, and judges."""

    name: str
    what: str
    """One line for the list."""
    run: Callable[[Rig], Awaitable[Outcome]]
    setup: Setup = field(default_factory=Setup)
    """The world it runs in. Faults with equal setups run in one world, one after another."""
    spoils: bool = False
    """The world is not fit for another fault afterwards."""
    short: bool = True
    """Part of the short form."""


def registered() -> Mapping[str, Fault]:
    """Every fault by its name. Raises ValueError when a name is taken twice."""
    found: dict[str, Fault] = {}
    for file in sorted(Path(__file__).parent.glob("[!_]*.py")):
        if file.stem.startswith("test_"):
            continue
        for fault in getattr(import_module(f"tests.faults.{file.stem}"), "FAULTS", ()):
            if fault.name in found:
                raise ValueError(f"two faults are called {fault.name}")
            found[fault.name] = fault
    return found
