"""A trading partner of ours, and what it wrote: for the tests of X12."""

import base64
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from orderack.domain.order import Order
from orderack.errors import InvalidInput
from orderack.ports import (
    Connection,
    Delivery,
    Given,
    Greeting,
    RawRequest,
    Skipped,
    Snapshot,
    Stands,
)
from orderack.sources.edi_x12 import EdiX12, EdiX12Settings
from tests.conformance.source import NOW
from tests.edi import interchanges as edi

SECRET = "whsec_" + base64.b64encode(b"the gateway's own secret").decode()


PARTNER: Mapping[str, object] = {
    "theirs": {"qualifier": "01", "id": "123456789"},
    "ours": {"id": "FJORDLIGHT"},
    "versions": ["004010", "005010"],
    "time_zone": "America/Chicago",
    "answer_within_hours": 24,
}


GATEWAY = "https://van.example/out"


def connection(**over: object) -> Connection:
    partners = {"acme": {**PARTNER, **over}}
    return Connection(store="shop", system="edi_x12", source="edi", country="US", time_zone="UTC", partners=partners)


@dataclass
class Notebook:
    """A memory as the record is one."""

    orders: dict[str, Stands] = field(default_factory=dict)
    recorded: dict[str, Delivery] = field(default_factory=dict)
    numbers: dict[str, dict[str, Given]] = field(default_factory=dict)

    async def order(self, external_id: str) -> Stands | None:
        return self.orders.get(external_id)

    async def delivery(self, delivery_id: str) -> Delivery | None:
        return self.recorded.get(delivery_id)

    async def number(self, purpose: str, series: str, first: int = 1) -> Given:
        given = self.numbers.setdefault(series, {})
        return given.setdefault(purpose, Given(number=first + len(given), at=NOW))

    def record(self, delivery: Delivery) -> Delivery:
        return self.recorded.setdefault(delivery.id, delivery)

    def take(self, snapshot: Snapshot) -> None:
        order = snapshot.order
        self.orders[snapshot.external_id] = Stands(order=order, content_hash=order.content_hash, at=snapshot.at)


@dataclass
class Partner:
    """The connection with its record, and a clock that can be put forward."""

    over: Mapping[str, object] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    now: datetime = NOW
    book: Notebook = field(default_factory=Notebook)

    def __post_init__(self) -> None:
        made = {"inbound_secret": SECRET, "outbound_url": GATEWAY, **self.settings}
        settings = EdiX12Settings.model_validate(made)
        self.source = EdiX12(connection(**self.over), settings, "ORDERACK_SOURCE_", lambda: self.now)
        self.source.recall(self.book)

    async def post(self, body: bytes) -> tuple[Greeting, list[Delivery]]:
        """As the gateway does it: record, then respond."""
        request = RawRequest(url="https://us.example/intake", headers={}, body=body)
        deliveries = list(self.source.deliveries(request))
        return await self.source.respond(request, [self.book.record(one) for one in deliveries]), deliveries

    async def readings(self, body: bytes) -> list[Snapshot | Skipped | str]:
        """What became of each transaction set; a refusal in words. Orders are taken."""
        found: list[Snapshot | Skipped | str] = []
        for delivery in (await self.post(body))[1]:
            if delivery.topic == "interchange":
                continue
            try:
                (reading,) = await self.source.read(delivery)
            except InvalidInput as no:
                found.append(str(no))
                continue
            assert isinstance(reading, Snapshot | Skipped)
            found.append(reading)
            if isinstance(reading, Snapshot):
                self.book.take(reading)
        return found

    async def order(self, body: bytes) -> Order:
        (reading,) = await self.readings(body)
        assert isinstance(reading, Snapshot), reading
        return reading.order


def said(text: str, tag: str) -> list[list[str]]:
    return [segment for segment in edi.parsed(text) if segment[0] == tag]
