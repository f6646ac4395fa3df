"""What every ERP must do. A new ERP inherits `ErpConformance` and brings its system's payloads.

Where an ERP's submission cannot be repeated safely, it sets `repeatable = False`, and what was cut off must be
InDoubt instead of Unavailable.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from typing import ClassVar

import pytest
from pydantic import ValidationError

from orderack import erps
from orderack.clients import http
from orderack.domain.order import Contacts, Customer, Line, Order, OrderRef, Totals
from orderack.domain.receipt import ErpReceipt, StockVerdict
from orderack.errors import BadSignature, InDoubt, InvalidInput, Misconfigured, OrderAckError, Refused, Unavailable
from orderack.ports import Booking, Erp, RawRequest, Stock
from tests.conformance.channel import told
from tests.conformance.peer import Answer, CutOff, Peer, Received, Silence, closed_port, running_peer

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
REF = OrderRef(store="shop", number="A-1001")
LINES = (
    Line(line_id="1", sku="KETTLE", quantity=Decimal("1"), unit_price=Decimal("20")),
    Line(line_id="2", sku="CUP", quantity=Decimal("5"), unit_price=Decimal("3.5")),
)


def an_order(ref: OrderRef = REF) -> Order:
    """Two lines for Ada Example."""
    return Order(
        store=ref.store,
        number=ref.number,
        source="webshop",
        trigger_at=NOW,
        customer=Customer(id="C-1", name="Ada Example"),
        contacts=Contacts(email="ada@example.com", phone="+15005550006"),
        lines=LINES,
        currency="EUR",
        totals=Totals(total=Decimal("37.50")),
    )


class ErpConformance(ABC):
    """Holds for every ERP. The system is a real server on this machine."""

    name: ClassVar[str]
    secrets: ClassVar[Sequence[str]]
    required: ClassVar[Sequence[str]]
    repeatable: ClassVar[bool] = True
    document: ClassVar[str] = "SO-100001"
    """The document's id in the answers below, where the ERP does not number it by itself."""

    queued: ClassVar[Answer]
    """Taken; the receipt follows. Document SO-100001."""
    booked: ClassVar[Answer]
    """Taken and answered for at once: the receipt of `found`."""
    found: ClassVar[Answer]
    """The receipt of REF's revision 1: SO-100001, line 1 available, line 2 partial with 2."""
    not_found: ClassVar[Answer]
    cancelled: ClassVar[Answer]
    stock: ClassVar[Answer]
    """Line 1 available (7), line 2 backordered until 2026-12-01, and a line nobody asked for."""
    refusals: ClassVar[Sequence[Answer]]
    """To a submission. Each names ada@example.com in its reason, which must not be repeated."""
    ours_to_mend: ClassVar[Sequence[Answer]]
    locked: ClassVar[Sequence[Answer]]
    """Another process holds the order, for five seconds."""
    malformed: ClassVar[Mapping[bytes, str]]
    """Pushed bodies that are no receipts → the field that is named."""

    @abstractmethod
    def make(self, base_url: str) -> Erp:
        """The ERP with invented settings, its clock standing at NOW."""

    @abstractmethod
    def pushed(self, receipts: Sequence[Mapping[str, object]] | bytes, at: datetime = NOW) -> RawRequest:
        """These receipts (or this body) as the ERP would push them, signed by other code than the adapter's."""

    @abstractmethod
    def receipt(self) -> Mapping[str, object]:
        """The receipt of `found`, as the ERP writes it."""

    def aside(self, request: Received) -> Answer | None:
        """The answer to a request that comes before or after the one that a test is about (a look-up), if it is one."""
        return None

    @asynccontextmanager
    async def erp(self, base_url: str = "http://127.0.0.1:9") -> AsyncIterator[Erp]:
        made = self.make(base_url)
        try:
            yield made
        finally:
            await made.aclose()

    @asynccontextmanager
    async def system(self, *answers: Answer | CutOff | Silence) -> AsyncIterator[tuple[Peer, Erp]]:
        async with running_peer() as peer, self.erp(peer.url) as erp:
            peer.will(*answers)
            peer.aside = self.aside
            yield peer, erp

    async def submitted(self, *answers: Answer | CutOff | Silence) -> Booking:
        async with self.system(*answers) as (_, erp):
            return await erp.submit(an_order(), 1)

    async def failure(self, *answers: Answer | CutOff | Silence) -> OrderAckError:
        """The error of one submission; a second request would be a hidden retry."""
        async with self.system(*answers) as (peer, erp):
            with pytest.raises(OrderAckError) as caught:
                await erp.submit(an_order(), 1)
            assert len(peer.received) == 1, "it must not repeat by itself"
            return caught.value

    def cut_off(self) -> type[OrderAckError]:
        return Unavailable if self.repeatable else InDoubt

    def the_receipt(self, receipt: ErpReceipt | None) -> None:
        """Assert that it is the one of `found`."""
        assert receipt is not None
        assert (receipt.erp, receipt.store, receipt.number) == (self.name, "shop", "A-1001")
        assert (receipt.revision, receipt.document_id) == (1, self.document)
        assert [(line.line_id, line.verdict, line.quantity) for line in receipt.lines] == [
            ("1", StockVerdict.AVAILABLE, None),
            ("2", StockVerdict.PARTIAL, Decimal("2")),
        ]
        assert receipt.answers_for_stock(frozenset({"1", "2"}))

    async def test_the_name_is_the_files_and_the_registration_says_what_is_needed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spec = erps.load()[self.name]
        assert spec.description
        assert spec.obtain
        assert all(variable.description for variable in spec.variables)
        for variable in spec.variables:
            monkeypatch.delenv(variable.name, raising=False)
        lacking = erps.build().not_configured[self.name]
        assert set(lacking) == {f"{variable} is missing" for variable in self.required}
        async with self.erp() as erp:
            assert erp.name == self.name

    async def test_a_submission_that_is_taken_gives_the_document_and_no_receipt_yet(self) -> None:
        booking = await self.submitted(self.queued)
        assert (booking.document_id, booking.receipt) == (self.document, None)

    async def test_a_submission_that_is_booked_at_once_gives_the_receipt(self) -> None:
        booking = await self.submitted(self.booked)
        assert booking.document_id == self.document
        self.the_receipt(booking.receipt)

    async def test_submitting_twice_is_the_same_request_byte_for_byte(self) -> None:
        async with self.system(self.queued) as (peer, erp):
            await erp.submit(an_order(), 1)
            await erp.submit(an_order(), 1)
            await erp.submit(an_order(), 2)
            first, again, other = peer.received
            assert first.raw == again.raw
            assert first.raw != other.raw

    async def test_a_receipt_is_found_once_it_is_booked(self) -> None:
        async with self.system(self.found) as (_, erp):
            self.the_receipt(await erp.find(REF, 1))

    async def test_an_order_that_is_not_booked_is_not_found(self) -> None:
        async with self.system(self.not_found) as (_, erp):
            assert await erp.find(REF, 1) is None

    async def test_the_receipt_of_another_revision_is_not_this_ones(self) -> None:
        async with self.system(self.found) as (_, erp):
            assert await erp.find(REF, 2) is None

    async def test_an_answer_about_another_order_is_not_believed(self) -> None:
        async with self.system(self.found) as (_, erp):
            with pytest.raises(Unavailable):
                await erp.find(OrderRef(store="shop", number="B-2"), 1)

    async def test_cancelling_says_whether_the_erp_knew_the_order(self) -> None:
        async with self.system(self.cancelled, self.not_found) as (_, erp):
            assert await erp.cancel(REF, "SO-100001", "the buyer asked") is True
            assert await erp.cancel(REF, None, "the buyer asked") is False

    async def test_live_stock_answers_the_lines_that_were_asked(self) -> None:
        async with self.system(self.stock) as (_, erp):
            assert list(await erp.availability(LINES)) == [
                Stock(line_id="1", verdict=StockVerdict.AVAILABLE, available=Decimal("7")),
                Stock(line_id="2", verdict=StockVerdict.BACKORDERED, expected_on=date(2026, 12, 1)),
            ]

    @pytest.mark.parametrize("number", ["A/1", "../../admin", "..", "A?b=c#d", "Ä 1%2F", "1/cancellation", "a\r\nX: y"])
    async def test_no_order_number_can_forge_anothers_path_or_a_header(self, number: str) -> None:
        ref = OrderRef(store="shop", number=number)
        async with self.system(self.not_found, self.not_found, self.queued) as (peer, erp):
            await erp.find(ref, 1)
            await erp.cancel(ref, None, "")
            await erp.submit(an_order(ref), 1)
            asked, cancelled, submitted = peer.received
            plain = {asked.target.partition("?")[0].count("/"), cancelled.target.count("/") - 1}
            assert plain == {3}
            assert not {".", ".."} & set(asked.target.partition("?")[0].split("/"))
            assert submitted.raw.isascii() or submitted.raw.partition(b"\r\n\r\n")[0].isascii()
            assert "x" not in submitted.headers

    async def test_every_refusal_gives_its_reason_without_the_buyers_data(self) -> None:
        for answer in self.refusals:
            error = await self.failure(answer)
            assert isinstance(error, Refused), answer
            assert error.code, answer
            assert "ada@example.com" not in told(error), answer
            assert "credit limit" in str(error), answer

    async def test_what_is_ours_to_mend_is_misconfigured_and_names_a_setting(self) -> None:
        for answer in self.ours_to_mend:
            error = await self.failure(answer)
            assert isinstance(error, Misconfigured), answer
            assert self.required[0].rpartition("_BASE_URL")[0] in str(error), answer

    async def test_an_order_another_process_holds_is_asked_for_again_when_it_says(self) -> None:
        for answer in self.locked:
            error = await self.failure(answer)
            assert isinstance(error, Unavailable), answer
            assert error.retry_after == timedelta(seconds=5), answer

    @pytest.mark.parametrize(
        ("status", "headers", "wait"),
        [
            (429, {"Retry-After": "7"}, 7),
            (429, {"Retry-After": format_datetime(NOW + timedelta(seconds=90), usegmt=True)}, 90),
            (429, {"X-RateLimit-Reset": str(int(NOW.timestamp()) + 40)}, 40),
            (429, {}, None),
        ],
    )
    async def test_throttling_is_unavailable_until_the_time_it_names(
        self, status: int, headers: Mapping[str, str], wait: int | None
    ) -> None:
        error = await self.failure(Answer(status, b"{}", headers))
        assert isinstance(error, Unavailable)
        assert error.retry_after == (None if wait is None else timedelta(seconds=wait))

    async def test_an_erp_that_is_down_is_unavailable(self) -> None:
        async with self.erp(f"http://127.0.0.1:{await closed_port()}") as erp:
            for call in (
                erp.submit(an_order(), 1),
                erp.find(REF, 1),
                erp.cancel(REF, None, ""),
                erp.availability(LINES),
            ):
                with pytest.raises(Unavailable):
                    await call

    async def test_cut_off_after_submitting_is_what_its_key_allows(self) -> None:
        assert type(await self.failure(CutOff())) is self.cut_off()

    async def test_silence_after_submitting_is_what_its_key_allows(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(http, "TOTAL_SECONDS", 0.3)
        assert type(await self.failure(Silence())) is self.cut_off()

    @pytest.mark.parametrize("status", [408, 500, 502, 503, 504])
    async def test_a_breakdown_is_what_its_key_allows(self, status: int) -> None:
        assert type(await self.failure(Answer(status, b"{}"))) is self.cut_off()

    @pytest.mark.parametrize("body", [b"", b"<html>It works!</html>", b"[]", b"{}", b"\xff\xfe"])
    async def test_a_200_that_says_nothing_is_no_booking_and_no_receipt(self, body: bytes) -> None:
        assert type(await self.failure(Answer(200, body))) is self.cut_off()
        async with self.system(Answer(200, body)) as (_, erp):
            with pytest.raises(OrderAckError):
                await erp.find(REF, 1)
            with pytest.raises(OrderAckError):
                await erp.availability(LINES)

    async def test_a_pushed_receipt_is_read_and_the_same_one_twice_has_one_id(self) -> None:
        async with self.erp() as erp:
            request = self.pushed([self.receipt()])
            erp.verify(request)
            (first,), (again,) = erp.receipts(request), erp.receipts(request)
            self.the_receipt(first)
            assert first.id == again.id

    async def test_several_receipts_come_in_one_request(self) -> None:
        async with self.erp() as erp:
            second = {**self.receipt(), "id": "other", "number": "A-1002"}
            found = erp.receipts(self.pushed([self.receipt(), second]))
            assert [receipt.number for receipt in found] == ["A-1001", "A-1002"]

    async def test_one_changed_byte_breaks_the_signature(self) -> None:
        async with self.erp() as erp:
            request = self.pushed([self.receipt()])
            for changed in (
                request.body + b" ",
                request.body[:-1],
                request.body.replace(b"SO-1", b"SO-2"),
                b"\xff\xfe",
            ):
                with pytest.raises(BadSignature):
                    erp.verify(request.model_copy(update={"body": changed}))

    async def test_a_truncated_missing_or_garbled_signature_is_refused(self) -> None:
        async with self.erp() as erp:
            request = self.pushed([self.receipt()])
            for name, value in request.headers.items():
                for wrong in ("", value[:-4], value[1:], "é" * 20, "v1,", "v1,=", value[::-1], "v1a," + value[3:]):
                    with pytest.raises(BadSignature):
                        erp.verify(request.model_copy(update={"headers": {**request.headers, name: wrong}}))

    async def test_an_old_or_early_signature_is_refused(self) -> None:
        async with self.erp() as erp:
            for minutes in (-4, 4):
                erp.verify(self.pushed([self.receipt()], NOW + timedelta(minutes=minutes)))
            for minutes in (-6, 6, -60 * 24 * 900):
                with pytest.raises(BadSignature):
                    erp.verify(self.pushed([self.receipt()], NOW + timedelta(minutes=minutes)))

    async def test_a_pushed_body_that_is_no_receipt_names_the_field_and_the_remedy(self) -> None:
        async with self.erp() as erp:
            for body, field in self.malformed.items():
                with pytest.raises(InvalidInput) as caught:
                    erp.receipts(self.pushed(body))
                assert field in [problem.field for problem in caught.value.problems], body
                assert all(problem.problem and problem.remedy for problem in caught.value.problems), body
                assert "Analytical" not in str(caught.value), body

    async def test_no_error_and_no_log_shows_a_secret_or_the_buyers_data(
        self, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level(logging.DEBUG)
        shown = ""
        echoing = Answer(422, b'{"reason": "Ada: ada@example.com, +1 500 555 0006", "error": "x"}')
        for answer in (echoing, replace(echoing, status=401), replace(echoing, status=503), CutOff(), self.queued):
            async with self.system(answer) as (_, erp):
                shown += repr(erp) + repr(vars(erp).keys())
                try:
                    await erp.submit(an_order(), 1)
                except OrderAckError as error:
                    shown += told(error)
        shown += caplog.text
        assert not [word for word in (*self.secrets, "ada@example.com", "0006", "Ada Example") if word in shown]

    @pytest.mark.parametrize(
        "url", ["mailto:nobody", "nothing at all", "http://x:port", "http://", "https://me:pw@x.example"]
    )
    def test_a_base_url_that_is_none_is_refused_with_the_settings(self, url: str) -> None:
        with pytest.raises(ValidationError) as caught:
            self.make(url)
        assert url not in str(caught.value)
