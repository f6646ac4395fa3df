"""The worked example of docs/adding-a-channel.md works: its file and its test, put where the page says, and its row."""

import subprocess
import sys
from pathlib import Path

import yaml

from orderack.channels import load
from orderack.domain.evidence import Grade
from orderack.policy.lint import lint
from orderack.policy.load import load_policy
from orderack.policy.model import ChannelFacts
from orderack.policy.traits import channel_facts

ROOT = Path(__file__).resolve().parents[2]
EXAMPLE = ROOT / "docs" / "examples" / "channel"

BESIDE = """
import sys
import orderack.channels
orderack.channels.__path__.append({folder!r})
sys.path.insert(0, {root!r})
"""


def test_one_file_and_one_test_make_a_channel(tmp_path: Path) -> None:
    room = tmp_path / "channels"
    room.mkdir()
    (room / "ntfy.py").write_text((EXAMPLE / "ntfy.py").read_text())
    (tmp_path / "test_ntfy.py").write_text((EXAMPLE / "test_ntfy.py").read_text())
    (tmp_path / "conftest.py").write_text(BESIDE.format(folder=str(room), root=str(ROOT)))
    command = [sys.executable, "-m", "pytest", "-c", str(ROOT / "pyproject.toml"), "--rootdir", str(tmp_path)]
    command += ["-p", "no:cacheprovider", "-p", "no:xdist", str(tmp_path / "test_ntfy.py")]
    told = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert told.returncode == 0, told.stdout[-3_000:]
    assert " passed" in told.stdout or "100%" in told.stdout


def test_its_row_in_the_policy_holds_and_nothing_else_is_needed(tmp_path: Path) -> None:
    policy = yaml.safe_load((ROOT / "policy" / "policy.yaml").read_text())
    policy["teams"] |= yaml.safe_load((EXAMPLE / "policy-row.yaml").read_text())["teams"]
    (tmp_path / "policy.yaml").write_text(yaml.safe_dump(policy))
    known = {name: channel_facts(spec.adapter.traits) for name, spec in load().items()}
    ntfy = ChannelFacts(buyer=False, ceiling=Grade.E1, address="chat:ntfy")

    def said(channels: dict[str, ChannelFacts]) -> list[str]:
        return [p.problem for p in lint(load_policy(tmp_path), channels, [], ["sandbox"]) if "ntfy" in p.problem]

    assert said(known | {"ntfy": ntfy}) == []
    assert said(known) == ["names channel ntfy, which does not exist"], "the row without the file"


def test_the_page_shows_all_of_it() -> None:
    page = (ROOT / "docs" / "adding-a-channel.md").read_text()
    for name in ("ntfy.py", "test_ntfy.py", "policy-row.yaml"):
        assert f"examples/channel/{name}" in page
