"""Evidence by kind and origin, touches, events for others, revoked links, erasures."""

from typing import Any

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)

ADDED: dict[str, dict[str, sa.types.TypeEngine[Any]]] = {
    "orders": {"links_revoked_at": MOMENT},
    "acknowledgements": {
        "receipt_at": MOMENT,
        "receipt_basis": sa.Text(),
        "reading_at": MOMENT,
        "reading_basis": sa.Text(),
        "assent": sa.Text(),
        "assent_at": MOMENT,
        "assent_basis": sa.Text(),
    },
    "sends": {"recipient_sha256": sa.Text()},
    "evidence": {
        "content_sha256": sa.Text(),
        "recipient_role": sa.Text(),
        "actor": sa.Text(),
        "assurance": sa.Text(),
        "verified": sa.Boolean(),
        "machine": sa.Text(),
    },
}


def upgrade() -> None:
    for table, columns in ADDED.items():
        for name, kind in columns.items():
            op.add_column(table, sa.Column(name, kind, nullable=True))
    # What was recorded before this keeps the form in which the audit chain vouched for it.
    op.add_column("evidence", sa.Column("form", sa.Integer(), nullable=False, server_default="1"))
    with op.batch_alter_table("evidence") as batch:
        batch.alter_column("form", server_default=None)
    op.create_index("ix_sends_recipient", "sends", ["channel", "recipient_sha256", "claimed_at"])
    _touches()
    _outbox()
    _erasures()


def _of_order(table: str) -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(
        ["store", "number"], ["orders.store", "orders.number"], name=op.f(f"fk_{table}_store_number")
    )


def _touches() -> None:
    op.create_table(
        "touches",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("send_key", sa.Text(), nullable=False),
        sa.Column("what", sa.Text(), nullable=False),
        sa.Column("method", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=True),
        sa.Column("user_agent", sa.Text(), nullable=True),
        sa.Column("headers", sa.Text(), nullable=True),
        sa.Column("first_at", MOMENT, nullable=False),
        sa.Column("last_at", MOMENT, nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("graded_at", MOMENT, nullable=True),
        sa.Column("grade", sa.Text(), nullable=True),
        sa.Column("reasons", sa.Text(), nullable=False),
        _of_order("touches"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_touches")),
    )
    op.create_index(op.f("ix_touches_graded_at_first_at"), "touches", ["graded_at", "first_at"])
    op.create_index(op.f("ix_touches_store_number"), "touches", ["store", "number"])


def _outbox() -> None:
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("created_at", MOMENT, nullable=False),
        sa.Column("fanned_out_at", MOMENT, nullable=True),
        _of_order("outbox"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
        sa.UniqueConstraint("event_id", name=op.f("uq_outbox_event_id")),
    )
    op.create_index(op.f("ix_outbox_fanned_out_at_id"), "outbox", ["fanned_out_at", "id"])
    op.create_table(
        "deliveries",
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_at", MOMENT, nullable=True),
        sa.Column("last_at", MOMENT, nullable=True),
        sa.Column("last_answer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("event_id", "endpoint", name=op.f("pk_deliveries")),
    )
    op.create_index(op.f("ix_deliveries_state_next_at"), "deliveries", ["state", "next_at"])


def _erasures() -> None:
    op.create_table(
        "erasures",
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("erased_at", MOMENT, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        _of_order("erasures"),
        sa.PrimaryKeyConstraint("store", "number", "erased_at", name=op.f("pk_erasures")),
    )


def downgrade() -> None:
    for table in ("erasures", "deliveries", "outbox", "touches"):
        op.drop_table(table)
    op.drop_index("ix_sends_recipient", "sends")
    for table, columns in reversed(ADDED.items()):
        for name in columns:
            op.drop_column(table, name)
    op.drop_column("evidence", "form")
