"""Orders in the sandbox's WooCommerce shop: placed, changed, paid, cancelled, looked for, answered."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from orderack.domain.source import AnswerKey, AnswerStage, AnswerState
from orderack.embedded.sandbox import Action, Fault, Target
from orderack.embedded.sandbox.faults import Operation
from orderack.embedded.sandbox.look_alike import ShopDeed
from orderack.errors import InDoubt, Unavailable
from orderack.ports import Skipped, SourceAnswer
from tests.conformance.source import NOW
from tests.embedded.sandbox.shop_suite import ORDER, ShopSuite


class TestWoocommerceOrders(ShopSuite):
    target = Target.WOOCOMMERCE
    name = "woocommerce"

    async def answer(self, source, snapshot, stage=AnswerStage.CONFIRMED):
        key = AnswerKey(ref=snapshot.order.ref, revision=1, stage=stage)
        page = "https://gateway.example/o/x"
        asked = SourceAnswer(
            key=key, order=snapshot.order, external_id=snapshot.external_id, page_url=page, document_id="SO1", now=NOW
        )
        return await source.answer(asked)

    async def placed(self, source, sandbox, gateway):
        return (await self.read(source, await self.happens(sandbox, gateway, ShopDeed.PLACE, ORDER)))[0]

    async def test_the_answer_is_a_private_note_once_for_each_stage(self, source, sandbox, gateway):
        placed = await self.placed(source, sandbox, gateway)
        first, again = await self.answer(source, placed), await self.answer(source, placed)
        other = await self.answer(source, placed, AnswerStage.CANCELLED)
        assert first.state is AnswerState.ACCEPTED
        assert first == again != other
        posted = sandbox.state.outbox.find("", Target.WOOCOMMERCE)
        assert len(posted) == 2
        assert not any("buyer" in one.recipient for one in posted)
        lines = posted[-1].text.splitlines()
        assert lines[:2] == ["The order is confirmed.", "ERP document: SO1"]
        assert lines[-2] == "https://gateway.example/o/x"

    async def test_two_that_answer_at_once_leave_one_note_and_name_the_same(self, source, sandbox, gateway):
        placed = await self.placed(source, sandbox, gateway)
        answers = await asyncio.gather(*(self.answer(source, placed) for _ in range(4)))
        (note,) = self.vendor(sandbox)._notes[placed.external_id]
        assert {one.state for one in answers} == {AnswerState.ACCEPTED}
        assert {one.reference for one in answers} == {f"{placed.external_id}/{note['id']}"}

    async def test_a_lost_answer_is_found_before_another_note_is_written(self, source, sandbox, gateway):
        placed = await self.placed(source, sandbox, gateway)
        sandbox.state.faults.add(Fault(target=Target.WOOCOMMERCE, action=Action.CUT_OFF_AFTER_ACCEPT))
        with pytest.raises(InDoubt):
            await self.answer(source, placed)
        assert (await self.answer(source, placed)).state is AnswerState.ACCEPTED
        assert len(sandbox.state.outbox.find("", Target.WOOCOMMERCE)) == 1
        assert sandbox.state.faults.unfired() == ()

    @pytest.mark.parametrize(
        ("fault", "fate"),
        [
            ({"action": Action.THROTTLE, "retry_after": 7}, Unavailable),
            ({"action": Action.FAIL}, InDoubt),
            ({"action": Action.NONSENSE}, InDoubt),
            ({"action": Action.FAIL, "operation": Operation.LOOKUP}, Unavailable),
            ({"action": Action.NONSENSE, "operation": Operation.LOOKUP}, Unavailable),
            ({"action": Action.THROTTLE, "retry_after": 7, "operation": Operation.LOOKUP}, Unavailable),
        ],
    )
    async def test_every_fault_of_an_answer_has_its_fate(self, source, sandbox, gateway, fault, fate):
        placed = await self.placed(source, sandbox, gateway)
        sandbox.state.faults.add(Fault(target=Target.WOOCOMMERCE, **fault))
        with pytest.raises(fate) as caught:
            await self.answer(source, placed)
        if "retry_after" in fault:
            assert caught.value.retry_after.total_seconds() == 7
        assert sandbox.state.faults.unfired() == ()

    @pytest.mark.parametrize("action", [Action.FAIL, Action.NONSENSE, Action.CUT_OFF_BEFORE])
    async def test_a_look_that_fails_brings_nothing_and_moves_nothing(self, source, sandbox, gateway, action):
        await self.placed(source, sandbox, gateway)
        sandbox.state.faults.add(Fault(target=Target.WOOCOMMERCE, action=action, operation=Operation.LOOKUP))
        with pytest.raises(Unavailable):
            await source.look("", datetime.now(UTC))
        sandbox.state.faults.add(Fault(target=Target.WOOCOMMERCE, action=action, operation=Operation.LOOKUP))
        with pytest.raises(Unavailable):
            await source.fetch("727")

    async def test_a_long_look_goes_on_page_by_page_and_ends(self, source, sandbox):
        vendor = self.vendor(sandbox)
        for n in range(45):
            vendor.shop(ShopDeed.PLACE, ORDER.model_copy(update={"number": f"N{n}"}))
        now, cursor, seen, pages = datetime.now(UTC) + timedelta(seconds=30), "", [], 0
        while True:
            looked = await source.look(cursor, now)
            cursor, pages = looked.cursor, pages + 1
            for delivery in looked.deliveries:
                (reading,) = await source.read(delivery)
                seen.append(reading.order.number)
            if not looked.more:
                break
        assert (pages, seen) == (3, [f"N{n}" for n in range(45)])

    async def test_an_order_that_the_shop_does_not_have_is_none_and_takes_no_answer(self, source, sandbox, gateway):
        placed = await self.placed(source, sandbox, gateway)
        for unknown in ("404", "../users", "x"):
            (reading,) = await source.fetch(unknown)
            assert isinstance(reading, Skipped)
            answered = await self.answer(source, placed.model_copy(update={"external_id": unknown}))
            assert answered.state is AnswerState.REFUSED
