"""Deciding messages: what is said once, to whom, and what a later message makes needless."""

from collections.abc import Iterable
from datetime import datetime

from orderack.contracts.activities import Dispatch, Facts
from orderack.contracts.journal import ClockName, Event
from orderack.domain.acknowledgement import Audience, Kind, SendOutcome, SendState
from orderack.domain.assessment import AnswerCall, Leg
from orderack.domain.order import OrderRef
from workflows import _doubts
from workflows._clocks import levels
from workflows._doubts import untrue
from workflows._patches import patched
from workflows._state import Acknowledgement, LegProgress, LegState, OrderState

WAITING = frozenset({Kind.HOLDING, Kind.UPDATE})
"""Messages that a confirmation, a rejection or a cancellation makes untrue."""

ONCE_PER_ORDER = frozenset({Kind.RECEIVED, Kind.HOLDING, Kind.CANCELLATION, Kind.REJECTION})
ONCE_PER_REVISION = frozenset({Kind.CONFIRMATION})


def say(
    state: OrderState,
    now: datetime,
    kinds: Iterable[Kind],
    facts: Facts,
    *,
    lasting: bool = False,
    inside: tuple[Leg, ...] | None = None,
) -> None:
    """Decide these messages as one batch (one activity). What may be said once is not decided twice.

    `lasting`: they are about the buyer's own words, so neither a confirmation nor a cancellation withdraws them.
    `inside`: the channels of an alert, where they are not the current decision's.
    """
    batch = state.batches + 1
    for kind in kinds:
        ack = _decide(state, now, kind, facts, batch, inside)
        if ack is not None:
            ack.lasting = lasting
            state.acknowledgements.append(ack)
            state.batches = batch


def _decide(
    state: OrderState, now: datetime, kind: Kind, facts: Facts, batch: int, inside: tuple[Leg, ...] | None
) -> Acknowledgement | None:
    audience = Audience.INTERNAL if kind is Kind.ALERT else Audience.BUYER
    known = state.standing_revision
    revision = state.revision if kind is Kind.CHANGE_RECEIVED else known
    if kind in ONCE_PER_ORDER and state.said(kind):
        return None
    if kind in ONCE_PER_REVISION and state.said(kind, revision):
        return None
    legs = inside if audience is Audience.INTERNAL and inside is not None else _legs(state, audience)
    if not legs:
        if audience is Audience.BUYER:
            state.note(now, Event.UNDELIVERABLE, f"{kind}: the buyer has no reachable channel")
        return None
    return Acknowledgement(
        kind=kind,
        revision=revision,
        contacts_of=known if known != revision else None,
        n=len(state.said(kind, revision)) + 1,
        audience=audience,
        batch=batch,
        decided_at=now,
        facts=facts,
        owner=facts.owner,
        legs=[LegProgress(channels=list(leg.channels)) for leg in legs],
    )


def _legs(state: OrderState, audience: Audience) -> tuple[Leg, ...]:
    if state.assessment is None:
        return ()
    decision = state.assessment.decision
    return decision.internal if audience is Audience.INTERNAL else decision.legs


def may_tell_waiting(state: OrderState) -> bool:
    """Whether the buyer may be sent holding messages and updates (not under a fraud hold, DESIGN §5)."""
    return state.assessment is not None and not state.assessment.decision.withhold_updates


def dispatches(state: OrderState, batch: int) -> list[tuple[Acknowledgement, LegProgress, Dispatch]]:
    """What is still to be sent of a batch: one message per pending leg, no channel twice for one message."""
    found = []
    for ack in state.acknowledgements:
        if ack.batch != batch:
            continue
        taken: set[str] = set()
        for leg in ack.legs:
            if leg.state is not LegState.PENDING or leg.channel in taken:
                continue
            taken.add(leg.channel)
            dispatch = Dispatch(
                kind=ack.kind,
                n=ack.n,
                channel=leg.channel,
                audience=ack.audience,
                recipient_role="buyer" if ack.audience is Audience.BUYER else ack.owner or "operations",
                last=not leg.has_fallback if ack.repeat_of else None,
            )
            found.append((ack, leg, dispatch))
    return found


def pending_batches(state: OrderState) -> list[int]:
    return sorted({ack.batch for ack in state.acknowledgements if ack.pending})


def supersede(state: OrderState, now: datetime, kinds: Iterable[Kind]) -> None:
    """Withdraw what has not gone out of these kinds."""
    for ack in state.acknowledgements:
        if ack.kind in kinds and not ack.lasting:
            _doubts.let_go(state, now, ack)
            if ack.pending:
                give_up(state, now, ack)


def withdraw_overtaken(state: OrderState, now: datetime, kinds: Iterable[Kind]) -> None:
    """Withdraw what has waited for its channel for so long that the word which is decided now overtakes it.

    Both would go out at the channel's return, in any order: “it is still being checked” after “it is confirmed”.
    """
    patience = levels(state).fallback_after
    held = [
        ack
        for ack in state.acknowledgements
        if ack.kind in kinds and ack.pending and not ack.lasting and now - ack.decided_at > patience
    ]
    if held and patched("held-word-overtaken"):
        for ack in held:
            give_up(state, now, ack)


def give_up(state: OrderState, now: datetime, ack: Acknowledgement) -> None:
    """Withdraw what of this message has not gone out."""
    for leg in ack.legs:
        if leg.state is LegState.PENDING:
            leg.state = LegState.SUPERSEDED
    state.note(now, Event.SUPERSEDED, f"{ack.kind} {ack.n}")


