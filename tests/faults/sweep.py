"""After the faults of one world: every invariant, offline, over all that its orders left behind."""

from functools import partial

from orderack.domain.acknowledgement import SendState
from tests.faults.fault import Fault, Outcome
from tests.faults.rig import Rig, Setup
from tests.faults.world_stage import Shop, checked


async def look(rig: Rig, name: str) -> Outcome:
    """All orders of this world so far; those of faults that were run before it."""
    await rig.all_work()
    verdict = await checked(rig, name, Shop(rig))
    rows = verdict.run.rows
    return Outcome(
        fired=len(rows.orders),
        orders=len(rows.orders),
        in_doubt=sum(row.state is SendState.UNKNOWN for row in rows.sends),
        wrong=verdict.wrong,
        note=verdict.words,
    )


def sweep(name: str, setup: Setup) -> Fault:
    """The last entry of a file's faults."""
    what = "all of these orders: I1 to I20 by the logs, the ledger and the histories"
    return Fault(name=name, what=what, run=partial(look, name=name), setup=setup)
