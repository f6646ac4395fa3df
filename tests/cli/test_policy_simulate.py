"""`orderack policy simulate` as a user has it: exit codes, words, JSON, a page, and wrong input."""

import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from orderack.ledger.repository import SqlLedger
from tests.cli.conftest import Terminal
from tests.diagnostics.whatif.shop import SHIPPED, a_ledger, live, policy, steps

FEW = 30


@pytest_asyncio.fixture
async def shop(bare: Terminal, sqlite_template: Path, tmp_path: Path) -> AsyncIterator[Terminal]:
    """A terminal on a ledger with a few orders, and the policy that decided them."""
    folder = tmp_path / "policy"
    folder.mkdir()
    shutil.copytree(SHIPPED.parent / "messages", folder / "messages")
    in_force = policy(folder, "policy")
    async with a_ledger(sqlite_template, tmp_path, "ledger") as ledger:
        await live(ledger, in_force, steps(FEW))
    bare.environment |= {
        "ORDERACK_DATABASE_URL": f"sqlite+aiosqlite:///{tmp_path}/ledger.db",
        "ORDERACK_POLICY_DIR": str(folder),
    }
    yield bare


async def test_it_reads_a_past_on_postgresql_too(
    bare: Terminal, ledger: SqlLedger, ledger_url: str, tmp_path: Path
) -> None:
    folder = tmp_path / "policy"
    folder.mkdir()
    shutil.copytree(SHIPPED.parent / "messages", folder / "messages")
    await live(ledger, policy(folder, "policy"), steps(FEW))
    bare.environment |= {"ORDERACK_DATABASE_URL": ledger_url, "ORDERACK_POLICY_DIR": str(folder)}
    new = changed(bare, "hold_after: 15m", "hold_after: 10m")
    found = (await bare("policy", "simulate", "--with", new, "--json")).json
    number = len(steps(FEW))
    assert (found["self_check"]["as_recorded"], found["self_check"]["otherwise"]) == (number, [])
    assert [kind["kind"] for kind in found["kinds"]] == ["clocked"]


def changed(terminal: Terminal, old: str, new: str) -> str:
    text = (terminal.folder / "policy" / "policy.yaml").read_text()
    assert old in text
    return terminal.file("new.yaml", text.replace(old, new))


def same(terminal: Terminal) -> str:
    return changed(terminal, "", "")


async def test_the_same_policy_changes_nothing_and_proves_that_the_past_is_read_rightly(shop: Terminal) -> None:
    ended = await shop("policy", "simulate", "--with", "policy", "--fail-if-different")
    number = len(steps(FEW))
    assert ended.code == 0
    assert f"Self-check: {number} of {number} revisions decided as recorded." in ended.out
    assert f"Nothing is different for any of the {FEW} orders" in ended.out
    assert "revisions to decide again" in ended.err


async def test_a_difference_is_shown_and_fails_only_where_that_is_asked_for(shop: Terminal) -> None:
    new = changed(shop, "hold_after: 15m", "hold_after: 10m")
    shown, failed = (
        await shop("policy", "simulate", "--with", new),
        await shop("policy", "simulate", "--with", new, "--fail-if-different"),
    )
    assert (shown.code, failed.code) == (0, 1)
    assert "Clocked differently" in shown.out
    assert "hold_after" in shown.out
    assert "are treated differently" in failed.out


async def test_json_has_the_figures_and_stderr_the_progress(shop: Terminal) -> None:
    ended = await shop(
        "policy", "simulate", "--with", changed(shop, "hold_after: 15m", "hold_after: 10m"), "--json", "--list"
    )
    found = ended.json
    (clocked,) = found["kinds"]
    assert (clocked["kind"], found["orders"], found["self_check"]["otherwise"]) == ("clocked", FEW, [])
    assert found["different"] == clocked["orders"] == len({one["order"] for one in found["every"]})
    assert {one["after"] for one in found["every"]} == {"10m"}


