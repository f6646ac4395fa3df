"""From the inbox to the order: each recorded event is told to its workflow, and then marked as announced.

The routes announce what they have just recorded; `announce_stragglers` announces what a crash, or a Temporal that was
away, left behind. Both may happen to one event: update ids, receipt ids and evidence ids make it one all the same.
"""

import asyncio
import hashlib
from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import timedelta
from enum import StrEnum

import structlog

from orderack.contracts.queries import OrderStatus
from orderack.contracts.updates import BuyerQuestion, SubmitReply
from orderack.domain.acknowledgement import SendKey
from orderack.domain.evidence import EvidenceEvent, EvidenceFact
from orderack.domain.intake import parse_order
from orderack.domain.order import Order
from orderack.domain.receipt import ErpReceipt
from orderack.errors import Misconfigured, OrderAckError, OrderNotOpen, Refused, Unavailable
from orderack.gateway.buyer_requests import BuyerRequest, tell
from orderack.gateway.parts import GatewayParts
from orderack.gateway.remember import remember
from orderack.gateway.rests import Rests
from orderack.gateway.watermarks import spread
from orderack.gateway.weighing import Weighed, weighed
from orderack.intake.deliveries import KIND
from orderack.messages.page_labels import Taken
from orderack.ports import ChannelEvent, InboxEvent
from orderack.telemetry import logs
from orderack.temporal.orders import Told

log = structlog.get_logger(__name__)

GRACE = timedelta(seconds=10)
"""The sweep leaves an event this long to the request that recorded it."""

PATIENCE = timedelta(minutes=15)
"""How long an event may wait for the send it belongs to: it can overtake our own record of the provider's id."""

BATCH = 200
AT_ONCE = 8
"""Orders that the sweep works on at a time: one whose worker hangs must not hold up the others."""


class InboxKind(StrEnum):
    """What an inbox row's body is. Frozen names."""

    ORDER = "order"
    ERP_RECEIPT = "erp_receipt"
    CHANNEL_EVENT = "channel_event"
    EVIDENCE = "evidence"
    BUYER_REQUEST = "buyer_request"
    DELIVERY = KIND


class Outcome(StrEnum):
    """What became of an event that is not an order's `verdict` or `told` and `late`."""

    NO_NEWS = "no_news"
    UNMATCHED = "unmatched"
    WAITING = "waiting"
    UNREADABLE = "unreadable"
    REFUSED = "refused"
    ASKED = "asked"
    """The buyer's words are with the order's owner."""
    CLAIMED = "claimed"
    """Somebody inside has the exceptions in hand that a message told of."""


# -- one event each -----------------------------------------------------------------------------------------------


async def announce_order(parts: GatewayParts, row: InboxEvent, order: Order) -> SubmitReply:
    """Hand the order in. Raises Unavailable, and the row stays for the sweep."""
    reply = await parts.orders.submit(order)
    await _announced(parts, row, reply.verdict)
    return reply


async def announce_receipt(parts: GatewayParts, row: InboxEvent, receipt: ErpReceipt) -> Told:
    told = await parts.orders.receipt(receipt)
    await _announced(parts, row, told)
    return told


async def announce_evidence(parts: GatewayParts, row: InboxEvent, fact: EvidenceFact) -> Told:
    """Tell a fact that is in the ledger already."""
    if row.ref is None:
        raise Refused("evidence without an order")
    told = await parts.orders.evidence(row.ref, fact)
    await _announced(parts, row, told)
    return told


async def announce_buyer_request(
    parts: GatewayParts, row: InboxEvent, request: BuyerRequest, status: OrderStatus | None = None
) -> Taken:
    """Tell what the buyer said or asked on the page. `status`: the order's, if it has just been read."""
    taken = await tell(parts, request, status)
    await _announced(parts, row, taken)
    return taken


