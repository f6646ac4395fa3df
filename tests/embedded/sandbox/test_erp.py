"""The ERP look-alike: one document per order, receipts with stock, pushed and asked for."""

import asyncio
import base64
import hashlib
import hmac
from datetime import date
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
import time_machine

import orderack.erps
from orderack.domain.order import Order, Totals
from orderack.domain.receipt import ErpReceipt, StockVerdict
from orderack.embedded.sandbox import Action, Behaviour, Fault, Operation, Sandbox, SkuStock, Target, signatures
from orderack.embedded.sandbox.erp_books import Books
from orderack.embedded.sandbox.stock import Stock

ERP_PROTOCOL = str(Path(orderack.erps.__file__).with_name("http.openapi.yaml"))
ORDER = Order.model_validate(
    {
        "store": "shop",
        "number": "A-1",
        "source": "web",
        "trigger_at": "2026-03-02T09:00:00Z",
        "currency": "EUR",
        "totals": {"total": "30.00"},
        "lines": [
            {"line_id": "1", "sku": "TEA", "quantity": "2", "unit_price": "5.00"},
            {"line_id": "2", "sku": "CUP", "quantity": "4", "unit_price": "5.00"},
        ],
    }
)


class Client:
    """Speaks the protocol of docs/erp-http.md."""

    def __init__(self, http: httpx.AsyncClient, sandbox: Sandbox) -> None:
        self._http = http
        self._auth = {"Authorization": f"Bearer {sandbox.state.credentials.erp_api_key}"}

    async def submit(self, order: Order = ORDER, revision: int = 1) -> httpx.Response:
        headers = self._auth | {"Idempotency-Key": f"{order.ref}/{revision}"}
        body = {"order": order.model_dump(mode="json"), "revision": revision}
        return await self._http.post("/erp/orders", json=body, headers=headers)

    async def find(self, revision: int | None = 1) -> httpx.Response:
        query = {"revision": revision} if revision else {}
        return await self._http.get("/erp/orders/shop/A-1", params=query, headers=self._auth)

    async def post(self, path: str, body: object) -> httpx.Response:
        return await self._http.post(f"/erp{path}", json=body, headers=self._auth)


@pytest.fixture
def described(description):
    return description(ERP_PROTOCOL, "https://erp.example.com", "/erp")


@pytest.fixture
def erp(http, sandbox) -> Client:
    return Client(http, sandbox)


async def test_an_order_is_queued_then_booked_and_its_receipt_pushed_and_found(erp, gateway):
    answer = await erp.submit()
    assert (answer.status_code, answer.json()["status"], answer.json()["receipt"]) == (201, "queued", None)
    (post,) = await gateway.wait_for(1, "/receipts/sandbox")
    receipt = ErpReceipt.model_validate_json(post.body)
    assert receipt.document_id == answer.json()["document_id"]
    assert receipt.answers_for_stock(frozenset({"1", "2"}))
    assert ErpReceipt.model_validate((await erp.find()).json()) == receipt


async def test_with_no_delay_the_answer_itself_carries_the_receipt(erp, sandbox):
    sandbox.state.behaviour = Behaviour(books_after=0)
    answer = (await erp.submit()).json()
    assert (answer["status"], answer["receipt"]["document_id"]) == ("booked", answer["document_id"])


async def test_the_same_submission_twice_is_one_document_and_one_receipt(erp, gateway, sandbox):
    answers = await asyncio.gather(*(erp.submit() for _ in range(4)))
    assert sorted(answer.status_code for answer in answers) == [200, 200, 200, 201]
    assert len({answer.json()["document_id"] for answer in answers}) == 1
    await gateway.wait_for(1)
    await asyncio.sleep(0.1)
    assert len(gateway.received) == 1
    assert [entry.repeated for entry in sandbox.state.log.entries()] == [False, True, True, True]


async def test_another_content_under_the_same_key_is_a_conflict(erp):
    await erp.submit()
    other = ORDER.model_copy(update={"totals": Totals(total=Decimal(99))})
    assert (await erp.submit(other)).status_code == 409


