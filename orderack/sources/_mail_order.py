"""What was found in a mail → a draft of an order, with a doubt for each field that a person has to look at."""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime, time
from decimal import ROUND_HALF_UP, Decimal
from zoneinfo import ZoneInfo

from babel.numbers import get_territory_currencies

from orderack.domain.money import MINOR_DIGITS, minor_unit
from orderack.domain.order import Address, ExternalId, Line, Order
from orderack.domain.value import Value
from orderack.ports import Connection
from orderack.sources._mail_address import read_address
from orderack.sources._mail_found import Found, Gathered, Item, number
from orderack.sources._mail_numbers import GUESS, LIKELY, MISSING, SURE, clocks_of, currencies_in, day_of
from orderack.sources._mail_sender import PERSONAL
from orderack.sources._mail_words import language_in
from orderack.sources._reading import (
    FOUR,
    canonical,
    email_of,
    guest_id,
    language_of,
    line_of,
    name_of,
    phone_of,
    prose_of,
    sku_of,
)

NUMBER_FROM_MAIL = "MAIL"
_PIECES = frozenset(
    {
        *("x", "×", "*", "pc", "pcs", "piece", "pieces", "unit", "units", "ea", "each", "stück", "stk", "st"),
        *("pièce", "pièces", "pz", "pzs", "pieza", "piezas", "ud", "uds", "unidad", "unidades", "unité", "unités"),
    }
)


class Sender(Value):
    """Who wrote it, as far as that can be believed."""

    name: str = ""
    address: str = ""
    against: str | None = None
    """Why a person has to say whose it is; None: a partner's, and its domain vouches for it."""
    vouched: bool = False
    """Its domain does: nobody else wrote this From."""
    customer_id: str | None = None
    """The partner's; only of such a one."""


