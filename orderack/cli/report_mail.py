"""Mailing a report: by which channel, to whom, and what is said of it."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Annotated

import typer

from orderack import channels
from orderack.cli.exits import AWAY, NO, OK, bad
from orderack.clients.email_address import one_address
from orderack.diagnostics.weekly.mailing import Fate, MailBook, Post, Posted, post
from orderack.domain.address import normal_address
from orderack.domain.unknown_fields import closest
from orderack.errors import Misconfigured, Refused
from orderack.ports import Channel, Medium, Rendered, Traits

FIRST = ("smtp_email", "sendgrid_email")
"""Asked in this order where none is named; then the others by name."""

Emails = Annotated[
    list[str] | None,
    typer.Option("--email", help="Mail the report to this address, once; as often as needed.", metavar="ADDRESS"),
]
Again = Annotated[bool, typer.Option("--again", help="With --email: also to those who have this week's mail.")]
By = Annotated[
    str | None, typer.Option("--channel", help="With --email: by this e-mail channel of ours.", metavar="NAME")
]

SAID = {
    Fate.SENT: "mailed to {0}",
    Fate.ALREADY: "{0} has it already, mailed {1}; --again mails it once more",
    Fate.UNDER_WAY: "{0}: {1}; nothing was sent",
    Fate.IN_DOUBT: "{0}: {1}; --again mails it once more",
    Fate.REFUSED: "{0}: not mailed, {1}",
    Fate.UNAVAILABLE: "{0}: not mailed, {1}; run the command again",
}
CODES = {Fate.REFUSED: NO, Fate.UNAVAILABLE: AWAY, Fate.IN_DOUBT: AWAY}


def addresses(given: Sequence[str] | None) -> tuple[str, ...]:
    """Each address once. Raises InvalidInput for what is none."""
    found: dict[str, str] = {}
    for text in given or ():
        try:
            found.setdefault(normal_address(text), one_address(text))
        except Refused:
            raise bad("--email", f"{text!r} is not one e-mail address", "write one address for each --email") from None
    return tuple(found.values())


def mail_channel(name: str | None) -> Channel:
    """The channel that mails reports. Raises InvalidInput, or Misconfigured with what to set."""
    able = sorted(each for each, spec in channels.load().items() if _can(spec.adapter.traits))
    if name is not None and name not in able:
        guess = closest(name, able)
        raise bad("--channel", f"{name!r} mails no reports", f"did you mean {guess or ', '.join(able)}?")
    wanted = [name] if name else [*FIRST, *(each for each in able if each not in FIRST)]
    built = channels.build(wanted)
    if name:
        return built[name]
    for each in wanted:
        if each in built.ready:
            return built.ready[each]
    lacks = (f"{each}: {', '.join(built.not_configured[each])}" for each in FIRST)
    raise Misconfigured(f"no e-mail channel is configured, and one of these would do: {'; '.join(lacks)}")


def _can(traits: Traits) -> bool:
    """It mails HTML to an address, whatever the message is about."""
    return traits.medium is Medium.EMAIL and traits.address == "email" and traits.html and not traits.needs_order


async def post_all(
    book: MailBook, channel: Channel, to: Sequence[str], report: str, store: str | None, content: Rendered, again: bool
) -> Sequence[Posted]:
    """One after the other; what fails for one address keeps none from the others."""
    try:
        return [
            await post(
                book,
                channel,
                Post(report=report, store=store, address=address, content=content),
                datetime.now(UTC),
                again=again,
            )
            for address in to
        ]
    finally:
        await channel.aclose()


def say(posted: Sequence[Posted]) -> int:
    """Say on stderr what became of each; the exit code."""
    for one in posted:
        typer.echo(SAID[one.fate].format(one.address, one.detail), err=True)
    return max((CODES.get(one.fate, OK) for one in posted), default=OK)
