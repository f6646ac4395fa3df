"""Orders of every shape, told once to be recorded: each must replay on every later version of the workflow."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta

from orderack.contracts.activities import ErpAnswer, ErpSubmission
from orderack.contracts.updates import (
    AcceptHandoff,
    Answer,
    BuyerQuestion,
    CancelRequest,
    ChangeRequest,
    Claim,
    ClaimTarget,
    HandoffReply,
    PaymentChanged,
    Reply,
    ReviewVerdict,
    SettleSend,
    SettleVerdict,
)
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.assessment import Gate, ServiceLevels
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import PaymentStatus
from tests.replay.mended import MENDED
from tests.replay.steps import evidence, review
from tests.workflows.beginnings import begin, booked, changed, shadow
from tests.workflows.orders import HIGH_VALUE, HOUR, INCOMPLETE, MINUTE, a_decision, a_receipt, an_assessment, an_order
from tests.workflows.world import Story, World, a_number, receipt_first, submit

CLOSED_AFTER = timedelta(days=8)


async def erp_gated(world: World) -> Story:
    story = await begin(world, gate=Gate.ERP_GATED)
    await booked(story)
    await story.sleep(MINUTE)
    return story


async def ack_gated_to_its_close(world: World) -> Story:
    story = await begin(world)
    await booked(story)
    hand = AcceptHandoff(id="a1", revision=1, content_hash=story.order.content_hash, by="warehouse")
    await story.ask("accept_handoff", hand, HandoffReply)
    await evidence(story, EvidenceEvent.DELIVERED, Grade.E2)
    await evidence(story, EvidenceEvent.DISPLAYED, Grade.E3)
    await story.settle()
    await story.sleep(CLOSED_AFTER)
    await story.result()
    return story


async def received_within_the_minute(world: World) -> Story:
    story = await begin(world, gate=Gate.ERP_GATED)
    await story.sleep(MINUTE)
    await booked(story)
    return story


async def holding(world: World) -> Story:
    story = await begin(world)
    await story.sleep(MINUTE * 20)
    await booked(story)
    return story


async def escalated(world: World) -> Story:
    story = await begin(world)
    await story.sleep(HOUR * 7)
    await story.ask("claim", Claim(id="c", target=ClaimTarget.ESCALATION, by="bob"), Reply)
    await story.sleep(HOUR * 20)
    await booked(story)
    return story


async def approved(world: World) -> Story:
    story = await begin(world, flags=(HIGH_VALUE,), withhold=True)
    await story.sleep(MINUTE * 20)
    await story.ask("claim", Claim(id="c", target=ClaimTarget.REVIEW, by="ann"), Reply)
    await review(story, "r", ReviewVerdict.APPROVE)
    await booked(story)
    return story


async def asked_and_amended(world: World) -> Story:
    story = await begin(world, flags=(INCOMPLETE,), withhold=True)
    await review(story, "r0", ReviewVerdict.APPROVE)
    await review(story, "r1", ReviewVerdict.ASK, question="Where shall it go?")
    await review(story, "r2", ReviewVerdict.AMEND, order=changed(story.order))
    await booked(story, 2)
    return story


async def rejected(world: World) -> Story:
    story = await begin(world, flags=(HIGH_VALUE,))
    await story.settle()  # the test server leaks its clock's lock when a running activity is cancelled
    await review(story, "r", ReviewVerdict.REJECT, note="we don't deliver there")
    await story.sleep(CLOSED_AFTER)
    return story


async def review_overdue(world: World) -> Story:
    story = await begin(world, flags=(HIGH_VALUE,))
    await story.sleep(HOUR * 9)
    await review(story, "r", ReviewVerdict.APPROVE)
    return story


async def changed_after_confirmation(world: World) -> Story:
    story = await begin(world)
    await booked(story)
    await story.ask("change", ChangeRequest(id="c1", order=changed(story.order)), Reply)
    await story.settle()
    await booked(story, 2)
    await evidence(story, EvidenceEvent.AFFIRMED, Grade.E5)
    return story


async def cancelled_before_the_erp_knew(world: World) -> Story:
    story = await begin(world)
    await story.settle()
    story.script.cancel_answer = ErpAnswer.NOT_FOUND
    await story.ask("cancel", CancelRequest(id="x", reason="changed my mind"), Reply)
    await story.settle()
    story.script.cancel_answer = ErpAnswer.SUBMITTED
    await booked(story)
    return story


async def cancelled_after_confirmation(world: World) -> Story:
    story = await begin(world)
    await booked(story)
    await story.ask("cancel", CancelRequest(id="x", dispute=True), Reply)
    await story.settle()
    return story


async def receipt_before_the_order(world: World) -> Story:
    order = an_order(a_number(), await world.now())
    world.script(order.number).assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    await receipt_first(world, order, a_receipt(order, await world.now()))
    story = await submit(world, order)
    await story.settle()
    return story


async def partial_stock(world: World) -> Story:
    story = await begin(world, gate=Gate.ERP_GATED)
    await booked(story, l1="backordered")
    return story


async def stock_gone(world: World) -> Story:
    story = await begin(world)
    await booked(story, l1="unavailable")
    await review(story, "r", ReviewVerdict.APPROVE)
    return story


async def refused_by_the_erp(world: World) -> Story:
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    script.submit = lambda r: ErpSubmission(answer=ErpAnswer.REFUSED, reason="customer is blocked")
    story = await submit(world, order)
    await story.settle()
    script.submit = lambda r: ErpSubmission(answer=ErpAnswer.SUBMITTED)
    await review(story, "r", ReviewVerdict.APPROVE)
    return story


async def sent_by_its_fallback(world: World) -> Story:
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    script.send = lambda d, n: SendState.REJECTED if d.channel == "email" else SendState.ACCEPTED
    story = await submit(world, order)
    await booked(story)
    return story


async def in_doubt_then_settled(world: World) -> Story:
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision())
    script.send = lambda d, n: SendState.UNKNOWN
    story = await submit(world, order)
    await story.settle()
    await evidence(story, EvidenceEvent.DELIVERED, Grade.E2, Kind.RECEIVED)
    await booked(story)
    script.send = lambda d, n: SendState.ACCEPTED
    key = (await story.status()).unknown_sends[0]
    again = SettleSend(id="s", key=key, verdict=SettleVerdict.SEND_AGAIN, by="ann")
    await story.ask("settle_send", again, Reply)
    await story.settle()
    return story


async def in_doubt_and_said_again(world: World) -> Story:
    """The first word is said again, and so is the confirmation, in doubt both times; one of them is left in doubt."""
    order = an_order(a_number(), await world.now())
    script = world.script(order.number)
    words = {"received": "resend_marked", "confirmation": "resend_marked", "holding": "never"}
    script.assess = lambda r: an_assessment(r.order, r.revision, a_decision(on_doubt=words))
    script.send = lambda d, n: SendState.ACCEPTED if (d.kind, d.n) == ("received", 2) else SendState.UNKNOWN
    story = await submit(world, order)
    await story.settle()
    await story.sleep(MINUTE * 20)
    await booked(story)
    await story.sleep(MINUTE * 3)
    await evidence(story, EvidenceEvent.DELIVERED, Grade.E2)
    key = (await story.status()).unknown_sends[-1]
    await story.ask("settle_send", SettleSend(id="s", key=key, verdict=SettleVerdict.SENT, by="ann"), Reply)
    await story.settle()
    return story


async def continued_as_new(world: World) -> Story:
    story = await begin(world, can=25)
    await story.sleep(HOUR * 7)
    await booked(story)
    return story


async def malformed(world: World) -> Story:
    story = await begin(world)
    await story.handle.signal("erp_receipt", {"id": "R1"})
    await story.handle.signal("evidence", "not an object")
    await story.handle.signal("erp_receipt", args=["one", "two"])
    await story.handle.signal("no_such_signal", {"a": 1})
    await story.settle()
    await booked(story)
    return story


async def payment_flagged(world: World) -> Story:
    story = await begin(world)
    at = await world.now()
    flagged = PaymentChanged(id="p1", status=PaymentStatus.FLAGGED, occurred_at=at)
    await story.handle.signal("payment_changed", flagged)
    await story.settle()
    await review(story, "r", ReviewVerdict.APPROVE)
    await booked(story)
    return story


async def ledger_down(world: World) -> Story:
    order = an_order(a_number(), await world.now())
    script, calls = world.script(order.number), []

    def assess(request: object) -> object:
        calls.append(request)
        if len(calls) < 4:
            raise RuntimeError("the ledger is down")
        return an_assessment(order, 1, a_decision())

    script.assess = assess  # type: ignore[assignment]
    story = await submit(world, order)
    await story.sleep(MINUTE)
    return story


async def asked_and_answered(world: World) -> Story:
    story = await begin(world)
    await booked(story)
    for n in (1, 2):
        asked = BuyerQuestion(id=f"q{n}", revision=1, via="portal", text="Is it oiled?")
        await story.ask("ask", asked, Reply)
        await story.settle()
    await story.ask("answer", Answer(id="a1", question="q1", text="Yes, with linseed oil.", by="ann"), Reply)
    await story.ask("answer", Answer(id="a2", question="q1", text="Yes.", by="bob"), Reply)
    await story.settle()
    await story.ask("cancel", CancelRequest(id="x"), Reply)
    await story.settle()
    await story.ask("answer", Answer(id="a3", question="q2", text="It was.", by="ann"), Reply)
    await story.settle()
    return story


async def declined_then_assented(world: World) -> Story:
    story = await begin(world)
    await booked(story)
    await evidence(story, EvidenceEvent.DELIVERED, Grade.E2)
    for event in (EvidenceEvent.DECLINED, EvidenceEvent.REPLIED, EvidenceEvent.DISPUTED, EvidenceEvent.ASSENTED):
        await evidence(story, event, Grade.E5)
        await story.sleep(MINUTE)
    return story


async def evidence_missing(world: World) -> Story:
    legs = (("email", "sms", "letter"), ("portal",))
    story = await begin(world, legs=legs, levels=ServiceLevels(evidence_within=HOUR))
    await booked(story)
    await evidence(story, EvidenceEvent.MACHINE_TOUCH, Grade.M)
    await story.sleep(HOUR * 1.5)
    await evidence(story, EvidenceEvent.DELIVERED, Grade.E2)
    await story.sleep(HOUR * 3)
    return story


async def in_the_shadow(world: World) -> Story:
    """A shadow order through all that it can meet: a person, a change, a cancellation, and its close."""
    story = await shadow(world, flags=(HIGH_VALUE,), invoice=True)
    await review(story, "d1", ReviewVerdict.APPROVE)
    await booked(story)
    change = ChangeRequest(id="c1", by="web", order=changed(story.order))
    await story.ask("change", change, Reply)
    await story.sleep(HOUR * 3)
    await booked(story, revision=2)
    await story.ask("cancel", CancelRequest(id="x1", reason="off"), Reply)
    await story.sleep(CLOSED_AFTER)
    await story.result()
    return story


async def team_told(world: World) -> Story:
    """A team that is told: it takes the work, is stopped by a change, has the new revision, and then it is all off."""
    story = await begin(world, tell=True)
    await booked(story)
    hand = AcceptHandoff(id="a1", revision=1, content_hash=story.order.content_hash, by="grace")
    await story.ask("accept_handoff", hand, HandoffReply)
    await evidence(story, EvidenceEvent.DELIVERED, Grade.E2)
    await story.settle()
    await story.ask("change", ChangeRequest(id="c1", order=changed(story.order)), Reply)
    await story.settle()
    await booked(story, 2)
    await story.sleep(MINUTE * 40)
    await story.ask("claim", Claim(id="c", target=ClaimTarget.HANDOFF, by="heidi"), Reply)
    await story.ask("cancel", CancelRequest(id="x", reason="off"), Reply)
    await story.settle()
    return story


STORIES: Mapping[str, Callable[[World], Awaitable[Story]]] = dict(MENDED) | {
    told.__name__: told
    for told in (
        in_the_shadow,
        team_told,
        erp_gated,
        ack_gated_to_its_close,
        received_within_the_minute,
        holding,
        escalated,
        approved,
        asked_and_amended,
        rejected,
        review_overdue,
        changed_after_confirmation,
        cancelled_before_the_erp_knew,
        cancelled_after_confirmation,
        receipt_before_the_order,
        partial_stock,
        stock_gone,
        refused_by_the_erp,
        sent_by_its_fallback,
        in_doubt_then_settled,
        in_doubt_and_said_again,
        continued_as_new,
        malformed,
        payment_flagged,
        ledger_down,
        asked_and_answered,
        declined_then_assented,
        evidence_missing,
    )
}
