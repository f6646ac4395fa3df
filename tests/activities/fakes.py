"""Providers of each class and an ERP, scripted: what they are asked, what they take, and what they then say."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import ClassVar

from orderack.domain.acknowledgement import Audience, Reason
from orderack.domain.evidence import Grade
from orderack.domain.order import Line, Order, OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable, Unsupported
from orderack.ports import Booking, ChannelEvent, Idempotency, Medium, Message, RawRequest, Sent, Stock, Traits


@dataclass(frozen=True)
class Step:
    """One answer of a provider: whether the message is taken, and what we are told of it, after how long."""

    takes: bool = False
    error: Exception | None = None
    after: float = 0.0


class Killed(Exception):
    """Stands for the death of the worker: nothing in the product knows this error."""


ACCEPTED = Step(takes=True)
CUT_OFF = Step(takes=True, error=InDoubt("the connection was reset"))
LOST = Step(error=InDoubt("no answer in time"))
DOWN = Step(error=Unavailable("503"))
THROTTLED = Step(error=Unavailable("429", timedelta(seconds=7)))
REFUSED = Step(error=Refused("it is on the block list", Reason.BLOCKED, "E-17"))
TOO_LONG = Step(error=Unsupported("max_length"))
UNSET = Step(error=Misconfigured("PROVIDER_KEY is missing"))
KILLED_AFTER = Step(takes=True, error=Killed())
KILLED_BEFORE = Step(error=Killed())


def _traits(idempotency: Idempotency, address: str = "email", audience: Audience = Audience.BUYER) -> Traits:
    return Traits(
        medium=Medium.EMAIL,
        audience=audience,
        address=address,
        evidence_ceiling=Grade.E2,
        idempotency=idempotency,
    )


class NoneChannel:
    """Follows its script and accepts when that has ended. Remembers every attempt and everything it took."""

    name: ClassVar[str] = "none"
    traits: ClassVar[Traits] = _traits(Idempotency.NONE)

    def __init__(self, *script: Step) -> None:
        self.script = list(script)
        self.attempts: list[Message] = []
        self.taken: list[Message] = []
        self.lookups: list[datetime] = []
        self.began = asyncio.Event()

    async def send(self, message: Message) -> Sent:
        self.attempts.append(message)
        self.began.set()
        step = self.script.pop(0) if self.script else ACCEPTED
        await asyncio.sleep(step.after)
        return self._answer(step, message)

    def _answer(self, step: Step, message: Message) -> Sent:
        if step.takes:
            self.taken.append(message)
        if step.error is not None:
            raise step.error
        return Sent(provider_id=f"p-{len(self.taken)}")

    def taken_with(self, key: str) -> int:
        """How many messages the provider will deliver for this key."""
        return sum(message.key_text == key for message in self.taken)

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        raise Unsupported("lookup")

    async def verify(self, request: RawRequest) -> None:
        raise AssertionError("an activity verifies nothing")

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        raise AssertionError("an activity reads no events")

    async def aclose(self) -> None:
        """Nothing is open."""


class KeyChannel(NoneChannel):
    """A provider that takes a key once: asked again, it gives the first answer."""

    name: ClassVar[str] = "key"
    traits: ClassVar[Traits] = _traits(Idempotency.KEY)

    def _answer(self, step: Step, message: Message) -> Sent:
        known = self.taken_with(message.key_text) > 0
        if known and (step.takes or isinstance(step.error, Refused)):
            if isinstance(step.error, InDoubt | Killed):
                raise step.error
            return Sent(provider_id="p-1")
        return super()._answer(step, message)


class LookupChannel(NoneChannel):
    """A provider that can be asked what it has taken since a time."""

    name: ClassVar[str] = "lookup"
    traits: ClassVar[Traits] = _traits(Idempotency.LOOKUP)

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        self.lookups.append(since)
        return Sent(provider_id="p-1") if self.taken_with(message.key_text) else None


class EchoChannel(NoneChannel):
    name: ClassVar[str] = "echo"
    traits: ClassVar[Traits] = _traits(Idempotency.ECHO)


class SmsChannel(KeyChannel):
    name: ClassVar[str] = "sms"
    traits: ClassVar[Traits] = _traits(Idempotency.KEY, address="phone")


class OwnersChannel(KeyChannel):
    name: ClassVar[str] = "owners"
    traits: ClassVar[Traits] = _traits(Idempotency.KEY, "chat:owners", Audience.INTERNAL)


async def _nothing() -> None:
    return None


@dataclass
class ScriptedErp:
    """Books once by order and revision. `submitting`, `finding` and `cancelling` may raise or take long."""

    name: str = "main"
    receipt: ErpReceipt | None = None
    booking: Booking = field(default_factory=lambda: Booking(document_id="SO-1"))
    knows: bool = True
    submitting: Callable[[], Awaitable[None]] = _nothing
    finding: Callable[[], Awaitable[None]] = _nothing
    cancelling: Callable[[], Awaitable[None]] = _nothing
    booked: list[tuple[Order, int]] = field(default_factory=list)
    asked: list[tuple[OrderRef, int]] = field(default_factory=list)
    cancelled: list[tuple[OrderRef, str | None, str]] = field(default_factory=list)

    async def submit(self, order: Order, revision: int) -> Booking:
        if (order, revision) not in self.booked:
            self.booked.append((order, revision))
        await self.submitting()
        return self.booking

    async def find(self, ref: OrderRef, revision: int) -> ErpReceipt | None:
        self.asked.append((ref, revision))
        await self.finding()
        return self.receipt

    async def cancel(self, ref: OrderRef, document_id: str | None, reason: str) -> bool:
        self.cancelled.append((ref, document_id, reason))
        await self.cancelling()
        return self.knows

    async def availability(self, lines: Sequence[Line]) -> Sequence[Stock]:
        raise AssertionError("only `assess` asks for stock")

    def verify(self, request: RawRequest) -> None:
        raise AssertionError("an activity verifies nothing")

    def receipts(self, request: RawRequest) -> Sequence[ErpReceipt]:
        raise AssertionError("an activity reads no receipts")

    async def aclose(self) -> None:
        """Nothing is open."""


def failing(error: Exception) -> Callable[[], Awaitable[None]]:
    """What an ERP does that answers with this error."""

    async def fail() -> None:
        raise error

    return fail


def taking(seconds: float) -> Callable[[], Awaitable[None]]:
    """What an ERP does that needs this long."""

    async def wait() -> None:
        await asyncio.sleep(seconds)

    return wait
