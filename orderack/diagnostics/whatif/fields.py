"""What can be different about an order: a row for each thing that a decision settles, grouped as people ask for it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import date
from enum import StrEnum

from orderack.domain.assessment import (
    Assessment,
    Decision,
    ErpMode,
    FlagName,
    Gate,
    Leg,
    OnDoubt,
    Route,
    ServiceLevels,
)
from orderack.domain.order import Order
from orderack.policy.duration import in_words

NOBODY = "nobody"
DEFAULT_LANGUAGE = "en"
"""What a buyer is written to in whose language nothing is worded (`orderack.messages`)."""


class Kind(StrEnum):
    """What people ask after. In the order in which they ask."""

    ROUTED = "routed"
    TOLD = "told"
    CLOCKED = "clocked"
    OWNED = "owned"
    BOOKED = "booked"
    ANSWERED = "answered"
    DATED = "dated"


KIND_WORDS = {
    Kind.ROUTED: "Routed differently",
    Kind.TOLD: "Told differently",
    Kind.CLOCKED: "Clocked differently",
    Kind.OWNED: "With other people",
    Kind.BOOKED: "Booked differently in the ERP",
    Kind.ANSWERED: "Partner or shop answered differently",
    Kind.DATED: "Promised another day",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """One assessment and all that words about it need."""

    order: Order
    assessment: Assessment
    languages: Collection[str]
    """In which messages are worded; empty: not known, and taken as the same."""

    @property
    def decision(self) -> Decision:
        return self.assessment.decision


@dataclass(frozen=True, slots=True)
class Field:
    """One thing that is settled, and the words for it."""

    name: str
    kind: Kind
    title: str
    said: Callable[[Seen], str]


@dataclass(frozen=True, slots=True)
class Change:
    """One thing that is settled differently."""

    field: Field
    before: str
    after: str

    @property
    def alike(self) -> tuple[str, str]:
        """Changes that are one to whoever reads of them: dates by how far they move, all else as it is said."""
        try:
            was, now = date.fromisoformat(self.before), date.fromisoformat(self.after)
        except ValueError:
            return self.before, self.after
        days = abs((now - was).days)
        return "the promised day", f"{days} day{'' if days == 1 else 's'} {'later' if now > was else 'earlier'}"


def changes(before: Seen, after: Seen) -> tuple[Change, ...]:
    """Every difference between the two, in the order of the table."""
    both_reviewed = before.decision.route is after.decision.route is Route.REVIEW
    asked = [field for field in FIELDS if both_reviewed or field is not REASONS]  # else the route says it
    found = ((field, field.said(before), field.said(after)) for field in asked)
    return tuple(Change(field, was, now) for field, was, now in found if was != now)


def _route(seen: Seen) -> str:
    return seen.decision.route.value


def _reasons(seen: Seen) -> str:
    missing = FlagName.INCOMPLETE
    said = (f"{flag.name}: {flag.field}" if flag.name is missing else str(flag.name) for flag in seen.assessment.flags)
    return ", ".join(dict.fromkeys(said)) or "none"


def _first_channels(seen: Seen) -> str:
    return " and ".join(leg.channels[0] for leg in seen.decision.legs) or NOBODY


def _fallbacks(seen: Seen) -> str:
    return "; ".join(", ".join(leg.channels[1:]) or "none" for leg in seen.decision.legs) or NOBODY


def _received(seen: Seen) -> str:
    decision = seen.decision
    if decision.withhold_received:
        return "withheld until a person has looked"
    if decision.gate is Gate.ERP_GATED and decision.route is Route.STRAIGHT:
        return f"if the ERP has not answered within {in_words(decision.levels.erp_budget)}"
    return "at once"


def _silent(seen: Seen) -> str:
    decision = seen.decision
    silent = decision.withhold_received and decision.withhold_updates
    return "the buyer hears nothing" if silent or not decision.legs else "the buyer hears"


def _language(seen: Seen) -> str:
    tag = seen.order.contacts.language
    known = (tag, tag.partition("-")[0])
    return next((one for one in known if not seen.languages or one in seen.languages), DEFAULT_LANGUAGE)


def _people(roles: tuple[str, ...]) -> str:
    return ", ".join(roles) or NOBODY


def _legs(legs: tuple[Leg, ...]) -> str:
    return "; ".join(", else ".join(leg.channels) for leg in legs) or NOBODY


def _quiet(seen: Seen) -> str:
    quiet = seen.decision.quiet_hours
    return f"{quiet.start}–{quiet.end}" if quiet else "never"


def _on_doubt(seen: Seen) -> str:
    kinds = seen.decision.on_doubt.kinds if seen.decision.on_doubt else {}
    words = {OnDoubt.RESEND_MARKED: "said again", OnDoubt.NEVER: "left"}
    return "; ".join(f"{kind} {words[word]}" for kind, word in kinds.items()) or "a person is asked"


def _erp(seen: Seen) -> str:
    decision = seen.decision
    how = "we book it" if decision.erp_mode is ErpMode.PUSH else "we wait for it"
    return f"{decision.erp}, {how}" if decision.erp else "none"


def _answer(seen: Seen) -> str:
    answer = seen.decision.answer
    return f"{answer.system}: {answer.call}" if answer else "none"


def level_words(name: str, levels: ServiceLevels) -> str:
    """`15m`; what None means is the clock's own."""
    value = getattr(levels, name)
    return in_words(value) if value is not None else _UNSAID[name]


