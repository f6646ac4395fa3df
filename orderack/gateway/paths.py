"""The addresses that name a store and an order."""

from typing import Annotated
from urllib.parse import quote

from fastapi import Path
from pydantic import ValidationError

from orderack.domain.order import OrderRef
from orderack.errors import OrderUnknown

StoreName = Annotated[str, Path(min_length=1, max_length=200, description="the store's id in the policy")]


def order_named(store: str, number: str) -> OrderRef:
    """The order that an address names. Raises OrderUnknown for a name that no order can have."""
    try:
        return OrderRef(store=store, number=number)
    except ValidationError:
        raise OrderUnknown("no order has this name") from None


def status_url(public_url: str, ref: OrderRef) -> str:
    """Where the order's standing can be asked."""
    return f"{public_url.rstrip('/')}/orders/{quote(ref.store, safe='')}/{quote(ref.number, safe='')}"
