"""BigCommerce: webhooks only name an order, which is then fetched; it is answered by a metafield (commerce.md §10)."""

import asyncio
import hashlib
import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, ClassVar, TypeVar
from urllib.parse import urlencode

import httpx
from pydantic import BaseModel, Field, JsonValue, SecretStr, TypeAdapter, ValidationError, model_validator
from pydantic_settings import BaseSettings

from orderack.clients import standard_webhooks
from orderack.clients.http import Clock, Http, utc_now
from orderack.clients.secure_url import SecureUrl
from orderack.clients.wire import read, same, scrub
from orderack.domain.assessment import AnswerCall
from orderack.domain.source import Answered, AnswerKey, AnswerStage, AnswerState
from orderack.errors import BadSignature, Misconfigured, Unavailable
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
from orderack.sources._bigcommerce_order import moment, snapshot_of
from orderack.sources._bigcommerce_wire import Coupon, Head, Party, Product, Refund, Whole
from orderack.sources._look_cursor import LookCursor
from orderack.sources._loose import Said, answered
from orderack.sources._reading import refuse
from orderack.sources._storefront_note import note_of

T = TypeVar("T")

SCOPES = frozenset(
    f"store/order/{event}"
    for event in ("created", "updated", "archived", "statusUpdated", "message/created", "refund/created")
)
"""The webhooks that are about an order. Others may come to the same address, and are skipped."""

PAGE = 250
NAMESPACE = "orderack"
_JSON = {"Accept": "application/json"}
REFUNDED, PARTLY_REFUNDED = "4", "14"
"""`status_id`. An order that is refunded as a whole is cancelled, with all that it was."""
MIGRATED = "M-MIG"
"""`external_source` of a historical order from the shop's system before this one: nobody waits for an answer to it."""
_NUMBER = re.compile("[0-9]{1,20}")


class BigCommerceSettings(BaseSettings):
    """`ORDERACK_SOURCE_<STORE>_BIGCOMMERCE_…`"""

    model_config = settings_config("ORDERACK_SOURCE_BIGCOMMERCE_")

    store_hash: str = Field(
        pattern=r"^[A-Za-z0-9]+$", description="the store's hash: the part after /stores/ in its API path"
    )
    access_token: SecretStr = Field(description="access token of an API account with Orders: modify")
    client_secret: SecretStr | None = Field(
        default=None, description="that account's client secret: it signs the webhooks (Standard Webhooks)"
    )
    header_name: str = Field(
        default="X-Orderack-Secret",
        pattern=r"^[A-Za-z0-9-]+$",
        description="for webhooks without a signature: the header that was given when the hook was created",
    )
    header_value: SecretStr | None = Field(default=None, min_length=16, description="and its value")
    base_url: SecureUrl = Field(default="https://api.bigcommerce.com", description="the API's address")

    @model_validator(mode="after")
    def _can_verify(self) -> "BigCommerceSettings":
        if self.client_secret is None and self.header_value is None:
            raise ValueError("one of CLIENT_SECRET and HEADER_VALUE is needed, to know BigCommerce's webhooks by")
        return self


class _Data(BaseModel):
    model_config = {"coerce_numbers_to_str": True}

    id: Annotated[str, Field(pattern=r"^[0-9]{1,20}$")]


class _Event(BaseModel):
    scope: str
    producer: Said = None
    data: _Data


class _Known(BaseModel):
    """As much of a webhook as names it."""

    scope: Said = None
    hash: Said = None
    created_at: int | None = None


class _Listed(BaseModel):
    model_config = {"coerce_numbers_to_str": True}

    id: Annotated[str, Field(max_length=20)]
    date_modified: Said = None


class _Refunds(BaseModel):
    data: tuple[Refund, ...]


class _Metafield(BaseModel):
    id: int


class _Metafields(BaseModel):
    data: tuple[_Metafield, ...]


class _Made(BaseModel):
    data: _Metafield


