"""Cin7 Omni against the ERPs' conformance suite and the names that its OpenAPI document publishes."""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from decimal import Decimal
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, ValidationError

from orderack.domain.order import Address, Line, Order, OrderRef, TaxBasis, Totals
from orderack.domain.receipt import StockVerdict
from orderack.erps import cin7_omni
from orderack.erps._cin7_omni_order import House, LineMark, reference, wire_order
from orderack.erps._cin7_omni_reading import Line as OmniLine
from orderack.erps._cin7_omni_reading import SalesOrder
from orderack.erps._marks import Mark, tail
from orderack.erps.cin7_omni import Cin7OmniErp, Cin7OmniSettings
from orderack.errors import BadSignature, InDoubt, OrderAckError, Refused, Unavailable
from orderack.ports import Booking, RawRequest, Stock
from tests.conformance.erp import LINES, NOW, REF, ErpConformance, an_order
from tests.conformance.peer import Answer, CutOff, Received, json_answer
from tests.erps.test_http import KEY, RECEIPT, SECRET
from tests.erps.test_http import TestHttpErp as _HttpErpSuite
from tests.erps.test_netsuite import whole

OWN = {"username": "ExampleShop", "connection_key": "0123456789abcdef0123"}
PREFIX = "ORDERACK_ERP_CIN7_OMNI_"
ID = 4711
REASON = "ada@example.com is over her credit limit"
HOUSE = House(branch=3, member=None, approve=True)
_OF_ORDERS = """
id createdDate modifiedDate createdBy processedBy isApproved reference memberId firstName lastName company email phone
mobile fax deliveryFirstName deliveryLastName deliveryCompany deliveryAddress1 deliveryAddress2 deliveryCity
deliveryState deliveryPostalCode deliveryCountry billingFirstName billingLastName billingCompany billingAddress1
billingAddress2 billingCity billingPostalCode billingState billingCountry branchId branchEmail projectName
trackingCode internalComments productTotal freightTotal freightDescription surcharge surchargeDescription
discountTotal discountDescription total currencyId currencyCode currencyRate currencySymbol taxStatus taxRate source
customFields status stage memberEmail memberCostCenter memberAlternativeTaxRate costCenter alternativeTaxRate
estimatedDeliveryDate salesPersonId salesPersonEmail paymentTerms customerOrderNo voucherCode deliveryInstructions
cancellationDate modifiedCOGSDate invoiceDate invoiceNumber dispatchedDate logisticsCarrier logisticsStatus ediStatus
distributionBranchId departmentNumber storeLocationNumber distributionCenter lineItems isVoid accountingAttributes
"""
_OF_LINES = """
id createdDate transactionId parentId productId productOptionId integrationRef sort code name option1 option2 option3
qty styleCode barcode supplierCode sizeCodes lineComments unitCost unitPrice uomPrice discount uomQtyOrdered
uomQtyShipped uomSize qtyShipped holdingQty accountCode stockControl stockMovements sizes taxRate
"""
PUBLISHED, PUBLISHED_OF_LINES = frozenset(_OF_ORDERS.split()), frozenset(_OF_LINES.split())
"""Names of a sales order and its lines in its OpenAPI document."""


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cin7_omni, "PACE", 0.0)


def result(status: int, *errors: str, headers: Mapping[str, str] | None = None) -> Answer:
    row: JsonValue = {"index": 0, "success": not errors, "id": 0 if errors else ID, "code": None, "errors": [*errors]}
    return json_answer(status, [row], headers)


def line(line_id: str, sku: str, quantity: float, revision: int = 1, **said: JsonValue) -> JsonValue:
    mark = LineMark(revision=revision, line_id=line_id, sku=sku, quantity=Decimal(str(quantity)))
    comments = f"ring twice {tail(mark.model_dump_json())}"
    shown: dict[str, JsonValue] = {"id": int(line_id), "code": sku, "qty": quantity, "qtyShipped": 0}
    return shown | {"lineComments": comments} | said


