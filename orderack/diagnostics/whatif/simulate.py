"""The simulation, order by order: prove that the past is read rightly, decide it anew, and keep what is different."""

import dataclasses
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from orderack.diagnostics.whatif.clocks import Course
from orderack.diagnostics.whatif.fields import Seen, changes
from orderack.diagnostics.whatif.groups import Tally
from orderack.diagnostics.whatif.levels import Replayed
from orderack.diagnostics.whatif.load import Arrival, Load, arrivals, handling, handling_minutes, load
from orderack.diagnostics.whatif.looks import Look, Unkept, look_at_file, look_of
from orderack.diagnostics.whatif.plans import Compared, Plans
from orderack.diagnostics.whatif.replay import World, prove, replay
from orderack.diagnostics.whatif.result import Level, Otherwise, Rowless, SelfCheck, Simulation
from orderack.domain.assessment import Assessment
from orderack.domain.order import Order, OrderRef
from orderack.domain.problem import Problem
from orderack.policy.model import Learning, Policy
from orderack.ports.past_orders import PastReview, PastRevision, PastTimes

NO_TIMES = PastTimes()
MORE_LOAD = 1.25
"""From so many times the reviews on, the time that one takes can no longer be believed to stay as it was."""


@dataclass(frozen=True)
class Policies:
    """The policy in force, the new one, and older ones that are at hand, by version."""

    in_force: Policy
    new: Policy
    older: Mapping[str, Policy] = dataclasses.field(default_factory=dict)
    languages: Collection[str] = ()
    """In which messages are worded now."""
    new_languages: Collection[str] = ()

    def known(self, version: str) -> Policy | None:
        """The policy of this version, as far as its file is at hand."""
        return self.in_force if version == self.in_force.version else self.older.get(version)


@dataclass(frozen=True)
class Asked:
    """What was asked for, and what the new policy's lint said."""

    file: str
    since: datetime
    until: datetime
    store: str | None = None
    orders_file: str = ""
    divisor: float = 1.0
    minutes_per_review: float | None = None
    lint: tuple[Problem, ...] = ()
    every: bool = False


