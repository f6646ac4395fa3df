"""The decision's legs: the channels of the policy that can reach this buyer, in the order in which they are tried."""

from collections.abc import Iterable, Mapping

from orderack.domain.assessment import Leg
from orderack.domain.order import Order
from orderack.domain.reachability import Reachability
from orderack.policy.contacts import reachable
from orderack.policy.model import ChannelFacts, Outcome, Policy, SourcePolicy

NOTHING_LEARNED = Reachability()


def legs_of(
    policy: Policy, order: Order, then: Outcome, channels: Mapping[str, ChannelFacts], learned: Reachability
) -> tuple[Leg, ...]:
    """The legs that can reach this buyer; the source's fallback closes the first, unless it is used already.

    In a leg the channel that the buyer prefers goes first, then what is `learned`, then the policy's own order; the
    source's fallback stays behind the leg, and keeps the policy's order where the buyer prefers one of it. A channel is
    never brought in from outside.
    """
    source, store = policy.sources.get(order.source), policy.stores.get(order.store)
    reach = reachable(order.contacts, store.profile.country if store else None)
    wanted = order.contacts.preferred_channel
    legs = [_in_order(_usable(leg, channels, reach), channels, wanted, learned) for leg in _asked(then, source)]
    legs = [leg for leg in legs if leg]
    used = {name for leg in legs for name in leg}
    fallback = [name for name in (source.fallback if source else ()) if name not in used]
    last_resort = _usable(fallback, channels, reach)
    if not any(_is(name, channels, wanted) for name in last_resort):  # else nothing learned may overtake the wish
        last_resort = _in_order(last_resort, channels, None, learned)
    if last_resort:
        legs = [legs[0] + last_resort, *legs[1:]] if legs else [last_resort]
    return tuple(Leg(channels=leg) for leg in legs)


def left_out(policy: Policy, order: Order, then: Outcome, channels: Mapping[str, ChannelFacts]) -> tuple[str, ...]:
    """The buyer's channels that the decision names and this order cannot use, with the reason."""
    source, store = policy.sources.get(order.source), policy.stores.get(order.store)
    asked = [*_asked(then, source), source.fallback if source else ()]
    reach = reachable(order.contacts, store.profile.country if store else None)
    names = dict.fromkeys(name for leg in asked for name in leg)
    return tuple(f"{name}: {_why_not(channels.get(name))}" for name in names if not _reaches(channels.get(name), reach))


def _asked(then: Outcome, source: SourcePolicy | None) -> tuple[tuple[str, ...], ...]:
    return then.channels or (source.channels if source else ())


def _usable(leg: Iterable[str], channels: Mapping[str, ChannelFacts], reach: frozenset[str]) -> tuple[str, ...]:
    return tuple(name for name in leg if _reaches(channels.get(name), reach))


def _in_order(
    leg: tuple[str, ...], channels: Mapping[str, ChannelFacts], wanted: str | None, learned: Reachability
) -> tuple[str, ...]:
    def place(name: str) -> tuple[bool, tuple[int, float]]:
        return not _is(name, channels, wanted), learned.standing(name)

    return tuple(sorted(leg, key=place))


def _is(name: str, channels: Mapping[str, ChannelFacts], wanted: str | None) -> bool:
    return wanted is not None and wanted in (name, channels[name].address)


def _reaches(facts: ChannelFacts | None, reach: frozenset[str]) -> bool:
    return facts is not None and facts.buyer and (facts.address == "page" or facts.address in reach)


def _why_not(facts: ChannelFacts | None) -> str:
    if facts is None:
        return "not a channel of this installation"
    return f"the order has no {facts.address} that can be reached" if facts.buyer else "it reaches people inside only"
