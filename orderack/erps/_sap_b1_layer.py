"""One company's Service Layer: its session, its questions, and what its answers mean.

Both cookies of the login, B1SESSION and ROUTEID, have to come back with every request: the second one says on which
node the first one lives (commerce.md §15). A session is a licence, so there is one for each installation.
"""

import asyncio
import json
from collections.abc import Mapping
from typing import TypeVar

import httpx
from pydantic import BaseModel, SecretStr

from orderack.clients.http import NO_HEADERS, BaseUrl, Clock, Http, retry_after
from orderack.clients.wire import scrub
from orderack.domain.acknowledgement import Reason
from orderack.erps._sap_b1_order import Json
from orderack.erps._sap_b1_wire import (
    HELD,
    HELD_WORDS,
    NO_SESSION,
    NOT_FOUND_OR_DRAFT,
    UNKNOWN_PROPERTY,
    Failure,
    Fields,
    LoggedIn,
    failure,
)
from orderack.erps._session import SharedSession
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable

COOKIES = ("B1SESSION", "ROUTEID")
LOOK_SECONDS = 5.0
"""A sign-in, and each question. With the write after them they stay within one attempt's 30 s."""
NO_CONTENT = {"Prefer": "return-no-content"}
"""With it, what goes into a draft is answered 204 as well, instead of an error that says "not found"."""
REPLACE_LINES = {"B1S-ReplaceCollectionsOnPatch": "true"}

M = TypeVar("M", bound=BaseModel)


