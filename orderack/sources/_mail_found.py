"""What was found in one place of a mail (its body, a table, a file), each with how sure that is and why."""

from collections.abc import Mapping
from decimal import Decimal

from orderack.domain.value import Value


class Found(Value):
    """One field as text."""

    value: str
    confidence: Decimal
    why: str
    """In words: `found under its label`, `guessed from its place`."""


class Item(Value):
    """One ordered line as it was found."""

    sku: Found | None = None
    quantity: Found | None = None
    price: Found | None = None
    """Of one. `quantity`, `price` and `amount` hold numbers with a point."""
    amount: Found | None = None
    description: str = ""
    unit: str = ""
    instructions: str = ""
    buyer_item: str = ""


class Gathered(Value):
    """Everything that one place says."""

    place: str
    """In words: `the mail`, `order.csv`."""
    fields: Mapping[str, Found] = {}
    items: tuple[Item, ...] = ()
    unread: tuple[str, ...] = ()
    """What a person has to look at because it could not be read, in words."""
    rest: str = ""
    """Prose that stands under no label."""


def number(found: Found | None) -> Decimal | None:
    """The number in it."""
    return Decimal(found.value) if found else None
