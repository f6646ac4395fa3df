"""The audit chain: what was recorded of an order cannot be changed, dropped or slipped in without a trace.

Every recorded fact appends one row, in the fact's own transaction and under the order's row lock, so that the
chain never forks. The row's `content_hash` covers the fact's columns, its `hash` covers the row and the hash before
it, and the order keeps the head. A fact that gains something later (an accepted send, its provider's id) is vouched
for again; its last row counts. Erasable content is vouched for by its SHA-256, so that erasing it breaks nothing.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.domain.acknowledgement import SendState
from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.value import Value
from orderack.ledger.columns import storable
from orderack.ledger.tables import Audit, Evidence, Orders, Revisions, Sends, Table, Timeline


@dataclass(frozen=True)
class Subject:
    """One kind of fact: its table, what identifies it within an order, and what its rows vouch for."""

    table: type[Table]
    identity: tuple[str, ...]
    vouched: tuple[str, ...]
    """Frozen: a column added to the table later belongs to a new subject, or old chains would break."""
    erasable: Mapping[str, str] = field(default_factory=dict)
    """Content column → the column with its SHA-256."""
    only: Mapping[str, str | int] = field(default_factory=dict)
    """Which rows are facts at all: column → value."""


SUBJECTS: Mapping[str, Subject] = {
    "entry": Subject(Timeline, ("seq",), ("at", "event", "revision", "note", "clock", "due_at", "owner")),
    "revision": Subject(
        Revisions,
        ("revision",),
        ("recorded_at", "content_hash", "content_sha256", "assessment", "explanation", "fingerprint", "erp"),
        erasable={"content": "content_sha256"},
    ),
    "acceptance": Subject(
        Sends,
        ("key",),
        (
            *("revision", "kind", "n", "channel", "state", "provider_id", "reason", "detail", "message_sha256"),
            *("attempts", "claimed_at", "lease_until", "in_doubt_since", "finished_at"),
        ),
        erasable={"message": "message_sha256"},
        only={"state": SendState.ACCEPTED},
    ),
    "evidence": Subject(
        Evidence,
        ("channel", "event_id"),
        ("event", "grade", "revision", "kind", "n", "occurred_at", "recorded_at", "basis", "raw_sha256"),
        erasable={"raw": "raw_sha256"},
        only={"form": 1},
    ),
    "graded_evidence": Subject(
        Evidence,
        ("channel", "event_id"),
        (
            *("event", "grade", "revision", "kind", "n", "occurred_at", "recorded_at", "basis", "raw_sha256"),
            *("content_sha256", "recipient_role", "actor", "assurance", "verified", "machine"),
        ),
        erasable={"raw": "raw_sha256"},
        only={"form": 2},
    ),
}


class Break(Value):
    """One place where the record no longer agrees with its chain."""

    position: int
    """In the chain, from 1; 0 for a fact that no row vouches for."""
    subject: Name
    subject_id: Text
    problem: Text


def sha256(text: str) -> str:
    """Over the text as stored."""
    return hashlib.sha256(storable(text).encode()).hexdigest()


async def append(session: AsyncSession, order: Orders, subject: str, fact: Table) -> None:
    """Vouch for the fact. The caller holds the order's row lock."""
    order.chain_length += 1
    row = Audit(
        store=order.store,
        number=order.number,
        position=order.chain_length,
        recorded_at=datetime.now(UTC),
        subject=subject,
        subject_id=_identity(SUBJECTS[subject], fact),
        content_hash=_content_hash(SUBJECTS[subject], fact),
        prev_hash=order.chain_head,
        hash="",
    )
    row.hash = order.chain_head = _row_hash(row)
    session.add(row)


async def verify_chain(session: AsyncSession, ref: OrderRef) -> Sequence[Break]:
    """Every break in the order's chain; empty when the record stands as it was written.

    It cannot see a chain rewritten whole, head and all: that takes a copy of the head kept elsewhere.
    """
    order = await session.get(Orders, (ref.store, ref.number))
    if order is None:
        return []
    mine = (col(Audit.store) == ref.store, col(Audit.number) == ref.number)
    rows = (await session.execute(select(Audit).where(*mine).order_by(col(Audit.position)))).scalars().all()
    breaks = _links(order, rows)
    vouchers = {(row.subject, row.subject_id): row for row in rows}
    for name, subject in SUBJECTS.items():
        facts = await _facts(session, subject, ref)
        breaks += _contents(name, facts, {id_: row for (kind, id_), row in vouchers.items() if kind == name})
    return breaks


def _links(order: Orders, rows: Sequence[Audit]) -> list[Break]:
    breaks, previous = [], ""
    for position, row in enumerate(rows, start=1):
        problems = {
            "a row before this one is missing": row.position != position,
            "it does not follow the row before it": row.prev_hash != previous,
            "the row was changed": row.hash != _row_hash(row),
            "no such kind of fact": row.subject not in SUBJECTS,
        }
        breaks += [_break(row, problem) for problem, found in problems.items() if found]
        previous = row.hash
    if (order.chain_length, order.chain_head) != (len(rows), previous):
        problem = "the chain does not end where the order says"
        breaks.append(Break(position=len(rows), subject="order", subject_id="", problem=problem))
    return breaks


def _contents(name: str, facts: Mapping[str, Table], vouchers: Mapping[str, Audit]) -> list[Break]:
    subject = SUBJECTS[name]
    breaks = [_break(row, "the fact is missing") for id_, row in vouchers.items() if id_ not in facts]
    for id_, fact in facts.items():
        row = vouchers.get(id_)
        if row is None:
            breaks.append(Break(position=0, subject=name, subject_id=id_, problem="nothing vouches for this fact"))
        elif row.content_hash != _content_hash(subject, fact):
            breaks.append(_break(row, "the fact was changed"))
        elif not all(_intact(fact, content, digest) for content, digest in subject.erasable.items()):
            breaks.append(_break(row, "the content was changed"))
    return breaks


def _intact(fact: Table, content: str, digest: str) -> bool:
    text = getattr(fact, content)
    return text is None or sha256(text) == getattr(fact, digest)


def _break(row: Audit, problem: str) -> Break:
    return Break(position=row.position, subject=row.subject, subject_id=row.subject_id, problem=problem)


async def _facts(session: AsyncSession, subject: Subject, ref: OrderRef) -> Mapping[str, Table]:
    query = select(subject.table).filter_by(store=ref.store, number=ref.number, **subject.only)
    return {_identity(subject, fact): fact for fact in (await session.execute(query)).scalars()}


def _identity(subject: Subject, fact: Table) -> str:
    return "/".join(storable(str(getattr(fact, name))) for name in subject.identity)


def _content_hash(subject: Subject, fact: Table) -> str:
    return _digest({name: getattr(fact, name) for name in subject.vouched})


def _row_hash(row: Audit) -> str:
    covered = ("store", "number", "position", "recorded_at", "subject", "subject_id", "content_hash", "prev_hash")
    return _digest({name: getattr(row, name) for name in covered})


def _digest(content: Mapping[str, object]) -> str:
    """SHA-256 over JSON with sorted keys; times in UTC, text as stored."""
    stored = {name: storable(value) if isinstance(value, str) else value for name, value in content.items()}
    return sha256(json.dumps(stored, sort_keys=True, separators=(",", ":"), default=_plain))


def _plain(value: object) -> str:
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    raise TypeError(f"not vouched for: {type(value).__name__}")
