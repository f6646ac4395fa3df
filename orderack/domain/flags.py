"""Flags: why a person should look at an order before anything is promised (R26–R29, R45)."""

import hashlib
import json
import re
import statistics
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from pydantic import AwareDatetime

from orderack.domain.assessment import Flag, FlagName, LineStock
from orderack.domain.money import add_up, minor_unit
from orderack.domain.order import Address, Name, Order, OrderRef, PaymentStatus, Quantity, Relation
from orderack.domain.receipt import StockVerdict
from orderack.domain.value import Value

ENOUGH_HISTORY = 3
"""Past orders of a sku from which this customer's own habit is known."""

_MAD_TO_SIGMA = Decimal("1.4826")
"""Makes the median absolute deviation comparable to a standard deviation of normal data."""


class Thresholds(Value):
    """The policy's limits. `high_value` per currency; `quantity_cap` where a customer has no history of the sku."""

    high_value: Mapping[str, Decimal] = {}
    quantity_cap: Quantity | None = None
    duplicate_window: timedelta = timedelta(hours=24)


class EarlierOrder(Value):
    """What an earlier order tells about this one."""

    ref: OrderRef
    trigger_at: AwareDatetime
    fingerprint: Name
    quantities: Mapping[str, Decimal]
    """Quantity per sku."""


class Background(Value):
    """All that the checks look at besides the order itself."""

    thresholds: Thresholds = Thresholds()
    history: tuple[EarlierOrder, ...] = ()
    """This customer's earlier orders."""
    lookalikes: tuple[EarlierOrder, ...] = ()
    """Orders with the same fingerprint."""
    stock: tuple[LineStock, ...] | None = None
    tax_included: bool = False


def fingerprint(order: Order) -> str:
    """The same for two orders of one buyer in one store with the same lines and total, whatever their channel.

    The buyer is the customer id, else the e-mail address, else the phone number; SHA-256, so that it names nobody.
    """
    lines = sorted((line.sku.casefold(), _plain(line.quantity)) for line in order.lines)
    body = [order.store, _buyer(order), lines, _plain(order.totals.total), order.currency]
    return hashlib.sha256(json.dumps(body).encode()).hexdigest()


def raise_flags(order: Order, background: Background, checks: Iterable[FlagName]) -> tuple[Flag, ...]:
    """Every flag that the switched-on checks raise, in the order of CHECKS. Pure."""
    switched_on = frozenset(checks)
    return tuple(flag for name, check in CHECKS.items() if name in switched_on for flag in check(order, background))


def _buyer(order: Order) -> str:
    if order.customer.id:
        return f"id:{order.customer.id.casefold()}"
    if order.contacts.email:
        return f"email:{order.contacts.email.strip().casefold()}"
    return f"phone:{re.sub(r'[^0-9]', '', order.contacts.phone or '')}"


def _plain(number: Decimal) -> str:
    return f"{number.normalize():f}"


def _high_value(order: Order, background: Background) -> Iterable[Flag]:
    limits, total, currency = background.thresholds.high_value, order.totals.total, order.currency
    if currency not in limits:
        why = f"No high-value threshold is set for {currency}, so a person looks at the total of {total} {currency}."
        yield Flag(name=FlagName.HIGH_VALUE, field="totals.total", why=why)
    elif total > limits[currency]:
        why = f"The total of {total} {currency} is over the threshold of {limits[currency]} {currency}."
        yield Flag(name=FlagName.HIGH_VALUE, field="totals.total", why=why)


def _unusual_quantity(order: Order, background: Background) -> Iterable[Flag]:
    ordered: dict[str, Decimal] = {}
    for line in order.lines:
        ordered[line.sku] = ordered.get(line.sku, Decimal(0)) + line.quantity
    for sku, quantity in ordered.items():
        past = [
            earlier.quantities[sku]
            for earlier in background.history
            if sku in earlier.quantities and earlier.ref != order.ref
        ]
        limit, basis = _usual(past, background.thresholds.quantity_cap)
        if limit is not None and quantity > limit:
            why = f"{_plain(quantity)} × {sku} is more than {_plain(limit)}: {basis}."
            yield Flag(name=FlagName.UNUSUAL_QUANTITY, field=f"lines[sku={sku}].quantity", why=why)


