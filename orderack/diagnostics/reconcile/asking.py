"""The ERPs' rows, asked for order by order where nobody exported a list."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping, Sequence

from orderack.diagnostics.reconcile.records import Row
from orderack.errors import InDoubt, InvalidInput, Refused, Unavailable
from orderack.ports import Erp
from orderack.ports.captured import CapturedOrder

Tell = Callable[[int], None]
Sleep = Callable[[float], Awaitable[None]]


async def asked(
    erps: Mapping[str, Erp],
    ours: Sequence[CapturedOrder],
    per_second: float,
    tell: Tell,
    sleep: Sleep = asyncio.sleep,
) -> tuple[Row, ...]:
    """A row for each order that its ERP has booked; one with a problem where that ERP cannot be asked.

    An ERP says of a receipt neither total nor currency, and what it has that we do not is not seen in this way.
    Raises Unavailable when an ERP does not answer.
    """
    rows: list[Row] = []
    for place, order in enumerate(ours, start=1):
        tell(place)
        erp = erps.get(order.erp or "")
        if erp is None:
            continue
        await sleep(1 / per_second)
        try:
            receipt = await erp.find(order.ref, order.revision)
        except (Refused, InvalidInput, InDoubt) as error:
            rows.append(Row(place, id=order.ref.number, problem=f"the ERP does not answer for it: {error}"[:200]))
        except Unavailable as error:
            raise Unavailable(f"the ERP {order.erp} does not answer; {place - 1} orders were asked about") from error
        else:
            if receipt is not None:
                rows.append(Row(place, id=receipt.number))
    return tuple(rows)
