"""What vendors report, late, twice and in any order, by every channel: one record in the end, and no claim too many.

The events are the vendors' own, as each channel's conformance suite has them; each word is given a time of its own.
"""

import importlib
import random
from collections.abc import AsyncIterator, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest

from orderack.channels import load
from orderack.domain.acknowledgement import Audience, Kind, SendKey, SendOutcome, SendState
from orderack.domain.address import address_sha256
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import OrderRef
from orderack.domain.proof import Proof, prove
from orderack.gateway.announce import GRACE, announce_stragglers
from orderack.gateway.parts import GatewayParts
from orderack.gateway.webhooks import Taken, take
from orderack.ledger.database import Database
from orderack.ledger.repository import SqlLedger
from orderack.ports import Channel, ChannelEvent, Idempotency, Message, Rendered
from tests.conformance.channel import NOW, WEBHOOK_KEY, WebhookConformance
from tests.gateway.conftest import Clock, new_ledger, parts_with
from tests.gateway.fakes import ScriptedOrders
from tests.ledger_fixture import engine_of

REF = OrderRef(store="demo", number="A-1001")
SENT_AT = NOW - timedelta(hours=1)
HEARD_AT = NOW + timedelta(hours=1)
LEASE = timedelta(minutes=1)
NOWHERE = "http://127.0.0.1:9"
OPTS = (EvidenceEvent.OPTED_OUT, EvidenceEvent.OPTED_IN)


def _suites(name: str) -> list[type[WebhookConformance]]:
    """The channel's conformance suite, where its vendor posts."""
    room = vars(importlib.import_module(f"tests.channels.test_{name}")).values()
    kinds = [kind for kind in room if isinstance(kind, type) and issubclass(kind, WebhookConformance)]
    return [kind for kind in kinds if getattr(kind, "name", "") == name]


POSTING = {suite.name: suite for name in load() for suite in _suites(name)}

every_channel = pytest.mark.parametrize("name", sorted(POSTING))

WORDY = {"line", "mailgun_email", "sendgrid_email", "telegram", "twilio_sms", "webhook"}
"""Channels with many words, each like one of fewer words: the same medium, or the same way to know a message again."""

in_all_orders = pytest.mark.parametrize(
    "name", [pytest.param(name, marks=[pytest.mark.long] * (name in WORDY)) for name in sorted(POSTING)]
)


@dataclass
class Moment(Clock):
    """A clock that the test alone moves."""

    def __call__(self) -> datetime:
        return HEARD_AT + self.ahead


class Record(NamedTuple):
    """All that is known in the end."""

    state: SendState
    proof: Proof
    grade: Grade
    facts: frozenset[str]
    opted_out: bool
    told: frozenset[str]
    """What the order's workflow was told of that it always has to hear."""


@dataclass
class House:
    """A gateway with one channel, an empty ledger, and one message on its way by that channel."""

    name: str
    parts: GatewayParts
    ledger: SqlLedger
    orders: ScriptedOrders
    clock: Clock
    channel: Channel
    key: SendKey
    recipient: str

    def events(self) -> Sequence[ChannelEvent]:
        """Each word of the vendor's once, about our message, a second after the other."""
        suite = POSTING[self.name]()
        found: list[ChannelEvent] = []
        for place, status in enumerate(suite.statuses):
            (event,) = self.channel.events(suite.callback(status))
            at = SENT_AT + timedelta(minutes=10, seconds=place)
            own = {"occurred_at": at, "watermark": at if event.watermark else None}
            found.append(event.model_copy(update=own | ({"key": str(self.key)} if event.key == WEBHOOK_KEY else {})))
        return found

    async def claimed(self, provider_id: str | None = None) -> None:
        """Our message is under way; with an id, the vendor has taken it."""
        content = Rendered(subject="Your order A-1001", text="It is with us.")
        message = Message(key=self.key, recipient=self.recipient, kind=self.key.kind, language="en", content=content)
        await self.ledger.claim(self.key, message, SENT_AT, LEASE)
        if provider_id is not None:
            await self.finished(provider_id)

    async def finished(self, provider_id: str, state: SendState = SendState.ACCEPTED) -> None:
        outcome = SendOutcome(channel=self.name, state=state, provider_id=provider_id)
        await self.ledger.finish(self.key, outcome, SENT_AT + timedelta(seconds=1))

    async def record(self) -> Record:
        facts = await self.ledger.evidence(REF)
        send = await self.ledger.send(str(self.key))
        assert send is not None
        ids = [fact.id for fact in facts]
        assert len(ids) == len(set(ids)), "evidence is doubled"
        told = [fact.id for fact in self.orders.facts]
        assert len(told) == len(set(told)), "the workflow was told twice"
        reach = await self.ledger.reach(self.name, address_sha256(self.recipient))
        always = {EvidenceEvent.BOUNCED, EvidenceEvent.AFFIRMED, EvidenceEvent.OPTED_OUT}
        return Record(
            state=send.state,
            proof=prove(facts),
            grade=max((fact.grade for fact in facts), key=lambda grade: grade.rank, default=Grade.E0),
            facts=frozenset(ids),
            opted_out=reach.opted_out,
            told=frozenset(fact.id for fact in self.orders.facts if fact.event in always),
        )


