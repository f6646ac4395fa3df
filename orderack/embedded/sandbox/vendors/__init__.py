"""The look-alikes: one file per vendor, named as its target, ending in `LOOK_ALIKE = <its class>`."""

import importlib
import pkgutil
from functools import cache

from orderack.embedded.sandbox.look_alike import LookAlike
from orderack.embedded.sandbox.state import SandboxState


def load(state: SandboxState) -> tuple[LookAlike, ...]:
    """One of each, with accounts of their own. Raises TypeError for a file without its registration."""
    return tuple(kind(state) for kind in _kinds())


@cache
def _kinds() -> tuple[type[LookAlike], ...]:
    found: list[type[LookAlike]] = []
    for module in sorted(pkgutil.iter_modules(__path__), key=lambda module: module.name):
        if module.name.startswith("_"):
            continue
        kind = getattr(importlib.import_module(f"{__name__}.{module.name}"), "LOOK_ALIKE", None)
        if not (isinstance(kind, type) and issubclass(kind, LookAlike) and kind.target == module.name):
            raise TypeError(f"{__name__}.{module.name} has no `LOOK_ALIKE` of the target of that name at its end")
        found.append(kind)
    return tuple(found)
