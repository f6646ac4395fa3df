"""How well mails are read: each field that was read, its confidence, and whether it is right.

`python -m tests.sources.measure` prints what was not read right, and the tables of docs/sources/email.md.
"""

import asyncio
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from orderack.domain.order import Address, Order
from orderack.ports import Connection, Snapshot
from orderack.sources._mail import MailReader, MailSettings, delivery_of
from orderack.sources._mail_grid import is_header
from orderack.sources._mail_text import WAYS
from orderack.sources._mail_words import language_in
from tests.sources.fresh_mails import FRESH
from tests.sources.known_mails import CASES
from tests.sources.later_mails import LATER
from tests.sources.mails import ARRIVED, Case, mail_of

ANYBODY = {"anybody": {"senders": ["*"]}}
"""The policy's partners: what is measured is the reading, not whose mail it is."""
SERVER = "mx.shop.example"


@dataclass(frozen=True)
class Judged:
    """One field of one mail."""

    case: str
    field: str
    expected: object
    read: object
    sure: bool
    """Read with a confidence of at least 0.8."""

    @property
    def right(self) -> bool:
        return self.expected == self.read


def order_of(case: Case) -> Order:
    """What the reader makes of it."""
    zones = {
        "DE": "Europe/Berlin",
        "FR": "Europe/Paris",
        "ES": "Europe/Madrid",
        "GB": "Europe/London",
        "CH": "Europe/Zurich",
        "IT": "Europe/Rome",
        "NL": "Europe/Amsterdam",
    }
    zone = zones.get(case.country, "America/Chicago")
    connection = Connection(
        store="shop", system="imap", source="email", country=case.country, time_zone=zone, partners=ANYBODY
    )
    reader = MailReader(connection, MailSettings(), SERVER)
    (reading,) = asyncio.run(reader.read(delivery_of(mail_of(case), ARRIVED), ARRIVED))
    assert isinstance(reading, Snapshot), f"{case.name}: {reading}"
    return reading.order


def _address(found: Address | None) -> object:
    return found and (found.street, found.postal_code, found.city, found.country)


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}"


def _charge(value: Decimal) -> str | None:
    """A charge of nothing was not read at all."""
    return _plain(value) if value else None


def judged(case: Case) -> Iterator[Judged]:
    """Every field that the case names."""
    order = order_of(case)
    doubted = {doubt.field for doubt in order.doubts}
    window, pickup = order.delivery_window, order.pickup
    read: Mapping[str, tuple[object, str]] = {
        "purchase_order": (order.purchase_order, "purchase_order"),
        "delivery": (_address(order.delivery_address), "delivery"),
        "billing": (_address(order.billing_address), "billing_address"),
        "pickup": (pickup and pickup.location, "delivery"),
        "window": (window and window.start.strftime("%Y-%m-%dT%H:%M"), "delivery_window"),
        "terms": (order.payment.terms, "payment.terms"),
        "total": (_plain(order.totals.total), "totals.total"),
        "tax": (_charge(order.totals.tax), "totals.tax"),
        "shipping": (_charge(order.totals.shipping), "totals.shipping"),
        "discount": (_charge(order.totals.discount), "totals.discount"),
        "currency": (order.currency, "currency"),
        "customer.id": (order.customer.id, "customer.id"),
        "customer.name": (order.customer.name, "customer.name"),
        "phone": (order.contacts.phone, "phone"),
        "instructions": (order.instructions, "instructions"),
        "language": (order.contacts.language, "contacts.language"),
        "quantities": ([_plain(line.quantity) for line in order.lines], "lines[0].quantity"),
    }
    for name, expected in case.expected.items():
        if name == "lines":
            yield from _lines(case, order, doubted)
        else:
            value, doubt = read[name]
            yield Judged(case.name, name, expected, value, value is not None and doubt not in doubted)


def _lines(case: Case, order: Order, doubted: set[str]) -> Iterator[Judged]:
    expected = case.expected["lines"]
    assert isinstance(expected, list)
    for place in range(max(len(expected), len(order.lines))):
        wanted = expected[place] if place < len(expected) else (None, None, None)
        line = order.lines[place] if place < len(order.lines) else None
        where = f"lines[{place}]"
        priced = line is not None and (line.unit_price > 0)
        values = (
            ("sku", line and line.sku),
            ("quantity", line and _plain(line.quantity)),
            ("unit_price", _plain(line.unit_price) if line and priced else None),
        )
        for (name, value), right in zip(values, wanted, strict=True):
            sure = value is not None and f"{where}.{name}" not in doubted and not {"lines", "mail"} & doubted
            yield Judged(case.name, f"lines.{name}", right, value, sure)


def measured(cases: Sequence[Case] = CASES) -> list[Judged]:
    """All of these."""
    return [one for case in cases for one in judged(case)]


def kind_of(case: Case) -> str:
    """Where its order stands."""
    endings = {name.rpartition(".")[2].upper() for name in case.files} & {"CSV", "XLSX", "PDF"}
    if endings:
        return sorted(endings)[0]
    tabled = "<table" in case.html or any(is_header(way(line)) for line in case.text.splitlines() for way in WAYS)
    return "table in the body" if tabled else "prose in the body"


def tongue_of(case: Case) -> str:
    """Its language."""
    return getattr(case, "tongue", "") or language_in(f"{case.text} {case.html}") or "en"


def table(cases: Sequence[Case], of: Callable[[Case], str], title: str) -> str:
    """Per group: fields that were read right, left open for a person, and wrong though they were called sure."""
    groups: dict[str, list[Case]] = defaultdict(list)
    for case in cases:
        groups[of(case)].append(case)
    rows = [
        f"| {title} | mails | fields | sure and right | left to a person | sure and wrong |",
        "|---|---|---|---|---|---|",
    ]
    for name, ones in [*sorted(groups.items()), ("all", list(cases))]:
        found = measured(ones)
        right = sum(one.sure and one.right for one in found)
        wrong = sum(one.sure and not one.right for one in found)
        rows.append(f"| {name} | {len(ones)} | {len(found)} | {right} | {len(found) - right - wrong} | {wrong} |")
    return "\n".join(rows)


def page() -> str:
    """The tables as docs/sources/email.md has them."""
    return "\n\n".join(
        (
            f"The {len(CASES)} mails that the reader was made with:",
            table(CASES, kind_of, "the order stands in"),
            f"The {len(FRESH)} mails that it was not made with, after what their first run showed was mended:",
            table(FRESH, kind_of, "the order stands in"),
            table(FRESH, tongue_of, "language"),
            f"The {len(LATER)} mails that were written after that, likewise after their first run:",
            table(LATER, kind_of, "the order stands in"),
        )
    )


if __name__ == "__main__":
    for one in measured((*CASES, *FRESH, *LATER)):
        if not one.right:
            print("SURE" if one.sure else "    ", one.case, "|", one.field, "|", one.expected, "|", one.read)
    print(page())
