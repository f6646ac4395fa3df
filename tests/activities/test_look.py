"""`look_at_source`, `look_at_erp`: what nobody tells us is asked for, once and in turn."""

from collections.abc import Sequence
from datetime import timedelta
from typing import ClassVar

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.look import FRESH, Look, _in_turn
from orderack.contracts.journal import Event, Stage
from orderack.contracts.looks import ErpLook, LookResult, SourceLook
from orderack.domain.order import OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.errors import Unavailable
from orderack.ports import Awaited
from tests.activities.fakes import ScriptedErp, failing
from tests.activities.world import NOW, World
from tests.gateway.fakes import ScriptedOrders
from tests.intake.fakes import FakeSource, a_delivery
from tests.ledger.samples import REF, entry, journal

RECEIPT = ErpReceipt(id="r-1", erp="main", store=REF.store, number=REF.number, document_id="SO-1", recorded_at=NOW)


def look(world: World, source: FakeSource | None = None, orders: ScriptedOrders | None = None) -> Look:
    sources = {"demo/fake": source} if source else {}
    return Look(world.ledger, orders or ScriptedOrders(), sources, world.erps, world.clock)


async def at_source(made: Look) -> LookResult:
    return await ActivityEnvironment().run(made.look_at_source, SourceLook(store="demo", system="fake"))


async def at_erp(made: Look) -> LookResult:
    return await ActivityEnvironment().run(made.look_at_erp, ErpLook(erp="main"))


async def test_a_feed_is_read_to_its_end_and_the_next_look_begins_there(world: World) -> None:
    pages = [[a_delivery("d1", "1")], [a_delivery("d2", "2", number="1002"), a_delivery("d3", "3", number="1003")]]
    source, orders = FakeSource(feed=pages), ScriptedOrders()
    assert await at_source(look(world, source, orders)) == LookResult(found=3, told=3)
    assert await at_source(look(world, source, orders)) == LookResult()
    assert source.cursors == ["", "1", "2"]
    assert [order.number for order in orders.submitted] == ["1001", "1002", "1003"]


async def test_an_order_that_a_feed_gives_out_again_is_told_once(world: World) -> None:
    source, orders = FakeSource(feed=[[a_delivery("d1")], [a_delivery("d1")]]), ScriptedOrders()
    assert await at_source(look(world, source, orders)) == LookResult(found=1, told=1)
    assert len(orders.submitted) == 1


async def test_a_feed_that_is_down_leaves_the_cursor_where_it_was(world: World) -> None:
    source = FakeSource(feed=[[a_delivery("d1")]], away=True)
    with pytest.raises(ApplicationError, match="does not answer"):
        await at_source(look(world, source))
    assert await world.ledger.cursor("demo/fake") == ""


async def test_what_cannot_be_told_now_is_recorded_and_left_to_the_sweep(world: World) -> None:
    source, orders = FakeSource(feed=[[a_delivery("d1")]]), ScriptedOrders(away=True)
    assert await at_source(look(world, source, orders)) == LookResult(found=1, told=0)
    assert len(await world.ledger.unannounced(NOW + timedelta(days=1))) == 1


async def waiting(world: World) -> ScriptedErp:
    """An order that the ERP was given and has not answered for."""
    await world.save()
    await world.ledger.write(journal([entry(4, Event.SUBMITTED_TO_ERP)], stage=Stage.AWAITING_ERP))
    erp = world.erps["main"] = ScriptedErp()
    return erp


async def test_an_erp_is_asked_for_the_receipts_that_it_has_not_pushed_and_each_is_told_once(world: World) -> None:
    erp, orders = await waiting(world), ScriptedOrders()
    assert await at_erp(look(world, orders=orders)) == LookResult(waiting=1)
    erp.receipt = RECEIPT
    assert await at_erp(look(world, orders=orders)) == LookResult(found=1, told=1, waiting=1)
    assert await at_erp(look(world, orders=orders)) == LookResult(found=1, told=0, waiting=1)
    assert orders.receipts == [RECEIPT]


async def test_an_order_that_has_its_receipt_is_not_asked_about(world: World) -> None:
    await waiting(world)
    await world.ledger.write(journal([entry(5, Event.ERP_RECEIPT, note="SO-1")], stage=Stage.CONFIRMED))
    assert await at_erp(look(world)) == LookResult(waiting=0)


async def test_a_receipt_that_cannot_be_told_now_is_recorded_as_if_it_had_been_pushed(world: World) -> None:
    erp = await waiting(world)
    erp.receipt = RECEIPT
    assert await at_erp(look(world, orders=ScriptedOrders(away=True))) == LookResult(found=1, waiting=1)
    (row,) = await world.ledger.unannounced(NOW + timedelta(days=1))
    assert (row.source, row.external_id, row.kind) == ("receipts/main", "r-1", "erp_receipt")


async def test_an_erp_that_is_down_fails_the_look_for_all_to_see(world: World) -> None:
    erp = await waiting(world)
    erp.finding = failing(Unavailable("503"))
    with pytest.raises(ApplicationError):
        await at_erp(look(world))


async def test_an_erp_that_can_say_of_many_orders_at_once_is_asked_once(world: World) -> None:
    class Lists(ScriptedErp):
        asked_at_once: ClassVar[list[Sequence[Awaited]]] = []

        async def find_several(self, wanted: Sequence[Awaited]) -> Sequence[ErpReceipt]:
            self.asked_at_once.append(wanted)
            return [RECEIPT]

    await waiting(world)
    erp, orders = Lists(), ScriptedOrders()
    world.erps["main"] = erp
    assert await at_erp(look(world, orders=orders)) == LookResult(found=1, told=1, waiting=1)
    assert [[(one.ref, one.revision) for one in wanted] for wanted in erp.asked_at_once] == [[(REF, 1)]]
    assert erp.asked == []
    assert orders.receipts == [RECEIPT]


def test_fresh_orders_go_first_and_old_ones_take_turns_so_that_none_is_forgotten() -> None:
    old = [Awaited(ref=OrderRef(store="s", number=f"old-{n}"), revision=1, since=NOW - FRESH * 2) for n in range(50)]
    new = [Awaited(ref=OrderRef(store="s", number=f"new-{n}"), revision=1, since=NOW) for n in range(5)]
    asked, last = set[str](), ""
    for _ in range(3):
        turn = _in_turn([*old, *new], last, NOW, 30)
        assert len(turn) == 30
        assert [one.ref.number for one in turn[:5]] == [f"new-{n}" for n in (4, 3, 2, 1, 0)]
        asked |= {one.ref.number for one in turn}
        last = str(turn[-1].ref)
    assert asked == {one.ref.number for one in (*old, *new)}
