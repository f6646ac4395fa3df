"""The HTTP app: generic routes that verify, record and announce. No vendor's word is known here."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import structlog
from fastapi import FastAPI

from orderack.errors import OrderAckError
from orderack.gateway import failures, health, intake, page, receipts, standing, webhooks
from orderack.gateway.announce import announce_stragglers
from orderack.gateway.headers import SecurityHeaders
from orderack.gateway.openapi import describe
from orderack.gateway.parts import GatewayParts

log = structlog.get_logger(__name__)


def create_app(parts: GatewayParts) -> FastAPI:
    """The gateway over these parts; while it runs it also announces what was left behind."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        sweep = asyncio.create_task(_sweep(parts))
        yield
        sweep.cancel()
        with suppress(asyncio.CancelledError):
            await sweep

    app = FastAPI(
        title="orderack",
        version="1",
        description="Orders in, receipts in, and the truth about them out.",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.state.parts = parts
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]  # FastAPI's own way to extend it
    for room in (intake, standing, receipts, webhooks, page, health):
        app.include_router(room.router)
    failures.install(app)
    app.add_middleware(SecurityHeaders, https=parts.public_url.startswith("https://"))
    return app


async def _sweep(parts: GatewayParts) -> None:
    """Announce stragglers until cancelled. Nothing may end it: it is what keeps a recorded event from being lost."""
    while True:
        await asyncio.sleep(parts.sweep_every.total_seconds())
        try:
            if announced := await announce_stragglers(parts):
                log.info("stragglers announced", events=announced)
        except OrderAckError as error:
            log.info("sweep waits", why=type(error).__name__)
        except Exception:
            log.exception("sweep failed; it goes on")
