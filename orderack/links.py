"""The buyer's links: made by whoever writes a message, read by the gateway. The link itself is the permission."""

import hashlib
from datetime import timedelta

from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic import TypeAdapter, ValidationError

from orderack.domain.order import Name, OrderRef
from orderack.domain.value import Value
from orderack.errors import BadSignature, Misconfigured

BUYER = "buyer"
VALID_FOR = timedelta(days=180)
_SHORTEST_SECRET = 16


class PageLink(Value):
    """Whom a link lets see which order."""

    ref: OrderRef
    role: Name = BUYER


class PageLinks:
    """Makes and reads links that nobody else can make: signed (HMAC-SHA-256) over store, number and role, and expiring.

    They can't be guessed and hold nothing about the order but its number. Raises Misconfigured without a secret.
    """

    def __init__(self, secret: str, public_url: str, valid_for: timedelta = VALID_FOR) -> None:
        if len(secret) < _SHORTEST_SECRET:
            raise Misconfigured("ORDERACK_SECRET needs at least 16 characters: it signs the buyers' links")
        strong = {"digest_method": hashlib.sha256}
        self._signer = URLSafeTimedSerializer(secret, salt="orderack.page", signer_kwargs=strong)
        self._base = public_url.rstrip("/")
        self._valid_for = valid_for

    def url(self, ref: OrderRef, role: str = BUYER) -> str:
        """The page's full address for this recipient."""
        return f"{self._base}/o/{self.token(ref, role)}"

    def token(self, ref: OrderRef, role: str = BUYER) -> str:
        return self._signer.dumps([ref.store, ref.number, role])

    def read(self, token: str) -> PageLink:
        """What the token stands for. Raises BadSignature, the same for a forged, a damaged and an expired one."""
        try:
            loaded = self._signer.loads(token, max_age=int(self._valid_for.total_seconds()))
            store, number, role = _PARTS.validate_python(loaded)
            return PageLink(ref=OrderRef(store=store, number=number), role=role)
        except (BadData, ValidationError, ValueError) as error:
            raise BadSignature("this link is not valid") from error


_PARTS: TypeAdapter[tuple[str, str, str]] = TypeAdapter(tuple[str, str, str])
