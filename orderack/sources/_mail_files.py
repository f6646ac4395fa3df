"""Attachments → what they say: CSV, XLSX, the text of a PDF. Any other kind is named, so that a person opens it.

Files are written by strangers: what they unpack to is limited before it is unpacked, macros and external links are
never looked at, formulas are never calculated (only the number that the sender's program left beside them is read).
"""

import csv
import io
import zipfile
from collections.abc import Callable, Mapping, Sequence
from datetime import date, datetime, time
from decimal import Decimal

from orderack.sources._mail_found import Gathered
from orderack.sources._mail_grid import MOST_ROWS, Cell, header_of, positional, read_grid
from orderack.sources._mail_parts import LARGEST_TEXT, Attachment, text_of
from orderack.sources._mail_text import read_text

MOST_UNPACKED = 40 * 1024 * 1024
MOST_MARKS = 400_000
"""Tags of a workbook's XML: its reader takes some ten microseconds for each."""
MOST_ENTRIES = 1_000
MOST_COLUMNS = 60
MOST_SHEETS = 5
MOST_PAGES = 25
MOST_DRAWN = 1024 * 1024
"""Bytes of drawing commands of all pages: their reader takes some three seconds for them."""
_DELIMITERS = {";": "semicolons", ",": "commas", "\t": "tabs", "|": "bars"}
_CSV = frozenset({"text/csv", "application/csv", "text/tab-separated-values", "text/comma-separated-values"})
_XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"


class Unreadable(Exception):
    """Why a file cannot be read, in words for a person."""


def read_file(attachment: Attachment, own: Mapping[str, str]) -> Gathered:
    """What an attachment says; one that cannot be read says so in `unread`."""
    name = attachment.name or attachment.kind
    reader = _reader_of(attachment)
    if reader is None:
        return Gathered(place=name, unread=(f"the attachment {name} is of a kind that is not read",))
    try:
        return reader(attachment, name, own)
    except Unreadable as why:
        return Gathered(place=name, unread=(f"the attachment {name} {why}",))
    except Exception:  # what the libraries raise for a broken file is anything; the file stays with the mail
        return Gathered(place=name, unread=(f"the attachment {name} is damaged, or is not what its name says",))


def _reader_of(attachment: Attachment) -> Callable[[Attachment, str, Mapping[str, str]], Gathered] | None:
    """By what the file is; else by its name, since senders' programs say little of the kind."""
    ending = attachment.name.lower().rpartition(".")[2]
    if attachment.data.startswith(b"%PDF-") or ending == "pdf" or attachment.kind == "application/pdf":
        return _pdf
    if ending in ("xlsx", "xlsm") or attachment.kind == _XLSX:
        return _xlsx
    if ending in ("csv", "tsv") or attachment.kind in _CSV:
        return _csv
    if ending == "txt" or attachment.kind == "text/plain":
        return _txt
    return None


def _txt(attachment: Attachment, name: str, own: Mapping[str, str]) -> Gathered:
    return read_text(text_of(attachment.data[:LARGEST_TEXT], "utf-8-sig"), "", name, own)


def _csv(attachment: Attachment, name: str, own: Mapping[str, str]) -> Gathered:
    data = attachment.data
    if len(data) > LARGEST_TEXT * 4:
        raise Unreadable("has more than 1 MiB of text")
    charset = "utf-16" if data[:2] in (b"\xff\xfe", b"\xfe\xff") else "utf-8-sig"
    text = text_of(data, charset)
    if text.count("\x00"):
        raise Unreadable("is no text")
    tables = {mark: _rows(text, mark) for mark in _DELIMITERS}
    mark = max(tables, key=lambda one: (header_of(tables[one]), _even(tables[one])))
    rows = tables[mark]
    found = read_grid(rows, name, own) if header_of(rows) else positional(rows, name, own)
    shown = f"{name}, parted by {_DELIMITERS[mark]}"
    return found.model_copy(update={"place": shown})


def _rows(text: str, delimiter: str) -> list[list[str]]:
    rows: list[list[str]] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        for row in reader:
            rows.append(row[:MOST_COLUMNS])
            if len(rows) > MOST_ROWS:
                break
    except csv.Error:
        return []
    return rows


