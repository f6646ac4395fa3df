"""Logs put together: one row an order, with its times from every system, and an account of every row that was read."""

from collections.abc import Mapping
from dataclasses import dataclass

import polars as pl

from orderack.diagnostics.gap.keys import Match, match
from orderack.diagnostics.gap.mapping import Mapped, column_of
from orderack.diagnostics.gap.quantities import quantities
from orderack.diagnostics.gap.reading import LINE, BadRow, Log, unusable
from orderack.diagnostics.gap.stamps import NOT_ONE, DayFirst, Stamps, resolution, stamps

NO_ID = "has no order number"
UNNAMED = "(none)"
"""The channel of an order that names none."""


@dataclass(frozen=True)
class Account:
    """What became of a log's rows."""

    log: str
    file: str
    rows: int
    bad: tuple[BadRow, ...]
    """Rows that could not be used, in the order of their lines."""
    repeated: int
    """Rows of an order that an earlier row had: the same, or a further line or attempt."""
    orders: int
    naive: int
    """Stamps without a zone."""
    guessed: bool
    """They were read in UTC, for nobody named their zone."""
    form: str
    resolution: float
    joined: tuple[tuple[str, int], ...]
    ambiguous: int
    others: int
    """Orders that the order log does not have."""
    notes: tuple[str, ...]


@dataclass(frozen=True)
class Joined:
    """Every order of the order log with a time of capture, by capture."""

    orders: pl.DataFrame
    """`order`, `line`, `channel`, `captured`, `in_erp`, `receipt`, `received`, `delivered`, `confirmed`."""
    lines: pl.DataFrame
    """`order`, `sku`, `quantity`: empty where the order log names no items."""
    accounts: tuple[Account, ...]
    first_receipt: float
    last_receipt: float
    """Of the whole ERP log, also of orders that this order log does not have."""


@dataclass(frozen=True)
class Source:
    """A log, its columns, and the zone of its times that say none."""

    log: Log
    mapped: tuple[Mapped, ...]
    zone: str
    first: DayFirst | None
    zone_told: bool = True
    """False: nobody named the zone."""


def join(sources: Mapping[str, Source]) -> Joined:
    """By `orders`, `erp`, and what there is of the other two. Raises InvalidInput where nothing joins."""
    told = _read(sources["orders"], "captured")
    orders, lines = _orders(sources["orders"], told)
    accounts = [_account(sources["orders"], told, orders.height, None)]
    frame, account, span = _erp(orders, sources["erp"])
    accounts.append(account)
    for name in ("integration", "confirmations"):
        if name in sources:
            frame, account = _more(frame, sources[name])
            accounts.append(account)
    for column in ("received", "delivered", "confirmed"):
        if column not in frame.columns:
            frame = frame.with_columns(pl.lit(None, dtype=pl.Float64).alias(column))
    if not frame["in_erp"].any():
        raise unusable(
            "--erp",
            "no order number of the ERP's log is in the order log, however either is written",
            "check that both are of the same weeks, and which columns hold the shop's order number: "
            "--map orders.id=COLUMN --map erp.id=COLUMN",
        )
    return Joined(frame.sort("captured", "line"), lines, tuple(accounts), *span)


@dataclass(frozen=True)
class _Told:
    """A log's usable rows: `line`, `id`, `at` (null where the time stands in a doubled hour), and further columns."""

    rows: pl.DataFrame
    bad: tuple[BadRow, ...]
    read: Stamps


def _read(source: Source, role: str) -> _Told:
    log, mapped = source.log, source.mapped
    time = column_of(mapped, role)
    if time is None:
        raise unusable(f"--{log.name}", f"{log.file} has no {role}", f"say which: --map {log.name}.{role}=COLUMN")
    read = stamps(log.frame[time], source.zone, source.first)
    number = pl.col(column_of(mapped, "id") or "")
    if log.frame.schema[column_of(mapped, "id") or ""].is_float():
        number = number.cast(pl.Int64, strict=False)
    frame = log.frame.select(
        pl.col(LINE).alias("line"),
        number.cast(pl.String).str.strip_chars().alias("id"),
        pl.Series("at", read.at),
        pl.Series("why", read.why),
        *[pl.col(each.column).alias(each.role) for each in mapped if each.role not in ("id", role)],
    ).with_columns(why=pl.when(pl.col("id").fill_null("") == "").then(pl.lit(NO_ID)).otherwise(pl.col("why")))
    kept = frame.filter(pl.col("why").is_null() | (pl.col("why") == NOT_ONE))
    wrong = frame.filter(pl.col("why").is_not_null()).select("line", "why")
    bad = [*log.bad, *(BadRow(line, why) for line, why in wrong.iter_rows())]
    return _Told(kept.drop("why"), tuple(sorted(bad, key=lambda each: each.line)), read)


