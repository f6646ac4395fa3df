"""The door for orders: anything in, an Order or the list of what is wrong with it out. It never raises on bad input."""

import json
import math
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from itertools import chain, islice
from typing import NoReturn
from urllib.parse import quote

from pydantic import ValidationError

from orderack.domain.money import MINOR_DIGITS, fits
from orderack.domain.order import Order
from orderack.domain.problem import Problem
from orderack.domain.unknown_fields import join, unknown_fields
from orderack.domain.validation import problems_of

MAX_BYTES = 1024 * 1024
MAX_DEPTH = 32
MAX_LINES = 5_000
SHORTER = "shorten it; letters beyond a-z count six or more"
_LONGEST_NUMBER_ENCODED = 700
YEARS = range(1990, 2200)
MAX_PROBLEMS = 50
MOST_COUNTED = 200
"""Problems beyond this are not even looked for: finding a remedy for each takes its time."""

MULTILINE = frozenset({"instructions", "design", "dietary", "description"})
TIMES = frozenset({"trigger_at", "at", "start", "end", "due_at"})

_EXACT_DIGITS = 15
"""A decimal of up to 15 significant digits survives the way through a binary double and back (IEEE 754)."""

_LONGEST_NUMBER = 40
_LINE_BREAKS = re.compile("[\r\n\t\v\f\x85\u2028\u2029]")
_FORBIDDEN = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069\ud800-\udfff\ufffe\uffff]")


def parse_order(raw: object) -> Order | tuple[Problem, ...]:
    """An order from JSON text, bytes, or a mapping that came from JSON.

    Every problem names its field (`lines[2].quantity`) and the remedy, and never repeats the buyer's data.
    At most 50 problems are returned. An incomplete order is an order: completeness is assessed later.
    """
    try:
        tree = _decode(raw)
        found = chain(_unclean(tree), unknown_fields(Order, tree))
        problems = [*_too_long_lists(tree)] or [*islice(found, MOST_COUNTED)]
        if problems:
            return _capped(problems)
        order = Order.model_validate(_exact(tree))
    except _Unreadable as unreadable:
        return (unreadable.problem,)
    except ValidationError as error:
        return _capped(problems_of(error))
    return _capped(list(_contradictions(order))) or order


class _Unreadable(Exception):
    def __init__(self, problem: str, remedy: str, field: str = "order") -> None:
        super().__init__(problem)
        self.problem = Problem(field=field, problem=problem, remedy=remedy)


def _decode(raw: object) -> Mapping[str, object]:
    if isinstance(raw, str | bytes | bytearray):
        raw = _json(raw)
    if not isinstance(raw, Mapping):
        raise _Unreadable("is not an object", "send one JSON object with the order's fields")
    return raw


def _json(raw: str | bytes | bytearray) -> object:
    try:
        data = raw.encode() if isinstance(raw, str) else bytes(raw)
        if len(data) > MAX_BYTES:
            raise _Unreadable(f"is larger than {MAX_BYTES} bytes", "send documents as links, and large orders in parts")
        return json.loads(
            data.decode("utf-8-sig"),
            parse_float=_decimal,
            parse_int=_integer,
            parse_constant=_no_constant,
            object_pairs_hook=_no_repeats,
        )
    except UnicodeError:
        raise _Unreadable("is not UTF-8 text", "encode it as UTF-8") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise _Unreadable(f"is not valid JSON ({where})", "check the JSON with a validator") from None
    except RecursionError:
        raise _too_deep() from None


def _too_deep() -> _Unreadable:
    return _Unreadable(f"is nested more than {MAX_DEPTH} levels deep", "send the order's fields without wrapping")


def _integer(digits: str) -> int:
    if len(digits) > _LONGEST_NUMBER:
        raise _Unreadable(f"holds a number of more than {_LONGEST_NUMBER} digits", "send amounts of up to 18 digits")
    return int(digits)


def _decimal(digits: str) -> Decimal:
    try:
        return Decimal(digits)
    except InvalidOperation:
        raise _Unreadable("holds a number with an absurd exponent", "send amounts of up to 18 digits") from None


def _no_constant(word: str) -> NoReturn:
    raise _Unreadable(f"holds {word}, which is not a number", "leave the field out, or send a number")


