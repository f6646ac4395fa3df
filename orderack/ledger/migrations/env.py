"""Alembic's entry: runs the migrations on the connection that `orderack.ledger.schema` hands over."""

from alembic import context

from orderack.ledger.source_tables import SourceOrders

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=SourceOrders.metadata,
    render_as_batch=True,
    compare_type=True,
)
context.run_migrations()
