"""SAP Business One against the ERPs' conformance suite, and its own tables: fields, filters, codes, stock, sessions."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, ValidationError

from orderack import erps
from orderack.domain.order import Address, DeliveryWindow, Line, Order, OrderRef, Pickup, TaxBasis, Totals
from orderack.domain.receipt import ErpReceipt, StockVerdict
from orderack.erps._sap_b1_order import COMMENTS, Writing
from orderack.erps._sap_b1_wire import KEY_LENGTH, Document, Fields, failure, key_of, literal
from orderack.erps._stock import Incoming, Position, stock, verdict
from orderack.erps.sap_b1 import SapB1, SapB1Settings
from orderack.errors import BadSignature, Misconfigured, Refused, Unavailable
from orderack.ports import Booking, RawRequest, Stock
from tests.conformance.erp import LINES, NOW, REF, ErpConformance, an_order
from tests.conformance.peer import Answer, Received, json_answer, running_peer
from tests.erps.test_http import KEY, RECEIPT, SECRET
from tests.erps.test_http import TestHttpErp as _HttpErpSuite

PREFIX = "ORDERACK_ERP_SAP_B1_"
PASSWORD = "manager-of-this-test"
REASON = "ada@example.com is over her credit limit"
FIELDS = Fields(key="U_OrderackKey", revision="U_OrderackRev", line="U_OrderackLine")
SESSION = "1a2b3c4d"
LOGIN = json_answer(
    200,
    {"SessionId": SESSION, "Version": "1000290", "SessionTimeout": 30},
    {"Set-Cookie": "ROUTEID=.node2; path=/"},
)


def no(code: int | str, message: str = "No.", status: int = 400, headers: Mapping[str, str] | None = None) -> Answer:
    """The error of OData 3."""
    return json_answer(status, {"error": {"code": code, "message": {"lang": "en-us", "value": message}}}, headers)


def row(number: int, line_id: str, item: str, quantity: float, **said: JsonValue) -> JsonValue:
    known = {"LineNum": number, "ItemCode": item, "Quantity": quantity, "RemainingOpenQuantity": quantity}
    return {**known, "WarehouseCode": "01", "LineStatus": "bost_Open", "U_OrderackLine": line_id, **said}


def document(ref: OrderRef = REF, revision: int = 1, **said: JsonValue) -> JsonValue:
    """An order as GET /Orders shows it."""
    return {
        "odata.etag": 'W/"356A192B"',
        "DocEntry": 511,
        "DocNum": 100001,
        "CardCode": "C20000",
        "DocumentStatus": "bost_Open",
        "Cancelled": "tNO",
        "CreationDate": "2026-11-21",
        "DocTime": "10:30:00",
        "UpdateDate": "2026-11-22",
        "UpdateTime": "08:00:00",
        "U_OrderackKey": key_of(ref),
        "U_OrderackRev": str(revision),
        "DocumentLines": [row(0, "1", "KETTLE", 1), row(1, "2", "CUP", 5), row(2, "", "FREIGHT", 1)],
        **said,
    }


def listed(*found: JsonValue) -> Answer:
    return json_answer(200, {"value": list(found)})


def item(code: str, has: float, committed: float = 0, ordered: float = 0, **said: JsonValue) -> JsonValue:
    warehouse = {"WarehouseCode": "01", "InStock": has, "Committed": committed, "Ordered": ordered}
    return {"ItemCode": code, "InventoryItem": "tYES", "ItemWarehouseInfoCollection": [warehouse], **said}


PURCHASE: JsonValue = {
    "PurchaseOrders": {"DocEntry": 9},
    "PurchaseOrders/DocumentLines": {
        "ItemCode": "CUP",
        "RemainingOpenQuantity": 10.0,
        "ShipDate": "2026-12-01",
        "WarehouseCode": "01",
    },
}
SHELF = listed(item("KETTLE", 7, 1), item("CUP", 2, 5), item("FREIGHT", 0))


class Watched(SapB1):
    """Says what it is doing."""

    doing = ""

    async def submit(self, order: Order, revision: int) -> Booking:
        self.doing = "submit"
        return await super().submit(order, revision)

    async def availability(self, lines: Sequence[Line]) -> Sequence[Stock]:
        self.doing = "availability"
        return await super().availability(lines)

    async def find(self, ref: OrderRef, revision: int) -> ErpReceipt | None:
        self.doing = "find"
        return await super().find(ref, revision)


class TestSapB1(ErpConformance):
    name = "sap_b1"
    secrets = (PASSWORD, SECRET, KEY.decode(), SESSION)
    required = tuple(f"{PREFIX}{name}" for name in ("BASE_URL", "COMPANY_DB", "USER_NAME", "PASSWORD"))
    repeatable = False

    queued = Answer(204)
    booked = Answer(204)
    found = listed(document())
    not_found = listed()
    cancelled = Answer(204)
    stock = listed(item("KETTLE", 8, 1), item("CUP", 3, 3, ordered=10), item("OTHER", 5))
    refusals = (
        no(-5002, REASON),
        no(-10, REASON),
        no(-1116, REASON),
        no(-4002, REASON, 403),
        json_answer(400, {"error": {"code": "-5002", "message": REASON}}),
    )
    ours_to_mend = (
        no(-1000, "Property 'U_OrderackKey' of 'Document' is invalid"),
        no(-1000, "Property 'U_OrderackLine' of 'DocumentLine' is invalid"),
        Answer(403, b""),
        Answer(404, b"<html>"),
        Answer(405),
        Answer(302),
    )
    locked = (no(-2039, headers={"Retry-After": "5"}), no(-1, headers={"Retry-After": "5"}))
    malformed: ClassVar[Mapping[bytes, str]] = _HttpErpSuite.malformed

    def setup_method(self) -> None:
        self.after: tuple[Answer, Answer] = (self.not_found, self.not_found)
        """Orders and drafts, once the document was sent."""
        self.wrote = False
        self.logged_out = 0

    def settings(self, url: str, **said: object) -> SapB1Settings:
        login = {"company_db": "SBODEMOUS", "user_name": "orderack", "password": PASSWORD}
        known = {"base_url": url, **login, "card_code": "C20000", "webhook_secret": SECRET}
        return SapB1Settings.model_validate(known | said)

    def make(self, base_url: str, **said: object) -> SapB1:
        self.watched = Watched(self.name, self.settings(base_url, **said), clock=lambda: NOW)
        return self.watched

    def aside(self, request: Received) -> Answer | None:
        path, doing = urlsplit(request.target).path, self.watched.doing
        if path in ("/Login", "/Logout"):
            self.logged_out += path == "/Logout"
            return LOGIN if path == "/Login" else Answer(204)
        if request.method == "POST" and path == "/Orders":
            self.wrote = True
            return None
        if path == "/Items" and doing != "availability":
            return SHELF
        if path.startswith("/$crossjoin"):
            return listed(PURCHASE)
        if path == "/Drafts":
            return self.after[1] if self.wrote else self.not_found
        if doing == "submit" and path == "/Orders":
            return self.after[0] if self.wrote else self.not_found
        return None

    def receipt(self) -> Mapping[str, object]:
        return RECEIPT

    def pushed(self, receipts: Sequence[Mapping[str, object]] | bytes, at: datetime = NOW) -> RawRequest:
        return _HttpErpSuite().pushed(receipts, at)

    def the_receipt(self, receipt: ErpReceipt | None) -> None:
        """Its own documents have a bare number; what is pushed is as it was written."""
        assert receipt is not None
        number = receipt.document_id
        super().the_receipt(receipt.model_copy(update={"document_id": f"SO-{number.removeprefix('SO-')}"}))

    async def test_a_submission_that_is_taken_gives_the_document_and_no_receipt_yet(self) -> None:
        self.after = (self.not_found, listed(document(DocEntry=77, AuthorizationStatus="dasPending")))
        booking = await self.submitted(self.queued)
        assert (booking.document_id, booking.receipt) == (None, None)
        assert booking.waits == "draft 77 waits in SAP Business One for its approval"

    async def test_an_error_that_means_a_draft_is_a_draft(self) -> None:
        self.after = (self.not_found, listed(document(DocObjectCode="17", AuthorizationStatus="dasPending")))
        booking = await self.submitted(no(-2028, "No matching records found (ODBC -2028)"))
        assert booking.waits

    async def test_a_submission_that_is_booked_at_once_gives_the_receipt(self) -> None:
        self.after = (self.found, self.not_found)
        booking = await self.submitted(self.booked)
        assert booking.document_id == "100001"
        self.the_receipt(booking.receipt)

    async def test_submitting_twice_is_the_same_request_byte_for_byte(self) -> None:
        async with self.system(self.queued) as (peer, erp):
            for revision in (1, 1, 2):
                self.after = (listed(document(revision=revision)), self.not_found)
                self.wrote = False
                await erp.submit(an_order(), revision)
            first, again, other = peer.received
            assert first.raw == again.raw
            assert first.raw != other.raw

    async def test_cancelling_says_whether_the_erp_knew_the_order(self) -> None:
        async with self.system(self.found, self.cancelled, self.not_found) as (peer, erp):
            assert await erp.cancel(REF, "100001", "the buyer asked") is True
            assert await erp.cancel(REF, None, "the buyer asked") is False
            assert (peer.received[1].method, peer.received[1].target) == ("POST", "/Orders(511)/Cancel")

    @pytest.mark.parametrize(
        "number", ["A/1", "../../admin", "..", "A?b=c#d", "Ä 1%2F", "x' or '1' eq '1", "a\r\nX: y"]
    )
    async def test_no_order_number_can_forge_anothers_path_or_a_header(self, number: str) -> None:
        ref = OrderRef(store="sh'op", number=number)
        async with self.system(self.not_found, self.not_found, self.queued) as (peer, erp):
            await erp.find(ref, 1)
            await erp.cancel(ref, None, "")
            with pytest.raises(Refused):
                await erp.submit(an_order(ref), 1)
            for request in peer.received[:2]:
                assert urlsplit(request.target).path == "/Orders"
                (text,) = parse_qs(urlsplit(request.target).query)["$filter"]
                assert re.fullmatch(r"U_OrderackKey eq '[A-Za-z0-9%/._~-]+'", text), text
            assert all("x" not in request.headers for request in peer.received)

    async def test_both_cookies_go_with_every_request_and_the_licence_is_given_back(self) -> None:
        async with self.system(self.found) as (peer, erp):
            await erp.find(REF, 1)
            await erp.find(REF, 1)
            assert {request.headers["cookie"] for request in peer.received} == {f"B1SESSION={SESSION}; ROUTEID=.node2"}
            assert self.logged_out == 0
        assert self.logged_out == 1

    async def test_a_session_that_ended_is_renewed_once_and_no_more(self) -> None:
        ended = no(301, "Invalid session or session already timeout.", 401)
        async with self.system(ended, self.found) as (peer, erp):
            self.the_receipt(await erp.find(REF, 1))
            assert len(peer.received) == 2
        async with self.system(ended) as (peer, erp):
            with pytest.raises(Unavailable, match="licences"):
                await erp.find(REF, 1)
            assert len(peer.received) == 2

    async def test_a_revision_changes_the_same_document_as_it_was_read(self) -> None:
        async with running_peer() as peer, self.erp(peer.url) as erp:
            orders = [listed(document()), listed(document(revision=2))]
            peer.aside = lambda got: (
                orders.pop(0) if got.method == "GET" and got.target.startswith("/Orders") else self.aside(got)
            )
            peer.will(Answer(204))
            booking = await erp.submit(an_order(), 2)
            assert booking.receipt is not None
            assert booking.receipt.recorded_at == datetime(2026, 11, 22, 8, tzinfo=UTC)
            (patch,) = peer.received
            assert (patch.method, patch.target) == ("PATCH", "/Orders(511)")
            assert patch.headers["if-match"] == 'W/"356A192B"'
            assert patch.headers["b1s-replacecollectionsonpatch"] == "true"
            assert json.loads(patch.body)["U_OrderackRev"] == "2"

    @pytest.mark.parametrize(
        ("there", "said"),
        [
            (document(Cancelled="tYES"), "cancelled"),
            (document(DocumentStatus="bost_Close"), "closed"),
            (document(revision=3), "superseded"),
        ],
    )
    async def test_what_cannot_be_changed_is_refused_with_its_word(self, there: JsonValue, said: str) -> None:
        async with running_peer() as peer, self.erp(peer.url) as erp:
            peer.aside = lambda got: listed(there) if got.target.startswith("/Orders?") else self.aside(got)
            peer.will(Answer(500))
            with pytest.raises(Refused, match=said) as caught:
                await erp.submit(an_order(), 2)
            assert caught.value.code == said
            assert peer.received == []

    async def test_a_document_that_another_made_meanwhile_is_the_later_one_and_cancelled(self) -> None:
        both = listed(document(DocEntry=512, DocNum=100002), document())
        async with self.system(both, Answer(204)) as (peer, erp):
            self.the_receipt(await erp.find(REF, 1))
            assert peer.received[1].target == "/Orders(512)/Cancel"

    async def test_a_neighbour_that_differs_in_case_is_not_ours(self) -> None:
        neighbour = document(OrderRef(store="shop", number="a-1001"), DocEntry=400, DocNum=99)
        async with self.system(listed(neighbour, document())) as (_, erp):
            self.the_receipt(await erp.find(REF, 1))
        async with self.system(listed(neighbour)) as (_, erp):
            assert await erp.find(REF, 1) is None

    async def test_lines_of_one_item_share_what_there_is_the_first_first(self) -> None:
        """Seven at hand, ten committed to this order, one to another."""
        twice = document(DocumentLines=[row(0, "1", "CUP", 5), row(1, "2", "CUP", 5)])
        async with running_peer() as peer, self.erp(peer.url) as erp:
            peer.aside = lambda got: listed(item("CUP", 8, 11)) if "/Items" in got.target else self.aside(got)
            peer.will(listed(twice))
            receipt = await erp.find(REF, 1)
            assert receipt is not None
            assert [(line.verdict, line.quantity) for line in receipt.lines] == [
                (StockVerdict.AVAILABLE, None),
                (StockVerdict.PARTIAL, Decimal(2)),
            ]

    async def test_a_refusal_names_the_lines_whose_items_are_not_there(self) -> None:
        async with running_peer() as peer, self.erp(peer.url) as erp:
            peer.aside = lambda got: listed(item("KETTLE", 1)) if "/Items" in got.target else self.aside(got)
            peer.will(no(-2028, "No matching records found (ODBC -2028)"))
            with pytest.raises(Refused, match=r"line 2: no item CUP.*-2028"):
                await erp.submit(an_order(), 1)

    async def test_a_document_that_is_taken_is_taken_though_the_look_after_it_fails(self) -> None:
        async with running_peer() as peer, self.erp(peer.url) as erp:
            peer.aside = lambda got: Answer(503) if self.wrote and got.method == "GET" else self.aside(got)
            peer.will(Answer(204))
            assert await erp.submit(an_order(), 1) == Booking()

    async def test_the_customer_is_looked_up_and_an_unclear_one_is_refused(self) -> None:
        one, two = {"CardCode": "C-1"}, {"CardCode": "C-2"}
        for found, fate in (([one], "C-1"), ([], "C20000"), ([one, two], "several")):
            async with running_peer() as peer:
                erp = self.make(peer.url, customer_field="EmailAddress")
                asked: list[str] = []

                def partner(got: Received, found: list[JsonValue] = found, asked: list[str] = asked) -> Answer | None:
                    if "/BusinessPartners" in got.target:
                        asked.append(parse_qs(urlsplit(got.target).query)["$filter"][0])
                        return listed(*found)
                    return self.aside(got)

                self.setup_method()
                self.after = (listed(document()), self.not_found)
                peer.aside = partner
                peer.will(Answer(204))
                if fate == "several":
                    with pytest.raises(Refused, match="several business partners"):
                        await erp.submit(an_order(), 1)
                else:
                    await erp.submit(an_order(), 1)
                    assert json.loads(peer.received[0].body)["CardCode"] == fate
                assert asked == ["EmailAddress eq 'ada@example.com'"]
                await erp.aclose()

    async def test_without_a_secret_nothing_that_is_pushed_is_believed(self) -> None:
        erp = self.make("http://127.0.0.1:9", webhook_secret=None)
        with pytest.raises(BadSignature, match="no webhook secret"):
            erp.verify(self.pushed([RECEIPT]))
        await erp.aclose()

    async def test_a_login_that_is_refused_names_its_settings_and_a_busy_one_is_asked_again(self) -> None:
        for answer, fate in (
            (no(-304, "Fail to get DB Credentials from SLD", 401), Misconfigured),
            (no(100000027, "Login failed", 401), Misconfigured),
            (no(-1, "All licences are in use"), Unavailable),
            (Answer(503), Unavailable),
            (Answer(200, b"<html>"), Unavailable),
        ):
            async with running_peer() as peer, self.erp(peer.url) as erp:
                peer.will(answer)
                with pytest.raises(fate) as caught:
                    await erp.find(REF, 1)
                assert fate is Unavailable or f"{PREFIX}PASSWORD" in str(caught.value)
                assert PASSWORD not in str(caught.value)

    async def test_an_invoice_refers_to_the_open_rows_of_its_order(self) -> None:
        closed = row(0, "1", "KETTLE", 1, LineStatus="bost_Close", RemainingOpenQuantity=0)
        order = document(DocumentLines=[closed, row(1, "2", "CUP", 5)])
        invoices = [listed(), listed(document(DocNum=700001))]
        async with running_peer() as peer, self.erp(peer.url) as erp:

            def books(got: Received) -> Answer | None:
                if got.method == "GET" and got.target.startswith(("/Invoices", "/Orders")):
                    return invoices.pop(0) if "Invoices" in got.target else listed(order)
                return self.aside(got)

            peer.aside = books
            peer.will(Answer(204))
            assert await self.watched.invoice(REF, "100001") == "700001"
            (sent,) = peer.received
            body = json.loads(sent.body)
            assert body["DocumentLines"] == [{"BaseType": 17, "BaseEntry": 511, "BaseLine": 1}]
            assert body["U_OrderackKey"] == key_of(REF)
            assert erp is self.watched


WRITING = Writing(FIELDS, warehouse="01", tax_code="S1", shipping=3)
LONG = Address(
    name="Ada Example", street="S" * 120, city="Zürich", region="Canton of Zürich", postal_code="8001", country="CH"
)


def changed(**said: object) -> Order:
    return an_order().model_copy(update=said)


def test_an_order_is_written_in_the_vendors_fields() -> None:
    window = DeliveryWindow(start=NOW, end=datetime(2026, 11, 28, 12, tzinfo=UTC))
    line = LINES[1].model_copy(
        update={"instructions": "engrave: Ada", "dietary": "nut free", "discount": Decimal("2.5")}
    )
    order = changed(
        delivery_window=window,
        delivery_address=LONG,
        billing_address=LONG,
        purchase_order="PO-7",
        instructions="ring twice",
        lines=(LINES[0], line),
        totals=Totals(total=Decimal(40), shipping=Decimal("4.9"), discount=Decimal("3.5"), tax_basis=TaxBasis.ADDED),
    )
    body = WRITING.document(order, 2, "C20000")
    assert (body["CardCode"], body["NumAtCard"], body["DocDueDate"]) == ("C20000", "PO-7", "2026-11-28")
    assert (body["U_OrderackKey"], body["U_OrderackRev"]) == ("shop/A-1001", "2")
    assert body["DocumentLines"] == [
        {
            "ItemCode": "KETTLE",
            "Quantity": 1.0,
            "UnitPrice": 20.0,
            "U_OrderackLine": "1",
            "WarehouseCode": "01",
            "TaxCode": "S1",
        },
        {
            "ItemCode": "CUP",
            "Quantity": 5.0,
            "UnitPrice": 3.5,
            "LineTotal": 15.0,
            "U_OrderackLine": "2",
            "WarehouseCode": "01",
            "TaxCode": "S1",
            "ItemDetails": "engrave: Ada\nnut free",
        },
    ]
    assert body["TotalDiscount"] == 1.0
    assert body["DocumentAdditionalExpenses"] == [{"ExpenseCode": 3, "LineTotal": 4.9}]
    assert body["OpeningRemarks"] == "ring twice"
    extension = body["AddressExtension"]
    assert isinstance(extension, dict)
    assert (extension["ShipToCity"], extension["ShipToCounty"]) == ("Zürich", "Canton of Zürich")
    assert "ShipToState" not in extension
    assert str(extension["ShipToStreet"]).endswith("…")
    assert "street: SSS" in str(body["Comments"])


def test_prices_that_contain_the_tax_go_where_such_prices_belong() -> None:
    totals = Totals(total=Decimal(40), shipping=Decimal(5), tax_basis=TaxBasis.INCLUDED)
    body = WRITING.document(changed(totals=totals), 1, "C1")
    lines = body["DocumentLines"]
    assert isinstance(lines, list)
    assert all(isinstance(line, dict) and "PriceAfterVAT" in line and "UnitPrice" not in line for line in lines)
    assert body["DocumentAdditionalExpenses"] == [{"ExpenseCode": 3, "LineGross": 5.0}]


def test_what_has_no_place_on_the_document_is_told_to_its_reader() -> None:
    totals = Totals(total=Decimal(40), shipping=Decimal("4.9"), fees=Decimal(1), credit=Decimal(2))
    order = changed(totals=totals, pickup=Pickup(location="Main Street"))
    comments = str(Writing(FIELDS).document(order, 1, "C1")["Comments"])
    for word in ("Order shop/A-1001", "shipping 4.9 EUR", "fees 1 EUR", "credit 2 EUR", "picked up at Main Street"):
        assert word in comments
    long = Writing(FIELDS).document(order.model_copy(update={"delivery_address": LONG}), 1, "C1")
    assert len(str(long["Comments"])) <= COMMENTS


def test_a_number_that_would_be_another_there_is_refused() -> None:
    line = LINES[0].model_copy(update={"unit_price": Decimal("12345678901234.5678")})
    with pytest.raises(Refused, match="digits"):
        WRITING.document(changed(lines=(line,)), 1, "C1")


@given(text=st.text())
def test_a_text_in_a_filter_ends_where_it_ends(text: str) -> None:
    written = literal(text)
    assert re.fullmatch(r"'(?:[^']|'')*'", written, re.DOTALL)
    assert written[1:-1].replace("''", "'") == text


NAMES = st.text(min_size=1, max_size=200).filter(lambda text: text.strip() == text)


@given(one=st.tuples(NAMES, NAMES), other=st.tuples(NAMES, NAMES))
def test_two_orders_never_have_one_key(one: tuple[str, str], other: tuple[str, str]) -> None:
    keys = [key_of(OrderRef(store=store, number=number)) for store, number in (one, other)]
    assert all(len(key) <= KEY_LENGTH and key.isascii() and "'" not in key for key in keys)
    assert (keys[0] == keys[1]) is (one == other)


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        (b'{"error": {"code": -10, "message": {"lang": "en-us", "value": "No item"}}}', "-10", "No item"),
        (b'{"error": {"code": "-10", "message": "No item"}}', "-10", "No item"),
        (b'{"error": {"code": 301}}', "301", ""),
        (b"<html>", "", ""),
        (b"[]", "", ""),
    ],
)
def test_both_forms_of_an_error_are_read(body: bytes, code: str, message: str) -> None:
    said = failure(httpx.Response(400, content=body))
    assert (said.code, said.message) == (code, message)


@pytest.mark.parametrize(
    ("revision", "said", "when"),
    [
        (1, {}, datetime(2026, 11, 21, 10, 30, tzinfo=ZoneInfo("Europe/Berlin"))),
        (2, {}, datetime(2026, 11, 22, 8, tzinfo=ZoneInfo("Europe/Berlin"))),
        (1, {"CreationDate": "2026-11-21T00:00:00Z"}, datetime(2026, 11, 21, 10, 30, tzinfo=ZoneInfo("Europe/Berlin"))),
        (1, {"DocTime": None}, datetime(2026, 11, 21, tzinfo=ZoneInfo("Europe/Berlin"))),
        (1, {"DocTime": "noon"}, None),
        (1, {"CreationDate": None}, None),
    ],
)
def test_the_companys_wall_clock_is_read_in_its_zone(
    revision: int, said: Mapping[str, JsonValue], when: datetime | None
) -> None:
    read = Document.model_validate({**_dict(document()), **said})
    assert read.recorded_at(revision, ZoneInfo("Europe/Berlin")) == when


def _dict(value: JsonValue) -> dict[str, JsonValue]:
    assert isinstance(value, dict)
    return value


SOON, LATER = date(2026, 12, 1), date(2027, 1, 1)


@pytest.mark.parametrize(
    ("free", "incoming", "wanted", "supplied", "word", "quantity", "on"),
    [
        (5, (), 5, 0, "available", None, None),
        (2, (), 5, 0, "partial", 2, None),
        (2, ((10, SOON),), 5, 0, "partial", 2, SOON),
        (0, ((10, SOON),), 5, 0, "backordered", None, SOON),
        (0, ((10, None),), 5, 0, "backordered", None, None),
        (-8, ((10, SOON), (10, LATER)), 5, 0, "backordered", None, LATER),
        (-8, ((10, SOON),), 5, 0, "backordered", None, None),
        (0, (), 5, 0, "unavailable", None, None),
        (-3, (), 5, 0, "unavailable", None, None),
        (0, (), 0, 5, "available", None, None),
        (0, (), 2, 3, "partial", 3, None),
        (0, ((10, SOON),), 2, 3, "partial", 3, SOON),
    ],
)
def test_figures_of_stock_become_a_verdict(
    free: int,
    incoming: tuple[tuple[int, date | None], ...],
    wanted: int,
    supplied: int,
    word: str,
    quantity: int | None,
    on: date | None,
) -> None:
    position = Position(Decimal(free), tuple(Incoming(Decimal(many), day) for many, day in incoming))
    found = verdict("1", position, Decimal(wanted), Decimal(supplied))
    assert (found.verdict, found.quantity, found.expected_on) == (word, quantity, on)
    if wanted and not supplied:
        line = LINES[0].model_copy(update={"quantity": Decimal(wanted)})
        assert stock(line, position).verdict == word


def test_a_service_is_always_there_and_a_box_is_sold_whole_or_in_part() -> None:
    assert verdict("1", Position(Decimal(0), endless=True), Decimal(9)).verdict is StockVerdict.AVAILABLE
    boxes = Position(Decimal(24)).per(Decimal(12))
    assert verdict("1", boxes, Decimal(3)).quantity == Decimal(2)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("key_field", "OrderackKey"),
        ("key_field", "U_x' or 1"),
        ("customer_field", "EmailAddress eq"),
        ("time_zone", "Mars/Base"),
        ("base_url", "http://sap.example.com:50000/b1s/v1"),
        ("webhook_secret", "not base64"),
        ("shipping_code", "three"),
    ],
)
def test_a_setting_that_cannot_be_is_named(field: str, value: str) -> None:
    with pytest.raises(ValidationError) as caught:
        TestSapB1().settings("http://127.0.0.1:9", **{field: value})
    assert field in str(caught.value)


def test_somebody_has_to_be_the_customer(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BASE_URL", "COMPANY_DB", "USER_NAME", "PASSWORD"):
        monkeypatch.setenv(f"{PREFIX}{name}", "https://sap.example.com/b1s/v1")
    monkeypatch.delenv(f"{PREFIX}CARD_CODE", raising=False)
    (lack,) = erps.build().not_configured["sap_b1"]
    assert "CARD_CODE" in lack


async def test_two_installations_are_configured_apart(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("BASE_URL", "COMPANY_DB", "USER_NAME", "PASSWORD", "CARD_CODE"):
        monkeypatch.setenv(f"ORDERACK_ERP_SAP_EU_{name}", "https://sap.example.com/b1s/v1")
        monkeypatch.delenv(f"{PREFIX}{name}", raising=False)
    built = erps.build({"sap-eu": "sap_b1"})
    assert built["sap-eu"].name == "sap-eu"
    assert "sap_b1" in built.not_configured
    await built["sap-eu"].aclose()
