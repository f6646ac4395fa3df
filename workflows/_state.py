"""All that an order's workflow knows, in one serialisable object, so that continue-as-new carries it whole."""

from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from orderack.contracts.activities import Facts
from orderack.contracts.journal import ClockName, Entry, Event, Stage
from orderack.contracts.updates import HandoffReply, Reply
from orderack.domain.acknowledgement import Audience, Kind, SendKey, SendOutcome, SendState
from orderack.domain.assessment import Assessment, Flag, Side, SourceCall
from orderack.domain.evidence import Grade
from orderack.domain.order import Name, Order, OrderRef, PaymentStatus
from orderack.domain.proof import Proof
from orderack.domain.receipt import ErpReceipt

TIMELINE_KEPT = 400
"""Entries kept in the workflow; the ledger has them all."""

STANDING = frozenset(Kind) - {Kind.QUESTION, Kind.ANSWER, Kind.ALERT}
"""Messages that tell where the order stands: the latest is the one that counts."""


class Mutable(BaseModel):
    model_config = ConfigDict(extra="ignore")


class LegState(StrEnum):
    PENDING = "pending"
    DONE = "done"
    UNKNOWN = "unknown"
    EXHAUSTED = "exhausted"
    SUPERSEDED = "superseded"
    REPEATED = "repeated"
    """In doubt, and said again on the policy's word."""
    LEFT = "left"
    """In doubt, and nobody is asked: it may have been sent."""


class LegProgress(Mutable):
    """One leg of an acknowledgement: which channel is its turn, and how the earlier ones ended."""

    channels: list[str]
    turn: int = 0
    state: LegState = LegState.PENDING
    outcomes: list[SendOutcome] = []
    accepted_at: datetime | None = None
    evidence_due_at: datetime | None = None
    """Without evidence by then, the next channel has its turn."""
    repeat_due_at: datetime | None = None
    """In doubt until then, it is said again (`_doubts`)."""
    repeated_as: int | None = None
    """The `n` of its repeat."""

    @property
    def again_at(self) -> datetime | None:
        """When it is said again, while it is in doubt."""
        return self.repeat_due_at if self.state is LegState.UNKNOWN else None

    @property
    def channel(self) -> str:
        return self.channels[self.turn]

    @property
    def has_fallback(self) -> bool:
        return self.turn + 1 < len(self.channels)

    def awaits(self, channel: str) -> bool:
        """Whether the outcome of a send by this channel is still news: a bounce may have come before it."""
        return self.channel == channel and self.state in (LegState.PENDING, LegState.SUPERSEDED)

    def fall_back(self) -> None:
        """The next channel's turn."""
        self.turn, self.state = self.turn + 1, LegState.PENDING
        self.evidence_due_at = self.repeat_due_at = None

    def end(self, outcome: SendOutcome, now: datetime) -> None:
        """Take one outcome: accepted ends the leg, a no moves it to its fallback, unknown waits."""
        self.outcomes.append(outcome)
        if outcome.state is SendState.ACCEPTED:
            self.state, self.accepted_at = LegState.DONE, now
        elif outcome.state is SendState.KEPT:
            self.state = LegState.DONE
        elif outcome.state is SendState.UNKNOWN:
            self.state = LegState.UNKNOWN
        elif self.has_fallback:
            self.fall_back()
        else:
            self.state = LegState.EXHAUSTED


class Acknowledgement(Mutable):
    """One message decided, on its way, or out."""

    kind: Kind
    revision: int
    n: int
    audience: Audience
    batch: int
    decided_at: datetime
    facts: Facts
    owner: str | None = None
    legs: list[LegProgress]
    contacts_of: int | None = None
    """The revision whose contacts it goes to, where that is not its own."""
    lasting: bool = False
    """True whatever becomes of the order, so that nothing later withdraws it."""
    said_again: bool = False
    """On a person's word or the policy's. In doubt too, a person is asked."""
    repeat_of: int | None = None
    """The `n` of the one in doubt that the policy had said again by this one."""
    out_at: datetime | None = None
    grade: Grade | None = None
    proof: Proof = Proof()
    disputed_at: datetime | None = None

    @property
    def pending(self) -> bool:
        return any(leg.state is LegState.PENDING for leg in self.legs)

    def same_word(self, other: "Acknowledgement") -> bool:
        """Whether both are one word: itself, or said again on the policy's."""
        one, two = ((ack.kind, ack.revision, ack.repeat_of or ack.n) for ack in (self, other))
        return one == two

    def key(self, ref: OrderRef, channel: str) -> SendKey:
        return SendKey(ref=ref, revision=self.revision, kind=self.kind, n=self.n, channel=channel)


