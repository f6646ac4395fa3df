"""A readable account of one assessment: which rule fired and why the earlier ones did not, flags, gate, date."""

from collections.abc import Iterator
from datetime import timedelta
from zoneinfo import ZoneInfo

from orderack.domain.assessment import Assessment, Decision, OnDoubt, ServiceLevels
from orderack.domain.order import Order
from orderack.domain.promise import Promise
from orderack.policy.assessing import Explanation
from orderack.policy.decide import Tried
from orderack.policy.duration import in_words

_DAY = "%a %d %b %Y"


def explain(order: Order, assessment: Assessment, explanation: Explanation) -> tuple[str, ...]:
    """The account, line by line, in English; indented lines belong to the one above. No contact data in it.

    `explanation` is what the ledger keeps beside the revision (`Explanation.model_validate_json`).
    """
    decision = assessment.decision
    return (
        f"Order {order.ref}, revision {assessment.revision}: {decision.route}, by rule {decision.rule} "
        f"of policy {decision.policy_version}.",
        f"  {decision.why}",
        *_rules(explanation),
        *_flags(assessment, explanation),
        "Five fields before any confirmation:",
        *(f"  {'ok' if field.ok else '- '} {field.name}: {field.seen}" for field in explanation.five_fields),
        *([f"  stock: {explanation.stock_note}"] if explanation.stock_note else []),
        *_channels(decision, explanation),
        f"Gate: {decision.gate}. {decision.gate_why}.",
        f"Team: {decision.team}; rota {', '.join(decision.rota) or 'empty'}; "
        f"reviewers {', '.join(decision.reviewers) or 'none'}.",
        *_date(explanation),
        f"Service levels: {_levels(decision.levels)}.",
    )


def _rules(explanation: Explanation) -> Iterator[str]:
    yield "Rules, in their order:"
    for tried in explanation.tried:
        yield f"  {_verdict(tried)} {tried.rule}: {tried.when}{_seen(tried)}"
    if not any(tried.holds for tried in explanation.tried):
        yield "  fired default: no other rule holds"


def _verdict(tried: Tried) -> str:
    return f"broken ({tried.error})" if tried.error else "fired" if tried.holds else "no   "


def _seen(tried: Tried) -> str:
    seen = ", ".join(f"{word} is {value or 'empty'}" for word, value in tried.seen.items())
    return f"  [{seen}]" if seen else ""


def _flags(assessment: Assessment, explanation: Explanation) -> Iterator[str]:
    yield "Flags:" if assessment.flags or explanation.waived else "Flags: none."
    for flag in assessment.flags:
        yield f"  {flag.name}{f' ({flag.field})' if flag.field else ''}: {flag.why}"
    for flag in explanation.waived:
        yield f"  {flag.name}: approved by a reviewer. {flag.why}"


def _channels(decision: Decision, explanation: Explanation) -> Iterator[str]:
    legs = "; at the same time ".join(", else ".join(leg.channels) for leg in decision.legs)
    yield f"To the buyer: {legs or 'nobody can be reached'}."
    for reason in explanation.left_out:
        yield f"  left out: {reason}"
    if explanation.lesson:
        yield f"  learned: {explanation.lesson.why}"
    elif explanation.reach_note:
        yield f"  nothing learned of this customer's channels: {explanation.reach_note}"
    inside = "; ".join(", else ".join(leg.channels) for leg in decision.internal)
    if inside:
        yield f"Inside: {inside}."
    yield f"Received: {'withheld until a person has looked' if decision.withhold_received else 'at once'}."
    if decision.withhold_updates:
        yield "Updates: withheld."
    yield f"In doubt whether it went out: {doubt_words(decision)}."


def doubt_words(decision: Decision) -> str:
    """`received, confirmation are said again after 1m, marked as a repeat; holding is left as it is`."""
    kinds = decision.on_doubt.kinds if decision.on_doubt else {}
    after = in_words(decision.levels.doubt_within)
    again = [str(kind) for kind, word in kinds.items() if word is OnDoubt.RESEND_MARKED]
    left = [str(kind) for kind, word in kinds.items() if word is OnDoubt.NEVER]
    said = [f"said again after {after}, marked as a possible repeat: {', '.join(again)}"] if again else []
    said += [f"left as it is, nobody is asked: {', '.join(left)}"] if left else []
    return "; ".join((*said, "else a person is asked" if said else "a person is asked"))


def _date(explanation: Explanation) -> Iterator[str]:
    if explanation.promise is None:
        yield f"Promise date: none. {explanation.promise_note or 'It was not computed'}."
        return
    yield f"Promise date: {explanation.promise.on:{_DAY}}."
    yield from (f"  {step}" for step in _arithmetic(explanation.promise))


def _arithmetic(promise: Promise) -> Iterator[str]:
    work = promise.workload
    asked = promise.asked_at.astimezone(ZoneInfo(work.time_zone))
    cut_off = f", past the {work.cut_off:%H:%M} carrier cut-off" if promise.missed_cut_off else ""
    yield f"asked {asked:{_DAY} %H:%M} {work.time_zone}{cut_off}; work starts {promise.starts_on:{_DAY}}"
    yield f"queue: {work.queue_depth} open orders at {work.capacity_per_day} a day, {promise.queue_days} working days"
    yield f"lead time: {work.lead_days} working days"
    if promise.restocked_on:
        basis = "no day from the ERP, so the store's back-order lead time" if work.undated_backorder else "the ERP says"
        yield f"back-ordered goods: {promise.restocked_on:{_DAY}} ({basis}), then the lead time"
    if work.wanted_on:
        yield f"the buyer wants it on {work.wanted_on:{_DAY}} or later"


def _levels(levels: ServiceLevels) -> str:
    said = [f"{name} {in_words(value)}" for name, value in levels if isinstance(value, timedelta)]
    same_day = [] if levels.resolve_within else ["resolve_within same day"]
    return ", ".join((*said, *same_day))
