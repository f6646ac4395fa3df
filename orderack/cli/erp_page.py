"""docs/erps.md, written from the registry: what each ERP needs, how an order is booked once, how its receipts come."""

from collections.abc import Iterator, Mapping

from orderack.cli.markdown import escaped, in_a_cell
from orderack.registry import ErpSpec, prefix_of

INTRODUCTION = """\
# ERPs

Written by `orderack erps --markdown > docs/erps.md` from the ERPs themselves; edit those, not this page.

A store books in one ERP: `stores.<store>.erp.name` in the policy names a system below, or an installation of one
under `erps:` (several of a system stand side by side, each with settings of its own). `orderack erps` shows how each
stands.

- **A receipt** is the ERP's own statement that it booked the order, with a verdict on every line's stock. An HTTP
  200, an id or a draft is none. Nothing is confirmed to a buyer before it.
- **Receipts are pushed where the ERP can, and asked for in any case**: a schedule in Temporal (`look/erp/<name>`)
  asks every 30 seconds about orders that wait (`erps.<name>.ask_every`), so that one is known within a minute either
  way.
- **Booked once**: a submission that was cut off is never blindly repeated.
- None of these adapters has met its live system yet: each is proved against what its vendor publishes, and a
  look-alike.
"""

OWN_PAGES: Mapping[str, str] = {"http": "erp-http.md", "sandbox": "sandbox.md#the-erp"}
"""Where an ERP that is no vendor's is described, from docs/; each other has `erps/<name>.md`."""


def page(specs: Mapping[str, ErpSpec]) -> str:
    """The whole page."""
    return "\n".join((INTRODUCTION, *(line for name in specs for line in _section(name, specs[name]))))


def _section(name: str, spec: ErpSpec) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    yield f"{escaped(spec.description.rstrip('.'))}."
    yield ""
    own = OWN_PAGES.get(name, f"erps/{name}.md")
    yield f"- **In full:** [{own}]({own})."
    yield f"- **Settings:** {escaped(spec.obtain.rstrip('.'))}."
    yield f"- **Booked once:** {escaped(spec.once)}"
    yield f"- **Receipts:** {escaped(spec.receipts)}"
    for trap in spec.traps:
        yield f"- {escaped(trap)}"
    yield ""
    yield "| setting | | what it is |"
    yield "| --- | --- | --- |"
    for variable in spec.variables_of(prefix_of("ERP", name)):
        yield f"| `{variable.name}` | {'required' if variable.required else ''} | {in_a_cell(variable.description)} |"
    yield ""
