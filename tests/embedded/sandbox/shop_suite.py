"""What every look-alike of a shop must do: our source, set up by its settings alone, reads what it posts and gives."""

import importlib
from collections.abc import AsyncIterator, Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import ClassVar

import pytest

from orderack.domain.order import (
    DIGITAL,
    Address,
    Contacts,
    Customer,
    DeliveryWindow,
    Line,
    Order,
    Payment,
    PaymentStatus,
    Pickup,
    TaxBasis,
    Totals,
)
from orderack.embedded.sandbox import Action, Fault, Sandbox, Target
from orderack.embedded.sandbox.look_alike import LookAlike, ShopDeed
from orderack.ports import Connection, Fetches, Hint, RawRequest, Snapshot, Source, Standing
from orderack.registry import build_sources
from tests.embedded.sandbox.conftest import Gateway

PLACE = Address(
    name="Ada Example", street="Hauptstraße 5", street2="Hof 2", city="Köln", postal_code="50667", country="DE"
)
ORDER = Order(
    store="shop",
    number="1001",
    source="shop",
    trigger_at=datetime(2026, 11, 21, 9, 0, tzinfo=UTC),
    customer=Customer(id="77", name="Ada Example"),
    contacts=Contacts(email="ada@example.com", phone="+15005550006", language="en"),
    lines=(
        Line(
            line_id="11",
            sku="LAMP-1",
            description="Lampe, grün",
            quantity=Decimal(2),
            unit_price=Decimal("25.00"),
            discount=Decimal("5.00"),
            instructions="Gift wrap: blue",
            design="Für Bob",
        ),
        Line(line_id="12", sku="CARD-2", description="Card", quantity=Decimal(1), unit_price=Decimal("10.00")),
    ),
    delivery_address=PLACE,
    billing_address=PLACE,
    delivery_window=DeliveryWindow(
        start=datetime(2026, 11, 24, 10, 0, tzinfo=UTC), end=datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
    ),
    payment=Payment(status=PaymentStatus.CONFIRMED, terms="prepaid by card", method="card"),
    currency="EUR",
    totals=Totals(
        discount=Decimal("5.00"),
        tax=Decimal("11.40"),
        shipping=Decimal("4.00"),
        fees=Decimal("1.00"),
        tax_basis=TaxBasis.ADDED,
        total=Decimal("71.40"),
    ),
    instructions="Ring twice, please.",
)


def like(order: Order) -> Order:
    """What has to come through whole: everything but the ids that the vendor gives, and the door."""
    lines = tuple(line.model_copy(update={"codes": (), "line_id": str(n)}) for n, line in enumerate(order.lines))
    return order.model_copy(update={"lines": lines, "external_ids": (), "origin": None})


