"""Activities as the server (or, for local ones, sdk-core) runs them: attempts, their time limits, their retries."""

from collections.abc import Callable
from dataclasses import dataclass

from temporalio.api.common.v1 import Payload
from temporalio.api.enums.v1 import RetryState, TimeoutType
from temporalio.api.failure.v1 import Failure
from temporalio.bridge.proto.workflow_activation import WorkflowActivationJob as Job
from temporalio.bridge.proto.workflow_commands import ScheduleActivity, ScheduleLocalActivity
from temporalio.exceptions import ApplicationError

from tests.simulation import jobs
from tests.simulation.agenda import Agenda, span
from tests.simulation.chance import SECOND
from tests.simulation.storm import Storm

NEVER = 1 << 62


@dataclass(frozen=True)
class Attempt:
    """How one attempt went. Lost: the worker died, and nobody reports anything."""

    took: int
    result: Payload | None = None
    error: ApplicationError | None = None
    lost: bool = False


Perform = Callable[[str, Payload, int], Attempt]
"""Run this activity with this input for the n-th time."""


@dataclass(frozen=True)
class Call:
    """One activity that a workflow asked for."""

    seq: int
    activity: str
    input: Payload
    local: bool
    first: int
    interval: int
    coefficient: float
    longest: int
    at_most: int
    start_to_close: int
    heartbeat: int
    expires_at: int

    @classmethod
    def of(cls, command: ScheduleActivity | ScheduleLocalActivity, now: int) -> "Call":
        """As the command says it, with the server's defaults."""
        policy = command.retry_policy
        local = isinstance(command, ScheduleLocalActivity)
        expires = jobs.length(command.schedule_to_close_timeout)
        heartbeat = 0 if isinstance(command, ScheduleLocalActivity) else jobs.length(command.heartbeat_timeout)
        interval = jobs.length(policy.initial_interval) or SECOND
        return cls(
            seq=command.seq,
            activity=command.activity_type,
            input=command.arguments[0],
            local=local,
            first=max(1, command.attempt) if isinstance(command, ScheduleLocalActivity) else 1,
            interval=interval,
            coefficient=policy.backoff_coefficient or 2.0,
            longest=jobs.length(policy.maximum_interval) or 100 * interval,
            at_most=policy.maximum_attempts,
            start_to_close=jobs.length(command.start_to_close_timeout) or NEVER,
            heartbeat=heartbeat,
            expires_at=now + expires if expires else NEVER,
        )

    def wait(self, attempt: int, error: ApplicationError | None) -> int:
        """How long until the next attempt; what the error names goes before the policy."""
        if error is not None and error.next_retry_delay is not None:
            return span(error.next_retry_delay)
        return min(int(self.interval * self.coefficient ** (attempt - 1)), self.longest)


class Calls:
    """The activities that one run has under way."""

    def __init__(self, agenda: Agenda, storm: Storm, perform: Perform, deliver: Callable[[Job], None]) -> None:
        self._agenda = agenda
        self._storm = storm
        self._perform = perform
        self._deliver = deliver
        self._open: dict[int, Call] = {}

    def start(self, call: Call) -> None:
        """Begin with its first attempt, as soon as a worker takes it."""
        self._open[call.seq] = call
        if call.expires_at < NEVER:
            self._agenda.at(call.expires_at, lambda: self._expire(call))
        self._queue(call, call.first, 0)

    def cancel(self, seq: int) -> str | None:
        """Attempt no more; one that is running ends unheard. Its activity's name, if it was under way."""
        call = self._open.pop(seq, None)
        return call.activity if call else None

    def drop(self) -> None:
        """The run is over: nobody waits for them."""
        self._open.clear()

    def __contains__(self, activity: str) -> bool:
        return any(call.activity == activity for call in self._open.values())

    def _queue(self, call: Call, attempt: int, wait: int) -> None:
        latency = self._storm.pick_up(call.activity, call.seq, attempt)
        at = self._storm.when_workers_are_up(self._agenda.now + wait + latency)
        self._agenda.at(at, lambda: self._attempt(call, attempt))

    def _attempt(self, call: Call, attempt: int) -> None:
        if self._open.get(call.seq) is not call:
            return
        began = self._agenda.now
        went = self._perform(call.activity, call.input, attempt)
        if went.lost and not call.local:
            noticed = began + min(went.took + (call.heartbeat or NEVER), call.start_to_close)
            kind = TimeoutType.TIMEOUT_TYPE_HEARTBEAT if call.heartbeat else TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE
            self._agenda.at(noticed, lambda: self._again(call, attempt, None, jobs.timed_out(kind)))
        elif went.took > call.start_to_close or went.lost:
            cut_off = jobs.timed_out(TimeoutType.TIMEOUT_TYPE_START_TO_CLOSE)
            self._agenda.at(began + call.start_to_close, lambda: self._again(call, attempt, None, cut_off))
        elif went.error is not None:
            error = went.error
            self._agenda.after(went.took, lambda: self._again(call, attempt, error, jobs.application(error)))
        else:
            self._agenda.after(went.took, lambda: self._done(call, went.result))

    def _done(self, call: Call, result: Payload | None) -> None:
        if self._open.get(call.seq) is call:
            del self._open[call.seq]
            self._deliver(jobs.resolved(call.seq, result, local=call.local))

    def _again(self, call: Call, attempt: int, error: ApplicationError | None, cause: Failure) -> None:
        """The next attempt, or none: it is not to be repeated, there were enough, or no time is left."""
        if self._open.get(call.seq) is not call:
            return
        wait = call.wait(attempt, error)
        if error is not None and error.non_retryable:
            self._give_up(call, cause, RetryState.RETRY_STATE_NON_RETRYABLE_FAILURE)
        elif call.at_most and attempt >= call.at_most:
            self._give_up(call, cause, RetryState.RETRY_STATE_MAXIMUM_ATTEMPTS_REACHED)
        elif self._agenda.now + wait >= call.expires_at:
            self._give_up(call, cause, RetryState.RETRY_STATE_TIMEOUT)
        elif call.local and self._storm.backs_off(call.seq, attempt):
            del self._open[call.seq]
            self._deliver(jobs.backoff(call.seq, attempt + 1, wait, self._agenda.now))
        else:
            self._queue(call, attempt + 1, wait)

    def _expire(self, call: Call) -> None:
        if self._open.get(call.seq) is call:
            cause = jobs.timed_out(TimeoutType.TIMEOUT_TYPE_SCHEDULE_TO_CLOSE)
            self._give_up(call, cause, RetryState.RETRY_STATE_TIMEOUT)

    def _give_up(self, call: Call, cause: Failure, why: "RetryState.ValueType") -> None:
        del self._open[call.seq]
        self._deliver(jobs.failed(call.seq, call.activity, cause, why, local=call.local))
