"""The doctor's look at orders: stuck ones, schedules, sealed histories, and whether ledger and Temporal agree."""

import asyncio
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

from temporalio.api.common.v1 import Payload
from temporalio.client import Client, WorkflowExecution, WorkflowExecutionStatus
from temporalio.service import RPCError, RPCStatusCode

from orderack.cli.doctor_findings import Finding, ok, warn, wrong
from orderack.contracts import names
from orderack.contracts.ids import order_ref, order_workflow_id
from orderack.diagnostics.wording import counted
from orderack.domain.order import OrderRef
from orderack.ledger.repository import SqlLedger
from orderack.temporal.codec import ENCODING, KEY_ID
from orderack.temporal.codec_keys import CodecKeys
from orderack.temporal.schedules import PREFIX, S, id_of

LOOKED_AT = 200
"""Open orders that are asked one by one; Temporal does not list which of them fail."""

LISTED = 10_000
"""Open orders that are compared with the ledger's."""

ATTEMPTS = 3
"""Once may be a worker's death in the middle of it."""

SETTLING = timedelta(seconds=60)
"""An order that has just begun or ended may not be everywhere yet."""

_OPEN = f"WorkflowType = '{names.WORKFLOW}' AND ExecutionStatus = 'Running'"
_AT_ONCE = 500
_NAMED = 5
"""Orders that a finding names."""


async def open_orders(client: Client) -> Sequence[WorkflowExecution]:
    """As the server lists them; the newest first."""
    return [found async for found in client.list_workflows(_OPEN, limit=LISTED)]


