"""What the board shows: each person's stores, live, from one shared look; and what it says when something is away."""

import asyncio
import json
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from orderack.contracts.journal import Entry, Event, Journal, Stage
from orderack.domain.order import Address, Customer, Line, OrderRef
from orderack.gateway.board.feed import Feed
from orderack.gateway.board.pages import SECTIONS, _changes
from orderack.ports import BoardRecord, Pause
from orderack.ports.channel_book import of_erp
from orderack.ports.sweeps import ExceptionKind, Finding
from orderack.temporal.open_orders import OpenOrder
from tests.gateway.board.board_world import ADA, BOSS, Browser, World, visit_of, words
from tests.gateway.page_world import stored
from tests.gateway.test_intake import take_away
from tests.ledger import samples
from tests.temporal.server import now
from tests.workflows.orders import an_order

HOSTILE = {
    "script": "<script>alert(1)</script>",
    "attribute": '" onmouseover="alert(1)" x=\'',
    "template": "{{ 7*7 }}{% raw %}",
    "direction": "\u202egnp.exe\u2066",
    "unseen": "a\u200bb\u0007c",
    "long": "Ä" * 2_000,
}


async def test_an_empty_shop_is_calm_and_says_so(desk: World) -> None:
    page = await (await desk.logged_in()).get("/board")
    assert page.status_code == 200
    for said in ("Nobody has to decide anything", "Nothing is escalated", "No order is open", "Nothing is due"):
        assert said in words(page)


async def test_orders_stand_by_stage_with_number_and_age(desk: World) -> None:
    await desk.order("1", Stage.AWAITING_ERP, trigger_at=now() - timedelta(hours=2))
    await desk.order("2", Stage.AWAITING_ERP, trigger_at=now() - timedelta(minutes=20))
    await desk.order("3", Stage.HANDED_OFF)
    page = words(await (await desk.logged_in()).get("/board"))
    assert "Waiting for the ERP 2 0 1 1 0 0 2 h 00" in page
    assert "With the team 1 1 0 0 0 0" in page


async def test_a_review_says_why_in_the_words_of_its_own_page(desk: World) -> None:
    order = await desk.order("1")
    more = Entry(seq=2, at=now(), event=Event.REVIEW_OPENED, revision=1, note="new_client, erp_refused", owner="desk")
    await desk.gateway.ledger.write(Journal(ref=order.ref, stage=Stage.REVIEW, revision=1, entries=(more,)))
    await desk.order("2")
    page = words(await (await desk.logged_in()).get("/board"))
    assert "New customer, refused by the ERP" in page
    assert "High value desk" in page


async def test_escalations_stand_with_their_owner(desk: World) -> None:
    ref = OrderRef(store="demo", number="77")
    due = now() + timedelta(minutes=30, seconds=20)
    row = OpenOrder(ref=ref, started_at=now(), stage="escalated", owner="grace", escalated=True, next_due_at=due)
    desk.orders.lists.append(row)
    page = words(await (await desk.logged_in()).get("/board"))
    assert "77 grace in 30 min" in page


async def test_what_is_absent_stands_with_whose_hands_it_is_in_and_what_to_do_until_it_is_settled(desk: World) -> None:
    await desk.order("1", Stage.AWAITING_ERP)
    ledger, ref = desk.gateway.ledger, OrderRef(store="demo", number="1")
    lost = Finding(ref=ref, revision=1, kind=ExceptionKind.NOT_RUNNING, system="books", since=now(), owner="ops-lead")
    elsewhere = lost.model_copy(update={"ref": OrderRef(store="nowhere", number="7")})
    await ledger.settle([lost, elsewhere], now())
    browser = await desk.logged_in()
    page = words(await browser.get("/board"))
    assert "1 absent somewhere" in page
    assert "no workflow runs (books) begin it anew: orderack ledger rerun ops-lead, not taken yet" in page
    assert "nowhere" not in page
    await ledger.claim_exceptions(ref, "ada", now(), None)
    await says(browser, "ledger rerun ada")
    await ledger.resolve(ref, "ada", "begun anew", now())
    await says(browser, "No sweep has found anything absent.")


