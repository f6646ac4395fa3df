"""The diagnosis in sentences: the verdict, why, and what to do next, which is S3's remedy for that cause."""

from collections.abc import Sequence

from orderack.diagnostics.gap.figures import (
    ChannelFigures,
    LogFigures,
    RulingFigures,
    SequenceFigures,
    Share,
    SignalFigures,
    VariationFigures,
)
from orderack.diagnostics.gap.sequence import Fires
from orderack.diagnostics.gap.thresholds import CONFIDENT, NEEDED, NO_GAP, SPREAD, SWING
from orderack.diagnostics.gap.verdict import Refusal, Verdict
from orderack.diagnostics.gap.waiting import Cause, Slow, Stamp
from orderack.diagnostics.wording import counted, duration

BUDGET = 45.0
"""Seconds that a confirmation may be held back without a word: the default `erp_budget` of the policy."""

NAMES = {
    Cause.ERP_QUEUE: "the ERP's queue",
    Cause.INTEGRATION_QUEUE: "the integration's queue (webhook or middleware)",
    Cause.TRIGGER: "the trigger: confirmations that do not wait for the ERP's receipt",
}


def percent(share: float) -> str:
    """`97 %`; never 0 % or 100 % of what is not."""
    if 0 < share < 0.005:
        return "under 1 %"
    if 0.995 <= share < 1:
        return "over 99 %"
    return f"{share:.0%}".replace("%", " %")


def probability(p: float) -> str:
    """`p < 0.001` or `p = 0.04`."""
    return "p < 0.001" if p < 0.001 else f"p = {p:.3f}"


def sentence(ruling: RulingFigures, channels: Sequence[ChannelFigures]) -> str:
    """The verdict."""
    delay = ruling.delay
    usual = duration(delay.median.value) if delay else "–"
    match ruling.verdict:
        case Verdict.ERP_QUEUE:
            batch = ruling.batch
            how = (
                f"its import runs every {batch.minutes:g} minutes" if batch else "orders wait there about equally long"
            )
            return f"The gap comes from the ERP's queue: receipts come {usual} after capture, and {how} at any load."
        case Verdict.INTEGRATION_QUEUE:
            return (
                f"The gap comes from the webhook or the integration's queue: receipts come {usual} after capture in "
                "the middle, and how long an order waits varies."
            )
        case Verdict.TRIGGER:
            return _trigger(ruling)
        case Verdict.MIXED:
            parts = "; ".join(f"{percent(part.share)} {NAMES[part.cause]}" for part in ruling.parts)
            where = _where(channels)
            return f"The gap has more than one cause: {parts}.{where}"
        case Verdict.REFUSED:
            return _refused(ruling)


def _trigger(ruling: RulingFigures) -> str:
    seen = ruling.sequence
    share = percent(seen.early_share.value) if seen else "most"
    also = f" The wait itself is that of {NAMES[ruling.wait_cause[0].cause]}." if _slow(ruling) else ""
    return (
        "The gap comes from the trigger: confirmations fire on capture, whatever the ERP does; "
        f"{share} go out before the receipt.{also}"
    )


def _slow(ruling: RulingFigures) -> bool:
    return bool(ruling.wait_cause and ruling.delay and ruling.delay.p95 > BUDGET)


def _where(channels: Sequence[ChannelFigures]) -> str:
    """Which channel shows what, as far as each has orders enough."""
    known = {
        each.channel: " and ".join(NAMES[p.cause].split(" (")[0].split(":")[0] for p in each.ruling.parts)
        for each in channels
        if each.ruling.parts
    }
    said = "; ".join(f"{channel}: {causes}" for channel, causes in known.items())
    return f" By channel: {said}." if len(set(known.values())) > 1 else ""


def _refused(ruling: RulingFigures) -> str:
    match ruling.refusal:
        case Refusal.TOO_FEW:
            return (
                f"No verdict: {counted(ruling.orders, 'order')} in both logs, and it takes {NEEDED}; "
                f"{ruling.orders_missing} more needed."
            )
        case Refusal.SHIFTED:
            return (
                "No verdict: many receipts or other times stand before their order's capture, so the logs' clocks or "
                "time zones do not agree."
            )
        case Refusal.ZONE:
            return (
                "No verdict: even the quickest orders take half an hour or more, and a log's times name no zone, so "
                "they may be those of another zone."
            )
        case Refusal.NO_GAP:
            told = "confirmations come after the receipt" if ruling.sequence else "no confirmations were given"
            return (
                f"No verdict, for there is no gap to find a cause of: receipts come within {NO_GAP:.0f} s, and {told}."
            )
        case Refusal.COARSE:
            return (
                "No verdict: the ERP's times are rounded to more than half of the delay, so its pattern is not in them."
            )
        case _:
            lean = f" They lean to {NAMES[ruling.parts[0].cause]}." if ruling.parts else ""
            return (
                f"No verdict: only {percent(ruling.confidence)} of the resamples agree, and it takes "
                f"{percent(CONFIDENT)}.{lean}"
            )


