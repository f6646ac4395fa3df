"""A store that learns by which channel its customers answer: what that may change, and what it never does."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from orderack.domain.address import address_sha256
from orderack.domain.assessment import Decision, Route
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.reachability import ChannelFigures, Reachability
from orderack.errors import Unavailable
from orderack.ledger.repository import SqlLedger
from orderack.policy.assessing import Findings, assess_order
from orderack.policy.decide import Circumstances, decide
from orderack.policy.explain import explain
from orderack.policy.lint import lint
from orderack.policy.load import PolicyInvalid
from orderack.policy.model import Learning, Policy
from tests.ledger.reaching import Customers
from tests.policy.conftest import CHANNELS, WORDINGS, Document, order
from tests.policy.test_assess import NOW, assess, explained, request

Load = Callable[..., Policy]


def figures(channel: str, messages: int, affirmed: int, after: float | None = 120) -> ChannelFigures:
    return ChannelFigures(
        channel=channel,
        messages=messages,
        engaged=affirmed,
        affirmed=affirmed,
        weight=float(messages),
        answered=float(affirmed),
        answered_after=after if affirmed else None,
    )


ANSWERS_SMS = Reachability(orders=6, channels=(figures("sms", 6, 5), figures("mail", 9, 0)))


def learning(mode: str, *edits: Callable[[Document], object]) -> Callable[[Document], None]:
    def edit(document: Document) -> None:
        document["stores"]["demo"]["learn_channels"] = mode
        for one in edits:
            one(document)

    return edit


def around(reach: Reachability | None = ANSWERS_SMS, **more: Any) -> Circumstances:
    return Circumstances(channels=CHANNELS, reach=reach, **more)


def legs(decision: Decision) -> list[tuple[str, ...]]:
    return [leg.channels for leg in decision.legs]


def test_what_is_answered_goes_first_where_that_is_applied_and_why_says_so(load: Load) -> None:
    decision = decide(load(learning("apply")), order(), (), around())
    assert legs(decision) == [("sms", "mail", "page")]
    assert decision.why == (
        "No other rule applies. sms goes before mail as this customer answers: 5 of 6 messages by sms were affirmed, "
        "half of the answers within 2 min; none of 9 messages by mail was answered."
    )
    assert decision.route is Route.STRAIGHT


@pytest.mark.parametrize("mode", ["off", "suggest"])
def test_nothing_of_the_decision_changes_otherwise(load: Load, mode: str) -> None:
    policy = load(learning(mode))
    assert decide(policy, order(), (), around()) == decide(policy, order(), (), around(None))
    assert legs(decide(policy, order(), (), around())) == [("mail", "sms", "page")]
    told = assess_order(policy, order(), 1, Findings(now=NOW), around()).explanation.lesson
    assert (told is None) == (mode == "off")


def test_a_suggestion_stands_in_the_explanation(load: Load) -> None:
    found = assess_order(load(learning("suggest")), order(), 1, Findings(now=NOW), around())
    told = explain(order(), found.assessment, found.explanation)
    assert any(
        line == "  learned: sms would go before mail, under `learn_channels: apply`, as this customer answers: 5 of 6 "
        "messages by sms were affirmed, half of the answers within 2 min; none of 9 messages by mail was answered."
        for line in told
    )
    assert found.explanation.reach == ANSWERS_SMS
    assert found.assessment.decision.why == "No other rule applies."


@pytest.mark.parametrize("wish", ["mail", "email"])
def test_the_buyers_own_wish_goes_before_what_was_learned(load: Load, wish: str) -> None:
    contacts = {"email": "ada@example.com", "phone": "+15005550006", "preferred_channel": wish}
    decision = decide(load(learning("apply")), order(contacts=contacts), (), around())
    assert legs(decision) == [("mail", "sms", "page")]


def test_a_channel_whose_address_opted_out_is_not_put_first(load: Load) -> None:
    opted_out = ANSWERS_SMS.model_copy(update={"opted_out": ("sms",)})
    assert legs(decide(load(learning("apply")), order(), (), around(opted_out))) == [("mail", "sms", "page")]


def test_a_channel_from_outside_the_legs_is_never_brought_in(load: Load) -> None:
    plain = Reachability(orders=3, channels=(figures("plain", 9, 9), figures("chat", 9, 9)))
    decision = decide(load(learning("apply")), order(), (), around(plain))
    assert legs(decision) == [("mail", "sms", "page")]


def test_a_channel_that_cannot_reach_this_buyer_is_not_brought_back(load: Load) -> None:
    decision = decide(load(learning("apply")), order(contacts={"email": "ada@example.com"}), (), around())
    assert legs(decision) == [("mail", "page")]


def test_the_sources_fallback_is_ordered_by_itself_and_stays_behind_the_leg(load: Load) -> None:
    def two(document: Document) -> None:
        document["sources"]["web"]["channels"] = [["mail"]]
        document["sources"]["web"]["fallback"] = ["page", "sms"]

    assert legs(decide(load(learning("apply", two)), order(), (), around())) == [("mail", "sms", "page")]


@pytest.mark.parametrize("wish", ["sms", "phone"])
def test_in_the_sources_fallback_nothing_learned_goes_before_the_buyers_own_wish(load: Load, wish: str) -> None:
    def two(document: Document) -> None:
        document["sources"]["web"]["channels"] = [["mail"]]
        document["sources"]["web"]["fallback"] = ["sms", "page"]

    policy = load(learning("apply", two))
    reach = around(Reachability(orders=9, channels=(figures("page", 9, 9),)))
    contacts = {"email": "ada@example.com", "phone": "+15005550006", "preferred_channel": wish}
    assert legs(decide(policy, order(), (), reach)) == [("mail", "page", "sms")]
    assert legs(decide(policy, order(contacts=contacts), (), reach)) == [("mail", "sms", "page")]


def test_legs_are_ordered_each_by_itself(load: Load) -> None:
    reach = Reachability(orders=3, channels=(figures("page", 9, 9), *ANSWERS_SMS.channels))
    enterprise = order(customer={"id": "C-1", "relation": "enterprise"})
    assert legs(decide(load(learning("apply")), enterprise, (), around(reach))) == [("sms", "mail"), ("page",)]


@pytest.mark.parametrize(
    ("reach", "said"),
    [
        (
            Reachability(),
            "Nothing is learned of a channel yet: that takes 3 messages by it, and answers to some of them.",
        ),
        (
            Reachability(orders=3, channels=(figures("mail", 9, 9),)),
            "The order of the channels agrees with what this customer answers: 9 of 9 messages by mail were affirmed, "
            "half of the answers within 2 min.",
        ),
    ],
)
def test_where_nothing_changes_the_explanation_says_why(load: Load, reach: Reachability, said: str) -> None:
    found = assess_order(load(learning("apply")), order(), 1, Findings(now=NOW), around(reach))
    assert found.explanation.lesson is not None
    assert (found.explanation.lesson.why, found.explanation.lesson.changes) == (said, False)
    assert found.assessment.decision.why == "No other rule applies."


def test_a_bare_off_of_yaml_is_off_and_any_other_word_is_refused(load: Load) -> None:
    assert (
        load(lambda d: d["stores"]["demo"].update(learn_channels=False)).stores["demo"].learn_channels is Learning.OFF
    )
    assert load().stores["demo"].learn_channels is Learning.OFF
    for word in (True, "on", "yes"):
        with pytest.raises(PolicyInvalid) as caught:
            load(lambda d, word=word: d["stores"]["demo"].update(learn_channels=word))
        (problem,) = caught.value.problems
        assert problem.field.startswith("stores.demo.learn_channels")
        assert "'off', 'suggest' or 'apply'" in problem.remedy


def found_by_lint(policy: Policy) -> list[str]:
    problems = lint(policy, CHANNELS, WORDINGS, ("sandbox",))
    return [one.problem for one in problems if one.field == "stores.demo.learn_channels"]


def test_a_store_that_could_never_learn_is_found(load: Load) -> None:
    def single(document: Document) -> None:
        for source in document["sources"].values():
            source.update(channels=[["mail"]], fallback=["sms"])
        document["rules"] = []

    assert found_by_lint(load(learning("suggest"))) == []
    nothing, no_answer = found_by_lint(load(learning("apply", single)))
    assert nothing.startswith("has nothing to choose from")
    assert no_answer == "learns from answers, and no rule asks for one"
    asked = load(learning("apply", single, lambda d: d["default"]["then"].update(button=True)))
    assert found_by_lint(asked) == [nothing]
    assert found_by_lint(load(single)) == []


async def answers(ledger: SqlLedger) -> None:
    """The store's customer answers text messages, and never mail."""
    customers, day = Customers(ledger, "demo"), timedelta(days=1)
    for number in range(4):
        at = NOW - (2 + number) * day
        ref = await customers.order(f"H-{number}", customers_ago(at), customer="C-1", legs=[["mail", "sms"]])
        await customers.send(ref, "mail", at)
        key = await customers.send(ref, "sms", at + timedelta(minutes=10))
        await customers.fact(key, EvidenceEvent.AFFIRMED, Grade.E5, at + timedelta(minutes=12))


