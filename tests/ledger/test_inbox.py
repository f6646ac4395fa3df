"""Inbound events: recorded once, announced once, found again after a crash."""

import asyncio
from datetime import timedelta

from orderack.ledger.repository import SqlLedger
from tests.ledger.samples import NOW, REF

LATER = NOW + timedelta(minutes=1)


async def test_an_event_received_twice_is_one_row_with_the_first_body(ledger: SqlLedger) -> None:
    first = await ledger.receive("web", "e-1", "order", REF, "first", NOW)
    again = await ledger.receive("web", "e-1", "order", REF, "second", LATER)
    assert again == first
    assert (first.ref, first.body, first.received_at, first.announced_at) == (REF, "first", NOW, None)


async def test_of_twenty_deliveries_at_once_one_row_is_made(ledger: SqlLedger) -> None:
    events = await asyncio.gather(*(ledger.receive("web", "e-1", "order", None, str(n), NOW) for n in range(20)))
    assert len({(event.id, event.body) for event in events}) == 1


async def test_the_same_id_from_another_source_is_another_event(ledger: SqlLedger) -> None:
    ids = {(await ledger.receive(source, "e-1", "order", None, "", NOW)).id for source in ("web", "erp")}
    assert len(ids) == 2


async def test_what_was_never_announced_is_found_oldest_first(ledger: SqlLedger) -> None:
    events = [await ledger.receive("web", f"e-{n}", "order", None, "", NOW + timedelta(seconds=n)) for n in range(4)]
    await ledger.announced(events[1].id, "signalled", LATER)
    found = await ledger.unannounced(NOW + timedelta(seconds=3))
    assert [event.external_id for event in found] == ["e-0", "e-2"]
    assert [event.external_id for event in await ledger.unannounced(LATER, limit=1)] == ["e-0"]


async def test_an_event_is_announced_once_and_the_first_outcome_stands(ledger: SqlLedger) -> None:
    event = await ledger.receive("web", "e-1", "order", None, "", NOW)
    await ledger.announced(event.id, "started", NOW)
    await ledger.announced(event.id, "started again", LATER)
    again = await ledger.receive("web", "e-1", "order", None, "", LATER)
    assert (again.announced_at, again.outcome) == (NOW, "started")
