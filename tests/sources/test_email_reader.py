"""Mail: what it is read as, how sure that is, and what of it a person looks at."""

import io
import zipfile
from collections.abc import Iterator
from contextlib import suppress
from decimal import Decimal
from pathlib import Path

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError
from pypdf import PdfReader, PdfWriter

from orderack.clients.own_message_ids import OwnMessageIds
from orderack.domain.order import Order
from orderack.errors import InvalidInput
from orderack.ports import Connection, Reading, Skipped, Snapshot
from orderack.sources._mail import MailReader, MailSettings, delivery_of
from orderack.sources._mail_files import MOST_UNPACKED
from orderack.sources._mail_parts import LARGEST, LARGEST_ATTACHMENT, take_apart
from tests.conformance.source import quickly
from tests.sources.fresh_mails import FRESH
from tests.sources.known_mails import CASES
from tests.sources.later_mails import LATER
from tests.sources.mails import ARRIVED, Case, mail_of, pdf_of, xlsx_of
from tests.sources.measure import SERVER, Judged, measured, order_of, page

DOCS = Path(__file__).parents[2] / "docs" / "sources" / "email.md"
LINE = "PO number: 4711\n10 x AB-100 Blue lamp @ 3.50 EUR\n"
CONNECTION = Connection(
    store="shop",
    system="imap",
    source="email",
    country="DE",
    time_zone="Europe/Berlin",
    partners={"example": {"senders": ["example.com"]}},
)
SECRET = SecretStr("a secret of thirty-two characters")


@pytest.fixture(scope="module")
def everything() -> list[Judged]:
    return measured((*CASES, *FRESH, *LATER))


async def read(
    raw: bytes,
    settings: MailSettings | None = None,
    connection: Connection = CONNECTION,
    server: str | None = SERVER,
) -> Reading:
    reader = MailReader(connection, settings or MailSettings(), server)
    (reading,) = await reader.read(delivery_of(raw, ARRIVED), ARRIVED)
    return reading


async def order(
    raw: bytes,
    settings: MailSettings | None = None,
    connection: Connection = CONNECTION,
    server: str | None = SERVER,
) -> Order:
    reading = await read(raw, settings, connection, server)
    assert isinstance(reading, Snapshot), reading
    return reading.order


def doubts(found: Order) -> dict[str, str]:
    return {doubt.field: doubt.why for doubt in found.doubts}


def test_no_field_that_is_called_sure_is_wrong(everything: list[Judged]) -> None:
    wrong = [(one.case, one.field, one.expected, one.read) for one in everything if one.sure and not one.right]
    assert not wrong
    assert sum(one.sure for one in everything) > 500


def test_there_are_enough_mails_and_most_of_what_is_in_them_is_read(everything: list[Judged]) -> None:
    assert len(CASES) >= 40
    own = {case.name for case in CASES}
    there = [one for one in everything if one.expected is not None and one.case in own]
    assert sum(one.right for one in there) / len(there) >= 0.97
    assert page() in DOCS.read_text(), "python -m tests.sources.measure prints the tables"


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_each_mail_becomes_an_order_whose_doubts_lie_below_the_stores_limit(case: Case) -> None:
    found = order_of(case)
    assert all(doubt.confidence < Decimal("0.8") and doubt.why.endswith(".") for doubt in found.doubts)
    assert found.contacts.email == "ada@example.com"
    assert found.trigger_at == ARRIVED


def wrong_if_sure() -> Iterator[tuple[str, str, str]]:
    """A text, and the field that must not be called sure."""
    yield "10 x AB-100 @ 3.50 EUR per 100\n", "lines[0].unit_price", "a price of a hundred"
    yield "5 x AB-100 @ 2 for 7.00 EUR\n", "lines[0].unit_price", "two for seven"
    yield "10 x AB-100 Blue lamp 3.50 EUR\n", "lines[0].unit_price", "of one, or of the line"
    yield "1.500 Stück AB-100\n", "lines[0].quantity", "thousands or decimals"
    yield "10 x AB-100 @ 3.50 EUR\nDelivery date: 03/04/2027\n", "delivery_window", "day or month first"
    yield "10 x AB-100 @ 3.50 EUR\nTotal: 40.00 EUR\n", "totals.total", "a sum that does not fit"
    yield "10 x AB-100 @ 3.50 EUR\n3 x CD-200 @ 1.00 USD\n", "currency", "two currencies"
    yield "10 x blue lamps @ 3.50 EUR\n", "lines[0].sku", "no item number"
    yield "10 x AB-100\n", "lines[0].unit_price", "no price"
    yield "10 x AB-100 @ 3.50 EUR\nPickup: Kiel\nShip to: Hauptstr. 5, 10115 Berlin\n", "delivery", "both"
    yield "10 x AB-100 @ 3.50 EUR\nDelivery: by courier\n", "delivery", "no address"
    yield "10 x AB-100 @ 3.50 EUR\nand 20 pieces of the other item 88-321\n", "instructions", "a line in prose"
    yield "10-15 x EF-300\n", "instructions", "a range"
    yield "-5 x AB-100 @ 3.50 EUR\n", "lines", "a negative quantity"
    yield "10 x AB-100 @ 3.50 EUR\nDelivery date: next Friday\n", "delivery_window", "a day that depends"


