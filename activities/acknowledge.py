"""`acknowledge`: send a batch of messages, each exactly once (reliability.md §4.2).

Ask the ERP first where the message says that the ERP has not answered · render once and store the bytes · claim with
a lease · send those bytes · record. A claim that outlived its lease is a doubt, settled by the channel's own class:
by its key, by looking it up, by its echo; or by nobody, and then it is surfaced and never sent again.
"""

import asyncio
import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from temporalio import activity

from activities._boundary import boundary
from orderack.contracts import names
from orderack.contracts.activities import AcknowledgeRequest, AcknowledgeResult, Dispatch
from orderack.domain.acknowledgement import Reason, SendKey, SendOutcome, SendState
from orderack.domain.order import OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.domain.store import StoreProfile
from orderack.errors import InDoubt, Misconfigured, OrderAckError, Refused, Unavailable, Unsupported
from orderack.policy.recipient import BUYER, recipient_of
from orderack.ports import (
    Channel,
    ClaimResult,
    Content,
    Erp,
    Idempotency,
    Ledger,
    Medium,
    Message,
    MessageLinks,
    Renderer,
    Sent,
    StoredRevision,
    StoredSend,
)
from orderack.touches import OFF, in_force

ASK_WITHIN = timedelta(seconds=5)
"""An ERP that takes longer has not answered; the message is true either way."""

_log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Sending:
    """How sends are leased and addressed."""

    lease: timedelta = timedelta(seconds=45)
    """Longer than an attempt may last (30 s): a zombie attempt must not overlap the next."""
    status_url: Callable[[str], str | None] = lambda channel: None
    links: Callable[[SendKey, str, str], MessageLinks] = lambda key, role, recipient: MessageLinks()
    """For this send, the recipient's role and the address that it goes to (none where the page itself is that)."""


