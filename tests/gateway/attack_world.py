"""The gateway with the real vendors' adapters, attackers who may hold a vendor's secret, and a watch on the loop."""

import asyncio
import base64
import hmac
import json
import time
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime
from urllib.parse import parse_qsl, urlencode

import httpx
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec

from orderack.channels.sendgrid_email import SendgridEmail
from orderack.channels.slack import Slack
from orderack.channels.twilio_sms import TwilioSms
from orderack.erps.http import HttpErp, HttpErpSettings
from orderack.gateway.app import create_app
from orderack.gateway.parts import GatewayParts
from orderack.gateway.rates import Rates
from tests.channels import test_sendgrid_email, test_slack, test_twilio_sms
from tests.erps.test_http import KEY, SECRET
from tests.gateway.conftest import PUBLIC, Gateway

NOWHERE = "http://127.0.0.1:9"
BOUNDLESS = Rates(key=10**6, provider=10**6, page=10**6, guesses=10**6)
FORM = "application/x-www-form-urlencoded"
TOO_LONG = 2_500.0
"""Yardsticks. What grows with the square of a body takes more; what is read once takes about half of it."""


def _twilio(path: str, body: bytes, at: datetime) -> dict[str, str]:
    pairs = sorted(set(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True)))
    text = PUBLIC + path + "".join(name + value for name, value in pairs)
    mac = hmac.digest(test_twilio_sms.TOKEN.encode(), text.encode(), "sha1")
    return {"x-twilio-signature": base64.b64encode(mac).decode(), "content-type": FORM}


def _sendgrid(path: str, body: bytes, at: datetime) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    mac = test_sendgrid_email.SIGNING_KEY.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))
    signature = base64.b64encode(mac).decode()
    prefix = "x-twilio-email-event-webhook"
    return {f"{prefix}-signature": signature, f"{prefix}-timestamp": stamp, "content-type": "application/json"}


def _slack(path: str, body: bytes, at: datetime) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    mac = hmac.digest(test_slack.SECRET.encode(), f"v0:{stamp}:".encode() + body, "sha256").hex()
    return {"x-slack-signature": f"v0={mac}", "x-slack-request-timestamp": stamp, "content-type": FORM}


def _erp(path: str, body: bytes, at: datetime) -> dict[str, str]:
    stamp = str(int(at.timestamp()))
    mac = base64.b64encode(hmac.digest(KEY, f"m1.{stamp}.".encode() + body, "sha256")).decode()
    return {"webhook-id": "m1", "webhook-timestamp": stamp, "webhook-signature": f"v1,{mac}"}


def click(**more: object) -> bytes:
    """A press of a button in Slack."""
    action = {"action_id": "orderack_affirm", "action_ts": "1795253400.000100", "value": "demo/1001/1/confirmation/1/x"}
    container = {"channel_id": "C0OPSOPS01", "message_ts": "1795253300.000100"}
    whole = {"type": "block_actions", "actions": [action | more], "container": container}
    return urlencode({"payload": json.dumps(whole)}).encode()


def mail(**more: object) -> bytes:
    """One event of SendGrid's."""
    return json.dumps([{"event": "delivered", "timestamp": 1795253400, "sg_event_id": "e1"} | more]).encode()


def text(**more: str) -> bytes:
    """A status of Twilio's."""
    return urlencode({"MessageSid": "SM1", "MessageStatus": "delivered", "To": "+15005550006"} | more).encode()


def booked(**more: object) -> bytes:
    """A receipt as the ERP writes it."""
    receipt = {"id": "R1", "store": "demo", "number": "1001", "document_id": "SO-1"}
    return json.dumps(receipt | {"recorded_at": "2026-11-21T09:30:00Z"} | more).encode()


@dataclass(frozen=True)
class Vendor:
    """One that signs. `sign` is its signature by other code than the adapter's; `dated`: it covers a time."""

    path: str
    body: bytes
    sign: Callable[[str, bytes, datetime], dict[str, str]]
    dated: bool = True

    @property
    def taken(self) -> int:
        """The status of what was recorded."""
        return 202 if self.path.startswith("/receipts") else 200

    async def sends(
        self, gateway: Gateway, body: bytes | None = None, at: datetime | None = None, **headers: str
    ) -> httpx.Response:
        """Signed in the vendor's name, now."""
        content = self.body if body is None else body
        signed = self.sign(self.path, content, at or gateway.clock())
        return await gateway.http.post(self.path, content=content, headers=signed | headers)


VENDORS: Mapping[str, Vendor] = {
    "twilio": Vendor("/webhooks/twilio_sms", text(), _twilio, dated=False),
    "sendgrid": Vendor("/webhooks/sendgrid_email", mail(), _sendgrid),
    "slack": Vendor("/webhooks/slack", click(), _slack),
    "erp": Vendor("/receipts/http", booked(), _erp),
}


def armed_parts(gateway: Gateway) -> GatewayParts:
    """The gateway's parts with the vendors' adapters, and no limit on how often anybody may ask."""
    clock = gateway.clock
    channels = (
        TwilioSms(test_twilio_sms.settings(NOWHERE), clock=clock),
        SendgridEmail(test_sendgrid_email.settings(NOWHERE), clock=clock),
        Slack(test_slack.settings(NOWHERE), clock=clock),
    )
    settings = {"base_url": NOWHERE, "api_key": "test-only-0123456789", "webhook_secret": SECRET}
    erp = HttpErp("http", HttpErpSettings.model_validate(settings), clock=clock)
    known = dict(gateway.parts.channels) | {channel.name: channel for channel in channels}
    erps = dict(gateway.parts.erps) | {"http": erp}
    return replace(gateway.parts, channels=known, erps=erps, rates=BOUNDLESS)


@asynccontextmanager
async def armed(gateway: Gateway) -> AsyncIterator[Gateway]:
    """The same gateway before these vendors; a 500 is an answer, not an error of the test."""
    parts = armed_parts(gateway)
    transport = httpx.ASGITransport(create_app(parts), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
        yield Gateway(parts, http, gateway.orders, gateway.ledger, gateway.clock)
    for vendor in [*parts.channels.values(), *parts.erps.values()]:
        await vendor.aclose()


@dataclass
class Watch:
    """How long the loop worked without a pause, at most, while the block ran: in yardsticks of processor time."""

    longest: float = 0.0


@asynccontextmanager
async def watched() -> AsyncIterator[Watch]:
    """Fails nothing by itself: compare `longest` with `TOO_LONG`."""
    watch = Watch()

    async def look() -> None:
        while True:
            before = time.thread_time()
            await asyncio.sleep(0.001)
            watch.longest = max(watch.longest, time.thread_time() - before)

    task = asyncio.create_task(look())
    try:
        yield watch
        await asyncio.sleep(0.002)
    finally:
        task.cancel()
        watch.longest /= _yardstick()


def _yardstick() -> float:
    """The processor time that a fixed piece of work takes here and now: a ratio means the same on every machine."""
    before = time.thread_time()
    assert sum(len(str(number)) for number in range(10_000)) == 38_890
    return 5 * (time.thread_time() - before)
