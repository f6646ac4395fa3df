"""The short form: a few hundred orders keep every invariant, the same seed is the same run, and what is kept stays."""

import asyncio
import json
import subprocess
import sys
from pathlib import Path
from typing import TypedDict

import pytest

from tests.simulation.__main__ import main
from tests.simulation.run import Part, all_of, some, told_twice
from tests.simulation.story import Story

ROOT = Path(__file__).parents[2]


class Kept(TypedDict):
    """An order that once broke a rule."""

    seed: int
    order: int
    why: str


REGRESSIONS: list[Kept] = json.loads(Path(__file__).with_name("regressions.json").read_text())
SEED = 7
ORDERS = 60


@pytest.fixture(scope="module")
async def part() -> Part:
    """The orders of the short form, in a thread: the simulator has event loops of its own."""
    return await asyncio.to_thread(some, SEED, 0, ORDERS)


async def test_every_order_keeps_every_rule(part: Part) -> None:
    assert [(found.index, found.text, found.command) for found in part.found] == []


async def test_the_short_form_is_no_sunday_stroll(part: Part) -> None:
    had = part.counts
    for what in ("with a change", "with a cancellation", "with a review", "escalated", "with a repeat", "replays"):
        assert had[what] > 2, what
    for what in (
        "lost_tasks",
        "fresh_histories",
        "worker deaths in activities",
        "several_jobs",
        "with a send in doubt",
    ):
        assert had[what] > 0, what
    assert had["confirmed"] > ORDERS / 2


async def test_the_same_seed_is_the_same_run(part: Part) -> None:
    again = await asyncio.to_thread(some, SEED, 50, 60)
    assert again.traces == part.traces[50:60]
    assert len(set(part.traces)) == ORDERS


async def test_another_seed_is_another_run(part: Part) -> None:
    other = await asyncio.to_thread(some, SEED + 1, 40, 42)
    assert not set(other.traces) & set(part.traces)


async def test_a_story_ends_the_same_whatever_comes_twice() -> None:
    for index in range(ORDERS, ORDERS + 8):
        with_it, without = await asyncio.to_thread(told_twice, SEED, index)
        assert with_it is not None
        assert with_it == without, index


@pytest.mark.parametrize("kept", REGRESSIONS, ids=lambda kept: f"{kept['seed']}-{kept['order']}")
async def test_what_once_broke_a_rule_keeps_it(kept: Kept) -> None:
    ending = await asyncio.to_thread(lambda: Story(kept["seed"], kept["order"]).live())
    assert ending.violation is None


async def test_on_two_processes_it_is_the_same_run() -> None:
    told: list[int] = []
    alone = await asyncio.to_thread(all_of, 3, 4, 1, lambda part: told.append(len(part.traces)))
    assert alone.traces == (await asyncio.to_thread(some, 3, 0, 4)).traces
    assert told == [4]


@pytest.mark.parametrize("wrong", [["--orders", "0"], ["--only", "-1"]])
def test_wrong_input_ends_with_2(
    wrong: list[str], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["simulation", *wrong])
    with pytest.raises(SystemExit) as ended:
        main()
    assert ended.value.code == 2
    assert "usage:" in capsys.readouterr().err


def test_a_run_says_what_was_in_it(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    command = [sys.executable, "-m", "tests.simulation", "--seed", "3", "--orders", "5", "--processes", "1"]
    ended = subprocess.run([*command, "--json", str(file)], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stderr
    assert "Every order kept every rule." in ended.stdout
    figures = json.loads(file.read_text())
    assert figures["counts"]["orders"] == 5
    assert figures["trace"] in ended.stdout
