"""`orderack channel`: check one, try one, take one out of service and back."""

import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Annotated

import typer
from pydantic import AwareDatetime

from orderack import channels
from orderack.channels import load
from orderack.cli.adapter_settings import Given, settings_state
from orderack.cli.channel_doctor import Diagnosis, Word, diagnose
from orderack.cli.channel_trial import STORE, Fate, Tried, Wanted, trial, tried
from orderack.cli.channel_words import the_channel
from orderack.cli.exits import AWAY, BAD_INPUT, NO, OK, bad
from orderack.cli.options import AsJson, By
from orderack.cli.printing import print_facts, print_json, print_table, when
from orderack.cli.session import run, the_ledger
from orderack.domain.acknowledgement import Audience, Kind
from orderack.domain.order import ExternalId, Name, Text
from orderack.domain.value import Value
from orderack.errors import Misconfigured, Unsupported
from orderack.messages import MessageRenderer
from orderack.ports import Message, Pause
from orderack.settings import Settings

app = typer.Typer(no_args_is_help=True, help="One channel: check its settings, try it, pause it.")

ChannelName = Annotated[
    str, typer.Argument(help="The channel's name, as `orderack channels` lists it.", metavar="NAME")
]
Names = Annotated[list[str] | None, typer.Argument(help="The channels; none: all that are set up.", metavar="[NAME …]")]
Offline = Annotated[bool, typer.Option("--offline", help="Look at the settings only: ask no vendor.")]
To = Annotated[str, typer.Option("--to", help="The address; for the team's channels a role.", metavar="ADDRESS")]
WhichKind = Annotated[Kind | None, typer.Option("--kind", help="Which message; default: received (the team: alert).")]
Language = Annotated[str, typer.Option("--language", help="In which language.", metavar="TAG")]
On = Annotated[
    str | None,
    typer.Option("--on", help="A shop's own order, for channels that write on one.", metavar="SYSTEM=ID"),
]
Yes = Annotated[bool, typer.Option("--yes", help="Send it without asking.")]
Why = Annotated[str, typer.Option("--reason", help="Why, for whoever wonders later.", metavar="TEXT")]

PAGE = "page"
"""The address of the channel that is a page of ours: without an order there is none."""

EXITS: Mapping[Fate, int] = MappingProxyType(
    {
        Fate.ACCEPTED: OK,
        Fate.REFUSED: NO,
        Fate.UNSUPPORTED: NO,
        Fate.MISCONFIGURED: BAD_INPUT,
        Fate.UNAVAILABLE: AWAY,
        Fate.IN_DOUBT: AWAY,
    }
)
MEANS: Mapping[Fate, str] = MappingProxyType(
    {
        Fate.ACCEPTED: "the provider has it",
        Fate.REFUSED: "it said no; an order's message would take the fallback",
        Fate.UNSUPPORTED: "this channel cannot carry it; an order's message would take the fallback",
        Fate.MISCONFIGURED: "ours to mend; an order's message would wait for that, then take the fallback",
        Fate.UNAVAILABLE: "it was not sent; an order's message would be tried again",
        Fate.IN_DOUBT: "nobody knows whether it went out; an order's message would not be blindly sent again",
    }
)


class Diagnoses(Value):
    channels: tuple[Diagnosis, ...]
    not_set_up: tuple[Name, ...] = ()


class Switched(Value):
    """A channel's pause, made or ended."""

    channel: Name
    paused: bool
    changed: bool
    since: AwareDatetime | None = None
    by: Text = ""
    reason: Text = ""


@app.command()
def doctor(names: Names = None, offline: Offline = False, as_json: AsJson = False) -> None:
    """Look at settings without sending: which are there, what the vendor says of them, what to register where.

    Example: orderack channel doctor twilio_sms

    Exit code 0: all that were looked at are ready; 1: one is not; 2: there is no such channel; 3: all are, as far as
    settings go, but a vendor could not be asked now.
    """
    specs = {name: the_channel(name) for name in dict.fromkeys(names or load())}
    idle = (
        [] if names else [name for name, spec in specs.items() if spec.variables and not settings_state(spec).touched]
    )
    looked_at = [name for name in specs if name not in idle]
    found = run(_diagnoses(looked_at, offline))
    if as_json:
        print_json(Diagnoses(channels=found, not_set_up=tuple(idle)))
    else:
        for diagnosis in found:
            _show(diagnosis)
        if idle:
            typer.echo(f"Not set up: {', '.join(idle)}.")
    if not all(diagnosis.sound for diagnosis in found):
        raise typer.Exit(NO)
    if any(diagnosis.word is Word.AWAY for diagnosis in found):
        raise typer.Exit(AWAY)


