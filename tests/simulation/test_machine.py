"""Any sequence of what can happen to an order keeps the rules: Hypothesis, on a real server with its clock skipping."""

import asyncio
import threading
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from typing import Any, TypeVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test
from temporalio.client import WithStartWorkflowOperation
from temporalio.common import WorkflowIDConflictPolicy, WorkflowIDReusePolicy
from temporalio.exceptions import TemporalError

from orderack.contracts import names
from orderack.contracts.ids import order_workflow_id
from orderack.contracts.journal import Stage
from orderack.contracts.queries import OrderStatus
from orderack.contracts.start import Start
from orderack.contracts.updates import CancelRequest, ChangeRequest, ReviewDecision, ReviewVerdict
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import Order
from tests.simulation import invariants as must
from tests.simulation.agenda import micros, moment
from tests.simulation.chance import DAY, HOUR, MINUTE, SECOND, Dice
from tests.simulation.people import amended
from tests.simulation.plan import Plan
from tests.simulation.server import RealServer, real_server

T = TypeVar("T")


class InAThread:
    """A server whose event loop runs beside Hypothesis, which is not asynchronous."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._stack = AsyncExitStack()
        self.server: RealServer = self.do(self._stack.enter_async_context(real_server()))
        self.number = 0

    def do(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(60)

    def close(self) -> None:
        self.do(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


beside: InAThread | None = None
"""The one server of this module's machines."""


def the_server() -> InAThread:
    assert beside is not None
    return beside


@pytest.fixture(autouse=True)
def _server() -> Any:
    global beside
    beside = InAThread()
    yield
    beside.close()
    beside = None


class OneOrder(RuleBasedStateMachine):
    """One order, driven as its callers would; each example is another order."""

    def __init__(self) -> None:
        super().__init__()
        beside = the_server()
        beside.number += 1
        self.server, self.do = beside.server, beside.do
        self.plan = Plan(f"M-{beside.number}", Dice(f"machine/{beside.number % 7}"))
        self.world = self.server.add(self.plan)
        now = micros(self.do(self.server.env.get_current_time()))
        self.order = self.plan.order.model_copy(
            update={"number": self.plan.number, "trigger_at": moment(now), "partner_deadline": None}
        )
        self.handle = self.server.client.get_workflow_handle(order_workflow_id(self.order.ref), result_type=OrderStatus)
        self.requests = 0
        self.cancelled_at: int | None = None
        self.submit()

    def submit(self) -> None:
        self.do(self._submit(self.order))

    async def _submit(self, order: Order) -> None:
        operation: WithStartWorkflowOperation[Any, Any] = WithStartWorkflowOperation(
            names.WORKFLOW,
            Start(store=order.store, number=order.number),
            id=order_workflow_id(order.ref),
            task_queue=names.ORDERS_QUEUE,
            id_conflict_policy=WorkflowIDConflictPolicy.USE_EXISTING,
            id_reuse_policy=WorkflowIDReusePolicy.REJECT_DUPLICATE,
        )
        await self.server.client.execute_update_with_start_workflow(
            names.UPDATE_SUBMIT, order, id=f"submit/{order.content_hash}", start_workflow_operation=operation
        )
        await self.server.settle()

    def status(self) -> OrderStatus:
        found: OrderStatus = self.do(self.handle.query(names.QUERY_STATUS, result_type=OrderStatus))
        return found

    def _update(self, name: str, request: ChangeRequest | CancelRequest | ReviewDecision) -> None:
        self.do(self.handle.execute_update(name, request, id=request.id))
        self.do(self.server.settle())

    @property
    def open(self) -> bool:
        return self.status().stage is not Stage.CLOSED

    @rule()
    def the_same_order_again(self) -> None:
        if self.open:
            self.submit()

    @rule(wait=st.sampled_from((SECOND, MINUTE, 20 * MINUTE, 3 * HOUR)))
    def time_passes(self, wait: int) -> None:
        now = micros(self.do(self.server.env.get_current_time()))
        self.do(self.server.at(now + wait))
        self.do(self.server.settle())

    @rule(again=st.booleans())
    def what_the_erp_has_booked_is_announced(self, again: bool) -> None:
        now = micros(self.do(self.server.env.get_current_time()))
        for at, receipt in list(self.world.erp.booked.values()):
            for _ in range(1 + int(again)):
                if at <= now and self.open:
                    self.do(self.handle.signal(names.SIGNAL_ERP_RECEIPT, receipt))
        self.do(self.server.settle())

    @rule()
    def a_change(self) -> None:
        if self.open:
            self.requests += 1
            order = amended(self.order, self.requests)
            self._update(names.UPDATE_CHANGE, ChangeRequest(id=f"c{self.requests}", order=order))

    @precondition(lambda self: self.cancelled_at is None)
    @rule(sure=st.integers(0, 3))
    def a_cancellation(self, sure: int) -> None:
        if self.open and not sure:
            self._update(names.UPDATE_CANCEL, CancelRequest(id="cancel"))
            self.cancelled_at = micros(self.do(self.server.env.get_current_time()))

    @rule(verdict=st.sampled_from((ReviewVerdict.APPROVE, ReviewVerdict.AMEND, ReviewVerdict.REJECT)))
    def a_decision(self, verdict: ReviewVerdict) -> None:
        if self.open:
            self.requests += 1
            order = amended(self.order, self.requests) if verdict is ReviewVerdict.AMEND else None
            made = ReviewDecision(id=f"d{self.requests}", verdict=verdict, by="reviewer-1", order=order)
            self._update(names.UPDATE_DECIDE_REVIEW, made)

    @rule(what=st.sampled_from((names.SIGNAL_EVIDENCE, names.SIGNAL_PAYMENT_CHANGED)))
    def something_that_nobody_can_read(self, what: str) -> None:
        if self.open:
            self.do(self.handle.signal(what, {"id": "x"}))

    @invariant()
    def the_rules_hold(self) -> None:
        accepted = self.world.accepted
        booked = {revision: at for revision, (at, _) in self.world.erp.booked.items()}
        assert not [*must.i1_no_confirmation_before_its_receipt(accepted, booked)]
        assert not [*must.i4_one_acceptance_a_key(accepted)]
        assert not [*must.i4_one_confirmation_a_channel(accepted, 0)]
        for message in accepted:
            assert not [*must.p1_no_promise(message)]
            assert not [*must.c1_nothing_after_the_end(message, self.cancelled_at)]
        said = self.status().acknowledgements
        assert sum(one.kind is Kind.HOLDING for one in said) <= 1

    def teardown(self) -> None:
        """The order is called off and its clock runs out; nothing is terminated."""
        try:
            if self.open:
                self.do(self.handle.execute_update(names.UPDATE_CANCEL, CancelRequest(id="end"), id="end"))
            now = micros(self.do(self.server.env.get_current_time()))
            self.do(self.server.at(now + 8 * DAY))
        except TemporalError as error:
            raise AssertionError(f"order {self.plan.number} cannot be ended") from error


def test_any_sequence_keeps_the_rules() -> None:
    quiet = [HealthCheck.too_slow, HealthCheck.filter_too_much]
    run_state_machine_as_test(
        OneOrder,
        settings=settings(
            max_examples=3, stateful_step_count=8, deadline=None, derandomize=True, suppress_health_check=quiet
        ),
    )
