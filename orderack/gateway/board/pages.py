"""What the board shows: the board itself, live; an order; the sheet for whoever does the work; what was looked for."""

import asyncio
import json
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from dataclasses import dataclass
from datetime import timedelta

from sse_starlette import EventSourceResponse, ServerSentEvent
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from orderack.contracts.ids import order_workflow_id
from orderack.domain.order import OrderRef
from orderack.domain.sayable import recorded, sayable
from orderack.errors import InvalidInput, OrderUnknown, Refused, Unavailable
from orderack.gateway.board import html, words
from orderack.gateway.board.feed import Snapshot
from orderack.gateway.board.figures import figures
from orderack.gateway.board.parts import Board
from orderack.gateway.board.picture import BY_A_PERSON, Picture, look
from orderack.gateway.board.roles import Role
from orderack.gateway.board.sheet import sheet_of
from orderack.gateway.board.web import NOT_FOUND, Stop, Visit
from orderack.gateway.paths import order_named
from orderack.ports import OrderRow

SECTIONS = ("state", "wanted", "flow", "stages", "due", "escalated", "reviews", "offered", "loose", "absent")
"""Each is drawn by itself, so that only what changed goes to those who watch."""

STREAM_AT_MOST = timedelta(minutes=30)
"""Then the browser asks again, and the login is looked at anew."""
FOUND = 20
ASKED = 5
"""Orders of a search that are asked themselves what may be said of them."""


def sections(visit: Visit, snapshot: Snapshot) -> Mapping[str, str]:
    """The parts of the board that move, as HTML. They hold nothing of one session alone."""
    board, person, wall = visit.board, visit.person, visit.wall
    shown = figures(snapshot, visit.stores, board.now())
    known: dict[str, object] = {
        "f": shown,
        "now": board.now(),
        "wall": wall,
        "acts": {store: person.may(store, Role.REVIEWER) and not wall for store in visit.stores},
        "several": len(visit.stores) > 1,
        "zone_of": lambda store: words.zone(board.stores[store].time_zone if store in board.stores else "UTC"),
    }
    return {name: html.render(f"part_{name}.html", **known).strip() for name in SECTIONS}


async def show_board(visit: Visit) -> Response:
    """503 where nothing can be shown: neither the record nor Temporal has ever answered."""
    snapshot = await visit.board.feed.snapshot()
    if snapshot.record is None and snapshot.lists is None:
        raise Stop(503, "Nothing can be shown", "Neither the record nor Temporal answers. This page tries again.")
    parts = await asyncio.to_thread(sections, visit, snapshot)
    return visit.page("board.html", parts=parts)


async def stream(visit: Visit) -> Response:
    """Server-sent events: each part of the board when it changes. Ends with the login, and with the server."""
    return EventSourceResponse(_changes(visit), ping=15, headers=html.HEADERS)


async def _changes(visit: Visit) -> AsyncGenerator[ServerSentEvent]:
    board, sent = visit.board, dict[str, str]()
    ends = min(board.sessions.ends.of(visit.session), board.now() + STREAM_AT_MOST)
    yield ServerSentEvent(event="hello", data="{}", retry=2_000)
    async with aclosing(board.feed.watch()) as snapshots:
        async for snapshot in snapshots:
            if board.sessions.read(visit.request.cookies.get(board.sessions.cookie, "")) is None:
                yield ServerSentEvent(event="out", data="{}")
                return
            parts = await asyncio.to_thread(sections, visit, snapshot)
            news = {name: part for name, part in parts.items() if sent.get(name) != part}
            sent |= news
            yield ServerSentEvent(event="board", data=json.dumps(news))
            if board.now() >= ends:
                return


# -- one order -----------------------------------------------------------------------------------------------


async def show_order(visit: Visit) -> Response:
    return await order_page(visit, visit.ref())


