"""What every way in for mail must do in the sandbox: an order that a buyer writes comes out as it went in."""

import json
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import ClassVar

import pytest

from orderack.domain.order import Address, Contacts, Customer, DeliveryWindow, Line, Order, Payment, Totals
from orderack.embedded.sandbox import Action, Fault, Sandbox, Target
from orderack.embedded.sandbox.look_alike import ShopDeed
from orderack.ports import Connection, Delivery, Snapshot, Source
from orderack.registry import SourceSpec, build_sources

ORDER = Order(
    store="shop",
    number="PO-4711",
    source="email",
    trigger_at=datetime(2026, 11, 21, 9, 0, tzinfo=UTC),
    customer=Customer(id="K-100", name="Ada Example"),
    contacts=Contacts(email="ada@example.com", phone="+15005550006", language="en"),
    lines=(
        Line(line_id="1", sku="AB-100", description="Blue lamp", quantity=Decimal(12), unit_price=Decimal("3.50")),
        Line(line_id="2", sku="CD-200", description="Screws", quantity=Decimal(1200), unit_price=Decimal("0.05")),
    ),
    delivery_address=Address(
        company="Example GmbH", street="Hauptstr. 5", city="Berlin", postal_code="10115", country="DE"
    ),
    delivery_window=DeliveryWindow(
        start=datetime(2026, 12, 1, 10, 0, tzinfo=UTC), end=datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
    ),
    payment=Payment(terms="net 30"),
    currency="EUR",
    totals=Totals(shipping=Decimal("4.90"), total=Decimal("106.90")),
    instructions="ring twice",
)
MORE = ORDER.model_copy(
    update={
        "lines": (ORDER.lines[0].model_copy(update={"quantity": Decimal(20)}), ORDER.lines[1]),
        "totals": Totals(shipping=Decimal("4.90"), total=Decimal("134.90")),
    }
)
PARTNERS = {"ada": {"senders": ["example.com"]}}


class LetterSuite(ABC):
    """Inherited with the source and the target."""

    name: ClassVar[str]
    target: ClassVar[Target]
    spec: ClassVar[SourceSpec]

    @pytest.fixture
    async def source(self, sandbox: Sandbox, monkeypatch, tmp_path) -> AsyncIterator[Source]:
        monkeypatch.chdir(tmp_path)
        for name, value in sandbox.connections([f"shop/{self.name}"]).items():
            monkeypatch.setenv(name, value)
        connection = Connection(
            store="shop", system=self.name, source="email", country="DE", time_zone="UTC", partners=PARTNERS
        )
        built = build_sources({self.name: self.spec}, [connection])
        assert not built.not_configured
        source = built[f"shop/{self.name}"]
        yield source
        await source.aclose()

    async def happen(self, http, deed: ShopDeed, order: Order = ORDER) -> int:
        body = {"source": self.name, "deed": deed, "order": order.model_dump(mode="json")}
        answer = await http.post("/shops", content=json.dumps(body))
        assert answer.status_code == 202, answer.text
        return len(answer.json()["posted"])

    @abstractmethod
    async def delivered(self, source, gateway, count: int) -> list[Delivery]:
        """Everything that has come in so far."""

    async def taken(self, source, gateway, count: int) -> list[Snapshot]:
        readings = [
            one for delivery in await self.delivered(source, gateway, count) for one in await source.read(delivery)
        ]
        assert all(isinstance(one, Snapshot) for one in readings), readings
        return readings

    async def test_an_order_goes_round_ours_theirs_ours_and_nothing_of_it_is_in_doubt(self, source, http, gateway):
        await self.happen(http, ShopDeed.PLACE)
        (snapshot,) = await self.taken(source, gateway, 1)
        theirs = snapshot.order
        assert theirs.doubts == ()
        assert (theirs.purchase_order, theirs.number) == (ORDER.number, ORDER.number)
        assert [(one.sku, one.description, one.quantity, one.unit_price) for one in theirs.lines] == [
            (one.sku, one.description, one.quantity, one.unit_price) for one in ORDER.lines
        ]
        assert (theirs.currency, theirs.totals) == (ORDER.currency, ORDER.totals)
        assert theirs.delivery_address == ORDER.delivery_address
        assert theirs.delivery_window == ORDER.delivery_window
        assert (theirs.customer.id, theirs.contacts.email) == (ORDER.customer.id, ORDER.contacts.email)
        assert (theirs.contacts.phone, theirs.payment.terms) == (ORDER.contacts.phone, ORDER.payment.terms)
        assert theirs.instructions == ORDER.instructions
        assert abs(theirs.trigger_at - datetime.now(UTC)) < timedelta(minutes=5)

    async def test_a_second_mail_with_its_number_is_a_change_of_it(self, source, http, gateway):
        await self.happen(http, ShopDeed.PLACE)
        await self.happen(http, ShopDeed.CHANGE, MORE)
        first, second = sorted(await self.taken(source, gateway, 2), key=lambda one: one.order.totals.total)
        assert first.external_id == second.external_id
        assert second.order.lines[0].quantity == 20
        assert second.order.content_hash != first.order.content_hash

    async def test_what_is_paid_or_cancelled_nobody_writes(self, source, http, gateway):
        await self.happen(http, ShopDeed.PLACE)
        assert await self.happen(http, ShopDeed.PAY) == await self.happen(http, ShopDeed.CANCEL) == 0
        assert len(await self.taken(source, gateway, 1)) == 1

    async def test_a_stranger_is_no_partner(self, source, http, gateway):
        stranger = ORDER.contacts.model_copy(update={"email": "eve@elsewhere.example"})
        await self.happen(http, ShopDeed.PLACE, ORDER.model_copy(update={"contacts": stranger}))
        (snapshot,) = await self.taken(source, gateway, 1)
        assert [doubt.field for doubt in snapshot.order.doubts] == ["contacts.email"]

    async def test_the_same_post_twice_is_one_delivery(self, source, sandbox, http, gateway):
        sandbox.state.faults.add(Fault(target=self.target, action=Action.DUPLICATE_WEBHOOK))
        posted = await self.happen(http, ShopDeed.PLACE)
        found = await self.delivered(source, gateway, 2 * posted)
        assert len({one.id for one in found}) == 1
