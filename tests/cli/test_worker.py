"""`orderack worker`: which queues, and how a process that is told to stop drains."""

import asyncio
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from temporalio import activity, workflow
from temporalio.client import Client
from temporalio.common import RetryPolicy
from temporalio.worker import UnsandboxedWorkflowRunner, Worker

from orderack.cli.main import run
from orderack.cli.worker_command import QUEUES, chosen
from orderack.errors import InvalidInput
from tests.temporal.server import Temporal
from workers import queues as made
from workers.process import until_told


def test_queues_are_named_by_comma_or_repetition_each_once_and_none_means_all() -> None:
    assert chosen(["orders,messaging", "orders", " erp "]) == ("orders", "messaging", "erp")
    assert chosen([]) == QUEUES == tuple(made.QUEUES)


def test_a_queue_that_does_not_exist_is_refused_with_those_that_do(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["worker", "--queues", "orders,mesaging"]) == 2
    err = capsys.readouterr().err
    assert "mesaging" in err
    assert all(queue in err for queue in QUEUES)
    with pytest.raises(InvalidInput):
        chosen(["nope"])


@workflow.defn(name="Waits")
class Waits:
    """One activity on a queue."""

    @workflow.run
    async def run(self, queue: str, seconds: float) -> str:
        once = RetryPolicy(maximum_attempts=1)
        words: str = await workflow.execute_activity(
            "wait", seconds, task_queue=queue, start_to_close_timeout=timedelta(seconds=60), retry_policy=once
        )
        return words


class Work:
    """An activity that takes its time, and says when it has begun."""

    def __init__(self, wanted: int) -> None:
        self.missing = wanted
        self.all_begun = asyncio.Event()

    @activity.defn(name="wait")
    async def wait(self, seconds: float) -> str:
        self.missing -= 1
        if not self.missing:
            self.all_begun.set()
        await asyncio.sleep(seconds)
        return "done"


def there(file: Path) -> bool:
    return file.exists()


async def drained(client: Client, seconds: float, drain: float, health: Path) -> float:
    """Two workers with an activity each, told to stop in the midst of them; how long that took."""
    work, stop, name = Work(2), asyncio.Event(), uuid4().hex
    queues = [f"{name}-1", f"{name}-2"]
    grace = timedelta(seconds=drain)
    workers = {
        queue: Worker(client, task_queue=queue, activities=[work.wait], graceful_shutdown_timeout=grace)
        for queue in queues
    }
    process = asyncio.create_task(until_told(stop, workers, drain, health))
    orders = Worker(client, task_queue=name, workflows=[Waits], workflow_runner=UnsandboxedWorkflowRunner())
    async with orders:
        handles = [
            await client.start_workflow(Waits.run, args=[queue, seconds], id=queue, task_queue=name) for queue in queues
        ]
        await work.all_begun.wait()
        assert there(health)
        began = asyncio.get_running_loop().time()
        stop.set()
        await process
        took = asyncio.get_running_loop().time() - began
        assert not there(health)
        if seconds < drain:
            assert [await handle.result() for handle in handles] == ["done", "done"]
    return took


async def test_what_is_in_flight_ends_before_the_process_does(
    temporal: Temporal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    await drained(await temporal.client(), 1.0, 20.0, tmp_path / "health")
    said = capsys.readouterr().out
    assert "stopping: no more work is taken; what is in flight may end within 20 s" in said
    assert "nothing was left in flight" in said


async def test_what_hangs_is_cut_off_on_all_queues_together_and_that_is_said(
    temporal: Temporal, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    took = await drained(await temporal.client(), 50.0, 4.0, tmp_path / "health")
    assert 4.0 <= took < 7.5
    assert "what was still in flight goes to another worker" in capsys.readouterr().out


async def test_a_process_that_is_told_to_stop_before_its_workers_run_ends(temporal: Temporal) -> None:
    client, stop = await temporal.client(), asyncio.Event()
    stop.set()
    workers = {queue: Worker(client, task_queue=queue, activities=[Work(1).wait]) for queue in ("soon-1", "soon-2")}
    async with asyncio.timeout(30):
        await until_told(stop, workers, 5.0, None)
    assert all(worker.is_shutdown for worker in workers.values())
