"""The typed door, on a real server with the real workflow."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

import pytest
from temporalio.client import WorkflowExecutionStatus
from temporalio.exceptions import ApplicationError

from orderack.contracts import names
from orderack.contracts.activities import ErpAnswer, ErpSubmission, SubmitToErpRequest
from orderack.contracts.ids import order_workflow_id
from orderack.contracts.journal import Event, Stage
from orderack.contracts.search_attributes import OPEN
from orderack.contracts.updates import CancelRequest, ChangeRequest, Claim, ClaimTarget, SubmitVerdict
from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import Gate
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from orderack.domain.order import Line, OrderRef, Totals
from orderack.errors import Misconfigured, OrderNotOpen, OrderUnknown, Refused, Unavailable
from orderack.temporal.open_orders import OpenOrders
from orderack.temporal.orders import Orders, Told
from tests.temporal.server import BARE, IDLE, Temporal, now, working
from tests.workflows.orders import a_decision, a_receipt, an_assessment, an_order
from tests.workflows.world import World, a_number

T = TypeVar("T")


async def until(read: Callable[[], Awaitable[T]], holds: Callable[[T], bool], seconds: float = 60) -> T:
    """The first reading that holds."""
    async with asyncio.timeout(seconds):
        while not holds(value := await read()):  # noqa: ASYNC110 (a server is on the other side)
            await asyncio.sleep(0.05)
    return value


async def test_an_order_is_accepted_and_the_reply_says_what_happens_next(orders: Orders) -> None:
    order = an_order(a_number(), now())
    reply = await orders.submit(order)
    assert (reply.verdict, reply.store, reply.number) == (SubmitVerdict.ACCEPTED, "demo", order.number)
    assert reply.next
    assert reply.acknowledge_by == order.trigger_at + timedelta(seconds=60)


async def test_the_same_order_twice_is_one_run_and_one_answer(orders: Orders, temporal: Temporal) -> None:
    order = an_order(a_number(), now())
    first = await orders.submit(order)
    again = await orders.submit(order.model_copy(update={"trigger_at": now() + timedelta(minutes=1)}))
    assert again == first
    client = await temporal.client()
    runs = [run async for run in client.list_workflows(f"WorkflowId = '{order_workflow_id(order.ref)}'")]
    assert len(runs) <= 1
    history = await client.get_workflow_handle(order_workflow_id(order.ref)).fetch_history()
    accepted = [
        event for event in history.events if event.HasField("workflow_execution_update_accepted_event_attributes")
    ]
    assert len(accepted) == 1


async def test_another_body_under_the_same_number_is_a_proposed_change(orders: Orders) -> None:
    order = an_order(a_number(), now())
    await orders.submit(order)
    changed = await orders.submit(order.model_copy(update={"instructions": "leave it with the porter"}))
    assert changed.verdict is SubmitVerdict.CHANGE_PROPOSED
    assert changed.revision == 2


async def test_money_and_content_hash_survive_the_way_in(orders: Orders, world: World) -> None:
    line = Line(line_id="1", sku="TEA", quantity=Decimal("2.50"), unit_price=Decimal("10.00"))
    totals = Totals(discount=Decimal("0.00"), total=Decimal("25.00"))
    order = an_order(a_number(), now()).model_copy(update={"lines": (line,), "totals": totals})
    await orders.submit(order)
    status = await until(lambda: orders.status(order.ref), lambda s: s.stage is not Stage.ASSESSING)
    assert status.content_hash == order.content_hash


async def test_a_receipt_before_its_order_waits_for_it(orders: Orders) -> None:
    order = an_order(a_number(), now())
    assert await orders.receipt(a_receipt(order, now())) is Told.TOLD
    waiting = await orders.status(order.ref)
    assert waiting.stage is Stage.AWAITING_ORDER
    await orders.submit(order)
    status = await until(lambda: orders.status(order.ref), lambda s: s.confirmed_revision == 1)
    assert status.erp_document_id == f"SO-{order.number}-1"


async def test_a_receipt_confirms_the_order_and_the_timeline_tells_it(orders: Orders) -> None:
    order = an_order(a_number(), now())
    await orders.submit(order)
    await orders.receipt(a_receipt(order, now()))
    await until(lambda: orders.status(order.ref), lambda s: s.confirmed_revision == 1)
    timeline = await orders.timeline(order.ref)
    events = [entry.event for entry in timeline.entries]
    assert events.index(Event.ORDER_ACCEPTED) < events.index(Event.ERP_RECEIPT)


async def test_when_messages_queue_up_the_one_promised_within_the_minute_goes_first(
    orders: Orders, temporal: Temporal
) -> None:
    order = an_order(a_number(), now())
    await orders.submit(order)
    await until(lambda: orders.status(order.ref), lambda s: any(a.out_at for a in s.acknowledgements))
    await orders.receipt(a_receipt(order, now()))
    await until(lambda: orders.status(order.ref), lambda s: sum(a.out_at is not None for a in s.acknowledgements) == 2)
    history = await temporal.env.client.get_workflow_handle(order_workflow_id(order.ref)).fetch_history()
    began = history.events[0].workflow_execution_started_event_attributes
    asked = (event.activity_task_scheduled_event_attributes for event in history.events)
    received, confirmation = (one.priority for one in asked if one.activity_type.name == names.ACKNOWLEDGE)
    assert began.priority.priority_key == 3
    assert received.priority_key == 2
    assert confirmation.priority_key == 0  # its order's own
    assert {received.fairness_key, confirmation.fairness_key} == {order.store}


async def test_a_confirmation_that_is_the_buyers_first_word_goes_as_soon_as_a_received_would(
    orders: Orders, world: World, temporal: Temporal
) -> None:
    order = an_order(a_number(), now())
    gated = a_decision(gate=Gate.ERP_GATED)
    world.script(order.number).assess = lambda r: an_assessment(r.order, r.revision, gated)
    await orders.submit(order)
    await orders.receipt(a_receipt(order, now()))
    await until(lambda: orders.status(order.ref), lambda s: any(a.out_at for a in s.acknowledgements))
    assert world.script(order.number).kinds() == ["confirmation"]
    history = await temporal.env.client.get_workflow_handle(order_workflow_id(order.ref)).fetch_history()
    asked = (event.activity_task_scheduled_event_attributes for event in history.events)
    (priority,) = (one.priority.priority_key for one in asked if one.activity_type.name == names.ACKNOWLEDGE)
    assert priority == 2


async def test_evidence_reaches_the_message_it_is_about(orders: Orders) -> None:
    order = an_order(a_number(), now())
    await orders.submit(order)
    await until(lambda: orders.status(order.ref), lambda s: any(a.out_at for a in s.acknowledgements))
    fact = EvidenceFact(
        id=f"ev-{order.number}",
        event=EvidenceEvent.DELIVERED,
        grade=Grade.E2,
        channel="email",
        revision=1,
        kind=Kind.RECEIVED,
        occurred_at=now(),
    )
    assert await orders.evidence(order.ref, fact) is Told.TOLD
    status = await orders.status(order.ref)
    assert [said.grade for said in status.acknowledgements if said.kind is Kind.RECEIVED] == [Grade.E2]


async def test_a_request_with_the_same_id_is_answered_once(orders: Orders) -> None:
    order = an_order(a_number(), now())
    await orders.submit(order)
    changed = order.model_copy(update={"instructions": "ring twice"})
    request = ChangeRequest(id="change-1", order=changed)
    first, again = await orders.change(order.ref, request), await orders.change(order.ref, request)
    assert first.accepted
    assert (first, first.revision) == (again, 2)


async def test_a_request_that_cannot_be_granted_is_answered_in_words(orders: Orders) -> None:
    order = an_order(a_number(), now())
    await orders.submit(order)
    reply = await orders.claim(order.ref, Claim(id="c1", target=ClaimTarget.REVIEW, by="grace"))
    assert not reply.accepted
    assert reply.message


async def closed_order(orders: Orders, temporal: Temporal) -> OrderRef:
    order = an_order(a_number(), now())
    await orders.submit(order)
    handle = (await temporal.client()).get_workflow_handle(order_workflow_id(order.ref))
    await handle.terminate("closed for the test")
    return order.ref


async def test_what_comes_for_a_closed_order_is_told_apart_and_never_reopens_it(
    orders: Orders, temporal: Temporal
) -> None:
    ref = await closed_order(orders, temporal)
    order = an_order(ref.number, now(), quantity=7)
    assert (await orders.submit(order)).verdict is SubmitVerdict.CLOSED
    assert await orders.receipt(a_receipt(order, now())) is Told.LATE
    with pytest.raises(OrderNotOpen):
        await orders.cancel(ref, CancelRequest(id="late"))
    described = await (await temporal.client()).get_workflow_handle(order_workflow_id(ref)).describe()
    assert described.status is WorkflowExecutionStatus.TERMINATED


async def test_a_closed_order_still_says_how_it_stands(orders: Orders, temporal: Temporal) -> None:
    ref = await closed_order(orders, temporal)
    assert (await orders.status(ref)).ref == ref
    assert not (await orders.details(ref)).open


async def test_an_order_that_never_came_is_unknown(orders: Orders) -> None:
    ref = OrderRef(store="demo", number="never-came")
    for read in (orders.status, orders.timeline, orders.details):
        with pytest.raises(OrderUnknown):
            await read(ref)
    with pytest.raises(OrderNotOpen):
        await orders.cancel(ref, CancelRequest(id="x"))


async def test_without_a_worker_nothing_is_promised_and_the_same_call_later_is_safe(
    idle_orders: Orders, temporal: Temporal
) -> None:
    order = an_order(a_number(), now())
    with pytest.raises(Unavailable) as away:
        await idle_orders.submit(order)
    assert away.value.retry_after
    async with working(temporal, IDLE):
        patient = Orders(await temporal.client(IDLE))
        assert (await patient.submit(order)).verdict is SubmitVerdict.ACCEPTED


async def test_a_receipt_needs_no_worker_to_be_taken(idle_orders: Orders) -> None:
    order = an_order(a_number(), now())
    assert await idle_orders.receipt(a_receipt(order, now())) is Told.TOLD


async def test_a_server_without_our_search_attributes_is_a_misconfiguration_that_names_the_remedy(
    temporal: Temporal,
) -> None:
    bare = Orders(await temporal.client(BARE))
    with pytest.raises(Misconfigured, match="orderack temporal setup"):
        await bare.submit(an_order(a_number(), now()))


async def test_a_namespace_that_does_not_exist_is_a_misconfiguration(temporal: Temporal) -> None:
    with pytest.raises(Misconfigured, match="nowhere"):
        await Orders(await temporal.client("nowhere")).status(OrderRef(store="demo", number="1"))


@pytest.mark.parametrize(
    "query",
    [
        OpenOrders(number="{}"),
        OpenOrders(number="{}", store="demo"),
        OpenOrders(number="{}", customer="C-1", stage=OPEN, escalated=False),
    ],
)
async def test_open_orders_are_found_by_number_store_and_customer(query: OpenOrders, orders: Orders) -> None:
    order = an_order(f"O'Brien 100% {a_number()}", now())
    await orders.submit(order)
    query = query.model_copy(update={"number": order.number})
    found = await until(lambda: orders.list_open(query), bool)
    assert [row.ref for row in found] == [order.ref]


async def test_an_order_with_any_number_is_found_in_its_store(orders: Orders) -> None:
    order = an_order(f'back\\slash "quoted" {a_number()}', now())
    await orders.submit(order)
    query = OpenOrders(number=order.number, store="demo")
    assert [row.ref for row in await until(lambda: orders.list_open(query), bool)] == [order.ref]


async def test_open_orders_of_another_store_or_in_need_of_a_person_are_not_listed_with_it(orders: Orders) -> None:
    order = an_order(a_number(), now())
    await orders.submit(order)
    await until(lambda: orders.list_open(OpenOrders(number=order.number)), bool)
    assert not await orders.list_open(OpenOrders(number=order.number, store="other"))
    assert not await orders.list_open(OpenOrders(number=order.number, escalated=True))
    assert not await orders.list_open(OpenOrders(number=order.number, due_before=now()))


async def test_the_operators_page_says_in_plain_words_what_the_order_waits_for_without_the_buyers_data(
    orders: Orders,
) -> None:
    order = an_order(a_number(), now())
    await orders.submit(order)
    details = await until(lambda: orders.details(order.ref), lambda d: "aits for" in d.details)
    assert details.open
    assert details.summary == f"Order {order.number} · demo · 39.80 EUR · web"
    for secret in ("ada@example.com", "+15005550006", "High Street"):
        assert secret not in details.summary + details.details


async def test_an_order_number_cannot_forge_another_orders_id(orders: Orders) -> None:
    sly = an_order(f"x/../{a_number()}", now())
    await orders.submit(sly)
    assert (await orders.status(sly.ref)).ref == sly.ref
    assert order_workflow_id(sly.ref).count("/") == 2


async def test_a_request_that_does_not_decode_is_refused_with_words(orders: Orders) -> None:
    order = an_order(a_number(), now())
    await orders.submit(order)
    broken = CancelRequest.model_construct(_fields_set={"id", "by"}, id="b1", by="")
    with pytest.raises(Refused, match="by"):
        await orders.cancel(order.ref, broken)


async def test_what_waits_out_its_back_off_is_tried_at_once(orders: Orders, world: World) -> None:
    order = an_order(a_number(), now())
    script, away = world.script(order.number), True

    def submit(request: SubmitToErpRequest) -> ErpSubmission:
        if away:
            raise ApplicationError("the ERP does not answer", next_retry_delay=timedelta(minutes=5))
        return ErpSubmission(answer=ErpAnswer.SUBMITTED)

    script.submit = submit
    await orders.submit(order)
    await until(lambda: asyncio.sleep(0, len(script.submissions)), lambda tried: tried == 1)
    away = False
    assert await orders.try_now(order.ref, names.SUBMIT_TO_ERP) is True
    await until(lambda: asyncio.sleep(0, len(script.submissions)), lambda tried: tried == 2, seconds=5)
    await until(
        lambda: orders.timeline(order.ref), lambda told: Event.SUBMITTED_TO_ERP in [e.event for e in told.entries]
    )
    assert await orders.try_now(order.ref, names.SUBMIT_TO_ERP) is False
    assert await orders.try_now(OrderRef(store="demo", number="NO-SUCH"), names.SUBMIT_TO_ERP) is False