class ShopSuite:
    """Inherited with the target and the source."""

    target: ClassVar[Target]
    name: ClassVar[str]

    @pytest.fixture
    async def source(
        self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: object
    ) -> AsyncIterator[Source]:
        monkeypatch.chdir(str(tmp_path))
        for name, value in sandbox.connections([f"shop/{self.name}"]).items():
            monkeypatch.setenv(name, value)
        connection = Connection(store="shop", system=self.name, source="shop")
        spec = importlib.import_module(f"orderack.sources.{self.name}").SOURCE
        source = build_sources({self.name: spec}, [connection])[f"shop/{self.name}"]
        yield source
        await source.aclose()

    def vendor(self, sandbox: Sandbox) -> LookAlike:
        return next(vendor for vendor in sandbox.vendors if vendor.target is self.target)

    async def happens(self, sandbox: Sandbox, gateway: Gateway, deed: ShopDeed, order: Order) -> list[RawRequest]:
        """The webhooks of it, as the gateway gets them."""
        before = len(gateway.received)
        webhooks = self.vendor(sandbox).shop(deed, order)
        for webhook in webhooks:
            sandbox.state.announce(webhook, sandbox.state.faults.take(self.target, "send", ""))
        received = (await gateway.wait_for(before + len(webhooks)))[before:]
        assert {one.path for one in received} <= {f"/intake/shop/{self.name}"}
        return [RawRequest(url=one.url, headers=dict(one.headers), body=one.body) for one in received]

    async def read(self, source: Source, requests: Sequence[RawRequest]) -> list[Snapshot]:
        """Verified, read, and fetched where it is a hint."""
        found: list[Snapshot] = []
        for request in requests:
            await source.verify(request)
            for delivery in source.deliveries(request):
                for reading in await source.read(delivery):
                    if isinstance(reading, Hint):
                        assert isinstance(source, Fetches)
                        found += [one for one in await source.fetch(reading.external_id) if isinstance(one, Snapshot)]
                    elif isinstance(reading, Snapshot):
                        found.append(reading)
        return found

    @pytest.mark.parametrize(
        "change",
        [
            {},
            {"payment": Payment(status=PaymentStatus.PENDING, terms="to be paid by cod", method="cod")},
            {"totals": ORDER.totals.model_copy(update={"tax": Decimal(0), "total": Decimal("60.00")})},
            {"delivery_window": None, "instructions": None, "billing_address": None},
            {"order_type": DIGITAL, "delivery_address": None, "delivery_window": None, "totals": Totals(
                discount=Decimal(5), tax_basis=TaxBasis.ADDED, total=Decimal(55)
            )},
            {
                "customer": Customer(id="77", name="אדה דוגמה"),
                "billing_address": PLACE.model_copy(update={"name": "אדה דוגמה"}),
            },
        ],
    )  # fmt: skip
    async def test_an_order_survives_the_way_there_and_back(self, source, sandbox, gateway, change) -> None:
        order = ORDER.model_copy(update=change)
        for snapshot in await self.read(source, await self.happens(sandbox, gateway, ShopDeed.PLACE, order)):
            assert like(snapshot.order) == like(order)
            assert snapshot.standing is Standing.OPEN

    async def test_a_pickup_survives_the_way_there_and_back(self, source, sandbox, gateway) -> None:
        at = datetime(2026, 11, 24, 15, 0, tzinfo=UTC)
        pickup = Pickup(location="Harbour shop", at=at)
        order = ORDER.model_copy(update={"pickup": pickup, "delivery_address": None, "delivery_window": None})
        for snapshot in await self.read(source, await self.happens(sandbox, gateway, ShopDeed.PLACE, order)):
            assert snapshot.order.pickup == pickup
            assert snapshot.order.delivery_address is None

    async def test_what_is_fetched_is_what_was_posted(self, source, sandbox, gateway) -> None:
        posted = await self.read(source, await self.happens(sandbox, gateway, ShopDeed.PLACE, ORDER))
        (fetched,) = await source.fetch(posted[0].external_id)
        assert fetched.order.content_hash == posted[0].order.content_hash
        assert fetched == posted[0]

    async def test_it_is_changed_paid_and_cancelled_there(self, source, sandbox, gateway) -> None:
        order = ORDER.model_copy(update={"payment": Payment(terms="to be paid by cod", method="cod")})
        (placed, *_) = await self.read(source, await self.happens(sandbox, gateway, ShopDeed.PLACE, order))
        assert placed.order.payment.status is PaymentStatus.PENDING
        fewer = order.model_copy(
            update={"lines": order.lines[:1], "totals": Totals(discount=5, tax_basis="added", total=45)}
        )
        changed = await self.read(source, await self.happens(sandbox, gateway, ShopDeed.CHANGE, fewer))
        assert {one.external_id for one in changed} == {placed.external_id}
        assert {len(one.order.lines) for one in changed} == {1}
        assert {one.order.totals.total for one in changed} == {Decimal(45)}
        paid = await self.read(source, await self.happens(sandbox, gateway, ShopDeed.PAY, fewer))
        assert {one.order.payment.status for one in paid} == {PaymentStatus.CONFIRMED}
        gone = await self.read(source, await self.happens(sandbox, gateway, ShopDeed.CANCEL, fewer))
        assert {one.standing for one in gone} == {Standing.CANCELLED}
        assert all(one.reason for one in gone)
        assert all(one.at >= placed.at for one in [*changed, *paid, *gone])

    async def test_a_look_brings_what_a_lost_webhook_did_not(self, source, sandbox, gateway) -> None:
        sandbox.state.faults.add(Fault(target=self.target, action=Action.NO_WEBHOOK, times=None))
        for n in range(3):
            self.vendor(sandbox).shop(ShopDeed.PLACE, ORDER.model_copy(update={"number": f"20{n}"}))
        now = datetime.now(UTC) + timedelta(minutes=1)
        looked = await source.look("", now)
        again = await source.look("", now)
        assert [one.id for one in looked.deliveries] == [one.id for one in again.deliveries]
        numbers = set()
        for delivery in looked.deliveries:
            for reading in await source.read(delivery):
                found = await source.fetch(reading.external_id) if isinstance(reading, Hint) else [reading]
                numbers |= {one.order.number for one in found}
        assert numbers == {"200", "201", "202"}
        assert not looked.more
        later = await source.look(looked.cursor, now)
        assert {one.id for one in later.deliveries} <= {one.id for one in looked.deliveries}

    async def test_an_order_that_is_not_there_cannot_change(self, sandbox) -> None:
        with pytest.raises(KeyError):
            self.vendor(sandbox).shop(ShopDeed.PAY, ORDER)

    async def test_the_connection_can_be_tried(self, source) -> None:
        assert await source.check()
