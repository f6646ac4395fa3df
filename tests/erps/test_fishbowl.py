"""Fishbowl against the ERPs' conformance suite, and what its server says: sign-ins, seats, failures, questions."""

import asyncio
import json
import re
from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import ClassVar
from urllib.parse import urlsplit

import pytest
from pydantic import JsonValue, ValidationError

from orderack import erps
from orderack.domain.order import Line, Order, OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.erps._fishbowl_order import Mark, number_of
from orderack.erps._line_marks import mark_of
from orderack.erps.fishbowl import Fishbowl, FishbowlSettings
from orderack.errors import BadSignature, InDoubt, Misconfigured, OrderAckError, Refused, Unavailable
from orderack.ports import Booking, Invoices, RawRequest, Stock
from tests.conformance.channel import told
from tests.conformance.erp import LINES, NOW, REF, ErpConformance, an_order
from tests.conformance.peer import Answer, CutOff, Reaction, Received, json_answer, running_peer
from tests.erps.test_http import KEY, RECEIPT, SECRET
from tests.erps.test_http import TestHttpErp as _HttpErpSuite

PREFIX = "ORDERACK_ERP_FISHBOWL_"
PASSWORD = "manager-of-this-test"
TOKEN = "7dd6bcf7-5e92-4c25-86c9-000000000000"
REASON = "ada@example.com is over her credit limit"
HEX = re.compile(r"_utf8mb4 x'((?:[0-9a-f]{2})*)'")
SOON = date(2026, 12, 1)
NONE_THERE = json_answer(200, [])


def no(message: str = "No.", status: int = 400, headers: Mapping[str, str] | None = None) -> Answer:
    """A failure as the REST interface says it."""
    stamp = "2026-11-21T09:30:00.000-0700"
    return json_answer(status, {"timeStamp": stamp, "status": status, "message": message}, headers)


def old(code: int, message: str = "not accepted", headers: Mapping[str, str] | None = None) -> Answer:
    """A failure as the older interface says it: inside a 200."""
    return json_answer(200, {"statusCode": code, "statusMessage": message}, headers)


def so(ref: OrderRef = REF, revision: int = 1, status: int = 20, **said: JsonValue) -> JsonValue:
    """One row of `so`, as the question about it is answered."""
    note = f"{Mark(ref=ref, revision=revision)}\norder {ref}"
    known: dict[str, JsonValue] = {"id": 511, "num": number_of(ref), "statusId": status, "note": note}
    return {**known, "created": "2026-11-21T09:30:00.000-0700", **said}


def soitem(line_id: str, sku: str, ordered: str, fulfilled: str = "0", **said: JsonValue) -> JsonValue:
    note = f"#{mark_of(line_id, sku)} ring twice"
    return {"sku": sku, "ordered": ordered, "fulfilled": fulfilled, "note": note, **said}


def product(sku: str, on_hand: str | None, allocated: str | None = "0", **said: JsonValue) -> JsonValue:
    return {"sku": sku, "kind": 10, "onHand": on_hand, "allocated": allocated, "barred": "0", **said}


def bought(sku: str, quantity: str, due: str | None = "2026-12-01T00:00:00.000-0700") -> JsonValue:
    return {"sku": sku, "quantity": quantity, "due": due}


def rows(*found: JsonValue) -> Answer:
    return json_answer(200, list(found))


ITEMS = rows(soitem("1", "KETTLE", "1"), soitem("2", "CUP", "5"), {"sku": "Shipping", "ordered": "1", "note": None})
SHELF = rows(product("KETTLE", "7", "1"), product("cup", "2", "5"))
COMING = rows(bought("CUP", "10"))


class Watched(Fishbowl):
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


def table(request: Received) -> str:
    """Which question it is."""
    sql = request.body.decode()
    return next((name for name in ("soitem", "so", "poitem", "product") if f" FROM {name} " in sql), "")


