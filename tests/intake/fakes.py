"""A shop that tells of its orders in a few words of its own, so that a test says just what it is about."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import ClassVar, Literal

from pydantic import BaseModel, TypeAdapter

from orderack.clients.wire import read
from orderack.domain.assessment import AnswerCall
from orderack.domain.order import Contacts, Customer, Line, Order, Origin, Payment, PaymentStatus, Totals
from orderack.domain.source import Answered, AnswerStage, AnswerState
from orderack.errors import BadSignature, Unavailable
from orderack.ports import (
    Connection,
    Delivery,
    Hint,
    Looked,
    RawRequest,
    Reading,
    Skipped,
    Snapshot,
    SourceAnswer,
    SourceKind,
    SourceTraits,
    Standing,
)

BEGAN = datetime(2026, 11, 21, 9, 0, tzinfo=UTC)
SIGNATURE = "signed by the shop"


class Told(BaseModel):
    """What the shop says of an order; `minute` is when it came to stand so."""

    id: str
    number: str = "1001"
    minute: int = 0
    quantity: Decimal = Decimal(1)
    payment: PaymentStatus = PaymentStatus.PENDING
    standing: Standing = Standing.OPEN
    kind: Literal["order", "hint", "ping"] = "order"


_TOLD: TypeAdapter[Told] = TypeAdapter(Told)


def a_delivery(id: str, order: str = "1", **said: object) -> Delivery:
    return Delivery(id=id, body=Told.model_validate({"id": order, **said}).model_dump_json())


def a_request(*said: str, signature: str = SIGNATURE) -> RawRequest:
    return RawRequest(url="https://orderack.example/intake/demo/fake", headers={"x": signature}, body=said[0].encode())


@dataclass
class FakeSource:
    """`orders` is what it answers when it is asked for one; `feed` what it gives out page by page."""

    connection: Connection = field(default_factory=lambda: Connection(store="demo", system="fake", source="shop"))
    orders: dict[str, Told] = field(default_factory=dict)
    feed: list[list[Delivery]] = field(default_factory=list)
    asked: list[str] = field(default_factory=list)
    cursors: list[str] = field(default_factory=list)
    away: bool = False
    answers: list[SourceAnswer] = field(default_factory=list)
    answer_with: list[Answered | Exception] = field(default_factory=list)

    name: ClassVar[str] = "fake"
    traits: ClassVar[SourceTraits] = SourceTraits(
        kind=SourceKind.STOREFRONT,
        answer=AnswerCall.NOTE,
        answers=frozenset(AnswerStage),
        poll_every=timedelta(minutes=1),
        max_body=1_000,
    )

    async def verify(self, request: RawRequest) -> None:
        if request.headers.get("x") != SIGNATURE:
            raise BadSignature("the shop's signature is wrong")

    def deliveries(self, request: RawRequest) -> Sequence[Delivery]:
        if request.body == b"ping":
            return ()
        return (Delivery(id=str(hash(request.body)), body=request.body.decode()),)

    async def read(self, delivery: Delivery) -> Sequence[Reading]:
        told = read(_TOLD, delivery.body.encode())
        match told.kind:
            case "ping":
                return (Skipped(why="a ping"),)
            case "hint":
                return (Hint(external_id=told.id),)
            case _:
                return (self._snapshot(told),)

    async def fetch(self, external_id: str) -> Sequence[Reading]:
        self.asked.append(external_id)
        if self.away:
            raise Unavailable("the shop does not answer")
        told = self.orders.get(external_id)
        return (self._snapshot(told),) if told else (Skipped(why="there is no such order"),)

    async def look(self, cursor: str, now: datetime) -> Looked:
        self.cursors.append(cursor)
        if self.away:
            raise Unavailable("the shop does not answer")
        page = int(cursor or 0)
        found = tuple(self.feed[page]) if page < len(self.feed) else ()
        following = min(page + 1, len(self.feed))
        return Looked(deliveries=found, cursor=str(following), more=following < len(self.feed))

    async def answer(self, answer: SourceAnswer) -> Answered:
        self.answers.append(answer)
        said = self.answer_with.pop(0) if self.answer_with else Answered(state=AnswerState.ACCEPTED, reference="n-1")
        if isinstance(said, Exception):
            raise said
        return said

    async def aclose(self) -> None:
        pass

    def _snapshot(self, told: Told) -> Snapshot:
        at = BEGAN + timedelta(minutes=told.minute)
        order = Order(
            store=self.connection.store,
            number=told.number,
            source=self.connection.source,
            trigger_at=BEGAN,
            customer=Customer(id="C-1"),
            contacts=Contacts(email="ada@example.com"),
            lines=(Line(line_id="1", sku="TEA", quantity=told.quantity, unit_price=Decimal(10)),),
            payment=Payment(status=told.payment, terms="prepaid"),
            currency="EUR",
            totals=Totals(total=told.quantity * 10),
            origin=Origin(system=self.name),
        )
        return Snapshot(external_id=told.id, at=at, order=order, standing=told.standing, reason="changed my mind")