@asynccontextmanager
async def house(name: str, template: Path, shelf: Path) -> AsyncIterator[House]:
    ledger = SqlLedger(Database(engine_of(f"sqlite+aiosqlite:///{new_ledger(template, shelf)}")))
    orders, clock = ScriptedOrders(), Moment()
    suite = POSTING[name]()
    channel = suite.make(NOWHERE)
    internal = channel.traits.audience is Audience.INTERNAL
    kind = Kind.ALERT if internal else Kind.CONFIRMATION
    key = SendKey(ref=REF, revision=1, kind=kind, n=1, channel=name)
    parts = replace(parts_with(ledger, orders, clock), channels={name: channel})
    try:
        yield House(name, parts, ledger, orders, clock, channel, key, suite.recipient)
    finally:
        await channel.aclose()
        await ledger.aclose()


def id_in(events: Iterable[ChannelEvent]) -> str:
    """By which the vendor knows our message."""
    return next((event.provider_id for event in events if event.provider_id), "p-1")


def arrivals(events: Sequence[ChannelEvent]) -> Iterable[Sequence[ChannelEvent]]:
    """The same events as they may come: in turn, backwards and each twice, mixed."""
    yield events
    yield [event for event in reversed(events) for _ in range(2)]
    mixed = [*events, *events]
    random.Random(len(events)).shuffle(mixed)
    yield mixed


@in_all_orders
async def test_in_whatever_order_and_however_often_they_come_the_record_is_the_same(
    name: str, sqlite_template: Path, shelf: Path
) -> None:
    records: list[Record] = []
    async with house(name, sqlite_template, shelf) as plain:
        events = plain.events()
        ceiling = plain.channel.traits.evidence_ceiling
    for order in arrivals(events):
        async with house(name, sqlite_template, shelf) as at:
            await at.claimed(id_in(events))
            for event in order:
                await take(at.parts, name, event)
            records.append(await at.record())
    first = records[0]
    assert records == [first] * len(records)
    assert first.state is SendState.ACCEPTED, "what was taken was taken, whatever was reported later"
    about_it = [event for event in events if event.event is not EvidenceEvent.UNKNOWN and _names(event)]
    assert len(first.facts) >= len(about_it)
    grades = [event.grade for event in about_it if event.grade]
    assert first.grade.rank == max((grade.rank for grade in grades), default=0)
    assert first.grade.rank <= ceiling.rank
    assert (first.proof.receipt is None) is not any(grade.rank >= Grade.E2.rank for grade in grades)
    assert (first.proof.returned is None) is not any(event.event is EvidenceEvent.BOUNCED for event in about_it)
    assert first.proof.assent is None, "no vendor's report says what the buyer thinks of the content"
    words = [event.event for event in events if event.event in OPTS]
    internal = POSTING[name].audience is Audience.INTERNAL
    assert first.opted_out is (not internal and words[-1:] == [EvidenceEvent.OPTED_OUT])


def _names(event: ChannelEvent) -> bool:
    """Whether it is about a message: by its key, the vendor's id, or everything up to a time."""
    return bool(event.key or event.provider_id or event.watermark or event.sender)


