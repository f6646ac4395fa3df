"""The buyer's links: made by whoever writes a message, read by the gateway. The link itself is the permission."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, timedelta
from typing import Annotated, Any

from itsdangerous import BadData, TimestampSigner, URLSafeTimedSerializer
from pydantic import AwareDatetime, Field, TypeAdapter, ValidationError

from orderack.clients.spelled_once import SpelledOnce
from orderack.domain.acknowledgement import Kind, SendKey
from orderack.domain.order import Name, OrderRef, Text
from orderack.domain.value import Value
from orderack.errors import BadSignature, Misconfigured

BUYER = "buyer"
VALID_FOR = timedelta(days=180)
_SHORTEST_SECRET = 16
_SALT = "orderack.page"


LETTERS: Mapping[Kind, str] = {
    Kind.RECEIVED: "r",
    Kind.HOLDING: "h",
    Kind.UPDATE: "u",
    Kind.CONFIRMATION: "c",
    Kind.CHANGE_RECEIVED: "g",
    Kind.REJECTION: "j",
    Kind.CANCELLATION: "x",
    Kind.QUESTION: "q",
    Kind.ANSWER: "a",
    Kind.ALERT: "l",
}
"""Kinds as they stand in links: a text message has no room for names. Frozen: they are in links that are out."""


class PageLink(Value):
    """Whom a link lets see which order."""

    ref: OrderRef
    role: Name = BUYER
    via: Text = ""
    """The channel whose message carried it; empty: made by hand."""
    recipient: Text = ""
    """A fingerprint of the address it went to (see `fingerprint`); empty: made by hand."""
    carrier: SendKey | None = None
    """The send whose message carried it; None: made by hand, or before links told it."""
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
        parts = [link.ref.store, link.ref.number, link.role, link.via, link.recipient, *_carrier(link)]
        return f"{self._base}/o/{signer.dumps(parts)}"

    def read(self, token: str) -> PageLink:
        """What the token stands for. Raises BadSignature, the same for a forged, a damaged and an expired one."""
        try:
            loaded, made_at = self._signer.loads(
                token, max_age=int(self._valid_for.total_seconds()), return_timestamp=True
            )
            store, number, role, *to = _PARTS.validate_python(loaded)
            via, recipient, carrier = (*to, "", "", "")[:3]  # links from before they were bound have fewer parts
            ref = OrderRef(store=store, number=number)
            return PageLink(
                ref=ref,
                role=role,
                via=via,
                recipient=recipient,
                carrier=_carried_by(ref, via, carrier),
                made_at=made_at.astimezone(UTC),
            )
        except (BadData, ValidationError, ValueError, KeyError) as error:
            raise BadSignature("this link is not valid") from error


def fingerprint(address: str) -> str:
    """Tells two addresses apart without naming them: 12 hexadecimal digits of SHA-256; empty for none."""
    return hashlib.sha256(address.strip().lower().encode()).hexdigest()[:12] if address.strip() else ""


class _Exact(SpelledOnce, TimestampSigner):
    """What reads the links."""


def _carrier(link: PageLink) -> list[str]:
    """The link's sixth part: `2.c.1` is the first confirmation of revision 2, by the link's channel."""
    key = link.carrier
    return [f"{key.revision}.{LETTERS[key.kind]}.{key.n}"] if key else []


def _carried_by(ref: OrderRef, via: str, carrier: str) -> SendKey | None:
    if not carrier:
        return None
    revision, letter, n = carrier.split(".")
    return SendKey(ref=ref, revision=int(revision), kind=_KINDS[letter], n=int(n), channel=via)


class _Dated(TimestampSigner):
    """Signs as of a given second."""

    def __init__(self, *args: Any, made_at: int, **more: Any) -> None:
        super().__init__(*args, **more)
        self._made_at = made_at

    def get_timestamp(self) -> int:
        return self._made_at


_PARTS: TypeAdapter[list[str]] = TypeAdapter(Annotated[list[str], Field(min_length=3, max_length=6)])
_KINDS = {letter: kind for kind, letter in LETTERS.items()}
