"""A pack forged whole holds by itself; against a head that was kept elsewhere it does not."""

import json
from datetime import UTC
from pathlib import Path

import pytest

from orderack.dispute import verifier
from orderack.dispute.against import against
from orderack.dispute.pack import members, zipped
from orderack.domain.evidence import Grade
from orderack.errors import InvalidInput
from orderack.ledger.audit import SUBJECTS, content_hash, row_hash, sha256
from orderack.ledger.checkpoint import written
from orderack.ledger.record import OrderRecord
from orderack.ledger.repository import SqlLedger
from tests.dispute.conftest import EXPORTED, report_on
from tests.dispute.story import REF

SECRET = "a secret that seals checkpoints"


async def a_checkpoint(ledger: SqlLedger, folder: Path, store: str | None = None) -> Path:
    file = folder / f"heads-{store}.jsonl"
    with file.open("w", newline="\n") as target:
        async for line, _ in written(ledger.heads(store), EXPORTED, store, SECRET):
            target.write(line)
    return file


def forged(record: OrderRecord) -> OrderRecord:
    """The confirmation says another word, its evidence is of E6, and every hash from there on is made anew."""
    rows, previous = [], ""
    for row in record.rows:
        fact, content = dict(row.fact or {}), row.content
        if row.subject == "acceptance" and content is not None:
            content = content.replace("Order 1001, revision 1", "Order 1001, revision 7")
            fact["message_sha256"] = sha256(content)
        if row.subject == "graded_evidence" and fact.get("event") == "affirmed":
            fact["grade"] = Grade.E6
        hashed = row.model_dump() | {"store": record.ref.store, "number": record.ref.number, "prev_hash": previous}
        if row.fact is not None:
            hashed["content_hash"] = content_hash(SUBJECTS[row.subject], fact)
        previous = hashed["hash"] = row_hash(hashed)
        named = {name: hashed[name] for name in ("content_hash", "prev_hash", "hash")}
        rows.append(row.model_copy(update={**named, "fact": fact or None, "content": content}))
    return record.model_copy(update={"rows": tuple(rows), "head": previous})


async def test_a_pack_forged_whole_holds_by_itself_and_says_what_to_compare_it_with(
    story: SqlLedger, record: OrderRecord, tmp_path: Path
) -> None:
    kept = await a_checkpoint(story, tmp_path)
    report = report_on(members(forged(record), UTC, EXPORTED), tmp_path)
    assert report.problems == []
    assert any("evidence verify PACK --against CHECKPOINT" in words for words in verifier.CANNOT)
    found = against(tmp_path / "pack.zip", kept, SECRET)
    assert found.problem == "the pack's chain is not the one it saw: it was written anew"
    assert "written anew" in found.words


async def test_a_true_pack_runs_through_the_head_that_was_kept_and_is_told_how_far(
    story: SqlLedger, record: OrderRecord, tmp_path: Path
) -> None:
    kept = await a_checkpoint(story, tmp_path)
    (tmp_path / "pack.zip").write_bytes(zipped(members(record, UTC, EXPORTED)))
    found = against(tmp_path / "pack.zip", kept, SECRET)
    assert (found.problem, found.rows, found.signature) == ("", record.length, True)
    assert f"the first {record.length} rows of the chain are the very ones it saw (its signature holds)" in found.words
    assert against(tmp_path / "pack.zip", kept, "").signature is None
    assert against(tmp_path / "pack.zip", kept, "another secret, as long").problem == "its signature does not hold"


async def test_a_pack_whose_end_was_cut_off_or_whose_order_was_unknown_is_not_vouched_for(
    story: SqlLedger, record: OrderRecord, tmp_path: Path
) -> None:
    short = record.model_copy(
        update={"rows": record.rows[:-2], "length": record.length - 2, "head": record.rows[-3].hash}
    )
    report = report_on(members(short, UTC, EXPORTED), tmp_path)
    assert report.problems == []
    assert "its end was cut off" in against(tmp_path / "pack.zip", await a_checkpoint(story, tmp_path), SECRET).problem
    elsewhere = await a_checkpoint(story, tmp_path, "south")
    assert "it proves nothing of this pack" in against(tmp_path / "pack.zip", elsewhere, SECRET).problem


async def test_what_is_no_checkpoint_is_said_in_words(record: OrderRecord, tmp_path: Path) -> None:
    (tmp_path / "pack.zip").write_bytes(zipped(members(record, UTC, EXPORTED)))
    (tmp_path / "heads").write_text(json.dumps({"order": str(REF)}))
    with pytest.raises(InvalidInput):
        against(tmp_path / "pack.zip", tmp_path / "heads", SECRET)
