"""The gateway over a real SQLite ledger of the test's own."""

import hashlib
import shutil
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from orderack.domain.acknowledgement import Kind, SendKey, SendOutcome, SendState
from orderack.domain.order import OrderRef
from orderack.domain.store import StoreProfile
from orderack.gateway.app import create_app
from orderack.gateway.keys import ApiKeys
from orderack.gateway.parts import GatewayParts
from orderack.ledger.database import Database
from orderack.ledger.repository import SqlLedger
from orderack.links import PageLinks
from orderack.messages.page_labels import PageWording
from orderack.ports import InboxEvent, Message, Rendered
from orderack.settings import Settings
from orderack.touch_links import TouchLinks
from tests.gateway.fakes import AlertChannel, ChatChannel, ScriptedOrders, SigningChannel, SigningErp, TextChannel
from tests.ledger_fixture import engine_of
from tests.temporal.server import orders as real_orders
from tests.temporal.server import temporal, world

__all__ = ["real_orders", "temporal", "world"]

PUBLIC = "https://shop.example"
KEY = "a-shop's-key"
ERP_KEY = "the-erp's-key"
OTHER_KEY = "another-store's-key"


def _triple(name: str, store: str, key: str) -> str:
    return f"{name}:{store}:{hashlib.sha256(key.encode()).hexdigest()}"


KEYS = ",".join(
    (_triple("shop", "demo", KEY), _triple("sandbox", "demo", ERP_KEY), _triple("shop", "other", OTHER_KEY))
)


@dataclass
class Clock:
    """The gateway's clock: real time plus what the test adds."""

    ahead: timedelta = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass
class Gateway:
    """The app, its parts, and a client that reaches it as the world does."""

    parts: GatewayParts
    http: httpx.AsyncClient
    orders: ScriptedOrders
    ledger: SqlLedger
    clock: Clock

    async def inbox(self) -> list[InboxEvent]:
        """Rows that nobody has announced."""
        return list(await self.ledger.unannounced(self.clock() + timedelta(days=1)))

    async def accepted_send(self, ref: OrderRef, kind: Kind = Kind.CONFIRMATION, channel: str = "email") -> SendKey:
        """A message that the provider accepted as `p-{number}`."""
        key = SendKey(ref=ref, revision=1, kind=kind, n=1, channel=channel)
        content = Rendered(subject=f"Subject {kind}", text=f"Text {kind} <b>&</b>")
        message = Message(key=key, recipient="ada@example.com", kind=kind, language="en", content=content)
        await self.ledger.claim(key, message, self.clock(), timedelta(minutes=1))
        outcome = SendOutcome(channel=channel, state=SendState.ACCEPTED, provider_id=f"p-{ref.number}")
        await self.ledger.finish(key, outcome, self.clock())
        return key


@pytest.fixture
def shelf(sqlite_folder: Path) -> Path:
    """Where each test has a ledger of its own, under one name: the engine for that name is made once."""
    return sqlite_folder / "gateway"


@pytest.fixture
def database(sqlite_template: Path, sqlite_folder: Path) -> Path:
    return new_ledger(sqlite_template, sqlite_folder / "gateway")


def new_ledger(template: Path, shelf: Path) -> Path:
    """A ledger with nothing in it, in the place of the last one."""
    if shelf.exists():
        shutil.rmtree(shelf)
    shelf.mkdir()
    return Path(shutil.copy(template, shelf / "ledger.db"))


@cache
def wording() -> PageWording:
    """The words of the policy in this repository, read once."""
    return PageWording(Settings().policy_dir / "messages")


def parts_with(ledger: SqlLedger, orders: ScriptedOrders, clock: Clock) -> GatewayParts:
    return GatewayParts(
        ledger=ledger,
        orders=orders,
        channels={made.name: made for made in (SigningChannel(), AlertChannel(), TextChannel(), ChatChannel())},
        erps={"sandbox": SigningErp()},
        stores={
            "demo": StoreProfile(id="demo", display_name="Demo & Sons", contact_email="help@shop.example"),
            "other": StoreProfile(id="other", display_name="Other"),
        },
        keys=ApiKeys.parse(KEYS),
        links=PageLinks("a secret that signs buyers' links", PUBLIC),
        touch_links=TouchLinks("a secret that signs buyers' links", PUBLIC),
        public_url=PUBLIC,
        wording=wording(),
        now=clock,
        sweep_every=timedelta(milliseconds=50),
    )


@pytest_asyncio.fixture
async def gateway(database: Path) -> AsyncIterator[Gateway]:
    ledger = SqlLedger(Database(engine_of(f"sqlite+aiosqlite:///{database}")))
    orders, clock = ScriptedOrders(), Clock()
    parts = parts_with(ledger, orders, clock)
    transport = httpx.ASGITransport(create_app(parts), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://testserver") as http:
        yield Gateway(parts, http, orders, ledger, clock)
    await ledger.aclose()
