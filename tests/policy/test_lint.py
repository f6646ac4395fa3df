"""Lint: one test for each mistake that a business person can make and still have a policy that loads."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orderack.channels import load as channels
from orderack.domain.problem import Problem
from orderack.policy.lint import lint
from orderack.policy.load import PolicyInvalid, load_policy
from orderack.policy.model import Policy
from orderack.policy.traits import channel_facts
from tests.policy.conftest import CHANNELS, WORDINGS

Edit = Callable[[dict[str, Any]], object]
Load = Callable[..., Policy]


SOON: Any = {"service_levels": {"evidence_within": "30m"}}


def findings(policy: Policy, **changes: Any) -> tuple[Problem, ...]:
    known = {"channels": CHANNELS, "wordings": WORDINGS, "erps": ("sandbox", "http"), **changes}
    return lint(policy, **known)


def the_finding(policy: Policy, **changes: Any) -> Problem:
    (problem,) = findings(policy, **changes)
    return problem


def when(condition: str) -> Edit:
    return lambda d: d["rules"][0].update(when=condition)


def then(**changes: object) -> Edit:
    return lambda d: d["rules"][1]["then"].update(changes)


def test_a_sound_policy_has_no_findings(load: Load) -> None:
    assert findings(load()) == ()


def test_the_shipped_policy_is_sound_for_the_channels_and_erps_we_ship() -> None:
    from orderack.cli.installed import installed_channels

    policy = load_policy(Path(__file__).parents[2] / "policy")
    wordings = {(language, kind) for language in policy.languages for _, kind in WORDINGS}
    assert lint(policy, installed_channels(), wordings, ("sandbox", "http")) == ()


@pytest.mark.parametrize(
    ("condition", "problem", "remedy"),
    [
        ("order.totl > 3", "order.totl", "`order.total`"),
        ("total > 3", "total", "`order.total`"),
        ('order["source"] == "web"', "order", "order."),
        ("lower(order.source) == 'web'", "lower", "startsWith"),
        ("order.total", "answers float", "like"),
        ("order.source", "answers str", "like"),
        ("order.total > order.source", "No such overload", "like"),
        ("order.source == 'web' && order.total", "No such overload", "like"),
        ("order.line_count * 2 > 10", "Unsupported operation", "like"),
        ("order.total == '3000'", "a number, with text", "a number"),
        ("order.source == 'wbe'", '"wbe"', '"web"'),
        ("order.source in ['web', 'edj']", '"edj"', '"edi"'),
        ("order.store == 'damo'", '"damo"', '"demo"'),
        ("'new_clients' in flags", '"new_clients"', '"new_client"'),
        ("order.customer.relation == 'news'", '"news"', '"new"'),
        ("order.skus.exists(s, flags.exists(f, f == s))", "nests", "split"),
        ("'x' in order.source", "looks inside", "=="),
    ],
)
def test_a_condition_that_cannot_work_is_found(load: Load, condition: str, problem: str, remedy: str) -> None:
    found = the_finding(load(when(condition)))
    assert found.field == "rules[0].when"
    assert problem in found.problem
    assert remedy in found.remedy


@pytest.mark.parametrize(
    "condition",
    [
        "order.total > 3000",
        "order.total > 3000.50 || order.line_count >= 10",
        "order.source in ['web', 'edi'] && !order.pickup",
        "order.skus.exists(sku, sku.startsWith('GIFT-'))",
        "size(flags) > 0 && !('new_client' in flags)",
        "order.country != 'DE' // abroad",
        "order.payment.terms.contains('net') ? order.total > 100 : false",
    ],
)
def test_a_condition_that_works_is_left_alone(load: Load, condition: str) -> None:
    assert findings(load(when(condition))) == ()


def test_a_mistake_behind_a_short_cut_is_found(load: Load) -> None:
    found = the_finding(load(when('order.source == "edi" && order.total.startsWith("x")')))
    assert "fails on a sample order" in found.problem


def test_a_rule_after_an_always_true_one_is_unreachable(load: Load) -> None:
    found = the_finding(load(when("true || 1 > 2")))
    assert (found.field, found.problem) == ("rules[1]", "is never reached: rules[0] is always true")


def test_a_rule_that_never_holds_is_found(load: Load) -> None:
    assert the_finding(load(when("1 > 2"))).problem == "never holds"


def test_a_second_rule_with_the_same_condition_is_unreachable(load: Load) -> None:
    found = the_finding(load(when('order.customer.relation  ==   "enterprise"')))
    assert (found.field, "same condition" in found.problem) == ("rules[1]", True)


def test_two_rules_of_one_name_are_found(load: Load) -> None:
    assert the_finding(load(lambda d: d["rules"][1].update(name="big_web"))).field == "rules[1].name"


@pytest.mark.parametrize("path", ["channels", "internal"])
def test_an_unknown_channel_is_found(load: Load, path: str) -> None:
    found = the_finding(load(then(**{path: [["mial", "mail"]] if path == "channels" else [["chart"]]})))
    assert found.field == f"rules[1].then.{path}"
    assert "did you mean" in found.remedy


def test_an_unknown_channel_of_a_source_is_found(load: Load) -> None:
    assert the_finding(load(lambda d: d["sources"]["web"].update(fallback=["pgae"]))).field == "sources.web.fallback"


def test_an_internal_channel_never_stands_for_the_buyer(load: Load) -> None:
    found = the_finding(load(then(channels=[["mail", "chat"]])))
    assert found.problem == "names chat, which reaches people inside only"


def test_a_buyers_channel_is_not_for_internal_alerts(load: Load) -> None:
    assert the_finding(load(then(internal=[["mail"]]))).remedy == "move it to `channels`"


def test_a_team_that_is_to_be_told_needs_a_channel_to_be_told_by(load: Load) -> None:
    found = the_finding(load(lambda d: d["teams"]["sales"].update(tell_handoffs=True)))
    assert (found.field, found.problem) == ("teams.sales.tell_handoffs", "has no channel to tell by")
    told = {"tell_handoffs": True, "internal": [["chat"]]}
    assert findings(load(lambda d: d["teams"]["sales"].update(told))) == ()


def test_a_channel_that_cannot_bring_the_evidence_asked_of_it_is_found(load: Load) -> None:
    found = the_finding(load(then(channels=[["mail", "sms"]], evidence_needed="E3p", **SOON)))
    assert found.field == "rules[1].then.evidence_needed"
    assert found.problem == "asks E3p of sms, which brings E2 at best"
    assert "button" not in found.remedy


def test_an_affirmation_asked_of_channels_that_bring_none_proposes_the_button(load: Load) -> None:
    problems = findings(load(then(channels=[["mail", "sms"]], evidence_needed="E5", **SOON)))
    assert [problem.problem for problem in problems] == [
        "asks E5 of mail, which brings E3p at best",
        "asks E5 of sms, which brings E2 at best",
    ]
    assert all(problem.remedy.startswith("add `button: true`") for problem in problems)


def test_with_the_button_every_channel_to_the_buyer_brings_an_affirmation_and_nothing_above(load: Load) -> None:
    asked = {"channels": [["mail", "sms"]], "button": True, **SOON}
    assert findings(load(then(evidence_needed="E5", work_needs="E5", **asked))) == ()
    problems = findings(load(then(evidence_needed="E6", **asked)))
    assert {problem.problem for problem in problems} == {
        "asks E6 of mail, which brings E5 at best",
        "asks E6 of sms, which brings E5 at best",
    }
    assert not any("button" in problem.remedy for problem in problems)


def test_evidence_that_nobody_waits_for_is_found(load: Load) -> None:
    found = the_finding(load(then(channels=[["mail", "page"]], evidence_needed="E3p")))
    assert found.field == "rules[1].then.evidence_needed"
    assert "no evidence_within" in found.problem


def test_a_display_cannot_be_asked_of_mail_where_the_store_has_neither_image_nor_links(load: Load) -> None:
    def edit(document: dict[str, Any]) -> None:
        then(channels=[["mail", "page"]], evidence_needed="E3p", **SOON)(document)
        document["stores"]["demo"]["profile"]["touches"] = {"pixel": False, "links": False}

    found = the_finding(load(edit))
    assert found.problem == "asks E3p of mail, which brings E2 at best in store demo"


def test_mail_without_reports_brings_a_display_by_the_stores_own_image(load: Load) -> None:
    assert findings(load(then(channels=[["plain", "page"]], evidence_needed="E3p", **SOON))) == ()


def test_an_event_in_another_system_is_no_mail_of_ours_and_brings_no_display(load: Load) -> None:
    event = channel_facts(channels()["klaviyo"].adapter.traits)
    mail = channel_facts(channels()["smtp_email"].adapter.traits)
    assert (event.address, mail.address) == ("email", "email")
    policy = load(then(channels=[["plain", "page"]], evidence_needed="E3p", **SOON))
    assert findings(policy, channels={**CHANNELS, "plain": mail}) == ()
    found = the_finding(policy, channels={**CHANNELS, "plain": event})
    assert found.problem == "asks E3p of plain, which brings E1 at best"


def test_work_that_could_never_begin_is_found(load: Load) -> None:
    found = the_finding(load(then(channels=[["mail", "sms"]], work_needs="E5")))
    assert found.field == "rules[1].then.work_needs"
    assert found.remedy.startswith("add `button: true`")


def test_work_may_wait_for_an_attestation_which_no_channel_brings(load: Load) -> None:
    assert findings(load(then(channels=[["mail", "sms"]], work_needs="E6"))) == ()


def test_a_page_on_which_nobody_can_affirm_keeps_changed_orders_from_ever_being_worked_on(load: Load) -> None:
    page = {"may": ["answer", "ask", "change", "cancel"]}
    found = the_finding(load(lambda d: d["stores"]["demo"]["profile"].update(page=page)))
    assert found.field == "stores.demo.profile.page.may"


def test_the_button_is_none_where_nobody_can_affirm(load: Load) -> None:
    def edit(document: dict[str, Any]) -> None:
        then(channels=[["mail", "sms"]], work_needs="E5", button=True)(document)
        document["stores"]["demo"]["profile"]["page"] = {"may": ["ask"]}

    fields = [problem.field for problem in findings(load(edit))]
    assert fields == ["stores.demo.profile.page.may", "rules[1].then.work_needs"]


def test_a_source_without_a_fallback_is_found(load: Load) -> None:
    problems = findings(load(lambda d: d["sources"]["edi"].update(fallback=[])))
    assert [problem.field for problem in problems] == ["sources.edi.fallback"]


def test_a_rule_with_one_channel_needs_sources_with_a_fallback(load: Load) -> None:
    def edit(document: dict[str, Any]) -> None:
        document["sources"]["web"]["fallback"] = []
        document["rules"][1]["then"]["channels"] = [["mail"]]

    assert the_finding(load(edit)).field == "rules[1].then.channels"


def test_a_missing_wording_is_found(load: Load) -> None:
    found = the_finding(load(lambda d: d.update(languages=["en", "de"])))
    assert found.field == "languages"
    assert "de has no wording for received, holding" in found.problem
    assert "holding" in the_finding(load(), wordings=WORDINGS - {("en", "holding")}).problem


@pytest.mark.parametrize("code", ["de", "EU", "UK", "Germany", "XX"])
def test_a_country_that_is_none_is_found_where_touches_are_off(load: Load, code: str) -> None:
    found = the_finding(load(lambda d: d["stores"]["demo"]["profile"].update(touches={"off_in": ["FR", code]})))
    assert found.field == "stores.demo.profile.touches.off_in"
    assert repr(code) in found.problem


def test_countries_where_touches_are_off_are_left_alone(load: Load) -> None:
    assert findings(load(lambda d: d["stores"]["demo"]["profile"].update(touches={"off_in": ["DE", "FR", "NO"]}))) == ()


def test_norway_without_its_quotes_does_not_load_rather_than_be_tracked(load: Load) -> None:
    with pytest.raises(PolicyInvalid, match="off_in"):
        load(lambda d: d["stores"]["demo"]["profile"].update(touches={"off_in": [False]}))


def test_a_team_without_a_rota_is_found(load: Load) -> None:
    assert the_finding(load(lambda d: d["teams"]["sales"].update(rota=[]))).field == "teams.sales.rota"


@pytest.mark.parametrize(
    ("edit", "field"),
    [
        (lambda d: d["stores"]["demo"].pop("team"), "stores.demo.team"),
        (lambda d: d["stores"]["demo"].update(team="opperations"), "stores.demo.team"),
        (lambda d: d["sources"]["web"].update(team="nobody"), "sources.web.team"),
        (lambda d: d["rules"][1]["then"].update(team="nobody"), "rules[1].then.team"),
        (lambda d: d["stores"]["demo"]["erp"].update(name="sandbux"), "stores.demo.erp.name"),
        (lambda d: d["stores"]["demo"]["calendar"].update(region="XX"), "stores.demo.calendar.country"),
        (lambda d: d["stores"]["demo"]["calendar"].update(country="QQ"), "stores.demo.calendar.country"),
    ],
)
def test_a_name_that_leads_nowhere_is_found(load: Load, edit: Edit, field: str) -> None:
    assert the_finding(load(edit)).field == field


@pytest.mark.parametrize(
    ("levels", "shorter"),
    [
        ({"erp_budget": "60s"}, "erp_budget"),
        ({"acknowledge_within": "15m"}, "acknowledge_within"),
        ({"erp_receipt_within": "45s"}, "erp_budget"),
        ({"review_within": "15m", "claim_within": "5m"}, "hold_after"),
        ({"claim_within": "4h"}, "claim_within"),
        ({"fallback_after": "20m"}, "fallback_after"),
    ],
)
def test_service_levels_that_contradict_each_other_are_found(load: Load, levels: dict[str, str], shorter: str) -> None:
    assert the_finding(load(lambda d: d.update(service_levels=levels))).field == f"service_levels.{shorter}"
    store = the_finding(load(lambda d: d["stores"]["demo"].update(service_levels=levels)))
    assert store.field == f"stores.demo.service_levels.{shorter}"
    assert the_finding(load(then(service_levels=levels))).field == f"rules[1].then.service_levels.{shorter}"
