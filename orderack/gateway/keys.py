"""API keys: who may hand in orders or receipts, and for which store. Only hashes are configured."""

import hashlib
import hmac
import re
from dataclasses import dataclass
from typing import Self

from orderack.errors import Misconfigured

_SHA256 = re.compile(r"[0-9a-f]{64}\Z")


@dataclass(frozen=True)
class Grant:
    """One `name:store:sha256` triple. `name` is who holds the key; an ERP's key bears the ERP's name."""

    name: str
    store: str
    digest: str


@dataclass(frozen=True)
class ApiKeys:
    """All grants. A key that serves several stores has one triple for each."""

    grants: tuple[Grant, ...]

    @classmethod
    def parse(cls, text: str) -> Self:
        """Read `ORDERACK_API_KEYS`. Raises Misconfigured, naming the entry's place and never its content."""
        entries = [entry.strip() for entry in text.split(",") if entry.strip()]
        return cls(tuple(_grant(place, entry) for place, entry in enumerate(entries, 1)))

    def of(self, key: str) -> tuple[Grant, ...]:
        """What this key grants; empty when it is nobody's. Takes the same time whichever key it is."""
        digest = hashlib.sha256(key.encode()).hexdigest()
        same = [grant for grant in self.grants if hmac.compare_digest(grant.digest, digest)]
        return tuple(same) if key else ()


def _grant(place: int, entry: str) -> Grant:
    name, _, rest = entry.partition(":")
    store, _, digest = rest.rpartition(":")
    if not name or not store or not _SHA256.match(digest.lower()):
        raise Misconfigured(
            f"ORDERACK_API_KEYS: entry {place} is not `name:store:sha256`; "
            "the last part is the key's SHA-256 in 64 hexadecimal digits"
        )
    return Grant(name, store, digest.lower())
