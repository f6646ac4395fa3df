"""The record of a shadow run: a side for ever, what was kept once, old events by their id, verdicts, and cutovers."""

import asyncio
from datetime import date, timedelta
from decimal import Decimal

import pytest
from sqlalchemy import text

from orderack.contracts.activities import HandOffRequest
from orderack.contracts.journal import Event, Stage
from orderack.contracts.outbound import ALL
from orderack.domain.acknowledgement import Audience, Kind
from orderack.domain.assessment import Side
from orderack.domain.order import OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.domain.shadow import Figures, OldEvent
from orderack.ledger.repository import SqlLedger
from orderack.ledger.shadow import Cutover, Verdict
from orderack.ports import KeptMessage, OldOutcome, SideSaid, StoredRevision, Subscription
from orderack.telemetry import metrics
from tests.ledger.samples import NOW, REF, asked, entry, journal, key, order, stored


def on(side: Side, revision: int = 1, number: str = REF.number) -> StoredRevision:
    made = stored(order(number), revision)
    decision = made.assessment.decision.model_copy(update={"side": side})
    return made.model_copy(update={"assessment": made.assessment.model_copy(update={"decision": decision})})


async def save(ledger: SqlLedger, stored: StoredRevision) -> Side:
    """The side that stands for the revision."""
    ref = stored.order.ref
    kept = await ledger.save_revision(stored, "fingerprint", journal(ref=ref))
    assert kept is not None
    again = await ledger.revision(ref, stored.revision)
    assert again is not None
    assert again.assessment.decision.side is kept.assessment.decision.side
    return kept.assessment.decision.side


def kept(number: str = REF.number, kind: Kind = Kind.RECEIVED, **more: object) -> KeptMessage:
    ref = OrderRef(store=REF.store, number=number)
    made = KeptMessage(
        key=key(kind, ref=ref),
        audience=Audience.BUYER,
        role="buyer",
        at=NOW,
        recipient_sha256="a" * 64,
        message_sha256="b" * 64,
        subject="Your order",
        text="Dear Ada Example",
        figures=Figures(total=Decimal("20.00"), currency="EUR", lines=2, promise_on=date(2026, 3, 5)),
    )
    return made.model_copy(update=more)


def old(id_: str = "e-1", **more: object) -> OldEvent:
    return OldEvent.model_validate({"id": id_, "order": "1001", "kind": "order_confirmation", "at": NOW} | more)


# -- sides ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("first", "later"), [(Side.SHADOW, Side.LIVE), (Side.LIVE, Side.SHADOW)])
async def test_the_first_revision_decides_the_side_of_all_whatever_is_decided_later(
    first: Side, later: Side, ledger: SqlLedger
) -> None:
    assert (await ledger.side_said(REF)).decided is None
    assert await save(ledger, on(first)) is first
    assert await save(ledger, on(later, revision=2)) is first
    assert await save(ledger, on(later)) is first, "the first writer's assessment holds"
    assert await ledger.side_said(REF) == SideSaid(decided=first)
    assert await ledger.is_shadow(REF) is (first is Side.SHADOW)
    row = await ledger.order(REF)
    assert row is not None
    assert row.side is first
    assert await ledger.verify_chain(REF) == []


async def test_two_attempts_at_once_that_decide_differently_end_on_one_side(ledger: SqlLedger) -> None:
    found = await asyncio.gather(*(save(ledger, on(side)) for side in (Side.SHADOW, Side.LIVE)))
    assert len(set(found)) == 1


async def test_a_side_that_was_tampered_with_is_found(ledger: SqlLedger) -> None:
    await save(ledger, on(Side.SHADOW))
    async with ledger._database.write() as session:
        await session.execute(text("UPDATE orders SET side = NULL"))
    assert [found.problem for found in await ledger.verify_chain(REF)] == ["its side is not what its facts make it"]