@pytest.mark.parametrize(
    ("text", "field", "why"), list(wrong_if_sure()), ids=lambda value: value if " " in value else ""
)
async def test_what_may_mean_two_things_is_a_persons_to_decide(text: str, field: str, why: str) -> None:
    found = await order(mail_of(Case("doubt", text=f"PO number: 4711\n{text}", subject="Order")))
    assert field in doubts(found), why


async def test_a_required_field_that_is_missing_is_a_doubt() -> None:
    found = doubts(await order(mail_of(Case("bare", text=LINE))))
    assert set(found) == {"delivery", "payment.terms"}


async def test_a_higher_or_lower_limit_sends_more_or_fewer_fields_to_a_person() -> None:
    raw = mail_of(Case("limits", text=LINE, subject="PO 4711"))
    strict = await order(raw, connection=CONNECTION.model_copy(update={"sure_from": 0.9}))
    lax = await order(raw, connection=CONNECTION.model_copy(update={"sure_from": 0.0}))
    assert "customer.name" in doubts(strict)
    assert not lax.doubts


RESULTS = b"Authentication-Results: mx.shop.example; dmarc=pass header.from=example.com"
PASS = "; dmarc=pass header.from=example.com"


@pytest.mark.parametrize(
    ("results", "why"),
    [
        (f"mx.shop.example{PASS}", None),
        ("MX.shop.example 1; spf=fail smtp.mailfrom=x; dmarc=pass (p=REJECT) header.from=Example.com", None),
        ("mx.shop.example; dmarc=fail header.from=example.com", "does not vouch"),
        ("mx.shop.example; dmarc=none", "does not vouch"),
        ("mx.shop.example; dmarc=pass header.from=other.example", "does not vouch"),
        ("mx.shop.example; spf=pass smtp.mailfrom=dmarc=pass@evil.example; dmarc=fail", "does not vouch"),
        ('mx.shop.example; spf=pass smtp.mailfrom="x; dmarc=pass y"@evil.example', "nothing says"),
        ("mx.shop.example; spf=pass (helo; dmarc=pass) smtp.helo=x", "nothing says"),
        ("mx.shop.example; spf=pass (a (b; dmarc=pass) c) smtp.helo=x", "nothing says"),
        ("mx.shop.example; dmarc=pass; dmarc=fail", "does not vouch"),
        ("mx.shop.example; none", "nothing says"),
        (f"evil.example{PASS}", "nothing says"),
        (f"mx.shop.example.evil.example{PASS}", "nothing says"),
        (f"mx.shop.example; dmarc=fail\r\nAuthentication-Results: mx.shop.example{PASS}", "does not vouch"),
        (f"evil.example{PASS}\r\nAuthentication-Results: mx.shop.example; dmarc=fail", "does not vouch"),
        (f"mx.shop.example{PASS}\r\nX-Spam-Flag: YES", "marked it as spam"),
        ("", "nothing says"),
    ],
)
async def test_only_the_receiving_hosts_own_word_counts_for_whose_mail_it_is(results: str, why: str | None) -> None:
    raw = mail_of(Case("dmarc", text=LINE))
    assert raw.startswith(RESULTS)
    header = f"Authentication-Results: {results}" if results else "X-Other: 1"
    found = doubts(await order(header.encode() + raw[len(RESULTS) :]))
    assert (why is None) == ("contacts.email" not in found)
    assert why is None or why in found["contacts.email"].casefold()


async def test_without_a_host_to_believe_every_mail_goes_to_a_person() -> None:
    found = await order(mail_of(Case("nobody", text=LINE)), server=None)
    assert "contacts.email" in doubts(found)


