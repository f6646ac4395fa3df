"""A log line says what happened, where and to which order; nothing of what was said, whoever wrote the line."""

import asyncio
import json
import logging
import sys
from collections.abc import Iterator
from types import SimpleNamespace

import pytest
import structlog
from temporalio import activity
from temporalio.testing import ActivityEnvironment
from temporalio.worker import ActivityInboundInterceptor, ExecuteActivityInput

from orderack.domain.assessment import Route
from orderack.ledger.repository import SqlLedger
from orderack.telemetry import logs
from orderack.telemetry.activities import Watching
from tests.policy.conftest import load, order, write_policy
from tests.policy.test_assess import Load, StockOnly, assess, failing, request
from tests.telemetry.since import Since

__all__ = ["load", "write_policy"]

ADA = "ada.secret@example.com"
RUN = {"workflow_id": "order/demo/1001", "workflow_run_id": "run-1"}


@pytest.fixture
def lines(capsys: pytest.CaptureFixture[str]) -> Iterator["Lines"]:
    logs.configure(logs.Form.JSON)
    yield Lines(capsys)
    structlog.reset_defaults()
    structlog.contextvars.clear_contextvars()
    sys.excepthook = sys.__excepthook__


class Lines:
    """What is written, each line as an object."""

    def __init__(self, captured: pytest.CaptureFixture[str]) -> None:
        self._captured = captured
        self.text = ""

    def read(self) -> list[dict[str, object]]:
        out, err = self._captured.readouterr()
        assert out == ""
        self.text += err
        return [json.loads(line) for line in err.splitlines()]


def test_a_line_is_one_object_with_its_words_its_level_and_its_time(lines: Lines) -> None:
    with logs.about(order="demo/1001"):
        structlog.get_logger("orderack.gateway").info("event still unannounced", row=7)
    (line,) = lines.read()
    assert line.pop("timestamp")
    assert line == {"event": "event still unannounced", "level": "info", "row": 7, "order": "demo/1001"}


def test_an_exception_is_its_type_and_its_places(lines: Lines) -> None:
    try:
        raise ValueError(f"cannot write to {ADA}")
    except ValueError as error:
        structlog.get_logger("orderack.x").exception("a job failed", job="sweep")
        logging.getLogger("workers.x").error("also by the library", exc_info=error)
        sys.excepthook(ValueError, error, error.__traceback__)
    first, second, last = lines.read()
    for line in (first, second, last):
        assert line["error"] == "ValueError"
        assert "test_logs.py" in str(line["at"])
        assert line["trace"]
    assert (first["event"], first["job"]) == ("a job failed", "sweep")
    assert (last["event"], last["level"]) == ("the process ends", "critical")
    assert ADA not in lines.text


def test_a_librarys_line_is_written_without_what_it_puts_between_its_words(lines: Lines) -> None:
    logging.getLogger("asyncio").error(f"Task exception was never retrieved\nfuture: <Task exception={ADA!r}>")
    logging.getLogger("vendor").warning("cannot reach %s for %s", ADA, "+15005550006", extra={"body": ADA})
    first, second = lines.read()
    assert (first["event"], first["logger"]) == ("Task exception was never retrieved", "asyncio")
    assert second["event"] == "cannot reach %s for %s"
    assert ADA not in lines.text
    assert "5005550006" not in lines.text


def test_the_sdks_lines_keep_their_ids_and_lose_their_failures(lines: Lines) -> None:
    notes = {"workflow_id": "order/demo/1001", "run_id": "run-1", "task_queue": "orders", "memo": ADA}
    logging.getLogger("temporalio.workflow").warning("task failed", extra={"temporal_workflow": notes})
    core = SimpleNamespace(fields={"run_id": "run-2", "failure": f"message: {ADA}"})
    logs.CORE.warning("Failing workflow task", extra={"temporal_log": core})
    first, second = lines.read()
    ids = {key: first[key] for key in ("order", "workflow_id", "run_id", "task_queue")}
    assert ids == {
        "order": "demo/1001",
        "workflow_id": "order/demo/1001",
        "run_id": "run-1",
        "task_queue": "orders",
    }
    assert (second["event"], second["run_id"]) == ("Failing workflow task", "run-2")
    assert ADA not in lines.text


async def run(work: ActivityInboundInterceptor, **info: object) -> None:
    env = ActivityEnvironment()
    env.info = env.default_info()
    env.info = type(env.info)(**{**vars(env.info), **info})
    await env.run(work.execute_activity, ExecuteActivityInput(fn=print, args=(), executor=None, headers={}))


async def test_every_line_of_an_activity_names_its_order_and_its_run(lines: Lines) -> None:
    since = Since()

    class Work(ActivityInboundInterceptor):
        def __init__(self) -> None:
            pass

        async def execute_activity(self, input: ExecuteActivityInput) -> object:
            structlog.get_logger("activities.x").info("working")
            await asyncio.create_task(self.below())
            return activity.info().attempt

        async def below(self) -> None:
            logging.getLogger("orderack.clients").error("no answer")

    work = Watching().intercept_activity(Work())
    await run(work, **RUN, activity_type="acknowledge", attempt=3)
    structlog.get_logger("activities.x").info("afterwards")
    *during, afterwards = lines.read()
    assert len(during) == 2
    for line in during:
        assert (line["order"], line["workflow_id"], line["run_id"]) == ("demo/1001", "order/demo/1001", "run-1")
        assert (line["activity"], line["attempt"]) == ("acknowledge", 3)
    assert "order" not in afterwards
    assert since.of("orderack_activity_retries_total", activity="acknowledge") == 1


async def test_an_assessment_that_fails_is_logged_by_its_places(
    ledger: SqlLedger, load: Load, lines: Lines, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(*_: object) -> None:
        raise ValueError(f"no rule for {ADA}")

    monkeypatch.setattr("activities.assess.assess_order", breaks)
    erp = StockOnly(failing(KeyError(f"no stock for {ADA}")))
    found = await assess(ledger, load(), request(order()), erp)
    assert found.decision.route is Route.REVIEW
    first, second = lines.read()
    assert (first["event"], first["error"]) == ("availability failed", "KeyError")
    assert (second["event"], second["error"]) == ("assessment failed", "ValueError")
    assert "test_logs.py" in str(second["at"])
    assert ADA not in lines.text


def test_the_readable_form_keeps_as_quiet(capsys: pytest.CaptureFixture[str]) -> None:
    logs.configure(logs.Form.TEXT)
    try:
        try:
            raise ValueError(ADA)
        except ValueError:
            structlog.get_logger("orderack.x").exception("a job failed")
        written = capsys.readouterr().err
    finally:
        structlog.reset_defaults()
        sys.excepthook = sys.__excepthook__
    assert "a job failed" in written
    assert "ValueError at " in written
    assert "ada.secret@" not in written
