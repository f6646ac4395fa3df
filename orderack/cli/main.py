"""`orderack`: the operators' commands. Every failure is one sentence and an exit code (`exits`), never a traceback."""

import os
import sys
import traceback
from collections.abc import Sequence
from typing import NoReturn

import typer

from orderack.cli import (
    audit_commands,
    channel_commands,
    codec_commands,
    erp_commands,
    evidence_commands,
    gap_commands,
    ledger_commands,
    page_commands,
    policy_commands,
    report_commands,
    review_commands,
    shadow_commands,
    source_commands,
    sweep_commands,
    temporal_commands,
    webhook_commands,
)
from orderack.cli.accept_command import accept
from orderack.cli.answer_command import answer
from orderack.cli.cancel_command import cancel
from orderack.cli.change_command import change
from orderack.cli.channels_command import channels
from orderack.cli.claim_command import claim
from orderack.cli.customer_command import customer
from orderack.cli.cutover_command import cutover
from orderack.cli.demo_command import run_demo
from orderack.cli.doctor_command import doctor
from orderack.cli.erase_command import erase
from orderack.cli.erps_command import erps
from orderack.cli.exits import INTERRUPTED, NO, failure_of, report
from orderack.cli.find_command import find
from orderack.cli.gateway_command import gateway
from orderack.cli.phone_command import phone
from orderack.cli.queue_command import queue
from orderack.cli.receipt_command import receipt
from orderack.cli.reconcile_command import oversell, reconcile
from orderack.cli.sandbox_command import sandbox
from orderack.cli.settle_command import settle
from orderack.cli.sources_command import sources
from orderack.cli.status_command import status
from orderack.cli.submit_command import submit
from orderack.cli.timeline_command import timeline
from orderack.cli.up_command import up
from orderack.cli.watch_command import watch
from orderack.cli.worker_command import worker
from orderack.temporal.ending import end

BUG = 70
"""Ours to mend (EX_SOFTWARE of sysexits.h)."""

app = typer.Typer(
    name="orderack",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    help="Durable order acknowledgement: tells the buyer what is true, when it is true.",
    epilog="Exit codes: 0 done, 1 the answer is no, 2 wrong usage or input, 3 a service is away, 4 a broken record.",
)

COMMANDS = (
    submit,
    phone,
    status,
    timeline,
    find,
    customer,
    queue,
    watch,
    receipt,
    reconcile,
    oversell,
    change,
    cancel,
    claim,
    accept,
    settle,
    answer,
    channels,
    sources,
    erps,
    sandbox,
    gateway,
    worker,
    doctor,
    erase,
    cutover,
)

app.command()(up)
app.command("demo")(run_demo)
app.command()(codec_commands.codec_server)
for command in COMMANDS:
    app.command()(command)
app.add_typer(review_commands.app, name="review")
app.add_typer(audit_commands.app, name="audit")
app.add_typer(channel_commands.app, name="channel")
app.add_typer(codec_commands.app, name="codec")
app.add_typer(erp_commands.app, name="erp")
app.add_typer(evidence_commands.app, name="evidence")
app.add_typer(gap_commands.app, name="gap")
app.add_typer(ledger_commands.app, name="ledger")
app.add_typer(page_commands.app, name="page")
app.add_typer(policy_commands.app, name="policy")
app.add_typer(report_commands.app, name="report")
app.add_typer(shadow_commands.app, name="shadow")
app.add_typer(source_commands.app, name="source")
app.add_typer(sweep_commands.app, name="sweep")
app.add_typer(temporal_commands.app, name="temporal")
app.add_typer(webhook_commands.app, name="webhooks")


def main() -> NoReturn:
    """The console script."""
    end(run(sys.argv[1:]))


def run(arguments: Sequence[str]) -> int:
    """Run one command; its exit code."""
    as_json = "--json" in arguments and "demo" not in arguments[:1]  # there it names a file
    # Typer asks for the shell by name (`--show-completion bash`) only under this switch; guessing it from the parent
    # process fails in scripts and containers.
    os.environ.setdefault("_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION", "1")
    try:
        code = app(list(arguments), prog_name="orderack", standalone_mode=False)
    except SystemExit as done:
        return done.code if isinstance(done.code, int) else NO if done.code else 0
    except (KeyboardInterrupt, typer.Abort):
        return INTERRUPTED
    except BrokenPipeError:
        return NO
    except Exception as error:
        failure = failure_of(error)
        if failure is None:
            traceback.print_exc()
            return BUG
        return report(failure, as_json=as_json)
    return code if isinstance(code, int) else 0
