"""`orderack review`: a person decides on a flagged order."""

from typing import Annotated

import typer

from orderack.cli.answers import ask as ask_order
from orderack.cli.exits import bad
from orderack.cli.options import AsJson, By, Note, OrderFile, RequestId, request_id
from orderack.cli.original_command import show_original
from orderack.cli.reading import read_order
from orderack.cli.references import Ref, reference
from orderack.contracts.updates import ReviewDecision, ReviewVerdict

app = typer.Typer(no_args_is_help=True, help="Decide on an order that a person must look at.")

app.command("original")(show_original)

Question = Annotated[str, typer.Option("--question", help="Goes to the buyer word for word.", metavar="TEXT")]


@app.command()
def approve(order: Ref, by: By, note: Note = "", id: RequestId = None, as_json: AsJson = False) -> None:
    """Let the order go on as it is.

    Example: orderack review approve demo/1001 --note "called the buyer"

    Exit code 0: approved; 1: the order says no (no review is open, or it is incomplete).
    """
    decision = ReviewDecision(id=request_id(id), verdict=ReviewVerdict.APPROVE, by=by, note=note)
    _decide(order, decision, as_json)


@app.command()
def amend(
    order: Ref, by: By, file: OrderFile = None, note: Note = "", id: RequestId = None, as_json: AsJson = False
) -> None:
    """Mend the order: its new content is checked again as the next revision.

    Example: orderack review amend demo/1001 --order mended.json

    Exit code 0: taken; 1: the order says no; 2: the new content is wrong.
    """
    if file is None:
        raise bad("--order", "is missing", "name the file with the mended order")
    decision = ReviewDecision(id=request_id(id), verdict=ReviewVerdict.AMEND, by=by, note=note, order=read_order(file))
    _decide(order, decision, as_json)


@app.command()
def ask(order: Ref, by: By, question: Question, note: Note = "", id: RequestId = None, as_json: AsJson = False) -> None:
    """Ask the buyer; the review stays open.

    Example: orderack review ask demo/1001 --question "Which delivery address shall we use?"

    Exit code 0: asked; 1: the order says no.
    """
    decision = ReviewDecision(id=request_id(id), verdict=ReviewVerdict.ASK, by=by, note=note, question=question)
    _decide(order, decision, as_json)


@app.command()
def reject(order: Ref, by: By, note: Note = "", id: RequestId = None, as_json: AsJson = False) -> None:
    """Reject the order; the buyer is told, with the note as the reason.

    Example: orderack review reject demo/1001 --note "we do not deliver to this address"

    Exit code 0: rejected; 1: the order says no.
    """
    decision = ReviewDecision(id=request_id(id), verdict=ReviewVerdict.REJECT, by=by, note=note)
    _decide(order, decision, as_json)


def _decide(order: str, decision: ReviewDecision, as_json: bool) -> None:
    ref = reference(order)
    ask_order(ref, decision.id, lambda orders: orders.decide_review(ref, decision), as_json=as_json)
