"""What is wrong with a store that is to learn by which channel its customers answer, and never could."""

from collections.abc import Iterator, Mapping

from orderack.domain.evidence import Grade
from orderack.domain.problem import Problem
from orderack.policy.lint_evidence import brings
from orderack.policy.model import ChannelFacts, Learning, Outcome, Policy, StorePolicy


def learning_problems(
    key: str, store: StorePolicy, policy: Policy, channels: Mapping[str, ChannelFacts]
) -> Iterator[Problem]:
    """Nothing to choose from, or no answer to be had."""
    if store.learn_channels is Learning.OFF:
        return
    field = f"stores.{key}.learn_channels"
    outcomes = (*(rule.then for rule in policy.rules), policy.default.then)
    if not any(len(leg) > 1 for leg in _orders_of_channels(policy, outcomes)):
        yield Problem(
            field=field,
            problem="has nothing to choose from: no leg, and no fallback, has a second channel",
            remedy="add one, or say `off`",
        )
    if not any(_answerable(then, store, policy, channels) for then in outcomes):
        yield Problem(
            field=field,
            problem="learns from answers, and no rule asks for one",
            remedy="add `button: true` to a rule, or a channel that brings E4 by itself",
        )


def _orders_of_channels(policy: Policy, outcomes: tuple[Outcome, ...]) -> Iterator[tuple[str, ...]]:
    for source in policy.sources.values():
        yield from (*source.channels, source.fallback)
    for then in outcomes:
        yield from then.channels or ()


def _answerable(then: Outcome, store: StorePolicy, policy: Policy, channels: Mapping[str, ChannelFacts]) -> bool:
    offers = [then.channels] if then.channels else [source.channels for source in policy.sources.values()]
    named = {name for legs in offers for leg in legs for name in leg}
    bought = (channels[name] for name in named if name in channels and channels[name].buyer)
    return any(brings(channel, then.button, store).rank >= Grade.E4.rank for channel in bought)
