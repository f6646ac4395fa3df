"""A log as it stands in a file: CSV, NDJSON or Parquet, with the line of each row; what cannot be read is counted."""

import csv
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path

import polars as pl

from orderack.diagnostics.gap.decoding import decoded, no_log
from orderack.domain.problem import Problem
from orderack.errors import InvalidInput

LINE = "\x00line"
"""The column of the row's line (in Parquet: its row), counted from 1. No file's own column is named so."""

_PARQUET = b"PAR1"
_DELIMITERS = ",;\t|"
_EXCELS = re.compile(r"sep=(.)\s*")
"""Excel's own first line, which names the delimiter."""
_OF_A_ROW = re.compile(r"\d{4}-\d\d-\d\d|^\d{10,19}$")
"""A time: an object that holds one outside its lists is a row and no wrapper of rows."""
_TITLES = 30
"""Lines in which the headings are looked for where others stand before them."""


@dataclass(frozen=True)
class BadRow:
    """A row that was not used, and why."""

    line: int
    why: str


@dataclass(frozen=True)
class Log:
    """One file's rows. Every column is text, but for the times and numbers of a Parquet file."""

    name: str
    """`orders`, `erp`, `confirmations`, `integration` or `stock`."""
    file: str
    frame: pl.DataFrame
    bad: tuple[BadRow, ...]
    notes: tuple[str, ...] = ()

    @property
    def columns(self) -> tuple[str, ...]:
        return tuple(name for name in self.frame.columns if name != LINE)


def unusable(field: str, problem: str, remedy: str) -> InvalidInput:
    """An input that the doctor cannot work with."""
    return InvalidInput((Problem(field=field, problem=problem, remedy=remedy),))


def read_log(name: str, path: Path) -> Log:
    """The file's rows. Raises InvalidInput where it cannot be read, has no rows, or is none of the three kinds."""
    option = f"--{name}"
    try:
        content = path.read_bytes()
    except OSError as error:
        raise unusable(
            option, f"{path}: {error.strerror or 'cannot be read'}", "name a file that can be read"
        ) from None
    if not content.strip():
        raise unusable(option, f"{path.name} is empty", "name a log with a row for each order")
    if not content.startswith(_PARQUET) and (said := no_log(content)):
        raise unusable(option, f"{path.name} {said[0]}", said[1])
    try:
        frame, bad, notes = _rows(content, path.suffix.lower())
    except (pl.exceptions.PolarsError, csv.Error, UnicodeError, json.JSONDecodeError) as error:
        why = str(error).splitlines()[0][:120]
        raise unusable(
            option, f"{path.name} cannot be read as CSV, NDJSON or Parquet: {why}", "export it as one of these"
        ) from None
    if not frame.height:
        raise unusable(option, f"{path.name} has no rows", "name a log with a row for each order")
    if frame.width == 1:
        raise unusable(
            option,
            f"{path.name} has no column that can be read",
            "name a log with an order a row; lists in it are not read",
        )
    return Log(name, path.name, frame, tuple(bad), tuple(notes))


_Rows = tuple[pl.DataFrame, list[BadRow], list[str]]


def _rows(content: bytes, suffix: str) -> _Rows:
    if content.startswith(_PARQUET):
        return _parquet(content)
    text, notes = decoded(content)
    start = text.lstrip()[:1]
    if suffix in (".ndjson", ".jsonl", ".json") or start in ("{", "["):
        frame, bad = _json(text)
        return frame, bad, notes
    delimiter, before = _heading(text)
    if before:
        notes.append(f"{before} lines before its headings were passed over")
    frame, bad = _csv(text, delimiter, before)
    return frame, bad, notes


def _parquet(content: bytes) -> _Rows:
    frame = _unnested(pl.read_parquet(BytesIO(content)))
    kept = [
        pl.col(name) if dtype.is_temporal() or dtype.is_numeric() else pl.col(name).cast(pl.String)
        for name, dtype in frame.schema.items()
        if not dtype.is_nested() and dtype != pl.Binary
    ]
    return frame.select(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(LINE), *kept), [], []


def _unnested(frame: pl.DataFrame) -> pl.DataFrame:
    """Fields inside fields as columns named `outer.inner`, as of JSON."""
    while any(isinstance(dtype, pl.Struct) for dtype in frame.schema.values()):
        columns: dict[str, pl.Series] = {}
        for name in frame.columns:
            values = frame[name]
            if isinstance(values.dtype, pl.Struct):
                inner = {f"{name}.{field.name}": values.struct.field(field.name) for field in values.dtype.fields}
                columns |= {full: each for full, each in inner.items() if full not in frame.columns}
            else:
                columns[name] = values
        frame = pl.DataFrame([each.alias(name) for name, each in columns.items()])
    return frame


