"""What is wrong with an input, said so that its sender can mend it."""

from orderack.domain.order import Text
from orderack.domain.value import Value


class Problem(Value):
    """The field, what is wrong with it, and what to do about it. Never carries the buyer's data."""

    field: Text
    problem: Text
    remedy: Text
