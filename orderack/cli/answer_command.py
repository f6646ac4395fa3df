"""`orderack answer`: a person answers what the buyer asked."""

from pathlib import Path
from typing import Annotated

import typer

from orderack.cli.answers import ask
from orderack.cli.exits import bad
from orderack.cli.options import AsJson, By, RequestId, request_id
from orderack.cli.reading import read
from orderack.cli.references import Ref, reference
from orderack.contracts.updates import Answer

Question = Annotated[str, typer.Argument(help="The question's id, as `orderack status` lists it.", metavar="QUESTION")]
Words = Annotated[str, typer.Argument(help="The answer, word for word; - reads standard input.", metavar="TEXT")]


def answer(order: Ref, question: Question, text: Words, by: By, id: RequestId = None, as_json: AsJson = False) -> None:
    """Answer the buyer's question: the words go to the buyer as they are, below the question.

    Example: orderack answer demo/1001 q-17 "Yes, it is oiled with linseed oil."

    Exit code 0: it goes to the buyer; 1: no such question is open; 3: no answer from Temporal or a worker.
    """
    ref = reference(order)
    request = Answer(id=request_id(id), question=question, text=_words(text), by=by)
    ask(ref, request.id, lambda orders: orders.answer(ref, request), as_json=as_json)


def _words(text: str) -> str:
    """Raises InvalidInput when there are none."""
    try:
        words = read(Path("-")).decode() if text == "-" else text
    except UnicodeDecodeError:
        raise bad("TEXT", "is not UTF-8", "hand it in as UTF-8") from None
    if not words.strip():
        raise bad("TEXT", "is empty", "write the answer, or - to read it from standard input")
    return words.strip()