async def test_the_last_cutover_is_the_word_for_orders_that_nobody_has_assessed(ledger: SqlLedger) -> None:
    assert await ledger.side_said(REF) == SideSaid()
    await ledger.cut_over(step(10))
    assert await ledger.side_said(REF) == SideSaid(live_percent=10)
    await save(ledger, on(Side.SHADOW))
    await ledger.cut_over(step(100))
    assert await ledger.side_said(REF) == SideSaid(decided=Side.SHADOW)


# -- what live orders' figures and others do not hear of ------------------------------------------------------------


async def test_a_shadow_order_is_in_no_gauge_of_the_work(ledger: SqlLedger) -> None:
    for number, side in (("S", Side.SHADOW), ("L", Side.LIVE)):
        await save(ledger, on(side, number=number))
        ref = OrderRef(store=REF.store, number=number)
        await ledger.write(journal([entry(1, Event.REVIEW_OPENED)], ref=ref, stage=Stage.REVIEW))
    found = [reading for reading in await ledger.readings(NOW) if reading.figure is metrics.ORDERS]
    assert [(reading.labels, reading.value) for reading in found] == [(("north", "review"), 1)]


async def test_others_are_told_nothing_of_a_shadow_order_unless_they_asked_for_it(ledger: SqlLedger) -> None:
    await save(ledger, on(Side.SHADOW))
    await ledger.write(journal([entry(1, Event.CONFIRMED)]))
    both = [
        Subscription(endpoint="crm", events=(ALL,)),
        Subscription(endpoint="test-bench", events=(ALL,), shadow=True),
    ]
    assert await ledger.fan_out(both, NOW) == 1
    assert await ledger.claim_events("crm", NOW, timedelta(minutes=1), 10) == ()
    (one,) = await ledger.claim_events("test-bench", NOW, timedelta(minutes=1), 10)
    assert '"side":"shadow"' in one.body


async def test_a_handoff_of_a_shadow_order_is_offered_to_nobody(ledger: SqlLedger) -> None:
    await save(ledger, on(Side.SHADOW))
    made = HandOffRequest(
        ref=REF, revision=1, content_hash="h", team="desk", owner=None, document_id=None, answers=(), journal=journal()
    )
    for _ in range(2):
        await ledger.offer_handoff(made, NOW)
    assert await ledger.open_handoffs() == []


async def test_an_adaptive_gate_measures_shadow_orders_among_themselves(ledger: SqlLedger) -> None:
    for number, side in (("S", Side.SHADOW), ("L", Side.LIVE)):
        await save(ledger, on(side, number=number))
        ref = OrderRef(store=REF.store, number=number)
        submitted = [entry(1, Event.SUBMITTED_TO_ERP)] if side is Side.LIVE else []
        await ledger.write(journal([*submitted, entry(2, Event.ERP_RECEIPT, after=10**9)], ref=ref))
    live = await ledger.past(asked(erp="main"))
    shadow = await ledger.past(asked(erp="main", shadow=True))
    assert (len(live.latencies), len(shadow.latencies)) == (1, 1)
    assert live.latencies != shadow.latencies


# -- what was kept, and what the old flow did -----------------------------------------------------------------------


async def test_a_message_is_kept_once_and_its_words_are_erased_with_the_order(ledger: SqlLedger) -> None:
    await save(ledger, on(Side.SHADOW))
    await ledger.keep(kept())
    await ledger.keep(kept(text="other words", at=NOW + timedelta(hours=1)))
    (one,) = await ledger.kept_texts(REF)
    assert (one.text, one.at) == ("Dear Ada Example", NOW)
    await ledger.erase(REF, "grace", "asked by the buyer", NOW)
    (one,) = await ledger.kept_texts(REF)
    assert (one.subject, one.text, one.recipient_sha256, one.message_sha256) == (None, None, None, "b" * 64)
    assert await ledger.is_shadow(REF), "an erased order keeps its side"


