"""Mails and files of people who mean harm: read within a bounded time, or named so that a person looks."""

import io
import time
import zipfile
import zlib
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderack.errors import InvalidInput
from orderack.ports import Connection, RawRequest, Skipped, Snapshot
from orderack.sources._mail import MailReader, MailSettings, delivery_of
from orderack.sources._mail_files import MOST_ROWS
from orderack.sources._mail_parts import MOST_ATTACHMENTS, take_apart
from orderack.sources._multipart import MOST_FIELDS, read_form
from tests.conformance.source import quickly
from tests.sources.mails import ARRIVED, Case, mail_of, xlsx_of
from tests.sources.measure import ANYBODY, SERVER

CONNECTION = Connection(
    store="shop", system="imap", source="email", country="DE", time_zone="Europe/Berlin", partners=ANYBODY
)
SECONDS = 6.0
"""Of the processor, for the worst of them on a slow machine; most take less than half of one."""
NUMBERED = "PO number: 4711\n"
SHEET = "xl/worksheets/sheet1.xml"
OPEN = b'<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData>'


async def doubts(raw: bytes) -> str:
    """What a person is told of it."""
    reader = MailReader(CONNECTION, MailSettings(), SERVER)
    before = time.process_time()
    (reading,) = await reader.read(delivery_of(raw, ARRIVED), ARRIVED)
    assert time.process_time() - before < SECONDS
    assert isinstance(reading, Snapshot)
    return " ".join(f"{doubt.field}: {doubt.why}" for doubt in reading.order.doubts)


def workbook(**parts: bytes) -> bytes:
    """A workbook with some of its parts put in place of the right ones."""
    named = {name.replace("__", "/") + ".xml": data for name, data in parts.items()}
    out = io.BytesIO()
    with (
        zipfile.ZipFile(io.BytesIO(xlsx_of([["sku", "qty"], ["AB-100", 1]]))) as book,
        zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as evil,
    ):
        for entry in book.infolist():
            evil.writestr(entry.filename, named.pop(entry.filename, None) or book.read(entry))
        for name, data in named.items():
            evil.writestr(name, data)
    return out.getvalue()


def lying_zip() -> bytes:
    """It says that it unpacks to a few bytes, and would to millions."""
    data = bytearray(workbook(xl__worksheets__sheet1=OPEN + b"<row/>" * 2_000_000))
    at = data.find(SHEET.encode(), data.find(b"PK\x01\x02"))
    data[at - 46 + 24 : at - 46 + 28] = (100).to_bytes(4, "little")
    return bytes(data)


def pdf(content: bytes, *, packed: bool = False, pages: int = 1, kids: bytes | None = None) -> bytes:
    data = zlib.compress(content) if packed else content
    named = kids or b" ".join(b"%d 0 R" % (4 + place) for place in range(pages))
    head = b"/Filter /FlateDecode " if packed else b""
    page = b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 3 0 R /Resources << >> >>"
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [" + named + b"] /Count %d >>" % pages,
        b"<< /Length %d " % len(data) + head + b">>\nstream\n" + data + b"\nendstream",
        *([page] * pages),
    ]
    out, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + part + b"\nendobj\n"
    table = b"xref\n0 %d\n0000000000 65535 f \n" % (len(parts) + 1)
    table += b"".join(b"%010d 00000 n \n" % place for place in places)
    return out + table + b"trailer << /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (len(parts) + 1, len(out))


TEXT = b"BT 40 800 Td\n" + b"(AB-100 10 3,50 35,00) Tj T*\n" * 40_000 + b"ET"


def files() -> Iterator[tuple[str, bytes, str]]:
    """A file's name, the file, and what a person is told of it."""
    yield "lying.xlsx", lying_zip(), "damaged"
    yield "cells.xlsx", workbook(xl__worksheets__sheet1=OPEN + b"<row><c/><c/></row>" * 300_000), "more cells"
    yield "nested.xlsx", workbook(xl__worksheets__sheet1=OPEN + b"<row>" * 500_000), "more cells"
    yield "styles.xlsx", workbook(xl__styles=b"<styleSheet>" + b"<xf/>" * 2_000_000), "more cells"
    yield "long.csv", b"item,qty\n" + b"A-1,1\n" * 1_000_000, "more than 1 MiB"
    yield "rows.csv", b"item,qty\n" + b"A-1,0\n" * (MOST_ROWS + 5), f"below row {MOST_ROWS}"
    yield "words.csv", b"item,qty\nA-1,ten\nB-2,5\n", "A-1 | ten"
    yield "text.pdf", pdf(TEXT), "draws more"
    yield "pages.pdf", pdf(TEXT, packed=True, pages=25), "draws more"
    yield "many.pdf", pdf(b"BT ET", pages=26), "more than 25 pages"
    yield "bomb.pdf", pdf(b"0 " * 30_000_000, packed=True), "bomb.pdf"
    yield "loop.pdf", pdf(TEXT, kids=b"2 0 R 2 0 R"), "loop.pdf"


