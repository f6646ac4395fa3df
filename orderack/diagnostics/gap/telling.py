"""The diagnosis as values: arrays and findings turned into the figures that are printed and shown."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import numpy as np

from orderack.diagnostics.gap import words
from orderack.diagnostics.gap.figures import (
    BatchFigures,
    Bucket,
    ChannelFigures,
    Column,
    Diagnosis,
    Joint,
    LogFigures,
    OutageFigures,
    Quantiles,
    Range,
    RulingFigures,
    SequenceFigures,
    Share,
    StageFigures,
    Unread,
    VariationFigures,
)
from orderack.diagnostics.gap.flow import Flow
from orderack.diagnostics.gap.joining import Account, Joined
from orderack.diagnostics.gap.listing import signal_figures
from orderack.diagnostics.gap.mapping import Mapped
from orderack.diagnostics.gap.resampling import Interval, Numbers, interval, resamples
from orderack.diagnostics.gap.sequence import Sequence
from orderack.diagnostics.gap.signals import Signals
from orderack.diagnostics.gap.thresholds import NEEDED, VOLUME_MINUTES
from orderack.diagnostics.gap.variation import Variation
from orderack.diagnostics.gap.verdict import Judgement, Ruling
from orderack.diagnostics.gap.waiting import Part, Stages

_SHOWN = 20
"""Unreadable rows named in the diagnosis itself."""

_BANDS = 6
"""Bands of volume that are shown."""


@dataclass(frozen=True)
class Told:
    """What the caller said, and how columns were understood."""

    columns: tuple[Mapped, ...]
    zones: Mapping[str, str]
    with_stock: bool
    with_confirmations: bool
    held: int = 0
    """Orders of the ledger that were left out, since a person decided about them or they ended first."""


def tell(
    joined: Joined,
    flow: Flow,
    names: tuple[str, ...],
    found: Judgement,
    lists: Signals,
    zone: ZoneInfo,
    told: Told,
) -> Diagnosis:
    """Everything, in values and sentences."""
    ruling = ruling_figures(found.ruling, flow)
    channels = tuple(
        ChannelFigures(channel=name, ruling=ruling_figures(found.channels[name], flow.of(flow.load.group == place)))
        for place, name in enumerate(names)
    )
    logs = tuple(_log(each, told.zones.get(each.log, "UTC")) for each in joined.accounts)
    signals = signal_figures(lists, joined, with_stock=told.with_stock)
    return Diagnosis(
        verdict=ruling.verdict,
        sentence=words.sentence(ruling, channels),
        why=words.why(ruling, channels),
        next=words.next_steps(ruling),
        notes=words.notes(
            ruling,
            logs,
            confirmations=told.with_confirmations,
            held=told.held,
            signals=signals,
        ),
        joined_orders=len(flow),
        orders_needed=NEEDED,
        time_zone=str(zone),
        ruling=ruling,
        channels=channels,
        logs=logs,
        mapping=tuple(Column(log=c.log, meaning=c.role, column=c.column, how=c.how) for c in told.columns),
        signals=signals,
    )


def ruling_figures(ruling: Ruling, flow: Flow) -> RulingFigures:
    """A ruling with the figures of its orders, which are shown with and without a verdict."""
    found = ruling.finding
    told = flow.told
    waits = found.waiting if found else None
    return RulingFigures(
        orders=ruling.orders,
        verdict=ruling.verdict,
        confidence=ruling.confidence,
        parts=_shares(ruling.parts),
        refusal=ruling.refusal,
        orders_missing=ruling.missing,
        wait_cause=_shares(waits.parts) if waits else (),
        delay=quantiles(flow.delay) if len(flow) else None,
        lag=quantiles((flow.confirmed - flow.receipt)[told]) if told.any() else None,
        variation=_variation(waits.variation) if waits else None,
        stages=_stages(waits.stages) if waits and waits.stages else None,
        sequence=_sequence(found.sequence) if found and found.sequence else None,
        batch=BatchFigures(minutes=waits.batch.minutes, strength=waits.batch.strength)
        if waits and waits.batch
        else None,
        outages=tuple(
            OutageFigures(since=moment(each.since), until=moment(each.until), waiting=each.waiting)
            for each in (waits.outages if waits else ())
        ),
        hours=_hours(flow),
        volumes=_volumes(flow, waits.variation.volume_minutes if waits else VOLUME_MINUTES[1]),
    )


def moment(seconds: float) -> datetime:
    """In UTC."""
    return datetime.fromtimestamp(seconds, UTC)


def quantiles(values: Numbers) -> Quantiles:
    """Of at least one value; the median with its bootstrap interval."""
    marks = np.quantile(values, [0, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99, 1])
    middle = float(marks[3])
    drawn = np.median(values[resamples(len(values))], axis=1) if len(values) > 1 else np.array([middle])
    return Quantiles(
        orders=len(values),
        minimum=marks[0],
        p5=marks[1],
        p25=marks[2],
        median=_range(interval(middle, drawn)),
        p75=marks[4],
        p95=marks[5],
        p99=marks[6],
        maximum=marks[7],
        mean=float(values.mean()),
    )


def _range(found: Interval) -> Range:
    return Range(value=found.value, low=found.low, high=found.high)


def _shares(parts: tuple[Part, ...]) -> tuple[Share, ...]:
    return tuple(Share(cause=each.cause, share=each.share) for each in parts)


def _variation(found: Variation) -> VariationFigures:
    return VariationFigures(
        spread=_range(found.spread),
        swing=_range(found.swing),
        explained=_range(found.explained),
        hour_p=found.hour_p,
        hour_effect=found.hour_effect,
        volume_rho=_range(found.volume_rho),
        volume_p=found.volume_p,
        volume_minutes=found.volume_minutes,
        variable=found.variable,
        agree=found.agree,
    )


def _stages(found: Stages) -> StageFigures:
    return StageFigures(
        stamp=found.stamp,
        orders=found.orders,
        first_share=_range(found.first_share),
        first=quantiles(found.first),
        second=quantiles(found.second),
        second_variable=found.second_variation.variable,
        slow=found.slow,
    )


def _sequence(found: Sequence) -> SequenceFigures:
    return SequenceFigures(
        orders=found.orders,
        early=found.early,
        early_share=_range(found.early_share),
        rho=_range(found.rho),
        excess=_range(found.excess),
        keeps=_range(found.keeps),
        skew=found.skew,
        median_lag=found.median_lag,
        fires=found.fires,
    )


def _hours(flow: Flow) -> tuple[Bucket, ...]:
    whole = flow.load.hour.astype(np.int64)
    return tuple(_bucket(f"{hour:02d}", flow.delay[whole == hour]) for hour in range(24) if bool((whole == hour).any()))


def _volumes(flow: Flow, minutes: int) -> tuple[Bucket, ...]:
    """Bands with about as many orders each, by orders around in that window."""
    if not len(flow):
        return ()
    volume = flow.load.volumes[VOLUME_MINUTES.index(minutes)]
    edges = np.unique(np.quantile(volume, np.linspace(0, 1, _BANDS + 1)).round())
    places = np.searchsorted(edges[1:-1], volume, side="left")
    found = []
    for place in np.unique(places):
        chosen = places == place
        low, high = int(volume[chosen].min()), int(volume[chosen].max())
        found.append(_bucket(f"{low}" if low == high else f"{low} to {high}", flow.delay[chosen]))
    return tuple(found)


def _bucket(name: str, delay: Numbers) -> Bucket:
    low, middle, high = np.quantile(delay, [0.25, 0.5, 0.75])
    return Bucket(name=name, orders=len(delay), p25=low, median=middle, p75=high)


def _log(account: Account, zone: str) -> LogFigures:
    return LogFigures(
        log=account.log,
        file=account.file,
        rows=account.rows,
        orders=account.orders,
        repeated=account.repeated,
        unreadable=len(account.bad),
        unreadable_rows=tuple(Unread(line=each.line, why=each.why) for each in account.bad[:_SHOWN]),
        joined=tuple(Joint(writing=name, orders=count) for name, count in account.joined),
        ambiguous=account.ambiguous,
        others=account.others,
        naive=account.naive,
        guessed=account.guessed,
        zone=zone,
        times=account.form,
        resolution=account.resolution,
        notes=account.notes,
    )