async def test_a_key_that_is_not_the_orders_and_a_body_that_is_no_order_are_refused(http, erp, sandbox):
    headers = {"Authorization": f"Bearer {sandbox.state.credentials.erp_api_key}", "Idempotency-Key": "shop/A-2/1"}
    body = {"order": ORDER.model_dump(mode="json"), "revision": 1}
    assert (await http.post("/erp/orders", json=body, headers=headers)).status_code == 422
    assert (await erp.post("/orders", {"order": {"store": "shop"}})).status_code == 422
    assert (await http.post("/erp/orders", json=body)).status_code == 401


async def test_a_later_revision_amends_the_same_document_and_has_its_own_receipt(erp, gateway):
    first, second = (await erp.submit()).json(), (await erp.submit(revision=2)).json()
    assert first["document_id"] == second["document_id"]
    posts = await gateway.wait_for(2)
    receipts = [ErpReceipt.model_validate_json(post.body) for post in posts]
    assert {receipt.revision for receipt in receipts} == {1, 2}
    assert len({receipt.id for receipt in receipts}) == 2


STOCK = {
    "partial": SkuStock(verdict=StockVerdict.PARTIAL, available=Decimal(3), expected_on=date(2026, 4, 1)),
    "backordered": SkuStock(verdict=StockVerdict.BACKORDERED, expected_on=date(2026, 4, 1)),
    "unavailable": SkuStock(verdict=StockVerdict.UNAVAILABLE),
    "substituted": SkuStock(verdict=StockVerdict.SUBSTITUTED, substitute_sku="MUG"),
}


@pytest.mark.parametrize("verdict", STOCK)
async def test_the_receipt_says_what_the_stock_table_says_of_each_line(erp, gateway, sandbox, verdict):
    sandbox.state.stock.set("CUP", STOCK[verdict])
    await erp.submit()
    tea, cup = ErpReceipt.model_validate_json((await gateway.wait_for(1))[0].body).lines
    assert (tea.verdict, cup.verdict) == (StockVerdict.AVAILABLE, StockVerdict(verdict))
    assert (cup.expected_on, cup.substitute_sku) == (STOCK[verdict].expected_on, STOCK[verdict].substitute_sku)
    assert cup.quantity == (Decimal(3) if verdict == "partial" else None)


async def test_availability_answers_from_the_same_table_and_a_covered_quantity_is_available(erp, sandbox):
    sandbox.state.stock.set("CUP", STOCK["partial"])
    lines = [{"line_id": "1", "sku": "CUP", "quantity": "3"}, {"line_id": "2", "sku": "CUP", "quantity": "4"}]
    answer = (await erp.post("/availability", {"lines": lines})).json()["lines"]
    assert answer == [
        {"line_id": "1", "verdict": "available", "available": "3", "expected_on": None},
        {"line_id": "2", "verdict": "partial", "available": "3", "expected_on": "2026-04-01"},
    ]


async def test_a_receipt_is_pushed_twice_when_told_so_as_the_same_announcement(erp, gateway, sandbox):
    sandbox.state.faults.add(Fault(target=Target.ERP, action=Action.DUPLICATE_WEBHOOK, match="A-1"))
    await erp.submit()
    first, second = await gateway.wait_for(2)
    assert first.body == second.body
    assert first.headers["webhook-id"] == second.headers["webhook-id"]


async def test_an_order_booked_without_a_signal_is_found_when_asked_for(erp, gateway, sandbox):
    sandbox.state.faults.add(Fault(target=Target.ERP, action=Action.NO_WEBHOOK))
    await erp.submit()
    await asyncio.sleep(0.1)
    assert (await erp.find()).status_code == 200
    assert gateway.received == []


async def test_a_lost_order_is_never_booked_though_it_was_accepted(erp, gateway, sandbox):
    sandbox.state.faults.add(Fault(target=Target.ERP, action=Action.LOSE))
    assert (await erp.submit()).json()["status"] == "queued"
    await asyncio.sleep(0.1)
    assert (await erp.find()).status_code == 404
    assert gateway.received == []
    assert len(sandbox.state.log.entries(Target.ERP)) == 1


async def test_a_refused_order_has_no_document_and_is_not_in_the_log(erp, sandbox):
    sandbox.state.faults.add(Fault(target=Target.ERP, action=Action.REFUSE, code="credit limit"))
    answer = (await erp.submit()).json()
    assert answer == {"document_id": None, "status": "refused", "reason": "credit limit"}
    assert sandbox.state.log.entries() == ()


