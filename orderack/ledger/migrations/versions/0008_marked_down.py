"""What orderack itself has marked down and tries again by itself; and whose clock an order's next deadline is."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("pauses") as pauses:
        pauses.add_column(sa.Column("probe_at", sa.DateTime(timezone=True), nullable=True))
    with op.batch_alter_table("orders") as orders:
        orders.add_column(sa.Column("next_clock", sa.Text(), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("orders") as orders:
        orders.drop_column("next_clock")
    with op.batch_alter_table("pauses") as pauses:
        pauses.drop_column("probe_at")
