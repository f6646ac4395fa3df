"""docs/channels.md, written from the registry: what each channel is, needs, proves, and trips people up with."""

from collections.abc import Iterator, Mapping

from orderack.cli.channel_words import AUDIENCE, address, doubt, rate, span, strongest
from orderack.cli.markdown import escaped, in_a_cell
from orderack.domain.acknowledgement import Audience
from orderack.ports import Checks
from orderack.registry import ChannelSpec

INTRODUCTION = """\
# Channels

Written by `orderack channels --markdown > docs/channels.md` from the channels themselves; edit those, not this page.

A channel is ready when its required settings are there (environment or `.env`); a policy rule that names it then uses
it. `orderack channels` shows how each stands, `orderack channel doctor NAME` checks its settings, `orderack channel
test NAME --to ADDRESS` sends one message that is marked as a test, `orderack channel pause NAME` and `resume NAME` take
it out of service and back (see [cli.md](cli.md)).

- **Strongest evidence** is the most that the channel can ever prove ([evidence.md](evidence.md)); nothing that it
  reports counts for more.
- **A doubt** is a send that was cut off half-way: nobody knows whether it went out. It is never blindly sent again;
  what nothing settles a person does, or the policy has it said again once, marked as a possible repeat
  ([reliability.md](reliability.md)).
- **Paused**, a channel sends nothing: its messages take the fallback that the policy names, and wait where there is
  none. A send in doubt is settled first, or waits.
- **Marked down**, because it failed for many orders, the same holds, but one message at a time is tried: the first that
  is taken marks it up ([storm.md](storm.md)).
- **Opt-outs** are remembered by address and channel: who wants no more messages by a channel gets none, until they
  want them again.
- **Rates** hold for all workers together; a burst waits for its turn, and no store waits behind another's burst.
- **Webhooks** come to `ORDERACK_PUBLIC_URL`, which the vendor has to reach by https. Every one is verified; a request
  that is not signed as the vendor signs counts for nothing.
"""


def page(specs: Mapping[str, ChannelSpec]) -> str:
    """The whole page."""
    return "\n".join(
        (INTRODUCTION, *_overview(specs), *(line for name in specs for line in _section(name, specs[name])))
    )


def _overview(specs: Mapping[str, ChannelSpec]) -> Iterator[str]:
    for audience in Audience:
        yield f"## Channels that reach {AUDIENCE[audience]}"
        yield ""
        yield "| channel | goes to | strongest evidence | a doubt is settled by |"
        yield "| --- | --- | --- | --- |"
        for name, spec in specs.items():
            traits = spec.adapter.traits
            if traits.audience is audience:
                yield f"| [`{name}`](#{name}) | {address(traits)} | {strongest(traits)} | {doubt(traits)} |"
        yield ""


def _section(name: str, spec: ChannelSpec) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    yield f"{_sentence(spec.description)}"
    yield ""
    yield from _facts(spec)
    yield ""
    yield from _settings(spec)
    if spec.webhook:
        yield from ("", f"**Webhook** `{{ORDERACK_PUBLIC_URL}}/webhooks/{name}`", "", *_register(spec.webhook))
    if spec.traps:
        yield from ("", "**Beware**", "", *(f"- {escaped(trap)}" for trap in spec.traps))
    yield ""


def _facts(spec: ChannelSpec) -> Iterator[str]:
    traits = spec.adapter.traits
    limits = [f"{rate(traits)} sends a second"]
    if traits.max_length is not None:
        limits.append(f"{traits.max_length:,} characters")
    if traits.window is not None:
        limits.append(f"free words only within {span(traits.window)} of the buyer's own last message")
    yield "| | |"
    yield "| --- | --- |"
    yield f"| reaches | {AUDIENCE[traits.audience]}, at {address(traits)} |"
    yield f"| strongest evidence | {strongest(traits)} |"
    yield f"| a doubt is settled by | {doubt(traits)} |"
    yield f"| limits | {'; '.join(limits)} |"
    yield f"| buttons, replies | {_yes(traits.buttons)}, {_yes(traits.replies)} |"
    yield f"| can be checked without sending | {_yes(issubclass(spec.adapter, Checks))} |"


def _settings(spec: ChannelSpec) -> Iterator[str]:
    if not spec.variables:
        yield "It needs no settings."
        return
    yield f"Where to get them: {_sentence(spec.obtain)}"
    yield ""
    yield "| setting | required | secret | what it is |"
    yield "| --- | --- | --- | --- |"
    for variable in spec.variables:
        needed = f"{_yes(variable.required)} | {_yes(variable.secret)}"
        yield f"| `{variable.name}` | {needed} | {in_a_cell(variable.description)} |"


def _register(webhook: str) -> Iterator[str]:
    """What to register; a body that spans lines stands as a block of its own."""
    before, fence, after = webhook.partition("`{\n")
    if not fence:
        yield _sentence(webhook)
        return
    block, _, rest = after.partition("\n}`")
    yield from (escaped(before.strip()), "", "```json", "{", *block.split("\n"), "}", "```")
    if rest.strip():
        yield from ("", _sentence(rest.strip()))


def _sentence(words: str) -> str:
    plain = escaped(words.strip())
    return plain if plain.endswith((".", "?", "!", "`")) else f"{plain}."


def _yes(truth: bool) -> str:
    return "yes" if truth else "no"
