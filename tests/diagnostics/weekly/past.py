"""A store's past as rows of the ledger: orders that go well and badly in every way that the report counts.

Entries are made up and projected by the ledger's own projection, so that clocks, reviews and the ERP's times stand as
they would; rows are inserted at once, because there may be a hundred thousand orders.
"""

import random
from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import insert

from orderack.contracts.journal import ClockName, Entry, Event
from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import OrderRef
from orderack.ledger.database import sql_table
from orderack.ledger.projection import project
from orderack.ledger.repository import SqlLedger
from orderack.ledger.tables import (
    Acknowledgements,
    Deadlines,
    Evidence,
    Handoffs,
    Orders,
    Reviews,
    Revisions,
    Table,
    Timeline,
)

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
ORDER_OF_TABLES: tuple[type[Table], ...] = (
    *(Orders, Revisions, Acknowledgements, Evidence, Reviews, Handoffs, Deadlines, Timeline),
)
Row = dict[str, Any]
Rows = Mapping[type[Table], list[Row]]


@dataclass
class Life:
    """One order as it is made up."""

    ref: OrderRef
    trigger_at: datetime
    customer: str | None = "C-1"
    shadow: bool = False
    unreachable: bool = False
    """No channel takes any message."""
    entries: list[Entry] = field(default_factory=list)
    rows: dict[type[Table], list[Row]] = field(default_factory=lambda: defaultdict(list))
    said: dict[tuple[int, str], int] = field(default_factory=lambda: defaultdict(int))

    @property
    def _of(self) -> Row:
        return {"store": self.ref.store, "number": self.ref.number}

    def at(self, seconds: float) -> datetime:
        return self.trigger_at + timedelta(seconds=seconds)

    def note(self, seconds: float, event: Event, note: str = "", revision: int = 1, **more: Any) -> None:
        """Its place comes when all are told: a journal's entries are in the order of their times."""
        self.entries.append(Entry(seq=0, at=self.at(seconds), event=event, revision=revision, note=note, **more))

    def clock(self, name: ClockName, start: float, due: float, **ends: float) -> None:
        """`met`, `breached`, `stopped`: seconds from the trigger."""
        events = {"met": Event.CLOCK_MET, "breached": Event.CLOCK_BREACHED, "stopped": Event.CLOCK_STOPPED}
        self.note(start, Event.CLOCK_STARTED, clock=name, due_at=self.at(due))
        for end, seconds in sorted(ends.items(), key=lambda each: each[1]):
            self.note(seconds, events[end], clock=name, due_at=self.at(due))

    def says(self, seconds: float, kind: Kind, revision: int = 1) -> int:
        """A message that went out then. Its number."""
        self.said[revision, kind] += 1
        n = self.said[revision, kind]
        out_at = None if self.unreachable else self.at(seconds)
        row = {"revision": revision, "kind": kind.value, "n": n, "out_at": out_at}
        self.rows[Acknowledgements].append(self._of | row | {"first_claimed_at": out_at or self.trigger_at})
        return n

    def proves(self, seconds: float, grade: Grade, event: EvidenceEvent, kind: Kind, n: int, revision: int = 1) -> None:
        facts = self.rows[Evidence]
        row = {"revision": revision, "kind": kind.value, "n": n, "grade": grade.value, "event": event.value}
        row |= {"channel": "smtp_email", "event_id": f"{self.ref}/{len(facts)}", "basis": "made up", "raw_sha256": ""}
        facts.append(self._of | row | {"occurred_at": self.at(seconds), "recorded_at": self.at(seconds)})

    def offers(self, seconds: float, accepted: float | None, revision: int = 1) -> None:
        row = {"id": f"{self.ref}/{revision}", "revision": revision, "content_hash": "h", "team": "t", "answers": "[]"}
        row |= {"offered_at": self.at(seconds), "accepted_at": None, "accepted_by": None}
        if accepted is not None:
            row |= {"accepted_at": self.at(accepted), "accepted_by": "lin"}
        self.rows[Handoffs].append(self._of | row)

    def done(self) -> Rows:
        """Every row of it."""
        in_turn = sorted(self.entries, key=lambda entry: entry.at)
        self.entries = [entry.model_copy(update={"seq": place}) for place, entry in enumerate(in_turn, 1)]
        told = project(self.entries)
        revisions = 1 + sum(entry.event is Event.CHANGE_PROPOSED for entry in self.entries)
        order = self._of | {
            "received_at": self.trigger_at,
            "updated_at": self.trigger_at,
            "stage": "closed",
            "revision": revisions,
            "content_revision": revisions,
            "source": "web",
            "trigger_at": self.trigger_at,
            "customer_id": self.customer,
            "side": "shadow" if self.shadow else None,
        }
        self.rows[Orders] = [order]
        times = {one.revision: one for one in told.erp_times}
        self.rows[Revisions] = [
            self._of
            | {"revision": n, "recorded_at": self.trigger_at, "content_hash": "h", "content_sha256": "h"}
            | {"assessment": "{}", "explanation": "", "fingerprint": "f"}
            | {"submitted_to_erp_at": times[n].submitted_to_erp_at if n in times else None}
            | {"erp_receipt_at": times[n].erp_receipt_at if n in times else None}
            for n in range(1, revisions + 1)
        ]
        self.rows[Deadlines] = [self._of | one.model_dump() for one in told.deadlines]
        self.rows[Reviews] = [self._of | one.model_dump() for one in told.reviews]
        self.rows[Timeline] = [self._of | entry.model_dump() for entry in self.entries]
        return self.rows


