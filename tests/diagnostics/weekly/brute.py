"""The same figures counted another way: by SQL over the raw tables, and from each order's timeline as a string.

Nothing here is shared with what it checks but the tables themselves.
"""

import re
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Any
from zoneinfo import ZoneInfo

import numpy as np
from sqlalchemy import bindparam, text

from orderack.ledger.columns import Moment
from orderack.ledger.repository import SqlLedger

COHORT = "o.store = :store AND o.side IS NULL AND o.trigger_at >= :since AND o.trigger_at < :until"
SAME = "x.store = o.store AND x.number = o.number"
SPOKEN = "x.kind <> 'alert' AND x.out_at < :by"
CLOCK = "EXISTS (SELECT 1 FROM deadlines d WHERE d.store = o.store AND d.number = o.number AND d.clock = '{}' AND {})"


@dataclass
class Brute:
    """One store's orders of a span, as they stood at `by`."""

    ledger: SqlLedger
    store: str
    since: datetime
    until: datetime
    by: datetime
    zone: ZoneInfo

    async def number(self, sql: str) -> int:
        return int((await self.rows(sql))[0][0] or 0)

    async def rows(self, sql: str, *moments: str) -> Sequence[Any]:
        """`moments`: the columns that are times."""
        names = [name for name in ("since", "until", "by") if re.search(f":{name}\\b", sql)]
        statement: Any = text(sql).bindparams(*(bindparam(name, type_=Moment()) for name in names))
        if moments:
            statement = statement.columns(**dict.fromkeys(moments, Moment()))
        values = {name: getattr(self, name) for name in (*names, *(("store",) if ":store" in sql else ()))}
        async with self.ledger._database.read() as session:
            return (await session.execute(statement, values)).all()

    async def orders(self, condition: str = "1 = 1") -> int:
        return await self.number(f"SELECT count(*) FROM orders o WHERE {COHORT} AND {condition}")

    def having(self, table: str, condition: str) -> str:
        return f"EXISTS (SELECT 1 FROM {table} x WHERE {SAME} AND {condition})"

    async def with_event(self, *events: str) -> int:
        names = ", ".join(f"'{event}'" for event in events)
        return await self.orders(self.having("timeline", f"x.event IN ({names}) AND x.at < :by"))

    async def events(self, event: str) -> int:
        return await self.number(
            f"SELECT count(*) FROM orders o JOIN timeline x ON {SAME} WHERE {COHORT} AND x.event = '{event}' "
            "AND x.at < :by"
        )

    async def told(self) -> tuple[int, int, int]:
        """In time, owed, never told."""
        said = f"(SELECT min(x.out_at) FROM acknowledgements x WHERE {SAME} AND {SPOKEN})"
        promised = CLOCK.format("acknowledge_within", f"d.started_at < :by AND (d.due_at < :by OR {said} IS NOT NULL)")
        in_time = CLOCK.format("acknowledge_within", f"d.started_at < :by AND {said} <= d.due_at")
        return (
            await self.orders(in_time),
            await self.orders(promised),
            await self.orders(f"{promised} AND {said} IS NULL"),
        )

    async def told_after(self) -> list[float]:
        rows = await self.rows(
            f"SELECT o.trigger_at AS a, min(x.out_at) AS b FROM orders o JOIN acknowledgements x ON {SAME} "
            f"WHERE {COHORT} AND {SPOKEN} AND {CLOCK.format('acknowledge_within', 'd.started_at < :by')} "
            "GROUP BY o.number, o.trigger_at",
            "a",
            "b",
        )
        return [max(0.0, (b - a).total_seconds()) for a, b in rows]

    async def receipt_after(self) -> list[float]:
        rows = await self.rows(
            f"SELECT o.trigger_at AS a, x.erp_receipt_at AS b FROM orders o JOIN revisions x ON {SAME} "
            f"WHERE {COHORT} AND x.revision = 1 AND x.erp_receipt_at < :by",
            "a",
            "b",
        )
        return [max(0.0, (b - a).total_seconds()) for a, b in rows]

    async def without_receipt(self) -> int:
        given = (
            "x.revision = 1 AND x.submitted_to_erp_at < :by AND (x.erp_receipt_at IS NULL OR x.erp_receipt_at >= :by)"
        )
        off = self.having("timeline", "x.event IN ('cancelled', 'rejected') AND x.at < :by")
        return await self.orders(f"{self.having('revisions', given)} AND NOT {off}")

    async def early(self) -> set[str]:
        rows = await self.rows(
            f"SELECT DISTINCT o.number FROM orders o JOIN acknowledgements x ON {SAME} JOIN revisions r "
            "ON r.store = o.store AND r.number = o.number AND r.revision = x.revision "
            f"WHERE {COHORT} AND x.kind = 'confirmation' AND x.out_at < :by "
            "AND (r.erp_receipt_at IS NULL OR r.erp_receipt_at >= :by OR r.erp_receipt_at > x.out_at)"
        )
        return {f"{self.store}/{number}" for (number,) in rows}

    async def clock(self, name: str) -> tuple[int, int]:
        """Kept and broken."""
        runs = f"SELECT count(*) FROM orders o JOIN deadlines x ON {SAME} WHERE {COHORT} AND x.clock = '{name}'"
        kept = "x.met_at < :by AND (x.breached_at IS NULL OR x.breached_at >= :by)"
        late = "x.due_at < :by AND coalesce(x.met_at, :by) >= :by AND coalesce(x.stopped_at, :by) >= :by"
        return await self.number(f"{runs} AND {kept}"), await self.number(
            f"{runs} AND (x.breached_at < :by OR ({late}))"
        )

    async def changes(self) -> tuple[int, int, int]:
        """Proposed, acknowledged, confirmed."""
        change = f"SELECT count(*) FROM orders o JOIN timeline x ON {SAME} WHERE {COHORT} AND x.at < :by"
        change += " AND x.event = 'change_proposed'"
        of = "SELECT 1 FROM acknowledgements a WHERE a.store = o.store AND a.number = o.number AND a.out_at < :by"
        return (
            await self.number(change),
            await self.number(
                f"{change} AND EXISTS ({of} AND a.kind = 'change_received' AND a.revision = x.revision + 1)"
            ),
            await self.number(f"{change} AND EXISTS ({of} AND a.kind = 'confirmation' AND a.revision > x.revision)"),
        )

    async def handoffs(self) -> tuple[int, list[float]]:
        rows = await self.rows(
            f"SELECT x.offered_at AS a, x.accepted_at AS b FROM orders o JOIN handoffs x ON {SAME} "
            f"WHERE {COHORT} AND x.offered_at < :by",
            "a",
            "b",
        )
        return len(rows), [(b - a).total_seconds() for a, b in rows if b is not None and b < self.by]

    async def reached(self, grades: str) -> int:
        """Confirmations with a proof of one of these grades; what is delivered proves no more than E2."""
        proof = f"e.grade IN ({grades}) AND e.occurred_at < :by"
        if "'E2'" not in grades:
            proof += " AND e.event <> 'delivered'"
        return await self.number(
            f"SELECT count(*) FROM orders o JOIN acknowledgements x ON {SAME} WHERE {COHORT} AND x.out_at < :by AND "
            "x.kind = 'confirmation' AND EXISTS (SELECT 1 FROM evidence e WHERE e.store = o.store AND "
            f"e.number = o.number AND e.revision = x.revision AND e.n = x.n AND e.kind = 'confirmation' AND {proof})"
        )

    async def disputed(self) -> int:
        page = self.having("evidence", "x.event = 'disputed' AND x.occurred_at < :by")
        said = self.having("timeline", "x.event = 'cancel_requested' AND x.note LIKE '%, disputed' AND x.at < :by")
        return await self.orders(f"({page} OR {said})")

    async def lives(self) -> dict[str, list[Any]]:
        """The timeline of each order, by seq, as far as it was known."""
        found = defaultdict(list)
        for row in await self.rows(
            f"SELECT o.number AS number, x.at AS at, x.event AS event, x.note AS note, x.clock AS clock, "
            f"x.revision AS revision FROM orders o JOIN timeline x ON {SAME} WHERE {COHORT} AND x.at < :by "
            "ORDER BY o.number, x.seq",
            "at",
        ):
            found[row.number].append(row)
        return found

    async def same_day(self) -> tuple[int, int]:
        """Escalations that ended on their day, and those that have not ended."""
        same = left = 0
        for life in (await self.lives()).values():
            days = [
                (row.event == "escalated", row.at.astimezone(self.zone).strftime("%F"))
                for row in life
                if row.event in ("escalated", "de_escalated")
            ]
            same += sum(a[0] and not b[0] and a[1] == b[1] for a, b in pairwise(days))
            left += bool(days) and days[-1][0]
        return same, left

    async def reviews(self) -> list[timedelta | None]:
        """How long each took, from the timeline alone; None: not decided."""
        found: list[timedelta | None] = []
        for life in (await self.lives()).values():
            opened: datetime | None = None
            for row in life:
                if row.event == "review_opened":
                    opened = opened or row.at
                elif row.event == "review_decided" and row.note != "ask" and opened:
                    found.append(row.at - opened)
                    opened = None
            found += [None] if opened else []
        return found

    async def reassigned(self) -> int:
        """As letters: R review opened, H handed off, C the claim's clock ran out, c another clock, A reassigned."""
        letters = {"review_opened": "R", "handed_off": "H", "clock_breached": "c", "reassigned": "A"}
        count = 0
        for life in (await self.lives()).values():
            said = "".join(
                "C" if (row.event, row.clock) == ("clock_breached", "claim_within") else letters[row.event]
                for row in life
                if row.event in letters
            )
            for match in re.finditer("A", said):
                before = said[: match.start()]
                count += before.rfind("H") > before.rfind("R") and before.rfind("C") > before.rfind("c")
        return count

    async def open_pairs(self, more: str, fewer: str) -> int:
        count = 0
        for life in (await self.lives()).values():
            events = [row.event for row in life]
            count += max(0, events.count(more) - events.count(fewer))
        return count


def quantile(values: Sequence[float], q: float) -> float:
    return float(np.quantile(np.array(values), q, method="inverted_cdf"))
