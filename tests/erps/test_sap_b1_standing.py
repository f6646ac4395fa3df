"""What stands in SAP Business One, and what that is for an order: changes, stock by warehouse, failures, seats."""

import asyncio
import json
import re
from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import JsonValue

from orderack.domain.order import Contacts, Line, Order, Totals
from orderack.domain.receipt import StockVerdict
from orderack.erps._line_marks import mark_of
from orderack.erps._sap_b1_change import changed
from orderack.erps._sap_b1_order import Json, Writing
from orderack.erps._sap_b1_wire import Document
from orderack.errors import InDoubt, Misconfigured, OrderAckError, Refused, Unavailable
from tests.conformance.channel import told
from tests.conformance.erp import LINES, REF, an_order
from tests.conformance.peer import Answer, CutOff, Reaction, Received, json_answer, running_peer
from tests.erps.test_sap_b1 import FIELDS, LOGIN, PURCHASE, REASON, document, item, listed, no, row
from tests.erps.test_sap_b1 import TestSapB1 as _Suite

EVIL = "O'Brien') or 1 eq 1"
SOON = date(2026, 12, 1)
BY_US: JsonValue = row(0, "1", "KETTLE", 1)
CUPS: JsonValue = row(1, "2", "CUP", 5)
BY_THEM: JsonValue = row(7, "", "FREIGHT", 1)
ELSEWHERE: JsonValue = row(2, "2", "CUP", 3, WarehouseCode="02")


@pytest.fixture
def suite() -> _Suite:
    """The suite's own server and settings, without its tests."""
    made = _Suite()
    made.setup_method()
    return made


def cups(quantity: int = 5, open_: int = 5, **said: JsonValue) -> JsonValue:
    return row(1, "2", "CUP", quantity, RemainingOpenQuantity=open_, **said)


def change(there: Sequence[JsonValue], order: Order, house: Writing | None = None) -> Json:
    found = Document.model_validate(document(DocumentLines=list(there)))
    return changed(house or Writing(FIELDS), order, 2, found, FIELDS)


def lines(*wanted: Line) -> Order:
    return an_order().model_copy(update={"lines": wanted})


def more(line: Line, **said: object) -> Line:
    return line.model_copy(update=said)


def test_each_line_stays_in_its_row_and_what_people_added_stays() -> None:
    rows = change([BY_US, cups(5, 3), BY_THEM], lines(LINES[1], LINES[0], more(LINES[0], line_id="9", sku="MUG")))
    written = rows["DocumentLines"]
    assert isinstance(written, list)
    found = [(one.get("LineNum"), one.get("ItemCode"), one.get("Quantity")) for one in written if isinstance(one, dict)]
    assert found == [(0, "KETTLE", 1.0), (1, "CUP", 5.0), (7, None, None), (None, "MUG", 1.0)]


def test_a_line_that_is_gone_loses_its_row() -> None:
    written = change([BY_US, CUPS, BY_THEM], lines(LINES[0]))["DocumentLines"]
    assert isinstance(written, list)
    assert [one["LineNum"] for one in written if isinstance(one, dict)] == [0, 7]


@pytest.mark.parametrize(
    ("there", "wanted", "why"),
    [
        (cups(5, 2), None, "3 of it has left already"),
        (cups(5, 2), {"quantity": Decimal(2)}, "3 of it has left already"),
        (cups(5, 2), {"sku": "MUG"}, "3 of it has left already"),
        (cups(5, 0, LineStatus="bost_Close"), None, "5 of it has left already"),
        (cups(5, 0, LineStatus="bost_Close"), {"quantity": Decimal(6)}, "5 of it has left already"),
        (cups(5, 5, LineStatus="bost_Close"), {"quantity": Decimal(6)}, "it is closed there"),
    ],
)
def test_what_has_left_cannot_be_ordered_less(there: JsonValue, wanted: dict[str, object] | None, why: str) -> None:
    order = lines(LINES[0]) if wanted is None else lines(LINES[0], more(LINES[1], **wanted))
    with pytest.raises(Refused, match=f"line 2 .*{why}") as caught:
        change([BY_US, there], order)
    assert caught.value.code == "delivered"


