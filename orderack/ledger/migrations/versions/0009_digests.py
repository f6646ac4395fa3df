"""Who has an exception in hand, what its owner was told of it, and the digests by which."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def text(name: str, *, null: bool = False) -> sa.Column[str]:
    return sa.Column(name, sa.Text(), nullable=null)


def moment(name: str, *, null: bool = False) -> sa.Column[object]:
    return sa.Column(name, MOMENT, nullable=null)


def number(name: str) -> sa.Column[int]:
    return sa.Column(name, sa.Integer(), nullable=False)


def upgrade() -> None:
    with op.batch_alter_table("exceptions") as exceptions:
        exceptions.add_column(text("claimed_by", null=True))
        exceptions.add_column(moment("claimed_at", null=True))
        # The default stays: workers of the version before, which know nothing of it, open exceptions too.
        exceptions.add_column(sa.Column("told", sa.Integer(), nullable=False, server_default="0"))
        exceptions.add_column(text("told_to", null=True))
        exceptions.add_column(moment("told_at", null=True))
    op.create_table(
        "digests",
        number("id"),
        *(text(name) for name in ("team", "owner", "state")),
        number("version"),
        moment("made_at"),
        moment("at"),
        text("problem"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_digests")),
    )
    op.create_index(op.f("ix_digests_state_team_owner"), "digests", ["state", "team", "owner"])
    op.create_table(
        "digest_items",
        number("digest"),
        *(text(name) for name in ("store", "number", "kind")),
        number("revision"),
        sa.Column("news", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["digest"], ["digests.id"], name=op.f("fk_digest_items_digest")),
        sa.PrimaryKeyConstraint("digest", "store", "number", "kind", "revision", name=op.f("pk_digest_items")),
    )
    op.create_index(op.f("ix_digest_items_store_number"), "digest_items", ["store", "number"])
    op.create_table(
        "digest_sends",
        number("digest"),
        *(text(name) for name in ("channel", "key", "state")),
        text("provider_id", null=True),
        *(text(name) for name in ("reason", "detail")),
        text("message", null=True),
        text("message_sha256"),
        number("attempts"),
        *(moment(name) for name in ("claimed_at", "lease_until")),
        *(moment(name, null=True) for name in ("in_doubt_since", "finished_at", "turn_at")),
        sa.ForeignKeyConstraint(["digest"], ["digests.id"], name=op.f("fk_digest_sends_digest")),
        sa.PrimaryKeyConstraint("digest", "channel", name=op.f("pk_digest_sends")),
        sa.UniqueConstraint("key", name=op.f("uq_digest_sends_key")),
    )


def downgrade() -> None:
    op.drop_table("digest_sends")
    op.drop_index(op.f("ix_digest_items_store_number"), "digest_items")
    op.drop_table("digest_items")
    op.drop_index(op.f("ix_digests_state_team_owner"), "digests")
    op.drop_table("digests")
    with op.batch_alter_table("exceptions") as exceptions:
        for name in ("told_at", "told_to", "told", "claimed_at", "claimed_by"):
            exceptions.drop_column(name)
