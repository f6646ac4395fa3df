"""What reports ask of the ledger, and which of them were mailed: a part of `SqlLedger`."""

from collections.abc import Sequence
from datetime import datetime

from orderack.ledger import mailed, reliability, verification
from orderack.ledger.database import Database, uncut
from orderack.ports.reliability import Lives, MailEnd, Mailing


@uncut
class ReportRecord:
    """Each call is one short transaction."""

    _database: Database

    async def lives(self, cohort: reliability.Cohort) -> Lives:
        """What became of a store's orders of a span, as of one moment."""
        async with self._database.read() as session:
            await verification.one_look(session)
            return await reliability.lives(session, cohort)

    async def stores_with_orders(self, since: datetime, until: datetime) -> Sequence[str]:
        """Stores that had an order in the span."""
        async with self._database.read() as session:
            return await reliability.stores(session, since, until)

    async def mailings(self, report: str) -> Sequence[Mailing]:
        """Every attempt to mail this report to this address, the first one first; see `orderack.ledger.mailed`."""
        async with self._database.read() as session:
            return await mailed.mailings(session, report)

    async def begin_mailing(self, report: str, n: int, now: datetime) -> Mailing | None:
        """Claim the `n`th attempt; None where another has it."""
        async with self._database.write() as session:
            return await mailed.begin(session, report, n, now)

    async def end_mailing(self, mailing: Mailing, how: MailEnd) -> None:
        """How the attempt ended."""
        async with self._database.write() as session:
            await mailed.end(session, mailing, how)
