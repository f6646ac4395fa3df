"""The audit chain vouches for handoffs and for sends that were refused or are in doubt: those recorded before, too."""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
ORDERS = sa.table("orders", *map(sa.column, ("store", "number", "chain_length", "chain_head")))
AUDIT = sa.table(
    "audit",
    *map(sa.column, ("store", "number", "position", "subject", "subject_id", "content_hash", "prev_hash", "hash")),
    sa.column("recorded_at", MOMENT),
)
HANDOFFS = sa.table(
    "handoffs",
    *map(sa.column, ("store", "number", "id", "revision", "content_hash", "team", "owner", "document_id", "answers")),
    sa.column("offered_at", MOMENT),
)
SENDS = sa.table(
    "sends",
    *map(sa.column, ("store", "number", "key", "revision", "kind", "n", "channel", "state", "provider_id", "reason")),
    *map(sa.column, ("message_sha256", "attempts")),
    *(sa.column(name, MOMENT) for name in ("claimed_at", "lease_until", "in_doubt_since", "finished_at")),
)


def upgrade() -> None:
    """Each gets a chain row now, with the time of this migration: from now on it cannot be changed unseen."""
    handoffs = sa.select(HANDOFFS).order_by(HANDOFFS.c.store, HANDOFFS.c.number, HANDOFFS.c.offered_at)
    ended = sa.select(SENDS).where(SENDS.c.state.in_(("rejected", "unknown")))
    for subject, id_, query in (
        ("handoff", "id", handoffs),
        ("refusal", "key", ended.order_by(SENDS.c.store, SENDS.c.number, SENDS.c.claimed_at, SENDS.c.key)),
    ):
        for fact in op.get_bind().execute(query).mappings().all():
            vouched = {name: value for name, value in fact.items() if name not in ("store", "number", id_)}
            _append(str(fact["store"]), str(fact["number"]), subject, str(fact[id_]), _digest(vouched))


def downgrade() -> None:
    """A chain is append only: its rows stay. An older program calls them a kind of fact that it does not know."""


def _append(store: str, number: str, subject: str, subject_id: str, content_hash: str) -> None:
    connection = op.get_bind()
    of_order = sa.and_(ORDERS.c.store == store, ORDERS.c.number == number)
    length, head = connection.execute(sa.select(ORDERS.c.chain_length, ORDERS.c.chain_head).where(of_order)).one()
    row = {
        "store": store,
        "number": number,
        "position": length + 1,
        "recorded_at": datetime.now(UTC),
        "subject": subject,
        "subject_id": subject_id,
        "content_hash": content_hash,
        "prev_hash": head,
    }
    own = _digest(row)
    connection.execute(sa.insert(AUDIT).values(**row, hash=own))
    connection.execute(sa.update(ORDERS).where(of_order).values(chain_length=length + 1, chain_head=own))


def _digest(columns: Mapping[str, object]) -> str:
    plain = {name: _utc(value) if isinstance(value, datetime) else value for name, value in columns.items()}
    return hashlib.sha256(json.dumps(plain, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _utc(at: datetime) -> str:
    """SQLite gives a time back without its zone, which is always UTC."""
    return (at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)).isoformat()
