"""Orders as they last stood at their source, where polling left off, and what sources were answered."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def moment(name: str, *, null: bool = True) -> sa.Column[object]:
    return sa.Column(name, MOMENT, nullable=null)


def upgrade() -> None:
    op.create_table(
        "source_orders",
        *(text(name) for name in ("store", "system", "external_id", "number")),
        moment("at"),
        text("content_hash", null=True),
        text("payment", null=True),
        sa.Column("cancelled", sa.Boolean(), nullable=False),
        moment("held_until"),
        sa.PrimaryKeyConstraint("store", "system", "external_id", name=op.f("pk_source_orders")),
        sa.UniqueConstraint("store", "number", name=op.f("uq_source_orders_store_number")),
    )
    op.create_table(
        "cursors",
        text("name"),
        text("cursor"),
        moment("looked_at", null=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_cursors")),
    )
    op.create_table(
        "answers",
        text("store"),
        text("number"),
        sa.Column("revision", sa.Integer(), nullable=False),
        *(text(name) for name in ("stage", "state", "reference", "detail")),
        moment("at", null=False),
        sa.PrimaryKeyConstraint("store", "number", "revision", "stage", name=op.f("pk_answers")),
    )


def downgrade() -> None:
    op.drop_table("answers")
    op.drop_table("cursors")
    op.drop_table("source_orders")
