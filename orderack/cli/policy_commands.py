"""`orderack policy`: check the decision matrix, and explain what it does with an order."""

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer
from pydantic import TypeAdapter

from orderack.cli.installed import installed_channels
from orderack.cli.policy_findings import check_policy
from orderack.cli.policy_simulate import simulate
from orderack.cli.printing import escaped, plain
from orderack.cli.session import run
from orderack.cli.shadow_gate import notes
from orderack.domain.intake import parse_order
from orderack.domain.order import Order
from orderack.domain.problem import Problem
from orderack.policy.assessing import Assessed, Findings, assess_order
from orderack.policy.decide import Circumstances
from orderack.policy.explain import explain
from orderack.policy.load import PolicyInvalid, load_policy
from orderack.policy.model import ChannelFacts, Policy
from orderack.settings import Settings

OK, FINDINGS, BAD_INPUT = 0, 1, 2
OFFLINE = "not asked: explained offline"

app = typer.Typer(
    no_args_is_help=True, help="Check the decision matrix, explain what it decides, and try a changed one out."
)
app.command()(simulate)

Json = Annotated[bool, typer.Option("--json", help="Print JSON for a program to read.")]
Directory = Annotated[
    Path | None,
    typer.Option("--policy-dir", help="Where policy.yaml and messages/ are; default: ORDERACK_POLICY_DIR."),
]

_PROBLEMS = TypeAdapter(tuple[Problem, ...])
_EXPLAIN_HELP = """Say what the policy decides for the order in ORDER.json, and why: rules, flags, gate, date.

Offline: no ledger and no ERP are asked, so history, stock and queue count as unknown.

Example: orderack policy explain order.json

Exit code 0: explained; 1: the policy is broken; 2: the order file is.
"""


@app.command()
def check(policy_dir: Directory = None, as_json: Json = False) -> None:
    """Find everything that is wrong with policy.yaml and the wording, and say how to mend it.

    Where there is a ledger, it is noted beside that which stores the file takes live after a shadow run whose gate
    nobody asked (orderack cutover). A note is no finding.

    Example: orderack policy check

    Exit code 0: nothing found; 1: findings; 2: the policy cannot be read.
    """
    directory = policy_dir or Settings().policy_dir
    problems = check_policy(directory)
    noted = () if problems else run(notes(Settings(), load_policy(directory)))
    if as_json:
        said = {"ok": not problems, "problems": _PROBLEMS.dump_python(problems)}
        typer.echo(json.dumps(said | ({"notes": noted} if noted else {})))
    else:
        _print_problems(problems)
        for note in noted:
            typer.echo(plain(f"Note: {note}"), err=True)
        if not problems:
            typer.echo(f"{directory}: policy {load_policy(directory).version} is sound.")
    if problems:
        unreadable = any(problem.field == "file" for problem in problems)
        raise typer.Exit(BAD_INPUT if unreadable else FINDINGS)


@app.command("explain", help=_EXPLAIN_HELP)
def explain_command(
    order: Annotated[Path, typer.Argument(help="The order as JSON, as it is sent to intake.", metavar="ORDER.json")],
    policy_dir: Directory = None,
    as_json: Json = False,
) -> None:
    parsed = _read_order(order)
    if isinstance(parsed, tuple):
        _fail(parsed, as_json, BAD_INPUT)
    else:
        try:
            policy = load_policy(policy_dir or Settings().policy_dir)
        except PolicyInvalid as error:
            _fail(error.problems, as_json, FINDINGS)
        else:
            _print_assessed(parsed, explain_order(parsed, policy, installed_channels()), as_json)


def explain_order(
    order: Order, policy: Policy, facts: Mapping[str, ChannelFacts], found: Findings | None = None, revision: int = 1
) -> Assessed:
    """Assess without storing anything. `found`: what was looked up; None means nothing was, as of now."""
    nothing = Findings(now=datetime.now(UTC), stock_note=OFFLINE)
    around = Circumstances(channels=facts, reach_note=OFFLINE)
    return assess_order(policy, order, revision, found or nothing, around)


def _read_order(file: Path) -> Order | tuple[Problem, ...]:
    try:
        return parse_order(file.read_bytes())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return (Problem(field=str(file), problem=f"cannot be read: {reason}", remedy="name a file with an order"),)


def _print_assessed(order: Order, assessed: Assessed, as_json: bool) -> None:
    if as_json:
        typer.echo(escaped(assessed.model_dump_json()))
        return
    for line in explain(order, assessed.assessment, assessed.explanation):
        typer.echo(plain(line))


def _fail(problems: Sequence[Problem], as_json: bool, code: int) -> None:
    if as_json:
        typer.echo(json.dumps({"ok": False, "problems": _PROBLEMS.dump_python(tuple(problems))}))
    else:
        _print_problems(problems)
    raise typer.Exit(code)


def _print_problems(problems: Sequence[Problem]) -> None:
    for problem in problems:
        typer.echo(plain(f"{problem.field}: {problem.problem}. Remedy: {problem.remedy}."), err=True)