@pytest.mark.parametrize(
    ("senders", "trusted"),
    [
        (["example.com"], True),
        (["Ada@Example.com"], True),
        (["*"], True),
        (["bea@example.com"], False),
        (["mail.example.com", "ample.com"], False),
    ],
)
async def test_only_a_partners_mail_needs_no_person_and_is_its_customers(senders: list[str], trusted: bool) -> None:
    partners = {"example": {"senders": senders, "customer_id": "K-7"}}
    found = await order(
        mail_of(Case("partner", text=LINE)), connection=CONNECTION.model_copy(update={"partners": partners})
    )
    assert ("contacts.email" not in doubts(found)) == trusted
    assert (found.customer.id == "K-7") == trusted


async def test_a_forged_sender_never_gets_the_partners_customer_number() -> None:
    partners = {"example": {"senders": ["example.com"], "customer_id": "K-7"}}
    raw = mail_of(Case("forged", text=LINE)).replace(b"dmarc=pass", b"dmarc=fail")
    found = await order(raw, connection=CONNECTION.model_copy(update={"partners": partners}))
    assert found.customer.id != "K-7"
    assert "contacts.email" in doubts(found)


async def test_a_customer_number_other_than_the_partners_is_a_doubt() -> None:
    partners = {"example": {"senders": ["example.com"], "customer_id": "K-7"}}
    mail = mail_of(Case("other", text=f"{LINE}Customer no: K-9\n"))
    found = await order(mail, connection=CONNECTION.model_copy(update={"partners": partners}))
    assert found.customer.id == "K-7"
    assert "K-9" in doubts(found)["customer.id"]


@pytest.mark.parametrize(
    "partners",
    [
        {"a": {"senders": []}},
        {"a": {"senders": ["gmail.com"]}},
        {"a": {"senders": ["no domain"]}},
        {"a": {"senders": ["x.example"], "colour": "red"}},
        {"a": {"senders": ["x.example"]}, "b": {"senders": ["X.example"]}},
    ],
)
def test_partners_that_cannot_be_told_apart_are_no_setting(partners: dict[str, dict[str, object]]) -> None:
    with pytest.raises(ValidationError, match="partners"):
        MailReader(CONNECTION.model_copy(update={"partners": partners}), MailSettings(), SERVER)


@pytest.mark.parametrize(
    ("headers", "why"),
    [
        ({"Auto_Submitted": "auto-replied"}, "automatic reply"),
        ({"Return_Path": "<>"}, "delivery report"),
        ({"X_Orderack_Key": "0123abcd"}, "of our own"),
    ],
)
async def test_automatic_replies_and_bounces_are_none_even_with_lines(headers: dict[str, str], why: str) -> None:
    reading = await read(mail_of(Case("auto", text=LINE), **headers))
    assert isinstance(reading, Skipped)
    assert why in reading.why


async def test_out_of_office_is_told_by_its_subject_in_six_languages() -> None:
    for subject in (
        "Automatic reply: Order",
        "Abwesenheitsnotiz",
        "Réponse automatique : x",
        "Respuesta automática: x",
        "Risposta automatica: x",
        "Automatisch antwoord: x",
    ):
        assert isinstance(await read(mail_of(Case("away", text=LINE, subject=subject))), Skipped)


@pytest.mark.parametrize(
    "headers",
    [
        {"List_Id": "<news.example.com>"},
        {"Precedence": "bulk"},
        {"Auto_Submitted": "auto-generated"},
        {"X_Spam_Flag": "YES"},
    ],
)
async def test_what_goes_to_many_is_an_order_only_with_a_number_and_lines(headers: dict[str, str]) -> None:
    news = Case("news", text="Order now! Everything 10% off at our shop.\n", subject="Winter sale")
    assert isinstance(await read(mail_of(news, **headers)), Skipped)
    assert isinstance(await read(mail_of(Case("procurement", text=LINE), **headers)), Snapshot)


async def test_a_reply_to_a_message_of_ours_is_the_channels_and_one_to_anybody_elses_is_read() -> None:
    ours = OwnMessageIds(SECRET, "shop.example").of("shop/1/1/received/1/email")
    settings = MailSettings(message_id_secret=SECRET)
    assert isinstance(await read(mail_of(Case("reply", text=LINE), In_Reply_To=ours), settings), Skipped)
    other = mail_of(Case("reply", text=LINE), In_Reply_To="<made.up@shop.example>")
    assert isinstance(await read(other, settings), Snapshot)


