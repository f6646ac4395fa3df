"""A trading partner in the sandbox: the source, set up by its settings alone, reads what it sends and is answered."""

from datetime import date
from decimal import Decimal

import httpx
import pytest

from orderack.domain.response import LineAnswer, Outcome
from orderack.domain.source import AnswerKey, AnswerStage, AnswerState
from orderack.embedded.sandbox import Action, Fault, Sandbox, Target
from orderack.embedded.sandbox.look_alike import ShopDeed
from orderack.embedded.sandbox.vendors._x12 import Read, Wrong
from orderack.embedded.sandbox.vendors.edi import PARTNER, PROFILE
from orderack.errors import Misconfigured, Refused, Unavailable
from orderack.ports import Connection, RawRequest, Skipped, Snapshot, SourceAnswer, Standing
from orderack.sources.edi_x12 import EdiX12, EdiX12Settings
from tests.conformance.source import NOW
from tests.embedded.sandbox.shop_suite import ORDER, PLACE
from tests.sources.edi_partner import Notebook


class Store:
    """Our side, with a record of its own."""

    def __init__(self, sandbox: Sandbox, gateway) -> None:
        self.vendor = next(one for one in sandbox.vendors if one.target is Target.EDI)
        self.sandbox, self.gateway = sandbox, gateway
        connection = Connection(
            store="shop", system="edi_x12", source="shop", country="DE", partners={PARTNER: PROFILE}
        )
        settings = EdiX12Settings.model_validate(dict(self.vendor.connection(f"{sandbox.url}/edi")))
        self.source, self.book = EdiX12(connection, settings, ""), Notebook()
        self.source.recall(self.book)

    async def happens(self, deed: ShopDeed, order=ORDER) -> list:
        before = len(self.gateway.received)
        webhooks = self.vendor.shop(deed, order)
        for webhook in webhooks:
            self.sandbox.state.announce(webhook, self.sandbox.state.faults.take(Target.EDI, "send", ""))
        return await self.read(before, len(webhooks))

    async def read(self, before: int, count: int) -> list:
        found = []
        for posted in (await self.gateway.wait_for(before + count, "/intake/shop/edi_x12"))[before:]:
            request = RawRequest(url=posted.url, headers=dict(posted.headers), body=posted.body)
            await self.source.verify(request)
            for delivery in self.source.deliveries(request):
                self.book.record(delivery)
                (reading,) = await self.source.read(delivery)
                if delivery.topic != "interchange":
                    found.append(reading)
                if isinstance(reading, Snapshot):
                    self.book.take(reading)
        return found

    async def answer(self, order, lines, revision=1):
        key = AnswerKey(ref=order.ref, revision=revision, stage=AnswerStage.CONFIRMED)
        said = SourceAnswer(
            key=key, order=order, external_id=f"{PARTNER}/{order.number}", lines=lines, document_id="SO-1",
            promise_on=date(2026, 12, 1), now=NOW,
        )  # fmt: skip
        return await self.source.answer(said)


@pytest.fixture
async def store(sandbox, gateway):
    made = Store(sandbox, gateway)
    yield made
    await made.source.aclose()


SAID = (
    LineAnswer(line_id="11", outcome=Outcome.BACKORDER, accepted=Decimal(1), backordered=Decimal(1)),
    LineAnswer(line_id="12", outcome=Outcome.ACCEPT, accepted=Decimal(1)),
)


async def test_an_order_survives_the_way_there_and_back(store):
    (snapshot,) = await store.happens(ShopDeed.PLACE)
    order = snapshot.order
    place = PLACE.model_copy(update={"company": PLACE.name, "name": None})  # N1 alone is a company's name
    assert (order.delivery_address, order.billing_address) == (place, place)
    for name in ("number", "contacts", "delivery_window", "currency"):
        assert getattr(order, name) == getattr(ORDER, name), name
    assert order.customer.name == ORDER.customer.name
    assert order.totals == ORDER.totals
    assert "Ring twice, please." in order.instructions
    kept = ("line_id", "sku", "description", "quantity", "unit_price")
    assert [[getattr(line, name) for name in kept] for line in order.lines] == [
        [getattr(line, name) for name in kept] for line in ORDER.lines
    ]
    assert "Gift wrap: blue" in order.lines[0].instructions