_UNSAID = {"resolve_within": "same day", "evidence_within": "as the channel has it"}


def _level(name: str) -> Field:
    return Field(name, Kind.CLOCKED, name, lambda seen: level_words(name, seen.decision.levels))


REASONS = Field("reasons", Kind.ROUTED, "why a person looks", _reasons)

FIELDS: tuple[Field, ...] = (
    Field("route", Kind.ROUTED, "route", _route),
    REASONS,
    Field("received", Kind.TOLD, "“received” goes out", _received),
    Field("silent", Kind.TOLD, "while it waits", _silent),
    Field("gate", Kind.TOLD, "gate", lambda seen: seen.decision.gate.value),
    Field("channels", Kind.TOLD, "told by", _first_channels),
    Field("fallback", Kind.TOLD, "then by, in turn", _fallbacks),
    Field("updates", Kind.TOLD, "updates", lambda seen: "withheld" if seen.decision.withhold_updates else "sent"),
    Field("language", Kind.TOLD, "language", _language),
    Field("quiet_hours", Kind.TOLD, "quiet hours", _quiet),
    Field("button", Kind.TOLD, "asked to affirm", lambda seen: "yes" if seen.decision.button else "no"),
    Field("evidence_needed", Kind.TOLD, "evidence needed of the buyer", lambda seen: seen.decision.evidence_needed),
    Field("on_doubt", Kind.TOLD, "in doubt whether it went out", _on_doubt),
    *(_level(name) for name in ServiceLevels.model_fields),
    Field("time_zone", Kind.CLOCKED, "time zone", lambda seen: seen.decision.time_zone),
    Field("team", Kind.OWNED, "team", lambda seen: seen.decision.team),
    Field("owner", Kind.OWNED, "owner and rota", lambda seen: _people(seen.decision.rota)),
    Field("reviewers", Kind.OWNED, "reviewers", lambda seen: _people(seen.decision.reviewers)),
    Field("internal", Kind.OWNED, "owners are alerted by", lambda seen: _legs(seen.decision.internal)),
    Field(
        "tell_handoffs",
        Kind.OWNED,
        "team told of its handoff",
        lambda seen: "yes" if seen.decision.tell_handoffs else "no",
    ),
    Field("work_needs", Kind.OWNED, "work begins on evidence", lambda seen: seen.decision.work_needs),
    Field(
        "work_on_account",
        Kind.OWNED,
        "work before payment",
        lambda seen: "yes" if seen.decision.work_on_account else "no",
    ),
    Field("erp", Kind.BOOKED, "ERP", _erp),
    Field("invoice", Kind.BOOKED, "ERP invoices", lambda seen: "yes" if seen.decision.invoice else "no"),
    Field("answer", Kind.ANSWERED, "answer to the system it came from", _answer),
    Field(
        "promise_on",
        Kind.DATED,
        "promise date",
        lambda seen: seen.assessment.promise_on.isoformat() if seen.assessment.promise_on else "none",
    ),
)
"""A test holds this table against the fields of `Decision`, so that nothing settled is left out of it."""
