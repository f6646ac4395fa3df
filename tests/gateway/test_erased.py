"""After an order's personal data is erased, every door still answers: calmly, and with nothing that is gone."""

from datetime import timedelta

import httpx
import pytest

from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.gateway.announce import announce_stragglers
from orderack.ports import ChannelEvent
from orderack.temporal.orders import Told
from tests.gateway.conftest import ERP_KEY, KEY, PUBLIC, Gateway
from tests.gateway.fakes import signed
from tests.gateway.page_world import Buyer, a_buyer, words
from tests.temporal.server import now
from tests.workflows.orders import a_receipt


@pytest.fixture
async def buyer(gateway: Gateway) -> Buyer:
    """A buyer who confirmed, asked, and was heard; the order has closed, and Temporal no longer keeps it."""
    buyer = await a_buyer(gateway)
    await buyer.sends("affirm")
    await buyer.sends("question", text="Where is it, for Ada?")
    await _webhook(gateway, buyer, "e1")
    await _receipt(gateway, buyer)
    await _intake(gateway, buyer)
    gateway.orders.standing.clear()
    gateway.orders.told = Told.LATE
    return buyer


async def _erase(buyer: Buyer, ago: timedelta = timedelta(0)) -> None:
    at = buyer.gateway.clock() - ago
    done = await buyer.gateway.ledger.erase(buyer.order.ref, "grace", "asked by the buyer", at)
    assert done
    assert done.rows > 3
    buyer.gateway.clock.ahead = timedelta(minutes=5)


async def _webhook(
    gateway: Gateway, buyer: Buyer, id_: str, event: EvidenceEvent = EvidenceEvent.DELIVERED, **more: str
) -> httpx.Response:
    key = f"{buyer.order.ref}/1/confirmation/1/email"
    told = ChannelEvent(
        id=id_, event=event, grade=Grade.E2, key=key, occurred_at=now(), basis="email:word", raw="to ada@example.com"
    ).model_copy(update=more)
    body = b"[" + told.model_dump_json().encode() + b"]"
    return await gateway.http.post("/webhooks/email", content=body, headers=signed(body, f"{PUBLIC}/webhooks/email"))


async def _receipt(gateway: Gateway, buyer: Buyer) -> httpx.Response:
    body = a_receipt(buyer.order, buyer.order.trigger_at).model_dump_json()
    return await gateway.http.post("/receipts/sandbox", content=body, headers={"authorization": f"Bearer {ERP_KEY}"})


async def _intake(gateway: Gateway, buyer: Buyer) -> httpx.Response:
    body = buyer.order.model_dump_json()
    headers = {"authorization": f"Bearer {KEY}", "content-type": "application/json"}
    return await gateway.http.post("/intake/demo", content=body, headers=headers)


async def test_a_link_from_before_leads_to_the_calm_page_that_says_it_is_gone(buyer: Buyer) -> None:
    before = buyer.token
    assert (await buyer.gateway.http.get(f"/o/{before}")).status_code == 200
    await _erase(buyer)
    shown = await buyer.gateway.http.get(f"/o/{before}")
    assert shown.status_code == 404
    assert "Ada" not in shown.text
    for action in ("affirm", "answer", "question", "change", "cancel"):
        sent = await buyer.gateway.http.post(f"/o/{before}/{action}", data={"revision": "1", "form": "f"})
        assert sent.status_code == 404


async def test_a_link_made_afterwards_shows_what_remains_and_takes_nothing(buyer: Buyer) -> None:
    await _erase(buyer, ago=timedelta(minutes=1))
    shown = await buyer.opens()
    assert shown.status_code == 200
    page = words(shown)
    assert buyer.order.number in page
    assert "Text confirmation" not in page
    assert "for Ada" not in page
    assert (await buyer.sends("affirm")).status_code == 409


async def test_late_reports_are_taken_and_leave_no_words_behind(buyer: Buyer) -> None:
    await _erase(buyer)
    assert (await _webhook(buyer.gateway, buyer, "e1")).status_code == 200
    late = await _webhook(buyer.gateway, buyer, "e2", EvidenceEvent.DISPLAYED)
    assert late.status_code == 200
    records = await buyer.gateway.ledger.evidence_records(buyer.order.ref)
    assert [record.raw for record in records] == [None] * len(records)
    assert records[-1].fact.id == "e2"
    assert await buyer.gateway.ledger.verify_chain(buyer.order.ref) == []
    again = await buyer.gateway.ledger.receive("webhooks/email", "e2", "channel_event", None, "other", now())
    assert (again.body, again.announced_at is None) == ("", False)


async def test_a_late_repeat_of_a_receipt_and_of_the_order_is_still_a_repeat(buyer: Buyer) -> None:
    await _erase(buyer)
    repeated = await _receipt(buyer.gateway, buyer)
    assert (repeated.status_code, repeated.json()["receipts"][0]["outcome"]) == (202, "repeated")
    handed_in = await _intake(buyer.gateway, buyer)
    assert handed_in.status_code == 202
    assert await announce_stragglers(buyer.gateway.parts) == 0
    row = await buyer.gateway.ledger.receive(
        "intake/demo", f"{buyer.order.number}:{buyer.order.content_hash}", "order", buyer.order.ref, "other", now()
    )
    assert row.body == ""


async def test_what_the_buyer_asked_and_nobody_could_be_told_is_not_told_without_its_words(buyer: Buyer) -> None:
    gateway = buyer.gateway
    body = '{"to":"ada@example.com"}'
    await gateway.ledger.receive("page", "later", "buyer_request", buyer.order.ref, body, gateway.clock())
    await _erase(buyer)
    gateway.clock.ahead = timedelta(hours=1)
    assert await gateway.inbox() == []
    assert await announce_stragglers(gateway.parts) == 0


async def test_a_shop_that_asks_for_the_order_is_told_that_there_is_none(buyer: Buyer) -> None:
    await _erase(buyer)
    asked = await buyer.gateway.http.get(f"/orders/{buyer.order.ref}", headers={"authorization": f"Bearer {KEY}"})
    assert asked.status_code == 404
    assert "Ada" not in asked.text
