"""Zoho CRM deals: one whose stage is "won" is an order (commerce.md §6).

A workflow rule's webhook with a secret header, or a notification with the token that was given when it was subscribed
to, says which deal changed; the deal is fetched with the sales order made of it, its account and its contact. What is
missed is found by the time of the change. Where it stands is a note on the deal, looked for before it is written.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, TypeVar

import httpx
from pydantic import BaseModel, BeforeValidator, Field, JsonValue, SecretStr, TypeAdapter, ValidationError
from pydantic_settings import BaseSettings

from orderack.clients.http import LONGEST_WAIT, Clock, Http, segment, utc_now
from orderack.clients.oauth import SignedIn, Tokens
from orderack.clients.secure_url import SecureUrl
from orderack.clients.wire import MOST_UNPROVED, Moment, read, same, scrub
from orderack.domain.acknowledgement import Reason
from orderack.domain.assessment import AnswerCall
from orderack.domain.source import Answered, AnswerStage, AnswerState
from orderack.errors import BadSignature, InvalidInput, Misconfigured, OrderAckError, Refused, Unavailable
from orderack.ports import (
    Connection,
    Delivery,
    Hint,
    Looked,
    RawRequest,
    Reading,
    Skipped,
    SourceAnswer,
    SourceKind,
    SourceTraits,
)
from orderack.registry import SourceSpec, settings_config
from orderack.sources._deal import snapshot_of
from orderack.sources._look_cursor import LookCursor
from orderack.sources._loose import Said
from orderack.sources._reading import name_of
from orderack.sources._storefront_note import marker, note_of
from orderack.sources._zoho_deal import Record, SalesOrder, ZohoDeal, deal_of

SYSTEM = "zoho"
"""How an order names its id in Zoho (`external_ids[].system`)."""
PAGE = 200
LAST_PAGE = 10
"""Zoho turns no further pages without a token of its own."""
HEADER = "x-orderack-secret"
NOT_NOW: Mapping[str, timedelta | None] = {
    "INTERNAL_ERROR": None,
    "LIMIT_EXCEEDED": LONGEST_WAIT,
    "LIMIT_REACHED": LONGEST_WAIT,
    "RECORD_LOCKED": None,
    "TOO_MANY_REQUESTS": None,
}
OURS_TO_MEND = frozenset(
    {
        "AUTHENTICATION_FAILURE",
        "INVALID_MODULE",
        "INVALID_TOKEN",
        "INVALID_URL_PATTERN",
        "NO_PERMISSION",
        "OAUTH_SCOPE_MISMATCH",
    }
)
NOT_THERE = frozenset({"INVALID_DATA", "RESOURCE_NOT_FOUND"})
"""An id that is none, or not any longer."""
GONE = frozenset({"Cancelled", "Canceled"})
"""Sales orders that stand for nothing."""
HINTS: Mapping[str, str] = {"Deals": "", "Sales_Orders": "Sales_Orders/"}
"""What we are told of → how a hint names it."""
R = TypeVar("R", bound=Record)


class ZohoDealSettings(BaseSettings):
    """One Zoho CRM account."""

    model_config = settings_config("")

    client_id: str = Field(description="client id of the API console (1000.…)")
    client_secret: SecretStr = Field(description="client secret of the API console")
    refresh_token: SecretStr = Field(
        description="refresh token with the scopes ZohoCRM.modules.ALL (deals, sales orders, accounts, contacts, notes)"
    )
    won_stages: str = Field(default="Closed Won", description="stages that make an order, with commas")
    webhook_secret: SecretStr | None = Field(
        default=None, min_length=16, description=f"what the workflow's webhook sends in the header {HEADER}"
    )
    notify_token: SecretStr | None = Field(
        default=None, min_length=16, description="token that the notifications were subscribed to with"
    )
    currency: str | None = Field(default=None, description="of deals that name none (accounts with one currency)")
    terms: str | None = Field(default=None, description="payment terms of deals that name none, e.g. net 30")
    terms_field: str | None = Field(default=None, description="API name of the deal's field with its payment terms")
    number_field: str | None = Field(default=None, description="of the one with the number that the buyer knows")
    purchase_order_field: str | None = Field(default=None, description="of the one with the buyer's own number")
    base_url: SecureUrl = Field(default="https://www.zohoapis.com", description="of your data centre: .eu, .in …")
    login_url: SecureUrl = Field(default="https://accounts.zoho.com", description="of the same data centre")


def _several(ids: object) -> object:
    """One id by itself is a list of one."""
    return [ids] if isinstance(ids, str | int) else ids


class _Told(BaseModel):
    """A notification, or what the workflow's webhook is set up to send."""

    module: str = Field(default="", max_length=100)
    ids: Annotated[tuple[Said, ...], BeforeValidator(_several)] = Field(default=(), max_length=500)
    token: str = Field(default="", max_length=500)
    channel: Said = Field(default=None, alias="channel_id", max_length=40)
    server_time: Said = Field(default=None, max_length=40)
    time: Said = Field(default=None, max_length=60)


