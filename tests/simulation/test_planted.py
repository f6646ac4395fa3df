"""Classic bugs of durable workflows, planted from outside into the workflow's modules: each is caught, by its rule.

The other classics (send before claim, claim after send, resend on a read timeout, a naive BEGIN, a missing lease, a
secret compared with ==) live below the workflow; `tests/faults` plants them.
"""

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from itertools import count, islice

import pytest
from temporalio import workflow

from orderack.contracts.activities import Facts
from orderack.contracts.journal import Event, Stage
from orderack.domain.acknowledgement import Kind, SendKey
from orderack.domain.order import Order
from orderack.domain.receipt import ErpReceipt
from orderack.domain.response import LineAnswer, answer_lines
from tests.simulation.storm import Rates
from tests.simulation.story import Story, Violation
from workflows import OrderAcknowledgement, _clocks, _door, _handoffs, _owners, _steps, order_acknowledgement
from workflows._state import OrderState
from workflows._telling import say

SEED = 77
BUDGET = 60
"""Eventful orders, as the short form has them: a bug that none of them meets was not caught."""

Plant = Callable[[pytest.MonkeyPatch], None]
RATES = Rates(fresh_history=0.6, old_code=0.0, malformed=0.2, duplicate=0.3, outages=4.0)


def caught(rules: frozenset[str]) -> Violation | None:
    """The first of these rules that an order broke."""
    eventful = (story for index in count() if (story := Story(SEED, index, RATES)).plan.temper.name != "plain")
    for story in islice(eventful, BUDGET):
        broken = story.live().violation
        if broken and broken.rule in rules:
            return broken
    return None


def no_dedupe_across_histories(patch: pytest.MonkeyPatch) -> None:
    """What was seen and answered is forgotten when the order continues as new."""
    original = OrderAcknowledgement._take_back_entries

    def forgets(self: OrderAcknowledgement) -> None:
        original(self)
        self._state.seen, self._state.replies = [], {}

    patch.setattr(OrderAcknowledgement, "_take_back_entries", forgets)


def timer_by_the_wall_clock(patch: pytest.MonkeyPatch) -> None:
    """The loop's timer is measured by the machine's clock in place of the workflow's."""

    class Wall:
        """`temporalio.workflow`, but for its clock."""

        def __getattr__(self, name: str) -> object:
            return getattr(workflow, name)

        def now(self) -> datetime:
            return datetime.now(UTC)

    original = OrderAcknowledgement._wake

    async def wakes(self: OrderAcknowledgement, at: datetime, name: object) -> None:
        patch.setattr(order_acknowledgement, "workflow", Wall())
        waiting = original(self, at, name)  # type: ignore[arg-type]
        await waiting

    patch.setattr(OrderAcknowledgement, "_wake", wakes)


def late_receipt_dropped(patch: pytest.MonkeyPatch) -> None:
    """A receipt that comes after the holding message is taken for too late."""
    original = _steps.take_receipt

    def drops(state: OrderState, receipt: ErpReceipt, now: datetime) -> None:
        if not state.said(Kind.HOLDING):
            original(state, receipt, now)

    patch.setattr(_steps, "take_receipt", drops)


def float_money(patch: pytest.MonkeyPatch) -> None:
    """Quantities and prices are reckoned with in binary."""

    def reckons(order: Order, receipt: ErpReceipt) -> tuple[LineAnswer, ...]:
        return tuple(
            answer.model_copy(update={"accepted": Decimal(float(answer.accepted))})
            for answer in answer_lines(order, receipt)
        )

    patch.setattr(_steps, "answer_lines", reckons)


def handler_raises(patch: pytest.MonkeyPatch) -> None:
    """What cannot be read is an error in place of a case."""

    def decode(raw: object, model: type) -> object:
        return workflow.payload_converter().from_payload(raw.payload, model)  # type: ignore[attr-defined]

    patch.setattr(_door, "decode", decode)


def revision_not_in_the_key(patch: pytest.MonkeyPatch) -> None:
    """A message's key names its order, kind and number, and not the revision that it is about."""
    patch.setattr(SendKey, "__str__", lambda key: f"{key.ref}/{key.kind}/{key.n}/{key.channel}")


def confirmation_before_receipt(patch: pytest.MonkeyPatch) -> None:
    """Taken by the ERP counts as booked by it."""

    def submitted(state: OrderState, submission: object, revision: int, now: datetime) -> None:
        if state.stage is Stage.AWAITING_ERP and revision == state.revision and state.order is not None:
            state.stage, state.confirmed_revision, state.confirmed_at = Stage.CONFIRMED, revision, now
            state.note(now, Event.CONFIRMED)
            say(state, now, [Kind.CONFIRMATION], Facts(document_id="SO-1"))

    patch.setattr(_steps, "submitted", submitted)


def burst_after_an_outage(patch: pytest.MonkeyPatch) -> None:
    """Every slot that an outage has missed is made up for."""

    def next_update(state: OrderState, previous: datetime, now: datetime) -> datetime:
        return previous + _clocks.levels(state).update_every

    patch.setattr(_owners, "next_update", next_update)


def offer_told_and_not_stored(patch: pytest.MonkeyPatch) -> None:
    """The team is told of a handoff that the ledger knows nothing of."""
    patch.setattr(_handoffs, "to_store", lambda state, facts: None)


def offered_word_by_word(patch: pytest.MonkeyPatch) -> None:
    """Each word to the team is said as often as somebody asks for it."""
    original = _handoffs.tell

    def tells(state: OrderState, *words: object, **more: object) -> None:
        original(state, *words, **more)  # type: ignore[arg-type]
        original(state, *words, **more)  # type: ignore[arg-type]

    patch.setattr(_handoffs, "tell", tells)


PLANTED: tuple[tuple[Plant, frozenset[str]], ...] = (
    (no_dedupe_across_histories, frozenset({"A2", "I8"})),
    (timer_by_the_wall_clock, frozenset({"D1", "I12", "R1"})),
    (late_receipt_dropped, frozenset({"I6", "I8", "I12"})),
    (float_money, frozenset({"I18"})),
    (handler_raises, frozenset({"R2"})),
    (revision_not_in_the_key, frozenset({"I5", "I4"})),
    (confirmation_before_receipt, frozenset({"I1"})),
    (burst_after_an_outage, frozenset({"I3"})),
    (offer_told_and_not_stored, frozenset({"H2"})),
    (offered_word_by_word, frozenset({"H3"})),
)


@pytest.mark.parametrize(("plant", "rules"), PLANTED, ids=[plant.__name__ for plant, _ in PLANTED])
async def test_a_planted_bug_is_caught(plant: Plant, rules: frozenset[str], monkeypatch: pytest.MonkeyPatch) -> None:
    plant(monkeypatch)
    assert await asyncio.to_thread(caught, rules) is not None, plant.__doc__
