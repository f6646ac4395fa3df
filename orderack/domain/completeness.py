"""Completeness: the five-field gate and what each source's orders must carry (R19–R29, R43, R55–R57)."""

from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import date

from orderack.domain.assessment import Flag, FlagName, LineStock
from orderack.domain.order import DIGITAL, Address, Name, Order, PaymentStatus, Text
from orderack.domain.value import Value

MINIMUM = ("customer.id", "lines", "delivery", "payment.terms")
"""What every order carries, whatever its source (R55)."""

_Missing = Callable[[Order, Collection[str]], bool]


class _Need(Value):
    """A required field: when it counts as missing, and what a person does about it."""

    missing: _Missing
    why: Text


def _blank(text: str | None) -> bool:
    return not (text or "").strip()


def _no_address(address: Address | None) -> bool:
    return address is None or _blank(address.street) or _blank(address.city)


def _no_delivery(order: Order, _: Collection[str]) -> bool:
    if order.order_type == DIGITAL:
        return False
    return _blank(order.pickup.location) if order.pickup else _no_address(order.delivery_address)


_NEEDS: Mapping[str, _Need] = {
    "customer.id": _Need(
        missing=lambda order, _: order.customer.id is None,
        why="No customer id: find the customer in the CRM, or open an account, and add the id.",
    ),
    "customer.name": _Need(
        missing=lambda order, _: _blank(order.customer.name),
        why="No customer name: ask the buyer whom the order is for.",
    ),
    "lines": _Need(
        missing=lambda order, _: not order.lines,
        why="No order lines: ask the buyer what to deliver, or open the original order.",
    ),
    "delivery": _Need(
        missing=_no_delivery,
        why="No delivery address (street and city) and no pickup: ask the buyer where the order goes.",
    ),
    "delivery.postal_code": _Need(
        missing=lambda order, _: bool(order.delivery_address) and _blank(order.delivery_address.postal_code),
        why="The delivery address has no postal code: ask the buyer for it.",
    ),
    "delivery_window": _Need(
        missing=lambda order, _: order.delivery_window is None and (order.pickup is None or order.pickup.at is None),
        why="No delivery window and no pickup time: ask the buyer when.",
    ),
    "billing_address": _Need(
        missing=lambda order, _: _no_address(order.billing_address),
        why="No billing address: ask the buyer where the invoice goes.",
    ),
    "payment.terms": _Need(
        missing=lambda order, _: _blank(order.payment.terms),
        why="No payment terms: agree them with the buyer (prepaid, net 30, …) and add them.",
    ),
    "payment.confirmed": _Need(
        missing=lambda order, _: order.payment.status is PaymentStatus.PENDING,
        why="The payment is still pending: wait for it, or agree other terms with the buyer.",
    ),
    "contact": _Need(
        missing=lambda _, reachable: not reachable,
        why="No contact that can be reached (e-mail, phone or chat): add one that works.",
    ),
    "contact.email": _Need(
        missing=lambda _, reachable: "email" not in reachable,
        why="No e-mail address that can be written to: ask the buyer for one.",
    ),
    "contact.phone": _Need(
        missing=lambda _, reachable: "phone" not in reachable,
        why="No phone number that can be reached: ask the buyer for one, with its country code.",
    ),
}

REQUIRABLE = frozenset(_NEEDS)
"""The names that a source's `required_fields` may use."""


def missing_fields(order: Order, required: Iterable[str], reachable: Collection[str]) -> tuple[Flag, ...]:
    """One flag for each field that the minimum or the source requires and the order lacks.

    `reachable`: the kinds of contact that passed a syntax check (`email`, `phone`, `chat:<platform>`).
    Raises KeyError for a name outside REQUIRABLE (the policy's loader refuses those).
    """
    names = dict.fromkeys((*MINIMUM, *required))
    return tuple(
        Flag(name=FlagName.INCOMPLETE, field=name, why=_NEEDS[name].why)
        for name in names
        if _NEEDS[name].missing(order, reachable)
    )


class GateField(Value):
    """One of the five fields that stand before any confirmation, and what we saw."""

    name: Name
    ok: bool
    seen: Text


def five_fields(
    order: Order,
    stock: tuple[LineStock, ...] | None,
    promise_on: date | None,
    flags: tuple[Flag, ...],
) -> tuple[GateField, ...]:
    """The five-field gate (R19–R29) as it stands now.

    Stock None: the ERP did not answer in time. That is not a fault of the order: the confirmation waits for the
    ERP receipt, which answers for the stock of every line.
    """
    answered = stock is not None and {line.line_id for line in order.lines} <= {line.line_id for line in stock}
    raised = ", ".join(dict.fromkeys(flag.name.value for flag in flags))
    return (
        GateField(name="order id and source", ok=True, seen=f"{order.number}, {order.source}"),
        GateField(
            name="payment status",
            ok=order.payment.status is not PaymentStatus.FLAGGED,
            seen=order.payment.status.value,
        ),
        GateField(
            name="inventory confirmation",
            ok=answered,
            seen="answered for every line" if answered else "not known yet: the ERP receipt answers for it",
        ),
        GateField(
            name="fulfilment date", ok=promise_on is not None, seen=promise_on.isoformat() if promise_on else "none"
        ),
        GateField(name="escalation flag", ok=not flags, seen=raised or "none"),
    )
