"""The ERPs: one file per system, and the folder is the registry (docs/adding-an-erp.md)."""

from collections.abc import Collection, Mapping

from orderack import registry
from orderack.ports import Erp
from orderack.registry import Built, ErpSpec


def load() -> Mapping[str, ErpSpec]:
    """Every ERP by name, configured or not. Raises Misconfigured for a file without its registration."""
    return registry.load(__path__, __name__, "ERP", ErpSpec)


def build(names: Collection[str] | None = None) -> Built[Erp]:
    """The ERPs whose settings suffice, and what the others lack. `names`: only these."""
    return registry.build(load(), names)
