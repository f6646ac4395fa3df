"""`submit_to_erp` and `cancel_in_erp`: the ERP books and cancels once, whatever it answers and however often."""

import dataclasses

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import Outages
from activities._outages import PAUSED_FOR
from activities.cancel_in_erp import ON_ITS_WAY, CancelInErp
from activities.submit_to_erp import SubmitToErp
from orderack.contracts.activities import CancelInErpRequest, ErpAnswer, ErpSubmission, SubmitToErpRequest
from orderack.contracts.journal import Event
from orderack.domain.order import OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.errors import InDoubt, OrderAckError, Refused, Unavailable
from orderack.ports import Booking, Pause
from orderack.ports.channel_book import of_erp
from tests.activities.fakes import ScriptedErp, failing
from tests.activities.world import NOW, World
from tests.ledger.samples import REF, entry, journal, order

RECEIPT = ErpReceipt(id="r-1", erp="main", store=REF.store, number=REF.number, document_id="SO-1", recorded_at=NOW)


async def submit(world: World, erp: str = "main", revision: int = 1) -> ErpSubmission:
    made = SubmitToErpRequest(ref=REF, revision=revision, erp=erp, journal=journal([entry(4, Event.SUBMITTED_TO_ERP)]))
    outages = _outages(world)
    return await ActivityEnvironment().run(
        SubmitToErp(world.ledger, world.erps, outages, world.clock).submit_to_erp, made
    )


def _outages(world: World) -> Outages:
    return Outages(world.ledger, _nobody, world.clock)


async def _nobody(ref: OrderRef, activity: str) -> bool:
    return False


async def cancel(world: World, erp: str = "main", document_id: str | None = "SO-1", attempt: int = 1) -> ErpSubmission:
    made = CancelInErpRequest(
        ref=REF,
        erp=erp,
        document_id=document_id,
        reason="changed my mind",
        journal=journal([entry(5, Event.CANCELLED)]),
    )
    environment = ActivityEnvironment()
    environment.info = dataclasses.replace(environment.info, attempt=attempt)
    return await environment.run(
        CancelInErp(world.ledger, world.erps, _outages(world), world.clock).cancel_in_erp, made
    )


@pytest.fixture
def erp(world: World) -> ScriptedErp:
    world.erps["main"] = ScriptedErp()
    return world.erps["main"]


async def _written(world: World) -> list[int]:
    return [line.seq for line in await world.ledger.entries(REF)]


async def test_an_erp_that_is_paused_is_given_nothing_until_it_is_resumed(world: World, erp: ScriptedErp) -> None:
    await world.ledger.pause(Pause(channel=of_erp("main"), at=NOW, by="ann"))
    await world.ledger.pause(Pause(channel="main", at=NOW, by="a channel of that name is another thing"))
    with pytest.raises(ApplicationError, match="the ERP main is paused by ann") as caught:
        await submit(world)
    assert caught.value.next_retry_delay == PAUSED_FOR
    assert erp.booked == []
    assert await _written(world) == [4], "what the order did so far is on the record all the same"
    await world.ledger.resume(of_erp("main"))
    assert (await submit(world)).answer is ErpAnswer.SUBMITTED
    assert len(erp.booked) == 1


async def test_a_revision_is_booked_once_and_its_journal_written_once(world: World, erp: ScriptedErp) -> None:
    first, second = await submit(world), await submit(world)
    assert first == second == ErpSubmission(answer=ErpAnswer.SUBMITTED, document_id="SO-1")
    assert erp.booked == [(order(), 1)]
    assert await _written(world) == [4]


async def test_an_erp_that_answers_at_once_gives_its_receipt(world: World, erp: ScriptedErp) -> None:
    erp.booking = Booking(document_id="SO-1", receipt=RECEIPT)
    assert await submit(world) == ErpSubmission(answer=ErpAnswer.SUBMITTED, document_id="SO-1", receipt=RECEIPT)


async def test_a_refused_order_carries_the_erps_reason(world: World, erp: ScriptedErp) -> None:
    erp.submitting = failing(Refused("customer is blocked" + "!" * 1_000))
    answer = await submit(world)
    assert (answer.answer, answer.document_id) == (ErpAnswer.REFUSED, None)
    assert answer.reason.startswith("customer is blocked!")
    assert len(answer.reason) == 500