class Acknowledge:
    def __init__(
        self,
        ledger: Ledger,
        channels: Callable[[str], Channel],
        erps: Mapping[str, Erp],
        stores: Callable[[str], StoreProfile],
        renderer: Renderer,
        sending: Sending,
        now: Callable[[], datetime],
    ) -> None:
        self._ledger = ledger
        self._channels = channels
        self._erps = erps
        self._stores = stores
        self._renderer = renderer
        self._sending = sending
        self._now = now

    @activity.defn(name=names.ACKNOWLEDGE)
    @boundary
    async def acknowledge(self, request: AcknowledgeRequest) -> AcknowledgeResult:
        """One outcome per dispatch, or the ERP's receipt instead. Raises Unavailable while one is worth a retry."""
        await self._ledger.write(request.journal)
        if request.ask_erp and (receipt := await self._ask(request.ask_erp, request.ref, request.revision)):
            return AcknowledgeResult(receipt=receipt)
        stored = await self._ledger.revision(request.ref, request.revision)
        if stored is None:
            raise Unavailable(f"revision {request.revision} is not in the ledger yet")
        before = request.facts.changed_from
        previous = await self._ledger.revision(request.ref, before) if before else None
        results = await _whole(
            asyncio.gather(*(self._one(request, stored, previous, dispatch) for dispatch in request.dispatches))
        )
        waits = [result for result in results if isinstance(result, Unavailable)]
        if waits:
            raise Unavailable(str(waits[0]), max((w.retry_after for w in waits if w.retry_after), default=None))
        return AcknowledgeResult(outcomes=tuple(result for result in results if isinstance(result, SendOutcome)))

    async def _ask(self, name: str, ref: OrderRef, revision: int) -> ErpReceipt | None:
        erp = self._erps.get(name)
        if erp is None:
            return None
        try:
            return await asyncio.wait_for(erp.find(ref, revision), ASK_WITHIN.total_seconds())
        except (TimeoutError, OrderAckError):
            return None

    async def _one(
        self, request: AcknowledgeRequest, stored: StoredRevision, previous: StoredRevision | None, dispatch: Dispatch
    ) -> SendOutcome | Unavailable:
        """How this dispatch stands after this attempt; Unavailable while it is worth another."""
        key = SendKey(
            ref=request.ref, revision=request.revision, kind=dispatch.kind, n=dispatch.n, channel=dispatch.channel
        )
        try:
            channel = self._channels(dispatch.channel)
            message = self._message(request, stored, previous, dispatch, channel, key)
            if message is None:
                return SendOutcome(channel=key.channel, state=SendState.REJECTED, reason=Reason.NO_RECIPIENT)
            return await self._once(channel, key, message)
        except Unavailable as error:
            return await self._or_give_up(request, key, error, None)
        except Misconfigured as error:
            _log.error("%s can't send: %s", key.channel, error)
            return await self._or_give_up(request, key, Unavailable(str(error)), Reason.NOT_CONFIGURED)

    async def _or_give_up(
        self, request: AcknowledgeRequest, key: SendKey, error: Unavailable, reason: Reason | None
    ) -> SendOutcome | Unavailable:
        """Out of reach for longer than the policy waits: the fallback's turn, unless it is in doubt or has ended."""
        send = await self._ledger.send(str(key))
        if send and send.state not in (SendState.CLAIMED, SendState.UNAVAILABLE):
            return self._finished(send)
        if self._now() < request.give_up_at or (send and send.state is SendState.CLAIMED):
            return error
        return SendOutcome(channel=key.channel, state=SendState.UNAVAILABLE, reason=reason, detail=str(error)[:200])

    def _message(
        self,
        request: AcknowledgeRequest,
        stored: StoredRevision,
        previous: StoredRevision | None,
        dispatch: Dispatch,
        channel: Channel,
        key: SendKey,
    ) -> Message | None:
        """The message for this channel; None when the buyer has no address of its kind."""
        order, role, traits = stored.order, dispatch.recipient_role, channel.traits
        store = self._stores(order.store)
        links = self._sending.links(key, role, "")
        recipient = recipient_of(order, traits.address, role, links.page_url, store.country)
        if recipient is None:
            return None
        if recipient != links.page_url:
            links = self._sending.links(key, role, recipient)
        tracked = role == BUYER and traits.medium is Medium.EMAIL
        links = links.under(in_force(store.touches, order) if tracked else OFF)
        content = Content(
            kind=dispatch.kind,
            language=order.contacts.language,
            store=store,
            order=order,
            revision=request.revision,
            assessment=stored.assessment,
            facts=request.facts,
            previous=previous.order if previous else None,
            page_url=links.page_url,
            page_link=links.page_link,
            shop_link=links.shop_link,
            pixel_url=links.pixel_url,
            honeypot_url=links.honeypot_url,
            takes_replies=traits.replies,
        )
        return Message(
            key=key,
            recipient=recipient,
            kind=dispatch.kind,
            language=order.contacts.language,
            content=self._renderer.render(content),
            status_url=self._sending.status_url(key.channel),
        )

    async def _once(self, channel: Channel, key: SendKey, message: Message) -> SendOutcome:
        claim = await self._ledger.claim(key, message, self._now(), self._sending.lease)
        if not claim.mine:
            return self._finished(claim.send)
        first_rendered = Message.model_validate_json(claim.send.message_json)
        if not claim.first and (settled := await self._settle(channel, key, first_rendered, claim)):
            return settled
        # Only a key lets us send while a doubt stands; nobody has then said that the first attempt was lost.
        doubtful = not claim.first and channel.traits.idempotency is Idempotency.KEY
        return await self._send(channel, key, first_rendered, doubtful)

    def _finished(self, send: StoredSend) -> SendOutcome:
        """A send that ended before. One that another attempt still holds is waited for."""
        if send.state is SendState.CLAIMED:
            raise Unavailable("another attempt holds this send", max(send.lease_until - self._now(), timedelta(0)))
        return SendOutcome(
            channel=send.channel,
            state=send.state,
            reason=Reason(send.reason) if send.reason else None,
            detail=send.detail,
            provider_id=send.provider_id,
            body_sha256=send.body_sha256,
        )

    async def _settle(self, channel: Channel, key: SendKey, message: Message, claim: ClaimResult) -> SendOutcome | None:
        """A doubt, by the channel's class. None: it was certainly not sent, or sending again is the same send."""
        match channel.traits.idempotency:
            case Idempotency.KEY:
                return None
            case Idempotency.LOOKUP:
                try:
                    found = await channel.lookup(message, claim.send.claimed_at)
                except (InDoubt, Refused) as error:
                    raise Unavailable(f"in doubt, and cannot be looked up: {error}") from None
                return await self._finish(key, self._accepted(key, found)) if found else None
            case Idempotency.ECHO | Idempotency.NONE:
                return await self._unknown(key, "cut off after sending, and no echo came")

    async def _send(self, channel: Channel, key: SendKey, message: Message, doubtful: bool) -> SendOutcome:
        try:
            return await self._finish(key, self._accepted(key, await channel.send(message)))
        except Refused as refusal:
            return await self._finish(key, _rejected(key, refusal.reason, f"{refusal.code} {refusal}".strip()))
        except Unsupported as gap:
            return await self._finish(key, _rejected(key, Reason.UNSUPPORTED, gap.trait))
        except (Unavailable, Misconfigured) as error:
            if not doubtful:
                await self._finish(key, SendOutcome(channel=key.channel, state=SendState.UNAVAILABLE))
            raise error
        except InDoubt as doubt:
            if channel.traits.idempotency is Idempotency.NONE:
                return await self._unknown(key, str(doubt))
            await self._ledger.doubt(key, str(doubt)[:200], self._now())
            raise Unavailable(f"in doubt: {doubt}", self._sending.lease) from None

    async def _unknown(self, key: SendKey, detail: str) -> SendOutcome:
        outcome = SendOutcome(channel=key.channel, state=SendState.UNKNOWN, detail=detail[:200])
        return await self._finish(key, outcome)

    async def _finish(self, key: SendKey, outcome: SendOutcome) -> SendOutcome:
        """Record it; what stands in the ledger afterwards is the truth (an echo may have beaten us)."""
        return self._finished(await self._ledger.finish(key, outcome, self._now()))

    def _accepted(self, key: SendKey, sent: Sent) -> SendOutcome:
        return SendOutcome(
            channel=key.channel, state=SendState.ACCEPTED, provider_id=sent.provider_id, detail=sent.detail
        )


async def _whole(sending: asyncio.Future[list[SendOutcome | Unavailable]]) -> list[SendOutcome | Unavailable]:
    """A worker that stops, or a message superseded in flight, must not cut a send in half: it ends first."""
    try:
        return await asyncio.shield(sending)
    except asyncio.CancelledError:
        await asyncio.wait([sending])
        raise


def _rejected(key: SendKey, reason: Reason, detail: str) -> SendOutcome:
    return SendOutcome(channel=key.channel, state=SendState.REJECTED, reason=reason, detail=detail[:200])
