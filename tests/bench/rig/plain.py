"""The floor's activities with the product's effects, each in the plainest way: one HTTP call and one committed row.

The same calls to the same look-alikes, an e-mail as long as the product's (but constant), a row in SQLite with the
same safety (WAL, synchronous FULL). No claim before a send, no journal, no audit chain, no rate, no retry but
Temporal's; whatever comes in is believed unread: no signature is checked.
"""

import json
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Protocol

import aiosqlite
import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orderack.domain.order import Order

TABLE = "CREATE TABLE IF NOT EXISTS facts (id INTEGER PRIMARY KEY, number TEXT, what TEXT, body TEXT)"
SUBJECT = "Your order"


class Rows:
    """One table, one row and one commit for each fact."""

    def __init__(self, connection: aiosqlite.Connection) -> None:
        self._connection = connection

    @classmethod
    @asynccontextmanager
    async def opened(cls, file: Path) -> AsyncIterator["Rows"]:
        async with aiosqlite.connect(file, isolation_level=None) as connection:
            for pragma in ("journal_mode=WAL", "synchronous=FULL", "busy_timeout=10000"):
                await connection.execute(f"PRAGMA {pragma}")
            await connection.execute(TABLE)
            yield cls(connection)

    async def write(self, number: str, what: str, body: str) -> None:
        """Committed when it returns."""
        await self._connection.execute("INSERT INTO facts (number, what, body) VALUES (?, ?, ?)", (number, what, body))

    async def count(self) -> int:
        """All facts."""
        row = await (await self._connection.execute("SELECT count(*) FROM facts")).fetchone()
        return int(row[0]) if row else 0

    async def read(self, number: str, what: str) -> str:
        """The fact's body. Raises LookupError."""
        query = "SELECT body FROM facts WHERE number = ? AND what = ? LIMIT 1"
        row = await (await self._connection.execute(query, (number, what))).fetchone()
        if row is None:
            raise LookupError(f"{what} of {number}")
        return str(row[0])


class Vendors:
    """The sandbox's ERP and SendGrid, called as the product's adapters call them."""

    def __init__(self, http: httpx.AsyncClient, settings: Mapping[str, str], mail_bytes: int) -> None:
        self._http = http
        self._erp = settings["ORDERACK_ERP_SANDBOX_BASE_URL"]
        self._erp_key = {"Authorization": f"Bearer {settings['ORDERACK_ERP_SANDBOX_API_KEY']}"}
        self._mail = settings["ORDERACK_SENDGRID_EMAIL_BASE_URL"]
        self._mail_key = {"Authorization": f"Bearer {settings['ORDERACK_SENDGRID_EMAIL_API_KEY']}"}
        self._sender = settings["ORDERACK_SENDGRID_EMAIL_SENDER"]
        self._html = "<p>" + "x" * mail_bytes + "</p>"

    async def availability(self, order: Order) -> None:
        lines = [{"line_id": line.line_id, "sku": line.sku, "quantity": str(line.quantity)} for line in order.lines]
        await self._post(f"{self._erp}/availability", {"lines": lines}, self._erp_key)

    async def book(self, order: str, key: str) -> None:
        headers = self._erp_key | {"Idempotency-Key": key}
        await self._post(f"{self._erp}/orders", {"order": json.loads(order), "revision": 1}, headers)

    async def send(self, order: Order, key: str) -> None:
        mail = {
            "personalizations": [{"to": [{"email": order.contacts.email}], "custom_args": {"orderack_key": key}}],
            "from": {"email": self._sender},
            "subject": SUBJECT,
            "content": [{"type": "text/plain", "value": SUBJECT}, {"type": "text/html", "value": self._html}],
        }
        await self._post(f"{self._mail}/v3/mail/send", mail, self._mail_key)

    async def _post(self, url: str, body: object, headers: Mapping[str, str]) -> None:
        (await self._http.post(url, json=body, headers=dict(headers))).raise_for_status()


class Told(Protocol):
    """What the vendors report back: what is believed of it, and to whom it is passed on."""

    async def receipt(self, number: str, body: str) -> None: ...

    async def delivered(self, number: str, body: str) -> None: ...


def receiver(rows: Rows, told: Told) -> Starlette:
    """Where the vendors post to: a row for each request, and each fact passed on."""

    async def receipts(request: Request) -> Response:
        body = (await request.body()).decode()
        number = str(json.loads(body)["number"])
        await rows.write(number, "receipt", body)
        await told.receipt(number, body)
        return Response(status_code=202)

    async def mails(request: Request) -> Response:
        body = (await request.body()).decode()
        events = json.loads(body)
        numbers = [_number(event["orderack_key"]) for event in events]
        await rows.write(numbers[0], "report", body)
        for event, number in zip(events, numbers, strict=True):
            if event["event"] == "delivered":
                await told.delivered(number, event["orderack_key"])
        return Response(status_code=200)

    return Starlette(
        routes=[
            Route("/receipts/sandbox", receipts, methods=["POST"]),
            Route("/webhooks/sendgrid_email", mails, methods=["POST"]),
        ]
    )


def _number(key: str) -> str:
    return key.split("/")[1]
