"""A model's validation errors, said so that the sender can mend them, without the value that was sent."""

import re
from collections.abc import Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from orderack.domain.problem import Problem

_WORDS: Mapping[str, tuple[str, str]] = {
    "missing": ("is missing", "send it"),
    "string_type": ("is not text", "send it as a string"),
    "string_too_short": ("is empty", "give it a value"),
    "string_too_long": ("is too long", "send at most {max_length} characters"),
    "too_short": ("is empty", "give at least {min_length}"),
    "greater_than": ("is not greater than {gt}", "send a number greater than {gt}"),
    "greater_than_equal": ("is less than {ge}", "send {ge} or more"),
    "less_than_equal": ("is more than {le}", "send {le} or less"),
    "decimal_parsing": ("is not a number", 'send a decimal number such as "12.50"'),
    "decimal_type": ("is not a number", 'send a decimal number such as "12.50"'),
    "decimal_max_digits": ("has too many digits", "send at most {max_digits} digits"),
    "decimal_whole_digits": ("is too large", "send at most {whole_digits} digits before the point"),
    "decimal_max_places": ("has too many decimals", "send at most {decimal_places} decimals"),
    "finite_number": ("is not a finite number", "send a number"),
    "timezone_aware": ("has no time zone", "send a time with its offset, such as 2026-11-14T09:30:00+01:00"),
    "datetime_parsing": ("is not a time", "send a time such as 2026-11-14T09:30:00+01:00"),
    "datetime_from_date_parsing": ("is not a time", "send a time such as 2026-11-14T09:30:00+01:00"),
    "datetime_type": ("is not a time", "send a time such as 2026-11-14T09:30:00+01:00"),
    "enum": ("is not a value we know", "use {expected}"),
    "literal_error": ("is not a value we know", "use {expected}"),
    "tuple_type": ("is not a list", "send a list"),
    "list_type": ("is not a list", "send a list"),
    "dict_type": ("is not a set of fields", "send an object with named fields"),
    "mapping_type": ("is not a set of fields", "send an object with named fields"),
    "model_type": ("is not a set of fields", "send an object with named fields"),
    "model_attributes_type": ("is not a set of fields", "send an object with named fields"),
    "int_type": ("is not a whole number", "send a whole number"),
    "int_parsing": ("is not a whole number", "send a whole number"),
    "bool_type": ("is neither true nor false", "write true or false"),
    "bool_parsing": ("is neither true nor false", "write true or false"),
}

_PATTERNS: Mapping[str, str] = {
    "country": "use the two capital letters of ISO 3166, such as DE",
    "currency": "use the three capital letters of ISO 4217, such as EUR",
    "language": "use a language tag such as en or pt-BR",
}


_LONGEST_PATH = 200
_QUOTED = re.compile(r"""(?:^|:?(?<=[\s:(])\s*)(['"]).*\1(?![\w])""", re.DOTALL)

REPEATING = frozenset({"value_error", "assertion_error", "union_tag_invalid"})
"""Errors whose words may hold the value."""

MOST = 2_000
"""Errors beyond this are counted and not listed: listing a hundred thousand takes seconds."""


def problems_of(error: ValidationError) -> list[Problem]:
    """One problem for each error, in the order they stand in the input."""
    if error.error_count() > MOST:
        return [too_many(error)]
    return [_problem(detail) for detail in error.errors(include_url=False, include_input=False)]


def too_many(error: ValidationError) -> Problem:
    """One problem for all of them."""
    remedy = "send a part of it (one line, one receipt), mend what is said of that, and then send the whole"
    return Problem(field="body", problem=f"has {error.error_count()} problems, too many to list", remedy=remedy)


def unquoted(message: str) -> str:
    """Without what it quotes: Python's own errors repeat the value that they are about ("…: '2026-13-45'")."""
    return " ".join(_QUOTED.sub(" ", message).split()).strip(" :") or "cannot be read"


def path_of(location: tuple[int | str, ...]) -> str:
    """`("lines", 2, "quantity")` as people write it: `lines[2].quantity`."""
    path = ""
    for part in location:
        path += f"[{part}]" if isinstance(part, int) else f".{part}" if path else part
    return path


def _problem(detail: ErrorDetails) -> Problem:
    field = path_of(detail["loc"])[:_LONGEST_PATH]
    if detail["type"] == "string_pattern_mismatch":
        remedy = _PATTERNS.get(str(detail["loc"][-1]), "see the field's description")
        return Problem(field=field, problem="has the wrong form", remedy=remedy)
    if detail["type"] == "value_error":
        problem, _, remedy = unquoted(str(detail["ctx"]["error"])).partition("; ")
        return Problem(field=field, problem=problem, remedy=remedy or "see the field's description")
    if detail["type"] not in _WORDS:
        said = unquoted(detail["msg"]) if detail["type"] in REPEATING else detail["msg"]
        return Problem(field=field, problem=said, remedy="see the field's description")
    problem, remedy = _WORDS[detail["type"]]
    context = detail.get("ctx", {})
    return Problem(field=field, problem=problem.format(**context), remedy=remedy.format(**context))
