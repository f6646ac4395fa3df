"""The signature of eBay's notifications: ECDSA by a key that the header names, fetched from eBay.

`x-ebay-signature` is base64 of {"alg", "kid", "signature", "digest"}. eBay's own libraries check the body as JSON
written anew without spaces (`JSON.stringify`), by SHA-1; newer pages show SHA-256. So the digest is the one that is
named, the bytes are tried as they came and then as JSON written anew. Facts: commerce.md §18,
github.com/eBay/event-notification-nodejs-sdk (its vectors are in our tests).
"""

import base64
import binascii
import json
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Annotated

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import load_pem_public_key
from pydantic import BaseModel, StringConstraints

from orderack.clients.wire import MOST_UNPROVED
from orderack.errors import BadSignature, Unavailable

DIGESTS: Mapping[str, type[hashes.HashAlgorithm]] = MappingProxyType(
    {"SHA1": hashes.SHA1, "SHA256": hashes.SHA256, "SHA384": hashes.SHA384, "SHA512": hashes.SHA512}
)
KEPT = timedelta(hours=1)
"""eBay's own advice: a key is kept for a while, and not asked for with each notification."""
MOST_KEYS = 20
"""Anybody may name a key; once this many in an hour were none, no other unknown one is asked for."""
_PEM = re.compile(r"\s*-----BEGIN PUBLIC KEY-----(.*)-----END PUBLIC KEY-----\s*", re.DOTALL)


class Signature(BaseModel):
    """What the header holds."""

    kid: Annotated[str, StringConstraints(pattern=r"^[A-Za-z0-9-]{1,100}$")]
    signature: Annotated[str, StringConstraints(max_length=1_000)]
    digest: str = "SHA1"
    alg: str = "ECDSA"


def signature_of(header: str) -> Signature:
    """Raises BadSignature for a header that is none."""
    try:
        return Signature.model_validate_json(base64.b64decode(header[:4_000], validate=True))
    except (binascii.Error, ValueError):
        raise BadSignature("x-ebay-signature is missing or cannot be read") from None


def key_of(pem: str) -> EllipticCurvePublicKey:
    """eBay writes a PEM on one line. Raises Unavailable for what is no such key."""
    found = _PEM.fullmatch(pem)
    try:
        text = f"-----BEGIN PUBLIC KEY-----\n{found[1].strip()}\n-----END PUBLIC KEY-----\n" if found else ""
        key = load_pem_public_key(text.encode())
    except (ValueError, UnsupportedAlgorithm):
        key = None
    if not isinstance(key, EllipticCurvePublicKey):
        raise Unavailable("eBay answered with something that is no public key of its notifications")
    return key


def check(signature: Signature, key: EllipticCurvePublicKey, body: bytes) -> None:
    """Raise BadSignature unless it fits the body, as it came or written anew."""
    digest = DIGESTS.get(signature.digest.upper().replace("-", ""))
    if digest is None or signature.alg.upper() != "ECDSA" or len(body) > MOST_UNPROVED:
        raise BadSignature("eBay signs by ECDSA with SHA-1 or SHA-2, and sends less than this")
    try:
        given = base64.b64decode(signature.signature, validate=True)
    except binascii.Error:
        raise BadSignature("the signature is no base64") from None
    for candidate in (body, _anew(body)):
        try:
            key.verify(given, candidate, ECDSA(digest()))
        except InvalidSignature:
            continue
        return
    raise BadSignature("eBay's signature does not fit")


def _anew(body: bytes) -> bytes:
    """As JavaScript's JSON.stringify writes it."""
    try:
        text = json.dumps(json.loads(body), ensure_ascii=False, separators=(",", ":"))
        return text.encode()
    except (ValueError, RecursionError):
        return body


class PublicKey(BaseModel):
    """The answer of getPublicKey."""

    key: str


class Keys:
    """Keys by their ids for an hour, and which ids are none."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[EllipticCurvePublicKey, datetime]] = {}
        self._none: dict[str, datetime] = {}

    def kept(self, kid: str, now: datetime) -> EllipticCurvePublicKey | None:
        """The key; None: it has to be asked for. Raises BadSignature for an id that eBay does not know, and
        Unavailable where too many such were named to ask for another that was never good."""
        self._none = {name: until for name, until in self._none.items() if until > now}
        if kid in self._none:
            raise BadSignature("eBay has no such key")
        if kid in self._kept:
            key, until = self._kept[kid]
            return key if until > now else None
        if len(self._none) >= MOST_KEYS:
            raise Unavailable("more of eBay's keys were named than there can be; no other is asked for now")
        return None

    def was_good(self, kid: str) -> bool:
        """Whether eBay has shown it before."""
        return kid in self._kept

    def keep(self, kid: str, key: EllipticCurvePublicKey | None, now: datetime) -> None:
        if key is None:
            self._none[kid] = now + KEPT
        else:
            self._kept[kid] = (key, now + KEPT)
