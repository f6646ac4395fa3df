"""Invented mails of invented people, each with what a careful person reads in it. Written by hand, and varied."""

# ruff: noqa: E501 (a mail's lines are as long as they are)

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.message import EmailMessage
from email.policy import SMTP
from hashlib import sha256

import openpyxl

ARRIVED = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
Rows = Sequence[Sequence[object]]


@dataclass(frozen=True)
class Case:
    """A mail, and its fields as a person reads them: order number, lines as (sku, quantity, price) …"""

    name: str
    text: str = ""
    html: str = ""
    subject: str = "Order"
    files: Mapping[str, bytes] = field(default_factory=dict)
    country: str = "DE"
    sender: str = "Ada Example <ada@example.com>"
    expected: Mapping[str, object] = field(default_factory=dict)


def mail_of(case: Case, **headers: str) -> bytes:
    """The mail as a server would have it."""
    mail = EmailMessage(policy=SMTP)
    mail["Authentication-Results"] = "mx.shop.example; dmarc=pass header.from=example.com"
    mail["From"], mail["To"], mail["Subject"] = case.sender, "orders@shop.example", case.subject
    mail["Date"], mail["Message-ID"] = (
        "Sat, 21 Nov 2026 10:00:00 +0100",
        f"<{sha256(case.name.encode()).hexdigest()[:16]}@example.com>",
    )
    for name, value in headers.items():
        mail[name.replace("_", "-")] = value
    mail.set_content(case.text or " ")
    if case.html:
        mail.add_alternative(case.html, subtype="html")
    for name, data in case.files.items():
        mail.add_attachment(data, maintype="application", subtype="octet-stream", filename=name)
    return mail.as_bytes()


def xlsx_of(rows: Rows, title: str = "Order") -> bytes:
    """A workbook of one sheet."""
    book = openpyxl.Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.title = title
    for row in rows:
        sheet.append(list(row))
    out = io.BytesIO()
    book.save(out)
    return out.getvalue()


def pdf_of(lines: Sequence[str]) -> bytes:
    """A PDF of one page in a typewriter's letters, so that columns stand below each other."""
    drawn = (
        b"BT /F1 10 Tf 40 800 Td 12 TL\n"
        + b"".join(
            b"("
            + line.encode("cp1252").replace(b"\\", b"\\\\").replace(b"(", b"\\(").replace(b")", b"\\)")
            + b") Tj T*\n"
            for line in lines
        )
        + b"ET"
    )
    parts = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842] /Contents 4 0 R /Resources << /Font << /F1 5 0 R >> >> >>",
        b"<< /Length " + str(len(drawn)).encode() + b" >>\nstream\n" + drawn + b"\nendstream",
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Courier /Encoding /WinAnsiEncoding >>",
    ]
    out, places = b"%PDF-1.4\n", []
    for number, part in enumerate(parts, 1):
        places.append(len(out))
        out += f"{number} 0 obj\n".encode() + part + b"\nendobj\n"
    start = len(out)
    out += b"xref\n0 6\n0000000000 65535 f \n" + b"".join(f"{place:010d} 00000 n \n".encode() for place in places)
    return out + b"trailer << /Size 6 /Root 1 0 R >>\nstartxref\n" + str(start).encode() + b"\n%%EOF\n"


BERLIN = ("Hauptstr. 5", "10115", "Berlin", "DE")
PARIS = ("12 rue des Lilas", "75011", "Paris", "FR")
MADRID = ("Calle Mayor 3", "28013", "Madrid", "ES")
SPRINGFIELD = ("12 Main St", "62701", "Springfield", "US")
LONDON = ("4 Mill Lane", "SW1A 1AA", "London", "GB")