def shown(
    revision: int = 1, ref: OrderRef = REF, lines: Sequence[JsonValue] = (), **said: JsonValue
) -> dict[str, JsonValue]:
    """REF's order as it is shown."""
    mark = Mark(store=ref.store, number=ref.number, revision=revision, lines=2)
    body: dict[str, JsonValue] = {
        "id": ID,
        "reference": reference(REF),
        "createdDate": "2026-11-21T09:29:00Z",
        "modifiedDate": "2026-11-21T09:30:00Z",
        "isApproved": True,
        "isVoid": False,
        "status": "APPROVED",
        "stage": "New",
        "invoiceDate": None,
        "invoiceNumber": None,
        "dispatchedDate": None,
        "internalComments": f"as agreed\n{tail(mark.model_dump_json())}",
        "lineItems": list(lines) or [line("1", "KETTLE", 1, revision), line("2", "CUP", 5, revision)],
    }
    return body | said


def listed(*found: JsonValue) -> Answer:
    return json_answer(200, list(found))


def units(**available: float) -> Answer:
    return json_answer(200, [{"code": code, "available": free, "incoming": 0} for code, free in available.items()])


class Watched(Cin7OmniErp):
    """Says whether a look belongs to a submission."""

    submitting = False

    async def submit(self, order: Order, revision: int) -> Booking:
        self.submitting = True
        try:
            return await super().submit(order, revision)
        finally:
            self.submitting = False