HOSTILE = list(files())


@pytest.mark.parametrize(("name", "data", "why"), HOSTILE, ids=[f"{name}: {why}" for name, _, why in HOSTILE])
async def test_a_file_that_would_cost_much_is_named_instead(name: str, data: bytes, why: str) -> None:
    assert why in await doubts(mail_of(Case(name, text=NUMBERED, files={name: data})))


async def test_a_far_cell_costs_nothing() -> None:
    far = OPEN + b'<row r="1048576"><c r="XFD1048576"><v>1</v></c></row></sheetData></worksheet>'
    await doubts(mail_of(Case("far", text=NUMBERED, files={"far.xlsx": workbook(xl__worksheets__sheet1=far)})))


MARKUP = {
    "comments": "<!--" * 60_000,
    "instructions": "<?" * 120_000,
    "declarations": "<!" * 120_000,
    "sections": "<![CDATA[" * 25_000,
    "brackets": "<" * 250_000,
    "quotes": "<a b='" * 40_000,
    "attributes": f"<a {'b=c ' * 60_000}>",
    "tables": "<table>" * 36_000,
    "cells": "<table><tr>" + "<td>1" * 40_000,
    "scripts": "<script>" * 30_000,
}


@pytest.mark.parametrize("markup", MARKUP.values(), ids=MARKUP)
async def test_markup_without_an_end_is_read_in_time(markup: str) -> None:
    await doubts(mail_of(Case("markup", html=f"<p>{NUMBERED}</p>{markup}")))


WORDS = {
    "digits": "1 " * 100_000,
    "thousands": ("1.111" * 40 + " ") * 900,
    "codes": "AB-100 " * 28_000,
    "spaces": ("a" + " " * 500 + "b\n") * 400,
    "labels": "order no nr # " * 14_000,
    "numbers": "PO 4711 " * 25_000,
    "headers": "From: a\nTo: b\n" * 14_000,
    "letters": "a" * 200_000,
    "amounts": "€ 1 " * 50_000,
    "brackets": "(" * 200_000,
}


@pytest.mark.parametrize("words", WORDS.values(), ids=WORDS)
async def test_words_without_an_end_are_read_in_time(words: str) -> None:
    await doubts(mail_of(Case("words", text=f"{NUMBERED}{words}")))


async def test_too_long_a_text_is_said_to_be_cut() -> None:
    assert "longer than" in await doubts(mail_of(Case("long", text=NUMBERED + "a sentence\n" * 30_000)))


async def test_ten_thousand_parts_and_nested_mails_are_not_taken_apart() -> None:
    part = b"--x\r\nContent-Type: text/plain\r\n\r\n1 x AB-100\r\n"
    head = b"From: Ada <ada@example.com>\r\nSubject: PO 4711\r\nContent-Type: multipart/mixed; boundary=x\r\n\r\n"
    assert "more parts than" in await doubts(head + part * 10_000 + b"--x--\r\n")
    assert "too many" in await doubts(head + part * 400 + b"--x--\r\n")
    mail = b"Subject: inner\r\n\r\n10 x ZZ-900 @ 1.00 EUR\r\n"
    for _ in range(40):
        mail = b"Content-Type: message/rfc822\r\n\r\n" + mail
    assert "nested too deep" in await doubts(b"From: ada@example.com\r\nSubject: PO 4711\r\n" + mail)
    files = {f"{place}.csv": b"" for place in range(MOST_ATTACHMENTS + 1)}
    assert "more than 20" in await doubts(mail_of(Case("files", text=NUMBERED, files=files)))


