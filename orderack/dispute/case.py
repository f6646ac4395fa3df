"""One order's case: its vouched facts, read as what they are. Nothing in it comes from anywhere but the chain."""

from collections.abc import Iterator, Sequence
from datetime import datetime, tzinfo

from pydantic import AwareDatetime, TypeAdapter

from orderack.contracts.journal import Entry
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.assessment import Assessment
from orderack.domain.claims import claim
from orderack.domain.evidence import Assurance, EvidenceEvent, EvidenceFact, Grade, stronger
from orderack.domain.order import Name, Order, Text
from orderack.domain.proof import Proof, prove
from orderack.domain.response import LineAnswer
from orderack.domain.value import Value
from orderack.ledger.projection import Projection, project
from orderack.ledger.record import ChainRow, OrderRecord
from orderack.ports import Message

_ANSWERS: TypeAdapter[tuple[LineAnswer, ...]] = TypeAdapter(tuple[LineAnswer, ...])
_REASONS: TypeAdapter[tuple[str, ...]] = TypeAdapter(tuple[str, ...])


class Send(Value):
    """One channel of a message: how it ended, and the message as it was sent, unless that was erased."""

    position: int
    key: Text
    revision: int
    kind: Kind
    n: int
    channel: Name
    state: SendState
    provider_id: str | None
    reason: Text
    message_sha256: Name
    finished_at: AwareDatetime
    message: Message | None = None


class Fact(Value):
    """One piece of evidence with its origin."""

    position: int
    fact: EvidenceFact
    recorded_at: AwareDatetime
    raw_sha256: Name
    actor: Text = ""
    assurance: Assurance | None = None
    """None: recorded before origins were."""
    verified: bool | None = None
    machine: tuple[str, ...] = ()


class Leg(Value):
    """A channel as the claim tells of it: one whose carrier brought the message back has refused it."""

    channel: Name
    state: SendState


class Told(Value):
    """One acknowledgement, its evidence, and the only sentence that may be said of it."""

    kind: Kind
    revision: int
    n: int
    out_at: AwareDatetime | None
    grade: Grade | None
    proof: Proof
    channels: tuple[Send, ...]
    facts: tuple[Fact, ...]

    @property
    def sends(self) -> Sequence[Leg]:
        back = {one.fact.channel for one in self.facts if one.fact.event is EvidenceEvent.BOUNCED}
        return [
            Leg(channel=send.channel, state=SendState.REJECTED if send.channel in back else send.state)
            for send in self.channels
        ]

    def claim(self, zone: tzinfo) -> str:
        return claim(self, zone)


class Revision(Value):
    """One revision as it was recorded; `order` None: erased."""

    position: int
    revision: int
    recorded_at: AwareDatetime
    content_hash: Name
    content_sha256: Name
    assessment: Assessment
    erp: str | None
    order: Order | None


class Handoff(Value):
    position: int
    id: Name
    revision: int
    content_hash: Name
    team: Name
    owner: str | None
    document_id: str | None
    answers: tuple[LineAnswer, ...]
    offered_at: AwareDatetime


class Erased(Value):
    position: int
    erased_at: AwareDatetime
    by: Text
    reason: Text


class Case(Value):
    """Everything that the pack shows."""

    record: OrderRecord
    revisions: tuple[Revision, ...]
    told: tuple[Told, ...]
    other_facts: tuple[Fact, ...]
    """Evidence for a message that the chain has no send of."""
    entries: tuple[Entry, ...]
    projection: Projection
    handoffs: tuple[Handoff, ...]
    erasures: tuple[Erased, ...]

    @property
    def first_recorded_at(self) -> datetime | None:
        """By the chain's first row: when the ledger first heard of the order is vouched for by nothing else."""
        return datetime.fromisoformat(self.record.rows[0].recorded_at) if self.record.rows else None


