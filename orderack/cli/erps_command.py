"""`orderack erps`: every ERP system there is, and the installations that stores book in."""

from collections.abc import Mapping
from typing import Annotated

import typer
from pydantic import AwareDatetime
from sqlalchemy.exc import SQLAlchemyError

from orderack.cli.adapter_settings import settings_state
from orderack.cli.erp_page import page
from orderack.cli.options import AsJson
from orderack.cli.paused import paused_words
from orderack.cli.printing import print_json, print_table
from orderack.cli.session import run, the_ledger
from orderack.domain.order import Name, Text
from orderack.domain.value import Value
from orderack.erps import load
from orderack.errors import Misconfigured, OrderAckError
from orderack.policy.load import load_policy
from orderack.policy.model import Policy
from orderack.ports import Pause
from orderack.ports.channel_book import of_erp
from orderack.registry import ErpSpec, prefix_of
from orderack.settings import Settings

Markdown = Annotated[bool, typer.Option("--markdown", help="Print docs/erps.md instead.")]


class ErpRow(Value):
    """One installation, or a system that no store uses."""

    name: Name
    system: Name
    description: Text
    state: Text
    """`ready`, `missing settings` or `not valid`."""
    lacks: tuple[str, ...] = ()
    stores: tuple[str, ...] = ()
    asked_at: AwareDatetime | None = None
    """When it was last asked for receipts, with success."""
    paused_by: Text = ""
    """Who has paused it, `orderack` where it was marked down by its own errors; empty: it is given orders."""
    paused_since: AwareDatetime | None = None
    pause_reason: Text = ""
    marked_down: bool = False
    probe_at: AwareDatetime | None = None
    """Marked down: when it is tried next."""
    once: Text = ""
    receipts: Text = ""


class ErpList(Value):
    erps: tuple[ErpRow, ...]
    problem: Text = ""


def erps(markdown: Markdown = False, as_json: AsJson = False) -> None:
    """Every ERP: whether it is set up, which stores book in it, and when it was last asked for receipts.

    Example: orderack erps

    Exit code 0.
    """
    specs = load()
    if markdown:
        typer.echo(page(specs), nl=False)
        return
    policy, problem = _policy()
    asked, pauses, away = run(_asked())
    installed = {name: name for name in specs} | {
        name: row.system for name, row in (policy.erps if policy else {}).items() if row.system in specs
    }
    rows = tuple(_row(name, system, specs[system], policy, asked) for name, system in installed.items())
    rows = tuple(_with_pause(row, pauses.get(of_erp(row.name))) for row in rows)
    if as_json:
        print_json(ErpList(erps=rows, problem=problem or away))
        return
    cells = ((row.name, row.system, _state(row), ", ".join(row.stores) or None, row.asked_at) for row in rows)
    print_table(("ERP", "system", "state", "stores", "last asked for receipts"), cells)
    ready = sum(row.state == "ready" for row in rows)
    typer.echo(
        f"{ready} of {len(rows)} are set up. docs/erps.md says what each needs, and what it does once.", err=True
    )
    for one in (problem, away):
        if one:
            typer.echo(one, err=True)


def _row(name: str, system: str, spec: ErpSpec, policy: Policy | None, asked: Mapping[str, AwareDatetime]) -> ErpRow:
    state = settings_state(spec, prefix_of("ERP", name))
    lacking = tuple(one.variable for one in state.settings if one.state in ("missing", "not valid"))
    stores = policy.stores.items() if policy else ()
    return ErpRow(
        name=name,
        system=system,
        description=spec.description,
        state=state.word,
        lacks=(*lacking, *state.problems),
        stores=tuple(store for store, row in stores if row.erp and row.erp.name == name),
        asked_at=asked.get(f"erp/{name}"),
        once=spec.once,
        receipts=spec.receipts,
    )


def _policy() -> tuple[Policy | None, str]:
    try:
        return load_policy(Settings().policy_dir), ""
    except Misconfigured:
        return None, "Stores are not known: the policy cannot be read; `orderack policy check` says why."


def _with_pause(row: ErpRow, pause: Pause | None) -> ErpRow:
    if pause is None:
        return row
    return row.model_copy(
        update={
            "paused_by": pause.by,
            "paused_since": pause.at,
            "pause_reason": pause.reason,
            "marked_down": pause.is_mark,
            "probe_at": pause.probe_at,
        }
    )


def _state(row: ErpRow) -> str:
    if row.paused_since is None:
        return row.state
    return f"{row.state}; {paused_words(row.paused_since, row.paused_by, row.pause_reason, row.probe_at)}"


async def _asked() -> tuple[Mapping[str, AwareDatetime], Mapping[str, Pause], str]:
    """When each was last asked, and what is paused."""
    try:
        async with the_ledger() as ledger:
            return dict(await ledger.looked_at()), await ledger.paused(), ""
    except (OrderAckError, SQLAlchemyError, OSError) as error:
        words = str(error) if isinstance(error, OrderAckError) else f"the ledger failed ({type(error).__name__})"
        return {}, {}, f"When they were asked is not known: {words}"[:500]