def _heading(text: str) -> tuple[str, int]:
    """The delimiter, and how many lines stand before the headings: Excel's own, blank ones, a report's title.

    A title is passed over only if it has no delimiter, and three lines with as many of one delimiter follow it.
    """
    lines = text.split("\n", _TITLES)[:_TITLES]
    if told := _EXCELS.fullmatch(lines[0]):
        return told[1], 1
    first = next((place for place, line in enumerate(lines) if line.strip()), 0)
    if not _delimiters(lines[first]):
        for place in range(first + 1, len(lines) - 2):
            if alike := _delimiters(lines[place]) & _delimiters(lines[place + 1]) & _delimiters(lines[place + 2]):
                return max(alike)[1], place
    counts = {delimiter: lines[first].count(delimiter) for delimiter in _DELIMITERS}
    return max(_DELIMITERS, key=lambda each: counts[each]), first


def _delimiters(line: str) -> set[tuple[int, str]]:
    return {(count, each) for each in _DELIMITERS if (count := line.count(each))}


def _csv(text: str, delimiter: str, before: int) -> tuple[pl.DataFrame, list[BadRow]]:
    """By polars where each line is one whole row; else row by row, so that lines are counted and bad rows named."""
    for _ in range(before):
        text = text.partition("\n")[2]
    if '"' not in text:
        try:
            frame = pl.read_csv(
                BytesIO(text.encode()),
                separator=delimiter,
                infer_schema=False,
                quote_char=None,
            )
        except pl.exceptions.PolarsError:
            pass
        else:
            if frame.height == sum(1 for _ in filter(None, text.splitlines())) - 1 == text.rstrip("\r\n").count("\n"):
                first = before + 2
                return frame.select(pl.int_range(first, pl.len() + first, dtype=pl.Int64).alias(LINE), pl.all()), []
    return _csv_slowly(text, delimiter, before)


def _csv_slowly(text: str, delimiter: str, before: int) -> tuple[pl.DataFrame, list[BadRow]]:
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    names = _unique(next(reader))
    rows: list[list[str]] = []
    lines: list[int] = []
    bad: list[BadRow] = []
    line = before + reader.line_num + 1
    for row in reader:
        if len(row) == len(names):
            rows.append(row)
            lines.append(line)
        elif row:
            bad.append(BadRow(line, f"has {len(row)} fields, the heading has {len(names)}"))
        line = before + reader.line_num + 1
    columns = {
        name: pl.Series(name, values, dtype=pl.String) for name, values in zip(names, _turned(rows), strict=False)
    }
    return pl.DataFrame({LINE: pl.Series(lines, dtype=pl.Int64), **columns}), bad


def _turned(rows: list[list[str]]) -> Iterator[tuple[str, ...]]:
    yield from zip(*rows, strict=True)


def _unique(names: list[str]) -> list[str]:
    found: list[str] = []
    for place, name in enumerate(names):
        base = name.strip() or f"column {place + 1}"
        found.append(base if base not in found else f"{base} ({place + 1})")
    return found


def _json(text: str) -> tuple[pl.DataFrame, list[BadRow]]:
    """An object a line, or one list of objects; fields inside fields are named `outer.inner`."""
    bad: list[BadRow] = []
    columns: dict[str, list[str | None]] = {}
    lines: list[int] = []
    for line, value in _objects(text, bad):
        if not isinstance(value, dict):
            bad.append(BadRow(line, "is no JSON object"))
            continue
        for name, words in _flat(value):
            if name not in columns:
                columns[name] = [None] * len(lines)
            columns[name].append(words)
        lines.append(line)
        for values in columns.values():
            if len(values) < len(lines):
                values.append(None)
    made = {name: pl.Series(name, values, dtype=pl.String) for name, values in columns.items()}
    return pl.DataFrame({LINE: pl.Series(lines, dtype=pl.Int64), **made}), bad


def _objects(text: str, bad: list[BadRow]) -> Iterator[tuple[int, object]]:
    start = text.lstrip()[:1]
    if start == "[":
        yield from enumerate(json.loads(text), start=1)
        return
    if start == "{" and (rows := _wrapped(text)):
        yield from enumerate(rows, start=1)
        return
    for line, words in enumerate(text.split("\n"), start=1):
        if words.strip():
            try:
                yield line, json.loads(words)
            except json.JSONDecodeError:
                bad.append(BadRow(line, "is no JSON"))


def _wrapped(text: str) -> list[object]:
    """The rows of one object around a list, as APIs answer; empty: it is none, or an order by itself, with its time."""
    try:
        whole = json.loads(text)
    except json.JSONDecodeError:
        return []
    if any(_OF_A_ROW.search(words or "") for _, words in _flat(whole)):
        return []
    lists = [value for value in whole.values() if isinstance(value, list) and value and isinstance(value[0], dict)]
    return max(lists, key=len, default=[])


def _flat(value: Mapping[str, object], under: str = "") -> Iterator[tuple[str, str | None]]:
    seen: set[str] = set()
    for name, each in value.items():
        full = f"{under}{name}"
        if isinstance(each, dict):
            yield from _flat(each, f"{full}.")
        elif not isinstance(each, list) and full not in seen:
            seen.add(full)
            yield full, None if each is None else str(each)
