"""From one shared picture to what one person may see of it: their stores' figures, added up and judged."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from math import ceil
from typing import Protocol, TypeVar

from orderack.contracts.journal import Stage
from orderack.domain.order import OrderRef
from orderack.gateway.board.feed import LISTED, Look, Snapshot
from orderack.ports import BoardRecord, Pause
from orderack.ports.board import ChannelFlow, Due, ErpFlow, Flagged, InDoubt, Offered, Standing
from orderack.ports.channel_book import of_erp
from orderack.ports.sweeps import OpenException
from orderack.temporal.open_orders import OpenOrder

SLOW_FROM = timedelta(minutes=1)
"""An ERP that takes no longer than this is not called slow, however quick it was before."""
SILENT_FROM = timedelta(minutes=15)
"""`erp_receipt_within` of DESIGN §2."""

LISTED_WITHIN = timedelta(seconds=10)
"""Temporal's lists lag by a second or two; what they have not shown after this is not there."""


class Tone(StrEnum):
    """How something stands; always with words beside the colour."""

    GOOD = "good"
    QUIET = "quiet"
    LATE = "late"
    BAD = "bad"


@dataclass(frozen=True)
class StageFigures:
    stage: str
    orders: int
    bands: tuple[int, ...]
    oldest_at: datetime


@dataclass(frozen=True)
class SourceFigures:
    source: str
    lately: int
    latest_at: datetime


@dataclass(frozen=True)
class ErpFigures:
    erp: str
    waiting: int
    waiting_since: datetime | None
    receipt_at: datetime | None
    p50: float | None
    p95: float | None
    lately: int
    pause: Pause | None
    tone: Tone
    says: str


@dataclass(frozen=True)
class ChannelFigures:
    channel: str
    accepted: int
    failed: int
    in_doubt: int
    accepted_at: datetime | None
    failed_at: datetime | None
    failure: str
    pause: Pause | None
    tone: Tone
    says: str


@dataclass(frozen=True)
class ReviewRow:
    """`flagged` is None where the record has not heard of the review yet."""

    ref: OrderRef
    owner: str | None
    due_at: datetime | None
    since: datetime
    flagged: Flagged | None


@dataclass(frozen=True)
class Figures:
    """The board of one person."""

    stages: tuple[StageFigures, ...]
    sources: tuple[SourceFigures, ...]
    erps: tuple[ErpFigures, ...]
    channels: tuple[ChannelFigures, ...]
    due: tuple[Due, ...]
    reviews: tuple[ReviewRow, ...]
    reviews_in_all: int
    escalated: tuple[OpenOrder, ...]
    escalated_cut: bool
    offered: tuple[Offered, ...]
    offered_in_all: int
    in_doubt: tuple[InDoubt, ...]
    absent: tuple[OpenException, ...]
    for_a_person: int
    """Of those in doubt: what the policy is about to have said again waits for nobody."""
    shadow: int
    """Open shadow orders, which are in no other figure."""
    asked: tuple[OrderRef, ...]
    record: Look
    lists: Look

    @property
    def open(self) -> int:
        return sum(stage.orders for stage in self.stages)

    @property
    def wanted(self) -> int:
        """Things that wait for a person."""
        several = len(self.escalated) + self.for_a_person + len(self.asked) + len(self.absent)
        return self.reviews_in_all + self.offered_in_all + several

    @property
    def empty(self) -> bool:
        return not (self.stages or self.wanted or self.shadow)


class _OfStore(Protocol):
    @property
    def store(self) -> str: ...


class _OfOrder(Protocol):
    @property
    def ref(self) -> OrderRef: ...


S = TypeVar("S", bound=_OfStore)
R = TypeVar("R", bound=_OfOrder)