@pytest.mark.parametrize(
    ("there", "quantity"),
    [
        (cups(5, 2), 3),
        (cups(5, 2), 9),
        (cups(5, 0, LineStatus="bost_Close"), 5),
        (cups(5, 5, LineStatus="bost_Close"), 5),
    ],
)
def test_what_has_left_in_part_may_be_as_much_as_that_or_more(there: JsonValue, quantity: int) -> None:
    written = change([BY_US, there], lines(LINES[0], more(LINES[1], quantity=Decimal(quantity))))["DocumentLines"]
    assert isinstance(written, list)
    second = written[1]
    assert isinstance(second, dict)
    closed = isinstance(there, dict) and there["LineStatus"] == "bost_Close"
    assert second == {"LineNum": 1} if closed else second["Quantity"] == float(quantity)


def test_a_closed_row_whose_line_is_gone_and_never_left_stays_as_it_is() -> None:
    written = change([BY_US, cups(5, 5, LineStatus="bost_Close")], lines(LINES[0]))["DocumentLines"]
    assert isinstance(written, list)
    assert written[1:] == [{"LineNum": 1}]


def test_what_an_order_no_longer_has_is_written_as_gone() -> None:
    """A PATCH leaves alone what it does not name: a discount, freight, a remark, the second line of an address."""
    body = change([BY_US, CUPS], an_order(), Writing(FIELDS, shipping=3))
    assert (body["TotalDiscount"], body["OpeningRemarks"], body["DocumentAdditionalExpenses"]) == (0.0, "", [])
    written = body["DocumentLines"]
    assert isinstance(written, list)
    assert all(isinstance(one, dict) and (one["DiscountPercent"], one["ItemDetails"]) == (0.0, "") for one in written)
    freight = an_order().model_copy(update={"totals": Totals(total=Decimal(40), shipping=Decimal(5))})
    assert change([], freight, Writing(FIELDS, shipping=3))["DocumentAdditionalExpenses"] == [
        {"ExpenseCode": 3, "LineTotal": 5.0}
    ]
    assert "DocumentAdditionalExpenses" not in change([], an_order())


async def test_a_late_change_is_refused_before_anything_is_written(suite: _Suite) -> None:
    there = listed(document(DocumentLines=[BY_US, cups(5, 2)]))
    async with running_peer() as peer, suite.erp(peer.url) as erp:
        peer.aside = lambda got: there if got.target.startswith("/Orders?") else suite.aside(got)
        peer.will(Answer(500))
        with pytest.raises(Refused, match="order 100001: line 2 cannot be changed any more: 3 of it"):
            await erp.submit(lines(LINES[0], more(LINES[1], quantity=Decimal(1))), 2)
        assert peer.received == []


@pytest.mark.parametrize("there", [document(Cancelled="tYES"), document(CancelStatus="csYes")])
async def test_an_order_that_a_person_cancelled_there_is_not_booked(suite: _Suite, there: JsonValue) -> None:
    async with suite.system(listed(there)) as (peer, erp):
        assert await erp.find(REF, 1) is None
        assert await erp.cancel(REF, None, "") is True
        assert {request.method for request in peer.received} == {"GET"}


