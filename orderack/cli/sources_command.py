"""`orderack sources`: every system that orders can come from, and each store's connections to them."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated

import typer
from pydantic import AwareDatetime
from sqlalchemy.exc import SQLAlchemyError

from orderack.cli.adapter_settings import settings_state
from orderack.cli.options import AsJson
from orderack.cli.printing import print_json, print_table
from orderack.cli.session import run, the_ledger
from orderack.cli.source_page import page
from orderack.domain.order import Name, Text
from orderack.domain.value import Value
from orderack.errors import Misconfigured, OrderAckError
from orderack.policy.load import load_policy
from orderack.registry import SourceSpec, prefix_of
from orderack.settings import Settings
from orderack.sources import load

Markdown = Annotated[bool, typer.Option("--markdown", help="Print docs/sources.md instead.")]


class ConnectionRow(Value):
    """One store's account at one system."""

    store: Name
    source: Name
    """The row of the policy that its orders have."""
    state: Text
    """`ready`, `missing settings` or `not valid`."""
    lacks: tuple[str, ...] = ()
    looked_at: AwareDatetime | None = None
    """When it was last asked with success, where it is asked."""
    refused: int = 0
    """Deliveries of late that could not be taken as they were (at most 20 are counted)."""


class SourceRow(Value):
    """One system."""

    name: Name
    description: Text
    kind: Name
    trigger: Text
    pushes: bool
    polled_every_seconds: float | None
    answered: Text
    """By what kind of call it is told what becomes of its orders; empty: by none."""
    connections: tuple[ConnectionRow, ...] = ()


class SourceList(Value):
    sources: tuple[SourceRow, ...]
    problem: Text = ""
    """Why nothing is known of connections; empty: it is."""


class Known(Value):
    """What the ledger knows of connections."""

    looked_at: Mapping[str, AwareDatetime] = {}
    refused: Mapping[str, int] = {}
    problem: Text = ""


def sources(markdown: Markdown = False, as_json: AsJson = False) -> None:
    """Every system that orders can come from: what starts its clock, how we hear of orders, which stores use it.

    Without a policy or a ledger the table shows what there is, and says what is not known.

    Example: orderack sources

    Exit code 0.
    """
    specs = load()
    if markdown:
        typer.echo(page(specs), nl=False)
        return
    wanted, problem = _connections()
    known = run(_known([f"{store}/{system}" for system, rows in wanted.items() for store, _ in rows]))
    rows = tuple(_row(name, spec, wanted.get(name, []), known) for name, spec in specs.items())
    if as_json:
        print_json(SourceList(sources=rows, problem=problem or known.problem))
        return
    print_table(("system", "kind", "comes by", "is answered"), (_way(row) for row in rows))
    if standing := [(f"{one.store}/{row.name}", one) for row in rows for one in row.connections]:
        print_table(
            ("connection", "source", "state", "last asked", "refused"),
            ((name, one.source, one.state, one.looked_at, one.refused or None) for name, one in standing),
        )
    connected = sum(bool(row.connections) for row in rows)
    typer.echo(
        f"{len(rows)} systems, {connected} connected. `orderack source doctor` checks the connections.", err=True
    )
    for one in (problem, known.problem):
        if one:
            typer.echo(one, err=True)


def _row(name: str, spec: SourceSpec, wanted: list[tuple[str, str]], known: Known) -> SourceRow:
    traits = spec.adapter.traits
    return SourceRow(
        name=name,
        description=spec.description,
        kind=traits.kind,
        trigger=spec.trigger,
        pushes=traits.pushes,
        polled_every_seconds=traits.poll_every.total_seconds() if traits.poll_every else None,
        answered=traits.answer or "",
        connections=tuple(_connection(name, spec, store, source, known) for store, source in wanted),
    )


def _connection(system: str, spec: SourceSpec, store: str, source: str, known: Known) -> ConnectionRow:
    state, name = settings_state(spec, prefix_of("SOURCE", store, system)), f"{store}/{system}"
    lacking = tuple(one.variable for one in state.settings if one.state in ("missing", "not valid"))
    return ConnectionRow(
        store=store,
        source=source,
        state=state.word,
        lacks=(*lacking, *state.problems),
        looked_at=known.looked_at.get(name),
        refused=known.refused.get(name, 0),
    )


def _way(row: SourceRow) -> tuple[object, ...]:
    ways = [word for word, so in (("webhook", row.pushes), ("asking", row.polled_every_seconds)) if so]
    return (row.name, row.kind, " and ".join(ways), row.answered or None)


def _connections() -> tuple[dict[str, list[tuple[str, str]]], str]:
    """By system: the stores connected to it, and the source that their orders have."""
    try:
        policy = load_policy(Settings().policy_dir)
    except Misconfigured:
        return {}, "Connections are not known: the policy cannot be read; `orderack policy check` says why."
    found: dict[str, list[tuple[str, str]]] = {}
    for name, store in policy.stores.items():
        for system, row in store.connections.items():
            found.setdefault(system, []).append((name, row.source))
    return found, ""


async def _known(connections: list[str]) -> Known:
    """What the ledger says; that it cannot be asked is said instead."""
    try:
        async with the_ledger() as ledger:
            looked: dict[str, datetime] = dict(await ledger.looked_at())
            return Known(looked_at=looked, refused={one: len(await ledger.refused(one)) for one in connections})
    except (OrderAckError, SQLAlchemyError, OSError) as error:
        words = str(error) if isinstance(error, OrderAckError) else f"the ledger failed ({type(error).__name__})"
        return Known(problem=f"What they delivered is not known: {words}"[:500])