def build(record: OrderRecord) -> Case:
    """The case of this record."""
    sends = [_send(row) for row in _of(record, "acceptance", "refusal")]
    facts = [_fact(row) for row in _of(record, "evidence", "graded_evidence")]
    entries = tuple(sorted(map(_entry, _of(record, "entry")), key=lambda entry: entry.seq))
    told = tuple(_told(sends, facts))
    known = {(one.revision, one.kind, one.n) for one in told}
    return Case(
        record=record,
        revisions=tuple(sorted(map(_revision, _of(record, "revision")), key=lambda one: one.revision)),
        told=told,
        other_facts=tuple(one for one in facts if (one.fact.revision, one.fact.kind, one.fact.n) not in known),
        entries=entries,
        projection=project(entries),
        handoffs=tuple(_handoff(row) for row in _of(record, "handoff")),
        erasures=tuple(
            Erased.model_validate({**(row.fact or {}), "position": row.position}) for row in _of(record, "erasure")
        ),
    )


def rows_with_facts(record: OrderRecord, *subjects: str) -> Sequence[ChainRow]:
    """The chain's rows of these kinds that stand for a fact today."""
    return list(_of(record, *subjects))


def _of(record: OrderRecord, *subjects: str) -> Iterator[ChainRow]:
    return (row for row in record.rows if row.subject in subjects and row.fact is not None)


def _told(sends: Sequence[Send], facts: Sequence[Fact]) -> Iterator[Told]:
    """Acknowledgements in the order in which they first went out or were refused."""
    by_identity: dict[tuple[int, Kind, int], list[Send]] = {}
    for send in sorted(sends, key=lambda send: (send.finished_at, send.position)):
        by_identity.setdefault((send.revision, send.kind, send.n), []).append(send)
    for (revision, kind, n), channels in by_identity.items():
        mine = [one for one in facts if (one.fact.revision, one.fact.kind, one.fact.n) == (revision, kind, n)]
        out = [send.finished_at for send in channels if send.state is SendState.ACCEPTED]
        yield Told(
            kind=kind,
            revision=revision,
            n=n,
            out_at=min(out, default=None),
            grade=_grade(out, mine),
            proof=prove(one.fact for one in mine),
            channels=tuple(channels),
            facts=tuple(sorted(mine, key=lambda one: (one.fact.occurred_at, one.position))),
        )


def _grade(out: Sequence[datetime], facts: Sequence[Fact]) -> Grade | None:
    grade = Grade.E1 if out else None
    for one in facts:
        grade = stronger(grade, one.fact.grade) if grade else one.fact.grade
    return grade


def _entry(row: ChainRow) -> Entry:
    return Entry.model_validate({**(row.fact or {}), "seq": int(row.subject_id)})


def _send(row: ChainRow) -> Send:
    message = Message.model_validate_json(row.content) if row.content else None
    return Send.model_validate(
        {**(row.fact or {}), "position": row.position, "key": row.subject_id, "message": message}
    )


def _fact(row: ChainRow) -> Fact:
    columns = {name: value for name, value in (row.fact or {}).items() if value is not None}
    channel, _, event_id = row.subject_id.partition("/")
    machine = columns.pop("machine", None)
    return Fact.model_validate(
        {
            **columns,
            "position": row.position,
            "fact": EvidenceFact.model_validate({**columns, "id": event_id, "channel": channel}),
            "machine": _REASONS.validate_json(machine) if isinstance(machine, str) else (),
        }
    )


def _revision(row: ChainRow) -> Revision:
    columns = dict(row.fact or {})
    return Revision.model_validate(
        {
            **columns,
            "position": row.position,
            "revision": int(row.subject_id),
            "assessment": Assessment.model_validate_json(str(columns["assessment"])),
            "order": Order.model_validate_json(row.content) if row.content else None,
        }
    )


def _handoff(row: ChainRow) -> Handoff:
    columns = dict(row.fact or {})
    answers = _ANSWERS.validate_json(str(columns["answers"]))
    return Handoff.model_validate({**columns, "position": row.position, "id": row.subject_id, "answers": answers})