@pytest.mark.parametrize(
    ("rows", "shelves", "said"),
    [
        ([cups()], [("01", 9, 5)], [("available", 5, None)]),
        ([cups(3, 3)], [("01", 9, 3)], [("available", 3, None)]),
        ([cups(5, 5, WarehouseCode="02")], [("01", 9, 0), ("02", 2, 5)], [("partial", 2, SOON)]),
        ([cups(5, 5, WarehouseCode="09")], [("01", 9, 0)], [("unavailable", None, None)]),
        ([cups(5, 2)], [("01", 0, 2)], [("partial", 3, SOON)]),
        ([cups(5, 0, LineStatus="bost_Close")], [("01", 0, 0)], [("available", 5, None)]),
        ([cups(5, 5, LineStatus="bost_Close")], [("01", 9, 0)], [("unavailable", None, None)]),
        ([cups(5, 2, LineStatus="bost_Close")], [("01", 9, 0)], [("partial", 3, None)]),
        ([cups(2, 2), ELSEWHERE], [("01", 9, 2), ("02", 1, 3)], [("partial", 3, SOON)]),
        ([cups(2, 2), ELSEWHERE], [("01", 9, 2), ("02", 3, 3)], [("available", 5, None)]),
    ],
)  # fmt: skip
async def test_each_line_is_answered_from_the_warehouses_that_its_rows_name(
    suite: _Suite,
    rows: list[JsonValue],
    shelves: list[tuple[str, int, int]],
    said: list[tuple[str, int | None, date | None]],
) -> None:
    here: list[JsonValue] = [
        {"WarehouseCode": code, "InStock": many, "Committed": promised, "Ordered": 10 if code in ("01", "02") else 0}
        for code, many, promised in shelves
    ]
    joined = [{**_dict(PURCHASE), "PurchaseOrders/DocumentLines": _bought(code)} for code in ("01", "02")]
    async with running_peer() as peer, suite.erp(peer.url) as erp:

        def books(got: Received) -> Answer | None:
            if "/Items" in got.target:
                return listed({**_dict(item("CUP", 0)), "ItemWarehouseInfoCollection": here})
            return listed(*joined) if "$crossjoin" in got.target else suite.aside(got)

        peer.aside = books
        peer.will(listed(document(DocumentLines=rows)))
        receipt = await erp.find(REF, 1)
        assert receipt is not None
        assert [(line.verdict, line.quantity, line.expected_on) for line in receipt.lines] == said


def _bought(code: str) -> JsonValue:
    return {"ItemCode": "CUP", "RemainingOpenQuantity": 10, "ShipDate": str(SOON), "WarehouseCode": code}


def _dict(value: JsonValue) -> Json:
    assert isinstance(value, dict)
    return value


async def test_another_item_that_a_person_put_there_is_a_substitute_and_a_remark_is_none(
    suite: _Suite,
) -> None:
    other = row(1, "", "MUG", 5, U_OrderackLine=str(mark_of("2", "CUP")))
    remark: JsonValue = {"LineNum": 3, "ItemCode": None, "Quantity": None, "LineStatus": None, "U_OrderackLine": None}
    async with suite.system(listed(document(DocumentLines=[BY_US, other, remark]))) as (_, erp):
        receipt = await erp.find(REF, 1)
        assert receipt is not None
        assert [(line.line_id, line.verdict, line.substitute_sku) for line in receipt.lines] == [
            ("1", StockVerdict.AVAILABLE, None),
            ("2", StockVerdict.SUBSTITUTED, "MUG"),
        ]


@pytest.mark.parametrize(("has", "asked"), [(5, 0), (4, 20)])
async def test_purchases_are_asked_for_where_something_is_short_and_not_without_end(
    suite: _Suite, has: int, asked: int
) -> None:
    rows = [row(n, str(n), f"CUP-{n}", 5) for n in range(30)]
    questions: list[str] = []
    async with running_peer() as peer, suite.erp(peer.url) as erp:

        def books(got: Received) -> Answer | None:
            if "/Items" in got.target:
                return listed(*(item(f"CUP-{n}", has, 5, ordered=10) for n in range(30)))
            if "$crossjoin" in got.target:
                questions.append(got.target)
            return suite.aside(got)

        peer.aside = books
        peer.will(listed(document(DocumentLines=rows)))
        receipt = await erp.find(REF, 1)
        assert receipt is not None
        assert len(questions) == asked
        assert {line.verdict for line in receipt.lines} == {"available" if has == 5 else "partial"}
        assert len(receipt.lines) == 30