class ServiceLayer:
    """`prefix` names the settings that errors speak of."""

    def __init__(
        self, name: str, prefix: str, base_url: BaseUrl, login: Mapping[str, SecretStr], fields: Fields, clock: Clock
    ) -> None:
        """`login`: CompanyDB, UserName and Password."""
        self.erp = f"ERP {name}"
        self._prefix = prefix
        self._login = login
        self._fields = fields
        headers = {"Accept": "application/json"}
        self._safe = Http(self.erp, base_url, headers=headers, repeatable=True, clock=clock)
        self._once = Http(self.erp, base_url, headers=headers, clock=clock)
        self._session: SharedSession[str] = SharedSession(self._sign_in, self._sign_out, lingers=True)

    def __repr__(self) -> str:
        return f"ServiceLayer({self.erp})"

    async def read(self, model: type[M], path: str) -> M:
        """GET. Raises Unavailable, or Misconfigured."""
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                response = await self._send(self._safe, "GET", path)
        except TimeoutError:
            raise Unavailable(f"{self.erp} is slow") from None
        if response.is_success:
            return self._safe.read(model, response)
        error = self._error(response)
        if isinstance(error, Refused) and error.code == UNKNOWN_PROPERTY:
            raise Misconfigured(f"{error}: check {self._prefix}CUSTOMER_FIELD, and that this is its version 10")
        raise Unavailable(f"{self.erp} does not answer: {error}") if isinstance(error, Refused) else error

    async def create(self, path: str, body: Json) -> None:
        """POST something new. It may be a draft now: the caller looks. Raises InDoubt when it may have been done."""
        response = await self._send(self._once, "POST", path, body, NO_CONTENT)
        if not response.is_success and failure(response).code != NOT_FOUND_OR_DRAFT:
            raise self._error(response)
        if response.is_success and response.status_code not in (httpx.codes.CREATED, httpx.codes.NO_CONTENT):
            raise InDoubt(f"{self.erp} answered {response.status_code} to a document: it may have been added")

    async def change(self, path: str, body: Json, etag: str | None) -> None:
        """PATCH what was read, lines and all. Raises Unavailable where somebody else has changed it since."""
        headers = REPLACE_LINES | ({"If-Match": etag} if etag else {})
        response = await self._send(self._safe, "PATCH", path, body, headers)
        if response.status_code == httpx.codes.PRECONDITION_FAILED:
            raise Unavailable(f"{self.erp}: somebody changed the document meanwhile")
        self._done(response)

    async def act(self, method: str, path: str) -> None:
        """Cancel or remove: doing it twice is doing it once. Raises Refused when it is too late."""
        self._done(await self._send(self._safe, method, path))

    async def aclose(self) -> None:
        """Log out, and close the connection pools."""
        await self._session.aclose()
        await self._safe.aclose()
        await self._once.aclose()

    def _done(self, response: httpx.Response) -> None:
        if not response.is_success:
            raise self._error(response)
        if response.status_code != httpx.codes.NO_CONTENT:
            raise Unavailable(f"{self.erp} answered {response.status_code} to a change: it is looked at anew")

    async def _send(
        self, http: Http, method: str, path: str, body: Json | None = None, headers: Mapping[str, str] = NO_HEADERS
    ) -> httpx.Response:
        """With the session; once more with a new one where it has ended, for then nothing was done."""
        content = None if body is None else json.dumps(body, separators=(",", ":")).encode()
        kind = {} if content is None else {"Content-Type": "application/json"}
        for _ in range(2):
            cookies = await self._session.get()
            sent = {**headers, **kind, "Cookie": cookies}
            response = await http.send(method, path, content=content, headers=sent)
            if response.status_code != httpx.codes.UNAUTHORIZED and failure(response).code not in NO_SESSION:
                return response
            self._session.forget(cookies)
        raise Unavailable(f"{self.erp} does not take its own session: perhaps all licences are in use")

    async def _sign_in(self) -> str:
        body = json.dumps({name: secret.get_secret_value() for name, secret in self._login.items()}).encode()
        try:
            async with asyncio.timeout(LOOK_SECONDS):
                response = await self._safe.send(
                    "POST", "/Login", content=body, headers={"Content-Type": "application/json"}
                )
        except TimeoutError:
            raise Unavailable(f"{self.erp} is slow to let us in") from None
        if not response.is_success:
            said = failure(response)
            if said.code in HELD:
                raise Unavailable(f"{self.erp} cannot let us in now ({said.code})")
            word = f"{response.status_code} {said.code}".strip()
            settings = f"{self._prefix}COMPANY_DB, {self._prefix}USER_NAME, {self._prefix}PASSWORD"
            raise Misconfigured(f"{self.erp} did not let us in ({word}): check {settings} and {self._prefix}BASE_URL")
        session = self._safe.read(LoggedIn, response).session
        given = {"B1SESSION": session} | {name: response.cookies[name] for name in COOKIES if name in response.cookies}
        return "; ".join(f"{name}={given[name]}" for name in COOKIES if name in given)

    async def _sign_out(self, cookies: str) -> None:
        await self._safe.send("POST", "/Logout", headers={"Cookie": cookies})

    def _error(self, response: httpx.Response) -> Unavailable | Refused | Misconfigured:
        said = failure(response)
        if said.code in HELD or any(word in said.message.lower() for word in HELD_WORDS):
            wait = retry_after(response.headers, self._safe.clock())
            return Unavailable(f"{self.erp}: somebody else holds the record ({said.code})", wait)
        if field := self._missing_field(said):
            return Misconfigured(f"{self.erp} has no field {field}: make it there, or check {self._prefix}…_FIELD")
        if not said.code:
            try:
                self._safe.ours_to_mend(response, f"{self._prefix}BASE_URL and _USER_NAME")
            except Misconfigured as error:
                return error
        code = said.code or str(response.status_code)
        reason = scrub(said.message) or "no reason given"
        return Refused(f"{self.erp} refused: {reason} ({code})", Reason.OTHER, code)

    def _missing_field(self, said: Failure) -> str:
        own = (self._fields.key, self._fields.revision, self._fields.line)
        known = said.code == UNKNOWN_PROPERTY or "invalid" in said.message.lower()
        return next((field for field in own if known and field in said.message), "")