def why(ruling: RulingFigures, channels: Sequence[ChannelFigures]) -> tuple[str, ...]:
    """What the verdict rests on."""
    told: list[str] = []
    if ruling.delay:
        d = ruling.delay
        told.append(
            f"Capture to ERP receipt over {counted(d.orders, 'order')}: median {duration(d.median.value)} "
            f"(95 % interval {duration(d.median.low)} to {duration(d.median.high)}), 95th percentile {duration(d.p95)}."
        )
    if ruling.sequence:
        told.append(_sequence(ruling.sequence))
    if ruling.stages:
        s = ruling.stages
        middle = "received by the integration" if s.stamp is Stamp.RECEIVED else "delivered to the ERP"
        told.append(
            f"By the integration's stamps ({middle}, {s.orders} orders): {percent(s.first_share.value)} of the delay "
            f"({percent(s.first_share.low)} to {percent(s.first_share.high)}) lies before, median "
            f"{duration(s.first.median.value)}; after it, {duration(s.second.median.value)}. "
            + {
                Slow.FIRST: "The first stage is slow.",
                Slow.SECOND: "The second stage is slow.",
                Slow.BOTH: "Both are.",
            }[s.slow]
        )
    if ruling.batch:
        told.append(
            f"Receipts keep a rhythm of {ruling.batch.minutes:g} minutes (strength {ruling.batch.strength:.2f} of 1): "
            "an import. The wait for its next run is left out of what follows."
        )
    if ruling.variation:
        told.append(_variation(ruling.variation))
    if ruling.verdict is not Verdict.REFUSED:
        told.append(f"{percent(ruling.confidence)} of the bootstrap's resamples say the same.")
    return tuple(told)


def _sequence(seen: SequenceFigures) -> str:
    share = seen.early_share
    fires = {
        Fires.CAPTURE: "they keep to the capture and not to the receipt",
        Fires.RECEIPT: "they wait for the receipt",
        Fires.BOTH: "those wait for nothing, and the others wait for the receipt",
    }[seen.fires]
    clock = f" The clocks seem {duration(seen.skew)} apart, which is allowed for." if seen.skew else ""
    return (
        f"{seen.early} of {seen.orders} confirmations ({percent(share.value)}, exact 95 % interval "
        f"{percent(share.low)} to {percent(share.high)}) went out before the receipt; Spearman's rho "
        f"with it is {seen.rho.value:.2f} ({seen.rho.low:.2f} to {seen.rho.high:.2f}): {fires}.{clock}"
    )


def _variation(v: VariationFigures) -> str:
    kind = "variable" if v.variable else "consistent"
    return (
        f"The delay is {kind}: its third quartile is {v.spread.value:.2f} times its first ({v.spread.low:.2f} to "
        f"{v.spread.high:.2f}; variable from {SPREAD}); at busy times it is {v.swing.value:.2f} times that at calm "
        f"ones ({v.swing.low:.2f} to {v.swing.high:.2f}; variable from {SWING}), and hour and volume explain "
        f"{percent(max(0.0, v.explained.value))} of its variance. By hour: Kruskal-Wallis {probability(v.hour_p)}, "
        f"effect {v.hour_effect:.2f}; by volume within {v.volume_minutes} minutes: rho {v.volume_rho.value:.2f}, "
        f"{probability(v.volume_p)}."
    )


_REMEDIES: dict[Cause, tuple[str, ...]] = {
    Cause.ERP_QUEUE: (
        "Tune the ERP's queue or give it more to work with: run its import more often or on arrival, more workers, "
        "fewer steps before the order has a number (a consistent delay means queue tuning or scaling).",
    ),
    Cause.INTEGRATION_QUEUE: (
        "Look at the webhook's failures and repeats, the middleware's queue depth at the busy hours, and the API's "
        "rate limits (a variable delay means webhook reliability or queue depth).",
        "Until it is even, confirm in two words: `received`, then `confirmation` on the receipt (gate: ack_gated); it "
        "fits a time that varies.",
    ),
    Cause.TRIGGER: (
        "Change which event sends the confirmation: the ERP's receipt, not the capture. A faster webhook or connector "
        "does not change that.",
    ),
}


