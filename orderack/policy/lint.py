"""What is wrong with a policy that loads: rows that cannot work, said so that their editor can mend them."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from datetime import timedelta

from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import ServiceLevels
from orderack.domain.problem import Problem
from orderack.domain.unknown_fields import closest
from orderack.domain.value import Value
from orderack.policy.countries import COUNTRIES
from orderack.policy.duration import in_words
from orderack.policy.endpoints import endpoint_problems
from orderack.policy.expression import judge
from orderack.policy.holidays import holidays_of
from orderack.policy.lint_doubts import doubt_problems
from orderack.policy.lint_evidence import affirming_problems, evidence_problems
from orderack.policy.lint_learning import learning_problems
from orderack.policy.lint_page import page_problems
from orderack.policy.model import ChannelFacts, Outcome, Policy, StoreMode, StorePolicy
from orderack.policy.samples import sample_values
from orderack.policy.words import findings, words

Channels = Mapping[str, ChannelFacts]
_ANY_YEAR = 2026


class Row(Value):
    """One outcome in the matrix, where it stands, and its buyer's legs for every source that can reach it."""

    path: str
    then: Outcome


def lint(
    policy: Policy,
    channels: Channels,
    wordings: Collection[tuple[str, str]],
    erps: Collection[str],
) -> tuple[Problem, ...]:
    """Every finding, in the order of the file. `wordings`: the (language, kind) pairs that have a message.

    `channels` and `erps`: what this installation has files for. Pure but for the holidays library.
    """
    return (
        *_stores(policy, channels, erps),
        *_sources(policy, channels),
        *_teams(policy),
        *_conditions(policy),
        *_reach(policy),
        *_outcomes(policy, channels),
        *_service_levels(policy),
        *doubt_problems(policy, channels),
        *endpoint_problems(policy),
        *_wordings(policy, wordings),
    )


def rows(policy: Policy) -> tuple[Row, ...]:
    """Every outcome of the matrix, the default last."""
    ruled = (Row(path=f"rules[{index}]", then=rule.then) for index, rule in enumerate(policy.rules))
    return (*ruled, Row(path="default", then=policy.default.then))


def _stores(policy: Policy, channels: Channels, erps: Collection[str]) -> Iterator[Problem]:
    for key, store in policy.stores.items():
        path = f"stores.{key}"
        if store.team is None:
            yield Problem(field=f"{path}.team", problem="is missing", remedy=_one_of(policy.teams))
        else:
            yield from _unknown(f"{path}.team", "team", store.team, policy.teams)
        if store.live_percent is not None and store.mode is StoreMode.LIVE:
            remedy = "add `mode: shadow`, or take it out: all orders of a live store are live"
            yield Problem(field=f"{path}.live_percent", problem="is said of a store that is live", remedy=remedy)
        yield from page_problems(f"{path}.profile.page", store.profile.page)
        yield from affirming_problems(key, store)
        yield from learning_problems(key, store, policy, channels)
        if store.erp:
            yield from _unknown(f"{path}.erp.name", "ERP", store.erp.name, (*policy.erps, *erps))
        try:
            holidays_of(store.calendar.country, store.calendar.region, _ANY_YEAR)
        except ValueError as error:
            remedy = "use the ISO 3166 codes, such as country DE and region BE"
            yield Problem(field=f"{path}.calendar.country", problem=str(error), remedy=remedy)
        for code in sorted(store.profile.touches.off_in - COUNTRIES):
            remedy = "use the ISO 3166-1 code of two capital letters, such as DE"
            yield Problem(field=f"{path}.profile.touches.off_in", problem=f"no country {code!r}", remedy=remedy)


def _sources(policy: Policy, channels: Channels) -> Iterator[Problem]:
    for key, source in policy.sources.items():
        path = f"sources.{key}"
        if source.team:
            yield from _unknown(f"{path}.team", "team", source.team, policy.teams)
        yield from _buyer_legs(f"{path}.channels", source.channels, channels)
        yield from _buyer_legs(f"{path}.fallback", (source.fallback,), channels)
        if not source.fallback and all(len(leg) == 1 for leg in source.channels):
            yield Problem(
                field=f"{path}.fallback",
                problem="is missing, and every leg has a single channel",
                remedy="name the channel to use when that one refuses",
            )


def _teams(policy: Policy) -> Iterator[Problem]:
    for key, team in policy.teams.items():
        if not team.rota:
            yield Problem(field=f"teams.{key}.rota", problem="is empty", remedy="name at least one role")
        if team.tell_handoffs and not team.internal:
            remedy = "name the channels that it is told by under `internal`"
            yield Problem(field=f"teams.{key}.tell_handoffs", problem="has no channel to tell by", remedy=remedy)


def _conditions(policy: Policy) -> Iterator[Problem]:
    closed = {"order.source": tuple(policy.sources), "order.store": tuple(policy.stores)}
    for index, rule in enumerate(policy.rules):
        path = f"rules[{index}].when"
        found = list(findings(rule.when, closed))
        for finding in found:
            yield Problem(field=path, problem=finding.problem, remedy=finding.remedy)
        if not found:
            yield from _probed(path, rule.when, policy)


def _probed(path: str, when: str, policy: Policy) -> Iterator[Problem]:
    """Errors that show only when the condition is tried on orders: types, divisions, answers that are not yes or no."""
    errors = (judge(when, values).error for values in sample_values(policy))
    error = next((error for error in errors if error), None)
    if error:
        yield Problem(field=path, problem=f"fails on a sample order: {error}", remedy="compare like with like")


