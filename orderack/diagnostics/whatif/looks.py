"""What was known when an order was looked at: content, findings and clock of then, so that only the policy differs."""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from pydantic import ValidationError

from orderack.domain.assessment import Assessment, FlagName
from orderack.domain.flags import EarlierOrder, fingerprint
from orderack.domain.order import Order, OrderRef
from orderack.domain.reachability import Reachability
from orderack.policy.assessing import Explanation, Findings
from orderack.policy.gate import Latency, measure
from orderack.ports.past_orders import EarlierRevision, ErpLatency, PastReview, PastRevision

HISTORY = timedelta(days=365)
"""As far back as an assessment looks at a customer's orders (`activities/assess.py`)."""

LATENCIES = 200
"""Receipts that the adaptive gate looks back on (`activities/assess.py`)."""

SAME_MOMENT = timedelta(seconds=10)
"""No look takes longer from its clock to its record; further apart, the two were not read from one clock."""

RECHECKED = frozenset({"incomplete", "totals_mismatch", "stock_gone", "erp_refused", "price_changed"})
"""Flags that an amendment is meant to cure: never waived with it (`workflows/_requests.py`; a test compares them)."""

FAILED = "assessment_failed"

UNMEASURED = Latency()


class Unkept(StrEnum):
    """Why a recorded decision cannot be made again."""

    ERASED = "erased"
    """The buyer's data was erased, and the order's content with it."""
    FAILED = "failed"
    """The rules failed on it then, or the ledger held another content: its findings were not kept."""
    NO_INPUTS = "no_inputs"
    """No findings are stored beside it: an older version wrote it, or another program."""


@dataclass(frozen=True, slots=True)
class Look:
    """One order revision as it was looked at. `recorded` None: it comes from a file, and nothing was decided."""

    order: Order
    revision: int
    at: datetime
    """When it was recorded."""
    found: Findings
    waived: tuple[str, ...] = ()
    recorded: Assessment | None = None
    erp: str | None = None
    """Whose `latency` was measured then."""
    latency: Latency = UNMEASURED
    maybe_unseen: frozenset[OrderRef] = frozenset()
    """Orders recorded while this one was being looked at: it may have seen them or not."""
    reach: Reachability | None = None
    """How the customer had answered by then. None: the store did not learn from it then, so that nothing was kept."""
    dated: bool = True
    """False: no date was computed then, so the store's queue and the exact moment were not kept."""

    @property
    def without_unseen(self) -> Findings:
        """The findings as they were if it did not see those."""
        kept = {
            name: tuple(one for one in getattr(self.found, name) if one.ref not in self.maybe_unseen)
            for name in ("history", "lookalikes")
        }
        return self.found.model_copy(update=kept)


@dataclass(frozen=True, slots=True)
class _Seen:
    """An earlier order as it stood from `since` until its next revision."""

    since: datetime
    until: datetime | None
    order: EarlierOrder


class Chronicle:
    """What any moment could know of other orders and of the ERPs."""

    def __init__(self, earlier: Iterable[EarlierRevision] = (), latencies: Sequence[ErpLatency] = ()) -> None:
        self._of_customer: dict[tuple[str, str], list[_Seen]] = defaultdict(list)
        self._alike: dict[str, list[_Seen]] = defaultdict(list)
        self._receipts: dict[str, tuple[list[datetime], list[float]]] = defaultdict(lambda: ([], []))
        of_order: dict[OrderRef, list[EarlierRevision]] = defaultdict(list)
        for one in earlier:
            of_order[one.ref].append(one)
        for revisions in of_order.values():
            self._add(sorted(revisions, key=lambda one: one.revision))
        for receipt in latencies:
            times, seconds = self._receipts[receipt.erp]
            times.append(receipt.receipt_at)
            seconds.append(receipt.seconds)

    def _add(self, revisions: Sequence[EarlierRevision]) -> None:
        for position, one in enumerate(revisions):
            next_at = revisions[position + 1].recorded_at if position + 1 < len(revisions) else None
            until = min((at for at in (next_at, one.erased_at) if at), default=None)
            told = EarlierOrder(
                ref=one.ref, trigger_at=one.trigger_at, fingerprint=one.fingerprint, quantities=one.quantities
            )
            seen = _Seen(one.recorded_at, until, told)
            self._alike[one.fingerprint].append(seen)
            if one.customer_id is not None:
                self._of_customer[one.ref.store, one.customer_id].append(seen)

    def history(self, order: Order, now: datetime, at: datetime) -> tuple[EarlierOrder, ...]:
        """The customer's other orders of the last year that a look recorded at `at` could see, with an item of this."""
        if not order.customer.id:
            return ()
        skus = {line.sku for line in order.lines}
        found = _visible(self._of_customer.get((order.store, order.customer.id), ()), order.ref, at)
        return tuple(one for one in found if one.trigger_at >= now - HISTORY and not skus.isdisjoint(one.quantities))

    def lookalikes(self, order: Order, at: datetime) -> tuple[EarlierOrder, ...]:
        """Orders of the same buyer, lines and total; how near in time they must be is the policy's to say."""
        found = _visible(self._alike.get(fingerprint(order), ()), order.ref, at)
        return tuple(sorted(found, key=lambda one: one.trigger_at, reverse=True))

    def recorded_between(self, order: Order, since: datetime, at: datetime) -> frozenset[OrderRef]:
        """Of those the ones that were recorded in this span."""
        near = [*self._alike.get(fingerprint(order), ())]
        if order.customer.id:
            near += self._of_customer.get((order.store, order.customer.id), ())
        return frozenset(one.order.ref for one in near if since <= one.since < at and one.order.ref != order.ref)

    def latency(self, erp: str, at: datetime) -> Latency:
        """As it was measured at that moment."""
        times, seconds = self._receipts.get(erp, ([], []))
        known = bisect_left(times, at)
        return measure(seconds[max(0, known - LATENCIES) : known])


