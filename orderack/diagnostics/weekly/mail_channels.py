"""Which of the installation's channels mails reports."""

from collections.abc import Mapping, Sequence

from orderack import channels
from orderack.errors import Misconfigured
from orderack.ports import Channel, Medium, Traits

FIRST = ("smtp_email", "sendgrid_email")
"""Asked in this order where none is named; then the others by name."""


def able() -> Sequence[str]:
    """Channels that can mail a report, set up or not, in the order in which they are asked."""
    found = sorted(name for name, spec in channels.load().items() if _can(spec.adapter.traits))
    return [*FIRST, *(name for name in found if name not in FIRST)]


def chosen(ready: Mapping[str, Channel]) -> str | None:
    """Of these channels, the one that mails reports; None: none of them can."""
    return next((name for name in able() if name in ready), None)


def the_channel(name: str | None = None) -> Channel:
    """This channel, or the first that is set up. Raises Misconfigured with what to set."""
    built = channels.build([name] if name else able())
    if name:
        return built[name]
    first = chosen(built.ready)
    if first is None:
        raise Misconfigured(none_of(built.not_configured))
    return built.ready[first]


def none_of(lacking: Mapping[str, Sequence[str]]) -> str:
    """What to set where no channel mails reports. `lacking`: what each channel lacks."""
    lacks = (f"{each}: {', '.join(lacking.get(each, ()))}" for each in FIRST)
    return f"no e-mail channel is configured, and one of these would do: {'; '.join(lacks)}"


def _can(traits: Traits) -> bool:
    """It mails HTML to an address, whatever the message is about."""
    return traits.medium is Medium.EMAIL and traits.address == "email" and traits.html and not traits.needs_order
