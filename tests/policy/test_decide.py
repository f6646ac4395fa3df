"""Deciding: first match wins, flags go to a person, legs reach the buyer, the gate has its numbers."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orderack.domain.assessment import Decision, ErpMode, Flag, FlagName, Gate, Leg, Route, ServiceLevels
from orderack.domain.order import Order
from orderack.policy.decide import Circumstances, decide, match
from orderack.policy.expression import judge
from orderack.policy.gate import Latency, measure
from orderack.policy.legs import left_out
from orderack.policy.model import QUICK, Policy, PolicyFile
from orderack.policy.samples import sample_values
from orderack.policy.variables import DOCUMENTED, values_of
from tests.policy.conftest import CHANNELS, DOCUMENT, order, worth

Load = Callable[..., Policy]

POLICY = Policy(**dict(PolicyFile.model_validate(DOCUMENT)), version="0" * 12)
AROUND = Circumstances(channels=CHANNELS)


def flag(name: FlagName) -> Flag:
    return Flag(name=name, why="because")


def decided(subject: Order, *flags: FlagName, policy: Policy = POLICY, **around: Any) -> Decision:
    circumstances = Circumstances(**{"channels": CHANNELS, **around})
    return decide(policy, subject, [flag(name) for name in flags], circumstances)


def legs(decision: Decision) -> list[tuple[str, ...]]:
    return [leg.channels for leg in decision.legs]


@pytest.mark.parametrize(
    ("subject", "rule", "route"),
    [
        (worth(3000), "default", Route.STRAIGHT),
        (worth(3001), "big_web", Route.REVIEW),
        (worth(3001, source="edi"), "default", Route.STRAIGHT),
        (worth(100, customer={"id": "C", "relation": "enterprise"}), "enterprise", Route.STRAIGHT),
        (worth(3001, customer={"id": "C", "relation": "enterprise"}), "big_web", Route.REVIEW),
    ],
    ids=["at the threshold", "over it", "over it from elsewhere", "enterprise", "both hold: the first one decides"],
)
def test_the_first_rule_that_holds_decides(subject: Order, rule: str, route: Route) -> None:
    decision = decided(subject)
    assert (decision.rule, decision.route) == (rule, route)


def test_a_decision_carries_what_the_workflow_needs() -> None:
    decision = decided(worth(100, customer={"id": "C", "relation": "enterprise"}))
    assert decision.policy_version == POLICY.version
    assert (decision.gate, decision.gate_why) == (Gate.ERP_GATED, "rule enterprise says erp_gated")
    assert (decision.erp, decision.erp_mode) == ("sandbox", ErpMode.PUSH)
    assert (decision.team, decision.rota, decision.reviewers) == ("sales", ("seller",), ("seller",))
    assert decision.time_zone == "Europe/Berlin"
    assert legs(decision) == [("mail", "sms"), ("page",)]
    assert decision.levels == ServiceLevels()
    assert (decision.work_needs, decision.evidence_needed) == ("E2", "E2")


def test_what_a_rule_leaves_out_comes_from_the_source_and_the_store() -> None:
    decision = decided(order())
    assert (decision.gate_why, decision.team) == ("source web says ack_gated", "operations")
    assert decision.reviewers == ("desk",)
    assert legs(decision) == [("mail", "sms", "page")]


@pytest.mark.parametrize("name", list(FlagName))
def test_any_flag_sends_the_order_to_a_person_and_withholds_received(name: FlagName) -> None:
    decision = decided(order(), name)
    assert decision.route is Route.REVIEW
    assert decision.withhold_received
    assert decision.withhold_updates is (name is FlagName.PAYMENT_FLAGGED)


def test_the_policy_may_send_received_and_updates_all_the_same(load: Load) -> None:
    policy = load(lambda d: d["default"].update(then={"received": "immediate", "updates": "send"}))
    decision = decided(order(), FlagName.PAYMENT_FLAGGED, policy=policy)
    assert decision.route is Route.REVIEW
    assert not decision.withhold_received
    assert not decision.withhold_updates


def test_the_policy_may_withhold_without_any_flag(load: Load) -> None:
    policy = load(lambda d: d["default"].update(then={"received": "withhold", "updates": "withhold"}))
    decision = decided(order(), policy=policy)
    assert (decision.route, decision.withhold_received, decision.withhold_updates) == (Route.STRAIGHT, True, True)


def test_rules_see_the_flags(load: Load) -> None:
    policy = load(lambda d: d["rules"][0].update(when='"new_client" in flags'))
    assert decided(order(), FlagName.NEW_CLIENT, policy=policy).rule == "big_web"
    assert decided(order(), FlagName.HIGH_VALUE, policy=policy).rule == "default"


@pytest.mark.parametrize("changes", [{"source": "fax"}, {"store": "elsewhere"}])
def test_an_order_from_outside_the_policy_goes_to_a_person_with_the_default(changes: dict[str, str]) -> None:
    decision = decided(order(**changes))
    assert (decision.rule, decision.route) == ("default", Route.REVIEW)
    assert f"no row for {next(iter(changes))} {next(iter(changes.values()))}" in decision.why


def test_a_rule_that_breaks_on_an_order_sends_it_to_a_person(load: Load) -> None:
    policy = load(lambda d: d["rules"][0].update(when="1.0 / order.discount > order.source"))
    decision = decided(order(), policy=policy)
    assert (decision.rule, decision.route) == ("default", Route.REVIEW)
    assert "big_web failed" in decision.why
    assert match(policy, order(), []).tried[0].error


@pytest.mark.parametrize(
    ("contacts", "expected"),
    [
        ({"email": "ada@example.com", "phone": "+15005550006"}, [("mail", "sms", "page")]),
        ({"email": "ada@example.com"}, [("mail", "page")]),
        ({"phone": "+15005550006"}, [("sms", "page")]),
        ({"phone": "030 5550100"}, [("sms", "page")]),
        ({"email": "not an address", "phone": "12"}, [("page",)]),
        ({}, [("page",)]),
    ],
)
def test_channels_without_a_contact_are_left_out(contacts: dict[str, str], expected: list[tuple[str, ...]]) -> None:
    assert legs(decided(order(contacts=contacts))) == expected


def test_a_channel_left_out_is_explained() -> None:
    subject = order(contacts={"email": "ada@example.com"})
    assert left_out(POLICY, subject, POLICY.default.then, CHANNELS) == (
        "sms: the order has no phone that can be reached",
    )


@pytest.mark.parametrize("wanted", ["sms", "phone"])
def test_the_channel_that_the_buyer_prefers_goes_first(wanted: str) -> None:
    contacts = {"email": "ada@example.com", "phone": "+15005550006", "preferred_channel": wanted}
    assert legs(decided(order(contacts=contacts))) == [("sms", "mail", "page")]


def test_a_preference_never_brings_in_a_channel_from_outside_the_matrix() -> None:
    contacts = {"email": "ada@example.com", "preferred_channel": "plain"}
    assert legs(decided(order(contacts=contacts))) == [("mail", "page")]


def test_a_buyer_whom_no_channel_reaches_gets_a_person(load: Load) -> None:
    policy = load(lambda d: d["sources"]["web"].update(fallback=["plain"]))
    decision = decided(order(contacts={}), policy=policy)
    assert (legs(decision), decision.route) == ([], Route.REVIEW)
    assert "No channel" in decision.why


def test_an_internal_channel_never_becomes_a_buyers_leg(load: Load) -> None:
    policy = load(lambda d: d["sources"]["web"].update(channels=[["chat", "mail"]]))
    assert legs(decided(order(), policy=policy)) == [("mail", "page")]
    assert decided(worth(3001)).internal == (Leg(channels=("chat",)),)


def test_a_reviewer_who_waived_the_rule_lets_the_order_go_on() -> None:
    assert decided(worth(3001), waived=("rule",)).route is Route.STRAIGHT
    assert decided(worth(3001), FlagName.HIGH_VALUE, waived=("rule",)).route is Route.REVIEW


@pytest.mark.parametrize(
    ("seconds", "gate", "words"),
    [
        ([1.0] * 19, Gate.ACK_GATED, "19 receipts measured, 20 needed"),
        ([1.0] * 20, Gate.ERP_GATED, "20 receipts came in 1 s, within the 45s"),
        ([45.0] * 20, Gate.ERP_GATED, "45 s, within"),
        ([1.0] * 95 + [60.0] * 5, Gate.ERP_GATED, "1 s"),
        ([1.0] * 94 + [60.0] * 6, Gate.ACK_GATED, "60 s, over the 45s"),
        ([], Gate.ACK_GATED, "0 receipts"),
    ],
)
def test_the_adaptive_gate_follows_the_measured_receipts(seconds: list[float], gate: Gate, words: str) -> None:
    decision = decided(order(source="edi"), latency=measure(seconds))
    assert decision.gate is gate
    assert words in decision.gate_why


def test_service_levels_rule_over_store_over_policy_over_default(load: Load) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["service_levels"] = {"hold_after": "10m", "review_within": "2h", "update_every": "1h"}
        document["stores"]["demo"]["service_levels"] = {"hold_after": "12m", "resolve_within": "6h"}
        document["default"]["then"] = {"service_levels": {"hold_after": "13m", "resolve_within": "same_day"}}

    levels = decided(order(), policy=load(edit)).levels
    assert levels.hold_after == timedelta(minutes=13)
    assert levels.review_within == timedelta(hours=2)
    assert levels.resolve_within is None
    assert levels.claim_within == ServiceLevels().claim_within


def test_a_scaled_policy_divides_every_clock_the_quick_ones_less(load: Load) -> None:
    policy = load(lambda d: d.update(service_levels={"resolve_within": "10h"}))
    plain, scaled = (decided(order(), policy=p) for p in (policy, policy.scaled(60)))
    for name, value in plain.levels:
        divisor = QUICK if isinstance(value, timedelta) and value <= timedelta(minutes=2) else 60
        expected = value / divisor if isinstance(value, timedelta) else value
        assert getattr(scaled.levels, name) == expected, name
    assert scaled.levels.hold_after == timedelta(seconds=15)
    assert scaled.model_copy(update={"levels": plain.levels}) == plain
    assert policy.scaled(60).stores == policy.stores
    assert policy.scaled(2).scaled(3).divisor == 6


def test_every_documented_word_has_a_value_of_its_type_for_every_order() -> None:
    values = values_of(order(), [flag(FlagName.HIGH_VALUE)])
    assert values.keys() == DOCUMENTED.keys()
    for sample in sample_values(POLICY):
        assert {word: type(value) for word, value in sample.items()} == {w: type(v) for w, v in values.items()}


@given(st.decimals("0.0001", "9999999999.9999", places=4), st.decimals("0.0001", "9999999999.9999", places=4))
def test_amounts_compare_in_rules_as_they_read(total: Any, threshold: Any) -> None:
    values = {**values_of(order(), []), "order.total": float(total)}
    for sign, expected in ((">", total > threshold), ("==", total == threshold), ("<=", total <= threshold)):
        assert judge(f"order.total {sign} {threshold:f}", values).holds is expected


orders = st.builds(
    worth,
    st.integers(1, 10_000),
    source=st.sampled_from(["web", "edi", "fax"]),
    store=st.sampled_from(["demo", "elsewhere"]),
    customer=st.fixed_dictionaries({"relation": st.sampled_from(["new", "repeat", "enterprise"])}),
    contacts=st.fixed_dictionaries(
        {"email": st.sampled_from([None, "ada@example.com", "x"]), "phone": st.sampled_from([None, "+15005550006"])}
    ),
)
flag_sets = st.lists(st.sampled_from(FlagName).map(flag), max_size=3)
latencies = st.builds(Latency, samples=st.integers(0, 50), p95=st.none() | st.floats(0, 100))


@settings(max_examples=200, deadline=None)
@given(orders, flag_sets, latencies, st.sets(st.sampled_from(FlagName)))
def test_deciding_is_pure_and_keeps_its_promises(
    subject: Order, flags: list[Flag], latency: Latency, waived: set[FlagName]
) -> None:
    around = Circumstances(channels=CHANNELS, latency=latency, waived=tuple(waived))
    decision = decide(POLICY, subject, flags, around)
    assert decision == decide(POLICY, subject, flags, around)
    assert not flags or decision.route is Route.REVIEW
    assert all(CHANNELS[name].buyer for leg in decision.legs for name in leg.channels)
    assert all(leg.channels for leg in decision.legs)
    assert decision.why or decision.route is Route.STRAIGHT
    found = match(POLICY, subject, flags)
    assert [tried.holds for tried in found.tried] == [False] * (len(found.tried) - 1) + [
        found.rule != "default"
    ] * bool(found.tried)


def _by_type_and_priority(document: dict[str, Any]) -> None:
    document["teams"]["kitchen"] = {"rota": ["chef", "sous-chef"], "internal": [["chat"]], "tell_handoffs": True}
    rushed = {"team": "kitchen", "service_levels": {"claim_within": "5m"}}
    document["rules"] = [
        {
            "name": "urgent_catering",
            "when": 'order.type == "catering" && order.priority == "high"',
            "then": rushed,
        },
        {"name": "catering", "when": 'order.type == "catering"', "then": {"team": "kitchen"}},
        {"name": "urgent", "when": 'order.priority == "high"', "then": {"team": "sales", "tell_handoffs": True}},
    ]


@pytest.mark.parametrize(
    ("kind", "priority", "team", "owner", "minutes", "told"),
    [
        ("catering", "high", "kitchen", "chef", 5, True),
        ("catering", "normal", "kitchen", "chef", 30, True),
        ("standard", "high", "sales", "seller", 30, True),
        ("standard", "normal", "operations", "lead", 30, False),
    ],
)
def test_type_and_priority_lead_to_teams_and_owners_and_urgent_work_is_claimed_sooner(
    load: Load, kind: str, priority: str, team: str, owner: str, minutes: int, told: bool
) -> None:
    decision = decided(order(order_type=kind, priority=priority), policy=load(_by_type_and_priority))
    assert (decision.team, decision.rota[0], decision.tell_handoffs) == (team, owner, told)
    assert decision.levels.claim_within == timedelta(minutes=minutes)


def test_a_rule_says_otherwise_than_its_team_whether_a_handoff_is_told(load: Load) -> None:
    def edit(document: dict[str, Any]) -> None:
        _by_type_and_priority(document)
        document["rules"][1]["then"]["tell_handoffs"] = False

    policy = load(edit)
    assert not decided(order(order_type="catering"), policy=policy).tell_handoffs
    assert decided(order(order_type="catering", priority="high"), policy=policy).tell_handoffs


def test_a_decision_that_tells_no_team_is_written_as_it_was_before_teams_could_be_told(load: Load) -> None:
    silent = decided(worth(100))
    assert "tell_handoffs" not in silent.model_dump_json()
    told = silent.model_copy(update={"tell_handoffs": True})
    assert Decision.model_validate_json(told.model_dump_json()).tell_handoffs
