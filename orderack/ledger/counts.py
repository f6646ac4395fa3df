"""What is counted of a write: once it is committed, and for what it brought, so that a repeat counts for nothing.

Rare words stand at nought as soon as there is anything of their kind: no rate can be told of a first sample.
"""

from collections.abc import Callable, Collection, Sequence
from datetime import datetime

from prometheus_client import Histogram
from pydantic import ValidationError
from sqlalchemy.ext.asyncio import AsyncSession

from orderack.contracts.journal import Entry, Event
from orderack.domain.acknowledgement import SendState
from orderack.domain.assessment import Side
from orderack.domain.receipt import ErpReceipt
from orderack.ports import DeliveryState
from orderack.telemetry import metrics

RECEIPT_KIND = "erp_receipt"
"""The inbox's kind of an ERP's receipt. Frozen."""

_COUNTS = "orderack_counts"
_OUTCOMES = {Event.CLOCK_MET: "met", Event.CLOCK_BREACHED: "breached"}
_RARE = (Event.QUARANTINED, Event.ESCALATED, Event.SEND_UNKNOWN, Event.UNDELIVERABLE)
_ENDS = (SendState.ACCEPTED, SendState.REJECTED, SendState.UNKNOWN)
_POSTED = {
    DeliveryState.DELIVERED: "delivered",
    DeliveryState.PENDING: "failed",
    DeliveryState.DEAD: "dead",
}


def when_committed(session: AsyncSession, count: Callable[[], object]) -> None:
    """Count it if the transaction holds."""
    session.info.setdefault(_COUNTS, []).append(count)


def committed(session: AsyncSession) -> None:
    """The transaction held."""
    for count in session.info.pop(_COUNTS, ()):
        count()


def entries(session: AsyncSession, store: str, fresh: Collection[Entry], told: int, side: Side) -> None:
    """Entries of a journal that told so many: which happened, which clocks were met or breached, which came again.

    What happens in a shadow run is counted by itself: no promise to anybody was met or broken.
    """
    store = metrics.store_label(store)
    if side is Side.SHADOW:
        for entry in fresh:
            when_committed(session, metrics.SHADOW_EVENTS.labels(entry.event, store).inc)
        return
    for rare in _RARE:
        metrics.EVENTS.labels(rare, store)
    for entry in fresh:
        when_committed(session, metrics.EVENTS.labels(entry.event, store).inc)
        if entry.event in _OUTCOMES and entry.clock:
            levels = {word: metrics.SERVICE_LEVELS.labels(entry.clock, word, store) for word in _OUTCOMES.values()}
            when_committed(session, levels[_OUTCOMES[entry.event]].inc)
    if told > len(fresh):
        repeats = told - len(fresh)
        when_committed(session, lambda: metrics.DUPLICATES.labels("entry").inc(repeats))


def receipts(session: AsyncSession, fresh: Collection[Entry], timeline: Sequence[Entry]) -> None:
    """How long the ERP took for each receipt that is new in this timeline; its name is the submission's note."""
    for receipt in (entry for entry in fresh if entry.event is Event.ERP_RECEIPT):
        submitted = next(
            (e for e in timeline if e.event is Event.SUBMITTED_TO_ERP and e.revision == receipt.revision), None
        )
        if submitted is not None and submitted.note:
            _observed(session, metrics.ERP_RECEIPT.labels(submitted.note), receipt.at, submitted.at)


def acknowledged(session: AsyncSession, kind: str, store: str, trigger_at: datetime | None, at: datetime) -> None:
    """An acknowledgement is out, for the first time."""
    if trigger_at is not None:
        histogram = metrics.ACKNOWLEDGEMENT.labels(kind, metrics.store_label(store))
        _observed(session, histogram, at, trigger_at)


def _observed(session: AsyncSession, histogram: Histogram, at: datetime, since: datetime) -> None:
    when_committed(session, lambda: histogram.observe(max(0.0, (at - since).total_seconds())))


def sent(session: AsyncSession, channel: str, state: SendState) -> None:
    """A send ended so."""
    ends = {end: metrics.SENDS.labels(channel, end) for end in (*_ENDS, metrics.GIVEN_UP)}
    when_committed(session, ends[state].inc)


def again(session: AsyncSession, what: str) -> None:
    """It was there already."""
    when_committed(session, metrics.DUPLICATES.labels(what).inc)


def received(session: AsyncSession, source: str, kind: str, body: str) -> None:
    """A new inbound event; of an ERP's receipt also its verdict."""
    when_committed(session, metrics.INBOX_RECEIVED.labels(kind).inc)
    if kind == RECEIPT_KIND:
        erp = source.removeprefix("receipts/")
        when_committed(session, metrics.ERP_RECEIPTS.labels(erp, verdict_of(body)).inc)


def verdict_of(body: str) -> str:
    """The worst verdict on any line of the receipt."""
    try:
        return ErpReceipt.model_validate_json(body).worst or "none"
    except ValidationError:
        return metrics.OTHER


def announced(session: AsyncSession, kind: str, outcome: str) -> None:
    """An inbound event's end."""
    for rare in ("refused", "unreadable"):
        metrics.INBOX_ANNOUNCED.labels(kind, rare)
    when_committed(session, metrics.INBOX_ANNOUNCED.labels(kind, metrics.word_label(outcome)).inc)


def posted(session: AsyncSession, endpoint: str, state: DeliveryState, times: int = 1) -> None:
    """Attempts at an endpoint ended so."""
    when_committed(session, lambda: metrics.ENDPOINT_POSTS.labels(endpoint, _POSTED[state]).inc(times))