class Simulator:
    """Takes the past one revision at a time; the result is to be asked for at the end."""

    def __init__(self, policies: Policies, world: World, asked: Asked) -> None:
        self._policies = policies
        self._world = world
        self._asked = asked
        self._plans = Plans()
        self._checked = self._as_recorded = self._undated = self._unlearned = 0
        self._otherwise: list[Otherwise] = []
        self._versions: Counter[str] = Counter()
        self._not_kept: Counter[str] = Counter()
        self._rowless: dict[tuple[str, str], set[OrderRef]] = defaultdict(set)
        self._rows: dict[OrderRef, list[Compared]] = defaultdict(list)
        self._tally = Tally(every=asked.every)

    def take(self, past: PastRevision, reviews: Sequence[PastReview]) -> None:
        """A revision as the ledger recorded it."""
        look = look_of(past, reviews, self._world.chronicle)
        if isinstance(look, Unkept):
            self._not_kept[look.value] += 1
            return
        self._undated += not look.dated
        version = past.assessment.decision.policy_version
        policy = self._policies.known(version)
        before: Assessment | None = None
        if policy is None:
            self._versions[version] += 1
        else:
            self._checked += 1
            look, again, different = prove(look, policy, self._world)
            if different:
                self._otherwise.append(Otherwise(order=str(past.ref), revision=past.revision, what=different))
                return
            self._as_recorded += 1
            before = again.assessment if policy is self._policies.in_force else None
        self._compare(look, before, past)

    def take_order(self, order: Order) -> None:
        """An order that was never decided."""
        self._compare(look_at_file(order, self._world.chronicle), None, None)

    def _compare(self, look: Look, before: Assessment | None, past: PastRevision | None) -> None:
        policies, order = self._policies, look.order
        before = before or replay(look, policies.in_force, self._world).assessment
        after = replay(look, policies.new, self._world).assessment
        for what, name, rows in (
            ("source", order.source, policies.new.sources),
            ("store", order.store, policies.new.stores),
        ):
            if name not in rows:
                self._rowless[what, name].add(order.ref)
        found = changes(Seen(order, before, policies.languages), Seen(order, after, policies.new_languages))
        store = policies.new.stores.get(order.store)
        self._unlearned += bool(store and store.learn_channels is Learning.APPLY and look.reach is None)
        plan = self._plans.plan
        row = Compared(
            ref=order.ref,
            revision=look.revision,
            source=order.source,
            at=look.at,
            trigger_at=order.trigger_at,
            currency=order.currency,
            total=order.totals.total,
            before=plan(before.decision),
            after=plan(after.decision),
            was=plan(look.recorded.decision if look.recorded else before.decision),
            changes=found,
            why=after.decision.why if found else "",
            submitted_at=past.submitted_to_erp_at if past else None,
            receipt_at=past.erp_receipt_at if past else None,
        )
        self._tally.take(row)
        self._rows[row.ref].append(dataclasses.replace(row, changes=(), why=""))

    def result(self, times: Mapping[OrderRef, PastTimes], without_content: int) -> Simulation:
        """All that was found. `times`: what was measured of each order; empty for orders from a file."""
        asked, tally, check = self._asked, self._tally, self._self_check(without_content)
        levels, found = self._measured(times)
        return Simulation(
            made_at=datetime.now(UTC),
            policy_in_force=self._policies.in_force.version,
            policy_new=self._policies.new.version,
            file=asked.file,
            since=asked.since,
            until=asked.until,
            store=asked.store,
            orders_file=asked.orders_file,
            divisor=asked.divisor,
            orders=len(self._rows),
            revisions=sum(len(rows) for rows in self._rows.values()),
            worth=tally.worth,
            self_check=check,
            lint=asked.lint,
            rowless=self._without_row(),
            different=tally.different,
            different_share=tally.share(tally.different),
            different_worth=tally.different_worth,
            rule_only=tally.rule_only,
            kinds=tally.kinds(),
            levels=levels,
            load=found,
            warnings=warnings(check, found, asked.divisor),
            every=tuple(tally.every),
        )

    def _self_check(self, without_content: int) -> SelfCheck:
        return SelfCheck(
            checked=self._checked,
            as_recorded=self._as_recorded,
            otherwise=tuple(self._otherwise),
            other_versions=dict(self._versions.most_common()),
            not_kept=dict(self._not_kept.most_common()),
            without_content=without_content,
            undated=self._undated,
            unlearned=self._unlearned,
        )

    def _without_row(self) -> tuple[Rowless, ...]:
        """What real orders have and the new policy has no row for, the most orders first."""
        found = (Rowless(what=what, name=name, orders=len(refs)) for (what, name), refs in self._rowless.items())
        return tuple(sorted(found, key=lambda one: (-one.orders, one.what, one.name)))

    def _measured(self, times: Mapping[OrderRef, PastTimes]) -> tuple[tuple[Level, ...], Load | None]:
        """The service levels and the review load, by what was measured of these orders."""
        replayed = Replayed(self._asked.until)
        before: list[Arrival] = []
        after: list[Arrival] = []
        minutes: list[float] = []
        for ref, rows in self._rows.items():
            course = Course(ref, sorted(rows, key=lambda row: row.revision), times.get(ref, NO_TIMES))
            if ref in times:
                replayed.take(course)
            was, will = arrivals(course)
            before += was
            after += will
            minutes += handling_minutes(course)
        every = (row for rows in self._rows.values() for row in rows)
        taken = handling(minutes, self._asked.minutes_per_review)
        return replayed.levels(), load(every, before, after, taken)


def warnings(check: SelfCheck, found: Load | None, divisor: float) -> tuple[str, ...]:
    """What a reader has to know before the figures are believed."""
    said = []
    if check.otherwise:
        clocks = [one for one in check.otherwise if one.what == ("levels",)]
        why = "; only their clocks differ: was ORDERACK_POLICY_DIVISOR another then?" if clocks else ""
        said.append(f"{len(check.otherwise)} of {check.checked} are not decided as recorded and are left out{why}")
    unproved = sum(check.other_versions.values())
    if unproved:
        said.append(
            f"{unproved} were decided by another policy version: they are compared with what the policy in force would "
            "have decided, and nothing proves that; --recorded FILE with that version's file has them checked"
        )
    if check.unlearned:
        said.append(
            f"of {check.unlearned} revisions it was not kept how the customer had answered by then: they keep the "
            "policy's order of channels, and what `learn_channels: apply` would change of them is not known; under "
            "`suggest` it is kept from now on"
        )
    if divisor != 1:
        said.append(f"every service level is divided by {divisor:g} here (ORDERACK_POLICY_DIVISOR)")
    if found and found.after.reviews > MORE_LOAD * max(1, found.before.reviews):
        said.append("there are many more reviews: estimates take for granted that each takes as long as before")
    return tuple(said)
