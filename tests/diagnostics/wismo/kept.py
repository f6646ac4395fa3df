"""The generated orders as rows of a real ledger, and the generated tickets as a helpdesk's export."""

import csv
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from sqlalchemy import insert

from orderack.contracts.journal import ClockName, Event, Stage
from orderack.domain.acknowledgement import Kind
from orderack.ledger.database import sql_table
from orderack.ledger.repository import SqlLedger
from orderack.ledger.tables import Acknowledgements, Deadlines, Orders, Revisions, Table, Timeline
from orderack.ports.helpdesk import Ticket
from orderack.ports.wismo import WatchedOrder
from tests.diagnostics.wismo.world import Book

AT_ONCE = 1_000
Row = dict[str, Any]


async def keep(ledger: SqlLedger, book: Book) -> None:
    """Insert what the ledger would hold of these orders, so far as the watch reads it."""
    rows: dict[type[Table], list[Row]] = {}
    for order in book.orders:
        for table, row in _rows(order, book.emails[order.ref]):
            rows.setdefault(table, []).append(row)
    async with ledger._database.write() as session:
        for table in (Orders, Revisions, Acknowledgements, Deadlines, Timeline):
            every = rows.get(table, [])
            for start in range(0, len(every), AT_ONCE):
                await session.execute(insert(sql_table(table)), every[start : start + AT_ONCE])


def _rows(order: WatchedOrder, email: str) -> Iterator[tuple[type[Table], Row]]:
    of = {"store": order.ref.store, "number": order.ref.number}
    yield (
        Orders,
        of
        | {"received_at": order.trigger_at, "updated_at": order.trigger_at, "stage": Stage.CLOSED, "revision": 1}
        | {"journal_seq": 0, "content_revision": 1, "source": order.source, "trigger_at": order.trigger_at}
        | {"email": email, "quantities": "{}", "chain_length": 0, "chain_head": ""},
    )
    blank = {"content_hash": "", "content_sha256": "", "assessment": "{}", "explanation": "", "fingerprint": ""}
    times = {"recorded_at": order.trigger_at, "erp_receipt_at": order.erp_receipt_at}
    yield Revisions, of | blank | times | {"revision": 1}
    said = {Kind.RECEIVED: order.told_at, Kind.CONFIRMATION: order.confirmed_at}
    if order.held and order.told_at:
        said[Kind.HOLDING] = order.told_at
    for kind, at in said.items():
        if at is not None:
            yield Acknowledgements, of | {"revision": 1, "kind": kind, "n": 1, "first_claimed_at": at, "out_at": at}
    if order.promised_at is not None:
        yield Deadlines, of | {"clock": ClockName.ACKNOWLEDGE, "due_at": order.promised_at}
    if order.escalated:
        yield Timeline, of | {"seq": 1, "at": order.trigger_at, "event": Event.ESCALATED, "revision": 1, "note": ""}


def export(tickets: Sequence[Ticket], file: Path) -> Path:
    """As Zendesk's CSV export names its columns."""
    with file.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(["Ticket ID", "Created at", "Requester email", "Subject", "Description", "Tags", "Status"])
        for one in tickets:
            at = one.created_at.strftime("%Y-%m-%d %H:%M:%S")
            writer.writerow([one.id, at, one.email or "", one.subject, one.text, ", ".join(sorted(one.tags)), "open"])
    return file
