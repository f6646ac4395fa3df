"""One order's workflow as a server keeps it: what arrives waits for a workflow task, and what it commands is done.

Honoured as the real ones do it: several jobs in one activation in sdk-core's order; updates with their validators, once
for each update id in a run; timers and their cancellation; activities (calls.py), local ones within their workflow
task; a workflow task that ends in completion or continue-as-new while news waits fails and is done again
(`UnhandledCommand`); a task that dies with its worker; eviction and replay, whose commands must be the same bytes.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from hashlib import blake2b

from temporalio.api.common.v1 import Payload
from temporalio.api.failure.v1 import Failure
from temporalio.bridge.proto.workflow_activation import WorkflowActivationJob as Job
from temporalio.bridge.proto.workflow_commands import WorkflowCommand

from tests.simulation import jobs
from tests.simulation._instance import Birth, Instance, begin_job
from tests.simulation.agenda import Agenda
from tests.simulation.calls import Call, Calls, Perform
from tests.simulation.chance import SECOND
from tests.simulation.storm import Storm

TASK_TIMEOUT = 10 * SECOND
"""After this the server gives a workflow task whose worker died to another one."""

SPINNING = 1_500
"""Workflow tasks of one order. No story of ours needs as many: it goes round in circles."""

ENDINGS = frozenset({"complete_workflow_execution", "continue_as_new_workflow_execution", "fail_workflow_execution"})

Reply = Payload | Failure


class Broken(Exception):
    """The workflow did what no workflow may: `rule` says which rule, the text what was seen."""

    def __init__(self, rule: str, text: str) -> None:
        super().__init__(f"{rule}: {text}")
        self.rule = rule


@dataclass(frozen=True)
class Step:
    """One activation of the past and the commands that it led to."""

    jobs: tuple[Job, ...]
    at: int
    length: int
    replaying: bool
    commands: bytes


@dataclass
class Task:
    """One workflow task: it may be activated several times, until nothing local is under way."""

    began_at: int
    jobs: list[Job]
    steps: list[Step] = field(default_factory=list)
    commands: list[WorkflowCommand] = field(default_factory=list)
    local: int = 0


@dataclass
class Tally:
    """What happened to the execution, counted."""

    tasks: int = 0
    activations: int = 0
    replays: int = 0
    lost_tasks: int = 0
    fresh_histories: int = 0
    unhandled: int = 0
    several_jobs: int = 0
    local_activities: int = 0
    backoffs: int = 0
    cancelled_activities: int = 0
    cancelled_timers: int = 0
    upserts: int = 0
    patches: int = 0
    old_code: int = 0
    refused_updates: int = 0
    queries: int = 0


class Execution:
    """One workflow id, with all its runs."""

    def __init__(
        self,
        agenda: Agenda,
        storm: Storm,
        workflow_id: str,
        begin: Payload,
        perform: Perform,
        after_task: Callable[["Execution"], None],
    ) -> None:
        self._agenda = agenda
        self._storm = storm
        self._id = workflow_id
        self._perform = perform
        self._after_task = after_task
        self.tally = Tally()
        self.trace = blake2b(digest_size=16)
        self.closed = False
        self.result: Payload | None = None
        self._runs = 0
        old = storm.dice.chance(storm.rates.old_code, "old code")
        self._deployed_at = agenda.now + storm.dice.between(SECOND, 86_400 * SECOND, "deployed") if old else 0
        self.tally.old_code = int(old)
        self._begin(begin)

    # -- what callers do ------------------------------------------------------------------------------------------

    def signal(self, name: str, payloads: Sequence[Payload]) -> None:
        """Put it into the history; the next workflow task has it."""
        self._deliver(jobs.signal(name, payloads))

    def update(self, name: str, update_id: str, payloads: Sequence[Payload], answer: Callable[[Reply], None]) -> None:
        """Ask, and hear the answer once there is one. The same id in the same run has one answer."""
        known = self._updates.setdefault(update_id, [])
        if isinstance(known, list):
            known.append(answer)
            if len(known) == 1:
                self._deliver(jobs.update(name, update_id, payloads))
        else:
            answer(known)

    def query(self, name: str) -> Payload:
        """Ask without leaving a trace."""
        self.tally.queries += 1
        done = self._instance.activate([jobs.query(name)], self._agenda.now, self._length, replaying=False)
        answered = done.successful.commands[0].respond_to_query
        if not answered.HasField("succeeded"):
            raise Broken("R3", f"the query {name} failed: {answered.failed.message}")
        return answered.succeeded.response

    @property
    def instance(self) -> Instance:
        return self._instance

    @property
    def birth(self) -> Birth:
        return self._birth

    @property
    def timers(self) -> int:
        return len(self._timers)

    # -- a run ----------------------------------------------------------------------------------------------------

    def _begin(self, begin: Payload) -> None:
        self._runs += 1
        self._birth = Birth(self._id, f"{self._id}#{self._runs}", self._runs, self._agenda.now, begin)
        self._instance = Instance(self._birth)
        self._past: list[Step] = []
        self._length = 1
        self._pending: list[Job] = [begin_job(self._birth)]
        self._task: Task | None = None
        self._timers: dict[int, int] = {}
        self._updates: dict[str, list[Callable[[Reply], None]] | Reply] = {}
        self._scheduled = False
        self._calls = self._local_or_remote(local=False)
        self._local = self._local_or_remote(local=True)
        self._schedule()

    def _local_or_remote(self, *, local: bool) -> Calls:
        number = self._runs

        def deliver(job: Job) -> None:
            if number == self._runs and not self.closed:
                (self._resume if local else self._deliver)(job)

        return Calls(self._agenda, self._storm, self._perform, deliver)

    def _deliver(self, job: Job) -> None:
        self._pending.append(job)
        self._schedule()

    def _schedule(self, wait: int = 0) -> None:
        if self._scheduled or self._task is not None:
            return
        self._scheduled = True
        number = self._runs
        latency = self._storm.pick_up("task", self.tally.tasks)
        at = self._storm.when_workers_are_up(self._agenda.now + wait + latency)
        self._agenda.at(at, lambda: self._run_task() if number == self._runs else None)

    # -- a workflow task ------------------------------------------------------------------------------------------

    def _run_task(self) -> None:
        self._scheduled = False
        if self.closed or not self._pending:
            return
        self.tally.tasks += 1
        if self.tally.tasks > SPINNING:
            raise Broken("I12", f"it goes round in circles: {SPINNING} workflow tasks")
        self._task = Task(self._agenda.now, jobs.in_order(self._pending))
        self._pending = []
        self._length += 2
        self.tally.several_jobs += len(self._task.jobs) > 1
        self._activate(self._task, self._task.jobs)
        if self._storm.dice.chance(self._storm.rates.task_lost, "task lost", self._runs, self.tally.tasks):
            self.tally.lost_tasks += 1
            self._redo(TASK_TIMEOUT)
        elif not self._task.local:
            self._commit(self._task)

    def _resume(self, job: Job) -> None:
        """A local activity of the open workflow task has ended."""
        if (task := self._task) is None:
            return
        task.local -= 1
        self.tally.backoffs += job.resolve_activity.result.HasField("backoff")
        self._activate(task, [job])
        if not task.local:
            self._commit(task)

    def _activate(self, task: Task, given: list[Job]) -> None:
        """Activate, and again for what the workflow hears of at once."""
        while given:
            task.commands += (commands := self._step(task, given))
            given = []
            for command in commands:
                if command.HasField("schedule_local_activity"):
                    task.local += 1
                    self.tally.local_activities += 1
                    self._local.start(Call.of(command.schedule_local_activity, self._agenda.now))
                elif command.HasField("request_cancel_activity"):
                    given += self._cancel_activity(command.request_cancel_activity.seq)

    def _step(self, task: Task, given: list[Job]) -> list[WorkflowCommand]:
        replaying = self._agenda.now < self._deployed_at
        done = self._instance.activate(given, self._agenda.now, self._length, replaying=replaying)
        self.tally.activations += 1
        if done.HasField("failed"):
            raise Broken("R2", f"a workflow task failed: {done.failed.failure.message}")
        commands = list(done.successful.commands)
        said = done.successful.SerializeToString(deterministic=True)
        self.trace.update(said)
        refused = {c.update_response.protocol_instance_id for c in commands if _refuses(c)}
        if refused:  # they leave nothing in history
            self.tally.refused_updates += len(refused)
            given = [job for job in given if not (job.HasField("do_update") and job.do_update.id in refused)]
            kept = [command for command in commands if not _refuses(command)]
            del done.successful.commands[:]
            done.successful.commands.extend(kept)
            said = done.successful.SerializeToString(deterministic=True)
        notified = [jobs.patch(c.set_patch_marker.patch_id) for c in commands if c.HasField("set_patch_marker")]
        if given:
            task.steps.append(Step((*notified, *given), self._agenda.now, self._length, replaying, said))
        return commands

    def _commit(self, task: Task) -> None:
        """The server takes the task's commands; or not, when news came that its end would leave unseen."""
        if self._pending and any(command.WhichOneof("variant") in ENDINGS for command in task.commands):
            self.tally.unhandled += 1
            self._redo(0)
            return
        self._task = None
        self._past += task.steps
        self._length += 1 + sum(jobs.EVENTS.get(job.WhichOneof("variant") or "", 0) for job in task.jobs)
        fresh = None
        for command in task.commands:
            if command.HasField("continue_as_new_workflow_execution"):
                fresh = command.continue_as_new_workflow_execution.arguments[0]
            else:
                self._obey(command)
        self._after_task(self)
        if fresh is not None:
            self._start_afresh(fresh)
            return
        if self.closed:
            return
        if self._storm.dice.chance(self._storm.rates.evict, "evict", self._runs, self.tally.tasks):
            self.replay()
        if self._pending:
            self._schedule()

    def _redo(self, wait: int) -> None:
        """The task came to nothing: its jobs come again, with what came in the meantime."""
        task, self._task = self._task, None
        assert task is not None
        self._local.drop()
        self._pending = task.jobs + self._pending
        self.replay()
        self._schedule(wait)

    def replay(self) -> None:
        """Evict the run and build it anew from its history: its commands must be the same, byte for byte."""
        self.tally.replays += 1
        self._instance.evict()
        self._instance = Instance(self._birth)
        for number, step in enumerate(self._past):
            done = self._instance.activate(_again(step.jobs), step.at, step.length, replaying=True)
            if done.HasField("failed") or done.successful.SerializeToString(deterministic=True) != step.commands:
                raise Broken("R1", f"step {number} of {len(self._past)} commands something else when it is replayed")

    # -- commands -------------------------------------------------------------------------------------------------

    def _obey(self, command: WorkflowCommand) -> None:
        self._length += 1
        match command.WhichOneof("variant"):
            case "start_timer":
                seq, wait = command.start_timer.seq, jobs.length(command.start_timer.start_to_fire_timeout)
                self._timers[seq] = self._agenda.now + wait
                run = self._runs
                self._agenda.after(wait, lambda: self._fire(run, seq))
            case "cancel_timer":
                self._cancel_timer(command.cancel_timer.seq)
            case "schedule_activity":
                self._calls.start(Call.of(command.schedule_activity, self._agenda.now))
            case "update_response":
                self._answer(command)
            case "upsert_workflow_search_attributes":
                self.tally.upserts += 1
            case "set_patch_marker":
                self.tally.patches += 1
            case "schedule_local_activity" | "request_cancel_activity":
                pass  # done within the workflow task
            case "complete_workflow_execution":
                self._end(command.complete_workflow_execution.result)
            case "fail_workflow_execution":
                raise Broken("R2", f"the workflow failed: {command.fail_workflow_execution.failure.message}")
            case other:
                raise Broken("R2", f"a command that orders never give: {other}")

    def _start_afresh(self, begin: Payload) -> None:
        self.tally.fresh_histories += 1
        self._calls.drop()
        self._instance.evict()
        self._begin(begin)

    def _fire(self, run: int, seq: int) -> None:
        if run == self._runs and not self.closed and self._timers.pop(seq, None) is not None:
            self._deliver(jobs.timer(seq))

    def _cancel_timer(self, seq: int) -> None:
        """A timer that fired while the task ran is taken out of the history again."""
        self.tally.cancelled_timers += 1
        self._timers.pop(seq, None)
        self._pending = [job for job in self._pending if job.fire_timer.seq != seq]

    def _cancel_activity(self, seq: int) -> list[Job]:
        self.tally.cancelled_activities += 1
        activity = self._calls.cancel(seq)
        waiting = [job for job in self._pending if job.HasField("resolve_activity") and job.resolve_activity.seq == seq]
        if activity is None and not waiting and not self._unscheduled(seq):
            return []
        self._pending = [job for job in self._pending if job not in waiting]
        return [jobs.cancelled(seq, activity or "")]

    def _unscheduled(self, seq: int) -> bool:
        """Whether this very task scheduled it: it is taken back before the server heard of it."""
        if self._task is None:
            return False
        kept = [command for command in self._task.commands if command.schedule_activity.seq != seq]
        found = len(kept) < len(self._task.commands)
        self._task.commands = kept
        return found

    def _answer(self, command: WorkflowCommand) -> None:
        said = command.update_response
        if said.HasField("accepted"):
            return
        answer: Reply = said.completed if said.HasField("completed") else said.rejected
        waiting = self._updates.get(said.protocol_instance_id)
        if said.HasField("rejected"):
            self._updates.pop(said.protocol_instance_id, None)
        else:
            self._updates[said.protocol_instance_id] = answer
        for caller in waiting if isinstance(waiting, list) else []:
            caller(answer)

    def _end(self, result: Payload) -> None:
        self.closed, self.result = True, result
        self._calls.drop()
        self._timers.clear()


def _refuses(command: WorkflowCommand) -> bool:
    return command.HasField("update_response") and command.update_response.HasField("rejected")


def _again(given: Sequence[Job]) -> list[Job]:
    """As a replay has them: what was validated is not validated again, and a local activity's failure, which is read
    from its marker then, comes without the activity's own failure around it."""
    found = []
    for job in given:
        local = job.resolve_activity.is_local and job.resolve_activity.result.HasField("failed")
        if job.HasField("do_update") or local:
            kept = Job()
            kept.CopyFrom(job)
            if local:
                failure = kept.resolve_activity.result.failed.failure
                failure.CopyFrom(job.resolve_activity.result.failed.failure.cause)
            else:
                kept.do_update.run_validator = False
            job = kept
        found.append(job)
    return found
