"""What the demo found: one record per story, for the screen and for build/demo.json."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo

from orderack.contracts.journal import ClockName, Entry, Event
from orderack.contracts.queries import ClockStatus, OrderStatus
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.assessment import ServiceLevels
from orderack.domain.claims import claim
from orderack.domain.evidence import Grade
from orderack.domain.value import Value
from orderack.embedded.demo.driver import Accepted, told
from orderack.embedded.demo.proofs import Proved, says_too_much

CLOCK_OF = {
    Kind.RECEIVED: "acknowledge_within",
    Kind.HOLDING: "hold_after",
    Kind.UPDATE: "update_every",
}
"""The clock that times a kind: from the trigger, and for updates from the escalation or the update before."""


class MessageRecord(Value):
    kind: Kind
    revision: int
    channel: str
    after_seconds: float
    clock: str | None = None
    multiple: float | None = None
    """How much of that clock had passed: 1.00 is exactly on time, for `received` anything below is in time."""


class ClockRecord(Value):
    name: ClockName
    due_after_seconds: float
    outcome: str


class EvidenceRecord(Value):
    """What is proved of one message, and the sentence that may be said of it."""

    kind: Kind
    revision: int
    grade: str
    receipt: bool
    reading: bool
    assented: bool | None
    claim: str
    decisive: bool
    """The story is about this one."""


class StoryRecord(Value):
    name: str
    sentence: str
    ok: bool
    why_not: str = ""
    order: str
    stage: str = ""
    messages: tuple[MessageRecord, ...] = ()
    service_levels: tuple[ClockRecord, ...] = ()
    evidence: tuple[EvidenceRecord, ...] = ()
    timeline: tuple[str, ...] = ()
    ui: str = ""


class DemoRecord(Value):
    ok: bool
    divisor: float
    seconds: float
    stories: tuple[StoryRecord, ...]
    channels: Mapping[str, int]
    """How many messages each channel's provider accepted."""
    ui: str
    mailbox: str


def channels(statuses: Iterable[OrderStatus]) -> Mapping[str, int]:
    """What went by which channel, alerts as well."""
    sends = (send for status in statuses for ack in status.acknowledgements for send in ack.sends)
    return dict(sorted(Counter(send.channel for send in sends if send.state is SendState.ACCEPTED).items()))


def messages(status: OrderStatus, levels: ServiceLevels) -> tuple[MessageRecord, ...]:
    """The buyer's messages with their times as multiples of the clock that promised them."""
    start = status.received_at
    if start is None:
        return ()
    durations: Mapping[str, timedelta] = {k: v for k, v in dict(levels).items() if isinstance(v, timedelta)}
    previous = _escalated_at(status)
    found = []
    for message in told(status):
        since = previous if message.kind is Kind.UPDATE and previous else start
        if message.kind is Kind.UPDATE:
            previous = message.at
        found.append(_record(message, start, since, durations))
    return tuple(found)


def _record(message: Accepted, start: datetime, since: datetime, durations: Mapping[str, timedelta]) -> MessageRecord:
    clock = CLOCK_OF.get(message.kind)
    return MessageRecord(
        kind=message.kind,
        revision=message.revision,
        channel=message.channel,
        after_seconds=round((message.at - start).total_seconds(), 2),
        clock=clock,
        multiple=round((message.at - since) / durations[clock], 2) if clock else None,
    )


def _escalated_at(status: OrderStatus) -> datetime | None:
    return next((clock.started_at for clock in status.clocks if clock.name is ClockName.RESOLVE), None)


def clocks(status: OrderStatus) -> tuple[ClockRecord, ...]:
    """The promised clocks and how they ended."""
    start = status.received_at
    return tuple(
        ClockRecord(
            name=clock.name,
            due_after_seconds=round((clock.due_at - start).total_seconds(), 1) if start else 0.0,
            outcome=outcome(clock),
        )
        for clock in status.clocks
        if clock.name not in (ClockName.ORPHAN, ClockName.STAY_OPEN, ClockName.ERP_BUDGET)
    )


def outcome(clock: ClockStatus) -> str:
    if clock.met_at:
        return "met"
    if clock.breached_at:
        return "breached"
    return "fell away" if clock.stopped_at else "running"


def evidence(status: OrderStatus, proofs: Sequence[Proved], zone: tzinfo) -> tuple[EvidenceRecord, ...]:
    """Every message to the buyer that is out or has evidence; `proofs` say which of them the story is about."""
    decisive = [proof.message(status) for proof in proofs]
    return tuple(
        EvidenceRecord(
            kind=ack.kind,
            revision=ack.revision,
            grade=ack.grade or Grade.E1,
            receipt=ack.proof.receipt is not None,
            reading=ack.proof.reading is not None,
            assented=ack.proof.assented,
            claim=claim(ack, zone),
            decisive=ack in decisive,
        )
        for ack in status.acknowledgements
        if (ack.grade or ack.out_at) and ack.kind is not Kind.ALERT
    )


def said_too_much(status: OrderStatus, zone: tzinfo) -> str:
    """The first sentence of this order that its evidence does not bear, and why; empty: none."""
    for ack in status.acknowledgements:
        if ack.kind is not Kind.ALERT and (why := says_too_much(ack, claim(ack, zone))):
            return f"the sentence on {ack.kind} {ack.revision} says too much: {why}"
    return ""


def line(entry: Entry, start: datetime | None) -> str:
    """One line of a timeline: seconds from the trigger, what, and the detail."""
    at = f"{(entry.at - start).total_seconds():7.2f} s" if start else "          "
    words = " ".join(part for part in (entry.clock, entry.note, f"({entry.owner})" if entry.owner else "") if part)
    return f"{at}  {entry.event.replace('_', ' ')}{': ' if words else ''}{words}"


def rule_broken(status: OrderStatus, entries: Sequence[Entry]) -> str:
    """A rule of DESIGN §5 that this order broke, in words; empty when it broke none."""
    booked: set[int] = set()
    for entry in entries:
        if entry.event is Event.ERP_RECEIPT:
            booked.add(entry.revision)
        confirms = entry.event is Event.ACKNOWLEDGED and entry.note.startswith(Kind.CONFIRMATION)
        if confirms and entry.revision not in booked:
            return f"revision {entry.revision} was confirmed before the ERP's receipt"
    out = told(status)
    if sum(m.kind is Kind.HOLDING for m in out) > 1:
        return "more than one holding message"
    confirmations = {(m.revision, m.n) for m in out if m.kind is Kind.CONFIRMATION}
    if len({revision for revision, _ in confirmations}) < len(confirmations):
        return "a revision was confirmed twice"
    return ""
