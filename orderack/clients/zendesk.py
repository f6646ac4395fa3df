"""Zendesk's tickets: one ticket for what one reader is told of one order, a comment on it for each further message.

POST /tickets takes an idempotency key, which Zendesk keeps for two hours; a comment (PUT) has none. So every entry
carries our key in its audit's metadata, which can be looked up for ever, and a comment is written only on the ticket
as it was read (`safe_update`): of two attempts under way at once, the later one is refused (commerce.md §1). Zendesk
counts that time in seconds: only an attempt that overlaps another within the very second of the reading gets past.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from urllib.parse import quote

import httpx
from pydantic import AwareDatetime, BaseModel, Field, JsonValue, ValidationError

from orderack.clients.http import BaseUrl, Clock, Http, segment
from orderack.domain.acknowledgement import Reason
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable

KEY_FIELD = "orderack_key"
TAG = "orderack"
"""On every ticket of ours: the condition that Zendesk's triggers tell them by."""
MAX_LENGTH = 65_535
"""Characters of a comment."""
EXPORT = "/api/v2/incremental/tickets/cursor"
EXPORT_LAG = timedelta(seconds=70)
"""The export refuses a start that is less than a minute ago."""
AUDIT_PAGES = 20
"""Of a hundred each; a ticket with more is no buyer's."""

REFUSED_FIELD = MappingProxyType(
    {
        "requester": Reason.BAD_RECIPIENT,
        "email": Reason.BAD_RECIPIENT,
        "comment": Reason.CONTENT,
        "description": Reason.CONTENT,
        "subject": Reason.CONTENT,
    }
)
OURS_TO_MEND = MappingProxyType({"group": "GROUPS", "group_id": "GROUPS"})
"""Field of a 422 → the setting it comes from."""
CLOSED = "closed"
OTHER_BODY = "IdempotentRequestError"
"""400: our key came before with other words, so the first attempt was heard."""


@dataclass(frozen=True)
class Entry:
    """What one message puts on the desk."""

    key: str
    reference: str
    """The ticket's external id: one for each order."""
    subject: str
    text: str
    public: bool
    reader_tag: str = ""
    """Only a ticket with this tag is this reader's; empty: any ticket of ours for the order will do."""
    requester: Mapping[str, str] | None = None
    group_id: int | None = None


class _Changed(InDoubt):
    """Somebody, perhaps we ourselves, wrote on the ticket since it was read."""


class _Ticket(BaseModel):
    id: int
    status: str = ""
    updated_at: str = ""
    tags: tuple[str, ...] = ()


class _Tickets(BaseModel):
    tickets: tuple[_Ticket, ...]


class _Kept(BaseModel):
    ticket: _Ticket


class _Metadata(BaseModel):
    custom: dict[str, JsonValue] = {}


class _Audit(BaseModel):
    metadata: _Metadata = _Metadata()


class _Page(BaseModel):
    has_more: bool = False
    after_cursor: str | None = None


class _Audits(BaseModel):
    audits: tuple[_Audit, ...]
    meta: _Page = _Page()


class _User(BaseModel):
    id: int | None = None
    role: str = ""
    email: str | None = Field(default=None, repr=False)


class _Me(BaseModel):
    user: _User


class ExportedTicket(BaseModel):
    """One ticket as the export has it; `repr` shows none of its words."""

    id: int
    created_at: AwareDatetime
    status: str = ""
    tags: tuple[str, ...] = ()
    subject: str | None = Field(default=None, repr=False)
    description: str | None = Field(default=None, repr=False)
    """The first comment."""
    requester_id: int | None = None
    email: str | None = Field(default=None, repr=False)
    """The requester's, from the users that stand beside the tickets."""


class _Export(BaseModel):
    tickets: tuple[ExportedTicket, ...]
    users: tuple[_User, ...] = ()
    after_cursor: str | None = None
    end_of_stream: bool = False


class _Error(BaseModel):
    error: str | dict[str, JsonValue] = ""
    details: dict[str, JsonValue] = {}


