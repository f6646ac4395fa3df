"""The embedded run as `orderack up` starts it, and room for other workers beside it, in namespaces of their own."""

import asyncio
import json
import sqlite3
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

from google.protobuf.duration_pb2 import Duration
from temporalio.api.workflowservice.v1 import RegisterNamespaceRequest
from temporalio.client import Client
from temporalio.service import RPCError

from orderack.domain.order import Order
from orderack.embedded.demo.orders import an_order
from orderack.embedded.stack import Ports, Stack, running
from orderack.temporal.connect import connect
from orderack.temporal.search_attributes import register

FAST = 100_000
"""Sends or requests that are more than anything here can make: it is not a vendor's rate that is measured."""

EXTRA = {
    "ORDERACK_RATES": json.dumps({"sendgrid_email": FAST, "twilio_sms": FAST}),
    "ORDERACK_RATE_PER_MINUTE": str(FAST * 60),
}


@asynccontextmanager
async def embedded() -> AsyncIterator[Stack]:
    """A run of its own in a fresh folder, on free ports."""
    with TemporaryDirectory(prefix="orderack-bench-") as folder:
        async with running(Path(folder) / "home", Ports(0, 0, 0, 0, 0), extra=EXTRA) as stack:
            yield stack


async def namespace(stack: Stack, name: str) -> Client:
    """A client of that namespace, which is made first, with our search attributes. Waits until the server knows it."""
    client = await connect(env=stack.environment)
    request = RegisterNamespaceRequest(
        namespace=name, workflow_execution_retention_period=Duration(seconds=int(timedelta(days=1).total_seconds()))
    )
    await client.workflow_service.register_namespace(request)
    here = await connect(env=stack.environment | {"TEMPORAL_NAMESPACE": name})
    for _ in range(100):
        try:
            await register(here)
        except RPCError:
            await asyncio.sleep(0.2)
        else:
            break
    return here


def order_of(run: str, place: int, at: datetime | None = None) -> Order:
    """A complete order of a known buyer that no other resembles."""
    order = an_order(f"{run}-{place}", place % 900, price=f"{50 + place % 97}.{place % 90 + 10}")
    contacts = order.contacts.model_copy(update={"email": f"buyer{place}.{run.lower()}@example.com"})
    return order.model_copy(update={"contacts": contacts, "trigger_at": at or datetime.now(UTC)})


def ledger_count(stack: Stack, what: str, run: str) -> int:
    """Rows of the product's ledger about this run's orders: `handoffs`, or evidence of `delivered` mails."""
    query = {
        "handed_off": "SELECT count(*) FROM handoffs WHERE number LIKE ? || '-%'",
        "delivered": "SELECT count(*) FROM evidence WHERE event = 'delivered' AND number LIKE ? || '-%'",
    }[what]
    with sqlite3.connect(f"file:{stack.home.folder}/ledger.db?mode=ro", uri=True, timeout=10) as connection:
        return int(connection.execute(query, (run,)).fetchone()[0])
