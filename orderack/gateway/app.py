"""The HTTP app: generic routes that verify, record and announce. No vendor's word is known here."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from fastapi import FastAPI

from orderack.gateway import (
    attest,
    failures,
    health,
    intake,
    old_flow,
    page,
    receipts,
    sources,
    standing,
    touches,
    webhooks,
)
from orderack.gateway.announce import announce_stragglers
from orderack.gateway.background import Job, running
from orderack.gateway.board.routes import routes
from orderack.gateway.deliver import Deliverer, delivering
from orderack.gateway.grade_touches import forget_touches, grade_touches
from orderack.gateway.headers import SecurityHeaders
from orderack.gateway.last_resort import LastResort
from orderack.gateway.limits import RateLimits
from orderack.gateway.openapi import describe
from orderack.gateway.parts import GatewayParts
from orderack.gateway.polling import polling_jobs
from orderack.gateway.rests import Rests
from orderack.gateway.touch_desk import TouchDesk
from orderack.gateway.unread import EndUnread
from orderack.gateway.watching import Watching


def create_app(parts: GatewayParts) -> FastAPI:
    """The gateway over these parts; while it runs it also does its background jobs."""

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        async with delivering(parts) as deliverer, running(_jobs(parts, deliverer)):
            yield
        if parts.board:
            await parts.board.feed.aclose()

    app = FastAPI(
        title="orderack",
        version="1",
        description="Orders in, receipts in, and the truth about them out.",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,  # it would lead to whatever host the request names
        lifespan=lifespan,
    )
    app.state.parts = parts
    app.state.touch_desk = TouchDesk(parts.ledger)
    app.openapi = lambda: describe(app)  # type: ignore[method-assign]  # FastAPI's own way to extend it
    for room in (intake, sources, standing, receipts, attest, old_flow, webhooks, page, touches, health):
        app.router.routes.extend(room.router.routes)  # as they are: including a router makes each route anew
    if parts.board:
        app.router.routes.extend(routes(parts.board))
    failures.install(app)
    app.add_middleware(RateLimits, parts=parts)
    app.add_middleware(LastResort)
    app.add_middleware(EndUnread)
    app.add_middleware(SecurityHeaders, https=parts.public_url.startswith("https://"))
    app.add_middleware(Watching)
    return app


def _jobs(parts: GatewayParts, deliverer: Deliverer) -> tuple[Job, ...]:
    rests = Rests()
    return (
        Job("announce stragglers", parts.sweep_every, lambda: announce_stragglers(parts, rests=rests)),
        Job("grade touches", parts.sweep_every, lambda: grade_touches(parts)),
        Job("forget whose touches they were", timedelta(minutes=10), lambda: forget_touches(parts)),
        Job("tell others", parts.tell_every, deliverer.work),
        Job("forget what others were told", timedelta(hours=1), deliverer.forget),
        *polling_jobs(parts),
    )
