"""The stories. Each is told in one sentence, and checks that it went so."""

import asyncio
from datetime import UTC, datetime, timedelta

from orderack.contracts.journal import Event, Stage
from orderack.contracts.queries import OrderStatus
from orderack.contracts.updates import ReviewVerdict
from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import Grade
from orderack.domain.order import Order
from orderack.domain.response import Outcome
from orderack.embedded.demo.chats import CHAT_STORIES
from orderack.embedded.demo.driver import Driver, told
from orderack.embedded.demo.orders import an_order, with_quantity
from orderack.embedded.demo.proofs import Proved
from orderack.embedded.demo.story import Story, check

SOON = 12.0
"""Seconds after which somebody may open a mail and be taken for a person (`orderack.touches`: ten, and some room)."""


async def straight_through(driver: Driver, order: Order) -> None:
    await driver.hand_in(order)
    await driver.confirmed(order.ref)
    await driver.accept(order.ref)
    await driver.until(order.ref, lambda s: s.work_may_begin, "have its delivery reported")
    await driver.reads(order.ref, "person", "opens", after=SOON)


async def erp_late(driver: Driver, order: Order) -> None:
    await driver.fault("erp", "lose", order.number, times=None)
    await driver.hand_in(order)

    def two_updates(status: OrderStatus) -> bool:
        return [m.kind for m in told(status)].count(Kind.UPDATE) >= 2

    status = await driver.until(order.ref, two_updates, "send its second update", within=240)
    check(status.escalated and status.owner is not None, "it is not escalated to an owner")
    await driver.erp_books(order)
    await driver.confirmed(order.ref)
    status = await driver.until(order.ref, lambda s: not s.escalated, "be de-escalated")
    await driver.accept(order.ref)


async def high_value(driver: Driver, order: Order) -> None:
    await driver.fault("slack", "refuse", order.number, times=None)
    await driver.hand_in(order)
    status = await driver.until(order.ref, lambda s: s.stage is Stage.REVIEW, "go to review")
    check(not told(status), "something was said to the buyer before a person looked")
    await driver.posted(order.ref, "google_chat")
    await driver.decide(order.ref, ReviewVerdict.APPROVE, note="known customer")
    await driver.confirmed(order.ref)
    await driver.accept(order.ref)
    await driver.reads(order.ref, "person", "accepts")


async def incomplete(driver: Driver, order: Order) -> None:
    await driver.hand_in(order.model_copy(update={"delivery_address": None}))
    await driver.until(order.ref, lambda s: s.stage is Stage.REVIEW, "go to review")
    await driver.decide(order.ref, ReviewVerdict.ASK, question="Where shall we send it?")
    await driver.until(order.ref, lambda s: any(m.kind is Kind.QUESTION for m in told(s)), "ask its question")
    await driver.decide(order.ref, ReviewVerdict.AMEND, order=order)
    await driver.confirmed(order.ref, revision=2)
    await driver.accept(order.ref)


async def refused_email(driver: Driver, order: Order) -> None:
    await driver.fault("sendgrid", "refuse", order.contacts.email or "", times=None)
    await driver.hand_in(order)
    status = await driver.confirmed(order.ref)
    check({m.channel for m in told(status)} == {"twilio_sms"}, "it did not go by SMS")
    await driver.accept(order.ref)
    await driver.until(order.ref, lambda s: s.work_may_begin, "have its delivery reported")
    await driver.replies(order.ref, "Yes")


async def cut_off(driver: Driver, order: Order) -> None:
    await driver.fault("sendgrid", "cut_off_after_accept", order.number, times=1)
    await driver.hand_in(order)
    await driver.until(order.ref, lambda s: any(m.kind is Kind.RECEIVED for m in told(s)), "settle its first send")
    await driver.confirmed(order.ref)
    posts = [post for post in await driver.posts(order.ref) if post.channel == "sendgrid"]
    check(len(posts) == 2, f"the buyer got {len(posts)} e-mails instead of 2")
    await driver.accept(order.ref)


