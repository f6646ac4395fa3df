"""An ERP that was away: those that wait for it are woken in the order of their age, once it answers again."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import Outages, SubmitToErp
from activities._outages import AWAY_FROM
from orderack.contracts import names
from orderack.contracts.activities import ErpAnswer, SubmitToErpRequest
from orderack.contracts.journal import Event, Stage
from orderack.domain.order import OrderRef
from orderack.errors import Refused, Unavailable
from tests.activities.fakes import ScriptedErp, failing
from tests.activities.world import World
from tests.ledger.samples import REF, entry, journal, order

DOWN = failing(Unavailable("503"))


class Woken:
    """Temporal, as far as it wakes submissions; some orders have none that sleeps."""

    def __init__(self, *awake: str) -> None:
        self.numbers = list[str]()
        self._awake = awake

    async def __call__(self, ref: OrderRef, activity: str) -> bool:
        assert activity == names.SUBMIT_TO_ERP
        if ref == REF:  # the world's own order
            return False
        self.numbers.append(ref.number)
        return ref.number not in self._awake


async def waiting(world: World, *numbers: str) -> ScriptedErp:
    """Orders that the ERP was given and has not answered for, the first named the oldest."""
    for number in numbers:
        ref = await world.save(order(number))
        await world.ledger.write(journal([entry(4, Event.SUBMITTED_TO_ERP)], stage=Stage.AWAITING_ERP, ref=ref))
    world.erps["main"] = ScriptedErp()
    return world.erps["main"]


def desk(world: World, woken: Woken) -> SubmitToErp:
    return SubmitToErp(world.ledger, world.erps, Outages(world.ledger, woken, world.clock), world.clock)


async def submit(at: SubmitToErp, number: str) -> ErpAnswer:
    ref = OrderRef(store=REF.store, number=number)
    made = SubmitToErpRequest(ref=ref, revision=1, erp="main", journal=journal([], ref=ref))
    return (await ActivityEnvironment().run(at.submit_to_erp, made)).answer


async def away(at: SubmitToErp, number: str) -> None:
    with pytest.raises(ApplicationError):
        await submit(at, number)


async def settled(woken: Woken, wanted: int) -> list[str]:
    async with asyncio.timeout(60):
        while len(woken.numbers) < wanted:  # noqa: ASYNC110 (a task of the activity's own)
            await asyncio.sleep(0.01)
    await asyncio.sleep(0.15)
    return woken.numbers


async def test_the_first_that_gets_through_after_an_outage_wakes_the_others_the_oldest_first(world: World) -> None:
    erp = await waiting(world, "old", "older-than-young", "young")
    woken = Woken("older-than-young")
    at = desk(world, woken)
    erp.submitting = DOWN
    await away(at, "young")
    world.clock.advance(AWAY_FROM)
    await away(at, "old")
    erp.submitting = ScriptedErp().submitting
    assert await submit(at, "young") is ErpAnswer.SUBMITTED
    assert await settled(woken, 3) == ["old", "older-than-young", "young"]
    assert await submit(at, "old") is ErpAnswer.SUBMITTED
    assert len(await settled(woken, 3)) == 3


async def test_a_hiccup_wakes_nobody(world: World) -> None:
    erp = await waiting(world, "1", "2")
    woken = Woken()
    at = desk(world, woken)
    erp.submitting = DOWN
    await away(at, "1")
    world.clock.advance(AWAY_FROM - timedelta(seconds=1))
    await away(at, "1")
    erp.submitting = ScriptedErp().submitting
    await submit(at, "2")
    assert await settled(woken, 0) == []


async def test_an_erp_that_is_gone_again_is_left_alone(world: World) -> None:
    erp = await waiting(world, *map(str, range(1, 20)))
    woken = Woken()
    at = desk(world, woken)
    erp.submitting = DOWN
    await away(at, "1")
    world.clock.advance(AWAY_FROM)
    await away(at, "1")
    erp.submitting = ScriptedErp().submitting
    await submit(at, "3")
    await settled(woken, 1)
    erp.submitting = DOWN
    await away(at, "2")
    gone = len(woken.numbers)
    await asyncio.sleep(0.3)
    assert len(woken.numbers) <= gone + 1 < 20


async def test_an_answer_that_says_no_is_an_answer(world: World) -> None:
    erp = await waiting(world, "1")
    woken = Woken()
    at = desk(world, woken)
    erp.submitting = DOWN
    await away(at, "1")
    world.clock.advance(AWAY_FROM)
    await away(at, "1")
    erp.submitting = failing(Refused("closed for stocktaking"))
    assert await submit(at, "1") is ErpAnswer.REFUSED
    assert await settled(woken, 1) == ["1"]


async def test_a_hiccup_while_they_are_woken_is_waited_out_and_the_others_are_woken_too(world: World) -> None:
    erp = await waiting(world, "1", "2", "3", "4")
    woken = Woken()
    at = desk(world, woken)
    erp.submitting = DOWN
    await away(at, "1")
    world.clock.advance(AWAY_FROM)
    await away(at, "1")
    erp.submitting = ScriptedErp().submitting
    await submit(at, "4")
    await settled(woken, 1)
    erp.submitting = DOWN
    await away(at, "2")
    erp.submitting = ScriptedErp().submitting
    await submit(at, "3")
    assert await settled(woken, 4) == ["1", "2", "3", "4"]
