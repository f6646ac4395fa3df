"""Adobe I/O Events: RSA-SHA256 over the raw body, with keys that only Adobe's own host serves (commerce.md §11)."""

import asyncio
import base64
import binascii
import re
from datetime import datetime, timedelta

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import AliasChoices, BaseModel, Field, ValidationError

from orderack.clients.http import Http
from orderack.clients.wire import same
from orderack.errors import BadSignature, Unavailable
from orderack.ports import RawRequest

HOST = "https://static.adobeioevents.com"
KEEP = timedelta(hours=24)
MOST_KEYS = 16
SIGNATURES = (
    ("x-adobe-digital-signature-1", "x-adobe-public-key1-path"),
    ("x-adobe-digital-signature-2", "x-adobe-public-key2-path"),
)
"""Two keys are live at a time; one signature that holds is enough."""

_PATH = re.compile(r"/?(?:[A-Za-z0-9_-]+/)*[A-Za-z0-9_-]+\.pem")
"""A file below Adobe's host, and no way to another one."""


class _Recipient(BaseModel):
    id: str = Field(validation_alias=AliasChoices("recipientclientid", "recipient_client_id"))


class AdobeEvents:
    """Verifies the events of one client of ours. Keys are kept for a day at most, a few of them."""

    def __init__(self, client_id: str, http: Http) -> None:
        self._client_id = client_id
        self._http = http
        self._keys: dict[str, tuple[datetime, RSAPublicKey]] = {}
        self._turn = asyncio.Lock()

    async def verify(self, request: RawRequest) -> None:
        """Raise BadSignature unless it is for us and signed by Adobe; Unavailable where a key that is needed to tell
        cannot be fetched now."""
        try:
            recipient = _Recipient.model_validate_json(request.body).id
        except ValidationError:
            raise BadSignature("an Adobe event that does not say for whom it is") from None
        if not same(self._client_id, recipient):
            raise BadSignature("an Adobe event for another client")
        unknown: Unavailable | None = None
        for signature, path in SIGNATURES:
            given, where = request.headers.get(signature), request.headers.get(path)
            try:
                if given and where and await self._holds(given, where, request.body):
                    return
            except Unavailable as error:
                unknown = error
        raise unknown or BadSignature("no signature of Adobe's holds")

    async def _holds(self, given: str, path: str, body: bytes) -> bool:
        if len(given) > 2_048 or len(path) > 200 or not _PATH.fullmatch(path):
            return False
        try:
            signature = base64.b64decode(given, validate=True)
        except (binascii.Error, ValueError):
            return False
        key = await self._key(f"/{path.lstrip('/')}")
        if key is None:
            return False
        try:
            key.verify(signature, body, PKCS1v15(), SHA256())
        except InvalidSignature:
            return False
        return True

    def _kept(self, path: str, now: datetime) -> RSAPublicKey | None:
        kept = self._keys.get(path)
        return kept[1] if kept is not None and now - kept[0] < KEEP else None

    async def _key(self, path: str) -> RSAPublicKey | None:
        now = self._http.clock()
        if kept := self._kept(path, now):  # before its turn: anybody may name keys, and nobody who has one waits
            return kept
        async with self._turn:
            if kept := self._kept(path, now):
                return kept
            response = await self._http.send("GET", path)
            if response.is_client_error:
                return None
            if not response.is_success:
                raise Unavailable("Adobe does not give its public key")
            key = _rsa(response.content)
            if key is not None:
                if len(self._keys) >= MOST_KEYS:
                    self._keys.clear()
                self._keys[path] = (now, key)
            return key

    async def aclose(self) -> None:
        await self._http.aclose()


def _rsa(pem: bytes) -> RSAPublicKey | None:
    try:
        key = load_pem_public_key(pem)
    except ValueError:
        return None
    return key if isinstance(key, RSAPublicKey) else None
