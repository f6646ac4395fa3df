"""The audit chain: what was recorded of an order cannot be changed, dropped or slipped in without a trace.

Every recorded fact appends one row, in the fact's own transaction and under the order's row lock, so that the
chain never forks. The row's `content_hash` covers the fact's columns, its `hash` covers the row and the hash before
it, and the order keeps the head. A fact that gains something later (an accepted send, its provider's id) is vouched
for again; its last row counts. Erasable content is vouched for by its SHA-256, so that erasing it breaks nothing.
`orderack.ledger.verification` reads the chain back.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from sqlalchemy.ext.asyncio import AsyncSession

from orderack.domain.acknowledgement import SendState
from orderack.domain.evidence import Assurance
from orderack.ledger.columns import storable
from orderack.ledger.database import insert_all
from orderack.ledger.shadow_tables import GatesUnasked
from orderack.ledger.tables import Audit, Erasures, Evidence, Handoffs, Orders, Revisions, Sends, Table, Timeline


@dataclass(frozen=True)
class Subject:
    """One kind of fact: its table, what identifies it within an order, and what its rows vouch for."""

    words: str
    """What it is called to people."""
    table: type[Table]
    identity: tuple[str, ...]
    vouched: tuple[str, ...]
    """Frozen: a column added to the table later belongs to a new subject, or old chains would break."""
    erasable: Mapping[str, str] = field(default_factory=dict)
    """Content column → the column with its SHA-256."""
    forgets: Mapping[str, str] = field(default_factory=dict)
    """Rows whose content goes in time, without an erasure: vouched column → value."""
    only: Mapping[str, tuple[str | int, ...]] = field(default_factory=dict)
    """Which rows are facts of this kind at all: column → values."""
    supersedes: str | None = None
    """The kind that the same row may have been before."""


SUBJECTS: Mapping[str, Subject] = {
    "entry": Subject(
        "timeline entry", Timeline, ("seq",), ("at", "event", "revision", "note", "clock", "due_at", "owner")
    ),
    "revision": Subject(
        "revision",
        Revisions,
        ("revision",),
        ("recorded_at", "content_hash", "content_sha256", "assessment", "explanation", "fingerprint", "erp"),
        erasable={"content": "content_sha256"},
    ),
    "acceptance": Subject(
        "accepted message",
        Sends,
        ("key",),
        (
            *("revision", "kind", "n", "channel", "state", "provider_id", "reason", "detail", "message_sha256"),
            *("attempts", "claimed_at", "lease_until", "in_doubt_since", "finished_at"),
        ),
        erasable={"message": "message_sha256"},
        only={"state": (SendState.ACCEPTED,)},
        supersedes="refusal",
    ),
    "refusal": Subject(
        "message refused or in doubt",
        Sends,
        ("key",),
        # Not the detail: a provider's own words may repeat the buyer's address, so they can be erased.
        (
            *("revision", "kind", "n", "channel", "state", "provider_id", "reason", "message_sha256"),
            *("attempts", "claimed_at", "lease_until", "in_doubt_since", "finished_at"),
        ),
        erasable={"message": "message_sha256"},
        only={"state": (SendState.REJECTED, SendState.UNKNOWN)},
    ),
    "evidence": Subject(
        "evidence",
        Evidence,
        ("channel", "event_id"),
        ("event", "grade", "revision", "kind", "n", "occurred_at", "recorded_at", "basis", "raw_sha256"),
        erasable={"raw": "raw_sha256"},
        only={"form": (1,)},
    ),
    "graded_evidence": Subject(
        "evidence",
        Evidence,
        ("channel", "event_id"),
        (
            *("event", "grade", "revision", "kind", "n", "occurred_at", "recorded_at", "basis", "raw_sha256"),
            *("content_sha256", "recipient_role", "actor", "assurance", "verified", "machine"),
        ),
        erasable={"raw": "raw_sha256"},
        forgets={"assurance": Assurance.NONE},
        only={"form": (2,)},
    ),
    "handoff": Subject(
        "handoff",
        Handoffs,
        ("id",),
        ("revision", "content_hash", "team", "owner", "document_id", "answers", "offered_at"),
    ),
    "erasure": Subject("erasure", Erasures, ("erased_at",), ("erased_at", "by", "reason")),
    "gate_unasked": Subject(
        "live without the shadow run's gate",
        GatesUnasked,
        ("policy_version",),
        ("seen_at", "policy_version", "live_percent", "shadow_orders"),
    ),
}
"""Every kind of fact that a chain vouches for. Frozen names."""

COVERED = ("store", "number", "position", "recorded_at", "subject", "subject_id", "content_hash", "prev_hash")
"""What a chain row's own hash covers."""

ENDS_VOUCHED_FOR = frozenset({SendState.REJECTED, SendState.UNKNOWN})
"""How a send can end without being accepted so that it is a fact; `unavailable` was never tried out of the house."""


def sha256(text: str) -> str:
    """Over the text as stored."""
    return hashlib.sha256(storable(text).encode()).hexdigest()


async def append(session: AsyncSession, order: Orders, subject: str, fact: Table) -> None:
    """Vouch for the fact. The caller holds the order's row lock."""
    await append_all(session, order, subject, [fact.model_dump()])


async def append_all(session: AsyncSession, order: Orders, subject: str, facts: Sequence[Mapping[str, object]]) -> None:
    """Vouch for these facts of one kind, by their columns, in this order. The caller holds the order's row lock."""
    await insert_all(session, Audit, [_linked(order, subject, fact) for fact in facts])


def _linked(order: Orders, subject: str, fact: Mapping[str, object]) -> Mapping[str, object]:
    """The chain's next row; the order's head moves on to it."""
    order.chain_length += 1
    kind = SUBJECTS[subject]
    row: dict[str, object] = {
        "store": order.store,
        "number": order.number,
        "position": order.chain_length,
        "recorded_at": datetime.now(UTC),
        "subject": subject,
        "subject_id": identity(kind, fact),
        "content_hash": content_hash(kind, fact),
        "prev_hash": order.chain_head,
    }
    order.chain_head = row_hash(row)
    return row | {"hash": order.chain_head}


def identity(subject: Subject, fact: Mapping[str, object]) -> str:
    """The fact's name within its order."""
    return "/".join(storable(str(fact[name])) for name in subject.identity)


def content_hash(subject: Subject, fact: Mapping[str, object]) -> str:
    return _digest(fact, subject.vouched)


def row_hash(row: Mapping[str, object]) -> str:
    return _digest(row, COVERED)


def plain(value: object) -> object:
    """The value as it stands in the JSON that is hashed: times in UTC, text as stored."""
    if isinstance(value, datetime):
        return value.astimezone(UTC).isoformat()
    return storable(value) if isinstance(value, str) else value


def _digest(columns: Mapping[str, object], names: tuple[str, ...]) -> str:
    """SHA-256 over JSON with sorted keys and no blanks."""
    return sha256(json.dumps({name: plain(columns[name]) for name in names}, sort_keys=True, separators=(",", ":")))
