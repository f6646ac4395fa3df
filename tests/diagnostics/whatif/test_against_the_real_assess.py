"""The oracle is the real `assess`: what it decides under the new policy is what the simulation says, and no more."""

from collections.abc import Callable, Mapping
from typing import Any

import pytest

from orderack.diagnostics.whatif.fields import FIELDS
from orderack.diagnostics.whatif.looks import RECHECKED
from orderack.domain.assessment import Assessment, Decision
from tests.diagnostics.whatif.conftest import ORDERS, Past
from tests.diagnostics.whatif.shop import Document, a_ledger, concerned, live, policy, simulated
from workflows import _requests

Edit = Callable[[Document], Any]


def rule(document: Document, name: str) -> Document:
    found: Document = next(one for one in document["rules"] if one["name"] == name)
    return found


def demo(document: Document) -> Document:
    found: Document = document["stores"]["demo"]
    return found


EDITS: Mapping[str, Edit] = {
    "a rule's threshold": lambda d: rule(d, "web_over_threshold").update(
        when='order.source == "web" && order.total > 20'
    ),
    "a store's threshold": lambda d: demo(d)["thresholds"]["high_value"].update(EUR=900),
    "a currency's threshold taken out": lambda d: demo(d)["thresholds"]["high_value"].pop("GBP"),
    "the cap of a quantity": lambda d: demo(d)["thresholds"].update(quantity_cap=20),
    "a shorter duplicate window": lambda d: demo(d)["thresholds"].update(duplicate_window="1h"),
    "a check taken out": lambda d: demo(d)["checks"].remove("new_client"),
    "a check put out that only history answers": lambda d: demo(d)["checks"].remove("unusual_quantity"),
    "the order of channels": lambda d: rule(d, "enterprise")["then"].update(
        channels=[["twilio_sms", "sendgrid_email"], ["portal"]]
    ),
    "a fallback": lambda d: d["sources"]["email"].update(fallback=["portal"]),
    "a level for all": lambda d: d["service_levels"].update(erp_receipt_within="5m"),
    "a level of one rule": lambda d: rule(d, "urgent")["then"]["service_levels"].update(hold_after="3m"),
    "a gate": lambda d: d["sources"]["shop"].update(gate="erp_gated"),
    "a gate that measures": lambda d: rule(d, "enterprise")["then"].update(gate="adaptive"),
    "the budget that it measures against": lambda d: d["service_levels"].update(erp_budget="2s"),
    "a new rule at the top": lambda d: d["rules"].insert(
        0, {"name": "skr", "when": 'order.currency == "SEK"', "then": {"route": "review", "team": "sales-desk"}}
    ),
    "a rule on flags": lambda d: d["rules"].insert(
        0, {"name": "dup", "when": '"probable_duplicate" in flags', "then": {"received": "immediate"}}
    ),
    "a source without a row": lambda d: d["sources"].pop("pos"),
    "an earlier cut-off": lambda d: demo(d)["calendar"].update(cut_off="09:00"),
    "a longer lead time": lambda d: demo(d)["calendar"]["lead_days_by_type"].update(custom=12),
    "another country's holidays": lambda d: demo(d)["calendar"].update(country="AT", region=None),
    "fewer orders in a day": lambda d: demo(d)["calendar"].update(capacity_per_day=3),
    "another zone": lambda d: demo(d)["profile"].update(time_zone="Asia/Tokyo"),
    "another country's phone numbers": lambda d: demo(d)["profile"].update(country="FR"),
    "a team": lambda d: d["sources"]["crm"].update(team="operations"),
    "a rota": lambda d: d["teams"]["sales-desk"].update(rota=["account-manager", "sales-desk-lead"]),
    "reviewers": lambda d: d["teams"]["operations"].update(reviewers=["duty-manager"]),
    "the ERP's mode": lambda d: demo(d)["erp"].update(mode="wait"),
    "an answer": lambda d: demo(d)["connections"]["walmart"].update(answer=False),
    "silence": lambda d: rule(d, "new_client")["then"].update(updates="withhold"),
    "received despite a review": lambda d: rule(d, "new_client")["then"].update(received="immediate"),
    "prices with tax": lambda d: demo(d).update(prices_include_tax=True),
    "quiet hours": lambda d: demo(d).update(quiet_hours={"start": "22:00", "end": "07:00"}),
    "what becomes of a doubt": lambda d: rule(d, "urgent")["then"].update(on_doubt={"received": "never"}),
    "how long a doubt waits": lambda d: d["service_levels"].update(doubt_within="2m"),
    "a required field": lambda d: d["sources"]["web"].update(required_fields=["contact.email", "contact.phone"]),
}


AT_ONCE = (
    *("a rule's threshold", "the cap of a quantity", "the order of channels", "a level of one rule"),
    *(
        "what becomes of a doubt",
        "a gate that measures",
        "a new rule at the top",
        "a source without a row",
        "a longer lead time",
    ),
)
"""The others are a long form of these."""


