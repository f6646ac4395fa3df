"""`orderack source refused` and `retry`: what could not be taken as it came, its original, and taking it after all."""

import asyncio
import json
import shutil
import stat
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from orderack.cli.main import run
from orderack.intake.deliveries import KIND, inbox_of
from orderack.ledger.repository import open_ledger
from orderack.ports import Delivery, InboxEvent
from tests.cli.conftest import ROOT

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
WHY = "line_items.0.quantity: Input should be a valid integer"


@pytest.fixture
def url(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A ledger with two refused deliveries of demo/shopify and one that was taken."""
    folder = Path(shutil.copytree(ROOT / "policy", tmp_path / "policy"))
    policy = yaml.safe_load((folder / "policy.yaml").read_text())
    policy["stores"]["demo"]["connections"] = {"shopify": {"source": "shop"}}
    (folder / "policy.yaml").write_text(yaml.safe_dump(policy, sort_keys=False))
    found = f"sqlite+aiosqlite:///{tmp_path}/ledger.db"
    monkeypatch.setenv("ORDERACK_POLICY_DIR", str(folder))
    monkeypatch.setenv("ORDERACK_DATABASE_URL", found)
    monkeypatch.setenv("USER", "grace")
    monkeypatch.chdir(tmp_path)
    return found


@pytest.fixture
async def ids(url: str) -> Sequence[int]:
    ledger = await open_ledger(url)
    try:
        rows = []
        for name, outcome in (("first", f"refused: {WHY}"), ("taken", "submitted"), ("last", "unreadable")):
            body = Delivery(id=name, topic="orders/create", body=f'{{"name": "{name}"}}').model_dump_json()
            row = await ledger.receive(inbox_of("demo", "shopify"), name, KIND, None, body, NOW)
            await ledger.announced(row.id, outcome, NOW)
            rows.append(row.id)
        return rows
    finally:
        await ledger.aclose()


async def waiting(url: str) -> Sequence[InboxEvent]:
    ledger = await open_ledger(url)
    try:
        return await ledger.unannounced(NOW + timedelta(days=1))
    finally:
        await ledger.aclose()


async def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = await asyncio.to_thread(run, ("source", *arguments))
    out, err = capsys.readouterr()
    return code, out, err


async def test_refused_deliveries_are_listed_with_the_id_to_retry_them_by_and_what_to_do(
    ids: Sequence[int], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = await said(capsys, "refused", "demo/shopify")
    assert code == 0
    assert [line.split()[0] for line in out.splitlines()[1:]] == [str(ids[2]), str(ids[0])]
    assert WHY in out
    assert "orderack source retry demo/shopify ID" in err


async def test_the_originals_are_saved_for_their_owner_alone_and_over_nothing(
    ids: Sequence[int], capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    code, out, _ = await said(capsys, "refused", "demo/shopify", "--save", "kept", "--json")
    assert code == 0
    last, first = json.loads(out)["deliveries"]
    (file,) = last["saved_as"]
    assert json.loads((tmp_path / file).read_text()) == {"name": "last"}
    assert stat.S_IMODE((tmp_path / file).stat().st_mode) == 0o600
    assert json.loads((tmp_path / first["saved_as"][0]).read_text()) == {"name": "first"}
    code, _, err = await said(capsys, "refused", "demo/shopify", "--save", "kept")
    assert (code, "is there already" in err) == (2, True)
    code, out, _ = await said(capsys, "refused", "demo/shopify", "--save", "kept", "--force")
    assert (code, out.count("wrote kept/")) == (0, 2)
    assert ids[0] == first["id"]


async def test_one_is_retried_by_its_id_and_only_once(
    ids: Sequence[int], url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = await said(capsys, "retry", "demo/shopify", str(ids[0]), "--json")
    assert (code, json.loads(out)) == (0, {"connection": "demo/shopify", "retried": 1})
    assert [row.id for row in await waiting(url)] == [ids[0]]
    code, _, err = await said(capsys, "retry", "demo/shopify", str(ids[0]))
    assert code == 1
    assert f"no delivery {ids[0]} is refused" in err


async def test_all_are_retried_at_once_and_what_was_taken_is_left_alone(
    ids: Sequence[int], url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = await said(capsys, "retry", "demo/shopify", "--all")
    assert (code, out.split()[0]) == (0, "2")
    assert [row.id for row in await waiting(url)] == [ids[0], ids[2]]
    code, out, err = await said(capsys, "retry", "demo/shopify", "--all")
    assert (code, "nothing was refused" in err) == (1, True)
    code, out, _ = await said(capsys, "refused", "demo/shopify")
    assert out == "demo/shopify: nothing was refused.\n"


@pytest.mark.usefixtures("ids")
@pytest.mark.parametrize(
    ("arguments", "code", "words"),
    [
        (("demo/shopify",), 2, "name one that `orderack source refused demo/shopify` lists, or --all"),
        (("demo/shopify", "1", "--all"), 2, "stands beside --all"),
        (("demo/shopify", "first"), 2, "should be a valid integer"),
        (("demo/nosuch", "--all"), 2, "names no connection of the policy"),
        (("demo/shopify", "999"), 1, "no delivery 999 is refused"),
        (("demo/shopify", "99999999999999999999"), 2, "DELIVERY_ID"),
    ],
)
async def test_what_cannot_be_retried_is_said_and_nothing_is_changed(
    url: str, capsys: pytest.CaptureFixture[str], arguments: Sequence[str], code: int, words: str
) -> None:
    found, _, err = await said(capsys, "retry", *arguments)
    assert found == code
    assert words in " ".join(err.split())
    assert await waiting(url) == []


async def test_without_a_ledger_it_is_said_where_one_would_be(url: str, capsys: pytest.CaptureFixture[str]) -> None:
    code, _, err = await said(capsys, "retry", "demo/shopify", "--all")
    assert (code, "there is no ledger" in err) == (3, True)
    assert not await asyncio.to_thread(Path(url.rpartition("///")[2]).exists)
