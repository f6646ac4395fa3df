"""The bare floor: an order's steps as a workflow of the plainest kind, and nothing else.

One update, one local activity, one timer, four activities, three signals: what a straight-through order's history
holds too (the bench counts both). No state, no deadlines, no checks, no journal; payloads are not even read.
"""

import asyncio
from datetime import timedelta

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.common import RawValue

from orderack.contracts import names

QUEUES = {
    names.SUBMIT_TO_ERP: names.ERP_QUEUE,
    names.ACKNOWLEDGE: names.MESSAGING_QUEUE,
    names.HAND_OFF: names.ORDERS_QUEUE,
}
WITHIN = timedelta(seconds=30)
HOLD_AFTER = timedelta(minutes=15)


@workflow.defn(name=names.WORKFLOW)
class Floor:
    """Under the product's own name, in a namespace of its own, so that the same calls start and tell it."""

    @workflow.init
    def __init__(self, start: RawValue) -> None:
        self._order: Payload | None = None
        self._receipt = False
        self._seen = 0

    @workflow.run
    async def run(self, start: RawValue) -> None:
        await workflow.wait_condition(lambda: self._order is not None)
        assert self._order is not None
        await workflow.execute_local_activity(names.ASSESS, RawValue(self._order), start_to_close_timeout=WITHIN)
        timer = asyncio.create_task(workflow.sleep(HOLD_AFTER))
        told = asyncio.gather(self._call(names.SUBMIT_TO_ERP, start), self._call(names.ACKNOWLEDGE, start))
        await workflow.wait_condition(lambda: self._receipt)
        await told
        await self._call(names.ACKNOWLEDGE, start)
        await self._call(names.HAND_OFF, start)
        await timer

    async def _call(self, name: str, start: RawValue) -> None:
        await workflow.execute_activity(name, start, task_queue=QUEUES[name], start_to_close_timeout=WITHIN)

    @workflow.update(name=names.UPDATE_SUBMIT)
    def submit(self, order: RawValue) -> None:
        self._order = order.payload

    @workflow.signal(name=names.SIGNAL_ERP_RECEIPT)
    def erp_receipt(self, receipt: RawValue) -> None:
        self._receipt = True

    @workflow.signal(name=names.SIGNAL_EVIDENCE)
    def evidence(self, fact: RawValue) -> None:
        self._seen += 1
