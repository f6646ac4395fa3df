"""Comparing what would have gone out with what the old flow did: pure, of what the ledger told in one look."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from itertools import zip_longest

from orderack.diagnostics.shadow.messages import ByKind, Said, olds, ours
from orderack.diagnostics.shadow.report import Difference, Discrepancy, Report, Terms, Times, Timing, identity, times
from orderack.domain.acknowledgement import Kind
from orderack.ledger.shadow import Verdict
from orderack.ledger.shadow_facts import ShadowFacts, ShadowOrder

KIND_OF = "kind/"
"""Before the kind's name: the subject of a waiver of all its discrepancies."""

NOTHING = "nothing"


def compare(facts: ShadowFacts, terms: Terms, now: datetime, since: datetime | None = None) -> Report:
    """The report as of now. The same facts give the same findings with the same ids."""
    found = _Comparison(facts, terms, now)
    discrepancies = tuple(_judged(one, facts.verdicts, now) for one in found.discrepancies())
    differ = {one.order for one in discrepancies}
    before = {kind: sum(one.kind is kind for one in discrepancies) for kind in Difference}
    return Report(
        store=facts.store,
        at=now,
        since=since,
        terms=terms,
        orders=len(found.orders),
        young=len(facts.orders) - len(found.orders),
        live=len(facts.live),
        alike=sum(order.number not in differ for order in found.orders),
        untold=found.untold(),
        ours_before_receipt=before[Difference.OURS_BEFORE_RECEIPT],
        old_before_receipt=before[Difference.OLD_BEFORE_RECEIPT],
        timing=tuple(found.timing()),
        discrepancies=discrepancies,
        cutovers=facts.cutovers,
    )


def _judged(found: Discrepancy, verdicts: Sequence[Verdict], now: datetime) -> Discrepancy:
    """With the word of a person that holds now: on it, or on all of its kind."""
    subjects = (found.id, f"{KIND_OF}{found.kind}")
    holds = [v for v in verdicts if v.subject in subjects and (v.expires_at is None or v.expires_at > now)]
    return found.model_copy(update={"verdict": holds[0]}) if holds else found


