"""`python -m workers.replay_check`: do the namespace's orders, open and closed, replay under this code?"""

import argparse
import asyncio
import json
import sys
from collections.abc import AsyncIterator

from temporalio.api.enums.v1 import EventType
from temporalio.client import Client, WorkflowExecution
from temporalio.service import RPCError
from temporalio.worker import Replayer

from orderack.contracts import names
from orderack.contracts.ids import order_ref
from orderack.domain.value import Value
from orderack.errors import OrderAckError, Unavailable
from orderack.temporal.connect import connect
from orderack.temporal.ending import end
from workers.ahead import InTimeRunner
from workers.queues import INTERCEPTORS
from workflows import WORKFLOWS

PATIENCE_SECONDS = 20.0
"""A history that this code answers in another way can keep the replayer waiting for ever."""

NO, AWAY = 1, 3


class Misfit(Value):
    """One order that does not replay."""

    order: str
    run_id: str
    open: bool
    problem: str
    """The kind of failure and, of a step taken in another way, which."""


class Replayed(Value):
    """What was found."""

    sound: bool
    open: int
    closed: int
    misfits: tuple[Misfit, ...]


async def replayed(client: Client, last: int) -> Replayed:
    """Replay the `last` open and the `last` closed orders, the newest first. Raises Unavailable."""
    replayer = Replayer(
        workflows=WORKFLOWS,
        data_converter=client.data_converter,
        interceptors=INTERCEPTORS,
        workflow_runner=InTimeRunner(),
    )
    counts, misfits = {True: 0, False: 0}, []
    for is_open in (True, False):
        async for one in _orders(client, is_open, last):
            counts[is_open] += 1
            problem = await _problem(client, replayer, one)
            if problem:
                misfits.append(Misfit(order=str(order_ref(one.id)), run_id=one.run_id, open=is_open, problem=problem))
    return Replayed(sound=not misfits, open=counts[True], closed=counts[False], misfits=tuple(misfits))


async def _orders(client: Client, is_open: bool, last: int) -> AsyncIterator[WorkflowExecution]:
    sign = "=" if is_open else "!="
    query = f"WorkflowType = '{names.WORKFLOW}' AND ExecutionStatus {sign} 'Running'"
    try:
        async for one in client.list_workflows(query, limit=last):
            yield one
    except RPCError as error:
        raise Unavailable(f"Temporal does not list orders ({error.status.name.lower()})") from None


async def _problem(client: Client, replayer: Replayer, one: WorkflowExecution) -> str:
    """Why it does not replay; empty: it does, or it went while we looked. A failure's words may be the buyer's."""
    try:
        history = await client.get_workflow_handle(one.id, run_id=one.run_id).fetch_history()
    except RPCError:
        return ""
    if not any(event.event_type == EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED for event in history.events):
        return ""  # nothing has been decided yet; the replayer would wait for it
    replay = asyncio.create_task(replayer.replay_workflow(history))
    await asyncio.wait({replay}, timeout=PATIENCE_SECONDS)
    if not replay.done():
        return f"no end within {PATIENCE_SECONDS:.0f} s"  # nor can it be cancelled; the process's end is its end
    error = replay.exception()
    return _in_words(error) if error else ""


def _in_words(error: BaseException) -> str:
    said = str(error)
    step = said[said.find("[TMPRL1100]") :].split("\n")[0][:300] if "[TMPRL1100]" in said else ""
    return f"{type(error).__name__}: {step}" if step else type(error).__name__


def _show(found: Replayed) -> None:
    for misfit in found.misfits:
        sys.stdout.write(f"{misfit.order} ({'open' if misfit.open else 'closed'}): {misfit.problem}\n")
    looked = f"{found.open} open and {found.closed} closed orders"
    verdict = f"{len(found.misfits)} of them do not replay: do not deploy" if found.misfits else "all replay"
    sys.stdout.write(f"{looked}: {verdict}\n")


async def _run(last: int, as_json: bool) -> int:
    found = await replayed(await connect(), last)
    if as_json:
        sys.stdout.write(f"{found.model_dump_json()}\n")
    else:
        _show(found)
    return 0 if found.sound else NO


def main() -> None:
    parser = argparse.ArgumentParser(prog="orderack temporal replay-check", description=__doc__)
    parser.add_argument("--last", type=int, default=100)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    try:
        code = asyncio.run(_run(arguments.last, arguments.json))
    except OrderAckError as error:
        failure = {"error": str(error), "kind": "unavailable", "exit": AWAY}
        sys.stdout.write(f"{json.dumps(failure)}\n") if arguments.json else sys.stderr.write(f"orderack: {error}\n")
        code = AWAY
    end(code)


if __name__ == "__main__":
    main()
