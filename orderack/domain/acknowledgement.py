"""Acknowledgements: what kinds there are, how a send can end, and the key that makes it one send."""

from enum import StrEnum
from typing import Annotated

from pydantic import AwareDatetime, Field

from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.value import Value, is_none


class Kind(StrEnum):
    """Every message that tells someone where the order stands. Frozen names: add, never rename."""

    RECEIVED = "received"
    HOLDING = "holding"
    UPDATE = "update"
    CONFIRMATION = "confirmation"
    CHANGE_RECEIVED = "change_received"
    REJECTION = "rejection"
    CANCELLATION = "cancellation"
    QUESTION = "question"
    ANSWER = "answer"
    """A person's answer to what the buyer asked, word for word."""
    ALERT = "alert"
    """Internal only: tells the owner; never counts as telling the buyer (R187)."""


NO_PROMISE = frozenset({Kind.RECEIVED, Kind.HOLDING, Kind.UPDATE, Kind.CHANGE_RECEIVED, Kind.QUESTION, Kind.ANSWER})
"""Kinds that must not commit to anything (UCC 2-207: a definite confirmation operates as acceptance)."""


class Audience(StrEnum):
    BUYER = "buyer"
    INTERNAL = "internal"


class SendState(StrEnum):
    """The three ends of a send (DESIGN §5), and the two before them."""

    CLAIMED = "claimed"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    UNKNOWN = "unknown"
    UNAVAILABLE = "unavailable"
    """Certainly not sent: the provider stayed out of reach until the send's expiry."""
    KEPT = "kept"
    """Certainly not sent, and meant not to be: a shadow order's message, rendered and kept to be compared."""


class Reason(StrEnum):
    """Why a channel said no, in our words."""

    NO_RECIPIENT = "no_recipient"
    BAD_RECIPIENT = "bad_recipient"
    OPTED_OUT = "opted_out"
    BLOCKED = "blocked"
    CONTENT = "content"
    TOO_LONG = "too_long"
    UNSUPPORTED = "unsupported"
    EXPIRED = "expired"
    NOT_CONFIGURED = "not_configured"
    PAUSED = "paused"
    """An operator has paused the channel, or it is marked down."""
    WINDOW_CLOSED = "window_closed"
    """The buyer has to write first (24-hour window), and no template serves."""
    OTHER = "other"


class SendKey(Value):
    """The identity of one send: `{store}/{order}/{revision}/{kind}/{n}/{channel}` (DESIGN §5)."""

    ref: OrderRef
    revision: int
    kind: Kind
    n: int
    channel: Name

    def __str__(self) -> str:
        return f"{self.ref}/{self.revision}/{self.kind}/{self.n}/{self.channel}"


class SendOutcome(Value):
    """How one send ended."""

    channel: Name
    state: SendState
    reason: Reason | None = None
    detail: Text = ""
    provider_id: str | None = None
    body_sha256: str | None = None
    since: Annotated[AwareDatetime | None, Field(exclude_if=is_none)] = None
    """Of an `unknown` one: since when nobody has known."""
