"""The one typed door to orders for every caller: gateway, commands, tests, other teams' Python."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import TypeVar

from temporalio.api.common.v1 import WorkflowExecution as Execution
from temporalio.api.sdk.v1 import WorkflowMetadata
from temporalio.api.workflowservice.v1 import ResetActivityRequest
from temporalio.client import Client, WithStartWorkflowOperation, WorkflowExecutionStatus, WorkflowHandle
from temporalio.common import (
    Priority,
    SearchAttributePair,
    TypedSearchAttributes,
    WorkflowIDConflictPolicy,
    WorkflowIDReusePolicy,
)
from temporalio.exceptions import WorkflowAlreadyStartedError

from orderack.contracts import names
from orderack.contracts import search_attributes as attributes
from orderack.contracts.ids import order_workflow_id
from orderack.contracts.journal import Stage
from orderack.contracts.queries import OrderStatus, Timeline
from orderack.contracts.start import Start
from orderack.contracts.updates import (
    AcceptHandoff,
    Answer,
    BuyerQuestion,
    CancelRequest,
    ChangeRequest,
    Claim,
    HandoffReply,
    PaymentChanged,
    Reply,
    ReviewDecision,
    SettleSend,
    SubmitReply,
    SubmitVerdict,
)
from orderack.domain import order as domain
from orderack.domain.address import reaches
from orderack.domain.evidence import EvidenceFact
from orderack.domain.order import Order, OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.domain.value import Value
from orderack.errors import OrderNotOpen, OrderUnknown
from orderack.temporal.open_orders import OpenOrder, OpenOrders
from orderack.temporal.rpc import answered, bounded

WITHIN = timedelta(seconds=8)
"""How long a caller waits for a worker's answer before it is told to come back."""

_PRIORITY = {domain.Priority.HIGH: 2, domain.Priority.NORMAL: 3}
_METADATA = "__temporal_workflow_metadata"
_CLOSED = "This order is closed; nothing was changed."

R = TypeVar("R", bound=Reply)
Q = TypeVar("Q", OrderStatus, Timeline, WorkflowMetadata)


class Told(StrEnum):
    """What became of a fact: an open order took it, or it came too late for one (the ledger still has it)."""

    TOLD = "told"
    LATE = "late"


class Details(Value):
    """What Temporal's own page shows of one order, for people who have no browser."""

    ref: OrderRef
    workflow_id: str
    run_id: str
    open: bool
    events: int
    summary: str = ""
    details: str = ""
    """Plain words (markdown): the stage, what it waits for, the next deadline, the owner."""


