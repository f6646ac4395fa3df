"""Tickets from a helpdesk's export: CSV, NDJSON or Parquet. Columns are found by their names, shown, and overridden.

What a column holds is never repeated, in no error and no note: it is what buyers wrote.
"""

import hashlib
import re
import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parseaddr
from pathlib import Path

import polars as pl

from orderack.diagnostics.gap.reading import LINE, Log, read_log, unusable
from orderack.diagnostics.gap.stamps import DayFirst, stamps
from orderack.diagnostics.wismo.figures import TicketColumn
from orderack.ports.helpdesk import Ticket

NAMES: Mapping[str, tuple[str, ...]] = {
    "created": (
        r"(ticket_|conversation_)?(created|creation|opened|submitted|received|started)(_?(at|on|time|date|timestamp|utc))*",
        r"(erstellt|eroffnet)(_am)?|date_de_creation|cree_le|fecha_de_creacion|creado(_el)?",
        r"(date|time|datetime|timestamp|datum|fecha)",
    ),
    "id": (
        r"(ticket|conversation|case|request)_?(id|no|nr|num|number|nummer|key|ref|reference)?",
        r"(id|no|nr|number|key|ref|reference|numero)",
    ),
    "subject": (r"(ticket_|conversation_)?(subject|title|betreff|titel|objet|sujet|asunto|titulo)", r"summary"),
    "text": (
        r"(first_|initial_|ticket_|original_)?(description|message|body|text|comment|content|question)(_(body|text|plain))?",
        r"((first|initial)_)?(user|customer|contact|requester)s?_(message|question|comment)",
        r"beschreibung|nachricht|mensaje|descripcion|message_initial",
        r"preview|snippet|excerpt",
    ),
    "email": (
        r"(requester|customer|contact|user|sender|from|reporter|client)_?(e_?mail)(_address)?",
        r"e_?mail(_address)?|(author|source_author|message_author)_e_?mail",
        r"requester|from|sender|absender",
    ),
    "tags": (
        r"(ticket_|conversation_)?(tags|labels|schlagworte|schlagworter|etiquetas|etiquettes)",
        r"(tag|label|category|topic)",
    ),
}
"""Meaning → usual headings of exports, the likeliest first."""

_LOOKED_AT = 400
_LISTED, _SPACED = re.compile(r"[,;|\n]"), re.compile(r"[,;|\s]")
_AROUND_A_TAG = " \t\r\"'[]"
_ID = re.compile(r"[^\s@+][^\s@]{0,63}")
"""What is shown as an id: anything else may be a buyer's words or address, in a column that is none of ids."""
_HEX = 12
_NO_HEADING = re.compile(r"@|[?!]|\d{4}-\d\d-\d\d|^\s*\+?\d[\d\s()./:-]{4,}$|.{61}")


@dataclass(frozen=True)
class TicketFile:
    """The file's tickets, and how it was read."""

    tickets: Sequence[Ticket]
    columns: tuple[TicketColumn, ...]
    notes: tuple[str, ...]


def read_tickets(path: Path, told: Sequence[str] = (), zone: str = "UTC", first: DayFirst | None = None) -> TicketFile:
    """Every row with a time. `told`: `MEANING=COLUMN`. Times without a zone are in `zone`.

    Raises InvalidInput where the file cannot be read, or no column is a time or words.
    """
    if _has_no_rows(path):
        return TicketFile((), (), (f"{path.name} has no tickets.",))
    log = read_log("tickets", path)
    columns = _columns(log, _told(log, told), first)
    of = {each.meaning: log.frame[each.column] for each in columns}
    times = stamps(of["created"], zone, first)
    rows = _rows(log, of, times.at.to_list())
    without = times.at.null_count()
    notes = [*(f"{log.file}: {note}." for note in log.notes)]
    if log.bad:
        notes.append(f"{log.file}: rows that could not be read: {len(log.bad)}, the first in line {log.bad[0].line}.")
    if without:
        lines = log.frame.filter(times.at.is_null())[LINE].to_list()
        notes.append(f"{log.file}: rows without a time that can be read: {without}, the first in line {lines[0]}.")
    if times.naive and zone == "UTC":
        notes.append(f"{log.file}: {times.naive} times name no zone and were read as UTC (--time-zone).")
    if "text" not in of:
        notes.append(f"{log.file} has no column of the buyer's words: by the subject alone fewer are seen to ask.")
    if "id" not in of:
        notes.append(
            f"{log.file} has no column of ids: a ticket that stands in it twice counts twice (--map id=COLUMN)."
        )
    return TicketFile(tuple(rows), columns, tuple(notes))


def _has_no_rows(path: Path) -> bool:
    """A heading alone is an export of a time without tickets. Raises InvalidInput for a file without even that."""
    with suppress(OSError), path.open("rb") as file:  # what cannot be read is said by `read_log`
        start = file.read(4_096).strip()
        if not start:
            raise unusable("--tickets", f"{path.name} is empty", "name an export with a row for each ticket")
        return b"\n" not in start and not start.startswith((b"{", b"[", b"PAR1")) and not file.read(1)
    return False