def _even(rows: Sequence[Sequence[str]]) -> int:
    widths = [len(row) for row in rows[:20] if row]
    return min(widths, default=0)


def _xlsx(attachment: Attachment, name: str, own: Mapping[str, str]) -> Gathered:
    _demand_small(attachment.data)
    import openpyxl  # here: it takes a while, and few who know of mail read a workbook

    book = openpyxl.load_workbook(
        io.BytesIO(attachment.data), read_only=True, data_only=True, keep_vba=False, keep_links=False
    )
    sheet_count = len(book.worksheets)
    try:
        sheets = [_sheet(sheet) for sheet in book.worksheets[:MOST_SHEETS] if sheet.sheet_state == "visible"]
    finally:
        book.close()
    best = max(sheets, key=header_of, default=[])
    found = read_grid(best, name, own) if header_of(best) else positional(best, name, own)
    others = sum(header_of(rows) > 0 for rows in sheets) - 1
    unread = (f"the attachment {name} has {others + 1} sheets with lines; one was read",) if others > 0 else ()
    if more := max(0, sheet_count - MOST_SHEETS):
        unread = (*unread, f"{more} more sheets of the attachment {name}")
    return found.model_copy(update={"unread": (*found.unread, *unread)})


def _demand_small(data: bytes) -> None:
    """What it says that it unpacks to; Python's zip reader gives no more than that."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as packed:
            entries = packed.infolist()
            if len(entries) > MOST_ENTRIES or sum(entry.file_size for entry in entries) > MOST_UNPACKED:
                raise Unreadable("would unpack to more than an order can be")
            if any(entry.flag_bits & 1 for entry in entries):
                raise Unreadable("is encrypted with a password")
            if sum(packed.read(entry).count(b"<") for entry in entries) > MOST_MARKS:
                raise Unreadable("has more cells than an order can have")
    except zipfile.BadZipFile:
        if data.startswith(b"\xd0\xcf\x11\xe0"):
            raise Unreadable("is encrypted with a password, or is of Excel's old kind") from None
        raise Unreadable("is damaged, or is not what its name says") from None


def _sheet(sheet: object) -> list[list[Cell]]:
    rows = sheet.iter_rows(max_row=MOST_ROWS + 1, max_col=MOST_COLUMNS, values_only=True)  # type: ignore[attr-defined]
    return [[_cell(value) for value in row] for row in rows]


def _cell(value: object) -> Cell:
    """Text as text (what begins with `=` or `@` too), numbers as they are shown, days as days."""
    match value:
        case None | bool():
            return ""
        case int() | float() | Decimal():
            exact = Decimal(str(value))
            return exact if exact.is_finite() and abs(exact) < 10**12 else ""
        case datetime():
            return value.date().isoformat() if value.time() == time.min else value.isoformat(" ", "minutes")
        case date():
            return value.isoformat()
        case _:
            return str(value)[:2_000]


def _pdf(attachment: Attachment, name: str, own: Mapping[str, str]) -> Gathered:
    from pypdf import PdfReader  # here: as above

    reader = PdfReader(io.BytesIO(attachment.data), strict=False)
    if reader.is_encrypted:
        raise Unreadable("is encrypted with a password")
    if len(reader.pages) > MOST_PAGES:
        raise Unreadable(f"has more than {MOST_PAGES} pages")
    drawn = 0
    for page in reader.pages:
        contents = page.get_contents()
        drawn += len(contents.get_data()) if contents is not None else 0
        if drawn > MOST_DRAWN:
            raise Unreadable("draws more than an order can")
    text = "\n".join(_page(page) for page in reader.pages)[: LARGEST_TEXT * 2]
    if not text.strip():
        raise Unreadable("holds no text: it is a scan or a picture")
    return read_text(text, "", name, own)


def _page(page: object) -> str:
    """With its columns apart, where that can be told."""
    try:
        return str(page.extract_text(extraction_mode="layout"))  # type: ignore[attr-defined]
    except Exception:  # the layout of broken fonts
        return str(page.extract_text())  # type: ignore[attr-defined]
