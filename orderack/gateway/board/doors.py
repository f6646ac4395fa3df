"""In and out: by API key, by the login provider, by the one-time link of `orderack up`; and the log-out."""

import re
from collections.abc import Mapping
from urllib.parse import quote

import structlog
from itsdangerous import BadData, URLSafeTimedSerializer
from pydantic import ValidationError
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from orderack.gateway.board import html
from orderack.gateway.board.oidc import Attempt, LoginRefused, Oidc
from orderack.gateway.board.once import is_loopback
from orderack.gateway.board.parts import Board
from orderack.gateway.board.session import Session
from orderack.gateway.board.web import Stop, Visit, form_of, problem
from orderack.gateway.limits import client_of

log = structlog.get_logger(__name__)

ATTEMPT_SECONDS = 600
HOME = "/board"
_INSIDE = re.compile(r"/board(?:[/?][A-Za-z0-9%/_.~?=&+:@!$'()*,;-]*)?\Z")


def next_page(wanted: str) -> str:
    """Where to go after the login: a page of the board, whatever the address asked for."""
    inside = (
        _INSIDE.match(wanted)
        and "//" not in wanted
        and ".." not in wanted
        and not wanted.startswith(("/board/login", "/board/oidc"))
    )
    return wanted if inside else HOME


class Doors:
    """The endpoints that nobody has to be logged in for."""

    def __init__(self, board: Board) -> None:
        self._board = board
        self._attempts = URLSafeTimedSerializer(board.sessions.secret, salt="orderack.board.oidc")

    async def login(self, request: Request) -> Response:
        board = self._board
        wanted = next_page(request.query_params.get("next", HOME))
        if board.sessions.read(request.cookies.get(board.sessions.cookie, "")):
            return RedirectResponse(wanted, 303, html.HEADERS)
        return self._login_page(wanted)

    async def log_in(self, request: Request) -> Response:
        """A wrong key costs a little; too many cost a wait."""
        board, client = self._board, client_of(request)
        form = await form_of(board, request)
        wanted = next_page(form.get("next", HOME))
        if wait := await board.throttle.wait(client):
            headers = {"Retry-After": str(wait)}
            return problem(429, "Too many wrong keys", f"Wait {wait} seconds, then try again.", headers)
        session = board.sessions.open_by_key(form.get("key", "").strip()[:500], wall="wall" in form)
        if session is None:
            await board.throttle.wrong(client)
            return self._login_page(wanted, 401, "This key does not open the board.")
        return self._let_in(session, f"{HOME}?wall" if session.wall else wanted)

    def _login_page(self, wanted: str, status: int = 200, wrong: str = "") -> Response:
        by_key, by_oidc = bool(self._board.sessions.key_roles.by_name), self._board.oidc is not None
        return html.page("login.html", status, next=wanted, wrong=wrong, by_key=by_key, by_oidc=by_oidc)

    def _let_in(self, session: Session, where: str) -> Response:
        response = RedirectResponse(where, 303, html.HEADERS)
        self._board.sessions.write(response, session)
        log.info("somebody logged in to the board", via=session.via, wall=session.wall)
        return response

    # -- the login provider ---------------------------------------------------------------------------------------

    async def oidc_begin(self, request: Request) -> Response:
        """To the provider; what has to come back with its answer stays in this browser."""
        board, wanted = self._board, next_page(request.query_params.get("next", HOME))
        address, attempt = await self._oidc().begin(wanted)
        response = RedirectResponse(address, 303, html.HEADERS)
        signed = self._attempts.dumps(attempt.model_dump(mode="json"))
        assert isinstance(signed, str)
        response.set_cookie(
            self._cookie,
            signed,
            max_age=ATTEMPT_SECONDS,
            path="/",
            secure=board.sessions.https,
            httponly=True,
            samesite="lax",
        )
        return response

    async def oidc_back(self, request: Request) -> Response:
        """From the provider: once, in the browser that began it."""
        board = self._board
        try:
            attempt = self._attempt(request.cookies.get(self._cookie, ""))
            found = await self._oidc().finish(attempt, _once_each(request))
        except LoginRefused as refused:
            log.info("a login was refused", why=str(refused))
            response = problem(401, "You are not logged in", str(refused))
        else:
            session = board.sessions.open_by_oidc(found.name, found.roles)
            response = self._let_in(session, attempt.next)
        response.delete_cookie(self._cookie, path="/", secure=board.sessions.https, httponly=True, samesite="lax")
        return response

    def _attempt(self, cookie: str) -> Attempt:
        try:
            return Attempt.model_validate(self._attempts.loads(cookie, max_age=ATTEMPT_SECONDS))
        except (BadData, ValidationError):
            raise LoginRefused("This login was not begun in this browser, or took too long. Begin anew.") from None

    @property
    def _cookie(self) -> str:
        return f"{self._board.sessions.cookie}_oidc"

    def _oidc(self) -> Oidc:
        if self._board.oidc is None:
            raise Stop(404, "No such page", "This board has no login provider.")
        return self._board.oidc

    # -- the one-time link ----------------------------------------------------------------------------------------

    async def once(self, request: Request) -> Response:
        """Shows a button: whoever opens a link ahead of a person must not use it up."""
        token = self._token(request)
        return html.page("once.html", token=quote(token, safe=""))

    async def use_once(self, request: Request) -> Response:
        token = self._token(request)
        await form_of(self._board, request)
        if not self._board.once or not self._board.once.use(token):
            raise _USED
        return self._let_in(self._board.sessions.open_by_link(), HOME)

    def _token(self, request: Request) -> str:
        """Raises Stop, also for whoever is not on this machine."""
        once, token = self._board.once, str(request.path_params["token"])
        here = request.client is not None and is_loopback(request.client.host)
        if once is None or not here or not once.holds(token):
            raise _USED
        return token

    # -- out ------------------------------------------------------------------------------------------------------

    async def log_out(self, visit: Visit, form: Mapping[str, str]) -> Response:
        response = RedirectResponse("/board/login", 303, html.HEADERS)
        self._board.sessions.end(response, visit.session)
        return response


_USED = Stop(404, "This link does not count", "It was used, is older than ten minutes, or is for another machine.")


def _once_each(request: Request) -> Mapping[str, str]:
    """What is said twice is not believed at all."""
    found = request.query_params.multi_items()
    if len({name for name, _ in found}) != len(found):
        raise LoginRefused("The login provider's answer cannot be read.")
    return dict(found)
