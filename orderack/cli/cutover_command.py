"""`orderack cutover`: a shadow store goes live, once the comparison allows it; and back, at once."""

from datetime import UTC, datetime
from typing import Annotated

import typer

from orderack.cli.exits import NO, bad
from orderack.cli.options import AsJson, By
from orderack.cli.printing import plain, print_json, when
from orderack.cli.session import run, the_ledger
from orderack.cli.shadow_store import (
    BUDGET,
    SETTLE,
    Budget,
    Settle,
    Since,
    live_percent,
    moment,
    report_of,
    span,
    terms,
    the_store,
)
from orderack.diagnostics.shadow.gate import Answer, Wanted, ask
from orderack.diagnostics.shadow.report import Terms
from orderack.diagnostics.wording import counted
from orderack.domain.order import Name
from orderack.domain.shadow import ALL_LIVE, NONE_LIVE
from orderack.domain.value import Value
from orderack.ledger.repository import SqlLedger
from orderack.ledger.shadow import Cutover


class CutoverDone(Value):
    """How the store stands after the command. `step` None: nobody ever cut over."""

    store: Name
    live_percent: int
    changed: bool
    gate: Answer | None = None
    """What was measured; None: it was not asked for."""
    step: Cutover | None = None
    shadow_orders: int = 0
    """Of a store that its policy took live with nobody asking the gate: how many it had kept."""


class Asked(Value):
    """The step that is asked for."""

    store: Name
    percent: int
    by: Name
    note: str
    back: bool
    wanted: Wanted
    terms: Terms
    since: datetime | None


def cutover(
    store: Annotated[str, typer.Argument(help="The store's name in the policy.", metavar="STORE")],
    by: By,
    percent: Annotated[int, typer.Option(min=0, max=100, help="So many in 100 new orders go live.")] = ALL_LIVE,
    orders: Annotated[int, typer.Option(min=1, help="At least so many shadow orders were compared.")] = 500,
    p95: Annotated[
        str, typer.Option(help="The first word's budget at the 95th percentile.", metavar="DURATION")
    ] = "60s",
    back: Annotated[
        bool, typer.Option("--back", help="Back to shadow, for every order that comes from now on.")
    ] = False,
    note: Annotated[str, typer.Option("--note", help="Why, in a few words.", metavar="TEXT")] = "",
    since: Since = None,
    settle: Settle = SETTLE,
    budget: Budget = BUDGET,
    as_json: AsJson = False,
) -> None:
    """Take a shadow store live: all of its new orders, or so many in 100 first. Orders under way keep their side.

    Refused until enough shadow orders were compared, none of ours was confirmed before the ERP's receipt, the first
    word is within its budget, and every discrepancy is resolved or waived by name. Of orders since the last way back,
    unless --since says otherwise. --back needs no permission, and workers need no restart for either.

    Example: orderack cutover demo --percent 10 --by grace

    Exit code 0: done, or it stood so before; 1: refused, with every reason; 2: wrong input; 3: the ledger did not
    answer.
    """
    name, now = the_store(store), datetime.now(UTC)
    if not by.strip():
        raise bad("--by", "is empty", "say who: it stands in the record for good")
    if back and percent != ALL_LIVE:
        raise bad("--percent", "stands beside --back", "--back takes all new orders into the shadow; leave one out")
    asked = Asked(
        store=name,
        percent=NONE_LIVE if back else percent,
        by=by,
        note=note,
        back=back or percent == NONE_LIVE,
        wanted=Wanted(orders=orders, p95=span("--p95", p95)),
        terms=terms(settle, budget),
        since=moment(since, now),
    )
    done = run(_take(asked, now))
    if as_json:
        print_json(done)
    else:
        _print(done)
    if done.gate and not done.gate.allowed:
        raise typer.Exit(NO)


async def _take(asked: Asked, now: datetime) -> CutoverDone:
    async with the_ledger() as ledger:
        stands, step = await live_percent(ledger, asked.store), await ledger.last_cutover(asked.store)
        unasked = await ledger.gate_unasked(asked.store) if stands and asked.percent else None
        kept = unasked.shadow_orders if unasked else 0
        if asked.percent == stands and not kept:
            return CutoverDone(store=asked.store, live_percent=stands, changed=False, step=step)
        gate = await _gate(ledger, asked, now, step) if asked.percent > stands or kept else None
        if gate and not gate.allowed:
            return CutoverDone(
                store=asked.store, live_percent=stands, changed=False, gate=gate, step=step, shadow_orders=kept
            )
        wanted = Cutover(
            store=asked.store,
            at=now,
            by=asked.by,
            live_percent=asked.percent,
            back=asked.back,
            note=asked.note,
            measured=gate.model_dump_json() if gate else "",
        )
        taken = await ledger.cut_over(wanted)
        ours = taken.model_dump(exclude={"n"}) == wanted.model_dump(exclude={"n"})
        return CutoverDone(store=asked.store, live_percent=taken.live_percent, changed=ours, gate=gate, step=taken)


async def _gate(ledger: SqlLedger, asked: Asked, now: datetime, step: Cutover | None) -> Answer:
    """Of the run since the last way back: what was seen before it allowed a cutover that somebody took back."""
    since = asked.since or (step.at if step and step.back else None)
    return ask(await report_of(ledger, asked.store, asked.terms, now, since), asked.wanted)


_JUDGE = """Each that begins with an id waits for a person's word:
  orderack shadow resolve ID --by NAME --note TEXT     understood and mended, or right as it is
  orderack shadow waive ID --by NAME --reason TEXT     let it stand; --kind KIND --for 14d for all of a kind"""


def _stays(done: CutoverDone) -> str:
    """How the store goes on where the gate does not allow what was asked."""
    share = f"live for {done.live_percent} in 100 orders" if done.live_percent < ALL_LIVE else "live"
    if done.shadow_orders:
        back = f"orderack cutover {done.store} --back takes it into the shadow"
        return f"{done.store} is {share} by its policy, which nobody asked the gate about, and stays so ({back})"
    return f"{done.store} stays in the shadow" if done.live_percent == NONE_LIVE else f"{done.store} stays {share}"


def _print(done: CutoverDone) -> None:
    if done.gate and not done.gate.allowed:
        many = counted(len(done.gate.reasons), "reason")
        typer.echo(plain(f"orderack: refused; {_stays(done)}. {many[0].upper()}{many[1:]}:"), err=True)
        for reason in done.gate.reasons:
            typer.echo(plain(f"- {reason}"), err=True)
        if any(reason.startswith("d-") for reason in done.gate.reasons):
            typer.echo(_JUDGE, err=True)
        return
    how = "is live" if done.live_percent == ALL_LIVE else "is in the shadow"
    if NONE_LIVE < done.live_percent < ALL_LIVE:
        how = f"is live for {done.live_percent} in 100 orders, the others are in the shadow"
    was = "" if done.changed else " already"
    who = f", since {when(done.step.at)} by {done.step.by}" if done.step else ", by its policy"
    typer.echo(plain(f"{done.store} {how}{was}{who}. Orders under way keep their side."))
    if done.gate:
        p95 = f"{done.gate.p95:.1f} s" if done.gate.p95 is not None else "none"
        typer.echo(
            f"Measured: {done.gate.orders} shadow orders; first word p95 {p95}; confirmed before the ERP's receipt: "
            f"none of ours, {done.gate.old_before_receipt} of the old flow's; discrepancies: "
            f"{done.gate.resolved} resolved, {done.gate.waived} waived."
        )
