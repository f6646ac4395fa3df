"""Whatever is changed in a pack is caught and named; what is no pack is refused in a sentence."""

import ast
import io
import json
import random
import re
import shutil
import struct
import subprocess
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orderack.dispute import verifier
from orderack.dispute.pack import members, pack, zipped
from orderack.dispute.verifier import BROKEN, HOLDS, UNREADABLE, Unreadable, canonical, digest, read_pack, verify
from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from orderack.domain.proof import Mark, prove
from orderack.ledger import audit
from orderack.ledger.record import OrderRecord
from orderack.ledger.repository import SqlLedger
from tests.dispute.conftest import EXPORTED, Files, report_on
from tests.dispute.story import REF

Change = Callable[[Any], None]


def test_a_pack_as_exported_holds(files: Files, tmp_path: Path) -> None:
    report = report_on(files, tmp_path)
    assert (report.problems, report.code, report.order) == ([], HOLDS, str(REF))
    assert len(report.holds) == len(verifier.CHECKS)
    assert report.fingerprint in "\n".join(report.lines())


async def test_the_pack_of_an_erased_order_holds_and_says_so(story: SqlLedger, tmp_path: Path) -> None:
    await story.erase(REF, "grace", "asked by the buyer", EXPORTED)
    record = await story.order_record(REF)
    assert record
    report = report_on(members(record, UTC, EXPORTED), tmp_path)
    assert report.problems == []
    (note,) = report.erased
    assert "asked by the buyer" in note


def test_it_runs_with_nothing_but_python_in_the_folder_and_on_the_zip(record: OrderRecord, tmp_path: Path) -> None:
    (tmp_path / "pack.zip").write_bytes(pack(record, UTC, EXPORTED))
    shutil.unpack_archive(tmp_path / "pack.zip", tmp_path / "unpacked")
    script = str(tmp_path / "unpacked" / "verify.py")
    alone = [sys.executable, "-I", "-S", script]  # neither our packages nor any other's
    for arguments in ([], [str(tmp_path / "pack.zip")]):
        ended = subprocess.run([*alone, *arguments], capture_output=True, text=True, check=False, cwd=tmp_path)
        assert (ended.returncode, ended.stderr) == (HOLDS, "")
        assert "Everything that can be checked holds." in ended.stdout
    (tmp_path / "unpacked" / "chain.json").write_text("{}")
    ended = subprocess.run(alone, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (ended.returncode, ended.stderr) == (BROKEN, "")
    assert "chain.json was changed" in ended.stdout


def test_it_is_written_for_python_3_9(files: Files) -> None:
    ast.parse(files["verify.py"], feature_version=(3, 9))
    imported = {
        alias.name
        for node in ast.walk(ast.parse(files["verify.py"]))
        if isinstance(node, ast.Import)
        for alias in node.names
    }
    assert imported <= set(sys.stdlib_module_names)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(which=st.floats(0, 1, exclude_max=True), where=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255))
def test_any_byte_of_any_member_changed_is_caught_and_the_member_named(
    which: float, where: float, flip: int, files: Files, tmp_path: Path
) -> None:
    name = sorted(files)[int(which * len(files))]
    held = bytearray(files[name])
    held[int(where * len(held))] ^= flip
    report = report_on({**files, name: bytes(held)}, tmp_path)
    assert report.code == BROKEN
    assert any(name in problem for problem in report.problems), report.problems


def test_every_member_dropped_or_cut_or_added_is_named(files: Files, tmp_path: Path) -> None:
    for name in files:
        if name != verifier.MANIFEST:
            without = {other: held for other, held in files.items() if other != name}
            assert f"{name} is missing: the manifest lists it" in report_on(without, tmp_path).problems
        cut = report_on({**files, name: files[name][:-1]}, tmp_path).problems
        assert any(name in problem for problem in cut)
    added = report_on({**files, "messages/forged.txt": b"x"}, tmp_path).problems
    assert "messages/forged.txt was added: the manifest does not list it" in added


