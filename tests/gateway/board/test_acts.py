"""What people do on the board reaches the order once, in their name, and is said in words."""

import asyncio
from datetime import timedelta
from decimal import Decimal

import pytest

from orderack.contracts.journal import Entry, Event, Journal, Stage
from orderack.contracts.queries import AcknowledgementStatus, QuestionStatus, SendStatus, Timeline
from orderack.contracts.updates import ReviewVerdict, SettleVerdict
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.order import Order
from orderack.errors import InvalidInput
from orderack.gateway.board.amend import amended
from tests.gateway.board.board_world import ADA, BOSS, Browser, World, words
from tests.gateway.board.test_record import sent
from tests.temporal.server import now
from tests.workflows.orders import an_order

PAGE, DECIDE = "/board/order/demo/1001", "/board/decide/demo/1001"


async def opened(desk: World, key: str = ADA) -> Browser:
    browser = await desk.logged_in(key)
    await browser.get(PAGE)
    return browser


async def test_an_approval_is_one_decision_in_ones_own_name(desk: World) -> None:
    await desk.order()
    browser = await opened(desk)
    answer = await browser.acts(DECIDE, verdict="approve")
    assert await browser.said(answer) == "✓ As it was asked."
    (decision,) = desk.orders.decisions
    assert (decision.verdict, decision.by) == (ReviewVerdict.APPROVE, "ada")
    assert decision.id.startswith("board/")
    assert "As it was asked" not in words(await browser.get(PAGE)), "it is said once"


async def test_a_form_pressed_twice_asks_the_order_with_one_id(desk: World) -> None:
    await desk.order()
    browser = await opened(desk)
    form = browser.form(DECIDE) | {"verdict": "approve"}
    both = await asyncio.gather(browser.post(DECIDE, **form), browser.post(DECIDE, **form))
    assert [answer.status_code for answer in both] == [303, 303]
    assert len({decision.id for decision in desk.orders.decisions}) == 1


async def test_other_words_in_the_same_form_are_another_act(desk: World) -> None:
    await desk.order()
    browser = await opened(desk)
    form = browser.form(DECIDE, 'name="question"') | {"verdict": "ask"}
    for question in ("Which colour?", "Which size?"):
        await browser.post(DECIDE, **form | {"question": question})
    assert [decision.question for decision in desk.orders.decisions] == ["Which colour?", "Which size?"]
    assert len({decision.id for decision in desk.orders.decisions}) == 2


async def test_the_same_form_of_two_people_is_two_acts(desk: World) -> None:
    await desk.order()
    ada, boss = await opened(desk), await opened(desk, BOSS)
    same = ada.form(DECIDE) | {"verdict": "approve"}
    await ada.post(DECIDE, **same)
    await boss.post(DECIDE, **same | {"csrf": boss.form(DECIDE)["csrf"]})
    assert len({decision.id for decision in desk.orders.decisions}) == 2


async def test_a_question_goes_word_for_word_and_is_never_cut(desk: World) -> None:
    await desk.order()
    browser = await opened(desk)
    text = "Which of <b>both</b> & why?\nPlease."
    await browser.acts(DECIDE, 'name="question"', verdict="ask", question=text)
    assert desk.orders.decisions[0].question == text
    too_long = await browser.acts(DECIDE, 'name="question"', verdict="ask", question="x" * 2_001)
    assert too_long.status_code == 422
    assert len(desk.orders.decisions) == 1


async def test_a_rejection_takes_its_reason_along(desk: World) -> None:
    await desk.order()
    browser = await opened(desk)
    await browser.acts(DECIDE, 'id="reason"', verdict="reject", note="We do not deliver there.")
    decision = desk.orders.decisions[0]
    assert (decision.verdict, decision.note) == (ReviewVerdict.REJECT, "We do not deliver there.")


async def test_an_amendment_is_the_whole_order_as_the_form_has_it(desk: World) -> None:
    order = await desk.order()
    browser = await opened(desk)
    answer = await browser.acts(DECIDE, 'name="quantity-1"', verdict="amend", **{"quantity-1": "5", "drop-2": "on"})
    assert answer.status_code == 303
    amended_order = desk.orders.decisions[0].order
    assert amended_order
    assert [(line.sku, line.quantity) for line in amended_order.lines] == [("TEA", Decimal(5))]
    assert amended_order.totals.total == Decimal("49.50")
    assert amended_order.contacts == order.contacts
    assert amended_order.delivery_address == order.delivery_address


async def test_an_amendment_that_no_order_may_be_is_refused_with_what_was_typed(desk: World) -> None:
    await desk.order()
    browser = await opened(desk)
    answer = await browser.acts(DECIDE, 'name="quantity-1"', verdict="amend", **{"quantity-1": "many", "total": "1e9"})
    assert answer.status_code == 422
    assert 'value="many"' in answer.text
    assert "quantity of line 1 is not a number" in words(answer)
    assert desk.orders.decisions == []


