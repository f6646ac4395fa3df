"""What a comparison found: discrepancies with their ids, figures of both sides, and how they stand."""

import hashlib
import math
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum

from pydantic import AwareDatetime, computed_field

from orderack.domain.acknowledgement import Kind
from orderack.domain.order import Name, Text
from orderack.domain.value import Value
from orderack.ledger.shadow import Cutover, Verdict


class Difference(StrEnum):
    """The kinds of discrepancies. Frozen names: verdicts are kept under them."""

    OLD_BEFORE_RECEIPT = "old_confirmed_before_receipt"
    OURS_BEFORE_RECEIPT = "ours_confirmed_before_receipt"
    OLD_ONLY = "old_only"
    OURS_ONLY = "ours_only"
    NEVER_BY_OLD = "never_by_old"
    LATER = "later"
    EARLIER = "earlier"
    TOTAL = "total"
    LINES = "lines"
    PROMISE = "promise"
    UNKNOWN_HERE = "unknown_here"
    UNKNOWN_THERE = "unknown_there"
    TOLD_TWICE = "told_twice"


TITLES = {
    Difference.OLD_BEFORE_RECEIPT: "the old flow confirmed before the ERP's receipt",
    Difference.OURS_BEFORE_RECEIPT: "we would have confirmed before the ERP's receipt",
    Difference.OLD_ONLY: "the old flow sent it, we would not have",
    Difference.OURS_ONLY: "we would have sent it, the old flow did not",
    Difference.NEVER_BY_OLD: "the old flow has no such message at all",
    Difference.LATER: "ours would have come later",
    Difference.EARLIER: "ours would have come earlier",
    Difference.TOTAL: "another total",
    Difference.LINES: "another number of lines",
    Difference.PROMISE: "another promise date",
    Difference.UNKNOWN_HERE: "the old flow told a buyer of an order that we never saw",
    Difference.UNKNOWN_THERE: "the old flow told the buyer nothing",
    Difference.TOLD_TWICE: "a live order's buyer was told by the old flow too",
}

REMEDIES = {
    Difference.OLD_BEFORE_RECEIPT: "it ends with the cutover: waive it, for all of the kind with an expiry",
    Difference.OURS_BEFORE_RECEIPT: "do not cut over: report it with the order's timeline; it can't be waived away",
    Difference.OLD_ONLY: "look at why we held it (`orderack timeline`); change the rule, or resolve it if we are right",
    Difference.OURS_ONLY: "find out why the old flow was silent; resolve it if our word is wanted",
    Difference.NEVER_BY_OLD: "decide whether buyers are to have it; if not, change the policy; then resolve it",
    Difference.LATER: "look for what it waited for (`orderack timeline`): the ERP's signal, or a gate",
    Difference.EARLIER: "resolve it, if earlier is as right",
    Difference.TOTAL: "compare the order as the source sent it; mend the source's mapping",
    Difference.LINES: "compare the order as the source sent it; mend the source's mapping",
    Difference.PROMISE: "compare the store's calendar, cut-off and lead days with the old flow's",
    Difference.UNKNOWN_HERE: "find out why its source did not hand it in: a webhook's filter, or a missing connection",
    Difference.UNKNOWN_THERE: "see whether the old flow's events are fed in whole; else it lost the order",
    Difference.TOLD_TWICE: "switch the old flow's messages off for the orders that are live",
}


class Terms(Value):
    """How the two are compared."""

    settle: timedelta = timedelta(minutes=15)
    """Younger orders are not compared yet: either side may still say something."""
    budget: timedelta = timedelta(seconds=60)
    """Further apart than this is later, or earlier."""


class Discrepancy(Value):
    """One thing that the two flows did differently. The same finding has the same id, whenever it is looked for."""

    id: Name
    kind: Difference
    order: Text = ""
    """Its number; empty: it is about the store."""
    message: Kind | None = None
    ours: Text
    old: Text
    verdict: Verdict | None = None
    """Who resolved or waived it; None: it is open."""

    @computed_field  # type: ignore[prop-decorator]  # pydantic's own way to a field that is worked out
    @property
    def resolve(self) -> str:
        """How to resolve it."""
        return REMEDIES[self.kind]

    @property
    def open(self) -> bool:
        return self.verdict is None


class Times(Value):
    """How long one side took to a kind of message, from the order's trigger. Seconds."""

    orders: int = 0
    p50: float | None = None
    p95: float | None = None


class Timing(Value):
    """One kind of message on both sides; without a kind, the first word of all."""

    message: Kind | None
    ours: Times
    old: Times


class Report(Value):
    """A store's shadow run so far."""

    store: Name
    at: AwareDatetime
    since: AwareDatetime | None
    terms: Terms
    orders: int
    """Shadow orders that were compared."""
    young: int
    """Shadow orders too young to be compared."""
    live: int
    alike: int
    """Compared, and nothing differed."""
    untold: int
    """Orders that were owed a word and would have had none."""
    ours_before_receipt: int
    old_before_receipt: int
    timing: tuple[Timing, ...]
    discrepancies: tuple[Discrepancy, ...]
    cutovers: tuple[Cutover, ...] = ()

    @property
    def open(self) -> tuple[Discrepancy, ...]:
        return tuple(found for found in self.discrepancies if found.open)

    @property
    def first_word(self) -> Times:
        """Ours: of orders that were owed one at once."""
        return next((timing.ours for timing in self.timing if timing.message is None), Times())


def identity(store: str, kind: Difference, *parts: object) -> str:
    """The discrepancy's id: of what it is about, and not of when somebody looked."""
    text = "\x1f".join((store, kind, *map(str, parts)))
    return f"d-{hashlib.sha256(text.encode('utf-8', 'replace')).hexdigest()[:10]}"


def times(seconds: Sequence[float], never: int = 0) -> Times:
    """Nearest-rank percentiles; `never` counts those that would have waited for ever, and may leave no figure."""
    ordered, many = sorted(seconds), len(seconds) + never

    def at(share: float) -> float | None:
        place = math.ceil(share * many) - 1
        return round(ordered[place], 3) if 0 <= place < len(ordered) else None

    return Times(orders=many, p50=at(0.5), p95=at(0.95))
