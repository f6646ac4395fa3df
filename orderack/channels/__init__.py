"""The channels: one file per platform, and the folder is the registry (docs/adding-a-channel.md)."""

from collections.abc import Collection, Mapping

from orderack import registry
from orderack.ports import Channel
from orderack.registry import Built, ChannelSpec


def load() -> Mapping[str, ChannelSpec]:
    """Every channel by name, configured or not. Raises Misconfigured for a file without its registration."""
    return registry.load(__path__, __name__, "CHANNEL", ChannelSpec)


def build(names: Collection[str] | None = None) -> Built[Channel]:
    """The channels whose settings suffice, and what the others lack. `names`: only these."""
    return registry.build(load(), names)
