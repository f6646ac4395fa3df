"""`orderack accept`: the team accepts the revision that was confirmed."""

from typing import Annotated

import typer

from orderack.cli.answers import ask
from orderack.cli.options import AsJson, By, RequestId, request_id
from orderack.cli.references import Ref, reference
from orderack.contracts.updates import AcceptHandoff, HandoffReply
from orderack.domain.order import OrderRef
from orderack.errors import Refused
from orderack.temporal.orders import Orders

Revision = Annotated[
    int | None, typer.Option("--revision", min=1, help="The revision that you looked at; refused if it is another.")
]


def accept(order: Ref, by: By, revision: Revision = None, id: RequestId = None, as_json: AsJson = False) -> None:
    """Accept the handoff: the confirmed revision, by its content hash. Says whether work may begin, and if not, why.

    Example: orderack accept demo/1001 --by grace --revision 2

    Exit code 0: accepted; 1: nothing is confirmed, or it was another revision; 3: no answer.
    """
    ref, request = reference(order), request_id(id)
    ask(ref, request, lambda orders: _accept(orders, ref, request, by, revision), as_json=as_json, write_down=True)


async def _accept(orders: Orders, ref: OrderRef, id: str, by: str, revision: int | None) -> HandoffReply:
    status = await orders.status(ref)
    confirmed = status.confirmed_revision
    if confirmed is None or confirmed != status.revision or status.content_hash is None:
        raise Refused(f"revision {status.revision} of order {ref} is not confirmed: nothing can be accepted yet")
    if revision not in (None, confirmed):
        raise Refused(f"order {ref} is confirmed as revision {confirmed}, not {revision}: look at it first")
    accepted = AcceptHandoff(id=id, revision=confirmed, content_hash=status.content_hash, by=by)
    return await orders.accept_handoff(ref, accepted)
