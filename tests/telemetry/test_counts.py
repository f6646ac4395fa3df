"""What the ledger commits is counted once, whoever writes it and however often; what it holds is told as it stands."""

import asyncio
from datetime import datetime, timedelta

import pytest
from temporalio.api.common.v1 import Payload

from orderack.contracts.activities import HandOffRequest
from orderack.contracts.journal import ClockName, Event, Stage
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.assessment import Side
from orderack.errors import Misconfigured, Unavailable
from orderack.ledger import orders as ledger_orders
from orderack.ledger.repository import SqlLedger, open_ledger
from orderack.ports import DeliveryEnd, DeliveryState, Pause, Subscription
from orderack.telemetry import metrics
from orderack.telemetry.readings import Reading
from orderack.temporal.codec import Sealing
from orderack.temporal.codec_keys import CodecKeys, new_key
from tests.ledger.samples import (
    LEASE,
    NOW,
    REF,
    clock_entry,
    entry,
    fact,
    journal,
    key,
    message,
    order,
    outcome,
    stored,
)
from tests.telemetry.since import Since
from tests.workflows.orders import a_receipt

LATER = NOW + timedelta(minutes=10)


async def standing(ledger: SqlLedger) -> dict[tuple[str, tuple[str, ...]], float]:
    found = await ledger.readings(LATER)
    assert all(isinstance(one, Reading) and one.figure in metrics.OF_LEDGER for one in found)
    return {(one.figure.name.removeprefix("orderack_"), tuple(map(str, one.labels))): one.value for one in found}


async def test_a_journal_written_twice_counts_once(ledger: SqlLedger) -> None:
    since = Since()
    told = journal(
        [
            entry(1, Event.ORDER_ACCEPTED),
            clock_entry(2, Event.CLOCK_MET, ClockName.ACKNOWLEDGE, 1),
            clock_entry(3, Event.CLOCK_BREACHED, ClockName.HOLD, 15),
        ]
    )
    await ledger.write(told)
    await asyncio.gather(ledger.write(told), ledger.write(told))
    assert since.of("orderack_order_events_total", event="order_accepted", store="north") == 1
    assert since.of("orderack_service_levels_total", clock="acknowledge_within", outcome="met") == 1
    assert since.of("orderack_service_levels_total", clock="hold_after", outcome="breached") == 1
    assert since.of("orderack_service_levels_total") == 2
    assert since.of("orderack_duplicates_total", what="entry") == 6


async def test_what_happens_in_a_shadow_run_is_counted_by_itself(ledger: SqlLedger) -> None:
    made = stored()
    decision = made.assessment.decision.model_copy(update={"side": Side.SHADOW})
    shadowed = made.model_copy(update={"assessment": made.assessment.model_copy(update={"decision": decision})})
    await ledger.save_revision(shadowed, "fingerprint", journal())
    since = Since()
    for _ in range(2):
        await ledger.write(journal([clock_entry(1, Event.CLOCK_BREACHED, ClockName.HOLD, 15)]))
    assert since.of("orderack_shadow_events_total", event="clock_breached", store="north") == 1
    assert since.of("orderack_service_levels_total") == since.of("orderack_order_events_total") == 0


async def test_what_was_not_committed_is_not_counted(ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch) -> None:
    since = Since()

    async def breaks(*_: object) -> None:
        raise RuntimeError

    with monkeypatch.context() as broken:
        broken.setattr(ledger_orders, "_mark_revisions", breaks)
        with pytest.raises(RuntimeError):
            await ledger.write(journal([entry(1, Event.ERP_RECEIPT, note="SO-1")]))
    assert since.of("orderack_order_events_total") == 0
    await ledger.write(journal([entry(1, Event.ERP_RECEIPT, note="SO-1")]))
    assert since.of("orderack_order_events_total", event="erp_receipt") == 1


async def test_the_time_to_an_acknowledgement_is_that_of_its_first_acceptance(ledger: SqlLedger) -> None:
    since = Since()
    await ledger.save_revision(stored(), "print", journal([entry(1)]))
    for channel, after in (("smtp_email", 7), ("twilio_sms", 90)):
        sent = key(Kind.RECEIVED, channel=channel)
        for _ in range(2):
            await ledger.claim(sent, message(sent), NOW, LEASE)
            await ledger.finish(sent, outcome(SendState.ACCEPTED, "p-1"), NOW + timedelta(seconds=after))
    assert since.of("orderack_acknowledgement_seconds_count", kind="received", store="north") == 1
    assert since.of("orderack_acknowledgement_seconds_sum", kind="received") == pytest.approx(7)
    assert since.of("orderack_acknowledgement_seconds_bucket", le="5.0") == 0
    assert since.of("orderack_acknowledgement_seconds_bucket", le="10.0") == 1
    assert since.of("orderack_sends_total", outcome="accepted") == 2
    assert since.of("orderack_duplicates_total", what="send") == 2


