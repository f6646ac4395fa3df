"""What holds for every ERP in the sandbox, by its adapter: booked once whatever happens to whichever request.

The vendor's own books judge, not what the adapter says of itself.
"""

import asyncio
from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager, suppress
from datetime import date
from decimal import Decimal
from itertools import cycle
from typing import ClassVar

import pytest

from orderack import erps
from orderack.domain.order import Address, Order, OrderRef
from orderack.domain.receipt import ErpReceipt, StockVerdict
from orderack.embedded.sandbox import Action, Behaviour, Fault, Operation, Sandbox, SandboxState, SkuStock, Target
from orderack.embedded.sandbox.look_alike import LookAlike
from orderack.erps import _session
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable
from orderack.ports import Erp
from tests.conformance.erp import an_order

HOME = Address(
    name="Ada Example", street="1 Main Street", city="Springfield", region="IL", postal_code="62701", country="US"
)
SHORT = {
    Action.CUT_OFF_BEFORE: 1,
    Action.CUT_OFF_AFTER_ACCEPT: 2,
    Action.FAIL: 1,
    Action.NONSENSE: 1,
    Action.THROTTLE: 1,
}
"""Each fault, and the revision that it strikes in the short run."""
ENOUGH = 30
"""Requests of a submission; the last of them is found by a fault that no longer strikes."""


def the_order(number: str = "A-1001") -> Order:
    """Two lines for Ada Example: a KETTLE, five CUPs."""
    order = an_order(OrderRef(store="shop", number=number))
    return order.model_copy(update={"delivery_address": HOME, "billing_address": HOME})


def each_lost(steps: Sequence[tuple[Operation, int]]) -> Sequence[pytest.ParameterSet]:
    """`operation`, `nth`, `action`: every request with every fault; in the short run the writes, and each with one."""
    actions = (Action.CUT_OFF_BEFORE, Action.CUT_OFF_AFTER_ACCEPT, Action.FAIL, Action.NONSENSE)
    short = {(*step, action) for step, action in zip(steps, cycle(actions), strict=False)}
    short |= {(*step, action) for step in steps if step[0] is Operation.SEND for action in actions}
    every = [(*step, action) for step in steps for action in actions]
    return [pytest.param(*cell, marks=[] if cell in short else [pytest.mark.long]) for cell in every]