_EVENT, _HEAD, _LISTED = TypeAdapter(_Event), TypeAdapter(Head), TypeAdapter(_Listed)
_PRODUCTS, _PARTIES, _COUPONS = TypeAdapter(list[Product]), TypeAdapter(list[Party]), TypeAdapter(list[Coupon])
_REFUNDS, _BODIES = TypeAdapter(_Refunds), TypeAdapter(list[JsonValue])


def _own_wait(response: httpx.Response) -> timedelta | None:
    text = response.headers.get("x-rate-limit-time-reset-ms", "")
    return timedelta(milliseconds=int(text[:9])) if re.fullmatch("[0-9]+", text) else None


class BigCommerce:
    """One store's account at BigCommerce."""

    name: ClassVar[str] = "bigcommerce"
    traits: ClassVar[SourceTraits] = SourceTraits(
        kind=SourceKind.STOREFRONT,
        answer=AnswerCall.NOTE,
        answers=frozenset(AnswerStage),
        poll_every=timedelta(minutes=5),
        max_body=64 * 1024,
    )

    def __init__(
        self, connection: Connection, settings: BigCommerceSettings, prefix: str = "", clock: Clock = utc_now
    ) -> None:
        self.connection = connection
        self._settings = settings
        self._clock = clock
        self._check = f"{prefix}ACCESS_TOKEN and {prefix}STORE_HASH"
        headers = {**_JSON, "X-Auth-Token": settings.access_token.get_secret_value()}
        base = f"{settings.base_url}/stores/{settings.store_hash}"
        self._http = Http("BigCommerce", base, headers=headers, clock=clock, own_wait=_own_wait)
        self._reading = Http("BigCommerce", base, headers=headers, repeatable=True, clock=clock, own_wait=_own_wait)

    async def verify(self, request: RawRequest) -> None:
        """Standard Webhooks with the client secret; the static header only for a hook that is not signed."""
        own = self._settings
        if own.client_secret is not None and "webhook-signature" in request.headers:
            standard_webhooks.verify(request, (own.client_secret.get_secret_value().encode(),), self._clock())
            return
        given = request.headers.get(own.header_name.lower())
        if own.header_value is None or given is None or not same(own.header_value.get_secret_value(), given):
            raise BadSignature("neither BigCommerce's signature nor the header that the hook was created with")

    def deliveries(self, request: RawRequest) -> Sequence[Delivery]:
        """One. BigCommerce gives an event the same `hash` whenever it fires; created and updated may share one."""
        body = request.body.decode("utf-8", "replace")
        try:
            known = _Known.model_validate_json(request.body)
        except ValidationError:
            known = _Known()
        name = f"{known.scope}:{known.hash}" if known.scope and known.hash else _digest(request.body)
        at = known.created_at
        sent = datetime.fromtimestamp(at, UTC) if at is not None and 0 <= at < 253_000_000_000 else None
        return (Delivery(id=name[:200], topic=(known.scope or "unknown")[:200], body=body, sent_at=sent),)

    async def read(self, delivery: Delivery) -> Sequence[Reading]:
        """Which order it is about; or that order, where everything of it is in the body."""
        if delivery.topic == "look":
            return (Hint(external_id=read(_LISTED, delivery.body.encode()).id),)
        event = read(_EVENT, delivery.body.encode())
        if event.scope not in SCOPES:
            return (Skipped(why=f"not about an order: {scrub(event.scope)}"),)
        if event.producer is not None and event.producer != f"stores/{self._settings.store_hash}":
            return (Skipped(why="about another store of the same app"),)
        return (Hint(external_id=event.data.id),)

    async def fetch(self, external_id: str) -> Sequence[Reading]:
        """The order, its lines, and its coupons and refunds where it has any: two to five calls."""
        path = f"/v2/orders/{external_id}"
        if not _NUMBER.fullmatch(external_id):
            return (Skipped(why="no number of a BigCommerce order"),)
        found = await self._get(f"{path}?include=consignments,fees&consignment_structure=object")
        if found is None:
            return (Skipped(why="BigCommerce has no such order"),)
        head = answered(_HEAD, "BigCommerce", found)
        if head.external_source == MIGRATED:
            return (Skipped(why="a historical order that was migrated into the store"),)
        products = await self._all(f"{path}/products", _PRODUCTS, needed=True)
        addresses = [] if _has_places(head) else await self._all(f"{path}/shipping_addresses", _PARTIES)
        coupons = await self._all(f"{path}/coupons", _COUPONS) if head.coupon_discount else []
        whole = Whole(
            order=head,
            products=tuple(products),
            addresses=tuple(addresses),
            coupons=tuple(coupons),
            refunds=await self._refunds(head, products),
        )
        return (snapshot_of(whole, self.connection),)

    async def _refunds(self, head: Head, products: Sequence[Product]) -> tuple[Refund, ...]:
        """`refunded_amount` "always returns 0" (orders.v2.oas2.yml): what was given back is asked for."""
        said = {head.status_id == PARTLY_REFUNDED, head.payment_status in ("partially refunded", "refunded")}
        if head.status_id == REFUNDED or (True not in said and not any(one.quantity_refunded for one in products)):
            return ()
        found = await self._get(f"/v3/orders/{head.id}/payment_actions/refunds")
        return () if found is None else answered(_REFUNDS, "BigCommerce", found).data

    async def look(self, cursor: str, now: datetime) -> Looked:
        """Orders modified since: a page for each look, ordered by that time, so that none slips through between two."""
        at = LookCursor.of(cursor, now)
        asked = {
            "min_date_modified": at.asked.isoformat(),
            "sort": "date_modified:asc",
            "limit": str(PAGE),
            "page": str(at.page),
        }
        found = await self._get(f"/v2/orders?{urlencode(asked)}")
        listed = answered(_BODIES, "BigCommerce", found) if found else []
        deliveries = tuple(map(_looked, listed))
        last = max((one.sent_at for one in deliveries if one.sent_at), default=None)
        more = len(deliveries) == PAGE
        return Looked(deliveries=deliveries, cursor=at.after(last, more).model_dump_json(), more=more)

    async def answer(self, answer: SourceAnswer) -> Answered:
        """A metafield of the order, by stage and revision: looked for first, and BigCommerce keeps a second one out."""
        path = f"/v3/orders/{answer.external_id}/metafields"
        if not _NUMBER.fullmatch(answer.external_id):
            return Answered(state=AnswerState.REFUSED, detail="no number of a BigCommerce order")
        key = _key(answer.key)
        found = await self._get(f"{path}?{urlencode({'namespace': NAMESPACE, 'key': key})}")
        if found is None:
            return Answered(state=AnswerState.REFUSED, detail="BigCommerce has no such order")
        known = answered(TypeAdapter(_Metafields), "BigCommerce", found).data
        if known:
            return Answered(state=AnswerState.ACCEPTED, reference=str(known[0].id), at=answer.now)
        made = {
            "permission_set": "read",
            "namespace": NAMESPACE,
            "key": key,
            "value": note_of(answer)[:60_000],
            "description": "Where the order's acknowledgement stands",
        }
        response = await self._http.send(
            "POST", path, content=json.dumps(made).encode(), headers={"Content-Type": "application/json"}
        )
        return self._written(response, answer.now)

    def _written(self, response: httpx.Response, now: datetime) -> Answered:
        if response.is_success:
            made = self._http.read(_Made, response)
            return Answered(state=AnswerState.ACCEPTED, reference=str(made.data.id), at=now)
        if response.status_code == httpx.codes.CONFLICT:  # written meanwhile by a call that was cut off
            return Answered(state=AnswerState.ACCEPTED, detail="it was there", at=now)
        if response.status_code == httpx.codes.NOT_FOUND:
            return Answered(state=AnswerState.REFUSED, detail="BigCommerce has no such order", at=now)
        self._http.ours_to_mend(response, self._check)
        return Answered(state=AnswerState.REFUSED, detail=f"BigCommerce answered {response.status_code}", at=now)

    async def check(self) -> str:
        """Read the number of orders. Whether the account may write shows only with the first answer."""
        if await self._get("/v2/orders/count") is None:
            raise Misconfigured(f"no BigCommerce store answers: check {self._check}")
        return "the store's orders can be read; whether the account may write shows with the first answer"

    async def _all(self, path: str, adapter: TypeAdapter[list[T]], *, needed: bool = False) -> list[T]:
        """Every page. BigCommerce answers 204 where there is nothing. `needed`: an order without is being deleted."""
        whole: list[T] = []
        for page in range(1, 41):
            found = await self._get(f"{path}?limit={PAGE}&page={page}")
            if found is None and needed:
                raise Unavailable("BigCommerce has the order and not its lines: it is read again")
            part = answered(adapter, "BigCommerce", found) if found else []
            whole += part
            if len(part) < PAGE:
                return whole
        raise refuse(path.rpartition("/")[2], f"has more than {40 * PAGE} entries", "split the order in BigCommerce")

    async def _get(self, path: str) -> bytes | None:
        """The body; empty where there is nothing; None where there is no such thing."""
        response = await self._reading.send("GET", path)
        if response.status_code == httpx.codes.NOT_FOUND:
            return None
        self._reading.ours_to_mend(response, self._check)
        if not response.is_success:
            raise Unavailable(f"BigCommerce answered {response.status_code}, which it does not document")
        return response.content

    async def aclose(self) -> None:
        """Close the connection pools."""
        await asyncio.gather(self._http.aclose(), self._reading.aclose())


