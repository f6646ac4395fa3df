"""Times as logs write them, as seconds since 1970 in UTC. What is no time, or not one time, says why."""

import re
from dataclasses import dataclass
from typing import Literal

import polars as pl

UNREADABLE = "is no time that can be read"
EMPTY = "has no time"
NO_TIME_OF_DAY = "is a date without a time of day"
NOT_ONE = "stands in the hour that the clock goes through twice, or that it skips: it may be two times, or none"

DayFirst = Literal["day", "month"]

_OFFSET = r"\s*(?P<off>Z|z|UTC|GMT|[+-]\d{2}:?\d{2}|[+-]\d{2})?(?:\[[^\]]*\])?$"
_CLOCK = r"(?P<h>\d{1,2}):(?P<mi>\d{2})(?::(?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?)?\s*(?P<ap>[AaPp][Mm])?"
_NAMED = ["jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec"]

_PATTERNS = (
    r"^(?P<y>\d{4})[-/.](?P<mo>\d{1,2})[-/.](?P<d>\d{1,2})(?:[Tt]|[ ,]+)" + _CLOCK + _OFFSET,
    r"^(?P<y>(?:19|20)\d{2})(?P<mo>\d{2})(?P<d>\d{2})[Tt ]?(?P<h>\d{2})(?P<mi>\d{2})(?P<s>\d{2})(?:[.,](?P<f>\d{1,9}))?"
    r"(?P<ap>[AaPp][Mm])?" + _OFFSET,
    r"^(?:[A-Za-z]{3,9},?\s+)?(?P<d>\d{1,2})[ /-](?P<mo>[A-Za-z]{3,9})\.?[ /-](?P<y>\d{4}(?::|[ ,]+)|\d{2}[ ,]+)"
    + _CLOCK
    + _OFFSET,
    r"^(?:[A-Za-z]{3,9},?\s+)?(?P<mo>[A-Za-z]{3,9})\.?\s+(?P<d>\d{1,2}),?\s+(?P<y>\d{4}),?\s+(?:at\s+)?"
    + _CLOCK
    + _OFFSET,
)
_SLASHED = {
    "day": r"^(?P<d>\d{1,2})[/.-](?P<mo>\d{1,2})(?P<y>[/.-]\d{4}|[/.]\d{2})(?:[Tt]|[ ,]+)" + _CLOCK + _OFFSET,
    "month": r"^(?P<mo>\d{1,2})[/.-](?P<d>\d{1,2})(?P<y>[/.-]\d{4}|[/.]\d{2})(?:[Tt]|[ ,]+)" + _CLOCK + _OFFSET,
}
_NUMBER = r"^\d{9,19}(?:\.\d+)?$"
_SERIAL = r"^\d{5}[.,]\d{4,}$"
"""A time of a workbook: days since 30 December 1899. A price has no four places behind the point …"""
_DAYS_TO_1970 = 25_569
_DATE = r"^\d{4}-\d{2}-\d{2}$|^\d{1,2}[/.]\d{1,2}[/.](?:\d{4}|\d{2})$"
_YEARS = (946_684_800.0, 4_102_444_800.0)
"""2000 to 2100: outside, it is no time of an order."""


@dataclass(frozen=True)
class Stamps:
    """A column's times."""

    at: pl.Series
    """Seconds since 1970; null where there is none."""
    why: pl.Series
    """Why there is none; null where there is."""
    naive: int
    """How many said no zone, and were read in the given one."""
    form: str
    """How they are written, in a few words."""


