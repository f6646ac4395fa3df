"""Reading the old flow's events from a file: CSV with a header, or one JSON object a line."""

import csv
import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from pydantic import ValidationError

from orderack.domain.problem import Problem
from orderack.domain.shadow import KINDS, OldEvent, kind_word
from orderack.domain.unknown_fields import closest
from orderack.domain.validation import problems_of
from orderack.errors import InvalidInput

COLUMNS: Mapping[str, tuple[str, ...]] = {
    "id": ("event_id", "message_id", "uuid"),
    "order": ("order_number", "order_no", "order_id", "number", "order_name"),
    "kind": ("type", "event", "message", "template", "message_type"),
    "at": ("sent_at", "timestamp", "time", "date", "created_at", "sent"),
    "channel": ("medium", "via", "provider"),
    "revision": (),
    "total": ("order_total", "total_price", "amount"),
    "currency": ("currency_code",),
    "lines": ("line_count", "items", "item_count"),
    "promise_on": ("promise_date", "delivery_date", "promised_on", "ships_on"),
}
"""Our field → what such a column is called elsewhere."""

FIGURES = ("total", "currency", "lines", "promise_on")
NEEDED = ("order", "kind", "at")
MOST_PROBLEMS = 20


def read_events(text: str, columns: Mapping[str, str], kinds: Mapping[str, str]) -> Sequence[OldEvent]:
    """Every event of the file. `columns`: our field → the file's; `kinds`: the old flow's word → ours.

    A row without an id has one made of its content, so that the same file twice is the same events. Raises
    InvalidInput with everything that is wrong, by line, and then nothing was read.
    """
    named = {kind_word(word): kind for word, kind in kinds.items()}
    events: list[OldEvent] = []
    problems: list[Problem] = []
    for line, row in _rows(text, columns):
        try:
            events.append(_event(row, named))
        except ValidationError as error:
            problems += [p.model_copy(update={"field": f"line {line}, {p.field}"}) for p in problems_of(error)]
        except KeyError as error:
            problems.append(unknown_kind(f"line {line}, kind", str(error.args[0])))
        if len(problems) >= MOST_PROBLEMS:
            break
    if problems:
        raise InvalidInput(problems[:MOST_PROBLEMS])
    return events


def unknown_kind(field: str, word: str) -> Problem:
    """A word of the old flow's that nobody has mapped."""
    guess = closest(word, sorted(KINDS))
    hint = f"did you mean {guess}? Else map it" if guess else "map it"
    return Problem(
        field=field,
        problem=f"{word!r} is no kind of message that we know",
        remedy=f"{hint} to one of {', '.join(sorted(KINDS))}",
    )


def _rows(text: str, columns: Mapping[str, str]) -> Iterator[tuple[int, Mapping[str, object]]]:
    if text.lstrip().startswith("{"):
        for line, one in enumerate(text.splitlines(), 1):
            if one.strip():
                yield line, _mapped(_object(line, one), columns)
        return
    reader = csv.DictReader(text.splitlines())
    places = _places(reader.fieldnames or (), columns)
    for row in reader:
        yield (
            reader.line_num,
            {ours: row[theirs].strip() for ours, theirs in places.items() if (row[theirs] or "").strip()},
        )


def _object(line: int, text: str) -> Mapping[str, object]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        problem = Problem(field=f"line {line}", problem="is no JSON object", remedy="write one object on each line")
        raise InvalidInput((problem,))
    return found


def _mapped(row: Mapping[str, object], columns: Mapping[str, str]) -> Mapping[str, object]:
    figures = row.get("figures")
    flat = {**row, **(figures if isinstance(figures, dict) else {})}
    places = {ours: _place(ours, list(flat), columns) for ours in COLUMNS}
    return {ours: flat[place] for ours, place in places.items() if place is not None and flat.get(place) is not None}


def _places(header: Sequence[str], columns: Mapping[str, str]) -> Mapping[str, str]:
    found = {ours: place for ours in COLUMNS if (place := _place(ours, header, columns)) is not None}
    missing = [ours for ours in NEEDED if ours not in found]
    if missing:
        problem = f"no column is {' or '.join(missing)}; the file has {', '.join(header) or 'none'}"
        remedy = "name them: --column order=…, one for each"
        raise InvalidInput((Problem(field="header", problem=problem, remedy=remedy),))
    return found


def _place(ours: str, header: Sequence[str], columns: Mapping[str, str]) -> str | None:
    """The file's column for this field: as told, by our name, or by a usual one."""
    if ours in columns:
        if columns[ours] not in header:
            problem = Problem(field=ours, problem=f"the file has no column {columns[ours]!r}", remedy="name one it has")
            raise InvalidInput((problem,))
        return columns[ours]
    by_word = {kind_word(name): name for name in header}
    return next((by_word[word] for word in (ours, *COLUMNS[ours]) if word in by_word), None)


def _event(row: Mapping[str, object], kinds: Mapping[str, str]) -> OldEvent:
    """Raises ValidationError, or KeyError for a kind that nobody has mapped."""
    figures = {name: row[name] for name in FIGURES if name in row}
    said = str(row.get("kind", ""))
    made = {
        **{name: value for name, value in row.items() if name not in FIGURES},
        "kind": kinds.get(kind_word(said), said),
        "at": _moment(row.get("at")),
        "figures": figures,
    }
    if "id" not in made:
        content = json.dumps(made, sort_keys=True, default=str)
        made["id"] = f"row-{hashlib.sha256(content.encode('utf-8', 'replace')).hexdigest()[:24]}"
    for name in ("id", "order"):
        if name in made:
            made[name] = str(made[name])
    event = OldEvent.model_validate(made)
    event.means  # noqa: B018  # a word that nobody has mapped is said now
    return event


def _moment(value: object) -> object:
    """A time without a zone is taken for UTC."""
    if not isinstance(value, str):
        return value
    try:
        at = datetime.fromisoformat(value.strip())
    except ValueError:
        return value
    return at if at.tzinfo else at.replace(tzinfo=UTC)
