"""The side effects of an order: tasks that the workflow's loop owns, one activity each."""

import asyncio
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from temporalio import workflow
from temporalio.exceptions import ActivityError, ApplicationError, CancelledError, RetryState, TimeoutError

from orderack.contracts.activities import (
    AcknowledgeRequest,
    AnswerSourceRequest,
    AssessRequest,
    CancelInErpRequest,
    ErpAnswer,
    HandOffRequest,
    InvoiceRequest,
    SubmitToErpRequest,
)
from orderack.contracts.journal import ClockName, Entry, Event, Journal, Stage
from orderack.domain.acknowledgement import Audience, Kind, SendState
from orderack.domain.assessment import Decision
from orderack.domain.response import promise_of
from orderack.domain.source import AnswerStage
from workflows import _calls, _handoffs, _requests, _source, _steps, _telling
from workflows._clocks import deadlines, levels
from workflows._patches import patched
from workflows._state import OrderState

ASKS_FIRST = frozenset({Kind.HOLDING, Kind.UPDATE, Kind.ALERT})
"""Messages that say the ERP has not answered: their activity asks it first, at no extra Action."""

AT_ONCE = frozenset({Event.SEND_UNKNOWN, Event.UNDELIVERABLE})
"""What a person has to know: such an entry waits for no other activity to carry it to the ledger (I20)."""

EXPIRES_AFTER = timedelta(hours=2)
"""A send call that nobody serves is issued anew after this; the ledger keeps each message single."""

AFTER_A_FAILURE = timedelta(minutes=5)
"""An activity that ended in a failure it does not retry is tried again after this, once somebody could mend it."""


