"""`orderack audit`, `orderack evidence` and `orderack erase`, as an operator types them."""

import json
import shutil
import sqlite3
import zipfile
from pathlib import Path

import pytest

from orderack.dispute import verifier
from orderack.dispute.pack import zipped
from tests.cli.conftest import KeptWorld, Terminal
from tests.dispute.conftest import told_ledger
from tests.dispute.story import EMAIL
from tests.dispute.test_verifier import resealed

__all__ = ["told_ledger"]


@pytest.fixture
def desk(bare: Terminal, told_ledger: Path) -> Terminal:
    """A terminal beside a ledger with one whole story in it, and no Temporal."""
    shutil.copy(told_ledger, bare.folder / "ledger.db")
    bare.environment["ORDERACK_DATABASE_URL"] = f"sqlite+aiosqlite:///{bare.folder}/ledger.db"
    return bare


def _forge(desk: Terminal, statement: str) -> None:
    with sqlite3.connect(desk.folder / "ledger.db") as connection:
        connection.execute(statement)
    connection.close()


async def test_a_sound_record_is_said_to_be_sound(desk: Terminal) -> None:
    one = await desk("audit", "verify", "north/1001")
    assert (one.code, one.out, one.err) == (0, "1 order, 31 chain rows: all stand as they were written.\n", "")
    every = await desk("audit", "verify", "--all", "--json")
    assert (every.code, every.json["sound"], every.json["orders"], every.json["rows"]) == (0, True, 1, 31)
    elsewhere = await desk("audit", "verify", "--store", "south")
    assert (elsewhere.code, elsewhere.out) == (0, "0 orders, 0 chain rows: there was nothing to verify.\n")


async def test_a_forged_record_is_named_with_a_code_of_its_own_and_what_to_do(desk: Terminal) -> None:
    _forge(desk, "UPDATE evidence SET grade = 'E6' WHERE event_id = 't-2'")
    for arguments in (["north/1001"], ["--all"], ["--store", "north"]):
        ended = await desk("audit", "verify", *arguments)
        assert ended.code == 4
        assert "north/1001: position 19, evidence sendgrid_email/t-2: was changed after it was recorded" in ended.out
        assert "What to do: change nothing" in ended.out
    told = await desk("audit", "verify", "--all", "--json")
    assert (told.code, told.json["sound"], told.json["broken"][0]["breaks"][0]["position"]) == (4, False, 19)
    exported = await desk("evidence", "export", "north/1001")
    assert exported.code == 4
    assert "does not agree with its audit chain" in exported.err
    verified = await desk("evidence", "verify", "evidence-north-1001.zip")
    assert verified.code == 4
    assert "row 19 of the chain (graded_evidence sendgrid_email/t-2): the fact was changed" in verified.out
    shown = await desk("evidence", "show", "north/1001")
    assert shown.code == 4


async def test_a_checkpoint_kept_elsewhere_catches_an_order_that_was_removed(desk: Terminal) -> None:
    made = await desk("audit", "checkpoint", "--output", "heads.jsonl", ORDERACK_SECRET="sixteen letters at least")
    assert (made.code, made.err) == (0, "")
    assert "the heads of 1 orders" in made.out
    assert "signed with ORDERACK_SECRET" in made.out
    assert EMAIL not in (desk.folder / "heads.jsonl").read_text()
    sound = await desk("audit", "verify", "--all", "--against", "heads.jsonl")
    assert (sound.code, "run through the checkpoint of" in sound.out) == (0, True)
    other = await desk(
        "audit", "verify", "--all", "--against", "heads.jsonl", ORDERACK_SECRET="another secret, as long"
    )
    assert (other.code, "signature is not this installation's" in other.out) == (4, True)
    with sqlite3.connect(desk.folder / "ledger.db") as connection:
        tables = [name for (name,) in connection.execute("SELECT name FROM sqlite_master WHERE type = 'table'")]
        for table in tables:
            columns = {row[1] for row in connection.execute(f"PRAGMA table_info({table})")}
            if "number" in columns:
                connection.execute(f"DELETE FROM {table}")
    connection.close()
    assert (await desk("audit", "verify", "--all")).code == 0
    caught = await desk("audit", "verify", "--all", "--against", "heads.jsonl")
    assert (caught.code, "north/1001" in caught.out, "whole order was removed" in caught.out) == (4, True, True)
    assert (await desk("audit", "checkpoint", "--output", "heads.jsonl")).code == 2