class TestFishbowl(ErpConformance):
    name = "fishbowl"
    secrets = (PASSWORD, SECRET, KEY.decode(), TOKEN)
    required = tuple(f"{PREFIX}{name}" for name in ("BASE_URL", "USER_NAME", "PASSWORD"))
    repeatable = False

    queued = Answer(200)
    booked = Answer(200)
    found = rows(so())
    not_found = NONE_THERE
    cancelled = Answer(204)
    stock = rows(product("KETTLE", "8", "1"), product("CUP", "3", "3"), product("OTHER", "5"))
    refusals = (no(REASON), no(REASON, 409), no(REASON, 422), old(1200, REASON), old(2000, REASON))
    ours_to_mend = (
        no("You do not have the right to import.", 403),
        old(1120),
        old(1100),
        Answer(403, b""),
        Answer(404, b"<html>"),
        Answer(405),
        Answer(302),
    )
    locked = tuple(old(code, headers={"Retry-After": "5"}) for code in (1002, 1004, 1009, 1162))
    malformed: ClassVar[Mapping[bytes, str]] = _HttpErpSuite.malformed

    def setup_method(self) -> None:
        self.after: Answer = self.not_found
        """The orders of the number, once the import was sent."""
        self.answers: dict[str, Answer] = {"soitem": ITEMS, "product": SHELF, "poitem": COMING}
        self.wrote = False
        self.signed_in = self.signed_out = 0

    def settings(self, at: str, **said: object) -> FishbowlSettings:
        login = {"user_name": "orderack", "password": PASSWORD, "webhook_secret": SECRET}
        return FishbowlSettings.model_validate({"base_url": at, **login, "currency": "EUR", "time_zone": "UTC"} | said)

    def make(self, base_url: str, **said: object) -> Fishbowl:
        settings = self.settings(base_url, **said)
        self.watched = Watched(self.name, settings, clock=lambda: NOW)
        return self.watched

    def aside(self, request: Received) -> Answer | None:
        path, doing, about = urlsplit(request.target).path, self.watched.doing, table(request)
        if path in ("/api/login", "/api/logout"):
            self.signed_in += path == "/api/login"
            self.signed_out += path == "/api/logout"
            return json_answer(200, {"token": TOKEN}) if path == "/api/login" else Answer(200)
        if path == "/api/import/Sales-Order":
            self.wrote = True
        elif about == "so" and doing == "submit":
            return self.after if self.wrote else self.not_found
        elif about in self.answers and not (about == "product" and doing == "availability"):
            return self.answers[about]
        return None

    def receipt(self) -> Mapping[str, object]:
        return RECEIPT

    def pushed(self, receipts: Sequence[Mapping[str, object]] | bytes, at: datetime = NOW) -> RawRequest:
        return _HttpErpSuite().pushed(receipts, at)

    def the_receipt(self, receipt: ErpReceipt | None) -> None:
        """Its own documents have our number; and it says of each line how much it has."""
        assert receipt is not None
        if receipt.document_id == number_of(REF):
            assert receipt.lines[0].quantity == 1
            first = receipt.lines[0].model_copy(update={"quantity": None})
            lines = (first, *receipt.lines[1:])
            receipt = receipt.model_copy(update={"document_id": "SO-100001", "lines": lines})
        super().the_receipt(receipt)

    async def test_a_submission_that_is_taken_gives_the_document_and_no_receipt_yet(self) -> None:
        self.after = rows(so(status=10))
        booking = await self.submitted(self.queued)
        assert (booking.document_id, booking.receipt) == (number_of(REF), None)
        assert booking.waits == f"estimate {number_of(REF)} waits in Fishbowl until somebody issues it"

    async def test_a_submission_that_is_booked_at_once_gives_the_receipt(self) -> None:
        self.after = self.found
        booking = await self.submitted(self.booked)
        assert booking.document_id == number_of(REF)
        self.the_receipt(booking.receipt)
        assert booking.receipt is not None
        assert booking.receipt.recorded_at == datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
        assert booking.receipt.lines[1].expected_on == date(2026, 12, 1)

    async def test_submitting_twice_is_the_same_request_byte_for_byte(self) -> None:
        async with self.system(self.queued) as (peer, erp):
            for revision in (1, 1, 2):
                self.after, self.wrote = rows(so(revision=revision)), False
                await erp.submit(an_order(), revision)
            first, again, other = peer.received
            assert first.raw == again.raw
            assert first.raw != other.raw

    async def test_cancelling_says_whether_the_erp_knew_the_order(self) -> None:
        async with self.system(self.found, self.cancelled, self.not_found) as (peer, erp):
            assert await erp.cancel(REF, number_of(REF), "the buyer asked") is True
            assert await erp.cancel(REF, None, "the buyer asked") is False
            assert (peer.received[1].method, peer.received[1].target) == ("DELETE", "/api/sales-orders/511")

    @pytest.mark.parametrize(
        "number", ["A/1", "../../admin", "A?b=c#d", "Ä 1%2F", "O'Brien') OR 1=1 -- ", "\\'; DROP TABLE so", "a\r\nX: y"]
    )
    async def test_no_order_number_can_forge_anothers_path_or_a_header(self, number: str) -> None:
        ref = OrderRef(store="sh'op", number=number)
        async with self.system(self.not_found, self.not_found, self.queued) as (peer, erp):
            await erp.find(ref, 1)
            await erp.cancel(ref, None, "")
            with pytest.raises(InDoubt):
                await erp.submit(an_order(ref), 1)
            for request in peer.received[:2]:
                (written,) = HEX.findall(request.body.decode())
                assert bytes.fromhex(written).decode() == number_of(ref)
                assert "'" not in HEX.sub("", request.body.decode())
            assert all("x" not in request.headers for request in peer.received)

    @pytest.mark.parametrize("body", [b"", b"<html>It works!</html>", b"{}", b'[{"id": 1}]', b"[[]]", b"\xff\xfe"])
    async def test_a_200_that_says_nothing_is_no_booking_and_no_receipt(self, body: bytes) -> None:
        assert type(await self.failure(Answer(200, body))) is InDoubt
        async with self.system(Answer(200, body)) as (_, erp):
            for call in (erp.find(REF, 1), erp.availability(LINES), erp.cancel(REF, None, "")):
                with pytest.raises(OrderAckError):
                    await call

    async def test_one_session_serves_a_submission_and_is_given_back(self) -> None:
        self.after = self.found
        async with self.system(Answer(200)) as (peer, erp):
            await erp.submit(an_order(), 1)
            assert (self.signed_in, self.signed_out) == (1, 1)
            (sent,) = peer.received
            assert (sent.method, sent.target) == ("POST", "/api/import/Sales-Order")
            assert sent.headers["authorization"] == f"Bearer {TOKEN}"
            assert sent.headers["content-type"] == "application/json"
        assert (self.signed_in, self.signed_out) == (1, 1)

    @pytest.mark.parametrize("ended", [no("Invalid authorization token.", 401), old(1164), old(1010)])
    async def test_twenty_at_once_whose_session_has_ended_sign_in_once_more(self, ended: Answer) -> None:
        tokens: list[str] = []

        def server(got: Received) -> Reaction | None:
            if got.target == "/api/login":
                tokens.append(f"token-{len(tokens)}")
                return json_answer(200, {"token": tokens[-1]})
            if got.headers.get("authorization") == "Bearer token-0" and got.target != "/api/logout":
                return ended
            return self.found if table(got) == "so" else self.aside(got)

        async with running_peer() as peer, self.erp(peer.url) as erp:
            peer.aside = server
            bookings = await asyncio.gather(*(erp.submit(an_order(), 1) for _ in range(20)))
        assert len(tokens) == 2
        assert {booking.document_id for booking in bookings} == {number_of(REF)}
        assert self.signed_out == 1

    @pytest.mark.parametrize("answer", [no(REASON), CutOff(), Answer(500), Answer(200, b"?")])
    async def test_the_seat_is_given_back_whatever_became_of_it(self, answer: Reaction) -> None:
        async with self.system(answer) as (_, erp):
            with pytest.raises(OrderAckError):
                await erp.submit(an_order(), 1)
            assert (self.signed_in, self.signed_out) == (1, 1)

    @pytest.mark.parametrize(
        ("answer", "fate", "word"),
        [
            (no("Invalid username or password.", 401), Misconfigured, "PASSWORD"),
            (no("This integrated application has not been approved.", 401), Misconfigured, "approved"),
            (Answer(401, b"", {"MFA": "Required"}), Misconfigured, "second factor"),
            (old(1120), Misconfigured, "1120"),
            (no("The login limit has been reached for the server's key.", 401), Unavailable, "no seat"),
            (old(1162), Unavailable, "no seat"),
            (Answer(503), Unavailable, "503"),
            (Answer(200, b"<html>"), Unavailable, "says nothing"),
            (json_answer(200, {"token": "two\r\nlines"}), Unavailable, "says nothing"),
            (json_answer(200, {"user": {}}), Unavailable, "token"),
        ],
    )
    async def test_a_sign_in_that_fails_is_what_it_is(self, answer: Answer, fate: type, word: str) -> None:
        async with running_peer() as peer, self.erp(peer.url) as erp:
            peer.will(answer)
            with pytest.raises(fate, match=word) as caught:
                await erp.find(REF, 1)
            assert PASSWORD not in told(caught.value)

    async def test_a_revision_takes_the_place_of_the_earlier_one(self) -> None:
        async with running_peer() as peer, self.erp(peer.url) as erp:
            orders = [rows(so()), rows(so(revision=2, id=512))]
            peer.aside = lambda got: orders.pop(0) if table(got) == "so" else self.aside(got)
            peer.will(Answer(204), Answer(200))
            booking = await erp.submit(an_order(), 2)
            assert booking.receipt is not None
            assert booking.receipt.revision == 2
            removed, imported = peer.received
            assert (removed.method, removed.target) == ("DELETE", "/api/sales-orders/511")
            assert (imported.method, imported.target) == ("POST", "/api/import/Sales-Order")

    async def test_an_earlier_revision_does_not_take_the_place_of_a_later_one(self) -> None:
        async with self.system(Answer(500)) as (peer, erp):
            self.after, self.wrote = rows(so(revision=3)), True
            with pytest.raises(Refused, match="later revision") as caught:
                await erp.submit(an_order(), 2)
            assert caught.value.code == "superseded"
            assert peer.received == []

    async def test_nothing_is_removed_for_an_order_that_cannot_be_booked(self) -> None:
        self.answers["product"] = rows(product("KETTLE", "7"))
        async with self.system(Answer(500)) as (peer, erp):
            self.after, self.wrote = rows(so()), True
            with pytest.raises(Refused, match="line 2: no product CUP"):
                await erp.submit(an_order(), 2)
            assert peer.received == []

    async def test_what_could_not_be_imported_and_is_there_all_the_same_is_booked(self) -> None:
        self.after = self.found
        booking = await self.submitted(no("Sales order already exists."))
        self.the_receipt(booking.receipt)

    async def test_stock_that_cannot_be_asked_for_is_no_reason_to_book_again(self) -> None:
        self.after = self.found
        async with self.system(Answer(200)) as (peer, erp):
            peer.aside = lambda got: Answer(503) if table(got) == "soitem" else self.aside(got)
            assert await erp.submit(an_order(), 1) == Booking(document_id=number_of(REF))

    async def test_a_currency_that_has_no_name_there_is_refused_before_anything_is_asked(self) -> None:
        async with running_peer() as peer:
            erp = self.make(peer.url, currency="USD", currencies={"GBP": "Pound"})
            with pytest.raises(Refused, match="EUR, but in USD, GBP"):
                await erp.submit(an_order(), 1)
            assert peer.received == []
            await erp.aclose()

    async def test_it_takes_no_invoices_and_pushes_nothing_without_a_secret(self) -> None:
        erp = self.make("http://127.0.0.1:9", webhook_secret=None)
        assert not isinstance(erp, Invoices)
        with pytest.raises(BadSignature, match="no webhook secret"):
            erp.verify(self.pushed([RECEIPT]))
        await erp.aclose()

    @pytest.mark.parametrize(
        ("field", "value"),
        [
            ("base_url", "http://fishbowl.example.com:2456"),
            ("app_id", 0),
            ("currency", "dollars"),
            ("currencies", "EUR"),
            ("country", "USA"),
            ("time_zone", "Mars/Base"),
            ("webhook_secret", "not base64"),
        ],
    )
    def test_a_setting_that_cannot_be_is_named(self, field: str, value: object) -> None:
        with pytest.raises(ValidationError) as caught:
            self.settings("http://127.0.0.1:9", **{field: value})
        assert field in str(caught.value)

    async def test_two_installations_are_configured_apart(self, monkeypatch: pytest.MonkeyPatch) -> None:
        for name in ("BASE_URL", "USER_NAME", "PASSWORD"):
            monkeypatch.setenv(f"ORDERACK_ERP_SHED_{name}", "https://fishbowl.example.com:2456")
            monkeypatch.delenv(f"{PREFIX}{name}", raising=False)
        built = erps.build({"shed": "fishbowl"})
        assert built["shed"].name == "shed"
        assert "fishbowl" in built.not_configured
        await built["shed"].aclose()

    async def test_the_import_has_both_headers_then_the_order_then_its_items(self) -> None:
        self.after = self.found
        async with self.system(Answer(200)) as (peer, erp):
            await erp.submit(an_order(), 1)
            sent: list[list[str]] = json.loads(peer.received[0].body)
        assert [row[0] for row in sent] == ["Flag", "Flag", "SO", "Item", "Item"]
        assert len(sent[0]) == len(sent[2])
        assert {len(row) for row in (sent[1], *sent[3:])} == {len(sent[1])}
        item = dict(zip(sent[1], sent[4], strict=True))
        assert (item["ProductNumber"], item["ProductQuantity"], item["ProductPrice"]) == ("CUP", "5", "3.5")
        assert Decimal(item["ProductPrice"]) == LINES[1].unit_price