class _Info(BaseModel):
    more: bool = Field(default=False, alias="more_records")


class _Changed(BaseModel):
    id: str = Field(pattern=r"^\d{1,30}$")
    at: Moment = Field(alias="Modified_Time")


class _Changes(BaseModel):
    data: tuple[_Changed, ...] = ()
    info: _Info = _Info()


class _Records(BaseModel):
    data: tuple[JsonValue, ...] = ()


class _Saved(BaseModel):
    code: str = ""
    status: str = ""
    details: Mapping[str, JsonValue] = {}


class _Outcomes(BaseModel):
    data: tuple[_Saved, ...] = Field(min_length=1)


_TOLD: TypeAdapter[_Told] = TypeAdapter(_Told)


class ZohoDeals:
    """One account's deals."""

    name: ClassVar[str] = "zoho_deal"
    traits: ClassVar[SourceTraits] = SourceTraits(
        kind=SourceKind.CRM,
        answer=AnswerCall.NOTE,
        answers=frozenset(AnswerStage),
        poll_every=timedelta(minutes=5),
    )

    def __init__(self, connection: Connection, settings: ZohoDealSettings, prefix: str, clock: Clock = utc_now) -> None:
        self.connection = connection
        self._settings = settings
        self._stages = frozenset(part.strip() for part in settings.won_stages.split(",") if part.strip())
        self._setting = f"{prefix}CLIENT_ID, {prefix}CLIENT_SECRET, {prefix}REFRESH_TOKEN and {prefix}BASE_URL"
        # a note that may have been written is looked for before the next attempt
        self._http = Http("Zoho CRM", settings.base_url, repeatable=True, clock=clock)
        login = Http("Zoho accounts", settings.login_url, clock=clock)
        where = f"{self._setting}, {prefix}LOGIN_URL (each data centre has its own)"
        tokens = Tokens(login, "/oauth/v2/token", self._form, setting=where, clock=clock)
        self._signed_in = SignedIn(self._http, tokens, scheme="Zoho-oauthtoken")

    def __repr__(self) -> str:
        return f"ZohoDeals({self.connection})"

    def _form(self) -> Mapping[str, str]:
        return {
            "grant_type": "refresh_token",
            "client_id": self._settings.client_id,
            "client_secret": self._settings.client_secret.get_secret_value(),
            "refresh_token": self._settings.refresh_token.get_secret_value(),
        }

    async def verify(self, request: RawRequest) -> None:
        """The header's secret, or the body's token: Zoho signs nothing, so no more than the deal's id is believed."""
        own = self._settings
        if len(request.body) > MOST_UNPROVED:
            raise BadSignature("a body of this size is read only once it is proved")
        offered = [(own.webhook_secret, request.headers.get(HEADER, "")), (own.notify_token, _told(request.body).token)]
        if not any(secret is not None and same(secret.get_secret_value(), given) for secret, given in offered):
            raise BadSignature("neither the webhook's secret nor the notification's token fits")

    def deliveries(self, request: RawRequest) -> Sequence[Delivery]:
        """One for each record that is named. The token is a secret and is not kept."""
        told = _told(request.body)
        digest = hashlib.sha256(request.body).hexdigest()[:40]
        if not told.ids:
            return [Delivery(id=f"body/{digest}", body=_unnamed(request.body, told))]
        first = name_of(f"{told.channel}/{told.server_time}") if told.channel and told.server_time else f"body/{digest}"
        names = dict.fromkeys(name for one in told.ids if (name := name_of(one)))
        return [
            Delivery(id=f"{first}/{one}"[:200], body=json.dumps({"module": told.module, "ids": [one]})) for one in names
        ]

    async def read(self, delivery: Delivery) -> Sequence[Reading]:
        told = read(_TOLD, delivery.body.encode("utf-8", "replace"))
        ids = [name for one in told.ids if (name := name_of(one)) and name.isascii() and name.isdigit()]
        if told.module not in HINTS or not ids:
            return [Skipped(why="it is about no deal")]
        return [Hint(external_id=f"{HINTS[told.module]}{one}") for one in ids]

    async def fetch(self, external_id: str) -> Sequence[Reading]:
        named = await self._deal_of(external_id)
        found = await self._record(ZohoDeal, f"/crm/v8/Deals/{named}") if named else None
        if found is None:
            return [Skipped(why="Zoho CRM has no such deal")]
        own, won = self._settings, found.stage in self._stages
        deal = deal_of(
            found,
            await self._sales_order(found.id) if won else None,
            await self._linked("Accounts", found.account.id) if won and found.account else None,
            await self._linked("Contacts", found.contact.id) if won and found.contact else None,
            stages=self._stages,
            names={"number": own.number_field, "terms": own.terms_field, "purchase_order": own.purchase_order_field},
            own=tuple(self.connection.fields),
            country=self.connection.country,
            currency=own.currency,
        )
        return [snapshot_of(deal, self.connection, SYSTEM, own.terms)]

    async def _deal_of(self, external_id: str) -> str | None:
        """The deal that is meant: of a sales order, the one that it was made of."""
        record = external_id.removeprefix(HINTS["Sales_Orders"])
        if not (record.isascii() and record.isdigit()):
            return None
        if record == external_id:
            return record
        order = await self._record(SalesOrder, f"/crm/v8/Sales_Orders/{record}")
        return order.deal.id if order and order.deal else None

    async def _sales_order(self, deal: str) -> SalesOrder | None:
        """The newest one that was made of the deal and stands; its lines are in the record alone."""
        path = f"/crm/v8/Deals/{deal}/SalesOrders?fields=id,Status&sort_by=id&sort_order=desc&per_page=10"
        made = (one for one in await self._records(Record, path) if one.said("Status") not in GONE)
        newest = next(made, None)
        return await self._record(SalesOrder, f"/crm/v8/Sales_Orders/{newest.id}") if newest else None

    async def _linked(self, module: str, record: str | None) -> Record | None:
        """An account or a contact; without one, where Zoho has it no longer."""
        return await self._record(Record, f"/crm/v8/{module}/{segment(record)}") if record else None

    async def look(self, cursor: str, now: datetime) -> Looked:
        """Deals that were modified, oldest first, whatever their stage: one may have left it. 304: none were."""
        at = LookCursor.of(cursor, now)
        path = f"/crm/v8/Deals?fields=Modified_Time&sort_by=Modified_Time&sort_order=asc&per_page={PAGE}&page={at.page}"
        # a second earlier: whether that very second is among what came after it, Zoho does not say
        since = {"If-Modified-Since": (at.asked - timedelta(seconds=1)).isoformat(timespec="seconds")}
        response = await self._signed_in.send("GET", path, headers=since)
        found = _Changes() if response.status_code in (204, 304) else self._http.read(_Changes, self._taken(response))
        deliveries = tuple(
            Delivery(
                id=f"look/{one.id}/{one.at.isoformat()}",
                topic="look",
                body=json.dumps({"module": "Deals", "ids": [one.id]}),
            )
            for one in found.data
        )
        more = found.info.more and at.page < LAST_PAGE
        after = at.after(max((one.at for one in found.data), default=None), more)
        return Looked(deliveries=deliveries, cursor=after.model_dump_json(), more=more)

    async def answer(self, answer: SourceAnswer) -> Answered:
        """A note on the deal, unless it bears this one already. No workflow rule of theirs runs on it."""
        title, path = marker(answer.key), f"/crm/v8/Deals/{segment(answer.external_id)}/Notes"
        there = await self._noted(f"{path}?fields=Note_Title&sort_by=id&sort_order=desc&per_page={PAGE}", title)
        if there is not None:
            return Answered(state=AnswerState.ACCEPTED, reference=there, detail="it was there already")
        note: JsonValue = {"Note_Title": title, "Note_Content": note_of(answer)}
        body = json.dumps({"data": [note], "trigger": []}, separators=(",", ":")).encode()
        headers = {"Content-Type": "application/json"}
        response = await self._signed_in.send("POST", path, content=body, headers=headers)
        saved = self._http.read(_Outcomes, self._taken(response)).data[0]
        if saved.status != "success":
            raise self._refusal(saved.code, response)
        return Answered(state=AnswerState.ACCEPTED, reference=name_of(saved.details.get("id")) or "")

    async def _noted(self, path: str, title: str) -> str | None:
        """The id of the note of this title."""
        notes = await self._records(Record, path)
        return next((note.id for note in notes if note.said("Note_Title") == title), None)

    async def _record(self, kind: type[R], path: str) -> R | None:
        """The one record; None where there is none (204), or the id is none of theirs."""
        found = await self._records(kind, path, NOT_THERE)
        return found[0] if found else None

    async def _records(self, kind: type[R], path: str, not_there: frozenset[str] = frozenset()) -> Sequence[R]:
        response = await self._signed_in.send("GET", path)
        if response.status_code == httpx.codes.NO_CONTENT or _code(response) in not_there:
            return ()
        found = self._http.read(_Records, self._taken(response)).data
        return [read(TypeAdapter(kind), json.dumps(one).encode()) for one in found]

    def _taken(self, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        raise self._refusal(_code(response), response)

    def _refusal(self, code: str, response: httpx.Response) -> OrderAckError:
        code = scrub(code)
        if code in NOT_NOW:
            return Unavailable(f"Zoho CRM cannot do it now ({code})", NOT_NOW[code])
        if code in OURS_TO_MEND:
            return Misconfigured(f"Zoho CRM answered {code}: check {self._setting}")
        if not response.is_success:
            self._http.ours_to_mend(response, self._setting)
        return Refused(f"Zoho CRM refused it ({response.status_code} {code})", Reason.OTHER, code)

    async def check(self) -> str:
        """Whether we are let in to its deals."""
        response = await self._signed_in.send("GET", "/crm/v8/Deals?fields=id&per_page=1")
        self._taken(response)
        return f"signed in to Zoho CRM; a deal is an order at the stage {', '.join(sorted(self._stages))}"

    async def aclose(self) -> None:
        await self._signed_in.aclose()


def _told(body: bytes) -> _Told:
    """What a request says; nothing where it cannot be read."""
    try:
        return read(_TOLD, body)
    except InvalidInput:
        return _Told()


def _unnamed(body: bytes, told: _Told) -> str:
    """What names no record, as it came; but for what holds a token."""
    return json.dumps({"module": told.module}) if told.token else body.decode("utf-8", "replace").replace("\x00", "")


def _code(response: httpx.Response) -> str:
    try:
        return _Saved.model_validate_json(response.content).code
    except ValidationError:
        return ""


def make(connection: Connection, prefix: str) -> ZohoDeals:
    """Reads the settings of this prefix."""
    return ZohoDeals(connection, ZohoDealSettings(_env_prefix=prefix), prefix)


SOURCE: SourceSpec = SourceSpec(
    description="Zoho CRM deals that are won",
    obtain="Zoho API console: a server-based client and its refresh token, in the account's own data centre",
    settings=ZohoDealSettings,
    adapter=ZohoDeals,
    make=make,
    trigger="the deal reaches a stage that counts as won (its modified time)",
    webhook=(
        "A workflow rule on Deals, and one on Sales Orders, with a webhook to our address: POST, header "
        f"{HEADER}, and the JSON body "
        '{"module": "Deals", "ids": ["${Deals.Deal Id}"], "time": "${Deals.Modified Time}"}; or notifications '
        "(/crm/v8/actions/watch) with a token of your own"
    ),
    traps=(
        "A deal that leaves the stage is cancelled here; one that was never won is nothing to us.",
        "Lines, taxes and addresses are the sales order's: convert the deal before it is won, or a person has to "
        "complete the order.",
        "The webhook's body needs the modified time: without it two changes of one deal look like one.",
        "Notifications end within a week unless they are renewed; the workflow's webhook does not.",
        "A workflow rule that mails the buyer when a deal is won tells the buyer twice: let it say only `received`.",
    ),
)