class TestCin7OmniErp(ErpConformance):
    name = "cin7_omni"
    secrets = (OWN["connection_key"], SECRET, KEY.decode())
    required = tuple(f"{PREFIX}{field.upper()}" for field in (*OWN, "branch"))
    repeatable = False
    document = reference(REF)

    queued = result(200)
    booked = queued
    found = listed(shown())
    not_found = listed()
    cancelled = result(200)
    stock = units(KETTLE=7, CUP=0, POT=9)
    refusals = (
        result(200, REASON),
        result(400, "Not valid.", REASON),
        json_answer(400, REASON),
        json_answer(400, {"message": "No.", "modelState": {"[0].email": [REASON]}}),
        json_answer(409, {"Message": REASON}),
        json_answer(422, [[[{"errors": {"email": REASON}}]]]),
    )
    ours_to_mend = (Answer(401), Answer(403, b"{}"), Answer(404, b"<html>"), Answer(405), Answer(302))
    locked = (json_answer(429, "API call limit exceeded.", {"Retry-After": "5"}),)
    malformed: ClassVar[Mapping[bytes, str]] = _HttpErpSuite.malformed
    watched: Watched
    listing: Answer = listed()
    """What the look before a write shows."""
    after: Answer = json_answer(200, shown())
    """What is read back after it."""
    at_hand: Answer | None = units(KETTLE=0, CUP=-3)

    def make(self, base_url: str) -> Cin7OmniErp:
        values = {**OWN, "branch": 3, "webhook_secret": SECRET, "base_url": base_url}
        self.watched = Watched(self.name, Cin7OmniSettings.model_validate(values), clock=lambda: NOW)
        return self.watched

    def aside(self, request: Received) -> Answer | None:
        path = urlsplit(request.target).path
        if path == "/v1/Stock":
            return self.at_hand
        if request.method == "GET" and self.watched.submitting:
            return self.listing if path == "/v1/SalesOrders" else self.after
        return None

    def receipt(self) -> Mapping[str, object]:
        return {**RECEIPT, "id": "SO-1/1", "document_id": self.document}

    def pushed(self, receipts: Sequence[Mapping[str, object]] | bytes, at: datetime = NOW) -> RawRequest:
        return _HttpErpSuite().pushed(receipts, at)

    async def test_a_submission_that_is_taken_gives_the_document_and_no_receipt_yet(self) -> None:
        self.after = json_answer(200, shown(isApproved=False, status="DRAFT"))
        await super().test_a_submission_that_is_taken_gives_the_document_and_no_receipt_yet()

    async def test_submitting_twice_is_the_same_request_byte_for_byte(self) -> None:
        async with self.system(self.queued) as (peer, erp):
            await erp.submit(an_order(), 1)
            await erp.submit(an_order(), 1)
            self.after = json_answer(200, shown(2))
            await erp.submit(an_order(), 2)
            first, again, other = peer.received
            assert first.raw == again.raw
            assert first.raw != other.raw

    async def test_cancelling_says_whether_the_erp_knew_the_order(self) -> None:
        async with self.system(self.found, self.cancelled, self.not_found) as (peer, erp):
            assert await erp.cancel(REF, None, "the buyer asked") is True
            assert await erp.cancel(REF, None, "the buyer asked") is False
            void = peer.received[1]
            assert (void.method, json.loads(void.body)) == ("PUT", [{"id": ID, "isVoid": True}])

    async def test_live_stock_answers_the_lines_that_were_asked(self) -> None:
        self.at_hand = None
        async with self.system(
            json_answer(200, [{"Code": "kettle", "Available": 7}, {"Code": "CUP", "Available": -2, "Incoming": 5}])
        ) as (peer, erp):
            assert list(await erp.availability(LINES)) == [
                Stock(line_id="1", verdict=StockVerdict.AVAILABLE, available=Decimal(7)),
                Stock(line_id="2", verdict=StockVerdict.BACKORDERED),
            ]
            (asked,) = peer.received
            assert parse_qs(urlsplit(asked.target).query)["where"] == ["code IN ('KETTLE', 'CUP') AND branchId=3"]
        async with self.system(listed()) as (_, erp):
            assert list(await erp.availability(LINES)) == []

    @pytest.mark.parametrize("sku", ["O'BRIEN", "x') OR 1=1 --", "a\\", "a\r\nb", "\x00"])
    async def test_a_code_that_would_end_its_quotes_is_never_asked_about(self, sku: str) -> None:
        self.at_hand = None
        strange = LINES[0].model_copy(update={"sku": sku})
        async with self.system(units(CUP=9)) as (peer, erp):
            assert [one.line_id for one in await erp.availability([strange, LINES[1]])] == ["2"]
            assert [parse_qs(urlsplit(r.target).query)["where"] for r in peer.received] == [
                ["code IN ('CUP') AND branchId=3"]
            ]
            assert list(await erp.availability([strange])) == []
            assert len(peer.received) == 1

    async def test_two_hundred_lines_are_five_questions(self) -> None:
        self.at_hand = None
        lines = [LINES[0].model_copy(update={"line_id": str(n), "sku": f"SKU-{n}"}) for n in range(200)]
        async with self.system(listed()) as (peer, erp):
            await erp.availability(lines)
            assert len(peer.received) == 5

    @pytest.mark.parametrize("number", ["A/1", "../../admin", "..", "A?b=c#d", "Ä 1%2F", "x' OR '1'='1", "a\r\nX: y"])
    async def test_no_order_number_can_forge_anothers_path_or_a_header(self, number: str) -> None:
        ref = OrderRef(store="shop", number=number)
        self.after = json_answer(200, shown(ref=ref))
        async with self.system(self.not_found, self.not_found, self.queued) as (peer, erp):
            assert await erp.find(ref, 1) is None
            assert await erp.cancel(ref, None, "") is False
            await erp.submit(an_order(ref), 1)
            asked, cancelled, _ = peer.received
            for request in (asked, cancelled):
                parts = urlsplit(request.target)
                assert parts.path == "/v1/SalesOrders"
                assert parse_qs(parts.query)["where"] == [f"reference IN ('{reference(ref)}')"]
            assert all("x" not in request.headers for request in peer.received)

    async def test_an_answer_about_another_order_is_not_believed(self) -> None:
        other = OrderRef(store="shop", number="B-2")
        async with self.system(listed(shown(ref=other))) as (_, erp):
            with pytest.raises(Unavailable):
                await erp.find(REF, 1)
        async with self.system(listed(shown(reference=reference(other)))) as (_, erp):
            assert await erp.find(REF, 1) is None

    async def test_a_200_that_says_nothing_is_no_booking_and_no_receipt(self) -> None:  # type: ignore[override]
        for body in (b"", b"<html>It works!</html>", b"[]", b"{}", b"\xff\xfe", b'[{"success": true, "id": 0}]'):
            assert type(await self.failure(Answer(200, body))) is InDoubt
        for body in (b"", b"<html>It works!</html>", b"{}", b"\xff\xfe"):
            self.at_hand = None
            async with self.system(Answer(200, body)) as (_, erp):
                for asking in (erp.find(REF, 1), erp.availability(LINES)):
                    with pytest.raises(OrderAckError):
                        await asking

    async def test_a_refused_reference_that_is_our_own_orders_is_gone_on_with(self) -> None:
        """The first attempt's answer was lost, and the look before the second came too early to see its order."""
        looks = iter((listed(), listed(shown())))
        async with self.system(result(400, "Reference already exists")) as (peer, erp):
            peer.aside = lambda request: (
                next(looks)
                if urlsplit(request.target).path == "/v1/SalesOrders" and request.method == "GET"
                else self.aside(request)
            )
            booking = await erp.submit(an_order(), 1)
            self.the_receipt(booking.receipt)
            assert [request.method for request in peer.received] == ["POST"]

    async def test_a_change_that_was_cut_off_may_be_written_again(self) -> None:
        self.listing = listed(shown())
        async with self.system(CutOff(), self.queued) as (peer, erp):
            with pytest.raises(Unavailable):
                await erp.submit(an_order(), 2)
            self.after = json_answer(200, shown(2))
            receipt = (await erp.submit(an_order(), 2)).receipt
            assert receipt is not None
            assert receipt.revision == 2
            first, again = peer.received
            assert (first.method, first.body) == ("PUT", again.body)

    async def test_a_line_that_two_changes_at_once_added_twice_is_emptied_before_it_is_booked(self) -> None:
        self.listing = listed(shown())
        twice = [line("1", "KETTLE", 1, 2), line("2", "CUP", 5, 2, id=12), line("2", "CUP", 5, 2, id=13)]
        backs = iter((json_answer(200, shown(2, lines=twice)), json_answer(200, shown(2))))
        async with self.system(self.queued) as (peer, erp):
            peer.aside = lambda request: (
                next(backs) if request.target == f"/v1/SalesOrders/{ID}" else self.aside(request)
            )
            assert (await erp.submit(an_order(), 2)).receipt is not None
            _, again = (json.loads(request.body)[0]["lineItems"] for request in peer.received)
            assert [(one["id"], one["qty"]) for one in again] == [(1, 1.0), (12, 5.0), (13, 0)]

    async def test_a_change_keeps_the_lines_it_knows_empties_those_it_dropped_and_clears_what_is_gone(self) -> None:
        own: JsonValue = {"id": 3, "code": "GIFT", "qty": 1, "lineComments": "wrapped by Bo"}
        known = [line("1", "KETTLE", 1, id=11), line("2", "CUP", 5, id=12), own]
        self.listing = listed(shown(lines=known))
        self.after = json_answer(200, shown(2, lines=[line("2", "CUP", 3, 2), line("3", "POT", 1, 2)]))
        lines = (
            LINES[1].model_copy(update={"quantity": Decimal(3)}),
            Line(line_id="3", sku="POT", quantity=1, unit_price=1),
        )
        async with self.system(self.queued) as (peer, erp):
            await erp.submit(an_order().model_copy(update={"lines": lines}), 2)
            (body,) = json.loads(peer.received[0].body)
        assert [(one.get("id"), one.get("code"), one["qty"]) for one in body["lineItems"]] == [
            (12, "CUP", 3.0),
            (None, "POT", 1.0),
            (11, None, 0),
        ]
        assert body["id"] == ID
        assert body["deliveryCity"] == body["billingCompany"] == body["surchargeDescription"] == ""
        assert not {"isApproved", "memberId", "stage", "taxStatus"} & set(body)

    VERDICTS: ClassVar[Mapping[str, tuple[Sequence[JsonValue], Answer, StockVerdict, str | None]]] = {
        "at hand": ([line("2", "CUP", 5)], units(KETTLE=0, CUP=0), StockVerdict.AVAILABLE, None),
        "in part": ([line("2", "CUP", 5)], units(KETTLE=0, CUP=-4), StockVerdict.PARTIAL, "1"),
        "in part, of more decimals": ([line("2", "CUP", 5)], units(CUP=-4.99995), StockVerdict.UNAVAILABLE, None),
        "none": ([line("2", "CUP", 5)], units(KETTLE=0, CUP=-9), StockVerdict.UNAVAILABLE, None),
        "no stock kept": ([line("2", "CUP", 5)], units(KETTLE=0), StockVerdict.UNAVAILABLE, None),
        "inbound": (
            [line("2", "CUP", 5)],
            json_answer(200, [{"code": "CUP", "available": -5, "incoming": 9}]),
            StockVerdict.BACKORDERED,
            None,
        ),
        "partly sent": ([line("2", "CUP", 5, qtyShipped=3)], units(CUP=-1), StockVerdict.PARTIAL, "4"),
        "lowered by a person": ([line("2", "CUP", 5, qty=3)], units(CUP=0), StockVerdict.PARTIAL, "3"),
        "another code": ([line("2", "CUP", 5, code="MUG")], units(MUG=0), StockVerdict.SUBSTITUTED, None),
        "no code": ([line("2", "CUP", 5, code=None)], units(), StockVerdict.SUBSTITUTED, None),
        "its code in small letters": ([line("2", "CUP", 5, code="cup")], units(CUP=0), StockVerdict.AVAILABLE, None),
        "split by a person": (
            [line("2", "CUP", 5, qty=3), line("2", "CUP", 5, qty=2)],
            units(CUP=-1),
            StockVerdict.PARTIAL,
            "4",
        ),
    }

    @pytest.mark.parametrize("case", VERDICTS)
    async def test_what_stock_means_for_a_line_is_what_the_buyer_hears(self, case: str) -> None:
        rows, self.at_hand, verdict, quantity = self.VERDICTS[case]
        async with self.system(listed(shown(lines=[line("1", "KETTLE", 1), *rows]))) as (_, erp):
            receipt = await erp.find(REF, 1)
            assert receipt is not None
            said = receipt.lines[1]
            assert (said.verdict, said.quantity) == (verdict, Decimal(quantity) if quantity else None)

    STANDINGS: ClassVar[Mapping[str, tuple[Mapping[str, JsonValue], bool | None]]] = {
        "draft": ({"isApproved": False, "status": "DRAFT"}, None),
        "approval unknown": ({"isApproved": None}, None),
        "on hold": ({"stage": "On Hold"}, None),
        "void": ({"isVoid": True, "status": 2}, False),
        "void by its status": ({"status": "Void"}, False),
        "void by number": ({"status": 2}, False),
        "void draft": ({"isVoid": True, "isApproved": False}, False),
        "declined": ({"stage": "Declined"}, False),
        "dispatched": ({"stage": "Dispatched", "dispatchedDate": "2026-11-22T00:00:00"}, True),
        "a stage of the account's own": ({"stage": "Picking lane 4"}, True),
        "a status nobody knows": ({"status": "PARKED"}, True),
        "nulls": ({"stage": None, "status": None, "modifiedDate": None, "isVoid": None}, True),
    }

    @pytest.mark.parametrize("case", STANDINGS)
    async def test_what_its_standing_means(self, case: str) -> None:
        said, there = self.STANDINGS[case]
        self.at_hand = units(KETTLE=0, CUP=0)
        async with self.system(listed(shown() | dict(said))) as (_, erp):
            receipt = await erp.find(REF, 1)
            if there is None:
                assert receipt is None
            else:
                assert receipt is not None
                expected = StockVerdict.AVAILABLE if there else StockVerdict.UNAVAILABLE
                assert {one.verdict for one in receipt.lines} == {expected}

    @pytest.mark.parametrize(
        "lines",
        [
            [line("1", "KETTLE", 1)],
            [line("1", "KETTLE", 1), line("2", "CUP", 5, revision=2)],
            [line("1", "KETTLE", 1), line("2", "CUP", 5), line("2", "CUP", 5)],
            None,
        ],
        ids=["lost", "of another revision", "doubled", "none at all"],
    )
    async def test_an_order_without_one_of_our_lines_or_with_one_twice_is_no_receipt(
        self, lines: Sequence[JsonValue] | None
    ) -> None:
        body = shown(lines=lines or ()) | ({"lineItems": None} if lines is None else {})
        async with self.system(listed(body)) as (_, erp):
            assert await erp.find(REF, 1) is None

    @pytest.mark.parametrize(
        "standing",
        [{"invoiceDate": "2026-11-22T00:00:00Z"}, {"dispatchedDate": "2026-11-22T00:00:00Z"}, {"isVoid": True}],
    )
    async def test_what_has_left_or_is_void_is_not_changed(self, standing: Mapping[str, JsonValue]) -> None:
        self.listing = listed(shown() | dict(standing))
        async with self.system(self.queued) as (peer, erp):
            with pytest.raises(Refused, match=r"too late|voided"):
                await erp.submit(an_order(), 2)
            assert peer.received == []

    async def test_without_a_secret_nobody_may_push(self) -> None:
        erp = Cin7OmniErp("cin7_omni", Cin7OmniSettings.model_validate(OWN | {"branch": 3}), clock=lambda: NOW)
        with pytest.raises(BadSignature):
            erp.verify(self.pushed([RECEIPT]))
        await erp.aclose()

    @pytest.mark.parametrize(
        "wrong", [{"branch": 0}, {"branch": "3 OR 1=1"}, {"member": -1}, {"base_url": "http://x.example"}]
    )
    def test_settings_that_are_none_are_refused(self, wrong: Mapping[str, object]) -> None:
        with pytest.raises(ValidationError):
            Cin7OmniSettings.model_validate({**OWN, "branch": 3, **wrong})


