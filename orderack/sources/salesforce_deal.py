"""Salesforce opportunities: one that is won is an order (commerce.md §3).

A Flow of the account's calls an Apex class that we supply (docs/sources/salesforce_deal), which posts the opportunity's
id, signed by Standard Webhooks; what it missed is found by asking for what was modified. One query brings the whole
opportunity. Where the order stands is a Note on it, whose title is the answer's own name and is looked for before.
"""

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, ClassVar, TypeVar
from urllib.parse import quote

import httpx
from pydantic import BaseModel, Field, JsonValue, SecretStr, TypeAdapter, field_validator

from orderack.clients import standard_webhooks
from orderack.clients.http import Clock, utc_now
from orderack.clients.salesforce import Salesforce, SalesforceSettings
from orderack.clients.wire import Moment, read
from orderack.domain.assessment import AnswerCall
from orderack.domain.source import Answered, AnswerStage, AnswerState
from orderack.errors import BadSignature, InDoubt, Unavailable
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
from orderack.sources._reading import name_of
from orderack.sources._salesforce_deal import Family, Opportunity, Page, checked, deal_of, query, soql_time
from orderack.sources._storefront_note import marker, note_of

T = TypeVar("T", bound=BaseModel)

SYSTEM = "salesforce"
"""How an order names its id in Salesforce (`external_ids[].system`)."""
PAGE = 200
MOST_ROWS = 2_000
LAST_PAGE = 10
"""SOQL skips 2000 records at most."""
_ID = re.compile(r"^[A-Za-z0-9]{15}([A-Za-z0-9]{3})?$")
_FieldName = Annotated[str, Field(pattern=r"^[A-Za-z]\w{0,79}$")]


class SalesforceDealSettings(SalesforceSettings):
    """One Salesforce account."""

    model_config = settings_config("")

    webhook_secret: SecretStr | None = Field(
        default=None,
        description="whsec_ and base64, as the Apex class has it; empty: opportunities are only looked for",
    )
    won_stages: str = Field(default="", description="stage names that make an order, with commas; empty: every won one")
    currency: str | None = Field(default=None, description="of an account with one currency; empty: CurrencyIsoCode")
    terms: str | None = Field(default=None, description="payment terms of those that name none, e.g. net 30")
    terms_field: _FieldName | None = Field(default=None, description="API name of the field with the payment terms")
    number_field: _FieldName | None = Field(default=None, description="of the one with the number that the buyer knows")
    purchase_order_field: _FieldName | None = Field(default=None, description="of the one with the buyer's own number")

    @field_validator("webhook_secret")
    @classmethod
    def _is_a_secret(cls, secret: SecretStr | None) -> SecretStr | None:
        if secret is not None:
            standard_webhooks.secrets_of(secret.get_secret_value())
        return secret


class _Told(BaseModel):
    id: str | None = Field(default=None, max_length=50)


class _Changed(BaseModel):
    id: str = Field(alias="Id", max_length=18)
    at: Moment = Field(alias="LastModifiedDate")


class _Change(BaseModel):
    records: tuple[_Changed, ...]


class _Note(BaseModel):
    id: str = Field(alias="Id", max_length=18)


class _Notes(BaseModel):
    records: tuple[_Note, ...]


class _Created(BaseModel):
    id: str = Field(max_length=18)
    success: bool


_TOLD: TypeAdapter[_Told] = TypeAdapter(_Told)
_FAMILY: TypeAdapter[Family] = TypeAdapter(Family)
_OPPORTUNITY: TypeAdapter[Opportunity] = TypeAdapter(Opportunity)


