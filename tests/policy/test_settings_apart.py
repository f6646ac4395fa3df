"""No store, system or ERP reads a setting that is another's, however they are called."""

import copy
from collections.abc import Mapping, Sequence

import pytest
from pydantic_settings import BaseSettings

from orderack import erps, sources
from orderack.policy.lint_connections import SourceFacts, connection_problems
from orderack.policy.model import Policy
from orderack.ports import Connection, Erp
from orderack.registry import ErpSpec, build_erps, build_sources, prefix_of
from tests.policy.conftest import DOCUMENT

SYSTEMS = {name: SourceFacts() for name in ("form", "shopify", "amazon", "amazon_vendor_df", "ai_phone")}
TWINS = (
    ("demo-eu", "demo_eu"),
    ("demo", "DEMO"),
    ("demo.eu", "demo eu"),
    ("a--b", "a-b"),
    ("ä", "ö"),
    ("shop/1", "shop:1"),
)
"""Names that are one in the environment."""


def policy(connections: Mapping[str, Sequence[str]], installed: Sequence[str] = (), bare: str = "sandbox") -> Policy:
    document = copy.deepcopy(DOCUMENT)
    one = document["stores"].pop("demo") | {"erp": {"name": bare, "mode": "push"}}
    for store, systems in (connections or {"demo": ()}).items():
        document["stores"][store] = one | {"connections": {system: {"source": "web"} for system in systems}}
    document["erps"] = {name: {"system": "sandbox"} for name in installed}
    return Policy.model_validate(document | {"version": "v1"})


def found(made: Policy) -> list[str]:
    return [one.problem for one in connection_problems(made, SYSTEMS, ("sandbox", "http"))]


@pytest.mark.parametrize("twins", TWINS)
def test_two_stores_of_one_name_in_the_environment_are_refused(twins: tuple[str, str]) -> None:
    (problem,) = found(policy({name: ["form"] for name in twins}))
    assert problem == f"has the settings of stores.{twins[0]}.connections.form"


def test_where_a_store_ends_and_its_system_begins_is_nobodys_guess() -> None:
    apart = policy({"demo": ["amazon_vendor_df"], "demo_amazon": ["form"], "demo-ai": ["form"]})
    assert found(apart) == [], "other systems, other settings"
    made = SYSTEMS | {"vendor_df": SourceFacts()}
    twins = policy({"demo": ["amazon_vendor_df"], "demo_amazon": ["vendor_df"]})
    (refused,) = connection_problems(twins, made, ("sandbox",))
    assert refused.problem == "has the settings of stores.demo.connections.amazon_vendor_df"


@pytest.mark.parametrize("twins", TWINS)
def test_two_erps_of_one_name_in_the_environment_are_refused(twins: tuple[str, str]) -> None:
    (problem,) = found(policy({}, twins))
    assert problem.startswith("has the settings of the ERP ")


def test_an_installation_and_a_system_that_goes_by_its_name_are_held_apart_too() -> None:
    assert found(policy({}, ["SANDBOX"])) == ["has the settings of the ERP sandbox"]
    assert found(policy({}, ["sandbox"])) == [], "they are one installation"


@pytest.mark.parametrize("twins", TWINS)
def test_what_was_not_checked_is_not_built_with_anothers_secrets_either(
    twins: tuple[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    variable = f"{prefix_of('SOURCE', twins[0], 'form')}API_KEY"
    monkeypatch.setenv(variable, "key-of-the-one-and-only")
    every = [Connection(store=name, system="form", source="web") for name in twins]
    both = build_sources(sources.load(), every)
    assert not both.ready
    assert all("would be a setting of" in both.not_configured[str(one)][0] for one in every)
    assert build_sources(sources.load(), every[:1]).ready, "each by itself is sound"
    monkeypatch.setenv(f"{prefix_of('ERP', twins[0])}BASE_URL", "http://127.0.0.1:9")
    built = build_erps(erps.load(), dict.fromkeys(twins, "http"))
    assert not built.ready
    assert all("would be a setting of" in built.not_configured[name][0] for name in twins)


class _Outer(BaseSettings):
    hook_secret: str


class _Inner(BaseSettings):
    secret: str


def test_a_setting_that_two_names_spell_in_two_ways_is_given_to_neither(monkeypatch: pytest.MonkeyPatch) -> None:
    """`main` with `hook_secret`, and `main-hook` with `secret`: one variable."""
    monkeypatch.setenv("ORDERACK_ERP_MAIN_HOOK_SECRET", "whose?")

    def never(name: str, prefix: str) -> Erp:
        raise AssertionError(f"{name} was built")

    specs = {
        "outer": ErpSpec(description="", obtain="", settings=_Outer, make=never),
        "inner": ErpSpec(description="", obtain="", settings=_Inner, make=never),
    }
    built = build_erps(specs, {"main": "outer", "main-hook": "inner"})
    assert set(built.not_configured) == {"main", "main-hook"}