async def test_an_old_event_is_taken_once_and_another_under_its_id_is_a_conflict(ledger: SqlLedger) -> None:
    events = [old(), old(), old(channel="sms"), old("e-2")]
    outcomes = await ledger.take_old_events("north", events, NOW)
    taken, repeated, conflict = OldOutcome.TAKEN, OldOutcome.REPEATED, OldOutcome.CONFLICT
    assert outcomes == [taken, repeated, conflict, taken]
    assert set(await ledger.take_old_events("north", events, NOW)) == {repeated, conflict}
    assert await ledger.take_old_events("south", [old()], NOW) == [taken], "ids are each store's own"
    found = (await ledger.shadow_facts("north")).old
    assert [(one.id, one.kind, one.channel) for one in found] == [
        ("e-1", Kind.CONFIRMATION, "unknown"),
        ("e-2", Kind.CONFIRMATION, "unknown"),
    ]


async def test_what_is_booked_is_the_erps_own_word_even_while_our_timeline_lags(ledger: SqlLedger) -> None:
    await save(ledger, on(Side.SHADOW))
    receipt = ErpReceipt(id="r1", erp="main", store="north", number="1001", document_id="SO-1", recorded_at=NOW)
    body = receipt.model_dump_json()
    await ledger.receive("receipts/main", "r1", "erp_receipt", REF, body, NOW)
    (one,) = (await ledger.shadow_facts("north")).orders
    assert (one.booked, one.taken) == ({1: NOW}, frozenset())
    await ledger.write(journal([entry(1, Event.ERP_RECEIPT, note="SO-1", after=5)]))
    (one,) = (await ledger.shadow_facts("north")).orders
    assert (one.booked, one.taken) == ({1: NOW}, frozenset({1}))


async def test_the_facts_are_of_shadow_orders_since_then_and_name_the_live_ones(ledger: SqlLedger) -> None:
    await save(ledger, on(Side.SHADOW, number="S"))
    await save(ledger, on(Side.LIVE, number="L"))
    await ledger.keep(kept("S"))
    found = await ledger.shadow_facts("north")
    assert [one.number for one in found.orders] == ["S"]
    assert [(one.number, one.figures.lines) for one in found.kept] == [("S", 2)]
    assert (found.live, found.before) == ({"L"}, frozenset())
    later = await ledger.shadow_facts("north", NOW + timedelta(days=1))
    assert (later.orders, later.kept, later.before) == ((), (), {"S"})


# -- people's words -------------------------------------------------------------------------------------------------


async def test_the_last_verdict_holds_and_the_same_again_is_no_new_one(ledger: SqlLedger) -> None:
    waived = Verdict(subject="d-1", verdict="waived", by="grace", at=NOW, note="for now")
    assert await ledger.judge("north", waived)
    assert not await ledger.judge("north", waived.model_copy(update={"at": NOW + timedelta(hours=1)}))
    resolved = Verdict(subject="d-1", verdict="resolved", by="lin", at=NOW + timedelta(hours=2), note="mended")
    assert await ledger.judge("north", resolved)
    assert (await ledger.shadow_facts("north")).verdicts == (resolved,)
    assert (await ledger.shadow_facts("south")).verdicts == ()


def step(percent: int, *, back: bool = False, by: str = "grace") -> Cutover:
    return Cutover(store="north", at=NOW, by=by, live_percent=percent, back=back)


async def test_steps_are_numbered_and_the_same_step_again_changes_nothing(ledger: SqlLedger) -> None:
    first = await ledger.cut_over(step(10))
    assert first.n == 1
    assert await ledger.cut_over(step(10, by="lin")) == first
    assert (await ledger.cut_over(step(0, back=True))).n == 2
    stands = await ledger.last_cutover("north")
    assert stands is not None
    assert (stands.n, stands.live_percent, stands.back) == (2, 0, True)
    assert await ledger.last_cutover("south") is None


async def test_of_two_cutovers_at_once_one_is_the_step(ledger: SqlLedger) -> None:
    found = await asyncio.gather(*(ledger.cut_over(step(100, by=by)) for by in ("grace", "lin")))
    assert found[0] == found[1]
    assert len((await ledger.shadow_facts("north")).cutovers) == 1
