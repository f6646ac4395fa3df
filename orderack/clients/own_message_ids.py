"""Message-IDs that nobody can make up: what a mail says about one of ours counts only if it names its Message-ID.

Anybody can write to a mailbox. A report or a reply that carries the Message-ID of our message comes from somebody who
had that message: the recipient, or a mail system that carried it (RFC 3464 §2, RFC 8098 §6 leave this to the sender).
"""

import hashlib
import hmac
import re
from base64 import b32encode
from typing import Annotated

from pydantic import AfterValidator, SecretStr

_FORM = re.compile(r"<?\b([a-z2-7]{16})\.([a-z2-7]{26})@([a-z0-9.-]{1,253})>?", re.IGNORECASE | re.ASCII)
_LOOKED_AT = 20_000
"""Characters: a References header names a few dozen messages."""
LEAST = 16


def _long_enough(secret: SecretStr) -> SecretStr:
    if len(secret.get_secret_value()) < LEAST:
        raise ValueError(f"at least {LEAST} characters, chosen at random")
    return secret


IdSecret = Annotated[SecretStr, AfterValidator(_long_enough)]
"""What makes our Message-IDs unguessable, as a setting. With another one, reports on earlier messages count no more."""


class OwnMessageIds:
    """Makes and knows our Message-IDs: `<{the key's digest}.{HMAC}@{our domain}>`."""

    def __init__(self, secret: SecretStr, domain: str) -> None:
        self._secret = secret
        self._domain = domain.casefold()

    def of(self, key_text: str) -> str:
        """The Message-ID of the send with this key, in its angle brackets: always the same."""
        digest = _text(hashlib.sha256(key_text.encode()).digest()[:10])
        return f"<{digest}.{self._mac(digest, self._domain)}@{self._domain}>"

    def first(self, text: str) -> str | None:
        """The first Message-ID of ours that this text holds; one that was made up is none."""
        for found in _FORM.finditer(text[:_LOOKED_AT]):
            digest, mac, domain = (part.casefold() for part in found.groups())
            if hmac.compare_digest(mac, self._mac(digest, domain)):
                return f"<{digest}.{mac}@{domain}>"
        return None

    def _mac(self, digest: str, domain: str) -> str:
        signed = f"message-id\n{digest}@{domain}".encode()
        return _text(hmac.digest(self._secret.get_secret_value().encode(), signed, hashlib.sha256)[:16])


def _text(data: bytes) -> str:
    return b32encode(data).decode().rstrip("=").casefold()
