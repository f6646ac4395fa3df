"""The addresses that name a store and an order."""

from typing import Annotated
from urllib.parse import quote

from fastapi import Path

from orderack.domain.order import OrderRef

StoreName = Annotated[str, Path(min_length=1, max_length=200, description="the store's id in the policy")]


def status_url(public_url: str, ref: OrderRef) -> str:
    """Where the order's standing can be asked."""
    return f"{public_url.rstrip('/')}/orders/{quote(ref.store, safe='')}/{quote(ref.number, safe='')}"
