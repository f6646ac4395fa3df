"""What is true and safe to tell the buyer of one order, in a sentence or three: nothing beyond what is confirmed.

The texts are keyed by the frozen names of an order's stages and clocks. Every time carries its date and zone.
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Protocol

from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import Side
from orderack.domain.claims import Said, claim, moment
from orderack.domain.order import OrderRef, PaymentStatus


class ClockOf(Protocol):
    """One promised clock."""

    @property
    def name(self) -> str: ...
    @property
    def due_at(self) -> datetime: ...
    @property
    def met_at(self) -> datetime | None: ...
    @property
    def breached_at(self) -> datetime | None: ...
    @property
    def stopped_at(self) -> datetime | None: ...


class StandingOf(Protocol):
    """An order's standing, as its status tells it."""

    @property
    def ref(self) -> OrderRef: ...
    @property
    def stage(self) -> str: ...
    @property
    def revision(self) -> int: ...
    @property
    def received_at(self) -> datetime | None: ...
    @property
    def confirmed_revision(self) -> int | None: ...
    @property
    def erp_document_id(self) -> str | None: ...
    @property
    def payment(self) -> PaymentStatus | None: ...
    @property
    def escalated(self) -> bool: ...
    @property
    def acknowledgements(self) -> Sequence[Said]: ...
    @property
    def clocks(self) -> Sequence[ClockOf]: ...
    @property
    def side(self) -> Side: ...


UNDER_WAY: Mapping[str, str] = {
    "assessing": "is being checked",
    "review": "a person is looking at it",
    "awaiting_erp": "is being booked",
}
"""Stages in which nothing is promised yet (a later revision of a confirmed order goes through them too)."""

SETTLED: Mapping[str, str] = {
    "awaiting_order": "Order {number} has not reached us yet.",
    "confirmed": "Order {number} is confirmed as revision {confirmed}{booked}.",
    "handed_off": "Order {number} is confirmed as revision {confirmed}{booked} and with the team that does the work.",
    "cancelled": "Order {number} is cancelled.",
    "rejected": "Order {number} cannot be fulfilled.",
    "closed": "Order {number} is closed.",
}

_CHANGING = (
    "Order {number} is confirmed as revision {confirmed}; the change (revision {revision}) is not confirmed yet."
)
_ENDED_BY: Mapping[Kind, str] = {
    Kind.CANCELLATION: "Order {number} was cancelled and is closed.",
    Kind.REJECTION: "Order {number} could not be fulfilled and is closed.",
}
_ENDED_CONFIRMED = "Order {number} was confirmed as revision {confirmed}{booked} and is closed."
_SHADOW = "Order {number} is in a shadow run: its buyer hears from the old system, so say what that one has told."
_NEXT_MESSAGE = ("acknowledge_within", "hold_after")
"""Clocks at whose end the buyer has heard from us."""


def sayable(standing: StandingOf, zone: tzinfo = UTC) -> str:
    """What may be said. Times are in `zone`, the store's; internal alerts never count as word to the buyer."""
    if standing.side is Side.SHADOW:
        return _SHADOW.format(number=standing.ref.number)
    said = [message for message in standing.acknowledgements if message.kind is not Kind.ALERT]
    parts = [_where(standing, said, zone), *_last(standing, said, zone), *_next(standing, zone)]
    return " ".join(parts)


def recorded(number: str, stage: str, at: datetime, zone: tzinfo = UTC) -> str:
    """Of an order that only the ledger still knows."""
    return f"Order {number}: our record's last word, of {moment(at, zone)}, is “{stage.replace('_', ' ')}”."


def _where(standing: StandingOf, said: Sequence[Said], zone: tzinfo) -> str:
    confirmed, stage = standing.confirmed_revision, standing.stage
    words = SETTLED.get(stage, "")
    if stage in UNDER_WAY:
        words = _CHANGING if confirmed else _arrived(standing, zone)
    elif stage == "closed":
        ends = [_ENDED_BY[message.kind] for message in said if message.kind in _ENDED_BY]
        words = ends[-1] if ends else _ENDED_CONFIRMED if confirmed else words
    booked = f" (ERP {standing.erp_document_id})" if standing.erp_document_id else ""
    return words.format(number=standing.ref.number, confirmed=confirmed, revision=standing.revision, booked=booked)


def _arrived(standing: StandingOf, zone: tzinfo) -> str:
    at = f" on {moment(standing.received_at, zone)}" if standing.received_at else ""
    return f"Order {{number}} arrived{at} and {UNDER_WAY[standing.stage]}; nothing is promised yet."


def _last(standing: StandingOf, said: Sequence[Said], zone: tzinfo) -> list[str]:
    """The last word to the buyer and what proves it; for a confirmed order, its confirmation's."""
    if standing.confirmed_revision and standing.confirmed_revision == standing.revision:
        said = [m for m in said if m.kind is Kind.CONFIRMATION and m.revision == standing.revision] or said
    if not said:
        return []
    return [claim(said[-1], zone)]


def _next(standing: StandingOf, zone: tzinfo) -> list[str]:
    """When the buyer hears next, where that is promised: never of a flagged payment, which may be kept silent."""
    if standing.stage not in UNDER_WAY:
        return []
    if standing.escalated:
        return ["It is late, and a person has it in hand."]
    if standing.payment is PaymentStatus.FLAGGED:
        return []
    due = [clock.due_at for clock in standing.clocks if clock.name in _NEXT_MESSAGE and _runs(clock)]
    return [f"The next message is due by {moment(min(due), zone)}."] if due else []


def _runs(clock: ClockOf) -> bool:
    return not (clock.met_at or clock.breached_at or clock.stopped_at)