async def test_a_sentence_altered_with_its_manifest_made_anew_is_named(desk: Terminal) -> None:
    await desk("evidence", "export", "north/1001", "--output", "case.zip")
    files = verifier.read_pack(str(desk.folder / "case.zip"))
    files[verifier.TIMELINE] += b"<p>The buyer agreed to everything.</p>"
    (desk.folder / "altered.zip").write_bytes(zipped(resealed(files)))
    assert verifier.main([str(desk.folder / "altered.zip")]) == 0
    told = await desk("evidence", "verify", "altered.zip")
    assert (told.code, "timeline.html is not what this program writes of the chain" in told.out) == (4, True)


async def test_a_pack_is_held_against_a_checkpoint(desk: Terminal) -> None:
    await desk("audit", "checkpoint", "--output", "heads.jsonl")
    await desk("evidence", "export", "north/1001", "--output", "case.zip")
    sound = await desk("evidence", "verify", "case.zip", "--against", "heads.jsonl")
    assert (sound.code, "the first 31 rows of the chain are the very ones it saw" in sound.out) == (0, True)
    told = (await desk("evidence", "verify", "case.zip", "--against", "heads.jsonl", "--json")).json
    assert (told["sound"], told["against"]["rows"], told["against"]["problem"]) == (True, 31, "")
    await desk("audit", "checkpoint", "--output", "south.jsonl", "--store", "south")
    other = await desk("evidence", "verify", "case.zip", "--against", "south.jsonl")
    assert (other.code, "it proves nothing of this pack" in other.out) == (4, True)
    assert (await desk("evidence", "verify", "case.zip", "--against", "case.zip")).code == 2


async def test_what_is_known_of_each_message_is_shown_in_generated_sentences(desk: Terminal) -> None:
    shown = await desk("evidence", "show", "north/1001", "--zone", "Asia/Tokyo")
    assert (shown.code, shown.err) == (0, "")
    assert "on 02 Mar 2026 18:31 JST" in shown.out
    assert "No evidence that a person opened it" in shown.out
    as_json = (await desk("evidence", "show", "north/1001", "--json")).json
    grades = {(one["kind"], one["revision"]): one["grade"] for one in as_json["messages"]}
    assert grades == {
        ("received", 1): "E2",
        ("confirmation", 1): "E3p",
        ("confirmation", 2): "E5",
        ("update", 2): None,
    }
    assert as_json["record_sound"] is True


async def test_a_pack_is_exported_once_and_verifies(desk: Terminal) -> None:
    epoch = {"SOURCE_DATE_EPOCH": "1775000000"}
    made = (await desk("evidence", "export", "north/1001", "--output", "a.zip", "--json", **epoch)).json
    assert made["problems"] == []
    again = (await desk("evidence", "export", "north/1001", "--output", "b.zip", "--json", **epoch)).json
    assert made["sha256"] == again["sha256"]
    assert (await desk("evidence", "export", "north/1001", "--output", "a.zip")).code == 2
    verified = await desk("evidence", "verify", "a.zip")
    assert (verified.code, verified.err) == (0, "")
    assert "Everything that can be checked holds." in verified.out
    assert made["fingerprint"] in verified.out
    told = (await desk("evidence", "verify", "a.zip", "--json")).json
    assert (told["sound"], told["own_verifier"], told["problems"]) == (True, True, [])
    with zipfile.ZipFile(desk.folder / "a.zip") as archive:
        archive.extractall(desk.folder / "unpacked")
    (desk.folder / "unpacked" / "verify.py").write_text("print('all is well')")
    changed = await desk("evidence", "verify", "unpacked")
    assert (changed.code, "verify.py was changed" in changed.out) == (4, True)
    assert "The verify.py inside is not this installation's" in changed.out


