"""`orderack receipt`: tell an order that its ERP has booked it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from orderack.cli.exits import NO, bad
from orderack.cli.options import AsJson, RequestId, request_id
from orderack.cli.printing import print_facts, print_json
from orderack.cli.reading import read
from orderack.cli.references import reference
from orderack.cli.session import orders_door, run
from orderack.domain.order import Name, OrderRef
from orderack.domain.receipt import ErpReceipt, LineVerdict
from orderack.domain.value import Value
from orderack.temporal.orders import Told

File = Annotated[Path | None, typer.Argument(help="The receipt as JSON; - reads standard input.", metavar="[FILE]")]
OrderOption = Annotated[str | None, typer.Option("--order", help="The order it is about.", metavar="STORE/NUMBER")]
Document = Annotated[str | None, typer.Option("--document", help="The ERP's document number.", metavar="ID")]
ErpName = Annotated[str | None, typer.Option("--erp", help="The ERP's name in the policy.", metavar="NAME")]
Lines = Annotated[
    list[str] | None,
    typer.Option(
        "--line",
        help="A line's verdict: available, partial:QUANTITY, backordered, substituted or unavailable. Repeat it.",
        metavar="ID=VERDICT",
    ),
]
Revision = Annotated[int | None, typer.Option(min=1, help="The revision booked; default: the last one submitted.")]


class ReceiptTold(Value):
    """What became of the receipt."""

    order: OrderRef
    receipt: Name
    outcome: Told


def receipt(
    file: File = None,
    order: OrderOption = None,
    document: Document = None,
    line: Lines = None,
    erp: ErpName = None,
    revision: Revision = None,
    id: RequestId = None,
    as_json: AsJson = False,
) -> None:
    """Tell an order its ERP receipt, from a file or from the options: document, and a verdict for every line.

    A receipt that comes before its order waits for it.

    Example: orderack receipt --order demo/1001 --erp sandbox --document SO-1 --line 1=available --line 2=partial:3

    Exit code 0: told; 1: the order is closed, nothing was changed; 2: the receipt is wrong; 3: no answer from Temporal.
    """
    options = (order, document, line, erp)
    if file is not None and any(options):
        raise bad("FILE", "stands beside --order, --document, --line or --erp", "use the file or the options")
    if file is not None:
        found = ErpReceipt.model_validate_json(read(file), extra="forbid")
    elif order and document and line and erp:
        found = _built(reference(order), document, line, erp, revision, request_id(id))
    else:
        raise bad("receipt", "is incomplete", "name a FILE, or --order, --erp, --document and a --line for every line")
    told = run(_tell(found))
    if as_json:
        print_json(told)
    else:
        late = "too late: the order is closed, and nothing was changed"
        print_facts((("order", told.order), ("receipt", "told" if told.outcome is Told.TOLD else late)))
    if told.outcome is Told.LATE:
        raise typer.Exit(NO)


async def _tell(found: ErpReceipt) -> ReceiptTold:
    outcome = await (await orders_door()).receipt(found)
    return ReceiptTold(order=OrderRef(store=found.store, number=found.number), receipt=found.id, outcome=outcome)


def _built(ref: OrderRef, document: str, lines: Sequence[str], erp: str, revision: int | None, id: str) -> ErpReceipt:
    return ErpReceipt.model_validate(
        {
            "id": id,
            "erp": erp,
            "store": ref.store,
            "number": ref.number,
            "revision": revision,
            "document_id": document,
            "recorded_at": datetime.now(UTC),
            "lines": [_verdict(line) for line in lines],
        }
    )


def _verdict(text: str) -> LineVerdict:
    """`2=partial:3`: line 2, of which three can be had."""
    line_id, equals, said = text.rpartition("=")
    verdict, _, quantity = said.partition(":")
    if not equals:
        raise bad("--line", f"has no verdict: {text}", "write the line and its verdict, such as 1=available")
    return LineVerdict.model_validate({"line_id": line_id, "verdict": verdict, "quantity": quantity or None})
