"""`orderack review original`: what an order came from, listed and saved, whatever its sender called his files."""

import asyncio
import json
import os
import stat
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orderack.cli.main import run
from orderack.cli.original_parts import safe_name
from orderack.contracts.journal import Journal, Stage
from orderack.domain.assessment import Assessment, Decision, FlagName, Route
from orderack.domain.order import Doubt, Order, Origin
from orderack.intake.deliveries import KIND, inbox_of
from orderack.ledger.repository import open_ledger
from orderack.policy.assessing import Findings, _flags
from orderack.ports import Delivery, StoredRevision
from orderack.sources._mail import delivery_of
from tests.sources.mails import Case, mail_of, xlsx_of
from tests.workflows.orders import an_order

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
HOSTILE = "../../../../etc/cron.d/\u202egpj.exe\x1b[2J"
MAIL = mail_of(
    Case(
        "original",
        text="PO number: 1001\n10 x AB-100 @ 3.50 EUR\n",
        html="<p>hello</p><img src='https://tracker.example/1.gif'>",
        files={HOSTILE: b"MZ", "/abs/order.xlsx": xlsx_of([["sku", "qty"], ["AB-100", 1]]), "order.xlsx": b"second"},
    )
)


async def keep(url: str, delivery: Delivery, order: Order, connection: tuple[str, str] = ("demo", "imap")) -> int:
    """An order, and what it was read from, as the intake records both."""
    ledger = await open_ledger(url)
    try:
        row = await ledger.receive(inbox_of(*connection), delivery.id, KIND, None, delivery.model_dump_json(), NOW)
        await ledger.announced(row.id, "submitted", NOW, order.ref)
        decision = Decision(rule="review", policy_version="1", why="looked at", route=Route.REVIEW)
        found = Assessment(revision=1, content_hash=order.content_hash, decision=decision)
        kept = StoredRevision(order=order, revision=1, content_hash=order.content_hash, assessment=found)
        await ledger.save_revision(kept, "print", Journal(ref=order.ref, stage=Stage.REVIEW, revision=1))
        return row.id
    finally:
        await ledger.aclose()


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    found = f"sqlite+aiosqlite:///{tmp_path}/ledger.db"
    monkeypatch.setenv("ORDERACK_DATABASE_URL", found)
    monkeypatch.chdir(tmp_path)
    return found


def beside_the_ledger(folder: Path) -> set[str]:
    return {file.name for file in folder.iterdir() if not file.name.startswith("ledger.db")}


async def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = await asyncio.to_thread(run, ("review", "original", *arguments))
    out, err = capsys.readouterr()
    return code, out, err


