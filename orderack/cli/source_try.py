"""`orderack source try`: what one connection makes of a file, before anything of it is anybody's order."""

import base64
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, NamedTuple

import typer

from orderack.cli.connection_names import named
from orderack.cli.exits import NO, bad
from orderack.cli.options import AsJson
from orderack.cli.printing import plain, print_facts, print_json, print_table
from orderack.cli.reading import read
from orderack.cli.session import run
from orderack.domain.completeness import missing_fields
from orderack.domain.money import add_up
from orderack.domain.order import Name, Order, Text
from orderack.domain.value import Value
from orderack.policy.contacts import reachable
from orderack.policy.load import load_policy
from orderack.policy.model import Policy
from orderack.ports import Connection, Delivery, Hint, RawRequest, Reading, Snapshot, Source, SourceKind, Standing
from orderack.registry import build_sources
from orderack.settings import Settings
from orderack.sources import load

One = Annotated[str, typer.Argument(help="The connection, such as demo/form.", metavar="STORE/SYSTEM")]
File = Annotated[
    Path,
    typer.Argument(help="A body that the system posts, an order that it gives out, or a mail; -: standard input."),
]
Headers = Annotated[
    list[str] | None,
    typer.Option("--header", "-H", help="A header that it came with, where the system says its topic there."),
]


class Tried(Value):
    """What one piece in the file means."""

    means: Name
    """`order`, `cancelled order`, `not an order yet`, `hint` (it would be fetched) or `nothing for us`."""
    why: Text = ""
    order: Order | None = None
    short: Text = ""
    """What its lines are short of its total by; empty: they add up."""
    lacks: tuple[Name, ...] = ()
    """What every order has to say and this one does not: it would go to a person."""


class AllTried(Value):
    connection: Name
    found: tuple[Tried, ...]


def try_(name: One, file: File, headers: Headers = None, as_json: AsJson = False) -> None:
    """Read a file as if that system had posted it: the order in it, or which field is wrong. Records and sends nothing.

    Its signature is not looked at. The connection's settings have to be there, for they can say how to read.

    Example: orderack source try demo/form order.json

    Exit code 0: there is an order in it; 1: there is none; 2: it cannot be taken; 3: what had to be asked is away.
    """
    policy = load_policy(Settings().policy_dir)
    (connection,) = named([name], policy)
    deliveries = _Deliveries(read(file), _headers(headers or ()))
    found = AllTried(connection=name, found=run(_tried(connection, deliveries, policy)))
    if as_json:
        print_json(found)
    else:
        for one in found.found:
            _show(one)
        if not found.found:
            typer.echo("Nothing is in it: a ping, or a report of something else.")
    if not any(one.order for one in found.found):
        raise typer.Exit(NO)


def _headers(given: Sequence[str]) -> dict[str, str]:
    found = {"content-type": "application/json", "webhook-id": "try"}
    for one in given:
        field, colon, value = one.partition(":")
        if not colon:
            raise bad("--header", f"has no colon: {one[:60]}", "write it as Name: value")
        found[field.strip().lower()] = value.strip()
    return found


async def _tried(connection: Connection, deliveries: "_Deliveries", policy: Policy) -> tuple[Tried, ...]:
    source = build_sources(load(), [connection])[str(connection)]
    try:
        readings = [one for each in deliveries.of(source) for one in await source.read(each)]
    finally:
        await source.aclose()
    return tuple(_meaning(one, policy) for one in readings)


class _Deliveries(NamedTuple):
    """What is in a file, as it would be kept."""

    body: bytes
    headers: dict[str, str]

    def of(self, source: Source) -> Sequence[Delivery]:
        """A mail in base64, what is posted as the adapter takes it apart, what is looked for as it is."""
        if source.traits.kind is SourceKind.EMAIL:
            return (Delivery(id="try", topic="mail", body=base64.b64encode(self.body).decode()),)
        if source.traits.pushes:
            request = RawRequest(url="https://orderack.invalid/intake", headers=self.headers, body=self.body)
            return source.deliveries(request)
        return (Delivery(id="try", body=self.body.decode("utf-8", "replace")),)


_MEANS = {Standing.OPEN: "order", Standing.CANCELLED: "cancelled order", Standing.NOT_YET: "not an order yet"}


def _meaning(reading: Reading, policy: Policy) -> Tried:
    if isinstance(reading, Hint):
        return Tried(means="hint", why=f"order {reading.external_id} would be fetched")
    if not isinstance(reading, Snapshot):
        return Tried(means="nothing for us", why=reading.why)
    order = reading.order
    short = order.totals.total - add_up(order)
    row, store = policy.sources.get(order.source), policy.stores[order.store]
    flags = missing_fields(order, row.required_fields if row else (), reachable(order.contacts, store.profile.country))
    return Tried(
        means=_MEANS[reading.standing],
        why=reading.reason,
        order=order,
        short=f"{short} {order.currency}" if short else "",
        lacks=tuple(flag.field or flag.name for flag in flags),
    )


def _show(tried: Tried) -> None:
    order = tried.order
    if order is None:
        typer.echo(plain(f"{tried.means}: {tried.why}"))
        return
    address = order.delivery_address
    print_facts(
        [
            ("means", f"{tried.means} {tried.why}".strip()),
            ("number", order.number),
            ("clock starts", order.trigger_at),
            ("buyer", order.customer.name or order.customer.id),
            ("contact", ", ".join(filter(None, (order.contacts.email, order.contacts.phone)))),
            ("deliver to", ", ".join(filter(None, (address.name, address.city, address.country))) if address else ""),
            ("payment", f"{order.payment.status}, {order.payment.terms or 'terms not said'}"),
            ("instructions", " / ".join((order.instructions or "").splitlines())),
            ("total", f"{order.totals.total} {order.currency}"),
            ("adds up", f"no, it is {tried.short} short" if tried.short else "yes"),
            ("lacks", ", ".join(tried.lacks)),
            ("in doubt", ", ".join(doubt.field for doubt in order.doubts)),
        ]
    )
    print_table(
        ("line", "item", "", "quantity", "price"),
        ((one.line_id, one.sku, one.description, one.quantity, one.unit_price) for one in order.lines),
    )
