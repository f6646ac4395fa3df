"""`orderack sources`, `erps`, `source`, `audit triggers`: what there is, whether it is complete, one more begun."""

import asyncio
import json
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from orderack import sources
from orderack.cli.main import run
from orderack.cli.new_source import FILES
from orderack.erps import load as erps
from tests.cli.conftest import ROOT

Edit = Callable[[dict[str, object]], None]


@pytest.fixture
def policy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A copy of the policy, and nothing set but its place."""
    folder = Path(shutil.copytree(ROOT / "policy", tmp_path / "policy"))
    monkeypatch.setenv("ORDERACK_POLICY_DIR", str(folder))
    monkeypatch.chdir(tmp_path)
    return folder


def edit(policy: Path, change: Callable[[dict], None]) -> None:  # type: ignore[type-arg]
    file = policy / "policy.yaml"
    document = yaml.safe_load(file.read_text())
    change(document)
    file.write_text(yaml.safe_dump(document, sort_keys=False))


async def said(capsys: pytest.CaptureFixture[str], *arguments: str) -> tuple[int, str, str]:
    code = await asyncio.to_thread(run, arguments)
    out, err = capsys.readouterr()
    return code, out, err


async def test_every_system_is_listed_and_each_connection_with_what_it_lacks(
    policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(policy, lambda p: p["stores"]["demo"].update(connections={"shopify": {"source": "shop"}}))
    code, out, err = await said(capsys, "sources", "--json")
    assert code == 0, err
    rows = {row["name"]: row for row in json.loads(out)["sources"]}
    assert set(rows) == set(sources.load())
    (connection,) = rows["shopify"]["connections"]
    assert (connection["store"], connection["source"], connection["state"]) == ("demo", "shop", "missing settings")
    assert all(name.startswith("ORDERACK_SOURCE_DEMO_SHOPIFY_") for name in connection["lacks"])
    code, out, _ = await said(capsys, "sources")
    assert code == 0
    assert "missing settings" in out


async def test_every_erp_is_listed_with_the_stores_that_book_in_it(
    policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def two(p: dict) -> None:  # type: ignore[type-arg]
        p["erps"] = {"north": {"system": "http"}}
        p["stores"]["demo"]["erp"]["name"] = "north"

    edit(policy, two)
    code, out, _ = await said(capsys, "erps", "--json")
    assert code == 0
    rows = {row["name"]: row for row in json.loads(out)["erps"]}
    assert set(rows) == {*erps(), "north"}
    assert (rows["north"]["system"], rows["north"]["stores"]) == ("http", ["demo"])
    assert rows["north"]["lacks"][0].startswith("ORDERACK_ERP_NORTH_")


async def test_the_policy_that_is_delivered_has_every_trigger(capsys: pytest.CaptureFixture[str], policy: Path) -> None:
    code, out, err = await said(capsys, "audit", "triggers", "--json")
    assert code == 0, err
    found = json.loads(out)
    assert found["ok"]
    assert all(row["trigger"] and row["rule"] and row["owner"] and row["test_order"] for row in found["sources"])


@pytest.mark.parametrize(
    ("change", "named"),
    [
        (lambda p: p["sources"]["web"].pop("owner"), "sources.web.owner"),
        (lambda p: p["sources"]["web"].pop("test_order"), "sources.web.test_order"),
        (lambda p: p["sources"]["web"].update(test_order="orders/none.json"), "sources.web.test_order"),
        (lambda p: p["sources"]["web"].update(test_order="../../etc/passwd"), "outside the policy's folder"),
        (lambda p: p["sources"]["web"].update(test_order="orders/shop.json"), "has the source shop"),
        (lambda p: p["sources"]["web"].update(trigger=" "), "sources.web.trigger"),
        (lambda p: p["sources"]["edi"].update(channels=[["portal"]], fallback=[]), "sources.edi.fallback"),
        (lambda p: p["stores"]["demo"].update(connections={"shopfy": {"source": "shop"}}), "did you mean shopify?"),
        (lambda p: p["stores"]["demo"].update(connections={"shopify": {"source": "shp"}}), "names no source: shp"),
        (
            lambda p: p["stores"]["demo"].update(
                connections={"shopify": {"source": "shop", "fields": {"Wann": "windw"}}}
            ),
            "names no field: windw",
        ),
        (
            lambda p: p["stores"]["demo"].update(
                connections={"walmart": {"source": "marketplace", "poll_every": "1s"}}
            ),
            "more often than the system allows",
        ),
        (lambda p: p.update(erps={"north": {"system": "netsute"}}), "names no ERP system: netsute"),
    ],
)
async def test_a_way_in_that_is_not_complete_fails_the_audit_and_is_named(
    policy: Path, capsys: pytest.CaptureFixture[str], change: Edit, named: str
) -> None:
    edit(policy, change)
    code, _, err = await said(capsys, "audit", "triggers")
    assert code == 1
    assert named in err


async def test_a_wrong_connection_is_a_finding_of_the_policys_check_too(
    policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(policy, lambda p: p["stores"]["demo"].update(connections={"nosuch": {"source": "shop"}}))
    code, _, err = await said(capsys, "policy", "check")
    assert code == 1
    assert "names no system: nosuch" in err


async def test_the_doctor_says_what_a_connection_lacks_and_where_the_system_is_to_post(
    policy: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    edit(policy, lambda p: p["stores"]["demo"].update(connections={"shopify": {"source": "shop"}}))
    code, out, _ = await said(capsys, "source", "doctor", "demo/shopify")
    assert code == 1
    assert "/intake/demo/shopify" in out
    assert "missing" in out
    code, _, err = await said(capsys, "source", "doctor", "demo/nosuch")
    assert code == 2
    assert "names no connection" in err
    assert "Traceback" not in err


async def test_a_broken_policy_ends_in_a_sentence(policy: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (policy / "policy.yaml").write_text("stores: [")
    for command in (("sources",), ("erps",)):
        code, _, err = await said(capsys, *command)
        assert code == 0
        assert "policy cannot be read" in err
    for command in (("audit", "triggers"), ("source", "doctor")):
        code, _, err = await said(capsys, *command)
        assert code == 2
        assert "Traceback" not in err


@pytest.mark.parametrize("name", ["Shop", "1shop", "a", "shop-ware", "class", "../x", "shopify", "x" * 41, "shop_"])
async def test_a_name_that_will_not_do_writes_nothing(
    policy: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, name: str
) -> None:
    (tmp_path / "orderack" / "sources").mkdir(parents=True)
    code, _, err = await said(capsys, "source", "new", name)
    assert code == 2
    assert "Traceback" not in err
    assert not list((tmp_path / "orderack" / "sources").iterdir())


@pytest.mark.parametrize(
    "check",
    [
        ("pytest", "-q", "-p", "no:cacheprovider", "--rootdir", ".", "tests/sources/test_shop_ware.py"),
        ("ruff", "check", "orderack/sources/shop_ware.py", "tests/sources/test_shop_ware.py"),
        pytest.param(("mypy", "orderack/sources/shop_ware.py"), marks=pytest.mark.long),
    ],
    ids=lambda check: check[0],
)
async def test_a_new_source_passes_its_own_tests_and_the_types_as_it_is_written(
    policy: Path, capsys: pytest.CaptureFixture[str], tmp_path: Path, check: tuple[str, ...]
) -> None:
    for room in ("orderack", "tests/conformance", "tests/__init__.py", "pyproject.toml"):
        at = tmp_path / room
        at.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / room).is_dir():
            shutil.copytree(ROOT / room, at, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / room, at)
    code, out, err = await said(capsys, "source", "new", "shop_ware")
    assert code == 0, err
    assert all(path.format(name="shop_ware") in out for path in FILES.values())
    code, _, _ = await said(capsys, "source", "new", "shop_ware")
    assert code == 2, "nothing is overwritten"
    done = await asyncio.to_thread(
        subprocess.run,
        [sys.executable, "-m", *check],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("command", "page"), [("sources", "sources.md"), ("erps", "erps.md")])
async def test_the_page_in_the_documentation_is_the_one_that_the_registry_writes(
    capsys: pytest.CaptureFixture[str], command: str, page: str
) -> None:
    _, out, _ = await said(capsys, command, "--markdown")
    assert (ROOT / "docs" / page).read_text() == out, f"orderack {command} --markdown > docs/{page}"