async def says(browser: Browser, text: str) -> None:
    """By the board's next look."""
    async with asyncio.timeout(60):
        while text not in words(await browser.get("/board")):  # noqa: ASYNC110 (it looks by its own clock)
            await asyncio.sleep(0.1)


async def test_an_erp_that_is_marked_down_says_since_when_and_why_and_that_it_is_tried(desk: World) -> None:
    order = an_order("9", now())
    submitted = Entry(seq=1, at=now(), event=Event.SUBMITTED_TO_ERP, revision=1, note="main")
    journal = Journal(ref=order.ref, stage=Stage.AWAITING_ERP, revision=1, entries=(submitted,))
    await desk.gateway.ledger.save_revision(samples.stored(order), "f", journal)
    why = "no answer to 5 attempts of 3 orders within 20 s"
    mark = Pause(channel=of_erp("main"), at=now(), by="orderack", reason=why, probe_at=now())
    await desk.gateway.ledger.pause(mark)
    page = words(await (await desk.logged_in()).get("/board"))
    assert f"main marked down since just now: {why}; one at a time is tried" in page


@pytest.mark.parametrize("text", HOSTILE.values(), ids=HOSTILE)
async def test_what_an_order_says_is_text_wherever_it_stands(text: str, desk: World) -> None:
    line = Line(
        line_id="1",
        sku=text[:200],
        description=text,
        quantity=Decimal(1),
        unit_price=Decimal(1),
        instructions=text,
        dietary=text,
        design=text,
    )
    place = Address(name=text, street=text, city=text, country="GB")
    order = await desk.order(
        "9",
        Stage.REVIEW,
        lines=(line,),
        customer=Customer(id=text[:200], name=text),
        instructions=text,
        delivery_address=place,
        billing_address=place,
    )
    standing = desk.orders.standing[order.ref]
    flags = tuple(flag.model_copy(update={"why": text, "field": text}) for flag in standing.flags)
    update = {"flags": flags, "owner": text[:200], "waiting_for": text, "confirmed_revision": 1}
    desk.orders.standing[order.ref] = standing.model_copy(update=update)
    opened = Entry(seq=9, at=now(), event=Event.REVIEW_OPENED, revision=1, note=text, owner=text[:200])
    await desk.gateway.ledger.write(
        Journal(ref=order.ref, stage=Stage.REVIEW, revision=1, owner=text[:200], entries=(opened,))
    )
    browser = await desk.logged_in()
    for path in ("/board", "/board/order/demo/9", "/board/sheet/demo/9", ""):
        page = await browser.get(path) if path else await browser.finds("9")
        assert page.status_code == 200, path
        assert "<script>alert" not in page.text
        assert 'onmouseover="alert' not in page.text
        assert text != HOSTILE["template"] or "{{ 7*7 }}" in words(page) or not path
        assert not {"\u202e", "\u2066", "\u200b", "\u0007"} & set(page.text), path
        assert len(page.content) < 150_000


@pytest.mark.parametrize("number", ["<b>1</b>", "A/1 ü", "a|b", "?x=1#y", "1" * 180, "\"'>"])
async def test_an_order_of_any_number_has_its_page(number: str, desk: World) -> None:
    await desk.order(number)
    browser = await desk.logged_in()
    board = await browser.get("/board")
    path = board.text.split('<a class="num" href="')[1].partition('"')[0]
    page = await browser.get(path)
    assert page.status_code == 200
    answer = await browser.acts(browser_action(page.text), verdict="approve")
    assert answer.status_code == 303
    assert len(desk.orders.decisions) == 1


def browser_action(text: str) -> str:
    return text.split('<form method="post" action="/board/decide')[1].join(["/board/decide", ""]).partition('"')[0]


# -- live ----------------------------------------------------------------------------------------------------


async def parts(desk: World, browser: Browser) -> AsyncGenerator[dict[str, str]]:
    """What the stream tells, part by part."""
    async with aclosing(_changes(visit_of(desk, browser))) as events:
        async for event in events:
            if event.event == "board":
                yield json.loads(str(event.data))
            elif event.event == "out":
                return