def _visible(seen: Iterable[_Seen], but: OrderRef, at: datetime) -> list[EarlierOrder]:
    return [
        one.order for one in seen if one.since < at and (one.until is None or one.until >= at) and one.order.ref != but
    ]


def look_of(past: PastRevision, reviews: Sequence[PastReview], chronicle: Chronicle) -> Look | Unkept:
    """What was known when this revision was assessed, or why that cannot be said."""
    if past.content is None:
        return Unkept.ERASED
    if past.assessment.decision.rule == FAILED:
        return Unkept.FAILED
    try:
        explanation = Explanation.model_validate_json(past.explanation)
    except ValidationError:
        return Unkept.NO_INPUTS
    order, at, promise = past.content, past.recorded_at, explanation.promise
    now = promise.asked_at if promise else at
    begun = now if timedelta() <= at - now <= SAME_MOMENT else at
    return Look(
        order=order,
        revision=past.revision,
        at=at,
        found=Findings(
            now=now,
            history=chronicle.history(order, now, at),
            lookalikes=chronicle.lookalikes(order, at),
            stock=None if explanation.stock_note else past.assessment.stock,
            stock_note=explanation.stock_note,
            queue_depth=promise.workload.queue_depth if promise else 0,
        ),
        waived=_waived(explanation, reviews, past),
        recorded=past.assessment,
        erp=past.assessment.decision.erp,
        latency=explanation.latency,
        reach=explanation.reach,
        maybe_unseen=chronicle.recorded_between(order, begun, at) if begun < at else frozenset(),
        dated=promise is not None,
    )


def look_at_file(order: Order, chronicle: Chronicle) -> Look:
    """An order that was never decided: looked at when it was placed, and nothing is known of stock or queue."""
    now = order.trigger_at
    return Look(
        order=order,
        revision=1,
        at=now,
        found=Findings(
            now=now,
            history=chronicle.history(order, now, now),
            lookalikes=chronicle.lookalikes(order, now),
            stock_note="not known: the order comes from a file",
        ),
    )


def earlier_in_file(orders: Iterable[Order]) -> list[EarlierRevision]:
    """The file's orders as later ones of it could see them."""
    found = []
    for order in orders:
        quantities = {line.sku: line.quantity for line in order.lines}
        for sku in quantities:
            quantities[sku] = sum((line.quantity for line in order.lines if line.sku == sku), start=quantities[sku] * 0)
        found.append(
            EarlierRevision(
                ref=order.ref,
                revision=1,
                recorded_at=order.trigger_at,
                trigger_at=order.trigger_at,
                customer_id=order.customer.id,
                fingerprint=fingerprint(order),
                quantities=quantities,
            )
        )
    return found


def _waived(explanation: Explanation, reviews: Sequence[PastReview], past: PastRevision) -> tuple[str, ...]:
    """The flags that reviewers had answered for by then, in the words of the reviews before it."""
    waived = dict.fromkeys(flag.name.value for flag in explanation.waived)
    open_flags: list[str] = []
    for review in reviews:
        if review.revision >= past.revision:
            break
        open_flags += review.flags
        if review.decided_at is None:
            continue
        if review.verdict in ("approve", "amend") and review.decided_at <= past.recorded_at:
            cured = RECHECKED if review.verdict == "amend" else frozenset[str]()
            waived |= dict.fromkeys(name for name in open_flags if name not in cured)
        open_flags = []
    known = {name.value for name in FlagName}
    return tuple(name for name in waived if name in known)
