"""What is remembered of channels and of addresses, beside the orders."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Protocol

from pydantic import AwareDatetime

from orderack.domain.acknowledgement import SendKey
from orderack.domain.order import Name, Text
from orderack.domain.value import Value

SOON = timedelta(seconds=2)
"""A turn that is no further away is booked, and waited for; a later one is the time to ask again."""


NO_LATER = timedelta(minutes=2)
"""A probe is never due later than this. One that seems to be was set by a clock that is ahead, and is due now: a worker
three hours ahead would else keep an ERP marked down for three hours."""


class Reach(Value):
    """What we know of one address on one channel."""

    heard_at: AwareDatetime | None = None
    """When they last wrote to us."""
    opted_out_at: AwareDatetime | None = None
    opted_in_at: AwareDatetime | None = None
    basis: Text = ""
    """What the last opt-out or opt-in rests on, e.g. `twilio_sms:stop`."""

    @property
    def opted_out(self) -> bool:
        """Whether their last word is that they want no messages."""
        if self.opted_out_at is None:
            return False
        return self.opted_in_at is None or self.opted_in_at <= self.opted_out_at


def of_erp(name: str) -> str:
    """The key of an ERP's pause: no channel's name has a slash in it."""
    return f"erp/{name}"


class Pause(Value):
    """A channel, or an ERP (`of_erp`), that an operator has paused, or that was marked down by its own errors."""

    channel: Name
    at: AwareDatetime
    by: Name
    reason: Text = ""
    probe_at: AwareDatetime | None = None
    """Marked down: from then on one attempt may be made (`ChannelBook.probe`). None: by hand, so nothing is tried."""

    @property
    def is_mark(self) -> bool:
        """Whether it was marked down by its own errors, and is tried again by itself."""
        return self.probe_at is not None

    def is_due(self, now: datetime) -> bool:
        """Whether a probe may be made now."""
        return self.probe_at is not None and not now < self.probe_at <= now + NO_LATER


class Terms(Value):
    """What stands between a claim and its send, as far as the channel's traits make it matter."""

    reach: bool = True
    """The address may have opted out. Nobody inside the house is remembered, and no page."""
    window: bool = False
    """The message holds when they last wrote to us."""
    rate_per_second: float | None = None
    """A send takes its turn. None: there is no rate."""


class Health(Value):
    """How a channel's sends ended lately."""

    accepted_at: AwareDatetime | None = None
    failed_at: AwareDatetime | None = None
    failure: Text = ""
    """The state and the reason of the last one that was not accepted."""


class ChannelBook(Protocol):
    """Opt-outs, pauses and turns (docs/channels.md). Every write may be repeated."""

    async def reach(self, channel: str, address_sha256: str) -> Reach:
        """What we know of this address (`orderack.domain.address`); an empty one when it is nothing."""
        ...

    async def heard(self, channel: str, address_sha256: str, at: datetime) -> None:
        """They wrote to us then. An earlier time than the one known changes nothing."""
        ...

    async def opted(self, channel: str, address_sha256: str, *, out: bool, at: datetime, basis: str) -> None:
        """They want no more messages (or some again). An earlier word than the one known changes nothing."""
        ...

    async def paused(self) -> Mapping[str, Pause]:
        """The channels that are paused now, by name."""
        ...

    async def pause(self, pause: Pause) -> bool:
        """Pause a channel, or mark it down. False: it was paused already, and the first pause stands.

        A pause by hand takes over what was marked down; a marking down takes nothing over.
        """
        ...

    async def resume(self, channel: str) -> bool:
        """Let a channel send again, whoever paused it. False: it was not paused."""
        ...

    async def probe(self, channel: str, now: datetime, again_at: datetime) -> bool:
        """Take the one attempt that is due at what is marked down; the next is due `again_at`.

        False: it is not marked down, none is due yet, or another worker has taken it. Whoever took it until a moment
        and has failed says with that moment as `now` when the next is due instead.
        """
        ...

    async def lift(self, channel: str) -> bool:
        """It answers again: end a marking down. False: it was not marked down (any more), or is paused by hand."""
        ...

    async def turn(self, key: SendKey, rate_per_second: float, now: datetime) -> datetime:
        """When this claimed send may go out, so that the channel's sends keep to the rate whoever makes them.

        Asked where its claim took no turn (`Ledger.claim`). Up to `SOON` from now it is booked: wait, and send. Later,
        it is the time to ask again. Each store has a lane of its own; lanes that are in use share the rate. The same
        send asked about again keeps its turn, and takes a new one when it did not come within its time.
        """
        ...

    async def health(self) -> Mapping[str, Health]:
        """Each channel's last accepted send and its last failure."""
        ...
