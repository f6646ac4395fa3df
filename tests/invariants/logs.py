"""What a run left behind, as values: four logs, and what the run says of itself. Nothing here is live."""

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from enum import StrEnum
from functools import cached_property
from typing import NamedTuple

from pydantic import AwareDatetime, ConfigDict, InstanceOf

from orderack.contracts.journal import Entry
from orderack.domain.acknowledgement import Kind, SendKey, SendState
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import Order, OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.domain.value import Value
from orderack.embedded.sandbox.faults import Operation, Target
from orderack.embedded.sandbox.record import Acceptance
from tests.faults.rig import vendors_key
from workflows._state import OrderState


class Log(StrEnum):
    """Where the data of a check comes from."""

    INBOX = "gateway inbox"
    PROVIDERS = "providers' log"
    LEDGER = "ledger"
    HISTORIES = "Temporal histories"
    TWIN = "an orderly twin of the run"
    PROCESS_LOGS = "process logs"


# -- the run's own word ---------------------------------------------------------------------------------------------


class Answered(Value):
    """What a sender was told of one order that it handed in."""

    ref: OrderRef
    status: int
    at: AwareDatetime


class Account(Value):
    """What the run says of itself. `quiet_since`: nothing was sent in and nothing was broken from then on."""

    fault: str = ""
    exported_at: AwareDatetime
    quiet_since: AwareDatetime
    settled: bool = True
    """Every story has had the time to end: an order that still waits for a machine is stuck."""
    crashes: int = 0
    """Processes of ours that were killed: a provider that can't tell a repeat may have that many."""
    answers: tuple[Answered, ...] = ()
    clocks_apart: timedelta = timedelta(0)
    """By how much a process's clock was off, on purpose: what is compared across processes is compared as loosely."""


# -- the ledger's rows ----------------------------------------------------------------------------------------------


class OfOrder(Value):
    store: str
    number: str

    @property
    def ref(self) -> OrderRef:
        return OrderRef(store=self.store, number=self.number)


class InboxRow(Value):
    id: int
    source: str
    external_id: str
    kind: str
    store: str | None
    number: str | None
    received_at: AwareDatetime
    announced_at: AwareDatetime | None
    outcome: str

    @property
    def ref(self) -> OrderRef | None:
        return OrderRef(store=self.store, number=self.number) if self.store and self.number else None


class OrderRow(OfOrder):
    stage: str
    revision: int
    received_at: AwareDatetime


class RevisionRow(OfOrder):
    revision: int
    content_hash: str
    content: str | None

    @cached_property
    def order(self) -> Order | None:
        return Order.model_validate_json(self.content) if self.content else None


class SendRow(OfOrder):
    revision: int
    kind: Kind
    n: int
    channel: str
    key: str
    state: SendState
    provider_id: str | None
    detail: str
    message: str | None
    message_sha256: str
    recipient_sha256: str | None
    claimed_at: AwareDatetime
    lease_until: AwareDatetime
    finished_at: AwareDatetime | None

    @property
    def identity(self) -> SendKey:
        return SendKey(ref=self.ref, revision=self.revision, kind=self.kind, n=self.n, channel=self.channel)


class AcknowledgementRow(OfOrder):
    revision: int
    kind: Kind
    n: int
    grade: Grade | None
    out_at: AwareDatetime | None


class EvidenceRow(OfOrder):
    channel: str
    event_id: str
    event: EvidenceEvent
    grade: Grade
    revision: int
    kind: Kind
    n: int
    occurred_at: AwareDatetime
    recorded_at: AwareDatetime


class TimelineRow(Entry, OfOrder):
    @property
    def entry(self) -> Entry:
        return Entry.model_validate(self.model_dump(exclude={"store", "number"}))


class ReachRow(Value):
    channel: str
    address_sha256: str
    opted_out_at: AwareDatetime | None
    opted_in_at: AwareDatetime | None


class Ledger(Value):
    """All rows that the checks look at."""

    orders: tuple[OrderRow, ...] = ()
    revisions: tuple[RevisionRow, ...] = ()
    sends: tuple[SendRow, ...] = ()
    acknowledgements: tuple[AcknowledgementRow, ...] = ()
    evidence: tuple[EvidenceRow, ...] = ()
    timeline: tuple[TimelineRow, ...] = ()
    reaches: tuple[ReachRow, ...] = ()

    def send(self, key: str) -> SendRow | None:
        return self._by_key.get(key)

    @cached_property
    def _by_key(self) -> Mapping[str, SendRow]:
        return {row.key: row for row in self.sends}


# -- the histories --------------------------------------------------------------------------------------------------


class ToldReceipt(Value):
    """An ERP receipt as it reached the order; `revision`: that which it books."""

    at: AwareDatetime
    via: str
    revision: int
    receipt: ErpReceipt


