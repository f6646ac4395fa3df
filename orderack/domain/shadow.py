"""The shadow run (R166–R169): on which side an order is, and what the old flow says that it did."""

import hashlib
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Annotated

from pydantic import AwareDatetime, Field

from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import Side
from orderack.domain.order import Name, OrderRef
from orderack.domain.value import Value

ALL_LIVE, NONE_LIVE = 100, 0


def place_of(ref: OrderRef) -> float:
    """Where the order stands between 0 and 100: the same for ever, wherever and however often it is asked."""
    digest = hashlib.sha256(f"{ref.store}/{ref.number}".encode()).digest()
    return int.from_bytes(digest[:8]) / 2**64 * 100


def side_of(ref: OrderRef, live_percent: int) -> Side:
    """The order's side where so many of its store's go live; who is live at 10 per cent is live at 50 too."""
    return Side.LIVE if place_of(ref) < live_percent else Side.SHADOW


class Figures(Value):
    """What a message says of the order, as far as it can be compared."""

    total: Decimal | None = None
    currency: Name | None = None
    lines: Annotated[int, Field(ge=0)] | None = None
    """How many lines the order has."""
    promise_on: date | None = None


TO_BUYERS = frozenset(Kind) - {Kind.ALERT}

KINDS: Mapping[str, Kind | None] = {
    **{kind.value: kind for kind in sorted(TO_BUYERS)},
    "acknowledgement": Kind.RECEIVED,
    "order_received": Kind.RECEIVED,
    "order_placed": Kind.RECEIVED,
    "order_confirmation": Kind.CONFIRMATION,
    "order_confirmed": Kind.CONFIRMATION,
    "confirmed": Kind.CONFIRMATION,
    "delay": Kind.UPDATE,
    "order_cancelled": Kind.CANCELLATION,
    "cancelled": Kind.CANCELLATION,
    "order_rejected": Kind.REJECTION,
    "rejected": Kind.REJECTION,
    "order_changed": Kind.CHANGE_RECEIVED,
    "other": None,
}
"""The old flow's words → ours. None: a message that this product has no counterpart of (a dispatch note, say)."""


def kind_word(text: str) -> str:
    """`Order Confirmation` → `order_confirmation`."""
    return "_".join(text.strip().lower().replace("-", " ").replace("_", " ").split())


class OldEvent(Value):
    """One message that the old flow sent to a buyer. The same id again is the same message."""

    id: Name
    order: Name
    """The order's number."""
    kind: Name
    """One of ours, or one of the words in `KINDS`."""
    at: AwareDatetime
    channel: Name = "unknown"
    revision: int | None = None
    figures: Figures = Figures()

    @property
    def means(self) -> Kind | None:
        """Which of our kinds it is; None: none of them. Raises KeyError for a word that nobody has mapped."""
        return KINDS[kind_word(self.kind)]
