"""Erasing personal data: all of it goes, every proof stays, and whatever comes later is not kept either."""

from datetime import timedelta
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import insert, update
from sqlalchemy.exc import StatementError

from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import OrderRef
from orderack.ledger.repository import SqlLedger
from orderack.ledger.tables import Table
from tests.ledger.samples import NOW, REF, asked, fact, journal, stored
from tests.ledger.tampering import one_of_everything, rows, run

PERSONAL = ("ada@example.com", "ada example", "5005550006", "c-7", "198.51.100.7", "mozilla", "21211")
LATER = NOW + timedelta(days=30)


@pytest_asyncio.fixture
async def recorded(ledger: SqlLedger, ledger_url: str) -> SqlLedger:
    """An order with one of everything, and everything personal that can lie about."""
    await one_of_everything(ledger)
    body = '{"to":"ada@example.com"}'
    await ledger.receive("intake/north", "1001:hash", "order", REF, stored().order.model_dump_json(), NOW)
    # It came before we knew whose it was, and the evidence made of it says so.
    await ledger.receive("webhooks/smtp_email", "ev-1", "channel_event", None, body, NOW)
    await ledger.receive("webhooks/smtp_email", "another's", "channel_event", None, body.replace("ada", "bob"), NOW)
    touch = {
        "id": "t-1", "store": REF.store, "number": REF.number, "send_key": "k", "what": "pixel", "method": "GET",
        "address": "198.51.100.7", "user_agent": "Mozilla/5.0", "headers": '{"from":"ada@example.com"}',
        "first_at": NOW, "last_at": NOW, "count": 1, "reasons": "[]",
    }  # fmt: skip
    await run(
        ledger_url,
        insert(Table.metadata.tables["touches"]).values(touch),
        update(Table.metadata.tables["sends"]).values(recipient_sha256="d" * 64),
        update(Table.metadata.tables["evidence"]).values(raw="raw words"),
    )
    return ledger


async def _everything(url: str) -> str:
    found = ""
    for table in Table.metadata.tables:
        for row in await rows(url, table):
            found += str(row).casefold()
    return found


async def test_nothing_personal_is_left_in_any_table_and_every_proof_is(recorded: SqlLedger, ledger_url: str) -> None:
    before = await _everything(ledger_url)
    assert all(words in before for words in PERSONAL)
    done = await recorded.erase(REF, "grace", "asked by the buyer", LATER)
    assert done
    assert done.rows >= 7
    after = await _everything(ledger_url)
    assert [words for words in PERSONAL if words in after] == []
    assert "d" * 64 not in after
    assert "bob@example.com" in after
    assert await recorded.verify_chain(REF) == []
    assert all(send.body_sha256 for send in await recorded.sends(REF))
    assert [one.grade for one in await recorded.evidence(REF)] == [Grade.E2]


async def test_erasing_twice_erases_once_and_says_who_did_it(recorded: SqlLedger, ledger_url: str) -> None:
    first = await recorded.erase(REF, "grace", "asked by the buyer", LATER)
    again = await recorded.erase(REF, "lin", "again", LATER + timedelta(days=1))
    assert first
    assert again
    assert (again.rows, again.by, again.erased_at) == (0, "grace", first.erased_at)
    assert len(await rows(ledger_url, "erasures")) == 1


async def test_an_order_that_the_ledger_does_not_know_is_not_made_by_erasing_it(ledger: SqlLedger) -> None:
    unknown = OrderRef(store="no", number="order")
    assert await ledger.erase(unknown, "grace", "asked", NOW) is None
    assert await ledger.order(unknown) is None


async def test_of_what_comes_after_an_erasure_only_the_proof_is_kept(recorded: SqlLedger, ledger_url: str) -> None:
    await recorded.erase(REF, "grace", "asked by the buyer", LATER)
    words = '{"to":"ada@example.com"}'
    named = await recorded.receive("webhooks/smtp_email", "late-1", "channel_event", REF, words, LATER)
    unnamed = await recorded.receive("webhooks/smtp_email", "late-2", "channel_event", None, words, LATER)
    await recorded.record_evidence(REF, fact("late-2", EvidenceEvent.DISPLAYED, Grade.E3), words)
    for event in (named, unnamed):
        await recorded.announced(event.id, "told", LATER)
    assert "ada@example.com" not in await _everything(ledger_url)
    late = (await recorded.evidence_records(REF))[-1]
    assert (late.fact.grade, late.raw, len(late.raw_sha256)) == (Grade.E3, None, 64)
    assert await recorded.verify_chain(REF) == []


async def test_a_late_repeat_is_still_a_repeat(recorded: SqlLedger) -> None:
    first = await recorded.receive("intake/north", "1001:hash", "order", REF, "{}", NOW)
    await recorded.announced(first.id, "accepted", NOW)
    await recorded.erase(REF, "grace", "asked by the buyer", LATER)
    again = await recorded.receive("intake/north", "1001:hash", "order", REF, "other", LATER)
    assert (again.id, again.body, again.outcome) == (first.id, "", "accepted")
    assert not await recorded.record_evidence(REF, fact(), "raw words")


async def test_what_was_never_announced_is_not_announced_without_its_content(recorded: SqlLedger) -> None:
    assert len(await recorded.unannounced(LATER)) == 3
    await recorded.erase(REF, "grace", "asked by the buyer", LATER)
    (left,) = await recorded.unannounced(LATER)
    assert left.external_id == "another's"


async def test_an_erased_order_is_found_by_its_number_and_by_nothing_personal(recorded: SqlLedger) -> None:
    await recorded.erase(REF, "grace", "asked by the buyer", LATER)
    assert await recorded.find("ada@example.com") == await recorded.find("C-7") == []
    assert [row.ref for row in await recorded.find("gid-55")] == [REF]
    day_before = NOW - timedelta(days=1)
    past = await recorded.past(asked(customer_id="C-7", since=day_before, fingerprint="f-1", alike_since=day_before))
    assert (past.orders, past.alike) == ((), ())
    assert await recorded.revision(REF, 1) is None
    assert await recorded.order(REF)


async def test_a_revision_told_again_after_the_erasure_brings_nothing_back(
    recorded: SqlLedger, ledger_url: str
) -> None:
    await recorded.erase(REF, "grace", "asked by the buyer", LATER)
    await recorded.save_revision(stored(), "f-1", journal())
    after = await _everything(ledger_url)
    assert "ada@example.com" not in after
    assert await recorded.verify_chain(REF) == []


@pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
async def test_sqlite_keeps_no_trace_in_its_file_or_its_log(recorded: SqlLedger, sqlite_folder: Path) -> None:
    def held() -> bytes:
        return b"".join(path.read_bytes() for path in sqlite_folder.glob("ledger.db*"))

    assert b"ada@example.com" in held().lower()
    await recorded.erase(REF, "grace", "asked by the buyer", LATER)
    assert b"ada@example.com" not in held().lower()
    assert b"Ada Example" not in held()


async def test_links_made_before_the_erasure_are_no_longer_valid(recorded: SqlLedger, ledger_url: str) -> None:
    await recorded.erase(REF, "grace", "asked by the buyer", LATER)
    assert await recorded.links_revoked_at(REF) == LATER


async def test_an_erasure_that_fails_halfway_leaves_everything(recorded: SqlLedger, ledger_url: str) -> None:
    before = await _everything(ledger_url)
    with pytest.raises(StatementError, match="zone"):
        await recorded.erase(REF, "grace", "asked by the buyer", LATER.replace(tzinfo=None))
    assert await _everything(ledger_url) == before