async def test_what_changed_since_the_page_was_opened_is_not_decided(desk: World) -> None:
    order = await desk.order()
    browser = await opened(desk)
    form = browser.form(DECIDE) | {"verdict": "approve"}
    desk.orders.standing[order.ref] = desk.orders.standing[order.ref].model_copy(update={"revision": 2})
    answer = await browser.post(DECIDE, **form)
    assert answer.status_code == 409
    assert "has changed since you opened it" in words(answer)
    assert desk.orders.decisions == []


async def test_an_amendment_pressed_twice_says_the_same_twice(desk: World) -> None:
    order = await desk.order()
    browser = await opened(desk)
    form = browser.form(DECIDE, 'name="quantity-1"') | {"verdict": "amend", "quantity-1": "5"}
    first = await browser.post(DECIDE, **form)
    desk.orders.standing[order.ref] = desk.orders.standing[order.ref].model_copy(update={"revision": 2})
    second = await browser.post(DECIDE, **form)
    assert (first.status_code, second.status_code) == (303, 303)
    assert len(desk.orders.decisions) == 1


async def test_what_the_order_refuses_is_said_as_refused(desk: World) -> None:
    await desk.order()
    desk.orders.grants = False
    browser = await opened(desk)
    assert await browser.said(await browser.acts(DECIDE, verdict="approve")) == "✕ As it was asked."


async def test_a_closed_order_says_so(desk: World) -> None:
    await desk.order()
    browser = await opened(desk)
    desk.orders.closed = True
    answer = await browser.acts(DECIDE, verdict="approve")
    assert answer.status_code == 409
    assert "closed" in words(answer)


async def test_an_answer_that_never_came_can_be_pressed_again_as_the_same_act(desk: World) -> None:
    await desk.order()
    browser = await opened(desk)
    accept = "/board/claim"
    form = browser.form(accept) | {"order": "review|order/demo/1001"}
    desk.orders.away = True
    answer = await browser.post(accept, **form)
    assert answer.status_code == 503
    assert "it is done once" in words(answer)
    desk.orders.away = False
    browser.shown = answer
    again = browser.form(accept)
    assert again["form"] == form["form"]
    assert (await browser.post(accept, **again)).status_code == 303
    assert [claim.by for claim in desk.orders.claims] == ["ada"]


async def test_claims_are_made_from_the_board_too(desk: World) -> None:
    await desk.order("A/1 ü", Stage.HANDED_OFF)
    browser = await desk.logged_in()
    await browser.get("/board")
    answer = await browser.acts("/board/claim", order="handoff|order/demo/A%2F1%20%C3%BC")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/board/order/demo/A%2F1%20%C3%BC"
    assert (desk.orders.claims[0].target, desk.orders.claims[0].by) == ("handoff", "ada")
    assert (await browser.get(answer.headers["location"])).status_code == 200


@pytest.mark.parametrize(
    "order", ["", "handoff", "handoff|", "gift|order/demo/1", "handoff|o/demo/1", "handoff|order/x"]
)
async def test_a_claim_of_nothing_is_refused(order: str, desk: World) -> None:
    browser = await desk.logged_in()
    await browser.get("/board")
    assert (await browser.acts("/board/claim", order=order)).status_code == 404
    assert desk.orders.claims == []


async def test_a_handoff_is_accepted_by_the_hash_on_the_sheet(desk: World) -> None:
    order = await desk.order(stage=Stage.HANDED_OFF)
    browser = await desk.logged_in()
    sheet = await browser.get("/board/sheet/demo/1001")
    assert order.content_hash in sheet.text
    await browser.acts("/board/accept/demo/1001")
    (accepted,) = desk.orders.acceptances
    assert (accepted.revision, accepted.content_hash, accepted.by) == (1, order.content_hash, "ada")


async def test_a_buyers_question_is_answered_word_for_word(desk: World) -> None:
    order = await desk.order(stage=Stage.HANDED_OFF)
    question = QuestionStatus(id="q-1", at=now(), revision=1, via="portal", text="Is it <i>oiled</i>?")
    standing = desk.orders.standing[order.ref]
    desk.orders.standing[order.ref] = standing.model_copy(update={"questions": (question,)})
    browser = await opened(desk)
    assert browser.shown
    assert "Is it &lt;i&gt;oiled&lt;/i&gt;?" in browser.shown.text
    await browser.acts("/board/answer/demo/1001", text="Yes, with linseed oil.")
    (answer,) = desk.orders.answers
    assert (answer.question, answer.text, answer.by) == ("q-1", "Yes, with linseed oil.", "ada")