async def check_stuck(client: Client, running: Sequence[WorkflowExecution]) -> Finding:
    """Orders whose step fails again and again: a fault of the code, which heals once the mended code runs."""
    looked = [*running[: LOOKED_AT // 2], *running[LOOKED_AT // 2 :][-LOOKED_AT // 2 :]]
    failing = [ref for ref in await asyncio.gather(*(_failing(client, one) for one in looked)) if ref is not None]
    of = f"{counted(len(looked), 'open order')} of {len(running)} looked at"
    if failing:
        return wrong(
            "stuck-orders",
            f"{counted(len(failing), 'order')} cannot take the next step: {_some(failing)} ({of})",
            "read the worker's log of it; deploy mended code (it goes on by itself) or roll back",
        )
    return ok("stuck-orders", f"none; {of}")


async def _failing(client: Client, one: WorkflowExecution) -> OrderRef | None:
    try:
        described = await client.get_workflow_handle(one.id, run_id=one.run_id).describe()
    except RPCError:
        return None
    raw = described.raw_description
    return order_ref(one.id) if raw.pending_workflow_task.attempt >= ATTEMPTS else None


async def check_schedules(client: Client, wanted: Mapping[S, timedelta]) -> Finding:
    """The looks and sweeps that have to run: kept by the workers of the queue `sources`."""
    ids = {id_of(request) for request in wanted}
    paused = set()
    there = set()
    async for listed in await client.list_schedules():
        if listed.id.startswith(PREFIX):
            there.add(listed.id)
            if listed.schedule is not None and listed.schedule.state.paused:
                paused.add(listed.id)
    if lacking := sorted(ids - there):
        return wrong(
            "schedules",
            f"not kept: {', '.join(lacking[:_NAMED])}",
            "start a worker of the queue `sources`: it makes them (orderack worker --queues sources)",
        )
    if stopped := sorted(ids & paused):
        return warn(
            "schedules",
            f"paused: {', '.join(stopped[:_NAMED])}",
            f"temporal schedule toggle --schedule-id {stopped[0]} --unpause",
        )
    return ok("schedules", f"{counted(len(ids), 'look')} kept")


async def check_sealed(client: Client, running: Sequence[WorkflowExecution], keys: CodecKeys) -> Finding:
    """Whether the newest open order's history can be read with the keys that are set here."""
    for one in running[:1]:
        used = await _sealed_with(client, one)
        lacking = used - set(keys.secrets)
        if lacking:
            return wrong(
                "sealed-histories",
                f"orders are sealed with keys that are not set here: {', '.join(sorted(lacking))}",
                "set them in ORDERACK_CODEC_KEYS, after the key that seals: without them these orders cannot go on",
            )
        if keys.sealing and not used:
            return warn(
                "sealed-histories",
                "keys are set here, and the newest open order is stored in clear",
                "start the gateway and the workers anew, with the same keys",
            )
        return ok("sealed-histories", "the newest open order can be read here" if used else "stored in clear, as set")
    return ok("sealed-histories", "no open order to look at")


async def _sealed_with(client: Client, one: WorkflowExecution) -> set[str]:
    """The ids of the keys that sealed the order's start; empty: it is in clear."""
    try:
        handle = client.get_workflow_handle(one.id, run_id=one.run_id)
        async for event in handle.fetch_history_events(page_size=10):
            started = event.workflow_execution_started_event_attributes
            return {key for payload in started.input.payloads if (key := _key_of(payload))}
    except RPCError:
        pass
    return set()


def _key_of(payload: Payload) -> str:
    if payload.metadata.get("encoding") != ENCODING:
        return ""
    return payload.metadata.get(KEY_ID, b"").decode(errors="replace")


# -- do they agree? -------------------------------------------------------------------------------------------------


async def check_agreement(
    client: Client, ledger: SqlLedger, running: Sequence[WorkflowExecution], now: datetime
) -> list[Finding]:
    """Open orders of Temporal that the ledger does not know, and open ones of the ledger that do not run.

    Neither happens while both keep what they were given: one of them was restored from a backup older than the other.
    """
    if len(running) >= LISTED:
        return [ok("agreement", f"more than {LISTED} open orders: not compared")]
    return [_unknown(await _not_kept(ledger, running, now)), _lost(await _left_standing(client, ledger, running, now))]


async def only_in_temporal(client: Client, ledger: SqlLedger, now: datetime) -> Sequence[OrderRef]:
    """Open orders that the ledger does not have the content of."""
    return await _not_kept(ledger, await open_orders(client), now)


async def only_in_ledger(client: Client, ledger: SqlLedger, now: datetime) -> Sequence[OrderRef]:
    """Orders that stand open in the ledger and do not run."""
    return await _left_standing(client, ledger, await open_orders(client), now)


async def _not_kept(ledger: SqlLedger, running: Sequence[WorkflowExecution], now: datetime) -> list[OrderRef]:
    """By their content: the next journal of an order makes its row anew, but not what was in it."""
    old = [order_ref(one.id) for one in running if one.start_time < now - SETTLING]
    kept: set[OrderRef] = set()
    for first in range(0, len(old), _AT_ONCE):
        kept |= set(await ledger.with_content(old[first : first + _AT_ONCE]))
    return [ref for ref in old if ref not in kept]


async def _left_standing(
    client: Client, ledger: SqlLedger, running: Sequence[WorkflowExecution], now: datetime
) -> list[OrderRef]:
    kept = set(await ledger.open_refs(now - SETTLING, LISTED))
    return await _not_running(client, kept - {order_ref(one.id) for one in running})


async def _not_running(client: Client, refs: Collection[OrderRef]) -> list[OrderRef]:
    """Those of which the server knows no open run when it is asked itself: its list may lag."""
    found = []
    for ref in sorted(refs, key=str):
        try:
            described = await client.get_workflow_handle(order_workflow_id(ref)).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:
                found.append(ref)
        else:
            if described.status is not WorkflowExecutionStatus.RUNNING:
                found.append(ref)
    return found


def _unknown(refs: Sequence[OrderRef]) -> Finding:
    if not refs:
        return ok("ledger-knows-all", "every open order stands in the ledger")
    return wrong(
        "ledger-knows-all",
        f"{counted(len(refs), 'order')} run, and the ledger knows nothing of them: {_some(refs)}",
        "was the ledger restored from an older copy? docs/operations/backup.md; orderack ledger recall --all",
    )


def _lost(refs: Sequence[OrderRef]) -> Finding:
    if not refs:
        return ok("all-orders-run", "every order that the ledger has open runs")
    return wrong(
        "all-orders-run",
        f"{counted(len(refs), 'order')} stand open in the ledger and do not run: {_some(refs)}",
        "was Temporal restored from an older copy? docs/operations/backup.md; orderack ledger rerun --all",
    )


def _some(refs: Sequence[OrderRef]) -> str:
    more = f" and {len(refs) - _NAMED} more" if len(refs) > _NAMED else ""
    return f"{', '.join(map(str, refs[:_NAMED]))}{more}"
