"""Messages, made of the rows of their sends and of the facts about them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from pydantic import TypeAdapter
from sqlalchemy import Row

from orderack.domain.acknowledgement import SendState
from orderack.domain.assessment import Leg
from orderack.domain.evidence import EvidenceEvent, Grade, link_sent_by
from orderack.domain.reachability import Sent

_LEGS: TypeAdapter[tuple[Leg, ...]] = TypeAdapter(tuple[Leg, ...])


class _Message(NamedTuple):
    store: str
    number: str
    revision: int
    kind: str
    n: int


@dataclass(frozen=True, slots=True)
class _Send:
    message: _Message
    channel: str
    claimed_at: datetime
    ended_at: datetime
    refused: bool
    legs: str

    @property
    def order(self) -> tuple[str, str, str]:
        """All sends of an order by one channel have it."""
        return self.message.store, self.message.number, self.channel


@dataclass(frozen=True, slots=True)
class _Fact:
    message: _Message
    channel: str
    event: str
    grade: Grade
    at: datetime


class Told:
    """Rows as they come: each send once and each fact once, however often it is joined."""

    def __init__(self, rows: Iterable[Row[Any]] = ()) -> None:
        self._sends: dict[tuple[_Message, str], _Send] = {}
        self._facts: dict[int, _Fact] = {}
        self._addresses: dict[str, tuple[datetime, str]] = {}
        self._known_legs: dict[str, tuple[Leg, ...]] = {}
        for row in rows:
            self.take(row)

    def take(self, row: Row[Any]) -> None:
        """One row of `reach_queries.with_facts`."""
        message = _Message(row.store, row.number, row.revision, row.kind, row.n)
        if (message, row.channel) not in self._sends:
            self._sends[message, row.channel] = _Send(
                message=message,
                channel=row.channel,
                claimed_at=row.claimed_at,
                ended_at=row.finished_at or row.claimed_at,
                refused=row.state == SendState.REJECTED,
                legs=row.legs or "[]",
            )
            if row.recipient_sha256:
                known = self._addresses.get(row.channel, (row.claimed_at, ""))
                self._addresses[row.channel] = max(known, (row.claimed_at, row.recipient_sha256))
        if row.fact_id is not None and row.fact_id not in self._facts:
            channel = link_sent_by(row.fact_actor or "") or row.fact_channel
            self._facts[row.fact_id] = _Fact(
                message, channel, row.fact_event, Grade(row.fact_grade), row.fact_occurred_at
            )

    @property
    def orders(self) -> int:
        """How many the messages are about."""
        return len({(send.message.store, send.message.number) for send in self._sends.values()})

    @property
    def addresses(self) -> Mapping[str, str]:
        """Of each channel the SHA-256 of the address that was written to last."""
        return {channel: address for channel, (_, address) in self._addresses.items()}

    def messages(self) -> list[Sent]:
        """What became of each message by each channel."""
        facts: dict[tuple[_Message, str], list[_Fact]] = defaultdict(list)
        of_order: dict[tuple[str, str, str], list[_Send]] = defaultdict(list)
        for send in self._sends.values():
            of_order[send.order].append(send)
        for fact in self._facts.values():
            if (spoken_for := self._whose(fact, of_order)) is not None:
                facts[spoken_for.message, spoken_for.channel].append(fact)
        return [sent for legs in self._by_message() for sent in self._of_message(legs, facts)]

    def _whose(self, fact: _Fact, of_order: Mapping[tuple[str, str, str], list[_Send]]) -> _Send | None:
        """The send that the fact speaks for. One on the page may be about a message that its link did not come with:
        it then speaks for the last one by which that channel had led there."""
        if (exact := self._sends.get((fact.message, fact.channel))) is not None:
            return exact
        before = [
            send
            for send in of_order.get((fact.message.store, fact.message.number, fact.channel), ())
            if send.claimed_at <= fact.at
        ]
        return max(before, key=lambda send: send.claimed_at, default=None)

    def _by_message(self) -> Iterator[list[_Send]]:
        found: dict[_Message, list[_Send]] = defaultdict(list)
        for send in self._sends.values():
            found[send.message].append(send)
        yield from found.values()

    def _of_message(self, sends: list[_Send], facts: Mapping[tuple[_Message, str], list[_Fact]]) -> Iterator[Sent]:
        legs = self._legs(sends[0].legs)
        for send in sends:
            leg = next((leg for leg in legs if send.channel in leg), (send.channel,))
            others = [other for other in sends if other is not send and other.channel in leg]
            marks = _Marks(send.refused)
            for fact in facts.get((send.message, send.channel), ()):
                marks.take(fact)
            yield Sent(
                channel=send.channel,
                at=send.ended_at,
                delivered_at=marks.delivered_at,
                read_at=marks.read_at,
                engaged_at=marks.engaged_at,
                affirmed_at=marks.affirmed_at,
                failed=marks.failed,
                opted_out=marks.opted_out,
                first=all(send.claimed_at <= other.claimed_at for other in others),
                fell_through=any(send.claimed_at < other.claimed_at for other in others),
            )

    def _legs(self, text: str) -> tuple[tuple[str, ...], ...]:
        if text not in self._known_legs:
            self._known_legs[text] = _LEGS.validate_json(text)
        return tuple(leg.channels for leg in self._known_legs[text])


@dataclass(slots=True)
class _Marks:
    """The earliest of each kind of fact about one send."""

    failed: bool
    opted_out: bool = False
    delivered_at: datetime | None = None
    read_at: datetime | None = None
    engaged_at: datetime | None = None
    affirmed_at: datetime | None = None

    def take(self, fact: _Fact) -> None:
        rank, at = fact.grade.rank, fact.at
        self.failed |= fact.event == EvidenceEvent.BOUNCED
        if fact.event == EvidenceEvent.OPTED_OUT:
            self.opted_out = True
            return
        if rank >= Grade.E2.rank:
            self.delivered_at = _earlier(self.delivered_at, at)
        if fact.event == EvidenceEvent.DELIVERED:  # an attested delivery is E6, and proves no reading
            return
        if rank >= Grade.E3P.rank:
            self.read_at = _earlier(self.read_at, at)
        if rank >= Grade.E4.rank:
            self.engaged_at = _earlier(self.engaged_at, at)
        if rank >= Grade.E5.rank:
            self.affirmed_at = _earlier(self.affirmed_at, at)


def _earlier(known: datetime | None, at: datetime) -> datetime:
    return at if known is None else min(known, at)