def _orders(source: Source, told: _Told) -> tuple[pl.DataFrame, pl.DataFrame]:
    """One row an order, its first capture; and its items, one row for each (order, sku)."""
    rows = told.rows
    channel = pl.col("channel").cast(pl.String).str.strip_chars() if "channel" in rows.columns else pl.lit(None)
    named = rows.with_columns(channel=pl.when(channel != "").then(channel).otherwise(pl.lit(UNNAMED)))
    orders = (
        named.sort("at", "line", nulls_last=True)
        .unique("id", keep="first", maintain_order=True)
        .select(pl.col("id").alias("order"), "line", "channel", pl.col("at").alias("captured"))
    )
    lines = pl.DataFrame(schema={"order": pl.String, "sku": pl.String, "quantity": pl.Float64})
    if "sku" in rows.columns:
        quantity = pl.lit(quantities(rows["quantity"])) if "quantity" in rows.columns else pl.lit(1.0)
        lines = (
            rows.with_columns(quantity=quantity.fill_null(1.0), sku=pl.col("sku").cast(pl.String).str.strip_chars())
            .filter(pl.col("sku").fill_null("") != "")
            .unique(["id", "sku"], keep="first", maintain_order=True)
            .select(pl.col("id").alias("order"), "sku", "quantity")
        )
    return orders, lines


def _erp(orders: pl.DataFrame, source: Source) -> tuple[pl.DataFrame, Account, tuple[float, float]]:
    """The first receipt of each order counts: that is when the ERP knew it."""
    told = _read(source, "received")
    firsts = told.rows.group_by("id").agg(pl.col("at").min().alias("receipt"))
    found = match(orders["order"], firsts["id"])
    named = firsts.join(found.pairs, left_on="id", right_on="theirs", how="inner").select(
        pl.col("ours").alias("order"), "receipt", pl.lit(True).alias("in_erp")
    )
    frame = orders.join(named, on="order", how="left", maintain_order="left").with_columns(
        pl.col("in_erp").fill_null(False)
    )
    known = told.rows["at"].drop_nulls()
    span = (_bound(known.min()), _bound(known.max()))
    return frame, _account(source, told, firsts.height, found), span


def _bound(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _more(frame: pl.DataFrame, source: Source) -> tuple[pl.DataFrame, Account]:
    """The integration's stamps and the confirmations: the first of each, but the last delivery before the receipt."""
    name = source.log.name
    roles = {"confirmations": ("sent",), "integration": ("received", "delivered")}[name]
    there = [role for role in roles if column_of(source.mapped, role)]
    main = _read(source, there[0])
    found = match(frame["order"], main.rows["id"])
    account = _account(source, main, main.rows["id"].n_unique(), found)
    for role in there:
        rows = (main if role == there[0] else _read(source, role)).rows
        named = rows.join(found.pairs, left_on="id", right_on="theirs", how="inner").select(
            pl.col("ours").alias("order"), "at"
        )
        column = "confirmed" if role == "sent" else role
        frame = frame.join(
            _each(named, frame, role).rename({"at": column}), on="order", how="left", maintain_order="left"
        )
    return frame, account


def _each(named: pl.DataFrame, frame: pl.DataFrame, role: str) -> pl.DataFrame:
    if role != "delivered":
        return named.group_by("order").agg(pl.col("at").min())
    timed = named.join(frame.select("order", "receipt"), on="order", how="left")
    before = pl.col("at").filter(pl.col("at") <= pl.col("receipt")).max()
    return timed.group_by("order").agg(pl.coalesce(before, pl.col("at").min()).alias("at"))


def _account(source: Source, told: _Told, orders: int, found: Match | None) -> Account:
    log = source.log
    return Account(
        log=log.name,
        file=log.file,
        rows=log.frame.height + len(log.bad),
        bad=told.bad,
        repeated=told.rows.height - orders,
        orders=orders,
        naive=told.read.naive,
        guessed=told.read.naive > 0 and not source.zone_told,
        form=told.read.form,
        resolution=resolution(told.read.at),
        joined=found.by if found else (),
        ambiguous=found.ambiguous if found else 0,
        others=orders - found.pairs.height if found else 0,
        notes=log.notes,
    )
