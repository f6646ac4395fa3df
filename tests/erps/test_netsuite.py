"""NetSuite against the ERPs' conformance suite, the REST API Browser's field names and RFC 5849's own example."""

import base64
import hmac
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import ClassVar
from urllib.parse import parse_qs, unquote, urlsplit

import jsonschema
import pytest
from pydantic import JsonValue

from orderack.clients import oauth1
from orderack.domain.order import Address, DeliveryWindow, Line, Order, OrderRef, Totals
from orderack.domain.receipt import ErpReceipt, StockVerdict
from orderack.erps._marks import Mark
from orderack.erps._netsuite_ids import LineMark
from orderack.erps.netsuite import NetsuiteErp, NetsuiteSettings
from orderack.errors import BadSignature, Refused, Unavailable
from orderack.ports import Booking, RawRequest, Stock
from tests.conformance.erp import LINES, NOW, REF, ErpConformance, an_order
from tests.conformance.peer import Answer, Received, json_answer
from tests.erps.test_http import KEY, RECEIPT, SECRET
from tests.erps.test_http import TestHttpErp as _HttpErpSuite

HERE = Path(__file__).resolve()
SPEC = HERE.parents[2].parent / "shared" / "specs" / "commerce" / "netsuite"
OWN = {"consumer_key": "ck" * 20, "consumer_secret": "cs" * 20, "token_id": "ti" * 20, "token_secret": "ts" * 20}
PREFIX = "ORDERACK_ERP_NETSUITE_"
ITEMS = {"KETTLE": "77", "CUP": "78"}
REASON = "ada@example.com is over her credit limit"


def problem(status: int, code: str, detail: str = "No.", headers: Mapping[str, str] | None = None) -> Answer:
    """o:errorDetails, as Oracle's help shows it."""
    body: JsonValue = {
        "type": "https://www.w3.org/Protocols/rfc2616/rfc2616-sec10.html",
        "title": "Bad Request",
        "status": status,
        "o:errorDetails": [{"detail": detail, "o:errorCode": code}],
    }
    return json_answer(status, body, headers)


def line(number: int, line_id: str, ours: str, ordered: int, **said: JsonValue) -> JsonValue:
    mark = str(LineMark(item=ours, quantity=Decimal(ordered), line_id=line_id))
    return {"line": number, "item": {"id": ours}, "quantity": ordered, "custcol_orderack_line": mark, **said}


def document(status: str = "B", revision: int = 1, ref: OrderRef = REF, lines: Sequence[JsonValue] = ()) -> Answer:
    """GET /salesOrder/eid:… of REF: line 1 committed, line 2 in part."""
    mark = Mark(store=ref.store, number=ref.number, revision=revision, lines=2)
    shown = list(lines) or [
        line(1, "1", "77", 1, quantityCommitted=1, quantityBackOrdered=0),
        line(2, "2", "78", 5, quantityCommitted=2, quantityBackOrdered=3),
        {"line": 3, "item": {"id": "901"}, "amount": 4.9},
    ]
    body: JsonValue = {
        "links": [],
        "id": "4711",
        "tranId": "SO-100001",
        "orderStatus": {"id": status},
        "createdDate": "2026-11-21T09:30:00Z",
        "lastModifiedDate": "2026-11-21T09:31:00Z",
        "custbody_orderack_order": mark.model_dump_json(),
        "item": {"items": shown, "totalResults": len(shown)},
    }
    return json_answer(200, body)


class Watched(NetsuiteErp):
    """Says whether a look belongs to a submission."""

    submitting = False

    async def submit(self, order: Order, revision: int) -> Booking:
        self.submitting = True
        try:
            return await super().submit(order, revision)
        finally:
            self.submitting = False


