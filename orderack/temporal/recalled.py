"""An order's content and assessments, read back from its own history: for a ledger that has lost them."""

from collections.abc import Iterator, Sequence
from typing import TypeVar

from pydantic import BaseModel, ValidationError
from temporalio.api.common.v1 import Payload
from temporalio.api.history.v1 import HistoryEvent
from temporalio.client import Client
from temporalio.service import RPCError, RPCStatusCode

from orderack.contracts.ids import order_workflow_id
from orderack.domain.assessment import Assessment
from orderack.domain.order import Order, OrderRef
from orderack.errors import OrderUnknown, Unavailable

M = TypeVar("M", bound=BaseModel)


class _Proposal(BaseModel):
    """A change, an amendment, or the state that a continued run begins with: what holds an order."""

    order: Order
    assessment: Assessment | None = None


class _Continued(BaseModel):
    state: _Proposal


async def recalled(client: Client, ref: OrderRef) -> list[tuple[Order, Assessment]]:
    """Every revision that the order's present run knows whole, in their order.

    A run that was continued as new knows the revision that it began with and those after. Raises OrderUnknown,
    Unavailable, and Misconfigured where the key that sealed the history is not set.
    """
    try:
        history = await client.get_workflow_handle(order_workflow_id(ref)).fetch_history()
    except RPCError as error:
        if error.status is RPCStatusCode.NOT_FOUND:
            raise OrderUnknown(f"no order {ref}") from None
        raise Unavailable(f"Temporal does not give the order's history ({error.status.name.lower()})") from None
    payloads = [payload for event in history.events for payload in payloads_of(event)]
    if codec := client.data_converter.payload_codec:
        payloads = list(await codec.decode(payloads))
    return revisions_in(payloads)


def revisions_in(payloads: Sequence[Payload]) -> list[tuple[Order, Assessment]]:
    """Every order among them that was assessed, with its assessment, by revision."""
    orders, assessments = dict[str, Order](), dict[int, Assessment]()
    for payload in payloads:
        for order in _orders(payload):
            orders[order.content_hash] = order
        for assessment in _assessments(payload):
            assessments[assessment.revision] = assessment
    return [
        (orders[found.content_hash], found) for _, found in sorted(assessments.items()) if found.content_hash in orders
    ]


def payloads_of(event: HistoryEvent) -> Iterator[Payload]:
    """What could hold them: how the run began, what it was asked, and assessments (in markers, or by activities)."""
    yield from event.workflow_execution_started_event_attributes.input.payloads
    accepted = event.workflow_execution_update_accepted_event_attributes
    yield from accepted.accepted_request.input.args.payloads
    marked = event.marker_recorded_event_attributes.details
    yield from marked["result"].payloads if "result" in marked else ()  # asking for what is not there would add it
    yield from event.activity_task_completed_event_attributes.result.payloads


def _orders(payload: Payload) -> Iterator[Order]:
    if order := _read(Order, payload):
        yield order
    if proposal := _read(_Proposal, payload):
        yield proposal.order
    if continued := _read(_Continued, payload):
        yield continued.state.order


def _assessments(payload: Payload) -> Iterator[Assessment]:
    if assessment := _read(Assessment, payload):
        yield assessment
    continued = _read(_Continued, payload)
    if continued and continued.state.assessment:
        yield continued.state.assessment


def _read(kind: type[M], payload: Payload) -> M | None:
    try:
        return kind.model_validate_json(payload.data)
    except ValidationError:
        return None
