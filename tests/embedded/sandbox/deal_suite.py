"""A deal's life in a CRM's look-alike whose source fetches, looks and answers; configured by the sandbox alone."""

from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar

import pytest

from orderack.domain.money import add_up
from orderack.domain.order import Order, PaymentStatus
from orderack.domain.source import AnswerKey, AnswerStage, AnswerState
from orderack.embedded.sandbox import Action, Fault, Operation, Target
from orderack.embedded.sandbox.look_alike import ShopDeed
from orderack.errors import InDoubt, Misconfigured, OrderAckError, Unavailable
from orderack.ports import Connection, Hint, RawRequest, Skipped, Snapshot, SourceAnswer, Standing
from orderack.registry import SourceSpec, prefix_of
from tests.conformance.source import NOW

PLACE = {
    "name": "Ada Example", "company": "Example GmbH", "street": "1 Way", "city": "Köln", "postal_code": "50667",
    "country": "DE",
}  # fmt: skip
ORDER = Order.model_validate(
    {
        "store": "shop",
        "number": "7001",
        "source": "crm",
        "trigger_at": "2026-11-21T09:00:00Z",
        "customer": {"id": "41", "name": "Example GmbH"},
        "contacts": {"email": "ada@example.com", "phone": "+15005550006", "language": "en"},
        "lines": [
            {
                "line_id": "1",
                "sku": "TEA-1",
                "description": "Thé vert",
                "quantity": "3",
                "unit_price": "4.3333",
                "discount": "1.00",
                "instructions": "no bag",
            },
            {"line_id": "2", "sku": "CUP", "description": "杯", "quantity": "0.5", "unit_price": "15.00"},
        ],
        "delivery_address": PLACE,
        "billing_address": PLACE,
        "delivery_window": {"start": "2026-11-24T10:00:00Z", "end": "2026-11-24T12:00:00Z"},
        "payment": {"status": "pending", "terms": "net 30"},
        "purchase_order": "B-77",
        "currency": "GBP",
        "totals": {"discount": "1.00", "tax": "3.90", "tax_basis": "added", "total": "23.40"},
        "instructions": "Ring twice",
    }
)
MORE = ORDER.model_copy(
    update={
        "lines": (ORDER.lines[0].model_copy(update={"quantity": Decimal(5), "unit_price": Decimal("4.00")}),),
        "totals": ORDER.totals.model_copy(update={"total": Decimal("22.90")}),
    }
)
BESIDE = ORDER.model_copy(
    update={
        "totals": ORDER.totals.model_copy(
            update={
                "discount": Decimal("3.00"),
                "shipping": Decimal("4.90"),
                "fees": Decimal("2.00"),
                "credit": Decimal("5.00"),
                "total": Decimal("23.30"),
            }
        )
    }
)


