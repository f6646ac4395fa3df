"""The log: what happened, where, and to which order. Never what was said: that may be the buyer's.

Ours and the libraries' lines go the same way. Of a library's line only the words are written that stand in its source
(what it puts between them may be anything), of an exception its type and the places that it came through.
"""

import logging
import sys
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from enum import StrEnum
from types import TracebackType
from typing import TextIO

import structlog
from structlog.typing import EventDict, ExcInfo, Processor, WrappedLogger
from temporalio import activity, workflow

from orderack.contracts.ids import order_ref

_DEEPEST = 30
_LONGEST = 300

OURS = ("orderack", "activities", "workers", "workflows")
CORE = logging.getLogger("temporalio.core")
"""What the SDK's core says."""

TEMPORAL = {
    "workflow_id": "workflow_id",
    "workflow_run_id": "run_id",
    "run_id": "run_id",
    "activity_type": "activity",
    "attempt": "attempt",
    "task_queue": "task_queue",
}
"""What is taken from the SDK's notes beside a line, and what it is called with us."""


class Form(StrEnum):
    """How a line is written."""

    JSON = "json"
    TEXT = "text"


def configure(form: Form = Form.TEXT) -> None:
    """Once, when the process starts. Without it structlog writes every local variable beside a traceback."""
    shared: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.dev.set_exc_info,
    ]
    structlog.configure(
        processors=[*shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        wrapper_class=structlog.make_filtering_bound_logger(logging.INFO),
        logger_factory=structlog.stdlib.LoggerFactory(),
    )
    last: list[Processor] = (
        [_places, structlog.processors.JSONRenderer()]
        if form is Form.JSON
        else [structlog.dev.ConsoleRenderer(colors=False, exception_formatter=write_places)]
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[_foreign, *shared],
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _nobody, *last],
    )
    handler = _ToStderr()
    handler.setFormatter(formatter)
    root = logging.getLogger()
    for old in [old for old in root.handlers if isinstance(old, _ToStderr)]:
        root.removeHandler(old)
    root.addHandler(handler)
    root.setLevel(logging.WARNING)
    for name in OURS:
        logging.getLogger(name).setLevel(logging.INFO)
    activity.logger.activity_info_on_message = workflow.logger.workflow_info_on_message = False  # it stands beside
    sys.excepthook = _uncaught


def _uncaught(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    structlog.get_logger(__name__).critical("the process ends", exc_info=(kind, error, trace))


class _ToStderr(logging.StreamHandler[TextIO]):
    """Whatever standard error is at the moment."""

    def __init__(self) -> None:
        logging.Handler.__init__(self)

    @property
    def stream(self) -> TextIO:
        return sys.stderr

    @stream.setter
    def stream(self, stream: TextIO) -> None:
        raise AttributeError("always standard error")


def _foreign(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """A line of the standard library's logging: its fixed words, and the ids that the SDK noted beside them."""
    record = line.get("_record")
    if not isinstance(record, logging.LogRecord):
        return line
    if record.name.partition(".")[0] not in OURS:
        line["event"] = str(record.msg).partition("\n")[0][:_LONGEST]
    line["logger"] = record.name
    for notes in (vars(record).get("temporal_activity"), vars(record).get("temporal_workflow"), _fields(record)):
        if isinstance(notes, Mapping):
            line.update(ids_of(notes))
    return line


def _fields(record: logging.LogRecord) -> object:
    return getattr(getattr(record, "temporal_log", None), "fields", None)


def ids_of(notes: Mapping[str, object]) -> dict[str, object]:
    """The ids in the SDK's notes, and the order that they name."""
    found = {ours: notes[theirs] for theirs, ours in TEMPORAL.items() if notes.get(theirs) is not None}
    return found | order_of(found.get("workflow_id"))


def order_of(workflow_id: object) -> dict[str, object]:
    """The order that a workflow id names, where it names one."""
    try:
        return {"order": str(order_ref(str(workflow_id)))}
    except ValueError:
        return {}


@contextmanager
def about(**ids: object) -> Iterator[None]:
    """Every line within the block says these ids."""
    with structlog.contextvars.bound_contextvars(**ids):
        yield


def _nobody(_: WrappedLogger, __: str, line: EventDict) -> EventDict:
    """An order's number is written, but not where a shop numbers its orders by its buyers' addresses."""
    for name in ("order", "workflow_id"):
        if "@" in str(line.get(name, "")):
            line[name] = "(an address)"
    return line


def _places(_: WrappedLogger, __: str, line: MutableMapping[str, object]) -> MutableMapping[str, object]:
    """Instead of an exception: its type, where it was raised, and the places before that."""
    found = line.pop("exc_info", None)
    error = sys.exc_info()[1] if found is True else found[1] if isinstance(found, tuple) else found
    if isinstance(error, BaseException):
        frames = traceback.extract_tb(error.__traceback__)[-_DEEPEST:]
        line["error"], line["at"] = type(error).__name__, place_of(error)
        line["trace"] = [f"{frame.filename}:{frame.lineno} {frame.name}" for frame in frames]
    return line


def write_places(out: TextIO, exc_info: ExcInfo) -> None:
    """The exception's type, and the places it came through."""
    kind, error, _ = exc_info
    out.write(
        f"\n{kind.__name__} at {place_of(error)}\n" + "".join(traceback.format_tb(error.__traceback__, -_DEEPEST))
    )


def place_of(error: BaseException) -> str:
    """Where it was raised: file, line and function."""
    trace: TracebackType | None = error.__traceback__
    frames = traceback.extract_tb(trace)
    return f"{frames[-1].filename}:{frames[-1].lineno} {frames[-1].name}" if frames else "nowhere"
