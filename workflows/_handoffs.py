"""What the team hears of the work that it is handed (R111–R119, R124): offered, may begin, stop, withdrawn.

Only where the decision says `tell_handoffs`. No `patched` guards these steps: a decision that says so is one that no
earlier version of the workflow ever acted on, and all others go the way they went.
"""

from collections.abc import Iterable
from datetime import datetime

from orderack.contracts.activities import Facts, ForTeam, Offer, TeamWord
from orderack.contracts.journal import ClockName, Stage
from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import Assessment, Side
from workflows._owners import waiting_for
from workflows._state import Handoff, OrderState
from workflows._steps import answers, handed_off, work_gate
from workflows._telling import say, withdraw_words_to_team

GONE = {Stage.CANCELLED: "the order is cancelled", Stage.REJECTED: "the order is rejected"}
"""Why the team's work is off."""


def told(state: OrderState) -> bool:
    """Whether this order's team hears of it, and there is a way to tell it."""
    return _tells(state.assessment)


def _tells(decided: Assessment | None) -> bool:
    """Whether the team that this decision names is told."""
    if decided is None:
        return False
    decision = decided.decision
    return decision.tell_handoffs and bool(decision.internal) and decision.side is not Side.SHADOW


def in_hand(state: OrderState) -> str | None:
    """Who has claimed or accepted the revision that is offered."""
    handoff = state.handoff
    return None if handoff is None or handoff.frozen else handoff.accepted_by or handoff.claimed_by


def offer(state: OrderState, now: datetime) -> None:
    """Hand the confirmed revision to the team and tell it: with what differs from the revision that it had before.

    The message's activity stores the offer first, so that telling costs no Action more than the silent handoff.
    """
    before = state.handoff
    handed_off(state, now)
    if state.handoff and state.handoff is not before:
        known = before.revision if before and before.team in ("", state.handoff.team) else None
        tell(state, now, TeamWord.OFFERED, state.handoff, changed_from=known)
        taken_away(state, now, before)


def taken_away(state: OrderState, now: datetime, before: Handoff | None) -> None:
    """A change made it another team's work: the team that had the revision before hears that it has it no more."""
    if before is None or state.handoff is None or before.team in ("", state.handoff.team):
        return
    if _tells(state.accepted):
        tell(state, now, TeamWord.WITHDRAWN, before, by=state.accepted)


def froze(state: OrderState, now: datetime, offered: Handoff) -> None:
    """A change froze it. Whoever has it in hand hears that before they begin, or go on; to others it is not said yet
    what is no longer true."""
    if not _tells(state.accepted):
        return
    state.assessment = state.accepted  # the change has none yet, and this is about the revision before it
    if offered.accepted_by or offered.claimed_by:
        tell(state, now, TeamWord.STOPPED, offered)
    else:
        withdraw_words_to_team(state, now, offered.team)
    state.assessment = None


def may_begin(state: OrderState, now: datetime) -> None:
    """What the work waited for has come: whoever has it in hand hears that. Others see it when they take it."""
    if state.handoff and in_hand(state) and told(state):
        tell(state, now, TeamWord.MAY_BEGIN, state.handoff)


def may_not_go_on(state: OrderState, now: datetime) -> None:
    """What was there before work began is gone again (the payment), and somebody has it in hand."""
    if state.handoff and in_hand(state) and told(state):
        tell(state, now, TeamWord.STOPPED, state.handoff)


def withdraw(state: OrderState, now: datetime, word: Kind, facts: Facts) -> bool:
    """Tell the buyer this last word and the team that its work is off, in one batch.

    False: the team hears nothing, and nothing was said.
    """
    handoff, latest = state.handoff, state.assessment
    if handoff is None or latest is None:
        return False
    decided = latest if latest.revision == handoff.revision else state.accepted
    if not _tells(decided):
        return False
    tell(state, now, TeamWord.WITHDRAWN, handoff, by=decided, with_buyer=(word,), facts=facts)
    return True


def tell(
    state: OrderState,
    now: datetime,
    word: TeamWord,
    handoff: Handoff,
    *,
    by: Assessment | None = None,
    with_buyer: Iterable[Kind] = (),
    facts: Facts | None = None,
    changed_from: int | None = None,
) -> None:
    """One word to the team, which overtakes every earlier one that has not gone out. Nothing else withdraws it.

    `by`: the decision under which it was handed the work, where that is not the current one.
    """
    withdraw_words_to_team(state, now, handoff.team)
    claim = state.clock(ClockName.CLAIM)
    known = (facts or Facts()).model_copy(
        update={
            "owner": handoff.accepted_by or handoff.claimed_by or handoff.owner,
            "waiting_for": waiting_for(state),
            "decided_by": claim.due_at if claim and word is TeamWord.OFFERED else None,
            "changed_from": changed_from,
            "for_team": for_team(state, word, handoff),
        }
    )
    inside = by.decision.internal if by else None
    say(state, now, [*with_buyer, Kind.ALERT], known, lasting=True, inside=inside)


def for_team(state: OrderState, word: TeamWord, handoff: Handoff) -> ForTeam:
    match word:
        case TeamWord.OFFERED | TeamWord.STOPPED:
            waits = work_gate(state)[: 1 if handoff.frozen else None]  # a change: of all else nothing is known yet
        case TeamWord.WITHDRAWN:
            waits = (GONE.get(state.stage, "another team has it now"),)
        case TeamWord.MAY_BEGIN:
            waits = ()
    return ForTeam(
        word=word, revision=handoff.revision, content_hash=handoff.content_hash, team=handoff.team, waits=waits
    )


def stopping(state: OrderState, now: datetime, facts: Facts) -> Facts:
    """An alert that the owner gets in any case: it says stop too, where somebody has the work in hand."""
    if state.handoff and in_hand(state) and told(state) and work_gate(state):
        withdraw_words_to_team(state, now, state.handoff.team)
        return facts.model_copy(update={"for_team": for_team(state, TeamWord.STOPPED, state.handoff)})
    return facts


def offered_again(state: OrderState, facts: Facts) -> Facts:
    """The alert to the next in the rota: it says what is offered, as the first one did."""
    if state.handoff and not state.review and told(state):
        return facts.model_copy(update={"for_team": for_team(state, TeamWord.OFFERED, state.handoff)})
    return facts


def to_store(state: OrderState, facts: Facts) -> Offer | None:
    """The offer that a message to the team carries to the ledger; None once it is there, or frozen."""
    handoff, word = state.handoff, facts.for_team
    if handoff is None or word is None or word.revision != handoff.revision or handoff.frozen or handoff.stored:
        return None
    return Offer(
        revision=handoff.revision,
        content_hash=handoff.content_hash,
        team=handoff.team,
        owner=handoff.owner,
        document_id=state.erp.document_id,
        answers=answers(state),
    )


def stored(state: OrderState, offer: Offer | None) -> None:
    """The activity that carried this offer has ended, so the ledger has it."""
    if offer and state.handoff and state.handoff.revision == offer.revision:
        state.handoff.stored = True