async def test_a_mail_that_speaks_of_no_order_is_skipped_and_one_that_does_is_kept_for_a_person() -> None:
    lunch = Case("lunch", subject="Lunch?", text="Are you free at noon?\nAda\n")
    assert isinstance(await read(mail_of(lunch)), Skipped)
    vague = await order(mail_of(Case("vague", subject="hello", text="We would like to order what we had last time.\n")))
    assert "lines" in doubts(vague)
    assert vague.totals.total == 0
    scanned = Case("scan", subject="see attached", text="Hi\n", files={"scan.tiff": b"II*\x00"})
    assert "scan.tiff" in doubts(await order(mail_of(scanned)))["mail"]


async def test_the_same_mail_is_one_delivery_and_its_order_has_the_same_number() -> None:
    raw = mail_of(Case("twice", text="10 x AB-100 @ 3.50 EUR\n", subject="please deliver"))
    again = b"Received: from elsewhere\r\n" + raw
    assert delivery_of(raw, ARRIVED).id == delivery_of(again, ARRIVED).id
    first, second = await read(raw), await read(again)
    assert isinstance(first, Snapshot)
    assert isinstance(second, Snapshot)
    assert first.order.number == second.order.number
    assert first.order.number.startswith("MAIL-")
    assert first.external_id == second.external_id


async def test_a_copy_of_an_order_is_that_order_and_another_companys_of_that_number_is_not() -> None:
    first = await read(mail_of(Case("one", text=LINE)))
    copy = await read(mail_of(Case("two", text=LINE.replace("10 x", "12 x"), sender="Bea <bea@example.com>")))
    other = await read(mail_of(Case("three", text=LINE, sender="Carl <carl@example.org>")))
    private = [await read(mail_of(Case(name, text=LINE, sender=f"{name}@gmail.com"))) for name in ("dora", "emil")]
    ids = [one.external_id for one in (first, copy, other, *private) if isinstance(one, Snapshot)]
    assert ids[0] == ids[1]
    assert len(set(ids)) == 4


async def test_formulas_stay_text_and_are_never_calculated() -> None:
    rows = [["sku", "description", "qty", "price"], ["=HYPERLINK(1)", "=1+1", 3, 2.5], ["AB-1", "x", "=2+2", 1]]
    found = await order(
        mail_of(
            Case(
                "formula",
                text="PO number: 4711\n",
                files={"o.csv": "\n".join(",".join(map(str, row)) for row in rows).encode()},
            )
        )
    )
    assert found.lines[0].sku == "=HYPERLINK(1)"
    assert found.lines[0].description == "=1+1"
    assert len(found.lines) == 1
    sheet = await order(mail_of(Case("formula", text="PO number: 4711\n", files={"o.xlsx": xlsx_of(rows)})))
    assert not any(line.quantity == 4 for line in sheet.lines)


def _bomb() -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as packed:
        packed.writestr("xl/worksheets/sheet1.xml", b"0" * (MOST_UNPACKED + 1))
    return out.getvalue()


def _entities() -> bytes:
    out, bomb = io.BytesIO(), b'<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaa"><!ENTITY b "&a;&a;&a;">]>'
    with (
        zipfile.ZipFile(io.BytesIO(xlsx_of([["sku", "qty"], ["AB-100", 1]]))) as book,
        zipfile.ZipFile(out, "w") as evil,
    ):
        for entry in book.infolist():
            data = book.read(entry)
            evil.writestr(entry.filename, bomb + b"<worksheet>&b;</worksheet>" if "sheet1" in entry.filename else data)
    return out.getvalue()


def _locked_pdf() -> bytes:
    writer = PdfWriter(clone_from=PdfReader(io.BytesIO(pdf_of(["PO number: 1"]))))
    writer.encrypt("secret", algorithm="RC4-128")
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


@pytest.mark.parametrize(
    ("name", "data", "why"),
    [
        ("bomb.xlsx", _bomb(), "unpack"),
        ("entities.xlsx", _entities(), "damaged"),
        ("old.xlsx", b"\xd0\xcf\x11\xe0" + bytes(600), "encrypted"),
        ("broken.xlsx", b"PK\x03\x04 broken", "damaged"),
        ("locked.pdf", _locked_pdf(), "encrypted"),
        ("scan.pdf", pdf_of([]), "holds no text"),
        ("broken.pdf", b"%PDF-1.4 nothing", "damaged"),
        ("order.docx", b"PK", "of a kind that is not read"),
        ("binary.csv", b"\x00\x01" * 40, "is no text"),
    ],
)
async def test_a_file_that_cannot_be_read_is_named_and_loses_nothing(name: str, data: bytes, why: str) -> None:
    found = await order(mail_of(Case("files", text=LINE, files={name: data})))
    assert name in doubts(found)["mail"]
    assert why in doubts(found)["mail"]
    assert len(found.lines) == 1