class DealSuite:
    """One deal's life. What a CRM cannot hold as such stands on it as a line."""

    system: ClassVar[str]
    spec: ClassVar[SourceSpec]
    target: ClassVar[Target]
    secret: ClassVar[str]
    """The settings field by which we are let in."""
    window: ClassVar[str]
    """The field in which the account's people write the wanted delivery."""
    taxes: ClassVar[bool] = True
    """The CRM knows of taxes."""
    requests: ClassVar[int]
    """So many it takes to fetch a deal that is won."""

    @pytest.fixture
    def environment(self, sandbox, monkeypatch, tmp_path) -> Mapping[str, str]:
        monkeypatch.chdir(tmp_path)
        found = sandbox.connections([f"shop/{self.system}"])
        for name, value in found.items():
            monkeypatch.setenv(name, value)
        return found

    def built(self):
        fields = {self.window: "window"}
        connection = Connection(store="shop", system=self.system, source="crm", country="DE", fields=fields)
        return self.spec.make(connection, prefix_of("SOURCE", "shop", self.system))

    @pytest.fixture
    async def source(self, environment):
        made = self.built()
        yield made
        await made.aclose()

    async def happen(self, http, deed: ShopDeed, order: Order = ORDER) -> int:
        body = {"source": self.system, "deed": deed, "order": order.model_dump(mode="json")}
        answer = await http.post("/shops", json=body)
        assert answer.status_code == 202, answer.text
        return len(answer.json()["posted"])

    async def posted(self, source, gateway, count: int) -> list[Snapshot]:
        """What the webhooks so far come to."""
        found = []
        for one in await gateway.wait_for(count, f"/intake/shop/{self.system}"):
            request = RawRequest(url=one.url, headers=dict(one.headers), body=one.body)
            await source.verify(request)
            for delivery in source.deliveries(request):
                for reading in await source.read(delivery):
                    assert isinstance(reading, Hint)
                    found += await source.fetch(reading.external_id)
        return [one for one in found if isinstance(one, Snapshot)]

    async def won(self, source, http, gateway, order: Order = ORDER) -> Snapshot:
        """Placed there, and as our source gets it."""
        count = await self.happen(http, ShopDeed.PLACE, order)
        return (await self.posted(source, gateway, count))[-1]

    async def test_an_order_goes_round_ours_theirs_ours(self, source, http, gateway):
        snapshot = await self.won(source, http, gateway)
        theirs = snapshot.order
        assert snapshot.standing is Standing.OPEN
        assert (theirs.number, theirs.source, theirs.currency) == (ORDER.number, "crm", ORDER.currency)
        assert theirs.totals.total == add_up(theirs) == ORDER.totals.total
        if self.taxes:
            assert theirs.totals == ORDER.totals
        assert [(one.sku, one.quantity, one.amount, one.discount, one.description) for one in theirs.lines[:2]] == [
            (one.sku, one.quantity, one.amount, one.discount, one.description) for one in ORDER.lines
        ]
        assert len(theirs.lines) == (2 if self.taxes else 3)
        assert theirs.lines[0].instructions == "no bag"
        assert (theirs.delivery_address, theirs.billing_address) == (ORDER.delivery_address, ORDER.billing_address)
        assert theirs.delivery_window == ORDER.delivery_window
        assert theirs.contacts == ORDER.contacts
        assert theirs.customer.name == ORDER.customer.name
        assert (theirs.payment.status, theirs.payment.terms) == (PaymentStatus.PENDING, "net 30")
        assert (theirs.instructions, theirs.purchase_order) == (ORDER.instructions, ORDER.purchase_order)

    async def test_what_stands_beside_the_lines_is_paid_too(self, source, http, gateway):
        theirs = (await self.won(source, http, gateway, BESIDE)).order
        assert theirs.totals.total == add_up(theirs) == BESIDE.totals.total

    @pytest.mark.parametrize(
        "change",
        [
            {"totals": ORDER.totals.model_copy(update={"tax": Decimal(0), "total": Decimal("19.50")})},
            {"totals": ORDER.totals.model_copy(update={"tax_basis": "included", "total": Decimal("19.50")})},
            {"currency": "JPY", "totals": ORDER.totals.model_copy(update={"tax": Decimal(0), "total": Decimal(19)})},
            {"delivery_address": None, "billing_address": None, "delivery_window": None, "instructions": None},
            {"contacts": ORDER.contacts.model_copy(update={"email": None, "phone": None})},
            {"customer": ORDER.customer.model_copy(update={"id": None, "name": "דוגמה 💡 例"})},
            {"lines": (), "totals": ORDER.totals.model_copy(update={"discount": Decimal(0), "tax": Decimal(0)})},
            {"lines": tuple(ORDER.lines[1].model_copy(update={"line_id": str(n)}) for n in range(210)),
             "totals": ORDER.totals.model_copy(update={"discount": 0, "tax": 0, "total": Decimal("1575")})},
        ],
    )  # fmt: skip
    async def test_whatever_it_lacks_it_costs_the_same_there_and_here(self, source, http, gateway, change):
        order = Order.model_validate(ORDER.model_copy(update=change).model_dump(mode="json", warnings=False))
        theirs = (await self.won(source, http, gateway, order)).order
        assert theirs.totals.total == order.totals.total
        assert theirs.currency == order.currency
        assert add_up(theirs) == theirs.totals.total or not order.lines
        assert len(theirs.lines) >= len(order.lines)
        assert (theirs.delivery_address is None) == (order.delivery_address is None)
        assert theirs.customer.name == order.customer.name

    async def test_a_change_and_a_loss_are_told_and_a_payment_is_not(self, source, http, gateway):
        placed = await self.won(source, http, gateway)
        count = len(gateway.received) + await self.happen(http, ShopDeed.CHANGE, MORE)
        changed = (await self.posted(source, gateway, count))[-1]
        assert (changed.order.totals.total, changed.order.lines[0].quantity) == (Decimal("22.90"), 5)
        assert changed.external_id == placed.external_id
        assert changed.at >= placed.at
        assert await self.happen(http, ShopDeed.PAY) == 0
        count += await self.happen(http, ShopDeed.CANCEL)
        gone = (await self.posted(source, gateway, count))[-1]
        assert gone.standing is Standing.CANCELLED
        assert gone.reason

    async def test_a_deal_that_is_won_again_is_open_again_and_later(self, source, http, gateway):
        placed = await self.won(source, http, gateway)
        await self.happen(http, ShopDeed.CANCEL)
        await self.happen(http, ShopDeed.PLACE)
        (again,) = await source.fetch(placed.external_id)
        assert (again.standing, again.external_id) == (Standing.OPEN, placed.external_id)
        assert again.at >= placed.at
        assert again.order.content_hash == placed.order.content_hash

    async def test_a_look_finds_what_no_webhook_told(self, source, sandbox, http):
        sandbox.state.faults.add(Fault(target=self.target, action=Action.NO_WEBHOOK))
        first = await source.look("", NOW.replace(year=2020))
        assert first.deliveries == ()
        await self.happen(http, ShopDeed.PLACE)
        found = await source.look(first.cursor, NOW)
        (delivery,) = found.deliveries
        assert [one.id for one in (await source.look(first.cursor, NOW)).deliveries] == [delivery.id]
        (reading,) = await source.read(delivery)
        (snapshot,) = await source.fetch(reading.external_id)
        assert snapshot.order.totals.total == ORDER.totals.total
        assert sandbox.state.faults.unfired() == ()

    def note(self, snapshot: Snapshot, stage: AnswerStage = AnswerStage.CONFIRMED) -> SourceAnswer:
        return SourceAnswer(
            key=AnswerKey(ref=snapshot.order.ref, revision=1, stage=stage),
            order=snapshot.order,
            external_id=snapshot.external_id,
            document_id="SO-1",
            page_url="https://shop.example/o/1",
            now=NOW,
        )

    async def test_a_note_is_written_once_and_changes_nothing_of_the_order(self, source, sandbox, http, gateway):
        snapshot = await self.won(source, http, gateway)
        first = await source.answer(self.note(snapshot))
        again = await source.answer(self.note(snapshot))
        assert first.state is again.state is AnswerState.ACCEPTED
        assert first.reference == again.reference
        await source.answer(self.note(snapshot, AnswerStage.CANCELLED))
        assert len(sandbox.state.log.entries(self.target)) == 2
        (seen, _) = sandbox.state.outbox.find("", self.target)[::-1]
        assert "SO-1" in seen.text
        assert "https://shop.example/o/1" in seen.text
        assert "Workflow rules ran" not in seen.text
        assert not sandbox.state.outbox.find("ada@example.com")
        (after,) = await source.fetch(snapshot.external_id)
        assert after.order.content_hash == snapshot.order.content_hash

    @pytest.mark.parametrize("action", [Action.CUT_OFF_AFTER_ACCEPT, Action.NONSENSE])
    async def test_a_note_whose_answer_was_lost_is_not_written_twice(self, source, sandbox, http, gateway, action):
        snapshot = await self.won(source, http, gateway)
        sandbox.state.faults.add(Fault(target=self.target, action=action))
        with pytest.raises((InDoubt, Unavailable)):
            await source.answer(self.note(snapshot))
        assert (await source.answer(self.note(snapshot))).state is AnswerState.ACCEPTED
        assert len(sandbox.state.log.entries(self.target)) == 1
        assert sandbox.state.faults.unfired() == ()

    @pytest.mark.parametrize(
        "fault",
        [
            {"action": Action.THROTTLE, "retry_after": 7},
            {"action": Action.FAIL},
            {"action": Action.CUT_OFF_BEFORE},
            {"action": Action.NONSENSE},
        ],
    )
    async def test_every_fault_of_theirs_is_waited_out(self, source, sandbox, http, gateway, fault):
        snapshot = await self.won(source, http, gateway)
        for after in range(self.requests):
            sandbox.state.faults.add(Fault(target=self.target, operation=Operation.LOOKUP, after=after, **fault))
            with pytest.raises(Unavailable):
                await source.fetch(snapshot.external_id)
            sandbox.state.faults.clear()
        sandbox.state.faults.add(Fault(target=self.target, operation=Operation.LOOKUP, **fault))
        with pytest.raises(Unavailable):
            await source.look("", NOW)
        sandbox.state.faults.add(Fault(target=self.target, **fault))
        with pytest.raises((Unavailable, InDoubt)):
            await source.answer(self.note(snapshot))
        assert sandbox.state.faults.unfired() == ()

    async def test_no_such_deal_and_no_such_login(self, source, environment, monkeypatch, http, gateway):
        snapshot = await self.won(source, http, gateway)
        (reading,) = await source.fetch(f"{snapshot.external_id[:-4]}9999")
        assert isinstance(reading, Skipped)
        assert await source.check()
        name = next(name for name in environment if name.endswith(self.secret.upper()))
        monkeypatch.setenv(name, "0123456789abcdef-wrong")
        stranger = self.built()
        with pytest.raises(Misconfigured, match=self.secret.upper()):
            await stranger.fetch(snapshot.external_id)
        with pytest.raises(Misconfigured):
            await stranger.check()
        await stranger.aclose()

    async def test_a_forged_webhook_is_none(self, source, http, gateway):
        await self.won(source, http, gateway)
        (one, *_) = gateway.received
        headers = {name: value for name, value in one.headers.items() if "content" in name}
        with pytest.raises(OrderAckError):
            await source.verify(RawRequest(url=one.url, headers=headers, body=one.body))
