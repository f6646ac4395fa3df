"""`GET /orders/{store}/{number}`: the storefront's hook (R157): may it say "confirmed" yet?"""

from typing import Annotated

from fastapi import APIRouter, Path, Request
from pydantic import AwareDatetime

from orderack.contracts.journal import Stage
from orderack.contracts.queries import OrderStatus
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import Name, Text
from orderack.domain.sayable import sayable
from orderack.domain.value import Value
from orderack.gateway.failures import errors
from orderack.gateway.openapi import KEYED
from orderack.gateway.parts import Parts
from orderack.gateway.paths import StoreName, order_named
from orderack.gateway.requests import demand_store

router = APIRouter(tags=["orders"])

Number = Annotated[str, Path(min_length=1, max_length=200, description="the order's number, percent-encoded")]


class Standing(Value):
    """Where an order stands, for a machine and for a person at the telephone."""

    reference: Text
    state: Stage
    revision: int
    content_hash: Name | None
    """Of that revision's content."""
    erp_receipt: bool
    """The ERP has booked the order under this document."""
    erp_document_id: Name | None
    confirmed_revision: int | None
    may_confirm: bool
    """True when the current revision is confirmed: only then may a storefront send a confirmation of its own."""
    acknowledged_at: AwareDatetime | None
    say: Text
    """What is true and safe to tell the buyer."""


@router.get(
    "/orders/{store}/{number:path}",
    response_model=Standing,
    responses=errors(401, 403, 404, 422, 503),
    openapi_extra=KEYED,
    summary="Where does an order stand?",
)
async def standing(store: StoreName, number: Number, request: Request, parts: Parts) -> Standing:
    """Ask before you send a confirmation of your own; each call costs a Temporal Action, so do not poll."""
    demand_store(request, parts, store)
    return standing_of(await parts.orders.status(order_named(store, number)))


def standing_of(status: OrderStatus) -> Standing:
    """The order's status as a shop may know it."""
    confirmed = status.confirmed_revision is not None and status.confirmed_revision == status.revision
    out = [sent.out_at for sent in status.acknowledgements if sent.out_at]
    return Standing(
        reference=str(status.ref),
        state=status.stage,
        revision=status.revision,
        content_hash=status.content_hash,
        erp_receipt=status.erp_document_id is not None,
        erp_document_id=status.erp_document_id,
        confirmed_revision=status.confirmed_revision,
        may_confirm=confirmed and not called_off(status),
        acknowledged_at=min(out, default=None),
        say=sayable(status),
    )


def called_off(status: OrderStatus) -> bool:
    """Cancelled or rejected, also when it has closed since."""
    ended = status.stage in (Stage.CANCELLED, Stage.REJECTED)
    return ended or any(said.kind in (Kind.CANCELLATION, Kind.REJECTION) for said in status.acknowledgements)
