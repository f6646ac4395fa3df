"""Where an order waits between capture and receipt: in the integration, in the ERP, or in both."""

from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from orderack.diagnostics.gap.batches import Batch, batch
from orderack.diagnostics.gap.flow import Flow
from orderack.diagnostics.gap.outages import Outage, outages, usual
from orderack.diagnostics.gap.resampling import Flags, Interval, Numbers, interval, resamples
from orderack.diagnostics.gap.thresholds import NEEDED, PART_NEEDED, QUICK, STAGE
from orderack.diagnostics.gap.variation import Variation, variation


class Cause(StrEnum):
    """What a gap can come from (R164)."""

    INTEGRATION_QUEUE = "integration_queue"
    ERP_QUEUE = "erp_queue"
    TRIGGER = "trigger"


@dataclass(frozen=True)
class Part:
    """A cause, and its share of the orders, or of their delay."""

    cause: Cause
    share: float


class Stamp(StrEnum):
    """What the integration's stamp says."""

    RECEIVED = "received"
    """It has the order: its own queue is still ahead."""
    DELIVERED = "delivered"
    """It gave the order to the ERP."""


class Slow(StrEnum):
    """Which stage makes the delay."""

    FIRST = "capture_to_integration"
    SECOND = "integration_to_erp"
    BOTH = "both"


@dataclass(frozen=True)
class Stages:
    """The delay taken apart by the integration's own stamp."""

    stamp: Stamp
    orders: int
    first_share: Interval
    """Of the whole delay, the part from capture to the stamp."""
    first: Numbers
    second: Numbers
    """Seconds, order by order: capture to stamp, stamp to receipt."""
    second_variation: Variation
    slow: Slow
    agree: float


@dataclass(frozen=True)
class Waiting:
    """What the delay says of its cause."""

    parts: tuple[Part, ...]
    variation: Variation
    batch: Batch | None
    outages: tuple[Outage, ...]
    stages: Stages | None
    agree: float
    """Share of the resamples that say the same."""


def waiting(flow: Flow) -> Waiting:
    """By the integration's stamps where enough orders have one, else by S3's rule: consistent or variable."""
    stalls = outages(flow.captured, flow.receipt)
    kept = usual(flow.captured, flow.receipt, stalls)
    if int(kept.sum()) < PART_NEEDED:
        kept, stalls = np.ones(len(flow), dtype=np.bool_), ()
    calm = flow.of(kept)
    batched = batch(calm.captured, calm.receipt, calm.resolution)
    found = variation(batched.evened(calm.captured, calm.receipt) if batched else calm.delay, calm.load)
    stages = _stages(calm)
    if stages is None:
        cause = Cause.INTEGRATION_QUEUE if found.variable else Cause.ERP_QUEUE
        return Waiting((Part(cause, 1.0),), found, batched, stalls, None, found.agree)
    return Waiting(_parts(stages), found, batched, stalls, stages, stages.agree)


def _stages(flow: Flow) -> Stages | None:
    """None where too few orders have a stamp of the integration."""
    for stamp, times in ((Stamp.DELIVERED, flow.delivered), (Stamp.RECEIVED, flow.received)):
        chosen: Flags = np.isfinite(times)
        if int(chosen.sum()) >= min(NEEDED, 0.8 * len(flow)):
            return _staged(stamp, flow.of(chosen), times[chosen])
    return None


def _staged(stamp: Stamp, flow: Flow, times: Numbers) -> Stages:
    first, second = np.maximum(times - flow.captured, 0.0), np.maximum(flow.receipt - times, 0.0)
    tamed = [np.minimum(each, np.quantile(each, 0.99)) for each in (first, second)]
    drawn = resamples(len(first))
    means = np.array([[each.mean(), *each[drawn].mean(axis=1)] for each in tamed])
    shares = means[0] / np.maximum(means.sum(axis=0), 1e-9)
    grouped = batch(times, flow.receipt, flow.resolution)
    later = variation(grouped.evened(times, flow.receipt) if grouped else second, flow.load)
    kinds = [_kind(*each) for each in zip(shares, *means, strict=True)]
    same = sum(kind is kinds[0] for kind in kinds[1:]) / len(drawn)
    doubt = stamp is Stamp.RECEIVED and kinds[0] is not Slow.FIRST
    return Stages(
        stamp=stamp,
        orders=len(first),
        first_share=interval(float(shares[0]), shares[1:]),
        first=first,
        second=second,
        second_variation=later,
        slow=kinds[0],
        agree=min(same, later.agree) if doubt else same,
    )


def _kind(share: float, first: float, second: float) -> Slow:
    """A stage is slow by its share of the delay and by its seconds; where neither is, by the greater share."""
    one, other = share > STAGE and first >= QUICK, share < 1 - STAGE and second >= QUICK
    if one and other:
        return Slow.BOTH
    return Slow.FIRST if one or (not other and share > 0.5) else Slow.SECOND


def _parts(stages: Stages) -> tuple[Part, ...]:
    """What comes after the integration *received* the order is still partly its own: S3's rule tells whose."""
    own = stages.stamp is Stamp.RECEIVED and stages.second_variation.variable
    if stages.slow is Slow.FIRST or own:
        return (Part(Cause.INTEGRATION_QUEUE, 1.0),)
    if stages.slow is Slow.SECOND:
        return (Part(Cause.ERP_QUEUE, 1.0),)
    share = stages.first_share.value
    return (Part(Cause.INTEGRATION_QUEUE, share), Part(Cause.ERP_QUEUE, 1 - share))
