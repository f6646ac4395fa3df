"""What orders cost on Temporal Cloud: events, bytes and Actions of each story, and a million orders a month.

The stories run with their real durations on the server that skips time; Actions are counted from the histories by the
rules of `tests/history/actions.py`, which `make bench-history` compares with the server's own meter.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from rich.console import Console

from tests.bench.figures import Line, Result, at_most, words
from tests.history.actions import actions
from tests.history.stage import skipping
from tests.history.stories import STORIES, Budget, real_levels

PER_MILLION_ACTIONS = 50.0
"""US dollars: Temporal Cloud's list price on demand (temporal.io/pricing)."""
PER_GIB_HOUR = 0.042
"""US dollars for a GiB of an open workflow's history, for an hour (the same page)."""
REPORT_BYTES = 415
"""Of history, for each delivery that is reported (`make bench-history`: a read confirmation)."""
OPEN_DAYS = 7
"""The policy's change window."""
ORDERS = 1_000_000

REPORTED = {
    "straight through, erp_gated": 1,
    "straight through, ack_gated": 2,
    "holding, then confirmed": 3,
    "escalated for 24 hours": 14,
}
"""Messages to the buyer whose delivery is reported: a signal, and so an Action, each."""

MIX = {
    "straight through, erp_gated": 0.20,
    "straight through, ack_gated": 0.72,
    "holding, then confirmed": 0.07,
    "escalated for 24 hours": 0.01,
}
"""A shop on a good month: an assumption, and said to be one."""


@dataclass(frozen=True)
class Story:
    """One order's cost, from its start to its rest, without the reports of what was delivered."""

    events: int
    bytes: int
    actions: int

    def billed(self, reported: int) -> int:
        """With so many reports: each is a signal, and so an Action."""
        return self.actions + reported

    def stored(self, reported: int) -> int:
        """The same in bytes."""
        return self.bytes + reported * REPORT_BYTES


async def bench(quick: bool, progress: Console) -> Result:
    found: dict[str, Story] = {}
    budgets: dict[str, Budget] = {}
    async with skipping() as world:
        levels = real_levels()
        for name, (tell, budget) in STORIES.items():
            story = await tell(world, levels)
            events = [event async for event in story.handle.fetch_history_events()]
            size = sum(event.ByteSize() for event in events)
            found[name], budgets[name] = Story(len(events), size, actions(events).total()), budget
            progress.print(f"  {name}: {len(events)} events")
    return Result(
        bench="cost",
        title="what an order costs, and a million a month at Temporal Cloud's list price",
        lines=(*story_lines(found, budgets), *month_lines(found)),
        notes=(
            "The mix is an assumption. What a bare workflow with the same steps costs: docs/history-cost.md.",
            f"Open history is billed for the {OPEN_DAYS} days of the change window; what is retained after that costs "
            "about a fortieth of it an hour (not verified here), and a plan's base fee comes on top.",
        ),
    )


def story_lines(found: Mapping[str, Story], budgets: Mapping[str, Budget]) -> Iterator[Line]:
    for name, story in found.items():
        said = f"{name} ({story.events} events, {story.bytes / 1024:.1f} KiB, {REPORTED[name]} reported): Actions"
        yield at_most(said, story.billed(REPORTED[name]), budgets[name].actions + REPORTED[name], digits=0)


def month_lines(found: Mapping[str, Story]) -> Iterator[Line]:
    """The arithmetic, written out."""
    billed, stored = per_order(found)
    actions_cost = ORDERS * billed / 1_000_000 * PER_MILLION_ACTIONS
    hours = OPEN_DAYS * 24
    storage = ORDERS * stored / 1024**3 * hours * PER_GIB_HOUR
    shares = ", ".join(f"{100 * share:.0f} % {name}" for name, share in MIX.items())
    yield words("a mix of orders", shares)
    yield words("Actions an order", f"{billed:.2f}")
    yield words("a million: Actions", f"{billed:.2f} M x ${PER_MILLION_ACTIONS:.0f}/M = ${actions_cost:,.0f}")
    yield words(
        "a million: open history",
        f"{ORDERS * stored / 1024**3:.1f} GiB x {hours} h x ${PER_GIB_HOUR} = ${storage:,.0f}",
    )
    yield words(
        "a million orders a month",
        f"${actions_cost + storage:,.0f}: {100 * (actions_cost + storage) / ORDERS:.3f} cents an order",
    )


def per_order(found: Mapping[str, Story], mix: Mapping[str, float] = MIX) -> tuple[float, float]:
    """Actions and bytes of the average order. Raises ValueError where the shares are not a whole."""
    if abs(sum(mix.values()) - 1) > 1e-9:
        raise ValueError("the mix's shares do not add up to 1")
    billed = sum(share * found[name].billed(REPORTED[name]) for name, share in mix.items())
    return billed, sum(share * found[name].stored(REPORTED[name]) for name, share in mix.items())