def resealed(files: Files) -> Files:
    """As somebody would do it who changed the pack and made its manifest anew."""
    chain = json.loads(files[verifier.CHAIN])
    manifest = json.loads(files[verifier.MANIFEST])
    manifest["files"] = {
        name: {"sha256": verifier.sha256(held), "size": len(held)}
        for name, held in files.items()
        if name != verifier.MANIFEST
    }
    manifest["chain"] = {"length": chain["length"], "head": chain["head"]}
    del manifest["seal"]
    manifest["seal"] = verifier.sha256(canonical(manifest))
    return {**files, verifier.MANIFEST: canonical(manifest)}


def changed(files: Files, name: str, change: Change) -> Files:
    value = json.loads(files[name])
    change(value)
    return resealed({**files, name: canonical(value)})


def row_of(chain: Any, subject: str, nth: int = 0) -> Any:
    return [row for row in chain["rows"] if row["subject"] == subject and row["fact"]][nth]


def test_made_anew_and_unchanged_it_still_holds(files: Files, tmp_path: Path) -> None:
    assert report_on(resealed(files), tmp_path).problems == []


def test_every_column_of_every_fact_and_row_of_the_chain_is_guarded(files: Files, tmp_path: Path) -> None:
    chain = json.loads(files[verifier.CHAIN])
    places = [
        (place, part, name)
        for place, row in enumerate(chain["rows"])
        for part in ("fact", "")
        for name in (row["fact"] or {} if part else row)
    ]
    assert len(places) > 300
    for place, part, name in places:
        if name in ("fact", "file"):
            continue

        def forge(value: Any, place: int = place, part: str = part, name: str = name) -> None:
            row = value["rows"][place]
            held = row[part] if part else row
            held[name] = f"{held[name]}x" if not isinstance(held[name], bool) else not held[name]

        problems = report_on(changed(files, verifier.CHAIN, forge), tmp_path).problems
        assert any("chain" in problem for problem in problems), (place, part, name)


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda chain: chain["rows"].pop(3), "row 5 of the chain"),
        (lambda chain: chain["rows"].pop(), "its end was cut off"),
        (lambda chain: chain["rows"].insert(3, chain["rows"][2]), "a row is missing, was added or was moved"),
        (lambda chain: chain["rows"].insert(3, chain["rows"].pop(7)), "row 8 of the chain"),
        (lambda chain: chain["rows"].reverse(), "does not follow the row before it"),
        (lambda chain: row_of(chain, "acceptance").update(fact=None), "the fact it vouches for is missing"),
        (lambda chain: row_of(chain, "acceptance").update(file=None), "no erasure is on record"),
        (lambda chain: row_of(chain, "revision").update(file=None), "no erasure is on record"),
        (lambda chain: chain["order"].update(number="1002"), "its hash is not that of its words"),
        (lambda chain: chain.update(rows=[]), "its end was cut off"),
        (lambda chain: chain.update(rows={}), "could not be checked"),
        (lambda chain: chain.pop("rows"), "could not be checked"),
    ],
)
def test_rows_dropped_added_or_moved_are_named(change: Change, named: str, files: Files, tmp_path: Path) -> None:
    problems = report_on(changed(files, verifier.CHAIN, change), tmp_path).problems
    assert any(named in problem for problem in problems), problems


def test_two_messages_whose_bodies_are_swapped_are_both_named(files: Files, tmp_path: Path) -> None:
    first, second = (name for name in sorted(files) if name.endswith("sendgrid_email.json"))
    swapped = resealed({**files, first: files[second], second: files[first]})
    problems = report_on(swapped, tmp_path).problems
    assert [problem for problem in problems if f"{first} is not the message that was sent" in problem]
    assert [problem for problem in problems if f"{second} is not the message that was sent" in problem]


def first_told(kind: str) -> Callable[[Any], Any]:
    return lambda index: next(said for said in index["messages"] if said["kind"] == kind)


