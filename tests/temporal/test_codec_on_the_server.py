"""Encryption with orders open, on a real server: switched on, rotated, forgotten on one worker. Nothing is lost."""

import asyncio
import base64
import json
import re
from collections.abc import Awaitable, Callable
from contextlib import suppress
from datetime import timedelta
from typing import TypeVar

import pytest
from temporalio.api.enums.v1 import EventType
from temporalio.client import WorkflowHistory
from temporalio.worker import Replayer

from orderack.contracts.ids import order_workflow_id
from orderack.contracts.journal import Stage
from orderack.contracts.queries import OrderStatus
from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from orderack.domain.order import Order
from orderack.errors import Misconfigured, Refused, Unavailable
from orderack.temporal.codec import KEY_ID
from orderack.temporal.codec_keys import CodecKeys
from orderack.temporal.converter import sealing_converter
from orderack.temporal.orders import Orders, Told
from tests.history.stage import runner
from tests.replay.histories import recorded
from tests.temporal.server import SEALED, Temporal, now, working
from tests.temporal.test_codec import NEW, OLD
from tests.temporal.test_orders import until
from tests.workflows.orders import a_receipt, an_order
from tests.workflows.world import a_number
from workflows import WORKFLOWS
from workflows.interceptor import AroundOrders

T = TypeVar("T")

FAILED = EventType.EVENT_TYPE_WORKFLOW_TASK_FAILED


async def door(temporal: Temporal, keys: str, within: float = 8) -> Orders:
    return Orders(await temporal.client(SEALED, keys), timedelta(seconds=within))


async def history_of(temporal: Temporal, order: Order) -> WorkflowHistory:
    client = await temporal.client(SEALED)
    return await client.get_workflow_handle(order_workflow_id(order.ref)).fetch_history()


async def patiently(call: Callable[[], Awaitable[T]], holds: Callable[[T], bool] = lambda answer: True) -> T:
    """Its first answer that holds. A failed task is repeated after a moment, and nothing is answered till then."""

    async def asked() -> tuple[T, ...]:
        with suppress(Unavailable):
            return (await call(),)
        return ()

    (found,) = await until(asked, lambda answer: bool(answer) and holds(answer[0]), 40)
    return found


async def stage(orders: Orders, order: Order, wanted: Stage) -> OrderStatus:
    return await patiently(lambda: orders.status(order.ref), lambda status: status.stage is wanted)


def delivered(order: Order, kind: Kind) -> EvidenceFact:
    return EvidenceFact(
        id=f"ev-{order.number}",
        event=EvidenceEvent.DELIVERED,
        grade=Grade.E2,
        channel="email",
        revision=1,
        kind=kind,
        occurred_at=now(),
    )


def spelled_out(history: WorkflowHistory) -> str:
    """The export, and beside it everything in it that is base64, decoded."""
    text = json.dumps(history.to_json_dict())
    found = re.findall(r'"([A-Za-z0-9+/]{12,}={0,2})"', text)
    hidden = (base64.b64decode(one) for one in found if len(one) % 4 == 0)
    return text + b"\n".join(hidden).decode("latin-1")


async def test_an_export_of_an_orders_history_holds_nothing_of_the_buyers(temporal: Temporal) -> None:
    order = an_order(a_number(), now())
    async with working(temporal, SEALED, NEW):
        orders = await door(temporal, NEW)
        await orders.submit(order)
        await orders.receipt(a_receipt(order, now()))
        await stage(orders, order, Stage.HANDED_OFF)
    sealed = spelled_out(await history_of(temporal, order))
    # Short words with their quotes: "9.90" alone stands in a moment, and any three letters in what is sealed.
    for words in ("ada@example.com", "15005550006", "High Street", "N1 1AA", "London", '"TEA"', '"9.90"', "prepaid"):
        assert words not in sealed
    async with working(temporal, SEALED):
        orders = await door(temporal, "")
        plain = an_order(a_number(), now())
        await orders.submit(plain)
        await orders.receipt(a_receipt(plain, now()))
        await stage(orders, plain, Stage.HANDED_OFF)
    seen = spelled_out(await history_of(temporal, plain))
    assert all(words in seen for words in ("ada@example.com", '"TEA"', '"9.90"')), "the look itself sees nothing"


