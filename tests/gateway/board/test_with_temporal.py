"""The board, the real door, a real server, the real workflow and a real ledger: what people do stands in the record."""

from collections.abc import AsyncIterator
from dataclasses import replace

import pytest_asyncio
from sqlalchemy import text

from orderack.contracts.journal import Event, Stage
from orderack.contracts.queries import OrderStatus
from orderack.contracts.updates import ChangeRequest
from orderack.domain.assessment import Route
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from orderack.domain.order import Order, OrderRef
from orderack.temporal.orders import Orders
from tests.gateway.board.board_world import World, a_world, words
from tests.gateway.board.test_sheet import an_order_with_everything
from tests.gateway.conftest import Gateway
from tests.gateway.page_world import stored
from tests.temporal.server import now
from tests.temporal.test_orders import until
from tests.workflows.orders import HIGH_VALUE, INCOMPLETE, a_decision, a_receipt, an_assessment, an_order
from tests.workflows.world import World as Scripted
from tests.workflows.world import a_number


@pytest_asyncio.fixture
async def live(gateway: Gateway, real_orders: Orders) -> AsyncIterator[World]:
    made = a_world(gateway)
    board = replace(made.board, orders=real_orders)
    board.feed.orders = real_orders
    yield World(replace(made.gateway, parts=replace(made.gateway.parts, board=board)), made.orders, board)
    await board.feed.aclose()


async def in_audit(live: World, ref: OrderRef) -> list[tuple[str, str | None]]:
    """The chain's own rows of the timeline: what was done, and by whom; each vouched for by the chain."""
    assert await live.gateway.ledger.verify_chain(ref) == []
    query = text(
        "SELECT t.event, t.owner FROM audit a JOIN timeline t ON a.store = t.store AND a.number = t.number "
        "AND a.subject_id = CAST(t.seq AS TEXT) WHERE a.subject = 'entry' AND a.number = :number ORDER BY a.position"
    )
    async with live.gateway.ledger._database.read() as session:
        return [(event, owner) for event, owner in await session.execute(query, {"number": ref.number})]


async def reviewed(live: World, world: Scripted, orders: Orders) -> Order:
    """An order that a person has to look at."""
    order, flags = an_order(a_number(), now()), (HIGH_VALUE,)
    decision = a_decision(route=Route.REVIEW, withhold=True)
    world.script(order.number).assess = lambda asked: an_assessment(asked.order, asked.revision, decision, flags)
    await stored(live.gateway, order, stage=Stage.REVIEW)
    await orders.submit(order)
    await until(lambda: orders.status(order.ref), lambda status: status.stage is Stage.REVIEW)
    return order


async def test_a_review_taken_and_approved_stands_in_the_audit_chain_by_name(
    live: World, real_orders: Orders, world: Scripted
) -> None:
    order = await reviewed(live, world, real_orders)
    browser = await live.logged_in()
    page = f"/board/order/demo/{order.number}"
    await browser.get(page)
    taken = await browser.acts("/board/claim", "Take the review", order=f"review|order/demo/{order.number}")
    assert await browser.said(taken) == "✓ Ada owns the review."
    assert (Event.CLAIMED, "ada") in await in_audit(live, order.ref)

    answer = await browser.acts(f"/board/decide/demo/{order.number}", verdict="approve")
    assert (await browser.said(answer)).startswith("✓ Approved")
    assert (Event.REVIEW_DECIDED, "ada") in await in_audit(live, order.ref)
    assert (await real_orders.status(order.ref)).stage is not Stage.REVIEW
    assert "by ada" in words(await browser.get(page))


async def test_an_approval_pressed_twice_is_decided_once(live: World, real_orders: Orders, world: Scripted) -> None:
    order = await reviewed(live, world, real_orders)
    browser = await live.logged_in()
    await browser.get(f"/board/order/demo/{order.number}")
    decide = f"/board/decide/demo/{order.number}"
    form = browser.form(decide) | {"verdict": "approve"}
    said = [await browser.said(await browser.post(decide, **form)) for _ in range(2)]
    assert said[0] == said[1]
    assert said[0].startswith("✓ Approved")
    told = await real_orders.timeline(order.ref)
    assert [entry.event for entry in told.entries].count(Event.REVIEW_DECIDED) == 1