class Orders:
    """Submit, tell, ask and read orders.

    Requests raise OrderNotOpen when the order has closed or never came; every call raises Unavailable when Temporal
    or a worker does not answer `within` (the same call again is safe), Misconfigured when the server is not set up.
    """

    def __init__(self, client: Client, within: timedelta = WITHIN) -> None:
        self._client = client
        self._within = within

    # -- intake -------------------------------------------------------------------------------------------------

    async def submit(self, order: Order) -> SubmitReply:
        """Hand in an order; the answer says what happens next.

        The same content again returns the same answer; other content under the same number is a proposed change;
        an order that has closed answers CLOSED. Unavailable means that nothing was promised: submit again.
        """
        start: WithStartWorkflowOperation[object, object] = WithStartWorkflowOperation(
            names.WORKFLOW,
            Start(store=order.store, number=order.number),
            id=order_workflow_id(order.ref),
            task_queue=names.ORDERS_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            static_summary=_summary(order),
            search_attributes=_attributes(order.ref, order.customer.id),
            priority=Priority(priority_key=_PRIORITY[order.priority], fairness_key=order.store[:64]),
        )
        unused = asyncio.ensure_future(start.workflow_handle())
        try:
            reply: SubmitReply = await bounded(
                self._client.execute_update_with_start_workflow(
                    names.UPDATE_SUBMIT,
                    order,
                    id=f"{names.UPDATE_SUBMIT}/{order.content_hash}",
                    start_workflow_operation=start,
                    result_type=SubmitReply,
                ),
                self._within,
            )
        except WorkflowAlreadyStartedError:
            return _closed(order.ref)
        finally:
            # The operation keeps a second future with the same failure; asyncio complains if nobody looks at it.
            unused.cancel()
            await asyncio.wait([unused])
        return reply

    async def receipt(self, receipt: ErpReceipt) -> Told:
        """Tell the ERP's receipt. One that comes before its order waits for it; one for a closed order is LATE."""
        ref = OrderRef(store=receipt.store, number=receipt.number)
        start = self._client.start_workflow(
            names.WORKFLOW,
            Start(store=ref.store, number=ref.number),
            id=order_workflow_id(ref),
            task_queue=names.ORDERS_QUEUE,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
            start_signal=names.SIGNAL_ERP_RECEIPT,
            start_signal_args=[receipt],
            static_summary=f"Order {ref.number} · {ref.store}",
            search_attributes=_attributes(ref),
            priority=Priority(fairness_key=ref.store[:64]),
        )
        try:
            await bounded(start, self._within)
        except WorkflowAlreadyStartedError:
            return Told.LATE
        return Told.TOLD

    # -- facts --------------------------------------------------------------------------------------------------

    async def evidence(self, ref: OrderRef, fact: EvidenceFact) -> Told:
        """Tell a fact about one acknowledgement: delivered, bounced, read, affirmed …"""
        return await self._signal(ref, names.SIGNAL_EVIDENCE, fact)

    async def payment(self, ref: OrderRef, changed: PaymentChanged) -> Told:
        """Tell the payment's state."""
        return await self._signal(ref, names.SIGNAL_PAYMENT_CHANGED, changed)

    async def _signal(self, ref: OrderRef, name: str, fact: Value) -> Told:
        try:
            await bounded(self._handle(ref).signal(name, fact), self._within)
        except OrderNotOpen:
            return Told.LATE
        return Told.TOLD

    # -- requests -----------------------------------------------------------------------------------------------

    async def change(self, ref: OrderRef, request: ChangeRequest) -> Reply:
        """Propose revision n+1."""
        return await self._update(ref, names.UPDATE_CHANGE, request.id, request, Reply)

    async def cancel(self, ref: OrderRef, request: CancelRequest) -> Reply:
        """Call the order off, or dispute it."""
        return await self._update(ref, names.UPDATE_CANCEL, request.id, request, Reply)

    async def decide_review(self, ref: OrderRef, decision: ReviewDecision) -> Reply:
        """A person's decision on the open review."""
        return await self._update(ref, names.UPDATE_DECIDE_REVIEW, decision.id, decision, Reply)

    async def claim(self, ref: OrderRef, claim: Claim) -> Reply:
        """Take the review, the handoff or the escalation in hand."""
        return await self._update(ref, names.UPDATE_CLAIM, claim.id, claim, Reply)

    async def accept_handoff(self, ref: OrderRef, accept: AcceptHandoff) -> HandoffReply:
        """The team accepts exactly this revision."""
        return await self._update(ref, names.UPDATE_ACCEPT_HANDOFF, accept.id, accept, HandoffReply)

    async def settle_send(self, ref: OrderRef, settle: SettleSend) -> Reply:
        """Settle a send whose outcome is unknown."""
        return await self._update(ref, names.UPDATE_SETTLE_SEND, settle.id, settle, Reply)

    async def ask(self, ref: OrderRef, question: BuyerQuestion) -> Reply:
        """The buyer asks the order's owner something."""
        return await self._update(ref, names.UPDATE_ASK, question.id, question, Reply)

    async def answer(self, ref: OrderRef, answer: Answer) -> Reply:
        """A person answers the buyer's question."""
        return await self._update(ref, names.UPDATE_ANSWER, answer.id, answer, Reply)

    async def _update(self, ref: OrderRef, name: str, request_id: str, request: Value, answer: type[R]) -> R:
        call = self._handle(ref).execute_update(name, request, id=request_id, result_type=answer)
        reply: R = await bounded(call, self._within)
        return reply

    # -- reading ------------------------------------------------------------------------------------------------

    async def status(self, ref: OrderRef) -> OrderStatus:
        """Where the order stands, open or closed. Billed as an Action: read it on demand, never poll it.

        Raises OrderUnknown.
        """
        return await self._query(ref, names.QUERY_STATUS, OrderStatus)

    async def timeline(self, ref: OrderRef) -> Timeline:
        """What happened to it (the latest entries; the ledger has all). Raises OrderUnknown."""
        return await self._query(ref, names.QUERY_TIMELINE, Timeline)

    async def details(self, ref: OrderRef) -> Details:
        """What Temporal's page says of it. Raises OrderUnknown."""
        handle = self._handle(ref)
        try:
            described = await bounded(handle.describe(), self._within)
        except OrderNotOpen:
            raise OrderUnknown(f"no order {ref}") from None
        metadata = await self._query(ref, _METADATA, WorkflowMetadata)
        return Details(
            ref=ref,
            workflow_id=described.id,
            run_id=described.run_id,
            open=described.status is WorkflowExecutionStatus.RUNNING,
            events=described.history_length,
            summary=await described.static_summary() or "",
            details=metadata.current_details,
        )

    async def list_open(self, query: OpenOrders | None = None) -> Sequence[OpenOrder]:
        """Open orders as the server's visibility lists them, the earliest deadline first. It may lag by a second."""
        wanted = query or OpenOrders()
        executions = self._client.list_workflows(wanted.sentence, limit=wanted.limit)
        return await bounded(OpenOrder.collect(executions), self._within)

    async def count_open(self, query: OpenOrders) -> int:
        """How many open orders there are of these, as visibility counts them. No Action is billed for it."""
        return (await bounded(self._client.count_workflows(query.sentence), self._within)).count

    async def try_now(self, ref: OrderRef, activity: str) -> bool:
        """Have an activity that waits out its back-off tried at once; whether there was such a one.

        Raises Unavailable when the server does not answer, Misconfigured when it cannot do that.
        """
        request = ResetActivityRequest(
            namespace=self._client.namespace,
            execution=Execution(workflow_id=order_workflow_id(ref)),
            identity=self._client.identity,
            type=activity,
        )
        try:
            await bounded(self._client.workflow_service.reset_activity(request), self._within)
        except OrderNotOpen:
            return False
        return True

    async def ping(self) -> None:
        """Return when the server answers."""
        await bounded(self._client.service_client.check_health(timeout=self._within), self._within)

    async def _query(self, ref: OrderRef, name: str, answer: type[Q]) -> Q:
        order = self._handle(ref)
        try:
            found: Q = await bounded(
                answered(lambda within: order.query(name, result_type=answer, rpc_timeout=within), self._within),
                self._within,
            )
        except OrderNotOpen:
            raise OrderUnknown(f"no order {ref}") from None
        return found

    def _handle(self, ref: OrderRef) -> WorkflowHandle[object, object]:
        return self._client.get_workflow_handle(order_workflow_id(ref))


def _summary(order: Order) -> str:
    """One line for operators; no buyer's data (Temporal's page shows it to everyone who may list)."""
    return f"Order {order.number} · {order.store} · {order.totals.total} {order.currency} · {order.source}"


def _attributes(ref: OrderRef, customer: str | None = None) -> TypedSearchAttributes:
    pairs: list[SearchAttributePair[str] | SearchAttributePair[bool]] = [
        SearchAttributePair(attributes.ORDER, ref.number),
        SearchAttributePair(attributes.STORE, ref.store),
        SearchAttributePair(attributes.STAGE, attributes.OPEN),
        SearchAttributePair(attributes.ESCALATED, False),
    ]
    if customer and not reaches(customer):  # an address that a shop uses as its customer's id is never stored in clear
        pairs.append(SearchAttributePair(attributes.CUSTOMER, customer))
    return TypedSearchAttributes(pairs)


def _closed(ref: OrderRef) -> SubmitReply:
    return SubmitReply(
        verdict=SubmitVerdict.CLOSED,
        store=ref.store,
        number=ref.number,
        revision=0,
        stage=Stage.CLOSED,
        next=_CLOSED,
    )