def _told(log: Log, given: Sequence[str]) -> dict[str, str]:
    found: dict[str, str] = {}
    for each in given:
        meaning, equals, column = (part.strip() for part in each.partition("="))
        if not equals or meaning not in NAMES:
            raise unusable("--map", f"{each[:80]} says nothing", f"write MEANING=COLUMN; there are {', '.join(NAMES)}")
        if column not in log.columns:
            raise unusable("--map", f"{log.file} has no column {column[:60]}", f"it has {_headings(log)}")
        found[meaning] = column
    return found


def _columns(log: Log, told: Mapping[str, str], first: DayFirst | None) -> tuple[TicketColumn, ...]:
    found = {meaning: TicketColumn(meaning=meaning, column=column, how="told") for meaning, column in told.items()}
    for meaning in NAMES:
        taken = {each.column for each in found.values()}
        if meaning not in found and (guess := _guess(log, meaning, taken, first)):
            found[meaning] = guess
    if "created" not in found:
        raise _missing(log, "created", "the time it was opened")
    if not found.keys() & {"subject", "text"}:
        raise _missing(log, "text", "the buyer's words")
    return tuple(found[meaning] for meaning in NAMES if meaning in found)


def _missing(log: Log, meaning: str, what: str) -> Exception:
    return unusable(
        "--tickets",
        f"{log.file} has no column that looks like {what}",
        f"say which: --map {meaning}=COLUMN; it has {_headings(log)}",
    )


def _headings(log: Log) -> str:
    """The columns there are. Of a file without a line of headings the first ticket stands there: it is not repeated."""
    if any(_NO_HEADING.search(name) for name in log.columns):
        return f"{len(log.columns)} columns, and a first line that does not look like headings"
    return ", ".join(log.columns)[:400]


def _guess(log: Log, meaning: str, taken: set[str], first: DayFirst | None) -> TicketColumn | None:
    """The column whose heading is the likeliest among those that can hold it; a time also by its contents alone."""
    fitting = [name for name in log.columns if name not in taken and _fits(log.frame[name], meaning, first)]
    ranked = sorted((rank, place) for place, name in enumerate(fitting) if (rank := _rank(name, meaning)) is not None)
    if ranked:
        return TicketColumn(meaning=meaning, column=fitting[ranked[0][1]], how="name")
    if meaning == "created" and len(fitting) == 1:
        return TicketColumn(meaning=meaning, column=fitting[0], how="contents")
    return None


def _rank(name: str, meaning: str) -> int | None:
    """Place among the usual headings; None: it is like none. `source.body` is a body, and `requester.id` is no id."""
    whole, last = _plain(name), _plain(name.rsplit(".", 1)[-1])
    for words in (whole,) if meaning in ("id", "email") else dict.fromkeys((whole, last)):
        for place, pattern in enumerate(NAMES[meaning]):
            if re.fullmatch(pattern, words):
                return place
    return None


def _plain(name: str) -> str:
    """`createdAt`, `Created at` → `created_at`."""
    split = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name)
    bare = "".join(each for each in unicodedata.normalize("NFKD", split.lower()) if not unicodedata.combining(each))
    return re.sub(r"[^a-z0-9]+", "_", bare).strip("_")


def _fits(values: pl.Series, meaning: str, first: DayFirst | None) -> bool:
    known = values.drop_nulls()
    if known.dtype == pl.String:
        known = known.filter(known.str.strip_chars() != "")
    if not known.len():
        return False
    some = known.gather_every(max(1, known.len() // _LOOKED_AT))
    if meaning == "email":
        return some.dtype == pl.String and int(some.str.contains("@").sum()) > some.len() / 2
    if meaning == "id":
        return int(some.cast(pl.String).str.contains(rf"^\s*{_ID.pattern}\s*$").sum()) > some.len() / 2
    timely = stamps(some, "UTC", first).at.null_count() <= some.len() / 2
    return timely if meaning == "created" else not timely


def _rows(log: Log, of: Mapping[str, pl.Series], times: Sequence[float | None]) -> Iterator[Ticket]:
    texts = {meaning: _texts(series) for meaning, series in of.items() if meaning != "created"}
    lines = log.frame[LINE].to_list()
    for place, at in enumerate(times):
        if at is not None:
            row = {meaning: values[place] for meaning, values in texts.items()}
            yield Ticket(
                id=_shown_id(row.get("id", "")) or f"line {lines[place]}",
                created_at=datetime.fromtimestamp(at, UTC),
                subject=row.get("subject", ""),
                text=row.get("text", ""),
                email=parseaddr(row.get("email", ""))[1] or None,
                tags=_tags(row.get("tags", "")),
            )


def _shown_id(written: str) -> str:
    """The desk's id; of what may be words or an address a hash, by which the same is still the same ticket."""
    text = written.strip()
    return text if not text or _ID.fullmatch(text) else f"#{hashlib.sha256(text.encode()).hexdigest()[:_HEX]}"


def _tags(written: str) -> frozenset[str]:
    """`a b`, `a, b`, `["a", "b"]`; between commas also as they stand, for a tag may be of several words."""
    parts = (*_LISTED.split(written), *_SPACED.split(written))
    return frozenset(tag for part in parts if (tag := part.strip(_AROUND_A_TAG)))


def _texts(series: pl.Series) -> Sequence[str]:
    return [value or "" for value in series.cast(pl.String).to_list()]