async def announce_channel_event(
    parts: GatewayParts, row: InboxEvent, channel: str, event: ChannelEvent, *, weigh: bool
) -> str:
    """Bind the event to its send, record it as evidence, and tell the workflow if that changes anything there.

    What it says of the address is remembered first, whether or not it is about a message of ours.
    `weigh` false tells it in any case: what the sweep finds may be the only one of its grade that got this far.
    """
    await remember(parts, row, channel, event)
    outcome: str | None = None
    for one in await spread(parts, channel, event):
        found = await weighed(parts, channel, one, row.received_at, weigh=weigh)
        if found is not None:
            report = found.report
            await parts.ledger.record_evidence(found.key.ref, report.fact, report.raw, report.provenance)
            outcome = await _tell(parts, found)
    if outcome is None and await _claimed(parts, event):
        outcome = Outcome.CLAIMED
    if outcome is None:
        if parts.now() - row.received_at < PATIENCE:
            return Outcome.WAITING
        outcome = Outcome.UNMATCHED
    await _announced(parts, row, outcome)
    return outcome


async def _claimed(parts: GatewayParts, event: ChannelEvent) -> bool:
    """Whether the button was pressed under a message that is no order's, but tells an owner of exceptions."""
    if event.event is not EvidenceEvent.AFFIRMED or not event.key:
        return False
    return await parts.ledger.take_digest(event.key, parts.now()) is not None


async def announce_report(parts: GatewayParts, row: InboxEvent, channel: str, found: Weighed) -> str:
    """Tell what was recorded together with its event."""
    await remember(parts, row, channel, found.event)
    outcome = await _tell(parts, found)
    await _announced(parts, row, outcome)
    return outcome


async def _tell(parts: GatewayParts, found: Weighed) -> str:
    """What became of one report about one message."""
    ref, fact = found.key.ref, found.report.fact
    outcome: str = await parts.orders.evidence(ref, fact) if found.news else Outcome.NO_NEWS
    if found.event.text and found.event.event in _FOR_A_PERSON:
        outcome = await _ask(parts, found.key, found.event)
    return outcome


_FOR_A_PERSON = frozenset({EvidenceEvent.REPLIED, EvidenceEvent.OPTED_OUT})
"""Replies whose words, where the channel passes them on, the order's owner has to read."""


async def _ask(parts: GatewayParts, key: SendKey, event: ChannelEvent) -> str:
    """The buyer's own words become a question to the order's owner: one for each message, however often it comes."""
    identity = hashlib.sha256(f"{key.channel}\n{event.id}".encode()).hexdigest()
    question = BuyerQuestion(id=f"reply-{identity}", revision=key.revision, via=key.channel, text=event.text)
    try:
        reply = await parts.orders.ask(key.ref, question)
    except OrderNotOpen:
        return Told.LATE
    return Outcome.ASKED if reply.accepted else Outcome.REFUSED


async def _announced(parts: GatewayParts, row: InboxEvent, outcome: str) -> None:
    if row.announced_at is None:
        await parts.ledger.announced(row.id, outcome, parts.now())


# -- the sweep ----------------------------------------------------------------------------------------------------


async def announce_stragglers(parts: GatewayParts, limit: int = BATCH, rests: Rests | None = None) -> int:
    """Announce recorded events that nobody has announced yet, oldest first; returns how many it could.

    All of them are looked at, `limit` at a time. One that can't be told now stays, rests, and holds up none but its
    own order's; one that never can is marked so. Raises Unavailable when Temporal or the ledger is away.
    """
    sweep = _Sweep(parts, rests if rests is not None else Rests())
    before, after, done = parts.now() - GRACE, 0, 0
    while rows := await parts.ledger.unannounced(before, limit, after=after):
        if not after:
            await parts.orders.ping()
        after = rows[-1].id
        done += await sweep.take(rows)
    sweep.ended()
    return done


async def announce_earlier(parts: GatewayParts, row: InboxEvent) -> None:
    """Announce what was recorded for the same order before this: an order must never look like a change to its change.

    Raises Unavailable when something earlier can't be announced now.
    """
    for earlier in await parts.ledger.unannounced(parts.now() + GRACE, BATCH, ref=row.ref) if row.ref else ():
        if earlier.kind == row.kind and earlier.id < row.id:
            await _settle(parts, earlier)


