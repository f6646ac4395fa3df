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

AT_ONCE = 50
"""Attempts at one report for one address that are looked for in one question."""


async def mailings(session: AsyncSession, report: str) -> Sequence[Mailing]:
    """See `orderack.ledger.report_record`. By the unique index, and whatever the database's collation."""
    found: list[Mailing] = []
    while len(found) % AT_ONCE == 0:  # attempts are numbered without a gap
        some = await _numbered(session, report, range(len(found) + 1, len(found) + 1 + AT_ONCE))
        if not some:
            break
        found += some
    return found


async def _numbered(session: AsyncSession, report: str, numbers: range) -> Sequence[Mailing]:
    ids = {_id(report, n): n for n in numbers}
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
