"""Which order: `STORE/NUMBER` as it is printed everywhere, and the key of one send."""

from typing import Annotated

import typer
from pydantic import ValidationError

from orderack.cli.exits import bad
from orderack.domain.order import OrderRef

_KEY_PARTS = 4
"""`{store}/{number}/{revision}/{kind}/{n}/{channel}`: what stands behind the order."""


def reference(text: str) -> OrderRef:
    """`demo/1001` → the order. Raises InvalidInput."""
    store, slash, number = text.strip().partition("/")
    try:
        if slash:
            return OrderRef(store=store, number=number)
    except ValidationError:
        pass
    raise bad("STORE/NUMBER", "is not an order's reference", "write store and number, such as demo/1001")


def order_of_send(key: str) -> OrderRef:
    """The order whose send it is. Raises InvalidInput."""
    order, *rest = key.rsplit("/", _KEY_PARTS)
    if len(rest) == _KEY_PARTS and "/" in order:
        return reference(order)
    raise bad("KEY", "is not a send's key", "copy it from `orderack status`, such as demo/1001/1/received/1/email")


Ref = Annotated[str, typer.Argument(help="The order, such as demo/1001.", metavar="STORE/NUMBER")]
