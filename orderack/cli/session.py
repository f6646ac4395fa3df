"""What a command works with: the typed door to orders, and the ledger."""

import asyncio
import os
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import make_url
from sqlalchemy.exc import ArgumentError

from orderack.errors import Misconfigured, Unavailable
from orderack.ledger.repository import SqlLedger, open_ledger
from orderack.settings import Settings
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders

T = TypeVar("T")

_REMEDY = "start `orderack up` here, or name your ledger in ORDERACK_DATABASE_URL"


def run(work: Coroutine[Any, Any, T]) -> T:
    """Do a command's work to its end."""
    return asyncio.run(work)


async def orders_door() -> Orders:
    """Orders, on the server that `TEMPORAL_ADDRESS` and its like name. Raises Unavailable."""
    return Orders(await connect())


@asynccontextmanager
async def the_ledger() -> AsyncIterator[SqlLedger]:
    """The ledger that the settings name; one that is not there is said so, never made. Raises Unavailable."""
    url = Settings().ledger_url
    demand_file(url)
    ledger = await open_ledger(url)
    try:
        yield ledger
    finally:
        await ledger.aclose()


def demand_file(url: str) -> None:
    """Raises Unavailable where the URL names a file that is not there, Misconfigured where it is no URL."""
    try:
        parsed = make_url(url)
    except ArgumentError:
        raise Misconfigured(f"ORDERACK_DATABASE_URL is not a database's URL; {_REMEDY}") from None
    if parsed.get_backend_name() == "sqlite" and not (parsed.database and Path(parsed.database).is_file()):
        where = os.path.relpath(parsed.database) if parsed.database else "its place"
        raise Unavailable(f"there is no ledger at {where}: {_REMEDY}")
