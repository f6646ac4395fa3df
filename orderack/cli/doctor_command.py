"""`orderack doctor`: is this installation in order, and what is to be done where it is not?"""

from collections.abc import Awaitable, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated

import typer
from temporalio.client import Client

from orderack import erps, sources
from orderack.bootstrap import connections, wanted_looks, wanted_sweeps
from orderack.cli.doctor_findings import Finding, Standing, wrong
from orderack.cli.doctor_ledger import check_ledger, check_schema, ledger_as_it_is
from orderack.cli.doctor_orders import check_agreement, check_schedules, check_sealed, check_stuck, open_orders
from orderack.cli.doctor_report import check_report
from orderack.cli.doctor_settings import check_policy_and_systems, check_settings
from orderack.cli.doctor_temporal import (
    check_attributes,
    check_builds,
    check_clock,
    check_namespace,
    check_queues,
    check_server,
)
from orderack.cli.exits import AWAY, NO
from orderack.cli.options import AsJson
from orderack.cli.printing import print_json, print_table
from orderack.cli.session import run
from orderack.cli.shadow_gate import CHECK as GATE
from orderack.cli.shadow_gate import check_gates
from orderack.domain.value import Value
from orderack.errors import Misconfigured, OrderAckError, Unavailable
from orderack.policy.load import load_policy
from orderack.settings import Settings
from orderack.temporal.codec_keys import CodecKeys
from orderack.temporal.connect import connect

Offline = Annotated[
    bool, typer.Option("--offline", help="Ask no vendor: look at the settings of channels and sources only.")
]


class Diagnosis(Value):
    """Everything that was looked at."""

    sound: bool
    """Nothing is wrong; there may be warnings."""
    findings: tuple[Finding, ...]


def doctor(offline: Offline = False, as_json: AsJson = False) -> None:
    """Is this installation in order? Looks at Temporal, the ledger, the settings, the policy and all it names, clocks,
    queues, builds, schedules and orders; says what to do where something is wrong. Changes nothing, sends nothing.

    Example: orderack doctor --offline

    Exit code 0: nothing is wrong (there may be warnings); 1: something is; 3: Temporal or the ledger did not answer.
    """
    findings = tuple(run(_looked(Settings(), offline)))
    sound = not any(one.standing is Standing.WRONG for one in findings)
    if as_json:
        print_json(Diagnosis(sound=sound, findings=findings))
    else:
        _show(findings)
    if any(one.away for one in findings):
        raise typer.Exit(AWAY)
    if not sound:
        raise typer.Exit(NO)


def _show(findings: Sequence[Finding]) -> None:
    print_table(("", "what", "found", "what to do"), ((f.standing, f.check, f.said, f.do or None) for f in findings))
    wrong_, warned = (sum(f.standing is one for f in findings) for one in (Standing.WRONG, Standing.WARN))
    typer.echo(f"{len(findings)} looked at: {wrong_} wrong, {warned} to know of.", err=True)


async def _looked(settings: Settings, offline: bool) -> Sequence[Finding]:
    """Temporal first, then the ledger, what is set here, and the orders that tie them together."""
    client, found = await _temporal(settings)
    schema = await check_schema(settings.ledger_url)
    found.append(schema)
    if schema.standing is Standing.OK:
        async with ledger_as_it_is(settings.ledger_url) as ledger:
            found += await _within("ledger", check_ledger(ledger, datetime.now(UTC)))
            with suppress(Misconfigured):  # said of the policy itself
                found += await _within(GATE, check_gates(ledger, load_policy(settings.policy_dir)))
            if client is not None:
                running = await open_orders(client)
                found += await _within("agreement", check_agreement(client, ledger, running, datetime.now(UTC)))
    return [*found, *check_settings(settings), *await check_policy_and_systems(settings, offline)]


async def _temporal(settings: Settings) -> tuple[Client | None, list[Finding]]:
    """What can be said of the server; no client where there is nothing more to ask it."""
    try:
        client = await connect()
    except (Unavailable, Misconfigured) as error:
        do = "docs/operations/cloud.md lists the settings and what each error means"
        return None, [wrong("temporal", str(error), do, away=isinstance(error, Unavailable))]
    found = [await check_server(client), await check_namespace(client)]
    if any(one.standing is Standing.WRONG for one in found):
        return None, found
    now = datetime.now(UTC)
    return client, [
        *found,
        await check_attributes(client),
        await check_clock(client),
        *await check_queues(client, now),
        *await check_builds(client, settings, now),
        *await _orders(client, settings),
    ]


async def _orders(client: Client, settings: Settings) -> list[Finding]:
    running = await open_orders(client)
    found = [await check_stuck(client, running)]
    with suppress(Misconfigured):  # said of the keys and of the policy themselves
        found.append(await check_sealed(client, running, CodecKeys.configured()))
        policy = load_policy(settings.policy_dir)
        built = sources.build(connections(policy)), erps.build({name: e.system for name, e in policy.erps.items()})
        sweeps = wanted_sweeps(settings, policy, built[1])
        found.append(await check_schedules(client, wanted_looks(policy, *built) | sweeps))
    found.append(await check_report(client, settings))
    return found


async def _within(check: str, look: Awaitable[list[Finding]]) -> list[Finding]:
    try:
        return await look
    except OrderAckError as error:
        return [wrong(check, str(error), "try again", away=isinstance(error, Unavailable))]
