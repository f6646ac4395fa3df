"""The floors of the house: import rules hold, and breaking one is seen."""

import re
import shutil
import subprocess
import sys
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("workflows", "activities", "workers", "orderack")


def lint(folder: Path) -> subprocess.CompletedProcess[str]:
    """import-linter with the project's contracts, on the packages in this folder."""
    command = str(Path(sys.executable).with_name("lint-imports"))
    return subprocess.run([command, "--no-cache"], cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def test_the_import_rules_hold() -> None:
    ran = lint(ROOT)
    assert ran.returncode == 0, ran.stdout


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    for name in OURS:
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "line", "rule"),
    [
        ("workflows/_steps.py", "import httpx", "Workflows are deterministic"),
        ("workflows/_clocks.py", "import orderack.ledger", "Workflows are deterministic"),
        ("orderack/domain/money.py", "import orderack.contracts.names", "The floors of the library"),
        ("activities/record.py", "import orderack.channels", "Activities call ports"),
        ("orderack/settings.py", "import workflows", "Nobody imports the workers"),
    ],
)
def test_a_broken_rule_is_seen(copy: Path, file: str, line: str, rule: str) -> None:
    with (copy / file).open("a") as source:
        source.write(f"\n{line}\n")
    ran = lint(copy)
    assert ran.returncode != 0
    said = " ".join(ran.stdout.split())
    assert re.search(rf"{rule}((?! KEPT).)* BROKEN", said.split("Broken contracts")[0]), said


def test_nobody_else_installs_a_package_of_our_name() -> None:
    found = packages_distributions()
    assert {name: set(found.get(name, [])) - {"orderack"} for name in OURS} == {name: set() for name in OURS}
