"""Opt-outs by address, pauses, and turns by channel and store."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("sends", sa.Column("turn_at", MOMENT, nullable=True))
    op.create_index("ix_sends_health", "sends", ["channel", "state", "finished_at"])
    op.create_table(
        "reaches",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("address_sha256", sa.Text(), nullable=False),
        *(sa.Column(name, MOMENT, nullable=True) for name in ("heard_at", "opted_out_at", "opted_in_at")),
        sa.Column("basis", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("channel", "address_sha256", name=op.f("pk_reaches")),
    )
    op.create_table(
        "pauses",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("by", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("channel", name=op.f("pk_pauses")),
    )
    op.create_table(
        "lanes",
        sa.Column("channel", sa.Text(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("next_at", MOMENT, nullable=False),
        sa.Column("asked_at", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("channel", "store", name=op.f("pk_lanes")),
    )


def downgrade() -> None:
    op.drop_table("lanes")
    op.drop_table("pauses")
    op.drop_table("reaches")
    op.drop_index("ix_sends_health", "sends")
    with op.batch_alter_table("sends") as batch:
        batch.drop_column("turn_at")