def withdraw_words_to_team(state: OrderState, now: datetime, team: str) -> None:
    """Withdraw what this team has not been told yet of its handoff: the next word says how it stands."""
    for ack in state.acknowledgements:
        if ack.kind is Kind.ALERT and ack.facts.for_team and ack.facts.for_team.team == team:
            _doubts.let_go(state, now, ack)
            if ack.pending:
                give_up(state, now, ack)


def supersede_batch(state: OrderState, now: datetime, batch: int) -> None:
    """Withdraw what a batch has not sent: the ERP had the order after all, so its words would be untrue."""
    for ack in state.acknowledgements:
        if ack.batch == batch and ack.pending:
            for leg in ack.legs:
                leg.state = LegState.SUPERSEDED if leg.state is LegState.PENDING else leg.state
            state.note(now, Event.SUPERSEDED, f"{ack.kind} {ack.n}: the ERP has it")


def take_outcome(
    state: OrderState, now: datetime, ack: Acknowledgement, leg: LegProgress, outcome: SendOutcome
) -> None:
    """Record how one send ended, and what follows from it for its message."""
    was_superseded = leg.state is LegState.SUPERSEDED
    leg.end(outcome, now)
    if leg.state is LegState.PENDING and (was_superseded or (untrue(state, ack) and patched("nothing-untrue-again"))):
        leg.state = LegState.SUPERSEDED
    what = f"{ack.kind} {ack.n} by {outcome.channel}"
    if outcome.state is SendState.ACCEPTED:
        state.note(now, Event.ACKNOWLEDGED, what, owner=ack.owner)
        if ack.audience is Audience.BUYER:
            _told(state, now, ack, leg)
    elif outcome.state is SendState.KEPT:
        state.note(now, Event.KEPT, what, owner=ack.owner)
        if ack.audience is Audience.BUYER:
            _word_given(state, now, ack)
    elif outcome.state is SendState.UNKNOWN:
        _in_doubt(state, now, ack, leg, outcome, withdrawn=was_superseded)
    else:
        state.note(now, Event.SEND_REJECTED, f"{what}: {outcome.reason or outcome.state}")
    if ack.audience is Audience.BUYER and all(leg.state is LegState.EXHAUSTED for leg in ack.legs):
        state.note(now, Event.UNDELIVERABLE, f"{ack.kind} {ack.n}: every channel said no")
    if all(leg.state is LegState.EXHAUSTED for leg in ack.legs):
        _doubts.not_said_again(state, now, ack)


def _in_doubt(
    state: OrderState, now: datetime, ack: Acknowledgement, leg: LegProgress, outcome: SendOutcome, *, withdrawn: bool
) -> None:
    _doubts.plan(state, now, ack, leg, outcome, withdrawn=withdrawn)
    what = f"{ack.kind} {ack.n} by {outcome.channel}: {outcome.detail or 'cut off after sending'}"
    state.note(now, Event.SEND_UNKNOWN, what, due_at=leg.again_at)
    if leg.state is LegState.LEFT:
        _doubts.settled(state, now, ack, outcome.channel, "left: it may have been sent")
    elif ack.audience is Audience.BUYER:
        expect_evidence(state, now, ack, leg)


def expect_evidence(state: OrderState, now: datetime, ack: Acknowledgement, leg: LegProgress) -> None:
    """Start the leg's evidence clock, where the policy has one and there is a next channel to turn to."""
    within = levels(state).evidence_within
    if within and leg.has_fallback and _doubts.may_go_on(state, ack, leg):
        leg.evidence_due_at = now + within


def went_out(state: OrderState, now: datetime, ack: Acknowledgement, leg: LegProgress) -> None:
    """What was in doubt did go out: a repeat that has not is called off, and nobody is asked about one in doubt."""
    repeat = _doubts.repeat_of(state, ack, leg)
    take_outcome(state, now, ack, leg, SendOutcome(channel=leg.channel, state=SendState.ACCEPTED))
    if repeat and repeat.pending:
        give_up(state, now, repeat)
    elif repeat:
        leg.evidence_due_at = None  # its next channel has had its turn
        _doubts.nobody_asked(state, now, repeat)


def _told(state: OrderState, now: datetime, ack: Acknowledgement, leg: LegProgress) -> None:
    ack.out_at = ack.out_at or now
    expect_evidence(state, now, ack, leg)
    _word_given(state, now, ack)


def _word_given(state: OrderState, now: datetime, ack: Acknowledgement) -> None:
    """The promised clocks that a word to the buyer keeps; a shadow order's word keeps them at the moment it is kept,
    and waits for no evidence: none can come, and its fallback channel is no worse for that."""
    state.meet(ClockName.ACKNOWLEDGE, now)
    if ack.kind in (Kind.CONFIRMATION, Kind.REJECTION) and not answers_partner(state):
        state.meet(ClockName.PARTNER, now)
        state.stop(ClockName.PARTNER_WARNING, now)


def answers_partner(state: OrderState) -> bool:
    """Whether the partner's deadline is kept by a call of the partner's own, and not by our word to the buyer."""
    return state.answers_to is not None and state.answers_to.call is not AnswerCall.NOTE


def unknown_sends(state: OrderState) -> list[str]:
    """Keys of the sends whose outcome nobody knows yet."""
    return [
        str(ack.key(state.ref, leg.channel))
        for ack in state.acknowledgements
        for leg in ack.legs
        if leg.state is LegState.UNKNOWN
    ]


def by_key(state: OrderState, key: str) -> tuple[Acknowledgement, LegProgress] | None:
    """The message and leg that a send key names (its latest channel)."""
    ref: OrderRef = state.ref
    for ack in state.acknowledgements:
        for leg in ack.legs:
            if key in {str(ack.key(ref, channel)) for channel in leg.channels}:
                return ack, leg
    return None
