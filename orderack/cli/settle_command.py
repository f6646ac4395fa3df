"""`orderack settle`: a person says what became of a send in doubt."""

from enum import StrEnum
from typing import Annotated

import typer

from orderack.cli.answers import ask
from orderack.cli.options import AsJson, By, Note, RequestId, request_id
from orderack.cli.references import order_of_send
from orderack.contracts.updates import SettleSend, SettleVerdict

Key = Annotated[str, typer.Argument(help="The send's key, as `orderack status` lists it.", metavar="KEY")]


class Verdict(StrEnum):
    """The verdicts as one types them."""

    SENT = "sent"
    NOT_SENT = "not-sent"
    SEND_AGAIN = "send-again"


def settle(
    key: Key,
    verdict: Annotated[Verdict, typer.Argument(help="What you found out.")],
    by: By,
    note: Note = "",
    id: RequestId = None,
    as_json: AsJson = False,
) -> None:
    """Settle a message of which nobody knows whether it went out: it was sent, it was not, or send it again.

    Example: orderack settle demo/1001/1/confirmation/1/email sent --note "seen in the provider's log"

    Exit code 0: settled; 1: no send with that key is in doubt; 3: no answer.
    """
    ref = order_of_send(key)
    settled = SettleVerdict(verdict.replace("-", "_"))
    request = SettleSend(id=request_id(id), key=key, verdict=settled, by=by, note=note)
    ask(ref, request.id, lambda orders: orders.settle_send(ref, request), as_json=as_json)
