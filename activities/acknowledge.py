"""`acknowledge`: send a batch of messages, each exactly once.

Ask the ERP first where the message says that the ERP has not answered · store the handoff that a message tells its
team of · render for each channel · hand each to `activities.sending`, which claims, sends and records · answer once all
have ended, or say when to try again.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from temporalio import activity

from activities._boundary import boundary
from activities._keep import Keep
from activities._last_door import is_shadow
from activities._measured import erp_call
from activities.sending import Held, NotYet, Sender, Sending
from orderack.contracts import names
from orderack.contracts.activities import AcknowledgeRequest, AcknowledgeResult, Dispatch, HandOffRequest
from orderack.domain.acknowledgement import Audience, Reason, SendKey, SendOutcome, SendState
from orderack.domain.assessment import Leg
from orderack.domain.order import Contacts, OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.domain.store import StoreProfile
from orderack.errors import Misconfigured, OrderAckError, Unavailable
from orderack.policy.recipient import BUYER, recipient_of
from orderack.ports import (
    Channel,
    Content,
    Erp,
    Ledger,
    Medium,
    Message,
    Renderer,
    StoredRevision,
)
from orderack.ports.channel_book import of_erp
from orderack.telemetry import metrics
from orderack.touches import OFF, in_force

ASK_WITHIN = timedelta(seconds=5)
"""An ERP that takes longer has not answered; the message is true either way."""

log = structlog.get_logger(__name__)


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
        self._sender = Sender(ledger, sending, now)
        self._keep = Keep(ledger)
        self._now = now

    @activity.defn(name=names.ACKNOWLEDGE)
    @boundary
    async def acknowledge(self, request: AcknowledgeRequest) -> AcknowledgeResult:
        """One outcome per dispatch, or the ERP's receipt instead. Raises Unavailable while one is worth a retry."""
        receipt = await self._ask(request.ask_erp, request.ref, request.revision) if request.ask_erp else None
        if request.offer:  # first: the message leads to what stands in the ledger
            offered = HandOffRequest(ref=request.ref, journal=request.journal, **dict(request.offer))
            await self._ledger.offer_handoff(offered, self._now())
        contacts_of, before = request.contacts_of, request.facts.changed_from
        wanted = {revision for revision in (request.revision, contacts_of, before) if revision}
        kept = await self._ledger.write_and_read(request.journal, () if receipt else wanted)
        if receipt:
            return AcknowledgeResult(receipt=receipt)
        stored = kept.get(request.revision)
        if stored is None:
            raise Unavailable(f"revision {request.revision} is not in the ledger yet")
        if contacts_of:
            stored = _for(stored, kept.get(contacts_of))
        previous = kept.get(before) if before else None
        one = self._kept if is_shadow(stored) else self._one
        results = await _whole(
            asyncio.gather(*(one(request, stored, previous, dispatch) for dispatch in request.dispatches))
        )
        results = _let_go(stored, list(zip(request.dispatches, results, strict=True)), in_parts=request.in_parts)
        waits = [result for result in results if isinstance(result, Unavailable)]
        apart = request.in_parts and len(waits) < len(results) and all(isinstance(wait, Held) for wait in waits)
        if waits and not apart:
            raise Unavailable(str(waits[0]), _come_back(waits))
        return AcknowledgeResult(outcomes=tuple(map(_said, request.dispatches, results)))

    async def _ask(self, name: str, ref: OrderRef, revision: int) -> ErpReceipt | None:
        """Its receipt, if it says that it has booked it. What is known to be away is not asked."""
        erp = self._erps.get(name)
        if erp is None:
            return None
        pause = (await self._ledger.paused()).get(of_erp(name))
        if pause and pause.is_mark:
            return None
        try:
            with erp_call(name, "find"):
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
            return await self._sender.once(
                channel,
                message,
                request.give_up_at,
                fallback=_is_fallback(stored, dispatch),
                last=_is_last(stored, dispatch),
            )
        except Held as held:
            return held
        except Unavailable as error:
            return await self._or_give_up(request, key, error, None, last=_is_last(stored, dispatch))
        except Misconfigured as error:
            log.error("channel cannot send", channel=key.channel, why=str(error))
            return await self._or_give_up(request, key, Unavailable(str(error)), Reason.NOT_CONFIGURED)

    async def _kept(
        self, request: AcknowledgeRequest, stored: StoredRevision, previous: StoredRevision | None, dispatch: Dispatch
    ) -> SendOutcome | Unavailable:
        """A shadow order's dispatch: rendered and kept. Where it could not even be rendered, its fallback's turn."""
        key = SendKey(
            ref=request.ref, revision=request.revision, kind=dispatch.kind, n=dispatch.n, channel=dispatch.channel
        )
        try:
            channel = self._channels(dispatch.channel)
        except Misconfigured as error:
            return SendOutcome(
                channel=key.channel,
                state=SendState.UNAVAILABLE,
                reason=Reason.NOT_CONFIGURED,
                detail=str(error)[:200],
            )
        message = self._message(request, stored, previous, dispatch, channel, key)
        if message is None:
            return SendOutcome(channel=key.channel, state=SendState.REJECTED, reason=Reason.NO_RECIPIENT)
        return await self._keep.keep(message, channel.traits, dispatch, stored, request.facts, self._now())

    async def _or_give_up(
        self,
        request: AcknowledgeRequest,
        key: SendKey,
        error: Unavailable,
        reason: Reason | None,
        *,
        last: bool = False,
    ) -> SendOutcome | Unavailable:
        """Out of reach for longer than the policy waits: the fallback's turn, unless it is in doubt or has ended.

        What has no other channel waits for our own pace however long that takes: after an outage all come at once.
        """
        send = await self._ledger.send(str(key))
        if send and send.state not in (SendState.CLAIMED, SendState.UNAVAILABLE):
            return self._sender.finished(send)
        if send and send.state is SendState.CLAIMED:
            return error
        if (left := request.give_up_at - self._now()) > timedelta(0):
            if error.retry_after:
                error.retry_after = min(error.retry_after, left)  # then the fallback has its turn
            return error
        if last and isinstance(error, NotYet):
            return Held(str(error), error.retry_after)
        metrics.SENDS.labels(key.channel, metrics.GIVEN_UP).inc()
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
            sheet_url=links.sheet_url,
            takes_replies=traits.replies,
        )
        return Message(
            key=key,
            recipient=recipient,
            kind=dispatch.kind,
            language=order.contacts.language,
            content=self._renderer.render(content),
            status_url=self._sending.status_url(key.channel),
            order=order if traits.needs_order else None,
            sender_name=store.display_name,
        )


