"""What the checks found, for people and for programs."""

from collections.abc import Sequence

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from orderack.domain.value import Value
from tests.invariants.catalog import Finding, State

SHOWN = 5
"""Violations of one invariant that are written out for people; the JSON has them all."""


class Report(Value):
    """`sound`: no invariant is violated. What was not checked is said so, and is no pass."""

    sound: bool
    findings: tuple[Finding, ...]

    @property
    def violated(self) -> tuple[Finding, ...]:
        return tuple(finding for finding in self.findings if finding.state is State.VIOLATED)

    @property
    def words(self) -> str:
        """One line: what is violated, or how much was looked at."""
        if self.violated:
            return "; ".join(
                f"{finding.id} {len(finding.violations)}x, e.g. {finding.violations[0].order}: "
                f"{finding.violations[0].evidence}"
                for finding in self.violated
            )
        held = [finding for finding in self.findings if finding.state is State.HELD]
        return f"{len(held)} held ({sum(finding.looked_at for finding in held)} cases)"


def report(findings: Sequence[Finding]) -> Report:
    return Report(sound=all(one.state is not State.VIOLATED for one in findings), findings=tuple(findings))


def show(found: Report, console: Console) -> None:
    """The table, then the violations."""
    table = Table(title="Invariants")
    for name in ("", "invariant", "result", "cases", ""):
        table.add_column(name)
    for one in found.findings:
        table.add_row(one.id, escape(one.sentence), one.state, str(one.looked_at or ""), escape(one.why))
    console.print(table)
    for one in found.violated:
        for broken in one.violations[:SHOWN]:
            console.print(escape(f"{one.id}  {broken.order}  {broken.at or ''}  {broken.evidence}"), soft_wrap=True)
        if (more := len(one.violations) - SHOWN) > 0:
            console.print(f"{one.id}  … and {more} more")