async def test_only_an_admin_settles_a_send_in_doubt(desk: World) -> None:
    order = await desk.order(stage=Stage.HANDED_OFF)
    standing = desk.orders.standing[order.ref]
    desk.orders.standing[order.ref] = standing.model_copy(
        update={"unknown_sends": ("demo/1001/1/confirmation/1/email",)}
    )
    ada = await opened(desk)
    assert ada.shown
    assert "An admin settles it" in ada.shown.text
    boss = await opened(desk, BOSS)
    await boss.acts("/board/settle/demo/1001", verdict="not_sent", note="asked the provider")
    (settled,) = desk.orders.settled
    assert (settled.verdict, settled.by) == (SettleVerdict.NOT_SENT, "boss")


async def test_a_send_in_doubt_says_when_it_is_said_again_by_itself(desk: World) -> None:
    order = await desk.order(stage=Stage.HANDED_OFF)
    key, due_at = "demo/1001/1/update/1/email", now() + timedelta(minutes=1)
    doubtful = SendStatus(key=key, channel="email", state=SendState.UNKNOWN, repeat_due_at=due_at)
    said = AcknowledgementStatus(kind=Kind.UPDATE, revision=1, n=1, decided_at=now(), sends=(doubtful,))
    standing = desk.orders.standing[order.ref]
    desk.orders.standing[order.ref] = standing.model_copy(update={"unknown_sends": (key,), "acknowledgements": (said,)})
    shown = (await opened(desk, BOSS)).shown
    assert shown
    assert "It is said again <time" in shown.text
    assert 'value="send_again"' in shown.text, "a person's word that comes first wins"
    await sent(desk.gateway.ledger, order.ref, SendState.UNKNOWN)
    note = "update 1 by email: cut off"
    entry = Entry(seq=9, at=now(), event=Event.SEND_UNKNOWN, revision=1, note=note, due_at=due_at)
    await desk.gateway.ledger.write(Journal(ref=order.ref, stage=Stage.HANDED_OFF, revision=1, entries=(entry,)))
    page = words(await (await desk.logged_in()).get("/board"))
    assert "may or may not have gone out, since just now; said again" in page
    assert "0 sends in doubt, questions" in page, "nobody is wanted for it yet"


async def test_the_buyers_page_opens_as_the_store_sees_it_and_cannot_act(desk: World) -> None:
    order = await desk.order(stage=Stage.HANDED_OFF)
    browser = await opened(desk)
    answer = await browser.acts("/board/buyers-page/demo/1001")
    assert answer.status_code == 303
    token = answer.headers["location"].rpartition("/")[2]
    link = desk.board.links.read(token)
    assert (link.ref, link.role) == (order.ref, "store")
    assert (await browser.post(f"/o/{token}/affirm", revision="1")).status_code == 404


async def test_what_was_done_is_in_the_record_at_once_and_once(desk: World) -> None:
    order = await desk.order()
    decided = Entry(seq=2, at=now(), event=Event.REVIEW_DECIDED, revision=1, note="approve", owner="ada")
    desk.orders.timelines[order.ref] = Timeline(ref=order.ref, entries=(decided,))
    browser = await opened(desk)
    await browser.acts(DECIDE, verdict="approve")
    await browser.acts(DECIDE, verdict="approve")
    written = await desk.gateway.ledger.entries(order.ref)
    assert [(entry.seq, entry.owner) for entry in written] == [(1, "desk"), (2, "ada")]
    assert await desk.gateway.ledger.verify_chain(order.ref) == []
    desk.board.feed.fresh()
    await asyncio.sleep(0.3)
    assert not (await desk.gateway.ledger.board(["demo"], now())).flagged


# -- amendments, as pure values ------------------------------------------------------------------------------


def of_form(order: Order, **fields: str) -> Order:
    return amended(order, {name.replace("_", "-"): value for name, value in fields.items()})


def test_a_form_as_it_was_shown_changes_nothing() -> None:
    order = an_order("1", now()).model_copy(update={"instructions": "ring\ntwice"})
    shown = {"instructions": "ring\r\ntwice", "email": "ada@example.com", "total": "39.80", "quantity-1": "2"}
    assert amended(order, shown).content_hash == order.content_hash


def test_another_price_moves_the_total_and_a_written_total_goes_first() -> None:
    order = an_order("1", now())
    assert of_form(order, price_1="10.90").totals.total == order.totals.total + 2
    assert of_form(order, price_1="10.90", total="41.00").totals.total == Decimal("41.00")


def test_a_missing_contact_and_address_can_be_filled_in() -> None:
    order = an_order("1", now())
    bare = order.model_copy(update={"delivery_address": None})
    whole = of_form(bare, street="1 High Street", city="London", country="GB", phone="+4420")
    assert whole.delivery_address
    assert (whole.delivery_address.street, whole.contacts.phone) == ("1 High Street", "+4420")


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("quantity-1", "-1"),
        ("quantity-1", "1e3"),
        ("price-1", "NaN"),
        ("price-1", ""),
        ("total", "1,50"),
        ("country", "XYZ"),
    ],
)
def test_what_is_no_number_or_no_country_is_named(field: str, value: str) -> None:
    with pytest.raises(InvalidInput):
        amended(an_order("1", now()), {field: value})
