"""`orderack policy simulate`: orders of the past through a changed policy, before anybody is told by it."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from orderack.bootstrap import source_answers
from orderack.cli.exits import NO, bad
from orderack.cli.installed import installed_channels
from orderack.cli.options import AsJson
from orderack.cli.policy_findings import findings
from orderack.cli.policy_simulate_words import print_simulation
from orderack.cli.printing import print_json
from orderack.cli.session import run, the_ledger
from orderack.diagnostics.whatif.looks import HISTORY, Chronicle, earlier_in_file
from orderack.diagnostics.whatif.page import page
from orderack.diagnostics.whatif.plots import demand_plots
from orderack.diagnostics.whatif.replay import World
from orderack.diagnostics.whatif.result import Simulation
from orderack.diagnostics.whatif.simulate import Asked, Policies, Simulator
from orderack.diagnostics.wording import counted
from orderack.domain.intake import parse_order
from orderack.domain.order import Order
from orderack.errors import InvalidInput
from orderack.ledger.past_orders import Span
from orderack.messages.wording import wordings
from orderack.policy.duration import parse_duration
from orderack.policy.load import FILE, PolicyInvalid, load_policy_file
from orderack.policy.model import Policy
from orderack.settings import Settings

EVERY = 1_000
"""Revisions between two words of progress."""

_MONTH = "30d"
MESSAGES = "messages"

With = Annotated[
    Path, typer.Option("--with", help="The changed policy: a file, or a folder with policy.yaml.", metavar="FILE")
]
Since = Annotated[
    str, typer.Option("--since", help="How far back (30d, 12h), or from when on (2026-10-01).", metavar="TIME")
]
Until = Annotated[str | None, typer.Option("--until", help="Up to when; default: now.", metavar="TIME")]
Store = Annotated[str | None, typer.Option("--store", help="Orders of this store only.", metavar="NAME")]
OrdersFile = Annotated[
    Path | None,
    typer.Option("--orders", help="Canonical orders, one JSON object a line, in place of the ledger.", metavar="FILE"),
]
Recorded = Annotated[
    list[Path] | None,
    typer.Option(
        "--recorded", help="An older policy file that decided some of them: checks those too.", metavar="FILE"
    ),
]
Minutes = Annotated[
    float | None,
    typer.Option(
        "--minutes-per-review", min=0.1, help="How long a review takes, in place of what was measured.", metavar="N"
    ),
]
Html = Annotated[Path | None, typer.Option("--html", help="Write the whole result as one HTML page.", metavar="FILE")]
Every = Annotated[bool, typer.Option("--list", help="Every change of every order, not some examples.")]
Fail = Annotated[bool, typer.Option("--fail-if-different", help="Exit code 1 if any order is treated differently.")]
Directory = Annotated[
    Path | None,
    typer.Option("--policy-dir", help="Where the policy in force is; default: ORDERACK_POLICY_DIR."),
]


def simulate(
    with_: With,
    since: Since = _MONTH,
    until: Until = None,
    store: Store = None,
    orders: OrdersFile = None,
    recorded: Recorded = None,
    minutes_per_review: Minutes = None,
    html: Html = None,
    every: Every = False,
    fail_if_different: Fail = False,
    policy_dir: Directory = None,
    as_json: AsJson = False,
) -> None:
    """Put orders of the past through a changed policy: who would be routed, told, clocked differently?

    Each order is decided with what was known when it was looked at. First the policy that decided it decides it
    again: what does not come out as recorded is said and left out. Nothing is changed or sent.

    Example: orderack policy simulate --since 30d --with policy.new.yaml

    Example: orderack policy simulate --with policy.new.yaml --html what-if.html --fail-if-different

    Exit code 0: simulated; 1: something is different (with --fail-if-different); 2: wrong usage, or a policy that
    does not load; 3: the ledger did not answer.
    """
    settings = Settings()
    directory = policy_dir or settings.policy_dir
    file = with_ / FILE if with_.is_dir() else with_
    span = _span(since, until, store)
    _demand_folder(html)
    policies = _policies(directory, file, recorded or [], settings.policy_divisor)
    asked = Asked(
        file=str(file),
        since=span.since,
        until=span.until,
        store=store,
        orders_file=str(orders or ""),
        divisor=settings.policy_divisor,
        minutes_per_review=minutes_per_review,
        lint=findings(load_policy_file(file), _messages(file, directory)),  # its clocks as they are written
        every=every,
    )
    found = _from_file(orders, policies, asked) if orders else run(_from_ledger(span, policies, asked))
    if html is not None:
        _write(html, found)
    if as_json:
        print_json(found)
    else:
        print_simulation(found, every=every, page=html)
    if fail_if_different and found.different:
        raise typer.Exit(NO)


async def _from_ledger(span: Span, policies: Policies, asked: Asked) -> Simulation:
    async with the_ledger() as ledger, ledger.past_orders(span) as past:
        number = await past.count()
        _say(f"{counted(number, 'revision')} to decide again; reading what was known and measured …")
        chronicle = Chronicle(await past.earlier(HISTORY), await past.latencies(HISTORY))
        times = await past.times()
        simulator = Simulator(policies, _world(chronicle), asked)
        done = 0
        async for revision in past.revisions():
            of_order = times.get(revision.ref)
            simulator.take(revision, of_order.reviews if of_order else ())
            done += 1
            if done % EVERY == 0:
                _say(f"{done} of {number} decided again …")
        return simulator.result(times, await past.without_content())


def _from_file(file: Path, policies: Policies, asked: Asked) -> Simulation:
    orders = [order for order in _orders(file) if asked.store in (None, order.store)]
    if not orders:
        raise bad("--orders", "holds no order", "name a file with one canonical order a line")
    simulator = Simulator(policies, _world(Chronicle(earlier_in_file(orders))), asked)
    for done, order in enumerate(orders, 1):
        simulator.take_order(order)
        if done % EVERY == 0:
            _say(f"{done} of {len(orders)} decided …")
    return simulator.result({}, 0)


def _world(chronicle: Chronicle) -> World:
    return World(chronicle=chronicle, channels=installed_channels(), answers=source_answers())


def _orders(file: Path) -> Iterator[Order]:
    """The orders of the file. Raises InvalidInput with the line of the first that is none."""
    try:
        lines = file.read_bytes().splitlines()
    except OSError as error:
        reason = error.strerror or type(error).__name__
        raise bad(
            "--orders", f"{file} cannot be read: {reason}", "name a file with one canonical order a line"
        ) from None
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        parsed = parse_order(line)
        if isinstance(parsed, tuple):
            at = f"{file} line {number}"
            raise InvalidInput([one.model_copy(update={"field": f"{at}: {one.field}"}) for one in parsed])
        yield parsed


def _policies(directory: Path, file: Path, older: Sequence[Path], divisor: float) -> Policies:
    in_force, new = _policy(directory / FILE, divisor), _policy(file, divisor)
    known = [_policy(one, divisor) for one in older]
    return Policies(
        in_force=in_force,
        new=new,
        older={one.version: one for one in known},
        languages=_languages(directory / MESSAGES),
        new_languages=_languages(_messages(file, directory)),
    )


def _policy(file: Path, divisor: float) -> Policy:
    """Raises InvalidInput with the lint's own words."""
    if not file.is_file():
        raise bad(str(file), "is not there", "name a policy file, or a folder with policy.yaml")
    try:
        return load_policy_file(file).scaled(divisor)
    except PolicyInvalid as error:
        raise InvalidInput(
            [one.model_copy(update={"field": f"{file}: {one.field}"}) for one in error.problems]
        ) from None


