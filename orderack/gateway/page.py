"""The buyer's page: `GET /o/{token}` shows and changes nothing; each `POST` beneath it is the buyer's own word.

The token is the permission: there is no cookie, so another site can make a browser send nothing that it could not send
itself. What a browser says comes from another site's page is not taken for the buyer's word all the same. What a buyer
sends is recorded before anything else is done with it, and answered with the page again, dated and in words.
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Annotated

import structlog
from fastapi import APIRouter, Path, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from orderack.domain.store import BuyerMay
from orderack.errors import BadSignature, OrderAckError
from orderack.gateway.announce import InboxKind, announce_buyer_request, announce_earlier
from orderack.gateway.buyer_requests import SOURCE, BuyerRequest, request_id, request_of
from orderack.gateway.failures import Denied
from orderack.gateway.gone import gone
from orderack.gateway.openapi import FORM
from orderack.gateway.page_forms import Faulty, Form, Unreadable, draft_of, read_form
from orderack.gateway.page_html import order_html
from orderack.gateway.page_rows import Tongue, tongue_for
from orderack.gateway.page_state import PageState, look
from orderack.gateway.page_view import Attempt, Reply, page_view
from orderack.gateway.parts import GatewayParts, Parts
from orderack.gateway.requests import read_body
from orderack.gateway.touches import note_touch
from orderack.links import BUYER, PageLink, fingerprint
from orderack.messages.page_labels import Note
from orderack.policy.recipient import recipient_of

log = structlog.get_logger(__name__)

router = APIRouter(tags=["buyer"])

Token = Annotated[str, Path(min_length=1, max_length=2_000)]


class Action(StrEnum):
    """The address of each form, below the page's own. Frozen names."""

    AFFIRM = "affirm"
    ANSWER = "answer"
    QUESTION = "question"
    CHANGE = "change"
    CANCEL = "cancel"


_MAY: Mapping[Action, BuyerMay] = {
    Action.AFFIRM: BuyerMay.AFFIRM,
    Action.ANSWER: BuyerMay.ANSWER,
    Action.QUESTION: BuyerMay.ASK,
    Action.CHANGE: BuyerMay.CHANGE,
    Action.CANCEL: BuyerMay.CANCEL,
}

_ELSEWHERE = frozenset({"cross-site", "same-site"})
"""`Sec-Fetch-Site` of a form that stands on a page of somebody else's (W3C Fetch Metadata). `Origin` says nothing here:
our own forms send `null`, for the page gives its address to nobody."""

_CODES: Mapping[Note, int] = {
    Note.STALE: 409,
    Note.IMPOSSIBLE: 409,
    Note.TOO_LARGE: 413,
    Note.UNREADABLE: 422,
}

_ANSWERS: dict[int | str, dict[str, object]] = {
    404: {"description": "No such link"},
    409: {"description": "The order has changed since the page was opened, or does not allow it; nothing was recorded"},
    413: {"description": "Too large"},
    422: {"description": "A field cannot be used; the page names it and keeps what was typed"},
}


@dataclass(frozen=True)
class Visit:
    """One request for the page by a link that holds, and all that is known when it comes."""

    parts: GatewayParts
    token: str
    state: PageState
    tongue: Tongue

    @property
    def path(self) -> str:
        return f"/o/{self.token}"

    async def page(self, code: int = 200, reply: Reply | None = None) -> HTMLResponse:
        """In a thread of its own: an order of thousands of lines must not hold up other buyers."""
        return await asyncio.to_thread(self._page, code, reply or Reply())

    def _page(self, code: int, reply: Reply) -> HTMLResponse:
        form_id = secrets.token_urlsafe(12)
        view = page_view(self.state, self.tongue, self.parts.channels, self.path, form_id, reply)
        return order_html(view, code)

    async def refused(self, note: Note, attempt: Attempt | None = None) -> HTMLResponse:
        return await self.page(_CODES[note], Reply(note, attempt))


@router.head("/o/{token}", response_class=HTMLResponse, summary="The head of the buyer's page")
@router.get("/o/{token}", response_class=HTMLResponse, summary="The buyer's page")
async def show(
    token: Token, request: Request, parts: Parts, taken: Annotated[str, Query(max_length=200)] = ""
) -> HTMLResponse:
    """The order in the buyer's words. A page that prefetchers, scanners and previews may open as they like."""
    visit = await _visit(parts, token)
    if visit is None:
        return gone(parts, request)
    await note_touch(request, parts, visit.state.link)
    return await visit.page(reply=Reply(taken=taken))


