"""Which report was mailed to whom: claimed before it goes out, so that two runs at once send one mail.

An attempt is a row of the inbox, whose unique (source, external id) is what makes a claim one. It is no event of
anybody's and is never to be announced, so it is written as announced from the start; `outcome` is its end. The address
is not in it, only its SHA-256.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlmodel import col

from orderack.ledger.database import inserted, sql_table
from orderack.ledger.tables import Inbox
from orderack.ports.reliability import MailEnd, Mailing

SOURCE, KIND = "reports", "report_mail"
"""Frozen: they stand in the inbox."""

MOST = 50
"""Attempts at one report for one address."""


async def mailings(session: AsyncSession, report: str) -> Sequence[Mailing]:
    """See `orderack.ledger.report_record`. By the unique index, and whatever the database's collation."""
    ids = {_id(report, n): n for n in range(1, MOST + 1)}
    query = select(Inbox).filter_by(source=SOURCE).where(col(Inbox.external_id).in_(ids))
    rows = (await session.execute(query)).scalars()
    found = [Mailing(report, ids[row.external_id], row.received_at, MailEnd(row.outcome)) for row in rows]
    return sorted(found, key=lambda mailing: mailing.n)


async def begin(session: AsyncSession, report: str, n: int, now: datetime) -> Mailing | None:
    """See `orderack.ledger.report_record`."""
    row = {
        "source": SOURCE,
        "external_id": _id(report, n),
        "kind": KIND,
        "store": None,
        "number": None,
        "body": "",
        "received_at": now,
        "announced_at": now,
        "outcome": MailEnd.BEGUN,
    }
    mine = await inserted(session, Inbox, row) is not None
    return Mailing(report, n, now, MailEnd.BEGUN) if mine else None


async def end(session: AsyncSession, mailing: Mailing, how: MailEnd) -> None:
    """See `orderack.ledger.report_record`."""
    own = update(sql_table(Inbox)).where(col(Inbox.external_id) == _id(mailing.report, mailing.n))
    await session.execute(own.where(col(Inbox.source) == SOURCE).values(outcome=how))


def _id(report: str, n: int) -> str:
    return f"{report}/{n}"