async def test_an_incomplete_order_cannot_be_approved_and_the_page_says_why(
    live: World, real_orders: Orders, world: Scripted
) -> None:
    order = an_order(a_number(), now())
    decision = a_decision(route=Route.REVIEW, withhold=True)
    world.script(order.number).assess = lambda asked: an_assessment(
        asked.order, asked.revision, decision, (INCOMPLETE,) if asked.revision == 1 else ()
    )
    await stored(live.gateway, order, stage=Stage.REVIEW)
    await real_orders.submit(order)
    await until(lambda: real_orders.status(order.ref), lambda status: status.stage is Stage.REVIEW)
    browser = await live.logged_in()
    await browser.get(f"/board/order/demo/{order.number}")
    decide = f"/board/decide/demo/{order.number}"
    said = await browser.said(await browser.acts(decide, verdict="approve"))
    assert said.startswith("✕")
    assert "incomplete" in said
    amended = await browser.acts(decide, 'name="quantity-1"', verdict="amend", **{"quantity-1": "3"})
    assert "revision 2 is being checked" in await browser.said(amended)
    assert (await real_orders.status(order.ref)).revision == 2


async def test_a_handoff_claimed_and_accepted_stands_in_the_audit_chain_at_once(
    live: World, real_orders: Orders, world: Scripted
) -> None:
    order = an_order(a_number(), now())
    await stored(live.gateway, order, stage=Stage.HANDED_OFF)
    await real_orders.submit(order)
    await real_orders.receipt(a_receipt(order, now()))
    await until(lambda: real_orders.status(order.ref), lambda status: bool(status.acknowledgements))
    await until(lambda: real_orders.status(order.ref), lambda status: status.confirmed_revision == 1)
    for fact in delivered(await real_orders.status(order.ref)):
        await real_orders.evidence(order.ref, fact)
    await until(lambda: real_orders.status(order.ref), lambda status: status.stage is Stage.HANDED_OFF)
    browser = await live.logged_in()
    sheet = f"/board/sheet/demo/{order.number}"
    assert order.content_hash in (await browser.get(sheet)).text
    claimed = await browser.acts("/board/claim", order=f"handoff|order/demo/{order.number}")
    assert await browser.said(claimed) == "✓ Ada owns the handoff."
    await browser.get(sheet)
    accepted = await browser.acts(f"/board/accept/demo/{order.number}")
    assert (await browser.said(accepted)).startswith("✓ Accepted")
    audit = await in_audit(live, order.ref)
    assert {(Event.CLAIMED, "ada"), (Event.HANDOFF_ACCEPTED, "ada")} <= set(audit)
    assert "Accepted by ada" in words(await browser.get(sheet))


def delivered(status: OrderStatus) -> list[EvidenceFact]:
    """The provider's word for each message that is out."""
    return [
        EvidenceFact(
            id=f"d-{status.ref.number}-{said.kind}",
            event=EvidenceEvent.DELIVERED,
            grade=Grade.E2,
            channel=send.channel,
            revision=said.revision,
            kind=said.kind,
            occurred_at=now(),
            basis="email:delivered",
        )
        for said in status.acknowledgements
        for send in said.sends
    ]


async def test_the_sheet_that_was_open_when_a_change_came_accepts_nothing_and_the_new_one_does(
    live: World, real_orders: Orders, world: Scripted
) -> None:
    order = an_order_with_everything(a_number(), quantity=3)
    await stored(live.gateway, order, 1, Stage.HANDED_OFF)
    await real_orders.submit(order)
    await real_orders.receipt(a_receipt(order, now()))
    await until(lambda: real_orders.status(order.ref), lambda status: status.stage is Stage.HANDED_OFF)
    browser = await live.logged_in()
    sheet, accept = f"/board/sheet/demo/{order.number}", f"/board/accept/demo/{order.number}"
    await browser.get(sheet)
    old_form = browser.form(accept)
    assert old_form["content_hash"] == order.content_hash

    new = an_order_with_everything(order.number, quantity=500)
    assert (await real_orders.change(order.ref, ChangeRequest(id="c1", order=new))).accepted
    await stored(live.gateway, new, 2, Stage.ASSESSING)
    assert "Frozen: a change (revision 2) is being checked" in words(await browser.get(sheet))
    frozen = await browser.said(await browser.post(accept, **old_form))
    assert frozen.startswith("✕")
    await until(lambda: real_orders.status(order.ref), lambda status: status.stage is Stage.AWAITING_ERP)
    await real_orders.receipt(a_receipt(new, now(), id="R2", revision=2))
    await until(lambda: real_orders.status(order.ref), lambda status: status.stage is Stage.HANDED_OFF)

    stale = {**old_form, "form": f"{old_form['form'][:-4]}again"[-60:]}
    assert (await browser.said(await browser.post(accept, **stale))).startswith("✕ Accept revision 2")
    shown = words(await browser.get(sheet))
    assert new.content_hash in shown
    assert "503 kg" not in words(await browser.get(f"{sheet}?revision=1"))
    await browser.get(sheet)
    assert (await browser.said(await browser.acts(accept))).startswith("✓ Accepted")
    status = await real_orders.status(order.ref)
    assert (status.handoff_accepted_by, status.revision) == ("ada", 2)
