"""An order's life in a look-alike's store whose source fetches, looks and answers; configured by the sandbox alone."""

import asyncio
from abc import ABC
from collections.abc import Mapping
from decimal import Decimal
from typing import ClassVar

import pytest

from orderack.domain.order import Order, PaymentStatus
from orderack.domain.source import AnswerKey, AnswerStage, AnswerState
from orderack.embedded.sandbox import Action, Fault, Operation, Target
from orderack.embedded.sandbox.look_alike import ShopDeed
from orderack.errors import BadSignature, InDoubt, Misconfigured, Unavailable
from orderack.ports import Connection, Hint, RawRequest, Skipped, Snapshot, SourceAnswer, Standing
from orderack.registry import SourceSpec, prefix_of
from tests.conformance.source import NOW

ORDER = Order.model_validate(
    {
        "store": "shop",
        "number": "7001",
        "source": "shop",
        "trigger_at": "2026-11-21T09:00:00Z",
        "customer": {"id": "41", "name": "Ada Example"},
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
                "dietary": "no nuts",
            },
            {"line_id": "2", "sku": "CUP", "description": "杯", "quantity": "1", "unit_price": "7.50"},
        ],
        "delivery_address": {"name": "Ada Example", "street": "1 Way", "city": "Köln", "country": "DE"},
        "billing_address": {"name": "Ada Example", "street": "2 Way", "city": "Köln", "country": "DE"},
        "payment": {"status": "pending", "method": "Bank Deposit", "terms": "to be paid by Bank Deposit"},
        "currency": "GBP",
        "totals": {
            "discount": "1.00",
            "tax": "3.90",
            "shipping": "4.90",
            "fees": "2.00",
            "tax_basis": "added",
            "total": "30.30",
        },
        "instructions": "Ring twice",
    }
)
MORE = ORDER.model_copy(
    update={
        "lines": (
            ORDER.lines[0].model_copy(update={"quantity": Decimal(5), "unit_price": Decimal("4.00")}),
            ORDER.lines[1],
        ),
        "totals": ORDER.totals.model_copy(update={"total": Decimal("37.30")}),
    }
)


