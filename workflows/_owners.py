"""Who is accountable: escalation, reviews, handoffs and their rotas (R72, R111–R118)."""

from datetime import datetime

from orderack.contracts.activities import Facts
from orderack.contracts.journal import ClockName, Event, Stage
from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import Flag
from workflows._clocks import levels, next_update, resolve_by
from workflows._patches import patched
from workflows._state import Escalation, OrderState, Review
from workflows._telling import WAITING, may_tell_waiting, say, withdraw_overtaken


def rota(state: OrderState) -> tuple[str, ...]:
    """The roles that take turns at this order's work."""
    return state.assessment.decision.rota if state.assessment else ()


def reviewers(state: OrderState) -> tuple[str, ...]:
    """The roles that take turns at reviewing; the work's rota where the policy names none."""
    return (state.assessment.decision.reviewers if state.assessment else ()) or rota(state)


def turn(roles: tuple[str, ...], n: int) -> str | None:
    """Whose turn it is; the rota goes round."""
    return roles[n % len(roles)] if roles else None


def waiting_facts(state: OrderState, why: str) -> Facts:
    """What a waiting message or an alert says: who has it, what it waits for, when the buyer hears again."""
    escalation, review = state.escalation, state.clock(ClockName.REVIEW)
    resolve = state.clock(ClockName.RESOLVE)
    decided_by = review or resolve
    return Facts(
        reason=why,
        waiting_for=waiting_for(state),
        owner=state.owner,
        escalated=escalation is not None,
        next_update_at=escalation.next_update_at if escalation and not escalation.in_the_house else None,
        decided_by=decided_by.due_at if decided_by else None,
    )


def waiting_for(state: OrderState) -> str:
    """In a few plain words, what has to happen next; no buyer's data."""
    match state.stage:
        case Stage.AWAITING_ORDER:
            return "the order itself (the ERP's receipt came first)"
        case Stage.ASSESSING:
            return "the assessment"
        case Stage.REVIEW:
            return "a person's review"
        case Stage.AWAITING_ERP:
            return "the ERP's receipt"
        case Stage.CONFIRMED:
            return "the confirmation to go out and the handoff"
        case Stage.HANDED_OFF if state.handoff and not state.handoff.accepted_by:
            return "the team to accept the handoff"
        case Stage.HANDED_OFF:
            return "nothing: open for read confirmations and changes"
        case _:
            return "nothing: kept for late answers"


def escalate(state: OrderState, now: datetime, why: str) -> None:
    """The order is late or stuck: it gets an owner, a two-hourly update clock and a same-day deadline."""
    if state.ended or (state.escalation and not state.escalation.in_the_house):
        return
    owner = turn(rota(state), 0)
    in_the_house = state.confirmed_revision == state.revision and patched("escalated-in-the-house")
    state.stop(ClockName.RESOLVE, now)
    state.escalation = Escalation(since=now, owner=owner, why=why, next_update_at=now, in_the_house=in_the_house)
    state.escalation.next_update_at = next_update(state, now, now)
    state.start_clock(ClockName.RESOLVE, now, resolve_by(state, now), owner)
    state.note(now, Event.ESCALATED, why, owner=owner)


def de_escalate(state: OrderState, now: datetime) -> None:
    """What made it late is over."""
    if state.escalation:
        state.meet(ClockName.RESOLVE, now)
        state.note(now, Event.DE_ESCALATED, owner=state.escalation.owner)
        state.escalation = None


def resolve_breached(state: OrderState, now: datetime) -> None:
    """The same-day deadline passed: recorded, the next in the rota takes over, updates go on."""
    escalation = state.escalation
    state.breach(ClockName.RESOLVE, now)
    if not escalation:
        return
    escalation.turn += 1
    escalation.owner = turn(rota(state), escalation.turn)
    state.start_clock(ClockName.RESOLVE, now, resolve_by(state, now), escalation.owner)
    state.note(now, Event.REASSIGNED, "not resolved in time", owner=escalation.owner)
    say(state, now, [Kind.ALERT], waiting_facts(state, "not resolved by its deadline: now yours"))