async def test_whoever_watches_hears_of_an_order_without_asking(desk: World) -> None:
    browser = await desk.logged_in()
    async with aclosing(parts(desk, browser)) as told:
        first = await anext(told)
        assert "1001" not in first["reviews"]
        await desk.order()
        async with asyncio.timeout(60):
            async for news in told:
                if "1001" in news.get("reviews", ""):
                    break
    assert desk.board.feed.watching == 0


async def test_only_what_changed_is_told(desk: World) -> None:
    browser = await desk.logged_in()
    async with aclosing(parts(desk, browser)) as told:
        assert len(await anext(told)) == len(SECTIONS)
        assert await anext(told) == {}


async def test_the_stream_ends_with_the_login(desk: World) -> None:
    browser = await desk.logged_in()
    told = parts(desk, browser)
    await anext(told)
    desk.gateway.clock.ahead = timedelta(hours=13)
    async with asyncio.timeout(30):
        assert [news async for news in told] == []


async def test_a_hundred_who_watch_cost_the_record_what_one_does(desk: World) -> None:
    await desk.order()
    ada, boss = await desk.logged_in(ADA), await desk.logged_in(BOSS)
    streams = [parts(desk, browser) for browser in (ada, boss) * 50]
    began, before = time.monotonic(), desk.board.feed.looks
    for _ in range(5):
        await asyncio.gather(*(anext(stream) for stream in streams))
    took = time.monotonic() - began
    assert desk.board.feed.watching == 100
    looks = desk.board.feed.looks - before
    assert looks <= 3 + 2 * (took / desk.board.feed.tick.total_seconds()), (looks, took)
    for stream in streams:
        await stream.aclose()
    before = desk.board.feed.looks
    await asyncio.sleep(0.5)
    assert desk.board.feed.looks == before, "nobody watches: nothing is read"


async def test_a_slow_record_is_asked_less_often() -> None:
    asked = 0

    class Slow:
        async def board(self, stores: object, now: object) -> BoardRecord:
            nonlocal asked
            asked += 1
            await asyncio.sleep(0.2)
            return BoardRecord()

        async def asked(self, limit: int = 200) -> tuple[OrderRef, ...]:
            return ()

        async def list_open(self, query: object = None) -> tuple[OpenOrder, ...]:
            return ()

    slow = Slow()
    feed = Feed(slow, slow, lambda: ("demo",), now, timedelta(milliseconds=10))
    ends = time.monotonic() + 1.2
    while time.monotonic() < ends:
        await feed.snapshot()
        await asyncio.sleep(0.01)
    await feed.aclose()
    assert asked == 1


# -- when something is away ----------------------------------------------------------------------------------


async def test_while_temporal_is_away_the_board_keeps_its_last_figures_and_says_so(desk: World) -> None:
    await desk.order()
    browser = await desk.logged_in()
    assert "does not answer" not in words(await browser.get("/board"))
    desk.orders.away = True
    desk.board.feed.fresh()
    page = await browser.get("/board")
    assert page.status_code == 200
    assert "Temporal does not answer; as of" in words(page)
    assert "1001" in page.text
    order = await browser.get("/board/order/demo/1001")
    assert order.status_code == 200
    assert "cannot be asked just now" in words(order)
    assert "Approve" not in words(order)
    desk.orders.away = False
    desk.board.feed.fresh()
    assert "does not answer" not in words(await browser.get("/board"))


async def test_while_the_record_is_away_the_last_figures_stand_with_their_age(desk: World, database: Path) -> None:
    await desk.order()
    browser = await desk.logged_in()
    await browser.get("/board")
    await desk.gateway.ledger.aclose()
    take_away(database)
    desk.board.feed.fresh()
    page = await browser.get("/board")
    assert page.status_code == 200
    assert "The record does not answer; as of" in words(page)
    assert "1001" in page.text
    order = await browser.get("/board/order/demo/1001")
    assert order.status_code == 503
    assert "Try again" in words(order)


