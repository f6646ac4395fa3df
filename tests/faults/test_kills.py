"""Two of the places with a real kill -9, as they run in `make faults`: in the activity, and in the order's own code."""

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.faults.fault import registered
from tests.faults.rig import Rig, world
from tests.faults.sends import RUNNING, WORLD

FAULTS = registered()
TWO = WORLD.model_copy(update={"workers": 2})


@pytest_asyncio.fixture(scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    async with world(tmp_path_factory.mktemp("faults") / "world", TWO) as made:
        yield made


@pytest.mark.parametrize("name", [pytest.param("F4-B", marks=pytest.mark.long), "F7-C"])
async def test_a_killed_workers_order_ends_as_it_should(name: str, rig: Rig) -> None:
    outcome = await FAULTS[name].run(rig)
    late = [wrong for wrong in outcome.wrong if "taken over" in wrong]  # a busy machine may miss the aim of 6 s
    assert [wrong for wrong in outcome.wrong if wrong not in late] == []
    assert (outcome.fired, outcome.lost, outcome.doubled, outcome.in_doubt) == (1, 0, 0, 0)
    assert outcome.recovery is not None
    assert outcome.recovery < 4 * RUNNING


def test_every_fault_has_a_name_of_its_own_and_says_what_it_is() -> None:
    assert len(FAULTS) > 40
    assert all(fault.name == name and fault.what for name, fault in FAULTS.items())