def stamps(values: pl.Series, zone: str, first: DayFirst | None = None) -> Stamps:
    """The column's times; those without a zone are in `zone`. `first`: which comes first in 03/04/2026."""
    if values.dtype.is_temporal():
        return _temporal(values, zone)
    if values.dtype.is_numeric():
        values = values.cast(pl.Float64).map_elements(lambda each: f"{each:.6f}", return_dtype=pl.String)
    text = values.cast(pl.String).str.strip_chars(" \t\r\n\"'").alias("text")
    frame = pl.DataFrame({"text": text}).with_row_index("place")
    found = [_numbers(frame), _serials(frame, zone)]
    names = ("seconds or milliseconds since 1970", "days of a workbook")
    forms = [name for name, part in zip(names, found, strict=True) if part.height]
    left = frame.join(pl.concat(found), on="place", how="anti")
    first = first or _which_first(left["text"])
    for pattern in (*_PATTERNS, _SLASHED[first]):
        if left.height:
            part = _parsed(left, pattern, zone)
            left = left.join(part, on="place", how="anti")
            found.append(part)
            if part.height:
                forms.append(_form(pattern, first))
    made = frame.join(pl.concat(found, how="vertical"), on="place", how="left", maintain_order="left")
    return _judged(made, ", ".join(dict.fromkeys(forms)) or "no times")


def resolution(at: pl.Series) -> float:
    """Seconds that all stamps are rounded to: 3600, 60, 1, or 0 for finer."""
    known = at.drop_nulls()
    for step in (3_600.0, 60.0, 1.0):
        if known.len() and float((known % step).abs().max() or 0.0) == 0.0:  # type: ignore[arg-type]
            return step
    return 0.0


def _judged(made: pl.DataFrame, form: str) -> Stamps:
    text = pl.col("text")
    at = pl.when(pl.col("at").is_between(*_YEARS)).then(pl.col("at"))
    done = made.with_columns(at=at).with_columns(
        why=pl.when(pl.col("at").is_not_null())
        .then(None)
        .when(text.is_null() | (text == "") | text.str.to_lowercase().is_in(["null", "none", "nan", "n/a", "-"]))
        .then(pl.lit(EMPTY))
        .when(pl.col("naive").fill_null(False) & pl.col("split").fill_null(False))
        .then(pl.lit(NOT_ONE))
        .when(text.str.contains(_DATE))
        .then(pl.lit(NO_TIME_OF_DAY))
        .otherwise(pl.lit(UNREADABLE))
    )
    naive = int(done["naive"].fill_null(False).sum())
    return Stamps(done["at"], done["why"], naive, form)


def _temporal(values: pl.Series, zone: str) -> Stamps:
    frame = pl.DataFrame({"value": values}).with_row_index("place")
    kind = values.dtype
    if not isinstance(kind, pl.Datetime):
        words = pl.Series("why", [NO_TIME_OF_DAY] * values.len(), dtype=pl.String)
        return Stamps(pl.Series("at", [None] * values.len(), dtype=pl.Float64), words, 0, "dates")
    value = pl.col("value")
    if kind.time_zone is None:
        value = value.dt.replace_time_zone(zone, ambiguous="null", non_existent="null")
    seconds = value.dt.timestamp("us") / 1e6
    made = frame.select(at=seconds, missing=pl.col("value").is_null())
    why = pl.when(pl.col("at").is_null()).then(pl.when("missing").then(pl.lit(EMPTY)).otherwise(pl.lit(NOT_ONE)))
    naive = values.len() - values.null_count() if kind.time_zone is None else 0
    return Stamps(made["at"], made.select(why.alias("why"))["why"], naive, "times")


def _numbers(frame: pl.DataFrame) -> pl.DataFrame:
    """Seconds, milli-, micro- or nanoseconds since 1970, by their size; a compact date has 14 digits and a year."""
    text = pl.col("text")
    chosen = frame.filter(text.str.contains(_NUMBER) & ~text.str.contains(r"^(?:19|20)\d{12}$"))
    value = text.cast(pl.Float64)
    scaled = (
        pl.when(value < 1e11)
        .then(value)
        .when(value < 1e14)
        .then(value / 1e3)
        .when(value < 1e17)
        .then(value / 1e6)
        .otherwise(value / 1e9)
    )
    return chosen.select("place", at=scaled, naive=pl.lit(False), split=pl.lit(False))


def _serials(frame: pl.DataFrame, zone: str) -> pl.DataFrame:
    """Excel's days since 1900, on a clock without a zone; to the second, for they are rounded."""
    text = pl.col("text")
    chosen = frame.filter(text.str.contains(_SERIAL) & ~text.str.ends_with("0000"))
    seconds = ((text.str.replace(",", ".").cast(pl.Float64) - _DAYS_TO_1970) * 86_400).round()
    local = (seconds * 1e6).cast(pl.Int64).cast(pl.Datetime("us"))
    zoned = _in_zone(local, zone)
    return chosen.select("place", at=zoned, naive=pl.lit(True), split=zoned.is_null())


