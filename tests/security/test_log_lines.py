"""One event is one line, whatever stands in its values: nobody outside writes a line of our log."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from orderack.telemetry import logs

FORGED = "x\n2026-11-21T09:00:00Z [info     ] order confirmed\r\x1b[2J\u2028\u202e"


@pytest.fixture
def configured() -> Iterator[None]:
    """What the configuration changes is put back."""
    root = logging.getLogger()
    handlers, level, before = root.handlers[:], root.level, structlog.get_config()
    yield
    root.handlers[:], root.level = handlers, level
    structlog.configure(**before)


@pytest.mark.parametrize("form", logs.Form)
@pytest.mark.usefixtures("configured")
def test_no_value_makes_a_second_line(form: logs.Form, monkeypatch: pytest.MonkeyPatch) -> None:
    out = io.StringIO()
    monkeypatch.setattr("sys.stderr", out)
    monkeypatch.setattr("sys.stdout", out)
    logs.configure(form)
    structlog.get_logger("orderack.gateway").warning("asked too often", what=FORGED, why=FORGED)
    logging.getLogger("uvicorn.error").warning("Invalid request from %s", FORGED)
    lines = out.getvalue().splitlines()
    assert len(lines) == 2, lines
    assert "\x1b[2J" not in out.getvalue()
    if form is logs.Form.JSON:
        assert json.loads(lines[0])["what"] == FORGED
    assert "confirmed" not in lines[1]
