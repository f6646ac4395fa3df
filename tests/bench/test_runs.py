"""Two of the benches for real, as small as they go: the stories' costs, and a volley at the bare route."""

import os
from collections.abc import Iterator
from itertools import count
from pathlib import Path

from rich.console import Console

from tests.bench import cost, intake
from tests.bench.measure import free_port
from tests.bench.processes import started
from tests.bench.rig.plain import Rows
from tests.bench.rig.volley import Shot, fire

SECRET = "whsec_c2VjcmV0LW9mLXRoZS1iZW5jaA=="
QUIET = Console(quiet=True)


async def test_every_story_costs_what_it_may_and_the_month_adds_up() -> None:
    found = await cost.bench(True, QUIET)
    assert found.ok
    by_name = {line.what.partition(" (")[0]: line for line in found.lines}
    assert int(by_name["straight through, ack_gated"].measured) == 11
    assert float(by_name["Actions an order"].measured) > 10


async def test_a_volley_counts_answers_and_what_is_forged_is_no_answer_of_the_kind(tmp_path: Path) -> None:
    port, file = free_port(), tmp_path / "rows.db"

    def some_forged() -> Iterator[Shot]:
        genuine = intake.receipts(SECRET, "/receipts")
        for place in count():
            shot = next(genuine)
            yield shot if place % 4 else Shot(shot.path, shot.headers, shot.body + b" ")

    arguments = (str(file), str(port), SECRET)
    async with started("tests.bench.rig.bare_gateway", arguments, dict(os.environ), tmp_path / "log"):
        volley = await fire(port, some_forged(), connections=4, seconds=0.3)
    assert set(volley.statuses) == {202, 401}
    assert sum(volley.statuses.values()) == len(volley.seconds)
    async with Rows.opened(file) as rows:
        assert await rows.count() == volley.statuses[202]  # every 202 is a committed row
