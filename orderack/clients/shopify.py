"""A Shopify shop's Admin API: the app's login, GraphQL, and what its errors inside a 200 mean.

Rates, errors and the record on an order: commerce.md §8. Shared by what records messages on orders and what takes
orders in.
"""

import json
import re
from datetime import timedelta
from types import MappingProxyType
from typing import TypeVar

import httpx
from pydantic import BaseModel, Field, JsonValue, SecretStr, ValidationError

from orderack.clients.http import LONGEST_WAIT, Clock, Http, utc_now
from orderack.clients.oauth import SignedIn, Tokens
from orderack.clients.wire import scrub
from orderack.domain.acknowledgement import Reason
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable

VERSION = "2026-07"
NAMESPACE = "orderack"
"""Of our metafields, and how our tags begin."""
VALUE_BYTES = 65_535
"""What a metafield's text takes; JSON may be longer, but is no better read."""

WRITE = """
mutation Acknowledge($order: ID!, $metafields: [MetafieldsSetInput!]!, $tags: [String!]!) {
  metafieldsSet(metafields: $metafields) { metafields { id } userErrors { field code } }
  tagsAdd(id: $order, tags: $tags) { userErrors { field } }
}
"""
WHO = "query Check { shop { name } }"

OURS_TO_MEND = frozenset({"ACCESS_DENIED", "SHOP_INACTIVE", "APP_NOT_AUTHORIZED"})
"""Words of `errors[].extensions.code` and of `userErrors[].code`: scopes, or a shop that is closed."""
IN_DOUBT = frozenset({"INTERNAL_SERVER_ERROR", "INTERNAL_ERROR", "TIMEOUT"})
THROTTLED = "THROTTLED"
REFUSED_CODE = MappingProxyType({"TOO_LONG": Reason.TOO_LONG, "INVALID_VALUE": Reason.CONTENT})
REFUSED_FIELD = MappingProxyType({"ownerId": Reason.BAD_RECIPIENT, "value": Reason.CONTENT})
"""The last part of a user error's path, where its code says nothing: an order that this shop does not have, a text."""
SHOP_CLOSED = frozenset({402, 423})
"""A shop frozen for its bill, or locked."""

_ORDER = "gid://shopify/Order/"
_GID = re.compile(rf"(?:{_ORDER})?([0-9]{{1,20}})")

M = TypeVar("M", bound=BaseModel)


def order_gid(known_as: str) -> str | None:
    """The global id of an order known by its number or its global id, from text to text: it may be beyond 2^53.

    None: it is neither.
    """
    number = _GID.fullmatch(known_as)
    return f"{_ORDER}{number[1]}" if number else None


class _Extension(BaseModel):
    code: str = ""


class _Error(BaseModel):
    extensions: _Extension = _Extension()


class _Throttle(BaseModel):
    currentlyAvailable: float
    restoreRate: float = Field(gt=0)


class _Cost(BaseModel):
    requestedQueryCost: float
    throttleStatus: _Throttle


class _Meta(BaseModel):
    cost: _Cost | None = None


class _Reply(BaseModel):
    data: JsonValue = None
    errors: tuple[_Error, ...] = ()
    extensions: _Meta = _Meta()


class _UserError(BaseModel):
    field: tuple[str, ...] | None = None
    code: str | None = None


class _Id(BaseModel):
    id: str = Field(min_length=1, max_length=200)


class _Set(BaseModel):
    metafields: tuple[_Id, ...] | None = None
    userErrors: tuple[_UserError, ...] = ()


class _Tagged(BaseModel):
    userErrors: tuple[_UserError, ...] = ()


class _Written(BaseModel):
    metafieldsSet: _Set | None = None
    tagsAdd: _Tagged | None = None


class _Shop(BaseModel):
    name: str


class _Who(BaseModel):
    shop: _Shop | None = None


class Recorded(BaseModel):
    """A metafield that is set."""

    id: str
    tagged: bool


