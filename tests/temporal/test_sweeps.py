"""A sweep on a real server: by hand or by its schedule and never twice at once; its failure in words; its resume."""

import asyncio
from datetime import timedelta

import pytest
from temporalio import activity
from temporalio.client import Client
from temporalio.exceptions import ApplicationError
from temporalio.worker import Replayer, Worker

from activities._erp_sweep import Progress
from orderack.contracts import names
from orderack.contracts.looks import SweepRequest, SweepResult
from orderack.errors import Unavailable
from orderack.temporal.schedules import id_of, keep_schedules
from orderack.temporal.sweeps import begin
from tests.temporal.server import LOOKS, Temporal, now, temporal
from workers.ahead import InTimeRunner
from workflows import WORKFLOWS

__all__ = ["temporal"]

BOOKS = SweepRequest()


class Sweeper:
    """Stands for the activities; an ERP's sweep waits until it is let go, or fails as the ERP's name says."""

    def __init__(self) -> None:
        self.begun = 0
        self.go_on = asyncio.Event()
        self.resumed_at: list[int] = []

    @activity.defn(name=names.SWEEP_ERP)
    async def erp(self, request: SweepRequest) -> SweepResult:
        self.begun += 1
        if request.erp == "broken":
            raise ApplicationError("the ERP broken does not answer", non_retryable=True)
        if request.erp == "resumed":
            return self._resumed()
        await self.go_on.wait()
        return SweepResult(asked=7)

    def _resumed(self) -> SweepResult:
        """Fails at its first attempt, thirty orders on."""
        details = activity.info().heartbeat_details
        if not details:
            activity.heartbeat(Progress(began_at=now(), asked=30))
            raise ApplicationError("cut off", next_retry_delay=timedelta(seconds=0.1))
        self.resumed_at.append(Progress.model_validate(details[0]).asked)
        return SweepResult(asked=60)

    @activity.defn(name=names.SWEEP_BOOKS)
    async def books(self, request: SweepRequest) -> SweepResult:
        return SweepResult(waiting=3)


def workers(client: Client, sweeper: Sweeper) -> tuple[Worker, Worker]:
    return (
        Worker(client, task_queue=names.ORDERS_QUEUE, workflows=WORKFLOWS, workflow_runner=InTimeRunner()),
        Worker(client, task_queue=names.ERP_QUEUE, activities=[sweeper.erp, sweeper.books]),
    )


async def test_a_sweep_by_hand_joins_the_one_that_somebody_has_begun(temporal: Temporal) -> None:
    client, sweeper = await temporal.client(LOOKS), Sweeper()
    one, two = workers(client, sweeper)
    async with one, two:
        begun = [await begin(client, SweepRequest(erp="main")) for _ in range(3)]
        sweeper.go_on.set()
        assert [await each.result() for each in begun] == [SweepResult(asked=7)] * 3
        assert sweeper.begun == 1
        assert await (await begin(client, BOOKS)).result() == SweepResult(waiting=3)
    for request in (SweepRequest(erp="main"), BOOKS):
        history = await client.get_workflow_handle(f"{id_of(request)}/now").fetch_history()
        replayer = Replayer(workflows=WORKFLOWS, workflow_runner=InTimeRunner(), data_converter=client.data_converter)
        await replayer.replay_workflow(history)


async def test_a_sweep_by_hand_joins_the_one_of_the_schedule(temporal: Temporal) -> None:
    client, sweeper, request = await temporal.client(LOOKS), Sweeper(), SweepRequest(erp="joined")
    one, two = workers(client, sweeper)
    async with one, two:
        await keep_schedules(client, {request: timedelta(days=1)})
        try:
            await client.get_schedule_handle(id_of(request)).trigger()
            async with asyncio.timeout(60):
                while not sweeper.begun:  # noqa: ASYNC110 (a server is on the other side)
                    await asyncio.sleep(0.1)
            begun = await begin(client, request)
            assert begun.joined
            sweeper.go_on.set()
            assert await begun.result() == SweepResult(asked=7)
            assert sweeper.begun == 1
        finally:
            await keep_schedules(client, dict[SweepRequest, timedelta]())


async def test_a_sweep_that_could_not_go_on_says_why(temporal: Temporal) -> None:
    client = await temporal.client(LOOKS)
    one, two = workers(client, Sweeper())
    async with one, two:
        begun = await begin(client, SweepRequest(erp="broken"))
        with pytest.raises(Unavailable, match="the ERP broken does not answer"):
            await begun.result()


async def test_an_attempt_is_told_where_the_last_one_was(temporal: Temporal) -> None:
    client, sweeper = await temporal.client(LOOKS), Sweeper()
    one, two = workers(client, sweeper)
    async with one, two:
        await (await begin(client, SweepRequest(erp="resumed"))).result()
    assert sweeper.resumed_at == [30]