class TestNetsuiteErp(ErpConformance):
    name = "netsuite"
    secrets = (*OWN.values(), SECRET, KEY.decode())
    required = tuple(f"{PREFIX}{name}" for name in ("ACCOUNT", "CONSUMER_KEY"))

    queued = Answer(204, headers={"Location": "https://x.example/services/rest/record/v1/salesOrder/4711"})
    booked = queued
    found = document()
    not_found = problem(404, "NONEXISTENT_ID")
    cancelled = Answer(204)
    stock = json_answer(
        200,
        {
            "links": [],
            "hasMore": False,
            "items": [
                {"links": [], "id": "77", "available": "7"},
                {"links": [], "id": "78", "available": "0"},
                {"links": [], "id": "99", "available": "5"},
            ],
        },
    )
    refusals = (
        problem(400, "USER_ERROR", REASON),
        problem(400, "INVALID_KEY_OR_REF", REASON),
        problem(400, "INVALID_CONTENT", REASON),
        problem(409, "USER_ERROR", REASON),
        problem(422, "", REASON),
    )
    ours_to_mend = (
        problem(401, "INVALID_LOGIN"),
        problem(403, "INSUFFICIENT_PERMISSION"),
        problem(400, "INSUFFICIENT_PERMISSION"),
        problem(400, "INVALID_CONTENT", "Unknown field custbody_orderack_order"),
        problem(400, "INVALID_CONTENT", "Unknown field custcol_orderack_line"),
        Answer(404, b"<html>"),
        Answer(405),
        Answer(302),
    )
    locked = (
        problem(400, "SSS_REQUEST_LIMIT_EXCEEDED", headers={"Retry-After": "5"}),
        problem(400, "CONCURRENCY_LIMIT_EXCEEDED", headers={"Retry-After": "5"}),
        problem(429, "CONCURRENCY_LIMIT_EXCEEDED", headers={"Retry-After": "5"}),
        problem(400, "RCRD_HAS_BEEN_CHANGED", headers={"Retry-After": "5"}),
        json_answer(
            400,
            {"title": None, "o:errorDetails": [{"detail": None, "o:errorPath": None, "o:errorCode": "RECORD_LOCKED"}]},
            {"Retry-After": "5"},
        ),
        problem(400, "DUP_RCRD", headers={"Retry-After": "5"}),
        problem(503, "UNEXPECTED_ERROR", headers={"Retry-After": "5"}),
    )
    malformed: ClassVar[Mapping[bytes, str]] = _HttpErpSuite.malformed
    watched: Watched
    after: Answer | None = None
    """What the read-back after the write shows."""

    def make(self, base_url: str) -> NetsuiteErp:
        nonces = (f"nonce{number:07}" for number in range(100_000))
        values = {"account": "1234567-sb1", **OWN, "webhook_secret": SECRET, "base_url": base_url}
        settings = NetsuiteSettings.model_validate(values | {"guest_customer": "900"})
        self.watched = Watched(self.name, settings, clock=lambda: NOW, nonce=lambda: next(nonces))
        self.wrote = False
        return self.watched

    def aside(self, request: Received) -> Answer | None:
        if request.target.startswith("/services/rest/query"):
            question = json.loads(request.body)["q"]
            return None if "aggregateitemlocation" in question else self.named(question)
        if request.method == "PUT":
            self.wrote = True
        if request.method == "GET" and self.watched.submitting:
            return self.after if self.wrote and self.after else self.not_found
        return None

    def named(self, question: str) -> Answer:
        names = {name.replace("''", "'") for name in re.findall(r"IN \('((?:[^']|'')*)'", question)}
        rows = [{"id": number, "name": sku, "links": []} for sku, number in ITEMS.items() if f"'{sku}'" in question]
        rows += [{"id": "500", "name": name, "links": []} for name in names if "FROM item" not in question]
        return json_answer(200, {"items": rows})

    def receipt(self) -> Mapping[str, object]:
        return RECEIPT

    def pushed(self, receipts: Sequence[Mapping[str, object]] | bytes, at: datetime = NOW) -> RawRequest:
        return _HttpErpSuite().pushed(receipts, at)

    async def test_a_submission_that_is_taken_gives_the_document_and_no_receipt_yet(self) -> None:
        self.after = document("A")
        booking = await self.submitted(self.queued)
        assert (booking.document_id, booking.receipt) == ("SO-100001", None)
        assert "Pending Approval" in booking.waits

    async def test_a_submission_that_is_booked_at_once_gives_the_receipt(self) -> None:
        self.after = self.found
        booking = await self.submitted(self.booked)
        assert booking.document_id == "SO-100001"
        self.the_receipt(booking.receipt)

    async def test_submitting_twice_is_the_same_request_byte_for_byte(self) -> None:
        """But for the signature, whose nonce may not come twice."""
        async with self.system(self.queued) as (peer, erp):
            for revision in (1, 1, 2):
                with pytest.raises(Unavailable, match="does not show it yet"):
                    await erp.submit(an_order(), revision)
            first, again, other = peer.received
            assert (first.target, first.body) == (again.target, again.body)
            assert first.headers["authorization"] != again.headers["authorization"]
            assert first.body != other.body

    async def test_cancelling_says_whether_the_erp_knew_the_order(self) -> None:
        async with self.system(self.found, self.cancelled, self.not_found) as (peer, erp):
            assert await erp.cancel(REF, "SO-100001", "the buyer asked") is True
            assert await erp.cancel(REF, None, "the buyer asked") is False
            _, patch, _ = peer.received
            assert (patch.method, patch.target) == ("PATCH", "/services/rest/record/v1/salesOrder/4711")
            assert json.loads(patch.body)["item"]["items"][2] == {"line": 3, "isClosed": True}

    async def test_live_stock_answers_the_lines_that_were_asked(self) -> None:
        async with self.system(self.stock) as (_, erp):
            assert list(await erp.availability(LINES)) == [
                Stock(line_id="1", verdict=StockVerdict.AVAILABLE, available=Decimal(7)),
                Stock(line_id="2", verdict=StockVerdict.BACKORDERED),
            ]

    async def test_two_lines_of_one_item_are_not_promised_the_same_piece(self) -> None:
        async with self.system(self.stock) as (_, erp):
            five = LINES[0].model_copy(update={"quantity": Decimal(5)})
            one, other = await erp.availability([five, five.model_copy(update={"line_id": "2"})])
            assert (one.verdict, other.verdict, other.available) == (
                StockVerdict.AVAILABLE,
                StockVerdict.PARTIAL,
                Decimal(2),
            )

    @pytest.mark.parametrize("number", ["A/1", "../../admin", "..", "A?b=c#d", "Ä 1%2F", "1/cancellation", "a\r\nX: y"])
    async def test_no_order_number_can_forge_anothers_path_or_a_header(self, number: str) -> None:
        ref = OrderRef(store="shop", number=number)
        async with self.system(self.not_found, self.not_found, self.queued) as (peer, erp):
            await erp.find(ref, 1)
            await erp.cancel(ref, None, "")
            with pytest.raises(Unavailable):
                await erp.submit(an_order(ref), 1)
            for request in peer.received:
                path = request.target.partition("?")[0]
                assert re.fullmatch(r"/services/rest/record/v1/salesOrder/eid:[a-z0-9_-]+", path), path
                assert "x" not in request.headers

    @pytest.mark.parametrize("standing", ["D", "E", "F", "G"])
    async def test_what_has_left_is_not_cancelled(self, standing: str) -> None:
        async with self.system(document(standing)) as (peer, erp):
            with pytest.raises(Refused, match=r"fulfilled|invoiced"):
                await erp.cancel(REF, "SO-100001", "")
            assert len(peer.received) == 1

    @pytest.mark.parametrize("standing", ["C", "H"])
    async def test_what_is_off_already_is_not_written_again(self, standing: str) -> None:
        async with self.system(document(standing)) as (peer, erp):
            assert await erp.cancel(REF, "SO-100001", "") is True
            assert len(peer.received) == 1

    async def test_pending_approval_is_no_receipt_and_a_cancelled_order_is_a_no_for_every_line(self) -> None:
        async with self.system(document("A")) as (_, erp):
            assert await erp.find(REF, 1) is None
        async with self.system(document("C")) as (_, erp):
            receipt = await erp.find(REF, 1)
            assert receipt is not None
            assert {line.verdict for line in receipt.lines} == {StockVerdict.UNAVAILABLE}

    VERDICTS: ClassVar[Mapping[str, tuple[JsonValue, tuple[StockVerdict, Decimal | None, str | None]]]] = {
        "not stocked": (line(2, "2", "78", 5), (StockVerdict.AVAILABLE, None, None)),
        "closed": (line(2, "2", "78", 5, isClosed=True), (StockVerdict.UNAVAILABLE, None, None)),
        "back-ordered": (
            line(2, "2", "78", 5, quantityBackOrdered=5, expectedShipDate="2026-12-01"),
            (StockVerdict.BACKORDERED, None, None),
        ),
        "lowered by a person": (line(2, "2", "78", 5, quantity=3), (StockVerdict.PARTIAL, Decimal(3), None)),
        "another item": (
            line(2, "2", "78", 5, item={"id": "79", "refName": "MUG"}),
            (StockVerdict.SUBSTITUTED, None, "MUG"),
        ),
        "kept in stock, and committed": (
            line(2, "2", "78", 5, itemType={"id": "InvtPart"}, quantityCommitted=5, quantityBackOrdered=0),
            (StockVerdict.AVAILABLE, None, None),
        ),
        "kept in stock, and sent": (
            line(2, "2", "78", 5, itemType={"id": "InvtPart"}, quantityFulfilled=5, quantityCommitted=0),
            (StockVerdict.AVAILABLE, None, None),
        ),
        "a service": (line(2, "2", "78", 5, itemType={"id": "Service"}), (StockVerdict.AVAILABLE, None, None)),
        "of more decimals": (
            line(2, "2", "78", 5, quantityBackOrdered=3.000049),
            (StockVerdict.PARTIAL, Decimal("1.9999"), None),
        ),
        "ids as numbers": (line(2, "2", "78", 5, item={"id": 78}), (StockVerdict.AVAILABLE, None, None)),
    }

    @pytest.mark.parametrize("case", VERDICTS)
    async def test_what_a_line_says_is_what_the_buyer_hears(self, case: str) -> None:
        said, expected = self.VERDICTS[case]
        async with self.system(document(lines=[line(1, "1", "77", 1), said])) as (_, erp):
            receipt = await erp.find(REF, 1)
            assert receipt is not None
            verdict = receipt.lines[1]
            assert (verdict.verdict, verdict.quantity, verdict.substitute_sku) == expected
            assert (str(verdict.expected_on) == "2026-12-01") == (case == "back-ordered")

    async def test_a_document_that_lost_one_of_our_lines_is_no_receipt(self) -> None:
        async with self.system(document(lines=[line(1, "1", "77", 1)])) as (_, erp):
            assert await erp.find(REF, 1) is None

    async def test_stock_that_netsuite_has_not_looked_at_yet_is_no_receipt(self) -> None:
        waiting = line(2, "2", "78", 5, itemType={"id": "InvtPart"}, quantityCommitted=0, quantityBackOrdered=0)
        async with self.system(document(lines=[line(1, "1", "77", 1), waiting])) as (_, erp):
            assert await erp.find(REF, 1) is None
        async with self.system(document("C", lines=[line(1, "1", "77", 1), waiting])) as (_, erp):
            assert await erp.find(REF, 1) is not None

    @pytest.mark.parametrize(
        ("said", "there"),
        [
            ({"status": {"id": "G", "refName": "Billed"}, "orderStatus": {"id": "B"}}, True),
            ({"status": {"id": "SalesOrd:B"}}, True),
            ({"status": {"id": "Pending Fulfillment"}}, True),
            ({"status": {"refName": "Pending Approval"}}, False),
            ({"status": {"id": "A"}, "orderStatus": {"id": "A"}}, False),
            ({"status": {"id": "Pending Something New"}, "orderStatus": {"id": "B"}}, True),
            ({"status": {"id": "Pending Something New"}}, False),
            ({"status": None, "orderStatus": None}, False),
        ],
    )
    async def test_a_standing_is_read_in_each_of_its_spellings(
        self, said: Mapping[str, JsonValue], there: bool
    ) -> None:
        body: dict[str, JsonValue] = json.loads(document().body)
        del body["orderStatus"]
        async with self.system(json_answer(200, body | dict(said))) as (_, erp):
            assert (await erp.find(REF, 1) is not None) is there

    @pytest.mark.parametrize("standing", ["C", "D", "E", "F", "G", "H"])
    async def test_what_has_left_or_was_closed_by_a_person_is_not_opened_again_by_a_change(self, standing: str) -> None:
        async with self.system(self.queued) as (peer, erp):
            shown = document(standing)
            peer.aside = lambda request: shown if request.method == "GET" else None
            with pytest.raises(Refused, match="the order is"):
                await erp.submit(an_order(), 2)
            assert peer.received == []

    async def test_the_time_of_a_change_is_when_it_was_changed(self) -> None:
        async with self.system(document(revision=2)) as (_, erp):
            receipt = await erp.find(REF, 2)
            assert receipt is not None
            assert receipt.recorded_at == datetime(2026, 11, 21, 9, 31, tzinfo=UTC)

    async def test_without_a_secret_nobody_may_push(self) -> None:
        values = {"account": "1234567", **OWN}
        erp = NetsuiteErp("netsuite", NetsuiteSettings.model_validate(values), clock=lambda: NOW)
        with pytest.raises(BadSignature):
            erp.verify(self.pushed([RECEIPT]))
        await erp.aclose()

    async def test_what_is_put_has_the_record_services_names_and_types(self) -> None:
        """Against the fields transcribed from the REST API Browser; our two custom fields are beside them."""
        if not SPEC.is_dir():
            pytest.skip("the vendors' descriptions are not beside this checkout")
        body = await self.written(whole())
        schemas = json.loads((SPEC / "salesorder-rest-transcribed.openapi.json").read_text())["components"]["schemas"]
        resolver = {"components": {"schemas": schemas}, "$ref": "#/components/schemas/salesOrder"}
        jsonschema.Draft202012Validator(resolver).validate(body)
        known = {name: set(schema.get("properties", {})) for name, schema in schemas.items()}
        assert set(body) - known["salesOrder"] == {"custbody_orderack_order"}
        assert set(body["shippingAddress"]) <= known["salesOrder-address"]
        for one in body["item"]["items"]:
            assert set(one) - known["salesOrder-itemElement"] <= {"custcol_orderack_line"}

    async def test_nothing_of_the_order_is_lost_and_netsuite_writes_no_mail(self) -> None:
        body = await self.written(whole())
        assert body["toBeEmailed"] is False
        assert body["otherRefNum"] == "PO-9"
        assert [one.get("rate", one.get("amount")) for one in body["item"]["items"]] == [20, 17.5, -5, 4.9]
        assert "no sugar" in body["item"]["items"][1]["description"]
        for word in ("ring twice", "2026-12-01", "37.40", "shop A-1001"):
            assert word in body["memo"]
        assert body["shippingAddress"]["country"] == {"id": "DE"}
        assert body["item"]["items"][0]["item"] == {"id": "77"}

    async def written(self, order: Order) -> dict[str, JsonValue]:
        async with self.system(self.queued) as (peer, erp):
            self.watched._house.charges.update({"discount": "902", "shipping": "901"})  # type: ignore[attr-defined]
            with pytest.raises(Unavailable):
                await erp.submit(order, 1)
            (put,) = peer.received
            assert (put.method, parse_qs(urlsplit(put.target).query)) == ("PUT", {"replace": ["item"]})
            read: dict[str, JsonValue] = json.loads(put.body)
            return read

    async def test_a_quote_in_a_sku_ends_no_question_and_an_unknown_item_names_its_line(self) -> None:
        strange = "x') OR 1=1 --'"
        lines = (LINES[0], LINES[1].model_copy(update={"sku": strange}))
        asked: list[str] = []

        def named(question: str) -> Answer:
            asked.append(question)
            return TestNetsuiteErp.named(self, question)

        self.named = named  # type: ignore[method-assign]
        async with self.system(self.queued) as (peer, erp):
            with pytest.raises(Refused, match="line 2"):
                await erp.submit(an_order().model_copy(update={"lines": lines}), 1)
            assert peer.received == []
        (question,) = (one for one in asked if "FROM item" in one)
        outside = re.sub(r"'(?:[^']|'')*'", "?", question)
        assert "OR 1=1" not in outside

    async def test_ids_are_asked_for_once_in_ten_minutes(self) -> None:
        asked: list[str] = []
        original = self.aside

        def counted(request: Received) -> Answer | None:
            asked.append(request.target)
            return original(request)

        self.aside = counted  # type: ignore[method-assign]
        async with self.system(self.queued) as (_, erp):
            for _ in range(2):
                with pytest.raises(Unavailable):
                    await erp.submit(an_order(), 1)
        assert len([target for target in asked if "suiteql" in target]) == 3

    async def test_every_request_is_signed_as_rfc_5849_says(self) -> None:
        async with self.system(self.not_found) as (peer, erp):
            await erp.find(REF, 1)
            (request,) = peer.received
            said = dict(re.findall(r'(\w+)="([^"]*)"', request.headers["authorization"]))
            assert said["realm"] == "1234567_SB1"
            signed = {name: unquote(text) for name, text in said.items() if name not in ("realm", "oauth_signature")}
            text = oauth1.base_string("GET", f"{peer.url}{request.target}", signed.items())
            key = f"{OWN['consumer_secret']}&{OWN['token_secret']}".encode()
            mac = base64.b64encode(hmac.new(key, text.encode(), "sha256").digest()).decode()
            assert unquote(said["oauth_signature"]) == mac
            assert "expandSubResources%3Dtrue" in text

    async def test_another_orders_document_is_not_believed(self) -> None:
        async with self.system(document(ref=OrderRef(store="shop", number="B-2"))) as (_, erp):
            with pytest.raises(Unavailable):
                await erp.find(REF, 1)
            with pytest.raises(Unavailable):
                await erp.cancel(REF, None, "")

    def the_receipt(self, receipt: ErpReceipt | None) -> None:
        super().the_receipt(receipt)
        assert receipt is not None
        assert receipt.recorded_at == NOW


def whole() -> Order:
    """An order with all that NetSuite has a place for."""
    street = Address(
        name="Ada Example",
        company="Example Ltd",
        street="1 Example St",
        city="Berlin",
        postal_code="10115",
        country="DE",
    )
    return an_order().model_copy(
        update={
            "lines": (
                LINES[0],
                Line(line_id="2", sku="CUP", quantity=5, unit_price="3.5", dietary="no sugar", subtotal="17.5"),
            ),
            "delivery_address": street,
            "billing_address": street,
            "delivery_window": DeliveryWindow(start="2026-12-01T08:00:00Z", end="2026-12-01T10:00:00Z"),
            "purchase_order": "PO-9",
            "instructions": "ring twice",
            "totals": Totals(discount="5", shipping="4.90", total="37.40"),
        }
    )
