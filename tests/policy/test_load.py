"""Loading the policy: what is refused is named with its place and remedy; an edit is picked up."""

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orderack.errors import Misconfigured
from orderack.policy.load import CurrentPolicy, PolicyInvalid, load_policy
from orderack.policy.model import Policy

Edit = Callable[[dict[str, Any]], object]
Write = Callable[..., Path]


def refused(directory: Path) -> list[tuple[str, str, str]]:
    with pytest.raises(PolicyInvalid) as caught:
        load_policy(directory)
    assert isinstance(caught.value, Misconfigured)
    return [(problem.field, problem.problem, problem.remedy) for problem in caught.value.problems]


def test_the_shipped_policy_loads() -> None:
    policy = load_policy(Path(__file__).parents[2] / "policy")
    assert {"web", "shop", "portal", "email", "crm", "phone", "pos", "edi", "marketplace"} <= policy.sources.keys()
    assert policy.stores["demo"].profile.id == "demo"


def test_the_version_is_the_files_content(write_policy: Write) -> None:
    first = load_policy(write_policy()).version
    assert load_policy(write_policy()).version == first
    assert load_policy(write_policy(lambda d: d["default"].update(why="Changed."))).version != first
    assert len(first) == 12


@pytest.mark.parametrize(
    ("edit", "field", "remedy"),
    [
        (lambda d: d.pop("default"), "default", "send it"),
        (lambda d: d.update(rulez=[]), "rulez", "did you mean `rules`?"),
        (lambda d: d["rules"][0]["then"].update(gatee="x"), "rules[0].then.gatee", "did you mean `gate`?"),
        (lambda d: d["rules"][0]["then"].update(gate="maybe"), "rules[0].then.gate", "'adaptive'"),
        (lambda d: d["rules"][0].update(when="order.total >"), "rules[0].when", "CEL"),
        (lambda d: d["rules"][0].update(when="true || " * 100 + "true"), "rules[0].when", "CEL"),
        (lambda d: d["rules"][0].update(when=True), "rules[0].when", "string"),
        (lambda d: d["rules"].append(7), "rules[2]", "object"),
        (lambda d: d.update(service_levels={"hold_after": 900}), "service_levels.hold_after", "15m"),
        (lambda d: d.update(service_levels={"hold_after": "0m"}), "service_levels.hold_after", "greater"),
        (lambda d: d["stores"]["demo"]["calendar"].update(cut_off=900), "stores.demo.calendar.cut_off", "15:00"),
        (
            lambda d: d["stores"]["demo"]["calendar"].update(workdays=["moon"]),
            "stores.demo.calendar.workdays[0]",
            "mon",
        ),
        (lambda d: d["stores"]["demo"]["calendar"].update(workdays=[]), "stores.demo.calendar.workdays", "at least"),
        (
            lambda d: d["stores"]["demo"]["calendar"].update(capacity_per_day=0),
            "stores.demo.calendar.capacity_per_day",
            "0",
        ),
        (
            lambda d: d["stores"]["demo"]["profile"].update(time_zone="Berlin"),
            "stores.demo.profile.time_zone",
            "Europe",
        ),
        (lambda d: d["stores"]["demo"].update(checks=["rule"]), "stores.demo.checks[0]", "high_value"),
        (lambda d: d["sources"]["web"].update(required_fields=["x"]), "sources.web.required_fields[0]", "contact"),
        (lambda d: d["sources"]["web"].update(channels=[[]]), "sources.web.channels[0]", "at least"),
        (lambda d: d.update(stores={}), "stores", "at least"),
        (lambda d: d["rules"][1]["then"].update(evidence_needed="E9"), "rules[1].then.evidence_needed", "'E2'"),
    ],
)
def test_a_wrong_value_is_named_with_its_line_and_remedy(
    write_policy: Write, edit: Edit, field: str, remedy: str
) -> None:
    problems = refused(write_policy(edit))
    found = [(place, help_) for place, _, help_ in problems if place.split(" ")[0] == field]
    assert found, problems
    assert remedy in found[0][1]
    assert "(line " in found[0][0] or field == "default"


def test_the_line_is_the_one_to_edit(write_policy: Write) -> None:
    directory = write_policy(lambda d: d["sources"]["edi"].update(gate="maybe"))
    lines = (directory / "policy.yaml").read_text().splitlines()
    assert refused(directory)[0][0] == f"sources.edi.gate (line {lines.index('    gate: maybe') + 1})"


@pytest.mark.parametrize(
    ("content", "where"),
    [
        (b"stores: [\n}", "line 2"),
        (b"stores: &a {x: *a}", "line 1"),
        (b"a: &a [1]\nb: [*a, *a]", "line 2"),
        (b"stores: {}\nstores: {}\n", "stores (line 2)"),
        (b"", "file"),
        (b"- 1", "file"),
        (b"\x00", "file"),
        (b"\xff\xff", "file"),
        (b"a: !!python/object/apply:os.system [echo]", "line 1"),
        (b"[" * 900_000, "line 1"),
        (b"a: " + b"x" * (1024 * 1024), "file"),
    ],
)
def test_what_is_no_policy_is_one_clear_problem(tmp_path: Path, content: bytes, where: str) -> None:
    (tmp_path / "policy.yaml").write_bytes(content)
    ((field, problem, remedy),) = refused(tmp_path)
    assert field == where
    assert problem
    assert remedy


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(Misconfigured, match=r"policy\.yaml.*cannot be read"):
        load_policy(tmp_path)


def touch(directory: Path, seconds: int) -> None:
    os.utime(directory / "policy.yaml", (seconds, seconds))


def test_an_edit_holds_for_the_next_order(write_policy: Write) -> None:
    current = CurrentPolicy(write_policy(), divisor=100)
    first = current()
    assert isinstance(first, Policy)
    assert current() is first
    touch(write_policy(lambda d: d["default"].update(why="Changed.")), 1_000)
    assert current().default.why == "Changed."
    assert current().divisor == 100


def test_a_broken_edit_leaves_the_last_good_policy_until_it_is_mended(
    write_policy: Write, caplog: pytest.LogCaptureFixture
) -> None:
    current = CurrentPolicy(write_policy())
    good = current()
    touch(write_policy(lambda d: d.pop("default")), 1_000)
    assert current() is good
    assert current() is good
    assert len([record for record in caplog.records if "not taken over" in record.message]) == 1
    (write_policy() / "policy.yaml").unlink()
    assert current() is good
    touch(write_policy(lambda d: d["default"].update(why="Mended.")), 2_000)
    assert current().default.why == "Mended."