@pytest.mark.parametrize(
    ("answer", "fate", "code"),
    [
        (no(-5002, REASON), Refused, "-5002"),
        (no(-10, REASON), Refused, "-10"),
        (no(-1116, REASON), Refused, "-1116"),
        (no(-2035, "This entry already exists (ODBC -2035)"), Refused, "-2035"),
        (no(-2028, "No matching records found (ODBC -2028)"), Refused, "-2028"),
        (no(-2028, "No matching records found (ODBC -2028)", 404), Refused, "-2028"),
        (no(-1029, REASON), Refused, "-1029"),
        (no("SBO1", "ada@example.com owes too much", 422), Refused, "SBO1"),
        (no(-2039, "Another user or another operation modified data"), Unavailable, ""),
        (no(-1, "General error"), Unavailable, ""),
        (no(-5002, "The record is locked by another user"), Unavailable, ""),
        (no(-5002, "Cannot update: Locked By manager"), Unavailable, ""),
        (no(-1000, "Property 'U_OrderackRev' of 'Document' is invalid"), Misconfigured, ""),
        (no(-1, "timeout", 500), InDoubt, ""),
        (Answer(503), InDoubt, ""),
        (Answer(408), InDoubt, ""),
        (Answer(429), Unavailable, ""),
        (Answer(202), InDoubt, ""),
        (CutOff(), InDoubt, ""),
    ],
)
async def test_what_it_says_to_a_new_document_ends_as_what_it_is(
    suite: _Suite, answer: Reaction, fate: type[OrderAckError], code: str
) -> None:
    async with running_peer() as peer, suite.erp(peer.url) as erp:
        peer.aside = suite.aside
        peer.will(answer)
        with pytest.raises(fate) as caught:
            await erp.submit(an_order(), 1)
        assert getattr(caught.value, "code", "") == code
        assert "ada@example.com" not in told(caught.value)
        assert len(peer.received) == 1
    assert suite.logged_out == 1


async def test_a_reference_that_our_own_attempt_took_is_our_own_order(suite: _Suite) -> None:
    suite.after = (suite.found, suite.not_found)
    booking = await suite.submitted(no(-2035, "This entry already exists (ODBC -2035)"))
    suite.the_receipt(booking.receipt)


@pytest.mark.parametrize("code", [301, -301, "301"])
@pytest.mark.parametrize("status", [401, 400])
async def test_twenty_at_once_whose_session_has_ended_sign_in_once_more(
    suite: _Suite, code: int | str, status: int
) -> None:
    sessions: list[str] = []
    wrote: list[Received] = []

    def server(got: Received) -> Reaction | None:
        path = urlsplit(got.target).path
        if path == "/Login":
            sessions.append(f"session{len(sessions)}")
            return json_answer(200, {"SessionId": sessions[-1]}, LOGIN.headers)
        if path == "/Logout":
            return suite.aside(got)
        if got.headers["cookie"].startswith("B1SESSION=session0;"):
            return no(code, "Invalid session or session already timeout.", status)
        if path == "/Orders" and got.method == "GET":
            return listed(document()) if wrote else listed()
        if got.method == "POST":
            wrote.append(got)
            return Answer(204)
        return suite.aside(got)

    async with running_peer() as peer, suite.erp(peer.url) as erp:
        peer.aside = server
        bookings = await asyncio.gather(*(erp.submit(an_order(), 1) for _ in range(20)))
    assert len(sessions) == 2
    assert {booking.document_id for booking in bookings} == {"100001"}
    assert suite.logged_out == 1


@pytest.mark.parametrize("session", ["", "a b", "a;b", "a\r\nX: y", "ü", "x" * 500])
async def test_a_session_that_could_not_be_a_cookie_is_none(suite: _Suite, session: str) -> None:
    async with running_peer() as peer, suite.erp(peer.url) as erp:
        peer.will(json_answer(200, {"SessionId": session}))
        with pytest.raises(Unavailable, match="says nothing"):
            await erp.find(REF, 1)


async def test_a_session_that_ends_in_the_middle_of_a_submission_costs_no_second_document(suite: _Suite) -> None:
    ended = [no(301, "Invalid session or session already timeout.", 401)]
    suite.after = (suite.found, suite.not_found)
    async with suite.system(*ended, Answer(204)) as (peer, erp):
        booking = await erp.submit(an_order(), 1)
        suite.the_receipt(booking.receipt)
        assert [(request.method, request.target) for request in peer.received] == [("POST", "/Orders")] * 2
        assert peer.received[0].body == peer.received[1].body