class Zendesk:
    """One account's tickets, as one agent. `prefix` names the settings that errors speak of."""

    def __init__(self, prefix: str, base_url: BaseUrl, login: tuple[str, str], clock: Clock) -> None:
        """`login`: the agent's e-mail address, and an API token."""
        self._prefix = prefix
        self._auth = (f"{login[0]}/token", login[1])
        json_only = {"Accept": "application/json"}
        self._writes = Http("Zendesk", base_url, headers=json_only, clock=clock)
        self._reads = Http("Zendesk", base_url, headers=json_only, repeatable=True, clock=clock)

    def __repr__(self) -> str:
        return "Zendesk()"

    async def put(self, entry: Entry) -> str:
        """Open the reader's ticket for this order, or add to it; the ticket's id.

        Raises Unavailable, InDoubt, Refused and Misconfigured as a channel's `send` does.
        """
        mine = [ticket for ticket in await self._tickets(entry.reference) if _open_for(ticket, entry)]
        if not mine:
            key = hashlib.sha256(entry.key.encode()).hexdigest()
            return await self._write("POST", "/api/v2/tickets", _opening(entry), {"Idempotency-Key": key})
        try:
            return await self._write("PUT", f"/api/v2/tickets/{mine[0].id}", _addition(entry, mine[0]), {})
        except _Changed:
            return await self._changed(mine[0].id, entry.key)

    async def _changed(self, ticket_id: int, key: str) -> str:
        """The ticket was written on since it was read: by an earlier attempt of this entry, or by somebody else."""
        try:
            held = await self._holds(ticket_id, key)
        except (Unavailable, Misconfigured) as error:
            raise InDoubt(f"the ticket changed, perhaps by an earlier attempt: {error}") from None
        if not held:  # and what an earlier attempt has still under way is refused as this one was
            raise Unavailable("somebody wrote on the ticket meanwhile; the next attempt reads it anew")
        return str(ticket_id)

    async def find(self, reference: str, key: str) -> str | None:
        """The id of the order's ticket that holds the entry with this key. Raises Unavailable or Misconfigured."""
        for ticket in await self._tickets(reference):
            if await self._holds(ticket.id, key):
                return str(ticket.id)
        return None

    async def export(self, since: datetime, after: str = "") -> tuple[tuple[ExportedTicket, ...], str]:
        """One page of the tickets that changed since then, and the cursor of the next one; empty: that was the last.

        The cursor-based incremental export (developer.zendesk.com, "Incremental Exports"): a thousand a page, ten
        requests a minute, for administrators only. It has tickets that are older, and deleted ones.
        """
        start = min(since, self._reads.clock() - EXPORT_LAG)
        wanted = f"cursor={segment(after)}" if after else f"start_time={int(start.timestamp())}"
        response = await self._reads.send("GET", f"{EXPORT}?{wanted}&include=users", auth=self._auth)
        if response.status_code == httpx.codes.FORBIDDEN:
            raise Misconfigured(
                f"Zendesk gives its export to administrators only: check {self._prefix}EMAIL and _API_TOKEN"
            )
        page = self._reads.read(_Export, self._answered(response))
        emails = {user.id: user.email for user in page.users}
        tickets = tuple(one.model_copy(update={"email": emails.get(one.requester_id)}) for one in page.tickets)
        following = "" if page.end_of_stream else page.after_cursor or ""
        if following == after and not page.end_of_stream:
            raise Unavailable("Zendesk's export neither goes on nor ends")
        return tickets, following

    async def whoami(self) -> str:
        """Whose login it is. Raises Misconfigured where it is no agent's, or Unavailable."""
        user = self._reads.read(_Me, await self._read("/api/v2/users/me")).user
        if user.role not in ("agent", "admin"):
            raise Misconfigured(f"Zendesk knows no agent by this login: check {self._prefix}EMAIL and _API_TOKEN")
        return f"signed in as {user.role} {user.id}"

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._writes.aclose()
        await self._reads.aclose()

    async def _tickets(self, reference: str) -> tuple[_Ticket, ...]:
        """The order's tickets, the oldest first."""
        response = await self._read(f"/api/v2/tickets?external_id={segment(reference)}")
        found = self._reads.read(_Tickets, response).tickets
        return tuple(sorted(found, key=lambda ticket: ticket.id))

    async def _holds(self, ticket_id: int, key: str) -> bool:
        path = f"/api/v2/tickets/{ticket_id}/audits?{quote('page[size]')}=100"
        after = ""
        for _ in range(AUDIT_PAGES):
            page = self._reads.read(_Audits, await self._read(path + after))
            if any(audit.metadata.custom.get(KEY_FIELD) == key for audit in page.audits):
                return True
            if not (page.meta.has_more and page.meta.after_cursor):
                return False
            after = f"&{quote('page[after]')}={segment(page.meta.after_cursor)}"
        raise InDoubt("the ticket is too long to be looked through")

    async def _read(self, path: str) -> httpx.Response:
        return self._answered(await self._reads.send("GET", path, auth=self._auth))

    def _answered(self, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        self._reads.ours_to_mend(response, self._login())
        raise Unavailable(f"Zendesk does not show its tickets ({response.status_code})")

    async def _write(self, method: str, path: str, ticket: JsonValue, headers: Mapping[str, str]) -> str:
        response = await self._writes.send(
            method,
            path,
            content=json.dumps({"ticket": ticket}, separators=(",", ":")).encode(),
            headers={"Content-Type": "application/json", **headers},
            auth=self._auth,
        )
        if response.is_success:
            return str(self._writes.read(_Kept, response).ticket.id)
        raise self._refusal(method, response)

    def _refusal(self, method: str, response: httpx.Response) -> Unavailable | InDoubt | Refused | Misconfigured:
        """What a 4xx means for us. Zendesk's sentences are dropped: they repeat the requester's address."""
        status, error = response.status_code, _read_error(response)
        word = error.error if isinstance(error.error, str) else ""
        if status == httpx.codes.CONFLICT and method == "PUT":
            return _Changed("the ticket changed since it was read")
        if status == httpx.codes.CONFLICT or word == OTHER_BODY:
            return InDoubt(f"Zendesk answered {status}: an earlier attempt may have been taken")
        if method == "PUT" and (status == httpx.codes.NOT_FOUND or "status" in error.details):
            return Unavailable("the ticket was closed or deleted meanwhile; the next attempt opens another")
        self._writes.ours_to_mend(response, self._login())
        for field in error.details:
            if field in OURS_TO_MEND:
                return Misconfigured(f"Zendesk refuses {field[:40]}: check {self._prefix}{OURS_TO_MEND[field]}")
        reasons = [REFUSED_FIELD[field] for field in error.details if field in REFUSED_FIELD]
        too_long = status == httpx.codes.REQUEST_ENTITY_TOO_LARGE
        code = " ".join([str(status), word[:60], *(field[:40] for field in error.details)][:3]).strip()
        reason = Reason.TOO_LONG if too_long else next(iter(reasons), Reason.OTHER)
        return Refused(f"Zendesk refused the ticket ({status})", reason, code)

    def _login(self) -> str:
        return f"{self._prefix}EMAIL, _API_TOKEN and _BASE_URL"


def reader_tag(address: str) -> str:
    """The tag that keeps one address's ticket apart from another's: a corrected address gets a ticket of its own."""
    return f"{TAG}_to_{hashlib.sha256(address.casefold().encode()).hexdigest()[:16]}"


def _open_for(ticket: _Ticket, entry: Entry) -> bool:
    wanted = entry.reader_tag or TAG
    return ticket.status != CLOSED and wanted in ticket.tags


def _said(entry: Entry) -> dict[str, JsonValue]:
    return {
        "comment": {"body": entry.text, "public": entry.public},
        "metadata": {KEY_FIELD: entry.key},
    }


def _opening(entry: Entry) -> dict[str, JsonValue]:
    ticket: dict[str, JsonValue] = {
        "subject": entry.subject,
        "external_id": entry.reference,
        "tags": [TAG, entry.reader_tag] if entry.reader_tag else [TAG],
        **_said(entry),
    }
    if entry.requester is not None:
        ticket["requester"] = dict(entry.requester)
    if entry.group_id is not None:
        ticket["group_id"] = entry.group_id
    return ticket


def _addition(entry: Entry, ticket: _Ticket) -> dict[str, JsonValue]:
    return {**_said(entry), "safe_update": True, "updated_stamp": ticket.updated_at}


def _read_error(response: httpx.Response) -> _Error:
    try:
        return _Error.model_validate_json(response.content)
    except ValidationError:
        return _Error()
