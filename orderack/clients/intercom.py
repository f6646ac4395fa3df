"""Intercom's REST API as one app: its login, its words for a wrong login, and conversations by the time they began.

Search takes `=`, `<` and `>` of a date, and may know the day only: what is asked for is a day wider on both sides, and
the exact times are looked at here (developers.intercom.com, "Search conversations"; 150 a page).
"""

import json
from datetime import datetime, timedelta
from typing import Annotated

import httpx
from pydantic import BaseModel, BeforeValidator, Field, JsonValue, SecretStr, ValidationError

from orderack.clients.http import BaseUrl, Clock, Http
from orderack.errors import Misconfigured, Unavailable

VERSION = "2.15"
OURS_TO_MEND = frozenset({"api_plan_restricted", "token_blocked", "token_not_found", "token_revoked", "unauthorized"})
PAGE = 150
"""Conversations of one answer: Intercom's most."""
_A_DAY = timedelta(days=1)


def _text(value: JsonValue) -> JsonValue:
    return "" if value is None else value


Words = Annotated[str, BeforeValidator(_text)]
"""A text that Intercom leaves out or sends as null."""


class _Author(BaseModel):
    type: Words = ""
    email: Words = ""


class _Source(BaseModel):
    delivered_as: Words = ""
    subject: Words = ""
    body: Words = ""
    author: _Author = _Author()


class _Tag(BaseModel):
    name: Words = ""


class _Tags(BaseModel):
    tags: tuple[_Tag, ...] = ()


class Conversation(BaseModel):
    """One conversation as it began; `repr` shows none of its words."""

    id: str = Field(min_length=1, max_length=150)
    created_at: int = Field(ge=0, le=253_402_300_799)
    source: _Source = Field(default=_Source(), repr=False)
    tags: _Tags | None = None


class _Next(BaseModel):
    starting_after: str | None = None


class _Pages(BaseModel):
    next: _Next | None = None


class _Found(BaseModel):
    conversations: tuple[Conversation, ...]
    pages: _Pages | None = None


class _Me(BaseModel):
    type: str
    id: str


class _ErrorItem(BaseModel):
    code: str = ""


class _Errors(BaseModel):
    errors: tuple[_ErrorItem, ...] = ()


class IntercomApi:
    """One workspace, by one access token. `prefix` names the settings that errors speak of."""

    def __init__(self, prefix: str, base_url: BaseUrl, token: SecretStr, clock: Clock) -> None:
        self._prefix = prefix
        bearer = f"Bearer {token.get_secret_value()}"
        headers = {"Authorization": bearer, "Accept": "application/json", "Intercom-Version": VERSION}
        self.writes = Http("Intercom", base_url, headers=headers, clock=clock)
        self.reads = Http("Intercom", base_url, headers=headers, repeatable=True, clock=clock)

    def __repr__(self) -> str:
        return "IntercomApi()"

    async def write(self, path: str, body: JsonValue) -> httpx.Response:
        """POST that does something: 2xx, or a refusal to be read."""
        return await _post(self.writes, path, body)

    async def ask(self, path: str, body: JsonValue) -> httpx.Response:
        """POST that only reads. Raises Unavailable where it is not answered, Misconfigured for a wrong login."""
        return self._answered(await _post(self.reads, path, body))

    async def whoami(self) -> str:
        """Whose token it is. Raises Misconfigured or Unavailable."""
        me = self.reads.read(_Me, self._answered(await self.reads.send("GET", "/me")))
        return f"signed in as {me.type} {me.id}"

    def mended(self, response: httpx.Response) -> str:
        """Intercom's own code in a refusal. Raises Misconfigured where the login or the plan is at fault."""
        code = _code(response)
        if code in OURS_TO_MEND:
            raise Misconfigured(f"Intercom refuses us ({code}): check {self._prefix}ACCESS_TOKEN and the plan")
        self.writes.ours_to_mend(response, f"{self._prefix}ACCESS_TOKEN and _BASE_URL")
        return code

    async def conversations(
        self, since: datetime, until: datetime, after: str = ""
    ) -> tuple[tuple[Conversation, ...], str]:
        """One page of those that began in the span, and the cursor of the next one; empty: there is none.

        The page may hold some that began up to two days before the span, or after it.
        """
        began: list[JsonValue] = [
            {"field": "created_at", "operator": ">", "value": int((since - 2 * _A_DAY).timestamp())},
            {"field": "created_at", "operator": "<", "value": int((until + 2 * _A_DAY).timestamp())},
        ]
        paging: dict[str, JsonValue] = {"per_page": PAGE} | ({"starting_after": after} if after else {})
        body: JsonValue = {"query": {"operator": "AND", "value": began}, "pagination": paging}
        found = self.reads.read(_Found, await self.ask("/conversations/search", body))
        following = found.pages.next if found.pages else None
        return found.conversations, (following.starting_after or "") if following else ""

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self.writes.aclose()
        await self.reads.aclose()

    def _answered(self, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        self.reads.ours_to_mend(response, f"{self._prefix}ACCESS_TOKEN and _BASE_URL")
        raise Unavailable(f"Intercom does not answer what it is asked ({response.status_code})")


async def _post(http: Http, path: str, body: JsonValue) -> httpx.Response:
    content = json.dumps(body, separators=(",", ":")).encode()
    return await http.send("POST", path, content=content, headers={"Content-Type": "application/json"})


def _code(response: httpx.Response) -> str:
    try:
        errors = _Errors.model_validate_json(response.content).errors
    except ValidationError:
        return ""
    return errors[0].code[:60] if errors else ""