def figures(snapshot: Snapshot, stores: Iterable[str], now: datetime) -> Figures:
    """What these stores' people see. Nothing of another store is in it."""
    mine = frozenset(stores)
    record, lists = snapshot.record or BoardRecord(), snapshot.lists

    def of(rows: Iterable[S]) -> list[S]:
        return [row for row in rows if row.store in mine]

    def about(rows: Iterable[R]) -> tuple[R, ...]:
        return tuple(row for row in rows if row.ref.store in mine)

    flagged = about(record.flagged)
    counted = sum(row.orders for row in of(record.standings) if row.stage == Stage.REVIEW)
    paused = {pause.channel: pause for pause in record.paused}
    known = about(lists.reviews) if lists and not snapshot.lists_look.away else ()
    listed_whole = lists is not None and not snapshot.lists_look.away and len(lists.reviews) < LISTED
    reviews = _reviews(flagged, known, now) if listed_whole else _recorded(flagged, known)
    escalated = about(lists.escalated) if lists else ()
    return Figures(
        stages=_stages(of(record.standings)),
        sources=_sources(of(record.standings)),
        erps=tuple(
            _erp(name, rows, paused.get(of_erp(name)), now)
            for name, rows in _grouped(of(record.erps), lambda row: row.erp).items()
        ),
        channels=_channels(of(record.channels), paused),
        due=tuple(sorted(about(record.due), key=lambda row: row.due_at)),
        reviews=reviews,
        reviews_in_all=len(reviews) if listed_whole else max(len(reviews), counted),
        escalated=escalated,
        escalated_cut=bool(lists and lists.cut),
        offered=tuple(sorted(about(record.offered), key=lambda row: row.offered_at)),
        offered_in_all=sum(many for store, many in record.offers if store in mine),
        in_doubt=about(record.in_doubt),
        absent=tuple(sorted(about(record.absent), key=lambda row: row.since)),
        for_a_person=sum(not (one.repeat_due_at and one.repeat_due_at > now) for one in about(record.in_doubt)),
        shadow=sum(many for store, many in record.shadow if store in mine),
        asked=tuple(ref for ref in snapshot.asked if ref.store in mine),
        record=snapshot.record_look,
        lists=snapshot.lists_look,
    )


def _grouped(rows: Iterable[S], key: Callable[[S], str]) -> Mapping[str, list[S]]:
    found: dict[str, list[S]] = {}
    for row in sorted(rows, key=key):
        found.setdefault(key(row), []).append(row)
    return found


def _stages(standings: Sequence[Standing]) -> tuple[StageFigures, ...]:
    found = _grouped(standings, lambda row: row.stage)
    return tuple(
        StageFigures(
            stage=stage,
            orders=sum(row.orders for row in rows),
            bands=tuple(map(sum, zip(*(row.bands for row in rows), strict=True))),
            oldest_at=min(row.oldest_at for row in rows),
        )
        for stage in Stage
        if (rows := found.get(stage))
    )


def _sources(standings: Sequence[Standing]) -> tuple[SourceFigures, ...]:
    return tuple(
        SourceFigures(source, sum(row.lately for row in rows), max(row.latest_at for row in rows))
        for source, rows in _grouped(standings, lambda row: row.source).items()
    )


def _erp(name: str, rows: Sequence[ErpFlow], pause: Pause | None, now: datetime) -> ErpFigures:
    latencies = sorted(second for row in rows for second in row.latencies)
    waiting = sum(row.waiting for row in rows)
    since = min((row.waiting_since for row in rows if row.waiting_since), default=None)
    receipt_at = max((row.receipt_at for row in rows if row.receipt_at), default=None)
    p50, p95 = percentile(latencies, 0.5), percentile(latencies, 0.95)
    tone, says = _paused(pause) or _erp_stands(since if waiting else None, receipt_at, p95, now)
    return ErpFigures(name, waiting, since, receipt_at, p50, p95, len(latencies), pause, tone, says)


def _paused(pause: Pause | None) -> tuple[Tone, str] | None:
    """What was marked down answers nobody; a pause is somebody's wish."""
    if pause is None:
        return None
    return (Tone.BAD, "marked down") if pause.is_mark else (Tone.LATE, "paused")