def send_update(state: OrderState, now: datetime) -> None:
    """One two-hourly update; the next slot is absolute, so late slots never pile up."""
    escalation = state.escalation
    if not escalation:
        return
    escalation.next_update_at = next_update(state, escalation.next_update_at, now)
    escalation.updates += 1
    if may_tell_waiting(state):
        withdraw_overtaken(state, now, {Kind.RECEIVED, *WAITING})
        say(state, now, [Kind.UPDATE], waiting_facts(state, escalation.why))


def open_review(state: OrderState, now: datetime, flags: tuple[Flag, ...]) -> None:
    """A person decides. Due in four hours, or before a partner's deadline, whichever leads (mission.md 1d.3)."""
    state.stage = Stage.REVIEW
    if state.review:
        state.review.flags += flags
        state.note(now, Event.REVIEW_OPENED, ", ".join(flag.name for flag in flags), owner=state.review.owner)
        return
    owner = turn(reviewers(state), 0)
    state.review = Review(opened_at=now, flags=list(flags), owner=owner)
    _start_review_clocks(state, now, owner)
    state.note(now, Event.REVIEW_OPENED, ", ".join(flag.name for flag in flags), owner=owner)
    say(state, now, [Kind.ALERT], waiting_facts(state, "; ".join(flag.why for flag in flags)))


def _start_review_clocks(state: OrderState, now: datetime, owner: str | None) -> None:
    due_at = now + levels(state).review_within
    if warning := state.clock(ClockName.PARTNER_WARNING):
        due_at = max(now, min(due_at, warning.due_at))
    state.start_clock(ClockName.REVIEW, now, due_at, owner)
    state.start_clock(ClockName.CLAIM, now, now + levels(state).claim_within, owner)


def close_review(state: OrderState, now: datetime) -> None:
    state.meet(ClockName.REVIEW, now)
    state.stop(ClockName.CLAIM, now)
    state.review = None


def review_overdue(state: OrderState, now: datetime) -> None:
    """Nobody decided in time: the next reviewer gets it, and the order is escalated."""
    state.breach(ClockName.REVIEW, now)
    review = state.review
    if not review:
        return
    review.turn += 1
    review.claimed_by = None
    review.owner = turn(reviewers(state), review.turn)
    state.stop(ClockName.CLAIM, now)
    state.start_clock(ClockName.REVIEW, now, now + levels(state).review_within, review.owner)
    state.start_clock(ClockName.CLAIM, now, now + levels(state).claim_within, review.owner)
    state.note(now, Event.REASSIGNED, "review overdue", owner=review.owner)
    escalate(state, now, "the review is overdue")
    say(state, now, [Kind.ALERT], waiting_facts(state, "the review is overdue: now yours"))


def unclaimed(state: OrderState, now: datetime) -> bool:
    """Nobody took the review or the handoff: it goes to the next in the rota (R72). False: there is nothing to take.

    Once everybody has had a turn, the rota goes on at the pace of the updates rather than every half-hour.
    """
    state.breach(ClockName.CLAIM, now)
    if state.review and not state.review.claimed_by:
        roles = reviewers(state)
        state.review.turn += 1
        rounds, owner = state.review.turn, turn(roles, state.review.turn)
        state.review.owner = owner
    elif state.handoff and not state.handoff.frozen and not state.handoff.accepted_by:
        roles = rota(state)
        state.handoff.turn += 1
        state.handoff.claimed_by = None
        rounds, owner = state.handoff.turn, turn(roles, state.handoff.turn)
        state.handoff.owner = owner
    else:
        return False
    promised = levels(state)
    within = promised.claim_within if rounds < len(roles) else promised.update_every
    state.start_clock(ClockName.CLAIM, now, now + within, owner)
    state.note(now, Event.REASSIGNED, "nobody claimed it in time", owner=owner)
    return True


def partner_warning(state: OrderState, now: datetime) -> None:
    """The partner's own deadline is near: the owner hears of it while there is still time."""
    state.meet(ClockName.PARTNER_WARNING, now)
    partner = state.clock(ClockName.PARTNER)
    if partner:
        until = partner.due_at.isoformat(timespec="minutes")
        say(state, now, [Kind.ALERT], waiting_facts(state, f"the partner's deadline is {until}"))


def partner_breached(state: OrderState, now: datetime) -> None:
    state.breach(ClockName.PARTNER, now)
    escalate(state, now, "the partner's deadline has passed")
    say(state, now, [Kind.ALERT], waiting_facts(state, "the partner's deadline has passed"))