async def test_an_order_from_elsewhere_is_announced_before_we_submit_it(erp, gateway):
    announced = await erp.post("/announce", {"order": ORDER.model_dump(mode="json")})
    receipt = ErpReceipt.model_validate_json((await gateway.wait_for(1))[0].body)
    answer = await erp.submit()
    assert (answer.status_code, answer.json()["status"]) == (200, "booked")
    assert answer.json()["document_id"] == announced.json()["document_id"] == receipt.document_id


async def test_an_order_cancelled_before_it_was_booked_never_is(erp, gateway, sandbox):
    sandbox.state.behaviour = Behaviour(books_after=0.1)
    assert (await erp.post("/orders/shop/A-1/cancellation", {"reason": "buyer"})).status_code == 404
    await erp.submit()
    assert (await erp.post("/orders/shop/A-1/cancellation", {"reason": "buyer"})).status_code == 200
    await asyncio.sleep(0.2)
    assert (await erp.find()).status_code == 404
    assert gateway.received == []
    assert [entry.operation for entry in sandbox.state.log.entries()] == [Operation.SEND, Operation.CANCEL]


def test_an_erp_that_was_started_again_gives_no_document_number_and_no_receipt_id_twice():
    booked = []
    for started in ("2026-03-02T09:00:00Z", "2026-03-02T09:00:01Z"):
        with time_machine.travel(started):
            books = Books(Stock())
        books.open(ORDER, 1)
        booked.append(books.book(ORDER.ref, 1))
    before, after = booked
    assert before.document_id != after.document_id
    assert before.receipt.id != after.receipt.id


async def test_only_the_revision_that_is_asked_for_answers(erp, gateway):
    await erp.submit()
    await erp.submit(revision=2)
    await gateway.wait_for(2)
    assert [(await erp.find(revision)).json()["revision"] for revision in (1, 2)] == [1, 2]
    assert (await erp.find(revision=3)).status_code == 404
    assert (await erp.find(revision=None)).status_code == 422


async def test_every_answer_is_as_the_protocols_description_has_it(erp, sandbox, described):
    sandbox.state.stock.set("CUP", STOCK["partial"])
    sandbox.state.behaviour = Behaviour(books_after=0)
    other = ORDER.model_copy(update={"totals": Totals(total=Decimal(99))})
    for action in (Action.REFUSE, Action.FAIL, Action.THROTTLE):
        sandbox.state.faults.add(Fault(target=Target.ERP, action=action, retry_after=3))
    answers = [await erp.submit() for _ in range(5)]
    answers += [await erp.submit(other), await erp.find(), await erp.find(revision=7)]
    answers += [
        await erp.post("/availability", {"lines": [{"line_id": "1", "sku": "CUP", "quantity": "9"}]}),
        await erp.post("/orders/shop/A-1/cancellation", {"document_id": None, "reason": "buyer"}),
    ]
    assert [answer.status_code for answer in answers] == [200, 503, 429, 201, 200, 409, 200, 404, 200, 200]
    for answer in answers:
        described.check(answer)
        assert described.accepts(answer.request)


async def test_receipts_are_signed_by_standard_webhooks(erp, gateway, sandbox):
    await erp.submit()
    (post,) = await gateway.wait_for(1)
    secret = base64.b64decode(sandbox.state.credentials.erp_webhook_secret.removeprefix("whsec_"))
    signed = f"{post.headers['webhook-id']}.{post.headers['webhook-timestamp']}.".encode() + post.body
    expected = base64.b64encode(hmac.new(secret, signed, hashlib.sha256).digest()).decode()
    assert post.headers["webhook-signature"] == f"v1,{expected}"


def test_the_signature_equals_the_published_example():
    headers = signatures.standard_webhooks(
        "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
        "msg_p5jXN8AQM9LWM0D4loKWxJek",
        1614265330,
        b'{"test": 2432232314}',
    )
    assert headers["webhook-signature"] == "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="


def test_a_partial_sku_needs_a_quantity():
    with pytest.raises(ValueError, match="available"):
        SkuStock(verdict=StockVerdict.PARTIAL)
