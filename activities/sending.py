"""One send, exactly once (reliability.md §4.2), in its turn and with the channel's leave.

Claim with a lease · settle what is in doubt · is the channel paused or marked down, has the recipient opted out · wait
for the turn · send the stored bytes · record. A claim that outlived its lease is a doubt, settled by the channel's own
class: by its key, by looking it up, by its echo; or by nobody, and then it is surfaced and never sent again.
"""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from activities._last_door import LastDoor
from activities._marks import Marks, Tried
from activities._measured import provider_call
from orderack.domain.acknowledgement import Audience, Reason, SendKey, SendOutcome, SendState
from orderack.errors import InDoubt, Misconfigured, OrderAckError, Refused, Unavailable, Unsupported
from orderack.ports import (
    SOON,
    Channel,
    Checks,
    ClaimResult,
    Idempotency,
    Medium,
    Message,
    MessageLinks,
    Pause,
    Sent,
    StoredSend,
    Terms,
    Traits,
)
from orderack.ports.digests import SendBook
from orderack.telemetry import metrics

REPEATABLE = timedelta(seconds=4)
"""The lease where the vendor knows our key: two attempts are one send there, so only a live one is waited for, and
a dead worker is noticed after so long (its heartbeat)."""
ECHO_WITHIN = timedelta(seconds=20)
"""How long a vendor that can't be asked has to report a message of itself, before the send ends in doubt. Whoever
takes a doubt up (`on_doubt`, or a person) gives it more; a first word in doubt has a minute in all."""
FULL = timedelta(seconds=1)
"""When to look again whether this worker has a place for a send by this channel."""
AWAY_FROM = timedelta(seconds=10)
"""Without any answer for so long a channel is marked down: the first word is owed within the minute, and its own
patience (half of that) leaves its fallback the rest."""
HELD_FOR = timedelta(minutes=1)
"""Asked again so often, by what has no fallback, whether its channel is still paused or marked down."""
ASKED_WITHIN = timedelta(seconds=5)
"""A provider that does not even say by then whether our login holds is still away."""


