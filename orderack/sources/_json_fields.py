"""JSON of somebody's own making: where each of our fields stands in it, by dotted paths that the policy names."""

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal, InvalidOperation

from orderack.domain.intake import MAX_BYTES, MAX_LINES
from orderack.errors import InvalidInput
from orderack.sources._reading import refuse

Json = Mapping[str, object] | Sequence[object] | str | Decimal | bool | None
DEEPEST = 32
_STEP = re.compile(r"([^.\[\]]+)|\[(\d{1,4})\]")


def tree_of(text: str, limit: int = MAX_BYTES) -> Mapping[str, object]:
    """The object in a body, numbers as the decimals that they were written as. Raises InvalidInput."""
    if len(text.encode("utf-8", "replace")) > limit:
        raise refuse("body", f"is larger than {limit} bytes", "send large orders in parts")
    try:
        tree = json.loads(text, parse_float=_number, parse_int=_number, parse_constant=_none)
    except (ValueError, RecursionError, InvalidOperation):
        raise refuse("body", "is not JSON", "send one JSON object in UTF-8") from None
    if not isinstance(tree, dict):
        raise refuse("body", "is not an object", "send one JSON object with the order's fields")
    if _depth(tree) > DEEPEST:
        raise refuse("body", f"is nested more than {DEEPEST} levels deep", "send the order without wrapping")
    return tree


def _number(digits: str) -> Decimal:
    if len(digits) > 40:
        raise ValueError("a number of more than forty digits")
    found = Decimal(digits)
    if not found.is_finite() or abs(found.adjusted()) > 40:
        raise ValueError("not a number of this world")
    return found


def _none(word: str) -> None:
    raise ValueError(word)


def _depth(tree: object) -> int:
    depth, level = 0, [tree]
    while level and depth <= DEEPEST:
        depth += 1
        level = [inner for one in level for inner in _inner(one)]
    return depth


def _inner(value: object) -> Iterator[object]:
    match value:
        case Mapping():
            yield from value.values()
        case list():
            yield from value


def at(tree: object, path: str) -> object:
    """What stands there (`customer.address[0].city`, in any case of letters); None: nothing does."""
    for name, index in _STEP.findall(path):
        if index:
            tree = tree[int(index)] if isinstance(tree, list) and int(index) < len(tree) else None
        elif isinstance(tree, Mapping):
            own = tree.get(name)
            tree = own if own is not None else next((tree[key] for key in tree if key.lower() == name.lower()), None)
        else:
            return None
    return tree


CODES = ("number", "purchase_order", "id", "sku")
"""What is joined with a hyphen; any other text with a space."""
_HIGHEST = Decimal(10**14)


class Fields:
    """A body, read by the mapping of a connection. Raises InvalidInput for a value that is none of its kind.

    Several places may be one field of ours: texts are joined and numbers added up, in the policy's order. A place that
    begins with `=` is no place: what follows is the value.
    """

    def __init__(self, tree: Mapping[str, object], mapping: Mapping[str, str]) -> None:
        self._tree = tree
        self._paths: dict[str, list[str]] = {}
        for theirs, ours in mapping.items():
            self._paths.setdefault(ours, []).append(theirs)

    def _places(self, ours: str) -> Sequence[str]:
        """Where the policy says that it stands; where it says nothing, at the path of our own name."""
        return self._paths.get(ours, [ours])

    def values(self, ours: str) -> Sequence[object]:
        """What stands there, but for what is empty."""
        found = (path[1:] if path.startswith("=") else at(self._tree, path) for path in self._places(ours))
        return [one for one in found if one is not None and one != ""]

    def text(self, ours: str, *, needed: bool = False) -> str | None:
        """Text, or a number as text."""
        parts = [part for one in self.values(ours) if (part := self._text(ours, one)).strip()]
        if needed and not parts:
            raise self._wrong(ours, "is missing")
        return ("-" if ours.rpartition(".")[2] in CODES else " ").join(parts) or None

    def _text(self, ours: str, value: object) -> str:
        if isinstance(value, str):
            return value
        if isinstance(value, Decimal):
            return f"{value:f}"
        raise self._wrong(ours, "is not text")

    def number(self, ours: str) -> Decimal | None:
        """A number, or one written as text with a point."""
        found = [self._number(ours, one) for one in self.values(ours)]
        return sum(found, Decimal(0)) if found else None

    def _number(self, ours: str, value: object) -> Decimal:
        try:
            number = value if isinstance(value, Decimal) else Decimal(value) if isinstance(value, str) else None
        except InvalidOperation:
            number = None
        if number is None or not number.is_finite():
            raise self._wrong(ours, "is not a number")
        if abs(number) >= _HIGHEST or (number and abs(number) < 1 / _HIGHEST):
            raise self._wrong(ours, "is out of all proportion")
        return number

    def flag(self, ours: str) -> bool | None:
        """Yes or no; None where it does not say."""
        said = self.values(ours)
        if not said:
            return None
        return any(str(one).strip().casefold() in _YES for one in said)

    def rows(self, ours: str) -> list["Fields"]:
        """An array of objects; paths of its own begin with the array's name (`items.code` → `lines.sku`)."""
        array, *others = self._places(ours)
        if others:
            raise refuse("fields", f"names several places of {ours}", "name one array")
        found = at(self._tree, array)
        if found is None or found in ("", {}):
            return []
        if not isinstance(found, list) or not all(isinstance(row, Mapping) for row in found):
            raise self._wrong(ours, "is not an array of objects")
        if len(found) > MAX_LINES:
            raise self._wrong(ours, f"has more than {MAX_LINES} entries")
        inner = {
            path.removeprefix(f"{array}.").removeprefix("."): name.removeprefix(f"{ours}.")
            for name, paths in self._paths.items()
            for path in paths
            if name.startswith(f"{ours}.")
        }
        return [Fields(row, inner) for row in found]

    def _wrong(self, ours: str, problem: str) -> InvalidInput:
        path = " + ".join(self._places(ours))
        return refuse(path, problem, f"send {ours} there, or name its place under the connection's `fields:`")


_YES = frozenset({"true", "yes", "1", "ja", "oui", "sí", "si"})
