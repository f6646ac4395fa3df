"""Figures in words, the same on a terminal, on the page and in the mail."""

from collections.abc import Sequence
from datetime import date, timedelta

from orderack.diagnostics.weekly.figures import CustomerFigures
from orderack.diagnostics.weekly.statistics import Share, Verdict
from orderack.diagnostics.wording import counted, duration

VERDICTS = {
    Verdict.BETTER: "better",
    Verdict.WORSE: "worse",
    Verdict.OTHER: "different",
    Verdict.FAULT: "fault",
    Verdict.NONE: "no verdict",
}


NOTHING = "–"
"""Where there was nothing to count or to measure: "none" would read as a bad figure."""


def verdict_word(verdict: Verdict | None) -> str:
    return VERDICTS[verdict] if verdict else ""


def percent(share: float) -> str:
    """`97.3 %`; never 0 % or 100 % of what is not."""
    if 0 < share < 0.0005:
        return "under 0.1 %"
    if 0.9995 <= share < 1:
        return "over 99.9 %"
    return f"{share * 100:.1f}".removesuffix(".0") + " %"


def share(one: Share) -> str:
    """`97 % (388/400)`; of nothing, `NOTHING`."""
    return f"{percent(one.value)} ({one.hits}/{one.of})" if one.value is not None else NOTHING


def points(now: float, before: float) -> str:
    """`2.1 points up`."""
    difference = round((now - before) * 100, 1)
    if difference == 0:
        return "the same"
    return f"{abs(difference):g} {'point' if abs(difference) == 1 else 'points'} {'up' if difference > 0 else 'down'}"


def longer(now: float, before: float) -> str:
    """`3.2 s longer`."""
    difference = now - before
    if abs(difference) < 0.05:
        return "the same"
    return f"{duration(abs(difference))} {'longer' if difference > 0 else 'shorter'}"


def amount(now: int, before: int) -> str:
    """`12 more`."""
    difference = now - before
    if difference == 0:
        return "the same"
    return f"{abs(difference)} {'more' if difference > 0 else 'fewer'}"


def which(count: int, what: str, one: str, more: str) -> str:
    """`1 order is`, `12 orders are`: with the verb for one and for more."""
    return f"{counted(count, what)} {one if count == 1 else more}"


def names(found: Sequence[str], most: int = 20) -> str:
    """`a, b and 3 more`."""
    said = ", ".join(found[:most])
    return f"{said} and {len(found) - most} more" if len(found) > most else said


def span(monday: date) -> str:
    """`16 to 22 Nov 2026`."""
    sunday = monday + timedelta(days=6)
    begin = f"{monday:%d}" if monday.month == sunday.month else f"{monday:%d %b}"
    if monday.year != sunday.year:
        begin = f"{monday:%d %b %Y}"
    return f"{begin.lstrip('0')} to {f'{sunday:%d %b %Y}'.lstrip('0')}"


RECORD_COLUMNS = ("week", "orders", "told in time", "held", "confirmed", "never escalated", "went wrong")


def record_row(one: CustomerFigures) -> tuple[object, ...]:
    """One customer's figures of a week, under `RECORD_COLUMNS` but the first."""
    parts = (one.told, one.held, one.confirmed, one.quietly)
    counts = tuple(f"{part.hits}/{part.of}" if part.of else NOTHING for part in parts)
    return one.orders, *counts, ", ".join(f"{each.what} ({each.orders})" for each in one.wrong)


def record_words(one: CustomerFigures) -> str:
    """`4 orders: told within the minute 4 of 4, confirmed without escalation 3 of 4, held 1; went wrong: …`."""
    if not one.orders:
        return "no order"
    said = [f"confirmed without escalation {one.quietly.hits} of {one.orders}", f"held {one.held.hits}"]
    if one.told.of:
        said.insert(0, f"told in time {one.told.hits} of {one.told.of}")
    if one.promises.of:
        said.append(f"promises kept {one.promises.hits} of {one.promises.of}")
    wrong = ", ".join(f"{each.what} ({each.orders})" for each in one.wrong) or "nothing"
    return f"{counted(one.orders, 'order')}; {', '.join(said)}; went wrong: {wrong}"


def faults(one: CustomerFigures) -> str:
    """`C-7: something went wrong in 3 of 5 orders: told late (2), escalated (1)`."""
    wrong = ", ".join(f"{each.what} ({each.orders})" for each in one.wrong)
    return f"{one.customer}: something went wrong in {one.with_wrong.hits} of {counted(one.orders, 'order')}: {wrong}"
