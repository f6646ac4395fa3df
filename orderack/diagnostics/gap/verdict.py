"""The verdict over all orders, and each channel's own (R179)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from enum import StrEnum

import numpy as np

from orderack.diagnostics.gap.flow import Flow
from orderack.diagnostics.gap.resampling import Flags
from orderack.diagnostics.gap.sequence import Fires, Sequence, early_flags, sequence
from orderack.diagnostics.gap.thresholds import (
    COARSE,
    CONFIDENT,
    NEEDED,
    NO_GAP,
    PART,
    PART_CONFIDENT,
    PART_NEEDED,
    SHIFTED,
    ZONES,
)
from orderack.diagnostics.gap.waiting import Cause, Part, Waiting, waiting


class Verdict(StrEnum):
    """What the doctor says."""

    ERP_QUEUE = "erp_queue"
    INTEGRATION_QUEUE = "integration_queue"
    TRIGGER = "trigger"
    MIXED = "mixed"
    REFUSED = "refused"


class Refusal(StrEnum):
    """Why there is no verdict."""

    TOO_FEW = "too_few"
    UNDECIDED = "undecided"
    NO_GAP = "no_gap"
    COARSE = "coarse"
    """The ERP's times are rounded to more than half of the delay."""
    SHIFTED = "shifted"
    """Receipts or confirmations stand before their orders' capture: a time zone or a clock is wrong."""
    ZONE = "zone"
    """Even the quickest orders take as long as zones are apart, and some log names no zone."""


@dataclass(frozen=True)
class Finding:
    """What one set of orders shows."""

    parts: tuple[Part, ...]
    """Empty: there is no gap here."""
    agree: float
    waiting: Waiting
    sequence: Sequence | None
    """None: too few confirmations to say what they fire on."""


@dataclass(frozen=True)
class Ruling:
    """A verdict on some orders."""

    orders: int
    verdict: Verdict
    parts: tuple[Part, ...]
    confidence: float
    refusal: Refusal | None
    missing: int
    """Orders that a verdict still needs."""
    finding: Finding | None
    """None: too few orders even for figures of the tests."""


@dataclass(frozen=True)
class Judgement:
    """The whole: over all orders, and by channel."""

    ruling: Ruling
    channels: Mapping[str, Ruling]


def judge(flow: Flow, names: tuple[str, ...]) -> Judgement:
    """By the channel numbers in `flow.load.group`, which index `names`."""
    pooled = _finding(flow) if len(flow) >= PART_NEEDED else None
    chosen = {name: flow.load.group == place for place, name in enumerate(names)}
    alone = len(names) == 1
    skew = pooled.sequence.skew if pooled and pooled.sequence else 0.0  # channels share their clocks
    found = {
        name: pooled if alone else _finding(flow.of(flags), skew) if int(flags.sum()) >= PART_NEEDED else None
        for name, flags in chosen.items()
    }
    channels = {name: _ruling(int(chosen[name].sum()), flow.of(chosen[name]), found[name]) for name in names}
    if pooled is None or len(flow) < NEEDED or _clocks(flow):
        return Judgement(_ruling(len(flow), flow, pooled), channels)
    joint = _joint(flow, pooled, {n: (chosen[n], f) for n, f in found.items() if f is not None})
    return Judgement(_ruling(len(flow), flow, joint), channels)


def _finding(flow: Flow, skew: float = 0.0) -> Finding:
    waits = waiting(flow)
    told = flow.told
    slow = float(np.quantile(flow.delay, 0.95)) > NO_GAP
    if int(told.sum()) < min(NEEDED, 0.8 * len(flow)):
        return Finding(waits.parts if slow else (), waits.agree if slow else 1.0, waits, None)
    seen = sequence(flow.captured[told], flow.receipt[told], flow.confirmed[told], skew)
    if seen.fires is Fires.CAPTURE:
        return Finding((Part(Cause.TRIGGER, 1.0),), seen.agree, waits, seen)
    if seen.fires is Fires.RECEIPT:
        return Finding(waits.parts if slow else (), min(waits.agree, seen.agree) if slow else seen.agree, waits, seen)
    gated = ~early_flags(flow.receipt, flow.confirmed, seen.skew)
    rest = waiting(flow.of(gated)) if int(gated.sum()) >= PART_NEEDED else waits
    parts = (
        Part(Cause.TRIGGER, seen.trigger_share),
        *(Part(each.cause, each.share * (1 - seen.trigger_share)) for each in rest.parts),
    )
    return Finding(parts, min(seen.agree, rest.agree), waits, seen)


