"""`orderack audit triggers`: every way in has a trigger, a row that decides, a fallback, an owner and a test order."""

from pathlib import Path
from typing import Annotated

import typer

from orderack.cli.exits import NO
from orderack.cli.installed import installed_channels, installed_sources
from orderack.cli.options import AsJson
from orderack.cli.printing import print_json, print_table
from orderack.domain.intake import parse_order
from orderack.domain.problem import Problem
from orderack.domain.value import Value
from orderack.erps import load as erps
from orderack.policy.lint_connections import connection_problems
from orderack.policy.load import load_policy
from orderack.policy.triggers import TrialOrder, TriggerRow, audit
from orderack.settings import Settings

Directory = Annotated[
    Path | None, typer.Option("--policy-dir", help="Where policy.yaml is; default: ORDERACK_POLICY_DIR.")
]


class Triggers(Value):
    """The audit. `ok`: every row is complete."""

    ok: bool
    sources: tuple[TriggerRow, ...]
    problems: tuple[Problem, ...] = ()
    """Of connections and ERPs."""


def triggers(policy_dir: Directory = None, as_json: AsJson = False) -> None:
    """Audit every way in: what starts its clock, which row decides, who is told by what, who answers for it.

    Each source's test order is read and decided by the matrix as a real one would be. Put it into your CI.

    Example: orderack audit triggers

    Exit code 0: every way in is complete; 1: one is not; 2: the policy cannot be read.
    """
    directory = policy_dir or Settings().policy_dir
    found = audit_of(directory)
    if as_json:
        print_json(found)
    else:
        columns = (
            "source",
            "the clock starts when",
            "row",
            "tells by",
            "fallback",
            "owner",
            "test order",
            "connections",
        )
        print_table(columns, map(_cells, found.sources))
        problems = [*(problem for row in found.sources for problem in row.problems), *found.problems]
        for problem in problems:
            typer.echo(f"{problem.field}: {problem.problem}. Remedy: {problem.remedy}.", err=True)
        complete = sum(not row.problems for row in found.sources)
        typer.echo(f"{complete} of {len(found.sources)} ways in are complete.", err=True)
    if not found.ok:
        raise typer.Exit(NO)


def audit_of(directory: Path) -> Triggers:
    """The audit of the policy in this folder. Raises PolicyInvalid."""
    policy = load_policy(directory)
    trials = {
        name: _trial(directory, source.test_order) for name, source in policy.sources.items() if source.test_order
    }
    rows = tuple(audit(policy, trials, installed_channels()))
    problems = tuple(connection_problems(policy, installed_sources(), tuple(erps())))
    return Triggers(ok=not problems and not any(row.problems for row in rows), sources=rows, problems=problems)


def _trial(directory: Path, name: str) -> TrialOrder:
    """A test order lies beside the policy and nowhere else."""
    file = (directory / name).resolve()
    if not file.is_relative_to(directory.resolve()):
        return (Problem(field=name, problem="lies outside the policy's folder", remedy="put it beside policy.yaml"),)
    try:
        return parse_order(file.read_bytes())
    except OSError as error:
        reason = error.strerror or type(error).__name__
        return (Problem(field=name, problem=f"cannot be read: {reason}", remedy="name a file beside the policy"),)


def _cells(row: TriggerRow) -> tuple[object, ...]:
    told = "; ".join(row.channels)
    incomplete = f"{row.source} (incomplete)" if row.problems else row.source
    return (
        *(incomplete, row.trigger, row.rule, told, ", ".join(row.fallback), row.owner, row.test_order),
        ", ".join(row.connections),
    )