async def test_an_order_goes_on_while_keys_are_switched_on_rotated_and_switched_off(temporal: Temporal) -> None:
    order = an_order(a_number(), now())
    async with working(temporal, SEALED):
        orders = await door(temporal, "")
        await orders.submit(order)
        await until(lambda: orders.status(order.ref), lambda s: any(a.out_at for a in s.acknowledgements))
    async with working(temporal, SEALED, OLD):
        sealed = await door(temporal, OLD)
        assert await sealed.evidence(order.ref, delivered(order, Kind.RECEIVED)) is Told.TOLD
        await until(lambda: sealed.status(order.ref), graded)
    async with working(temporal, SEALED, f"{NEW},{OLD}"):
        orders = await door(temporal, f"{NEW},{OLD}")
        await orders.receipt(a_receipt(order, now()))
        status = await stage(orders, order, Stage.HANDED_OFF)
        assert graded(status)
    async with working(temporal, SEALED, f"plain,{NEW},{OLD}"):
        status = await (await door(temporal, f"plain,{NEW},{OLD}")).status(order.ref)
        assert status.confirmed_revision == 1
    history = await history_of(temporal, order)
    used = set(re.findall(rf'"{KEY_ID}": "([^"]+)"', json.dumps(history.to_json_dict())))
    assert {base64.b64decode(name).decode() for name in used} == {"old", "new"}
    await replay(history, f"{NEW},{OLD}")
    with pytest.raises(Exception, match="Misconfigured"):
        await replay(history, OLD)


def graded(status: OrderStatus) -> bool:
    return any(said.grade is Grade.E2 for said in status.acknowledgements if said.kind is Kind.RECEIVED)


@pytest.mark.parametrize(
    "poor", [pytest.param("", id="no-key"), pytest.param(NEW, id="another-key", marks=pytest.mark.long)]
)
async def test_what_a_worker_cannot_open_waits_for_one_that_can(temporal: Temporal, poor: str) -> None:
    """Requests, facts before their order, and facts for an order that was open before: none is dropped."""
    early, opened, asked = (an_order(a_number(), now()) for _ in range(3))
    hasty = await door(temporal, OLD, within=1.5)
    async with working(temporal, SEALED, poor):
        plain = await door(temporal, poor)
        await plain.submit(opened)
        await until(lambda: plain.status(opened.ref), lambda s: any(a.out_at for a in s.acknowledgements))
        assert await hasty.receipt(a_receipt(early, now())) is Told.TOLD
        assert await hasty.receipt(a_receipt(opened, now())) is Told.TOLD
        assert await hasty.evidence(opened.ref, delivered(opened, Kind.RECEIVED)) is Told.TOLD
        with pytest.raises((Unavailable, Refused)):
            await hasty.submit(asked)
        for order in (early, opened, asked):
            await until(lambda order=order: history_of(temporal, order), failed)  # type: ignore[misc]
    keys = f"{OLD},{poor}".strip(",")
    async with working(temporal, SEALED, keys):
        rich = await door(temporal, keys)
        await patiently(lambda: rich.submit(early))
        await patiently(lambda: rich.submit(asked))
        await rich.receipt(a_receipt(asked, now()))
        statuses = await asyncio.gather(*(stage(rich, order, Stage.HANDED_OFF) for order in (early, opened, asked)))
        assert graded(statuses[1])


def failed(history: WorkflowHistory) -> bool:
    return any(event.event_type == FAILED for event in history.events)


async def test_a_caller_without_the_key_is_told_so(temporal: Temporal) -> None:
    order = an_order(a_number(), now())
    async with working(temporal, SEALED, NEW):
        await (await door(temporal, NEW)).submit(order)
        with pytest.raises(Misconfigured, match=r"'new'.*ORDERACK_CODEC_KEYS"):
            await (await door(temporal, "")).status(order.ref)


async def replay(history: WorkflowHistory, keys: str) -> None:
    replayer = Replayer(
        workflows=WORKFLOWS,
        namespace=SEALED,
        data_converter=sealing_converter(CodecKeys.parse(keys), SEALED),
        interceptors=[AroundOrders()],
        workflow_runner=runner(),
    )
    async with asyncio.timeout(60):
        await replayer.replay_workflow(history)


@pytest.mark.parametrize("name", ["erp_gated", "malformed", "ledger_down"])
async def test_histories_from_before_encryption_replay_with_keys(name: str) -> None:
    await replay(recorded()[name], f"{NEW},{OLD}")