async def test_where_nothing_was_ever_read_nothing_is_shown(desk: World, database: Path) -> None:
    desk.orders.away = True
    await desk.gateway.ledger.aclose()
    take_away(database)
    page = await (await desk.logged_in()).get("/board")
    assert page.status_code == 503
    assert "Neither the record nor Temporal answers" in words(page)


async def test_an_order_that_only_temporal_knows_is_found(desk: World) -> None:
    order = await desk.order()
    fresh = OrderRef(store="demo", number="new")
    desk.orders.standing[fresh] = desk.orders.standing[order.ref].model_copy(update={"ref": fresh})
    browser = await desk.logged_in()
    answer = await browser.finds("demo/new")
    assert answer.headers["location"] == "/board/order/demo/new"
    assert (await browser.get("/board/order/demo/new")).status_code == 200
    assert (await browser.get("/board/order/demo/unknown")).status_code == 404


# -- the sheet -----------------------------------------------------------------------------------------------


async def sheet(desk: World, **update: object) -> str:
    order = await desk.order(stage=Stage.HANDED_OFF, instructions="Ring twice")
    standing = desk.orders.standing[order.ref]
    desk.orders.standing[order.ref] = standing.model_copy(update=update)
    return words(await (await desk.logged_in()).get("/board/sheet/demo/1001"))


async def test_the_sheet_is_the_record_that_was_confirmed(desk: World) -> None:
    text = await sheet(desk)
    for shown in ("Revision 1", "TEA", "Ring twice", "1 High Street", "+15005550006", "Accept revision 1"):
        assert shown in text
    for hidden in ("9.90", "ada@example.com", "prepaid"):
        assert hidden not in text, "prices, e-mail and payment are no work's concern"


@pytest.mark.parametrize(
    ("update", "said"),
    [
        ({"stage": Stage.CANCELLED}, "Cancelled. Stop the work."),
        ({"stage": Stage.ASSESSING, "revision": 2}, "Frozen: a change (revision 2) is being checked."),
    ],
)
async def test_a_sheet_that_is_overtaken_says_so_and_cannot_be_accepted(
    update: dict[str, object], said: str, desk: World
) -> None:
    text = await sheet(desk, **update)
    assert said in text
    assert "Accept revision" not in text


async def test_an_earlier_revisions_sheet_is_marked_superseded(desk: World) -> None:
    order = await desk.order(stage=Stage.HANDED_OFF)
    confirmed = Entry(seq=5, at=now(), event=Event.CONFIRMED, revision=1)
    await desk.gateway.ledger.write(Journal(ref=order.ref, stage=Stage.HANDED_OFF, revision=1, entries=(confirmed,)))
    changed = an_order("1001", order.trigger_at, quantity=9)
    await stored(desk.gateway, changed, 2, Stage.HANDED_OFF)
    standing = desk.orders.standing[order.ref]
    update = {"revision": 2, "confirmed_revision": 2, "content_hash": changed.content_hash}
    desk.orders.standing[order.ref] = standing.model_copy(update=update)
    browser = await desk.logged_in()
    old = words(await browser.get("/board/sheet/demo/1001?revision=1"))
    assert "Superseded by revision 2" in old
    assert "Accept" not in old
    new = words(await browser.get("/board/sheet/demo/1001"))
    assert "Superseded" not in new
    assert changed.content_hash in new
    for bad in ("3", "x", "-1", "999999999"):
        assert (await browser.get(f"/board/sheet/demo/1001?revision={bad}")).status_code in (404, 409)


async def test_what_is_not_confirmed_has_no_sheet(desk: World) -> None:
    await desk.order()
    answer = await (await desk.logged_in()).get("/board/sheet/demo/1001")
    assert answer.status_code == 409
    assert "Nothing of it is confirmed yet" in words(answer)


async def test_what_is_looked_for_stands_in_no_address(desk: World) -> None:
    await desk.order()
    browser = await desk.logged_in()
    found = await browser.finds("ada@example.com")
    assert "1001" in words(found)
    assert "ada" not in str(found.request.url)
    assert (await browser.get("/board/find?q=ada@example.com")).headers["location"] == "/board"
