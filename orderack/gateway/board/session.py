"""Logins: a signed cookie that no script reads, with an end when idle and an end whatever happens.

A key's session is worth what the key is worth now: one that was taken out of the settings ends with it. What was
logged out is remembered by this process until it would have ended by itself.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from itsdangerous import BadData, URLSafeSerializer
from pydantic import AwareDatetime, TypeAdapter, ValidationError
from starlette.responses import Response

from orderack.domain.order import Name, Text
from orderack.domain.value import Value
from orderack.gateway.board.roles import EVERY_STORE, KeyRoles, Person, Role
from orderack.gateway.keys import ApiKeys, Grant

RENEWED_AFTER = timedelta(seconds=60)
"""So often at most a cookie is written anew for being used."""
LONGEST_COOKIE = 4_000
LOCAL = "local admin"
"""The name of whoever followed the one-time link of `orderack up`."""
_FLASH_KEPT = 120


class Via(StrEnum):
    """How somebody logged in."""

    KEY = "key"
    OIDC = "oidc"
    LINK = "link"


class Session(Value):
    """What the cookie says."""

    id: Name
    via: Via
    name: Name
    began: AwareDatetime
    seen: AwareDatetime
    wall: bool = False
    roles: Mapping[Name, Role] = {}
    """Of a login by OIDC, as they were then."""
    key: Text = ""
    """A print of the API key that opened it."""


@dataclass(frozen=True)
class Ends:
    """When sessions end."""

    idle: timedelta
    absolute: timedelta
    wall: timedelta

    def of(self, session: Session) -> datetime:
        """A wall screen shows what it shows to everybody: nobody has to touch it."""
        if session.wall:
            return session.began + self.wall
        return min(session.seen + self.idle, session.began + self.absolute)


@dataclass
class Sessions:
    """Opens, reads and ends them."""

    secret: str
    https: bool
    ends: Ends
    keys: ApiKeys
    key_roles: KeyRoles
    now: Callable[[], datetime]
    local: bool = False
    _ended: dict[str, datetime] = field(default_factory=dict)

    @property
    def cookie(self) -> str:
        """`__Host-`: no other host, and nobody without TLS, can have set it."""
        return "__Host-orderack_board" if self.https else "orderack_board"

    def open_by_key(self, key: str, *, wall: bool) -> Session | None:
        """None: nobody's key, or one that does not open the board."""
        grants = self.keys.of(key)
        person = self.key_roles.person(grants)
        if person is None:
            return None
        return self._new(Via.KEY, person.name, wall=wall, key=_print(grants[0]))

    def open_by_oidc(self, name: str, roles: Mapping[str, Role]) -> Session:
        return self._new(Via.OIDC, name, roles=roles)

    def open_by_link(self) -> Session:
        return self._new(Via.LINK, LOCAL, roles={EVERY_STORE: Role.ADMIN})

    def _new(
        self, via: Via, name: str, *, wall: bool = False, roles: Mapping[str, Role] | None = None, key: str = ""
    ) -> Session:
        at, id_ = self.now(), secrets.token_urlsafe(18)
        return Session(id=id_, via=via, name=name, began=at, seen=at, wall=wall, roles=roles or {}, key=key)

    # -- the cookie -----------------------------------------------------------------------------------------------

    def read(self, cookie: str) -> tuple[Session, Person] | None:
        """Whose it is; None for one that is not ours, has ended, or whose key is no longer one."""
        session = _parse(self._signer, cookie)
        if session is None or session.id in self._ended or self.now() >= self.ends.of(session):
            return None
        person = self._person(session)
        return (session, person) if person else None

    def _person(self, session: Session) -> Person | None:
        if session.via is Via.LINK and not self.local:
            return None
        if session.via is not Via.KEY:
            return Person(session.name, session.roles, session.wall) if session.roles else None
        grants = tuple(grant for grant in self.keys.grants if hmac.compare_digest(_print(grant), session.key))
        person = self.key_roles.person(grants)
        if person is None or not session.wall:
            return person
        return Person(person.name, dict.fromkeys(person.roles, Role.VIEWER), wall=True)

    def write(self, response: Response, session: Session) -> None:
        left = int((self.ends.of(session) - self.now()).total_seconds())
        signed = self._signer.dumps(session.model_dump(mode="json"))
        assert isinstance(signed, str)
        self._set(response, self.cookie, signed, left)

    def renew(self, response: Response, session: Session) -> None:
        """It was used."""
        now = self.now()
        if now - session.seen > RENEWED_AFTER and not session.wall:
            self.write(response, session.model_copy(update={"seen": now}))

    def end(self, response: Response, session: Session | None) -> None:
        """Logged out: the cookie goes, and a copy of it counts no more."""
        now = self.now()
        self._ended = {id_: until for id_, until in self._ended.items() if until > now}
        if session:
            self._ended[session.id] = session.began + max(self.ends.absolute, self.ends.wall)
        self._set(response, self.cookie, "", 0)

    def _set(self, response: Response, name: str, value: str, seconds: int) -> None:
        response.set_cookie(
            name, value, max_age=max(0, seconds), path="/", secure=self.https, httponly=True, samesite="lax"
        )

    @property
    def _signer(self) -> URLSafeSerializer:
        return URLSafeSerializer(self.secret, salt="orderack.board.session")

    # -- forms ----------------------------------------------------------------------------------------------------

    def csrf(self, session: Session) -> str:
        """The token that stands in every form of this session, and in no other's."""
        return hmac.new(self.secret.encode(), f"orderack.board.form/{session.id}".encode(), hashlib.sha256).hexdigest()

    def is_csrf(self, session: Session, token: str) -> bool:
        return hmac.compare_digest(self.csrf(session).encode(), token.encode())

    # -- what became of an act, shown once ------------------------------------------------------------------------

    @property
    def flash_cookie(self) -> str:
        return f"{self.cookie}_said"

    def say(self, response: Response, session: Session, good: bool, words: str) -> None:
        """Keep these words for the next page of this session."""
        signed = self._flash(session).dumps({"good": good, "words": words[:1_000]})
        assert isinstance(signed, str)
        self._set(response, self.flash_cookie, signed, _FLASH_KEPT)

    def said(self, session: Session, cookie: str) -> "Flash | None":
        try:
            return Flash.model_validate(self._flash(session).loads(cookie[:LONGEST_COOKIE]))
        except (BadData, ValidationError):
            return None

    def forget(self, response: Response) -> None:
        self._set(response, self.flash_cookie, "", 0)

    def _flash(self, session: Session) -> URLSafeSerializer:
        return URLSafeSerializer(self.secret, salt=f"orderack.board.said/{session.id}")


class Flash(Value):
    """What became of the last act."""

    good: bool
    words: Text


_SESSION: TypeAdapter[Session] = TypeAdapter(Session)


def _parse(signer: URLSafeSerializer, cookie: str) -> Session | None:
    if not cookie or len(cookie) > LONGEST_COOKIE:
        return None
    try:
        return _SESSION.validate_python(signer.loads(cookie))
    except (BadData, ValidationError, UnicodeError):
        return None


def _print(grant: Grant) -> str:
    """Tells one key from another and is worth nothing by itself: the digest is not in the cookie."""
    return hashlib.sha256(f"orderack.board/{grant.digest}".encode()).hexdigest()[:32]
