"""The board over a real ledger and a scripted door, and people who look at it as a browser does."""

import hashlib
import html
import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import timedelta

import httpx
from starlette.requests import Request

from orderack.contracts.journal import ClockName, Entry, Event, Journal, Stage
from orderack.contracts.queries import ClockStatus, OrderStatus, Timeline
from orderack.contracts.updates import AcceptHandoff, Answer, Claim, HandoffReply, Reply, ReviewDecision, SettleSend
from orderack.domain.assessment import Flag, FlagName
from orderack.domain.order import Order, OrderRef
from orderack.errors import OrderUnknown
from orderack.gateway.app import create_app
from orderack.gateway.board.parts import Board, board_of
from orderack.gateway.board.settings import BoardSettings
from orderack.gateway.board.web import Visit
from orderack.gateway.keys import ApiKeys
from orderack.temporal.open_orders import OpenOrder, OpenOrders
from tests.gateway.conftest import PUBLIC, Gateway, parts_with
from tests.gateway.fakes import ScriptedOrders
from tests.gateway.page_world import stored
from tests.temporal.server import now
from tests.workflows.orders import an_order

SECRET = "a secret that signs the board's logins"
ADA, WALL, BOSS, ELSEWHERE, SHOP = "ada's-key", "a-wall's-key", "the-boss's-key", "another-store's-key", "a-shop's-key"


def triple(name: str, store: str, key: str) -> str:
    return f"{name}:{store}:{hashlib.sha256(key.encode()).hexdigest()}"


KEYS = ",".join(
    (
        *(triple("ada", "demo", ADA), triple("wall", "demo", WALL)),
        *(triple("boss", store, BOSS) for store in ("demo", "other")),
        *(triple("eve", "other", ELSEWHERE), triple("shop", "demo", SHOP)),
    )
)
ROLES = "ada:reviewer,wall:viewer,boss:admin,eve:reviewer"


@dataclass
class ScriptedBoardOrders(ScriptedOrders):
    """The door, with what only the board asks of it."""

    decisions: list[ReviewDecision] = field(default_factory=list)
    claims: list[Claim] = field(default_factory=list)
    acceptances: list[AcceptHandoff] = field(default_factory=list)
    answers: list[Answer] = field(default_factory=list)
    settled: list[SettleSend] = field(default_factory=list)
    lists: list[OpenOrder] = field(default_factory=list)
    timelines: dict[OrderRef, Timeline] = field(default_factory=dict)
    listed: int = 0

    async def decide_review(self, ref: OrderRef, decision: ReviewDecision) -> Reply:
        reply = self._reply()
        self.decisions.append(decision)
        return reply

    async def claim(self, ref: OrderRef, claim: Claim) -> Reply:
        reply = self._reply()
        self.claims.append(claim)
        return reply

    async def accept_handoff(self, ref: OrderRef, accept: AcceptHandoff) -> HandoffReply:
        reply = self._reply()
        self.acceptances.append(accept)
        return HandoffReply(**dict(reply), may_begin=True)

    async def answer(self, ref: OrderRef, answer: Answer) -> Reply:
        reply = self._reply()
        self.answers.append(answer)
        return reply

    async def settle_send(self, ref: OrderRef, settle: SettleSend) -> Reply:
        reply = self._reply()
        self.settled.append(settle)
        return reply

    async def timeline(self, ref: OrderRef) -> Timeline:
        self._answer()
        if ref not in self.standing:
            raise OrderUnknown(str(ref))
        return self.timelines.get(ref, Timeline(ref=ref))

    async def list_open(self, query: OpenOrders | None = None) -> Sequence[OpenOrder]:
        self.listed += 1
        self._answer()
        wanted = query or OpenOrders()
        return [
            row for row in self.lists if wanted.stage in (None, row.stage) and wanted.escalated in (None, row.escalated)
        ]


