"""What the gateway is made of: ports, and the few settings that its routes need."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Protocol

from fastapi import Depends, Request

from orderack.contracts.queries import OrderStatus
from orderack.contracts.updates import BuyerQuestion, ChangeRequest, Reply
from orderack.domain.evidence import EvidenceFact
from orderack.domain.order import OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.domain.store import StoreProfile
from orderack.gateway.bells import Bells
from orderack.gateway.board.parts import Board
from orderack.gateway.keys import ApiKeys
from orderack.gateway.rates import Rates
from orderack.gateway.turns import Turns
from orderack.intake.deliveries import Intake
from orderack.links import PageLinks
from orderack.messages.page_labels import PageWording
from orderack.policy.model import EndpointPolicy
from orderack.ports import Channel, Erp, GatewayLedger, Source
from orderack.ports.orders_door import NewsDoor
from orderack.settings import Settings
from orderack.temporal.orders import Told
from orderack.touch_links import TouchLinks


class OrdersDoor(NewsDoor, Protocol):
    """The part of `orderack.temporal.orders.Orders` that the gateway uses."""

    async def receipt(self, receipt: ErpReceipt) -> Told: ...

    async def evidence(self, ref: OrderRef, fact: EvidenceFact) -> Told: ...

    async def change(self, ref: OrderRef, request: ChangeRequest) -> Reply: ...

    async def ask(self, ref: OrderRef, question: BuyerQuestion) -> Reply: ...

    async def status(self, ref: OrderRef) -> OrderStatus: ...

    async def ping(self) -> None: ...


def utc_now() -> datetime:
    return datetime.now(UTC)


@dataclass(frozen=True)
class GatewayParts:
    """Filled by whoever starts the gateway; tests fill it with fakes."""

    ledger: GatewayLedger
    orders: OrdersDoor
    channels: Mapping[str, Channel]
    erps: Mapping[str, Erp]
    stores: Mapping[str, StoreProfile]
    keys: ApiKeys
    links: PageLinks
    touch_links: TouchLinks
    public_url: str
    """How the world reaches us: signatures over the URL are checked against this, never against `Host`."""
    wording: PageWording = field(default_factory=lambda: PageWording(Settings().policy_dir / "messages"))
    """The words of the buyer's page; by default those of the policy that the settings name."""
    now: Callable[[], datetime] = utc_now
    sweep_every: timedelta = timedelta(seconds=5)
    tell_every: timedelta = timedelta(seconds=1)
    """How soon others hear of an event once it is in the ledger."""
    poll_every: timedelta = timedelta(seconds=60)
    """How often a mailbox is read, where nobody tells us of news."""
    endpoints: Callable[[], Mapping[str, EndpointPolicy]] = dict
    """The systems that are told what happens, as the policy names them now."""
    touch_days: int = 30
    """How long it is kept whose touch it was: address, user agent, headers."""
    rates: Rates = field(default_factory=Rates)
    turns: Turns = field(default_factory=Turns)
    bells: Bells = field(default_factory=Bells)
    erp_of: Callable[[str], str | None] = lambda store: None
    """The ERP that this store's orders are booked in, as the policy names it now; None: it names none."""
    sources: Mapping[str, Source] = field(default_factory=dict)
    """By `store/system`."""
    board: Board | None = None
    """The operators' board; None: there is none."""
    under_way: set[asyncio.Task[None]] = field(default_factory=set)
    """Deliveries that are told while their sender has its answer already."""

    @property
    def intake(self) -> Intake:
        """Takes what sources deliver."""
        return Intake(self.ledger, self.orders, self.sources, self.now)


def parts_of(request: Request) -> GatewayParts:
    parts = request.app.state.parts
    assert isinstance(parts, GatewayParts)
    return parts


Parts = Annotated[GatewayParts, Depends(parts_of)]
