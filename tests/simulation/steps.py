"""One order's story step by step: what reached it, what it commanded, where it stood. For reading a failure."""

from collections.abc import Sequence

from temporalio.bridge.proto.workflow_activation import WorkflowActivationJob as Job
from temporalio.bridge.proto.workflow_commands import WorkflowCommand

from tests.simulation.execution import Execution, Task
from tests.simulation.story import Story


class Told(Execution):
    """Says what it does."""

    def _step(self, task: Task, given: list[Job]) -> list[WorkflowCommand]:
        print(f"{self._agenda.clock():%d %b %H:%M:%S}  ← {', '.join(map(_job, given))}")
        commands = super()._step(task, given)
        state = self.instance.state
        said = ", ".join(filter(None, map(_command, commands)))
        print(f"{'':15} {state.stage}, revision {state.revision}{' → ' + said if said else ''}")
        return commands


def tell_one(seed: int, index: int) -> int:
    """Print the order's whole story and what it broke; 1 when it broke something."""
    story = Story(seed, index, kind=Told)
    print(f"order {story.plan.number}, {story.plan.temper.name}")
    print("to come: " + ", ".join(f"{h.what} {h.number or ''}".strip() for h in story.plan.happenings))
    ending = story.live()
    if ending.dump:
        print(ending.dump)
    if ending.violation:
        print(f"{ending.violation.text} (at {ending.violation.at})")
        return 1
    print(f"kept every rule; trace {ending.trace}")
    return 0


def _job(job: Job) -> str:
    kind = job.WhichOneof("variant") or ""
    what: Sequence[object] = {
        "signal_workflow": (job.signal_workflow.signal_name,),
        "do_update": (job.do_update.name, job.do_update.id),
        "fire_timer": (f"timer {job.fire_timer.seq}",),
        "resolve_activity": (f"activity {job.resolve_activity.seq}", job.resolve_activity.result.WhichOneof("status")),
    }.get(kind, (kind,))
    return " ".join(map(str, what))


def _command(command: WorkflowCommand) -> str:
    match command.WhichOneof("variant"):
        case "schedule_activity":
            return f"{command.schedule_activity.activity_type} ({command.schedule_activity.seq})"
        case "schedule_local_activity":
            return f"{command.schedule_local_activity.activity_type} here"
        case "start_timer":
            return f"timer {command.start_timer.seq} in {command.start_timer.start_to_fire_timeout.ToTimedelta()}"
        case "update_response" if command.update_response.HasField("accepted"):
            return ""
        case other:
            return str(other).replace("_", " ")
