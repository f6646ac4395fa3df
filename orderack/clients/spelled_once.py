"""Signed tokens with one spelling each."""

import hmac

from itsdangerous import Signer
from itsdangerous.encoding import want_bytes


class SpelledOnce(Signer):
    """Takes a signature only as it was written.

    Base64 can spell the same bytes in many ways; each would be another token, with a rate limit of its own.
    """

    def verify_signature(self, value: str | bytes, sig: str | bytes) -> bool:
        return hmac.compare_digest(self.get_signature(value), want_bytes(sig))
