"""Which store a shadow command is about, how it stands, and its report."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from orderack.cli.exits import bad
from orderack.cli.shadow_gate import by_policy
from orderack.diagnostics.shadow.compare import compare
from orderack.diagnostics.shadow.report import Report, Terms
from orderack.domain.unknown_fields import closest
from orderack.ledger.repository import SqlLedger
from orderack.policy.duration import parse_duration
from orderack.policy.load import load_policy
from orderack.policy.model import StorePolicy
from orderack.settings import Settings

Store = Annotated[str | None, typer.Option("--store", help="The store; where the policy has one only, it is that.")]
Since = Annotated[
    str | None,
    typer.Option("--since", help="Of orders from then on: 7d, 12h, or an ISO time. Default: all.", metavar="WHEN"),
]
Settle = Annotated[
    str, typer.Option("--settle", help="Orders younger than this are not compared yet.", metavar="DURATION")
]
Budget = Annotated[
    str, typer.Option("--budget", help="Messages further apart than this are later or earlier.", metavar="DURATION")
]
SETTLE, BUDGET = "15m", "60s"


def the_store(name: str | None) -> str:
    """A store of the policy. Raises InvalidInput."""
    stores = load_policy(Settings().policy_dir).stores
    if name is None:
        if len(stores) == 1:
            return next(iter(stores))
        raise bad("--store", "is missing", f"name one of {', '.join(stores)}")
    if name not in stores:
        guess = closest(name, sorted(stores))
        raise bad("STORE", f"the policy has no store {name!r}", f"did you mean {guess or ', '.join(stores)}?")
    return name


def policy_of(store: str) -> StorePolicy:
    return load_policy(Settings().policy_dir).stores[store]


async def live_percent(ledger: SqlLedger, store: str) -> int:
    """How many in a hundred of the store's new orders go live now: by its last cutover, else by its policy."""
    if stands := await ledger.last_cutover(store):
        return stands.live_percent
    return by_policy(policy_of(store))


def span(option: str, text: str) -> timedelta:
    """A duration; `0s` too. Raises InvalidInput."""
    try:
        return parse_duration(text)
    except ValueError as error:
        raise bad(option, *str(error).split("; ", 1)) from None


def moment(text: str | None, now: datetime) -> datetime | None:
    """`7d` ago, or an ISO time (without a zone: UTC). Raises InvalidInput."""
    if text is None:
        return None
    try:
        return now - parse_duration(text)
    except ValueError:
        pass
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        raise bad("--since", f"{text!r} is no time", "write 7d, 12h or 2026-03-02T09:30Z") from None
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def terms(settle: str, budget: str) -> Terms:
    return Terms(settle=span("--settle", settle), budget=span("--budget", budget))


async def report_of(ledger: SqlLedger, store: str, how: Terms, now: datetime, since: datetime | None = None) -> Report:
    """The report as of now, of orders since then."""
    return compare(await ledger.shadow_facts(store, since), how, now, since)
