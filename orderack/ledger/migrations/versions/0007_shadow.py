"""The shadow run: an order's side, what would have gone out, what the old flow did, and a store's cutovers."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def moment(name: str, *, null: bool = False) -> sa.Column[object]:
    return sa.Column(name, MOMENT, nullable=null)


def number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=null)


def figures() -> tuple[sa.Column[object], ...]:
    money = sa.Numeric().with_variant(sa.Text(), "sqlite")
    return (
        sa.Column("total", money, nullable=True),
        sa.Column("currency", sa.Text(), nullable=True),
        sa.Column("lines", sa.Integer(), nullable=True),
        sa.Column("promise_on", sa.Date(), nullable=True),
    )


def upgrade() -> None:
    with op.batch_alter_table("orders") as orders:
        orders.add_column(text("side", null=True))
    op.create_table(
        "shadow_messages",
        *(text(name) for name in ("key", "store", "number")),
        number("revision"),
        text("kind"),
        number("n"),
        *(text(name) for name in ("channel", "audience", "role")),
        moment("at"),
        text("recipient_sha256", null=True),
        text("message_sha256"),
        text("subject", null=True),
        text("text", null=True),
        *figures(),
        text("document_id", null=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_shadow_messages")),
    )
    op.create_index(op.f("ix_shadow_messages_store_number"), "shadow_messages", ["store", "number"])
    op.create_table(
        "shadow_acts",
        text("store"),
        text("number"),
        number("revision"),
        text("kind"),
        text("detail"),
        moment("at"),
        sa.PrimaryKeyConstraint("store", "number", "revision", "kind", "detail", name=op.f("pk_shadow_acts")),
    )
    op.create_table(
        "old_events",
        *(text(name) for name in ("store", "id", "number", "said")),
        text("kind", null=True),
        moment("at"),
        text("channel"),
        number("revision", null=True),
        *figures(),
        moment("recorded_at"),
        text("content_sha256"),
        sa.PrimaryKeyConstraint("store", "id", name=op.f("pk_old_events")),
    )
    op.create_index(op.f("ix_old_events_store_number"), "old_events", ["store", "number"])
    op.create_table(
        "shadow_verdicts",
        text("store"),
        text("subject"),
        moment("at"),
        *(text(name) for name in ("verdict", "by", "note")),
        moment("expires_at", null=True),
        sa.PrimaryKeyConstraint("store", "subject", "at", name=op.f("pk_shadow_verdicts")),
    )
    op.create_table(
        "cutovers",
        text("store"),
        number("n"),
        moment("at"),
        text("by"),
        number("live_percent"),
        sa.Column("back", sa.Boolean(), nullable=False),
        text("note"),
        text("measured"),
        sa.PrimaryKeyConstraint("store", "n", name=op.f("pk_cutovers")),
    )


def downgrade() -> None:
    op.drop_table("cutovers")
    op.drop_table("shadow_verdicts")
    op.drop_index(op.f("ix_old_events_store_number"), "old_events")
    op.drop_table("old_events")
    op.drop_table("shadow_acts")
    op.drop_index(op.f("ix_shadow_messages_store_number"), "shadow_messages")
    op.drop_table("shadow_messages")
    with op.batch_alter_table("orders") as orders:
        orders.drop_column("side")
