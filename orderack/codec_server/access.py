"""Who may have payloads opened, namespace by namespace."""

import hashlib
import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol

from orderack.errors import Misconfigured

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")
_BEARER = re.compile(r"bearer +(\S+)", re.ASCII | re.IGNORECASE)


class Verb(StrEnum):
    DECODE = "decode"
    ENCODE = "encode"


class Verdict(StrEnum):
    YES = "yes"
    UNKNOWN = "unknown"
    """Nobody that we know."""
    NOT_THIS = "not_this"
    """Known, but not for this namespace, or not for this verb."""


class Access(Protocol):
    """Says whether the bearer of this token may do this in this namespace. Raises Unavailable."""

    async def verdict(self, token: str, verb: Verb, namespace: str) -> Verdict: ...


class Everybody:
    """For a server that only this machine reaches, beside a UI that has no login either."""

    async def verdict(self, token: str, verb: Verb, namespace: str) -> Verdict:
        return Verdict.YES


@dataclass(frozen=True)
class Grant:
    name: str
    namespace: str
    digest: str


class Tokens:
    """Tokens of our own, of which only the hashes are configured."""

    def __init__(self, grants: Sequence[Grant]) -> None:
        self._grants = tuple(grants)

    @classmethod
    def parse(cls, text: str) -> "Tokens":
        """Read `name:namespace:sha256` triples. Raises Misconfigured, naming the entry's place, not its content."""
        entries = [entry.strip() for entry in text.split(",") if entry.strip()]
        return cls([_grant(place, entry) for place, entry in enumerate(entries, 1)])

    async def verdict(self, token: str, verb: Verb, namespace: str) -> Verdict:
        """Takes the same time whichever token it is."""
        digest = hashlib.sha256(token.encode()).hexdigest()
        held = [grant for grant in self._grants if hmac.compare_digest(grant.digest, digest)]
        if not held or not token:
            return Verdict.UNKNOWN
        return Verdict.YES if any(grant.namespace == namespace for grant in held) else Verdict.NOT_THIS


class AnyOf:
    """Whoever one of these knows; the kindest of their words counts."""

    def __init__(self, doors: Sequence[Access]) -> None:
        self._doors = tuple(doors)

    async def verdict(self, token: str, verb: Verb, namespace: str) -> Verdict:
        found = Verdict.UNKNOWN
        for door in self._doors:
            said = await door.verdict(token, verb, namespace)
            if said is Verdict.YES:
                return said
            found = Verdict.NOT_THIS if said is Verdict.NOT_THIS else found
        return found


def bearer(authorization: str) -> str:
    """The token in an `Authorization` header; empty where there is none."""
    found = _BEARER.fullmatch(authorization.strip())
    return found[1] if found else ""


def _grant(place: int, entry: str) -> Grant:
    name, _, rest = entry.partition(":")
    namespace, _, digest = rest.rpartition(":")
    if not name or not namespace or not _SHA256.match(digest.lower()):
        raise Misconfigured(
            f"ORDERACK_CODEC_SERVER_TOKENS: entry {place} is not `name:namespace:sha256`; "
            "the last part is the token's SHA-256 in 64 hexadecimal digits"
        )
    return Grant(name, namespace, digest.lower())