@app.command("test")
def try_out(
    name: ChannelName,
    to: To,
    kind: WhichKind = None,
    language: Language = "en",
    on: On = None,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Send one message that is marked as a test, once, and say how it ended. It touches no order and no ledger.

    Example: orderack channel test smtp_email --to ada@example.com

    Exit code 0: the provider has it; 1: it said no, or the channel cannot carry it; 2: a setting is wrong; 3: it was
    not sent, or nobody knows.
    """
    spec = the_channel(name)
    traits = spec.adapter.traits
    if traits.address == PAGE:
        raise bad("NAME", "has no vendor to try", "hand in an order: its page is there as soon as the order is")
    chosen = kind or (Kind.ALERT if traits.audience is Audience.INTERNAL else Kind.RECEIVED)
    if not to.strip() or len(to) > 2_000:
        raise bad("--to", "is no address", "give the address that the message is to go to")
    if not language.isascii() or not 2 <= len(language) <= 35:
        raise bad("--language", "is no language", "give a tag such as en or de-AT")
    settings = Settings()
    renderer = MessageRenderer(settings.policy_dir / "messages")
    wanted = Wanted(to=to.strip(), kind=chosen, language=language, on=_on(on))
    message = trial(name, traits, wanted, renderer, settings.public_url)
    _agreed(name, yes=yes, as_json=as_json)
    result = run(_tried(name, message))
    if as_json:
        print_json(result)
    else:
        print_facts(
            [
                ("channel", result.channel),
                ("outcome", f"{result.fate}: {MEANS[result.fate]}"),
                ("provider's id", result.provider_id),
                ("reason", result.reason.replace("_", " ")),
                ("its code", result.code),
                ("detail", result.detail),
                ("next", _next(name, result)),
                ("key", result.key),
            ]
        )
    raise typer.Exit(EXITS[result.fate])


@app.command()
def pause(name: ChannelName, by: By, reason: Why = "", as_json: AsJson = False) -> None:
    """Let a channel send nothing until it is resumed: its messages take their fallback, or wait where there is none.

    Example: orderack channel pause twilio_sms --reason "the number is being moved"

    Exit code 0: it is paused (also when it was); 2: there is no such channel; 3: the ledger did not answer.
    """
    the_channel(name)
    if not by.strip():
        raise bad("--by", "is empty", "say who pauses it")
    wanted = Pause(channel=name, at=datetime.now(UTC), by=by.strip()[:200], reason=reason.strip()[:2_000])
    changed, stands = run(_pause(wanted))
    if as_json:
        switched = Switched(channel=name, paused=True, changed=changed, since=stands.at, by=stands.by)
        print_json(switched.model_copy(update={"reason": stands.reason}))
    elif changed:
        typer.echo(f"{name} is paused. It sends nothing; its messages take the fallback that the policy names.")
        typer.echo("One that has none, or may have gone out already, waits until it is resumed.")
    else:
        typer.echo(f"{name} was paused already, since {when(stands.at)} by {stands.by}; that pause stands.")


@app.command()
def resume(name: ChannelName, as_json: AsJson = False) -> None:
    """Let a channel send again that was paused, or marked down. What took its fallback meanwhile is not sent once more.

    Example: orderack channel resume twilio_sms

    Exit code 0: it sends (also when it was not paused); 2: there is no such channel; 3: the ledger did not answer.
    """
    the_channel(name)
    changed = run(_resume(name))
    if as_json:
        print_json(Switched(channel=name, paused=False, changed=changed))
    elif changed:
        typer.echo(f"{name} sends again. What took the fallback meanwhile is not sent once more.")
    else:
        typer.echo(f"{name} was not paused.")


def _show(diagnosis: Diagnosis) -> None:
    state = diagnosis.settings
    typer.echo(f"{diagnosis.channel}: {state.word}")
    rows = [
        (
            one.variable,
            one.state,
            "required" if one.required else "",
            one.problem if one.state is Given.NOT_VALID else "",
        )
        for one in state.settings
    ]
    if rows:
        print_table(("setting", "state", "", "problem"), rows)
    facts: list[tuple[str, object]] = [("together", problem) for problem in state.problems]
    facts.append(("get them", diagnosis.obtain))
    if diagnosis.word is not Word.NOT_ASKED:
        facts.append(("the vendor", f"{diagnosis.word}: {diagnosis.said}"))
    if (webhook := diagnosis.webhook) is not None:
        facts += [("webhook", webhook.url), ("register", webhook.register_at), ("beware", webhook.problem)]
    print_facts(facts)
    typer.echo("")


def _on(text: str | None) -> ExternalId | None:
    """`shopify=820982911946154508` as an order's id in another system."""
    if text is None:
        return None
    system, _, number = (part.strip() for part in text.partition("="))
    if not system or not number or max(len(system), len(number)) > 200:
        raise bad("--on", "is no order of another system", "write it as shopify=820982911946154508")
    return ExternalId(system=system, id=number)


def _agreed(name: str, *, yes: bool, as_json: bool) -> None:
    """Nobody is written to by mistake. Raises Abort, or InvalidInput where nobody can be asked."""
    if yes:
        return
    if as_json or not sys.stdin.isatty():
        raise bad("--yes", "is missing", "a real message goes out: add --yes where nobody can be asked")
    typer.confirm(f"A real message, marked as a test (store {STORE!r}), goes out by {name}. Send it?", abort=True)


def _next(name: str, result: Tried) -> str:
    """What whoever tries a channel can do about its answer, where the answer itself does not say."""
    if result.fate is Fate.MISCONFIGURED:
        return f"orderack channel doctor {name}"
    if result.fate is Fate.UNSUPPORTED and result.detail == str(Unsupported("kind")):
        return f"it does not carry {result.kind}; try another --kind"
    return "name an order that the shop has: --on SYSTEM=ID" if result.code == "no_external_id" else ""


async def _diagnoses(names: Sequence[str], offline: bool) -> tuple[Diagnosis, ...]:
    specs, public_url = load(), Settings().public_url
    return tuple([await diagnose(name, specs[name], public_url, offline) for name in names])


async def _tried(name: str, message: Message) -> Tried:
    try:
        channel = channels.build([name])[name]
    except Misconfigured as error:
        return Tried(
            channel=name, key=message.key_text, kind=message.kind, fate=Fate.MISCONFIGURED, detail=str(error)[:2_000]
        )
    try:
        return await tried(channel, message)
    finally:
        await channel.aclose()


async def _pause(wanted: Pause) -> tuple[bool, Pause]:
    async with the_ledger() as ledger:
        changed = await ledger.pause(wanted)
        return changed, (await ledger.paused()).get(wanted.channel, wanted)


async def _resume(name: str) -> bool:
    async with the_ledger() as ledger:
        return await ledger.resume(name)