def _looked(body: JsonValue) -> Delivery:
    """An order of a look: in the same state it has the same id. What is none is kept, and refused by name."""
    try:
        one = _Listed.model_validate(body)
    except ValidationError:
        one = _Listed(id="")
    text = json.dumps(body, sort_keys=True)
    return Delivery(
        id=f"look:{one.id}:{_digest(text.encode())}"[-200:],
        topic="look",
        body=text,
        sent_at=moment(one.date_modified),
    )


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()


def _has_places(head: Head) -> bool:
    """Whether the consignments say where it goes: by the parcel service, to the counter, or nowhere."""
    found = head.consignments
    return head.order_is_digital or (found is not None and bool(found.shipping or found.pickups))


def _key(key: AnswerKey) -> str:
    """The metafield's: 64 characters at most, one for each answer to this order."""
    return f"{key.stage}-{key.revision}"


def make(connection: Connection, prefix: str) -> BigCommerce:
    """The connection, with the settings of this prefix. Raises pydantic's ValidationError."""
    return BigCommerce(connection, BigCommerceSettings(_env_prefix=prefix), prefix)


SOURCE: SourceSpec = SourceSpec(
    description="Orders of a BigCommerce store",
    obtain="The store's control panel: Settings > Store-level API accounts > Create, with Orders: modify",
    settings=BigCommerceSettings,
    adapter=BigCommerce,
    make=make,
    trigger="the order is placed (`date_created`); an incomplete or pending one is waited for",
    webhook=(
        "POST /v3/hooks once for each of store/order/created, store/order/updated, store/order/archived and "
        "store/order/refund/created, with `is_active: true` and our address as `destination`"
    ),
    traps=(
        "A webhook only names the order: we fetch it, so the access token must be able to read orders.",
        "The client secret belongs to the API account that made the hooks; hooks of another account have another one.",
        "BigCommerce stops a hook after two days of failures and says so by mail only: every look (5 minutes) finds "
        "what was missed, but make the hook active again.",
        "Amounts are those of the currency in which the buyer pays (`default_currency_code`), not of the one in which "
        "the storefront shows its prices.",
        "Staff notes are neither read nor written: a change of the order by us would come back as a webhook.",
        "One order that goes to several addresses is one order here: the further addresses stand at their lines.",
    ),
)