def _ruling(orders: int, flow: Flow, found: Finding | None) -> Ruling:
    missing = max(0, NEEDED - orders)
    if missing or found is None:
        return Ruling(orders, Verdict.REFUSED, (), 0.0, Refusal.TOO_FEW, missing, found)
    parts = _weighty(found.parts)
    refusal = _clocks(flow) or (Refusal.COARSE if _coarse(flow) else None)
    if refusal is None and found.agree < CONFIDENT:
        refusal = Refusal.UNDECIDED
    if refusal is None and not parts:
        refusal = Refusal.NO_GAP
    if refusal is not None:
        return Ruling(orders, Verdict.REFUSED, parts, found.agree, refusal, 0, found)
    verdict = Verdict(parts[0].cause) if len(parts) == 1 else Verdict.MIXED
    return Ruling(orders, verdict, parts, found.agree, None, 0, found)


def _clocks(flow: Flow) -> Refusal | None:
    """What the logs' clocks do not allow to be said; None: nothing is wrong with them."""
    stages = (flow.delay, flow.confirmed - flow.captured, flow.delivered - flow.captured, flow.received - flow.captured)
    known = [each[np.isfinite(each)] for each in stages]
    enough = [each for each in known if len(each) >= min(NEEDED, 0.8 * len(flow)) and len(each)]
    if any(float(np.mean(each < -60)) > SHIFTED for each in enough):  # more than clocks a minute apart explain
        return Refusal.SHIFTED
    if flow.guessed and any(float(np.quantile(each, 0.01)) >= ZONES for each in enough):
        return Refusal.ZONE
    return None


def _coarse(flow: Flow) -> bool:
    return flow.resolution >= COARSE and float(np.median(flow.delay)) < 2 * flow.resolution


def _weighty(parts: tuple[Part, ...]) -> tuple[Part, ...]:
    """The causes with a share that counts, the greatest first; together they are one again."""
    shares: dict[Cause, float] = {}
    for part in parts:
        shares[part.cause] = shares.get(part.cause, 0.0) + part.share
    kept = {cause: share for cause, share in shares.items() if share >= PART}
    whole = sum(kept.values())
    ordered = sorted(kept.items(), key=lambda each: -each[1])
    return tuple(Part(cause, share / whole) for cause, share in ordered)


def _joint(flow: Flow, pooled: Finding, found: Mapping[str, tuple[Flags, Finding]]) -> Finding:
    """Channels that are sure of their cause speak for their orders, if they are most; else all orders together."""
    clear = {n: (flags, each) for n, (flags, each) in found.items() if each.agree >= PART_CONFIDENT and each.parts}
    covered = sum(int(flags.sum()) for flags, _ in clear.values())
    if len(found) < 2 or covered < 0.6 * len(flow):
        return pooled
    parts = _weighty(
        tuple(
            Part(part.cause, part.share * int(flags.sum()) / covered)
            for flags, each in clear.values()
            for part in each.parts
        )
    )
    causes = {part.cause for part in parts}
    if {Cause.ERP_QUEUE, Cause.INTEGRATION_QUEUE} <= causes and not _unlike(clear.values()):
        return pooled
    weights = [(int(flags.sum()), each.agree) for flags, each in clear.values()]
    agree = min(1.0, sum(count * each for count, each in weights) / covered)
    return Finding(parts, agree, pooled.waiting, pooled.sequence)


def _unlike(clear: Collection[tuple[Flags, Finding]]) -> bool:
    """Whether a channel with a variable delay and one with a consistent delay differ beyond their intervals.

    One threshold would otherwise split channels that are alike. An import's rhythm is a difference by itself, and the
    integration's own stamps need no such test.
    """
    waits = [each.waiting for _, each in clear]
    if any(each.stages for each in waits):
        return True
    variable = [each.variation for each in waits if each.variation.variable and each.batch is None]
    steady = [each for each in waits if not each.variation.variable]
    return any(
        one.swing.low > other.variation.swing.high
        or other.batch is not None
        or one.spread.low > other.variation.spread.high
        for one in variable
        for other in steady
    )