@dataclass
class World:
    """The gateway with its board."""

    gateway: Gateway
    orders: ScriptedBoardOrders
    board: Board

    def browser(self, base: str = PUBLIC, client: tuple[str, int] = ("127.0.0.1", 123)) -> "Browser":
        transport = httpx.ASGITransport(create_app(self.gateway.parts), raise_app_exceptions=False, client=client)
        return Browser(httpx.AsyncClient(transport=transport, base_url=base), base)

    async def logged_in(self, key: str = ADA, *, wall: bool = False) -> "Browser":
        browser = self.browser()
        answer = await browser.post("/board/login", key=key, **({"wall": "on"} if wall else {}))
        assert answer.status_code == 303, words(answer)
        return browser

    async def order(
        self, number: str = "1001", stage: Stage = Stage.REVIEW, store: str = "demo", **more: object
    ) -> Order:
        """In the record and behind the door, in this stage."""
        order = an_order(number, now()).model_copy(update={"store": store, **more})
        await stored(self.gateway, order, stage=stage)
        flags = (Flag(name=FlagName.HIGH_VALUE, why="the total is over the threshold"),)
        self.orders.standing[order.ref] = OrderStatus(
            ref=order.ref,
            stage=stage,
            revision=1,
            content_hash=order.content_hash,
            flags=flags if stage is Stage.REVIEW else (),
            clocks=(ClockStatus(name=ClockName.REVIEW, started_at=now(), due_at=now() + timedelta(hours=4)),),
            confirmed_revision=1 if stage is Stage.HANDED_OFF else None,
        )
        if stage is Stage.REVIEW:
            opened = Entry(seq=1, at=now(), event=Event.REVIEW_OPENED, revision=1, note="high_value", owner="desk")
            journal = Journal(ref=order.ref, stage=stage, revision=1, owner="desk", entries=(opened,))
            await self.gateway.ledger.write(journal)
            self.orders.lists.append(OpenOrder(ref=order.ref, started_at=now(), stage="review", owner="desk"))
        return order


@dataclass
class Browser:
    """Keeps cookies, sends `Origin` with its forms, and fills in the hidden fields of the page it is on."""

    http: httpx.AsyncClient
    base: str
    shown: httpx.Response | None = None

    async def get(self, path: str, **headers: str) -> httpx.Response:
        self.shown = await self.http.get(path, headers={"accept": "text/html", **headers})
        return self.shown

    async def post(self, path: str, headers: dict[str, str] | None = None, **fields: str) -> httpx.Response:
        sent = {"origin": self.base, "sec-fetch-site": "same-origin"} | (headers or {})
        return await self.http.post(path, data=fields or {"pressed": "1"}, headers={k: v for k, v in sent.items() if v})

    def form(self, action: str, holding: str = "") -> dict[str, str]:
        """The hidden fields of a form on the page that is shown."""
        assert self.shown is not None
        for form in re.findall(r"<form\b.*?</form>", self.shown.text, re.DOTALL):
            if f'action="{action}"' in form and holding in form:
                found = re.findall(r'<input type="hidden" name="([^"]*)" value="([^"]*)"', form)
                return {name: html.unescape(value) for name, value in found}
        raise AssertionError(f"no form for {action} with {holding!r}")

    async def acts(self, action: str, holding: str = "", **fields: str) -> httpx.Response:
        return await self.post(action, **self.form(action, holding) | fields)

    async def finds(self, text: str) -> httpx.Response:
        """Look for an order from the board."""
        await self.get("/board")
        return await self.acts("/board/find", q=text)

    async def said(self, answer: httpx.Response) -> str:
        """What the page says after an act."""
        assert answer.status_code == 303, words(answer)
        shown = await self.get(answer.headers["location"])
        found = re.search(r'class="said [a-z]+" role="status">(.*?)</p>', shown.text)
        return html.unescape(found[1]) if found else ""


def visit_of(desk: World, browser: Browser) -> Visit:
    """The stream's request, as the browser would make it."""
    name = desk.board.sessions.cookie
    cookie = next(value for key, value in browser.http.cookies.items() if key == name)
    headers = [(b"cookie", f"{name}={cookie}".encode())]
    scope = {"type": "http", "method": "GET", "path": "/board/stream", "query_string": b"", "headers": headers}
    found = desk.board.sessions.read(cookie)
    assert found
    return Visit(desk.board, Request(scope), *found)


def words(response: httpx.Response) -> str:
    """What a person reads in it."""
    return " ".join(html.unescape(re.sub(r"<[^>]*>", " ", response.text)).split())


def a_world(gateway: Gateway, roles: str = ROLES, **more: object) -> World:
    """The board over this gateway's ledger."""
    orders, clock = ScriptedBoardOrders(), gateway.clock
    keys = ApiKeys.parse(KEYS)
    parts = parts_with(gateway.ledger, orders, clock)
    settings = BoardSettings(_env_file=None, keys=roles, tick_seconds=0.2, **more)  # type: ignore[arg-type, call-arg]
    board = board_of(
        settings,
        secret=SECRET,
        public_url=PUBLIC,
        ledger=gateway.ledger,
        orders=orders,
        stores=parts.stores,
        keys=keys,
        links=parts.links,
        now=clock,
        http=httpx.AsyncClient(),
    )
    assert board is not None
    parts = replace(parts, keys=keys, board=board)
    return World(replace(gateway, parts=parts, orders=orders), orders, board)
