"""Orders in the sandbox's Shopify shop: placed, changed, paid, cancelled, fetched, looked for, answered."""

import asyncio
import json

import pytest

from orderack.domain.source import AnswerKey, AnswerStage, AnswerState
from orderack.embedded.sandbox import Action, Fault, Target
from orderack.embedded.sandbox.faults import Operation
from orderack.embedded.sandbox.look_alike import ShopDeed
from orderack.errors import Misconfigured, Unavailable
from orderack.ports import RawRequest, Skipped, SourceAnswer
from tests.conformance.source import NOW
from tests.embedded.sandbox.shop_suite import ORDER, ShopSuite


class TestShopifyOrders(ShopSuite):
    target = Target.SHOPIFY
    name = "shopify"

    async def answer(self, source, snapshot, stage=AnswerStage.CONFIRMED):
        key = AnswerKey(ref=snapshot.order.ref, revision=1, stage=stage)
        page = "https://gateway.example/o/x"
        asked = SourceAnswer(
            key=key, order=snapshot.order, external_id=snapshot.external_id, page_url=page, document_id="SO1", now=NOW
        )
        return await source.answer(asked)

    async def test_the_answer_is_a_record_once_and_comes_back_as_no_change(self, source, sandbox, gateway):
        (placed, *_) = await self.read(source, await self.happens(sandbox, gateway, ShopDeed.PLACE, ORDER))
        before = len(gateway.received)
        first, again = await self.answer(source, placed), await self.answer(source, placed)
        assert first.state is AnswerState.ACCEPTED
        assert first.reference == again.reference
        (entry, repeat) = sandbox.state.log.entries(Target.SHOPIFY)
        assert (entry.repeated, repeat.repeated) == (False, True)
        (posted,) = sandbox.state.outbox.find("", Target.SHOPIFY)
        assert json.loads(posted.text) == {
            "state": "confirmed", "revision": 1, "document": "SO1", "page": "https://gateway.example/o/x",
        }  # fmt: skip
        echo = (await gateway.wait_for(before + 1))[before]
        request = RawRequest(url=echo.url, headers=dict(echo.headers), body=echo.body)
        (read,) = await self.read(source, [request])
        assert b"orderack-confirmed" in echo.body
        assert read.order.content_hash == placed.order.content_hash
        assert read.at >= placed.at

    async def test_two_that_answer_at_once_leave_one_record(self, source, sandbox, gateway):
        (placed, *_) = await self.read(source, await self.happens(sandbox, gateway, ShopDeed.PLACE, ORDER))
        answers = await asyncio.gather(*(self.answer(source, placed) for _ in range(4)))
        assert len({one.reference for one in answers}) == 1
        assert len(sandbox.state.outbox.find("", Target.SHOPIFY)) == 1
        assert [entry.repeated for entry in sandbox.state.log.entries(Target.SHOPIFY)].count(False) == 1

    @pytest.mark.parametrize(
        ("fault", "fate"),
        [
            ({"action": Action.THROTTLE, "retry_after": 7}, Unavailable),
            ({"action": Action.FAIL}, Unavailable),
            ({"action": Action.NONSENSE}, Unavailable),
            ({"action": Action.CUT_OFF_BEFORE}, Unavailable),
            ({"action": Action.REFUSE, "code": "APP_NOT_AUTHORIZED"}, Misconfigured),
        ],
    )
    async def test_every_fault_of_an_answer_and_of_a_fetch_has_its_fate(self, source, sandbox, gateway, fault, fate):
        (placed, *_) = await self.read(source, await self.happens(sandbox, gateway, ShopDeed.PLACE, ORDER))
        sandbox.state.faults.add(Fault(target=Target.SHOPIFY, **fault))
        with pytest.raises(fate):
            await self.answer(source, placed)
        if fate is Unavailable:
            sandbox.state.faults.add(Fault(target=Target.SHOPIFY, operation=Operation.LOOKUP, **fault))
            with pytest.raises(fate) as caught:
                await source.fetch(placed.external_id)
            if "retry_after" in fault:
                assert caught.value.retry_after.total_seconds() == 7
        assert sandbox.state.faults.unfired() == ()

    async def test_a_lost_answer_is_asked_for_again_and_is_the_same_record(self, source, sandbox, gateway):
        (placed, *_) = await self.read(source, await self.happens(sandbox, gateway, ShopDeed.PLACE, ORDER))
        sandbox.state.faults.add(Fault(target=Target.SHOPIFY, action=Action.CUT_OFF_AFTER_ACCEPT))
        with pytest.raises(Unavailable):
            await self.answer(source, placed)
        assert (await self.answer(source, placed)).state is AnswerState.ACCEPTED
        assert len(sandbox.state.outbox.find("", Target.SHOPIFY)) == 1

    async def test_an_order_that_the_shop_does_not_have_is_none_and_takes_no_answer(self, source, sandbox, gateway):
        (placed, *_) = await self.read(source, await self.happens(sandbox, gateway, ShopDeed.PLACE, ORDER))
        (reading,) = await source.fetch("4041")
        assert isinstance(reading, Skipped)
        answered = await self.answer(source, placed.model_copy(update={"external_id": "4041"}))
        assert answered.state is AnswerState.REFUSED

    async def test_an_order_of_many_lines_comes_page_by_page(self, source, sandbox, gateway):
        lines = [ORDER.lines[1].model_copy(update={"line_id": str(n)}) for n in range(120)]
        order = ORDER.model_copy(update={"lines": tuple(lines)})
        (placed, *_) = await self.read(source, await self.happens(sandbox, gateway, ShopDeed.PLACE, order))
        (fetched,) = await source.fetch(placed.external_id)
        assert [line.line_id for line in fetched.order.lines] == [str(n) for n in range(120)]
        assert fetched == placed
