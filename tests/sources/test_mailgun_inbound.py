"""Mails that a Mailgun route forwards, taken apart and raw."""

import hashlib
import hmac
import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import ClassVar
from urllib.parse import urlencode

import pytest

from orderack.errors import BadSignature
from orderack.ports import Connection, RawRequest, Snapshot
from orderack.sources.mailgun_inbound import MailgunInbound, MailgunInboundSettings
from tests.conformance.source import NOW, SourceConformance
from tests.sources.mails import Case, mail_of
from tests.sources.measure import ANYBODY
from tests.sources.test_sendgrid_inbound import BINARY, BOUNDARY, TEXT, form

SIGNING_KEY = "signing-key-of-mailgun"
HEADERS = [
    ["X-Mailgun-Spf", "Pass"],
    ["From", "Ada Example <ada@example.com>"],
    ["Subject", "Order"],
    ["Message-Id", "<6@example.com>"],
]


def proof(at: datetime = NOW, token: str = "a" * 50) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    mac = hmac.new(SIGNING_KEY.encode(), f"{stamp}{token}".encode(), hashlib.sha256).hexdigest()
    return {"timestamp": stamp, "token": token, "signature": mac}


def fields(**more: str) -> dict[str, str]:
    made = {"from": "Ada Example <ada@example.com>", "sender": "ada@example.com", "body-plain": TEXT}
    return {**made, "message-headers": json.dumps(HEADERS), **proof(), **more}


def posted(body: bytes, kind: str = "application/x-www-form-urlencoded") -> RawRequest:
    return RawRequest(url="https://o.example/intake/shop/mailgun_inbound", headers={"content-type": kind}, body=body)


def mailgun() -> MailgunInbound:
    settings = MailgunInboundSettings.model_validate({"signing_key": SIGNING_KEY, "spam_filter": True})
    return MailgunInbound(TestMailgunInbound().connection(), settings, clock=lambda: NOW)


class TestMailgunInbound(SourceConformance):
    name: ClassVar[str] = "mailgun_inbound"
    secrets: ClassVar[Sequence[str]] = (SIGNING_KEY,)
    required: ClassVar[Sequence[str]] = ("signing_key",)
    body: ClassVar[bytes] = urlencode(fields()).encode()

    def connection(self) -> Connection:
        return super().connection().model_copy(update={"partners": ANYBODY})

    def make(self, base_url: str = "") -> MailgunInbound:
        return mailgun()

    def signed(self, body: bytes, at: datetime = NOW) -> RawRequest:
        return posted(body)


async def test_an_old_or_another_key_is_not_believed() -> None:
    for wrong in (proof(NOW - timedelta(minutes=11)), {"token": ""}, {"signature": "0" * 64}):
        with pytest.raises(BadSignature):
            await mailgun().verify(posted(urlencode(fields(**wrong)).encode()))


async def test_a_token_carries_one_mail_only_and_that_one_again() -> None:
    source = mailgun()
    first = posted(urlencode(fields()).encode())
    await source.verify(first)
    await source.verify(first)
    with pytest.raises(BadSignature, match="another mail"):
        await source.verify(posted(urlencode(fields(**{"body-plain": "99 x ZZ-1 @ 1.00 EUR"})).encode()))


async def test_a_mail_taken_apart_becomes_an_order() -> None:
    source = mailgun()
    (delivery,) = source.deliveries(posted(urlencode(fields()).encode()))
    assert delivery.id.startswith("<6@example.com> ")
    (reading,) = await source.read(delivery)
    assert isinstance(reading, Snapshot)
    assert not reading.order.doubts
    assert reading.order.purchase_order == "4711"


async def test_attachments_come_whole() -> None:
    source = mailgun()
    body = form({**fields(**{"body-plain": "PO number: 4711\n"})}, {"attachment-1": ("order.xlsx", BINARY)})
    (delivery,) = source.deliveries(posted(body, f"multipart/form-data; boundary={BOUNDARY}"))
    (reading,) = await source.read(delivery)
    assert isinstance(reading, Snapshot)
    assert reading.order.lines[0].sku == "AB-100"


async def test_a_raw_mail_becomes_an_order() -> None:
    raw = b"X-Mailgun-Spf: Pass\r\n" + mail_of(Case("raw", text=TEXT)).partition(b"\r\n")[2]
    source = mailgun()
    (delivery,) = source.deliveries(posted(urlencode(fields(**{"body-mime": raw.decode()})).encode()))
    (reading,) = await source.read(delivery)
    assert isinstance(reading, Snapshot)
    assert not reading.order.doubts


@pytest.mark.parametrize(
    ("headers", "sender"),
    [
        ([["X-Mailgun-Spf", "Fail"], *HEADERS[1:]], "ada@example.com"),
        (HEADERS[1:], "ada@example.com"),
        (HEADERS, "x@evil.example"),
    ],
)
async def test_a_sender_that_nothing_vouches_for_is_a_doubt(headers: list[list[str]], sender: str) -> None:
    source = mailgun()
    body = urlencode(fields(**{"message-headers": json.dumps(headers), "sender": sender})).encode()
    (reading,) = await source.read(source.deliveries(posted(body))[0])
    assert isinstance(reading, Snapshot)
    assert "contacts.email" in {doubt.field for doubt in reading.order.doubts}
