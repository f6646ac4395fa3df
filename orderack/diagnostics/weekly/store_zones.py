"""The stores of a report, each with its time zone, and which week is the last that is over in all of them."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Protocol
from zoneinfo import ZoneInfo

from orderack.diagnostics.weekly.report import LEAST
from orderack.diagnostics.weekly.weeks import Week, last_whole
from orderack.policy.load import PolicyInvalid, load_policy


class Stores(Protocol):
    """The ledger, as far as it names stores."""

    async def stores_with_orders(self, since: datetime, until: datetime) -> Sequence[str]:
        """Stores that had an order in the span."""
        ...


def of_policy(folder: Path) -> dict[str, tzinfo]:
    """The policy's stores; none where it cannot be read."""
    try:
        stores = load_policy(folder).stores
    except PolicyInvalid:
        return {}
    return {name: ZoneInfo(row.profile.time_zone) for name, row in stores.items()}


async def zones(ledger: Stores, known: Mapping[str, tzinfo], week: Week, weeks: int) -> dict[str, tzinfo]:
    """The policy's stores, and the ledger's of about that time; a store that the policy does not know lives in UTC."""
    since, until = week.before(max(weeks, LEAST) + 1).begins(UTC), week.before(-1).ends(UTC)
    names = sorted({*known, *await ledger.stores_with_orders(since, until)})
    return {name: known.get(name, UTC) for name in names}


def last_over(zones: Mapping[str, tzinfo], at: datetime) -> Week:
    """The last week that was over at that time for every store."""
    return min((last_whole(at, zone) for zone in zones.values()), default=last_whole(at, UTC))
