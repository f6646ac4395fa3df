"""`orderack cancel`: call an order off, or record that the buyer disputes it."""

from typing import Annotated

import typer

from orderack.cli.answers import ask
from orderack.cli.options import AsJson, By, RequestId, request_id
from orderack.cli.references import Ref, reference
from orderack.contracts.updates import CancelRequest

Reason = Annotated[str, typer.Option("--reason", help="Why; the buyer is told.", metavar="TEXT")]
Dispute = Annotated[bool, typer.Option("--dispute", help="The buyer says that they never ordered this.")]


def cancel(
    order: Ref, by: By, reason: Reason = "", dispute: Dispute = False, id: RequestId = None, as_json: AsJson = False
) -> None:
    """Call the order off. It wins over every confirmation that has not gone out; the ERP and the team are told.

    Example: orderack cancel demo/1001 --reason "ordered twice"

    Exit code 0: cancelled; 1: the order is closed, or never came; 3: no answer.
    """
    ref = reference(order)
    request = CancelRequest(id=request_id(id), by=by, reason=reason, dispute=dispute)
    ask(ref, request.id, lambda orders: orders.cancel(ref, request), as_json=as_json)
