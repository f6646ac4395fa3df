"""The helpdesks that tickets are read from: one file per system, and the folder is the registry (docs/wismo.md)."""

from collections.abc import Collection, Mapping

from orderack import registry
from orderack.ports.helpdesk import Helpdesk
from orderack.registry import Built, HelpdeskSpec


def load() -> Mapping[str, HelpdeskSpec]:
    """Every helpdesk by name, configured or not. Raises Misconfigured for a file without its registration."""
    return registry.load(__path__, __name__, "HELPDESK", HelpdeskSpec)


def build(names: Collection[str] | None = None) -> Built[Helpdesk]:
    """The helpdesks whose settings suffice, and what the others lack. `names`: only these."""
    return registry.build(load(), names)