@every_channel
async def test_a_report_that_overtakes_our_own_record_is_kept_until_it_finds_its_message(
    name: str, sqlite_template: Path, shelf: Path
) -> None:
    async with house(name, sqlite_template, shelf) as at:
        events = [event for event in at.events() if event.grade and event.grade.rank >= Grade.E1.rank]
        await at.claimed()
        taken = [await take(at.parts, name, event) for event in events]
        early = await at.record()
        settled = any(event.key for event in events)
        assert early.state is (SendState.ACCEPTED if settled else SendState.CLAIMED)
        assert settled or set(taken) == {Taken.WAITING}
        await at.finished(id_in(events))
        at.clock.ahead += 2 * GRACE
        await announce_stragglers(at.parts)
        late = await at.record()
        assert late.state is SendState.ACCEPTED
        assert len(late.facts) == len(events)
        held = await at.ledger.send(str(at.key))
        assert held is not None
        assert held.provider_id == id_in(events)


@pytest.mark.parametrize(
    "name", [name for name, suite in sorted(POSTING.items()) if suite.key and suite.audience is Audience.BUYER]
)
@pytest.mark.parametrize("state", [SendState.UNKNOWN, SendState.UNAVAILABLE, None])
async def test_a_report_that_carries_our_key_settles_a_doubt_and_no_straggler_unsettles_it(
    name: str, state: SendState | None, sqlite_template: Path, shelf: Path
) -> None:
    """None: the doubtful attempt's worker has died, and its lease has run out."""
    async with house(name, sqlite_template, shelf) as at:
        event = next(event for event in at.events() if event.grade and event.key)
        await at.claimed()
        if state:
            outcome = SendOutcome(channel=name, state=state)
            await at.ledger.finish(at.key, outcome, SENT_AT + timedelta(seconds=1))
        await take(at.parts, name, event)
        assert (await at.record()).state is SendState.ACCEPTED
        for straggler in (SendState.UNKNOWN, SendState.REJECTED, SendState.UNAVAILABLE):
            await at.ledger.finish(at.key, SendOutcome(channel=name, state=straggler), HEARD_AT)
        assert (await at.record()).state is SendState.ACCEPTED
        claim = await at.ledger.claim(at.key, _stored(at), HEARD_AT + timedelta(days=1), LEASE)
        assert not claim.mine


def _stored(at: House) -> Message:
    return Message(
        key=at.key, recipient=at.recipient, kind=at.key.kind, language="en", content=Rendered(text="It is with us.")
    )


@every_channel
async def test_what_somebody_else_reports_or_says_is_no_evidence_of_our_message(
    name: str, sqlite_template: Path, shelf: Path
) -> None:
    async with house(name, sqlite_template, shelf) as at:
        await at.claimed("another-id")
        strange = {"key": None, "provider_id": "nobody-knows-it", "sender": None}
        for event in at.events():
            await take(at.parts, name, event.model_copy(update=strange))
        record = await at.record()
        assert (record.facts, record.told, record.opted_out) == (frozenset(), frozenset(), False)


@pytest.mark.parametrize(
    "name",
    [name for name, suite in sorted(POSTING.items()) if suite().make(NOWHERE).traits.idempotency is Idempotency.ECHO],
)
async def test_a_bounce_after_a_reading_takes_nothing_from_it_and_is_told(
    name: str, sqlite_template: Path, shelf: Path
) -> None:
    async with house(name, sqlite_template, shelf) as at:
        events = at.events()
        bounced = [event for event in events if event.event is EvidenceEvent.BOUNCED]
        best = max((event for event in events if event.grade), key=lambda one: one.grade.rank if one.grade else 0)
        await at.claimed(id_in(events))
        await take(at.parts, name, best)
        before = await at.record()
        for event in bounced:
            later = event.model_copy(update={"occurred_at": best.occurred_at + timedelta(minutes=1)})
            await take(at.parts, name, later)
        after = await at.record()
        assert (after.grade, after.proof.receipt, after.proof.reading) == (
            before.grade,
            before.proof.receipt,
            before.proof.reading,
        )
        assert (after.proof.returned is None) is not bool(bounced)
        assert len(after.told) == len(bounced) + len(before.told)
