"""How a command ends: its exit code, and a failure in one sentence on stderr (or as JSON on stdout)."""

import sys

import typer
from pydantic import ValidationError
from typer.exceptions import TyperException

from orderack.cli.printing import escaped, plain
from orderack.domain.order import Text
from orderack.domain.problem import Problem
from orderack.domain.validation import problems_of
from orderack.domain.value import Value
from orderack.errors import (
    InDoubt,
    InvalidInput,
    Misconfigured,
    OrderAckError,
    OrderNotOpen,
    OrderUnknown,
    Refused,
    Unavailable,
)

OK, NO, BAD_INPUT, AWAY, BROKEN, INTERRUPTED = 0, 1, 2, 3, 4, 130
"""0: done. 1: the answer is no, or nothing was found. 2: wrong usage, input or setting. 3: a service is away.

4: a record or a pack is not as it was written.
"""

_CODES: tuple[tuple[type[OrderAckError], int, str], ...] = (
    (OrderUnknown, NO, "unknown"),
    (OrderNotOpen, NO, "not_open"),
    (Refused, NO, "refused"),
    (InvalidInput, BAD_INPUT, "invalid_input"),
    (Misconfigured, BAD_INPUT, "misconfigured"),
    (Unavailable, AWAY, "unavailable"),
    (InDoubt, AWAY, "in_doubt"),
)


class Failure(Value):
    """What `--json` prints when a command fails."""

    error: str
    kind: Text
    exit: int
    problems: tuple[Problem, ...] = ()


def failure_of(error: Exception) -> Failure | None:
    """The failure in words; None when it is a bug of ours."""
    if isinstance(error, TyperException):
        return Failure(error=error.format_message(), kind="usage", exit=BAD_INPUT)
    if isinstance(error, ValidationError):
        problems = tuple(problems_of(error))
        words = "; ".join(f"{p.field or 'input'}: {p.problem} ({p.remedy})" for p in problems)
        return Failure(error=words, kind="invalid_input", exit=BAD_INPUT, problems=problems)
    for kind, code, name in _CODES:
        if isinstance(error, kind):
            problems = error.problems if isinstance(error, InvalidInput) else ()
            return Failure(error=_words(error), kind=name, exit=code, problems=problems)
    return None


def report(failure: Failure, *, as_json: bool) -> int:
    """Print the failure; its exit code."""
    if as_json:
        typer.echo(escaped(failure.model_dump_json()))
    elif failure.error.startswith("Usage:"):  # a group without its command: its help is the answer
        typer.echo(plain(failure.error), err=True)
    else:
        lines = [_sentence(f"{p.field or 'input'}: {p.problem}. Remedy: {p.remedy}") for p in failure.problems]
        typer.echo(plain("\n".join(f"orderack: {line}" for line in lines or [failure.error])), err=True)
        if failure.kind == "usage":
            typer.echo("Add --help to the command to see how it is used.", err=True)
    sys.stdout.flush()
    return failure.exit


def _sentence(words: str) -> str:
    return words if words.endswith("?") else f"{words}."


def _words(error: OrderAckError) -> str:
    text = str(error)
    wait = error.retry_after if isinstance(error, Unavailable) else None
    return f"{text}; try again in {wait.total_seconds():.0f} s" if wait else text


def bad(field: str, problem: str, remedy: str) -> InvalidInput:
    """One wrong input."""
    return InvalidInput((Problem(field=field, problem=problem, remedy=remedy),))
