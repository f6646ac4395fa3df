"""`/healthz`: the process runs. `/readyz`: it can do its work."""

import asyncio
from collections.abc import Awaitable
from typing import Literal

from fastapi import APIRouter, Response

from orderack.domain.value import Value
from orderack.errors import OrderAckError
from orderack.gateway.parts import Parts

router = APIRouter(tags=["health"])

_PATIENCE = 3.0
"""Seconds."""


class Health(Value):
    status: Literal["ok"] = "ok"


class Readiness(Value):
    ready: bool
    temporal: bool
    ledger: bool


@router.get("/healthz", response_model=Health, summary="Is the process alive?")
async def healthz() -> Health:
    return Health()


@router.get(
    "/readyz",
    response_model=Readiness,
    responses={503: {"model": Readiness, "description": "Something it needs is away"}},
    summary="Can it work?",
)
async def readyz(parts: Parts, response: Response) -> Readiness:
    temporal, ledger = await asyncio.gather(_answers(parts.orders.ping()), _answers(parts.ledger.ping()))
    response.status_code = 200 if temporal and ledger else 503
    return Readiness(ready=temporal and ledger, temporal=temporal, ledger=ledger)


async def _answers(ping: Awaitable[None]) -> bool:
    try:
        async with asyncio.timeout(_PATIENCE):
            await ping
    except (OrderAckError, TimeoutError, OSError):
        return False
    return True