@router.get("/o/{token}/{action}", response_class=RedirectResponse, status_code=303, summary="Back to the page")
async def back(token: Token, action: Action) -> RedirectResponse:
    """What a browser asks for when a form's answer is opened again: the page itself. Changes nothing."""
    return RedirectResponse(f"/o/{token}", 303)


@router.post(
    "/o/{token}/{action}",
    response_class=HTMLResponse,
    status_code=303,
    responses=_ANSWERS,
    openapi_extra=FORM,
    summary="The buyer affirms, answers, asks, or wants something changed or called off",
)
async def act(token: Token, action: Action, request: Request, parts: Parts) -> Response:
    """Recorded first, once for each form, and then told to the order; back to the page, which says what was taken."""
    visit = await _visit(parts, token)
    if visit is None or visit.state.link.role != BUYER:
        return gone(parts, request)
    if request.headers.get("sec-fetch-site", "none") in _ELSEWHERE:
        return await visit.refused(Note.UNREADABLE)
    try:
        lines = len(visit.state.stored.order.lines) if visit.state.stored else 0
        form = read_form(await read_body(request), request.headers.get("content-type", ""), lines)
    except Unreadable:
        return await visit.refused(Note.UNREADABLE)
    except Denied as denied:
        return await visit.refused(Note.TOO_LARGE if denied.status == 413 else Note.UNREADABLE)
    return await _take(visit, _MAY[action], form)


async def _take(visit: Visit, action: BuyerMay, form: Form) -> Response:
    state, typed = visit.state, Attempt(action, form.fields)
    about = state.about if form.fields.get("message", str(state.about or "")) == str(state.about or "") else None
    of_the_message = action in (BuyerMay.AFFIRM, BuyerMay.ANSWER)
    if form.fields.get("revision") != str(state.revision) or (of_the_message and about != state.about):
        return await visit.refused(Note.STALE, typed)
    if state.stored is None or not state.takes(action):
        return await visit.refused(Note.IMPOSSIBLE, typed)
    try:
        draft = draft_of(action, form, state.stored.order, visit.tongue.locale)
    except Faulty as faulty:
        return await visit.page(422, Reply(attempt=Attempt(action, form.fields, faulty.faults)))
    id_ = request_id(state.link, state.revision, state.about, draft, form.fields.get("form", "")[:100])
    wanted = request_of(state.link, state.revision, state.stored.content_hash, about, draft, id_, visit.parts.now())
    async with visit.parts.turns.of(SOURCE, wanted.id):
        await _record(visit, wanted)
    return RedirectResponse(f"{visit.path}?taken={id_}", 303)


async def _record(visit: Visit, wanted: BuyerRequest) -> None:
    """Once recorded it is ours: what keeps us from telling the order now is the sweep's concern, not the buyer's."""
    parts = visit.parts
    row = await parts.ledger.receive(
        SOURCE, wanted.id, InboxKind.BUYER_REQUEST, wanted.ref, wanted.model_dump_json(), parts.now()
    )
    if row.announced_at is not None:
        return
    try:
        first = BuyerRequest.model_validate_json(row.body)
        await announce_earlier(parts, row)
        await announce_buyer_request(parts, row, first, visit.state.status)
    except OrderAckError as error:
        log.info("buyer's request left to the sweep", row=row.id, why=type(error).__name__)


async def _visit(parts: GatewayParts, token: str) -> Visit | None:
    """None for a link that is forged, damaged, expired, revoked or another's by now, and without such an order."""
    link = await _link(parts, token)
    state = await look(parts, link) if link else None
    if state is None or not _still_the_buyers(parts, state):
        return None
    return Visit(parts, token, state, tongue_for(parts.wording, state))


def _still_the_buyers(parts: GatewayParts, state: PageState) -> bool:
    """Whether the address that the link went to is still the order's: corrected since, it may be a stranger's."""
    channel = parts.channels.get(state.link.via)
    kind = channel.traits.address if channel and state.link.role == BUYER and state.link.recipient else ""
    known = [held.order for held in (state.stored, state.pending) if held]
    if kind not in ("email", "phone"):
        return True
    named = {recipient_of(order, kind, BUYER, "", state.store.country) for order in known} - {None}
    return not named or any(fingerprint(address) == state.link.recipient for address in named if address)


async def _link(parts: GatewayParts, token: str) -> PageLink | None:
    try:
        link = parts.links.read(token)
    except BadSignature:
        return None
    revoked_at = await parts.ledger.links_revoked_at(link.ref)
    return None if revoked_at and link.made_at <= revoked_at else link
