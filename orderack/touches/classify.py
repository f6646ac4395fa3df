"""Was it a person? Every test that speaks for a machine is a row; one that holds is enough.

Cautious in one direction only: a person taken for a machine costs a weaker claim, a machine taken for a person would
make a false one.
"""

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from orderack.touches.agents import reasons_of_agent
from orderack.touches.networks import reasons_of_network
from orderack.touches.touch import Reason, Touch, Verdict, What

SOON = timedelta(seconds=10)
"""No person opens a message sooner after it came in."""

AT_ONCE = timedelta(seconds=5)
"""No person follows every link of a message within this."""

SETTLED = timedelta(seconds=20)
"""How long after a touch its company is known: longer than `AT_ONCE` and `SOON`, with room for a slow scanner."""

LINKS = frozenset({What.PAGE, What.SHOP})
"""Every link of a message that a person sees."""

_PREFETCH = ("prefetch", "prerender", "preview")


@dataclass(frozen=True)
class _Scene:
    touch: Touch
    others: Collection[Touch]
    arrived_at: datetime

    def together(self, other: Touch) -> bool:
        return abs(other.at - self.touch.at) <= AT_ONCE

    @property
    def at_once(self) -> frozenset[What]:
        return frozenset({self.touch.what} | {other.what for other in self.others if self.together(other)})


_TESTS: Mapping[Reason, Callable[[_Scene], bool]] = {
    Reason.HEAD_REQUEST: lambda scene: scene.touch.method == "HEAD",
    Reason.NO_USER_AGENT: lambda scene: not scene.touch.user_agent.strip(),
    Reason.PREFETCH_HEADER: lambda scene: any(
        word in value.lower() for value in scene.touch.headers.values() for word in _PREFETCH
    ),
    Reason.ALL_LINKS_AT_ONCE: lambda scene: scene.touch.what in LINKS and scene.at_once >= LINKS,
    Reason.HONEYPOT: lambda scene: scene.touch.what is What.HONEYPOT or any(map(_trapped(scene), scene.others)),
    Reason.TOO_SOON: lambda scene: scene.touch.at - scene.arrived_at < SOON,
}
"""What the touch itself and its company give away. Before its arrival counts as too soon: a scanner in front of it."""


def _trapped(scene: _Scene) -> Callable[[Touch], bool]:
    """The honeypot was touched from the same address, or in the same moment: a scanner uses many addresses."""

    def trapped(other: Touch) -> bool:
        same = bool(other.address) and other.address == scene.touch.address
        return other.what is What.HONEYPOT and (same or scene.together(other))

    return trapped


def classify(touch: Touch, others: Iterable[Touch], arrived_at: datetime) -> Verdict:
    """Whose touch it is, from itself, the other touches of the same send (any order) and when the message came in.

    `arrived_at`: when it was delivered, where that is known; else when the provider accepted it. Another touch more can
    only add reasons, so a machine's touch never becomes a person's.
    """
    scene = _Scene(touch, tuple(others), arrived_at)
    found = {reason for reason, holds in _TESTS.items() if holds(scene)}
    found |= reasons_of_agent(touch.user_agent) | reasons_of_network(touch.address)
    return Verdict(reasons=tuple(reason for reason in Reason if reason in found))