async def test_the_page_is_written_where_it_was_asked_for(shop: Terminal) -> None:
    ended = await shop("policy", "simulate", "--with", same(shop), "--html", "page.html")
    assert ended.code == 0
    assert "page.html is written" in ended.err
    assert (shop.folder / "page.html").read_text().startswith("<!doctype html>")


async def test_list_names_every_order(shop: Terminal) -> None:
    new = changed(shop, "hold_after: 15m", "hold_after: 10m")
    ended = await shop("policy", "simulate", "--with", new, "--list")
    listed = (await shop("policy", "simulate", "--with", new, "--list", "--json")).json["every"]
    after = ended.out.partition("Every change of every order:")[2]
    assert len(listed) > FEW / 2
    assert all(one["order"] in after for one in listed)


async def test_a_source_without_a_row_and_the_lints_findings_are_warned_of(shop: Terminal) -> None:
    new = changed(shop, "\n  pos:\n", "\n  till:\n")
    ended = await shop("policy", "simulate", "--with", new)
    assert ended.code == 0
    assert "WARNING: the new policy has no row for source pos" in ended.out
    assert "WARNING: `policy check` has" in ended.out


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("--with", "nowhere.yaml"), "nowhere.yaml: is not there"),
        (("--with", "broken.yaml"), "broken.yaml: sources.web.gate (line"),
        (("--with", "policy", "--since", "yesterday"), "neither a duration nor a day"),
        (("--with", "policy", "--since", "2099-01-01"), "is not before --until"),
        (("--with", "policy", "--html", "no/such/folder/page.html"), "cannot be written"),
        (("--with", "policy", "--orders", "orders.ndjson"), "orders.ndjson line 2"),
        (("--with", "policy", "--orders", "nowhere.ndjson"), "cannot be read"),
        (("--with", "policy", "--orders", "empty.ndjson"), "holds no order"),
        (("--with", "policy", "--recorded", "nowhere.yaml"), "nowhere.yaml: is not there"),
        (("--with", "policy", "--minutes-per-review", "0"), "--minutes-per-review"),
        ((), "--with"),
    ],
)
async def test_wrong_input_is_said_in_words(shop: Terminal, arguments: tuple[str, ...], words: str) -> None:
    text = (shop.folder / "policy" / "policy.yaml").read_text()
    shop.file("broken.yaml", text.replace("gate: ack_gated", "gate: perhaps", 1))
    shop.file("orders.ndjson", steps(1)[0].order.model_dump_json() + '\n{"store": 7}\n')
    shop.file("empty.ndjson", "\n")
    ended = await shop("policy", "simulate", *arguments)
    assert (ended.code, words in ended.err) == (2, True), ended.err


async def test_a_ledger_that_is_not_there_is_exit_code_3(shop: Terminal) -> None:
    (shop.folder / "ledger.db").unlink()
    ended = await shop("policy", "simulate", "--with", "policy")
    assert (ended.code, "no ledger" in ended.err) == (3, True)


async def test_orders_from_a_file_are_compared_without_a_ledger(shop: Terminal) -> None:
    (shop.folder / "ledger.db").unlink()
    orders = [step.order for step in steps(FEW) if step.revision == 1]
    file = shop.file("orders.ndjson", "".join(f"{order.model_dump_json()}\n" for order in orders))
    new = "all.yaml"
    rule = {"name": "all", "when": "order.total >= 0", "then": {"route": "review"}}
    policy(shop.folder, "all", lambda document: document["rules"].insert(0, rule))
    ended = await shop("policy", "simulate", "--with", new, "--orders", file, "--json")
    found = ended.json
    assert (ended.code, found["orders"], found["levels"]) == (0, FEW, [])
    assert found["different"] > 0
    assert found["load"]["after"]["reviews"] > found["load"]["before"]["reviews"]
    shown = await shop("policy", "simulate", "--with", new, "--orders", file)
    assert "A file holds no decisions" in shown.out


async def test_a_span_without_orders_says_so(shop: Terminal) -> None:
    ended = await shop("policy", "simulate", "--with", "policy", "--store", "north")
    assert (ended.code, "No order was compared" in ended.out) == (0, True)
