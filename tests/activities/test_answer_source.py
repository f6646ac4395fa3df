"""`answer_source`: a source is told once, whatever it answers, and whoever dies meanwhile."""

from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.answer_source import AnswerSource
from orderack.contracts.activities import AnswerSourceRequest
from orderack.contracts.journal import Event
from orderack.domain.acknowledgement import Reason
from orderack.domain.order import OrderRef, PartnerDeadline
from orderack.domain.source import Answered, AnswerStage, AnswerState
from orderack.errors import InDoubt, Refused, Unavailable
from tests.activities.world import NOW, World
from tests.intake.fakes import FakeSource
from tests.ledger.samples import REF, entry, journal, order

PENDING = Answered(state=AnswerState.PENDING, reference="T-1")
ACCEPTED = Answered(state=AnswerState.ACCEPTED, reference="T-1", at=NOW)


async def tell(
    world: World, source: FakeSource, stage: AnswerStage = AnswerStage.CONFIRMED, ref: OrderRef = REF
) -> Answered:
    request = AnswerSourceRequest(
        ref=ref, revision=1, stage=stage, system="storefront", journal=journal([entry(4, Event.CONFIRMED)], ref=ref)
    )
    answer = AnswerSource(
        world.ledger, {"north/storefront": source}, lambda ref: f"https://orderack.example/o/{ref.number}", world.clock
    )
    return await ActivityEnvironment().run(answer.answer_source, request)


async def test_the_source_is_told_once_with_its_own_id_of_the_order(world: World) -> None:
    await world.save()
    source = FakeSource(answer_with=[ACCEPTED])
    assert await tell(world, source) == await tell(world, source) == ACCEPTED
    (answer,) = source.answers
    assert answer.external_id == "gid-55"
    assert answer.page_url == "https://orderack.example/o/1001"


async def test_each_stage_is_an_answer_of_its_own(world: World) -> None:
    await world.save()
    source = FakeSource()
    await tell(world, source)
    await tell(world, source, AnswerStage.CANCELLED)
    assert [answer.key.stage for answer in source.answers] == [AnswerStage.CONFIRMED, AnswerStage.CANCELLED]


async def test_a_pending_answer_is_asked_about_by_its_reference_and_never_given_again(world: World) -> None:
    await world.save()
    source = FakeSource(answer_with=[PENDING, PENDING, ACCEPTED])
    for _ in range(2):
        with pytest.raises(ApplicationError, match="has not said yet") as waits:
            await tell(world, source)
        assert waits.value.next_retry_delay is not None
    assert await tell(world, source) == ACCEPTED
    assert [answer.reference for answer in source.answers] == ["", "T-1", "T-1"]


async def test_a_refusal_stands_with_its_reason_and_is_not_asked_for_again(world: World) -> None:
    await world.save()
    source = FakeSource(answer_with=[Refused("the order was cancelled", Reason.OTHER, "409")])
    first = await tell(world, source)
    assert (first.state, first.detail) == (AnswerState.REFUSED, "the order was cancelled")
    assert (await tell(world, source)).state is AnswerState.REFUSED
    assert len(source.answers) == 1


@pytest.mark.parametrize("error", [Unavailable("503"), InDoubt("reset")])
async def test_what_may_not_have_come_through_is_tried_again(world: World, error: Exception) -> None:
    await world.save()
    source = FakeSource(answer_with=[error, ACCEPTED])
    with pytest.raises(ApplicationError) as failed:
        await tell(world, source)
    assert failed.value.type == "Unavailable"
    assert await tell(world, source) == ACCEPTED


async def test_a_connection_that_is_not_configured_waits_for_somebody_to_mend_it(world: World) -> None:
    await world.save()
    request = AnswerSourceRequest(
        ref=REF, revision=1, stage=AnswerStage.CONFIRMED, system="storefront", journal=journal()
    )
    answer = AnswerSource(world.ledger, {}, lambda ref: "", world.clock)
    with pytest.raises(ApplicationError, match="north/storefront is not configured") as failed:
        await ActivityEnvironment().run(answer.answer_source, request)
    assert not failed.value.non_retryable


@pytest.mark.parametrize(
    ("left", "wait"),
    [
        (timedelta(minutes=32), timedelta(minutes=4)),
        (timedelta(seconds=8), timedelta(seconds=5)),
        (timedelta(hours=24), timedelta(hours=1)),
        (timedelta(minutes=-1), timedelta(hours=1)),
    ],
)
async def test_no_wait_that_a_partner_names_reaches_over_its_own_deadline(
    world: World, left: timedelta, wait: timedelta
) -> None:
    due = PartnerDeadline(partner="x", due_at=world.clock() + left)
    ref = await world.save(order("1002").model_copy(update={"partner_deadline": due}))
    source = FakeSource(answer_with=[Unavailable("429", timedelta(hours=1))])
    with pytest.raises(ApplicationError) as failed:
        await tell(world, source, ref=ref)
    assert failed.value.next_retry_delay == wait


async def test_a_partner_without_a_deadline_is_left_alone_as_long_as_it_asks(world: World) -> None:
    await world.save()
    source = FakeSource(answer_with=[Unavailable("429", timedelta(hours=1))])
    with pytest.raises(ApplicationError) as failed:
        await tell(world, source)
    assert failed.value.next_retry_delay == timedelta(hours=1)
