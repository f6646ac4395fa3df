"""The one-time link of `orderack up`: signed, good for ten minutes, once, and only from this very machine."""

import secrets
from ipaddress import ip_address

from itsdangerous import BadData, URLSafeTimedSerializer

VALID_SECONDS = 600
_SALT = "orderack.board.once"


def once_url(secret: str, base: str) -> str:
    """A fresh link to the board at this address."""
    return f"{base.rstrip('/')}/board/once/{_signer(secret).dumps(secrets.token_urlsafe(12))}"


class OneTimeLinks:
    """Reads them. What was used is remembered for as long as it could be used again."""

    def __init__(self, secret: str) -> None:
        self._secret = secret
        self._used: set[str] = set()

    def holds(self, token: str) -> bool:
        """Whether the link can still be used; asking changes nothing."""
        return self._nonce(token) is not None

    def use(self, token: str) -> bool:
        """Whether it was good; it no longer is."""
        nonce = self._nonce(token)
        if nonce is None:
            return False
        self._used.add(nonce)
        return True

    def _nonce(self, token: str) -> str | None:
        try:
            nonce = _signer(self._secret).loads(token, max_age=VALID_SECONDS)
        except BadData:
            return None
        return nonce if isinstance(nonce, str) and nonce not in self._used else None


def is_loopback(host: str) -> bool:
    """Whether a client's address is this machine's own."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False


def _signer(secret: str) -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(secret, salt=_SALT)