def next_steps(ruling: RulingFigures) -> tuple[str, ...]:
    """What to do: per cause, and how the confirmation is to be gated by the measured delay."""
    if ruling.verdict is Verdict.REFUSED:
        return (_after_refusal(ruling),)
    steps = [step for part in ruling.parts for step in _REMEDIES[part.cause]]
    causes = {part.cause for part in ruling.parts}
    if ruling.delay and Cause.TRIGGER in causes:
        fits = ruling.delay.p95 <= BUDGET
        gate = (
            "hold it until the receipt (gate: erp_gated)"
            if fits
            else "say `received` at once and `confirmation` on the receipt (gate: ack_gated)"
        )
        steps.append(f"At a 95th percentile of {duration(ruling.delay.p95)}, {gate}.")
        if _slow(ruling) and ruling.verdict is Verdict.TRIGGER:
            steps += [f"Then shorten the wait. {step}" for step in _REMEDIES[ruling.wait_cause[0].cause][:1]]
    elif ruling.sequence is None:
        steps.append(
            "Give the confirmations too (--confirmations): whether they wait for the receipt is not tested yet."
        )
    return tuple(dict.fromkeys(steps))


def _after_refusal(ruling: RulingFigures) -> str:
    match ruling.refusal:
        case Refusal.TOO_FEW:
            return "Export more weeks of both logs, and ask again. The figures below describe these orders only."
        case Refusal.SHIFTED | Refusal.ZONE:
            return (
                "Name the zone of each log's times: --time-zone erp=Europe/Berlin and so on; UTC too, where it is that."
            )
        case Refusal.COARSE:
            return "Export the ERP's times with seconds, or take the integration's log instead."
        case Refusal.NO_GAP:
            return "Nothing, unless orders are missing from the ERP: see the lists."
        case _:
            return "Give the integration's log (--integration), which takes the delay apart, or more weeks."


def notes(
    ruling: RulingFigures,
    logs: Sequence[LogFigures],
    *,
    confirmations: bool,
    held: int,
    signals: SignalFigures,
) -> tuple[str, ...]:
    """What was assumed, set aside or left out: nothing of it goes unsaid."""
    told: list[str] = []
    if naive := [each for each in logs if each.guessed]:
        names = ", ".join(f"{each.log} ({each.naive})" for each in naive)
        told.append(f"Times without a zone were read as UTC: {names}. Name it with --time-zone if they are not.")
    told += [f"{each.log}: {note}." for each in logs for note in each.notes]
    told += [
        f"{each.log}: {each.unreadable} of {each.rows} rows could not be used; the first is line "
        f"{each.unreadable_rows[0].line}, which {each.unreadable_rows[0].why}."
        for each in logs
        if each.unreadable
    ]
    told += [
        f"{each.log}: {each.repeated} rows are of an order that an earlier row had (a repeat, a further line or "
        "another attempt); its first time counts, of deliveries the last before the receipt."
        for each in logs
        if each.repeated
    ]
    told += [
        f"{each.log}: {each.ambiguous} order numbers could be several orders' and were not joined."
        for each in logs
        if each.ambiguous
    ]
    told += [
        f"{each.log}: its times are rounded to {duration(each.resolution)}." for each in logs if each.resolution >= 60
    ]
    if held:
        told.append(
            f"Left out: {counted(held, 'order')} that a person decided about, or that ended, "
            "before the ERP was to have them."
        )
    if not confirmations:
        told.append("No confirmations were given, so the trigger was not tested, only where orders wait.")
    elif ruling.sequence is None and ruling.refusal is not Refusal.TOO_FEW:
        told.append("Too few orders have a confirmation to test what it fires on.")
    told += [
        f"No receipts from {each.since:%d %b %Y %H:%M} to {each.until:%d %b %Y %H:%M} UTC while {each.waiting} orders "
        "were due: an outage, left out of the test of the usual flow."
        for each in ruling.outages
    ]
    if signals.oversold is None:
        told.append(f"Whether anything was oversold cannot be said: {signals.oversold_why}.")
    return tuple(told)


def named_parts(parts: Sequence[Share]) -> str:
    """`the ERP's queue 60 %, …`, for tables."""
    return ", ".join(f"{part.cause.value} {percent(part.share)}" for part in parts) or "–"
