"""Every way a request can fail, as one JSON shape. Internals and buyers' data never show."""

import math
from collections.abc import Mapping, Sequence
from datetime import timedelta

import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from orderack.domain.order import Name, Text
from orderack.domain.problem import Problem
from orderack.domain.value import Value
from orderack.errors import (
    BadSignature,
    Duplicate,
    InvalidInput,
    Misconfigured,
    OrderAckError,
    OrderNotOpen,
    OrderUnknown,
    Refused,
    StaleSignature,
    Unavailable,
)
from orderack.telemetry import metrics

log = structlog.get_logger(__name__)

COME_BACK = timedelta(seconds=5)

MOST_PROBLEMS = 50
"""In one answer."""


class ErrorReply(Value):
    """What went wrong, in a word for programs and a sentence for people."""

    error: Name
    message: Text
    problems: tuple[Problem, ...] = ()
    recorded: bool = False
    """True: we have it in our record and will announce it ourselves; sending it again is harmless."""


class Denied(Exception):
    """A request that a route turns away."""

    def __init__(
        self, status: int, error: str, message: str, problems: Sequence[Problem] = (), *, recorded: bool = False
    ) -> None:
        super().__init__(error)
        self.status = status
        self.reply = ErrorReply(error=error, message=message, problems=tuple(problems), recorded=recorded)


def problem(field: str, what: str, remedy: str) -> Denied:
    """One thing wrong with the input."""
    return Denied(422, "invalid", "The input cannot be used.", [Problem(field=field, problem=what, remedy=remedy)])


_FATES: Mapping[type[OrderAckError], tuple[int, str, str]] = {
    BadSignature: (401, "bad_signature", "The request does not prove where it comes from."),
    Duplicate: (202, "duplicate", "We have this already."),
    InvalidInput: (422, "invalid", "The input cannot be used."),
    OrderUnknown: (404, "order_unknown", "We have no such order."),
    OrderNotOpen: (409, "order_not_open", "The order is not open."),
    Refused: (409, "refused", "The order cannot take this."),
    Unavailable: (503, "unavailable", "We cannot take this right now. Send it again."),
    Misconfigured: (500, "misconfigured", "We are not set up for this; our operators are told."),
}

_STATUS_WORDS = {404: "not_found", 405: "method_not_allowed"}

ERRORS: dict[int | str, dict[str, object]] = {
    status: {"model": ErrorReply, "description": description}
    for status, description in {
        401: "No key, an unknown key, or a signature that does not hold",
        403: "The key is for another store",
        404: "No such address, store or order",
        408: "The body did not come in time",
        409: "In conflict with what is recorded",
        413: "The body is too large",
        414: "The address is too long",
        415: "The body's type or encoding is not taken",
        422: "The input cannot be used; `problems` names each field and its remedy",
        429: "Asked too often; see `Retry-After`",
        503: "Temporal or the ledger is away; see `Retry-After`",
    }.items()
}
"""For the OpenAPI description."""


def errors(*statuses: int) -> dict[int | str, dict[str, object]]:
    return {status: ERRORS[status] for status in statuses}


def install(app: FastAPI) -> None:
    """Let every failure leave as an `ErrorReply`."""
    app.add_exception_handler(Denied, _denied)
    app.add_exception_handler(OrderAckError, _fate)
    app.add_exception_handler(RequestValidationError, _bad_path)
    app.add_exception_handler(HTTPException, _http)
    app.add_exception_handler(ClientDisconnect, _left)


_CLOCK = "one alone is a replay; if all of a sender's are, set this machine's clock by a time server"


def _denied(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, Denied)
    return answer(error.status, error.reply)


def _fate(request: Request, error: Exception) -> JSONResponse:
    status, word, message = next((fate for kind, fate in _FATES.items() if isinstance(error, kind)), _INTERNAL)
    if isinstance(error, BadSignature):
        metrics.SIGNATURE_FAILURES.labels(_claimed(request)).inc()
    if isinstance(error, StaleSignature):
        log.error(
            "a sender's own signature is out of its time", path=_claimed(request), off=round(error.off), remedy=_CLOCK
        )
    if status >= 500:
        log.warning("request failed", error=type(error).__name__, why=str(error))
    problems = error.problems[:MOST_PROBLEMS] if isinstance(error, InvalidInput) else ()
    retry_after = error.retry_after if isinstance(error, Unavailable) else None
    return answer(status, ErrorReply(error=word, message=message, problems=problems), retry_after)


def _claimed(request: Request) -> str:
    """Whom the request claims to be from: a channel, an ERP or a connection of ours, as the address names it."""
    word = request.url.path.removeprefix("/").partition("/")[0]
    return metrics.source_label("/".join((word, *map(str, request.path_params.values()))))


def _bad_path(request: Request, error: Exception) -> JSONResponse:
    return answer(422, ErrorReply(error="invalid", message="The address names something too long or empty."))


def _http(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    word = _STATUS_WORDS.get(error.status_code, "refused")
    reply = answer(error.status_code, ErrorReply(error=word, message=word.replace("_", " ").capitalize() + "."))
    reply.headers.update(error.headers or {})
    return reply


def _left(request: Request, error: Exception) -> Response:
    """Nobody is there to read it."""
    return Response(status_code=400)


def unexpected() -> JSONResponse:
    """What a failure that nobody foresaw looks like."""
    return answer(_INTERNAL[0], ErrorReply(error=_INTERNAL[1], message=_INTERNAL[2]))


_INTERNAL = (500, "internal", "Something went wrong on our side. Send it again; nothing is done twice.")


def answer(status: int, reply: ErrorReply, retry_after: timedelta | None = None) -> JSONResponse:
    """The reply as a response; 503 always says when to come back."""
    headers: dict[str, str] = {}
    if status == 503:
        headers["Retry-After"] = str(max(1, math.ceil((retry_after or COME_BACK).total_seconds())))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse(reply.model_dump(mode="json"), status, headers)
