"""The yardstick: the same steps as an order's, written down by hand in the plainest way, and nothing else.

No state, no clocks to watch, no handlers but two, no search attributes, no summaries. It gets the very payloads that
the order's own history holds, so that what remains between the two is the order's overhead.
"""

import asyncio
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import timedelta

from temporalio import workflow
from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent
from temporalio.common import RawValue

from orderack.contracts import names
from orderack.contracts.activities import AssessRequest
from orderack.domain.assessment import Gate

QUEUES = {
    names.SUBMIT_TO_ERP: names.ERP_QUEUE,
    names.ACKNOWLEDGE: names.MESSAGING_QUEUE,
    names.HAND_OFF: names.ORDERS_QUEUE,
}
WITHIN = timedelta(seconds=30)


@dataclass
class Plan:
    """What a bare run does: the messages before its waits, how long it waits between the others, its payloads."""

    gate: Gate
    waits: list[timedelta]
    at_rest: timedelta
    assess: AssessRequest
    reply: Payload
    inputs: dict[str, list[Payload]] = field(default_factory=dict)

    def take(self, events: list[HistoryEvent]) -> None:
        """The activities' inputs, in order, as this history holds them."""
        for event in events:
            scheduled = event.activity_task_scheduled_event_attributes
            if scheduled.activity_type.name:
                self.inputs.setdefault(scheduled.activity_type.name, []).append(scheduled.input.payloads[0])


PLANS: dict[str, Plan] = {}
"""By workflow id: given beside the run, since an input would cost bytes that an order's start does not."""


@workflow.defn(name="Bare")
class Bare:
    @workflow.init
    def __init__(self, start: RawValue) -> None:
        self._plan = PLANS[workflow.info().workflow_id]
        self._inputs: dict[str, Iterator[Payload]] = {name: iter(got) for name, got in self._plan.inputs.items()}
        self._order = self._receipt = False

    @workflow.run
    async def run(self, start: RawValue) -> None:
        await workflow.wait_condition(lambda: self._order)
        await workflow.execute_local_activity(names.ASSESS, self._plan.assess, start_to_close_timeout=WITHIN)
        at_once = [self._call(names.SUBMIT_TO_ERP)]
        if self._plan.gate is Gate.ACK_GATED:
            at_once.append(self._call(names.ACKNOWLEDGE))
        told = asyncio.gather(*at_once)
        for wait in self._plan.waits:
            try:
                await workflow.wait_condition(lambda: self._receipt, timeout=wait)
                break
            except TimeoutError:
                await self._call(names.ACKNOWLEDGE)
        await told
        await self._call(names.ACKNOWLEDGE)
        await self._call(names.HAND_OFF)
        await workflow.sleep(self._plan.at_rest)

    async def _call(self, name: str) -> None:
        await workflow.execute_activity(
            name, RawValue(next(self._inputs[name])), task_queue=QUEUES[name], start_to_close_timeout=WITHIN
        )

    @workflow.update(name=names.UPDATE_SUBMIT)
    def submit(self, order: RawValue) -> RawValue:
        self._order = True
        return RawValue(self._plan.reply)

    @workflow.signal(name=names.SIGNAL_ERP_RECEIPT)
    def erp_receipt(self, receipt: RawValue) -> None:
        self._receipt = True
