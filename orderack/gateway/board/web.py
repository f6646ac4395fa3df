"""A request on the board: whose it is, whether a form of it counts, and what every failure looks like to a person."""

import secrets
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from urllib.parse import quote

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from orderack.domain.order import OrderRef
from orderack.errors import InvalidInput, Misconfigured, OrderAckError, OrderNotOpen, OrderUnknown, Unavailable
from orderack.gateway.board import html, words
from orderack.gateway.board.parts import Board
from orderack.gateway.board.roles import Person, Role
from orderack.gateway.board.session import Session
from orderack.gateway.failures import Denied
from orderack.gateway.page_forms import Unreadable, read_form
from orderack.gateway.paths import order_named
from orderack.gateway.requests import MAX_BATCH, read_body

log = structlog.get_logger(__name__)

MOST_FIELDS = 25_000
"""An order may have 5,000 lines, each with its fields."""


class Stop(Exception):
    """Nothing was done; the page says why."""

    def __init__(self, status: int, title: str, why: str) -> None:
        super().__init__(title)
        self.status = status
        self.title = title
        self.why = why


NOT_FOUND = Stop(404, "No such order", "There is no such order, or it is another store's.")
NOT_YOURS = Stop(403, "Not yours to do", "Your role on this board does not allow that. Nothing was done.")


@dataclass(frozen=True)
class Visit:
    """One request of somebody who is logged in."""

    board: Board
    request: Request
    session: Session
    person: Person

    @property
    def stores(self) -> tuple[str, ...]:
        return self.person.stores(self.board.stores)

    @property
    def wall(self) -> bool:
        return self.person.wall or "wall" in self.request.query_params

    def ref(self) -> OrderRef:
        """The order that the address names. Raises Stop for one that this person may not know of."""
        store, number = self.request.path_params["store"], self.request.path_params["number"]
        ref = order_named(store, number)
        if not self.person.may(ref.store, Role.VIEWER) or self.person.wall:
            raise NOT_FOUND
        return ref

    def demand(self, store: str, role: Role) -> None:
        if not self.person.may(store, role):
            raise NOT_YOURS

    def page(self, template: str, status: int = 200, **known: object) -> Response:
        """With what every page shows; what became of the last act is shown once."""
        sessions = self.board.sessions
        said = sessions.said(self.session, self.request.cookies.get(sessions.flash_cookie, ""))
        response = html.page(
            template,
            status,
            person=self.person,
            csrf=sessions.csrf(self.session),
            form=secrets.token_urlsafe(12),
            said=said,
            now=self.board.now(),
            wall=self.wall,
            everywhere=self.person.may_everywhere(tuple(self.board.stores), Role.ADMIN),
            zone_of=lambda store: zone_of(self.board, store),
            **known,
        )
        if said:
            sessions.forget(response)
        return response

    def to(self, where: str) -> Response:
        """To a page of ours that is not the board's."""
        return RedirectResponse(where, 303, html.HEADERS)

    def back(self, where: str, good: bool, said: str) -> Response:
        """After an act: to a page that can be opened again without doing it again."""
        response = RedirectResponse(where, 303, html.HEADERS)
        self.board.sessions.say(response, self.session, good, said)
        return response


def zone_of(board: Board, store: str) -> object:
    known = board.stores.get(store)
    return words.zone(known.time_zone if known else "UTC")


Handle = Callable[[Visit], Awaitable[Response]]
HandleForm = Callable[[Visit, Mapping[str, str]], Awaitable[Response]]
Endpoint = Callable[[Request], Awaitable[Response]]


def seen(board: Board, handle: Handle) -> Endpoint:
    """A page for those who are logged in; others are led to the login and back."""

    async def endpoint(request: Request) -> Response:
        found = board.sessions.read(request.cookies.get(board.sessions.cookie, ""))
        if found is None:
            return to_login(request)
        visit = Visit(board, request, *found)
        response = await _answered(visit, handle(visit))
        board.sessions.renew(response, visit.session)
        return response

    return endpoint


