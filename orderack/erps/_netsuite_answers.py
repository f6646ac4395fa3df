"""What NetSuite's refusals mean: `o:errorDetails`, and two 400s that are limits (commerce.md §12, §19.4)."""

from typing import Annotated

import httpx
from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from orderack.clients.http import WRONG_KEY_OR_URL, Http, retry_after
from orderack.clients.wire import scrub
from orderack.domain.acknowledgement import Reason
from orderack.erps._netsuite_ids import LINE_FIELD, ORDER_FIELD
from orderack.errors import Misconfigured, OrderAckError, Refused, Unavailable

LIMITS = frozenset(
    {
        "SSS_REQUEST_LIMIT_EXCEEDED",
        "CONCURRENCY_LIMIT_EXCEEDED",
        "EXCEEDED_CONCURRENT_REQUEST_LIMIT",
        "EXCEEDED_REQUEST_LIMIT",
        "WS_CONCUR_SESSION_DISALLWD",
        "WS_REQUEST_BLOCKED",
    }
)
"""The account's seats are taken; said with 400 by some of its doors, and with 429 by the record service."""
HELD = frozenset(
    {"RCRD_HAS_BEEN_CHANGED", "RCRD_LOCKED_BY_WF", "RECORD_LOCKED", "UNEXPECTED_ERROR", "SESSION_TIMED_OUT"}
)
"""Another process has the record now, or NetSuite does not know what happened: asked again, after looking."""
THERE_ALREADY = frozenset({"DUP_RCRD", "DUP_ITEM", "RCRD_ALREADY_EXISTS", "UNIQUE_CUST_ID_REQD", "IDEMPOTENCY_ERROR"})
"""Two of us came at once: the next attempt looks first, and finds it."""
NOT_THERE = frozenset({"NONEXISTENT_ID", "RCRD_DSNT_EXIST", "RCRD_NOT_FOUND"})
LOGIN = frozenset({"INVALID_LOGIN", "INVALID_LOGIN_ATTEMPT", "INSUFFICIENT_PERMISSION", "USER_ACCESS_DENIED"})


Text = Annotated[str, BeforeValidator(lambda value: "" if value is None else value)]


class _Detail(BaseModel):
    detail: Text = ""
    code: Text = Field(default="", alias="o:errorCode")
    path: Text = Field(default="", alias="o:errorPath")


class _Problems(BaseModel):
    title: Text = ""
    details: tuple[_Detail, ...] = Field(default=(), alias="o:errorDetails")


class Said:
    """One refusal, read."""

    def __init__(self, response: httpx.Response) -> None:
        try:
            read = _Problems.model_validate_json(response.content)
        except ValidationError:
            read = _Problems()
        self.status = response.status_code
        self.codes = tuple(detail.code for detail in read.details if detail.code)
        self.reason = "; ".join(detail.detail for detail in read.details if detail.detail) or read.title
        self.where = " ".join(f"{detail.path} {detail.detail}" for detail in read.details)

    @property
    def not_there(self) -> bool:
        """There is no such record; a 404 without a code is a wrong URL."""
        return self.status == httpx.codes.NOT_FOUND and bool(NOT_THERE & {*self.codes})


def failure(http: Http, response: httpx.Response, prefix: str) -> OrderAckError:
    """The fate of an answer that is none of 2xx."""
    said = Said(response)
    codes = {*said.codes}
    code = next(iter(said.codes), str(said.status))
    wait = retry_after(response.headers, http.clock())
    if codes & LIMITS:
        return Unavailable(f"{http.vendor} has no seat free for us now ({code})", wait)
    if codes & (HELD | THERE_ALREADY) or said.status in (httpx.codes.LOCKED, httpx.codes.TOO_EARLY):
        return Unavailable(f"{http.vendor} holds the record ({code})", wait)
    if codes & LOGIN or (said.status in WRONG_KEY_OR_URL and not said.not_there):
        return Misconfigured(
            f"{http.vendor} answered {said.status} ({code}): check {prefix}ACCOUNT, _CONSUMER_KEY, _TOKEN_ID and their"
            " secrets, the role's permissions and the clock of this machine"
        )
    if field := next((field for field in (ORDER_FIELD, LINE_FIELD) if field in said.where), None):
        return Misconfigured(f"{http.vendor} has no field {field}: install it (docs/erps/netsuite.md; {prefix}ACCOUNT)")
    return Refused(f"{http.vendor} refused: {scrub(said.reason) or 'no reason given'} ({code})", Reason.OTHER, code)
