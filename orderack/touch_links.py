"""Links that tell which message they were in: the pixel, the tracked links, the honeypot.

Signed by the same secret as the buyer's links and with a salt of their own, so that neither passes for the other. They
permit nothing: what a tracked link leads to is derived here, from what was signed, never from the request.
"""

import hashlib
from datetime import UTC, datetime

from itsdangerous import BadData, URLSafeSerializer
from pydantic import AwareDatetime, TypeAdapter, ValidationError

from orderack.clients.spelled_once import SpelledOnce
from orderack.domain.acknowledgement import Kind, SendKey
from orderack.domain.order import OrderRef, Text
from orderack.domain.value import Value
from orderack.errors import BadSignature
from orderack.touches import What


class TouchLink(Value):
    """What of which message is touched."""

    key: SendKey
    what: What
    recipient: Text = ""
    """The fingerprint of the address that the message went to (`orderack.links.fingerprint`)."""
    made_at: AwareDatetime
    """To the second. The page link that it leads to is exactly as old: it ends, and is revoked, with the page's own."""


class TouchLinks:
    """Makes and reads touch links. They do not expire: an old one leads to a page link that has."""

    def __init__(self, secret: str, public_url: str) -> None:
        strong = {"digest_method": hashlib.sha256}
        self._signer = URLSafeSerializer(secret, salt="orderack.touch", signer=SpelledOnce, signer_kwargs=strong)
        self._base = public_url.rstrip("/")

    def url(self, link: TouchLink) -> str:
        """The link's address: an image for the pixel, a redirect for everything else."""
        return f"{self._base}/{'t' if link.what is What.PIXEL else 'l'}/{self.token(link)}"

    def token(self, link: TouchLink) -> str:
        key = link.key
        identity = (key.ref.store, key.ref.number, key.revision, key.kind, key.n, key.channel)
        return self._signer.dumps([*identity, link.what, link.recipient, int(link.made_at.timestamp())])

    def read(self, token: str) -> TouchLink:
        """What the token stands for. Raises BadSignature for a forged or a damaged one."""
        try:
            store, number, revision, kind, n, channel, what, recipient, at = _PARTS.validate_python(
                tuple(self._signer.loads(token))
            )
            return TouchLink(
                key=SendKey(
                    ref=OrderRef(store=store, number=number), revision=revision, kind=kind, n=n, channel=channel
                ),
                what=what,
                recipient=recipient,
                made_at=datetime.fromtimestamp(at, UTC),
            )
        except (BadData, ValidationError, ValueError, TypeError, OverflowError) as error:
            raise BadSignature("this link is not valid") from error


_PARTS: TypeAdapter[tuple[str, str, int, Kind, int, str, What, str, int]] = TypeAdapter(
    tuple[str, str, int, Kind, int, str, What, str, int]
)