async def keep(ledger: SqlLedger, lives: list[Life]) -> None:
    """Insert them, as if they had been lived."""
    every: dict[type[Table], list[Row]] = defaultdict(list)
    for life in lives:
        for table, rows in life.done().items():
            every[table] += rows
    async with ledger._database.write() as session:
        for table in ORDER_OF_TABLES:
            if every[table]:
                await session.execute(insert(sql_table(table)), every[table])


def a_life(dice: random.Random, ref: OrderRef, trigger_at: datetime, *, ill: float = 0.1) -> Life:
    """Anything may happen to it; `ill`: how often each thing goes wrong."""
    customer = dice.choice([None, "", *(f"C-{n}" for n in range(40)), "ada@example.com"])
    life = Life(ref, trigger_at, customer or None, shadow=dice.random() < 0.05)
    told = _first_word(life, dice, ill)
    if dice.random() < ill:
        _review(life, dice, told)
    booked = _booked(life, dice, ill)
    _confirmed(life, dice, booked, ill)
    for part in (_changed, _handed_off, _ended, _asked, _doubted):
        part(life, dice, booked or 3_600.0, ill)
    return life


def _first_word(life: Life, dice: random.Random, ill: float) -> float:
    told = dice.expovariate(1 / 12)
    if dice.random() < ill:
        told = dice.uniform(60, 8_000)
    life.unreachable = dice.random() < ill / 4
    if dice.random() < ill:  # withheld: no clock, and nothing said
        return told
    if life.unreachable:
        life.clock(ClockName.ACKNOWLEDGE, 0, 60, breached=60)
        life.note(70, Event.UNDELIVERABLE, "received: the buyer has no reachable channel")
        life.says(0, Kind.RECEIVED)
    elif told > 60:
        life.clock(ClockName.ACKNOWLEDGE, 0, 60, breached=60, met=told)
        life.says(told, Kind.RECEIVED)
        life.says(61, Kind.ALERT)
    else:
        life.clock(ClockName.ACKNOWLEDGE, 0, 60, met=told)
        life.says(told, Kind.RECEIVED)
    return told


def _review(life: Life, dice: random.Random, at: float) -> None:
    decided = at + dice.expovariate(1 / 7_200)
    life.note(at, Event.REVIEW_OPENED, "high_value")
    life.clock(ClockName.CLAIM, at, at + 1_800, breached=at + 1_800)
    life.note(at + 1_800, Event.REASSIGNED, "nobody claimed it in time")
    if dice.random() < 0.5:  # more flags, and a question, on the same review
        life.note(at + 5, Event.REVIEW_OPENED, "new_client")
        life.note(at + 9, Event.REVIEW_DECIDED, "ask", owner="grace")
    late = decided > at + 14_400
    ends = {"breached": at + 14_400, "met": decided} if late else {"met": decided}
    life.clock(ClockName.REVIEW, at, at + 14_400, **ends)
    if dice.random() < 0.9:
        life.note(decided, Event.REVIEW_DECIDED, dice.choice(("approve", "reject", "amend")), owner="grace")


def _booked(life: Life, dice: random.Random, ill: float) -> float | None:
    given = dice.uniform(1, 30)
    receipt: float | None = given + dice.expovariate(1 / 40)
    if dice.random() < ill:
        receipt = dice.choice((None, dice.uniform(900, 200_000)))
    life.note(given, Event.SUBMITTED_TO_ERP, "sandbox")
    due = given + 900
    if receipt is not None and receipt <= due:
        life.clock(ClockName.ERP_RECEIPT, given, due, met=receipt)
        life.note(receipt, Event.ERP_RECEIPT, "SO-1")
        life.clock(ClockName.HOLD, 0, 900, met=min(receipt, 900))
        return receipt
    life.clock(ClockName.ERP_RECEIPT, given, due, breached=due)
    life.note(due, Event.ESCALATED, "the ERP has not confirmed receipt", owner="ops")
    life.clock(ClockName.HOLD, 0, 900, met=900)
    life.says(901, Kind.HOLDING)
    resolve = due + dice.uniform(14_400, 40_000)
    if receipt is None:
        life.clock(ClockName.RESOLVE, due, resolve, breached=resolve)
        life.note(resolve, Event.REASSIGNED, "not resolved in time", owner="lead")
        return None
    ends = {"breached": resolve, "met": receipt} if receipt > resolve else {"met": receipt}
    life.clock(ClockName.RESOLVE, due, resolve, **ends)
    life.note(receipt, Event.ERP_RECEIPT, "SO-1")
    life.note(receipt, Event.DE_ESCALATED, owner="ops")
    return receipt


