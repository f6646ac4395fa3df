"""One look at an order revision, as a pure function of what the ledger and the ERP said."""

from collections.abc import Callable
from datetime import date
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import AwareDatetime, Field

from orderack.domain.assessment import Assessment, Decision, Flag, FlagName, LineStock, Route
from orderack.domain.calendar import WorkingCalendar
from orderack.domain.completeness import GateField, five_fields, missing_fields
from orderack.domain.flags import Background, EarlierOrder, Thresholds, raise_flags
from orderack.domain.order import Name, Order, Text
from orderack.domain.promise import Promise, Workload, promise_date
from orderack.domain.reachability import Reachability
from orderack.domain.receipt import StockVerdict
from orderack.domain.value import Value, is_none
from orderack.policy.contacts import reachable
from orderack.policy.decide import Circumstances, Tried, decide, match
from orderack.policy.gate import Latency
from orderack.policy.holidays import holidays_of
from orderack.policy.learned import Lesson, learn
from orderack.policy.legs import left_out
from orderack.policy.model import Learning, Policy, SourcePolicy, StorePolicy

Holidays = Callable[[str, str | None, int], frozenset[date]]
"""Country, region, first year → public holidays. Raises ValueError for an unknown country."""

NOT_WAIVABLE = frozenset({FlagName.INCOMPLETE})
"""An incomplete order is mended, not approved (R57)."""

_NOT_IN_TIME = frozenset({StockVerdict.BACKORDERED, StockVerdict.PARTIAL})


class Findings(Value):
    """What was looked up for this order. `stock` None: the ERP gave no answer, and `stock_note` says why."""

    now: AwareDatetime
    history: tuple[EarlierOrder, ...] = ()
    lookalikes: tuple[EarlierOrder, ...] = ()
    stock: tuple[LineStock, ...] | None = None
    stock_note: Text = ""
    queue_depth: int = 0


class Explanation(Value):
    """Every input of the decision, for `explain`; stored as JSON beside the revision."""

    policy_version: Name
    tried: tuple[Tried, ...] = ()
    waived: tuple[Flag, ...] = ()
    five_fields: tuple[GateField, ...] = ()
    promise: Promise | None = None
    promise_note: Text = ""
    stock_note: Text = ""
    latency: Latency = Latency()
    left_out: tuple[Text, ...] = ()
    reach: Annotated[Reachability | None, Field(exclude_if=is_none)] = None
    """How this customer had answered by then; None: the store did not learn from it, or there was no answer."""
    reach_note: Text = ""
    """Why there was none."""
    lesson: Annotated[Lesson | None, Field(exclude_if=is_none)] = None
    """What that did to the order of the channels, or would do."""


class Assessed(Value):
    assessment: Assessment
    explanation: Explanation


def assess_order(
    policy: Policy,
    order: Order,
    revision: int,
    found: Findings,
    around: Circumstances,
    holidays: Holidays = holidays_of,
) -> Assessed:
    """Validate, flag, date and decide. Pure and deterministic; the same arguments give the same answer."""
    store, source = policy.stores.get(order.store), policy.sources.get(order.source)
    promise, promise_note = _promise(order, store, source, found, holidays)
    raised = (*_flags(order, store, source, found), *_undated(store, promise_note))
    waived = tuple(flag for flag in raised if flag.name in around.waived and flag.name not in NOT_WAIVABLE)
    standing = tuple(flag for flag in raised if flag not in waived)
    fired = match(policy, order, standing)
    decision = decide(policy, order, standing, around, fired)
    if decision.route is Route.REVIEW and not standing:
        standing = (Flag(name=FlagName.RULE, why=decision.why),)
    on = promise.on if promise else None
    return Assessed(
        assessment=Assessment(
            revision=revision,
            content_hash=order.content_hash,
            flags=standing,
            stock=found.stock or (),
            promise_on=on,
            decision=decision,
        ),
        explanation=Explanation(
            policy_version=policy.version,
            tried=fired.tried,
            waived=waived,
            five_fields=five_fields(order, found.stock, on, standing),
            promise=promise,
            promise_note=promise_note,
            stock_note=found.stock_note,
            latency=around.latency,
            left_out=left_out(policy, order, fired.then, around.channels),
            reach=around.reach,
            reach_note=around.reach_note if store and store.learn_channels is not Learning.OFF else "",
            lesson=learn(policy, order, fired.then, around.channels, around.reach),
        ),
    )


