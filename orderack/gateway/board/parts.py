"""What the board is made of, beside what the gateway has."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol
from urllib.parse import urlsplit

import httpx

from orderack.contracts.queries import OrderStatus, Timeline
from orderack.contracts.updates import (
    AcceptHandoff,
    Answer,
    Claim,
    HandoffReply,
    Reply,
    ReviewDecision,
    SettleSend,
)
from orderack.domain.order import OrderRef
from orderack.domain.store import StoreProfile
from orderack.errors import Misconfigured
from orderack.gateway.board.feed import Feed
from orderack.gateway.board.oidc import Client, Oidc
from orderack.gateway.board.once import OneTimeLinks
from orderack.gateway.board.roles import GroupRoles, KeyRoles
from orderack.gateway.board.session import Ends, Sessions
from orderack.gateway.board.settings import BoardSettings
from orderack.gateway.board.throttle import Throttle
from orderack.gateway.keys import ApiKeys
from orderack.gateway.turns import Turns
from orderack.links import PageLinks
from orderack.ports import GatewayLedger
from orderack.temporal.open_orders import OpenOrder, OpenOrders

SHORTEST_SECRET = 16


class BoardDoor(Protocol):
    """The part of `orderack.temporal.orders.Orders` that the board uses: the same as the command line."""

    async def decide_review(self, ref: OrderRef, decision: ReviewDecision) -> Reply: ...

    async def claim(self, ref: OrderRef, claim: Claim) -> Reply: ...

    async def accept_handoff(self, ref: OrderRef, accept: AcceptHandoff) -> HandoffReply: ...

    async def answer(self, ref: OrderRef, answer: Answer) -> Reply: ...

    async def settle_send(self, ref: OrderRef, settle: SettleSend) -> Reply: ...

    async def status(self, ref: OrderRef) -> OrderStatus: ...

    async def timeline(self, ref: OrderRef) -> Timeline: ...

    async def list_open(self, query: OpenOrders | None = None) -> Sequence[OpenOrder]: ...


@dataclass(frozen=True)
class Board:
    """Filled by `board_of`; tests fill it with fakes."""

    ledger: GatewayLedger
    orders: BoardDoor
    stores: Mapping[str, StoreProfile]
    links: PageLinks
    sessions: Sessions
    feed: Feed
    url: str
    """Where operators open it: forms count only from there."""
    now: Callable[[], datetime]
    oidc: Oidc | None = None
    temporal_ui: str = ""
    once: OneTimeLinks | None = None
    """None but in `orderack up`."""
    throttle: Throttle = field(default_factory=Throttle)
    turns: Turns = field(default_factory=Turns)
    done: dict[str, tuple[bool, str]] = field(default_factory=dict)
    """What the latest decisions came to, by the request's id."""

    @property
    def origin(self) -> str:
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.netloc}"

    def remember(self, id_: str, good: bool, said: str) -> None:
        self.done[id_] = (good, said)
        while len(self.done) > REMEMBERED:
            del self.done[next(iter(self.done))]


REMEMBERED = 1_000


def is_on(settings: BoardSettings) -> bool:
    """Whether anybody could log in."""
    return bool(settings.keys or settings.oidc_issuer or settings.local)


def board_of(
    settings: BoardSettings,
    *,
    secret: str,
    public_url: str,
    ledger: GatewayLedger,
    orders: BoardDoor,
    stores: Mapping[str, StoreProfile],
    keys: ApiKeys,
    links: PageLinks,
    now: Callable[[], datetime],
    http: httpx.AsyncClient,
) -> Board | None:
    """The board as the settings have it; None where nobody could log in. Raises Misconfigured."""
    if not is_on(settings):
        return None
    if len(secret) < SHORTEST_SECRET:
        raise Misconfigured("ORDERACK_SECRET needs at least 16 characters: it signs the board's logins")
    url = (settings.url or public_url).rstrip("/")
    sessions = Sessions(
        secret=secret,
        https=url.startswith("https://"),
        ends=Ends(
            idle=timedelta(minutes=settings.idle_minutes),
            absolute=timedelta(hours=settings.session_hours),
            wall=timedelta(days=settings.wall_days),
        ),
        keys=keys,
        key_roles=_key_roles(settings, keys),
        now=now,
        local=settings.local,
    )
    return Board(
        ledger=ledger,
        orders=orders,
        stores=stores,
        links=links,
        sessions=sessions,
        feed=Feed(ledger, orders, lambda: tuple(stores), now, timedelta(seconds=settings.tick_seconds)),
        url=url,
        now=now,
        oidc=_oidc(settings, url, http, now),
        temporal_ui=settings.temporal_ui.rstrip("/"),
        once=OneTimeLinks(secret) if settings.local else None,
    )


def _key_roles(settings: BoardSettings, keys: ApiKeys) -> KeyRoles:
    found = KeyRoles.parse(settings.keys)
    names: Collection[str] = {grant.name for grant in keys.grants}
    if unknown := sorted(set(found.by_name) - set(names)):
        raise Misconfigured(f"ORDERACK_BOARD_KEYS names {', '.join(unknown)}: ORDERACK_API_KEYS has no such key")
    return found


def _oidc(settings: BoardSettings, url: str, http: httpx.AsyncClient, now: Callable[[], datetime]) -> Oidc | None:
    if not settings.oidc_issuer:
        return None
    client = Client(
        issuer=settings.oidc_issuer,
        client_id=settings.oidc_client_id,
        client_secret=settings.oidc_client_secret,
        scope=settings.oidc_scope,
        name_claim=settings.oidc_name_claim,
        roles_claim=settings.oidc_roles_claim,
        roles=GroupRoles.parse(settings.oidc_roles),
        redirect_uri=f"{url}/board/oidc/back",
    )
    return Oidc(client, http, now)
