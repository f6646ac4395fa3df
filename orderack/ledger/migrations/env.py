"""Alembic's entry: runs the migrations on the connection that `orderack.ledger.schema` hands over."""

from alembic import context

from orderack.ledger.shadow_tables import ShadowMessages
from orderack.ledger.source_tables import SourceOrders
from orderack.ledger.sweep_tables import Sweeps

TABLES = (ShadowMessages, SourceOrders, Sweeps)
"""One of each file of tables, so that all of them are read: they share one metadata."""

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=TABLES[0].metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
