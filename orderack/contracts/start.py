"""What starts an order's workflow: only who it is. The order itself travels in the `submit` update."""

from orderack.domain.order import Name
from orderack.domain.value import Value


class Start(Value):
    """`continue_as_new_after` (events) overrides the server's own suggestion; tests set it low."""

    store: Name
    number: Name
    continue_as_new_after: int | None = None
