"""What is compared with our orders, and what becomes of each row and each order (R146, R147, R148)."""

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from types import MappingProxyType

from orderack.domain.value import Value


@dataclass(frozen=True, slots=True)
class Row:
    """One row of an input. `problem`: it cannot be used, and why."""

    line: int
    id: str = ""
    total: Decimal | None = None
    currency: str = ""
    sku: str = ""
    quantity: Decimal | None = None
    off: bool = False
    """Cancelled, voided, refunded, failed: it does not count."""
    pending: bool = False
    """Not paid yet."""
    available: Decimal | None = None
    """Of a sku: what the marketplace offers."""
    problem: str = ""


class Kind(StrEnum):
    """What became of a row or an order. The first ones are no differences."""

    AGREES = "agrees"
    ABSENT_RIGHTLY = "absent_rightly"
    IN_ITS_TIME = "in_its_time"
    MISSING_HERE = "missing_here"
    MISSING_THERE = "missing_there"
    CONFIRMED_NOT_BOOKED = "confirmed_not_booked"
    BOOKED_CANCELLED_HERE = "booked_cancelled_here"
    CANCELLED_THERE = "cancelled_there"
    AMOUNT_DIFFERS = "amount_differs"
    CURRENCY_DIFFERS = "currency_differs"
    QUANTITY_DIFFERS = "quantity_differs"
    PAID_NOT_BOOKED = "paid_not_booked"
    BOOKED_UNPAID = "booked_unpaid"
    PAID_CANCELLED_HERE = "paid_cancelled_here"
    UNPAID_THERE = "unpaid_there"
    OFFERS_TOO_MUCH = "offers_too_much"
    OFFERS_TOO_LITTLE = "offers_too_little"
    STOCK_UNKNOWN = "stock_unknown"
    REPEATED = "repeated"
    AMBIGUOUS = "ambiguous"
    UNREADABLE = "unreadable"


FINE = frozenset({Kind.AGREES, Kind.ABSENT_RIGHTLY, Kind.IN_ITS_TIME})

NEXT_STEP: Mapping[Kind, str] = MappingProxyType(
    {
        Kind.MISSING_HERE: "find where it came from: it was never captured here, or came before the span",
        Kind.MISSING_THERE: "enter it there, or cancel it here: orderack cancel",
        Kind.CONFIRMED_NOT_BOOKED: "first of all: the buyer was told; enter it in the ERP today, or call the buyer",
        Kind.BOOKED_CANCELLED_HERE: "cancel the ERP's document, so that nothing is shipped",
        Kind.CANCELLED_THERE: "ask who cancelled it there, and cancel it here too: orderack cancel",
        Kind.AMOUNT_DIFFERS: "compare lines, tax and shipping in both; amend the one that is wrong",
        Kind.CURRENCY_DIFFERS: "look at the price list that was used there",
        Kind.QUANTITY_DIFFERS: "compare the lines in both; amend the one that is wrong",
        Kind.PAID_NOT_BOOKED: "enter it in the ERP, or refund the buyer",
        Kind.BOOKED_UNPAID: "let nothing leave before it is paid; ask the buyer or the payment provider",
        Kind.PAID_CANCELLED_HERE: "refund the buyer",
        Kind.UNPAID_THERE: "look at the payment: the order says that it is paid",
        Kind.OFFERS_TOO_MUCH: "lower the offer before it is sold twice",
        Kind.OFFERS_TOO_LITTLE: "raise the offer: goods lie unsold",
        Kind.STOCK_UNKNOWN: "no order of the span says what the ERP has of it: look there",
        Kind.REPEATED: "the same order stands there twice: cancel one of them",
        Kind.AMBIGUOUS: "the id fits several orders of ours: look at both",
        Kind.UNREADABLE: "mend the row in the export",
    }
)
"""What its owner does."""


class Side(StrEnum):
    """What the ledger is compared with."""

    ERP = "erp"
    PAYMENTS = "payments"
    MARKETPLACE = "marketplace"


class Difference(Value):
    """Both values, and what to do."""

    side: Side
    kind: Kind
    what: str
    """The order, the row's own id, or the sku."""
    here: str
    there: str
    lines: tuple[int, ...] = ()
    """Rows of the input."""
    owner: str | None = None

    @property
    def next_step(self) -> str:
        return NEXT_STEP[self.kind]


class Totals(Value):
    """Of one side: every row and every order of ours, each in exactly one class."""

    side: Side
    rows: int
    by_row: Mapping[Kind, int]
    ours: int
    by_order: Mapping[Kind, int]


class Reconciled(Value):
    totals: tuple[Totals, ...]
    differences: tuple[Difference, ...]
