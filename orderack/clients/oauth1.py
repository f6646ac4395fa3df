"""OAuth 1.0 requests signed with HMAC-SHA256 (RFC 5849; NetSuite calls it token-based authentication)."""

import base64
import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl, quote, urlsplit

METHOD = "HMAC-SHA256"
_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Keys:
    """One integration's login. `realm` is named beside the signature and not signed."""

    realm: str
    consumer_key: str = field(repr=False)
    consumer_secret: str = field(repr=False)
    token: str = field(repr=False)
    token_secret: str = field(repr=False)


def authorization(keys: Keys, method: str, url: str, *, nonce: str, at: datetime) -> str:
    """The Authorization header of one request whose body is no form. `nonce` is said once in each second."""
    said = {
        "oauth_consumer_key": keys.consumer_key,
        "oauth_nonce": nonce,
        "oauth_signature_method": METHOD,
        "oauth_timestamp": str(int(at.timestamp())),
        "oauth_token": keys.token,
        "oauth_version": "1.0",
    }
    key = f"{_escaped(keys.consumer_secret)}&{_escaped(keys.token_secret)}".encode()
    signature = hmac.digest(key, base_string(method, url, said.items()).encode(), hashlib.sha256)
    signed = {"realm": keys.realm, **said, "oauth_signature": base64.b64encode(signature).decode()}
    return "OAuth " + ", ".join(f'{name}="{_escaped(text)}"' for name, text in signed.items())


def base_string(method: str, url: str, parameters: Iterable[tuple[str, str]]) -> str:
    """What is signed (RFC 5849 §3.4.1): method, URL without query, all parameters sorted once encoded."""
    parts = urlsplit(url)
    named = [*parse_qsl(parts.query, keep_blank_values=True), *parameters]
    pairs = sorted((_escaped(name), _escaped(text)) for name, text in named)
    host = (parts.hostname or "").lower()
    if parts.port and parts.port != _DEFAULT_PORTS.get(parts.scheme):
        host = f"{host}:{parts.port}"
    where = f"{parts.scheme.lower()}://{host}{parts.path or '/'}"
    return "&".join((method.upper(), _escaped(where), _escaped("&".join("=".join(pair) for pair in pairs))))


def _escaped(text: str) -> str:
    return quote(text, safe="~")
