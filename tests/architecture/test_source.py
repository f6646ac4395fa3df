"""What the source must not do, read from its syntax."""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OURS = ("workflows", "activities", "workers", "orderack")
DETERMINISTIC = ("workflows", "orderack/domain", "orderack/contracts")
LONGEST = 450
"""Lines of a file. Longer than this, it holds two ideas."""

LONGER = {"orderack/dispute/verifier.py": 550}
"""It travels in every dispute pack as the one file that a stranger runs, so it cannot be split."""

FLOATS = frozenset(f"orderack/domain/{name}.py" for name in ("intake", "reachability", "reach_words"))
"""Files in which a float is right: JSON's numbers, before they are decimals; weights and seconds of what is
measured."""

IMPURE = frozenset(
    {
        "datetime.now",
        "datetime.utcnow",
        "datetime.today",
        "date.today",
        "time.time",
        "time.monotonic",
        "time.sleep",
        "random.random",
        "random.choice",
        "random.randint",
        "uuid.uuid4",
        "uuid4",
        "os.environ",
        "os.getenv",
        "open",
    }
)
"""What gives another answer on replay."""


def files(*folders: str) -> Iterator[Path]:
    for folder in folders:
        yield from sorted((ROOT / folder).rglob("*.py"))


def named(node: ast.expr) -> str:
    return ast.unparse(node) if isinstance(node, ast.Name | ast.Attribute) else ""


def impure(source: str) -> list[str]:
    """Calls of the clock, of chance and of the outside in this source."""
    return [
        f"{node.lineno}: {named(node.func)}"
        for node in ast.walk(ast.parse(source))
        if isinstance(node, ast.Call) and named(node.func) in IMPURE
    ]


def floats(source: str) -> list[str]:
    """Conversions to float, and annotations as float, in this source."""
    found: list[str] = []
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Call(func=ast.Name(id="float")) | ast.AnnAssign(annotation=ast.Name(id="float")):
                found.append(f"{node.lineno}: {ast.unparse(node)}")
            case ast.arg(annotation=ast.Name(id="float")):
                found.append(f"{node.lineno}: {ast.unparse(node)}")
    return found


@pytest.mark.parametrize("folder", DETERMINISTIC)
def test_what_a_replay_runs_asks_neither_clock_nor_chance(folder: str) -> None:
    found = {str(path.relative_to(ROOT)): said for path in files(folder) if (said := impure(path.read_text()))}
    assert not found


def test_a_clock_in_a_workflow_is_seen() -> None:
    assert impure("from datetime import datetime\ndef f():\n    return datetime.now()") == ["3: datetime.now"]
    assert impure("import random\nx = random.random()") == ["2: random.random"]


@pytest.mark.parametrize("folder", ["workflows", "orderack/domain", "orderack/contracts"])
def test_money_and_quantities_are_never_floats(folder: str) -> None:
    found = {
        name: said
        for path in files(folder)
        if (name := str(path.relative_to(ROOT))) not in FLOATS and (said := floats(path.read_text()))
    }
    assert not found


def test_a_float_is_seen() -> None:
    assert floats("def f(price: float): return float(price)") == ["1: price: float", "1: float(price)"]


def test_no_file_is_too_long() -> None:
    lengths = {str(path.relative_to(ROOT)): path.read_text().count("\n") for path in files(*OURS)}
    assert not {path: lines for path, lines in lengths.items() if lines > LONGER.get(path, LONGEST)}
