"""The workflows' commands, read from their source: for each function, what it asks of the server, in order.

`python -m tests.replay.fingerprints --write` takes over a deliberate change.
"""

import ast
import json
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import workflows

SOURCE = Path(next(iter(workflows.__path__)))
BASELINE = Path(__file__).with_name("fingerprints.json")

COMMANDS = frozenset(
    {
        "execute_activity",
        "start_activity",
        "execute_local_activity",
        "start_local_activity",
        "execute_child_workflow",
        "start_child_workflow",
        "sleep",
        "patched",
        "deprecate_patch",
        "continue_as_new",
        "upsert_search_attributes",
        "upsert_memo",
        "uuid4",
        "random",
    }
)
"""Functions of `temporalio.workflow` that leave a command in history or depend on one."""

REMEDY = (
    "commands changed; running orders will not replay. Gate with workflow.patched('…'), then `make fingerprints`. "
    "(A change that no order can have met yet needs no gate.) What changed:"
)

Fingerprints = Mapping[str, list[str]]


def fingerprints(source: Path = SOURCE) -> Fingerprints:
    """Each function's ordered commands, by `module.Class.function`; functions without commands are left out."""
    found = {}
    for path in sorted(source.glob("*.py")):
        for name, function in _functions(ast.parse(path.read_text()), path.stem):
            if commands := [command for call in _calls(function) if (command := _command(call))]:
                found[name] = commands
    return found


def _functions(node: ast.AST, name: str) -> Iterator[tuple[str, ast.AST]]:
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef):
            yield f"{name}.{child.name}", child
        elif isinstance(child, ast.ClassDef):
            yield from _functions(child, f"{name}.{child.name}")


def _calls(function: ast.AST) -> list[ast.Call]:
    found = [node for node in ast.walk(function) if isinstance(node, ast.Call)]
    return sorted(found, key=lambda call: (call.lineno, call.col_offset))


def _command(call: ast.Call) -> str | None:
    """The command that a call leaves, with what it names; a step that a call of ours takes; or nothing."""
    match call.func:
        case ast.Attribute(value=ast.Name(id="workflow"), attr=what) if what in COMMANDS:
            return f"workflow.{what}({_named(call)})"
        case ast.Attribute(value=ast.Name(id="workflow"), attr="wait_condition") if _has(call, "timeout"):
            return "workflow.wait_condition(timeout)"
        case ast.Name(id="patched"):
            return f"workflow.patched({_named(call)})"
        case ast.Attribute(value=ast.Name(id="_calls"), attr=what):
            return f"_calls.{what}"
        case ast.Attribute(value=ast.Name(id="self"), attr="_do") if call.args:
            return f"_do({ast.unparse(call.args[0])})"
    return None


def _named(call: ast.Call) -> str:
    """The activity's or the patch's name; what else is given may change without breaking a replay."""
    first = call.args[0] if call.args else None
    return ast.unparse(first) if isinstance(first, ast.Attribute | ast.Constant) else ""


def _has(call: ast.Call, keyword: str) -> bool:
    return any(given.arg == keyword for given in call.keywords)


def baseline() -> Fingerprints:
    read: Fingerprints = json.loads(BASELINE.read_text())
    return read


def differences(now: Fingerprints, before: Fingerprints) -> list[str]:
    """What changed, a line for each function."""
    names = sorted(name for name in {*now, *before} if now.get(name) != before.get(name))
    return [f"{name}: was {before.get(name, [])}, is {now.get(name, [])}" for name in names]


def main() -> int:
    found = fingerprints()
    if "--write" in sys.argv[1:]:
        BASELINE.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")
        return 0
    changed = differences(found, baseline())
    print("\n".join([REMEDY, *changed]) if changed else "the commands are the baseline's")
    return 1 if changed else 0


if __name__ == "__main__":
    sys.exit(main())
