"""The matrix's decision for one order: first matching rule, its channels that can reach the buyer, its gate."""

from collections.abc import Mapping, Sequence

from orderack.domain.assessment import (
    Decision,
    Doubts,
    ErpMode,
    Flag,
    FlagName,
    Leg,
    Route,
    SourceCall,
)
from orderack.domain.order import Name, Order, Text
from orderack.domain.reachability import Reachability
from orderack.domain.value import Value
from orderack.policy.expression import judge
from orderack.policy.gate import Latency, choose_gate
from orderack.policy.learned import learn
from orderack.policy.legs import NOTHING_LEARNED, legs_of
from orderack.policy.model import (
    ChannelFacts,
    DefaultRule,
    GateChoice,
    Outcome,
    Policy,
    Received,
    SourcePolicy,
    StorePolicy,
    TeamPolicy,
    Updates,
)
from orderack.policy.variables import values_of
from orderack.policy.words import words

DEFAULT_RULE = "default"


class Tried(Value):
    """A rule that was looked at: its condition, what it saw, and whether it held."""

    rule: Name
    when: Text
    holds: bool
    error: Text = ""
    seen: Mapping[str, str] = {}


class Match(Value):
    """Which row decides, and every row looked at before it."""

    rule: Name
    why: Text
    then: Outcome
    tried: tuple[Tried, ...]

    @property
    def broken(self) -> tuple[str, ...]:
        """Rules that had no answer for this order: a person looks, since one of them might have fired."""
        return tuple(tried.rule for tried in self.tried if tried.error)


class Circumstances(Value):
    """What the decision depends on besides the policy, the order and its flags."""

    channels: Mapping[str, ChannelFacts]
    answers: Mapping[str, SourceCall] = {}
    """Source systems that are told what becomes of their orders, and by what kind of call."""
    latency: Latency = Latency()
    waived: tuple[Name, ...] = ()
    reach: Reachability | None = None
    """How this customer answered before; None: the store does not ask, or the ledger gave no answer."""
    reach_note: Text = ""
    """Why it gave none."""


def match(policy: Policy, order: Order, flags: Sequence[Flag]) -> Match:
    """The first rule that holds, else the default. Orders from outside the policy's rows go to the default. Pure."""
    tried: list[Tried] = []
    known = order.store in policy.stores and order.source in policy.sources
    values = values_of(order, flags)
    for rule in policy.rules if known else ():
        verdict = judge(rule.when, values)
        seen = {word: _shown(values[word]) for word in words(rule.when)}
        tried.append(Tried(rule=rule.name, when=rule.when, holds=verdict.holds, error=verdict.error, seen=seen))
        if verdict.holds:
            return Match(rule=rule.name, why=rule.why, then=rule.then, tried=tuple(tried))
    default: DefaultRule = policy.default
    return Match(rule=DEFAULT_RULE, why=default.why, then=default.then, tried=tuple(tried))


