"""HubSpot deals: a deal whose stage becomes "won" is an order (commerce.md §2).

Events come in batches and say which deal changed; the deal is fetched with its line items, contact and company. What is
missed is found by searching for what was modified. Where the order stands is written as a note on the deal, and the
deal's notes are read before: the list of what is associated is current, where HubSpot's search lags behind.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import ClassVar
from urllib.parse import urlencode

import httpx
from pydantic import Field, JsonValue, SecretStr, TypeAdapter
from pydantic_settings import BaseSettings

from orderack.clients.http import Clock, Http, segment, utc_now
from orderack.clients.secure_url import SecureUrl
from orderack.clients.wire import read, same, within
from orderack.domain.assessment import AnswerCall
from orderack.domain.source import Answered, AnswerStage, AnswerState
from orderack.errors import BadSignature, InvalidInput, Unavailable
from orderack.ports import (
    Connection,
    Delivery,
    Hint,
    Looked,
    Memory,
    RawRequest,
    Reading,
    Skipped,
    SourceAnswer,
    SourceKind,
    SourceTraits,
)
from orderack.registry import SourceSpec, settings_config
from orderack.sources._deal import snapshot_of
from orderack.sources._hubspot_deal import (
    COMPANY,
    CONTACT,
    DEAL,
    LINE,
    THING,
    Event,
    Refs,
    Thing,
    Things,
    deal_of,
    moment,
)
from orderack.sources._look_cursor import LookCursor
from orderack.sources._loose import answered
from orderack.sources._reading import line_of, name_of, refuse
from orderack.sources._storefront_note import marker, note_of

SYSTEM = "hubspot"
"""How an order names its id in HubSpot (`external_ids[].system`)."""
WINDOW = timedelta(minutes=5)
PAGE = 100
MOST_PAGES = 20
NOTE_TO_DEAL = 214
"""HubSpot's own type of the association from a note to a deal."""
MOST_NOTES = 1_000
NOT_NOW = frozenset({423, 477})
"""Locked; the account is being moved between data centres."""
WRONG = frozenset({400, 409, 422})
"""What is written as it is will never be taken."""


class HubspotDealSettings(BaseSettings):
    """One HubSpot account."""

    model_config = settings_config("")

    token: SecretStr = Field(
        description="private app token (pat-…) with the scopes crm.objects.deals, .line_items, .contacts, .companies "
        "(read) and crm.objects.notes (write)"
    )
    won_stages: str = Field(default="closedwon", description="id of the stage that makes an order; several: commas")
    client_secret: SecretStr | None = Field(
        default=None, description="client secret of the app that posts the events; empty: deals are only looked for"
    )
    portal_id: str | None = Field(
        default=None, description="the account's Hub ID: events of other accounts that use the same app are passed over"
    )
    currency: str | None = Field(default=None, description="of deals that name none (accounts with one currency)")
    terms: str | None = Field(default=None, description="payment terms of deals that name none, e.g. net 30")
    terms_property: str | None = Field(default=None, description="the deal's property that holds its payment terms")
    number_property: str | None = Field(default=None, description="the one with the number that the buyer knows")
    purchase_order_property: str | None = Field(default=None, description="the one with the buyer's own number")
    base_url: SecureUrl = Field(default="https://api.hubapi.com", description="the sandbox's address in tests")


_EVENTS: TypeAdapter[tuple[JsonValue, ...]] = TypeAdapter(tuple[JsonValue, ...])
_EVENT: TypeAdapter[Event] = TypeAdapter(Event)