class _Sweep:
    """One look at everything that is unannounced."""

    def __init__(self, parts: GatewayParts, rests: Rests) -> None:
        self._parts = parts
        self._rests = rests
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._held: set[str] = set()
        self._seen: set[int] = set()

    async def take(self, rows: Sequence[InboxEvent]) -> int:
        """Announce these; how many that could be."""
        by_order: dict[str, list[InboxEvent]] = {}
        for row in rows:
            by_order.setdefault(str(row.ref or row.id), []).append(row)
            self._seen.add(row.id)
        return sum(await asyncio.gather(*(self._in_turn(order, of_one) for order, of_one in by_order.items())))

    def ended(self) -> None:
        self._rests.keep(self._seen)

    async def _in_turn(self, order: str, rows: Sequence[InboxEvent]) -> int:
        """One order's events in the order in which they came; behind one that must wait, the others wait as well."""
        done = 0
        async with self._turns:
            for row in rows:
                if order in self._held:
                    break
                with logs.about(**({"order": order} if row.ref else {})):
                    done += await self._try(order, row)
        return done

    async def _try(self, order: str, row: InboxEvent) -> bool:
        """Whether it is announced. One that can't be rests; the order is held where that could change its course."""
        rest = self._rests.of(row.id, self._parts.now())
        if rest is not None:
            holds = rest.holds
        else:
            holds = False
            try:
                if await _settle(self._parts, row):
                    return True
            except (Unavailable, Misconfigured) as error:
                log.info("event still unannounced", row=row.id, kind=row.kind, why=type(error).__name__)
                holds = True
            except Exception:
                log.exception("event cannot be announced", row=row.id, kind=row.kind)
            self._rests.failed(row.id, self._parts.now(), holds=holds)
        if holds:
            self._held.add(order)
        return False


async def _settle(parts: GatewayParts, row: InboxEvent) -> bool:
    """Announce one row, or mark it when that can never succeed. Raises Unavailable or Misconfigured: not now."""
    try:
        return await _ANNOUNCE[InboxKind(row.kind)](parts, row) != Outcome.WAITING
    except (Unavailable, Misconfigured):
        raise
    except ValueError:  # pydantic's ValidationError is one too
        outcome = Outcome.UNREADABLE
    except OrderAckError:
        outcome = Outcome.REFUSED
    log.error("event will not be announced", row=row.id, kind=row.kind, outcome=outcome)
    await _announced(parts, row, outcome)
    return False


async def _order(parts: GatewayParts, row: InboxEvent) -> str:
    order = parse_order(row.body)
    if isinstance(order, tuple):
        raise ValueError("the order no longer parses")
    return (await announce_order(parts, row, order)).verdict


async def _receipt(parts: GatewayParts, row: InboxEvent) -> str:
    return await announce_receipt(parts, row, ErpReceipt.model_validate_json(row.body))


async def _evidence(parts: GatewayParts, row: InboxEvent) -> str:
    return await announce_evidence(parts, row, EvidenceFact.model_validate_json(row.body))


async def _channel_event(parts: GatewayParts, row: InboxEvent) -> str:
    channel = row.source.removeprefix("webhooks/")
    event = ChannelEvent.model_validate_json(row.body)
    return await announce_channel_event(parts, row, channel, event, weigh=False)


async def _buyer_request(parts: GatewayParts, row: InboxEvent) -> str:
    return await announce_buyer_request(parts, row, BuyerRequest.model_validate_json(row.body))


async def _delivery(parts: GatewayParts, row: InboxEvent) -> str:
    return await parts.intake.announce(row)


_ANNOUNCE: Mapping[InboxKind, Callable[[GatewayParts, InboxEvent], Awaitable[str]]] = {
    InboxKind.ORDER: _order,
    InboxKind.ERP_RECEIPT: _receipt,
    InboxKind.CHANNEL_EVENT: _channel_event,
    InboxKind.EVIDENCE: _evidence,
    InboxKind.BUYER_REQUEST: _buyer_request,
    InboxKind.DELIVERY: _delivery,
}
