"""One Fishbowl server (Advanced, its REST interface): a session that is given back at once, SQL that reads, imports.

The server is the customer's own machine. Its licences are counted by session, and a person who cannot sign in is
the price of one that we keep, so it is given back as soon as nobody here uses it (commerce.md §14).
"""

import asyncio
import json
from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from typing import TypeVar

import httpx
from pydantic import BaseModel, Field, JsonValue, SecretStr, TypeAdapter, ValidationError

from orderack.clients.http import NO_HEADERS, BaseUrl, Clock, Http, retry_after
from orderack.clients.wire import scrub
from orderack.domain.acknowledgement import Reason
from orderack.erps._fishbowl_order import Rows
from orderack.erps._session import SharedSession
from orderack.errors import Misconfigured, Refused, Unavailable

LOOK_SECONDS = 5.0
"""A sign-in, and each question. With the import after them they stay within one attempt's 30 s."""
APP_NAME = "orderack"
APP_WORDS = "Order acknowledgement"

FULL = ("login limit", "limit has been reached", "maximum number of")
"""In the sentence of a sign-in that found no seat."""
GONE = frozenset({1010, 1130, 1131, 1163, 1164})
"""Codes of the older interface that come inside a 200: the session has ended."""
NOT_NOW = frozenset({1002, 1004, 1009, 1162})
"""No server, no database, shut down, no seat."""
OURS = frozenset({1100, 1110, 1111, 1112, 1120})
"""Not let in: the password, or the application that somebody has to approve in Fishbowl first."""
DONE = frozenset({0, 900, 1000})

Json = dict[str, JsonValue]
R = TypeVar("R")


class _Token(BaseModel):
    token: str | None = Field(default=None, pattern=r"^[\x21-\x7e]{1,4000}$")


class _Said(BaseModel):
    """Both forms of a failure: `{status, message}`, and the older `{statusCode, statusMessage}` inside a 200."""

    code: int = Field(alias="statusCode", default=0)
    old: str = Field(alias="statusMessage", default="")
    message: str = ""


