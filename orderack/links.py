"""The buyer's links: made by whoever writes a message, read by the gateway. The link itself is the permission."""

import hashlib
import hmac
from datetime import UTC, timedelta
from typing import Annotated, Any

from itsdangerous import BadData, Signer, TimestampSigner, URLSafeTimedSerializer
from itsdangerous.encoding import want_bytes
from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.value import Value
from orderack.errors import BadSignature, Misconfigured

BUYER = "buyer"
VALID_FOR = timedelta(days=180)
_SHORTEST_SECRET = 16
_SALT = "orderack.page"


class PageLink(Value):
    """Whom a link lets see which order."""

    ref: OrderRef
    role: Name = BUYER
    via: Text = ""
    """The channel whose message carried it; empty: made by hand."""
    recipient: Text = ""
    """A fingerprint of the address it went to (see `fingerprint`); empty: made by hand."""
    made_at: AwareDatetime


class PageLinks:
    """Makes and reads links that nobody else can make: signed (HMAC-SHA-256) over store, number and role, and expiring.

    They can't be guessed and hold nothing about the order but its number. Raises Misconfigured without a secret.
    """

    def __init__(self, secret: str, public_url: str, valid_for: timedelta = VALID_FOR) -> None:
        if len(secret) < _SHORTEST_SECRET:
            raise Misconfigured("ORDERACK_SECRET needs at least 16 characters: it signs the buyers' links")
        strong = {"digest_method": hashlib.sha256}
        self._secret = secret
        self._signer = URLSafeTimedSerializer(secret, salt=_SALT, signer=_Exact, signer_kwargs=strong)
        self._base = public_url.rstrip("/")
        self._valid_for = valid_for

    def url(self, ref: OrderRef, role: str = BUYER, via: str = "", recipient: str = "") -> str:
        """The page's full address for this recipient; `recipient` is the address itself, and only its print is kept."""
        return f"{self._base}/o/{self.token(ref, role, via, recipient)}"

    def token(self, ref: OrderRef, role: str = BUYER, via: str = "", recipient: str = "") -> str:
        return self._signer.dumps([ref.store, ref.number, role, via, fingerprint(recipient)])

    def again(self, link: PageLink) -> str:
        """The page's address by this very link, its age included: it permits nothing that the link does not."""
        dated = {"digest_method": hashlib.sha256, "made_at": int(link.made_at.timestamp())}
        signer = URLSafeTimedSerializer(self._secret, salt=_SALT, signer=_Dated, signer_kwargs=dated)
        parts = [link.ref.store, link.ref.number, link.role, link.via, link.recipient]
        return f"{self._base}/o/{signer.dumps(parts)}"

    def read(self, token: str) -> PageLink:
        """What the token stands for. Raises BadSignature, the same for a forged, a damaged and an expired one."""
        try:
            loaded, made_at = self._signer.loads(
                token, max_age=int(self._valid_for.total_seconds()), return_timestamp=True
            )
            store, number, role, *to = _PARTS.validate_python(loaded)
            via, recipient = to if len(to) == 2 else ("", "")  # links from before they were bound to an address
            ref = OrderRef(store=store, number=number)
            return PageLink(ref=ref, role=role, via=via, recipient=recipient, made_at=made_at.astimezone(UTC))
        except (BadData, ValidationError, ValueError) as error:
            raise BadSignature("this link is not valid") from error


def fingerprint(address: str) -> str:
    """Tells two addresses apart without naming them: 12 hexadecimal digits of SHA-256; empty for none."""
    return hashlib.sha256(address.strip().lower().encode()).hexdigest()[:12] if address.strip() else ""


class SpelledOnce(Signer):
    """Takes a signature only as it was written.

    Base64 can spell the same bytes in many ways; each would be another token, with a rate limit of its own.
    """

    def verify_signature(self, value: str | bytes, sig: str | bytes) -> bool:
        return hmac.compare_digest(self.get_signature(value), want_bytes(sig))


class _Exact(SpelledOnce, TimestampSigner):
    """What reads the links."""


class _Dated(TimestampSigner):
    """Signs as of a given second."""

    def __init__(self, *args: Any, made_at: int, **more: Any) -> None:
        super().__init__(*args, **more)
        self._made_at = made_at

    def get_timestamp(self) -> int:
        return self._made_at


_PARTS: TypeAdapter[list[str]] = TypeAdapter(Annotated[list[str], Field(min_length=3, max_length=5)])