class Clock(Mutable):
    """A promised clock. Open while none of the three ends is set."""

    name: ClockName
    started_at: datetime
    due_at: datetime
    owner: str | None = None
    met_at: datetime | None = None
    breached_at: datetime | None = None
    stopped_at: datetime | None = None

    @property
    def open(self) -> bool:
        return self.met_at is None and self.breached_at is None and self.stopped_at is None


class Review(Mutable):
    opened_at: datetime
    flags: list[Flag]
    owner: str | None
    turn: int = 0
    claimed_by: str | None = None
    questions: int = 0


class Escalation(Mutable):
    since: datetime
    owner: str | None
    turn: int = 0
    why: str
    next_update_at: datetime
    updates: int = 0
    in_the_house: bool = False
    """The buyer has the confirmation and waits for nothing: no update is due, only somebody has to see to it."""


class Handoff(Mutable):
    revision: int
    content_hash: str
    offered_at: datetime
    owner: str | None
    turn: int = 0
    claimed_by: str | None = None
    accepted_by: str | None = None
    frozen: bool = False
    team: str = ""
    """Empty: it was offered before this was kept."""
    stored: bool = False
    """The ledger has it, by a message to the team."""


class Question(Mutable):
    """What the buyer asked, and a person's answer. `told`, `sent`: the message about it was decided."""

    id: str
    at: datetime
    revision: int
    via: str
    text: str
    told: bool = False
    answer: str = ""
    answered_at: datetime | None = None
    answered_by: str | None = None
    sent: bool = False


class Erp(Mutable):
    """What we did at the ERP and what it told us."""

    submitted_revision: int = 0
    expected_revision: int = 0
    """The revision whose receipt clock has been started: it runs once for each."""
    submitted_at: datetime | None = None
    answered: bool = False
    document_id: str | None = None
    cancel_needed: bool = False
    cancelled: bool = False
    invoiced: bool = False


class Quarantined(Mutable):
    at: datetime
    what: str
    why: str