async def test_the_mail_and_its_files_are_listed_without_being_opened(
    url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    await keep(url, delivery_of(MAIL, NOW), an_order("1001", NOW))
    code, out, err = await said(capsys, "demo/1001")
    assert (code, err) == (0, "")
    for words in ("demo/imap", "mail.eml", "order.xlsx", "message/rfc822"):
        assert words in out
    assert not {"\x1b", "\u202e"} & set(out), "nothing of a stranger's steers the terminal"
    assert beside_the_ledger(tmp_path) == set()


async def test_every_part_is_saved_in_the_folder_under_a_name_of_ours(
    url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    row = await keep(url, delivery_of(MAIL, NOW), an_order("1001", NOW))
    code, out, err = await said(capsys, "demo/1001", "--save", "found/here", "--json")
    assert (code, err) == (0, "")
    (shown,) = json.loads(out)["originals"]
    folder = tmp_path / "found" / "here"
    files = {file.name: file for file in folder.iterdir()}
    assert {part["saved_as"] for part in shown["parts"]} == {f"found/here/{name}" for name in files}
    assert len(files) == len(shown["parts"]) == 6
    assert files[f"{row}-01-mail.eml"].read_bytes() == MAIL
    assert files[f"{row}-06-order.xlsx"].read_bytes() == b"second"
    assert [name for name in files if name.endswith((".html", ".htm"))] == []
    assert all(stat.S_IMODE(file.stat().st_mode) == 0o600 for file in files.values())
    assert beside_the_ledger(tmp_path) == {"found"}


async def test_nothing_is_written_over_unless_that_is_asked_for_and_never_through_a_link(
    url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    row = await keep(url, delivery_of(MAIL, NOW), an_order("1001", NOW))
    mine, folder = tmp_path / "mine.txt", tmp_path / "found"
    mine.write_text("mine")
    folder.mkdir()
    (folder / f"{row}-02-text.txt").write_text("kept")
    code, _, err = await said(capsys, "demo/1001", "--save", "found")
    assert (code, "is there already" in err) == (2, True)
    assert [file.name for file in folder.iterdir()] == [f"{row}-02-text.txt"], "nothing at all was written"
    code, _, _ = await said(capsys, "demo/1001", "--save", "found", "--force")
    assert code == 0
    assert "AB-100" in (folder / f"{row}-02-text.txt").read_text()
    (folder / f"{row}-02-text.txt").unlink()
    (folder / f"{row}-02-text.txt").symlink_to(mine)
    code, _, err = await said(capsys, "demo/1001", "--save", "found", "--force")
    assert (code, "cannot be written" in err) == (2, True)
    assert mine.read_text() == "mine"


async def test_what_a_system_posted_is_shown_as_it_came(
    url: str, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    posted = Delivery(id="7", topic="orders/create", body='{"id": 7}')
    row = await keep(url, posted, an_order("1001", NOW), ("demo", "shopify"))
    code, _, _ = await said(capsys, "demo/1001", "--save", "found")
    assert code == 0
    assert (tmp_path / "found" / f"{row}-01-body").read_text() == '{"id": 7}'


async def test_an_order_of_several_in_one_delivery_finds_it_by_its_own_word(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    row = await keep(url, Delivery(id="both", topic="interchange", body="ISA"), an_order("1001", NOW))
    origin = Origin(system="edi_x12", delivery=str(row))
    second = an_order("1002", NOW).model_copy(update={"origin": origin})
    await keep(url, Delivery(id="other", body="x"), second)
    code, out, _ = await said(capsys, "demo/1002", "--json")
    assert code == 0
    assert [one["delivery"] for one in json.loads(out)["originals"]] == ["other", "both"]


async def test_an_order_that_came_another_way_or_that_nobody_knows_says_so(
    url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    await keep(url, delivery_of(MAIL, NOW), an_order("1001", NOW))
    other = an_order("1002", NOW)
    await keep(url, Delivery(id="9", body="x"), other, ("demo", "shopify"))
    ledger = await open_ledger(url)
    kept = StoredRevision(
        order=an_order("1003", NOW),
        revision=1,
        content_hash="x",
        assessment=Assessment(
            revision=1,
            content_hash="x",
            decision=Decision(rule="r", policy_version="1", why="w", route=Route.STRAIGHT),
        ),
    )
    await ledger.save_revision(kept, "print", Journal(ref=kept.order.ref, stage=Stage.CONFIRMED, revision=1))
    await ledger.aclose()
    code, out, _ = await said(capsys, "demo/1003")
    assert (code, "Nothing is kept" in out) == (1, True)
    code, _, err = await said(capsys, "demo/none")
    assert (code, "no order demo/none" in err) == (1, True)


@pytest.mark.parametrize(
    ("name", "safe"),
    [
        ("order.xlsx", "order.xlsx"),
        ("../../etc/passwd", "passwd"),
        ("..\\..\\boot.ini", "boot.ini"),
        ("/abs/path", "path"),
        ("..", "part"),
        ("", "part"),
        (".bashrc", "bashrc"),
        ("CON", "_CON"),
        ("nul.txt", "_nul.txt"),
        ("a b;rm -rf $HOME.csv", "a_b_rm_-rf_HOME.csv"),
        ("x" * 300 + ".pdf", "x" * 68 + ".pdf"),
        ("page.html", "page.html.txt"),
        ("drawing.SVG", "drawing.SVG.txt"),
        ("naïve\u202efdp.exe", "naïve_fdp.exe"),
        ("new\nline\x00.txt", "new_line_.txt"),
        ("注文書.xlsx", "注文書.xlsx"),
    ],
)
def test_a_file_name_is_harmless_anywhere(name: str, safe: str) -> None:
    assert safe_name(name) == safe
    assert os.path.basename(safe) == safe


def test_a_review_says_where_the_original_is() -> None:
    doubt = Doubt(field="lines", why="No lines were found.", confidence=0)
    order = an_order("1001", NOW).model_copy(update={"doubts": (doubt,), "origin": Origin(system="imap")})
    flags = [flag for flag in _flags(order, None, None, Findings(now=NOW)) if flag.name is FlagName.DOUBTFUL]
    assert [flag.why for flag in flags] == [
        "No lines were found. The original is kept: `orderack review original demo/1001`."
    ]
