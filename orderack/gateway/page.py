"""The buyer's page: `GET /o/{token}` shows and changes nothing; `POST /o/{token}/affirm` is the buyer's own word.

The token is the permission, so the form needs no other proof that the buyer's own page sent it.
"""

import hashlib
from typing import Annotated
from urllib.parse import parse_qs

import structlog
from fastapi import APIRouter, Path, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from orderack.contracts.journal import Stage
from orderack.contracts.queries import OrderStatus
from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from orderack.domain.order import OrderRef
from orderack.errors import BadSignature, OrderAckError, OrderUnknown, Unavailable
from orderack.gateway.announce import InboxKind, announce_evidence
from orderack.gateway.page_view import CSP, gone_html, order_html, page_view
from orderack.gateway.parts import GatewayParts, Parts
from orderack.gateway.requests import read_body
from orderack.links import BUYER, PageLink
from orderack.ports import OrderRow

log = structlog.get_logger(__name__)

router = APIRouter(tags=["buyer"])

Token = Annotated[str, Path(min_length=1, max_length=2_000)]

CHANNEL = "portal"
"""Evidence from the page counts for the portal, whose medium the page is."""


@router.get("/o/{token}", response_class=HTMLResponse, summary="The buyer's page")
async def show(token: Token, parts: Parts) -> HTMLResponse:
    """The order in the buyer's words. A page that prefetchers, scanners and previews may open as they like."""
    link = _read(parts, token)
    return _gone() if link is None else await _page(parts, link, token)


@router.post("/o/{token}/affirm", response_class=HTMLResponse, summary="The buyer affirms what is confirmed")
async def affirm(token: Token, request: Request, parts: Parts) -> Response:
    """Records, once, that the holder of the link affirmed exactly the revision that the page showed."""
    link = _read(parts, token)
    if link is None or link.role != BUYER:
        return _gone()
    form = parse_qs((await read_body(request)).decode("utf-8", "replace"), max_num_fields=10)
    status = await _status(parts, link.ref)
    if status is None:
        return await _page(parts, link, token, code=503)
    if status.confirmed_revision is None or form.get("revision") != [str(status.confirmed_revision)]:
        return await _page(parts, link, token, code=409)
    await _record(parts, link, status.confirmed_revision)
    return RedirectResponse(f"/o/{token}", 303)


async def _record(parts: GatewayParts, link: PageLink, revision: int) -> None:
    """One fact for each order, revision and role, however often the button is pressed."""
    identity = "\n".join((link.ref.store, link.ref.number, str(revision), link.role))
    fact = EvidenceFact(
        id=f"affirm-{hashlib.sha256(identity.encode()).hexdigest()}",
        event=EvidenceEvent.AFFIRMED,
        grade=Grade.E5,
        channel=CHANNEL,
        revision=revision,
        kind=Kind.CONFIRMATION,
        occurred_at=parts.now(),
        basis="page:affirmed",
    )
    body = fact.model_dump_json()
    row = await parts.ledger.receive("page", fact.id, InboxKind.EVIDENCE, link.ref, body, parts.now())
    if row.announced_at is not None:
        return
    first = EvidenceFact.model_validate_json(row.body)
    await parts.ledger.record_evidence(link.ref, first, row.body)
    try:
        await announce_evidence(parts, row, first)
    except OrderAckError as error:
        log.info("affirmation left to the sweep", row=row.id, why=type(error).__name__)


async def _page(parts: GatewayParts, link: PageLink, token: str, code: int = 200) -> HTMLResponse:
    status, row = await _status(parts, link.ref), await parts.ledger.order(link.ref)
    if (row is None and status is None) or link.ref.store not in parts.stores:
        return _gone()
    revision = _shown(status, row)
    stored = await parts.ledger.revision(link.ref, revision)
    affirmed = any(
        fact.event is EvidenceEvent.AFFIRMED and fact.revision == revision
        for fact in await parts.ledger.evidence(link.ref)
    )
    view = page_view(
        store=parts.stores[link.ref.store],
        ref=link.ref,
        stage=status.stage if status else row.stage if row else Stage.ASSESSING,
        revision=revision,
        stored=stored,
        status=status,
        sends=await parts.ledger.sends(link.ref),
        channels=parts.channels,
        affirmed=affirmed,
        affirm_path=f"/o/{token}/affirm" if link.role == BUYER else None,
        changed_meanwhile=code == 409,
    )
    return _html(order_html(view), code)


def _shown(status: OrderStatus | None, row: OrderRow | None) -> int:
    """The revision as confirmed; before that, the one that we have."""
    if status is not None:
        return status.confirmed_revision or status.revision
    return row.revision if row else 0


async def _status(parts: GatewayParts, ref: OrderRef) -> OrderStatus | None:
    """What the order says of itself; None while it can't be asked, or when Temporal no longer keeps it."""
    try:
        return await parts.orders.status(ref)
    except (Unavailable, OrderUnknown):
        return None


def _read(parts: GatewayParts, token: str) -> PageLink | None:
    try:
        return parts.links.read(token)
    except BadSignature:
        return None


def _gone() -> HTMLResponse:
    """The same answer for a forged, a damaged and an expired link, and for an order that we do not know."""
    return _html(gone_html(), 404)


def _html(text: str, code: int) -> HTMLResponse:
    return HTMLResponse(text, code, {"Content-Security-Policy": CSP})
