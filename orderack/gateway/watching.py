"""Each request: how long it took, by its route and not by its address, which holds tokens and orders; its span."""

import time

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orderack.telemetry import metrics, tracing

NO_ROUTE = "none"
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})


class Watching:
    """ASGI middleware, the outermost."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        status, began = 0, time.perf_counter()

        async def sending(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
            await send(message)

        structlog.contextvars.clear_contextvars()
        method = scope["method"] if scope["method"] in METHODS else metrics.OTHER
        with tracing.span("gateway request", root=True):
            try:
                await self._app(scope, receive, sending)
            finally:
                route = str(getattr(scope.get("route"), "path", NO_ROUTE))
                metrics.HTTP.labels(method, route, str(status)).observe(time.perf_counter() - began)
                tracing.note({"http.request.method": method, "http.route": route, "http.response.status_code": status})
