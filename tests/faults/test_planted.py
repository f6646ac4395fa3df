"""Six classic bugs of sending: each is caught by what is tried here, and without the bug the same is well."""

import asyncio
import re
import shutil
from collections.abc import Awaitable, Callable
from contextlib import AbstractContextManager, nullcontext
from datetime import timedelta
from pathlib import Path

import pytest

from orderack.domain.acknowledgement import Kind, SendKey
from orderack.embedded.sandbox import Sandbox
from orderack.errors import Unavailable
from orderack.ledger.database import Database, make_engine
from orderack.ledger.repository import SqlLedger
from tests.activities.world import LEASE, NOW, World
from tests.faults import comparisons, plants
from tests.faults.cells import Bench, Verdict
from tests.faults.points import Point
from tests.ledger.samples import journal, message, order, stored

PRODUCT = [
    file
    for room in ("orderack", "activities", "workers")
    for file in sorted((Path(__file__).parents[2] / room).rglob("*.py"))
    if "embedded" not in file.parts
]
"""All but the look-alikes, which guard nothing."""

Plant = Callable[[], AbstractContextManager[None]]
Try = Callable[[Bench, str], Awaitable[Verdict]]


async def _dies_before_the_claim(bench: Bench, letter: str) -> Verdict:
    return await bench.dies(Point.BEFORE_CLAIM, letter)


async def _dies_before_the_record(bench: Bench, letter: str) -> Verdict:
    return await bench.dies(Point.UNRECORDED, letter)


CAUGHT: tuple[tuple[Plant, Try, str], ...] = (
    *((plants.send_before_claim, _dies_before_the_claim, letter) for letter in "BCD"),
    *((plants.claim_after_send, _dies_before_the_record, letter) for letter in "BD"),
    *((plants.resend_on_read_timeout, Bench.cut_off, letter) for letter in "BCD"),
    (plants.missing_lease, Bench.meet, "B"),
)
"""The bug, what shows it, and a class of provider that does not forgive it: a key forgives them all, an echo some."""


@pytest.fixture
def bench(sandbox: Sandbox, world: World) -> Bench:
    return Bench(sandbox, world)


@pytest.mark.parametrize(("plant", "tried", "letter"), CAUGHT)
async def test_the_bug_doubles_a_message_and_the_product_does_not(
    plant: Plant, tried: Try, letter: str, bench: Bench
) -> None:
    with plant():
        assert (await tried(bench, letter)).doubled
    assert not (await tried(bench, letter)).doubled


# -- BEGIN ----------------------------------------------------------------------------------------------------------

WRITERS, CLAIMS = 4, 12


async def refused_claims(file: Path) -> int:
    """How many claims of four workers at once the ledger's file does not let through."""
    ledgers = [SqlLedger(Database(make_engine(f"sqlite+aiosqlite:///{file}"))) for _ in range(WRITERS)]
    refused = 0

    async def claims(ledger: SqlLedger, writer: int) -> None:
        nonlocal refused
        for n in range(1, CLAIMS + 1):
            made = order(f"W-{writer}")
            key = SendKey(ref=made.ref, revision=1, kind=Kind.UPDATE, n=n, channel="email")
            try:
                await ledger.claim(key, message(key), NOW, LEASE + timedelta(seconds=n))
            except Unavailable:
                refused += 1

    try:
        for writer in range(WRITERS):
            made = order(f"W-{writer}")
            await ledgers[0].save_revision(stored(made), "fingerprint", journal(ref=made.ref))
        await asyncio.gather(*(claims(ledger, writer) for writer, ledger in enumerate(ledgers)))
    finally:
        for ledger in ledgers:
            await ledger.aclose()
    return refused


@pytest.mark.parametrize("bug", [True, False], ids=["a plain BEGIN", "as it is"])
async def test_a_plain_begin_turns_writers_away_and_ours_lets_all_through(
    bug: bool, sqlite_template: Path, tmp_path: Path
) -> None:
    file = Path(shutil.copy(sqlite_template, tmp_path / "ledger.db"))
    with plants.naive_begin() if bug else nullcontext():
        refused = await refused_claims(file)
    assert (refused > 0) is bug


# -- comparing secrets ------------------------------------------------------------------------------------------------


def test_no_secret_is_compared_in_a_time_that_tells_of_it() -> None:
    found = {(file.name, text) for file in PRODUCT for text in comparisons.by_name(file.read_text())}
    assert {(name, text) for name, text in found if text not in comparisons.NO_SECRET} == set()
    assert set(comparisons.NO_SECRET) == {text for _, text in found}, "excused, and not there any more"


def test_every_comparison_of_a_secret_made_a_plain_one_is_found() -> None:
    guarded = [file for file in PRODUCT if re.search(r"(?<!_)(compare_digest|same)\(", file.read_text())]
    assert len(guarded) > 20
    missed = [file.name for file in guarded if not comparisons.unsafe(comparisons.planted(file.read_text()))]
    assert missed == []