def sent(order: Order, **more: object) -> dict[str, JsonValue]:
    (body,) = json.loads(wire_order(order, 1, HOUSE, **more).body)  # type: ignore[arg-type]
    read: dict[str, JsonValue] = body
    return read


def test_what_is_posted_has_the_published_names_and_nothing_of_the_order_is_lost() -> None:
    body = sent(whole())
    lines = body["lineItems"]
    assert isinstance(lines, list)
    assert set(body) <= PUBLISHED
    for one in lines:
        assert isinstance(one, dict)
        assert set(one) <= PUBLISHED_OF_LINES
    expected = {
        "reference": reference(REF),
        "isApproved": True,
        "branchId": 3,
        "firstName": "Ada",
        "lastName": "Example",
        "company": "Example Ltd",
        "email": "ada@example.com",
        "phone": "+15005550006",
        "deliveryAddress1": "1 Example St",
        "deliveryCountry": "Germany",
        "billingCity": "Berlin",
        "customerOrderNo": "PO-9",
        "currencyCode": "EUR",
        "freightTotal": 4.9,
        "discountTotal": 5.0,
        "surcharge": 0.0,
    }
    assert {name: body[name] for name in expected} == expected
    assert "2026-12-01T08:00" in str(body["deliveryInstructions"])
    assert "ring twice" in str(body["deliveryInstructions"])
    assert "EUR 37.40 as agreed" in str(body["internalComments"])
    assert "no sugar" in str(lines[1])
    assert "taxStatus" not in body


