"""How well mails are read: each field that was read, its confidence, and whether it is right."""

import asyncio
from collections import defaultdict
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from orderack.domain.order import Address, Order
from orderack.ports import Connection, Snapshot
from orderack.sources._mail import MailReader, MailSettings, delivery_of
from tests.sources.mails import ARRIVED, CASES, Case, mail_of


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
    }
    zone = zones.get(case.country, "America/Chicago")
    connection = Connection(store="shop", system="imap", source="email", country=case.country, time_zone=zone)
    reader = MailReader(connection, MailSettings())
    (reading,) = asyncio.run(reader.read(delivery_of(mail_of(case), ARRIVED), ARRIVED))
    assert isinstance(reading, Snapshot), f"{case.name}: {reading}"
    return reading.order


def _address(found: Address | None) -> object:
    return found and (found.street, found.postal_code, found.city, found.country)


def _plain(value: Decimal | None) -> str | None:
    return None if value is None else f"{value.normalize():f}"


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
        "tax": (_plain(order.totals.tax), "totals.tax"),
        "shipping": (_plain(order.totals.shipping), "totals.shipping"),
        "discount": (_plain(order.totals.discount), "totals.discount"),
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


def measured() -> list[Judged]:
    """All cases."""
    return [one for case in CASES for one in judged(case)]


def table(found: list[Judged]) -> str:
    """Per field: how many were there, how many were read right, wrong, and how many of them were called sure."""
    fields: dict[str, list[Judged]] = defaultdict(list)
    for one in found:
        fields[one.field].append(one)
    rows = [
        "| field | in the mails | read | precision | recall | called sure | sure and wrong |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, ones in sorted(fields.items()):
        there = [one for one in ones if one.expected is not None]
        read = [one for one in ones if one.read is not None]
        right = [one for one in read if one.right]
        sure = [one for one in ones if one.sure]
        wrong = [one for one in sure if not one.right]
        precision = f"{len(right) / len(read):.2f}" if read else "–"
        recall = f"{len(right) / len(there):.2f}" if there else "–"
        rows.append(f"| {name} | {len(there)} | {len(read)} | {precision} | {recall} | {len(sure)} | {len(wrong)} |")
    return "\n".join(rows)


if __name__ == "__main__":
    everything = measured()
    for one in everything:
        if not one.right:
            print("SURE" if one.sure else "    ", one.case, "|", one.field, "|", one.expected, "|", one.read)
    print(len(CASES), "mails")
    print(table(everything))
