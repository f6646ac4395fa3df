"""The week beside the one before: each figure in words, with a verdict only where chance alone would not do it."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from orderack.contracts.journal import ClockName
from orderack.diagnostics.weekly import words
from orderack.diagnostics.weekly.figures import Line, Promise, WeekFigures
from orderack.diagnostics.weekly.statistics import Good, Quantile, Share, Spread, Verdict, verdict
from orderack.diagnostics.wording import counted, duration
from orderack.domain.evidence import Grade

RULE = (
    "A difference is called better or worse only where the two weeks' 95 % intervals do not overlap: Wilson's interval "
    "for a share, that of order statistics for p50 (from 20 values on) and p95 (from 106 on). Else there is no "
    "verdict: chance alone could make the difference, or there are too few orders to tell. Numbers that are only "
    "counted get none."
)
OVERLAP = "the intervals overlap"
NEEDED = {"p50": 20, "p95": 106}


@dataclass(frozen=True)
class Compared:
    """Both weeks."""

    now: WeekFigures
    before: WeekFigures

    def share(self, key: str, title: str, of: Callable[[WeekFigures], Share], good: Good) -> Line:
        """A share of each."""
        mine, other = of(self.now), of(self.before)
        if mine.value is None or other.value is None:
            return _nothing(key, title, words.share(mine), words.share(other))
        found = verdict(mine.value, other.value, mine.interval, other.interval, good)
        return Line(
            key=key,
            title=title,
            now=words.share(mine),
            before=words.share(other),
            said=words.points(mine.value, other.value),
            verdict=found,
            why=OVERLAP if found is Verdict.NONE else "",
        )

    def spread(self, key: str, title: str, of: Callable[[WeekFigures], Spread], good: Good = Good.DOWN) -> list[Line]:
        """Median and 95th percentile of each."""
        return [
            self._quantile(f"{key}_p50", f"{title}, p50", "p50", of(self.now).p50, of(self.before).p50, good),
            self._quantile(f"{key}_p95", f"{title}, p95", "p95", of(self.now).p95, of(self.before).p95, good),
        ]

    @staticmethod
    def _quantile(key: str, title: str, name: str, mine: Quantile | None, other: Quantile | None, good: Good) -> Line:
        now, before = (duration(one.seconds) if one else words.NOTHING for one in (mine, other))
        if mine is None or other is None:
            return _nothing(key, title, now, before)
        found = verdict(mine.seconds, other.seconds, mine.interval, other.interval, good)
        few = mine.interval is None or other.interval is None
        why = f"too few: it takes {NEEDED[name]} in each week" if few else OVERLAP
        return Line(
            key=key,
            title=title,
            now=now,
            before=before,
            said=words.longer(mine.seconds, other.seconds),
            verdict=found,
            why=why if found is Verdict.NONE else "",
        )

    def number(self, key: str, title: str, of: Callable[[WeekFigures], int]) -> Line:
        """A count of each."""
        now, before = of(self.now), of(self.before)
        return Line(
            key=key, title=title, now=str(now), before=str(before), said=words.amount(now, before), verdict=None
        )


def _nothing(key: str, title: str, now: str, before: str) -> Line:
    return Line(
        key=key,
        title=title,
        now=now,
        before=before,
        said=words.NOTHING,
        verdict=Verdict.NONE,
        why="too few: none to compare",
    )


def lines(now: WeekFigures, before: WeekFigures) -> Iterator[Line]:
    """Every figure of the week, in the order in which they are read."""
    both = Compared(now, before)
    yield both.number("orders", "orders", lambda week: week.orders)
    yield both.share("told", "told within the minute", lambda week: week.told.in_time, Good.UP)
    yield from both.spread("told_after", "order to first word", lambda week: week.told.after)
    yield both.number("untold", "promised a word, not told", lambda week: week.told.untold)
    yield both.share("held", "held", lambda week: week.held, Good.DOWN)
    yield from both.spread("receipt_after", "order to ERP receipt", lambda week: week.receipts.after)
    yield both.number("without_receipt", "no ERP receipt came", lambda week: week.receipts.missing)
    yield both.share("confirmed", "confirmed", lambda week: week.confirmed.orders, Good.UP)
    yield _before_receipt(now, before)
    yield both.share("escalated", "escalated", lambda week: week.escalations.orders, Good.DOWN)
    yield both.share("same_day", "of them resolved the same day", lambda w: w.escalations.same_day, Good.UP)
    yield both.number("unresolved", "escalations not ended", lambda week: week.escalations.left)
    for clock in _clocks(now, before):
        yield _clock(both, clock)
    yield from _people(both)
    yield from _messages(both)


def _people(both: Compared) -> Iterator[Line]:
    yield both.number("reviews", "reviews", lambda week: week.reviews.opened)
    yield from both.spread("review_took", "review to decision", lambda week: week.reviews.took)
    yield both.number("changes", "changes", lambda week: week.changes.proposed)
    yield both.share("changes_acknowledged", "changes acknowledged", lambda w: w.changes.acknowledged, Good.UP)
    yield both.share("changes_confirmed", "changes confirmed anew", lambda week: week.changes.confirmed, Good.UP)
    yield both.share("handoffs_accepted", "handoffs accepted", lambda week: week.handoffs.accepted, Good.UP)
    yield from both.spread("handoff_took", "handoff to acceptance", lambda week: week.handoffs.took)
    yield both.number("reassigned", "handoffs reassigned", lambda week: week.handoffs.reassigned)


def _messages(both: Compared) -> Iterator[Line]:
    yield both.number("undeliverable", "undeliverable", lambda week: week.sends.undeliverable)
    yield both.number("in_doubt", "sends in doubt", lambda week: week.sends.in_doubt)
    yield both.number("doubts_left", "doubts not settled", lambda week: week.sends.doubts_left)
    for place, reached in enumerate(both.now.evidence.reached):
        grade = reached.grade
        title = f"confirmations {_GRADES.get(grade, grade)} ({grade}+)"
        yield both.share(f"evidence_{grade}", title, _of_grade(place), Good.UP)
    yield both.number("cancelled", "cancelled", lambda week: week.ends.cancelled)
    yield both.number("rejected", "rejected", lambda week: week.ends.rejected)
    yield both.number("disputed", "disputed", lambda week: week.ends.disputed)
    yield both.number("declined", "declined by the buyer", lambda week: week.ends.declined)
    yield both.number("questions", "questions asked", lambda week: week.ends.questions)
    yield both.number("unanswered", "questions unanswered", lambda week: week.ends.unanswered)


_GRADES = {
    Grade.E2: "delivered",
    Grade.E3P: "probably displayed",
    Grade.E3: "displayed",
    Grade.E4: "engaged with",
    Grade.E5: "affirmed",
}


def _clocks(now: WeekFigures, before: WeekFigures) -> list[ClockName]:
    """Those of which any run has ended."""
    return list(dict.fromkeys(one.clock for week in (now, before) for one in week.promises if one.share.of))


def _clock(both: Compared, clock: ClockName) -> Line:
    """By the policy's own name, with how many were kept and how many broken."""

    def of(week: WeekFigures) -> Share:
        mine: Promise | None = next((one for one in week.promises if one.clock is clock), None)
        return mine.share if mine else Share(hits=0, of=0)

    now, before = (f"{one.hits} kept, {one.of - one.hits} broken" for one in (of(both.now), of(both.before)))
    line = both.share(f"clock_{clock}", clock.value, of, Good.UP)
    return line.model_copy(update={"now": now, "before": before})


