"""Stores that have run in shadow and that the policy, or an edit of it, takes live without their gate being asked."""

from collections.abc import Sequence

from orderack.cli.doctor_findings import Finding, Standing, ok, warn
from orderack.cli.doctor_ledger import check_schema, ledger_as_it_is
from orderack.cli.printing import when
from orderack.diagnostics.wording import counted
from orderack.domain.shadow import ALL_LIVE, NONE_LIVE
from orderack.errors import OrderAckError
from orderack.ledger.repository import SqlLedger
from orderack.ledger.shadow_gate import Unasked
from orderack.policy.model import Policy, StoreMode, StorePolicy
from orderack.settings import Settings

CHECK = "shadow-gate"


def by_policy(store: StorePolicy) -> int:
    """How many in a hundred of its new orders the file alone takes live."""
    return ALL_LIVE if store.mode is StoreMode.LIVE else store.live_percent or NONE_LIVE


async def check_gates(ledger: SqlLedger, policy: Policy) -> list[Finding]:
    """One for each store that is live by its policy alone after a shadow run; else one for all."""
    found = [
        _said(name, store, unasked)
        for name, store in policy.stores.items()
        if by_policy(store) and (unasked := await ledger.gate_unasked(name)) is not None
    ]
    return found or [ok(CHECK, "no store went live past the gate of its shadow run")]


def _said(name: str, store: StorePolicy, unasked: Unasked) -> Finding:
    share = by_policy(store)
    how = "live" if share == ALL_LIVE else f"live for {share} in 100 orders"
    seen = "no order has come since"
    if unasked.seen and unasked.seen_at:
        seen = f"first seen {when(unasked.seen_at)} with {unasked.seen}, by policy {unasked.policy_version}"
    orders = counted(unasked.shadow_orders, "shadow order")
    return warn(
        f"{CHECK}/{name}",
        f"its policy takes it {how} after {orders}, and nobody asked the gate of the shadow run; {seen}",
        f"orderack cutover {name} asks it and puts your name to it; orderack cutover {name} --back ends it",
    )


async def notes(settings: Settings, policy: Policy) -> Sequence[str]:
    """The same for whoever has just edited the policy; nothing where there is no ledger to ask."""
    try:
        if (await check_schema(settings.ledger_url)).standing is not Standing.OK:
            return ()
        async with ledger_as_it_is(settings.ledger_url) as ledger:
            found = await check_gates(ledger, policy)
    except OrderAckError:
        return ()
    return tuple(
        f"stores.{one.check.removeprefix(f'{CHECK}/')}.mode: {one.said}. {one.do}."
        for one in found
        if one.standing is Standing.WARN
    )