class HubspotDeal:
    """One account's deals."""

    name: ClassVar[str] = "hubspot_deal"
    traits: ClassVar[SourceTraits] = SourceTraits(
        kind=SourceKind.CRM,
        answer=AnswerCall.NOTE,
        answers=frozenset(AnswerStage),
        poll_every=timedelta(minutes=5),
    )

    def __init__(
        self, connection: Connection, settings: HubspotDealSettings, prefix: str, clock: Clock = utc_now
    ) -> None:
        self.connection = connection
        self._settings = settings
        self._clock = clock
        self._memory: Memory | None = None
        self._setting = f"{prefix}TOKEN, its scopes and {prefix}BASE_URL"
        self._won = frozenset(part.strip() for part in settings.won_stages.split(",") if part.strip())
        headers = {"Authorization": f"Bearer {settings.token.get_secret_value()}"}
        # a note that may have been written is looked for before the next attempt
        self._http = Http("HubSpot", settings.base_url, headers=headers, repeatable=True, clock=clock)

    def __repr__(self) -> str:
        return f"HubspotDeal({self.connection})"

    def recall(self, memory: Memory) -> None:
        """See `orderack.ports.Recalls`: which of the deals that were merged is an order of ours."""
        self._memory = memory

    async def verify(self, request: RawRequest) -> None:
        """X-HubSpot-Signature-v3: HMAC-SHA256 over method, address, body and time, in base64; five minutes."""
        if self._settings.client_secret is None:
            raise BadSignature("no client secret is set, so no event can be believed")
        at = request.headers.get("x-hubspot-request-timestamp", "")
        given = request.headers.get("x-hubspot-signature-v3", "")
        signed = f"{request.method}{request.url}".encode() + request.body + at.encode("utf-8", "replace")
        key = self._settings.client_secret.get_secret_value().encode()
        if not same(base64.b64encode(hmac.digest(key, signed, hashlib.sha256)).decode(), given):
            raise BadSignature("the event's signature does not fit")
        within(at[:-3], self._clock(), WINDOW)

    def deliveries(self, request: RawRequest) -> Sequence[Delivery]:
        """One for each event of the batch. HubSpot counts its attempts in the body, so that is not part of the id."""
        try:
            events = read(_EVENTS, request.body)
        except InvalidInput:
            text = request.body.decode("utf-8", "replace").replace("\x00", "")
            return [Delivery(id=f"body/{hashlib.sha256(request.body).hexdigest()[:40]}", body=text)]
        return list({one.id: one for one in map(_delivery, events)}.values())

    async def read(self, delivery: Delivery) -> Sequence[Reading]:
        event = read(_EVENT, delivery.body.encode("utf-8", "replace"))
        named = name_of(event.object)
        if named is None or not event.kind.startswith("deal."):
            return [Skipped(why=f"{line_of(event.kind, 60) or 'an event'} is about no deal")]
        if self._settings.portal_id and event.portal and event.portal != self._settings.portal_id:
            return [Skipped(why="it is about another account's deal")]
        return [Hint(external_id=named)]

    async def fetch(self, external_id: str) -> Sequence[Reading]:
        found = await self._deal(external_id)
        if found is None:
            return [Skipped(why="HubSpot has no such deal")]
        own = self._settings
        won = found["dealstage"] in self._won and not found.archived
        deal = deal_of(
            found,
            await self._lines(found) if won else (),
            await self._first("contacts", found, CONTACT) if won else None,
            await self._first("companies", found, COMPANY) if won else None,
            won_stages=self._won,
            names=self._names,
            own=tuple(self.connection.fields),
            country=self.connection.country,
            language=self.connection.language,
            currency=own.currency,
        )
        deal = deal.model_copy(update={"id": await self._known_as(found, deal.id)})
        return [snapshot_of(deal, self.connection, SYSTEM, own.terms)]

    async def _known_as(self, deal: Thing, own: str) -> str:
        """The id under which we took this deal: once deals are merged HubSpot answers for them with a new one.

        Raises InvalidInput where several of them are orders of ours: which of these stands, only a person can say.
        """
        memory = self._memory
        if memory is None or not deal.merged:
            return own
        ids = dict.fromkeys((own, *deal.merged))
        taken = [one for one in ids if await memory.order(one) is not None]
        if len(taken) > 1:
            raise refuse(
                "deal", f"was made of deals that are orders already ({', '.join(taken)})", "cancel all but one"
            )
        return taken[0] if taken else own

    @property
    def _names(self) -> Mapping[str, str | None]:
        own = self._settings
        return {
            "number": own.number_property,
            "terms": own.terms_property,
            "purchase_order": own.purchase_order_property,
        }

    async def look(self, cursor: str, now: datetime) -> Looked:
        """Deals that were modified, oldest first, whatever their stage: one may have left it."""
        at = LookCursor.of(cursor, now)
        body: JsonValue = {
            "filterGroups": [{"filters": [{
                "propertyName": "hs_lastmodifieddate", "operator": "GTE",
                "value": str(round(at.asked.timestamp() * 1000)),
            }]}],
            "sorts": ["hs_lastmodifieddate"],
            "properties": ["hs_lastmodifieddate", "dealstage"],
            "limit": PAGE,
            "after": str((at.page - 1) * PAGE),
        }  # fmt: skip
        found = self._http.read(Things, await self._post("/crm/v3/objects/deals/search", body))
        times = [time for one in found.results if (time := moment(one["hs_lastmodifieddate"]))]
        deliveries = tuple(_looked(one) for one in found.results if one.id)
        more = found.paging is not None and found.paging.next is not None
        after = at.after(max(times, default=None), more)
        return Looked(deliveries=deliveries, cursor=after.model_dump_json(), more=more)

    async def answer(self, answer: SourceAnswer) -> Answered:
        """A note on the deal, unless it bears this one already."""
        deal = await self._deal(answer.external_id)
        if deal is None:
            return Answered(state=AnswerState.REFUSED, detail="HubSpot has no such deal")
        mark = marker(answer.key)
        notes = await self._read("notes", (await self._linked("notes", deal))[-MOST_NOTES:], ("hs_note_body",))
        there = next((note for note in notes if mark in (note["hs_note_body"] or "")), None)
        if there is not None:
            return Answered(state=AnswerState.ACCEPTED, reference=there.id or "", detail="it was there already")
        text = note_of(answer).replace("&", "&amp;").replace("<", "&lt;").replace("\n", "<br>")
        body: JsonValue = {
            "properties": {"hs_timestamp": str(round(answer.now.timestamp() * 1000)), "hs_note_body": text},
            "associations": [
                {
                    "to": {"id": deal.id or answer.external_id},
                    "types": [{"associationCategory": "HUBSPOT_DEFINED", "associationTypeId": NOTE_TO_DEAL}],
                }
            ],
        }
        response = await self._send("/crm/v3/objects/notes", body)
        if response.status_code in WRONG:
            return Answered(state=AnswerState.REFUSED, detail=f"HubSpot refused the note ({response.status_code})")
        return Answered(state=AnswerState.ACCEPTED, reference=self._http.read(Thing, self._taken(response)).id or "")

    async def _deal(self, external_id: str) -> Thing | None:
        """The deal; of one that was merged, what it became, asked for by its own id: else it seems to have no lines."""
        found = await self._named(external_id)
        became = found.id if found and found.id != external_id else None
        return await self._named(became) if became else found

    async def _named(self, external_id: str) -> Thing | None:
        entered = (f"hs_v2_date_entered_{stage}" for stage in sorted(self._won))
        fields = (*DEAL, *entered, *(name for name in self._names.values() if name), *self.connection.fields)
        query = urlencode(
            {"properties": ",".join(fields), "associations": "line_items,contacts,companies,notes"}, safe=","
        )
        response = await self._http.send("GET", f"/crm/v3/objects/deals/{segment(external_id)}?{query}")
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        return answered(THING, "HubSpot", self._taken(response).content)

    async def _lines(self, deal: Thing) -> tuple[Thing, ...]:
        """All of them, or none: an order that lacks one looks whole."""
        ids = await self._linked("line_items", deal)
        found = await self._read("line_items", ids, LINE)
        if len(found) < len(ids):
            raise Unavailable(f"HubSpot gave {len(found)} of the deal's {len(ids)} line items")
        return found

    async def _first(self, kind: str, deal: Thing, properties: Sequence[str]) -> Thing | None:
        found = await self._read(kind, (await self._linked(kind, deal))[:1], properties)
        return found[0] if found else None

    async def _linked(self, kind: str, deal: Thing) -> tuple[str, ...]:
        """The ids of what is associated, each once, in order: as the deal says, or page by page where that is more."""
        pages = list(deal.refs(kind))
        if any(one.after for one in pages):
            path, after = f"/crm/v4/objects/deals/{segment(deal.id or '')}/associations/{kind}?limit=500", ""
            pages = []
            while len(pages) < MOST_PAGES:
                response = await self._http.send("GET", f"{path}{after}")
                pages.append(self._http.read(Refs, self._taken(response)))
                if pages[-1].after is None:
                    break
                after = f"&after={segment(pages[-1].after)}"
        return tuple(dict.fromkeys(one for page in pages for one in page.ids))

    async def _read(self, kind: str, ids: Sequence[str], properties: Sequence[str]) -> tuple[Thing, ...]:
        """These objects in this order, a hundred at a time."""
        found: dict[str | None, Thing] = {}
        for start in range(0, len(ids), PAGE):
            inputs: list[JsonValue] = [{"id": one} for one in ids[start : start + PAGE]]
            body: JsonValue = {"inputs": inputs, "properties": list(properties), "propertiesWithHistory": []}
            response = await self._post(f"/crm/v3/objects/{kind}/batch/read", body)
            found |= {one.id: one for one in self._http.read(Things, response).results}
        return tuple(found[one] for one in ids if one in found)

    async def _post(self, path: str, body: JsonValue) -> httpx.Response:
        return self._taken(await self._send(path, body))

    async def _send(self, path: str, body: JsonValue) -> httpx.Response:
        content = json.dumps(body, separators=(",", ":")).encode()
        return await self._http.send("POST", path, content=content, headers={"Content-Type": "application/json"})

    def _taken(self, response: httpx.Response) -> httpx.Response:
        if response.is_success:
            return response
        if response.status_code not in NOT_NOW:
            self._http.ours_to_mend(response, self._setting)
        raise Unavailable(f"HubSpot answered {response.status_code}")

    async def check(self) -> str:
        """Whether we are let in to its deals."""
        self._taken(await self._http.send("GET", "/crm/v3/objects/deals?limit=1"))
        return f"let in to HubSpot; a deal is an order at the stage {', '.join(sorted(self._won))}"

    async def aclose(self) -> None:
        await self._http.aclose()


