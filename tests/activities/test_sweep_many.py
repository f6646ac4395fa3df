"""A sweep of thousands: all are asked about at the pace that was set, and an attempt goes on where the last one was."""

from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.exceptions import ApplicationError

from orderack.contracts.looks import SweepResult
from orderack.domain.order import OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.ledger.repository import SqlLedger
from orderack.messages import MessageRenderer
from tests.activities.sweeping import LATE, BooksErp, Sweeping
from tests.activities.world import World

MANY = 5_000


class Timed(BooksErp):
    """Remembers when it was asked, by the clock that only sleeping moves."""

    world: World

    async def find(self, ref: OrderRef, revision: int) -> ErpReceipt | None:
        self.asked_at.append(self.world.clock())
        return await super().find(ref, revision)


async def test_five_thousand_waiting_orders_are_all_asked_about_in_one_sweep_at_its_pace(
    own_ledger: SqlLedger, renderer: MessageRenderer
) -> None:
    world = World(own_ledger, renderer)
    world.clock.at = began = datetime.now(UTC) + LATE
    erp = Timed()
    erp.world = world
    sweeping = Sweeping(world, erp=erp, per_second=4.0)
    refs = await sweeping.many_waiting(MANY)
    for ref in refs[::10]:
        erp.book_ref(ref)
    erp.down_after = 3_210
    with pytest.raises(ApplicationError):
        await sweeping.erp_swept()
    erp.down_after = None
    done = await sweeping.erp_swept(after=sweeping.beats[-1])
    assert done == SweepResult(waiting=MANY, asked=MANY, receipted=MANY // 10, opened=MANY - MANY // 10)
    assert Counter(ref for ref, _ in erp.asked) == Counter(refs), "each once"
    assert len(sweeping.orders.receipts) == MANY // 10
    busiest = max(Counter(int((at - began).total_seconds()) for at in erp.asked_at).values())
    assert busiest <= 5, "no second has more than the pace"
    assert world.clock() - began >= timedelta(seconds=MANY / 4)
    assert len(await sweeping.exceptions()) == MANY - MANY // 10
