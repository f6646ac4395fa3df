"""The lists of orders: the first of each in the diagnosis, all of each as CSV files that a spreadsheet may open."""

import csv
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from orderack.diagnostics.gap.figures import EarlyOrder, MissingOrder, OversoldLine, SignalFigures, UnseenItem
from orderack.diagnostics.gap.joining import Joined
from orderack.diagnostics.gap.reading import unusable
from orderack.diagnostics.gap.signals import Signals

SHOWN = 20
"""Rows of each list in the diagnosis itself."""

_FORMULA = ("=", "+", "-", "@", "\t", "\r", "|", "%")
"""What a spreadsheet takes for the beginning of a formula or a command."""

NO_STOCK = "no stock log was given (--stock)"
NO_ITEMS = "the order log names no items (--map orders.sku=COLUMN)"


def signal_figures(lists: Signals, joined: Joined, *, with_stock: bool) -> SignalFigures:
    """Counts, the first rows, and why something could not be said."""
    unseen = lists.unseen
    why = "" if lists.oversold is not None else NO_ITEMS if with_stock else NO_STOCK
    return SignalFigures(
        confirmed_before_receipt=lists.early.height,
        confirmed_before_receipt_orders=tuple(
            EarlyOrder.model_validate(_row(row, "captured", "confirmed", "receipt"))
            for row in lists.early.head(SHOWN).iter_rows(named=True)
        ),
        not_in_erp=lists.missing.height,
        not_in_erp_orders=tuple(
            MissingOrder.model_validate(_row(row, "captured", "confirmed"))
            for row in lists.missing.head(SHOWN).iter_rows(named=True)
        ),
        too_recent=lists.recent,
        before_erp_log=lists.before,
        oversold=lists.oversold.height if lists.oversold is not None else None,
        oversold_lines=tuple(
            OversoldLine.model_validate(_row(row, "captured"))
            for row in (lists.oversold.head(SHOWN).iter_rows(named=True) if lists.oversold is not None else ())
        ),
        oversold_why=why,
        unseen_unit=unseen.unit,
        unseen_lost=unseen.lost,
        unseen_mean=unseen.mean,
        unseen_peak=unseen.peak,
        unseen_peak_at=datetime.fromtimestamp(unseen.peak_at, UTC) if unseen.peak else None,
        unseen_share_of_a_day=unseen.share,
        unseen_items=tuple(
            UnseenItem.model_validate(_row(row, "peak_at")) for row in unseen.items.iter_rows(named=True)
        ),
    )


def _row(row: dict[str, object], *times: str) -> dict[str, object]:
    return row | {name: _moment(row[name]) for name in times}


def _moment(value: object) -> datetime | None:
    return datetime.fromtimestamp(value, UTC) if isinstance(value, int | float) else None


def write_lists(lists: Signals, joined: Joined, folder: Path) -> tuple[Path, ...]:
    """One CSV a list, whole. Raises InvalidInput where the folder cannot be written."""
    frames = {
        "confirmed-before-receipt.csv": lists.early,
        "not-in-erp.csv": lists.missing,
        "unseen-demand-by-item.csv": lists.unseen.items,
        "unseen-demand-over-time.csv": pl.DataFrame(
            {"at": lists.unseen.at.tolist(), lists.unseen.unit: lists.unseen.amount.tolist()}
        ),
        **({"oversold.csv": lists.oversold} if lists.oversold is not None else {}),
    }
    unread = [(each.log, row.line, row.why) for each in joined.accounts for row in each.bad]
    written: list[Path] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for name, frame in frames.items():
            rows = (
                tuple(_written(column, value) for column, value in row.items()) for row in frame.iter_rows(named=True)
            )
            written.append(_write(folder / name, frame.columns, rows))
        written.append(_write(folder / "unreadable-rows.csv", ("log", "line", "why"), unread))
    except OSError as error:
        raise unusable("--lists", f"cannot be written: {error.strerror}", "name a folder of yours") from None
    return tuple(written)


_TIMES = ("captured", "confirmed", "receipt", "at", "peak_at")


def _written(column: str, value: object) -> object:
    if column in _TIMES:
        at = _moment(value)
        return at.isoformat(timespec="seconds") if at else ""
    return round(value, 3) if isinstance(value, float) else value


def _write(file: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> Path:
    with file.open("w", newline="", encoding="utf-8") as target:
        writer = csv.writer(target)
        writer.writerow(columns)
        writer.writerows([guarded(value) for value in row] for row in rows)
    return file


def guarded(value: object) -> object:
    """Text that a spreadsheet would calculate stands behind an apostrophe; numbers stay numbers."""
    if isinstance(value, str) and value.startswith(_FORMULA):
        return f"'{value}"
    return "" if value is None else value