def _for(stored: StoredRevision, earlier: StoredRevision | None) -> StoredRevision:
    """This revision, for the contacts of an earlier one; where that has been erased, for nobody."""
    contacts = earlier.order.contacts if earlier else Contacts()
    return stored.model_copy(update={"order": stored.order.model_copy(update={"contacts": contacts})})


def _is_fallback(stored: StoredRevision, dispatch: Dispatch) -> bool:
    """Whether another channel was to carry this message first."""
    legs = _legs(stored, dispatch)
    return bool(legs) and dispatch.channel not in {leg.channels[0] for leg in legs}


def _is_last(stored: StoredRevision, dispatch: Dispatch) -> bool:
    """Whether no channel comes after this one. Where that is not known it is so: rather late than not at all."""
    if dispatch.last is not None:
        return dispatch.last
    legs = [leg for leg in _legs(stored, dispatch) if dispatch.channel in leg.channels]
    return not legs or any(leg.channels[-1] == dispatch.channel for leg in legs)


Result = SendOutcome | Unavailable
NOT_OUT = frozenset({SendState.REJECTED, SendState.UNAVAILABLE})


def _let_go(stored: StoredRevision, ended: Sequence[tuple[Dispatch, Result]], *, in_parts: bool) -> list[Result]:
    """What is held back waits no longer where its message has gone by another leg; nor where that goes on and the order
    knows of no parts, for it would not hear of that before this channel is up again."""
    return [
        SendOutcome(channel=dispatch.channel, state=SendState.UNAVAILABLE, reason=Reason.PAUSED)
        if isinstance(result, Held) and any(_gets_on(stored, dispatch, *other, in_parts=in_parts) for other in ended)
        else result
        for dispatch, result in ended
    ]


def _gets_on(stored: StoredRevision, held: Dispatch, other: Dispatch, result: Result, *, in_parts: bool) -> bool:
    """Whether this is another leg of the same message, and went out or has a channel left."""
    if (other.kind, other.n) != (held.kind, held.n) or not isinstance(result, SendOutcome):
        return False
    return result.state not in NOT_OUT or not (in_parts or _is_last(stored, other))


def _said(dispatch: Dispatch, result: Result) -> SendOutcome:
    """What is held has not ended: it is asked for again, by itself."""
    if isinstance(result, SendOutcome):
        return result
    return SendOutcome(channel=dispatch.channel, state=SendState.CLAIMED, reason=Reason.PAUSED)


def _legs(stored: StoredRevision, dispatch: Dispatch) -> Sequence[Leg]:
    decision = stored.assessment.decision
    return decision.legs if dispatch.audience is Audience.BUYER else decision.internal


def _come_back(waits: Sequence[Unavailable]) -> timedelta | None:
    """When the batch is tried again: not before a provider said, else as soon as the first of them has its turn."""
    named = [wait.retry_after for wait in waits if wait.retry_after and not isinstance(wait, NotYet)]
    turns = [wait.retry_after for wait in waits if wait.retry_after and isinstance(wait, NotYet)]
    return max(named, default=None) or (min(turns) if len(turns) == len(waits) else None)


async def _whole(sending: asyncio.Future[list[SendOutcome | Unavailable]]) -> list[SendOutcome | Unavailable]:
    """A worker that stops, or a message superseded in flight, must not cut a send in half: it ends first."""
    try:
        return await asyncio.shield(sending)
    except asyncio.CancelledError:
        await asyncio.wait([sending])
        raise