class Draft:
    """Builds the order of one mail. `sure`: every field with its confidence and why (docs/sources/email.md).

    `unclear`: why its lines may mean something else than an order of them.
    """

    def __init__(
        self, connection: Connection, gathered: Gathered, words: str, arrived: datetime, unclear: str | None = None
    ) -> None:
        self._connection = connection
        self._unclear = unclear
        self._gathered = gathered
        self._words = words
        self._arrived = arrived
        self.sure: dict[str, tuple[Decimal, str]] = {}

    def order(self, message_id: str, sender: Sender, unread: tuple[str, ...]) -> Order:
        """The draft. Raises InvalidInput where even that can't be one."""
        fields, name, address = self._gathered.fields, sender.name, sender.address
        if not email_of(address):
            self.sure["contacts.email"] = (MISSING, "the mail names no one sender")
        elif sender.against is not None:
            self.sure["contacts.email"] = (GUESS, sender.against)
        made: dict[str, object] = {
            "store": self._connection.store,
            "source": self._connection.source,
            "trigger_at": self._arrived,
            "number": self._number(message_id),
            "purchase_order": self._text("purchase_order", 200),
            "customer": self._customer(name, address, message_id, sender.customer_id),
            "contacts": {
                "email": email_of(address),
                "phone": phone_of(self._text("phone", 32), self._connection.country),
                "language": language_of(language_in(self._words), self._connection.language),
            },
            **self._money(),
            **self._place(),
            "billing_address": self._address("billing", "billing_address"),
            "payment": {"terms": self._terms(), "status": "pending"},
            "instructions": self._instructions(),
        }
        if "instructions" in fields and not made["instructions"]:
            del self.sure["instructions"]
        doubts = [  # what was not read at all first: more than a hundred are not kept
            *({"field": "mail", "why": f"Not read: {one}.", "confidence": MISSING} for one in unread),
            *self._doubts(),
        ]
        return canonical({**made, "doubts": doubts[:100]}, self._connection.system)

    def _text(self, field: str, limit: int = 2_000) -> str | None:
        found = self._gathered.fields.get(field)
        if found is None:
            return None
        self.sure[field] = (found.confidence, found.why)
        return line_of(found.value, limit)

    def _number(self, message_id: str) -> str:
        """The buyer's own, else one that the same mail always has."""
        found = self._gathered.fields.get("purchase_order")
        own = line_of(found.value, 60) if found else None
        return own or f"{NUMBER_FROM_MAIL}-{hashlib.sha256(message_id.encode()).hexdigest()[:12].upper()}"

    def _customer(self, name: str, address: str, message_id: str, known: str | None) -> Mapping[str, object]:
        own = self._text("customer.id", 200)
        if known and own and own != known:
            self.sure["customer.id"] = (GUESS, f"the mail says {own}, the policy says {known} of its sender")
        named = self._text("customer.name") or self._text("company") or line_of(name)
        if named and "customer.name" not in self.sure and "company" not in self.sure:
            self.sure["customer.name"] = (LIKELY, "the sender's name")
        return {"id": known or own or guest_id(email_of(address), message_id), "name": named}

    def _money(self) -> Mapping[str, object]:
        currency = self._currency()
        lines = [self._line(place, item) for place, item in enumerate(self._gathered.items)]
        if not lines:
            self.sure["lines"] = (MISSING, "no lines were found")
        elif self._unclear:
            self.sure["lines"] = (GUESS, self._unclear)
        unit = minor_unit(currency)
        amounts = {name: self._amount(name, unit) for name in ("tax", "shipping", "discount")}
        goods = sum((line.quantity * line.unit_price for line in lines), Decimal(0))
        added = (goods + amounts["tax"] + amounts["shipping"] - amounts["discount"]).quantize(unit, ROUND_HALF_UP)
        included = (goods + amounts["shipping"] - amounts["discount"]).quantize(unit, ROUND_HALF_UP)
        said = number(self._gathered.fields.get("total"))
        total = said.quantize(unit, ROUND_HALF_UP) if said is not None else max(added, Decimal(0))
        basis = "included" if amounts["tax"] and total == included != added else None
        self._judge_total(said, total in (added, included), bool(lines))
        if self._unclear:
            self.sure["totals.total"] = (GUESS, self._unclear)
        totals = {**amounts, "total": total, "tax_basis": basis or ("added" if amounts["tax"] else None)}
        return {"currency": currency, "lines": [line.model_dump() for line in lines], "totals": totals}

    def _judge_total(self, said: Decimal | None, fits: bool, lines: bool) -> None:
        if said is not None and fits and lines:
            self.sure["totals.total"] = (SURE, "found under its label, and the lines add up to it")
            self._believe_lines()
        elif said is not None:
            self.sure["totals.total"] = (GUESS, "found under its label; the lines do not add up to it")
        elif lines:
            prices = [self.sure[name][0] for name in self.sure if name.endswith((".unit_price", ".quantity"))]
            self.sure["totals.total"] = (min([LIKELY, *prices]), "added up from the lines: the mail names no total")
        else:
            self.sure["totals.total"] = (MISSING, "there is none, and no lines to add up")

    def _believe_lines(self) -> None:
        """A quantity and a price that together make the mail's own sum are hardly wrong, where they are alone."""
        if len(self._gathered.items) != 1:
            return
        for name in ("lines[0].quantity", "lines[0].unit_price"):
            confidence, why = self.sure[name]
            if GUESS <= confidence < LIKELY:
                self.sure[name] = (LIKELY, f"{why}; the mail's sum fits")

    def _amount(self, field: str, unit: Decimal) -> Decimal:
        found = self._gathered.fields.get(field)
        value = number(found)
        if found is None or value is None:
            return Decimal(0)
        self.sure[f"totals.{field}"] = (found.confidence, found.why)
        return value.quantize(unit, ROUND_HALF_UP)

    def _currency(self) -> str:
        labelled = (self._text("currency", 3) or "").upper()
        if labelled in MINOR_DIGITS:
            return labelled
        self.sure.pop("currency", None)
        found = {code for code in currencies_in(self._words, self._connection.country) if code in MINOR_DIGITS}
        if len(found) == 1:
            self.sure["currency"] = (SURE, "the amounts are written in it")
            return found.pop()
        own = next(iter(get_territory_currencies(self._connection.country)), "EUR")
        why = "the mail names several" if found else "the mail names none: the store's own was taken"
        self.sure["currency"] = (GUESS, why)
        return own if not found or own in found else min(found)

    def _line(self, place: int, item: Item) -> Line:
        where = f"lines[{place}]"
        quantity = number(item.quantity) or Decimal(1)
        price = number(item.price)
        for name, found in (("sku", item.sku), ("quantity", item.quantity), ("unit_price", item.price)):
            self.sure[f"{where}.{name}"] = (
                (found.confidence, found.why) if found else (MISSING, f"no {_SAID[name]} was found")
            )
        description = line_of(item.description) or ""
        unit = name_of(item.unit.rstrip("."))
        buyers = name_of(item.buyer_item)
        return Line(
            line_id=str(place + 1),
            sku=sku_of(item.sku.value if item.sku else "", ("text", description[:150])),
            description=description,
            quantity=quantity.quantize(Decimal("0.0001")).normalize()
            if quantity % 1
            else quantity.quantize(Decimal(1)),
            unit_price=(price or Decimal(0)).quantize(FOUR, ROUND_HALF_UP),
            unit=None if unit is None or unit.casefold() in _PIECES else unit,
            instructions=line_of(item.instructions),
            codes=(ExternalId(system="buyer_item", id=buyers),) if buyers else (),
        )

    def _address(self, field: str, ours: str) -> Address | None:
        found = self._gathered.fields.get(field)
        if found is None:
            return None
        address, confidence, why = read_address(found.value, self._connection.country)
        self.sure[ours] = (min(confidence, found.confidence), why)
        return address

    def _place(self) -> Mapping[str, object]:
        """The delivery, or the pickup, and when."""
        window = self._window()
        address = self._address("delivery", "delivery") or self._in_parts()
        if address is not None:
            if "pickup" in self._gathered.fields:
                self.sure["delivery"] = (GUESS, "the mail names a delivery and a pickup")
            return {"delivery_address": address, "delivery_window": window}
        if location := self._text("pickup"):
            self.sure["delivery"] = self.sure.pop("pickup")
            return {"pickup": {"location": location, "at": window["start"] if window else None}}
        self.sure.setdefault("delivery", (MISSING, "no delivery address and no pickup was found"))
        return {"delivery_window": window}

    def _in_parts(self) -> Address | None:
        """An address whose street and town have labels of their own, as forms send it."""
        fields = self._gathered.fields
        if "street" not in fields or not ("city" in fields or "postal_code" in fields):
            return None
        code, city, country = (
            fields[name].value if name in fields else "" for name in ("postal_code", "city", "country")
        )
        parts = (fields["street"].value, f"{code} {city}".strip(), country)
        text = "\n".join(part for part in parts if part)
        address, confidence, why = read_address(text, self._connection.country)
        self.sure["delivery"] = (min(confidence, LIKELY), why)
        return address

    def _window(self) -> Mapping[str, datetime] | None:
        said = " ".join(
            self._gathered.fields[name].value for name in ("date", "window") if name in self._gathered.fields
        )
        if not said:
            return None
        zone = ZoneInfo(self._connection.time_zone)
        day = day_of(said, self._arrived.astimezone(zone).date(), self._connection.country)
        if day is None:
            self.sure["delivery_window"] = (MISSING, f"no day can be told in “{said[:60]}”")
            return None
        clocks = clocks_of(said)
        midnight = datetime.combine(day[0], time.min, zone)
        if clocks is None:
            self.sure["delivery_window"] = (day[1], "the day stands under its label")
            return {"start": midnight, "end": datetime.combine(day[0], time(23, 59), zone)}
        self.sure["delivery_window"] = (min(day[1], clocks[2]), "the day and the hours stand under their label")
        return {"start": midnight + clocks[0], "end": midnight + clocks[1]}

    def _terms(self) -> str | None:
        terms = self._text("terms")
        if terms:
            self.sure["payment.terms"] = self.sure.pop("terms")
        else:
            self.sure["payment.terms"] = (MISSING, "no payment terms were found")
        return terms

    def _instructions(self) -> str | None:
        found = self._gathered.fields.get("instructions")
        rest = prose_of(self._gathered.rest)
        if found:
            self.sure["instructions"] = (found.confidence, found.why)
        if rest:
            self.sure["instructions"] = (GUESS, "a sentence of the mail that may be a wish")
        unread_day = (
            self._gathered.fields.get("date") if self.sure.get("delivery_window", (SURE,))[0] == MISSING else None
        )
        return prose_of(found.value if found else "", rest or "", f"delivery: {unread_day.value}" if unread_day else "")

    def _doubts(self) -> list[Mapping[str, object]]:
        limit = Decimal(str(self._connection.sure_from))
        return [
            {"field": name[:200], "why": f"{_sentence(why)} (how sure: {confidence}).", "confidence": confidence}
            for name, (confidence, why) in self.sure.items()
            if confidence < limit
        ]


_SAID = {"sku": "item number", "quantity": "quantity", "unit_price": "price"}


def _sentence(why: str) -> str:
    return f"{why[:1].upper()}{why[1:]}"


def identity(found: Found | None, sender: Sender, message_id: str) -> str:
    """The order's own id at this connection: a buyer's number is his company's own, so another copy of the same order
    is the same order, and another company's order of that number is another.

    A mail that nobody vouches for is an order of its own, whatever number it names: anybody may write anybody's From,
    and a change stops the order that it is of and is told to whoever the change names.
    """
    domain = sender.address.rpartition("@")[2].casefold()
    who = sender.address.casefold() if domain in PERSONAL or not domain else domain
    text = f"{who}\n{found.value.casefold()}" if found and sender.vouched else message_id
    return hashlib.sha256(text.encode("utf-8", "replace")).hexdigest()[:16]


def moment_of(written: datetime | None, arrived: datetime) -> datetime:
    """When the order came to stand so: when it was written, unless that is in the future or long before it came."""
    if written is None or written > arrived or (arrived - written).days > 7:
        return arrived
    return written.astimezone(UTC)
