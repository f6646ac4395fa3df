"""docs/sources.md, written from the registry: what each system's orders are, how they come, what trips people up."""

from collections.abc import Iterator, Mapping
from datetime import timedelta

from orderack.cli.markdown import escaped, in_a_cell
from orderack.domain.assessment import AnswerCall
from orderack.policy.duration import in_words
from orderack.ports import SourceKind
from orderack.registry import SourceSpec, prefix_of

INTRODUCTION = """\
# Sources

Written by `orderack sources --markdown > docs/sources.md` from the sources themselves; edit those, not this page.

A store takes orders from a system once the policy has a row for it under `stores.<store>.connections` and its
settings are there (environment or `.env`). `orderack sources` shows how each stands, `orderack source doctor` checks
the settings and asks the system, `orderack source refused STORE/SYSTEM` shows what could not be taken as it came.

- **Recorded first.** What a system delivers is kept as it came before anything is made of it; a delivery that cannot
  be read is kept, refused by the name of the field that is wrong, and shown to an operator.
- **Twice is once**, and an older state of an order never takes the place of a newer one, whatever comes when.
- **Webhooks** come to `ORDERACK_PUBLIC_URL/intake/<store>/<system>`. Every one is verified as that system signs.
- **Asked** systems are looked at on a schedule in Temporal (`look/source/<store>/<system>`), never faster than they
  allow.
- **Answered** systems are told what becomes of their orders: a note beside the order, that we have it, or what we
  commit to.
- **At the phone desk** there is no system: `orderack phone` asks and hands in ([sources/phone.md](sources/phone.md)).
- None of these adapters has met its live service yet: each is proved against the system's published description where
  there is one, real sample orders, and a look-alike that behaves like it.
"""

ANSWERS: Mapping[AnswerCall | None, str] = {
    None: "nothing",
    AnswerCall.NOTE: "a note beside the order",
    AnswerCall.RECEIPT: "that we have it, before its own deadline",
    AnswerCall.COMMITMENT: "line by line what we commit to, once the ERP has booked",
}


def page(specs: Mapping[str, SourceSpec]) -> str:
    """The whole page."""
    return "\n".join(
        (INTRODUCTION, *_overview(specs), *(line for name in specs for line in _section(name, specs[name])))
    )


def _overview(specs: Mapping[str, SourceSpec]) -> Iterator[str]:
    yield "| system | kind | comes by | is told |"
    yield "| --- | --- | --- | --- |"
    for name, spec in specs.items():
        traits = spec.adapter.traits
        yield f"| [`{name}`](#{name}) | {traits.kind} | {comes_by(spec)} | {ANSWERS[traits.answer]} |"
    yield ""


def comes_by(spec: SourceSpec) -> str:
    """How we hear of its orders, in a few words."""
    traits, ways = spec.adapter.traits, []
    if traits.pushes:
        ways.append("webhook")
    if traits.poll_every is not None:
        ways.append(f"asked every {in_words(max(traits.poll_every, timedelta(seconds=1)))}")
    return ", ".join(ways)


def own_page(name: str, spec: SourceSpec) -> str:
    """Where the shop's person reads all of it, from docs/: a page each, and one for every way that a mail comes."""
    return f"sources/{'email' if spec.adapter.traits.kind is SourceKind.EMAIL else name}.md"


def _section(name: str, spec: SourceSpec) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    yield f"{escaped(spec.description.rstrip('.'))}."
    yield ""
    yield f"- **In full:** [{own_page(name, spec)}]({own_page(name, spec)})."
    yield f"- **The clock starts** when {escaped(spec.trigger.rstrip('.'))}."
    yield f"- **Settings:** {escaped(spec.obtain.rstrip('.'))}."
    if spec.webhook:
        yield f"- **Register:** {escaped(spec.webhook.rstrip('.'))}."
    for trap in spec.traps:
        yield f"- {escaped(trap)}"
    yield ""
    yield "| setting | | what it is |"
    yield "| --- | --- | --- |"
    for variable in spec.variables_of(prefix_of("SOURCE", "store", name)):
        shown = variable.name.replace("ORDERACK_SOURCE_STORE_", "ORDERACK_SOURCE_<STORE>_", 1)
        yield f"| `{shown}` | {'required' if variable.required else ''} | {in_a_cell(variable.description)} |"
    yield ""
