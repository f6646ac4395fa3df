"""The ERPs: one file per system, and the folder is the registry (docs/adding-an-erp.md)."""

from collections.abc import Mapping

from orderack import registry
from orderack.ports import Erp
from orderack.registry import Built, ErpSpec


def load() -> Mapping[str, ErpSpec]:
    """Every ERP system by name, configured or not. Raises Misconfigured for a file without its registration."""
    return registry.load(__path__, __name__, "ERP", ErpSpec)


def build(installed: Mapping[str, str] | None = None) -> Built[Erp]:
    """The installations whose settings suffice, and what the others lack.

    `installed`: name → system, beside one of each system under the system's own name.
    """
    specs = load()
    return registry.build_erps(specs, {name: name for name in specs} | dict(installed or {}))
