"""S3's three signals, each as a list of orders: what support cannot find, what was sold twice, what planning misses."""

from dataclasses import dataclass

import numpy as np
import polars as pl

from orderack.diagnostics.gap.joining import Joined, Source
from orderack.diagnostics.gap.mapping import column_of
from orderack.diagnostics.gap.quantities import quantities
from orderack.diagnostics.gap.reading import unusable
from orderack.diagnostics.gap.resampling import Numbers
from orderack.diagnostics.gap.stamps import stamps
from orderack.diagnostics.gap.thresholds import TOLERANCE

POINTS = 400
"""Moments at which demand over time is shown."""


@dataclass(frozen=True)
class Signals:
    """The lists, and what they rest on."""

    early: pl.DataFrame
    """Confirmed before the receipt: `order`, `channel`, `captured`, `confirmed`, `receipt`, `seconds`."""
    missing: pl.DataFrame
    """Not to be found in the ERP: `order`, `channel`, `captured`, `confirmed`, `line`."""
    recent: int
    """Captured so late that the ERP's log may end before their receipt: not called missing."""
    before: int
    """Captured before the ERP's log begins: not called missing either."""
    oversold: pl.DataFrame | None
    """`order`, `sku`, `captured`, `quantity`, `stock`, `in_gap`, `short`; None: there is no stock log, or no items."""
    unseen: "Unseen"


@dataclass(frozen=True)
class Unseen:
    """Demand that planning does not see: captured, and not yet in the ERP.

    Of orders that reach it; what never does is `lost`, for it would lie on top of every moment after.
    """

    unit: str
    """`units`, or `orders` where the order log names no quantities."""
    lost: float
    at: Numbers
    amount: Numbers
    mean: float
    peak: float
    peak_at: float
    share: float
    """Of a day's demand, on average over the log, not yet seen at any one moment."""
    items: pl.DataFrame
    """`sku`, `peak`, `peak_at`: the items with the most unseen at once. Empty where no items are named."""


def signals(joined: Joined, stock: Source | None, skew: float) -> Signals:
    """Of all orders. `skew`: seconds that the ERP's clock is ahead of the confirmations'."""
    early = joined.orders.filter(
        pl.col("confirmed").is_not_null() & (pl.col("confirmed") - pl.col("receipt") + skew < -TOLERANCE)
    ).with_columns(seconds=pl.col("receipt") - skew - pl.col("confirmed"))
    delay = joined.orders.select((pl.col("receipt") - pl.col("captured")).quantile(0.99)).item()
    latest = joined.last_receipt - max(0.0, float(delay or 0.0))
    absent = joined.orders.filter(~pl.col("in_erp") & pl.col("captured").is_not_null())
    missing = absent.filter(pl.col("captured").is_between(joined.first_receipt - max(0.0, float(delay or 0.0)), latest))
    return Signals(
        early=early.select("order", "channel", "captured", "confirmed", "receipt", "seconds").sort(
            "seconds", descending=True
        ),
        missing=missing.select("order", "channel", "captured", "confirmed", "line"),
        recent=absent.filter(pl.col("captured") > latest).height,
        before=absent.height - missing.height - absent.filter(pl.col("captured") > latest).height,
        oversold=_oversold(joined, stock) if stock is not None and joined.lines.height else None,
        unseen=_unseen(joined),
    )


def _demand(joined: Joined) -> pl.DataFrame:
    """`sku`, `quantity`, `captured`, `gone`: when the ERP knew; the end of its log where it never did."""
    times = joined.orders.select("order", "captured", pl.col("receipt").fill_null(joined.last_receipt).alias("gone"))
    timed = times.filter(pl.col("captured").is_not_null() & (pl.col("gone") >= pl.col("captured")))
    if not joined.lines.height:
        return timed.with_columns(sku=pl.lit(""), quantity=pl.lit(1.0))
    return timed.join(joined.lines, on="order", how="inner")


