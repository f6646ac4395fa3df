"""The people around an order: they look at where it stands and do their part, in time or not."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal

from pydantic import BaseModel

from orderack.contracts import names
from orderack.contracts.journal import Stage
from orderack.contracts.updates import (
    AcceptHandoff,
    Answer,
    CancelRequest,
    ChangeRequest,
    Claim,
    ClaimTarget,
    ReviewDecision,
    ReviewVerdict,
    SettleSend,
    SettleVerdict,
)
from orderack.domain.assessment import ErpMode, FlagName
from orderack.domain.order import Order
from tests.simulation.agenda import Agenda, micros
from tests.simulation.chance import DAY, HOUR, MINUTE, SECOND, Dice
from tests.simulation.door import Door
from tests.simulation.plan import Plan
from tests.simulation.world import World
from workflows._state import OrderState
from workflows._telling import unknown_sends

PATIENCE = 14 * HOUR
"""Some time after it somebody ends an escalation one way or the other."""


class People:
    """Reviewers, owners, the team, the operators, and a buyer who answers."""

    def __init__(self, agenda: Agenda, plan: Plan, door: Door, world: World, *, by_turn: bool = False) -> None:
        """`by_turn`: what somebody does hangs on which review it is, not on its very moment (stories told twice)."""
        self._agenda = agenda
        self._by_turn = by_turn
        self._began: dict[str, list[datetime]] = {}
        self._plan = plan
        self._dice: Dice = plan.dice
        self._door = door
        self._world = world
        self._seen: set[str] = set()
        self._watch: tuple[Callable[[OrderState], None], ...] = (
            self._reviewer,
            self._owner,
            self._team,
            self._operator,
            self._support,
            self._other_integration,
        )

    def look(self, state: OrderState) -> None:
        """See what is new and decide what to do about it, and when."""
        for person in self._watch:
            person(state)

    def _once(self, key: str, soonest: int, latest: int, does: Callable[[OrderState], None]) -> None:
        """Do it after a while, once; whoever does it looks at the order as it stands by then."""
        if key in self._seen:
            return
        self._seen.add(key)

        def act() -> None:
            execution = self._door.execution
            if execution is None or execution.closed:
                return
            if execution.instance.begun:
                does(execution.instance.state)
            else:  # continued as new, and no worker has taken it up yet
                self._agenda.after(SECOND, act)

        self._agenda.after(self._dice.between(soonest, latest, key), act)

    def _which(self, what: str, began: datetime) -> int:
        if not self._by_turn:
            return micros(began)
        known = self._began.setdefault(what, [])
        if began not in known:
            known.append(began)
        return known.index(began)

    def _ask(self, name: str, request_id: str, request: BaseModel) -> None:
        self._door.request(name, request_id, request)

    # -- the reviewer ---------------------------------------------------------------------------------------------

    def _reviewer(self, state: OrderState) -> None:
        review = state.review
        if review is None:
            return
        key = f"review/{self._which('review', review.opened_at)}/{len(review.flags)}/{review.questions}"
        if key in self._seen:
            return
        if self._dice.chance(0.3, key, "claims"):
            claim = Claim(id=f"claim/{key}", target=ClaimTarget.REVIEW, by="reviewer-1")
            self._once(
                f"{key}/claim", MINUTE, 40 * MINUTE, lambda state: self._ask(names.UPDATE_CLAIM, claim.id, claim)
            )
        low, high = self._dice.weighed(
            ((0.1, (SECOND, 20 * SECOND)), (0.75, (2 * MINUTE, 2 * HOUR)), (0.15, (3 * HOUR, 11 * HOUR))), key, "when"
        )
        self._once(key, low, high, lambda state: self._decide(state, key))

    def _decide(self, state: OrderState, key: str) -> None:
        if state.review is None or state.order is None:
            return
        asked = state.review.questions > 0
        incomplete = any(flag.name is FlagName.INCOMPLETE for flag in state.review.flags)
        options = [(0.62, ReviewVerdict.APPROVE), (0.14, ReviewVerdict.AMEND), (0.12, ReviewVerdict.REJECT)]
        options += [] if asked else [(0.12, ReviewVerdict.ASK)]
        verdict = self._dice.weighed(options, key, "verdict")
        if verdict is ReviewVerdict.APPROVE and incomplete:  # tried, refused in words, and mended then
            self._review(key, ReviewVerdict.APPROVE, None, "tried/")
            verdict = ReviewVerdict.AMEND
        order = amended(state.order, state.revision) if verdict is ReviewVerdict.AMEND else None
        self._review(key, verdict, order)
        if verdict is ReviewVerdict.ASK:
            self._once(f"{key}/buyer", 5 * MINUTE, 20 * HOUR, lambda now: self._buyer_answers(now, key))

    def _review(self, key: str, verdict: ReviewVerdict, order: Order | None, prefix: str = "") -> None:
        made = ReviewDecision(
            id=f"{prefix}{key}", verdict=verdict, by="reviewer-1", note="seen", question="Which colour?", order=order
        )
        self._ask(names.UPDATE_DECIDE_REVIEW, made.id, made)

    def _buyer_answers(self, state: OrderState, key: str) -> None:
        """By a change of the order, or not at all; then the reviewer goes on."""
        if state.order is not None and state.review is not None and self._dice.chance(0.6, key, "answers"):
            request = ChangeRequest(id=f"answer/{key}", order=amended(state.order, state.revision))
            self._ask(names.UPDATE_CHANGE, request.id, request)

    # -- owners, the team -----------------------------------------------------------------------------------------

    def _owner(self, state: OrderState) -> None:
        if state.escalation is None:
            return
        key = f"escalated/{self._which('escalation', state.escalation.since)}"
        if self._dice.chance(0.5, key, "claims"):
            claim = Claim(id=f"claim/{key}", target=ClaimTarget.ESCALATION, by="ops-2")
            self._once(f"{key}/claim", MINUTE, 3 * HOUR, lambda state: self._ask(names.UPDATE_CLAIM, claim.id, claim))
        self._once(key, PATIENCE, PATIENCE + 12 * HOUR, lambda state: self._end_it(state, key))

    def _end_it(self, state: OrderState, key: str) -> None:
        """It has been stuck for more than a day: called off, or booked by hand."""
        self._seen.discard(key)
        if state.escalation is None or state.stage is not Stage.AWAITING_ERP or state.order is None:
            return
        if self._dice.chance(0.5, key, "called off"):
            request = CancelRequest(id=f"cancel/{key}", by="operations", reason="we cannot deliver it")
            self._ask(names.UPDATE_CANCEL, request.id, request)
        else:
            self._world.erp.book_by_hand(state.order, state.revision, self._agenda.now)

    def _team(self, state: OrderState) -> None:
        handoff = state.handoff
        if handoff is None or handoff.frozen or handoff.accepted_by:
            return
        key = f"handoff/{handoff.revision}/{self._which('handoff', handoff.offered_at)}"
        if key in self._seen:
            return
        if self._dice.chance(0.25, key, "claims"):
            claim = Claim(id=f"claim/{key}", target=ClaimTarget.HANDOFF, by="packer")
            self._once(
                f"{key}/claim", 10 * SECOND, 35 * MINUTE, lambda state: self._ask(names.UPDATE_CLAIM, claim.id, claim)
            )
        late = self._dice.chance(0.05, key, "late")
        low, high = (HOUR, 9 * HOUR) if late else (30 * SECOND, 29 * MINUTE)
        self._once(key, low, high, lambda state: self._accept(state, key))

    def _accept(self, state: OrderState, key: str) -> None:
        if state.handoff is None:
            return
        wrong = self._dice.chance(0.1, key, "wrong")
        accept = AcceptHandoff(
            id=f"accept/{key}{'/wrong' if wrong else ''}",
            revision=state.handoff.revision + int(wrong),
            content_hash=state.handoff.content_hash,
            by="packer",
        )
        self._ask(names.UPDATE_ACCEPT_HANDOFF, accept.id, accept)
        if wrong:
            again = accept.model_copy(update={"id": f"accept/{key}", "revision": state.handoff.revision})
            self._ask(names.UPDATE_ACCEPT_HANDOFF, again.id, again)

    # -- operators ------------------------------------------------------------------------------------------------

    def _operator(self, state: OrderState) -> None:
        """A send in doubt: somebody looks, and says what became of it."""
        for key in unknown_sends(state):
            if not self._dice.chance(0.9, "settles", key):
                continue
            verdict = self._dice.weighed(
                ((0.4, SettleVerdict.SENT), (0.3, SettleVerdict.NOT_SENT), (0.3, SettleVerdict.SEND_AGAIN)),
                "settled",
                key,
            )
            settle = SettleSend(id=f"settle/{key}", key=key, verdict=verdict, by="ops-1")
            self._once(
                f"settle/{key}",
                5 * MINUTE,
                8 * HOUR,
                lambda state, s=settle: self._ask(names.UPDATE_SETTLE_SEND, s.id, s),  # type: ignore[misc]
            )

    def _support(self, state: OrderState) -> None:
        """The buyer's questions are answered; a few only when the order should have closed."""
        for question in state.open_questions:
            key = f"question/{question.id}"
            low, high = (8 * DAY, 10 * DAY) if self._dice.chance(0.1, key, "forgotten") else (10 * MINUTE, 6 * HOUR)
            answer = Answer(id=f"a/{key}", question=question.id, text="On Friday.", by="ops-1")
            self._once(key, low, high, lambda state, a=answer: self._ask(names.UPDATE_ANSWER, a.id, a))  # type: ignore[misc]

    def _other_integration(self, state: OrderState) -> None:
        """Where another integration books, it learns of each new revision, too."""
        if state.order is None or state.revision < 2 or self._plan.decision.erp_mode is not ErpMode.WAIT:
            return
        key = f"learns/{state.revision}"
        self._once(key, SECOND, 10 * MINUTE, lambda now: self._learn(now))

    def _learn(self, state: OrderState) -> None:
        if state.order is not None:
            self._world.erp.learn(state.order, state.revision, self._agenda.now)


def amended(order: Order, revision: int) -> Order:
    """The same order, mended: content that no earlier revision had."""
    line = order.lines[0].model_copy(update={"quantity": Decimal(100 + revision)})
    return order.model_copy(update={"lines": (line, *order.lines[1:])})
