"""A rule's `when`: CEL (https://cel.dev), compiled once, limited to the documented words.

The engine has no cost limit of its own, so length and nesting are capped here; macros may not be nested, which
leaves evaluation linear in the order's lines.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache

import cel

from orderack.domain.value import Value
from orderack.policy.variables import Known, nested

MAX_LENGTH = 500


class ExpressionError(Exception):
    """This expression has no yes-or-no answer for this order; the message says why, in a sentence."""


class Verdict(Value):
    """Whether a rule's `when` holds; `error` when it has no answer."""

    holds: bool
    error: str = ""


@lru_cache(maxsize=1_000)
def compile_expression(text: str) -> Callable[[Mapping[str, Known]], bool]:
    """The expression as a function of the order's values. Raises ExpressionError on bad syntax.

    The function raises ExpressionError when the expression names something undefined, mixes types, divides by
    zero or answers anything but true or false.
    """
    if len(text) > MAX_LENGTH:
        raise ExpressionError(f"is longer than {MAX_LENGTH} characters")
    try:
        program = cel.compile(text)
    except ValueError as error:
        raise ExpressionError(f"is not valid CEL: {_first_line(error)}") from None

    def evaluate(values: Mapping[str, Known]) -> bool:
        try:
            answer = program.execute(nested(values))
        except KeyError as error:
            raise ExpressionError(f"names {error}, which is not defined") from None
        except (RuntimeError, TypeError, ValueError, ArithmeticError) as error:
            raise ExpressionError(_first_line(error)) from None
        if not isinstance(answer, bool):
            raise ExpressionError(f"answers {type(answer).__name__} where true or false is needed")
        return answer

    return evaluate


def judge(text: str, values: Mapping[str, Known]) -> Verdict:
    """Evaluate and never raise."""
    try:
        return Verdict(holds=compile_expression(text)(values))
    except ExpressionError as error:
        return Verdict(holds=False, error=str(error))


def _first_line(error: Exception) -> str:
    line = str(error).partition("\n")[0].removeprefix("Failed to parse expression ")
    return line.partition("ERROR: <input>:")[2].partition(" expecting ")[0] or line.partition(". ")[0]
