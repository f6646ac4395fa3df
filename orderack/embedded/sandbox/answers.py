"""Answers that go wrong below HTTP. Each is a response; the connection's own protocol lends the means to cut it."""

import asyncio
from collections.abc import Callable, Mapping
from typing import cast

from starlette.responses import HTMLResponse, Response
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.h11_impl import H11Protocol

CUT = "orderack.sandbox.cut"
"""The scope extension that closes the TCP connection at once."""


class CuttableProtocol(H11Protocol):
    """uvicorn's HTTP/1.1, which lets the application close the connection it came by."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        app, cut = self.app, transport.abort

        async def cuttable(scope: Scope, receive: Receive, send: Send) -> None:
            await app({**scope, "extensions": {CUT: cut}}, receive, send)

        self.app = cuttable


async def gone(receive: Receive) -> None:
    """Wait until the client is gone."""
    while (await receive())["type"] != "http.disconnect":
        pass


class CutOff(Response):
    """No answer: the connection is closed."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        extensions = cast("Mapping[str, Callable[[], None]]", scope.get("extensions", {}))
        if CUT not in extensions:
            raise RuntimeError("cutting off needs a server that runs CuttableProtocol")
        extensions[CUT]()
        await gone(receive)


class Silence(Response):
    """No answer, and the connection stays open until the client gives up."""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await gone(receive)


class Late(Response):
    """Another answer, `seconds` later; nothing if the client gave up before."""

    def __init__(self, answer: Response, seconds: float) -> None:
        super().__init__()
        self._answer = answer
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            async with asyncio.timeout(self._seconds):
                await gone(receive)
        except TimeoutError:
            await self._answer(scope, receive, send)


def nonsense() -> Response:
    """A 200 that says nothing about the request: what a captive portal or a broken proxy answers."""
    return HTMLResponse("<html><body>It works!</body></html>")