class Effects:
    """Runs activities as named tasks, at most one of a name at a time, and takes their results into the state."""

    def __init__(self, state: OrderState) -> None:
        self._state = state
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self._news = True
        self._assess_failed = False
        self._under_way: list[tuple[Entry, ...]] = []
        self._sent_before: set[int] = set()
        self._watched: set[str] = set()
        self._answering: AnswerStage | None = None
        self._bug: BaseException | None = None

    @property
    def _decision(self) -> Decision | None:
        return self._state.assessment.decision if self._state.assessment else None

    @property
    def _telling(self) -> bool:
        """A word to the buyer is on its way, and its own expiry watches the minute's promise."""
        return bool(self._watched & self._tasks.keys())

    def _do(self, name: str, effect: Coroutine[object, object, None]) -> None:
        """Run one side effect, at most one of a name at a time; its end is news."""
        if name in self._tasks:
            effect.close()
            return
        task = asyncio.create_task(effect, name=name)
        self._tasks[name] = task
        task.add_done_callback(lambda done: self._ended(name, done))

    def _ended(self, name: str, task: asyncio.Task[None]) -> None:
        error = None if task.cancelled() else task.exception()
        if self._tasks.get(name) is not task:
            return
        self._news = True
        if isinstance(error, ActivityError) and not _expired(error):
            self._state.note(workflow.now(), Event.QUARANTINED, f"{name} failed and is tried again later")
            self._tasks[name] = asyncio.create_task(self._rest(name))
            return
        del self._tasks[name]
        self._watched.discard(name)
        if error and not isinstance(error, ActivityError | CancelledError):
            self._bug = error

    async def _rest(self, name: str) -> None:
        await workflow.sleep(AFTER_A_FAILURE, summary=f"{name} failed: tried again then")
        del self._tasks[name]
        self._news = True

    async def _assess(self) -> None:
        state = self._state
        if state.order is None:
            return
        with self._carried() as journal:
            request = AssessRequest(
                order=state.order,
                revision=state.revision,
                now=workflow.now(),
                waived=tuple(state.waived),
                journal=journal,
            )
            try:
                assessment = await _calls.assess_here(request)
            except (ActivityError, ApplicationError, TimeoutError):  # on replay, what it failed of comes bare
                self._assess_failed = True
                assessment = await _calls.assess_patiently(request)
        self._assess_failed = False
        if self._must_learn_whom_to_tell():
            _requests.assessed_after_the_end(state, assessment, workflow.now())
        else:
            _steps.assessed(state, assessment, workflow.now())

    def _must_learn_whom_to_tell(self) -> bool:
        """Called off before its first assessment was there: that is still wanted, for its channels and its ERP."""
        state = self._state
        return state.stage is Stage.CANCELLED and state.unassessed and patched("cancelled-unassessed")

    async def _submit_to_erp(self) -> None:
        state, decision = self._state, self._decision
        if decision is None or decision.erp is None:
            return
        revision = state.revision
        state.erp.submitted_revision, state.erp.submitted_at = revision, self._given_first_at()
        if not state.shadow:
            state.note(workflow.now(), Event.SUBMITTED_TO_ERP, decision.erp)
        with self._carried() as journal:
            request = SubmitToErpRequest(ref=state.ref, revision=revision, erp=decision.erp, journal=journal)
            submission = await _calls.submit_to_erp(request)
        _steps.submitted(state, submission, revision, workflow.now())

    def _given_first_at(self) -> datetime:
        """When the ERP was first given this revision: a fresh history repeats a submission that it has booked by then,
        and a receipt that names no revision is judged by this time."""
        state = self._state
        before = state.erp.submitted_at
        if before and state.revised_at and before >= state.revised_at and patched("given-first-at"):
            return before
        return workflow.now()

    def _cancel_submission(self) -> None:
        if task := self._tasks.pop("erp", None):
            task.cancel()

    async def _cancel_in_erp(self) -> None:
        """Told once it knows the order; where it does not, the order stays open and meets it when it lands (R173)."""
        state, decision = self._state, self._decision
        if decision is None or decision.erp is None:
            state.erp.cancel_needed = False
            return
        state.erp.cancel_needed = False
        with self._carried() as journal:
            request = CancelInErpRequest(
                ref=state.ref,
                erp=decision.erp,
                document_id=state.erp.document_id,
                reason=state.stage,
                journal=journal,
            )
            answer = await _calls.cancel_in_erp(request)
        if answer.answer is ErpAnswer.REFUSED and workflow.patched("cancellation-refused"):
            state.erp.cancelled = True
            _steps.kept_by_the_erp(state, answer.reason, workflow.now())
        elif answer.answer is ErpAnswer.KEPT:
            state.erp.cancelled = True
            state.note(workflow.now(), Event.KEPT, "cancellation at the ERP")
        elif answer.answer is not ErpAnswer.NOT_FOUND:
            state.erp.cancelled = True
            state.note(workflow.now(), Event.ERP_CANCELLED, state.erp.document_id or "")

    def _start_sending(self, batch: int) -> None:
        """Send a batch. While the buyer is owed a word within the minute, the first call's own expiry watches that."""
        name, now = f"send/{batch}", workflow.now()
        if name in self._tasks:
            return
        expires_at = now + EXPIRES_AFTER
        if batch not in self._sent_before and (due_at := self._word_owed_by(batch)):
            expires_at = max(due_at, now + timedelta(seconds=1))
            self._watched.add(name)
        self._sent_before.add(batch)
        self._do(name, self._send(batch, expires_at))

    def _word_owed_by(self, batch: int) -> datetime | None:
        """When the minute's promise ends, if this batch would keep it."""
        clock = self._state.clock(ClockName.ACKNOWLEDGE)
        acks = [ack for ack in self._state.acknowledgements if ack.batch == batch]
        keeps = any(ack.audience is Audience.BUYER for ack in acks)
        return clock.due_at if clock and keeps and clock.due_at > workflow.now() else None

    def _is_first_word(self, batch: int, revision: int) -> bool:
        """Whether the buyer hears of this revision for the first time: that it came, or that it is booked already."""
        said = [ack for ack in self._state.acknowledgements if ack.audience is Audience.BUYER]
        return batch == min((ack.batch for ack in said if ack.revision == revision), default=0)

    async def _send(self, batch: int, expires_at: datetime) -> None:
        state = self._state
        turns = _telling.dispatches(state, batch)
        if not turns:
            return  # withdrawn before it could begin
        now = workflow.now()
        first = turns[0][0]
        promised = levels(state)
        patience = promised.fallback_after
        if self._word_owed_by(batch):
            patience = min(patience, promised.acknowledge_within / 2)
        offer = _handoffs.to_store(state, first.facts)
        with self._carried() as journal:
            request = AcknowledgeRequest(
                ref=state.ref,
                revision=first.revision,
                contacts_of=first.contacts_of,
                dispatches=tuple(dispatch for _, _, dispatch in turns),
                facts=first.facts,
                ask_erp=self._erp_to_ask(frozenset(ack.kind for ack, _, _ in turns if not ack.lasting)),
                offer=offer,
                in_parts=len(turns) > 1,
                give_up_at=max(first.decided_at, now) + patience,
                journal=journal,
            )
            result = await _calls.acknowledge(
                request, expires_at, first_word=self._is_first_word(batch, first.revision)
            )
        _handoffs.stored(state, offer)
        if result.receipt:
            _steps.take_receipt(state, result.receipt, workflow.now())
            _telling.supersede_batch(state, workflow.now(), batch)
            return
        for (ack, leg, _), outcome in zip(turns, result.outcomes, strict=True):
            if outcome.state is not SendState.CLAIMED and leg.awaits(outcome.channel):
                _telling.take_outcome(state, workflow.now(), ack, leg, outcome)

    def _erp_to_ask(self, kinds: frozenset[Kind]) -> str | None:
        waits = self._state.stage is Stage.AWAITING_ERP and self._state.receipt is None
        return self._decision.erp if self._decision and waits and kinds & ASKS_FIRST else None

    def _stop_withdrawn(self) -> None:
        """Stop sends of which nothing is wanted any more; what went out before stays on the record."""
        wanted = {f"send/{batch}" for batch in _telling.pending_batches(self._state)}
        for name in [name for name in self._tasks if name.startswith("send/") and name not in wanted]:
            self._tasks.pop(name).cancel()
            self._watched.discard(name)

    async def _hand_off(self) -> None:
        state, decision = self._state, self._decision
        if decision is None or state.order is None:
            return
        with self._carried() as journal:
            request = HandOffRequest(
                ref=state.ref,
                revision=state.confirmed_revision,
                content_hash=state.order.content_hash,
                team=decision.team,
                owner=_steps.handoff_owner(state),
                document_id=state.erp.document_id,
                answers=_steps.answers(state),
                journal=journal,
            )
            await _calls.hand_off(request)
        before = state.handoff
        _steps.handed_off(state, workflow.now())
        _handoffs.taken_away(state, workflow.now(), before)

    def _stop_moot(self) -> None:
        """An order that has ended is promised to nobody and invoiced to nobody, whoever was out of reach till now."""
        promised = ("answer",) if self._answering in _source.PROMISES else ()
        for name in (*promised, "invoice"):
            if task := self._tasks.pop(name, None):
                task.cancel()

    async def _answer_source(self, stage: AnswerStage) -> None:
        state = self._state
        if state.answers_to is None or state.order is None:
            return
        revision, now = state.standing_revision, workflow.now()
        with self._carried() as journal:
            request = AnswerSourceRequest(
                ref=state.ref,
                revision=revision,
                stage=stage,
                system=state.answers_to.system,
                answers=_steps.answers(state),
                document_id=state.erp.document_id,
                promise_on=promise_of(state.assessment.promise_on, _steps.answers(state)) if state.assessment else None,
                reason=_source.reason(state),
                journal=journal,
            )
            partner = state.clock(ClockName.PARTNER)
            urgent = partner.due_at if partner and partner.due_at > now else None
            answer = await _calls.answer_source(request, urgent)
        _source.answered(state, revision, stage, answer, workflow.now())

    async def _invoice(self) -> None:
        state, decision = self._state, self._decision
        if decision is None or decision.erp is None or state.erp.document_id is None:
            return
        with self._carried() as journal:
            request = InvoiceRequest(
                ref=state.ref, erp=decision.erp, document_id=state.erp.document_id, journal=journal
            )
            invoiced = await _calls.invoice_in_erp(request)
        state.erp.invoiced = True
        if state.shadow:
            state.note(workflow.now(), Event.KEPT, "invoice at the ERP")
            return
        state.note(workflow.now(), Event.INVOICED, invoiced.invoice_id or f"not invoiced: {invoiced.reason}"[:500])

    @contextmanager
    def _carried(self) -> Iterator[Journal]:
        """The entries not yet written, on their way with one activity; handed back when it does not succeed."""
        state = self._state
        upcoming = deadlines(state, telling=False)
        entries, state.unwritten = tuple(state.unwritten), []
        self._under_way.append(entries)
        try:
            yield Journal(
                ref=state.ref,
                stage=state.stage,
                revision=state.revision,
                owner=state.owner,
                next_due_at=upcoming[0].at if upcoming else None,
                next_clock=upcoming[0].name if upcoming else None,
                entries=entries,
            )
        except BaseException:
            state.unwritten = [*entries, *state.unwritten]
            raise
        finally:
            self._under_way.remove(entries)

    def _take_back_entries(self) -> None:
        """Before a fresh history: what is still under way is written again there. Entries are keyed; twice is once."""
        under_way = [entry for entries in self._under_way for entry in entries]
        self._state.unwritten = sorted([*under_way, *self._state.unwritten], key=lambda entry: entry.seq)

    def _has_news_for_a_person(self) -> bool:
        return any(entry.event in AT_ONCE for entry in self._state.unwritten)

    def _must_record(self) -> bool:
        return self._has_news_for_a_person() and patched("doubts-at-once")

    async def _record(self) -> None:
        """Unless an activity that was begun in the same step has taken the entries with it."""
        if self._has_news_for_a_person():
            with self._carried() as journal:
                await _calls.record(journal)

    async def _write_rest(self) -> None:
        self._take_back_entries()
        for task in self._tasks.values():
            task.cancel()
        if self._state.unwritten:
            with self._carried() as journal:
                await _calls.record(journal)


def _expired(error: ActivityError) -> bool:
    """Its time ran out or it was withdrawn: the loop decides anew. Anything else is a failure to be looked at."""
    return error.retry_state is RetryState.TIMEOUT or isinstance(error.cause, TimeoutError | CancelledError)