def _delivery(raw: JsonValue) -> Delivery:
    text = json.dumps({**raw, "attemptNumber": 0} if isinstance(raw, dict) else raw, sort_keys=True)
    try:
        event = read(_EVENT, text.encode("utf-8", "replace"))
    except InvalidInput:
        event = Event()
    if not (event.id and event.object):
        return Delivery(id=f"event/{hashlib.sha256(text.encode()).hexdigest()[:40]}", body=text)
    named = name_of("/".join(part or "-" for part in (event.portal, event.id, event.object, event.at)))
    return Delivery(id=named or text[:40], topic=name_of(event.kind) or "event", body=text)


def _looked(deal: Thing) -> Delivery:
    body = json.dumps({"subscriptionType": "deal.look", "objectId": deal.id})
    return Delivery(id=f"look/{deal.id}/{deal['hs_lastmodifieddate'] or ''}"[:200], topic="deal.look", body=body)


def make(connection: Connection, prefix: str) -> HubspotDeal:
    """Reads the settings of this prefix."""
    return HubspotDeal(connection, HubspotDealSettings(_env_prefix=prefix), prefix)


SOURCE: SourceSpec = SourceSpec(
    description="HubSpot deals that are won",
    obtain="HubSpot: Settings > Integrations > Private Apps: the token; the app's Auth tab: the client secret; "
    "Settings > Objects > Deals > Pipelines: the id of the stage",
    settings=HubspotDealSettings,
    adapter=HubspotDeal,
    make=make,
    trigger="the deal enters a stage that counts as won (`hs_v2_date_entered_<stage>`, else its close date)",
    webhook="The app's webhooks: deal.propertyChange of dealstage (and amount), with our address as target URL",
    traps=(
        "A deal that leaves the stage is cancelled here; one that was never won is nothing to us.",
        "A deal without line items is an order without lines, which a person has to complete.",
        "The address is the company's, else the contact's: deals have none of their own.",
        "HubSpot's workflows may mail the buyer when a deal is won: let that mail say no more than that it was "
        "received.",
        "A deal that was deleted is not cancelled here: move it out of its stage instead.",
        "Of deals that are merged at most one may be an order already: merge before they are won.",
    ),
)
