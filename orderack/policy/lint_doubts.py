"""What is wrong with what the policy says of messages in doubt: repeats of what is never in doubt for long."""

from collections.abc import Iterator, Mapping

from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import OnDoubt
from orderack.domain.problem import Problem
from orderack.policy.model import ChannelFacts, OnDoubtByKind, Outcome, Policy

Channels = Mapping[str, ChannelFacts]


def doubt_problems(policy: Policy, channels: Channels) -> Iterator[Problem]:
    """Every `resend_marked` that no channel could ever come to."""
    outcomes = (*(rule.then for rule in policy.rules), policy.default.then)
    yield from _needless("on_doubt", policy.on_doubt, policy, outcomes, channels)
    for key, store in policy.stores.items():
        yield from _needless(f"stores.{key}.on_doubt", store.on_doubt, policy, outcomes, channels)
    for index, rule in enumerate(policy.rules):
        yield from _needless(f"rules[{index}].then.on_doubt", rule.then.on_doubt, policy, (rule.then,), channels)
    then = policy.default.then
    yield from _needless("default.then.on_doubt", then.on_doubt, policy, (then,), channels)


def _needless(
    path: str, said: OnDoubtByKind, policy: Policy, outcomes: tuple[Outcome, ...], channels: Channels
) -> Iterator[Problem]:
    """Where each vendor settles a doubt itself; channels that do not exist are another check's concern."""
    for kind, word in said.items():
        named = _to_team(policy, outcomes) if kind is Kind.ALERT else _to_buyer(policy, outcomes)
        known = dict.fromkeys(name for name in named if name in channels)
        if word is OnDoubt.RESEND_MARKED and known and all(channels[name].settles for name in known):
            yield Problem(
                field=f"{path}.{kind}",
                problem=f"has nothing to say again: {', '.join(known)} settle{'s' if len(known) == 1 else ''} "
                "a doubt without it, by our key or by being asked",
                remedy="take it out",
            )


def _to_buyer(policy: Policy, outcomes: tuple[Outcome, ...]) -> Iterator[str]:
    for then in outcomes:
        for leg in then.channels or ():
            yield from leg
    for source in policy.sources.values():
        yield from source.fallback
        if any(then.channels is None for then in outcomes):
            for leg in source.channels:
                yield from leg


def _to_team(policy: Policy, outcomes: tuple[Outcome, ...]) -> Iterator[str]:
    for then in outcomes:
        for leg in then.internal:
            yield from leg
    for team in policy.teams.values():
        for leg in team.internal:
            yield from leg