class Admin:
    """One app in one shop. `settings`: the names of its variables, for who has to mend them."""

    def __init__(
        self,
        base_url: str,
        client_id: str,
        client_secret: SecretStr,
        *,
        settings: str,
        repeatable: bool = False,
        clock: Clock = utc_now,
    ) -> None:
        """`repeatable`: whatever is asked may be asked again, so that nothing is in doubt (`clients.http.Http`)."""
        self._settings = settings
        self._repeatable = repeatable
        self._http = Http("Shopify", base_url, repeatable=repeatable, clock=clock)
        signing_in = Http("Shopify", base_url, repeatable=True, clock=clock)
        form = {"grant_type": "client_credentials", "client_id": client_id}
        tokens = Tokens(
            signing_in,
            "/admin/oauth/access_token",
            lambda: {**form, "client_secret": client_secret.get_secret_value()},
            setting=settings,
            clock=clock,
        )
        self._shop = SignedIn(self._http, tokens, scheme="", header="X-Shopify-Access-Token")

    async def ask(self, document: str, variables: dict[str, JsonValue], model: type[M]) -> M:
        """One GraphQL request; its data. Raises what its status, or its errors inside a 200, mean."""
        body = {"query": document, "variables": variables}
        response = await self._shop.send(
            "POST",
            f"/admin/api/{VERSION}/graphql.json",
            content=json.dumps(body, separators=(",", ":")).encode(),
            headers={"Content-Type": "application/json"},
        )
        if response.status_code != httpx.codes.OK:
            raise self._no(response)
        reply = self._http.read(_Reply, response)
        for error in reply.errors:
            raise self._fate(error.extensions.code, reply.extensions.cost)
        if reply.data is None:
            raise self._doubt("Shopify answered with neither data nor errors")
        try:
            return model.model_validate(reply.data)
        except ValidationError:
            raise self._doubt("Shopify answered with data that cannot be read") from None

    async def record(self, order: str, key: str, value: str, tag: str) -> Recorded:
        """Set a metafield of the order (`order`: its global id) and add the tag: set again, it is the same one.

        Raises Refused for an order that this shop does not have and for a text that it does not take.
        """
        metafield: JsonValue = {
            "ownerId": order,
            "namespace": NAMESPACE,
            "key": key,
            "type": "json",
            "value": value,
        }
        reply = await self.ask(WRITE, {"order": order, "metafields": [metafield], "tags": [tag]}, _Written)
        done = reply.metafieldsSet
        for error in done.userErrors if done else ():
            raise self._refusal(error)
        if done is None or not done.metafields:
            raise self._doubt("Shopify answered without a metafield")
        tagged = reply.tagsAdd is not None and not reply.tagsAdd.userErrors
        return Recorded(id=done.metafields[0].id, tagged=tagged)

    async def check(self) -> str:
        """Sign in and ask for the shop's name. Whether the app may write shows only with the first record."""
        try:
            reply = await self.ask(WHO, {}, _Who)
        except InDoubt as error:
            raise Unavailable(str(error)) from None
        except Refused as error:
            raise Misconfigured(f"{error}: check {self._settings}") from None
        if reply.shop is None:
            raise Unavailable("Shopify answered without the shop's name")
        return f"signed in to the shop {scrub(reply.shop.name)}; its scopes show with the first record"

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._shop.aclose()

    def _no(self, response: httpx.Response) -> Refused | InDoubt | Misconfigured | Unavailable:
        status = response.status_code
        if status in SHOP_CLOSED:
            return Misconfigured(f"Shopify answered {status}, the shop is frozen or locked: check {self._settings}")
        self._http.ours_to_mend(response, self._settings)
        if not response.is_client_error:
            return self._doubt(f"Shopify answered {status}, which it does not document")
        return Refused(f"Shopify refused the request ({status})", Reason.OTHER, str(status))

    def _fate(self, code: str, cost: _Cost | None) -> Unavailable | InDoubt | Refused | Misconfigured:
        """What an error inside a 200 means for us."""
        word = scrub(code) or "error"
        if code == THROTTLED:
            return Unavailable("Shopify is limiting our rate (THROTTLED)", _restored_in(cost))
        if code in OURS_TO_MEND:
            return Misconfigured(f"Shopify refuses us ({word}): check the app's scopes, and {self._settings}")
        if code in IN_DOUBT:
            return self._doubt(f"Shopify broke down ({word}): it may have been done")
        return Refused(f"Shopify refused the request ({word})", REFUSED_CODE.get(code, Reason.OTHER), word)

    def _refusal(self, error: _UserError) -> InDoubt | Refused | Misconfigured | Unavailable:
        """What a user error means for us: by its code, else by the field it is about."""
        if error.code in OURS_TO_MEND | IN_DOUBT or error.code in REFUSED_CODE:
            return self._fate(error.code or "", None)
        field = error.field[-1] if error.field else ""
        word = scrub(f"{error.code or 'user error'} {field}".strip())
        return Refused(f"Shopify refused the record ({word})", REFUSED_FIELD.get(field, Reason.OTHER), word)

    def _doubt(self, message: str) -> InDoubt | Unavailable:
        return Unavailable(message) if self._repeatable else InDoubt(message)


def _restored_in(cost: _Cost | None) -> timedelta | None:
    """How long until the bucket holds what the request costs."""
    if cost is None:
        return None
    missing = cost.requestedQueryCost - cost.throttleStatus.currentlyAvailable
    seconds = max(missing, 0.0) / cost.throttleStatus.restoreRate
    return timedelta(seconds=min(seconds, LONGEST_WAIT.total_seconds()))