@dataclass(frozen=True)
class Sending:
    """How sends are leased, addressed and kept apart."""

    lease: timedelta = timedelta(seconds=45)
    """Longer than an attempt may last (30 s): a zombie attempt must not overlap the next."""
    status_url: Callable[[str], str | None] = lambda channel: None
    links: Callable[[SendKey, str, str], MessageLinks] = lambda key, role, recipient: MessageLinks()
    """For this send, the recipient's role and the address that it goes to (none where the page itself is that)."""
    at_once: int = 16
    """Sends by one channel that one worker has in flight: a vendor that hangs takes no more of its 50 than these."""
    rates: Mapping[str, float] = field(default_factory=dict)
    """Sends in a second by channel, where the account's own rate is another than the vendor's usual one."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep


class NotYet(Unavailable):
    """We make it wait ourselves, so asking again earlier does no harm."""


class Held(NotYet):
    """Its channel is paused or marked down, and no other comes after it: it waits, however long that takes."""


class Sender:
    """Sends what has been rendered. One for each worker: it counts what is in flight."""

    def __init__(self, ledger: SendBook, sending: Sending, now: Callable[[], datetime]) -> None:
        self._ledger = ledger
        self._sending = sending
        self._now = now
        self._door = LastDoor(ledger)
        self._marks = Marks(ledger, now, AWAY_FROM)
        self._in_flight: Counter[str] = Counter()
        self._free_at: dict[str, datetime] = {}

    async def once(
        self, channel: Channel, message: Message, give_up_at: datetime, *, fallback: bool = False, last: bool = False
    ) -> SendOutcome:
        """How it ended. Raises Unavailable while it is worth another try, Misconfigured when it is ours to mend.

        `fallback`: another channel was to carry it first; `last`: no other could.
        """
        key, traits = message.key, channel.traits
        claim = await self._ledger.claim(
            key, message, self._now(), self._lease(traits), self._terms(key.channel, traits)
        )
        if not claim.mine:
            return await self._elsewhere(channel, claim.send)
        if fallback and claim.send.attempts == 1:
            metrics.FALLBACKS.labels(key.channel).inc()
        message = Message.model_validate_json(claim.send.message_json)
        # Only a key lets us send while a doubt stands; nobody has then said that the first attempt was lost.
        doubtful = not claim.first and self._key_holds(traits, claim) and not claim.reach.opted_out
        if not claim.first and not doubtful and (settled := await self._settle(channel, message, claim)):
            return settled
        pause = claim.paused
        if pause and not self._marks.is_due(pause):
            return await self._held_back(pause, key, doubtful=doubtful, last=last)
        if claim.reach.opted_out:
            return await self._finish(key, _rejected(key, Reason.OPTED_OUT, claim.reach.basis))
        wait = await self._turn(claim, traits, doubtful, give_up_at) if _is_paced(traits) else timedelta(0)
        if self._in_flight[key.channel] >= self._sending.at_once:
            await self._release(claim, doubtful)
            metrics.TURN_WAITS.labels(key.channel, "places").inc()
            raise NotYet(f"this worker has {self._sending.at_once} sends by {key.channel} in flight", FULL)
        with self._place(key.channel):
            await self._keep_apart(key.channel, traits, wait)
            tried = Tried(await self._marks.probe(pause) if pause else None)
            if pause and not (tried.probe and await self._is_there(channel, key, tried)):
                return await self._held_back(pause, key, doubtful=doubtful, last=last)
            return await self._send(channel, message, claim, tried, doubtful=doubtful, last=last)

    def finished(self, send: StoredSend) -> SendOutcome:
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
            since=send.in_doubt_since if send.state is SendState.UNKNOWN else None,
        )

    def _lease(self, traits: Traits) -> timedelta:
        lease = self._sending.lease
        return min(lease, REPEATABLE) if traits.idempotency is Idempotency.KEY else lease

    def _settles_in(self, traits: Traits) -> timedelta:
        """How soon to go on after an attempt that left a doubt: it is over, so nobody has to wait for its lease."""
        match traits.idempotency:
            case Idempotency.KEY:
                return timedelta(0)
            case Idempotency.ECHO:
                return min(self._sending.lease, ECHO_WITHIN)
            case _:
                return self._sending.lease

    async def _elsewhere(self, channel: Channel, send: StoredSend) -> SendOutcome:
        """Another attempt holds or ended it. Whoever held it may be dead; a vendor that can be asked says at once
        that it has the message. That it has not says nothing while the lease lasts: the other may yet send."""
        if send.state is SendState.CLAIMED and channel.traits.idempotency is Idempotency.LOOKUP:
            message = Message.model_validate_json(send.message_json)
            with suppress(OrderAckError):
                if found := await channel.lookup(message, send.claimed_at):
                    return await self._finish(message.key, _accepted(message.key, found))
        return self.finished(send)

    def _terms(self, channel: str, traits: Traits) -> Terms:
        return Terms(
            reach=traits.audience is Audience.BUYER and traits.medium is not Medium.PAGE,
            window=traits.window is not None,
            rate_per_second=self._rate(channel, traits) if _is_paced(traits) else None,
        )

    def _key_holds(self, traits: Traits, claim: ClaimResult) -> bool:
        """Whether the vendor will still know our key when this attempt reaches it, so that sending again is the same
        send. Counted from the first claim: when in its time the doubtful attempt was made, nobody may have lived to
        write down."""
        if traits.idempotency is not Idempotency.KEY:
            return False
        latest = self._now() + self._sending.lease
        return traits.key_lasts is None or latest - claim.send.claimed_at < traits.key_lasts

    async def _settle(self, channel: Channel, message: Message, claim: ClaimResult) -> SendOutcome | None:
        """A doubt that must not be sent again, by the channel's class. None: it was certainly not sent."""
        key = message.key
        match channel.traits.idempotency:
            case Idempotency.KEY | Idempotency.LOOKUP:
                try:
                    found = await channel.lookup(message, claim.send.claimed_at)
                except Unsupported:
                    return await self._unknown(key, "cut off after sending, and too long ago to send it as the same")
                except (InDoubt, Refused) as error:
                    raise Unavailable(f"in doubt, and cannot be looked up: {error}") from None
                return await self._finish(key, _accepted(key, found)) if found else None
            case Idempotency.ECHO | Idempotency.NONE:
                return await self._unknown(key, "cut off after sending, and no echo came")

    async def _held_back(self, pause: Pause, key: SendKey, *, doubtful: bool, last: bool) -> SendOutcome:
        """Paused or marked down: the fallback's turn, unless it may have gone out, or there is none; then it waits."""
        how = "marked down" if pause.is_mark else "paused"
        if doubtful:
            raise Unavailable(f"{key.channel} is {how}, and this send is in doubt", self._sending.lease)
        outcome = await self._finish(
            key, SendOutcome(channel=key.channel, state=SendState.UNAVAILABLE, reason=Reason.PAUSED)
        )
        if last and outcome.state is SendState.UNAVAILABLE:
            raise Held(f"{key.channel} is {how}, and no other channel can carry this", HELD_FOR)
        return outcome

    async def _is_there(self, channel: Channel, key: SendKey, tried: Tried) -> bool:
        """Before a message is risked as a probe where a doubt would be left to a person: whether anybody answers."""
        if channel.traits.idempotency is Idempotency.KEY or not isinstance(channel, Checks):
            return True
        try:
            async with asyncio.timeout(ASKED_WITHIN.total_seconds()):
                await channel.check()
        except (Unavailable, InDoubt, TimeoutError):
            await self._marks.failed(key.channel, key.ref, tried)
            return False
        except OrderAckError:
            return True  # it answered; what it says of our settings, the message itself will show
        return True

    async def _turn(self, claim: ClaimResult, traits: Traits, doubtful: bool, give_up_at: datetime) -> timedelta:
        """How long to wait for its turn. Raises NotYet when that is too far away to wait here."""
        key, now = claim.send.identity, self._now()
        try:
            at = claim.turn_at or await self._ledger.turn(key, self._rate(key.channel, traits), now)
        except Unavailable:
            await self._release(claim, doubtful)
            raise
        if at <= now + SOON:
            return max(at - now, timedelta(0))
        await self._release(claim, doubtful)
        metrics.TURN_WAITS.labels(key.channel, "rate").inc()
        back = at if now >= give_up_at else min(at, give_up_at)  # then the fallback has its turn
        raise NotYet(f"{key.channel} is busy: this send's turn is {(at - now).total_seconds():.0f} s away", back - now)

    async def _release(self, claim: ClaimResult, doubtful: bool, *, held: bool = False) -> None:
        """Nothing was sent now, so the claim is given back, unless an earlier attempt is in doubt."""
        key, reason = claim.send.identity, Reason.PAUSED if held or claim.held else None
        if not doubtful:
            await self._finish(key, SendOutcome(channel=key.channel, state=SendState.UNAVAILABLE, reason=reason))

    async def _keep_apart(self, channel: str, traits: Traits, wait: timedelta) -> None:
        """Wait for the turn, and behind the send before it: those that a busy worker is late with don't go at once."""
        at = self._now() + wait
        if _is_paced(traits):
            at = max(at, self._free_at.get(channel, at))
            self._free_at[channel] = at + timedelta(seconds=1 / self._rate(channel, traits))
        if at > self._now():
            await self._sending.sleep((at - self._now()).total_seconds())

    def _rate(self, channel: str, traits: Traits) -> float:
        return self._sending.rates.get(channel, traits.rate_per_second)

    @contextmanager
    def _place(self, channel: str) -> Iterator[None]:
        self._in_flight[channel] += 1
        try:
            yield
        finally:
            self._in_flight[channel] -= 1

    async def _send(
        self, channel: Channel, message: Message, claim: ClaimResult, tried: Tried, *, doubtful: bool, last: bool
    ) -> SendOutcome:
        key = message.key
        try:
            async with self._marks.trying(key.channel, key.ref, tried):
                with provider_call(key):
                    sent = await self._door.send(channel, message)
            return await self._finish(key, _accepted(key, sent))
        except Refused as refusal:
            return await self._refused(key, refusal.reason, f"{refusal.code} {refusal}".strip(), doubtful)
        except Unsupported as gap:
            return await self._refused(key, Reason.UNSUPPORTED, gap.trait, doubtful)
        except (Unavailable, Misconfigured) as error:
            away = isinstance(error, Unavailable) and not doubtful
            held = last and away and bool(tried.down_until or claim.held)
            await self._release(claim, doubtful, held=held)
            if held and isinstance(error, Unavailable):  # its patience ran out long ago, through no fault of its own
                raise Held(str(error), error.retry_after or HELD_FOR) from None
            if tried.down_until and isinstance(error, Unavailable):
                raise Unavailable(str(error), FULL) from None  # its fallback's turn comes then
            raise error
        except InDoubt as doubt:
            if channel.traits.idempotency is Idempotency.NONE:
                return await self._unknown(key, str(doubt))
            wait = self._settles_in(channel.traits)
            await self._ledger.doubt(key, str(doubt)[:200], self._now(), self._now() + wait)
            raise Unavailable(f"in doubt: {doubt}", wait or None) from None

    async def _refused(self, key: SendKey, reason: Reason, detail: str, doubtful: bool) -> SendOutcome:
        """A no is about this attempt: a vendor may look at the recipient before it looks at the key, and then it says
        nothing of an earlier attempt that is in doubt."""
        if doubtful:
            return await self._unknown(key, f"in doubt, and refused when it was sent again: {detail}")
        return await self._finish(key, _rejected(key, reason, detail))

    async def _unknown(self, key: SendKey, detail: str) -> SendOutcome:
        outcome = SendOutcome(channel=key.channel, state=SendState.UNKNOWN, detail=detail[:200])
        return await self._finish(key, outcome)

    async def _finish(self, key: SendKey, outcome: SendOutcome) -> SendOutcome:
        """Record it; what stands in the ledger afterwards is the truth (an echo may have beaten us)."""
        return self.finished(await self._ledger.finish(key, outcome, self._now()))


def _is_paced(traits: Traits) -> bool:
    """Behind a page of our own is no vendor whose rate could be exceeded."""
    return traits.medium is not Medium.PAGE


def _accepted(key: SendKey, sent: Sent) -> SendOutcome:
    return SendOutcome(channel=key.channel, state=SendState.ACCEPTED, provider_id=sent.provider_id, detail=sent.detail)


def _rejected(key: SendKey, reason: Reason, detail: str) -> SendOutcome:
    return SendOutcome(channel=key.channel, state=SendState.REJECTED, reason=reason, detail=detail[:200])
