"""Every channel with its own conformance suite: for attacks on all of them alike, signed as each vendor signs."""

import importlib
from collections.abc import Mapping

from orderack.channels import load
from tests.conformance.channel import ChannelConformance, HttpChannelConformance, WebhookConformance


def _suite(name: str) -> type[ChannelConformance]:
    room = vars(importlib.import_module(f"tests.channels.test_{name}")).values()
    kinds = [kind for kind in room if isinstance(kind, type) and issubclass(kind, ChannelConformance)]
    return next(kind for kind in kinds if getattr(kind, "name", "") == name)


SUITES: Mapping[str, type[ChannelConformance]] = {name: _suite(name) for name in load()}
"""A channel without a suite of its own cannot be attacked, and fails here."""
POSTING: Mapping[str, type[WebhookConformance]] = {
    name: kind for name, kind in SUITES.items() if issubclass(kind, WebhookConformance)
}
SENDING: Mapping[str, type[HttpChannelConformance]] = {
    name: kind for name, kind in SUITES.items() if issubclass(kind, HttpChannelConformance)
}