async def test_the_policy_that_decided_decides_everything_the_same_again(past: Past) -> None:
    found = await simulated(past.ledger, past.in_force, past.in_force)
    check = found.self_check
    assert (check.checked, check.as_recorded, check.otherwise) == (len(past.steps), len(past.steps), ())
    assert (check.other_versions, check.not_kept, check.without_content) == ({}, {}, 0)
    assert (found.orders, found.different, found.kinds, found.rowless) == (ORDERS, 0, (), ())


async def test_the_orders_are_such_that_every_check_and_way_is_tried(past: Past) -> None:
    flags = {flag.name.value for one in past.decided.values() for flag in one.flags}
    wanted = "high_value unusual_quantity billing_mismatch new_client probable_duplicate payment_flagged stock_gone"
    assert {*wanted.split(), "totals_mismatch", "incomplete"} <= flags
    assert {one.decision.gate.value for one in past.decided.values()} == {"erp_gated", "ack_gated"}
    assert any(one.decision.answer for one in past.decided.values())


@pytest.mark.parametrize(
    "name", [name if name in AT_ONCE else pytest.param(name, marks=pytest.mark.long) for name in EDITS]
)
async def test_a_change_concerns_exactly_the_orders_that_the_real_assess_decides_differently(
    past: Past, name: str
) -> None:
    edited = "".join(letter for letter in name if letter.isalnum())
    new = policy(past.folder, edited, EDITS[name])
    async with a_ledger(past.template, past.folder, edited) as ledger:
        would = await live(ledger, new, past.steps, past.decided)
    found = await simulated(past.ledger, past.in_force, new)
    different = {key for key, was in past.decided.items() if settled(was) != settled(would[key])}
    assert found.self_check.as_recorded == len(past.steps)
    assert concerned(found) == different
    assert found.different == len({number for number, _ in different})
    assert different
    assert len(different) < len(past.steps) or name in FOR_ALL


FOR_ALL = (
    "a level for all",
    "how long a doubt waits",
    "the budget that it measures against",
    "another zone",
    "the ERP's mode",
    "quiet hours",
)
NOT_SETTLED = {"rule", "why", "gate_why", "policy_version"}


def settled(found: Assessment) -> object:
    """All that an order feels of a decision."""
    return (
        {name: getattr(found.decision, name) for name in Decision.model_fields if name not in NOT_SETTLED},
        {(flag.name, flag.field) for flag in found.flags} if found.decision.route == "review" else (),
        found.promise_on,
    )


async def test_orders_of_a_source_without_a_row_are_counted_and_left_to_a_person(past: Past) -> None:
    new = policy(past.folder, "rowless", EDITS["a source without a row"])
    found = await simulated(past.ledger, past.in_force, new)
    pos = {step.order.number for step in past.steps if step.order.source == "pos"}
    assert [(one.what, one.name, one.orders) for one in found.rowless] == [("source", "pos", len(pos))]
    routed = {
        one.order for kind in found.kinds for group in kind.groups if group.field == "route" for one in group.examples
    }
    assert routed
    assert all(order.removeprefix("demo/") in pos for order in routed)


async def test_what_another_version_decided_is_counted_and_proved_once_its_file_is_at_hand(past: Past) -> None:
    later = policy(past.folder, "later", EDITS["a longer lead time"])
    found = await simulated(past.ledger, later, later)
    assert (found.self_check.checked, found.different) == (0, 0)
    assert found.self_check.other_versions == {past.in_force.version: len(past.steps)}
    assert any("another policy version" in words for words in found.warnings)
    proved = await simulated(past.ledger, later, later, past.in_force)
    assert (proved.self_check.checked, proved.self_check.as_recorded) == (len(past.steps), len(past.steps))
    assert proved.self_check.other_versions == {}


async def test_another_rule_to_the_same_effect_is_told_apart_from_a_difference(past: Past) -> None:
    same = policy(past.folder, "same", lambda d: rule(d, "edi_to_portal").update(name="partners_read_the_portal"))
    found = await simulated(past.ledger, past.in_force, same)
    by_it = {number for (number, _), one in past.decided.items() if one.decision.rule == "edi_to_portal"}
    assert by_it
    assert (found.different, found.rule_only) == (0, len(by_it))


def test_nothing_that_a_decision_settles_is_missing_from_the_table_of_differences() -> None:
    shown = {
        *(field.name for field in FIELDS),
        *("legs", "withhold_received", "withhold_updates", "rota", "erp_mode", "levels"),  # under other names
    }
    apart = {"side"}  # live or shadow: how the shop runs, and no policy says it
    assert set(Decision.model_fields) - NOT_SETTLED - apart <= shown


def test_the_flags_that_an_amendment_cures_are_the_workflows_own() -> None:
    assert {name.value for name in _requests.RECHECKED} == RECHECKED


async def test_the_adaptive_gate_had_receipts_enough_to_go_either_way(past: Past) -> None:
    adaptive = [one.decision for one in past.decided.values() if one.decision.gate_why.startswith("adaptive: 95 %")]
    assert len(adaptive) > 3