async def order_page(
    visit: Visit,
    ref: OrderRef,
    status: int = 200,
    typed: Mapping[str, str] | None = None,
    problems: tuple[str, ...] = (),
) -> Response:
    """The order's page; `typed` and `problems` where a form of it was not taken."""
    picture = await _picture(visit, ref)
    return visit.page(
        "order.html",
        status,
        p=picture,
        o=picture.order,
        may=visit.person.may(ref.store, Role.REVIEWER) and not visit.wall,
        admin=visit.person.may(ref.store, Role.ADMIN) and not visit.wall,
        ui=_temporal_page(visit.board, ref),
        typed=typed or {},
        problems=problems,
        by_a_person=BY_A_PERSON,
    )


async def _picture(visit: Visit, ref: OrderRef) -> Picture:
    found = await look(visit.board, ref)
    if found is None:
        raise NOT_FOUND
    return found


def _temporal_page(board: Board, ref: OrderRef) -> str:
    """The order's page in Temporal's UI; empty where nobody said where that is."""
    id_ = order_workflow_id(ref).replace("%", "%25").replace("/", "%2F")
    return f"{board.temporal_ui}/workflows/{id_}" if board.temporal_ui else ""


async def show_sheet(visit: Visit) -> Response:
    """The record that the buyer confirmed, for whoever does the work; printable."""
    ref, wanted = visit.ref(), visit.request.query_params.get("revision", "")
    if wanted and not (wanted.isascii() and wanted.isdecimal() and len(wanted) < 6):
        raise NOT_FOUND
    picture = await _picture(visit, ref)
    sheet = await sheet_of(visit.board, picture, int(wanted) if wanted else None)
    if sheet is None:
        why = "Nothing of it is confirmed yet: there is no record to work from."
        raise Stop(409, "No sheet yet", why)
    return visit.page("sheet.html", p=picture, s=sheet, may=visit.person.may(ref.store, Role.REVIEWER))


# -- looking for orders --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Found:
    row: OrderRow
    say: str


async def no_search(visit: Visit) -> Response:
    """What was looked for is not in the address, so that no log and no history keeps it: begin anew."""
    return visit.to("/board")


async def search(visit: Visit, form: Mapping[str, str]) -> Response:
    """By any id, e-mail address or telephone number; what may be said of each. Only this person's stores."""
    text = form.get("q", "").strip()[:200]
    if visit.person.wall:
        raise NOT_FOUND
    rows = [row for row in await visit.board.ledger.find(text, FOUND) if visit.person.may(row.ref.store, Role.VIEWER)]
    if not rows and (known := await _only_temporal_knows(visit, text)):
        return RedirectResponse(html.order_path(known), 303, html.HEADERS)
    says = await asyncio.gather(*(_say(visit, row, place < ASKED) for place, row in enumerate(rows)))
    return visit.page("found.html", q=text, found=[Found(row, say) for row, say in zip(rows, says, strict=True)])


async def _only_temporal_knows(visit: Visit, text: str) -> OrderRef | None:
    """An order that came this second: the record hears of it at its first step."""
    store, _, number = text.partition("/")
    if not number or not visit.person.may(store, Role.VIEWER):
        return None
    try:
        return (await visit.board.orders.status(order_named(store, number))).ref
    except (OrderUnknown, InvalidInput, Unavailable, Refused):
        return None


async def _say(visit: Visit, row: OrderRow, ask: bool) -> str:
    zone = words.zone(visit.board.stores[row.ref.store].time_zone if row.ref.store in visit.board.stores else "UTC")
    try:
        if ask:
            return sayable(await visit.board.orders.status(row.ref), zone)
    except (OrderUnknown, Unavailable, Refused):
        pass
    return recorded(row.ref.number, row.stage, row.updated_at, zone)


async def asset(request: Request) -> Response:
    name = str(request.path_params["name"])
    if name not in html.ASSETS:
        return Response(status_code=404)
    return html.asset_response(name)
