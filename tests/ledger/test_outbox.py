"""Events for others: one for each entry that is published, fanned out once, leased, and never lost."""

import asyncio
import json
from datetime import UTC, datetime, timedelta

import pytest

from orderack.contracts.journal import ClockName, Event, Stage
from orderack.contracts.outbound import ALL, PUBLISHED, TYPES
from orderack.ledger.outbox import event_id
from orderack.ledger.repository import SqlLedger
from orderack.ports import DeliveryEnd, DeliveryState, DueEvent, Subscription
from tests.ledger.samples import NOW, REF, clock_entry, entry, journal

CRM = Subscription(endpoint="crm", events=(ALL,))
LATER = datetime.now(UTC) + timedelta(days=365)
"""After everything here was written: the ledger stamps rows with its own clock."""
LEASE = timedelta(seconds=90)
DELIVERED = DeliveryEnd(state=DeliveryState.DELIVERED, answer="200")
DEAD = DeliveryEnd(state=DeliveryState.DEAD, answer="500")


async def due(ledger: SqlLedger, now: datetime = NOW, endpoint: str = "crm", limit: int = 100) -> list[DueEvent]:
    return list(await ledger.claim_events(endpoint, now, LEASE, limit))


async def told(ledger: SqlLedger, *events: Event) -> None:
    """Entries of these events, fanned out to the CRM."""
    await ledger.write(journal([entry(seq, event) for seq, event in enumerate(events, 1)]))
    await ledger.fan_out([CRM], NOW)


@pytest.mark.parametrize("event", list(Event))
async def test_an_entry_is_published_if_the_table_says_so(event: Event, ledger: SqlLedger) -> None:
    await told(ledger, event)
    assert [json.loads(one.body)["type"] for one in await due(ledger)] == (
        [PUBLISHED[event].type] if event in PUBLISHED else []
    )


def test_every_type_is_one_events_own() -> None:
    assert len(set(TYPES)) == len(PUBLISHED) == 20


async def test_the_body_says_which_order_what_and_when_and_nothing_of_the_buyer(ledger: SqlLedger) -> None:
    breach = clock_entry(7, Event.CLOCK_BREACHED, ClockName.HOLD, 15)
    await ledger.write(journal([breach], stage=Stage.REVIEW, revision=2))
    await ledger.fan_out([CRM], NOW)
    (one,) = await due(ledger)
    assert json.loads(one.body) == {
        "type": "order.clock_breached",
        "timestamp": "2026-03-02T09:30:00.123456Z",
        "data": {
            "store": "north",
            "number": "1001",
            "revision": 1,
            "seq": 7,
            "stage": "review",
            "clock": "hold_after",
            "due_at": "2026-03-02T09:45:00.123456Z",
            "status_path": "/orders/north/1001",
        },
    }
    assert one.event_id == event_id(REF, 7)
    assert one.event_id.startswith("msg_")


@pytest.mark.parametrize("event", [event for event, published in PUBLISHED.items() if not published.note])
async def test_a_note_that_may_hold_a_persons_words_or_name_stays_in_the_house(event: Event, ledger: SqlLedger) -> None:
    await ledger.write(journal([entry(1, event, note="by Ada Example")]))
    await ledger.fan_out([CRM], NOW)
    (one,) = await due(ledger)
    assert "note" not in json.loads(one.body)["data"]
    assert "ops" not in one.body  # nor does who owns it leave


async def test_a_receipt_and_the_confirmation_that_rests_on_it_name_the_erps_document(ledger: SqlLedger) -> None:
    entries = [
        entry(1, Event.ERP_RECEIPT, note="SO-1"),
        entry(2, Event.CONFIRMED),
        entry(3, Event.ERP_RECEIPT, note="SO-2"),
        entry(4, Event.CONFIRMED),
    ]
    await ledger.write(journal(entries))
    await ledger.fan_out([CRM], NOW)
    assert [json.loads(one.body)["data"]["erp_document_id"] for one in await due(ledger)] == [
        "SO-1",
        "SO-1",
        "SO-2",
        "SO-2",
    ]


async def test_a_journal_written_twice_is_published_once(ledger: SqlLedger) -> None:
    for _ in range(2):
        await told(ledger, Event.ORDER_ACCEPTED, Event.ASSESSED, Event.CLOSED)
    assert len(await due(ledger)) == 2


async def test_an_entry_that_is_rolled_back_takes_its_event_with_it(ledger: SqlLedger) -> None:
    second = entry(1, Event.CLOSED)
    broken = journal([second]).model_copy(update={"stage": None})
    with pytest.raises(Exception):  # noqa: B017, PT011 (each database has its own)
        await ledger.write(broken)
    assert (await ledger.fan_out([CRM], NOW), await ledger.entries(REF)) == (0, [])