async def test_cut_off_while_submitting_the_erp_is_asked_and_its_receipt_holds(world: World, erp: ScriptedErp) -> None:
    erp.submitting, erp.receipt = failing(InDoubt("reset")), RECEIPT
    assert await submit(world) == ErpSubmission(answer=ErpAnswer.SUBMITTED, document_id="SO-1", receipt=RECEIPT)
    assert erp.asked == [(REF, 1)]


async def test_cut_off_and_not_in_the_erp_it_is_submitted_again(world: World, erp: ScriptedErp) -> None:
    erp.submitting = failing(InDoubt("reset"))
    with pytest.raises(ApplicationError, match="the ERP does not have it: reset") as caught:
        await submit(world)
    assert (caught.value.type, caught.value.non_retryable) == ("Unavailable", False)
    erp.submitting = ScriptedErp().submitting
    assert (await submit(world)).answer is ErpAnswer.SUBMITTED
    assert len(erp.booked) == 1


@pytest.mark.parametrize("asking", [Unavailable("503"), InDoubt("reset too")], ids=type)
async def test_cut_off_and_not_to_be_asked_it_is_tried_again(
    world: World, erp: ScriptedErp, asking: OrderAckError
) -> None:
    erp.submitting, erp.finding = failing(InDoubt("reset")), failing(asking)
    with pytest.raises(ApplicationError) as caught:
        await submit(world)
    assert not caught.value.non_retryable


async def test_an_erp_that_is_down_is_waited_for_and_the_journal_stands(world: World, erp: ScriptedErp) -> None:
    erp.submitting = failing(Unavailable("503"))
    with pytest.raises(ApplicationError, match="503") as caught:
        await submit(world)
    assert (caught.value.type, caught.value.non_retryable) == ("Unavailable", False)
    assert await _written(world) == [4]


async def test_a_revision_that_the_ledger_does_not_hold_is_waited_for(world: World, erp: ScriptedErp) -> None:
    with pytest.raises(ApplicationError, match="not in the ledger yet") as caught:
        await submit(world, revision=2)
    assert (caught.value.type, caught.value.non_retryable, erp.booked) == ("Unavailable", False, [])


async def test_an_erp_that_nobody_configured_is_waited_for_until_somebody_does(world: World) -> None:
    for call in (submit, cancel):
        with pytest.raises(ApplicationError, match="the ERP other is not configured") as caught:
            await call(world, "other")
        assert (caught.value.type, caught.value.non_retryable) == ("Misconfigured", False)
    assert await _written(world) == [4, 5]


async def test_a_cancellation_is_told_with_its_document_and_reason(world: World, erp: ScriptedErp) -> None:
    first, second = await cancel(world), await cancel(world)
    assert first == second == ErpSubmission(answer=ErpAnswer.SUBMITTED, document_id="SO-1")
    assert erp.cancelled == [(REF, "SO-1", "changed my mind")] * 2
    assert await _written(world) == [5]


async def test_an_order_that_the_erp_does_not_know_is_not_found(world: World, erp: ScriptedErp) -> None:
    erp.knows = False
    assert await cancel(world, document_id=None, attempt=ON_ITS_WAY) == ErpSubmission(answer=ErpAnswer.NOT_FOUND)


async def test_an_order_that_lands_while_it_is_being_cancelled_is_cancelled_there(
    world: World, erp: ScriptedErp
) -> None:
    erp.knows = False
    with pytest.raises(ApplicationError, match="on its way") as failed:
        await cancel(world, document_id=None)
    assert not failed.value.non_retryable
    erp.knows = True
    assert (await cancel(world, document_id=None, attempt=2)).answer is ErpAnswer.SUBMITTED
    assert len(erp.cancelled) == 2


async def test_a_cancellation_that_the_erp_refuses_carries_its_reason(world: World, erp: ScriptedErp) -> None:
    erp.cancelling = failing(Refused("already shipped"))
    answer = await cancel(world)
    assert (answer.answer, answer.reason, answer.document_id) == (ErpAnswer.REFUSED, "already shipped", "SO-1")


async def test_cut_off_while_cancelling_it_is_cancelled_again(world: World, erp: ScriptedErp) -> None:
    erp.cancelling = failing(InDoubt("reset"))
    with pytest.raises(ApplicationError, match="cancelling twice is harmless: reset") as caught:
        await cancel(world)
    assert (caught.value.type, caught.value.non_retryable) == ("Unavailable", False)
