"""The ledger's rows, read and nothing else: from a SQLite file or a PostgreSQL database."""

import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from sqlalchemy import Connection, create_engine, make_url, select
from sqlalchemy.pool import NullPool

from orderack.domain.value import Value
from orderack.ledger import tables
from orderack.ledger.database import sql_table
from orderack.ledger.tables import Table
from tests.invariants import logs

R = TypeVar("R", bound=Value)


def read(url: str) -> tuple[logs.Ledger, tuple[logs.InboxRow, ...]]:
    """Everything the checks look at, in one consistent look."""
    with _connected(url) as connection:
        ledger = logs.Ledger(
            orders=_rows(connection, tables.Orders, logs.OrderRow),
            revisions=_rows(connection, tables.Revisions, logs.RevisionRow),
            sends=_rows(connection, tables.Sends, logs.SendRow),
            acknowledgements=_rows(connection, tables.Acknowledgements, logs.AcknowledgementRow),
            evidence=_rows(connection, tables.Evidence, logs.EvidenceRow),
            timeline=_rows(connection, tables.Timeline, logs.TimelineRow),
            reaches=_rows(connection, tables.Reaches, logs.ReachRow),
        )
        return ledger, _rows(connection, tables.Inbox, logs.InboxRow)


@contextmanager
def _connected(url: str) -> Iterator[Connection]:
    target = make_url(url)
    if target.get_backend_name() == "sqlite":
        opened = f"file:{target.database}?mode=ro"
        engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(opened, uri=True), poolclass=NullPool)
    else:
        engine = create_engine(
            target.set(drivername="postgresql+psycopg"),
            isolation_level="REPEATABLE READ",
            execution_options={"postgresql_readonly": True},
            poolclass=NullPool,
        )
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _rows(connection: Connection, table: type[Table], model: type[R]) -> tuple[R, ...]:
    """Only the columns that the checks know, so that a ledger of an earlier version reads as well."""
    columns = [column for column in sql_table(table).columns if column.name in model.model_fields]
    order = list(sql_table(table).primary_key)
    found: Sequence[dict[str, object]] = [
        dict(row) for row in connection.execute(select(*columns).order_by(*order)).mappings()
    ]
    return tuple(model.model_validate(row) for row in found)