class ErpSandboxSuite(ABC):
    """One vendor. `answer`: submit as the activity does, which asks the ERP where it was cut off."""

    target: ClassVar[Target]
    system: ClassVar[str]

    @abstractmethod
    def live(self, vendor: LookAlike, order: Order) -> Sequence[tuple[str, int]]:
        """The order's documents in the vendor's books that are not cancelled: number or id, and revision."""

    @abstractmethod
    def free_seats(self, vendor: LookAlike) -> None:
        """The vendor ends all sessions."""

    @abstractmethod
    def seats(self, vendor: LookAlike) -> int:
        """Sessions that are open there."""

    @abstractmethod
    def lack(self, vendor: LookAlike, sku: str) -> None:
        """It does not sell this."""

    @pytest.fixture
    async def sandbox(self, gateway, monkeypatch, tmp_path) -> AsyncIterator[Sandbox]:
        monkeypatch.chdir(tmp_path)
        state = SandboxState(behaviour=Behaviour(books_after=0), callback_base=gateway.url)
        async with Sandbox.start(state=state) as running:
            for name, value in running.environment().items():
                monkeypatch.setenv(name, value)
            yield running

    @asynccontextmanager
    async def erp(self) -> AsyncIterator[Erp]:
        made = erps.load()[self.system].make(self.system, f"ORDERACK_ERP_{self.system.upper()}_")
        try:
            yield made
        finally:
            await made.aclose()

    def vendor(self, sandbox: Sandbox) -> LookAlike:
        return next(vendor for vendor in sandbox.vendors if vendor.target is self.target)

    async def until_booked(self, erp: Erp, order: Order, revision: int = 1) -> ErpReceipt:
        """As the activity and its retries do."""
        for _ in range(8):
            try:
                booking = await erp.submit(order, revision)
            except (InDoubt, Unavailable):
                with suppress(Unavailable):
                    if (receipt := await erp.find(order.ref, revision)) is not None:
                        return receipt
                continue
            receipt = booking.receipt or await erp.find(order.ref, revision)
            assert receipt is not None
            return receipt
        raise AssertionError("eight attempts, and no booking")

    async def test_an_order_is_booked_once_however_often_it_is_submitted(self, sandbox) -> None:
        order = the_order()
        async with self.erp() as erp:
            assert await erp.find(order.ref, 1) is None
            first, again = [await erp.submit(order, 1) for _ in range(2)]
            assert first.document_id == again.document_id
            assert first.receipt is not None
            assert first.receipt == await erp.find(order.ref, 1)
            assert await erp.find(order.ref, 2) is None
        assert [revision for _, revision in self.live(self.vendor(sandbox), order)] == [1]
        assert len(sandbox.state.log.entries(self.target)) == 1

    @pytest.mark.parametrize(
        ("action", "revision"),
        [
            pytest.param(action, revision, marks=[] if revision == first else [pytest.mark.long])
            for action, first in SHORT.items()
            for revision in (1, 2)
        ],
    )
    async def test_a_fault_at_any_request_of_a_submission_leaves_one_document(self, sandbox, action, revision) -> None:
        vendor = self.vendor(sandbox)
        wait = {"retry_after": 1} if action is Action.THROTTLE else {}
        async with self.erp() as erp:
            for step in range(ENOUGH):
                order = the_order(f"{action}-{step}")
                for earlier in range(1, revision):
                    await self.until_booked(erp, order, earlier)
                self.free_seats(vendor)
                sandbox.state.faults.clear()
                sandbox.state.faults.add(
                    Fault(target=self.target, action=action, operation=Operation.ANY, after=step, **wait)
                )
                receipt = await self.until_booked(erp, order, revision)
                assert receipt.revision == revision
                assert [booked for _, booked in self.live(vendor, order)] == [revision], step
                if sandbox.state.faults.unfired():
                    assert step >= 4, "a submission has a sign-in, a look, a write and a look"
                    return
        raise AssertionError("a submission of thirty requests")

    @pytest.mark.parametrize("action", [pytest.param(Action.SLOW, marks=pytest.mark.long), Action.HANG])
    async def test_a_process_that_dies_at_any_request_leaves_one_document(
        self, sandbox, until, action, monkeypatch
    ) -> None:
        monkeypatch.setattr(_session, "SIGN_OUT_SECONDS", 0.1)
        vendor = self.vendor(sandbox)
        async with self.erp() as takes_over:
            for step in range(ENOUGH):
                order = the_order(f"{action}-{step}")
                self.free_seats(vendor)
                sandbox.state.faults.clear()
                sandbox.state.faults.add(
                    Fault(target=self.target, action=action, operation=Operation.ANY, after=step, seconds=60)
                )
                async with self.erp() as dies:
                    dying = asyncio.create_task(dies.submit(order, 1))
                    await until(lambda task=dying: task.done() or not sandbox.state.faults.unfired())
                    unfired = sandbox.state.faults.unfired()
                    sandbox.state.faults.clear()
                    dying.cancel()
                    with suppress(asyncio.CancelledError):
                        await dying
                self.free_seats(vendor)
                await self.until_booked(takes_over, order)
                assert len(self.live(vendor, order)) == 1, step
                if unfired:
                    return
        raise AssertionError("a submission of thirty requests")

    async def test_two_attempts_at_once_leave_one_document_and_hear_its_number(self, sandbox) -> None:
        vendor, order = self.vendor(sandbox), the_order()
        async with self.erp() as one, self.erp() as other:
            receipts = await asyncio.gather(self.until_booked(one, order), self.until_booked(other, order))
        ((number, _),) = self.live(vendor, order)
        assert {receipt.document_id for receipt in receipts} == {number}

    async def test_a_later_revision_changes_the_same_document_and_an_earlier_one_is_refused(self, sandbox) -> None:
        order = the_order()
        more = order.lines[1].model_copy(update={"quantity": Decimal(7)})
        changed = order.model_copy(update={"lines": (order.lines[0], more)})
        async with self.erp() as erp:
            first = await erp.submit(order, 1)
            second = await erp.submit(changed, 2)
            again = await erp.submit(changed, 2)
            assert {first.document_id, second.document_id} == {again.document_id}
            assert (await erp.find(order.ref, 2)) is not None
            assert (await erp.find(order.ref, 1)) is None
            with pytest.raises(Refused):
                await erp.submit(order, 1)
        assert [revision for _, revision in self.live(self.vendor(sandbox), order)] == [2]

    async def test_what_the_stock_says_of_each_line_is_in_the_receipt(self, sandbox) -> None:
        due = date(2027, 1, 4)
        stock = sandbox.state.stock
        stock.set("KETTLE", SkuStock(verdict=StockVerdict.UNAVAILABLE))
        stock.set("CUP", SkuStock(verdict=StockVerdict.PARTIAL, available=Decimal(2), expected_on=due))
        async with self.erp() as erp:
            order = the_order()
            before = await erp.availability(order.lines)
            assert [one.verdict for one in before] == [StockVerdict.UNAVAILABLE, StockVerdict.PARTIAL]
            receipt = (await erp.submit(order, 1)).receipt
            assert receipt is not None
            lines = [(line.line_id, line.verdict, line.quantity, line.expected_on) for line in receipt.lines]
            assert lines == [
                ("1", StockVerdict.UNAVAILABLE, None, None),
                ("2", StockVerdict.PARTIAL, Decimal(2), due),
            ]
            stock.set("CUP", SkuStock(verdict=StockVerdict.BACKORDERED, expected_on=due))
            found = await erp.find(order.ref, 1)
            assert found is not None
            assert (found.lines[1].verdict, found.lines[1].expected_on) == (StockVerdict.BACKORDERED, due)

    async def test_another_orders_share_is_not_free_and_ones_own_is(self, sandbox) -> None:
        sandbox.state.stock.set("CUP", SkuStock(available=Decimal(7)))
        async with self.erp() as erp:
            first = (await erp.submit(the_order("A-1"), 1)).receipt
            second = (await erp.submit(the_order("A-2"), 1)).receipt
        assert first is not None
        assert second is not None
        assert first.lines[1].verdict is StockVerdict.AVAILABLE
        assert (second.lines[1].verdict, second.lines[1].quantity) == (StockVerdict.PARTIAL, Decimal(2))

    async def test_a_line_that_is_not_sold_there_is_named(self, sandbox) -> None:
        self.lack(self.vendor(sandbox), "CUP")
        async with self.erp() as erp:
            with pytest.raises(Refused, match=r"line 2: no .* CUP"):
                await erp.submit(the_order(), 1)
            assert [one.line_id for one in await erp.availability(the_order().lines)] == ["1"]
        assert self.live(self.vendor(sandbox), the_order()) == []

    async def test_a_refusal_is_refused_and_leaves_nothing(self, sandbox) -> None:
        sandbox.state.faults.add(Fault(target=self.target, action=Action.REFUSE, code="over the credit limit"))
        async with self.erp() as erp:
            with pytest.raises(Refused, match="over the credit limit"):
                await erp.submit(the_order(), 1)
            assert await erp.find(the_order().ref, 1) is None
        assert self.live(self.vendor(sandbox), the_order()) == []

    async def test_what_is_not_booked_at_once_waits_and_is_found_when_it_is(self, sandbox, until) -> None:
        sandbox.state.behaviour = Behaviour(books_after=0.3)
        order = the_order()
        async with self.erp() as erp:
            for _ in range(2):
                booking = await erp.submit(order, 1)
                assert booking.receipt is None
                assert "waits" in booking.waits
            assert await erp.find(order.ref, 1) is None
            await asyncio.sleep(0.35)
            assert await erp.find(order.ref, 1) is not None
        assert len(self.live(self.vendor(sandbox), order)) == 1

    async def test_an_order_that_is_lost_is_never_found(self, sandbox) -> None:
        sandbox.state.faults.add(Fault(target=self.target, action=Action.LOSE))
        async with self.erp() as erp:
            assert (await erp.submit(the_order(), 1)).waits
            assert await erp.find(the_order().ref, 1) is None

    async def test_a_cancelled_order_is_off_and_cannot_be_booked_behind_ones_back(self, sandbox) -> None:
        order = the_order()
        async with self.erp() as erp:
            assert await erp.cancel(order.ref, None, "the buyer asked") is False
            booking = await erp.submit(order, 1)
            assert await erp.cancel(order.ref, booking.document_id, "the buyer asked") is True
            assert await erp.find(order.ref, 1) is None
        assert self.live(self.vendor(sandbox), order) == []

    async def test_a_session_that_was_ended_is_renewed_once(self, sandbox) -> None:
        async with self.erp() as erp:
            await erp.submit(the_order("A-1"), 1)
            self.free_seats(self.vendor(sandbox))
            await erp.submit(the_order("A-2"), 1)
        assert len(self.live(self.vendor(sandbox), the_order("A-2"))) == 1

    async def test_many_at_once_share_one_seat_and_the_last_gives_it_back(self, sandbox) -> None:
        vendor = self.vendor(sandbox)
        taken = []
        async with self.erp() as erp:

            async def book(number: str) -> None:
                await erp.submit(the_order(number), 1)
                taken.append(self.seats(vendor))

            await asyncio.gather(*(book(f"B-{n}") for n in range(5)))
        assert max(taken) <= 1
        assert self.seats(vendor) == 0

    async def test_a_stranger_is_misconfigured_and_leaves_no_seat_taken(self, sandbox, monkeypatch) -> None:
        monkeypatch.setenv(f"ORDERACK_ERP_{self.system.upper()}_PASSWORD", "of-someone-else")
        async with self.erp() as erp:
            with pytest.raises(Misconfigured, match=f"ORDERACK_ERP_{self.system.upper()}_PASSWORD") as caught:
                await erp.submit(the_order(), 1)
            assert "of-someone-else" not in str(caught.value)
        assert self.seats(self.vendor(sandbox)) == 0