class SalesforceDeal:
    """One account's opportunities."""

    name: ClassVar[str] = "salesforce_deal"
    traits: ClassVar[SourceTraits] = SourceTraits(
        kind=SourceKind.CRM,
        answer=AnswerCall.NOTE,
        answers=frozenset(AnswerStage),
        poll_every=timedelta(minutes=5),
    )

    def __init__(
        self, connection: Connection, settings: SalesforceDealSettings, prefix: str, clock: Clock = utc_now
    ) -> None:
        self.connection = connection
        self._settings = settings
        self._clock = clock
        self._stages = frozenset(part.strip() for part in settings.won_stages.split(",") if part.strip())
        self._salesforce = Salesforce(settings, clock, prefix)

    def __repr__(self) -> str:
        return f"SalesforceDeal({self.connection})"

    async def verify(self, request: RawRequest) -> None:
        secret = self._settings.webhook_secret
        if secret is None:
            raise BadSignature("no secret is set, so nothing that is posted can be believed")
        standard_webhooks.verify(request, standard_webhooks.secrets_of(secret.get_secret_value()), self._clock())

    def deliveries(self, request: RawRequest) -> Sequence[Delivery]:
        text = request.body.decode("utf-8", "replace").replace("\x00", "")
        named = name_of(request.headers.get("webhook-id"))
        return [Delivery(id=named or f"body/{hashlib.sha256(request.body).hexdigest()[:40]}", body=text)]

    async def read(self, delivery: Delivery) -> Sequence[Reading]:
        told = read(_TOLD, delivery.body.encode("utf-8", "replace"))
        if told.id is None or not _ID.fullmatch(told.id):
            return [Skipped(why="it names no opportunity")]
        return [Hint(external_id=told.id)]

    async def fetch(self, external_id: str) -> Sequence[Reading]:
        if not _ID.fullmatch(external_id):
            return [Skipped(why="that is no opportunity's id")]
        own = self._settings
        names = self._names
        extra = [checked(name, "fields") for name in self.connection.fields]
        asked = query(external_id, [*filter(None, names.values()), *extra], with_currency=own.currency is None)
        found = (await self._query(Page, asked)).records
        if not found:
            return [Skipped(why="Salesforce has no such opportunity")]
        opportunity = read(_OPPORTUNITY, json.dumps(await self._whole(found[0])).encode())
        deal = deal_of(
            opportunity,
            stages=self._stages,
            names=names,
            own=extra,
            country=self.connection.country,
            currency=own.currency,
        )
        return [snapshot_of(deal, self.connection, SYSTEM, own.terms)]

    async def _whole(self, record: JsonValue) -> JsonValue:
        """The record with all of its lines, of which the query's answer holds the first few hundred."""
        page = read(_FAMILY, json.dumps(record).encode()).lines
        rest = page.rest if page else None
        if page is None or rest is None or not isinstance(record, dict):
            return record
        rows = list(page.records)
        while rest is not None and len(rows) < MOST_ROWS:
            page = await self._got(Page, rest)
            rows, rest = [*rows, *page.records], page.rest
        return {**record, "OpportunityLineItems": {"records": rows}}

    @property
    def _names(self) -> Mapping[str, str | None]:
        own = self._settings
        return {"number": own.number_field, "terms": own.terms_field, "purchase_order": own.purchase_order_field}

    async def look(self, cursor: str, now: datetime) -> Looked:
        """Opportunities that were modified, oldest first, whatever their stage: one may have left it."""
        at = LookCursor.of(cursor, now)
        page = min(at.page, LAST_PAGE)
        asked = (
            f"SELECT Id,LastModifiedDate FROM Opportunity WHERE LastModifiedDate >= {soql_time(at.asked)} "  # noqa: S608 - a time of ours
            f"ORDER BY LastModifiedDate, Id LIMIT {PAGE} OFFSET {(page - 1) * PAGE}"
        )
        found = (await self._query(_Change, asked)).records
        deliveries = tuple(
            Delivery(id=f"look/{one.id}/{one.at.isoformat()}", topic="look", body=json.dumps({"id": one.id}))
            for one in found
        )
        more = len(found) == PAGE and page < LAST_PAGE
        after = at.after(max((one.at for one in found), default=None), more)
        return Looked(deliveries=deliveries, cursor=after.model_dump_json(), more=more)

    async def answer(self, answer: SourceAnswer) -> Answered:
        """A note on the opportunity, unless it bears this one already."""
        if not _ID.fullmatch(answer.external_id):
            return Answered(state=AnswerState.REFUSED, detail="that is no opportunity's id")
        title = marker(answer.key)
        asked = f"SELECT Id FROM Note WHERE ParentId = '{answer.external_id}' AND Title = '{title}' LIMIT 1"  # noqa: S608 - checked above
        if there := (await self._query(_Notes, asked)).records:
            return Answered(state=AnswerState.ACCEPTED, reference=there[0].id, detail="it was there already")
        body: JsonValue = {"ParentId": answer.external_id, "Title": title, "Body": note_of(answer), "IsPrivate": False}
        response = await self._salesforce.send("POST", "/sobjects/Note", body)
        if not response.is_success:
            raise self._salesforce.refusal(response)
        created = self._salesforce.http.read(_Created, response)
        if not created.success:
            raise InDoubt("Salesforce answered with a note's id and without success")
        return Answered(state=AnswerState.ACCEPTED, reference=created.id)

    async def _query(self, kind: type[T], soql: str) -> T:
        return await self._got(kind, f"/query?q={quote(soql, safe='')}")

    async def _got(self, kind: type[T], path: str) -> T:
        """What is only read may be asked for again, so doubt about it is none."""
        try:
            response: httpx.Response = await self._salesforce.send("GET", path)
            if not response.is_success:
                raise self._salesforce.refusal(response)
            return self._salesforce.http.read(kind, response)
        except InDoubt as error:
            raise Unavailable(str(error)) from None

    async def check(self) -> str:
        """Whether we are let in."""
        return await self._salesforce.check()

    async def aclose(self) -> None:
        await self._salesforce.aclose()


def make(connection: Connection, prefix: str) -> SalesforceDeal:
    """Reads the settings of this prefix."""
    return SalesforceDeal(connection, SalesforceDealSettings(_env_prefix=prefix), prefix)


SOURCE: SourceSpec = SourceSpec(
    description="Salesforce opportunities that are won",
    obtain="Salesforce Setup > App Manager: a connected app with the API scope; its client secret, or a certificate",
    settings=SalesforceDealSettings,
    adapter=SalesforceDeal,
    make=make,
    trigger="the opportunity enters a stage that counts as won (`LastStageChangeDate`)",
    webhook=(
        "Our Apex class OrderackDeal (docs/sources/salesforce_deal) as the action of a record-triggered Flow on "
        "Opportunity, run when the stage or the amount changed"
    ),
    traps=(
        "An opportunity that leaves the stage is cancelled here; one that was never won is nothing to us.",
        "An account with one currency has no CurrencyIsoCode: set CURRENCY, or every opportunity is refused as ours to "
        "mend.",
        "Opportunities hold no tax: the total is their Amount, and the ERP's invoice says more.",
        "Notes have to be switched on for Opportunity (classic Notes), and the user must be allowed to make them.",
        "Every look and every fetch counts against the account's daily allowance of API requests.",
    ),
)
