"""The audit of triggers: every way in has one, with a row that decides, a fallback, somebody who answers for it, and an
order to try it out with (R-numbers of mission.md §1a: "documents say who is told, when, by what, and by whom")."""

from collections.abc import Iterator, Mapping

from orderack.domain.order import Name, Order, Text
from orderack.domain.problem import Problem
from orderack.domain.value import Value
from orderack.policy.decide import Circumstances, decide
from orderack.policy.model import ChannelFacts, Policy, SourcePolicy

TrialOrder = Order | tuple[Problem, ...]
"""A test order as it was read, or what is wrong with it."""


class TriggerRow(Value):
    """One way in. `problems` empty: it is complete."""

    source: Name
    trigger: Text
    rule: Text = ""
    """The row of the matrix that decides the test order."""
    channels: tuple[str, ...] = ()
    """By which its buyer is told, in turn."""
    fallback: tuple[str, ...] = ()
    owner: Text = ""
    team: Text = ""
    test_order: Text = ""
    connections: tuple[str, ...] = ()
    """The stores' systems (`store/system`) that bring such orders."""
    problems: tuple[Problem, ...] = ()


def audit(policy: Policy, trials: Mapping[str, TrialOrder], channels: Mapping[str, ChannelFacts]) -> list[TriggerRow]:
    """A row for each source. `trials`: the test order by its source. Pure."""
    return [_row(name, source, policy, trials.get(name), channels) for name, source in policy.sources.items()]


def _row(
    name: str, source: SourcePolicy, policy: Policy, trial: TrialOrder | None, channels: Mapping[str, ChannelFacts]
) -> TriggerRow:
    problems = [*_gaps(f"sources.{name}", source), *_wrong(f"sources.{name}.test_order", name, trial)]
    rule, told = "", tuple[str, ...]()
    if isinstance(trial, Order):
        decision = decide(policy, trial, (), Circumstances(channels=channels))
        rule = decision.rule
        told = tuple(" → ".join(leg.channels) for leg in decision.legs)
        if not told:
            problem = "its test order's buyer can be told by no channel"
            problems.append(Problem(field=f"sources.{name}", problem=problem, remedy="name channels that reach them"))
    return TriggerRow(
        source=name,
        trigger=source.trigger,
        rule=rule,
        channels=told,
        fallback=source.fallback,
        owner=source.owner or "",
        team=source.team or "",
        test_order=source.test_order or "",
        connections=tuple(
            f"{store}/{system}"
            for store, row in policy.stores.items()
            for system, connection in row.connections.items()
            if connection.source == name
        ),
        problems=tuple(problems),
    )


def _gaps(path: str, source: SourcePolicy) -> Iterator[Problem]:
    if not source.trigger.strip():
        yield Problem(field=f"{path}.trigger", problem="is empty", remedy="say in words what starts the clock")
    if not source.owner:
        yield Problem(field=f"{path}.owner", problem="is missing", remedy="name the role that answers for this way in")
    if not source.fallback and all(len(leg) == 1 for leg in source.channels):
        yield Problem(field=f"{path}.fallback", problem="is missing", remedy="name what to use when a channel refuses")


def _wrong(path: str, name: str, trial: TrialOrder | None) -> Iterator[Problem]:
    if trial is None:
        yield Problem(
            field=path, problem="is missing", remedy="name a sample order beside the policy, to try it out with"
        )
    elif isinstance(trial, tuple):
        yield from (one.model_copy(update={"field": f"{path}: {one.field}"}) for one in trial)
    elif trial.source != name:
        yield Problem(field=path, problem=f"has the source {trial.source}", remedy=f"give it the source {name}")
