"""A decision as far as an order's way depends on it, and the two of them side by side: small, for there are many."""

from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from orderack.diagnostics.whatif.fields import Change
from orderack.domain.assessment import Decision, Gate, Route, ServiceLevels
from orderack.domain.order import OrderRef


@dataclass(frozen=True, slots=True)
class Plan:
    """What one policy would do with one order revision."""

    rule: str
    route: Route
    gate: Gate
    withheld: bool
    """`received` waits for a person."""
    silent: bool
    """No `holding` and no updates."""
    levels: ServiceLevels
    erp: str | None
    team: str
    reviewers: tuple[str, ...]
    time_zone: str
    told: str
    """The channels, by name."""


@dataclass(frozen=True, slots=True)
class Compared:
    """One order revision under both policies."""

    ref: OrderRef
    revision: int
    source: str
    at: datetime
    trigger_at: datetime
    currency: str
    total: Decimal
    before: Plan
    """By the policy in force."""
    after: Plan
    """By the new one."""
    was: Plan
    """As it was recorded, which is what was measured; of a file's orders, as the policy in force has it."""
    changes: tuple[Change, ...] = ()
    why: str = ""
    """Why the new policy decides as it does; empty where nothing is different."""
    submitted_at: datetime | None = None
    receipt_at: datetime | None = None


class Plans:
    """Makes plans, and keeps one object for what is equal: levels and rotas are few, orders are many."""

    def __init__(self) -> None:
        self._levels: dict[ServiceLevels, ServiceLevels] = {}

    def plan(self, decision: Decision) -> Plan:
        """The plan that this decision is."""
        reviewers = decision.reviewers or decision.rota
        told = " & ".join(",".join(leg.channels) for leg in decision.legs)
        return Plan(
            rule=decision.rule,
            route=decision.route,
            gate=decision.gate,
            withheld=decision.withhold_received,
            silent=decision.withhold_updates,
            levels=self._levels.setdefault(decision.levels, decision.levels),
            erp=decision.erp,
            team=decision.team,
            reviewers=reviewers,
            time_zone=decision.time_zone,
            told=told,
        )