def last_word(index: Any) -> Any:
    return next(said for said in index["messages"] if said["assent"])


@pytest.mark.parametrize(
    ("name", "change", "named"),
    [
        (
            verifier.MESSAGES,
            lambda v: first_told("received")(v).update(grade="E5"),
            "its grade E5 is not the strongest",
        ),
        (
            verifier.MESSAGES,
            lambda v: first_told("received")(v).update(grade="E1"),
            "its grade E1 is not the strongest",
        ),
        (
            verifier.MESSAGES,
            lambda v: first_told("received")(v).update(claim="The buyer read it."),
            "its claim does not",
        ),
        (verifier.MESSAGES, lambda v: first_told("received")(v).update(out_at=None), "the time it went out"),
        (verifier.MESSAGES, lambda v: v["messages"].pop(), "does not list exactly the chain's messages"),
        (
            verifier.MESSAGES,
            lambda v: v["messages"][1]["receipt"].update(at="2026-01-01"),
            "its receipt is not what the evidence",
        ),
        (verifier.MESSAGES, lambda v: v["messages"][0]["sends"][0].update(provider_id="x"), "is not in the chain"),
        (verifier.MESSAGES, lambda v: last_word(v).update(assent=None), "its assent is not what the evidence"),
        (verifier.MESSAGES, lambda v: last_word(v).update(assented=False), "its assented is not what the evidence"),
        (verifier.MESSAGES, lambda v: last_word(v).update(reading=None), "its reading is not what the evidence"),
        (verifier.EVIDENCE, lambda v: v["facts"][0].update(grade="E5"), "is not what the chain vouches for"),
        (verifier.EVIDENCE, lambda v: v["facts"][0].update(raw="other words"), "the raw event is not the one"),
        (verifier.EVIDENCE, lambda v: v["facts"][0].update(raw=None), "no erasure is on record"),
        (verifier.EVIDENCE, lambda v: v["facts"].pop(), "does not list exactly the chain's evidence"),
        (verifier.LEVELS, lambda v: v["service_levels"][0].update(breached_at=None), "does not follow from the chain"),
        (verifier.LEVELS, lambda v: v["service_levels"].pop(), "does not follow from the chain"),
    ],
)
def test_what_is_told_of_the_facts_must_be_in_the_facts(
    name: str, change: Change, named: str, files: Files, tmp_path: Path
) -> None:
    problems = report_on(changed(files, name, change), tmp_path).problems
    assert any(named in problem for problem in problems), problems


def test_the_address_of_a_fetch_may_be_forgotten_and_what_it_proved_stands(files: Files, tmp_path: Path) -> None:
    def forget(assurance: str) -> Change:
        def change(evidence: Any) -> None:
            for one in evidence["facts"]:
                one["raw"] = None if one["assurance"] == assurance else one["raw"]

        return change

    assert report_on(changed(files, verifier.EVIDENCE, forget("none")), tmp_path).problems == []
    assert len(report_on(changed(files, verifier.EVIDENCE, forget("link")), tmp_path).problems) == 2


def test_an_erasure_that_was_made_up_excuses_nothing(files: Files, tmp_path: Path) -> None:
    def forge(chain: Any) -> None:
        row_of(chain, "acceptance")["file"] = None
        fact = {"erased_at": "2026-01-01T00:00:00+00:00", "by": "x", "reason": "y"}
        last = chain["rows"][-1]
        row = {
            **last,
            "subject": "erasure",
            "subject_id": "x",
            "fact": fact,
            "position": last["position"] + 1,
            "file": None,
        }
        chain["rows"].append(row)

    problems = report_on(changed(files, verifier.CHAIN, forge), tmp_path).problems
    assert any("no erasure is on record" in problem for problem in problems)


def test_a_fact_changed_with_its_own_hash_made_anew_breaks_the_link(files: Files, tmp_path: Path) -> None:
    def forge(chain: Any) -> None:
        row = row_of(chain, "graded_evidence")
        row["fact"]["grade"] = "E6"
        row["content_hash"] = digest(row["fact"])

    problems = report_on(changed(files, verifier.CHAIN, forge), tmp_path).problems
    assert any("its hash is not that of its words" in problem for problem in problems)


