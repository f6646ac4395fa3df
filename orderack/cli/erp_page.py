"""docs/erps.md, written from the registry: what each ERP needs, how an order is booked once, how its receipts come."""

from collections.abc import Iterator, Mapping

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


def page(specs: Mapping[str, ErpSpec]) -> str:
    """The whole page."""
    return "\n".join((INTRODUCTION, *(line for name in specs for line in _section(name, specs[name]))))


def _section(name: str, spec: ErpSpec) -> Iterator[str]:
    yield f"## {name}"
    yield ""
    yield f"{spec.description.rstrip('.')}."
    yield ""
    yield f"- **Settings:** {spec.obtain.rstrip('.')}."
    yield f"- **Booked once:** {spec.once}"
    yield f"- **Receipts:** {spec.receipts}"
    for trap in spec.traps:
        yield f"- {trap}"
    yield ""
    yield "| setting | | what it is |"
    yield "| --- | --- | --- |"
    for variable in spec.variables_of(prefix_of("ERP", name)):
        yield f"| `{variable.name}` | {'required' if variable.required else ''} | {variable.description} |"
    yield ""
