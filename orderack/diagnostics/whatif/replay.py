"""Deciding again: a look through a policy, and whether that is what was recorded."""

import dataclasses
from collections.abc import Mapping
from dataclasses import dataclass

from orderack.diagnostics.whatif.looks import Chronicle, Look
from orderack.domain.assessment import Assessment, Decision, SourceCall
from orderack.policy.assessing import Assessed, Findings, Holidays, assess_order, failed
from orderack.policy.decide import Circumstances
from orderack.policy.gate import Latency
from orderack.policy.holidays import holidays_of
from orderack.policy.model import ChannelFacts, Policy

APART = frozenset({"why", "gate_why", "policy_version", "side"})
"""Of a decision, what is said about it and not decided (a newer version may word it otherwise), and on which side the
order runs: that is the store's mode, not the matrix."""


@dataclass(frozen=True)
class World:
    """What a decision depends on besides the policy and the look: the same for both policies."""

    chronicle: Chronicle
    channels: Mapping[str, ChannelFacts]
    answers: Mapping[str, SourceCall]
    holidays: Holidays = holidays_of


def replay(look: Look, policy: Policy, world: World, found: Findings | None = None) -> Assessed:
    """What `assess` would have made of it then under this policy. Pure; never raises.

    `found` replaces the look's findings.
    """
    order = look.order
    around = Circumstances(
        channels=world.channels,
        answers=world.answers,
        latency=_latency(look, policy, world.chronicle),
        waived=look.waived,
        reach=look.reach,
    )
    try:
        return assess_order(policy, order, look.revision, found or look.found, around, world.holidays)
    except Exception as error:
        # As the activity does: one order's trouble is a person's case, not the end of the simulation.
        return failed(order, look.revision, policy.version, f"The rules fail on this order ({type(error).__name__}).")


def _latency(look: Look, policy: Policy, chronicle: Chronicle) -> Latency:
    store = policy.stores.get(look.order.store)
    if store is None or store.erp is None:
        return Latency()
    return look.latency if store.erp.name == look.erp else chronicle.latency(store.erp.name, look.at)


def prove(look: Look, policy: Policy, world: World) -> tuple[Look, Assessed, tuple[str, ...]]:
    """Decide a recorded look again with the policy that decided it: the look that holds, and what differs.

    Orders recorded within the very moment of the look are taken as the record says: seen, else not seen.
    """
    again = replay(look, policy, world)
    different = otherwise(again.assessment, look.recorded)
    if different and look.maybe_unseen:
        found = look.without_unseen
        second = replay(look, policy, world, found)
        if not otherwise(second.assessment, look.recorded):
            return dataclasses.replace(look, found=found, maybe_unseen=frozenset()), second, ()
    return look, again, different


def otherwise(again: Assessment, recorded: Assessment | None) -> tuple[str, ...]:
    """Names of what was decided differently; words apart."""
    if recorded is None:
        return ()
    was, now = recorded.decision, again.decision
    found = [name for name in Decision.model_fields if name not in APART and getattr(was, name) != getattr(now, name)]
    if {(flag.name, flag.field) for flag in recorded.flags} != {(flag.name, flag.field) for flag in again.flags}:
        found.append("flags")
    if recorded.promise_on != again.promise_on:
        found.append("promise_on")
    return tuple(found)