@pytest.mark.parametrize(
    "charset", ["utf-7", "rot13", "zip", "hex", "idna", "punycode", "unicode-escape", "undefined", "nope", "", "\x00"]
)
async def test_a_charset_that_is_none_or_does_something_else_is_not_asked(charset: str) -> None:
    raw = b"From: Ada <ada@example.com>\r\nSubject: Order\r\nContent-Type: text/plain; charset=" + charset.encode()
    assert "lines" not in await doubts(raw + b"\r\n\r\nPO number: 4711\r\n10 x AB-100 @ 3.50 EUR\r\n")


async def test_null_bytes_and_marks_that_steer_never_reach_the_order() -> None:
    raw = mail_of(Case("null", text="PO number: 4711\n10 x AB-100 Blue\x1b[2Jlamp @ 3.50 EUR\n")).replace(
        b"4711", b"47\x0011"
    )
    (reading,) = await MailReader(CONNECTION, MailSettings(), SERVER).read(delivery_of(raw, ARRIVED), ARRIVED)
    assert isinstance(reading, Snapshot)
    assert reading.order.model_dump_json().isprintable()


HEADERS = ("content-type", "content-disposition", "content-transfer-encoding", "from", "date", "message-id", "subject")
ODD = st.one_of(
    st.text(max_size=80),
    st.sampled_from(
        [
            "multipart/mixed; boundary=",
            "attachment; filename*0*=a; filename*2*=b",
            "attachment; filename*=nope'en'%ff",
            "text/plain; charset*=utf-8''x; charset=y",
            "=?utf-8?b?!!!?=",
            "=?nope?q?a?=",
            "message/rfc822",
            "a@b <c@d> (e@f), ",
            "Sat, 99 Nov 99999 99:99:99 +9999",
            "uuencode",
        ]
    ),
)


@quickly
@given(st.lists(st.tuples(st.sampled_from(HEADERS), ODD), max_size=8), st.binary(max_size=200))
async def test_whatever_headers_say_it_is_an_order_or_says_why_not(headers: list[tuple[str, str]], body: bytes) -> None:
    lines = (f"{name}: {' '.join(value.split())}".encode("utf-8", "replace") for name, value in headers)
    raw = b"\r\n".join([*lines, b"Subject: PO 4711", b"", body])
    take_apart(raw)
    try:
        (reading,) = await MailReader(CONNECTION, MailSettings(), SERVER).read(delivery_of(raw, ARRIVED), ARRIVED)
    except InvalidInput:
        return
    assert isinstance(reading, Snapshot | Skipped)


def form(body: bytes, boundary: str = "x") -> RawRequest:
    kind = {"content-type": f"multipart/form-data; boundary={boundary}"}
    return RawRequest(url="https://o.example/", headers=kind, body=body)


def part(name: str, value: str) -> bytes:
    return f'--x\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()


def test_a_forms_first_field_of_a_name_stands_and_no_more_than_some_are_read() -> None:
    said = read_form(form(part("SPF", "fail") + part("SPF", "pass") + b"--x--\r\n"))
    assert said.field("SPF") == "fail"
    many = read_form(form(b"".join(part(f"f{place}", "v") for place in range(10_000)) + b"--x--\r\n"))
    assert len(many.fields) <= MOST_FIELDS


def test_a_value_cannot_bring_a_field_of_its_own() -> None:
    evil = 'x\r\n--y\r\nContent-Disposition: form-data; name="dkim"\r\n\r\n{@example.com : pass}'
    said = read_form(form(part("text", evil) + b"--x--\r\n"))
    assert said.field("dkim") == ""
    assert said.field("text") == evil


LINE = "Bitte liefern Sie 10 x AB-100 @ 3.50 EUR\nPO number: 4711\n"


@pytest.mark.parametrize("server", [None, "mx.elsewhere.example"])
async def test_a_mail_that_nobody_vouches_for_is_no_change_of_anybodys_order(server: str | None) -> None:
    """A change stops the order that it is of, and is told to whoever the change names."""

    async def identity(quantity: int, by: str | None) -> str:
        raw = mail_of(Case(f"{quantity}", text=LINE.replace("10 x", f"{quantity} x")))
        (reading,) = await MailReader(CONNECTION, MailSettings(), by).read(delivery_of(raw, ARRIVED), ARRIVED)
        assert isinstance(reading, Snapshot)
        assert reading.order.number == "4711"
        return reading.external_id

    real, changed = await identity(10, SERVER), await identity(12, SERVER)
    forged, another, again = await identity(99, server), await identity(98, server), await identity(99, server)
    assert real == changed
    assert len({real, forged, another}) == 3
    assert forged == again, "the very same mail is the same order"
