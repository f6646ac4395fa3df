"""Inbound events: recorded once, announced once, found again after a crash."""

import asyncio
from datetime import timedelta

import pytest

from orderack.domain.evidence import Grade
from orderack.ledger import sends
from orderack.ledger.repository import SqlLedger
from orderack.ports import UNSAID, Report
from tests.ledger.samples import LEASE, NOW, REF, fact, key, message

LATER = NOW + timedelta(minutes=1)


async def test_an_event_received_twice_is_one_row_with_the_first_body(ledger: SqlLedger) -> None:
    first = await ledger.receive("web", "e-1", "order", REF, "first", NOW)
    again = await ledger.receive("web", "e-1", "order", REF, "second", LATER)
    assert again == first.model_copy(update={"new": False})
    assert first.new
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


REPORT = Report(fact=fact(), raw="the provider's own words", provenance=UNSAID)


async def test_what_a_new_event_proves_is_recorded_with_it_and_once(ledger: SqlLedger) -> None:
    await ledger.claim(key(), message(key()), NOW, LEASE)
    first = await ledger.receive("webhooks/smtp_email", "ev-1", "channel_event", REF, "{}", NOW, REPORT)
    other = REPORT.model_copy(update={"fact": fact("ev-2"), "outcome": "no_news"})
    again = await ledger.receive("webhooks/smtp_email", "ev-1", "channel_event", REF, "{}", LATER, other)
    assert (first.new, first.announced_at, again) == (True, None, first.model_copy(update={"new": False}))
    about = await ledger.reported(str(key()), "smtp_email", None)
    assert about is not None
    assert (about.send.state, about.facts) == ("accepted", (fact(),))
    assert await ledger.verify_chain(REF) == []


async def test_an_event_that_nobody_has_to_hear_of_is_settled_as_it_is_recorded(ledger: SqlLedger) -> None:
    report = REPORT.model_copy(update={"outcome": "no_news"})
    event = await ledger.receive("webhooks/smtp_email", "ev-1", "channel_event", REF, "{}", NOW, report)
    assert (event.announced_at, event.outcome) == (NOW, "no_news")
    assert await ledger.receive("webhooks/smtp_email", "ev-1", "x", REF, "{}", LATER) == event.model_copy(
        update={"new": False}
    )
    assert await ledger.unannounced(LATER) == []


async def test_an_event_whose_fact_cannot_be_written_is_not_in_the_record_either(
    ledger: SqlLedger, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = sends.record_evidence

    async def torn(*args: object) -> bool:
        await whole(*args)  # type: ignore[arg-type]
        raise RuntimeError("died before the commit")

    with monkeypatch.context() as patched:
        patched.setattr(sends, "record_evidence", torn)
        with pytest.raises(RuntimeError):
            await ledger.receive("webhooks/smtp_email", "ev-1", "channel_event", REF, "{}", NOW, REPORT)
    assert (await ledger.unannounced(LATER), await ledger.evidence(REF)) == ([], [])
    event = await ledger.receive("webhooks/smtp_email", "ev-1", "channel_event", REF, "{}", LATER, REPORT)
    assert (event.new, await ledger.evidence(REF)) == (True, [fact()])


async def test_a_report_names_its_message_by_our_key_or_the_latest_by_the_providers_id(ledger: SqlLedger) -> None:
    await ledger.claim(key(), message(key()), NOW, LEASE)
    for one in (fact(), fact("ev-2", grade=Grade.E3).model_copy(update={"channel": "twilio_sms"})):
        await ledger.record_evidence(REF, one, "{}")
    await ledger.record_evidence(REF, fact("ev-3").model_copy(update={"revision": 2}), "{}")
    about = await ledger.reported(str(key()), "another", "p-none")
    assert about is not None
    assert [one.id for one in about.facts] == ["ev-1", "ev-2"]
    assert await ledger.reported("no key of ours", "smtp_email", "p-none") is None
    assert await ledger.reported(None, "smtp_email", None) is None
