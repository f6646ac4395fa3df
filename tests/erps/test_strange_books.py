"""Answers with one thing wrong, field by field: a receipt, none, or an error of ours; never another exception."""

import json
from collections.abc import Callable, Iterator
from contextlib import suppress
from copy import deepcopy

import httpx
import pytest
from pydantic import JsonValue

from orderack.errors import OrderAckError
from orderack.ports import Erp
from tests.conformance.erp import LINES, REF, ErpConformance, an_order
from tests.conformance.peer import Received
from tests.erps import test_fishbowl as fishbowl
from tests.erps import test_sap_b1 as sap_b1

STRANGE: list[JsonValue] = [
    *(None, "", " ", "x", "é" * 300, -1, 0, 0.1234567, 1e30, -1e30, "1e400", "NaN", True, [], {}),
    *("2026-02-30", "9999-12-31", "0001-01-01T00:00:00", "~", "#~", "#1~~", "tYES", "bost_Close", "\x00", "🍵"),
]


def paths(value: JsonValue, at: tuple[str | int, ...] = ()) -> Iterator[tuple[str | int, ...]]:
    """Every place in it."""
    yield at
    inside = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, below in inside:
        yield from paths(below, (*at, name))


def wrong(body: JsonValue) -> Iterator[JsonValue]:
    """Each place taken out, and put to every other strange thing: neighbours to those that it was not."""
    for turn, path in enumerate(paths(body)):
        if not path:
            yield from STRANGE
            continue
        for thing in (*STRANGE[turn % 2 :: 2], ...):
            changed = deepcopy(body)
            place = changed
            for name in path[:-1]:
                place = place[name]  # type: ignore[index]
            if thing is ...:
                del place[path[-1]]  # type: ignore[union-attr,arg-type]
            else:
                place[path[-1]] = thing  # type: ignore[index]
            yield changed


async def ask(erp: Erp, about: str) -> None:
    """What comes to read this answer."""
    for call in (
        erp.submit(an_order(), 2),
        *([] if about == "/Drafts" else [erp.find(REF, 1)]),
        *([erp.availability(LINES)] if about in ("/Items", "product") else []),
    ):
        with suppress(OrderAckError):
            await call


SAP: dict[str, JsonValue] = {
    "/Orders": json.loads(sap_b1.TestSapB1.found.body),
    "/Items": json.loads(sap_b1.SHELF.body),
    "/$crossjoin": {"value": [sap_b1.PURCHASE]},
    "/Drafts": {"value": [sap_b1.document(DocEntry=77, AuthorizationStatus="dasPending")]},
    "/Login": json.loads(sap_b1.LOGIN.body),
}
FISHBOWL: dict[str, JsonValue] = {
    "so": json.loads(fishbowl.TestFishbowl.found.body),
    "soitem": json.loads(fishbowl.ITEMS.body),
    "product": json.loads(fishbowl.SHELF.body),
    "poitem": json.loads(fishbowl.COMING.body),
    "": {"token": fishbowl.TOKEN},
}


def of_sap(request: Received) -> str:
    return next((name for name in SAP if request.target.startswith(name)), "")


@pytest.mark.parametrize(
    ("suite", "books", "table", "about"),
    [
        *((sap_b1.TestSapB1, SAP, of_sap, name) for name in SAP),
        *((fishbowl.TestFishbowl, FISHBOWL, fishbowl.table, name) for name in FISHBOWL),
    ],
    ids=[*SAP, *(name or "login" for name in FISHBOWL)],
)
async def test_no_answer_is_a_traceback(
    suite: Callable[[], ErpConformance],
    books: dict[str, JsonValue],
    table: Callable[[Received], str],
    about: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    standing = dict(books)
    if about == "/Drafts":
        standing["/Orders"] = {"value": []}

    async def answers(_: httpx.AsyncHTTPTransport, request: httpx.Request) -> httpx.Response:
        body, target = await request.aread(), request.url.raw_path.decode()
        reads = request.method == "GET" or "ogin" in target
        place = table(Received(request.method, target, request.headers, body, body)) if reads else ""
        return httpx.Response(200, json=standing[place]) if reads else httpx.Response(204)

    monkeypatch.setattr(httpx.AsyncHTTPTransport, "handle_async_request", answers)
    async with suite().erp() as erp:
        for body in wrong(books[about]):
            standing[about] = body
            await ask(erp, about)
