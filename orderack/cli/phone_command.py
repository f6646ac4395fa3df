"""`orderack phone`: the phone desk takes an order, reads it back, hands it in, and sees that it is acknowledged."""

import asyncio
import json
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated
from uuid import uuid4
from zoneinfo import ZoneInfo

import typer
from babel.numbers import get_territory_currencies

from orderack.bootstrap import channel_traits
from orderack.cli.exits import INTERRUPTED, NO, bad
from orderack.cli.options import AsJson
from orderack.cli.phone_dialogue import HELP, Cancelled, Dialogue, Know, from_answers, typed
from orderack.cli.phone_drafts import forget, keep
from orderack.cli.phone_order import SOURCE, order_of, read_back
from orderack.cli.phone_questions import Desk
from orderack.cli.printing import print_json, when
from orderack.cli.reading import read
from orderack.cli.session import orders_door, run, the_ledger
from orderack.cli.submit_command import demand_known, hand_in
from orderack.contracts.updates import SubmitReply, SubmitVerdict
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import Order, OrderRef
from orderack.domain.value import Value
from orderack.errors import InvalidInput, Misconfigured, OrderAckError, OrderUnknown, Unavailable
from orderack.policy.load import FILE, load_policy
from orderack.policy.model import Policy
from orderack.settings import Settings

Script = Annotated[
    Path | None,
    typer.Option("--answers", help="The answers as JSON (question: answer); - reads standard input.", metavar="FILE"),
]
Wait = Annotated[float, typer.Option(min=0, max=120, help="Seconds to wait for the first message to go out.")]


class Taken(Value):
    """What `--json` prints."""

    order: OrderRef
    reply: SubmitReply
    acknowledged_at: datetime | None
    """When the first message went out; None: not yet."""
    acknowledged_by: str | None = None


def phone(answers: Script = None, wait: Wait = 20.0, as_json: AsJson = False) -> None:
    """Take an order on the phone: asks in turn, reads the order back, hands it in, and says when it is acknowledged.

    While it asks: < goes back, ! cancels, ? shows what was said. Nothing is sent before the caller says yes.

    Example: orderack phone

    An order that nobody answered for is kept as a file: `orderack submit` hands it in, and twice is once.

    Exit code 0: taken; 1: cancelled, or the order is closed; 2: wrong input; 3: nobody answered; 130: Ctrl-C.
    """
    number = f"PH-{datetime.now(UTC):%y%m%d}-{uuid4().hex[:6].upper()}"
    desk = _desk()
    if answers is not None:
        order = _scripted(answers, desk, number)
    elif sys.stdin.isatty():
        order = _asked(desk, number)
    else:
        raise bad("standard input", "is no terminal", "run it in one, or give the answers with --answers FILE")
    demand_known(order)
    _show(_hand_in(order, wait), as_json=as_json)


def _hand_in(order: Order, wait: float) -> Taken:
    """Through the same door as `orderack submit`. Raises InvalidInput, Unavailable."""
    try:
        reply = run(hand_in(order))
    except (KeyboardInterrupt, Unavailable):
        typer.echo(f"orderack: nobody answered: whether order {order.ref} was taken is not known.", err=True)
        file = keep(order)
        typer.echo(
            f"orderack: it is kept; hand it in again with `orderack submit {file}`: taken twice it is one", err=True
        )
        raise
    forget(order)
    if reply.verdict is SubmitVerdict.INVALID:
        raise InvalidInput(reply.problems)
    out = None
    if reply.verdict is not SubmitVerdict.CLOSED:
        try:
            out = run(_acknowledged(order.ref, wait))
        except (KeyboardInterrupt, OrderAckError):
            typer.echo(f"orderack: the order is taken; `orderack status {order.ref}` says when it is told", err=True)
    at, by = out or (None, None)
    return Taken(order=order.ref, reply=reply, acknowledged_at=at, acknowledged_by=by)


def _show(taken: Taken, *, as_json: bool) -> None:
    if as_json:
        print_json(taken)
    elif taken.reply.verdict is SubmitVerdict.CLOSED:
        typer.echo(f"Order {taken.order} is closed: nothing was changed.")
    elif taken.acknowledged_at is not None:
        at = when(taken.acknowledged_at)
        typer.echo(f"Order {taken.order} is taken; its message went out by {taken.acknowledged_by} at {at}.")
    else:
        typer.echo(f"Order {taken.order} is taken; its message has not gone out yet: {taken.reply.next}")
        typer.echo(f"`orderack status {taken.order}` says when it has.")
    if taken.reply.verdict is SubmitVerdict.CLOSED:
        raise typer.Exit(NO)


