"""The same story written plainly on DBOS: `python -m tests.bench.rig.plain_dbos FOLDER --port P --mail-bytes N`.

Steps with the product's effects in their plainest form (`tests.bench.rig.plain`), the fifteen minutes as the timeout
of a durable `recv`, the ERP's receipt as a message. DBOS keeps its own record in SQLite, as the product's ledger is.
"""

import argparse
import asyncio
import os
import signal
import sqlite3
import sys
from contextlib import AsyncExitStack, closing
from pathlib import Path

import httpx
from dbos import DBOS, DBOSConfig, SetWorkflowID
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from orderack.domain.order import Order
from orderack.temporal.ending import end
from tests.bench.rig.plain import Rows, Told, Vendors, receiver
from tests.bench.rig.tally import Tally
from tests.bench.rig.worker import listening

HOLD_AFTER = 15 * 60.0
CHANGE_WINDOW = 7 * 24 * 3600.0
LISTENS_EVERY = 0.02
"""Seconds: how often DBOS looks for messages in SQLite (1 s by default); with PostgreSQL it is notified."""


class World:
    """What the steps work with; set before anything is launched."""

    rows: Rows
    vendors: Vendors
    tally: Tally


# -- the story: from here … ------------------------------------------------------------------------------------------


@DBOS.step(retries_allowed=True, max_attempts=10)
async def assess(body: str) -> None:
    order = Order.model_validate_json(body)
    await World.vendors.availability(order)
    await World.rows.write(order.number, "order", body)


@DBOS.step(retries_allowed=True, max_attempts=10)
async def submit_to_erp(number: str, body: str) -> None:
    await World.vendors.book(body, f"demo/{number}/1")
    await World.rows.write(number, "submitted", "")


@DBOS.step(retries_allowed=True, max_attempts=10)
async def acknowledge(number: str, body: str, kind: str) -> None:
    await World.vendors.send(Order.model_validate_json(body), f"demo/{number}/1/{kind}/1/sendgrid_email")
    await World.rows.write(number, kind, "")


@DBOS.step(retries_allowed=True, max_attempts=10)
async def hand_off(number: str) -> None:
    await World.rows.write(number, "handed off", "")
    World.tally.add("handed_off")


@DBOS.workflow()
async def story(number: str, body: str) -> None:
    await assess(body)
    await asyncio.gather(submit_to_erp(number, body), acknowledge(number, body, "received"))
    if await DBOS.recv_async("receipt", timeout_seconds=HOLD_AFTER) is None:
        await acknowledge(number, body, "holding")
        while await DBOS.recv_async("receipt", timeout_seconds=CHANGE_WINDOW) is None:
            pass
    await acknowledge(number, body, "confirmation")
    await hand_off(number)
    for _ in range(2):
        await DBOS.recv_async("delivered", timeout_seconds=CHANGE_WINDOW)


class Messages(Told):
    async def receipt(self, number: str, body: str) -> None:
        await DBOS.send_async(number, body, topic="receipt")

    async def delivered(self, number: str, body: str) -> None:
        await DBOS.send_async(number, body, topic="delivered")
        World.tally.add("delivered")


async def take(request: Request) -> Response:
    body = (await request.body()).decode()
    order = Order.model_validate_json(body)
    with SetWorkflowID(order.number):
        await DBOS.start_workflow_async(story, order.number, body)
    return Response(status_code=202)


# -- … to here -------------------------------------------------------------------------------------------------------


def configuration(folder: Path) -> DBOSConfig:
    return {
        "name": "orders",
        "system_database_url": f"sqlite:///{folder}/dbos.sqlite",
        "notification_listener_polling_interval_sec": LISTENS_EVERY,
        "application_version": "bench",
        "executor_id": "bench",
        "log_level": "ERROR",
    }


async def serve(folder: Path, port: int, mail_bytes: int) -> None:
    """Work until SIGTERM."""
    stop = asyncio.Event()
    World.tally = Tally(folder)  # which makes the folder
    with closing(sqlite3.connect(folder / "dbos.sqlite")) as connection:
        connection.execute("PRAGMA journal_mode=WAL")  # as our own; it stays so
    DBOS(config=configuration(folder))
    async with AsyncExitStack() as stack:
        World.rows = await stack.enter_async_context(Rows.opened(folder / "rows.db"))
        http = await stack.enter_async_context(httpx.AsyncClient(timeout=20, trust_env=False))
        World.vendors = Vendors(http, os.environ, mail_bytes)
        DBOS.launch()
        app = receiver(World.rows, Messages())
        app.router.routes.append(Route("/orders", take, methods=["POST"]))
        await stack.enter_async_context(listening(app, port))
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        sys.stdout.write("ready\n")
        sys.stdout.flush()
        await stop.wait()
        end(0)  # what is under way goes on at the next start


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--port", type=int, required=True)
    parser.add_argument("--mail-bytes", type=int, default=0)
    asked = parser.parse_args()
    asyncio.run(serve(asked.folder, asked.port, asked.mail_bytes))


if __name__ == "__main__":
    main()
