"""The gateway's neighbours: a scripted door to orders, an ERP and a channel that sign, a ledger that can be away."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

from pydantic import TypeAdapter, ValidationError

from orderack.contracts.journal import Stage
from orderack.contracts.queries import OrderStatus
from orderack.contracts.updates import (
    BuyerQuestion,
    CancelRequest,
    ChangeRequest,
    PaymentChanged,
    Reply,
    SubmitReply,
    SubmitVerdict,
)
from orderack.domain.acknowledgement import Audience
from orderack.domain.evidence import EvidenceFact, Grade
from orderack.domain.order import Line, Order, OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.domain.validation import problems_of
from orderack.errors import BadSignature, InvalidInput, OrderNotOpen, OrderUnknown, Unavailable
from orderack.ports import (
    Booking,
    ChannelEvent,
    Greeting,
    Idempotency,
    Medium,
    Message,
    RawRequest,
    Sent,
    Stock,
    Traits,
)
from orderack.temporal.orders import Told

SECRET = b"the other side's signing secret"
TOLERANCE = timedelta(minutes=5)


@dataclass
class ScriptedOrders:
    """Takes what it is told and remembers it; `away` makes every call Unavailable."""

    away: bool = False
    told: Told = Told.TOLD
    verdict: SubmitVerdict = SubmitVerdict.ACCEPTED
    standing: dict[OrderRef, OrderStatus] = field(default_factory=dict)
    submitted: list[Order] = field(default_factory=list)
    receipts: list[ErpReceipt] = field(default_factory=list)
    facts: list[EvidenceFact] = field(default_factory=list)
    changes: list[ChangeRequest] = field(default_factory=list)
    cancellations: list[CancelRequest] = field(default_factory=list)
    questions: list[BuyerQuestion] = field(default_factory=list)
    payments: list[PaymentChanged] = field(default_factory=list)
    grants: bool = True
    stage: Stage = Stage.ASSESSING
    closed: bool = False

    @property
    def contents(self) -> list[Order]:
        """What it was told of orders, in that order: submitted first, then each change."""
        return [*self.submitted, *(request.order for request in self.changes)]

    def _answer(self) -> None:
        if self.away:
            raise Unavailable("Temporal does not answer", timedelta(seconds=7))

    async def submit(self, order: Order) -> SubmitReply:
        self._answer()
        self.submitted.append(order)
        return SubmitReply(
            verdict=self.verdict,
            store=order.store,
            number=order.number,
            revision=1,
            stage=Stage.ASSESSING,
            next="it is validated now",
            acknowledge_by=order.trigger_at + timedelta(seconds=60),
        )

    async def receipt(self, receipt: ErpReceipt) -> Told:
        self._answer()
        self.receipts.append(receipt)
        return self.told

    async def evidence(self, ref: OrderRef, fact: EvidenceFact) -> Told:
        self._answer()
        self.facts.append(fact)
        return self.told

    def _reply(self) -> Reply:
        self._answer()
        if self.closed:
            raise OrderNotOpen("it has closed")
        return Reply(accepted=self.grants, stage=self.stage, revision=2, message="as it was asked")

    async def change(self, ref: OrderRef, request: ChangeRequest) -> Reply:
        reply = self._reply()
        self.changes.append(request)
        return reply

    async def payment(self, ref: OrderRef, changed: PaymentChanged) -> Told:
        self._answer()
        self.payments.append(changed)
        return self.told

    async def cancel(self, ref: OrderRef, request: CancelRequest) -> Reply:
        reply = self._reply()
        self.cancellations.append(request)
        return reply

    async def ask(self, ref: OrderRef, question: BuyerQuestion) -> Reply:
        reply = self._reply()
        self.questions.append(question)
        return reply

    async def status(self, ref: OrderRef) -> OrderStatus:
        self._answer()
        if ref not in self.standing:
            raise OrderUnknown(str(ref))
        return self.standing[ref]

    async def ping(self) -> None:
        self._answer()


def signed(body: bytes, url: str, at: datetime | None = None, secret: bytes = SECRET) -> dict[str, str]:
    """Headers as the other side signs: a time, and an HMAC over time, public address and body."""
    stamp = str(int((at or datetime.now(UTC)).timestamp()))
    mac = hmac.new(secret, b"\n".join((stamp.encode(), url.encode(), body)), hashlib.sha256).hexdigest()
    return {"x-time": stamp, "x-signature": mac}


def verify(request: RawRequest) -> None:
    stamp, mac = request.headers.get("x-time", ""), request.headers.get("x-signature", "")
    if not stamp.isdecimal():
        raise BadSignature("no time")
    at = datetime.fromtimestamp(int(stamp), UTC)
    if abs(datetime.now(UTC) - at) > TOLERANCE:
        raise BadSignature("old")
    expected = signed(request.body, request.url, at)["x-signature"]
    if not hmac.compare_digest(expected.encode(), mac.encode()):
        raise BadSignature("forged")


_RECEIPTS: TypeAdapter[tuple[ErpReceipt, ...]] = TypeAdapter(tuple[ErpReceipt, ...])
_EVENTS: TypeAdapter[tuple[ChannelEvent, ...]] = TypeAdapter(tuple[ChannelEvent, ...])


class SigningErp:
    """An ERP that reports signed lists of receipts; the gateway asks nothing else of an ERP."""

    name = "sandbox"

    def verify(self, request: RawRequest) -> None:
        verify(request)

    def receipts(self, request: RawRequest) -> Sequence[ErpReceipt]:
        try:
            return _RECEIPTS.validate_json(request.body)
        except ValidationError as error:
            raise InvalidInput(problems_of(error)) from None

    async def submit(self, order: Order, revision: int) -> Booking:
        raise AssertionError("the gateway submits nothing")

    async def find(self, ref: OrderRef, revision: int) -> ErpReceipt | None:
        raise AssertionError("the gateway looks nothing up")

    async def cancel(self, ref: OrderRef, document_id: str | None, reason: str) -> bool:
        raise AssertionError("the gateway cancels nothing")

    async def availability(self, lines: Sequence[Line]) -> Sequence[Stock]:
        raise AssertionError("the gateway asks for no stock")

    async def aclose(self) -> None:
        """Nothing is open."""


class SigningChannel:
    """A provider that reports signed lists of events."""

    name: ClassVar[str] = "email"
    traits: ClassVar[Traits] = Traits(
        medium=Medium.EMAIL,
        audience=Audience.BUYER,
        address="email",
        evidence_ceiling=Grade.E3P,
        idempotency=Idempotency.ECHO,
    )

    async def verify(self, request: RawRequest) -> None:
        verify(request)

    def events(self, request: RawRequest) -> Sequence[ChannelEvent]:
        try:
            return _EVENTS.validate_json(request.body)
        except ValidationError as error:
            raise InvalidInput(problems_of(error)) from None

    async def send(self, message: Message) -> Sent:
        raise AssertionError("the gateway sends nothing")

    async def lookup(self, message: Message, since: datetime) -> Sent | None:
        raise AssertionError("the gateway looks nothing up")

    async def aclose(self) -> None:
        """Nothing is open."""


class AlertChannel(SigningChannel):
    """Internal: what it carries is not for the buyer."""

    name: ClassVar[str] = "alerts"
    traits: ClassVar[Traits] = SigningChannel.traits.model_copy(update={"audience": Audience.INTERNAL})


class TextChannel(SigningChannel):
    """Text messages that can be answered."""

    name: ClassVar[str] = "text"
    traits: ClassVar[Traits] = SigningChannel.traits.model_copy(
        update={"medium": Medium.SMS, "address": "phone", "evidence_ceiling": Grade.E2, "replies": True}
    )


class ChatChannel(SigningChannel):
    """A buyer's chat whose buttons say who pressed them."""

    name: ClassVar[str] = "chat"
    traits: ClassVar[Traits] = SigningChannel.traits.model_copy(
        update={"medium": Medium.CHAT, "address": "chat:chat", "evidence_ceiling": Grade.E5, "buttons": True}
    )


class GreetingChannel(SigningChannel):
    """A provider that tries the address first: with a token of ours, or by a request that it signs."""

    name: ClassVar[str] = "greets"

    async def greet(self, request: RawRequest) -> Greeting | None:
        query = parse_qs(urlsplit(request.url).query)
        if "validationToken" in query:
            return Greeting(body=query["validationToken"][0])
        if "hub.challenge" not in query:
            return None
        if query.get("hub.verify_token") != ["ours"]:
            raise BadSignature("not our token")
        return Greeting(
            status=201, body=json.dumps({"challenge": query["hub.challenge"]}), media_type="application/json"
        )
