"""Access tokens that Temporal's UI passes on (`Pass access token`): the same logins and roles as Temporal's own.

Temporal's default claim mapper reads a claim `permissions` of `namespace:role` texts (docs.temporal.io, self-hosted
security): who may read a namespace may have its payloads opened, who may write in it may have them sealed. Temporal
Cloud's tokens name the person by e-mail and no namespaces: `people` says whose payloads each may have opened.
"""

from collections.abc import Callable, Collection, Mapping
from datetime import UTC, datetime, timedelta

import httpx
import jwt

from orderack.codec_server.access import Verb, Verdict
from orderack.errors import Unavailable

ALGORITHMS = ("RS256", "PS256", "ES256", "ES384")
"""Signed by a private key. A shared secret, or no signature, is none of them."""

ROLES: Mapping[Verb, frozenset[str]] = {
    Verb.DECODE: frozenset({"read", "write", "worker", "admin"}),
    Verb.ENCODE: frozenset({"write", "worker", "admin"}),
}
EVERYWHERE = "temporal-system"
"""The namespace whose roles hold in all of them."""

KEPT = timedelta(hours=1)
ASKED_AT_MOST_EVERY = timedelta(minutes=1)
"""Made-up key ids cost the issuer no more than one request in this time."""
LARGEST = 256 * 1024
LONGEST_TOKEN = 16_384
LEEWAY = timedelta(seconds=30)
_LONG_AGO = datetime.min.replace(tzinfo=UTC)


class Logins:
    """Checks the issuer's signature, its times and its audience; the keys are fetched when they are needed."""

    def __init__(
        self,
        http: httpx.AsyncClient,
        *,
        issuer: str,
        audience: str,
        jwks_url: str,
        claim: str,
        email_claim: str,
        people: Collection[tuple[str, str]],
        now: Callable[[], datetime],
    ) -> None:
        self._http = http
        self._issuer = issuer
        self._audience = audience
        self._jwks_url = jwks_url
        self._claim = claim
        self._email_claim = email_claim
        self._people = frozenset(people)
        self._now = now
        self._keys: Mapping[str, jwt.PyJWK] = {}
        self._fetched = self._asked = _LONG_AGO

    async def verdict(self, token: str, verb: Verb, namespace: str) -> Verdict:
        """Raises Unavailable while the issuer's keys cannot be had."""
        claims = await self._claims(token)
        if claims is None:
            return Verdict.UNKNOWN
        if verb is Verb.DECODE and (self._person(claims), namespace) in self._people:
            return Verdict.YES
        held = claims.get(self._claim)
        permissions = [text for text in held if isinstance(text, str)] if isinstance(held, list) else []
        wanted = {f"{place}:{role}" for place in (namespace, EVERYWHERE) for role in ROLES[verb]}
        return Verdict.YES if wanted & set(permissions) else Verdict.NOT_THIS

    def _person(self, claims: Mapping[str, object]) -> str:
        """Whose e-mail it names; nobody's where the issuer itself says that it did not make sure."""
        email = claims.get(self._email_claim)
        return email if isinstance(email, str) and claims.get("email_verified", True) is True else ""

    async def _claims(self, token: str) -> Mapping[str, object] | None:
        try:
            key = await self._key(jwt.get_unverified_header(token).get("kid")) if len(token) <= LONGEST_TOKEN else None
            if key is None:
                return None
            found: Mapping[str, object] = jwt.decode(
                token,
                key,
                algorithms=ALGORITHMS,
                audience=self._audience,
                issuer=self._issuer,
                leeway=LEEWAY,
                options={"require": ["exp", "iss", "aud"]},
            )
        except (jwt.PyJWTError, ValueError, RecursionError):
            return None
        return found

    async def _key(self, kid: object) -> jwt.PyJWK | None:
        if not isinstance(kid, str):
            return None
        now = self._now()
        stale = now - self._fetched > KEPT
        if (stale or kid not in self._keys) and now - self._asked > ASKED_AT_MOST_EVERY:
            self._asked = now
            self._keys = await self._fetch()
            self._fetched = now
        elif stale:
            raise Unavailable("the issuer's public keys cannot be had")
        return self._keys.get(kid)

    async def _fetch(self) -> Mapping[str, jwt.PyJWK]:
        try:
            answer = await self._http.get(self._jwks_url)
            if answer.status_code != httpx.codes.OK or len(answer.content) > LARGEST:
                raise Unavailable("the issuer's public keys cannot be had")
            keys = jwt.PyJWKSet.from_json(answer.text).keys
        except (httpx.HTTPError, jwt.PyJWTError, ValueError, AttributeError, TypeError, RecursionError):
            raise Unavailable("the issuer's public keys cannot be had") from None
        return {key.key_id: key for key in keys if key.key_id}
