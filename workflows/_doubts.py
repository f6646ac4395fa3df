"""A message of which nobody but a person could say whether it went out: the policy's word on it (`on_doubt`).

No `patched` guards these steps: only a decision that has `on_doubt` leads to them, and no earlier version of the
workflow ever acted on one.
"""

from collections.abc import Iterator
from datetime import datetime

from orderack.contracts.activities import TeamWord
from orderack.contracts.journal import ClockName, Event
from orderack.domain.acknowledgement import Audience, Kind, SendOutcome, SendState
from orderack.domain.assessment import Decision, OnDoubt
from orderack.domain.order import PaymentStatus
from orderack.domain.proof import Proof
from workflows._clocks import after_quiet_hours, proved_enough, tick, zone
from workflows._state import Acknowledgement, LegProgress, LegState, OrderState

OPEN = frozenset({LegState.UNKNOWN, LegState.LEFT})
"""Not known to have gone out, and not said again: a person's word still counts."""

UNPROVED = OPEN | {LegState.REPEATED}
"""Not known to have gone out: a late report of its vendor's still says that it did."""

NOT_OUT = frozenset({LegState.SUPERSEDED, LegState.EXHAUSTED})
"""Nothing of the leg went out, or is to."""


def untrue(state: OrderState, ack: Acknowledgement) -> bool:
    """Whether a later word, or the order's end, makes it wrong to tell the buyer this by any other channel."""
    if ack.lasting or ack.audience is Audience.INTERNAL:
        return False
    if state.ended and ack.kind not in (Kind.CANCELLATION, Kind.REJECTION):
        return True
    return ack.revision != state.revision if ack.kind is Kind.QUESTION else state.overtaken(ack)


def plan(
    state: OrderState, now: datetime, ack: Acknowledgement, leg: LegProgress, outcome: SendOutcome, *, withdrawn: bool
) -> None:
    """A send has just ended in doubt: it is left, or said again after a while, or a person is asked.

    A person is asked about what was said again already; what was `withdrawn` on its way is left.
    """
    decision = _decision(state)
    word = decision.on_doubt.kinds.get(ack.kind) if decision and decision.on_doubt else None
    if decision is None or word is None:
        return
    if word is OnDoubt.NEVER or withdrawn:
        leg.state = LegState.LEFT
    elif not ack.said_again:
        since = max(ack.decided_at, min(outcome.since or now, now))
        at = _not_at_night(state, decision, ack, since + decision.levels.doubt_within)
        leg.repeat_due_at = _in_time(state, now, ack, at)


def _decision(state: OrderState) -> Decision | None:
    """The current one; while a change is looked at, the one before it."""
    known = state.assessment or state.accepted
    return known.decision if known else None


def _in_time(state: OrderState, now: datetime, ack: Acknowledgement, at: datetime) -> datetime:
    """Nobody has told the buyer yet: what is left of the minute's last quarter is for the repeat's way."""
    clock = state.clock(ClockName.ACKNOWLEDGE)
    if ack.audience is Audience.INTERNAL or clock is None or clock.due_at <= now:
        return at
    return min(at, max(now, clock.due_at - (clock.due_at - clock.started_at) / 4))


def _not_at_night(state: OrderState, decision: Decision, ack: Acknowledgement, at: datetime) -> datetime:
    """Only updates keep the quiet hours, and so do their repeats."""
    quiet = decision.quiet_hours if ack.kind is Kind.UPDATE else None
    return after_quiet_hours(at, quiet, zone(state)) if quiet else at


def attend(state: OrderState, now: datetime) -> None:
    """Say again what is still in doubt when its time has come; leave what a repeat would be wrong or no use for.

    It comes after all else that this moment brings: the confirmation that is decided now overtakes what was in doubt.
    """
    for ack in list(state.acknowledgements):
        for leg in ack.legs:
            if leg.again_at is None:
                continue
            if why := _why_not(state, ack):
                _leave(state, now, ack, leg, why)
            elif leg.again_at <= now + tick(state):
                _repeat_or_ask(state, now, ack, leg)


def _why_not(state: OrderState, ack: Acknowledgement) -> str:
    """Why it needs no repeat; empty where it does."""
    if untrue(state, ack) or _over(state, ack):
        return "overtaken: it may have been sent"
    return "it arrived by another channel" if arrived(state, ack) else ""


def _over(state: OrderState, ack: Acknowledgement) -> bool:
    """Whether what it asks for has been done: a review's question to the buyer, the offer of work to a team."""
    word = ack.facts.for_team
    if ack.kind is Kind.QUESTION:
        return state.review is None
    handoff = state.handoff if word and word.word is TeamWord.OFFERED else None
    return handoff is not None and bool(handoff.accepted_by or handoff.claimed_by)


def arrived(state: OrderState, ack: Acknowledgement) -> bool:
    """Whether the evidence of this word, by whichever of its messages, spares it another channel."""
    return any(proved_enough(state, said) for said in state.acknowledgements if said.same_word(ack))


def let_go(state: OrderState, now: datetime, ack: Acknowledgement) -> None:
    """What is withdrawn before it has gone out is not said again either."""
    for leg in ack.legs:
        if leg.again_at:
            _leave(state, now, ack, leg, "withdrawn: it may have been sent")


def _leave(state: OrderState, now: datetime, ack: Acknowledgement, leg: LegProgress, why: str) -> None:
    settled(state, now, ack, leg.channel, why)
    leg.state, leg.repeat_due_at = LegState.LEFT, None


