"""A request that is answered before its body has come: the rest is read and dropped for a moment, then the line ends.

Who is still sending does not hear an answer; and who sends on for ever, or sends nothing and waits, must not hold the
connection for as long as they like.
"""

import asyncio
from contextlib import suppress
from datetime import timedelta

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

MOST = 4 * 1024 * 1024
"""Bytes that are dropped at most."""
MOMENT = timedelta(seconds=1)


class EndUnread:
    """ASGI middleware: says `Connection: close` over a body that has not ended, which the server then does."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not _has_body(Headers(scope=scope)):
            await self._app(scope, receive, send)
            return
        ended, seen = False, 0
        waits = "expect" in Headers(scope=scope)  # for our word before it sends its body: there is none to drop

        async def receiving() -> Message:
            nonlocal ended, seen
            message = await receive()
            ended = ended or not message.get("more_body", False)
            seen += len(message.get("body", b""))
            return message

        async def sending(message: Message) -> None:
            if message["type"] == "http.response.start":
                await drop()
                if not ended:
                    MutableHeaders(scope=message)["connection"] = "close"
            await send(message)

        async def drop() -> None:
            with suppress(TimeoutError):
                async with asyncio.timeout(MOMENT.total_seconds()):
                    while not ended and not waits and seen < MOST:
                        await receiving()

        await self._app(scope, receiving, sending)


def _has_body(headers: Headers) -> bool:
    return "transfer-encoding" in headers or headers.get("content-length", "0").strip() != "0"