@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        ("audit verify", 2, "name orders, or --all, or --store NAME"),
        ("audit verify north/1001 --all", 2, "name orders, or --all, or --store NAME"),
        ("audit verify north/none", 1, "the ledger has no order north/none"),
        ("audit verify north", 2, "is not an order's reference"),
        ("audit verify --all --against missing", 2, "missing: cannot be read"),
        ("audit verify --all --against ledger.db", 2, "is not a checkpoint"),
        ("audit checkpoint --output no/such/folder", 2, "cannot be written"),
        ("audit checkpoint", 2, "--output"),
        ("evidence show north/none", 1, "the ledger has no order north/none"),
        ("evidence show north/1001 --zone Mars/Base", 2, "is no time zone"),
        ("evidence show north/1001 --zone ../../etc", 2, "is no time zone"),
        ("evidence export north/none", 1, "the ledger has no order north/none"),
        ("evidence export north/1001 --output no/such/file", 2, "cannot be written"),
        ("evidence export north/1001 --output .", 2, "is there already"),
        ("evidence verify missing.zip", 2, "cannot be read"),
        ("evidence verify ledger.db", 2, "not a zip file"),
        ("evidence verify .", 2, "holds no manifest.json"),
        ("erase north/1001 --by grace --yes", 2, "--reason"),
        ("erase north/none --reason x --by grace --yes", 1, "the ledger has no order north/none"),
        ("erase north/1001 --reason x --by grace --yes", 3, "emporal"),
    ],
)
async def test_what_cannot_be_done_is_said_in_a_sentence(arguments: str, code: int, words: str, desk: Terminal) -> None:
    ended = await desk(*arguments.split())
    assert (ended.code, ended.out) == (code, "")
    assert words in ended.err


async def test_source_date_epoch_that_is_no_number_is_named(desk: Terminal) -> None:
    ended = await desk("evidence", "export", "north/1001", SOURCE_DATE_EPOCH="yesterday")
    assert (ended.code, "SOURCE_DATE_EPOCH: is no number of seconds" in ended.err) == (2, True)


async def test_an_open_order_is_not_erased(terminal: Terminal, kept: KeptWorld) -> None:
    ref, file, order = terminal.order()
    await terminal("submit", file)
    await terminal.until("status", ref, holds=lambda status: status["stage"] != "assessing")
    asked = ("erase", ref, "--reason", "asked by the buyer", "--by", "grace")
    refused = await terminal(*asked, "--yes")
    assert (refused.code, refused.out) == (1, "")
    assert "is still open: cancel or close it first" in refused.err
    found = await kept.ledger.revision(order.ref, 1)
    assert found
    assert found.order.contacts == order.contacts


async def test_an_erased_order_keeps_its_proof_and_its_pack(desk: Terminal, terminal: Terminal) -> None:
    desk.environment["TEMPORAL_ADDRESS"] = terminal.environment["TEMPORAL_ADDRESS"]
    desk.environment["ORDERACK_DATABASE_URL"] = f"sqlite+aiosqlite:///{desk.folder}/ledger.db"
    asked = ("erase", "north/1001", "--reason", "asked by the buyer", "--by", "grace")
    assert (await desk(*asked, stdin="n\n")).code == 1
    nobody = await desk(*asked)
    assert (nobody.code, "--yes: is missing" in nobody.err) == (2, True)
    empty = await desk("erase", "north/1001", "--reason", " ", "--by", "grace", "--yes")
    assert (empty.code, "--reason: is empty" in empty.err) == (2, True)
    assert EMAIL.encode() in (desk.folder / "ledger.db").read_bytes()
    done = await desk(*asked, stdin="y\n")
    assert (done.code, "the audit chain holds the erasure" in done.out) == (0, True)
    assert EMAIL.encode() not in (desk.folder / "ledger.db").read_bytes()
    again = await desk(*asked, "--yes", "--json")
    assert (again.code, json.loads(again.out)["rows"]) == (0, 0)
    assert (await desk("audit", "verify", "north/1001")).code == 0
    assert (await desk("evidence", "export", "north/1001", "--output", "erased.zip")).code == 0
    verified = await desk("evidence", "verify", "erased.zip")
    assert (verified.code, "; what is gone is vouched for by its SHA-256 alone" in verified.out) == (0, True)
    shown = await desk("evidence", "show", "north/1001")
    assert "Personal data of this order was erased" in shown.out
