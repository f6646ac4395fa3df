"""Wherever a worker dies while it sends: none lost, none doubled; what nobody can know is in doubt, and says so."""

import pytest

from orderack.embedded.sandbox import Sandbox
from tests.activities.world import World
from tests.faults.cells import Bench
from tests.faults.points import Point
from tests.faults.rig import CLASSES
from tests.faults.sends import unlike

IN_THE_ACTIVITY = [point for point in Point if point is not Point.UNTOLD]
"""The last place is in the workflow's worker: a real one is killed there (test_kills.py)."""


@pytest.fixture
def bench(sandbox: Sandbox, world: World) -> Bench:
    return Bench(sandbox, world)


@pytest.mark.parametrize("letter", CLASSES)
@pytest.mark.parametrize("point", IN_THE_ACTIVITY)
async def test_a_worker_that_dies_there_leaves_what_the_provider_class_promises(
    point: Point, letter: str, bench: Bench
) -> None:
    verdict = await bench.dies(point, letter)
    assert not unlike(verdict.lost, verdict.doubled, verdict.in_doubt, point, letter)


@pytest.mark.parametrize("letter", CLASSES)
async def test_an_answer_and_a_report_that_never_come_double_nothing(letter: str, bench: Bench) -> None:
    verdict = await bench.cut_off(letter)
    assert (verdict.taken, verdict.lost, verdict.in_doubt) == (1, 0, int(letter in "CD"))


@pytest.mark.parametrize("letter", CLASSES)
async def test_two_workers_that_meet_send_once(letter: str, bench: Bench) -> None:
    verdict = await bench.meet(letter)
    assert (verdict.taken, verdict.in_doubt) == (1, 0)
