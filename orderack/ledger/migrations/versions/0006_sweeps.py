"""Exceptions that a person owns, and how the last sweep of each ERP ended."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def moment(name: str, *, null: bool = True) -> sa.Column[object]:
    return sa.Column(name, MOMENT, nullable=null)


def number(name: str, *, null: bool = False) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=null)


def upgrade() -> None:
    op.create_table(
        "exceptions",
        *(text(name) for name in ("store", "number", "kind")),
        number("revision"),
        text("system"),
        number("event", null=True),
        *(moment(name, null=False) for name in ("since", "opened_at", "seen_at")),
        text("owner", null=True),
        number("reopened"),
        moment("closed_at"),
        text("closed_by", null=True),
        text("note"),
        sa.PrimaryKeyConstraint("store", "number", "kind", "revision", name=op.f("pk_exceptions")),
    )
    op.create_index(op.f("ix_exceptions_closed_at_kind"), "exceptions", ["closed_at", "kind"])
    op.create_table(
        "sweeps",
        text("name"),
        text("run"),
        moment("began_at", null=False),
        moment("at", null=False),
        moment("ended_at"),
        moment("complete_at"),
        moment("failed_at"),
        text("failure"),
        *(number(name) for name in ("waiting", "asked", "unanswered", "receipted", "opened", "closed")),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_sweeps")),
    )


def downgrade() -> None:
    op.drop_table("sweeps")
    op.drop_index(op.f("ix_exceptions_closed_at_kind"), "exceptions")
    op.drop_table("exceptions")
