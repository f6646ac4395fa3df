"""A question that outlives a worker reaches the next together with news whose task has not begun."""

import asyncio
from datetime import datetime, timedelta
from uuid import uuid4

from temporalio.client import Client, WorkflowHandle, WorkflowQueryFailedError
from temporalio.service import RPCError
from temporalio.worker import Replayer, Worker

from orderack.temporal.rpc import AHEAD, answered, bounded
from tests.temporal.news import NAP, News
from tests.temporal.server import Temporal
from workers.ahead import InTimeRunner

Handle = WorkflowHandle[News, list[tuple[str, str]]]
PATIENCE = timedelta(seconds=60)
SHORT = timedelta(seconds=12)
"""A question that a worker loses is never answered."""


def worker(client: Client, queue: str) -> Worker:
    return Worker(client, task_queue=queue, workflows=[News], workflow_runner=InTimeRunner())


async def asked(order: Handle) -> str:
    """What a plain client is told."""
    try:
        return str(await order.query(News.how_many, rpc_timeout=SHORT))
    except WorkflowQueryFailedError as error:
        return error.message
    except RPCError as error:
        return error.message


async def asked_by_us(order: Handle) -> int:
    """What our own client makes of it."""
    ask = answered(lambda within: order.query(News.how_many, rpc_timeout=within), SHORT)
    return await bounded(ask, PATIENCE)


async def overtaken(client: Client) -> tuple[list[Handle], list[str], list[int]]:
    """Orders whose worker went, that were asked, told, and met another worker; what both ways of asking got."""
    queue = f"ahead-{uuid4()}"
    async with worker(client, queue):
        orders = [await client.start_workflow(News.run, id=f"{queue}-{n}", task_queue=queue) for n in range(6)]
        assert [await order.query(News.how_many) for order in orders] == [1] * 6
    plain = [asyncio.create_task(asked(order)) for order in orders]
    ours = [asyncio.create_task(asked_by_us(order)) for order in orders]
    await asyncio.sleep(0.5)  # the server has the questions: nothing says when
    for order in orders:
        await order.signal(News.tell)
    await asyncio.sleep(NAP.total_seconds() + 0.5)  # the timers fire while nobody is there
    async with worker(client, queue):
        answers, numbers = await asyncio.gather(*plain), await asyncio.gather(*ours)
        await asyncio.gather(*(order.result() for order in orders))
    return orders, answers, numbers


async def test_an_order_asked_while_no_worker_ran_takes_its_news_at_their_own_time_and_replays(
    temporal: Temporal,
) -> None:
    client = await temporal.client()
    for _ in range(5):
        orders, answers, numbers = await overtaken(client)
        for order in orders:
            began, *news = [(what, datetime.fromisoformat(at)) for what, at in await order.result()]
            assert {what for what, _ in news} == {"told", "awake"}
            assert all(at - began[1] >= NAP for _, at in news), f"{news} at the time of the task before"
            await Replayer(workflows=[News], workflow_runner=InTimeRunner()).replay_workflow(
                await order.fetch_history()
            )
        assert set(numbers) <= {1, 2, 3}, "our own client asks until it is answered"
        if any(AHEAD in answer for answer in answers):
            return
    raise AssertionError("no question ever overtook a task: this shows nothing")
