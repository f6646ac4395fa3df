"""What no route foresaw: answered in our shape, with every header, and logged by its place and not by its words."""

import structlog
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from orderack.gateway.failures import unexpected
from orderack.telemetry.logs import place_of

log = structlog.get_logger(__name__)


class LastResort:
    """ASGI middleware. Behind it nothing is raised: a server would log the exception's text, and that may be data."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        started = False

        async def sending(message: Message) -> None:
            nonlocal started
            started = started or message["type"] == "http.response.start"
            await send(message)

        try:
            await self._app(scope, receive, sending)
        except Exception as error:
            log.error("request failed unexpectedly", error=type(error).__name__, at=place_of(error))
            if not started:
                await unexpected()(scope, receive, send)