def decide(
    policy: Policy, order: Order, flags: Sequence[Flag], around: Circumstances, found: Match | None = None
) -> Decision:
    """The decision for this order. Pure: the same arguments give the same decision; never raises.

    `flags` are those still standing (waived ones taken out). Any of them sends the order to review, and so does
    a rule that says so, a rule that could not be evaluated, or a buyer whom no channel reaches; a reviewer who
    waived `rule` has answered these. `found`: what `match` answers to the same, where that is known already.
    """
    found = found or match(policy, order, flags)
    then = found.then
    store, source = policy.stores.get(order.store), policy.sources.get(order.source)
    lesson = learn(policy, order, then, around.channels, around.reach)
    applied = lesson.applied if lesson else None
    legs = legs_of(policy, order, then, around.channels, NOTHING_LEARNED) if applied is None else applied
    reasons = [] if FlagName.RULE in around.waived else _reasons(policy, order, found, legs)
    review = bool(flags or reasons)
    levels = policy.levels(store, then.service_levels)
    choice, said_by = _gate(found, order, source)
    gate = choose_gate(choice, said_by, around.latency, levels.erp_budget)
    team_name = then.team or (source and source.team) or (store and store.team) or next(iter(policy.teams))
    team = policy.teams.get(team_name, TeamPolicy())
    payment_flagged = any(flag.name is FlagName.PAYMENT_FLAGGED for flag in flags)
    received = then.received or (Received.WITHHOLD if review else Received.IMMEDIATE)
    updates = then.updates or (Updates.WITHHOLD if payment_flagged else Updates.SEND)
    decision = Decision(
        rule=found.rule,
        policy_version=policy.version,
        why=" ".join((found.why, *reasons, *_flagged(flags), *(lesson.says if lesson else ()))).strip()[:2_000],
        route=Route.REVIEW if review else Route.STRAIGHT,
        gate=gate.gate,
        gate_why=gate.why,
        withhold_received=received is Received.WITHHOLD,
        withhold_updates=updates is Updates.WITHHOLD,
        erp=store.erp.name if store and store.erp else None,
        erp_mode=store.erp.mode if store and store.erp else ErpMode.PUSH,
        invoice=bool(store and store.erp and store.erp.invoice),
        answer=_answer(order, store, around.answers),
        legs=legs,
        internal=_internal(then.internal or team.internal, around.channels),
        team=team_name,
        tell_handoffs=team.tell_handoffs if then.tell_handoffs is None else then.tell_handoffs,
        rota=team.rota,
        reviewers=team.reviewers or team.rota,
        time_zone=store.profile.time_zone if store else "UTC",
        quiet_hours=store.quiet_hours if store else None,
        work_on_account=then.work_on_account,
        button=then.button,
        levels=levels,
        on_doubt=_doubts(policy, store, then, legs, around.channels),
    )
    asked = {"work_needs": then.work_needs, "evidence_needed": then.evidence_needed}
    return decision.model_copy(update={name: grade.value for name, grade in asked.items() if grade})


def _doubts(
    policy: Policy,
    store: StorePolicy | None,
    then: Outcome,
    legs: Sequence[Leg],
    channels: Mapping[str, ChannelFacts],
) -> Doubts | None:
    """What becomes of messages in doubt; None: a person is asked about each."""
    kinds = policy.doubts(store, then.on_doubt)
    named = dict.fromkeys(name for leg in legs for name in leg.channels)
    pages = tuple(name for name in named if name in channels and channels[name].address == "page")
    return Doubts(kinds=kinds, pages=pages) if kinds else None


def _answer(order: Order, store: StorePolicy | None, answers: Mapping[str, SourceCall]) -> SourceCall | None:
    """How the system it came from is answered; None where it is not."""
    system = order.origin.system if order.origin else ""
    connection = store.connections.get(system) if store else None
    if connection is None or not connection.answer:
        return None
    return answers.get(system)


def _shown(value: object) -> str:
    return f"{value:.15g}" if isinstance(value, float) else str(value)


def _reasons(policy: Policy, order: Order, found: Match, legs: Sequence[Leg]) -> list[str]:
    """Why a person has to look although no flag is up."""
    reasons = []
    for kind, key, rows in (("store", order.store, policy.stores), ("source", order.source, policy.sources)):
        if key not in rows:
            reasons.append(f"The policy has no row for {kind} {key}: add one, or correct the order.")
    if found.then.route is Route.REVIEW:
        reasons.append(f"Rule {found.rule} sends it to a person.")
    if found.broken:
        reasons.append(f"The policy could not answer for it: rule {', '.join(found.broken)} failed; mend its `when`.")
    if not legs:
        reasons.append("No channel of the policy reaches this buyer: add a contact that works.")
    return reasons


def _flagged(flags: Sequence[Flag]) -> list[str]:
    names = ", ".join(dict.fromkeys(flag.name.value for flag in flags))
    return [f"Flagged: {names}."] if names else []


def _gate(found: Match, order: Order, source: SourcePolicy | None) -> tuple[GateChoice, str]:
    if found.then.gate:
        return found.then.gate, f"rule {found.rule}"
    if source:
        return source.gate, f"source {order.source}"
    return GateChoice.ACK_GATED, "the default"


def _internal(asked: Sequence[Sequence[str]], channels: Mapping[str, ChannelFacts]) -> tuple[Leg, ...]:
    legs = (tuple(name for name in leg if name in channels) for leg in asked)
    return tuple(Leg(channels=leg) for leg in legs if leg)