def test_gift_cards_fees_and_the_basis_of_tax_have_their_places() -> None:
    totals = Totals(discount="5", credit="10", fees="2", tax_basis=TaxBasis.INCLUDED, total="24.50")
    body = sent(an_order().model_copy(update={"totals": totals}))
    assert (body["discountTotal"], body["surcharge"], body["taxStatus"]) == (15.0, 2.0, "Incl")
    assert body["discountDescription"] == "discount 5, gift card or store credit 10"


def test_what_is_too_long_is_shortened_and_told_in_the_comments() -> None:
    long = "engrave " * 60
    street = Address(street=long, city="Berlin", country="DE")
    body = sent(an_order().model_copy(update={"delivery_address": street}))
    assert len(str(body["deliveryAddress1"])) <= 250
    assert long.strip() in str(body["internalComments"])


def test_references_fit_are_no_two_orders_and_keep_out_of_quotes() -> None:
    refs = [
        OrderRef(store=store, number=number)
        for store in ("shop", "Shop", "shop/A")
        for number in ("A-1001", "a-1001", "A/1001", "1001", "Ä", "'", "x" * 200, "x" * 199)
    ]
    found = [reference(ref) for ref in refs]
    assert len({one.upper() for one in found}) == len(refs)
    assert all(len(one) <= 20 and set(one) <= set("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") for one in found)
    assert reference(REF).startswith("A-1001-")


