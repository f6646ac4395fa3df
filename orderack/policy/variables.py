"""The words that a rule's `when` may use: what they mean, their type, and their value for one order.

Amounts are CEL doubles. Two decimals of up to 15 significant digits are never the same double and keep their
order (IEEE 754), so `order.total > 5000.01` compares as it reads; CEL compares int with double by value, so
`order.total > 5000` does too. Minor units in integers would be exact for arithmetic as well, but people would have
to write 500000 for 5,000 EUR and 5000000 for 5,000 KWD: comparisons are what rules do. Every number is a double, so
calculations need a decimal point (`order.total * 1.19`): CEL does not mix types, and lint tries it out.
"""

from collections.abc import Callable, Collection, Mapping
from enum import Enum

from orderack.domain.assessment import Flag, FlagName
from orderack.domain.order import Order, PaymentStatus, Priority, Relation, Text
from orderack.domain.value import Value

Scalar = str | float | int | bool
Known = Scalar | list[str]


class Kind(Enum):
    """CEL types of our variables, named as a person says it."""

    TEXT = "text"
    NUMBER = "a number"
    YES_NO = "true or false"
    NAMES = "a list of names"


class Variable(Value):
    """One word."""

    kind: Kind
    meaning: Text
    read: Callable[[Order], Known]
    values: tuple[str, ...] = ()
    """Every value there is, where that is a closed list."""


def _country(order: Order) -> str:
    address = order.delivery_address or order.billing_address
    return address.country if address else ""


def _text(meaning: str, read: Callable[[Order], str | None], values: tuple[str, ...] = ()) -> Variable:
    return Variable(kind=Kind.TEXT, meaning=meaning, read=lambda order: read(order) or "", values=values)


def _number(meaning: str, read: Callable[[Order], float]) -> Variable:
    return Variable(kind=Kind.NUMBER, meaning=meaning, read=read)


def _yes_no(meaning: str, read: Callable[[Order], bool]) -> Variable:
    return Variable(kind=Kind.YES_NO, meaning=meaning, read=read)


VARIABLES: Mapping[str, Variable] = {
    "order.store": _text("the store's key in this policy", lambda o: o.store),
    "order.source": _text("the source's key in this policy", lambda o: o.source),
    "order.type": _text("the order type, `standard` unless the source says otherwise", lambda o: o.order_type),
    "order.priority": _text("its priority", lambda o: o.priority, tuple(Priority)),
    "order.total": _number("what the buyer pays", lambda o: float(o.totals.total)),
    "order.discount": _number("the discount", lambda o: float(o.totals.discount)),
    "order.currency": _text("ISO 4217 code of every amount", lambda o: o.currency),
    "order.country": _text("delivery country, else billing country, ISO 3166; empty: neither is known", _country),
    "order.line_count": _number("number of lines", lambda o: float(len(o.lines))),
    "order.quantity": _number("all quantities added up", lambda o: float(sum(line.quantity for line in o.lines))),
    "order.skus": Variable(
        kind=Kind.NAMES, meaning="the items' numbers", read=lambda o: [line.sku for line in o.lines]
    ),
    "order.pickup": _yes_no("the buyer fetches it", lambda o: o.pickup is not None),
    "order.has_instructions": _yes_no(
        "the order or a line carries instructions, a design or dietary needs",
        lambda o: bool(o.instructions or any(li.instructions or li.design or li.dietary for li in o.lines)),
    ),
    "order.partner": _text(
        "the marketplace or partner whose deadline it carries",
        lambda o: o.partner_deadline.partner if o.partner_deadline else None,
    ),
    "order.customer.id": _text("the store's customer id", lambda o: o.customer.id),
    "order.customer.relation": _text("how the buyer stands to us", lambda o: o.customer.relation, tuple(Relation)),
    "order.customer.language": _text("language tag of the buyer's messages", lambda o: o.contacts.language),
    "order.payment.status": _text("as captured now", lambda o: o.payment.status, tuple(PaymentStatus)),
    "order.payment.terms": _text("agreed terms", lambda o: o.payment.terms),
    "order.payment.method": _text("how it is paid", lambda o: o.payment.method),
}

FLAGS = Variable(
    kind=Kind.NAMES,
    meaning='the flags raised, as in `"new_client" in flags`',
    read=lambda _: [],
    values=tuple(FlagName),
)

DOCUMENTED: Mapping[str, Variable] = {**VARIABLES, "flags": FLAGS}
"""Every word a rule may use; nothing else is defined. Text that an order lacks is the empty string."""


def values_of(order: Order, flags: Collection[Flag]) -> Mapping[str, Known]:
    """Each documented word with its value for this order."""
    names = list(dict.fromkeys(flag.name.value for flag in flags))
    return {**{path: _plain(variable.read(order)) for path, variable in VARIABLES.items()}, "flags": names}


def nested(values: Mapping[str, Known]) -> dict[str, object]:
    """The same values as CEL reads them: `order.total` inside `order`."""
    tree: dict[str, object] = {}
    for path, value in values.items():
        *parents, leaf = path.split(".")
        node = tree
        for parent in parents:
            child = node.setdefault(parent, {})
            assert isinstance(child, dict)
            node = child
        node[leaf] = value
    return tree


def _plain(value: Known) -> Known:
    return value.value if isinstance(value, Priority | Relation | PaymentStatus) else value
