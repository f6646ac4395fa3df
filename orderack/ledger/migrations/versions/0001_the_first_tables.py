"""The first tables."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
MONEY = sa.Numeric().with_variant(sa.Text(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "inbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("external_id", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("store", sa.Text(), nullable=True),
        sa.Column("number", sa.Text(), nullable=True),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("announced_at", MOMENT, nullable=True),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox")),
        sa.UniqueConstraint("source", "external_id", name=op.f("uq_inbox_source_external_id")),
    )
    op.create_index(op.f("ix_inbox_announced_at_received_at"), "inbox", ["announced_at", "received_at"])

    op.create_table(
        "orders",
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("received_at", MOMENT, nullable=False),
        sa.Column("updated_at", MOMENT, nullable=False),
        sa.Column("stage", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("next_due_at", MOMENT, nullable=True),
        sa.Column("journal_seq", sa.Integer(), nullable=False),
        sa.Column("content_revision", sa.Integer(), nullable=False),
        sa.Column("source", sa.Text(), nullable=True),
        sa.Column("trigger_at", MOMENT, nullable=True),
        sa.Column("customer_id", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("phone", sa.Text(), nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("total", MONEY, nullable=True),
        sa.Column("fingerprint", sa.Text(), nullable=True),
        sa.Column("quantities", sa.Text(), nullable=False),
        sa.Column("chain_length", sa.Integer(), nullable=False),
        sa.Column("chain_head", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("store", "number", name=op.f("pk_orders")),
    )
    op.create_index("ix_orders_customer", "orders", ["store", "customer_id", "trigger_at"])
    op.create_index(op.f("ix_orders_email"), "orders", ["email"])
    op.create_index("ix_orders_fingerprint", "orders", ["fingerprint", "trigger_at"])
    op.create_index(op.f("ix_orders_next_due_at"), "orders", ["next_due_at"])
    op.create_index(op.f("ix_orders_number"), "orders", ["number"])
    op.create_index(op.f("ix_orders_phone"), "orders", ["phone"])
    op.create_index("ix_orders_stage", "orders", ["store", "stage"])

    op.create_table(
        "acknowledgements",
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("first_claimed_at", MOMENT, nullable=False),
        sa.Column("out_at", MOMENT, nullable=True),
        sa.Column("grade", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["store", "number"], ["orders.store", "orders.number"], name=op.f("fk_acknowledgements_store_number")
        ),
        sa.PrimaryKeyConstraint("store", "number", "revision", "kind", "n", name=op.f("pk_acknowledgements")),
    )
    op.create_table(
        "audit",
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("subject_id", sa.Text(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("prev_hash", sa.Text(), nullable=False),
        sa.Column("hash", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store", "number"], ["orders.store", "orders.number"], name=op.f("fk_audit_store_number")
        ),
        sa.PrimaryKeyConstraint("store", "number", "position", name=op.f("pk_audit")),
    )
    op.create_table(
        "deadlines",
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("clock", sa.Text(), nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("started_at", MOMENT, nullable=True),
        sa.Column("met_at", MOMENT, nullable=True),
        sa.Column("breached_at", MOMENT, nullable=True),
        sa.Column("stopped_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["store", "number"], ["orders.store", "orders.number"], name=op.f("fk_deadlines_store_number")
        ),
        sa.PrimaryKeyConstraint("store", "number", "clock", "due_at", name=op.f("pk_deadlines")),
    )
    op.create_index(op.f("ix_deadlines_clock_due_at"), "deadlines", ["clock", "due_at"])

    op.create_table(
        "evidence",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("event_id", sa.Text(), nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("grade", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("occurred_at", MOMENT, nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=True),
        sa.Column("raw_sha256", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store", "number"], ["orders.store", "orders.number"], name=op.f("fk_evidence_store_number")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_evidence")),
        sa.UniqueConstraint("channel", "event_id", name=op.f("uq_evidence_channel_event_id")),
    )
    op.create_index(op.f("ix_evidence_store_number"), "evidence", ["store", "number"])

    op.create_table(
        "handoffs",
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("document_id", sa.Text(), nullable=True),
        sa.Column("answers", sa.Text(), nullable=False),
        sa.Column("offered_at", MOMENT, nullable=False),
        sa.Column("accepted_at", MOMENT, nullable=True),
        sa.Column("accepted_by", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["store", "number"], ["orders.store", "orders.number"], name=op.f("fk_handoffs_store_number")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_handoffs")),
        sa.UniqueConstraint("store", "number", "revision", name=op.f("uq_handoffs_store_number_revision")),
    )
    op.create_table(
        "order_ids",
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("system", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store", "number"], ["orders.store", "orders.number"], name=op.f("fk_order_ids_store_number")
        ),
        sa.PrimaryKeyConstraint("store", "number", "system", "id", name=op.f("pk_order_ids")),
    )
    op.create_index(op.f("ix_order_ids_id"), "order_ids", ["id"])

    op.create_table(
        "reviews",
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("opened_at", MOMENT, nullable=False),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.Column("why", sa.Text(), nullable=False),
        sa.Column("decided_at", MOMENT, nullable=True),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("verdict", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["store", "number"], ["orders.store", "orders.number"], name=op.f("fk_reviews_store_number")
        ),
        sa.PrimaryKeyConstraint("store", "number", "seq", name=op.f("pk_reviews")),
    )
    op.create_table(
        "revisions",
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("recorded_at", MOMENT, nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("content", sa.Text(), nullable=True),
        sa.Column("content_sha256", sa.Text(), nullable=False),
        sa.Column("assessment", sa.Text(), nullable=False),
        sa.Column("explanation", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("erp", sa.Text(), nullable=True),
        sa.Column("submitted_to_erp_at", MOMENT, nullable=True),
        sa.Column("erp_receipt_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["store", "number"], ["orders.store", "orders.number"], name=op.f("fk_revisions_store_number")
        ),
        sa.PrimaryKeyConstraint("store", "number", "revision", name=op.f("pk_revisions")),
    )
    op.create_index("ix_revisions_receipts", "revisions", ["erp", "erp_receipt_at"])

    op.create_table(
        "sends",
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("n", sa.Integer(), nullable=False),
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("provider_id", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("message_sha256", sa.Text(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("claimed_at", MOMENT, nullable=False),
        sa.Column("lease_until", MOMENT, nullable=False),
        sa.Column("in_doubt_since", MOMENT, nullable=True),
        sa.Column("finished_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(
            ["store", "number"], ["orders.store", "orders.number"], name=op.f("fk_sends_store_number")
        ),
        sa.PrimaryKeyConstraint("store", "number", "revision", "kind", "n", "channel", name=op.f("pk_sends")),
        sa.UniqueConstraint("key", name=op.f("uq_sends_key")),
    )
    op.create_index("ix_sends_provider_id", "sends", ["channel", "provider_id"])
    op.create_index(op.f("ix_sends_state"), "sends", ["state"])

    op.create_table(
        "timeline",
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("number", sa.Text(), nullable=False),
        sa.Column("seq", sa.Integer(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("event", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("note", sa.Text(), nullable=False),
        sa.Column("clock", sa.Text(), nullable=True),
        sa.Column("due_at", MOMENT, nullable=True),
        sa.Column("owner", sa.Text(), nullable=True),
        sa.ForeignKeyConstraint(
            ["store", "number"], ["orders.store", "orders.number"], name=op.f("fk_timeline_store_number")
        ),
        sa.PrimaryKeyConstraint("store", "number", "seq", name=op.f("pk_timeline")),
    )


def downgrade() -> None:
    for table in (
        *("timeline", "sends", "revisions", "reviews", "order_ids", "handoffs", "evidence"),
        *("deadlines", "audit", "acknowledgements", "orders", "inbox"),
    ):
        op.drop_table(table)
