"""The same diagnosis over orderack's own ledger."""

from collections.abc import Sequence
from zoneinfo import ZoneInfo

import polars as pl

from orderack.diagnostics.gap.diagnose import Report, report
from orderack.diagnostics.gap.joining import Account, Joined
from orderack.diagnostics.gap.reading import unusable
from orderack.diagnostics.gap.telling import Told
from orderack.ledger.gap_times import GapTimes

_TIMES = ("captured", "received", "delivered", "receipt", "confirmed")


def diagnose_rows(rows: Sequence[GapTimes]) -> Report:
    """Capture is the order's trigger; the integration is orderack, which delivers when it submits to the ERP.

    An order that a person had to decide about first is left out: its time is no queue's and no trigger's, and until
    then it is right that the ERP does not have it.
    """
    flowing = [row for row in rows if not row.held]
    if not any(row.erp_receipt_at for row in flowing):
        raise unusable(
            "--since", "the ledger has no order of that time that the ERP booked by itself", "go back further"
        )
    told = Told((), {}, False, True, held=len(rows) - len(flowing))
    return report(joined(flowing), None, ZoneInfo("UTC"), told)


def joined(rows: Sequence[GapTimes]) -> Joined:
    """As if each system had logged them."""
    orders = pl.DataFrame(
        [
            (
                str(row.ref),
                place,
                row.source or "(none)",
                row.erp_receipt_at is not None,
                row.trigger_at.timestamp(),
                row.received_at.timestamp(),
                row.submitted_to_erp_at.timestamp() if row.submitted_to_erp_at else None,
                row.erp_receipt_at.timestamp() if row.erp_receipt_at else None,
                row.confirmed_at.timestamp() if row.confirmed_at else None,
            )
            for place, row in enumerate(rows, start=1)
        ],
        schema={"order": pl.String, "line": pl.Int64, "channel": pl.String, "in_erp": pl.Boolean}
        | dict.fromkeys(_TIMES, pl.Float64),
        orient="row",
    )
    lines = pl.DataFrame(
        [(str(row.ref), sku, float(quantity)) for row in rows for sku, quantity in row.quantities.items()],
        schema={"order": pl.String, "sku": pl.String, "quantity": pl.Float64},
        orient="row",
    )
    known = orders["receipt"].drop_nulls().to_list()
    return Joined(orders.sort("captured", "line"), lines, _accounts(orders), min(known), max(known))


def _accounts(orders: pl.DataFrame) -> tuple[Account, ...]:
    whole = orders.height
    counts = {
        "orders": whole,
        "integration": orders["delivered"].count(),
        "erp": orders["receipt"].count(),
        "confirmations": orders["confirmed"].count(),
    }
    return tuple(
        Account(
            log=log,
            file="the ledger",
            rows=count,
            bad=(),
            repeated=0,
            orders=count,
            naive=0,
            guessed=False,
            form="times",
            resolution=0.0,
            joined=() if log == "orders" else (("by its own key", count),),
            ambiguous=0,
            others=0,
            notes=(),
        )
        for log, count in counts.items()
    )
