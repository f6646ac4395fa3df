"""What the pack holds: everything as it was recorded, the same bytes each time, and nothing that acts when read."""

import json
import re
import zipfile
from datetime import UTC, datetime, timedelta
from io import BytesIO
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from orderack.contracts.journal import ClockName, Entry, Event, Journal, Stage
from orderack.dispute import verifier, words
from orderack.dispute.case import build
from orderack.dispute.pack import members, pack
from orderack.domain.acknowledgement import Kind, SendKey, SendOutcome, SendState
from orderack.domain.difference import Changed
from orderack.domain.evidence import Assurance, EvidenceEvent, EvidenceFact, Grade, Provenance
from orderack.domain.response import Outcome
from orderack.ledger.audit import COVERED, ENDS_VOUCHED_FOR, sha256
from orderack.ledger.record import OrderRecord
from orderack.ledger.repository import SqlLedger
from orderack.ports import Message, Rendered
from tests.dispute.conftest import EXPORTED, Files, report_on
from tests.dispute.story import EMAIL, HTML, PHONE, REF

NAMES = {
    "KINDS": Kind,
    "GRADES": Grade,
    "EVENTS": EvidenceEvent,
    "ASSURANCES": Assurance,
    "CLOCKS": ClockName,
    "CHANGED": Changed,
    "ANSWERS": Outcome,
}


def test_the_same_order_exported_twice_is_the_same_bytes_but_for_the_exports_time(record: OrderRecord) -> None:
    first, again = pack(record, UTC, EXPORTED), pack(record, UTC, EXPORTED)
    assert first == again
    later = members(record, UTC, EXPORTED + timedelta(days=1))
    differ = {name for name, held in members(record, UTC, EXPORTED).items() if later[name] != held}
    assert differ == {"manifest.json", "timeline.html"}


async def test_every_message_is_in_it_exactly_as_it_was_stored(story: SqlLedger, files: Files) -> None:
    sends = await story.sends(REF)
    listed = [send for said in json.loads(files[verifier.MESSAGES])["messages"] for send in said["sends"]]
    assert len(listed) == len(sends) == 5
    by_hash = {send.body_sha256: send.message_json for send in sends}
    for one in listed:
        assert files[one["file"]].decode() == by_hash[one["message_sha256"]]
        assert sha256(files[one["file"]].decode()) == one["message_sha256"]


def test_a_message_opened_from_the_pack_fetches_nothing_and_leads_nowhere(files: Files) -> None:
    pages = [held.decode() for name, held in files.items() if name.endswith(".html") and name.startswith("messages/")]
    assert len(pages) == 2
    for page in pages:
        policy, shown = page.split("\n", 1)
        assert "default-src 'none'" in policy
        assert "pointer-events:none" in policy
        assert shown == HTML


def test_the_timeline_is_a_document_with_no_script_and_nothing_to_fetch(files: Files) -> None:
    page = files["timeline.html"].decode()
    assert not re.search(r"<script|<img|<a\b|<link|javascript:|https?://[^<]*['\"]\s*/?>|@import|url\(", page)
    assert "default-src 'none'" in page
    assert "&lt;large&gt;" in page
    assert "<large>" not in page


@pytest.mark.parametrize(
    "sentence",
    [
        "Confirmation, revision 2",
        "What changed from revision 1",
        "Before",
        "web-small (policy a1b2c3): web order under the threshold",
        "Apple mail preload, Seconds after delivery",
        "broken on 02 Mar 2026, 09:31:15 UTC; met late, on 02 Mar 2026, 09:31:20 UTC",
        "SO-4711-2",
        "Review decided",
        "grace",
        "accepted on 02 Mar 2026, 09:50:00 UTC by lin",
        "refused (Bad recipient)",
        "in doubt: it may or may not have gone out",
        "Accepted: 02 Mar 2026, 09:46:41 UTC · E5 · portal",
        "the holder of a signed link that went to the recipient&#39;s address",
        "on backorder",
    ],
)
def test_the_timeline_tells(sentence: str, files: Files) -> None:
    assert sentence in files["timeline.html"].decode()


def test_times_are_written_in_the_zone_that_was_asked_for(record: OrderRecord) -> None:
    page = members(record, ZoneInfo("Asia/Tokyo"), EXPORTED)["timeline.html"].decode()
    assert "02 Mar 2026, 18:30:00 JST" in page


def test_an_order_of_which_nothing_but_its_name_is_known_has_a_pack_too() -> None:
    bare = OrderRecord(ref=REF, received_at=EXPORTED, length=0, head="", rows=(), breaks=())
    held = members(bare, UTC, EXPORTED)
    assert "No message about this order is on record." in held["timeline.html"].decode()