# -- what is no pack ------------------------------------------------------------------------------------------------


def crafted(*entries: tuple[str, bytes], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w", compression) as archive:
        for name, held in entries:
            archive.writestr(zipfile.ZipInfo(name), held, compression)
    return made.getvalue()


def _linked() -> bytes:
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc/passwd")
    return made.getvalue()


def _lying(size: int) -> bytes:
    """A member that says it is smaller than it is."""
    held = crafted(("manifest.json", b"0" * 5_000))
    return held.replace(struct.pack("<I", 5_000), struct.pack("<I", size))


HOSTILE: dict[str, Callable[[], bytes]] = {
    "not a zip file": lambda: b"",
    "it is not a zip": lambda: b"Dear Sirs",
    "an empty zip, so not a zip file": lambda: crafted(),
    "damaged or cut off": lambda: b"PK\x03\x04 and no more",
    "something was put in front": lambda: b"MZ" + crafted(("manifest.json", b"{}")),
    "'../../evil', which could land outside": lambda: crafted(("../../evil", b"x")),
    "'/etc/evil', which could land outside": lambda: crafted(("/etc/evil", b"x")),
    "evil', which could land outside": lambda: crafted(("a\\..\\evil", b"x")),
    "'C:evil', which could land outside": lambda: crafted(("C:evil", b"x")),
    "'a/./b', which could land outside": lambda: crafted(("a/./b", b"x")),
    "'nul', which could land outside": lambda: crafted(("nul~.txt", b"x")).replace(b"nul~", b"nul\x00"),
    "'link', which could land outside": _linked,
    "two files named manifest.json": lambda: crafted(("manifest.json", b"{}"), ("nanifest.json", b"[]")).replace(
        b"nan", b"man"
    ),
    "two files named MANIFEST.json": lambda: crafted(("manifest.json", b"{}"), ("MANIFEST.json", b"[]")),
    "far too large": lambda: crafted(("manifest.json", b"0" * 10_000_000)),
    "larger than 256 MB": lambda: crafted(*((f"bomb{n}", b"0" * 60_000_000) for n in range(5))),
    "it holds 20001 files": lambda: crafted(*((f"f{n}", b"") for n in range(20_001)), compression=zipfile.ZIP_STORED),
    "is damaged": lambda: _lying(10),
    "no dispute pack": lambda: crafted(("other.txt", b"x")),
}


def _with_comment(zip_: bytes) -> bytes:
    return zip_[:-2] + struct.pack("<H", 5) + b"words"


def _with_a_gap(zip_: bytes) -> bytes:
    """Something between the last member and the list, which is moved behind it."""
    place = struct.unpack("<I", zip_[-6:-2])[0]
    return zip_[:place] + b"hidden" + zip_[place:-6] + struct.pack("<I", place + 6) + zip_[-2:]


def _two_in_one(zip_: bytes) -> bytes:
    """Behind another zip: a program that reads from the front sees that one."""
    other = crafted(("manifest.json", b"{}"))
    return other[:-22] + zip_


HIDING: dict[str, Callable[[bytes], bytes]] = {
    "a comment": _with_comment,
    "data after the end": lambda zip_: zip_ + b"more",
    "data between": _with_a_gap,
    "another zip in front": _two_in_one,
}


@pytest.mark.parametrize("how", HIDING)
def test_a_zip_that_holds_more_than_its_files_is_refused(how: str, files: Files, tmp_path: Path) -> None:
    path = tmp_path / "pack.zip"
    path.write_bytes(HIDING[how](zipped(files)))
    with pytest.raises(Unreadable):
        verify(str(path))


def test_a_members_own_extra_data_is_refused_and_compression_is_not(files: Files, tmp_path: Path) -> None:
    path = tmp_path / "pack.zip"
    for extra, code in ((b"\x99\x99\x04\x00more", UNREADABLE), (b"", HOLDS)):
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            for name, held in files.items():
                member = zipfile.ZipInfo(name)
                member.extra = extra
                archive.writestr(member, held)
        assert verifier.main([str(path)]) == code


@settings(max_examples=200, deadline=None)
@given(
    st.lists(
        st.builds(
            EvidenceFact,
            id=st.just("x"),
            event=st.sampled_from(EvidenceEvent),
            grade=st.sampled_from(Grade),
            channel=st.sampled_from(["email", "sms"]),
            revision=st.just(1),
            kind=st.just(Kind.CONFIRMATION),
            occurred_at=st.integers(0, 3).map(lambda n: EXPORTED + timedelta(microseconds=n * 500_000)),
            basis=st.sampled_from(["a", "b"]),
        ),
        max_size=6,
    )
)
def test_the_verifier_proves_of_any_evidence_what_the_product_proves(facts: list[EvidenceFact]) -> None:
    plainly = [{name: audit.plain(held) for name, held in fact} for fact in facts]
    ours = {
        name: {column: audit.plain(held) for column, held in mark} if isinstance(mark, Mark) else mark
        for name, mark in prove(facts)
    }
    assert verifier.prove(plainly) == ours


@pytest.mark.parametrize("words", HOSTILE)
def test_what_is_no_pack_is_refused_in_a_sentence(words: str, tmp_path: Path) -> None:
    path = tmp_path / "pack.zip"
    path.write_bytes(HOSTILE[words]())
    with pytest.raises(Unreadable, match=re.escape(words.rpartition(", so ")[2])):
        verify(str(path))
    assert verifier.main([str(path)]) == UNREADABLE


@pytest.mark.parametrize(
    "manifest",
    [
        b"",
        b"null",
        b"[]",
        b"{}",
        b"\xff\xfe",
        b"9" * 9_000,
        b"[" * 60_000,
        b'{"format":1,"files":3,"seal":null}',
        b'"\\ud800"',
    ],
    ids=range(9),
)
def test_a_pack_whose_files_make_no_sense_is_reported_and_never_a_traceback(
    manifest: bytes, files: Files, tmp_path: Path
) -> None:
    for name in verifier.CANONICAL:
        report = report_on({**files, name: manifest}, tmp_path)
        assert report.code == BROKEN
        assert any(name in problem or "could not be checked" in problem for problem in report.problems)
        assert report.as_json()["sound"] is False


def test_a_zip_cut_off_anywhere_is_refused_or_reported(record: OrderRecord, tmp_path: Path) -> None:
    whole, path = pack(record, UTC, EXPORTED), tmp_path / "pack.zip"
    for cut in random.Random(7).sample(range(len(whole)), 60):
        path.write_bytes(whole[:cut])
        assert verifier.main([str(path)]) in (UNREADABLE, BROKEN)


def test_a_zip_with_any_byte_flipped_never_passes_with_other_contents(files: Files, tmp_path: Path) -> None:
    whole, path, dice = zipped(files), tmp_path / "pack.zip", random.Random(11)
    for place in [*dice.sample(range(len(whole)), 200), *range(len(whole) - 200, len(whole))]:
        flipped = bytearray(whole)
        flipped[place] ^= 1 << dice.randrange(8)
        path.write_bytes(bytes(flipped))
        if verifier.main([str(path)]) == HOLDS:
            assert read_pack(str(path)) == files


def test_a_folder_with_a_link_in_it_or_that_is_no_pack_is_refused(files: Files, tmp_path: Path) -> None:
    with pytest.raises(Unreadable, match=r"holds no manifest\.json"):
        verify(str(tmp_path))
    (tmp_path / "manifest.json").symlink_to("/etc/hostname")
    with pytest.raises(Unreadable, match="is a link"):
        verify(str(tmp_path))
    with pytest.raises(Unreadable, match="cannot be read"):
        verify(str(tmp_path / "missing.zip"))