def _messages(file: Path, directory: Path) -> Path:
    """The wording that belongs to the new policy: beside it, else that of the policy in force."""
    beside = file.parent / MESSAGES
    return beside if beside.is_dir() else directory / MESSAGES


def _languages(messages: Path) -> frozenset[str]:
    return frozenset(language for language, _ in wordings(messages)) if messages.is_dir() else frozenset()


def _span(since: str, until: str | None, store: str | None) -> Span:
    end = _moment("--until", until, datetime.now(UTC)) if until else datetime.now(UTC)
    begin = _moment("--since", since, end)
    if begin >= end:
        raise bad("--since", "is not before --until", "ask for a time that has passed, such as 30d")
    return Span(begin, end, store)


def _moment(option: str, text: str, end: datetime) -> datetime:
    """A duration before `end`, or a moment; a day without a time begins at midnight UTC."""
    try:
        return end - parse_duration(text)
    except (ValueError, OverflowError):
        pass
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        raise bad(option, f"{text} is neither a duration nor a day", "write 30d, 12h or 2026-10-01") from None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def _demand_folder(html: Path | None) -> None:
    """Said before the work, not after it."""
    if html is not None and (html.is_dir() or not html.absolute().parent.is_dir()):
        raise bad("--html", f"{html} cannot be written", "name a file in a folder that is there")
    if html is not None:
        demand_plots()


def _write(html: Path, found: Simulation) -> None:
    try:
        html.write_text(page(found), encoding="utf-8")
    except OSError as error:
        raise bad("--html", f"cannot be written: {error.strerror}", "name a file in a folder of yours") from None
    _say(f"{html} is written.")


def _say(words: str) -> None:
    typer.echo(words, err=True)