class StorefrontSuite(ABC):
    """One order's life in a vendor's shop."""

    system: ClassVar[str]
    spec: ClassVar[SourceSpec]
    target: ClassVar[Target]
    secret: ClassVar[str]
    """The settings field by which we are let in."""
    fields: ClassVar[Mapping[str, str]] = {}
    """What the shop's own fields are to us."""

    @pytest.fixture
    def environment(self, sandbox, monkeypatch, tmp_path) -> Mapping[str, str]:
        monkeypatch.chdir(tmp_path)
        found = sandbox.connections([f"shop/{self.system}"])
        for name, value in found.items():
            monkeypatch.setenv(name, value)
        return found

    def built(self):
        connection = Connection(store="shop", system=self.system, source="shop", country="DE", fields=self.fields)
        return self.spec.make(connection, prefix_of("SOURCE", "shop", self.system))

    @pytest.fixture
    async def source(self, environment):
        made = self.built()
        yield made
        await made.aclose()

    async def happen(self, http, deed: ShopDeed, order: Order = ORDER) -> list[str]:
        body = {"source": self.system, "deed": deed, "order": order.model_dump(mode="json")}
        answer = await http.post("/shops", json=body)
        assert answer.status_code == 202, answer.text
        return answer.json()["posted"]

    async def posted(self, source, gateway, count: int) -> list[Snapshot]:
        """What the vendor's webhooks so far come to."""
        found = []
        for one in await gateway.wait_for(count, f"/intake/shop/{self.system}"):
            request = RawRequest(url=one.url, headers=dict(one.headers), body=one.body)
            await source.verify(request)
            for delivery in source.deliveries(request):
                for reading in await source.read(delivery):
                    found += await source.fetch(reading.external_id) if isinstance(reading, Hint) else [reading]
        return [one for one in found if isinstance(one, Snapshot)]

    def same(self, ours: Order, theirs: Order) -> None:
        """Everything of it came back, but for what the vendor has other words for."""
        assert theirs.currency == ours.currency
        assert theirs.totals.total == ours.totals.total
        assert theirs.totals == ours.totals
        assert [(one.sku, one.quantity, one.amount, one.description) for one in theirs.lines] == [
            (one.sku, one.quantity, one.amount, one.description) for one in ours.lines
        ]
        assert "no bag" in (theirs.lines[0].instructions or "")
        assert theirs.lines[0].dietary == "no nuts"
        assert theirs.delivery_address == ours.delivery_address
        assert theirs.billing_address == ours.billing_address
        assert (theirs.contacts.email, theirs.contacts.phone) == (ours.contacts.email, ours.contacts.phone)
        assert theirs.customer.name == ours.customer.name
        assert "Ring twice" in (theirs.instructions or "")
        assert theirs.trigger_at == ours.trigger_at
        assert theirs.payment.status is PaymentStatus.PENDING

    async def test_an_order_goes_round_ours_theirs_ours(self, source, http, gateway):
        posted = await self.happen(http, ShopDeed.PLACE)
        (snapshot,) = await self.posted(source, gateway, len(posted))
        assert snapshot.standing is Standing.OPEN
        self.same(ORDER, snapshot.order)

    async def test_a_change_a_payment_and_a_cancellation_are_told(self, source, http, gateway):
        count = len(await self.happen(http, ShopDeed.PLACE))
        (placed, *_) = await self.posted(source, gateway, count)
        count += len(await self.happen(http, ShopDeed.CHANGE, MORE))
        changed = (await self.posted(source, gateway, count))[-1]
        assert changed.order.totals.total == Decimal("37.30")
        assert changed.order.lines[0].quantity == 5
        assert changed.external_id == placed.external_id
        assert changed.at >= placed.at
        count += len(await self.happen(http, ShopDeed.PAY))
        paid = (await self.posted(source, gateway, count))[-1]
        assert paid.order.payment.status is PaymentStatus.CONFIRMED
        assert paid.order.payment.terms.startswith("prepaid")
        count += len(await self.happen(http, ShopDeed.CANCEL))
        gone = (await self.posted(source, gateway, count))[-1]
        assert gone.standing is Standing.CANCELLED
        assert gone.reason

    async def test_a_look_finds_what_no_webhook_told(self, source, sandbox, http):
        sandbox.state.faults.add(Fault(target=self.target, action=Action.NO_WEBHOOK))
        first = await source.look("", NOW.replace(year=2020))
        assert first.deliveries == ()
        await self.happen(http, ShopDeed.PLACE)
        found = await source.look(first.cursor, NOW)
        (delivery,) = found.deliveries
        again = await source.look(first.cursor, NOW)
        assert [one.id for one in again.deliveries] == [delivery.id]
        (reading,) = await source.read(delivery)
        readings = await source.fetch(reading.external_id) if isinstance(reading, Hint) else [reading]
        self.same(ORDER, readings[0].order)
        await self.happen(http, ShopDeed.PAY)
        after = await source.look(found.cursor, NOW)
        assert [one.id for one in after.deliveries] != [delivery.id]
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
        posted = await self.happen(http, ShopDeed.PLACE)
        (snapshot,) = await self.posted(source, gateway, len(posted))
        first = await source.answer(self.note(snapshot))
        again = await source.answer(self.note(snapshot))
        assert first.state is again.state is AnswerState.ACCEPTED
        assert first.reference == again.reference
        await source.answer(self.note(snapshot, AnswerStage.CANCELLED))
        written = sandbox.state.log.entries(self.target)
        assert len(written) == 2
        (seen, _) = sandbox.state.outbox.find("", self.target)[::-1]
        assert "SO-1" in seen.text
        assert "https://shop.example/o/1" in seen.text
        assert not sandbox.state.outbox.find("ada@example.com")
        (after,) = await source.fetch(snapshot.external_id)
        assert after.order.content_hash == snapshot.order.content_hash

    async def test_a_note_whose_answer_was_lost_is_not_written_twice(self, source, sandbox, http, gateway):
        posted = await self.happen(http, ShopDeed.PLACE)
        (snapshot,) = await self.posted(source, gateway, len(posted))
        for action in (Action.CUT_OFF_AFTER_ACCEPT, Action.NONSENSE):
            note = self.note(snapshot, AnswerStage.RECEIVED if action is Action.NONSENSE else AnswerStage.CONFIRMED)
            sandbox.state.faults.add(Fault(target=self.target, action=action))
            with pytest.raises(InDoubt):
                await source.answer(note)
            assert (await source.answer(note)).state is AnswerState.ACCEPTED
        assert len(sandbox.state.log.entries(self.target)) == 2
        assert sandbox.state.faults.unfired() == ()

    async def test_a_note_that_is_written_five_times_at_once_is_there_once(self, source, sandbox, http, gateway):
        posted = await self.happen(http, ShopDeed.PLACE)
        (snapshot,) = await self.posted(source, gateway, len(posted))
        answers = await asyncio.gather(*(source.answer(self.note(snapshot)) for _ in range(5)))
        assert {one.state for one in answers} == {AnswerState.ACCEPTED}
        assert len(sandbox.state.log.entries(self.target)) == 1

    @pytest.mark.parametrize(
        ("fault", "fates"),
        [
            ({"action": Action.THROTTLE, "retry_after": 7}, (Unavailable,)),
            ({"action": Action.FAIL}, (Unavailable, InDoubt)),
            ({"action": Action.CUT_OFF_BEFORE}, (Unavailable, InDoubt)),
            ({"action": Action.NONSENSE}, (Unavailable, InDoubt)),
        ],
    )
    async def test_every_fault_has_its_fate(self, source, sandbox, http, gateway, fault, fates):
        posted = await self.happen(http, ShopDeed.PLACE)
        (snapshot,) = await self.posted(source, gateway, len(posted))
        sandbox.state.faults.add(Fault(target=self.target, operation=Operation.LOOKUP, **fault))
        with pytest.raises(Unavailable) as caught:
            await source.fetch(snapshot.external_id)
        if "retry_after" in fault:
            assert caught.value.retry_after.total_seconds() == 7
        sandbox.state.faults.add(Fault(target=self.target, operation=Operation.LOOKUP, **fault))
        with pytest.raises(Unavailable):
            await source.look("", NOW)
        sandbox.state.faults.add(Fault(target=self.target, **fault))
        with pytest.raises(fates):
            await source.answer(self.note(snapshot))
        assert sandbox.state.faults.unfired() == ()

    async def test_a_refused_note_is_not_asked_for_again(self, source, sandbox, http, gateway):
        posted = await self.happen(http, ShopDeed.PLACE)
        (snapshot,) = await self.posted(source, gateway, len(posted))
        sandbox.state.faults.add(Fault(target=self.target, action=Action.REFUSE))
        assert (await source.answer(self.note(snapshot))).state is AnswerState.REFUSED

    async def test_no_such_order_and_no_such_login(self, source, environment, monkeypatch, http):
        (reading,) = await source.fetch("999999")
        assert isinstance(reading, Skipped)
        assert "can be read" in await source.check()
        name = next(name for name in environment if name.endswith(self.secret.upper()))
        monkeypatch.setenv(name, "0123456789abcdef-wrong")
        stranger = self.built()
        with pytest.raises(Misconfigured, match=self.secret.upper()):
            await stranger.fetch("1")
        with pytest.raises(Misconfigured):
            await stranger.check()
        await stranger.aclose()

    async def test_a_forged_webhook_is_none(self, source, http, gateway):
        posted = await self.happen(http, ShopDeed.PLACE)
        if not posted:
            return
        (one, *_) = await gateway.wait_for(len(posted), f"/intake/shop/{self.system}")
        request = RawRequest(url=one.url, headers=dict(one.headers), body=one.body + b" ")
        with pytest.raises(BadSignature):
            await source.verify(request)
