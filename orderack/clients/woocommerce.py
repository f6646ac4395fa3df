"""A WooCommerce shop's REST API (wc/v3): its orders and their private notes, and what WordPress's words for no mean.

Shared by what notes messages on orders and what takes orders in. Keys, notes and rates: commerce.md §9.
"""

import json
import re
from collections.abc import Mapping
from types import MappingProxyType
from typing import Literal
from urllib.parse import urlencode

import httpx
from pydantic import BaseModel, ConfigDict, JsonValue, SecretStr, TypeAdapter, ValidationError

from orderack.clients.http import Clock, Http, utc_now
from orderack.clients.wire import scrub
from orderack.domain.acknowledgement import Reason
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable

ROOT = "/wp-json/wc/v3"
NOTE_BYTES = 65_535
"""A note is a WordPress comment: a TEXT column, and a lenient database cuts what is longer without a word."""

REFUSED_CODE = MappingProxyType(
    {
        "woocommerce_rest_shop_order_invalid_id": Reason.BAD_RECIPIENT,
        "woocommerce_rest_order_invalid_id": Reason.BAD_RECIPIENT,
        "woocommerce_rest_invalid_id": Reason.BAD_RECIPIENT,
        "rest_missing_callback_param": Reason.CONTENT,
        "rest_invalid_param": Reason.CONTENT,
        "rest_invalid_json": Reason.CONTENT,
    }
)
"""WordPress's words for no, under whatever status."""
REFUSED_STATUS = MappingProxyType({413: Reason.TOO_LONG})

_ORDER_ID = re.compile(r"[0-9]{1,20}")


def is_order_id(text: str) -> bool:
    """Whether it can be an order's number in WooCommerce's database."""
    return bool(_ORDER_ID.fullmatch(text))


class _Note(BaseModel):
    id: int
    note: str
    customer_note: Literal[False]
    """True would have been mailed to the buyer."""


class _Found(BaseModel):
    id: int
    note: str = ""


class _Problem(BaseModel):
    code: str = ""


class _Id(BaseModel):
    model_config = ConfigDict(strict=True)

    id: int


_NOTES = TypeAdapter(tuple[_Found, ...])
_ID = TypeAdapter(_Id)
_IDS = TypeAdapter(tuple[_Id, ...])
_OBJECTS = TypeAdapter(tuple[dict[str, JsonValue], ...])


class Shop:
    """One shop, asked with one of its keys. `settings`: the names of its variables, for who has to mend them."""

    def __init__(
        self, base_url: str, key: SecretStr, secret: SecretStr, *, settings: str, clock: Clock = utc_now
    ) -> None:
        self._settings = settings
        self._key = key
        self._secret = secret
        self._http = Http("WooCommerce", base_url, clock=clock)
        self._reading = Http("WooCommerce", base_url, repeatable=True, clock=clock)

    async def note(self, order: str, text: str) -> int:
        """Write a private note, never the buyer's; its id. Raises Refused, InDoubt, Unavailable, Misconfigured."""
        response = await self._http.send(
            "POST",
            _notes(order),
            content=json.dumps({"note": text, "customer_note": False}, separators=(",", ":")).encode(),
            headers={"Content-Type": "application/json"},
            auth=self._login(),
        )
        if response.is_success:
            return self._http.read(_Note, response).id
        raise self._no(response)

    async def noted(self, order: str, last_line: str) -> int | None:
        """The first private note that ends in this line (WooCommerce gives them all at once); None: there is none."""
        response = await self._reading.send("GET", f"{_notes(order)}?type=internal", auth=self._login())
        if not response.is_success:
            raise self._no(response)
        try:
            notes = _NOTES.validate_json(response.content)
        except ValidationError:
            raise Unavailable("WooCommerce answered with notes that cannot be read") from None
        return min((note.id for note in notes if note.note.rstrip().endswith(last_line)), default=None)

    async def unnote(self, order: str, note: int) -> None:
        """Delete a note of ours; one that is gone is as good as deleted. Raises Refused, Unavailable, Misconfigured."""
        response = await self._reading.send("DELETE", f"{_notes(order)}/{note}?force=true", auth=self._login())
        if not response.is_success and response.status_code != httpx.codes.NOT_FOUND:
            raise self._no(response)

    async def order(self, order: str) -> bytes:
        """An order as JSON. Raises Refused (BAD_RECIPIENT) where the shop has none of that id, Unavailable where what
        comes is no order at all."""
        response = await self._reading.send("GET", f"{ROOT}/orders/{order}", auth=self._login())
        if not response.is_success:
            raise self._no(response)
        try:
            _ID.validate_json(response.content)
        except ValidationError:
            raise Unavailable("WooCommerce answered with what is no order") from None
        return response.content

    async def orders(self, asked: Mapping[str, str]) -> tuple[dict[str, JsonValue], ...]:
        """A page of orders as JSON. Raises Unavailable where they cannot be read, Refused, Misconfigured."""
        response = await self._reading.send("GET", f"{ROOT}/orders?{urlencode(asked)}", auth=self._login())
        if not response.is_success:
            raise self._no(response)
        try:
            return _OBJECTS.validate_json(response.content)
        except ValidationError:
            raise Unavailable("WooCommerce answered with orders that cannot be read") from None

    async def check(self) -> str:
        """Read one order's id. Whether the key may write shows only with the first note."""
        response = await self._reading.send("GET", f"{ROOT}/orders?per_page=1&_fields=id", auth=self._login())
        if not response.is_success:
            raise Misconfigured(f"{self._no(response)}: check {self._settings}")
        try:
            _IDS.validate_json(response.content)
        except ValidationError:
            raise Misconfigured(f"no WooCommerce shop answers: check {self._settings}") from None
        return "the shop's orders can be read; whether the key may write shows with the first note"

    async def aclose(self) -> None:
        """Close the connection pools."""
        await self._http.aclose()
        await self._reading.aclose()

    def _login(self) -> tuple[str, str]:
        return self._key.get_secret_value(), self._secret.get_secret_value()

    def _no(self, response: httpx.Response) -> Refused | InDoubt:
        """A refusal in our words. Raises Misconfigured where the key or the address is at fault."""
        word = _code(response)
        if word not in REFUSED_CODE:
            self._http.ours_to_mend(response, self._settings)
        if not response.is_client_error:
            return InDoubt(f"WooCommerce answered {response.status_code}, which it does not document")
        code = f"{response.status_code} {word}".strip()
        reason = REFUSED_CODE.get(word) or REFUSED_STATUS.get(response.status_code, Reason.OTHER)
        return Refused(f"WooCommerce refused the request ({code})", reason, code)


def _notes(order: str) -> str:
    return f"{ROOT}/orders/{order}/notes"


def _code(response: httpx.Response) -> str:
    """WordPress's `code`: its `message` is dropped, for it may repeat what was sent."""
    try:
        return scrub(_Problem.model_validate_json(response.content).code)
    except ValidationError:
        return ""
