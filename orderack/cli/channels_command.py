"""`orderack channels`: every channel there is, whether it can send, and how its sends fared."""

from collections.abc import Mapping
from typing import Annotated

import typer
from pydantic import AwareDatetime
from sqlalchemy.exc import SQLAlchemyError

from orderack.channels import load
from orderack.cli.adapter_settings import settings_state
from orderack.cli.channel_page import page
from orderack.cli.channel_words import AUDIENCE, address, doubt, rate, strongest
from orderack.cli.options import AsJson
from orderack.cli.paused import paused_words
from orderack.cli.printing import print_json, print_table, when
from orderack.cli.session import run, the_ledger
from orderack.domain.order import Name, Text
from orderack.domain.value import Value
from orderack.errors import OrderAckError
from orderack.ports import Health, Pause
from orderack.registry import ChannelSpec

Markdown = Annotated[bool, typer.Option("--markdown", help="Print docs/channels.md instead.")]


class ChannelRow(Value):
    """One channel of the registry."""

    name: Name
    description: Text
    state: Text
    """`ready`, `missing settings`, `not valid`, `paused` or `marked down` (by its own errors)."""
    lacks: tuple[str, ...] = ()
    """The variables that are missing or not valid, and what is wrong with them together."""
    paused_since: AwareDatetime | None = None
    paused_by: Text = ""
    pause_reason: Text = ""
    probe_at: AwareDatetime | None = None
    """Marked down: from when on the next message is tried."""
    audience: Name
    address: Name
    evidence_ceiling: Name
    strongest_evidence: Text
    idempotency: Name
    doubt: Text
    replies: bool
    rate_per_second: float
    last_success: AwareDatetime | None = None
    last_failure: AwareDatetime | None = None
    failure: Text = ""


class ChannelList(Value):
    channels: tuple[ChannelRow, ...]
    ledger: Text = ""
    """Why nothing is known of pauses and sends; empty: it is."""


class Known(Value):
    """What the ledger knows of channels."""

    paused: Mapping[str, Pause] = {}
    health: Mapping[str, Health] = {}
    problem: Text = ""


def channels(markdown: Markdown = False, as_json: AsJson = False) -> None:
    """Every channel: whether it can send, whom it reaches, what it can prove, how a doubt is settled, how it fared.

    Without a ledger the table shows what the settings say, and that nothing else is known.

    Example: orderack channels

    Exit code 0.
    """
    if markdown:
        typer.echo(page(load()), nl=False)
        return
    known = run(_known())
    rows = tuple(row_of(name, spec, known) for name, spec in load().items())
    if as_json:
        print_json(ChannelList(channels=rows, ledger=known.problem))
        return
    columns = ("channel", "state", "reaches", "by", "strongest evidence", "a doubt is settled by", "per second")
    print_table((*columns, "last success", "last failure"), map(_cells, rows))
    ready = sum(row.state == "ready" for row in rows)
    typer.echo(
        f"{ready} of {len(rows)} can send. `orderack channel doctor NAME` says what one lacks and where to get it.",
        err=True,
    )
    if known.problem:
        typer.echo(f"Pauses and sends are not known: {known.problem}", err=True)


def row_of(name: str, spec: ChannelSpec, known: Known) -> ChannelRow:
    """What there is to say of one channel."""
    traits, settings = spec.adapter.traits, settings_state(spec)
    pause, health = known.paused.get(name), known.health.get(name, Health())
    lacking = tuple(one.variable for one in settings.settings if one.state in ("missing", "not valid"))
    return ChannelRow(
        name=name,
        description=spec.description,
        state=("marked down" if pause.is_mark else "paused") if pause else settings.word,
        lacks=(*lacking, *settings.problems),
        paused_since=pause.at if pause else None,
        paused_by=pause.by if pause else "",
        pause_reason=pause.reason if pause else "",
        probe_at=pause.probe_at if pause else None,
        audience=traits.audience,
        address=traits.address,
        evidence_ceiling=traits.evidence_ceiling,
        strongest_evidence=strongest(traits),
        idempotency=traits.idempotency,
        doubt=doubt(traits),
        replies=traits.replies,
        rate_per_second=traits.rate_per_second,
        last_success=health.accepted_at,
        last_failure=health.failed_at,
        failure=health.failure,
    )


def _cells(row: ChannelRow) -> tuple[object, ...]:
    traits = load()[row.name].adapter.traits
    state = row.state
    if row.paused_since is not None:
        state = paused_words(row.paused_since, row.paused_by, row.pause_reason, row.probe_at)
    failed = f"{when(row.last_failure)} {row.failure}".strip() if row.last_failure else None
    return (
        *(row.name, state, AUDIENCE[traits.audience], address(traits), row.strongest_evidence, row.doubt),
        *(rate(traits), row.last_success, failed),
    )


async def _known() -> Known:
    """What the ledger says; that it cannot be asked is said instead."""
    try:
        async with the_ledger() as ledger:
            return Known(paused=await ledger.paused(), health=await ledger.health())
    except (OrderAckError, SQLAlchemyError, OSError) as error:
        words = str(error) if isinstance(error, OrderAckError) else f"the ledger failed ({type(error).__name__})"
        return Known(problem=words[:500])