async def test_an_endpoint_hears_its_events_of_its_stores(ledger: SqlLedger) -> None:
    subscriptions = [
        CRM,
        Subscription(endpoint="invoices", events=("order.closed",)),
        Subscription(endpoint="south", events=(ALL,), stores=("south",)),
        Subscription(endpoint="north", events=("order.closed", "order.accepted"), stores=("south", "north")),
    ]
    await ledger.write(journal([entry(1, Event.ORDER_ACCEPTED), entry(2, Event.CLOSED)]))
    assert await ledger.fan_out(subscriptions, NOW) == 2
    heard = {one.endpoint: len(await ledger.claim_events(one.endpoint, NOW, LEASE, 100)) for one in subscriptions}
    assert heard == {"crm": 2, "invoices": 1, "south": 0, "north": 2}


async def test_an_event_is_fanned_out_once_even_by_many_at_once(ledger: SqlLedger) -> None:
    await ledger.write(journal([entry(seq, Event.ACKNOWLEDGED) for seq in range(1, 21)]))
    assert sum(await asyncio.gather(*(ledger.fan_out([CRM], NOW, 7) for _ in range(8)))) == 20
    assert len(await due(ledger)) == 20


async def test_what_is_due_goes_to_one_of_many_that_ask_at_once_in_the_order_of_the_events(ledger: SqlLedger) -> None:
    await told(ledger, *[Event.ACKNOWLEDGED] * 20)
    taken = await asyncio.gather(*(due(ledger, limit=6) for _ in range(5)))
    ids = [one.event_id for part in taken for one in part]
    assert sorted(ids) == sorted(event_id(REF, seq) for seq in range(1, 21))
    for part in taken:
        seqs = [json.loads(one.body)["data"]["seq"] for one in part]
        assert seqs == sorted(seqs)


async def test_a_lease_that_runs_out_is_taken_over_and_its_first_holder_settles_nothing(ledger: SqlLedger) -> None:
    await told(ledger, Event.CLOSED)
    (first,) = await due(ledger)
    assert await due(ledger, NOW + LEASE / 2) == []
    (second,) = await due(ledger, NOW + LEASE)
    assert (first.attempt, second.attempt) == (1, 2)
    assert not await ledger.end_attempt(first, DEAD, NOW)
    assert await ledger.end_attempt(second, DELIVERED, NOW)
    assert not await ledger.end_attempt(second, DEAD, NOW)
    assert await due(ledger, LATER) == []


async def test_a_lease_given_back_is_no_attempt(ledger: SqlLedger) -> None:
    await told(ledger, Event.CLOSED)
    await ledger.release_events(await due(ledger), NOW)
    (again,) = await due(ledger)
    assert again.attempt == 1


async def test_what_is_dead_is_listed_and_can_be_brought_back(ledger: SqlLedger) -> None:
    await told(ledger, Event.ORDER_ACCEPTED, Event.CLOSED)
    for one in await due(ledger):
        await ledger.end_attempt(one, DEAD, NOW)
    first, second = await ledger.dead_events()
    assert (first.type, first.ref, first.endpoint, first.attempts, first.last_answer) == (
        "order.accepted",
        REF,
        "crm",
        1,
        "500",
    )
    (standing,) = await ledger.endpoint_standings()
    assert (standing.endpoint, standing.pending, standing.delivered, standing.dead) == ("crm", 0, 0, 2)
    assert await ledger.retry_events(NOW, first.event_id) == 1
    assert await ledger.retry_events(NOW, "msg_nosuch") == 0
    assert [one.event_id for one in await due(ledger)] == [first.event_id]
    assert await ledger.retry_events(NOW) == 1
    (again,) = await due(ledger)
    assert (again.event_id, again.attempt) == (second.event_id, 1)


async def test_an_endpoint_that_is_gone_buries_its_own_and_nobody_elses(ledger: SqlLedger) -> None:
    await ledger.write(journal([entry(1, Event.CLOSED), entry(2, Event.CLOSED)]))
    await ledger.fan_out([CRM, Subscription(endpoint="invoices", events=(ALL,))], NOW)
    assert await ledger.bury("crm", "410", NOW) == 2
    assert (await due(ledger, LATER), len(await due(ledger, endpoint="invoices"))) == ([], 2)


async def test_what_was_delivered_is_forgotten_and_what_is_dead_or_pending_is_kept(ledger: SqlLedger) -> None:
    await told(ledger, Event.ORDER_ACCEPTED, Event.ESCALATED, Event.CLOSED)
    delivered, dead, _ = await due(ledger)
    await ledger.end_attempt(delivered, DELIVERED, NOW)
    await ledger.end_attempt(dead, DEAD, NOW)
    assert await ledger.forget_events(NOW) == 0
    assert await ledger.forget_events(LATER) == 1
    assert [one.event_id for one in await ledger.dead_events()] == [dead.event_id]
    assert len(await due(ledger, LATER)) == 1


async def test_an_event_that_nobody_listens_to_is_forgotten_too_and_one_not_fanned_out_is_not(
    ledger: SqlLedger,
) -> None:
    await ledger.write(journal([entry(1, Event.CLOSED)]))
    assert await ledger.forget_events(LATER) == 0
    assert await ledger.fan_out([], NOW) == 1
    assert await ledger.forget_events(LATER) == 1
