"""SAP Business One against the ERPs' conformance suite, and its own tables: fields, filters, codes, stock, sessions."""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from typing import ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import JsonValue, ValidationError

from orderack import erps
from orderack.domain.order import Line, Order, OrderRef
from orderack.domain.receipt import ErpReceipt, StockVerdict
from orderack.erps._line_marks import mark_of
from orderack.erps._sap_b1_wire import Fields, key_of
from orderack.erps.sap_b1 import SapB1, SapB1Settings
from orderack.errors import BadSignature, Misconfigured, Refused, Unavailable
from orderack.ports import Booking, RawRequest, Stock
from tests.conformance.erp import NOW, REF, ErpConformance, an_order
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
    known: dict[str, JsonValue] = {
        "LineNum": number,
        "ItemCode": item,
        "Quantity": quantity,
        "RemainingOpenQuantity": quantity,
    }
    return {
        **known,
        "WarehouseCode": "01",
        "LineStatus": "bost_Open",
        "U_OrderackLine": str(mark_of(line_id, item)) if line_id else "",
        **said,
    }


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
    warehouse: JsonValue = {"WarehouseCode": "01", "InStock": has, "Committed": committed, "Ordered": ordered}
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
        """Its own documents have a bare number, and say how much they have; what is pushed is as it was written."""
        assert receipt is not None
        if receipt.document_id == "100001":
            assert receipt.lines[0].quantity == 1
            first = receipt.lines[0].model_copy(update={"quantity": None})
            lines = (first, *receipt.lines[1:])
            receipt = receipt.model_copy(update={"document_id": "SO-100001", "lines": lines})
        super().the_receipt(receipt)

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
                (StockVerdict.AVAILABLE, Decimal(5)),
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
        one: JsonValue = {"CardCode": "C-1"}
        two: JsonValue = {"CardCode": "C-2"}
        table: tuple[tuple[list[JsonValue], str], ...] = (([one], "C-1"), ([], "C20000"), ([one, two], "several"))
        for found, fate in table:
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