def _unseen(joined: Joined) -> Unseen:
    absent = joined.orders.filter(~pl.col("in_erp")).select("order")
    demand = _demand(joined)
    lost = demand.join(absent, on="order", how="semi")
    demand = demand.join(absent, on="order", how="anti")
    at, level = _steps(demand)
    seconds = np.diff(at)
    span = float(at[-1] - at[0]) if len(at) > 1 else 0.0
    mean = float((level[:-1] * seconds).sum() / span) if span > 0 else 0.0
    peak = int(np.argmax(level)) if len(level) else 0
    total = float(demand["quantity"].sum())
    grid = np.linspace(at[0], at[-1], POINTS) if len(at) > 1 else at
    shown = (
        np.maximum.reduceat(level, np.searchsorted(at, grid, side="right").clip(1, len(at)) - 1) if len(at) else level
    )
    return Unseen(
        unit="units" if joined.lines.height else "orders",
        lost=float(lost["quantity"].sum()),
        at=grid,
        amount=shown,
        mean=mean,
        peak=float(level[peak]) if len(level) else 0.0,
        peak_at=float(at[peak]) if len(at) else 0.0,
        share=mean / (total / span * 86_400) if total and span else 0.0,
        items=_items(demand) if joined.lines.height else pl.DataFrame(),
    )


def _changes(demand: pl.DataFrame) -> pl.DataFrame:
    """`sku`, `at`, `change`: what is captured goes up, what is booked goes down, and first where both are at once."""
    ups = demand.select("sku", pl.col("captured").alias("at"), pl.col("quantity").alias("change"))
    downs = demand.select("sku", pl.col("gone").alias("at"), (-pl.col("quantity")).alias("change"))
    return pl.concat([ups, downs]).sort("at", "change")


def _steps(demand: pl.DataFrame) -> tuple[Numbers, Numbers]:
    changes = _changes(demand)
    return changes["at"].to_numpy().astype(np.float64), changes["change"].cum_sum().to_numpy().astype(np.float64)


def _items(demand: pl.DataFrame) -> pl.DataFrame:
    levels = _changes(demand).with_columns(level=pl.col("change").cum_sum().over("sku"))
    top = levels.sort("level", descending=True).unique("sku", keep="first", maintain_order=True)
    return top.select("sku", pl.col("level").alias("peak"), pl.col("at").alias("peak_at")).head(20)


def _oversold(joined: Joined, stock: Source) -> pl.DataFrame:
    """Captures at which more of an item was sold and not yet in the ERP than the ERP's stock figure still held.

    With times in the stock log, its last figure before the capture counts. Without, the figure is that at the log's
    beginning, less what the ERP has booked since.
    """
    levels = _levels(stock)
    demand = _demand(joined).sort("captured", "order")
    changes = _changes(demand).with_columns(in_gap=pl.col("change").cum_sum().over("sku"))
    gaps = changes.filter(pl.col("change") > 0).select("sku", pl.col("at").alias("captured"), "in_gap")
    gaps = gaps.group_by("sku", "captured").agg(pl.col("in_gap").max())
    sold = demand.join(gaps, on=["sku", "captured"], how="left")
    if "at" in levels.columns:
        known = sold.sort("captured").join_asof(
            levels.sort("at"), left_on="captured", right_on="at", by="sku", strategy="backward", check_sortedness=False
        )
    else:
        booked = (
            demand.select("sku", pl.col("gone").alias("at"), "quantity")
            .sort("at")
            .with_columns(booked=pl.col("quantity").cum_sum().over("sku"))
            .select("sku", "at", "booked")
        )
        known = (
            sold.sort("captured")
            .join_asof(booked, left_on="captured", right_on="at", by="sku", strategy="backward", check_sortedness=False)
            .join(levels, on="sku", how="left")
            .with_columns(stock=pl.col("stock") - pl.col("booked").fill_null(0.0))
        )
    return (
        known.filter(pl.col("stock").is_not_null() & (pl.col("in_gap") > pl.col("stock")))
        .with_columns(short=pl.col("in_gap") - pl.col("stock"))
        .select("order", "sku", "captured", "quantity", "stock", "in_gap", "short")
        .sort("captured", "order")
    )


def _levels(stock: Source) -> pl.DataFrame:
    """`sku`, `stock` and, where the log has times, `at`."""
    log = stock.log
    sku, quantity = column_of(stock.mapped, "sku") or "", column_of(stock.mapped, "quantity") or ""
    frame = log.frame.select(
        pl.col(sku).cast(pl.String).str.strip_chars().alias("sku"),
        quantities(log.frame[quantity]).alias("stock"),
    )
    if time := column_of(stock.mapped, "time"):
        frame = frame.with_columns(at=stamps(log.frame[time], stock.zone, stock.first).at).filter(
            pl.col("at").is_not_null()
        )
    frame = frame.filter(pl.col("stock").is_not_null())
    if not frame.height:
        raise unusable(
            "--stock", f"{log.file} has no row with an item and a quantity", "check --map stock.quantity=COLUMN"
        )
    return frame if "at" in frame.columns else frame.unique("sku", keep="first", maintain_order=True)