def _of_grade(place: int) -> Callable[[WeekFigures], Share]:
    return lambda week: week.evidence.reached[place].share


def _before_receipt(now: WeekFigures, before: WeekFigures) -> Line:
    """It must be none: one order is a finding, however few there are."""
    mine, other = len(now.confirmed.before_receipt), len(before.confirmed.before_receipt)
    return Line(
        key="before_receipt",
        title="confirmed before the ERP's receipt (must be 0)",
        now=str(mine),
        before=str(other),
        said=words.amount(mine, other),
        verdict=Verdict.FAULT if mine else None,
    )


def sentences(now: WeekFigures, found: tuple[Line, ...]) -> Iterator[str]:
    """What matters most: what must not be, what got worse, what got better, and what is left out."""
    early = now.confirmed.before_receipt
    if early:
        orders = counted(len(early), "order")
        yield f"{orders} confirmed before the ERP had booked it, which must not be: {words.names(early)}."
    if not now.orders:
        shadow = f" but those of the shadow run ({now.shadow}), which are in no figure" if now.shadow else ""
        yield f"There were no orders in this week{shadow}."
        return
    told = now.told.in_time
    if told.value is not None:
        buyers = words.which(told.of, "buyer", "was", "were")
        yield f"{words.percent(told.value)} of {buyers} told within the promised minute."
    kept = now.all_promises
    if kept.value is not None:
        clocks = words.which(kept.of, "promised clock", "was", "were")
        yield f"{kept.hits} of {clocks} kept ({words.percent(kept.value)})."
    for wanted in (Verdict.WORSE, Verdict.BETTER):
        named = [f"{one.title}: {one.now}, {one.said}" for one in found if one.verdict is wanted]
        if named:
            yield f"{words.verdict_word(wanted).capitalize()} than the week before: {'; '.join(named)}."
    differing = {one.verdict for one in found} & {Verdict.WORSE, Verdict.BETTER, Verdict.OTHER}
    if not differing and not any(one.why == OVERLAP for one in found):
        yield "There is too little in the week before to compare with."
    elif differing <= {Verdict.OTHER}:
        yield "Nothing differs from the week before by more than chance could make it."
