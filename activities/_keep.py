"""Keeping a shadow order's message instead of sending it: the words that its recipient would have had."""

import hashlib
from datetime import datetime

from orderack.contracts.activities import Dispatch, Facts
from orderack.domain.acknowledgement import Audience, Reason, SendOutcome, SendState
from orderack.domain.address import address_sha256
from orderack.domain.shadow import Figures
from orderack.ports import KeptMessage, Ledger, Medium, Message, Rendered, StoredRevision, Traits


class Keep:
    """Says of each message what a live order would be told of it at once: kept, or why no such message could go."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def keep(
        self, message: Message, traits: Traits, dispatch: Dispatch, stored: StoredRevision, facts: Facts, at: datetime
    ) -> SendOutcome:
        """Keep it, unless its recipient wants no messages: then its fallback has its turn, as it would live."""
        channel, hashed = message.key.channel, address_sha256(message.recipient)
        if dispatch.audience is Audience.BUYER and traits.medium is not Medium.PAGE:
            reach = await self._ledger.reach(channel, hashed)
            if reach.opted_out:
                return SendOutcome(
                    channel=channel, state=SendState.REJECTED, reason=Reason.OPTED_OUT, detail=reach.basis[:200]
                )
        await self._ledger.keep(
            KeptMessage(
                key=message.key,
                audience=dispatch.audience,
                role=dispatch.recipient_role,
                at=at,
                recipient_sha256=hashed,
                message_sha256=hashlib.sha256(message.model_dump_json().encode("utf-8", "replace")).hexdigest(),
                subject=message.content.subject,
                text=_words(message.content, traits.medium),
                figures=_figures(stored, facts),
                document_id=facts.document_id,
            )
        )
        return SendOutcome(channel=channel, state=SendState.KEPT)


def _words(content: Rendered, medium: Medium) -> str:
    """In the shape that the medium carries."""
    shapes = {Medium.SMS: content.sms, Medium.CHAT: content.chat}
    return shapes.get(medium) or content.text


def _figures(stored: StoredRevision, facts: Facts) -> Figures:
    """What the message is about; the day that it promises, if it promises one."""
    order = stored.order
    return Figures(
        total=order.totals.total, currency=order.currency, lines=len(order.lines), promise_on=facts.promise_on
    )
