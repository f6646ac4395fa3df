"""How a vendor checks OAuth 1.0 with HMAC-SHA256: the request signed anew with both secrets (RFC 5849)."""

import base64
import hmac
import re
import time
from dataclasses import dataclass, field
from urllib.parse import parse_qsl, quote, unquote, urlsplit

SKEW = 300
"""Seconds."""
_PAIR = re.compile(r'\s*([a-z_]+)="([^"]*)"\s*')
_SAID = {
    "realm",
    "oauth_consumer_key",
    "oauth_nonce",
    "oauth_signature",
    "oauth_signature_method",
    "oauth_timestamp",
    "oauth_token",
    "oauth_version",
}


@dataclass
class Guard:
    """One account's login. A nonce is taken once."""

    realm: str
    consumer: tuple[str, str]
    token: tuple[str, str]
    _nonces: set[tuple[str, str]] = field(default_factory=set)

    def admits(self, method: str, url: str, header: str) -> bool:
        scheme, _, rest = header.partition(" ")
        pairs = [_PAIR.fullmatch(part) for part in rest.split(",")]
        if scheme != "OAuth" or not all(pairs):
            return False
        said = {pair[1]: unquote(pair[2]) for pair in pairs if pair}
        if set(said) != _SAID or said["realm"] != self.realm or said["oauth_signature_method"] != "HMAC-SHA256":
            return False
        if (said["oauth_consumer_key"], said["oauth_token"]) != (self.consumer[0], self.token[0]):
            return False
        once = said["oauth_timestamp"], said["oauth_nonce"]
        if not once[0].isdigit() or abs(time.time() - int(once[0])) > SKEW or once in self._nonces:
            return False
        self._nonces.add(once)
        return hmac.compare_digest(self._signature(method, url, said), said["oauth_signature"].encode())

    def _signature(self, method: str, url: str, said: dict[str, str]) -> bytes:
        parts = urlsplit(url)
        plain = {name: text for name, text in said.items() if name not in ("realm", "oauth_signature")}
        pairs = [f"{_q(name)}={_q(text)}" for name, text in [*parse_qsl(parts.query, True), *plain.items()]]
        text = f"{method}&{_q(f'{parts.scheme}://{parts.netloc}{parts.path}')}&{_q('&'.join(sorted(pairs)))}"
        key = f"{_q(self.consumer[1])}&{_q(self.token[1])}"
        return base64.b64encode(hmac.new(key.encode(), text.encode(), "sha256").digest())


def _q(text: str) -> str:
    return quote(text, safe="-._~")
