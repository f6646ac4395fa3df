"""Every source with its own conformance suite: for attacks on all of them alike, signed as each system signs."""

import importlib
from collections.abc import Mapping

from orderack.sources import load
from tests.conformance.source import AnySource, SourceConformance


def _suite(name: str) -> type[AnySource]:
    room = vars(importlib.import_module(f"tests.sources.test_{name}")).values()
    kinds = [kind for kind in room if isinstance(kind, type) and issubclass(kind, AnySource)]
    return next(kind for kind in kinds if getattr(kind, "name", "") == name)


SUITES: Mapping[str, type[AnySource]] = {name: _suite(name) for name in load()}
"""A source without a suite of its own cannot be attacked, and fails here."""
POSTING: Mapping[str, type[SourceConformance]] = {
    name: kind for name, kind in SUITES.items() if issubclass(kind, SourceConformance)
}