class OrderState(Mutable):
    ref: OrderRef
    started_at: datetime
    stage: Stage = Stage.AWAITING_ORDER
    order: Order | None = None
    payment: PaymentStatus | None = None
    payment_at: datetime | None = None
    revision: int = 0
    trigger_at: datetime | None = None
    revised_at: datetime | None = None
    hashes: list[str] = []
    assessment: Assessment | None = None
    accepted: Assessment | None = None
    """Before the last change: of the revision that was confirmed last, or assessed last while none was confirmed."""
    waived: list[str] = []
    receipt: ErpReceipt | None = None
    parked_receipts: list[ErpReceipt] = []
    """Receipts that came before it was known which ERP has this order."""
    erp: Erp = Field(default_factory=Erp)
    review: Review | None = None
    escalation: Escalation | None = None
    handoff: Handoff | None = None
    answers_to: SourceCall | None = None
    answered: list[str] = []
    """Revision and stage of every answer that its source took or refused."""
    answer_early: bool = False
    """The partner's deadline is near: it is told that we have the order, whatever we wait for."""
    cancelled_by: str | None = None
    cancelled_why: str = ""
    held: bool = False
    confirmed_revision: int = 0
    confirmed_at: datetime | None = None
    confirmed_from: int = 0
    ended_at: datetime | None = None
    acknowledgements: list[Acknowledgement] = []
    batches: int = 0
    questions: list[Question] = []
    disputes: int = 0
    clocks: list[Clock] = []
    seen: list[str] = []
    replies: dict[str, Reply | HandoffReply] = {}
    quarantine: list[Quarantined] = []
    timeline: list[Entry] = []
    unwritten: list[Entry] = []
    seq: int = 0
    marked_stage: str = ""
    """What the search attributes last said."""

    # -- the timeline -------------------------------------------------------------------------------------------

    def note(
        self,
        at: datetime,
        event: Event,
        note: str = "",
        *,
        clock: ClockName | None = None,
        due_at: datetime | None = None,
        owner: str | None = None,
    ) -> None:
        """Add one entry, to be written to the ledger by the next activity."""
        self.seq += 1
        entry = Entry(
            seq=self.seq, at=at, event=event, revision=self.revision, note=note, clock=clock, due_at=due_at, owner=owner
        )
        self.timeline.append(entry)
        self.unwritten.append(entry)
        del self.timeline[:-TIMELINE_KEPT]

    def saw(self, fact_id: str) -> bool:
        """Whether this fact came before; remembers it."""
        if fact_id in self.seen:
            return True
        self.seen.append(fact_id)
        return False

    def set_aside(self, at: datetime, what: str, why: str) -> None:
        """Keep what can't be used where an operator sees it; the payload itself is in the history."""
        self.quarantine.append(Quarantined(at=at, what=what, why=why))
        self.note(at, Event.QUARANTINED, f"{what}: {why}"[:500])

    # -- clocks ---------------------------------------------------------------------------------------------------

    def clock(self, name: ClockName) -> Clock | None:
        """The open clock of that name."""
        return next((clock for clock in self.clocks if clock.name is name and clock.open), None)

    def start_clock(self, name: ClockName, started_at: datetime, due_at: datetime, owner: str | None = None) -> None:
        self.clocks.append(Clock(name=name, started_at=started_at, due_at=due_at, owner=owner))

    def meet(self, name: ClockName, at: datetime) -> None:
        if clock := self.clock(name):
            clock.met_at = at
            self.note(at, Event.CLOCK_MET, clock=name, due_at=clock.due_at, owner=clock.owner)

    def breach(self, name: ClockName, at: datetime) -> None:
        if clock := self.clock(name):
            clock.breached_at = at
            self.note(at, Event.CLOCK_BREACHED, clock=name, due_at=clock.due_at, owner=clock.owner)

    def stop(self, name: ClockName, at: datetime) -> None:
        """The promise fell away (cancelled, rejected): neither met nor broken."""
        if clock := self.clock(name):
            clock.stopped_at = at

    # -- acknowledgements -----------------------------------------------------------------------------------------

    def said(self, kind: Kind, revision: int | None = None) -> list[Acknowledgement]:
        """Every acknowledgement of this kind (and revision) that was decided."""
        return [a for a in self.acknowledgements if a.kind is kind and revision in (None, a.revision)]

    def find_ack(self, kind: Kind, revision: int, n: int) -> Acknowledgement | None:
        return next((a for a in self.said(kind, revision) if a.n == n), None)

    def overtaken(self, ack: Acknowledgement) -> bool:
        """Whether a later word says where the order stands now: it would be wrong to repeat this one elsewhere."""
        if ack.kind in (Kind.ANSWER, Kind.CANCELLATION):
            return False  # it is about the buyer's own words, or there is nothing after it
        return ack.revision != self.revision or any(
            later.batch > ack.batch and later.kind in STANDING and not later.same_word(ack)
            for later in self.acknowledgements
        )

    @property
    def standing_revision(self) -> int:
        """The revision that is spoken of: not a proposed one that was called off before anybody looked at it."""
        return self.assessment.revision if self.assessment else self.revision

    @property
    def unassessed(self) -> bool:
        """Whether it is still to be found out which ERP has it and by which channels its buyer is told."""
        return self.assessment is None and (self.order is not None or not self.ended)

    @property
    def shadow(self) -> bool:
        """Whether nothing of this order may leave the house. Every revision's decision says the same."""
        known = self.assessment or self.accepted
        return known is not None and known.decision.side is Side.SHADOW

    @property
    def open_questions(self) -> list[Question]:
        return [question for question in self.questions if question.answered_at is None]

    @property
    def ended(self) -> bool:
        return self.stage in (Stage.CANCELLED, Stage.REJECTED, Stage.CLOSED)

    @property
    def owner(self) -> str | None:
        """Who is accountable right now (R117)."""
        if self.escalation:
            return self.escalation.owner
        if self.review:
            return self.review.claimed_by or self.review.owner
        if self.handoff:
            return self.handoff.accepted_by or self.handoff.claimed_by or self.handoff.owner
        return None


class Begin(Mutable):
    """What a run begins with: `contracts.start.Start`, and after continue-as-new everything known so far."""

    store: Name
    number: Name
    continue_as_new_after: int | None = None
    state: OrderState | None = None