def _reach(policy: Policy) -> Iterator[Problem]:
    """Rules that can never decide."""
    names: dict[str, int] = {}
    conditions: dict[str, int] = {}
    always: int | None = None
    for index, rule in enumerate(policy.rules):
        path = f"rules[{index}]"
        if always is not None:
            problem = f"is never reached: rules[{always}] is always true"
            yield Problem(field=path, problem=problem, remedy="move it up, or remove it")
        constant = judge(rule.when, {}) if not words(rule.when) else None
        if constant and not constant.error:
            if constant.holds and always is None:
                always = index
            elif not constant.holds:
                yield Problem(field=path, problem="never holds", remedy="mend its `when`, or remove it")
        condition = " ".join(rule.when.split())
        if condition in conditions:
            problem = f"is never reached: rules[{conditions[condition]}] has the same condition"
            yield Problem(field=path, problem=problem, remedy="remove one of the two")
        if rule.name in names or rule.name == "default":
            yield Problem(field=f"{path}.name", problem="is used by another rule", remedy="give each its own name")
        conditions.setdefault(condition, index)
        names.setdefault(rule.name, index)


def _outcomes(policy: Policy, channels: Channels) -> Iterator[Problem]:
    for row in rows(policy):
        then, path = row.then, f"{row.path}.then"
        if then.team:
            yield from _unknown(f"{path}.team", "team", then.team, policy.teams)
        yield from _buyer_legs(f"{path}.channels", then.channels or (), channels)
        yield from _internal_legs(f"{path}.internal", then.internal, channels)
        yield from evidence_problems(path, then, policy, channels)
        yield from _single(row, policy)
    for name, team in policy.teams.items():
        yield from _internal_legs(f"teams.{name}.internal", team.internal, channels)


def _buyer_legs(path: str, legs: Sequence[Sequence[str]], channels: Channels) -> Iterator[Problem]:
    for name in dict.fromkeys(name for leg in legs for name in leg):
        yield from _unknown(path, "channel", name, channels)
        if name in channels and not channels[name].buyer:
            remedy = "move it to `internal`: what is said there never counts for the buyer"
            yield Problem(field=path, problem=f"names {name}, which reaches people inside only", remedy=remedy)


def _internal_legs(path: str, legs: Sequence[Sequence[str]], channels: Channels) -> Iterator[Problem]:
    for name in dict.fromkeys(name for leg in legs for name in leg):
        yield from _unknown(path, "channel", name, channels)
        if name in channels and channels[name].buyer:
            yield Problem(
                field=path, problem=f"names {name}, which writes to the buyer", remedy="move it to `channels`"
            )


def _single(row: Row, policy: Policy) -> Iterator[Problem]:
    """A rule with one single channel is only safe where every source brings its own fallback."""
    legs = row.then.channels
    bare = [key for key, source in policy.sources.items() if not source.fallback]
    if legs and bare and len(legs) == 1 and len(legs[0]) == 1:
        problem = f"is a single channel, and source {bare[0]} has no fallback"
        remedy = "add a second channel to the leg, or a fallback to the source"
        yield Problem(field=f"{row.path}.then.channels", problem=problem, remedy=remedy)


_ORDERED: tuple[tuple[str, str, str], ...] = (
    ("erp_budget", "acknowledge_within", "`received` could not go out in time when the ERP is late"),
    ("acknowledge_within", "hold_after", "the order would be held before its acknowledgement is due"),
    ("erp_budget", "erp_receipt_within", "the order would escalate before the gate gives up waiting"),
    ("hold_after", "review_within", "a review would be overdue before the buyer hears that it waits"),
    ("claim_within", "review_within", "a review would be overdue before it is passed on"),
    ("fallback_after", "hold_after", "a channel that is down would be waited for longer than the order"),
)
"""(shorter, longer, what goes wrong otherwise)"""


def _service_levels(policy: Policy) -> Iterator[Problem]:
    seen: set[tuple[str, str, timedelta, timedelta]] = set()
    for row in rows(policy):
        for store in policy.stores.values():
            yield from _contradictions(row, store, policy.levels(store, row.then.service_levels), seen)


def _contradictions(
    row: Row, store: StorePolicy, levels: ServiceLevels, seen: set[tuple[str, str, timedelta, timedelta]]
) -> Iterator[Problem]:
    for shorter, longer, why in _ORDERED:
        low, high = getattr(levels, shorter), getattr(levels, longer)
        if low >= high and (shorter, longer, low, high) not in seen:
            seen.add((shorter, longer, low, high))
            own = {shorter, longer} & row.then.service_levels.model_fields_set
            theirs = {shorter, longer} & store.service_levels.model_fields_set
            path = f"{row.path}.then." if own else f"stores.{store.profile.id}." if theirs else ""
            problem = f"{shorter} ({in_words(low)}) is not shorter than {longer} ({in_words(high)}): {why}"
            yield Problem(field=f"{path}service_levels.{shorter}", problem=problem, remedy=f"shorten {shorter}")


def _wordings(policy: Policy, wordings: Collection[tuple[str, str]]) -> Iterator[Problem]:
    have = frozenset(wordings)
    for language in policy.languages:
        missing = [kind.value for kind in Kind if (language, kind.value) not in have]
        if missing:
            remedy = f"write policy/messages/{language}/<kind>, or take {language} out of `languages`"
            problem = f"{language} has no wording for {', '.join(missing)}"
            yield Problem(field="languages", problem=problem, remedy=remedy)


def _unknown(path: str, what: str, name: str, known: Collection[str]) -> Iterator[Problem]:
    if name not in known:
        guess = closest(name, sorted(known))
        remedy = f"did you mean {guess}?" if guess else _one_of(known)
        yield Problem(field=path, problem=f"names {what} {name}, which does not exist", remedy=remedy)


def _one_of(known: Collection[str]) -> str:
    return f"use one of {', '.join(sorted(known))}"