class Life(Value):
    """One order's workflow: all its runs, and the state that replaying the last of them ends in."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    ref: OrderRef
    started_at: tuple[AwareDatetime, ...]
    """Of every run that did not continue another: more than one is an order begun twice."""
    last_event_at: AwareDatetime
    """When anything last happened in it: an order on which somebody works is not stuck."""
    turned_away: bool = False
    """It failed at its start: whoever began it said nothing that can be read, and it never was an order."""
    submitted_at: AwareDatetime | None = None
    """The first time an order's content came."""
    receipts: tuple[ToldReceipt, ...] = ()
    signals: tuple[str, ...] = ()
    failed_tasks: int = 0
    in_public: tuple[str, ...] = ()
    """What an encrypting codec does not cover: workflow id, search attributes, failures' types, reasons."""
    sent_bytes: tuple[tuple[str, str], ...] = ()
    """Channel's outcome as the history holds it: send key, SHA-256 of the message."""
    state: InstanceOf[OrderState] | None = None
    unreplayable: str = ""
    """Why this version of the workflow cannot take it up."""


# -- the run --------------------------------------------------------------------------------------------------------


class Sent(NamedTuple):
    """An acceptance of a message whose key can be read."""

    entry: Acceptance
    key: SendKey


class Run(Value):
    """A run's logs; None: that log is not at hand."""

    model_config = ConfigDict(frozen=True, arbitrary_types_allowed=True)

    account: Account
    inbox: tuple[InboxRow, ...] | None = None
    providers: tuple[Acceptance, ...] | None = None
    ledger: Ledger | None = None
    lives: tuple[Life, ...] | None = None
    twin: "Run | None" = None
    process_logs: tuple[tuple[str, str], ...] | None = None
    """Name and text."""

    @property
    def at_hand(self) -> frozenset[Log]:
        logs = {
            Log.INBOX: self.inbox,
            Log.PROVIDERS: self.providers,
            Log.LEDGER: self.ledger,
            Log.HISTORIES: self.lives,
            Log.TWIN: self.twin,
            Log.PROCESS_LOGS: self.process_logs,
        }
        return frozenset(log for log, found in logs.items() if found is not None)

    @cached_property
    def rows(self) -> Ledger:
        """The ledger; empty where it is not at hand (a check that needs it is not run then)."""
        return self.ledger or Ledger()

    @cached_property
    def sent(self) -> tuple[Sent, ...]:
        """Messages that a provider took and that were new to it, oldest first."""
        taken = (entry for entry in self.providers or () if is_message(entry) and not entry.repeated)
        return tuple(Sent(entry, key) for entry in taken if (key := self.key_of(entry)))

    def key_of(self, entry: Acceptance) -> SendKey | None:
        """Our key of what a provider took."""
        row = self.send_of(entry)
        return send_key(entry.key) or send_key(entry.idempotency_key) or (row.identity if row else None)

    def send_of(self, entry: Acceptance) -> SendRow | None:
        """The ledger's row of it: by the key as that vendor has it, or by the vendor's own id."""
        known = (self._by_vendors_key.get((name or "").strip()) for name in (entry.key, entry.idempotency_key))
        return next((row for row in known if row), None) or self._by_provider_id.get(entry.provider_id)

    @cached_property
    def _by_vendors_key(self) -> Mapping[str, SendRow]:
        return {vendors_key(row.key, row.channel): row for row in self.rows.sends}

    @cached_property
    def _by_provider_id(self) -> Mapping[str, SendRow]:
        return {row.provider_id: row for row in self.rows.sends if row.provider_id}

    def sent_of(self, *kinds: Kind) -> Iterable[Sent]:
        return (sent for sent in self.sent if sent.key.kind in kinds)

    @cached_property
    def life_of(self) -> Mapping[OrderRef, Life]:
        return {life.ref: life for life in self.lives or ()}

    def entries(self, ref: OrderRef) -> tuple[TimelineRow, ...]:
        """The order's timeline in the ledger, by seq."""
        return self._timelines.get(ref, ())

    @cached_property
    def _timelines(self) -> Mapping[OrderRef, tuple[TimelineRow, ...]]:
        found: dict[OrderRef, list[TimelineRow]] = {}
        for row in self.rows.timeline:
            found.setdefault(row.ref, []).append(row)
        return {ref: tuple(sorted(rows, key=lambda row: row.seq)) for ref, rows in found.items()}


def is_message(entry: Acceptance) -> bool:
    """Whether it is a message to somebody, and not an order booked or an event of ours delivered."""
    return entry.operation is Operation.SEND and entry.target not in (Target.ERP, Target.HOOKS)


def send_key(text: str | None) -> SendKey | None:
    """`store/number/revision/kind/n/channel`; a number may hold slashes. None: it is no key of ours."""
    parts = (text or "").rsplit("/", 4)
    store, _, number = parts[0].partition("/")
    if len(parts) != 5 or not number or parts[2] not in set(Kind) or not (parts[1] + parts[3]).isdigit():
        return None
    ref = OrderRef(store=store, number=number)
    return SendKey(ref=ref, revision=int(parts[1]), kind=Kind(parts[2]), n=int(parts[3]), channel=parts[4])


class Violation(Value):
    """One place where an invariant does not hold: whose, when, and what shows it."""

    order: str
    at: AwareDatetime | None
    evidence: str


def case(holds: bool, order: object, at: datetime | None, evidence: str) -> Violation | None:
    """One thing that was looked at; None where it is as it should be."""
    return None if holds else Violation(order=str(order), at=at, evidence=evidence)


SLACK = timedelta(seconds=30)
"""How late a due message may be decided on a busy machine."""
