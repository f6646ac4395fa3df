"""The order's workflow: one long-lived run per order, from the first word of it to its close.

Handlers are synchronous: they validate, change the state or refuse, and nothing else. One loop owns every side effect
and exactly one timer (DESIGN §5).
"""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.common import RawValue
from temporalio.exceptions import ApplicationError

from orderack.contracts import names
from orderack.contracts import search_attributes as sa
from orderack.contracts.journal import ClockName, Stage
from orderack.contracts.queries import OrderStatus, Timeline
from orderack.contracts.updates import (
    AcceptHandoff,
    Answer,
    BuyerQuestion,
    CancelRequest,
    ChangeRequest,
    Claim,
    HandoffReply,
    PaymentChanged,
    Reply,
    ReviewDecision,
    SettleSend,
    SubmitReply,
)
from orderack.domain.assessment import ServiceLevels
from orderack.domain.evidence import EvidenceFact
from orderack.domain.intake import parse_order
from orderack.domain.order import OrderRef
from orderack.domain.receipt import ErpReceipt
from workflows import _door, _doubts, _due, _facts, _handoffs, _questions, _requests, _source, _steps, _telling, _view
from workflows._clocks import deadlines, due
from workflows._effects import Effects
from workflows._state import Begin, OrderState


@workflow.defn(name=names.WORKFLOW)
class OrderAcknowledgement(Effects):
    """See docs/flow.md. Queries: `status`, `timeline`."""

    @workflow.init
    def __init__(self, start: RawValue) -> None:
        begun = _door.decode(start, Begin)
        if isinstance(begun, tuple):
            raise ApplicationError(_door.words(begun), type="InvalidInput", non_retryable=True)
        self._begin = begun
        super().__init__(begun.state or _fresh(begun, workflow.now()))
        self._timer: asyncio.Task[None] | None = None
        self._timer_at: datetime | None = None

    @workflow.run
    async def run(self, start: RawValue) -> OrderStatus:
        """Live the order's story until it is closed."""
        while True:
            self._news = False
            self._live()
            self._show()
            if self._state.stage is Stage.CLOSED:
                break
            if self._should_continue_as_new():
                await self._continue_as_new()
            self._arm()
            await workflow.wait_condition(lambda: self._news)
            if self._bug:
                raise self._bug
        await self._write_rest()
        return _view.status(self._state)

    def _live(self) -> None:
        """One pass: what is due, what follows from what is known, and the side effects that this asks for."""
        state, now = self._state, workflow.now()
        _due.handle(state, due(state, now, telling=self._telling), now)
        _steps.confirm_if_booked(state, now)
        _questions.speak(state, now)
        _doubts.attend(state, now)
        if _steps.needs_handoff(state) and _handoffs.told(state):
            _handoffs.offer(state, now)
        self._stop_withdrawn()
        if state.ended:
            self._stop_moot()
        if state.stage is Stage.ASSESSING or self._must_learn_whom_to_tell():
            self._do("assess", self._assess())
        if state.stage is Stage.AWAITING_ERP and state.receipt is None:
            _steps.expect_receipt(state, now)
        if _steps.needs_submission(state):
            self._do("erp", self._submit_to_erp())
        if _steps.needs_cancelling(state):
            self._cancel_submission()
            self._do("erp_cancel", self._cancel_in_erp())
        for batch in _telling.pending_batches(state):
            self._start_sending(batch)
        if _steps.needs_handoff(state):
            self._do("handoff", self._hand_off())
        if "answer" not in self._tasks and (stage := _source.answer_due(state)):
            self._answering = stage
            self._do("answer", self._answer_source(stage))
        if _source.needs_invoice(state):
            self._do("invoice", self._invoice())
        if self._must_record():
            self._do("record", self._record())

    # -- waiting --------------------------------------------------------------------------------------------------

    def _arm(self) -> None:
        """Keep one timer, for the earliest deadline. One that fires too early may: that costs less than a new one."""
        if "assess" in self._tasks and not self._assess_failed:
            return
        upcoming = deadlines(self._state, telling=self._telling)
        if not upcoming:
            return
        at, name = upcoming[0]
        if self._timer and self._timer_at and self._timer_at <= at:
            return
        if self._timer:
            self._timer.cancel()
        self._timer_at = at
        self._timer = asyncio.create_task(self._wake(at, name))

    async def _wake(self, at: datetime, name: ClockName) -> None:
        wait = max(at - workflow.now(), timedelta(milliseconds=1))
        await workflow.sleep(wait, summary=f"{name}: {_view.AT_EXPIRY[name]}")
        self._timer, self._timer_at, self._news = None, None, True

    def _show(self) -> None:
        """Search attributes, only when a person comes in or is done."""
        state = self._state
        seen = _view.mark(state)
        if seen == (state.marked_stage or _view.UNMARKED):
            return
        state.marked_stage = seen
        upcoming = deadlines(state, telling=False)
        workflow.upsert_search_attributes(
            [
                sa.STAGE.value_set(_view.attention(state)),
                sa.ESCALATED.value_set(state.escalation is not None and not state.shadow),
                sa.OWNER.value_set(state.owner or ""),
                sa.EVIDENCE.value_set(_view.evidence(state)),
                sa.NEXT_DUE.value_set(upcoming[0].at) if upcoming else sa.NEXT_DUE.value_unset(),
            ]
        )

    def details(self) -> str:
        """What Temporal's page shows of the order, free of charge: written when it is asked for (`interceptor`)."""
        return _view.details(self._state)

    def _should_continue_as_new(self) -> bool:
        limit = self._begin.continue_as_new_after
        long = workflow.info().get_current_history_length() > limit if limit else False
        ready = not self._tasks.keys() - {"erp"} and self._state.stage not in (Stage.ASSESSING, Stage.CLOSED)
        return ready and (long or workflow.info().is_continue_as_new_suggested())

    async def _continue_as_new(self) -> None:
        """A fresh history with everything carried; a submission under way is repeated there (its key makes it one)."""
        await workflow.wait_condition(workflow.all_handlers_finished)
        # From here on nothing is awaited: a submission that began meanwhile is one under way.
        if "erp" in self._tasks:
            self._state.erp.submitted_revision = 0
        self._take_back_entries()
        workflow.continue_as_new(self._begin.model_copy(update={"state": self._state}))

    # -- signals: facts -------------------------------------------------------------------------------------------

    @workflow.signal(
        name=names.SIGNAL_ERP_RECEIPT, description="The ERP booked the order: document, time, stock per line"
    )
    def erp_receipt(self, raw: RawValue) -> None:
        self._news = True
        receipt = _door.decode(raw, ErpReceipt)
        if isinstance(receipt, tuple):
            self.quarantine(names.SIGNAL_ERP_RECEIPT, _door.words(receipt))
        elif (receipt.store, receipt.number) != (self._state.ref.store, self._state.ref.number):
            self.quarantine(names.SIGNAL_ERP_RECEIPT, "it names another order")
        else:
            _steps.take_receipt(self._state, receipt, workflow.now())

    @workflow.signal(name=names.SIGNAL_EVIDENCE, description="A graded fact about one message: delivered, read …")
    def evidence(self, raw: RawValue) -> None:
        self._news = True
        fact = _door.decode(raw, EvidenceFact)
        if isinstance(fact, tuple):
            self.quarantine(names.SIGNAL_EVIDENCE, _door.words(fact))
        else:
            _facts.take_evidence(self._state, fact, workflow.now())

    @workflow.signal(name=names.SIGNAL_PAYMENT_CHANGED, description="The payment: confirmed, pending or flagged")
    def payment_changed(self, raw: RawValue) -> None:
        self._news = True
        changed = _door.decode(raw, PaymentChanged)
        if isinstance(changed, tuple):
            self.quarantine(names.SIGNAL_PAYMENT_CHANGED, _door.words(changed))
        else:
            _facts.take_payment(self._state, changed, workflow.now())

    @workflow.signal(dynamic=True)
    def unknown_signal(self, name: str, args: Sequence[RawValue]) -> None:
        self.quarantine(name[:60], "no such signal")

    def quarantine(self, what: str, why: str) -> None:
        """See `OrderState.set_aside`."""
        self._news = True
        self._state.set_aside(workflow.now(), what, why)

    # -- updates: requests ----------------------------------------------------------------------------------------

    @workflow.update(name=names.UPDATE_SUBMIT, description="The order, as canonical JSON; changed: a proposal")
    def submit(self, raw: RawValue) -> SubmitReply:
        self._news = True
        parsed = parse_order(raw.payload.data)
        if isinstance(parsed, tuple):
            self.quarantine(names.UPDATE_SUBMIT, _door.words(parsed))
        return _requests.submit(self._state, parsed, workflow.now())

    @workflow.update(name=names.UPDATE_CHANGE, description="A change: the whole new order content")
    def change(self, raw: RawValue) -> Reply:
        request = _door.decode_or_refuse(raw, ChangeRequest)
        return self._answer(request.id, lambda: _requests.change(self._state, request, workflow.now()))

    @workflow.update(name=names.UPDATE_CANCEL, description="Cancel or dispute the order")
    def cancel(self, raw: RawValue) -> Reply:
        request = _door.decode_or_refuse(raw, CancelRequest)
        return self._answer(request.id, lambda: _requests.cancel(self._state, request, workflow.now()))

    @workflow.update(name=names.UPDATE_DECIDE_REVIEW, description="approve | amend | ask | reject a reviewed order")
    def decide_review(self, raw: RawValue) -> Reply:
        request = _door.decode_or_refuse(raw, ReviewDecision)
        return self._answer(request.id, lambda: _requests.decide_review(self._state, request, workflow.now()))

    @workflow.update(name=names.UPDATE_CLAIM, description="Take ownership of the review, handoff or escalation")
    def claim(self, raw: RawValue) -> Reply:
        request = _door.decode_or_refuse(raw, Claim)
        return self._answer(request.id, lambda: _requests.claim(self._state, request, workflow.now()))

    @workflow.update(name=names.UPDATE_ACCEPT_HANDOFF, description="The team accepts this very revision, by its hash")
    def accept_handoff(self, raw: RawValue) -> HandoffReply:
        request = _door.decode_or_refuse(raw, AcceptHandoff)
        reply = self._answer(request.id, lambda: _requests.accept_handoff(self._state, request, workflow.now()))
        if not isinstance(reply, HandoffReply):
            raise ApplicationError("that id answered another request", type="InvalidInput", non_retryable=True)
        return reply

    @workflow.update(name=names.UPDATE_SETTLE_SEND, description="Say what became of a send in doubt")
    def settle_send(self, raw: RawValue) -> Reply:
        request = _door.decode_or_refuse(raw, SettleSend)
        return self._answer(request.id, lambda: _requests.settle_send(self._state, request, workflow.now()))

    @workflow.update(name=names.UPDATE_ASK, description="The buyer asks; the owner is told, and answers")
    def ask(self, raw: RawValue) -> Reply:
        request = _door.decode_or_refuse(raw, BuyerQuestion)
        return self._answer(request.id, lambda: _questions.ask(self._state, request, workflow.now()))

    @workflow.update(name=names.UPDATE_ANSWER, description="A person's answer to the buyer's question, word for word")
    def answer(self, raw: RawValue) -> Reply:
        request = _door.decode_or_refuse(raw, Answer)
        return self._answer(request.id, lambda: _questions.answer(self._state, request, workflow.now()))

    @change.validator
    def _check_change(self, raw: RawValue) -> None:
        _door.decode_or_refuse(raw, ChangeRequest)

    @cancel.validator
    def _check_cancel(self, raw: RawValue) -> None:
        _door.decode_or_refuse(raw, CancelRequest)

    @decide_review.validator
    def _check_decide_review(self, raw: RawValue) -> None:
        _door.decode_or_refuse(raw, ReviewDecision)

    @claim.validator
    def _check_claim(self, raw: RawValue) -> None:
        _door.decode_or_refuse(raw, Claim)

    @accept_handoff.validator
    def _check_accept_handoff(self, raw: RawValue) -> None:
        _door.decode_or_refuse(raw, AcceptHandoff)

    @settle_send.validator
    def _check_settle_send(self, raw: RawValue) -> None:
        _door.decode_or_refuse(raw, SettleSend)

    @ask.validator
    def _check_ask(self, raw: RawValue) -> None:
        _door.decode_or_refuse(raw, BuyerQuestion)

    @answer.validator
    def _check_answer(self, raw: RawValue) -> None:
        _door.decode_or_refuse(raw, Answer)

    def _answer(self, request_id: str, grant: Callable[[], Reply]) -> Reply:
        """Answer each request once; the same id again gets the same answer and changes nothing."""
        replies = self._state.replies
        if request_id not in replies:
            self._news = True
            replies[request_id] = grant()
        return replies[request_id]

    # -- queries --------------------------------------------------------------------------------------------------

    @workflow.query(name=names.QUERY_STATUS, description="Where the order stands")
    def status(self) -> OrderStatus:
        return _view.status(self._state)

    @workflow.query(name=names.QUERY_TIMELINE, description="What happened, in order")
    def timeline(self) -> Timeline:
        return Timeline(ref=self._state.ref, entries=tuple(self._state.timeline))


def _fresh(start: Begin, now: datetime) -> OrderState:
    state = OrderState(ref=OrderRef(store=start.store, number=start.number), started_at=now)
    state.start_clock(ClockName.ORPHAN, now, now + ServiceLevels().orphan_window)
    return state


def signal_names() -> frozenset[str]:
    """The signals that this workflow has by name."""
    return frozenset({names.SIGNAL_ERP_RECEIPT, names.SIGNAL_EVIDENCE, names.SIGNAL_PAYMENT_CHANGED})