def _in_zone(local: pl.Expr, zone: str) -> pl.Expr:
    """Seconds since 1970; null where the clock shows that time twice, or never."""
    return local.dt.replace_time_zone(zone, ambiguous="null", non_existent="null").dt.timestamp("us") / 1e6


def _parsed(frame: pl.DataFrame, pattern: str, zone: str) -> pl.DataFrame:
    groups = (
        frame.filter(pl.col("text").str.contains(pattern))
        .select("place", pl.col("text").str.extract_groups(pattern).alias("g"))
        .unnest("g")
    )
    month = pl.col("mo").str.to_lowercase().str.slice(0, 3)
    hour = pl.col("h").cast(pl.Int32)
    late = pl.col("ap").str.to_lowercase()
    hour = pl.when(late == "pm").then(hour % 12 + 12).when(late == "am").then(hour % 12).otherwise(hour)
    names = {name: place for place, name in enumerate(_NAMED, start=1)}
    number = month.replace_strict(names, default=None, return_dtype=pl.Int32)
    year = pl.col("y").str.extract(r"(\d+)").cast(pl.Int32)
    parts = groups.with_columns(
        y=pl.when(year < 100).then(year + 2_000).otherwise(year),
        mo=pl.coalesce(month.cast(pl.Int32, strict=False), number),
        d=pl.col("d").cast(pl.Int32),
        h=hour,
        mi=pl.col("mi").cast(pl.Int32),
        s=pl.col("s").cast(pl.Int32).fill_null(0),
        f=pl.concat_str(pl.lit("0."), pl.col("f").fill_null("0")).cast(pl.Float64),
    )
    days = pl.concat_str([pl.col("y").cast(pl.String), _two("mo"), _two("d")], separator="-")
    clock = pl.concat_str([_two("h"), _two("mi"), _two("s")], separator=":")
    local = pl.concat_str([days, clock], separator=" ").str.to_datetime(
        "%Y-%m-%d %H:%M:%S", strict=False, time_unit="us"
    )
    made = parts.with_columns(local=local).filter(pl.col("local").is_not_null())
    zoned = _in_zone(pl.col("local"), zone)
    aware = pl.col("local").dt.timestamp("us") / 1e6 - _offset()
    naive = pl.col("off").is_null()
    at = pl.when(naive).then(zoned).otherwise(aware) + pl.col("f")
    return made.select("place", at=at, naive=naive, split=naive & zoned.is_null())


def _two(name: str) -> pl.Expr:
    return pl.col(name).cast(pl.String).str.zfill(2)


def _offset() -> pl.Expr:
    """Seconds east of Greenwich."""
    digits = pl.col("off").str.replace_all(r"[^0-9]", "")
    hours = digits.str.slice(0, 2).cast(pl.Int32, strict=False).fill_null(0)
    minutes = digits.str.slice(2, 2).cast(pl.Int32, strict=False).fill_null(0)
    sign = pl.when(pl.col("off").str.starts_with("-")).then(-1).otherwise(1)
    return sign * (hours * 3_600 + minutes * 60)


def _which_first(text: pl.Series) -> DayFirst:
    """Day or month first: by what can only be a day; points mean day first; with neither, the month, as in the US."""
    parts = text.str.extract_groups(r"^(\d{1,2})([/.-])(\d{1,2})(?:[/.-]\d{4}|[/.]\d{2})\b")
    one = parts.struct.field("1").cast(pl.Int32, strict=False).max()
    other = parts.struct.field("3").cast(pl.Int32, strict=False).max()
    if isinstance(other, int) and other > 12:
        return "month"
    if (isinstance(one, int) and one > 12) or (parts.struct.field("2") == ".").any():
        return "day"
    return "month"


def _form(pattern: str, first: str) -> str:
    if pattern in _SLASHED.values():
        return f"{first} first, in figures"
    return "names of months" if re.search(r"\(\?P<mo>\[A-Za-z\]", pattern) else "year first"
