"""`orderack gap diagnose`: from files and from the ledger, as an operator runs it."""

import json
from pathlib import Path

import pytest

from orderack.cli.main import run
from tests.cli.conftest import Terminal
from tests.diagnostics.gap.files import write
from tests.diagnostics.gap.shop import shop


def asked(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    code = run(("gap", "diagnose", *map(str, arguments)))
    out, err = capsys.readouterr()
    assert "Traceback" not in out + err
    return code, out, err


@pytest.fixture(scope="module")
def logs(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """Of a shop whose confirmations fire on capture."""
    return write(shop("trigger", 600, 11), tmp_path_factory.mktemp("logs")).arguments


def test_the_verdict_comes_first_in_a_sentence_then_why_and_what_to_do(
    logs: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = asked(capsys, *logs)
    assert (code, err) == (0, "")
    assert out.startswith("The gap comes from the trigger: confirmations fire on capture")
    places = [out.index(words) for words in ("Why:", "What to do:", "confirmed before the receipt", "orders.captured")]
    assert places == sorted(places)
    assert "the ERP's receipt, not the capture" in out


def test_json_is_the_whole_diagnosis_on_standard_output(logs: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = asked(capsys, *logs, "--json")
    found = json.loads(out)
    assert code == 0
    assert (found["verdict"], found["joined_orders"], found["ruling"]["sequence"]["fires"]) == (
        "trigger",
        600,
        "capture",
    )
    assert found["ruling"]["delay"]["median"]["low"] < found["ruling"]["delay"]["median"]["high"]
    assert found["signals"]["oversold"] is None


def test_a_refusal_says_how_many_more_orders_it_takes_and_ends_with_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    logs = write(shop("erp_queue", 300, 2), tmp_path).arguments
    code, out, _ = asked(capsys, *logs)
    assert code == 1
    assert out.startswith("No verdict: 300 orders in both logs, and it takes 500; 200 more needed.")
    code, out, _ = asked(capsys, *logs, "--json")
    assert (code, json.loads(out)["verdict"]) == (1, "refused")


def test_the_page_and_the_lists_are_written_where_asked(
    logs: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    page, lists = tmp_path / "gap.html", tmp_path / "lists"
    code, out, _ = asked(capsys, *logs, "--html", page, "--lists", lists)
    assert code == 0
    assert f"Written: {page}" in out
    assert page.read_text().count("<svg") == 6
    early = (lists / "confirmed-before-receipt.csv").read_text().splitlines()
    assert early[0] == "order,channel,captured,confirmed,receipt,seconds"
    assert len(early) > 100


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ([], "--orders: is missing"),
        (["--orders", "orders.csv"], "--erp: is missing"),
        (["--orders", "nowhere.csv", "--erp", "erp.csv"], "nowhere.csv: No such file"),
        (["--orders", "strange.csv", "--erp", "erp.csv"], "say which: --map orders.id=COLUMN"),
        (["--orders", "orders.csv", "--erp", "erp.csv", "--map", "erp.time=booked"], "LOG.MEANING=COLUMN"),
        (["--orders", "orders.csv", "--erp", "erp.csv", "--map", "stock.sku=x"], "there is no --stock"),
        (["--orders", "orders.csv", "--erp", "erp.csv", "--time-zone", "Mars/Base"], "is no time zone"),
        (["--orders", "orders.csv", "--erp", "erp.csv", "--html", "/nowhere/x.html"], "cannot be written"),
        (["--ledger", "--since", "soon"], "is not a duration"),
        (["--ledger", "--orders", "orders.csv"], "give files, or --ledger"),
    ],
    ids=lambda each: " ".join(each[-2:]) if isinstance(each, list) else "",
)
def test_wrong_input_is_one_sentence_that_says_what_to_do(
    arguments: list[str], says: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "orders.csv").write_text("order_id,created_at\n1,2026-11-22 10:00:00\n2,2026-11-22 10:01:00\n")
    (tmp_path / "erp.csv").write_text("order_id,booked_at\n1,2026-11-22 10:05:00\n2,2026-11-22 10:06:00\n")
    (tmp_path / "strange.csv").write_text("this,that\nx,y\nx,y\n")
    code, _, err = asked(capsys, *arguments)
    assert code == 2
    assert says in err
    code, out, _ = asked(capsys, *arguments, "--json")
    assert (code, json.loads(out)["exit"]) == (2, 2)


async def test_a_missing_ledger_is_a_service_that_is_away(bare: Terminal) -> None:
    ended = await bare("gap", "diagnose", "--ledger")
    assert (ended.code, "there is no ledger" in ended.err) == (3, True)
