"""What the record keeps of shadow orders: their side, what would have gone out, and what the old flow did."""

from collections.abc import Sequence
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from pydantic import AwareDatetime

from orderack.contracts.journal import Journal
from orderack.domain.acknowledgement import Audience, SendKey
from orderack.domain.assessment import Side
from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.shadow import Figures, OldEvent
from orderack.domain.value import Value


class SideSaid(Value):
    """What is known of an order's side before it is assessed."""

    decided: Side | None = None
    """None: nobody has assessed it yet."""
    live_percent: int | None = None
    """By the store's last cutover or way back, as of this moment; None: there was none, the policy's word holds."""


class KeptMessage(Value):
    """One message of a shadow order, by one channel, as it would have gone out."""

    key: SendKey
    audience: Audience
    role: Name
    at: AwareDatetime
    recipient_sha256: Name
    message_sha256: Name
    """Over the whole message, as a live send's."""
    subject: Text = ""
    text: str
    figures: Figures
    document_id: Name | None = None


class ActKind(StrEnum):
    """What else a live order does outside of the house. Frozen names."""

    SUBMIT = "erp_submission"
    CANCEL = "erp_cancellation"
    INVOICE = "erp_invoice"
    ANSWER = "source_answer"
    HAND_OFF = "handoff"


class KeptAct(Value):
    """One of these that a shadow order did not do. Its identity is all but its time."""

    ref: OrderRef
    revision: int
    kind: ActKind
    detail: Text = ""
    """The ERP, the source and the answer's stage, the team."""
    at: AwareDatetime


class OldOutcome(StrEnum):
    """What became of one event of the old flow. `conflict`: another event bore this id before; the first stands."""

    TAKEN = "taken"
    REPEATED = "repeated"
    CONFLICT = "conflict"


class ShadowBook(Protocol):
    """The part of the record that a shadow run needs. Every write is keyed and may be repeated."""

    async def is_shadow(self, ref: OrderRef) -> bool:
        """Whether nothing of this order may leave the house. Asked at the last door of all, for every call."""
        ...

    async def side_said(self, ref: OrderRef) -> SideSaid: ...

    async def note_gate(self, ref: OrderRef, policy_version: str, live_percent: int, now: datetime) -> bool:
        """Put it into this order's chain that its store has run in shadow and goes live by this policy alone.

        Once for each version of the policy. False: it stands already, the store never ran in shadow, or a step stands.
        """
        ...

    async def keep(self, message: KeptMessage) -> None:
        """Keep what would have gone out; of one key the first word stands."""
        ...

    async def keep_act(self, act: KeptAct, journal: Journal) -> None:
        """Write the journal, and keep what was not done."""
        ...

    async def take_old_events(self, store: str, events: Sequence[OldEvent], now: datetime) -> Sequence[OldOutcome]:
        """Record what the old flow sent, all of it or nothing; one outcome for each."""
        ...
