"""Each alert is about figures that exist, has its section in the runbook, and the runbook's commands exist."""

import re

import pytest
import typer
import yaml

from orderack.cli.main import app
from tests.telemetry.pages import DEPLOY, ROOT, RUNBOOK, alerts, samples
from tests.telemetry.promql import grouped_by, matchers_in, names_in

RULES = {str(rule["alert"]): rule for rule in alerts()}
PARTS = ("What it means", "What the buyer notices", "Look", "Do", "Over when")


def sections() -> dict[str, str]:
    """The runbook's sections about alerts."""
    found = re.split(r"^## (Orderack\w+)$", RUNBOOK.read_text(), flags=re.MULTILINE)[1:]
    return dict(zip(found[::2], found[1::2], strict=True))


@pytest.mark.parametrize("name", RULES)
def test_an_alert_asks_for_figures_and_labels_that_exist(name: str) -> None:
    known, expression = samples(), str(RULES[name]["expr"])
    used = names_in(expression)
    assert used
    assert used <= known.keys()
    for figure, label in matchers_in(expression):
        assert label in known[figure], (figure, label)
    assert grouped_by(expression) <= frozenset().union(*(known[figure] for figure in used))


@pytest.mark.parametrize("name", RULES)
def test_an_alert_says_how_bad_for_how_long_what_and_where_to_read_on(name: str) -> None:
    rule = RULES[name]
    assert rule["labels"]["severity"] in ("page", "ticket")
    assert re.fullmatch(r"\d+[smh]", str(rule["for"]))
    assert rule["annotations"]["summary"]
    assert rule["annotations"]["runbook_url"] == f"docs/operations/runbook.md#{name.lower()}"
    told = set(re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]))
    kept = grouped_by(rule["expr"]) | {label for _, label in matchers_in(rule["expr"]) if "absent(" in rule["expr"]}
    assert told <= kept, "a label that the expression does not keep is empty"


def test_each_alert_has_its_section_and_each_section_its_alert() -> None:
    assert set(sections()) == set(RULES)


@pytest.mark.parametrize("name", RULES)
def test_a_section_answers_every_question(name: str) -> None:
    for part in PARTS:
        assert f"**{part}.**" in sections()[name], part


STAND_FOR = {
    "ORDER": "demo/1001",
    "KEY": "demo/1001/1/confirmation/1/smtp_email",
    "NAME": "smtp_email",
    "STORE": "demo",
    "STORE/SYSTEM": "demo/shopify",
    "QUEUE": "orders",
    "ERP": "sandbox",
    "ADDRESS": "ada@example.com",
    "FILE": "docs/examples/order.json",
}


def commands() -> set[str]:
    """Every command in the runbook, in its blocks and its sentences, without its comment."""
    text = RUNBOOK.read_text()
    lines = [line for block in re.findall(r"```sh\n(.*?)```", text, re.DOTALL) for line in block.splitlines()]
    named = [*lines, *re.findall(r"`(orderack [^`]*)`", text)]
    return {line.partition("#")[0].strip() for line in named}


@pytest.mark.parametrize("command", sorted(commands()))
def test_a_command_of_the_runbook_is_understood(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("USER", "grace")
    program, *words = [STAND_FOR.get(word, word) for word in command.split()]
    assert program == "orderack"
    found = typer.main.get_command(app)
    while nested := getattr(found, "commands", {}):
        found = nested[words.pop(0)]
    found.make_context("orderack", words)  # raises where an option is unknown or an argument is missing


def test_prometheus_is_pointed_at_the_rules_and_at_every_service_that_serves_figures() -> None:
    config = yaml.safe_load((DEPLOY / "prometheus/prometheus.yml").read_text())
    assert config["rule_files"] == ["alerts.yml"]
    ours = next(job for job in config["scrape_configs"] if job["job_name"] == "orderack")
    services = yaml.safe_load((ROOT / "docker-compose.yml").read_text())["services"]
    serving = {name for name, one in services.items() if one.get("command", [""])[0] in ("gateway", "worker")}
    assert set(ours["dns_sd_configs"][0]["names"]) == serving
    address = services["gateway"]["environment"]["ORDERACK_METRICS_ADDRESS"]
    assert address == f"0.0.0.0:{ours['dns_sd_configs'][0]['port']}"
    for service in services.values():
        assert not any("9464" in str(port) for port in service.get("ports", [])), "figures are not for the world"
