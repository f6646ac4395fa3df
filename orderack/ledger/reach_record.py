"""The ledger's calls about reaching customers: each is one short transaction. `repository.SqlLedger` has them all."""

from datetime import datetime

from orderack.domain.reachability import Reachability, ReachReport
from orderack.ledger import reachability
from orderack.ledger.database import Database, uncut
from orderack.ports import ReachAsked


@uncut
class ReachRecord:
    """What `orderack.ports.Ledger` asks of it, and what reports do. Every call may raise Unavailable."""

    _database: Database

    async def reachability(self, asked: ReachAsked) -> Reachability:
        async with self._database.read() as session:
            return await reachability.reachability(session, asked)

    async def reach_report(
        self, since: datetime, until: datetime, now: datetime, store: str | None = None
    ) -> ReachReport:
        """How buyers were reached by what was sent in this span, and whom it is known `now` how to reach better."""
        async with self._database.read() as session:
            return await reachability.reach_report(session, since, until, now, store)
