"""`orderack erp`: take an ERP out of service and back (the storm is known, or planned)."""

import asyncio
from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer
from pydantic import AwareDatetime

from orderack.cli.exits import bad
from orderack.cli.options import AsJson, By
from orderack.cli.printing import print_json, when
from orderack.cli.session import orders_door, run, the_ledger
from orderack.contracts import names
from orderack.domain.order import Name, Text
from orderack.domain.value import Value
from orderack.errors import OrderAckError
from orderack.ledger.repository import SqlLedger
from orderack.policy.load import load_policy
from orderack.ports import Pause
from orderack.ports.channel_book import of_erp
from orderack.settings import Settings

app = typer.Typer(no_args_is_help=True, help="One ERP: take it out of service, and back.")

ErpName = Annotated[str, typer.Argument(help="The ERP, as the policy names it.", metavar="NAME")]
Why = Annotated[str, typer.Option("--reason", help="Why, for whoever wonders later.", metavar="TEXT")]

IN_A_SECOND = 10
"""Orders woken: an ERP that has just come back is spared."""
REACH = timedelta(days=30)
AT_MOST = 10_000


class ErpSwitched(Value):
    """An ERP's pause, made or ended; `woken`: orders whose turn came at once."""

    erp: Name
    paused: bool
    changed: bool
    since: AwareDatetime | None = None
    by: Text = ""
    reason: Text = ""
    woken: int = 0
    problem: Text = ""


@app.command()
def pause(name: ErpName, by: By, reason: Why = "", as_json: AsJson = False) -> None:
    """Give an ERP no orders and no cancellations until it is resumed. Buyers are told as ever, its receipts are taken.

    What was marked down by its own errors is tried by itself; paused, it is tried by nobody.

    Example: orderack erp pause netsuite --reason "upgrade until 22:00"

    Exit code 0: it is paused (also when it was); 2: no store books in it; 3: the ledger did not answer.
    """
    _the_erp(name)
    if not by.strip():
        raise bad("--by", "is empty", "say who pauses it")
    wanted = Pause(channel=of_erp(name), at=datetime.now(UTC), by=by.strip()[:200], reason=reason.strip()[:2_000])
    changed, stands = run(_pause(wanted))
    if as_json:
        print_json(
            ErpSwitched(erp=name, paused=True, changed=changed, since=stands.at, by=stands.by, reason=stands.reason)
        )
    elif changed:
        typer.echo(f"{name} is paused. It is given no orders; they wait, and their buyers are told so in time.")
    else:
        typer.echo(f"{name} was paused already, since {when(stands.at)} by {stands.by}; that pause stands.")


@app.command()
def resume(name: ErpName, as_json: AsJson = False) -> None:
    """Give an ERP orders again that was paused, or marked down: those that wait, the longest first, ten in a second.

    Example: orderack erp resume netsuite

    Exit code 0: it gets orders (also when it was not paused); 2: no store books in it; 3: the ledger did not answer.
    """
    _the_erp(name)
    done = run(_resume(name))
    if as_json:
        print_json(done)
    elif not done.changed:
        typer.echo(f"{name} was not paused.")
    else:
        typer.echo(f"{name} gets orders again; {done.woken} that waited were tried at once.")
        if done.problem:
            typer.echo(f"{done.problem} The others come by themselves within five minutes.", err=True)


def _the_erp(name: str) -> None:
    policy = load_policy(Settings().policy_dir)
    known = sorted({store.erp.name for store in policy.stores.values() if store.erp})
    if name not in known:
        raise bad("NAME", f"is no ERP of a store: {name}", f"name one of {', '.join(known) or 'the policy'}")


async def _pause(wanted: Pause) -> tuple[bool, Pause]:
    async with the_ledger() as ledger:
        changed = await ledger.pause(wanted)
        return changed, (await ledger.paused()).get(wanted.channel, wanted)


async def _resume(name: str) -> ErpSwitched:
    async with the_ledger() as ledger:
        changed = await ledger.resume(of_erp(name))
        woken, problem = await _wake(ledger, name) if changed else (0, "")
        return ErpSwitched(erp=name, paused=False, changed=changed, woken=woken, problem=problem)


async def _wake(ledger: SqlLedger, erp: str) -> tuple[int, str]:
    """Those that wait out the pause, in the order of their age, at a pace; how many, and what kept the others."""
    woken = 0
    try:
        orders = await orders_door()
        for one in await ledger.awaited(erp, datetime.now(UTC) - REACH, limit=AT_MOST):
            if await orders.try_now(one.ref, names.SUBMIT_TO_ERP):
                woken += 1
                await asyncio.sleep(1 / IN_A_SECOND)
    except OrderAckError as error:
        return woken, f"Not all could be woken: {error}."
    return woken, ""