def customers_ago(at: Any) -> timedelta:
    from tests.ledger import reaching

    return reaching.NOW - at  # type: ignore[no-any-return]


async def test_an_assessment_learns_from_the_ledger_and_keeps_what_it_learned(ledger: SqlLedger, load: Load) -> None:
    await answers(ledger)
    found = await assess(ledger, load(learning("apply")), request(order()))
    assert legs(found.decision) == [("sms", "mail", "page")]
    kept = await explained(ledger, order())
    assert kept.reach is not None
    assert [(one.channel, one.messages, one.affirmed) for one in kept.reach.channels] == [("sms", 4, 4), ("mail", 4, 0)]
    assert kept.lesson is not None
    assert kept.lesson.why in found.decision.why
    again = await assess(ledger, load(learning("off")), request(order(), seq=2))
    assert again == found


async def test_an_order_to_an_address_that_opted_out_goes_as_the_policy_says(ledger: SqlLedger, load: Load) -> None:
    await answers(ledger)
    await ledger.opted("sms", address_sha256("+15005550006"), out=True, at=NOW, basis="sms:stop")
    found = await assess(ledger, load(learning("apply")), request(order()))
    assert legs(found.decision) == [("mail", "sms", "page")]


async def test_what_the_ledger_cannot_say_is_no_error_of_the_order(
    ledger: SqlLedger, load: Load, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number, error in enumerate((Unavailable("down"), KeyError("row"), RuntimeError("ada@example.com"))):

        async def fail(*_: object, error: Exception = error) -> None:
            raise error

        monkeypatch.setattr(ledger, "reachability", fail)
        subject = order(
            number=f"F-{number}", totals={"total": "100"}, trigger_at=f"2026-10-{10 + 3 * number}T09:00:00Z"
        )
        found = await assess(ledger, load(learning("apply")), request(subject))
        assert (legs(found.decision), found.decision.route) == ([("mail", "sms", "page")], Route.STRAIGHT)
        kept = await explained(ledger, subject)
        assert (kept.reach, kept.reach_note) == (None, f"the ledger gave no answer ({type(error).__name__})")
        lines = explain(subject, found, kept)
        assert f"  nothing learned of this customer's channels: {kept.reach_note}" in lines


async def statements_of(ledger: SqlLedger, policy: Policy, number: str) -> Sequence[str]:
    found: list[str] = []
    engine = ledger._database._engine.sync_engine

    def heard(_: object, __: object, statement: str, *more: object) -> None:
        found.append(statement)

    event.listen(engine, "before_cursor_execute", heard)
    try:
        await assess(ledger, policy, request(order(number=number)))
    finally:
        event.remove(engine, "before_cursor_execute", heard)
    return found


async def test_a_store_that_does_not_learn_asks_the_ledger_nothing_more(ledger: SqlLedger, load: Load) -> None:
    await answers(ledger)
    off = await statements_of(ledger, load(), "S-1")
    on = await statements_of(ledger, load(learning("suggest")), "S-2")
    assert not any("reaches" in statement or "evidence" in statement for statement in off)
    looked = [statement for statement in on if "reaches" in statement or "evidence" in statement]
    assert len(looked) == 2
    assert len([one for one in on if one not in looked and one[:5] != "BEGIN"]) == len(
        [one for one in off if one[:5] != "BEGIN"]
    )