async def test_no_buyer_and_no_item_can_end_the_filter_it_is_put_in(suite: _Suite) -> None:
    asked: list[str] = []
    order = an_order().model_copy(update={"contacts": Contacts(email="o'brien@example.com"), "lines": (LINES[0],)})
    order = order.model_copy(update={"customer": order.customer.model_copy(update={"id": EVIL})})
    evil = more(LINES[0], sku=EVIL)
    async with running_peer() as peer:

        def books(got: Received) -> Answer | None:
            query = parse_qs(urlsplit(got.target).query)
            asked.extend(query.get("$filter", []))
            return listed({"CardCode": "C-1"}) if "/BusinessPartners" in got.target else suite.aside(got)

        peer.aside = books
        peer.will(listed(item(EVIL, 3)))
        for field in ("EmailAddress", "U_ShopId"):
            erp = suite.make(peer.url, customer_field=field)
            suite.setup_method()
            suite.after = (listed(document()), suite.not_found)
            peer.will(Answer(204))
            await erp.submit(order, 1)
            peer.will(listed(item(EVIL, 3)))
            (stock,) = await erp.availability([evil])
            assert stock.available == 3
            await erp.aclose()
        asked.extend(parse_qs(urlsplit(got.target).query).get("$filter", [""])[0] for got in peer.received)
    assert "EmailAddress eq 'o''brien@example.com'" in asked
    assert "U_ShopId eq 'O''Brien'') or 1 eq 1'" in asked
    assert "ItemCode eq 'O''Brien'') or 1 eq 1'" in asked
    condition = r"[\w$/]+ eq (?:'(?:[^']|'')*'|[\w$/]+)"
    assert not [text for text in asked if text and not re.fullmatch(rf"{condition}(?: (?:or|and) {condition})*", text)]


async def test_an_invoice_is_one_however_often_it_is_asked_for(suite: _Suite) -> None:
    made: list[JsonValue] = []
    async with running_peer() as peer, suite.erp(peer.url):

        def books(got: Received) -> Answer | None:
            path = urlsplit(got.target).path
            if path == "/Invoices" and got.method == "POST":
                if made:
                    return no(-5002, "One of the base documents has already been closed")
                made.append(document(DocNum=700001))
                assert json.loads(got.body)["DocumentLines"]
                return Answer(204)
            if path == "/Invoices":
                return listed({**_dict(document(DocNum=600001)), "CancelStatus": "csCancellation"}, *made)
            return listed(document()) if path == "/Orders" else suite.aside(got)

        peer.aside = books
        first = await asyncio.gather(*(suite.watched.invoice(REF, "100001") for _ in range(3)))
        assert {*first, await suite.watched.invoice(REF, "100001")} == {"700001"}
    assert len(made) == 1


async def test_an_order_of_which_nothing_is_open_is_not_invoiced(suite: _Suite) -> None:
    closed = listed(document(DocumentLines=[cups(5, 0, LineStatus="bost_Close")]))
    async with running_peer() as peer, suite.erp(peer.url):
        peer.aside = lambda got: closed if got.target.startswith("/Orders") else suite.aside(got)
        peer.will(listed())
        with pytest.raises(Refused, match="nothing of order 100001 is open"):
            await suite.watched.invoice(REF, "100001")
        assert {request.method for request in peer.received} == {"GET"}


async def test_an_invoice_that_waits_for_its_approval_is_asked_for_again(suite: _Suite) -> None:
    draft = listed(document(DocObjectCode="13", AuthorizationStatus="dasPending"))
    async with running_peer() as peer, suite.erp(peer.url):

        def books(got: Received) -> Answer | None:
            if got.target.startswith("/Drafts"):
                return draft
            return listed() if got.target.startswith("/Invoices") else suite.aside(got)

        peer.aside = books
        with pytest.raises(Unavailable, match="somebody has to approve it"):
            await suite.watched.invoice(REF, "100001")
