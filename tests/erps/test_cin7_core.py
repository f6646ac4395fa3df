"""Cin7 Core against the ERPs' conformance suite and the samples in its own description."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import JsonValue

from orderack.domain.order import Order, OrderRef, Totals
from orderack.domain.receipt import StockVerdict
from orderack.erps._cin7_core_sale import House, external_id
from orderack.erps._marks import Mark
from orderack.erps.cin7_core import Cin7CoreErp, Cin7CoreSettings
from orderack.errors import BadSignature, InDoubt, InvalidInput, OrderAckError, Refused, Unavailable
from orderack.ports import Booking, RawRequest, Stock
from tests.conformance.erp import LINES, NOW, REF, ErpConformance, an_order
from tests.conformance.peer import Answer, Received, json_answer
from tests.erps.test_netsuite import whole

SPEC = Path(__file__).resolve().parents[2].parent / "shared" / "specs" / "commerce" / "cin7"
OWN = {
    "account_id": "11111111-aaaa",
    "application_key": "22222222-bbbb",
    "customer": "Web shop",
    "tax_rule": "Tax on Sales",
}
PREFIX = "ORDERACK_ERP_CIN7_CORE_"
WEBHOOK_SECRET = "a-secret-in-a-header"
ID = "916ab4c0-6ccb-4c93-873d-0603859050e4"
REASON = "ada@example.com is over her credit limit"
HOUSE = House("Tax on Sales", None, {"discount": "Discount", "shipping": "Shipping"}, "AUTHORISED")


def problem(status: int, text: str, headers: Mapping[str, str] | None = None) -> Answer:
    return json_answer(status, [{"ErrorCode": status, "Exception": text}], headers)


def row(ref: OrderRef = REF, sale: str = ID, **said: JsonValue) -> JsonValue:
    return {"SaleID": sale, "ExternalID": external_id(ref), "OrderStatus": "AUTHORISED", "Status": "ORDERED", **said}


def listed(*rows: JsonValue) -> Answer:
    return json_answer(200, {"SaleList": list(rows), "Total": len(rows), "Page": 1})


def line(line_id: str, sku: str, quantity: int, back_ordered: int = 0, shown: str = "") -> JsonValue:
    mark = json.dumps([line_id, sku, str(quantity)])
    said = {"SKU": shown or sku, "Quantity": quantity, "BackorderQuantity": back_ordered}
    return said | {"Comment": f"ring twice [orderack {mark}]"}


def sale(
    status: str = "AUTHORISED",
    revision: int = 1,
    ref: OrderRef = REF,
    lines: Sequence[JsonValue] = (),
    **said: JsonValue,
) -> Answer:
    """GET /sale of REF: line 1 at hand, line 2 in part."""
    mark = Mark(store=ref.store, number=ref.number, revision=revision, lines=2)
    shown = list(lines) or [line("1", "KETTLE", 1), line("2", "CUP", 5, 3)]
    order: JsonValue = {
        "SaleOrderNumber": "SO-100001",
        "Status": status,
        "Memo": f"by bicycle\n[orderack {mark.model_dump_json()}]",
        "Lines": shown,
    }
    body: dict[str, JsonValue] = {
        "ID": ID,
        "Status": "BACKORDERED",
        "ExternalID": external_id(ref),
        "CustomerCurrency": "EUR",
        "CombinedInvoiceStatus": "NOT INVOICED",
        "CombinedShippingStatus": "NOT SHIPPED",
        "LastModifiedOn": "2026-11-21T09:30:00.123",
        "Order": order,
    }
    return json_answer(200, body | said)


class Watched(Cin7CoreErp):
    """Says whether a look belongs to a submission."""

    submitting = False

    async def submit(self, order: Order, revision: int) -> Booking:
        self.submitting = True
        try:
            return await super().submit(order, revision)
        finally:
            self.submitting = False


class TestCin7CoreErp(ErpConformance):
    name = "cin7_core"
    secrets = (OWN["account_id"], OWN["application_key"], WEBHOOK_SECRET)
    required = tuple(f"{PREFIX}{field.upper()}" for field in OWN)
    repeatable = False

    queued = json_answer(
        200, {"ID": ID, "ExternalID": "shop/A-1001", "LastModifiedOn": "2026-11-21T09:30:00", "Order": {}}
    )
    booked = queued
    found = sale()
    not_found = listed()
    cancelled = json_answer(200, {})
    stock = json_answer(200, {"ProductAvailabilityList": []})
    refusals = (
        problem(400, REASON),
        json_answer(400, {"ErrorCode": 400, "Exception": REASON}),
        problem(409, REASON),
        problem(500, f"Error parsing the request: {REASON}"),
        problem(500, f"Could not convert string to DateTime; {REASON}"),
    )
    ours_to_mend = (
        problem(403, "Incorrect credentials!"),
        Answer(401),
        Answer(404, b"<html>"),
        Answer(405),
        Answer(302),
    )
    locked = (problem(503, "You reached 60 calls per minute API limit", {"Retry-After": "5"}),)
    malformed: ClassVar[Mapping[bytes, str]] = {
        b"": "body",
        b"[]": "body",
        b"Analytical": "body",
        b"\xff": "body",
        b"[" * 5_000: "body",
    }
    watched: Watched
    list_answer: Answer = listed()
    asides: ClassVar[Mapping[str, Answer]] = {}

    def make(self, base_url: str) -> Cin7CoreErp:
        values = {**OWN, "webhook_secret": WEBHOOK_SECRET, "base_url": base_url}
        self.watched = Watched(self.name, Cin7CoreSettings.model_validate(values), clock=lambda: NOW)
        return self.watched

    def aside(self, request: Received) -> Answer | None:
        path = urlsplit(request.target).path
        if path == "/saleList":
            # a look of its own is what the test is about; one before a write, or before reading a known sale, is not
            looking = not self.watched.submitting and not self.listing
            return None if looking else self.list_answer
        if path == "/ref/productavailability" and not self.asking_stock:
            return json_answer(200, {"ProductAvailabilityList": []})
        return None

    listing = False
    asking_stock = False

    def receipt(self) -> Mapping[str, object]:
        return {"SaleID": ID, "EventType": "Sale/OrderAuthorised"}

    def pushed(self, receipts: Sequence[Mapping[str, object]] | bytes, at: datetime = NOW) -> RawRequest:
        body = receipts if isinstance(receipts, bytes) else json.dumps(receipts[0]).encode()
        return RawRequest(
            url="https://acks.example.com/receipts/cin7_core", headers={"x-orderack-secret": WEBHOOK_SECRET}, body=body
        )

    def known(self) -> None:
        """The list shows REF's sale, aside."""
        self.listing = True
        self.list_answer = listed(row())

    async def test_a_submission_that_is_taken_gives_the_document_and_no_receipt_yet(self) -> None:
        async with self.system(self.queued, json_answer(200, {}), sale("DRAFT")) as (peer, erp):
            booking = await erp.submit(an_order(), 1)
            assert (booking.document_id, booking.receipt) == ("SO-100001", None)
            assert "draft" in booking.waits
            assert [(r.method, urlsplit(r.target).path) for r in peer.received] == [
                ("POST", "/sale"),
                ("POST", "/sale/order"),
                ("GET", "/sale"),
            ]

    async def test_a_submission_that_is_booked_at_once_gives_the_receipt(self) -> None:
        async with self.system(self.queued, json_answer(200, {}), self.found) as (_, erp):
            booking = await erp.submit(an_order(), 1)
            assert booking.document_id == "SO-100001"
            self.the_receipt(booking.receipt)

    async def test_submitting_twice_is_the_same_request_byte_for_byte(self) -> None:
        """Twice on workers that know nothing of each other, and nothing came of the first."""
        bodies = []
        for revision in (1, 1, 2):
            async with self.system(self.queued, json_answer(200, {}), sale(revision=revision)) as (peer, erp):
                await erp.submit(an_order(), revision)
                bodies.append([request.body for request in peer.received])
        assert bodies[0] == bodies[1]
        assert bodies[0] != bodies[2]

    async def test_a_receipt_is_found_once_it_is_booked(self) -> None:
        self.known()
        await super().test_a_receipt_is_found_once_it_is_booked()

    async def test_the_receipt_of_another_revision_is_not_this_ones(self) -> None:
        self.known()
        await super().test_the_receipt_of_another_revision_is_not_this_ones()

    async def test_an_answer_about_another_order_is_not_believed(self) -> None:
        self.known()
        async with self.system(sale(ref=OrderRef(store="shop", number="B-2"))) as (_, erp):
            with pytest.raises(Unavailable):
                await erp.find(REF, 1)
        async with self.system(listed(row(OrderRef(store="shop", number="B-2")))) as (_, erp):
            self.listing = False
            assert await erp.find(REF, 1) is None

    async def test_cancelling_says_whether_the_erp_knew_the_order(self) -> None:
        async with self.system(listed(row()), self.found, self.cancelled) as (peer, erp):
            assert await erp.cancel(REF, "SO-100001", "the buyer asked") is True
            void = peer.received[-1]
            assert (void.method, parse_qs(urlsplit(void.target).query)) == ("DELETE", {"ID": [ID], "Void": ["true"]})
        async with self.system(self.not_found) as (_, erp):
            assert await erp.cancel(REF, None, "the buyer asked") is False

    async def test_live_stock_answers_the_lines_that_were_asked(self) -> None:
        self.asking_stock = True

        def free(*rows: tuple[str, float, float]) -> Answer:
            found: list[JsonValue] = [
                {"SKU": sku, "Location": "Main", "Available": available, "OnOrder": bought}
                for sku, available, bought in rows
            ]
            return json_answer(200, {"ProductAvailabilityList": found})

        kettle = free(("KETTLE", 3, 0), ("KETTLE", 4, 0), ("KETTLE RED", 9, 0))
        async with self.system(kettle, free(("CUP", 0, 5))) as (peer, erp):
            assert list(await erp.availability(LINES)) == [
                Stock(line_id="1", verdict=StockVerdict.AVAILABLE, available=Decimal(7)),
                Stock(line_id="2", verdict=StockVerdict.BACKORDERED),
            ]
            assert [parse_qs(urlsplit(r.target).query)["Sku"] for r in peer.received] == [["KETTLE"], ["CUP"]]
        async with self.system(free()) as (_, erp):
            assert list(await erp.availability(LINES)) == []

    async def test_more_skus_than_the_minute_has_calls_for_are_not_asked_about(self) -> None:
        self.asking_stock = True
        lines = [LINES[0].model_copy(update={"line_id": str(n), "sku": f"SKU-{n}"}) for n in range(40)]
        async with self.system(self.stock) as (peer, erp):
            await erp.availability(lines)
            assert len(peer.received) == 20

    async def test_a_200_that_says_nothing_is_no_booking_and_no_receipt(self) -> None:  # type: ignore[override]
        for body in (b"", b"<html>It works!</html>", b"[]", b"{}", b"\xff\xfe"):
            assert type(await self.failure(Answer(200, body))) is InDoubt
            self.asking_stock = True
            async with self.system(Answer(200, body)) as (_, erp):
                with pytest.raises(Unavailable):
                    await erp.find(REF, 1)
                with pytest.raises(OrderAckError):
                    await erp.availability(LINES)

    @pytest.mark.parametrize("number", ["A/1", "../../admin", "..", "A?b=c#d", "Ä 1%2F", "1/cancellation", "a\r\nX: y"])
    async def test_no_order_number_can_forge_anothers_path_or_a_header(self, number: str) -> None:
        ref = OrderRef(store="shop", number=number)
        async with self.system(self.not_found, self.not_found) as (peer, erp):
            assert await erp.find(ref, 1) is None
            assert await erp.cancel(ref, None, "") is False
            for request in peer.received:
                parts = urlsplit(request.target)
                assert parts.path == "/saleList"
                assert parse_qs(parts.query) == {"ExternalID": [external_id(ref)], "Limit": ["100"]}
                assert "x" not in request.headers

    async def test_a_pushed_receipt_is_read_and_the_same_one_twice_has_one_id(self) -> None:
        """None is in it: a webhook names the sale alone, so there is nothing to be double."""
        async with self.erp() as erp:
            request = self.pushed([self.receipt()])
            erp.verify(request)
            assert erp.receipts(request) == erp.receipts(request) == ()

    async def test_several_receipts_come_in_one_request(self) -> None:
        async with self.erp() as erp:
            with pytest.raises(InvalidInput):
                erp.receipts(self.pushed(b'[{"SaleID": "1"}, {"SaleID": "2"}]'))

    async def test_one_changed_byte_breaks_the_signature(self) -> None:
        """There is none over the body: the secret is what is changed."""
        async with self.erp() as erp:
            request = self.pushed([self.receipt()])
            for wrong in (WEBHOOK_SECRET[:-1], WEBHOOK_SECRET + "x", WEBHOOK_SECRET.upper(), "", "é" * 20):
                with pytest.raises(BadSignature):
                    erp.verify(request.model_copy(update={"headers": {"x-orderack-secret": wrong}}))

    async def test_a_truncated_missing_or_garbled_signature_is_refused(self) -> None:
        async with self.erp() as erp:
            with pytest.raises(BadSignature):
                erp.verify(self.pushed([self.receipt()]).model_copy(update={"headers": {}}))
        bare = Cin7CoreErp("cin7_core", Cin7CoreSettings.model_validate(OWN), clock=lambda: NOW)
        with pytest.raises(BadSignature):
            bare.verify(self.pushed([self.receipt()]))
        await bare.aclose()

    async def test_an_old_or_early_signature_is_refused(self) -> None:
        """A webhook carries no time; but neither does it carry a receipt, so a replayed one does nothing."""
        async with self.erp() as erp:
            assert erp.receipts(self.pushed([self.receipt()])) == ()

    @pytest.mark.parametrize("status", [408, 500, 502, 504])
    async def test_a_breakdown_is_what_its_key_allows(self, status: int) -> None:
        assert type(await self.failure(Answer(status, b"{}"))) is InDoubt

    async def test_a_503_is_the_limit_and_nothing_was_done(self) -> None:
        error = await self.failure(Answer(503, b"{}"))
        assert isinstance(error, Unavailable)
        assert error.retry_after is not None
        assert error.retry_after.total_seconds() == 20

    @pytest.mark.parametrize("standing", [{"CombinedInvoiceStatus": "INVOICED"}, {"CombinedShippingStatus": "SHIPPED"}])
    async def test_what_was_invoiced_or_shipped_is_not_voided(self, standing: Mapping[str, JsonValue]) -> None:
        async with self.system(listed(row()), sale(**standing)) as (peer, erp):
            with pytest.raises(Refused, match="too late"):
                await erp.cancel(REF, "SO-100001", "")
            assert {request.method for request in peer.received} == {"GET"}

    @pytest.mark.parametrize(
        "standing",
        [
            {"CombinedInvoiceStatus": "PARTIALLY INVOICED"},
            {"CombinedShippingStatus": "SHIPPING"},
            {"CombinedPickingStatus": "PICKED"},
            {"CombinedPackingStatus": "PACKING"},
        ],
    )
    async def test_what_somebody_has_in_hand_is_not_undone_by_a_change(self, standing: Mapping[str, JsonValue]) -> None:
        self.list_answer = listed(row())
        async with self.system(sale(**standing)) as (peer, erp):  # type: ignore[arg-type]
            with pytest.raises(Refused, match="too late"):
                await erp.submit(an_order(), 2)
            assert {request.method for request in peer.received} == {"GET"}

    async def test_an_order_that_is_refused_because_we_have_just_written_it_is_gone_on_with(self) -> None:
        async with self.system(self.queued, problem(400, "Order status must be DRAFT"), self.found) as (_, erp):
            self.the_receipt((await erp.submit(an_order(), 1)).receipt)
        async with self.system(self.queued, problem(400, "Order status must be DRAFT"), sale(revision=1)) as (_, erp):
            with pytest.raises(Refused, match="must be DRAFT"):
                await erp.submit(an_order(), 2)

    async def test_what_is_empty_may_be_null_or_absent(self) -> None:
        self.list_answer = listed(row())
        for order in (None, {}, {"Lines": None, "Status": None, "Memo": None, "SaleOrderNumber": None}):
            async with self.system(sale(Order=order), json_answer(200, {}), json_answer(200, {}), self.found) as (
                _,
                erp,
            ):
                self.the_receipt((await erp.submit(an_order(), 1)).receipt)

    async def test_an_order_that_somebody_else_wrote_into_the_sale_is_left_alone(self) -> None:
        foreign: JsonValue = {"SaleOrderNumber": "SO-1", "Status": "AUTHORISED", "Memo": "mine", "Lines": []}
        self.list_answer = listed(row())
        async with self.system(sale(Order=foreign)) as (peer, erp):
            with pytest.raises(Refused, match="somebody else"):
                await erp.submit(an_order(), 1)
            assert {request.method for request in peer.received} == {"GET"}

    VERDICTS: ClassVar[Mapping[str, tuple[JsonValue, StockVerdict]]] = {
        "at hand": (line("2", "CUP", 5), StockVerdict.AVAILABLE),
        "in part": (line("2", "CUP", 5, 2), StockVerdict.PARTIAL),
        "none and nothing bought": (line("2", "CUP", 5, 5), StockVerdict.UNAVAILABLE),
        "another sku": (line("2", "CUP", 5, 0, "MUG"), StockVerdict.SUBSTITUTED),
    }

    @pytest.mark.parametrize("case", VERDICTS)
    async def test_what_a_line_says_is_what_the_buyer_hears(self, case: str) -> None:
        said, expected = self.VERDICTS[case]
        self.known()
        async with self.system(sale(lines=[line("1", "KETTLE", 1), said])) as (_, erp):
            receipt = await erp.find(REF, 1)
            assert receipt is not None
            assert receipt.lines[1].verdict is expected

    async def test_a_sale_that_lost_one_of_our_lines_is_no_receipt(self) -> None:
        self.known()
        async with self.system(sale(lines=[line("1", "KETTLE", 1)])) as (_, erp):
            assert await erp.find(REF, 1) is None

    async def test_a_company_is_found_by_its_exact_name_and_people_never_are(self) -> None:
        def customers(*names: str) -> Answer:
            return json_answer(200, {"CustomerList": [{"ID": f"id-{name}", "Name": name} for name in names]})

        async with self.system(customers("Example Ltd", "Example Ltd (old)"), self.queued, self.queued, sale()) as (
            peer,
            erp,
        ):
            order = whole().model_copy(update={"totals": Totals(total=Decimal("37.50"))})
            await erp.submit(order, 1)
            assert json.loads(peer.received[1].body)["CustomerID"] == "id-Example Ltd"
        async with self.system(customers("Example Ltd", "Example Ltd"), self.queued, self.queued, sale()) as (
            peer,
            erp,
        ):
            await erp.submit(order, 1)
            assert json.loads(peer.received[1].body)["Customer"] == "Web shop"
        async with self.system(self.queued, self.queued, sale()) as (peer, erp):
            await erp.submit(an_order(), 1)
            assert len(peer.received) == 3
