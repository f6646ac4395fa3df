"""The sources: one file per system that orders come from, and the folder is the registry (docs/adding-a-source.md)."""

from collections.abc import Iterable, Mapping

from orderack import registry
from orderack.ports import Connection, Source
from orderack.registry import Built, SourceSpec


def load() -> Mapping[str, SourceSpec]:
    """Every system by name, configured or not. Raises Misconfigured for a file without its registration."""
    return registry.load(__path__, __name__, "SOURCE", SourceSpec)


def build(connections: Iterable[Connection]) -> Built[Source]:
    """The connections whose settings suffice by `store/system`, and what the others lack."""
    return registry.build_sources(load(), connections)