def failed(order: Order, revision: int, policy_version: str, why: str) -> Assessed:
    """What an order gets that could not be assessed: a person, and every word withheld until then."""
    decision = Decision(
        rule="assessment_failed",
        policy_version=policy_version,
        why=why,
        route=Route.REVIEW,
        withhold_received=True,
        withhold_updates=True,
    )
    assessment = Assessment(
        revision=revision,
        content_hash=order.content_hash,
        flags=(Flag(name=FlagName.ASSESSMENT_FAILED, why=why),),
        decision=decision,
    )
    return Assessed(assessment=assessment, explanation=Explanation(policy_version=policy_version))


def _flags(order: Order, store: StorePolicy | None, source: SourcePolicy | None, found: Findings) -> tuple[Flag, ...]:
    reach = reachable(order.contacts, store.profile.country if store else None)
    missing = missing_fields(order, source.required_fields if source else (), reach)
    look = (
        f"The original is kept: `orderack review original {order.ref}`." if order.origin else "Look at what was sent."
    )
    doubtful = tuple(
        Flag(name=FlagName.DOUBTFUL, field=doubt.field, why=f"{doubt.why} {look}") for doubt in order.doubts
    )
    if store is None:
        return (*missing, *doubtful)
    limits = store.thresholds
    background = Background(
        thresholds=Thresholds(
            high_value=limits.high_value, quantity_cap=limits.quantity_cap, duplicate_window=limits.duplicate_window
        ),
        history=found.history,
        lookalikes=found.lookalikes,
        stock=found.stock,
        tax_included=store.prices_include_tax,
    )
    return (*missing, *doubtful, *raise_flags(order, background, store.checks))


def _undated(store: StorePolicy | None, promise_note: str) -> tuple[Flag, ...]:
    """No fulfilment date for a store that has a calendar: a fault of the policy, so a person has to give one."""
    if store is None or not promise_note:
        return ()
    why = f"No fulfilment date: {promise_note}. Mend the store's calendar in the policy."
    return (Flag(name=FlagName.RULE, field="promise_on", why=why),)


def _promise(
    order: Order, store: StorePolicy | None, source: SourcePolicy | None, found: Findings, holidays: Holidays
) -> tuple[Promise | None, str]:
    """The promise date; or None with the reason why there is none."""
    if store is None:
        return None, "the policy has no calendar for this store"
    rules, zone = store.calendar, store.profile.time_zone
    try:
        first_year = found.now.astimezone(ZoneInfo(zone)).year
        calendar = WorkingCalendar(workdays=rules.workdays, holidays=holidays(rules.country, rules.region, first_year))
        late = [line for line in found.stock or () if line.verdict in _NOT_IN_TIME]
        workload = Workload(
            time_zone=zone,
            cut_off=rules.cut_off,
            lead_days=_lead_days(order, store, source),
            queue_depth=found.queue_depth,
            capacity_per_day=rules.capacity_per_day,
            restocked_on=max((line.expected_on for line in late if line.expected_on), default=None),
            undated_backorder=any(line.expected_on is None for line in late),
            backorder_lead_days=rules.backorder_lead_days,
            wanted_on=_wanted_on(order, ZoneInfo(zone)),
        )
        return promise_date(found.now, workload, calendar), ""
    except (ValueError, OverflowError) as error:
        return None, f"no date can be computed: {error}"


def _lead_days(order: Order, store: StorePolicy, source: SourcePolicy | None) -> int:
    by_type = store.calendar.lead_days_by_type.get(order.order_type)
    by_source = source.lead_days if source else None
    return next(days for days in (by_type, by_source, store.calendar.lead_days) if days is not None)


def _wanted_on(order: Order, zone: ZoneInfo) -> date | None:
    wanted = order.delivery_window.start if order.delivery_window else order.pickup.at if order.pickup else None
    return wanted.astimezone(zone).date() if wanted else None