def _usual(past: Sequence[Decimal], cap: Decimal | None) -> tuple[Decimal | None, str]:
    if len(past) < ENOUGH_HISTORY:
        return cap, "the policy's cap where a customer has no history of the item"
    median = statistics.median(past)
    spread = statistics.median([abs(quantity - median) for quantity in past])
    limit = max(3 * median, median + 3 * spread * _MAD_TO_SIGMA)
    return limit, f"this customer's median over {len(past)} orders is {_plain(median)}"


def _billing_mismatch(order: Order, _: Background) -> Iterable[Flag]:
    billing, delivery = order.billing_address, order.delivery_address
    if billing is None or delivery is None:
        return
    if billing.country != delivery.country:
        why = f"Billed to {billing.country} and delivered to {delivery.country}: check that the buyer means it."
        yield Flag(name=FlagName.BILLING_MISMATCH, field="billing_address.country", why=why)
    elif _place(billing) != _place(delivery):
        why = "Billing and delivery address differ in street or postal code: check that the buyer means it."
        yield Flag(name=FlagName.BILLING_MISMATCH, field="billing_address", why=why)


_STREET_WORDS = {"strasse": "str", "street": "st", "avenue": "ave", "road": "rd", "boulevard": "blvd", "lane": "ln"}


def _place(address: Address) -> tuple[str, str]:
    return re.sub(r"\W", "", _folded(address.postal_code or "")), _street(address.street)


def _street(street: str) -> str:
    """One spelling of a street: `Hauptstraße 5` and `hauptstr. 5` are the same place."""
    words = re.sub(r"[\W_]+", " ", _folded(street)).split()
    return " ".join(_STREET_WORDS.get(word, re.sub("strasse$", "str", word)) for word in words)


def _folded(text: str) -> str:
    decomposed = unicodedata.normalize("NFKD", text.casefold())
    return "".join(mark for mark in decomposed if not unicodedata.combining(mark))


def _new_client(order: Order, _: Background) -> Iterable[Flag]:
    if order.customer.relation is Relation.NEW:
        why = "A new client: check who they are and that the terms fit before the first promise."
        yield Flag(name=FlagName.NEW_CLIENT, field="customer.relation", why=why)


def _probable_duplicate(order: Order, background: Background) -> Iterable[Flag]:
    window, own = background.thresholds.duplicate_window, fingerprint(order)
    for earlier in background.lookalikes:
        near = abs(earlier.trigger_at - order.trigger_at) <= window
        if near and earlier.ref != order.ref and earlier.fingerprint == own:
            why = f"Same buyer, lines and total as order {earlier.ref}: ask the buyer whether both are meant."
            yield Flag(name=FlagName.PROBABLE_DUPLICATE, field="number", why=why)
            return


def _payment_flagged(order: Order, _: Background) -> Iterable[Flag]:
    if order.payment.status is PaymentStatus.FLAGGED:
        why = "The payment provider flagged this payment: settle it there before anything is promised."
        yield Flag(name=FlagName.PAYMENT_FLAGGED, field="payment.status", why=why)


def _totals_mismatch(order: Order, background: Background) -> Iterable[Flag]:
    if not order.lines:
        return
    expected = add_up(order, tax_included=background.tax_included)
    # Sources round each line by itself, so each line may be off by one minor unit.
    tolerance = minor_unit(order.currency) * len(order.lines)
    if abs(expected - order.totals.total) > tolerance:
        why = f"The lines add up to {expected} {order.currency}, the order says {order.totals.total}: find out which."
        yield Flag(name=FlagName.TOTALS_MISMATCH, field="totals.total", why=why)


def _stock_gone(_: Order, background: Background) -> Iterable[Flag]:
    for line in background.stock or ():
        if line.verdict is StockVerdict.UNAVAILABLE:
            why = f"Line {line.line_id} cannot be supplied any more: offer the buyer something else, or refuse it."
            yield Flag(name=FlagName.STOCK_GONE, field=f"lines[{line.line_id}]", why=why)


CHECKS: Mapping[FlagName, Callable[[Order, Background], Iterable[Flag]]] = {
    FlagName.PAYMENT_FLAGGED: _payment_flagged,
    FlagName.TOTALS_MISMATCH: _totals_mismatch,
    FlagName.PROBABLE_DUPLICATE: _probable_duplicate,
    FlagName.HIGH_VALUE: _high_value,
    FlagName.UNUSUAL_QUANTITY: _unusual_quantity,
    FlagName.BILLING_MISMATCH: _billing_mismatch,
    FlagName.NEW_CLIENT: _new_client,
    FlagName.STOCK_GONE: _stock_gone,
}
"""One check a flag; a store's policy says which are switched on."""