async def test_a_refusal_counts_once_and_a_claim_that_is_given_back_does_not(ledger: SqlLedger) -> None:
    since, sent = Since(), key()
    for state in (SendState.UNAVAILABLE, SendState.REJECTED, SendState.REJECTED):
        await ledger.claim(sent, message(sent), NOW, LEASE)
        await ledger.finish(sent, outcome(state), NOW)
    assert since.of("orderack_sends_total", channel="smtp_email", outcome="rejected") == 1
    assert since.of("orderack_sends_total") == 1


async def test_an_echo_that_settles_a_doubt_counts_as_the_acceptance_it_is(ledger: SqlLedger) -> None:
    since, sent = Since(), key()
    await ledger.save_revision(stored(), "print", journal([entry(1)]))
    await ledger.claim(sent, message(sent), NOW, LEASE)
    await ledger.finish(sent, outcome(SendState.UNKNOWN), NOW)
    assert (await standing(ledger))["sends_in_doubt", ("smtp_email",)] == 1
    assert (await standing(ledger))["sends_in_doubt_oldest_seconds", ()] == 600
    assert [await ledger.record_evidence(REF, fact(), "{}") for _ in range(2)] == [True, False]
    assert since.of("orderack_sends_total", channel="smtp_email", outcome="unknown") == 1
    assert since.of("orderack_sends_total", channel="smtp_email", outcome="accepted") == 1
    assert since.of("orderack_acknowledgement_seconds_sum", kind="confirmation") == pytest.approx(5)
    assert since.of("orderack_duplicates_total", what="evidence") == 1
    found = await standing(ledger)
    assert ("sends_in_doubt", ("smtp_email",)) not in found
    assert found["sends_in_doubt_oldest_seconds", ()] == 0


async def test_a_doubt_that_a_person_settled_is_no_longer_counted(ledger: SqlLedger) -> None:
    for n in (1, 12):
        sent = key(n=n)
        await ledger.claim(sent, message(sent), NOW, LEASE)
        await ledger.finish(sent, outcome(SendState.UNKNOWN), NOW)
    assert (await standing(ledger))["sends_in_doubt", ("smtp_email",)] == 2
    await ledger.write(journal([entry(1, Event.SEND_SETTLED, note="confirmation 1 by smtp_email: sent")]))
    assert (await standing(ledger))["sends_in_doubt", ("smtp_email",)] == 1
    await ledger.write(journal([entry(2)], stage=Stage.CLOSED))
    assert ("sends_in_doubt", ("smtp_email",)) not in await standing(ledger)


@pytest.mark.parametrize(("due_at", "waits"), [(LATER + LEASE, 0), (LATER - LEASE, 600)])
async def test_a_doubt_that_the_policy_is_about_to_end_waits_for_no_person_until_then(
    ledger: SqlLedger, due_at: datetime, waits: float
) -> None:
    sent = key()
    await ledger.claim(sent, message(sent), NOW, LEASE)
    await ledger.finish(sent, outcome(SendState.UNKNOWN), NOW)
    doubt = entry(1, Event.SEND_UNKNOWN, note="confirmation 1 by smtp_email: cut off")
    await ledger.write(journal([doubt.model_copy(update={"due_at": due_at})]))
    found = await standing(ledger)
    assert (found["sends_in_doubt", ("smtp_email",)], found["sends_in_doubt_oldest_seconds", ()]) == (1, waits)


async def test_an_inbound_event_counts_when_it_is_new_and_when_it_ends(ledger: SqlLedger) -> None:
    since = Since()
    body = a_receipt(order(), NOW, l2="backordered").model_dump_json()
    rows = [await ledger.receive("receipts/main", "R-1", "erp_receipt", REF, body, NOW) for _ in range(3)]
    found = await standing(ledger)
    assert (found["inbox", ("erp_receipt",)], found["inbox_oldest_seconds", ("erp_receipt",)]) == (1, 600)
    for outcome_ in ("refused: lines.0.sku: is missing", "told"):
        await ledger.announced(rows[0].id, outcome_, NOW)
    assert since.of("orderack_inbox_received_total", kind="erp_receipt") == 1
    assert since.of("orderack_erp_receipts_total", erp="main", verdict="backordered") == 1
    assert since.of("orderack_duplicates_total", what="erp_receipt") == 2
    assert since.of("orderack_inbox_announced_total", kind="erp_receipt", outcome="refused") == 1
    assert since.of("orderack_inbox_announced_total") == 1
    assert ("inbox", ("erp_receipt",)) not in await standing(ledger)


async def test_a_receipts_latency_is_the_timelines_own(ledger: SqlLedger) -> None:
    since = Since()
    await ledger.save_revision(stored(), "print", journal([entry(1, Event.SUBMITTED_TO_ERP, note="main", after=2)]))
    await ledger.write(journal([entry(2)], stage=Stage.AWAITING_ERP))
    found = await standing(ledger)
    assert (found["erp_waiting", ("main",)], found["erp_wait_oldest_seconds", ("main",)]) == (1, 598)
    assert found["orders", ("north", "awaiting_erp")] == 1
    for _ in range(2):
        await ledger.write(journal([entry(3, Event.ERP_RECEIPT, note="SO-1", after=14)], stage=Stage.CONFIRMED))
    assert since.of("orderack_erp_receipt_seconds_count", erp="main") == 1
    assert since.of("orderack_erp_receipt_seconds_sum", erp="main") == pytest.approx(12)
    assert ("erp_waiting", ("main",)) not in await standing(ledger)


