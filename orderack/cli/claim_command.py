"""`orderack claim`: take a review, a handoff or an escalation in hand."""

from typing import Annotated

import typer

from orderack.cli.answers import ask
from orderack.cli.options import AsJson, By, RequestId, request_id
from orderack.cli.references import Ref, reference
from orderack.contracts.updates import Claim, ClaimTarget

Target = Annotated[ClaimTarget, typer.Argument(help="What to take in hand.")]


def claim(target: Target, order: Ref, by: By, id: RequestId = None, as_json: AsJson = False) -> None:
    """Take the order's review, handoff or escalation in hand, so that it is not reassigned.

    Example: orderack claim review demo/1001 --by grace

    Exit code 0: yours; 1: there is no such thing to claim; 3: no answer.
    """
    ref = reference(order)
    request = Claim(id=request_id(id), target=target, by=by)
    ask(ref, request.id, lambda orders: orders.claim(ref, request), as_json=as_json, write_down=True)