def _no_repeats(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found: dict[str, object] = {}
    for key, value in pairs:
        if key in found:
            raise _Unreadable("appears twice in one object", "send each field once", join("", key))
        found[key] = value
    return found


def _too_long_lists(tree: Mapping[str, object]) -> Iterator[Problem]:
    for name in ("lines", "external_ids"):
        found = tree.get(name)
        if isinstance(found, list | tuple) and len(found) > MAX_LINES:
            yield Problem(
                field=name, problem=f"has more than {MAX_LINES} entries", remedy="split it into several orders"
            )


def _unclean(value: object, path: str = "", key: str = "", depth: int = 0) -> Iterator[Problem]:
    """What no field of an order may hold, wherever it stands."""
    if depth > MAX_DEPTH:
        raise _too_deep()
    match value:
        case Mapping():
            for name, item in value.items():
                yield from _unclean(item, join(path, str(name)), str(name), depth + 1)
        case list() | tuple():
            for index, item in enumerate(value):
                yield from _unclean(item, f"{path}[{index}]", key, depth + 1)
        case bool():
            yield Problem(field=path, problem="is true or false", remedy="no field of an order is; send its value")
        case int() | float() | Decimal() if key in TIMES:
            yield Problem(field=path, problem="is a number", remedy="send a time such as 2026-11-14T09:30:00+01:00")
        case float() if not _is_exact(value):
            yield Problem(field=path, problem="is not an exact number", remedy='send it as text, such as "12.50"')
        case str():
            yield from _unclean_text(value, path, key)


def _is_exact(value: float) -> bool:
    return math.isfinite(value) and len(Decimal(repr(value)).as_tuple().digits) <= _EXACT_DIGITS


def _unclean_text(value: str, path: str, key: str) -> Iterator[Problem]:
    if key not in MULTILINE and _LINE_BREAKS.search(value):
        yield Problem(field=path, problem="holds a line break or tab", remedy="send it on one line")
    elif _FORBIDDEN.search(value):
        yield Problem(
            field=path, problem="holds control or direction-override characters", remedy="send the visible text only"
        )


def _exact(value: object) -> object:
    """The same tree with every binary float as the decimal that its sender wrote."""
    match value:
        case Mapping():
            return {str(key): _exact(item) for key, item in value.items()}
        case list() | tuple():
            return [_exact(item) for item in value]
        case float():
            return Decimal(repr(value))
        case _:
            return value


def _contradictions(order: Order) -> Iterator[Problem]:
    """Fields that are fine one by one and cannot be true together."""
    if order.delivery_address and order.pickup:
        yield Problem(field="pickup", problem="stands beside a delivery address", remedy="send one of the two")
    if order.delivery_window and order.delivery_window.end <= order.delivery_window.start:
        yield Problem(field="delivery_window.end", problem="is not after its start", remedy="swap or mend the two")
    if not nameable(order.number):
        yield Problem(field="number", problem="is too long once it is percent-encoded", remedy=SHORTER)
    yield from _times(order)
    seen: set[str] = set()
    for index, line in enumerate(order.lines):
        if line.line_id in seen:
            yield Problem(
                field=f"lines[{index}].line_id", problem="is used by an earlier line", remedy="give each line its own"
            )
        seen.add(line.line_id)
    yield from _money(order)


def nameable(number: str) -> bool:
    """Whether an order's number, percent-encoded, has room in the id of its workflow (Temporal: 1000 bytes)."""
    return len(quote(number, safe="")) <= _LONGEST_NUMBER_ENCODED


def _times(order: Order) -> Iterator[Problem]:
    """Moments from which no deadline could be counted: a calendar ends at the year 9999, and 9999 is what some send
    for "never"."""
    times = {
        "trigger_at": order.trigger_at,
        "pickup.at": order.pickup and order.pickup.at,
        "delivery_window.start": order.delivery_window and order.delivery_window.start,
        "delivery_window.end": order.delivery_window and order.delivery_window.end,
        "partner_deadline.due_at": order.partner_deadline and order.partner_deadline.due_at,
    }
    for field, at in times.items():
        if at and at.year not in YEARS:
            span = f"{YEARS.start} to {YEARS.stop - 1}"
            yield Problem(field=field, problem=f"is not in the years {span}", remedy="send the real time, or none")


def _money(order: Order) -> Iterator[Problem]:
    if order.currency not in MINOR_DIGITS:
        yield Problem(field="currency", problem="is not a currency", remedy="use an ISO 4217 code such as EUR")
        return
    for name in ("discount", "tax", "shipping", "fees", "credit", "total"):
        if not fits(getattr(order.totals, name), order.currency):
            digits = MINOR_DIGITS[order.currency]
            yield Problem(
                field=f"totals.{name}",
                problem=f"has more than the {digits} decimals of {order.currency}",
                remedy="round it to what can be paid",
            )


def _capped(problems: list[Problem]) -> tuple[Problem, ...]:
    if len(problems) <= MAX_PROBLEMS:
        return tuple(problems)
    more = len(problems) - MAX_PROBLEMS + 1
    count = f"at least {more}" if len(problems) >= MOST_COUNTED else str(more)
    rest = Problem(field="order", problem=f"has {count} more problems", remedy="mend the first ones and send it again")
    return (*problems[: MAX_PROBLEMS - 1], rest)
