"""What a customer's earlier answers do to the order of the channels, and the sentence that says so."""

from collections.abc import Mapping

from orderack.domain.assessment import Leg
from orderack.domain.order import Order, Text
from orderack.domain.reach_words import words_of
from orderack.domain.reachability import ENOUGH, Reachability
from orderack.domain.value import Value
from orderack.policy.legs import NOTHING_LEARNED, legs_of
from orderack.policy.model import ChannelFacts, Learning, Outcome, Policy


class Lesson(Value):
    """Whether it is only told or acted upon, what it comes to, and why."""

    mode: Learning
    changes: bool
    """The legs as learned are not the policy's."""
    legs: tuple[Leg, ...]
    """As learned."""
    why: Text

    @property
    def applied(self) -> tuple[Leg, ...] | None:
        """The legs that hold instead of the policy's; None: those hold."""
        return self.legs if self.mode is Learning.APPLY else None

    @property
    def says(self) -> tuple[str, ...]:
        """For the decision's own `why`: nothing, unless it was acted upon and changed something."""
        return (self.why,) if self.mode is Learning.APPLY and self.changes else ()


def learn(
    policy: Policy, order: Order, then: Outcome, channels: Mapping[str, ChannelFacts], found: Reachability | None
) -> Lesson | None:
    """None: the store does not learn, or nobody could say how this customer was reached. Pure."""
    store = policy.stores.get(order.store)
    if store is None or store.learn_channels is Learning.OFF or found is None:
        return None
    written = legs_of(policy, order, then, channels, NOTHING_LEARNED)
    learned = legs_of(policy, order, then, channels, found)
    return Lesson(
        mode=store.learn_channels,
        changes=learned != written,
        legs=learned,
        why=_change(store.learn_channels, written, learned, found) if learned != written else _no_change(found),
    )


def _change(mode: Learning, written: tuple[Leg, ...], learned: tuple[Leg, ...], found: Reachability) -> str:
    """The first place at which another channel stands, and the figures of the two."""
    was, now = (tuple(name for leg in legs for name in leg.channels) for legs in (written, learned))
    before, first = next(pair for pair in zip(was, now, strict=True) if pair[0] != pair[1])
    figures = (found.of(first), found.of(before))
    said = "; ".join(words_of(one) for one in figures if one is not None)
    would = "goes" if mode is Learning.APPLY else "would go"
    under = "" if mode is Learning.APPLY else ", under `learn_channels: apply`,"
    return f"{first} {would} before {before}{under} as this customer answers: {said}."


def _no_change(found: Reachability) -> str:
    if found.best is None:
        return f"Nothing is learned of a channel yet: that takes {ENOUGH} messages by it, and answers to some of them."
    return f"The order of the channels agrees with what this customer answers: {words_of(found.best)}."
