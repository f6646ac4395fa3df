"""One order as it stood at a moment: what had been said, proved and promised by then."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from orderack.contracts.journal import ClockName, Event
from orderack.diagnostics.weekly.promises import Ended, promises
from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import EvidenceEvent
from orderack.ports.reliability import Entered, OrderLife


@dataclass(slots=True)
class Seen:
    """One order as it stood at a moment."""

    order: OrderLife
    by: datetime
    promises: tuple[Ended, ...] = ()
    events: Counter[Event] = field(default_factory=Counter)
    told_at: datetime | None = None
    confirmed_at: Mapping[int, datetime] = field(default_factory=dict)
    """Per revision, when its confirmation first went out."""
    receipt_at: Mapping[int, datetime] = field(default_factory=dict)

    @property
    def promised(self) -> Ended | None:
        """The promise to be told in time; None: nobody owed a word at once."""
        return next((one for one in self.promises if one.clock is ClockName.ACKNOWLEDGE), None)

    @property
    def owed(self) -> bool:
        """Promised a word, and its time is up or it was told."""
        promised = self.promised
        return promised is not None and (self.told_at is not None or promised.due_at < self.by)

    @property
    def in_time(self) -> bool:
        promised = self.promised
        return promised is not None and self.told_at is not None and self.told_at <= promised.due_at

    @property
    def early(self) -> bool:
        """Whether a revision was confirmed before the ERP had booked it, or without that it ever did."""
        return any((self.receipt_at.get(n) or self.by) > at for n, at in self.confirmed_at.items())

    @property
    def off(self) -> bool:
        return bool(self.events[Event.CANCELLED] or self.events[Event.REJECTED])

    @property
    def unanswered(self) -> int:
        return max(0, self.events[Event.QUESTION_ASKED] - self.events[Event.QUESTION_ANSWERED])

    @property
    def doubts_left(self) -> int:
        return max(0, self.events[Event.SEND_UNKNOWN] - self.events[Event.SEND_SETTLED])

    @property
    def disputed(self) -> bool:
        by_page = any(fact.event is EvidenceEvent.DISPUTED and fact.occurred_at < self.by for fact in self.order.proofs)
        return by_page or any(entry.disputed and entry.at < self.by for entry in self.order.entries)

    def said(self, kind: Kind) -> bool:
        """Whether a message of this kind went out to the buyer."""
        return any(message.kind == kind and message.out_at < self.by for message in self.order.messages)

    def entries(self, *events: Event) -> list[Entered]:
        """Those entries, in turn."""
        return [entry for entry in self.order.entries if entry.event in events and entry.at < self.by]


def seen(order: OrderLife, by: datetime) -> Seen:
    """The order as it stood then."""
    out = [message for message in order.messages if message.out_at < by]
    confirmed: dict[int, datetime] = {}
    for message in out:
        if message.kind == Kind.CONFIRMATION:
            confirmed[message.revision] = min(confirmed.get(message.revision, message.out_at), message.out_at)
    return Seen(
        order=order,
        by=by,
        promises=tuple(promises(order, by)),
        events=Counter(entry.event for entry in order.entries if entry.at < by),
        told_at=min((message.out_at for message in out), default=None),
        confirmed_at=confirmed,
        receipt_at={one.revision: one.receipt_at for one in order.erp if one.receipt_at and one.receipt_at < by},
    )