def _erp_stands(
    since: datetime | None, receipt_at: datetime | None, p95: float | None, now: datetime
) -> tuple[Tone, str]:
    if since is None:
        lately = receipt_at is not None and now - receipt_at < SILENT_FROM
        return (Tone.GOOD, "in step") if lately else (Tone.QUIET, "nothing waits")
    age = now - since
    if age > SILENT_FROM:
        silent = receipt_at is None or receipt_at < since
        return (Tone.BAD, "no receipts") if silent else (Tone.BAD, "an order is stuck")
    if age > max(SLOW_FROM, timedelta(seconds=3 * (p95 or 0))):
        return Tone.LATE, "slow"
    return Tone.GOOD, "working"


def percentile(ordered: Sequence[float], share: float) -> float | None:
    """The nearest rank (at least this share is no longer), of values in order."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)] if ordered else None


def _channels(rows: Sequence[ChannelFlow], paused: Mapping[str, Pause]) -> tuple[ChannelFigures, ...]:
    return tuple(
        _channel(name, of_it, paused.get(name)) for name, of_it in _grouped(rows, lambda row: row.channel).items()
    )


def _channel(name: str, rows: Sequence[ChannelFlow], pause: Pause | None) -> ChannelFigures:
    accepted, failed = sum(row.accepted for row in rows), sum(row.failed for row in rows)
    accepted_at = max((row.accepted_at for row in rows if row.accepted_at), default=None)
    failures = [(row.failed_at, row.failure) for row in rows if row.failed_at]
    failed_at, failure = max(failures, default=(None, ""))
    tone, says = _paused(pause) or _channel_stands(accepted, failed, accepted_at, failed_at)
    return ChannelFigures(
        channel=name,
        accepted=accepted,
        failed=failed,
        in_doubt=sum(row.in_doubt for row in rows),
        accepted_at=accepted_at,
        failed_at=failed_at,
        failure=failure,
        pause=pause,
        tone=tone,
        says=says,
    )


def _channel_stands(
    accepted: int, failed: int, accepted_at: datetime | None, failed_at: datetime | None
) -> tuple[Tone, str]:
    if not failed:
        return (Tone.GOOD, "in step") if accepted else (Tone.QUIET, "nothing lately")
    fails_now = accepted_at is None or (failed_at is not None and failed_at > accepted_at)
    if fails_now and failed >= accepted:
        return Tone.BAD, "failing"
    return Tone.LATE, "some fail"


def _reviews(flagged: Sequence[Flagged], listed: Sequence[OpenOrder], now: datetime) -> tuple[ReviewRow, ...]:
    """As Temporal lists them, with what the record knows; what it does not list yet, as the record has it."""
    known = {row.ref: row for row in flagged}
    listed_refs = {row.ref for row in listed}
    rows = [
        ReviewRow(row.ref, row.owner, row.due_at, row.opened_at, row)
        for row in known.values()
        if row.ref not in listed_refs and now - row.opened_at < LISTED_WITHIN
    ]
    for row in listed:
        mine = known.get(row.ref)
        since = mine.opened_at if mine else row.started_at
        rows.append(ReviewRow(row.ref, row.owner or None, row.next_due_at, since, mine))
    return tuple(sorted(rows, key=_by_due))


def _recorded(flagged: Sequence[Flagged], listed: Sequence[OpenOrder]) -> tuple[ReviewRow, ...]:
    """As the record has the first of them, where Temporal lists none, or so many that the first may not be among them;
    who has one and until when as Temporal says it, if it does."""
    now_of = {row.ref: row for row in listed}
    once = {row.ref: row for row in flagged}  # it may have been opened for one more reason
    rows = [
        ReviewRow(row.ref, said.owner or None, said.next_due_at, row.opened_at, row)
        if (said := now_of.get(row.ref))
        else ReviewRow(row.ref, row.owner, row.due_at, row.opened_at, row)
        for row in once.values()
    ]
    return tuple(sorted(rows, key=_by_due))


def _by_due(row: ReviewRow) -> tuple[bool, datetime, datetime]:
    return row.due_at is None, row.due_at or row.since, row.since
