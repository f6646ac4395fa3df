"""Looks run by themselves on a real server, each in its interval, and none that nobody wants any more."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import timedelta

import pytest
from temporalio import activity
from temporalio.client import Client, ScheduleListDescription
from temporalio.service import RPCError, RPCStatusCode
from temporalio.worker import Worker

from orderack.contracts import names
from orderack.contracts.looks import ErpLook, LookRequest, LookResult, SourceLook
from orderack.temporal.schedules import PREFIX, id_of, keep_schedules
from tests.temporal.server import LOOKS, Temporal, temporal
from workers.ahead import InTimeRunner
from workflows import WORKFLOWS

__all__ = ["temporal"]

SHOP = LookRequest(source=SourceLook(store="demo", system="magento"))
ERP = LookRequest(erp=ErpLook(erp="netsuite"))
MINUTE, SECOND = timedelta(minutes=1), timedelta(seconds=1)


class Looker:
    """Counts the looks; the first at the shop finds it down."""

    def __init__(self) -> None:
        self.looked: list[str] = []
        self.enough = asyncio.Event()

    @activity.defn(name=names.LOOK_AT_SOURCE)
    async def at_source(self, look: SourceLook) -> LookResult:
        self._took(f"{look.store}/{look.system}")
        if len(self.looked) == 1:
            raise RuntimeError("the shop is down")
        return LookResult(found=2, told=2)

    @activity.defn(name=names.LOOK_AT_ERP)
    async def at_erp(self, look: ErpLook) -> LookResult:
        self._took(look.erp)
        return LookResult(waiting=1)

    def _took(self, what: str) -> None:
        self.looked.append(what)
        if self.looked.count("netsuite") >= 2 and self.looked.count("demo/magento") >= 2:
            self.enough.set()


async def scheduled(client: Client) -> dict[str, timedelta]:
    found = {}
    async for listed in await client.list_schedules():
        try:
            description = await client.get_schedule_handle(listed.id).describe()
        except RPCError as error:
            if error.status is RPCStatusCode.NOT_FOUND:  # the list lags
                continue
            raise
        found[listed.id] = description.schedule.spec.intervals[0].every
    return found


async def until(client: Client, wanted: dict[str, timedelta]) -> None:
    """The list of schedules lags a little behind what is kept."""
    found = {}
    for _ in range(300):
        if (found := await scheduled(client)) == wanted:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"{found} are scheduled")


async def test_a_look_is_scheduled_once_changed_in_place_and_dropped_when_nobody_wants_it(temporal: Temporal) -> None:
    client = await temporal.client(LOOKS)
    await asyncio.gather(*(keep_schedules(client, {SHOP: MINUTE, ERP: MINUTE}) for _ in range(3)))
    await until(client, {id_of(SHOP): MINUTE, id_of(ERP): MINUTE})
    await client.get_schedule_handle(id_of(ERP)).pause(note="the ERP is moved")
    await keep_schedules(client, {SHOP: 2 * MINUTE, ERP: MINUTE})
    await until(client, {id_of(SHOP): 2 * MINUTE, id_of(ERP): MINUTE})
    described = await client.get_schedule_handle(id_of(ERP)).describe()
    assert described.schedule.state.paused, "what an operator paused stays paused"
    await keep_schedules(client, {SHOP: MINUTE})
    await until(client, {id_of(SHOP): MINUTE})
    await keep_schedules(client, {})
    await until(client, {})
    assert id_of(SHOP) == f"{PREFIX}source/demo/magento"


async def test_workers_that_drop_and_make_the_same_look_at_once_are_not_in_each_others_way(temporal: Temporal) -> None:
    client = await temporal.client(LOOKS)
    for _ in range(3):
        await keep_schedules(client, {SHOP: MINUTE, ERP: MINUTE})
        await until(client, {id_of(SHOP): MINUTE, id_of(ERP): MINUTE})
        await asyncio.gather(*(keep_schedules(client, {}) for _ in range(4)))
        await asyncio.gather(*(keep_schedules(client, {SHOP: 2 * MINUTE}) for _ in range(4)))  # it may still be listed
        await until(client, {id_of(SHOP): 2 * MINUTE})
    await keep_schedules(client, {})
    await until(client, {})


async def test_a_list_that_lags_keeps_no_look_from_being_made(
    temporal: Temporal, monkeypatch: pytest.MonkeyPatch
) -> None:
    client = await temporal.client(LOOKS)
    await keep_schedules(client, {SHOP: MINUTE})
    await until(client, {id_of(SHOP): MINUTE})
    listed = [one async for one in await client.list_schedules()]
    await keep_schedules(client, {})
    await until(client, {})

    async def late() -> AsyncIterator[ScheduleListDescription]:
        return aiter_of(listed)

    with monkeypatch.context() as lags:
        lags.setattr(client, "list_schedules", late)
        await keep_schedules(client, {SHOP: 2 * MINUTE})
    await until(client, {id_of(SHOP): 2 * MINUTE})
    await keep_schedules(client, {})
    await until(client, {})


async def aiter_of(listed: Sequence[ScheduleListDescription]) -> AsyncIterator[ScheduleListDescription]:
    for one in listed:
        yield one


async def test_looks_go_on_by_themselves_and_one_that_fails_is_tried_again(temporal: Temporal) -> None:
    client, looker = await temporal.client(LOOKS), Looker()
    kinds: tuple[tuple[str, list[type], list[Callable[..., object]]], ...] = (
        (names.ORDERS_QUEUE, WORKFLOWS, []),
        (names.SOURCES_QUEUE, [], [looker.at_source]),
        (names.ERP_QUEUE, [], [looker.at_erp]),
    )
    workers = [
        Worker(client, task_queue=queue, workflows=workflows, activities=activities, workflow_runner=InTimeRunner())
        for queue, workflows, activities in kinds
    ]
    async with workers[0], workers[1], workers[2]:
        await keep_schedules(client, {SHOP: SECOND, ERP: SECOND})
        try:
            async with asyncio.timeout(120):
                await looker.enough.wait()
        finally:
            await keep_schedules(client, {})
            await until(client, {})
