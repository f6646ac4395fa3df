"""What the policy says of messages in doubt: by kind, for all stores, a store or a rule's orders."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from orderack.channels import load as registered
from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import OnDoubt, Route, ServiceLevels
from orderack.policy.decide import Circumstances, decide
from orderack.policy.explain import doubt_words
from orderack.policy.lint import lint
from orderack.policy.load import PolicyInvalid, load_policy
from orderack.policy.model import Policy
from orderack.policy.traits import channel_facts
from tests.policy.conftest import CHANNELS, WORDINGS, Document, order

Load = Callable[..., Policy]
ROOT = Path(__file__).parents[2]
AGAIN, NEVER, ASK = OnDoubt.RESEND_MARKED, OnDoubt.NEVER, OnDoubt.ASK


def kinds(policy: Policy, **changes: object) -> dict[Kind, OnDoubt]:
    decision = decide(policy, order(**changes), (), Circumstances(channels=CHANNELS))
    return dict(decision.on_doubt.kinds) if decision.on_doubt else {}


def layered(document: Document) -> None:
    document["on_doubt"] = {"received": "resend_marked", "holding": "never", "confirmation": "resend_marked"}
    document["stores"]["demo"]["on_doubt"] = {"holding": "ask", "alert": "resend_marked"}
    document["rules"][1]["then"]["on_doubt"] = {"received": "never", "confirmation": "ask"}


def test_kind_by_kind_the_rule_s_word_is_over_the_store_s_over_the_policy_s(load: Load) -> None:
    policy = load(layered)
    assert kinds(policy) == {Kind.RECEIVED: AGAIN, Kind.CONFIRMATION: AGAIN, Kind.ALERT: AGAIN}
    enterprise = {"customer": {"id": "C-1", "relation": "enterprise"}}
    assert kinds(policy, **enterprise) == {Kind.RECEIVED: NEVER, Kind.ALERT: AGAIN}


def test_an_order_that_the_policy_says_nothing_of_decides_what_it_decided_before(load: Load) -> None:
    for edit in (lambda _: None, lambda d: d.update(on_doubt={"received": "ask"})):
        decision = decide(load(edit), order(), (), Circumstances(channels=CHANNELS))
        assert decision.on_doubt is None
        said = decision.model_dump_json()
        assert "doubt" not in said
        assert decision.model_validate_json(said) == decision


def test_the_decision_knows_which_channels_only_lay_a_message_on_the_page(load: Load) -> None:
    decision = decide(load(layered), order(), (), Circumstances(channels=CHANNELS))
    assert decision.on_doubt
    assert decision.on_doubt.pages == ("page",)
    assert decision.model_validate_json(decision.model_dump_json()) == decision


def test_the_wait_is_a_minute_unless_the_policy_says_otherwise_and_its_default_is_not_written_down(load: Load) -> None:
    def longer(document: Document) -> None:
        document["stores"]["demo"]["service_levels"] = {"doubt_within": "5m"}

    assert load(longer).levels(load(longer).stores["demo"], load().rules[0].then.service_levels).doubt_within == (
        timedelta(minutes=5)
    )
    assert "doubt_within" not in ServiceLevels().model_dump_json()
    assert ServiceLevels.model_validate_json(ServiceLevels().model_dump_json()).doubt_within == timedelta(seconds=60)


@pytest.mark.parametrize(
    ("said", "problem", "remedy"),
    [
        ({"recieved": "ask"}, "on_doubt.recieved", "received, holding, update"),
        ({"received": "resend"}, "on_doubt.received", "ask, resend_marked, never"),
        ({"received": True}, "on_doubt.received", "ask, resend_marked, never"),
        ("resend_marked", "on_doubt", "named fields"),
    ],
)
def test_an_unknown_kind_or_word_is_refused_with_those_that_there_are(
    said: object, problem: str, remedy: str, write_policy: Callable[..., Path]
) -> None:
    with pytest.raises(PolicyInvalid) as refused:
        load_policy(write_policy(lambda d: d.update(on_doubt=said)))
    (found,) = refused.value.problems
    assert found.field.startswith(problem)
    assert remedy in f"{found.problem} {found.remedy}"


def found(policy: Policy, settling: tuple[str, ...]) -> list[str]:
    channels = {name: facts.model_copy(update={"settles": name in settling}) for name, facts in CHANNELS.items()}
    return [one.field for one in lint(policy, channels, WORDINGS, ["sandbox"]) if "on_doubt" in one.field]


def test_a_repeat_that_no_channel_could_ever_need_is_a_finding(load: Load) -> None:
    policy = load(layered)
    assert found(policy, ()) == []
    assert found(policy, ("mail", "sms")) == [], "the page is left"
    assert found(policy, ("mail", "sms", "page")) == ["on_doubt.received", "on_doubt.confirmation"]
    assert found(policy, ("chat",)) == ["stores.demo.on_doubt.alert"]

    def a_rule_of_its_own(document: Document) -> None:
        document["rules"][1]["then"] |= {"channels": [["plain"]], "on_doubt": {"received": "resend_marked"}}
        document["sources"] = {"web": document["sources"]["web"] | {"fallback": ["plain"]}}

    assert found(load(a_rule_of_its_own), ("plain",)) == ["rules[1].then.on_doubt.received"]


def test_what_a_vendor_settles_by_itself_follows_from_its_channel_s_traits() -> None:
    settles = {name for name, spec in registered().items() if channel_facts(spec.adapter.traits).settles}
    assert {"gmail", "line"} <= settles
    assert not {"sendgrid_email", "twilio_sms", "smtp_email", "slack"} & settles


def test_the_explanation_says_what_becomes_of_a_doubt(load: Load) -> None:
    decision = decide(load(layered), order(), (), Circumstances(channels=CHANNELS))
    said = doubt_words(decision)
    assert said == (
        "said again after 1m, marked as a possible repeat: received, confirmation, alert; else a person is asked"
    )
    asked = decide(load(), order(), (), Circumstances(channels=CHANNELS))
    assert asked.route is Route.STRAIGHT
    assert doubt_words(asked) == "a person is asked"


def test_the_shipped_policy_repeats_what_the_buyer_has_to_know_and_never_what_is_said_once_or_again_anyway() -> None:
    said = load_policy(ROOT / "policy").on_doubt
    assert {kind for kind, word in said.items() if word is NEVER} == {Kind.HOLDING, Kind.UPDATE}
    assert {Kind.RECEIVED, Kind.CONFIRMATION, Kind.ALERT} <= {kind for kind, word in said.items() if word is AGAIN}
    assert not {Kind.QUESTION, Kind.ANSWER} & said.keys(), "a person wrote them, and a person decides"
