"""Reading what the caller hands in: a file, or `-` for standard input."""

import sys
from pathlib import Path

from orderack.cli.exits import bad
from orderack.domain.intake import MAX_BYTES, parse_order
from orderack.domain.order import Order
from orderack.domain.problem import Problem
from orderack.errors import InvalidInput


def read(file: Path) -> bytes:
    """The file's bytes, not more than an order may have. Raises InvalidInput."""
    try:
        if str(file) == "-":
            return sys.stdin.buffer.read(MAX_BYTES + 1)
        with file.open("rb") as opened:
            return opened.read(MAX_BYTES + 1)
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise bad(str(file), f"cannot be read: {reason}", "name a file that can be, or - for standard input") from None
    except ValueError:
        raise bad("FILE", "is no file's name", "name a file that can be read, or - for standard input") from None


def read_order(file: Path) -> Order:
    """The order in the file. Raises InvalidInput with everything that is wrong with it."""
    return accepted(parse_order(read(file)))


def accepted(parsed: Order | tuple[Problem, ...]) -> Order:
    """The order, or InvalidInput with the problems."""
    if isinstance(parsed, Order):
        return parsed
    raise InvalidInput(parsed)