async def test_it_is_changed_and_cancelled_there(store):
    await store.happens(ShopDeed.PLACE)
    fewer = ORDER.model_copy(
        update={
            "lines": (ORDER.lines[0].model_copy(update={"quantity": Decimal(5)}),),
            "totals": ORDER.totals.model_copy(update={"total": Decimal("136.40")}),
        }
    )
    (changed,) = await store.happens(ShopDeed.CHANGE, fewer)
    assert [(line.line_id, line.quantity) for line in changed.order.lines] == [("11", 5)]
    assert changed.order.totals.total == Decimal("136.40")
    assert await store.happens(ShopDeed.PAY, fewer) == []
    (gone,) = await store.happens(ShopDeed.CANCEL, fewer)
    assert gone.standing is Standing.CANCELLED
    with pytest.raises(KeyError):
        store.vendor.shop(ShopDeed.CANCEL, ORDER.model_copy(update={"number": "none"}))


async def test_the_answer_is_taken_once_and_acknowledged(store):
    (snapshot,) = await store.happens(ShopDeed.PLACE)
    before = len(store.gateway.received)
    for _ in range(2):
        answered = await store.answer(snapshot.order, SAID)
        assert answered.state is AnswerState.ACCEPTED
    first, again = store.sandbox.state.log.entries(Target.EDI)
    assert (first.provider_id, first.key, first.repeated) == (answered.reference, "855/1001", False)
    assert (again.provider_id, again.repeated) == (answered.reference, True)
    (reading,) = await store.read(before, 1)
    assert isinstance(reading, Skipped)
    assert reading.why.startswith("855 ")
    (posted,) = store.sandbox.state.outbox.find("855", Target.EDI)
    assert "ACK*IB*1*EA" in posted.text


async def test_a_changed_order_is_answered_with_an_865(store):
    await store.happens(ShopDeed.PLACE)
    more = ORDER.model_copy(update={"lines": (ORDER.lines[0].model_copy(update={"quantity": Decimal(3)}),)})
    (snapshot,) = await store.happens(ShopDeed.CHANGE, more)
    line = LineAnswer(line_id="11", outcome=Outcome.ACCEPT, accepted=Decimal(3))
    await store.answer(snapshot.order, (line,), revision=2)
    (entry,) = store.sandbox.state.log.entries(Target.EDI)
    assert entry.key == "865/1001"


@pytest.mark.parametrize(
    ("fault", "fate"),
    [
        ({"action": Action.THROTTLE, "retry_after": 7}, Unavailable),
        ({"action": Action.FAIL}, Unavailable),
        ({"action": Action.CUT_OFF_BEFORE}, Unavailable),
        ({"action": Action.CUT_OFF_AFTER_ACCEPT}, Unavailable),
        ({"action": Action.REFUSE, "code": "mailbox full"}, Refused),
    ],
)
async def test_every_fault_has_its_fate_and_the_next_try_is_the_same_interchange(store, fault, fate):
    (snapshot,) = await store.happens(ShopDeed.PLACE)
    store.sandbox.state.faults.add(Fault(target=Target.EDI, **fault))
    with pytest.raises(fate):
        await store.answer(snapshot.order, SAID)
    assert not store.sandbox.state.faults.unfired()
    await store.answer(snapshot.order, SAID)
    entries = store.sandbox.state.log.entries(Target.EDI)
    assert sum(not entry.repeated for entry in entries) == 1
    assert len({entry.provider_id for entry in entries}) == 1


async def test_the_partner_takes_nothing_that_is_not_proved_or_not_whole(store, http: httpx.AsyncClient):
    assert (await http.post(f"/edi/{PARTNER}", content=b"ISA")).status_code == 401
    token = store.vendor.connection("x")["outbound_secret"]
    answer = await http.post(f"/edi/{PARTNER}", content=b"ISA*00", headers={"Authorization": f"Bearer {token}"})
    assert answer.status_code == 422
    stranger = EdiX12Settings.model_validate(
        {**store.vendor.connection(f"{store.sandbox.url}/edi"), "outbound_secret": "another token altogether"}
    )
    other = EdiX12(store.source.connection, stranger, "")
    other.recall(store.book)
    store.source, mine = other, store.source
    await mine.aclose()
    (snapshot,) = await store.happens(ShopDeed.PLACE)
    with pytest.raises(Misconfigured):
        await store.answer(snapshot.order, SAID)


async def test_the_partners_software_rejects_quantities_that_are_not_the_order(store):
    (snapshot,) = await store.happens(ShopDeed.PLACE)
    await store.answer(snapshot.order, SAID)
    (posted,) = store.sandbox.state.outbox.find("855", Target.EDI)
    for old, new in (("ACK*IB*1*", "ACK*IB*2*"), ("PO1*12*", "PO1*11*"), ("CTT*2", "CTT*3"), ("SE*10*", "SE*9*")):
        assert old in posted.text
        with pytest.raises(Wrong):
            Read(posted.text.replace(old, new)).check_answer(ORDER.lines)
