"""Payloads are sealed before Temporal sees them: deflated where that shrinks them, then AES-256-GCM.

Form, frozen because histories hold it: metadata `encoding` = `binary/encrypted`, `encryption-cipher` = CIPHER,
`encryption-key-id`; data = 24 bytes of nonce, then the sealed text, which is one byte (0 as it is, 1 deflated) and the
serialised payload. Key id and namespace are bound as associated data: what was sealed for one namespace opens in no
other. XAES-256-GCM (C2SP) derives an AES-256-GCM key for each payload, so that one key serves 2^80 payloads; with
AES-256-GCM's own 96 random bits it would have to be changed after 2^32.
"""

import secrets
import zlib
from collections.abc import Iterable

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.kdf.kbkdf import KBKDFCMAC, CounterLocation, Mode
from google.protobuf.message import DecodeError
from temporalio.api.common.v1 import Payload
from temporalio.converter import PayloadCodec

from orderack.errors import Misconfigured
from orderack.telemetry import metrics
from orderack.temporal.codec_keys import CodecKeys

ENCODING = b"binary/encrypted"
CIPHER = b"XAES-256-GCM"
KEY_ID = "encryption-key-id"

_NONCE = 24
_AS_IT_IS, _DEFLATED = b"\x00", b"\x01"


class Sealing(PayloadCodec):
    """Seals with the first key and opens with any. Without keys it leaves what is plain alone.

    What is plain is passed on, so that encryption can be switched on with orders open. What is sealed and cannot be
    opened raises Misconfigured: a worker's task fails and is repeated until the key is there, and nothing is lost.
    """

    def __init__(self, keys: CodecKeys, namespace: str) -> None:
        self._keys = keys
        self._namespace = namespace

    async def encode(self, payloads: Iterable[Payload]) -> list[Payload]:
        name = self._keys.sealing
        return list(payloads) if name is None else [self._seal(payload, name) for payload in payloads]

    async def decode(self, payloads: Iterable[Payload]) -> list[Payload]:
        return [self._open(payload) if is_sealed(payload) else payload for payload in payloads]

    def _seal(self, payload: Payload, name: str) -> Payload:
        plain = payload.SerializeToString()
        deflated = zlib.compress(plain)
        text = _DEFLATED + deflated if len(deflated) < len(plain) else _AS_IT_IS + plain
        nonce = secrets.token_bytes(_NONCE)
        sealed = _cipher(self._keys.secrets[name], nonce).encrypt(nonce[12:], text, self._bound(name))
        metadata = {"encoding": ENCODING, "encryption-cipher": CIPHER, KEY_ID: name.encode()}
        return Payload(metadata=metadata, data=nonce + sealed)

    def _open(self, payload: Payload) -> Payload:
        name = payload.metadata.get(KEY_ID, b"").decode("ascii", "replace")
        secret = self._keys.secrets.get(name)
        if secret is None or payload.metadata.get("encryption-cipher") != CIPHER:
            metrics.SEALS.labels("no_key").inc()
            raise Misconfigured(
                f"a payload is sealed with the key {name[:32]!r}, which this process does not have: "
                "add it to ORDERACK_CODEC_KEYS"
            )
        nonce, sealed = payload.data[:_NONCE], payload.data[_NONCE:]
        try:
            text = _cipher(secret, nonce).decrypt(nonce[12:], sealed, self._bound(name))
            plain = zlib.decompress(text[1:]) if text[:1] == _DEFLATED else text[1:]
            return Payload.FromString(plain)
        except (InvalidTag, ValueError, zlib.error, DecodeError):
            metrics.SEALS.labels("altered").inc()
            raise Misconfigured(
                f"a payload sealed with the key {name!r} does not open: it was altered, was sealed for another "
                "namespace, or another key bears this id here"
            ) from None

    def _bound(self, name: str) -> bytes:
        return b"\0".join((b"orderack", name.encode(), self._namespace.encode()))


def is_sealed(payload: Payload) -> bool:
    return payload.metadata.get("encoding") == ENCODING


def _cipher(secret: bytes, nonce: bytes) -> AESGCM:
    """XAES-256-GCM: the first half of the nonce makes the key for the second."""
    fixed = b"X\0" + nonce[:12]
    derived = KBKDFCMAC(AES, Mode.CounterMode, 32, 2, None, CounterLocation.BeforeFixed, None, None, fixed)
    return AESGCM(derived.derive(secret))
