"""As much of SOQL as a deal's reader asks: fields, fields of parents, one level of children, three conditions."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pydantic import JsonValue

Record = Mapping[str, JsonValue]
_SELECT = re.compile(r"^SELECT (?P<fields>.+) FROM (?P<kind>\w+)(?: WHERE (?P<where>.+?))?(?P<rest>(?: ORDER BY .*)?)$")
_LIMIT = re.compile(r" LIMIT (\d+)(?: OFFSET (\d+))?$")
_LONGEST_OFFSET = 2_000


class Malformed(Exception):
    """Not a query; `code` and message as the REST API has them."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


@dataclass(frozen=True)
class Query:
    fields: Sequence[str]
    kind: str
    where: str
    limit: int
    offset: int

    def of(self, record: Record) -> JsonValue:
        """What is selected of a record. Raises Malformed (INVALID_FIELD) for a field that it has not."""
        found: dict[str, JsonValue] = {"attributes": {"type": self.kind}}
        for field in self.fields:
            if field.startswith("("):
                children = parsed(field[1:-1])
                rows = record.get(children.kind)
                if not isinstance(rows, list):
                    raise _unknown(children.kind, self.kind)
                records = [children.of(row) for row in rows if isinstance(row, dict)]
                page: JsonValue = {"totalSize": len(records), "done": True, "records": records}
                found[children.kind] = page if records else None
            else:
                _select(record, field.split("."), found, self.kind)
        return found


def _select(record: Record, path: Sequence[str], found: dict[str, JsonValue], kind: str) -> None:
    """One field into what is found, through the parents that it names."""
    name, *rest = path
    if name not in record:
        raise _unknown(name, kind)
    value = record[name]
    if not rest:
        found[name] = value
    elif isinstance(value, dict):
        inner = found.setdefault(name, {"attributes": {"type": name}})
        assert isinstance(inner, dict)
        _select(value, rest, inner, name)
    else:
        found[name] = None


def _unknown(name: str, kind: str) -> Malformed:
    return Malformed("INVALID_FIELD", f"No such column '{name}' on entity '{kind}'")


def parsed(text: str) -> Query:
    """The query in it. Raises Malformed."""
    limit = _LIMIT.search(text)
    found = _SELECT.fullmatch(text[: limit.start()] if limit else text)
    if found is None:
        raise Malformed("MALFORMED_QUERY", "unexpected token")
    offset = int(limit.group(2) or 0) if limit else 0
    if offset > _LONGEST_OFFSET:
        raise Malformed("NUMBER_OUTSIDE_VALID_RANGE", "Maximum SOQL offset allowed is 2000")
    return Query(
        fields=_split(found["fields"]),
        kind=found["kind"],
        where=found["where"] or "",
        limit=int(limit.group(1)) if limit else _LONGEST_OFFSET,
        offset=offset,
    )


def _split(fields: str) -> Sequence[str]:
    """At the commas that stand in no parentheses."""
    return [part.strip() for part in re.split(r",(?![^(]*\))", fields)]
