"""Amazon's vendors in the sandbox: purchase orders are looked for and acknowledged once, whatever goes wrong."""

import asyncio
from datetime import UTC, datetime

import pytest

from orderack.domain.money import add_up
from orderack.domain.response import LineAnswer, Outcome
from orderack.domain.source import AnswerKey, AnswerStage, AnswerState
from orderack.embedded.sandbox import Action, Fault, Operation, Target
from orderack.embedded.sandbox.look_alike import ShopDeed
from orderack.errors import InDoubt, OrderAckError, Refused, Unavailable
from orderack.ports import SourceAnswer, Standing
from tests.embedded.sandbox.marketplaces import ORDER, connected, vendor_of

NUMBER = ORDER.number
PLAIN = {"discount": "0", "tax": "7.25", "shipping": "0", "fees": "0", "total": "79.72"}


@pytest.fixture
def order():
    lines = [line.model_dump() | {"discount": 0} for line in ORDER.lines]
    now = datetime.now(UTC).replace(microsecond=0)
    return ORDER.model_validate(ORDER.model_dump() | {"totals": PLAIN, "lines": lines, "trigger_at": now})


@pytest.fixture
async def source(sandbox, monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    async with connected("amazon_vendor_df", sandbox, monkeypatch) as made:
        yield made


async def looked_for(source):
    """Every reading of one whole look."""
    found, cursor, more = [], "", True
    while more:
        looked = await source.look(cursor, datetime.now(UTC))
        cursor, more = looked.cursor, looked.more
        for delivery in looked.deliveries:
            found += await source.read(delivery)
    return found


async def said_of(source, stage=AnswerStage.CONFIRMED, reference="", outcome=Outcome.ACCEPT):
    (found,) = await source.fetch(NUMBER)
    lines = tuple(
        LineAnswer(line_id=line.line_id, outcome=outcome, accepted=line.quantity if outcome is Outcome.ACCEPT else 0)
        for line in found.order.lines
    )
    key = AnswerKey(ref=found.order.ref, revision=1, stage=stage)
    return SourceAnswer(
        key=key, order=found.order, external_id=NUMBER, lines=lines, reference=reference, now=datetime.now(UTC)
    )


async def settled(source, stage=AnswerStage.CONFIRMED):
    """Answered as the product does: asked again whatever was in doubt, asked after while it is pending."""
    reference = ""
    for _ in range(30):
        try:
            said = await source.answer(await said_of(source, stage, reference))
        except (InDoubt, Unavailable):
            continue
        if said.state is not AnswerState.PENDING:
            return said
        reference = said.reference
        await asyncio.sleep(0.01)
    raise AssertionError("still pending")


def log(sandbox):
    return sandbox.state.log.entries(Target.AMAZON_VENDOR_DF, key=NUMBER)


async def test_a_purchase_order_survives_the_way_there_and_back(source, sandbox, order):
    vendor_of(sandbox, "amazon_vendor_df").shop(ShopDeed.PLACE, order)
    (found,) = await looked_for(source)
    for there, ours in zip(found.order.lines, order.lines, strict=True):
        assert there.model_copy(update={"codes": ()}) == ours
    assert found.order.delivery_address == order.delivery_address
    assert (found.order.number, found.order.trigger_at) == (NUMBER, order.trigger_at)
    assert found.order.totals.total == add_up(found.order) == order.totals.total


async def test_a_cancelled_one_is_seen_and_one_that_was_answered_is_not(source, sandbox, order):
    vendor = vendor_of(sandbox, "amazon_vendor_df")
    with pytest.raises(KeyError):
        vendor.shop(ShopDeed.CANCEL, order)
    vendor.shop(ShopDeed.PLACE, order)
    vendor.shop(ShopDeed.CANCEL, order)
    (found,) = await looked_for(source)
    assert found.standing is Standing.CANCELLED
    vendor.shop(ShopDeed.PLACE, order.model_copy(update={"number": "PO-2"}))
    assert len(await looked_for(source)) == 2


@pytest.mark.parametrize(("stage", "code"), [(AnswerStage.CONFIRMED, "00"), (AnswerStage.REJECTED, "03")])
async def test_it_is_acknowledged_and_judged_a_while_later(source, sandbox, order, stage, code):
    vendor_of(sandbox, "amazon_vendor_df").shop(ShopDeed.PLACE, order)
    first = await source.answer(await said_of(source, stage))
    assert first.state is AnswerState.PENDING
    assert (await settled(source, stage)).state is AnswerState.ACCEPTED
    (entry,) = log(sandbox)
    assert (entry.recipient, entry.provider_id) == (code, first.reference)
    assert await looked_for(source) == [] or stage is AnswerStage.REJECTED


async def test_of_a_part_nothing_is_said(source, sandbox, order):
    vendor_of(sandbox, "amazon_vendor_df").shop(ShopDeed.PLACE, order)
    said = await source.answer(await said_of(source, outcome=Outcome.BACKORDER))
    assert (said.state, log(sandbox)) == (AnswerState.REFUSED, ())


FAULTS = (
    {"action": Action.CUT_OFF_BEFORE},
    {"action": Action.CUT_OFF_AFTER_ACCEPT},
    {"action": Action.NONSENSE},
    {"action": Action.FAIL},
    {"action": Action.THROTTLE, "retry_after": 1},
)


@pytest.mark.parametrize("operation", [Operation.SEND, Operation.LOOKUP])
@pytest.mark.parametrize("fault", FAULTS)
async def test_it_is_acknowledged_once_whatever_goes_wrong(source, sandbox, order, fault, operation):
    vendor_of(sandbox, "amazon_vendor_df").shop(ShopDeed.PLACE, order)
    sandbox.state.faults.add(Fault(target=Target.AMAZON_VENDOR_DF, operation=operation, times=1, **fault))
    assert (await settled(source)).state is AnswerState.ACCEPTED
    assert [entry.repeated for entry in log(sandbox)] == [False]
    assert sandbox.state.faults.unfired() == ()


async def test_two_at_once_end_as_one(source, sandbox, order):
    vendor_of(sandbox, "amazon_vendor_df").shop(ShopDeed.PLACE, order)
    asked = await said_of(source)
    first, second = await asyncio.gather(source.answer(asked), source.answer(asked))
    for said in (first, second):
        while said.state is AnswerState.PENDING:
            await asyncio.sleep(0.01)
            said = await source.answer(asked.model_copy(update={"reference": said.reference}))
        assert said.state is AnswerState.ACCEPTED
    assert [entry.repeated for entry in log(sandbox)][:1] == [False]
    assert sum(not entry.repeated for entry in log(sandbox)) == 1


async def test_what_amazon_does_not_take_is_refused_in_its_words(source, sandbox, order):
    vendor_of(sandbox, "amazon_vendor_df").shop(ShopDeed.PLACE, order)
    sandbox.state.faults.add(Fault(target=Target.AMAZON_VENDOR_DF, action=Action.REFUSE, code="InvalidInput"))
    with pytest.raises(Refused, match="InvalidInput"):
        await source.answer(await said_of(source))


async def test_the_connection_is_tried_and_a_stranger_is_told_so(source, sandbox, monkeypatch):
    assert "purchase orders" in await source.check()
    async with connected("amazon_vendor_df", sandbox, monkeypatch, refresh_token="wrong") as stranger:
        with pytest.raises(OrderAckError, match="REFRESH_TOKEN"):
            await stranger.look("", datetime.now(UTC))
