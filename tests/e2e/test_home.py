"""What a kill -9 left behind is ended by the next start; what is not ours is left alone."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from orderack.embedded.home import Home
from orderack.embedded.stack import Ports, Stack, _environment
from orderack.errors import Misconfigured
from orderack.settings import Settings

WAITS = [sys.executable, "-c", "import time; time.sleep(60)"]


def test_leftovers_of_an_earlier_run_are_ended_and_a_reused_process_id_is_left_alone(tmp_path: Path) -> None:
    home = Home(tmp_path / "home")
    ours = subprocess.Popen(WAITS, env={**os.environ, "ORDERACK_HOME": str(home.folder)})
    other = subprocess.Popen(WAITS)
    try:
        home.remember({"worker": ours.pid, "gateway": other.pid, "gone": 2**22 - 1})
        assert home.end_leftovers() == ["worker"]
        assert ours.wait(5) == -9
        assert other.poll() is None
    finally:
        for process in (ours, other):
            process.kill()
            process.wait()


def test_secrets_are_made_once_and_readable_by_their_owner_alone(tmp_path: Path) -> None:
    home = Home(tmp_path)
    assert home.secrets() == home.secrets()
    assert (tmp_path / "secrets.json").stat().st_mode & 0o077 == 0
    assert home.secrets().api_key not in home.secrets().grants(["demo"])


def test_another_shell_reads_the_runs_settings_word_for_word_and_nobody_else_does(tmp_path: Path) -> None:
    home = Home(tmp_path / "a home")
    values = {"ORDERACK_HOME": str(home.folder), "ORDERACK_SLACK_CHANNELS": '{"ops": "it\'s $HOME"}'}
    home.write_shell({"ORDERACK_HOME": "an earlier run's"})
    file = home.write_shell(values)
    assert file.stat().st_mode & 0o077 == 0
    shell = ["sh", "-c", '. "$0"; exec "$1" -c "import os, json; print(json.dumps(dict(os.environ)))"']
    found = json.loads(subprocess.check_output([*shell, str(file), sys.executable], env={}))
    assert {name: found[name] for name in values} == values


def test_another_shell_works_with_the_runs_own_policy_wherever_it_stands(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(Settings().policy_dir, tmp_path / "mine")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ORDERACK_POLICY_DIR", "mine")
    home = Home(tmp_path / "home")
    stack = Stack(home, Ports(), home.secrets(), _environment(home, Ports(), home.secrets(), {}))
    assert f"export ORDERACK_POLICY_DIR={tmp_path.resolve()}/mine\n" in stack.shell().read_text()


def test_two_runs_never_share_a_folder(tmp_path: Path) -> None:
    with Home(tmp_path).alone():
        with pytest.raises(Misconfigured, match="another run"), Home(tmp_path).alone():
            raise AssertionError("it was shared")
    with Home(tmp_path).alone():
        pass
