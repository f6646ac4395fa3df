"""Options that many commands share."""

from pathlib import Path
from typing import Annotated
from uuid import uuid4

import typer

AsJson = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read, errors too.")]
By = Annotated[str, typer.Option("--by", envvar="USER", help="Who asks.", metavar="NAME")]
Note = Annotated[str, typer.Option("--note", help="Why, in a few words.", metavar="TEXT")]
RequestId = Annotated[
    str | None,
    typer.Option("--id", help="This request's own id: sent again with it, it is done once.", metavar="ID"),
]
OrderFile = Annotated[
    Path | None,
    typer.Option("--order", help="The whole new order as JSON; - reads standard input.", metavar="FILE"),
]


def request_id(given: str | None) -> str:
    """The caller's id, or a fresh one for this invocation."""
    return given or uuid4().hex
