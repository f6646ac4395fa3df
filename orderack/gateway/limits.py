"""How often somebody may ask: per key, per provider, per page, and few wrong guesses per address.

Counted in this process alone: two gateways allow twice as much. What is limited is decided by the request's address
before its route runs, so that no route can be forgotten; a wrong guess is known by the answer it got.
"""

import hashlib
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from ipaddress import IPv6Address, ip_address, ip_network
from time import time

import structlog
from fastapi import Request
from fastapi.responses import HTMLResponse, JSONResponse, Response
from limits import RateLimitItem, RateLimitItemPerMinute
from limits.aio.storage import MemoryStorage
from limits.aio.strategies import MovingWindowRateLimiter
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orderack.gateway.failures import ErrorReply
from orderack.gateway.parts import GatewayParts
from orderack.gateway.rates import PAGES, WRONG_GUESS
from orderack.gateway.requests import presented_keys

log = structlog.get_logger(__name__)

PROVED = "orderack.proved"
"""Set in a request's scope once its signature held. What proves nothing never draws on a provider's share, whatever it
is answered: a greeting, a body that is too large or compressed, a HEAD."""


@dataclass(frozen=True)
class Share:
    """How much of one thing one asker may use."""

    item: RateLimitItem
    who: str
    used_by: Callable[[Scope, int], bool] | None = None
    """Whether this request, answered with this status, uses it up; None: every request does, before its answer."""


class RateLimits:
    """ASGI middleware. Who asks too often gets 429 with `Retry-After`, and nothing else happens."""

    def __init__(self, app: ASGIApp, *, parts: GatewayParts) -> None:
        self._app = app
        self._parts = parts
        self._windows = MovingWindowRateLimiter(MemoryStorage())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        shares = tuple(shares_of(Request(scope), self._parts)) if scope["type"] == "http" else ()
        for share in shares:
            if not await self._may(share):
                response = await self._too_often(scope, share)
                await response(scope, receive, send)
                return

        async def counting(message: Message) -> None:
            if message["type"] == "http.response.start":
                for share in shares:
                    if share.used_by and share.used_by(scope, message["status"]):
                        await self._windows.hit(share.item, share.who)
            await send(message)

        await self._app(scope, receive, counting)

    async def _may(self, share: Share) -> bool:
        ask = self._windows.test if share.used_by else self._windows.hit
        return await ask(share.item, share.who)

    async def _too_often(self, scope: Scope, share: Share) -> Response:
        stats = await self._windows.get_window_stats(share.item, share.who)
        headers = {"Retry-After": str(max(1, math.ceil(stats.reset_time - time())))}
        word = _words(scope["path"])[0]
        if await self._windows.hit(_item(1, f"said-{share.item.namespace}"), share.who):
            log.warning("asked too often", what=word)  # once a minute for each asker: a log can be flooded too
        if word in PAGES:
            return HTMLResponse(_BUSY, 429, headers)
        reply = ErrorReply(error="too_many_requests", message="You ask too often. Wait, then send it again.")
        return JSONResponse(reply.model_dump(mode="json"), 429, headers)


def shares_of(request: Request, parts: GatewayParts) -> Iterator[Share]:
    """Everything that a request draws on. Nothing for addresses that are not limited."""
    word, name, *_ = [*_words(request.url.path), ""]
    wrong = WRONG_GUESS.get(word)
    if wrong is None:
        return
    rates = parts.rates
    yield Share(_item(rates.guesses, "guesses"), client_of(request), lambda scope, status: status == wrong)
    known = next((key for key in presented_keys(request) if parts.keys.of(key)), None)
    connection = request.url.path.removeprefix("/intake/")
    if word in PAGES:
        if request.method == "POST":
            yield Share(_item(rates.page, "page"), _print(name))
    elif connection in parts.sources:
        yield Share(_item(rates.provider, "provider"), f"{word}/{connection}", lambda scope, status: PROVED in scope)
    elif known:
        yield Share(_item(rates.key, "key"), _print(known))
    elif name in parts.channels or name in parts.erps:
        yield Share(_item(rates.provider, "provider"), f"{word}/{name}", lambda scope, status: PROVED in scope)


def client_of(request: Request) -> str:
    """Who is asking, as far as an address says it; an IPv6 subscriber has a whole /64."""
    host = request.client.host if request.client else ""
    try:
        address = ip_address(host)
    except ValueError:
        return host
    return str(ip_network((address, 64), strict=False)) if isinstance(address, IPv6Address) else str(address)


def _words(path: str) -> tuple[str, str]:
    first, _, rest = path.removeprefix("/").partition("/")
    return first, rest.partition("/")[0]


def _item(amount: int, namespace: str) -> RateLimitItem:
    return RateLimitItemPerMinute(amount, namespace=namespace)


def _print(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()


_BUSY = """<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>One moment, please</title></head>
<body><main><h1>One moment, please</h1>
<p>This page was asked for too often. Wait a minute, then open the link again; nothing is lost.</p></main></body>
</html>
"""