def acted(board: Board, handle: HandleForm) -> Endpoint:
    """A form of somebody who is logged in, from one of our own pages."""

    async def endpoint(request: Request) -> Response:
        found = board.sessions.read(request.cookies.get(board.sessions.cookie, ""))
        if found is None:
            return problem(401, "You are logged out", "Nothing was done. Log in, and do it again.")
        visit = Visit(board, request, *found)
        response = await _answered(visit, _counted(visit, handle))
        board.sessions.renew(response, visit.session)
        return response

    return endpoint


async def _counted(visit: Visit, handle: HandleForm) -> Response:
    form = await form_of(visit.board, visit.request)
    if not visit.board.sessions.is_csrf(visit.session, form.get("csrf", "")):
        raise Stop(403, "Not a form of this login", "Nothing was done. Open the page again and repeat it there.")
    return await handle(visit, form)


async def form_of(board: Board, request: Request) -> Mapping[str, str]:
    """The fields of a form from one of our own pages. Raises Stop."""
    elsewhere = request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none")
    if request.headers.get("origin") != board.origin or elsewhere:
        why = f"Nothing was done. Open the board at {board.url}/board and repeat it there."
        raise Stop(403, "Not a form of the board", why)
    try:
        body = await read_body(request, MAX_BATCH)
        return read_form(body, request.headers.get("content-type", ""), MOST_FIELDS).fields
    except (Unreadable, Denied):
        raise Stop(
            400, "Not a form of the board", "Nothing was done. Open the page again and repeat it there."
        ) from None


async def _answered(visit: Visit, work: Awaitable[Response]) -> Response:
    try:
        return await work
    except Stop as stop:
        return visit.page("problem.html", stop.status, title=stop.title, why=stop.why, again=None)
    except OrderUnknown:
        return visit.page("problem.html", 404, title=NOT_FOUND.title, why=NOT_FOUND.why, again=None)
    except OrderNotOpen:
        return visit.page("problem.html", 409, title="The order is closed", why="Nothing was done.", again=None)
    except InvalidInput as bad:
        why = "; ".join(f"{each.field} {each.problem}: {each.remedy}" for each in bad.problems[:10])
        return visit.page("problem.html", 422, title="That cannot be done", why=why, again=None)
    except Unavailable as away:
        log.info("the board could not answer", why=str(away))
        why = "The record or Temporal does not answer just now. Try again in a moment."
        return visit.page("problem.html", 503, title="Not now", why=why, again=None)
    except OrderAckError as error:
        log.warning("the board could not answer", error=type(error).__name__, why=str(error))
        return visit.page("problem.html", 500, title="That went wrong", why="Our operators are told.", again=None)


def to_login(request: Request) -> Response:
    """Streams and scripts are told; people are led there, and back to where they wanted to go."""
    if "text/html" not in request.headers.get("accept", "text/html"):
        return Response(status_code=401, headers=html.HEADERS)
    wanted = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/board/login?next={quote(wanted, safe='')}", 303, html.HEADERS)


def problem(status: int, title: str, why: str, headers: Mapping[str, str] | None = None) -> Response:
    """For those who are not logged in."""
    response = html.page("outside.html", status, title=title, why=why)
    response.headers.update(headers or {})
    return response


def outside(handle: Endpoint) -> Endpoint:
    """A page for everybody: its failures in words."""

    async def endpoint(request: Request) -> Response:
        try:
            return await handle(request)
        except Stop as stop:
            return problem(stop.status, stop.title, stop.why)
        except Unavailable as away:
            log.warning("nobody can log in", why=str(away))
            return problem(503, "Not now", "The login provider does not answer. Try again in a moment.")
        except Misconfigured as error:
            log.error("nobody can log in", why=str(error))
            return problem(500, "The login is not set up", "Our operators are told.")

    return endpoint
