"""From the cases of one clock to one row: how many would be late, how many were, and what can only be estimated."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta

from orderack.contracts.journal import ClockName
from orderack.diagnostics.whatif.clocks import Case, Course, cases, ended, escalations, resolve_by
from orderack.diagnostics.whatif.plans import Compared, Plan
from orderack.diagnostics.whatif.result import Level
from orderack.diagnostics.whatif.shares import Estimate, estimate
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import OrderRef
from orderack.policy.duration import in_words

SHOWN = 5
"""Orders named as examples."""

SENTENCES: Mapping[ClockName, str] = {
    ClockName.ACKNOWLEDGE: "with {after}, {n} of {m} orders would not have been acknowledged in time (were {k})",
    ClockName.HOLD: "with {after}, “holding” would have gone out for {n} of {m} orders (were {k})",
    ClockName.ERP_RECEIPT: "with {after}, {n} of {m} ERP submissions would have escalated (were {k})",
    ClockName.ERP_BUDGET: "with {after}, “received” would go out before the ERP answers for {n} of {m} (was {k})",
    ClockName.REVIEW: "with {after}, {n} of {m} reviews would have been late, and escalated (were {k})",
    ClockName.CLAIM: "with {after}, {n} of {m} reviews and handoffs would have been reassigned unclaimed (were {k})",
    ClockName.PARTNER_WARNING: "with {after}, owners would have been warned of {n} of {m} partner deadlines (were {k})",
    ClockName.EVIDENCE: "with {after}, the fallback channel would have had its turn for {n} of {m} messages (were {k})",
    ClockName.RESOLVE: "with {after}, {n} of {m} escalations would have outlasted it (were {k})",
    ClockName.UPDATE: "with {after}, {n} updates would have gone to {m} escalated orders (were {k})",
}
"""What a level that is over means, in one sentence. `m`: runs under the new policy."""

LEVEL_OF = {ClockName.PARTNER_WARNING: "partner_margin"}
"""The policy's key, where it is not the clock's name."""

NOT_RUN = "not run"


class Replayed:
    """Collects the cases of every order; `levels` is the table."""

    def __init__(self, until: datetime) -> None:
        self._until = until
        self._cases: dict[ClockName, list[Case]] = defaultdict(list)
        self._words: dict[ClockName, tuple[Counter[str], Counter[str]]] = defaultdict(lambda: (Counter(), Counter()))
        self._recorded: Counter[ClockName] = Counter()
        self._escalated: list[tuple[Course, bool, list[tuple[datetime, datetime | None]]]] = []

    def take(self, course: Course) -> None:
        """One order. Its clocks count once it is known what was recorded of any of them."""
        found = [ended(case, self._until) for case in cases(course) if case.start <= self._until]
        for case in found:
            self._cases[case.clock].append(case)
            self._say(case, course.row_at(case.start))
        for run in course.times.clocks:
            self._recorded[ClockName(run.clock)] += bool(run.breached_at and run.breached_at <= self._until)
        for message in course.times.messages:
            if message.kind in (Kind.HOLDING, Kind.UPDATE):
                self._recorded[ClockName.HOLD if message.kind == Kind.HOLDING else ClockName.UPDATE] += 1
        for new in (False, True):
            spans = _merged(
                span
                for case in found
                if case.clock in (ClockName.ERP_RECEIPT, ClockName.REVIEW) and (case.known or not new)
                if (span := escalations(case, case.after if new else case.before, self._until))
            )
            if spans:
                self._escalated.append((course, new, spans))

    def levels(self) -> tuple[Level, ...]:
        """A row for each clock that ran, in the order of the table of sentences."""
        rows = [self._level(clock, self._cases[clock]) for clock in SENTENCES if self._cases[clock]]
        return (*(row for row in rows if row.runs_before or row.runs_after), *self._of_escalations())

    def _say(self, case: Case, row: Compared) -> None:
        before, after = self._words[case.clock]
        for level, words, plan in ((case.before, before, row.was), (case.after, after, row.after)):
            words[NOT_RUN if level is None else _said(case.clock, plan)] += 1

    def _level(self, clock: ClockName, found: Sequence[Case]) -> Level:
        before, after = (_few(words) for words in self._words[clock])
        known = [case for case in found if case.known]
        late = [case for case in known if case.broken(case.after, self._until)]
        broken_before = sum(case.broken(case.before, self._until) for case in found)
        runs = sum(case.after is not None for case in found)
        unknown = [case for case in found if not case.known and case.after is not None]
        newly = [str(case.ref) for case in late if not case.broken(case.before, self._until)]
        recorded = {ClockName.ERP_BUDGET: None, ClockName.EVIDENCE: None, ClockName.PARTNER_WARNING: None}
        return Level(
            clock=clock,
            title=LEVEL_OF.get(clock, clock.value),
            before=before,
            after=after,
            runs_before=sum(case.before is not None for case in found),
            runs_after=runs,
            broken_before=broken_before,
            broken_after=len(late),
            unknown=len(unknown),
            estimate=self._estimate(unknown, known),
            recorded=recorded.get(clock, self._recorded[clock]),
            sentence=_sentence(clock, after, len(late), runs - len(unknown), broken_before),
            newly=tuple(dict.fromkeys(newly))[:SHOWN],
        )

    def _estimate(self, unknown: Sequence[Case], known: Sequence[Case]) -> Estimate | None:
        """Of each way by itself, added up; None as soon as of one of them too little was measured."""
        parts = []
        for (like, level), number in Counter((case.like, case.after) for case in unknown).items():
            assert level is not None
            measured = [c for c in known if c.like == like and (c.end or self._until - c.start > level)]
            part = estimate(number, sum(case.broken(level, self._until) for case in measured), len(measured))
            if part is None:
                return None
            parts.append(part)
        if not parts:
            return None
        return Estimate(
            of=sum(part.of for part in parts),
            mean=round(sum(part.mean for part in parts), 1),
            low=sum(part.low for part in parts),
            high=sum(part.high for part in parts),
            basis=min(part.basis for part in parts),
        )

    def _of_escalations(self) -> Iterable[Level]:
        if not self._escalated:
            return
        late, updates, spans = Counter[bool](), Counter[bool](), Counter[bool]()
        newly: dict[bool, set[OrderRef]] = {False: set(), True: set()}
        words: dict[ClockName, tuple[Counter[str], Counter[str]]] = {
            clock: (Counter(), Counter()) for clock in (ClockName.RESOLVE, ClockName.UPDATE)
        }
        for course, new, found in self._escalated:
            for start, end in found:
                plan = _plan(course, start, new)
                spans[new] += 1
                for clock, said in words.items():
                    said[new][_said(clock, plan)] += 1
                if (end or self._until) > resolve_by(start, plan.levels, plan.time_zone):
                    late[new] += 1
                    newly[new].add(course.ref)
                if not plan.silent:
                    updates[new] += ((end or self._until) - start) // plan.levels.update_every
        for clock, counted in ((ClockName.RESOLVE, late), (ClockName.UPDATE, updates)):
            before, after = (_few(said) for said in words[clock])
            yield Level(
                clock=clock,
                title=clock.value,
                before=before,
                after=after,
                runs_before=spans[False],
                runs_after=spans[True],
                broken_before=counted[False],
                broken_after=counted[True],
                recorded=self._recorded[clock],
                counts_messages=clock is ClockName.UPDATE,
                sentence=_sentence(clock, after, counted[True], spans[True], counted[False]),
                newly=tuple(str(ref) for ref in newly[True] - newly[False])[:SHOWN]
                if clock is ClockName.RESOLVE
                else (),
            )


def _plan(course: Course, at: datetime, new: bool) -> Plan:
    row = course.row_at(at)
    return row.after if new else row.was


def _merged(spans: Iterable[tuple[datetime, datetime | None]]) -> list[tuple[datetime, datetime | None]]:
    """An order has one escalation at a time: what overlaps is one."""
    found: list[tuple[datetime, datetime | None]] = []
    for start, end in sorted(spans, key=lambda span: span[0]):
        if found and (found[-1][1] is None or start <= found[-1][1]):
            last_start, last_end = found[-1]
            found[-1] = (last_start, None if last_end is None or end is None else max(last_end, end))
        else:
            found.append((start, end))
    return found


_UNSAID: Mapping[ClockName, str] = {ClockName.RESOLVE: "same day", ClockName.EVIDENCE: "as the channel has it"}


def _said(clock: ClockName, plan: Plan) -> str:
    value = getattr(plan.levels, LEVEL_OF.get(clock, clock.value))
    return in_words(value) if isinstance(value, timedelta) else _UNSAID[clock]


def _few(words: Counter[str]) -> str:
    """The level; the few that there are, the commonest first; or how many."""
    said = [name for name, _ in words.most_common() if name != NOT_RUN]
    if len(said) > 3:
        return f"{len(said)} different"
    return " or ".join(said) or NOT_RUN


def _sentence(clock: ClockName, after: str, n: int, m: int, k: int) -> str:
    if after == NOT_RUN:
        return f"{clock} would not run at all ({k} were over)"
    name = f"{LEVEL_OF.get(clock, clock.value)} {after}"
    return SENTENCES[clock].format(after=name, n=n, m=m, k=k)
