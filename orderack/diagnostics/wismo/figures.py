"""What the watch found, as values: what `--json` prints and pages show. Times in UTC, durations in seconds.

A share is per 100 orders, with Wilson's 95 % interval. Of a ticket only its id, its time, the order that it asks for
and the phrase that decided stand here: never its words, and nobody's address.
"""

from datetime import date
from enum import StrEnum

from pydantic import AwareDatetime

from orderack.domain.order import OrderRef
from orderack.domain.value import Value


class Matched(StrEnum):
    """How a ticket came to its order, or why it did not."""

    NUMBER = "number"
    """By an order number in its words."""
    EMAIL = "email"
    """By its requester's address, of whom one order was open or younger than 30 days."""
    AMBIGUOUS = "ambiguous"
    """Several orders would fit; none was chosen."""
    UNKNOWN = "unknown"
    """No order of the ledger fits."""


class Asked(Value):
    """One ticket that asks where an order is."""

    ticket: str
    at: AwareDatetime
    phrase: str
    """What decided: `en: where is my order`, or `tag: wismo`."""
    matched: Matched
    ref: OrderRef | None = None


class PhraseCount(Value):
    """How many tickets a phrase decided."""

    phrase: str
    tickets: int


class TicketCounts(Value):
    """What became of the tickets."""

    read: int
    """Of the span, each once."""
    ours: int
    """Opened by our own messages: never counted as asking."""
    wismo: int
    """That ask where an order is, of whichever store."""
    of_other_stores: int
    """Where one store was asked for: about orders of others. Counted nowhere else but in `wismo`."""
    by_number: int
    by_email: int
    ambiguous: int
    unknown: int
    of_earlier_orders: int
    """Found an order, which was placed before the span."""
    phrases: tuple[PhraseCount, ...]
    """The most frequent first."""


class Rate(Value):
    """Orders asked about, of so many orders."""

    orders: int
    asked: int
    per_100: float
    low: float
    high: float
    """Wilson's 95 % interval, per 100 orders."""


class GapFigures(Value):
    """How these orders' acknowledgements stood against the ERP. None: there was nothing to reckon from."""

    orders: int
    received_p50: float | None
    received_p95: float | None
    """From the order's trigger to the first message that a channel took."""
    receipt_p50: float | None
    receipt_p95: float | None
    """From the order's trigger to the ERP receipt, of those that have one."""
    without_receipt: int
    confirmed: int
    confirmed_early: int
    """Confirmed before the ERP receipt, or without one."""


class DayFigures(Value):
    """One day: the tickets that were opened on it, and the orders that were placed on it."""

    day: date
    tickets: int
    rate: Rate | None
    """Orders that were asked about on this day, per 100 orders placed on it; a ticket without an order counts as one.

    None: no order was placed, or more were asked about than placed.
    """
    gap: GapFigures


class SourceFigures(Value):
    """The orders of one source."""

    source: str
    rate: Rate
    gap: GapFigures


class Split(StrEnum):
    """What the orders are divided by."""

    TOLD_LATE = "told_late"
    """Told after the promised minute, or not at all; against told within it."""
    CONFIRMED_EARLY = "confirmed_early"
    """Confirmed before the ERP receipt; against confirmed after it."""
    HELD = "held"
    """Got a `holding` acknowledgement; against those that needed none."""
    ESCALATED = "escalated"


class Effect(StrEnum):
    """What a split says."""

    MORE = "more"
    """The orders on the split's side are asked about more often."""
    FEWER = "fewer"
    NONE_FOUND = "none_found"
    NO_VERDICT = "no_verdict"
    """Too few orders or tickets to tell (`why`)."""


class SplitFigures(Value):
    """The orders of the span on both sides of a split. An order asked about twice counts once."""

    split: Split
    effect: Effect
    why: str
    """Of no verdict: what is missing, and how many more it takes. Else empty."""
    with_it: Rate | None
    without_it: Rate | None
    ratio: float | None
    """Share asked about with it, divided by the share without it."""
    ratio_low: float | None
    ratio_high: float | None
    """Katz' 95 % interval; half an order is added to each cell where one is empty."""
    p: float | None
    """Fisher's exact test, two-sided."""
    p_held: float | None
    """The same, corrected for the number of splits tested (Holm): what the verdict rests on."""


class Leading(StrEnum):
    """How the daily rate stands to the daily gap."""

    LEADS = "leads"
    SAME_DAY = "same_day"
    FOLLOWS = "follows"
    NONE_FOUND = "none_found"
    REFUSED = "refused"
    """Too few days (`why`)."""


class Lag(Value):
    """The rate of a day against the gap so many days later."""

    days: int
    """Positive: tickets come first."""
    correlation: float
    pairs: int


class LeadFigures(Value):
    """Whether tickets tell of a gap before it is measured."""

    leading: Leading
    why: str
    days: int
    """Days with enough orders."""
    days_needed: int
    lags: tuple[Lag, ...]
    best: Lag | None
    p: float | None
    """Of the greatest correlation over all lags, by permutation."""


class TicketColumn(Value):
    """What a column of a ticket file was taken for, and why."""

    meaning: str
    column: str
    how: str
    """`told` by `--map`, or guessed by its `name` or its `contents`."""


class WismoFigures(Value):
    """All of it."""

    since: AwareDatetime
    until: AwareDatetime
    store: str | None
    time_zone: str
    """Days begin and end in it."""
    tickets_from: str
    """`file`, or the helpdesk's name."""
    orders: int
    """Placed in the span."""
    tickets: TicketCounts
    tickets_per_100: float | None
    """All that ask, with an order or without, per 100 orders of the span; of one store those about its orders only."""
    rate: Rate | None
    """Orders of the span that at least one ticket asks for; None: there are no orders."""
    gap: GapFigures
    days: tuple[DayFigures, ...]
    sources: tuple[SourceFigures, ...]
    splits: tuple[SplitFigures, ...]
    lead: LeadFigures
    sentences: tuple[str, ...]
    """What the figures say, the weightiest first."""
    notes: tuple[str, ...]
    """What was left out or assumed."""
    asked: tuple[Asked, ...]
    """Every ticket that asks, by its time; of one store those about its orders."""
    columns: tuple[TicketColumn, ...] = ()
    """Of a file: what was read for what."""
