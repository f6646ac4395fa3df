"""Bodies with one thing wrong: a field gone, null, or something else than it should be."""

import copy
from collections.abc import Iterator

from hypothesis import strategies as st
from pydantic import JsonValue

from tests.conformance.source import anything

Path = tuple[str | int, ...]


def paths_of(body: JsonValue, at: Path = ()) -> Iterator[Path]:
    """Every place in a body."""
    pairs = body.items() if isinstance(body, dict) else enumerate(body) if isinstance(body, list) else ()
    for key, value in pairs:
        yield (*at, key)
        yield from paths_of(value, (*at, key))


def without(body: JsonValue, path: Path) -> JsonValue:
    """The body with nothing at that place."""
    changed = copy.deepcopy(body)
    del _around(changed, path)[path[-1]]  # type: ignore[arg-type]
    return changed


def instead(body: JsonValue, path: Path, value: JsonValue) -> JsonValue:
    """The body with this at that place."""
    changed = copy.deepcopy(body)
    _around(changed, path)[path[-1]] = value  # type: ignore[index, call-overload]
    return changed


def _around(body: JsonValue, path: Path) -> dict[str, JsonValue] | list[JsonValue]:
    found = body
    for key in path[:-1]:
        found = found[key]  # type: ignore[index, call-overload]
    assert isinstance(found, dict | list)
    return found


def mutated(body: JsonValue) -> st.SearchStrategy[JsonValue]:
    """The body with one thing wrong."""
    places = sorted(paths_of(body), key=str)
    odd = anything | st.sampled_from(["", "NaN", "-1", -1, "1e400", 10**30, "0", [], {}, "\u202eabc", "9" * 400])
    return st.one_of(
        st.sampled_from(places).map(lambda path: without(body, path)),
        st.tuples(st.sampled_from(places), odd).map(lambda pair: instead(body, *pair)),
    )