def test_claims_are_generated_and_say_what_is_not_proved(record: OrderRecord, files: Files) -> None:
    told = build(record).told
    claims = {
        (said["kind"], said["revision"]): said["claim"] for said in json.loads(files[verifier.MESSAGES])["messages"]
    }
    assert claims == {(one.kind, one.revision): one.claim(UTC) for one in told}
    assert "No evidence" in claims["received", 1]


def test_the_words_cover_every_name() -> None:
    for table, names in NAMES.items():
        assert set(getattr(words, table)) == set(names), table
    assert set(words.STATES) == ENDS_VOUCHED_FOR | {SendState.ACCEPTED}


def test_the_verifiers_own_tables_agree_with_ours() -> None:
    assert {grade: Grade(grade).rank for grade in verifier.RANK} == verifier.RANK
    assert set(verifier.RANK) == set(Grade)
    assert verifier.COVERED == COVERED


def test_the_zip_has_readable_members_first_and_no_time_of_its_own(record: OrderRecord) -> None:
    with zipfile.ZipFile(BytesIO(pack(record, UTC, datetime.now(UTC)))) as archive:
        found = archive.infolist()
    assert [one.filename for one in found[:3]] == ["README.txt", "timeline.html", "verify.py"]
    assert {one.date_time for one in found} == {(1980, 1, 1, 0, 0, 0)}


async def test_an_erased_order_has_a_pack_that_says_so_and_holds_nothing_personal(story: SqlLedger) -> None:
    await story.erase(REF, "grace", "asked by the buyer", EXPORTED)
    erased = await story.order_record(REF)
    assert erased
    assert erased.breaks == ()
    held = members(erased, UTC, EXPORTED)
    everything = b"\n".join(held.values()).decode()
    for personal in (EMAIL, PHONE, "Ada", "Mill Lane", "secret-token", "C-7"):
        assert personal not in everything, personal
    page = held["timeline.html"].decode()
    assert "Personal data was erased" in page
    assert "asked by the buyer" in page
    assert "The message&#39;s content was erased." in page or "The message's content was erased." in page


async def test_a_message_in_doubt_and_its_repeat_stand_in_a_pack_that_verifies(
    story: SqlLedger, tmp_path: Path
) -> None:
    """The `update` by `smtp_email` is in doubt in the story; here it is said again, and both are reported at last."""
    about, at = "update 1 by smtp_email:", EXPORTED - timedelta(hours=1)
    entries = (
        Entry(seq=50, at=at, event=Event.SEND_UNKNOWN, revision=2, note=f"{about} cut off after sending", due_at=at),
        Entry(seq=51, at=at, event=Event.SEND_SETTLED, revision=2, note=f"{about} said again as 2"),
    )
    await story.write(Journal(ref=REF, stage=Stage.HANDED_OFF, revision=2, entries=entries))
    again = SendKey(ref=REF, revision=2, kind=Kind.UPDATE, n=2, channel="twilio_sms")
    content = Rendered(subject="s", text="You may have had this message already.", sms="Possible repeat: s")
    message = Message(key=again, recipient=PHONE, kind=again.kind, language="en", content=content)
    await story.claim(again, message, at, timedelta(minutes=1))
    await story.finish(again, SendOutcome(channel=again.channel, state=SendState.ACCEPTED, provider_id="SM9"), at)
    for n, channel in ((2, "twilio_sms"), (1, "smtp_email")):
        fact = EvidenceFact(
            id=f"late-{n}",
            event=EvidenceEvent.DELIVERED,
            grade=Grade.E2,
            channel=channel,
            revision=2,
            kind=Kind.UPDATE,
            n=n,
            occurred_at=at,
            basis=f"{channel}:delivered",
        )
        origin = Provenance(content_sha256="c" * 64, actor="", assurance=Assurance.PROVIDER, verified=True)
        await story.record_evidence(REF, fact, "{}", origin)
    record = await story.order_record(REF)
    assert record
    files = members(record, UTC, EXPORTED)
    report = report_on(files, tmp_path)
    assert report.code == 0, list(report.lines())
    told = json.loads(files["messages/index.json"])["messages"]
    updates = [one for one in told if one["kind"] == Kind.UPDATE]
    assert sorted((one["n"], one["sends"][0]["state"]) for one in updates) == [(1, "accepted"), (2, "accepted")]
    (repeat,) = [name for name in files if "update-2" in name and name.endswith(".json")]
    files[repeat] = files[repeat].replace(b"may have had", b"have not had")
    assert report_on(files, tmp_path).code, "the words of the repeat are vouched for too"
