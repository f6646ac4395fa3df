"""Mailing a report: by which channel, to whom, and what is said of it."""

from collections.abc import Sequence
from typing import Annotated

import typer

from orderack.cli.exits import AWAY, NO, OK, bad
from orderack.clients.email_address import one_address
from orderack.diagnostics.weekly.mail_channels import able, the_channel
from orderack.diagnostics.weekly.mailing import Fate, Posted
from orderack.domain.address import normal_address
from orderack.domain.unknown_fields import closest
from orderack.errors import Refused
from orderack.ports import Channel

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
    if name is not None and name not in able():
        guess = closest(name, able())
        raise bad("--channel", f"{name!r} mails no reports", f"did you mean {guess or ', '.join(able())}?")
    return the_channel(name)


def say(posted: Sequence[Posted]) -> int:
    """Say on stderr what became of each; the exit code."""
    for one in posted:
        typer.echo(SAID[one.fate].format(one.address, one.detail), err=True)
    return max((CODES.get(one.fate, OK) for one in posted), default=OK)
