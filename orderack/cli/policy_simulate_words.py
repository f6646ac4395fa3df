"""What a simulation found, on a terminal."""

from collections.abc import Iterator, Sequence
from pathlib import Path

import typer

from orderack.cli.printing import console, plain, print_table, table, when
from orderack.diagnostics.whatif.load import Load
from orderack.diagnostics.whatif.result import Differences, Group, Level, SelfCheck, Simulation
from orderack.diagnostics.whatif.words import checked, estimated, money, most, not_kept, percent
from orderack.diagnostics.wording import counted

GROUPS = 8
"""Changes shown of each kind; all of them stand in --json and in the page."""

LINT = 12


def print_simulation(found: Simulation, *, every: bool, page: Path | None) -> None:
    """The whole account: what was proved, what is different, what follows."""
    _lines(_head(found))
    _lines(_check(found.self_check, found.orders_file))
    _lines(_cannot(found))
    _lines(f"Note: {words}." for words in found.warnings)
    if not found.orders:
        typer.echo("No order was compared: ask further back with --since, or take another ledger.")
        return
    _lines(("", _verdict(found)))
    for kind in found.kinds:
        _kind(kind)
    if every:
        _every(found)
    if found.levels:
        _levels(found.levels)
    if found.load:
        _load(found.load)
    if page is None:
        typer.echo("\nAdd --html FILE for plots and every change, --list for each order.")


def _lines(lines: Iterator[str] | Sequence[str]) -> None:
    for line in lines:
        console().print(plain(line), soft_wrap=True, markup=False)


def _head(found: Simulation) -> Iterator[str]:
    where = found.orders_file or f"the ledger, {when(found.since)} to {when(found.until)}"
    store = f", store {found.store}" if found.store else ""
    yield f"Policy in force {found.policy_in_force}; tried out: {found.file} ({found.policy_new})"
    orders, revisions = counted(found.orders, "order"), counted(found.revisions, "revision")
    yield f"{orders} ({revisions}, {money(found.worth)}) from {where}{store}"


def _check(check: SelfCheck, orders_file: str) -> Iterator[str]:
    if orders_file:
        yield "Self-check: none. A file holds no decisions; stock and the store's queue of then are not known."
        return
    yield f"Self-check: {checked(check)}"
    yield from (f"  {line}" for line in not_kept(check))
    yield from (
        f"  not as recorded: {one.order} revision {one.revision}: {', '.join(one.what)}" for one in check.otherwise[:5]
    )


def _cannot(found: Simulation) -> Iterator[str]:
    for one in found.rowless:
        yield (
            f"WARNING: the new policy has no row for {one.what} {one.name}: {counted(one.orders, 'order')} "
            f"would be refused by every rule and left to a person."
        )
    if found.lint:
        number = counted(len(found.lint), "finding")
        yield f"WARNING: `policy check` has {number} about the new policy:"
        yield from (f"  {one.field}: {one.problem}. Remedy: {one.remedy}." for one in found.lint[:LINT])
        if len(found.lint) > LINT:
            yield f"  and {len(found.lint) - LINT} more: run `orderack policy check` on it"


def _verdict(found: Simulation) -> str:
    if not found.different:
        other = f"; {found.rule_only} are decided by another rule, to the same effect" if found.rule_only else ""
        whom = "the one order" if found.orders == 1 else f"any of the {found.orders} orders"
        return f"Nothing is different for {whom}{other}."
    return (
        f"{found.different} of {found.orders} orders ({percent(found.different_share)}; worth "
        f"{money(found.different_worth)}) are treated differently."
    )


def _kind(kind: Differences) -> None:
    worth = ", ".join(f"{percent(share)} of {name}" for name, share in list(kind.worth_share.items())[:2])
    _lines(("", f"{kind.title}: {counted(kind.orders, 'order')} ({percent(kind.share)}; by value {worth})"))
    rows = sorted(kind.groups, key=lambda group: -group.orders)[:GROUPS]
    print_table(
        ("what", "before", "after", "orders", "value", "by rule, for one", "for example"), (_group(row) for row in rows)
    )
    if len(kind.groups) > GROUPS:
        typer.echo(f"and {len(kind.groups) - GROUPS} more changes")


def _group(group: Group) -> Sequence[object]:
    first = group.examples[0]
    rules = first.rule_after if first.rule_before == first.rule_after else f"{first.rule_before} → {first.rule_after}"
    return (group.title, group.before, group.after, group.orders, most(group.worth), rules, first.order)


def _every(found: Simulation) -> None:
    _lines(("", "Every change of every order:"))
    titles = ("order", "revision", "total", "before", "after", "by rule", "why")
    rows = (
        (
            one.order,
            one.revision,
            f"{one.total} {one.currency}",
            one.before,
            one.after,
            f"{one.rule_before} → {one.rule_after}",
            one.why,
        )
        for one in found.every
    )
    print_table(titles, rows)


def _levels(levels: Sequence[Level]) -> None:
    _lines(("", "Service levels, held against what was measured:"))
    made = table(
        ("clock", "before", "after", "over, before", "over, after", "not known"), (_level(one) for one in levels)
    )
    for column in made.columns[3:5]:
        column.justify = "right"
    console().print(made)
    _lines(f"  {one.sentence}{estimated(one)}." for one in levels if _moved(one))


def _moved(level: Level) -> bool:
    return level.broken_before != level.broken_after or bool(level.unknown)


def _level(level: Level) -> Sequence[object]:
    recorded = "" if level.recorded in (None, level.broken_before) else f" ({level.recorded} recorded)"
    counts = (level.broken_before, level.runs_before), (level.broken_after, level.runs_after - level.unknown)
    before, after = (f"{over} to {runs}" if level.counts_messages else f"{over} of {runs}" for over, runs in counts)
    return (level.title, level.before, level.after, f"{before}{recorded}", after, level.unknown or None)


def _load(found: Load) -> None:
    _lines(("", f"Reviews opened in an hour, over the {counted(found.hours, 'hour')} in which orders came in:"))
    rows = [("before", found.before), ("after", found.after)]
    print_table(("", "reviews", "p50", "p95", "most"), ((name, s.reviews, s.p50, s.p95, s.max) for name, s in rows))
    _lines(_capacity(found))


def _capacity(found: Load) -> Iterator[str]:
    taken = found.handling
    if taken.median is None:
        yield (
            f"How long a review takes is not known ({taken.measured} were claimed and decided): --minutes-per-review N "
            "compares the load with the reviewers there are."
        )
        return
    measured = f"median of {taken.measured} from claim to decision" if taken.measured else "as given"
    yield f"A review takes {taken.median:g} min ({measured})."
    for team in found.teams:
        if team.capacity_per_hour is None:
            yield f"  {team.team}: the policy names no reviewers."
            continue
        yield (
            f"  {team.team}: {len(team.reviewers)} reviewers ({', '.join(team.reviewers)}) can do "
            f"{team.capacity_per_hour:g} in an hour; more came in {team.over_before} hours before, "
            f"{team.over_after} after."
        )
