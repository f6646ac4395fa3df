"""That a store which had run in shadow went live by its policy alone, and with which order that was seen."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "gates_unasked",
        *(sa.Column(name, sa.Text(), nullable=False) for name in ("store", "policy_version", "number")),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("live_percent", sa.Integer(), nullable=False),
        sa.Column("shadow_orders", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("store", "policy_version", name=op.f("pk_gates_unasked")),
    )
    op.create_index(op.f("ix_gates_unasked_store_number"), "gates_unasked", ["store", "number"])


def downgrade() -> None:
    op.drop_index(op.f("ix_gates_unasked_store_number"), "gates_unasked")
    op.drop_table("gates_unasked")