async def test_reviews_and_handoffs_are_as_old_as_the_oldest_that_is_open(ledger: SqlLedger) -> None:
    opened = [entry(1, Event.REVIEW_OPENED, note="over the limit", after=60)]
    await ledger.write(journal(opened, stage=Stage.REVIEW))
    assert (await standing(ledger))["review_oldest_seconds", ("north",)] == 540
    decided = [entry(2, Event.REVIEW_DECIDED, note="approve", after=90)]
    offer = HandOffRequest(
        ref=REF,
        revision=1,
        content_hash="abc",
        team="kitchen",
        owner=None,
        document_id="SO-9",
        answers=(),
        journal=journal(decided, stage=Stage.HANDED_OFF),
    )
    await ledger.offer_handoff(offer, NOW + timedelta(seconds=100))
    found = await standing(ledger)
    assert (found["review_oldest_seconds", ("north",)], found["handoff_oldest_seconds", ("north",)]) == (0, 500)
    await ledger.write(journal([entry(3, Event.HANDOFF_ACCEPTED)], stage=Stage.HANDED_OFF))
    assert (await standing(ledger))["handoff_oldest_seconds", ("north",)] == 0
    await ledger.write(journal([entry(4)], stage=Stage.CLOSED))
    assert not [name for name, _ in await standing(ledger) if name == "orders"]


async def test_posts_to_endpoints_count_by_their_end_and_what_waits_has_its_age(ledger: SqlLedger) -> None:
    since = Since()
    await ledger.write(journal([entry(1, Event.CONFIRMED)]))
    await ledger.fan_out([Subscription(endpoint=name, events=("*",)) for name in ("crm", "erp")], NOW)
    for state in (DeliveryState.PENDING, DeliveryState.DELIVERED):
        (due,) = await ledger.claim_events("crm", NOW, LEASE, 5)
        end = DeliveryEnd(state=state, answer="HTTP 500", next_at=NOW if state is DeliveryState.PENDING else None)
        assert await ledger.end_attempt(due, end, NOW)
        assert not await ledger.end_attempt(due, end.model_copy(update={"state": DeliveryState.DEAD}), NOW) or (
            state is DeliveryState.PENDING
        )
        if state is DeliveryState.PENDING:
            assert await ledger.retry_events(NOW) == 1
    assert since.of("orderack_endpoint_posts_total", endpoint="crm", outcome="failed") == 1
    assert since.of("orderack_endpoint_posts_total", endpoint="crm", outcome="delivered") == 1
    found = await standing(ledger)
    assert (found["outbox", ("pending",)], found["outbox", ("dead",)]) == (1, 0)
    assert await ledger.bury("erp", "gone", NOW) == 1
    assert since.of("orderack_endpoint_posts_total", endpoint="erp", outcome="dead") == 1
    assert (await standing(ledger))["outbox", ("dead",)] == 1


async def test_the_wait_for_a_turn_is_how_far_ahead_they_are_given_away(ledger: SqlLedger) -> None:
    for n in range(8):
        sent = key(n=n)
        await ledger.claim(sent, message(sent), LATER, LEASE)
        await ledger.turn(sent, 0.5, LATER)
    assert (await standing(ledger))["turn_wait_seconds", ("smtp_email",)] >= 8


async def test_what_is_marked_down_is_a_figure_and_what_somebody_paused_is_none(ledger: SqlLedger) -> None:
    await ledger.pause(Pause(channel="erp/main", at=NOW, by="orderack", probe_at=NOW))
    await ledger.pause(Pause(channel="email", at=NOW, by="ann"))
    found = await standing(ledger)
    assert {key: value for key, value in found.items() if key[0] == "marked_down"} == {
        ("marked_down", ("erp/main",)): 1
    }
    await ledger.lift("erp/main")
    assert ("marked_down", ("erp/main",)) not in await standing(ledger)


async def test_a_ledger_out_of_reach_is_counted_by_its_reason() -> None:
    since = Since()
    with pytest.raises(Unavailable):
        await open_ledger("postgresql+psycopg://127.0.0.1:1/nowhere")
    assert since.of("orderack_ledger_errors_total", reason="OperationalError") >= 1


async def test_a_seal_that_does_not_open_is_counted_by_its_reason() -> None:
    since = Since()
    one, other = (CodecKeys.parse(new_key()) for _ in range(2))
    (sealed,) = await Sealing(one, "orders").encode([Payload(data=b"{}")])
    for keys, namespace in ((other, "orders"), (one, "elsewhere")):
        with pytest.raises(Misconfigured):
            await Sealing(keys, namespace).decode([sealed])
    assert since.of("orderack_codec_failures_total", reason="no_key") == 1
    assert since.of("orderack_codec_failures_total", reason="altered") == 1