async def backorder(driver: Driver, order: Order) -> None:
    later = (datetime.now(UTC) + timedelta(days=21)).date().isoformat()
    await driver.stock(order.lines[0].sku, "backordered", later)
    await driver.hand_in(order)
    status = await driver.confirmed(order.ref)
    outcomes = {answer.outcome for answer in status.answers}
    check(outcomes == {Outcome.BACKORDER, Outcome.ACCEPT}, f"its lines were answered {outcomes}")
    await driver.accept(order.ref)
    await driver.reads(order.ref, "person", "asks", fill={"text": "Can the lanterns come first?"})
    await driver.answer(order.ref, "Yes: they leave on the day they come in.")
    await driver.until(order.ref, lambda s: any(m.kind is Kind.ANSWER for m in told(s)), "send the answer")


async def changed(driver: Driver, order: Order) -> None:
    await driver.hand_in(order)
    await driver.confirmed(order.ref)
    await driver.until(order.ref, lambda s: s.stage is Stage.HANDED_OFF, "be handed off")
    await driver.hand_in(with_quantity(order, 5))
    await driver.confirmed(order.ref, revision=2)
    status = await driver.until(order.ref, lambda s: s.stage is Stage.HANDED_OFF, "be handed off again")
    check(not status.work_may_begin, "the first confirmation's evidence counted for the second")
    await driver.accept(order.ref)
    await driver.affirm(order.ref, 2)
    await driver.until(order.ref, lambda s: s.work_may_begin, "be affirmed")


async def cancelled(driver: Driver, order: Order) -> None:
    await driver.fault("erp", "fail", order.number, times=None)
    await driver.hand_in(order)
    await driver.until(order.ref, lambda s: any(m.kind is Kind.RECEIVED for m in told(s)), "be acknowledged")
    await driver.cancel(order.ref, "ordered by mistake")
    await driver.until(order.ref, lambda s: any(m.kind is Kind.CANCELLATION for m in told(s)), "say so")
    await driver.erp_books(order)
    await driver.seen(order.ref, Event.ERP_CANCELLED)


async def receipt_first(driver: Driver, order: Order) -> None:
    await driver.erp_books(order)
    await driver.until(order.ref, lambda s: s.stage is Stage.AWAITING_ORDER, "wait for its order")
    await asyncio.sleep(0.5)
    await driver.hand_in(order.model_copy(update={"trigger_at": datetime.now(UTC)}))
    await driver.confirmed(order.ref)
    await driver.accept(order.ref)


async def affirmed(driver: Driver, order: Order) -> None:
    await driver.hand_in(order)
    await driver.confirmed(order.ref)
    await driver.affirm(order.ref, 1)
    await driver.accept(order.ref)


async def declined(driver: Driver, order: Order) -> None:
    await driver.hand_in(order)
    await driver.confirmed(order.ref)
    await driver.until(order.ref, lambda s: s.stage is Stage.HANDED_OFF, "be handed off")
    words = {"line-1": "accept", "line-2": "decline", "note": "No rope, please"}
    await driver.reads(order.ref, "person", "declines", fill=words)
    status = await driver.confirmed(order.ref, revision=2)
    check(len(status.answers) == 1, f"revision 2 has {len(status.answers)} lines instead of 1")
    await driver.accept(order.ref)


async def machines_only(driver: Driver, order: Order) -> None:
    await driver.fault("sendgrid", "no_webhook", order.number, times=None)
    await driver.hand_in(order)
    await driver.confirmed(order.ref)
    for machine in ("apple_mail", "safe_links", "scanner"):
        await driver.reads(order.ref, machine)
    await driver.accept(order.ref)
    status = await driver.until(order.ref, machines, "have its touches graded")
    check(not status.work_may_begin, "work may begin, and no person is known to have got it")


def machines(status: OrderStatus) -> bool:
    return any(a.kind is Kind.CONFIRMATION and a.grade is Grade.M for a in status.acknowledgements)


