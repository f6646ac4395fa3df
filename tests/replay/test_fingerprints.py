"""A change of what the workflow asks of the server never goes unseen."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.replay.fingerprints import REMEDY, SOURCE, baseline, differences, fingerprints

Edit = Callable[[str], str]


def test_the_workflows_commands_are_the_baselines() -> None:
    changed = differences(fingerprints(), baseline())
    assert not changed, "\n".join([REMEDY, *changed])


def test_every_activity_call_is_in_the_baseline() -> None:
    said = " ".join(command for commands in baseline().values() for command in commands)
    for activity in ("assess", "submit_to_erp", "cancel_in_erp", "acknowledge", "hand_off", "record", "answer_source"):
        assert f"(activities.{activity})" in said


@pytest.mark.parametrize(
    ("module", "edit", "function"),
    [
        ("_calls", lambda s: s.replace("execute_local_activity", "execute_activity"), "_calls.assess_here"),
        ("_calls", lambda s: s.replace("activities.hand_off,", "activities.record,"), "_calls.hand_off"),
        (
            "order_acknowledgement",
            lambda s: s.replace("            self._arm()\n", "            await workflow.sleep(1)\n"),
            "order_acknowledgement.OrderAcknowledgement.run",
        ),
        (
            "order_acknowledgement",
            lambda s: s.replace('self._do("handoff"', 'self._do("other"'),
            "order_acknowledgement.OrderAcknowledgement._live",
        ),
    ],
    ids=["another kind of call", "another activity", "one more timer", "another step"],
)
def test_a_changed_command_is_seen_and_its_function_named(
    tmp_path: Path, module: str, edit: Edit, function: str
) -> None:
    copy = tmp_path / "workflows"
    shutil.copytree(SOURCE, copy)
    file = copy / f"{module}.py"
    before = file.read_text()
    file.write_text(edit(before))
    assert file.read_text() != before
    assert [line.split(":")[0] for line in differences(fingerprints(copy), fingerprints())] == [function]


def test_what_leaves_no_command_changes_no_fingerprint(tmp_path: Path) -> None:
    copy = tmp_path / "workflows"
    shutil.copytree(SOURCE, copy)
    with (copy / "_view.py").open("a") as file:
        file.write("\n\ndef more() -> int:\n    return max(1, 2)\n")
    assert fingerprints(copy) == fingerprints()
