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


def tree_of(text: str) -> Mapping[str, object]:
    """The object in a body, numbers as the decimals that they were written as. Raises InvalidInput."""
    if len(text.encode("utf-8", "replace")) > MAX_BYTES:
        raise refuse("body", f"is larger than {MAX_BYTES} bytes", "send large orders in parts")
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


class Fields:
    """A body, read by the mapping of a connection. Raises InvalidInput for a value that is none of its kind."""

    def __init__(self, tree: Mapping[str, object], mapping: Mapping[str, str]) -> None:
        self._tree = tree
        self._paths = {ours: theirs for theirs, ours in mapping.items()}

    def has(self, ours: str) -> bool:
        """Whether the policy says where it stands."""
        return ours in self._paths

    def value(self, ours: str) -> object:
        """What stands at its path; where the policy names none, at the path of our own name."""
        return at(self._tree, self._paths.get(ours, ours))

    def text(self, ours: str, *, needed: bool = False) -> str | None:
        """Text, or a number as text."""
        found = self.value(ours)
        if isinstance(found, str) and found.strip():
            return found
        if isinstance(found, Decimal):
            return f"{found:f}"
        if found not in (None, "") and not isinstance(found, str):
            raise self._wrong(ours, "is not text")
        if needed:
            raise self._wrong(ours, "is missing")
        return None

    def number(self, ours: str) -> Decimal | None:
        """A number, or one written as text with a point."""
        found = self.value(ours)
        if found is None or found == "":
            return None
        try:
            number = found if isinstance(found, Decimal) else Decimal(found) if isinstance(found, str) else None
        except InvalidOperation:
            number = None
        if number is None or not number.is_finite():
            raise self._wrong(ours, "is not a number")
        return number

    def rows(self, ours: str) -> list["Fields"]:
        """An array of objects; paths of its own begin with the array's name (`items.code` → `lines.sku`)."""
        array = self._paths.get(ours, ours)
        found = at(self._tree, array)
        if found is None:
            return []
        if not isinstance(found, list) or not all(isinstance(row, Mapping) for row in found):
            raise self._wrong(ours, "is not an array of objects")
        if len(found) > MAX_LINES:
            raise self._wrong(ours, f"has more than {MAX_LINES} entries")
        inner = {
            theirs.removeprefix(f"{array}.").removeprefix("."): name.removeprefix(f"{ours}.")
            for name, theirs in self._paths.items()
            if name.startswith(f"{ours}.")
        }
        return [Fields(row, inner) for row in found]

    def _wrong(self, ours: str, problem: str) -> InvalidInput:
        path = self._paths.get(ours, ours)
        return refuse(path, problem, f"send {ours} there, or name its place under the connection's `fields:`")