class _Comparison:
    def __init__(self, facts: ShadowFacts, terms: Terms, now: datetime) -> None:
        self.facts = facts
        self.terms = terms
        self.settled = now - terms.settle
        self.orders = [order for order in facts.orders if order.trigger_at <= self.settled]
        self.ours = ours(facts.kept)
        self.olds = olds(facts.old)
        self.known_to_old = {kind for kinds in self.olds.values() for kind in kinds}

    # -- discrepancies ----------------------------------------------------------------------------------------------

    def discrepancies(self) -> Iterator[Discrepancy]:
        for order in self.orders:
            if order.number in self.olds:
                yield from self._of_order(order)
            else:
                yield self._one(Difference.UNKNOWN_THERE, order.number, None, self._summary(order.number), NOTHING)
            yield from self._too_early(order)
        yield from self._of_store()

    def _of_order(self, order: ShadowOrder) -> Iterator[Discrepancy]:
        mine, theirs = self._mine(order.number), self.olds[order.number]
        for kind in Kind:
            if kind not in mine and kind not in theirs:
                continue
            pairs = zip_longest(mine.get(kind, ()), theirs.get(kind, ()))
            for place, (one, other) in enumerate(pairs, 1):
                early = other is not None and kind is Kind.CONFIRMATION and _unbooked(order, other, place)
                if other is not None and early:
                    booked = _booked_words(order, other, place)
                    yield self._one(
                        Difference.OLD_BEFORE_RECEIPT, order.number, kind, booked, _when(order, other), place
                    )
                yield from self._pair(order, kind, place, one, other, early=early)

    def _pair(
        self, order: ShadowOrder, kind: Kind, place: int, one: Said | None, other: Said | None, *, early: bool
    ) -> Iterator[Discrepancy]:
        number = order.number
        if one is None and other is not None and other.at <= self.settled:
            yield self._one(Difference.OLD_ONLY, number, kind, _why_not(order), _when(order, other), place)
        elif one is not None and other is None and one.at <= self.settled and kind in self.known_to_old:
            yield self._one(Difference.OURS_ONLY, number, kind, _when(order, one), NOTHING, place)
        elif one is not None and other is not None:
            if not early and abs(one.at - other.at) > self.terms.budget:
                which = Difference.LATER if one.at > other.at else Difference.EARLIER
                yield self._one(which, number, kind, _when(order, one), _when(order, other), place)
            yield from self._figures(number, kind, one, other)

    def _figures(self, number: str, kind: Kind, one: Said, other: Said) -> Iterator[Discrepancy]:
        mine, theirs = one.figures, other.figures
        money = theirs.total is not None and (mine.total, mine.currency) != (
            theirs.total,
            theirs.currency or mine.currency,
        )
        if money:
            yield self._valued(
                Difference.TOTAL,
                number,
                kind,
                f"{mine.total} {mine.currency or ''}".strip(),
                f"{theirs.total} {theirs.currency or ''}".strip(),
            )
        if theirs.lines is not None and theirs.lines != mine.lines:
            yield self._valued(Difference.LINES, number, kind, str(mine.lines), str(theirs.lines))
        if theirs.promise_on is not None and theirs.promise_on != mine.promise_on:
            yield self._valued(
                Difference.PROMISE, number, kind, str(mine.promise_on or "no date"), str(theirs.promise_on)
            )

    def _too_early(self, order: ShadowOrder) -> Iterator[Discrepancy]:
        """Ours, checked by what was kept and not by what the workflow says of itself."""
        for place, said in enumerate(self._mine(order.number).get(Kind.CONFIRMATION, ()), 1):
            if _unbooked(order, said, place) or _revision(order, said, place) not in order.taken:
                booked = _booked_words(order, said, place)
                kind = Difference.OURS_BEFORE_RECEIPT
                yield self._one(kind, order.number, Kind.CONFIRMATION, _when(order, said), booked, place)

    def _of_store(self) -> Iterator[Discrepancy]:
        ran = {order.number for order in self.facts.orders} | self.facts.before
        for number, kinds in sorted(self.olds.items()):
            first = min(said.at for of in kinds.values() for said in of)
            if number in self.facts.live:
                yield self._one(Difference.TOLD_TWICE, number, None, "live", _kinds(kinds))
            elif number not in ran and first <= self.settled:
                yield self._one(Difference.UNKNOWN_HERE, number, None, NOTHING, _kinds(kinds))
        for kind in Kind if self.olds else ():
            told = [o for o in self.orders if o.number in self.olds and kind in self._mine(o.number)]
            if told and kind not in self.known_to_old:
                would = f"{len(told)} orders, {told[0].number} the first"
                yield Discrepancy(
                    id=identity(self.facts.store, Difference.NEVER_BY_OLD, kind),
                    kind=Difference.NEVER_BY_OLD,
                    message=kind,
                    ours=would,
                    old=NOTHING,
                )

    def _mine(self, number: str) -> ByKind:
        return self.ours.get(number, {})

    def _summary(self, number: str) -> str:
        return _kinds(self._mine(number)) or NOTHING

    def _one(
        self, which: Difference, number: str, kind: Kind | None, ours: str, old: str, place: int = 1
    ) -> Discrepancy:
        id_ = identity(self.facts.store, which, number, kind or "", place)
        return Discrepancy(id=id_, kind=which, order=number, message=kind, ours=ours, old=old)

    def _valued(self, which: Difference, number: str, kind: Kind, ours: str, old: str) -> Discrepancy:
        """One of values: with others it is another discrepancy, whatever was said of these."""
        id_ = identity(self.facts.store, which, number, kind, ours, old)
        return Discrepancy(id=id_, kind=which, order=number, message=kind, ours=ours, old=old)

    # -- figures ----------------------------------------------------------------------------------------------------

    def untold(self) -> int:
        return sum(not order.withheld and not self._mine(order.number) for order in self.orders)

    def timing(self) -> Iterator[Timing]:
        """The first word of orders that were owed one at once, then each kind's first message."""
        owed = [order for order in self.orders if not order.withheld]
        yield Timing(
            message=None,
            ours=self._times(owed, self.ours, None, never=self.untold()),
            old=self._times(owed, self.olds, None),
        )
        for kind in Kind:
            mine, theirs = (self._times(self.orders, side, kind) for side in (self.ours, self.olds))
            if mine.orders or theirs.orders:
                yield Timing(message=kind, ours=mine, old=theirs)

    def _times(
        self, orders: Sequence[ShadowOrder], side: Mapping[str, ByKind], kind: Kind | None, never: int = 0
    ) -> Times:
        seconds = []
        for order in orders:
            kinds = side.get(order.number, {})
            said = [one for of, all_ in kinds.items() if kind in (None, of) for one in all_]
            if said:
                first = min(one.at for one in said)
                seconds.append(max(0.0, (first - order.trigger_at).total_seconds()))
        return times(seconds, never)


def _unbooked(order: ShadowOrder, said: Said, place: int) -> bool:
    """Whether the ERP had not booked, by then, the revision that it confirms."""
    booked = order.booked.get(_revision(order, said, place))
    return booked is None or said.at < booked


def _revision(order: ShadowOrder, said: Said, place: int) -> int:
    """Which revision it confirms. The old flow may not say: then its first one is of the first, and one too many is of
    the last."""
    return said.revision or min(place, order.revisions)


def _booked_words(order: ShadowOrder, said: Said, place: int) -> str:
    booked = order.booked.get(_revision(order, said, place))
    return f"booked {_moment(booked)}" if booked else "never booked"


def _when(order: ShadowOrder, said: Said) -> str:
    after = (said.at - order.trigger_at).total_seconds()
    return f"{_moment(said.at)} by {', '.join(said.channels)}, {after:.1f} s after the order"


def _moment(at: datetime) -> str:
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S} UTC"


def _why_not(order: ShadowOrder) -> str:
    if order.held_for:
        return f"held for a person: {order.held_for}"
    return f"nothing, its stage is {order.stage.replace('_', ' ')}"


def _kinds(kinds: ByKind) -> str:
    return ", ".join(kind.replace("_", " ") for kind in kinds)