async def test_a_macro_workbook_is_read_without_its_macros_and_hidden_sheets_are_not_read() -> None:
    book = openpyxl.Workbook()
    hidden, shown = book.active, book.create_sheet("Order")
    assert hidden is not None
    hidden.sheet_state = "hidden"
    hidden.append(["sku", "qty"])
    hidden.append(["ZZ-999", 99])
    shown.append(["sku", "qty"])
    shown.append(["AB-100", 3])
    out = io.BytesIO()
    book.save(out)
    found = await order(mail_of(Case("macro", text="PO number: 4711\n", files={"order.xlsm": out.getvalue()})))
    assert [line.sku for line in found.lines] == ["AB-100"]


async def test_lines_that_differ_between_mail_and_attachment_are_a_doubt() -> None:
    files = {"order.csv": b"sku,qty,price\nAB-100,12,3.50\n"}
    found = await order(mail_of(Case("differ", text=LINE, files=files)))
    assert "differ" in doubts(found)["mail"]


async def test_limits_leave_out_what_is_too_large_and_name_it() -> None:
    large = mail_of(Case("large", text=LINE, files={"big.csv": b"x" * (LARGEST_ATTACHMENT + 1)}))
    assert "big.csv" in doubts(await order(large))["mail"]
    many = mail_of(Case("many", text=LINE, files={f"{n}.csv": b"sku,qty\nA-1,1\n" for n in range(25)}))
    assert "more than 20" in " ".join(doubt.why for doubt in (await order(many)).doubts)
    cut = delivery_of(mail_of(Case("cut", text=LINE)) + b"x" * LARGEST, ARRIVED)
    (reading,) = await MailReader(CONNECTION, MailSettings(), SERVER).read(cut, ARRIVED)
    assert isinstance(reading, Snapshot)
    assert any("too large" in doubt.why for doubt in reading.order.doubts)
    nested = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\r\n\r\n--%d\r\n' % (n, n) for n in range(500))
    assert take_apart(b"From: a@example.com\r\n" + nested).left_out


async def test_an_order_passed_on_goes_to_a_person() -> None:
    text = "FYI\n\n---------- Forwarded message ---------\nFrom: Bob <bob@example.org>\nTo: Ada\n\n" + LINE
    found = await order(mail_of(Case("fwd", text=text, subject="Fwd: order")))
    assert "passed on" in doubts(found)["mail"]


async def test_two_senders_are_no_sender() -> None:
    raw = mail_of(Case("two", text=LINE)).replace(
        b"From: Ada Example <ada@example.com>", b"From: a@example.com, b@example.com"
    )
    found = await order(raw)
    assert found.contacts.email is None
    assert "contacts.email" in doubts(found)


async def test_the_shops_own_labels_are_known_by_the_policy() -> None:
    own = CONNECTION.model_copy(update={"fields": {"Kommission": "purchase_order"}})
    found = await order(mail_of(Case("own", text="Kommission: K-77\n10 x AB-100 @ 3.50 EUR\n")), connection=own)
    assert found.purchase_order == "K-77"


GOOD = [mail_of(case) for case in CASES[:6] if not case.files]


@quickly
@given(st.sampled_from(GOOD), st.integers(0, 5_000), st.integers(0, 400), st.binary(max_size=60))
async def test_whatever_a_mail_is_turned_into_it_is_an_order_or_says_why_not(
    raw: bytes, at: int, length: int, more: bytes
) -> None:
    with suppress(InvalidInput):
        reading = await read(raw[:at] + more + raw[at + length :])
        assert isinstance(reading, Snapshot | Skipped)


@quickly
@given(
    st.text(max_size=400),
    st.dictionaries(st.sampled_from(["a.csv", "a.xlsx", "a.pdf", "a.txt"]), st.binary(max_size=300)),
)
async def test_whatever_stands_in_a_mail_or_a_file_it_ends_in_no_traceback(text: str, files: dict[str, bytes]) -> None:
    with suppress(InvalidInput):
        reading = await read(mail_of(Case("any", text=text.encode("utf-8", "replace").decode(), files=files)))
        assert isinstance(reading, Snapshot | Skipped)