def _confirmed(life: Life, dice: random.Random, booked: float | None, ill: float) -> None:
    at = booked + dice.uniform(0, 20) if booked is not None else None
    if dice.random() < ill / 10:
        at = (booked or 5_000) - dice.uniform(1, 5)  # before the ERP has it
    if at is None:
        return
    n = life.says(at, Kind.CONFIRMATION)
    life.note(at, Event.CONFIRMED, "SO-1")
    for grade, event, after in (
        (Grade.M, EvidenceEvent.MACHINE_TOUCH, 2),
        (Grade.E2, EvidenceEvent.DELIVERED, 4),
        (Grade.E3P, EvidenceEvent.DISPLAYED, 600),
        (Grade.E4, EvidenceEvent.ENGAGED, 2_000),
        (Grade.E5, EvidenceEvent.AFFIRMED, 90_000),
        (Grade.E6, EvidenceEvent.DELIVERED, 8),
    ):
        if dice.random() < 0.5:
            life.proves(at + dice.random() * after, grade, event, Kind.CONFIRMATION, n)


def _changed(life: Life, dice: random.Random, after: float, ill: float) -> None:
    for revision in range(1, 1 + (dice.random() < ill) + (dice.random() < ill / 2)):
        at = after + 500 * revision
        life.note(at, Event.CHANGE_PROPOSED, "by web", revision=revision)
        if dice.random() < 0.9:
            life.says(at + 3, Kind.CHANGE_RECEIVED, revision + 1)
        if dice.random() < 0.8:
            life.note(at + 10, Event.SUBMITTED_TO_ERP, "sandbox", revision=revision + 1)
            life.note(at + 50, Event.ERP_RECEIPT, "SO-1", revision=revision + 1)
            life.says(at + 55, Kind.CONFIRMATION, revision + 1)


def _handed_off(life: Life, dice: random.Random, after: float, ill: float) -> None:
    at, revision = after + 30, 1
    life.note(at + 1, Event.HANDED_OFF)
    taken = at + dice.expovariate(1 / 900)
    if dice.random() < ill:
        for turn in (1, 2):
            life.clock(ClockName.CLAIM, at, at + 1_800 * turn, breached=at + 1_800 * turn)
            life.note(at + 1_800 * turn, Event.REASSIGNED, "nobody claimed it in time", owner="lead")
        taken = at + 5_000
    else:
        life.clock(ClockName.CLAIM, at, at + 1_801, met=taken)
    life.offers(at, None if dice.random() < ill else taken, revision)
    if dice.random() < ill:
        life.note(at + 10_000, Event.REVIEW_OPENED, "stock_gone")
        life.clock(ClockName.CLAIM, at + 10_000, at + 11_800, breached=at + 11_800)
        life.note(at + 11_800, Event.REASSIGNED, "nobody claimed it in time")


def _ended(life: Life, dice: random.Random, after: float, ill: float) -> None:
    end = dice.random()
    if end < ill / 2:
        life.note(after + 100, Event.CANCEL_REQUESTED, "by web" + dice.choice(("", ", disputed")))
        life.note(after + 100, Event.CANCELLED, owner="web")
        life.clock(ClockName.PARTNER, 0, 500_000, stopped=after + 100)
    elif end < ill:
        life.note(after + 100, Event.REJECTED, owner="grace")
    if dice.random() < ill / 2:
        life.note(after + 90, Event.DECLINED)
        life.proves(after + 89, Grade.E5, EvidenceEvent.DECLINED, Kind.CONFIRMATION, 1)
    if dice.random() < ill / 4:
        life.proves(after + 80, Grade.E5, EvidenceEvent.DISPUTED, Kind.RECEIVED, 1)


def _asked(life: Life, dice: random.Random, after: float, ill: float) -> None:
    for n in range((dice.random() < ill) + (dice.random() < ill)):
        life.note(after + n, Event.QUESTION_ASKED, "by portal")
        if dice.random() < 0.7:
            life.note(after + dice.uniform(10, 300_000), Event.QUESTION_ANSWERED, owner="grace")


def _doubted(life: Life, dice: random.Random, after: float, ill: float) -> None:
    if dice.random() < ill / 2:
        life.note(after + 1, Event.SEND_UNKNOWN, "confirmation 1 by smtp_email: cut off")
        if dice.random() < 0.5:
            life.note(after + 400_000 * dice.random(), Event.SEND_SETTLED, "confirmation 1 by smtp_email: sent")
        life.note(after + 2, Event.UNDELIVERABLE, "confirmation 1: every channel said no")


def past(seed: int, store: str, many: int, since: datetime, until: datetime, *, ill: float = 0.1) -> list[Life]:
    """So many orders between then and then."""
    dice = random.Random(seed)
    found = []
    for n in range(many):
        at = since + (until - since) * dice.random()
        at = at.astimezone(UTC).replace(microsecond=dice.randrange(1_000_000))
        found.append(a_life(dice, OrderRef(store=store, number=f"{store}-{n:06d}"), at, ill=ill))
    return found
