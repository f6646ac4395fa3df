"""Recorded histories: where they lie, and what of the recording machine is taken out of them."""

import json
import re
from pathlib import Path

from temporalio.client import WorkflowHistory

FOLDER = Path(__file__).parent / "histories"
BEFORE = FOLDER / "before"
"""Stories as the workflow told them before a change that they are about: such orders may still be running."""
WORKER = "worker"
"""Stands for the process that made an event: its real name holds a host's name."""


def recorded(folder: Path = FOLDER) -> dict[str, WorkflowHistory]:
    """Every history by its name; a story that was continued as new has one for each of its runs."""
    found = sorted(folder.glob("*.json"))
    return {path.stem: WorkflowHistory.from_json(f"order/demo/{path.stem}", path.read_text()) for path in found}


def write(name: str, history: WorkflowHistory, identity: str, folder: Path = FOLDER) -> None:
    """Keep a history, readable in a diff, without the names of the machine that made it."""
    text = json.dumps(history.to_json_dict(), indent=1, sort_keys=True).replace(identity, WORKER)
    text = re.sub(r'"stackTrace": ".*"', '"stackTrace": ""', text)
    (folder / f"{name}.json").write_text(text + "\n")