def settled(
    state: OrderState, now: datetime, ack: Acknowledgement, channel: str, how: str, owner: str | None = None
) -> None:
    """The entry that takes it off the lists of what is in doubt. Of an earlier revision's message it says so: a later
    one may have a message of the same name."""
    which = "" if ack.revision == state.revision else f" (revision {ack.revision})"
    state.note(now, Event.SEND_SETTLED, f"{ack.kind} {ack.n} by {channel}: {how}{which}", owner=owner)


def _repeat_or_ask(state: OrderState, now: datetime, ack: Acknowledgement, leg: LegProgress) -> None:
    """Nothing goes to the buyer of an order under a fraud hold of our own accord: a person is asked."""
    decision = _decision(state)
    held = decision is None or decision.withhold_updates or state.payment is PaymentStatus.FLAGGED
    leg.repeat_due_at = None
    if decision is None or state.shadow or (held and ack.audience is Audience.BUYER):
        return
    repeat = say_again(state, now, ack, list(_channels(state, decision, ack, leg)))
    repeat.repeat_of, repeat.facts = ack.n, ack.facts.model_copy(update={"may_repeat": True})
    leg.state, leg.repeated_as, leg.evidence_due_at = LegState.REPEATED, repeat.n, None
    settled(state, now, ack, leg.channel, f"said again as {repeat.n}, marked as a possible repeat")


def _channels(state: OrderState, decision: Decision, ack: Acknowledgement, leg: LegProgress) -> Iterator[str]:
    """The leg's next channels first: the one that left the doubt is likeliest to leave the next one too. Then that
    one, which is better than nobody hearing of it; pages of our own last, for they call nobody. None where another
    leg of it, or another leg's repeat, has its turn or had it."""
    taken = {o.channel for each in ack.legs for o in each.outcomes if o.state is SendState.ACCEPTED}
    taken |= {each.channel for each in ack.legs if each is not leg and each.state not in NOT_OUT}
    for repeat in said_again_of(state, ack):
        taken.update(channel for each in repeat.legs for channel in each.channels)
    pages = decision.on_doubt.pages if decision.on_doubt else ()
    later = [channel for channel in leg.channels[leg.turn + 1 :] if channel not in taken]
    yield from (channel for channel in later if channel not in pages)
    yield leg.channel
    yield from (channel for channel in later if channel in pages)


def say_again(state: OrderState, now: datetime, ack: Acknowledgement, channels: list[str]) -> Acknowledgement:
    """The same message once more under a new key: on a person's word, or on the policy's."""
    state.batches += 1
    fresh = {"n": len(state.said(ack.kind, ack.revision)) + 1, "batch": state.batches, "decided_at": now}
    cleared = {"legs": [LegProgress(channels=channels)], "out_at": None, "grade": None, "proof": Proof()}
    again = ack.model_copy(update=fresh | cleared | {"said_again": True})
    state.acknowledgements.append(again)
    return again


def repeat_of(state: OrderState, ack: Acknowledgement, leg: LegProgress) -> Acknowledgement | None:
    """The repeat of this leg's message, where the policy had it said again."""
    return state.find_ack(ack.kind, ack.revision, leg.repeated_as) if leg.repeated_as else None


def said_again_of(state: OrderState, ack: Acknowledgement) -> list[Acknowledgement]:
    """This message's repeats on the policy's word."""
    return [said for said in state.acknowledgements if said.same_word(ack) and said.repeat_of == ack.n]


def may_go_on(state: OrderState, ack: Acknowledgement, leg: LegProgress) -> bool:
    """Whether the next channel may have its turn for want of evidence: while neither the first nor a repeat has any,
    and of a repeat not back to the channel that was in doubt."""
    first = state.find_ack(ack.kind, ack.revision, ack.repeat_of) if ack.repeat_of else None
    doubtful = {each.channel for each in first.legs if each.repeated_as == ack.n} if first else set()
    return not arrived(state, ack) and leg.channels[leg.turn + 1] not in doubtful


def is_open(state: OrderState, ack: Acknowledgement, leg: LegProgress) -> bool:
    """Whether a person's word on it still counts: also while its repeat has not gone out."""
    repeat = repeat_of(state, ack, leg) if leg.state is LegState.REPEATED else None
    return leg.state in OPEN or (repeat is not None and repeat.pending)


def not_said_again(state: OrderState, now: datetime, repeat: Acknowledgement) -> None:
    """Every channel said no to this repeat: what it was to repeat is in doubt as before, and a person is asked."""
    first = state.find_ack(repeat.kind, repeat.revision, repeat.repeat_of) if repeat.repeat_of else None
    if first is None or _why_not(state, first):
        return
    for leg in first.legs:
        if leg.state is LegState.REPEATED and leg.repeated_as == repeat.n:
            leg.state = LegState.UNKNOWN
            what = f"{first.kind} {first.n} by {leg.channel}: in doubt as before, its repeat was refused"
            state.note(now, Event.SEND_UNKNOWN, what)


def nobody_asked(state: OrderState, now: datetime, repeat: Acknowledgement) -> None:
    """The first of the two went out: a person need not be asked about the second."""
    for leg in repeat.legs:
        if leg.state is LegState.UNKNOWN:
            _leave(state, now, repeat, leg, "the first one went out")