class FishbowlServer:
    """`prefix` names the settings that errors speak of."""

    def __init__(self, name: str, prefix: str, base_url: BaseUrl, login: tuple[str, SecretStr, int], clock: Clock):
        """`login`: the user, the password, and the number of our application there."""
        self.erp = f"ERP {name}"
        self._prefix = prefix
        self._login = login
        headers = {"Accept": "application/json"}
        self._safe = Http(self.erp, base_url, headers=headers, repeatable=True, clock=clock)
        self._once = Http(self.erp, base_url, headers=headers, clock=clock)
        self._session: SharedSession[str] = SharedSession(self._sign_in, self._sign_out, lingers=False)

    def __repr__(self) -> str:
        return f"FishbowlServer({self.erp})"

    def seat(self) -> AbstractAsyncContextManager[None]:
        """Around everything that belongs together: one session serves it, and ends with it."""
        return self._session.seat()

    async def query(self, rows: TypeAdapter[R], sql: str) -> R:
        """The rows of a SELECT. Raises Unavailable, or Misconfigured."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                response = await self._send(
                    self._safe, "GET", "/api/data-query", sql.encode(), {"Content-Type": "application/sql"}
                )
        except TimeoutError:
            raise Unavailable(f"{self.erp} is slow") from None
        error = self._error(response)
        if error is not None:
            raise Unavailable(f"{self.erp} does not answer: {error}") if isinstance(error, Refused) else error
        try:
            return rows.validate_json(response.content)
        except ValidationError:
            raise Unavailable(f"{self.erp} answered with rows that say nothing") from None

    async def import_order(self, rows: Rows) -> None:
        """POST the rows; what became of them is looked up. Raises Refused, Unavailable, or InDoubt: it was cut off."""
        body = json.dumps(rows, separators=(",", ":")).encode()
        kind = {"Content-Type": "application/json"}
        response = await self._send(self._once, "POST", "/api/import/Sales-Order", body, kind)
        if (error := self._error(response)) is not None:
            raise error

    async def delete_order(self, order_id: int) -> None:
        """DELETE; one that is gone already is as good. Raises Refused where Fishbowl keeps it."""
        response = await self._send(self._safe, "DELETE", f"/api/sales-orders/{order_id}")
        if response.status_code == httpx.codes.NOT_FOUND:
            return
        if (error := self._error(response)) is not None:
            raise error

    async def aclose(self) -> None:
        """Give the session back, and close the connection pools."""
        await self._session.aclose()
        await self._safe.aclose()
        await self._once.aclose()

    async def _send(
        self,
        http: Http,
        method: str,
        path: str,
        content: bytes | None = None,
        headers: Mapping[str, str] = NO_HEADERS,
    ) -> httpx.Response:
        """With the session; once more with a new one where it has ended, for then nothing was done."""
        for _ in range(2):
            token = await self._session.get()
            signed = {**headers, "Authorization": f"Bearer {token}"}
            response = await http.send(method, path, content=content, headers=signed)
            if response.status_code != httpx.codes.UNAUTHORIZED and _said(response).code not in GONE:
                return response
            self._session.forget(token)
        raise Unavailable(f"{self.erp} does not take its own session: somebody ended it there")

    async def _sign_in(self) -> str:
        user, password, app_id = self._login
        body: Json = {"appName": APP_NAME, "appDescription": APP_WORDS, "appId": app_id}
        body |= {"username": user, "password": password.get_secret_value()}
        content = json.dumps(body).encode()
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                response = await self._safe.send(
                    "POST", "/api/login", content=content, headers={"Content-Type": "application/json"}
                )
        except TimeoutError:
            raise Unavailable(f"{self.erp} is slow to let us in") from None
        said = _said(response)
        if said.code in NOT_NOW or any(word in said.message.lower() for word in FULL):
            raise Unavailable(f"{self.erp} has no seat for us now")
        if response.headers.get("mfa", "").lower() == "required":
            raise Misconfigured(
                f"{self.erp}: the user of {self._prefix}USER_NAME is asked for a second factor: turn it off"
            )
        if not response.is_success or said.code not in DONE:
            settings = f"{self._prefix}USER_NAME, {self._prefix}PASSWORD and {self._prefix}BASE_URL"
            word = said.code or response.status_code
            raise Misconfigured(
                f"{self.erp} did not let us in ({word}): check {settings}, and that Fishbowl's administrator has "
                f"approved the application {APP_NAME}"
            )
        token = self._safe.read(_Token, response).token
        if token is None:
            raise Unavailable(f"{self.erp} let us in without a token")
        return token

    async def _sign_out(self, token: str) -> None:
        await self._safe.send("POST", "/api/logout", headers={"Authorization": f"Bearer {token}"})

    def _error(self, response: httpx.Response) -> Unavailable | Refused | Misconfigured | None:
        said = _said(response)
        if response.is_success and said.code in DONE:
            return None
        if said.code in NOT_NOW:
            wait = retry_after(response.headers, self._safe.clock())
            return Unavailable(f"{self.erp} is not there for us now ({said.code})", wait)
        if said.code in OURS:
            return Misconfigured(f"{self.erp} did not let us ({said.code}): check {self._prefix}USER_NAME")
        if not response.is_success and not said.message and not said.code:
            try:
                self._safe.ours_to_mend(response, f"{self._prefix}BASE_URL and {self._prefix}USER_NAME")
            except Misconfigured as error:
                return error
        if response.status_code == httpx.codes.FORBIDDEN:
            return Misconfigured(f"{self.erp} does not allow it: give {self._prefix}USER_NAME the right to it")
        code = str(said.code or response.status_code)
        reason = scrub(said.message or said.old) or "no reason given"
        return Refused(f"{self.erp} refused: {reason} ({code})", Reason.OTHER, code)


def _said(response: httpx.Response) -> _Said:
    try:
        return _Said.model_validate_json(response.content)
    except ValidationError:
        return _Said()