async def _acknowledged(ref: OrderRef, wait: float) -> tuple[datetime, str] | None:
    """When the first message to the buyer went out, and by which channel; None: not within `wait` seconds."""
    orders = await orders_door()
    ends = asyncio.get_running_loop().time() + wait
    while True:
        try:
            told = (await orders.status(ref)).acknowledgements
        except OrderUnknown:
            told = ()
        for one in told:
            if one.kind in (Kind.RECEIVED, Kind.CONFIRMATION) and one.out_at is not None:
                return one.out_at, ", ".join(send.channel for send in one.sends) or "a channel"
        if asyncio.get_running_loop().time() >= ends:
            return None
        await asyncio.sleep(min(1.0, wait or 1.0))


def _asked(desk: Desk, number: str) -> Order:
    """The order of a talk. Nothing is sent by it, however it ends."""
    typer.echo(f"A new order. {HELP}.")
    dialogue = Dialogue(desk, typed, typer.echo, _knowing(typer.echo))
    try:
        while True:
            dialogue.go()
            order = order_of(dialogue.said, dialogue.desk, number, datetime.now(UTC))
            if dialogue.agreed(order, tuple(read_back(order))):
                return order
    except Cancelled:
        typer.echo("Cancelled: nothing was sent.")
        raise typer.Exit(NO) from None
    except (KeyboardInterrupt, typer.Abort):
        typer.echo("\nEnded: nothing was sent.", err=True)
        raise typer.Exit(INTERRUPTED) from None


def _scripted(file: Path, desk: Desk, number: str) -> Order:
    try:
        given = json.loads(read(file))
    except (ValueError, RecursionError):
        raise bad(str(file), "is not JSON", "write one object: question and answer, both as text") from None
    if not (isinstance(given, dict) and all(isinstance(one, str) for one in given.values())):
        raise bad(str(file), "is not an object of texts", 'write every answer as text, such as "currency": "EUR"')
    own = given.pop("number", number)
    try:
        known, said = from_answers(desk, given, _knowing(lambda _: None))
    except ValueError as wrong:
        name, _, remedy = str(wrong).partition(": ")
        raise bad(name, "cannot be taken", remedy) from None
    return order_of(said, known, own, datetime.now(UTC))


def _desk() -> Desk:
    """What the policy says. Raises Misconfigured where it has no stores or no phone desk."""
    folder = Settings().policy_dir
    if not (folder / FILE).is_file():
        raise Misconfigured(f"there is no policy at {folder}: run this where it is, or set ORDERACK_POLICY_DIR")
    policy = load_policy(folder)
    if SOURCE not in policy.sources or not policy.stores:
        raise Misconfigured(f"the policy ({folder}) has no source `{SOURCE}` or no store: add them")
    return _for_store(policy, next(iter(policy.stores)))


def _for_store(policy: Policy, store: str) -> Desk:
    row, source = policy.stores[store], policy.sources[SOURCE]
    traits = channel_traits()
    named = [name for group in source.channels for name in group]
    profile = row.profile
    return Desk(
        stores=tuple(policy.stores),
        channels={name: traits[name].address for name in named if traits[name].address in ("email", "phone")},
        country=profile.country,
        time_zone=profile.time_zone,
        currency=next(iter(get_territory_currencies(profile.country)), "USD"),
        language=policy.languages[0],
        today=datetime.now(ZoneInfo(profile.time_zone)).date(),
    )


def _knowing(say: Callable[[str], None]) -> Know:
    """Looks up the caller's earlier orders; a ledger that is away does not keep anybody from ordering."""

    def know(store: str, number: str) -> Desk:
        found = _for_store(load_policy(Settings().policy_dir), store)
        try:
            last = run(_last(store, number))
        except OrderAckError as away:
            say(f"  Earlier orders cannot be looked up: {away}.")
            return found
        if last is not None:
            say(f"  {last.customer.name or 'This caller'} ordered before: {last.number}. Enter takes what is known.")
        return found.model_copy(update={"last": last})

    return know


async def _last(store: str, number: str) -> Order | None:
    """The latest order of this phone number at this store."""
    async with the_ledger() as ledger:
        rows = [row for row in await ledger.find(number, 20) if row.ref.store == store]
        for row in sorted(rows, key=lambda one: one.trigger_at, reverse=True):
            if (stored := await ledger.revision(row.ref, row.revision)) is not None:
                return stored.order
    return None
