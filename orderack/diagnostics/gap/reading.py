"""A log as it stands in a file: CSV, NDJSON or Parquet, with the line of each row; what cannot be read is counted."""

import csv
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO, StringIO
from pathlib import Path

import polars as pl

from orderack.domain.problem import Problem
from orderack.errors import InvalidInput

LINE = "\x00line"
"""The column of the row's line (in Parquet: its row), counted from 1. No file's own column is named so."""

_DELIMITERS = ",;\t|"
_BOMS = ((b"\xff\xfe", "utf-16"), (b"\xfe\xff", "utf-16"), (b"\xef\xbb\xbf", "utf-8-sig"))


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
    try:
        frame, bad, notes = _rows(content, path.suffix.lower())
    except (pl.exceptions.PolarsError, csv.Error, UnicodeError, json.JSONDecodeError) as error:
        why = str(error).splitlines()[0][:120]
        raise unusable(
            option, f"{path.name} cannot be read as CSV, NDJSON or Parquet: {why}", "export it as one of these"
        ) from None
    if not frame.height:
        raise unusable(option, f"{path.name} has no rows", "name a log with a row for each order")
    return Log(name, path.name, frame, tuple(bad), tuple(notes))


_Rows = tuple[pl.DataFrame, list[BadRow], list[str]]


def _rows(content: bytes, suffix: str) -> _Rows:
    if content.startswith(b"PAR1"):
        return _parquet(content)
    text, notes = _text(content)
    start = text.lstrip()[:1]
    if suffix in (".ndjson", ".jsonl", ".json") or start in ("{", "["):
        frame, bad = _json(text)
    else:
        frame, bad = _csv(text)
    return frame, bad, notes


def _text(content: bytes) -> tuple[str, list[str]]:
    for mark, encoding in _BOMS:
        if content.startswith(mark):
            return content.decode(encoding), []
    try:
        return content.decode("utf-8"), []
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace"), ["it is not UTF-8; it was read as Windows-1252"]


def _parquet(content: bytes) -> _Rows:
    frame = pl.read_parquet(BytesIO(content))
    kept = [
        pl.col(name) if dtype.is_temporal() or dtype.is_numeric() else pl.col(name).cast(pl.String)
        for name, dtype in frame.schema.items()
        if not dtype.is_nested() and dtype != pl.Binary
    ]
    return frame.select(pl.int_range(1, pl.len() + 1, dtype=pl.Int64).alias(LINE), *kept), [], []


def _csv(text: str) -> tuple[pl.DataFrame, list[BadRow]]:
    """By polars where each line is one whole row; else row by row, so that lines are counted and bad rows named."""
    head = text.split("\n", 1)[0]
    delimiter = max(_DELIMITERS, key=head.count)
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
                return frame.select(pl.int_range(2, pl.len() + 2, dtype=pl.Int64).alias(LINE), pl.all()), []
    return _csv_slowly(text, delimiter)


def _csv_slowly(text: str, delimiter: str) -> tuple[pl.DataFrame, list[BadRow]]:
    reader = csv.reader(StringIO(text, newline=""), delimiter=delimiter)
    names = _unique(next(reader))
    rows: list[list[str]] = []
    lines: list[int] = []
    bad: list[BadRow] = []
    line = reader.line_num + 1
    for row in reader:
        if len(row) == len(names):
            rows.append(row)
            lines.append(line)
        elif row:
            bad.append(BadRow(line, f"has {len(row)} fields, the heading has {len(names)}"))
        line = reader.line_num + 1
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
    if text.lstrip().startswith("["):
        yield from enumerate(json.loads(text), start=1)
        return
    for line, words in enumerate(text.split("\n"), start=1):
        if words.strip():
            try:
                yield line, json.loads(words)
            except json.JSONDecodeError:
                bad.append(BadRow(line, "is no JSON"))


def _flat(value: Mapping[str, object], under: str = "") -> Iterator[tuple[str, str | None]]:
    seen: set[str] = set()
    for name, each in value.items():
        full = f"{under}{name}"
        if isinstance(each, dict):
            yield from _flat(each, f"{full}.")
        elif not isinstance(each, list) and full not in seen:
            seen.add(full)
            yield full, None if each is None else str(each)
