"""Mails that SendGrid's inbound parse posts, raw and taken apart; signed, and by the URL's password."""

import base64
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar

import pytest
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from pydantic import ValidationError

from orderack import sources
from orderack.errors import BadSignature
from orderack.ports import Connection, RawRequest, Snapshot
from orderack.sources._mail import original_of
from orderack.sources.sendgrid_inbound import SIGNATURE, TIMESTAMP, SendgridInbound, SendgridInboundSettings
from tests.conformance.source import NOW, SourceConformance
from tests.sources.mails import Case, mail_of, xlsx_of
from tests.sources.measure import ANYBODY

KEY = ec.generate_private_key(ec.SECP256R1())
PUBLIC = base64.b64encode(
    KEY.public_key().public_bytes(serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
).decode()
PASSWORD = "password-of-the-url"
TEXT = "PO number: 4711\n10 x AB-100 Blue lamp @ 3.50 EUR\nShip to: Hauptstr. 5, 10115 Berlin, Germany\nTerms: net 30\n"
BOUNDARY = "xYzZY"
RAW = mail_of(Case("raw", text=TEXT))


def form(fields: dict[str, str | bytes], files: dict[str, tuple[str, bytes]] | None = None) -> bytes:
    out = b""
    for name, value in fields.items():
        data = value if isinstance(value, bytes) else value.encode()
        out += f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + data + b"\r\n"
    for name, (filename, data) in (files or {}).items():
        head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"; filename="{filename}"\r\n'
        out += head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + data + b"\r\n"
    return out + f"--{BOUNDARY}--\r\n".encode()


SAID = {"from": "Ada Example <ada@example.com>", "SPF": "pass", "dkim": "{@example.com : pass}"}
ENVELOPE = json.dumps({"to": ["orders@shop.example"], "from": "ada@example.com"})
POSTED_RAW = form({**SAID, "envelope": ENVELOPE, "email": RAW})
HEADERS = (
    "From: Ada Example <ada@example.com>\nSubject: Order\nMessage-ID: <5@example.com>\n"
    "Authentication-Results: me; dmarc=pass\n"
)
BINARY = xlsx_of([["sku", "qty", "price"], ["AB-100", 10, 3.5]])


def taken_apart(**more: str) -> bytes:
    fields = {"headers": HEADERS, "text": "PO number: 4711\n", "subject": "Order", **SAID, "envelope": ENVELOPE, **more}
    return form(fields, {"attachment1": ("order.xlsx", BINARY)})


def request(body: bytes, **headers: str) -> RawRequest:
    kind = {"content-type": f"multipart/form-data; boundary={BOUNDARY}"}
    return RawRequest(url="https://o.example/intake/shop/sendgrid_inbound", headers={**kind, **headers}, body=body)


def sendgrid(**settings: str) -> SendgridInbound:
    made = SendgridInboundSettings.model_validate(settings or {"public_key": PUBLIC})
    return SendgridInbound(TestSendgridInbound().connection(), made, clock=lambda: NOW)


class TestSendgridInbound(SourceConformance):
    name: ClassVar[str] = "sendgrid_inbound"
    secrets: ClassVar[Sequence[str]] = (PASSWORD,)
    required: ClassVar[Sequence[str]] = ()
    body: ClassVar[bytes] = POSTED_RAW

    def connection(self) -> Connection:
        return super().connection().model_copy(update={"partners": ANYBODY})

    def make(self, base_url: str = "") -> SendgridInbound:
        return sendgrid()

    def signed(self, body: bytes, at: datetime = NOW) -> RawRequest:
        timestamp = str(int(at.timestamp()))
        signature = KEY.sign(timestamp.encode() + body, ec.ECDSA(hashes.SHA256()))
        return request(body, **{SIGNATURE: base64.b64encode(signature).decode(), TIMESTAMP: timestamp})

    def test_the_name_is_the_files_and_the_registration_says_what_is_needed(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        """One of two settings is needed, which no field's own says."""
        monkeypatch.delenv("ORDERACK_SOURCE_SHOP_SENDGRID_INBOUND_PASSWORD", raising=False)
        with pytest.raises(ValidationError, match="PUBLIC_KEY"):
            SendgridInboundSettings()
        spec = sources.load()[self.name]
        assert spec.adapter is SendgridInbound
        assert spec.traps
        assert spec.webhook
        assert all(one.description for one in spec.variables)

    async def test_an_old_signature_is_not_believed(self) -> None:
        with pytest.raises(BadSignature, match="too old"):
            await sendgrid().verify(self.signed(POSTED_RAW, NOW - timedelta(minutes=11)))


async def test_the_urls_password_is_demanded_where_there_is_no_key() -> None:
    source = sendgrid(password=PASSWORD)
    right = base64.b64encode(f"orderack:{PASSWORD}".encode()).decode()
    await source.verify(request(POSTED_RAW, authorization=f"Basic {right}"))
    wrong = base64.b64encode(b"orderack:other").decode()
    for given in (f"Basic {wrong}", f"Bearer {right}", "Basic !", ""):
        with pytest.raises(BadSignature):
            await source.verify(request(POSTED_RAW, authorization=given))
    with pytest.raises(BadSignature):
        await sendgrid(password=PASSWORD, public_key=PUBLIC).verify(request(POSTED_RAW, authorization=f"Basic {right}"))


def test_a_short_password_or_a_wrong_key_is_no_setting() -> None:
    with pytest.raises(ValidationError, match="16 characters"):
        SendgridInboundSettings.model_validate({"password": "short"})
    with pytest.raises(ValidationError, match="public key"):
        SendgridInboundSettings.model_validate({"public_key": "AAAA"})


async def test_a_raw_mail_is_kept_byte_for_byte_below_what_sendgrid_found() -> None:
    source = sendgrid()
    (delivery,) = source.deliveries(request(POSTED_RAW))
    assert original_of(delivery) == b"Authentication-Results: sendgrid.net; dmarc=pass\r\n" + RAW
    (reading,) = await source.read(delivery)
    assert isinstance(reading, Snapshot)
    assert not reading.order.doubts
    assert reading.order.totals.total == 35


async def test_a_mail_taken_apart_is_read_as_well_and_its_attachment_is_whole() -> None:
    source = sendgrid()
    (delivery,) = source.deliveries(request(taken_apart()))
    assert delivery.id.startswith("<5@example.com> ")
    (reading,) = await source.read(delivery)
    assert isinstance(reading, Snapshot)
    assert [(line.sku, line.quantity) for line in reading.order.lines] == [("AB-100", 10)]
    assert reading.order.contacts.email == "ada@example.com"


@pytest.mark.parametrize(
    ("said", "vouched"),
    [
        ({}, True),
        ({"dkim": "{@other.example : pass}", "SPF": "fail"}, False),
        ({"dkim": "{@example.com : fail}", "SPF": "pass"}, True),
        ({"dkim": "none", "SPF": "pass", "envelope": '{"from": "x@evil.example"}'}, False),
        ({"dkim": "none", "SPF": "pass", "envelope": "nonsense"}, False),
        ({"dkim": "{@mail.example.com : pass}", "SPF": "none"}, True),
        ({"dkim": "{@com : pass}", "SPF": "none"}, False),
    ],
)
async def test_a_sender_counts_where_a_domain_of_his_own_vouches_for_the_mail(
    said: dict[str, str], vouched: bool
) -> None:
    source = sendgrid()
    (delivery,) = source.deliveries(request(taken_apart(**said)))
    (reading,) = await source.read(delivery)
    assert isinstance(reading, Snapshot)
    assert ("contacts.email" not in {doubt.field for doubt in reading.order.doubts}) == vouched