def plain(number: str, place: int) -> Order:
    return an_order(number, place)


STORIES = (
    Story(
        "straight through",
        "booked within seconds, confirmed, handed off, accepted; the mail is opened",
        plain,
        straight_through,
        (Kind.RECEIVED, Kind.CONFIRMATION),
        (Proved(Grade.E3P),),
    ),
    Story(
        "ERP late",
        "holding at 15 minutes, escalated, two updates, then confirmed",
        plain,
        erp_late,
        (Kind.RECEIVED, Kind.HOLDING, Kind.UPDATE, Kind.UPDATE, Kind.CONFIRMATION),
    ),
    Story(
        "high value",
        "Slack refuses, so Google Chat calls a person, who approves; the buyer agrees to every line",
        lambda number, place: an_order(number, place, sku="EXPEDITION-KIT", price="2900.00"),
        high_value,
        (Kind.CONFIRMATION,),
        (Proved(Grade.E5, assented=True),),
    ),
    Story(
        "incomplete",
        "no address: asked, amended, confirmed as revision 2",
        plain,
        incomplete,
        (Kind.QUESTION, Kind.CONFIRMATION),
        (Proved(Grade.E2, revision=2),),
    ),
    Story(
        "e-mail refused",
        "told by SMS instead, and affirmed by answering it",
        plain,
        refused_email,
        (Kind.RECEIVED, Kind.CONFIRMATION),
        (Proved(Grade.E2, kind=Kind.RECEIVED), Proved(Grade.E5)),
    ),
    Story(
        "cut off after accept",
        "the provider took it and hung up: settled by its echo, no second message",
        plain,
        cut_off,
        (Kind.RECEIVED, Kind.CONFIRMATION),
    ),
    Story(
        "backorder told first",
        "the first message says what is not in stock; the buyer asks, and is answered",
        lambda number, place: an_order(number, place, source="portal", sku="LANTERN"),
        backorder,
        (Kind.CONFIRMATION, Kind.ANSWER),
        (Proved(Grade.E4),),
    ),
    Story(
        "changed after confirmation",
        "revision 2 has its own confirmation, shows the difference, and is affirmed",
        plain,
        changed,
        (Kind.RECEIVED, Kind.CONFIRMATION, Kind.CHANGE_RECEIVED, Kind.CONFIRMATION),
        (Proved(Grade.E2), Proved(Grade.E5, revision=2)),
    ),
    Story(
        "cancelled before the ERP knew",
        "the cancellation wins, and the ERP is told when the order lands",
        plain,
        cancelled,
        (Kind.RECEIVED, Kind.CANCELLATION),
        (Proved(Grade.E2, kind=Kind.CANCELLATION),),
    ),
    Story(
        "ERP receipt before the order",
        "the receipt waits for its order; one message, the confirmation, by SMS",
        lambda number, place: an_order(number, place, source="phone"),
        receipt_first,
        (Kind.CONFIRMATION,),
    ),
    Story(
        "affirmed by the buyer",
        "delivered, then affirmed on the buyer's page",
        plain,
        affirmed,
        (Kind.RECEIVED, Kind.CONFIRMATION),
        (Proved(Grade.E5),),
    ),
    Story(
        "declined in part",
        "the buyer declines a line on the page: revision 2 is without it, confirmed anew",
        plain,
        declined,
        (Kind.RECEIVED, Kind.CONFIRMATION, Kind.CHANGE_RECEIVED, Kind.CONFIRMATION),
        (Proved(Grade.E5, assented=False), Proved(Grade.E2, revision=2)),
    ),
    Story(
        "touched by machines only",
        "no delivery report; a mail proxy and two scanners fetch everything: nothing is proved, work waits",
        plain,
        machines_only,
        (Kind.RECEIVED, Kind.CONFIRMATION),
        (Proved(Grade.M),),
    ),
    *CHAT_STORIES,
)
