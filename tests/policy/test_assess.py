"""The `assess` activity on a real ledger: stored once, stock unknown rather than late, no order ever lost."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import pytest
from temporalio.testing import ActivityEnvironment

from activities.assess import Assess
from orderack.contracts.activities import AssessRequest
from orderack.contracts.journal import Entry, Event, Journal, Stage
from orderack.domain.acknowledgement import Audience
from orderack.domain.assessment import Assessment, FlagName, Gate, Route
from orderack.domain.evidence import Grade
from orderack.domain.order import Line, Order, OrderRef
from orderack.domain.receipt import StockVerdict
from orderack.errors import Misconfigured, Unavailable
from orderack.ledger.repository import SqlLedger
from orderack.ledger.shadow import Cutover
from orderack.policy.assessing import Explanation
from orderack.policy.explain import explain
from orderack.policy.model import Policy
from orderack.ports import Idempotency, Medium, Stock, Traits
from tests.ledger.tampering import kept
from tests.policy.conftest import order, worth

NOW = datetime(2026, 11, 12, 9, 0, tzinfo=UTC)
Load = Callable[..., Policy]


def traits(medium: Medium, address: str, audience: Audience = Audience.BUYER) -> Traits:
    return Traits(
        medium=medium, audience=audience, address=address, evidence_ceiling=Grade.E3, idempotency=Idempotency.KEY
    )


CHANNELS = {
    "mail": traits(Medium.EMAIL, "email"),
    "sms": traits(Medium.SMS, "phone"),
    "page": traits(Medium.PAGE, "page"),
    "chat": traits(Medium.CHAT, "chat:chat", Audience.INTERNAL),
}


class StockOnly:
    """An ERP that is asked for stock and nothing else."""

    name = "sandbox"

    def __init__(self, answer: Callable[[Sequence[Line]], Sequence[Stock]], delay: float = 0) -> None:
        self.answer = answer
        self.delay = delay
        self.asked = 0

    async def availability(self, lines: Sequence[Line]) -> Sequence[Stock]:
        self.asked += 1
        await asyncio.sleep(self.delay)
        return self.answer(lines)


def plenty(lines: Sequence[Line]) -> Sequence[Stock]:
    return [Stock(line_id=line.line_id, verdict=StockVerdict.AVAILABLE) for line in lines]


def failing(error: Exception) -> Callable[[Sequence[Line]], Sequence[Stock]]:
    def answer(_: Sequence[Line]) -> Sequence[Stock]:
        raise error

    return answer


def request(subject: Order, revision: int = 1, waived: tuple[str, ...] = (), seq: int = 1) -> AssessRequest:
    entry = Entry(seq=seq, at=NOW, event=Event.ORDER_ACCEPTED, revision=revision)
    journal = Journal(ref=subject.ref, stage=Stage.ASSESSING, revision=revision, entries=(entry,))
    return AssessRequest(order=subject, revision=revision, now=NOW, waived=waived, journal=journal)


async def assess(ledger: SqlLedger, policy: Policy, asked: AssessRequest, erp: Any = None, **more: Any) -> Assessment:
    erps = {"sandbox": erp or StockOnly(plenty)}
    activity = Assess(ledger, lambda: policy, erps, CHANNELS, **more)
    found: Assessment = await ActivityEnvironment().run(activity.assess, asked)
    return found


async def explained(ledger: SqlLedger, subject: Order, revision: int = 1) -> Explanation:
    stored = await ledger.revision(subject.ref, revision)
    assert stored is not None
    return Explanation.model_validate_json(stored.explanation)


async def test_a_standard_order_goes_straight_and_is_stored_with_its_explanation(ledger: SqlLedger, load: Load) -> None:
    found = await assess(ledger, load(), request(order()))
    assert (found.flags, found.decision.route) == ((), Route.STRAIGHT)
    assert found.promise_on == date(2026, 11, 16)
    assert [line.verdict for line in found.stock] == [StockVerdict.AVAILABLE]
    stored = await ledger.revision(order().ref, 1)
    assert stored is not None
    assert (stored.order, stored.assessment) == (order(), found)
    assert [entry.event for entry in await ledger.entries(order().ref)] == [Event.ORDER_ACCEPTED]
    explanation = await explained(ledger, order())
    assert explanation.promise is not None
    assert explanation.promise.on == found.promise_on
    assert [field.ok for field in explanation.five_fields] == [True] * 5


async def test_asked_again_it_answers_what_is_stored_and_asks_nobody(ledger: SqlLedger, load: Load) -> None:
    erp = StockOnly(plenty)
    first = await assess(ledger, load(), request(order()), erp)
    policy = load(lambda d: d["default"].update(then={"route": "review"}))
    again = await assess(ledger, policy, request(order(), seq=2), erp)
    assert again == first
    assert erp.asked == 1
    assert len(await ledger.entries(order().ref)) == 2


async def test_two_attempts_at_once_answer_the_same(ledger: SqlLedger, load: Load) -> None:
    policies = [load(), load(lambda d: d["default"].update(why="Another."))]
    found = await asyncio.gather(*(assess(ledger, policy, request(order())) for policy in policies))
    assert found[0] == found[1]


async def test_another_content_under_the_same_revision_is_a_persons_case(ledger: SqlLedger, load: Load) -> None:
    await assess(ledger, load(), request(order()))
    found = await assess(ledger, load(), request(worth(7), seq=2))
    assert found.content_hash == worth(7).content_hash
    assert [flag.name for flag in found.flags] == [FlagName.ASSESSMENT_FAILED]
    assert found.decision.route is Route.REVIEW
    stored = await ledger.revision(order().ref, 1)
    assert stored is not None
    assert stored.order == order()


async def test_a_slow_erp_means_unknown_stock_within_two_seconds(
    ledger: SqlLedger, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("activities.assess.STOCK_TIMEOUT", timedelta(milliseconds=50))
    found = await assess(ledger, load(), request(order()), StockOnly(plenty, delay=30))
    assert (found.stock, found.decision.route) == ((), Route.STRAIGHT)
    assert "did not answer within 0.05 s" in (await explained(ledger, order())).stock_note


@pytest.mark.parametrize("error", [Unavailable("down"), Misconfigured("no key"), KeyError("vendor's field")])
async def test_an_erp_that_fails_means_unknown_stock_and_no_error(
    ledger: SqlLedger, load: Load, error: Exception
) -> None:
    found = await assess(ledger, load(), request(order()), StockOnly(failing(error)))
    assert (found.stock, found.decision.route) == ((), Route.STRAIGHT)
    assert f"({type(error).__name__})" in (await explained(ledger, order())).stock_note


async def test_a_backorder_moves_the_date_and_needs_no_person(ledger: SqlLedger, load: Load) -> None:
    def answer(lines: Sequence[Line]) -> Sequence[Stock]:
        return [Stock(line_id="1", verdict=StockVerdict.BACKORDERED, expected_on=date(2026, 12, 1))]

    found = await assess(ledger, load(), request(order()), StockOnly(answer))
    assert (found.decision.route, found.promise_on) == (Route.STRAIGHT, date(2026, 12, 3))


async def test_stock_that_is_gone_needs_a_person(ledger: SqlLedger, load: Load) -> None:
    def answer(lines: Sequence[Line]) -> Sequence[Stock]:
        return [Stock(line_id="1", verdict=StockVerdict.UNAVAILABLE, available=Decimal(0))]

    found = await assess(ledger, load(), request(order()), StockOnly(answer))
    assert [flag.name for flag in found.flags] == [FlagName.STOCK_GONE]


async def test_the_same_order_from_another_channel_is_held_as_a_probable_duplicate(
    ledger: SqlLedger, load: Load
) -> None:
    await assess(ledger, load(), request(order()))
    twin = order(number="B-2", source="edi", trigger_at="2026-11-12T09:30:00Z")
    found = await assess(ledger, load(), request(twin))
    assert [flag.name for flag in found.flags] == [FlagName.PROBABLE_DUPLICATE]
    assert "demo/A-1" in found.flags[0].why
    assert found.decision.withhold_received


async def test_a_quantity_is_judged_by_the_customers_own_orders(ledger: SqlLedger, load: Load) -> None:
    for number in ("H-1", "H-2", "H-3"):
        total = int(number[-1]) * 100
        await assess(ledger, load(), request(worth(total, number=number)))
    line = {"line_id": "1", "sku": "TENT", "quantity": 4, "unit_price": "10"}
    found = await assess(ledger, load(), request(order(number="H-4", lines=[line], totals={"total": 40})))
    assert [flag.name for flag in found.flags] == [FlagName.UNUSUAL_QUANTITY]


async def test_a_change_of_an_order_is_not_its_own_duplicate(ledger: SqlLedger, load: Load) -> None:
    await assess(ledger, load(), request(order()))
    found = await assess(ledger, load(), request(order(instructions="Ring twice"), revision=2, seq=2))
    assert (found.revision, found.flags) == (2, ())


async def test_an_incomplete_order_names_each_missing_field_and_cannot_be_waived(ledger: SqlLedger, load: Load) -> None:
    bare = order(customer={}, payment={}, contacts={})
    found = await assess(ledger, load(), request(bare, waived=("incomplete",)))
    assert [flag.field for flag in found.flags] == ["customer.id", "payment.terms", "contact"]
    assert found.decision.route is Route.REVIEW


async def test_a_waived_flag_no_longer_stops_the_order_and_stays_on_record(ledger: SqlLedger, load: Load) -> None:
    found = await assess(ledger, load(), request(worth(6_000, source="edi")))
    assert [flag.name for flag in found.flags] == [FlagName.HIGH_VALUE]
    again = await assess(ledger, load(), request(worth(6_001, source="edi"), 2, ("high_value",), seq=2))
    assert (again.flags, again.decision.route) == ((), Route.STRAIGHT)
    assert [flag.name for flag in (await explained(ledger, order(), 2)).waived] == [FlagName.HIGH_VALUE]


async def test_a_rule_that_asks_for_a_person_is_a_flag_that_a_reviewer_can_waive(ledger: SqlLedger, load: Load) -> None:
    found = await assess(ledger, load(), request(worth(3_001)))
    assert [(flag.name, flag.why) for flag in found.flags] == [
        (FlagName.RULE, "Big web orders. Rule big_web sends it to a person.")
    ]
    again = await assess(ledger, load(), request(worth(3_002), 2, ("rule",), seq=2))
    assert (again.flags, again.decision.route) == ((), Route.STRAIGHT)


@pytest.mark.parametrize("changes", [{"source": "fax"}, {"store": "elsewhere"}])
async def test_an_order_without_a_row_in_the_policy_becomes_a_review(
    ledger: SqlLedger, load: Load, changes: dict[str, str]
) -> None:
    found = await assess(ledger, load(), request(order(**changes)))
    assert [flag.name for flag in found.flags] == [FlagName.RULE]
    assert "no row" in found.flags[0].why
    assert found.decision.route is Route.REVIEW
    assert await ledger.revision(order(**changes).ref, 1) is not None


async def test_rules_that_fail_on_an_order_hand_it_to_a_person(ledger: SqlLedger, load: Load) -> None:
    def broken(*_: object) -> frozenset[date]:
        raise RuntimeError("a bug")

    found = await assess(ledger, load(), request(order()), holidays=broken)
    assert [flag.name for flag in found.flags] == [FlagName.ASSESSMENT_FAILED]
    assert (found.decision.route, found.decision.withhold_received) == (Route.REVIEW, True)
    assert await ledger.revision(order().ref, 1) is not None


async def test_a_calendar_that_gives_no_date_is_a_flag_that_says_so(ledger: SqlLedger, load: Load) -> None:
    policy = load(lambda d: d["stores"]["demo"]["calendar"].update(region="XX"))
    found = await assess(ledger, policy, request(order()))
    assert (found.promise_on, found.flags[0].field) == (None, "promise_on")
    assert "XX" in found.flags[0].why


async def test_without_measured_receipts_the_adaptive_gate_acknowledges_first(ledger: SqlLedger, load: Load) -> None:
    found = await assess(ledger, load(), request(order(source="edi")))
    assert found.decision.gate is Gate.ACK_GATED
    assert "0 receipts measured" in found.decision.gate_why


async def test_the_stored_explanation_reads_as_an_account(ledger: SqlLedger, load: Load) -> None:
    subject = worth(6_000, contacts={"email": "ada@example.com"})
    found = await assess(ledger, load(), request(subject))
    text = "\n".join(explain(subject, found, await explained(ledger, subject)))
    for said in (
        "Order demo/A-1, revision 1: review, by rule big_web",
        'fired big_web: order.source == "web" && order.total > 3000  [order.source is web, order.total is 6000]',
        "high_value (totals.total): The total of 6000 EUR is over the threshold of 5000 EUR.",
        "ok inventory confirmation: answered for every line",
        "To the buyer: mail, else page.",
        "left out: sms: the order has no phone that can be reached",
        "Received: withheld until a person has looked.",
        "Gate: ack_gated. source web says ack_gated.",
        "Promise date: Mon 16 Nov 2026.",
        "asked Thu 12 Nov 2026 10:00 Europe/Berlin; work starts Thu 12 Nov 2026",
        "lead time: 2 working days",
        "hold_after 15m",
    ):
        assert said in text
    assert "ada@example.com" not in text


async def test_the_first_order_that_goes_live_past_the_gate_of_a_shadow_run_has_it_in_its_chain(
    ledger: SqlLedger, load: Load
) -> None:
    """Once for a version of the policy; of a store that never ran in shadow nothing is written."""
    policy = load()
    await assess(ledger, policy, request(order(number="BEFORE")))
    ref = order().ref
    await ledger.keep(kept(OrderRef(store=ref.store, number="SHADOW")))
    for number in ("FIRST", "SECOND"):
        await assess(ledger, policy, request(order(number=number)))
    found = await ledger.gate_unasked(ref.store)
    assert found is not None
    assert found.seen is not None
    assert (found.seen.number, found.seen_at, found.policy_version) == ("FIRST", NOW, policy.version)
    assert await ledger.verify_chain(found.seen) == []
    step = Cutover(store=ref.store, at=NOW, by="grace", live_percent=100, back=False)
    await ledger.cut_over(step)
    assert await ledger.gate_unasked(ref.store) is None