@given(st.text(min_size=1, max_size=30), st.text(min_size=1, max_size=30), st.text(max_size=300))
def test_what_was_written_is_known_again_whatever_the_ids_and_words(line_id: str, sku: str, words: str) -> None:
    if not line_id.strip() or not sku.strip():
        return
    one = Line(line_id=line_id, sku=sku, quantity="1.5", unit_price="2", instructions=words)
    order = an_order().model_copy(update={"lines": (one,), "instructions": words})
    wire = wire_order(order, 2, HOUSE)
    (written,) = wire.line_items
    read = OmniLine.model_validate({"id": 1, "code": sku, "qty": 1.5, "lineComments": written.line_comments}).mark
    assert read == LineMark(revision=2, line_id=one.line_id, sku=one.sku, quantity=Decimal("1.5"))
    mark = SalesOrder.model_validate(shown() | {"internalComments": wire.internal_comments}).mark
    assert mark == Mark(store="shop", number="A-1001", revision=2, lines=1)


@given(st.text(max_size=60))
def test_whatever_a_person_writes_there_is_a_mark_or_none(comment: str) -> None:
    for text in (
        comment,
        f"[orderack {comment}]",
        '[orderack {"revision":1,"line_id":"1","sku":"x","quantity":"NaN"}]',
    ):
        OmniLine.model_validate({"id": 1, "lineComments": text}).mark  # noqa: B018 - it raises nothing
        SalesOrder.model_validate(shown() | {"internalComments": text}).mark  # noqa: B018
