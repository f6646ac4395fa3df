"""`orderack policy`: exit codes, words and JSON."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner

from orderack.cli.policy_commands import app
from tests.policy.conftest import ORDER

SHIPPED = Path(__file__).parents[2] / "policy"


@pytest.fixture
def shipped(tmp_path: Path) -> Path:
    """A copy of the shipped policy and wording, to be edited."""
    return shutil.copytree(SHIPPED, tmp_path / "policy")


def run(*arguments: object) -> tuple[int, str, str]:
    result = CliRunner().invoke(app, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    return result.exit_code, result.stdout, result.stderr


def edited(directory: Path, old: str, new: str) -> Path:
    text = (directory / "policy.yaml").read_text()
    assert old in text
    (directory / "policy.yaml").write_text(text.replace(old, new))
    return directory


@pytest.fixture
def order_file(tmp_path: Path) -> Callable[..., Path]:
    def write(**changes: object) -> Path:
        file = tmp_path / "order.json"
        file.write_text(json.dumps({**ORDER, **changes}))
        return file

    return write


def test_a_sound_policy_is_said_to_be_sound(shipped: Path) -> None:
    code, out, _ = run("check", "--policy-dir", shipped)
    assert (code, "is sound" in out) == (0, True)
    assert json.loads(run("check", "--json", "--policy-dir", shipped)[1]) == {"ok": True, "problems": []}


def test_a_finding_has_exit_code_1_its_line_and_remedy(shipped: Path) -> None:
    edited(shipped, 'order.source == "edi"', 'order.source == "eddi"')
    code, _, err = run("check", "--policy-dir", shipped)
    assert code == 1
    assert 'did you mean "edi"?' in err
    code, out, _ = run("check", "--json", "--policy-dir", shipped)
    assert (code, json.loads(out)["problems"][0]["field"]) == (1, "rules[4].when")


def test_a_policy_of_the_wrong_shape_has_exit_code_1(shipped: Path) -> None:
    code, _, err = run("check", "--policy-dir", edited(shipped, "gate: erp_gated", "gate: perhaps"))
    assert (code, "(line " in err) == (1, True)


def test_a_missing_wording_is_a_finding(shipped: Path) -> None:
    (shipped / "messages" / "fr" / "holding.txt.j2").unlink()
    code, _, err = run("check", "--policy-dir", shipped)
    assert (code, "fr has no wording for holding" in err) == (1, True)


def test_a_policy_without_wording_is_a_finding(shipped: Path) -> None:
    shutil.rmtree(shipped / "messages")
    code, _, err = run("check", "--policy-dir", shipped)
    assert (code, err.startswith("messages: is missing")) == (1, True)


def test_a_wording_that_breaks_is_a_finding(shipped: Path) -> None:
    (shipped / "messages" / "fr" / "holding.txt.j2").write_text("{{ no_such_word.at_all }}")
    code, _, err = run("check", "--policy-dir", shipped)
    assert (code, "messages/fr/holding" in err) == (1, True)


def test_a_policy_that_cannot_be_read_has_exit_code_2(tmp_path: Path) -> None:
    assert run("check", "--policy-dir", tmp_path)[0] == 2


def test_an_order_is_explained(shipped: Path, order_file: Callable[..., Path]) -> None:
    code, out, _ = run("explain", order_file(), "--policy-dir", shipped)
    assert code == 0
    assert "fired web_instant_email" in out
    assert "Promise date" in out


def test_the_explanation_is_there_for_programs(shipped: Path, order_file: Callable[..., Path]) -> None:
    code, out, _ = run(
        "explain", order_file(customer={"id": "C", "relation": "new"}), "--policy-dir", shipped, "--json"
    )
    body = json.loads(out)
    assert (code, body["assessment"]["decision"]["rule"]) == (0, "new_client")
    assert body["explanation"]["tried"][-1]["holds"] is True


@pytest.mark.parametrize("as_json", [[], ["--json"]])
def test_a_bad_order_has_exit_code_2_and_names_the_field(
    shipped: Path, order_file: Callable[..., Path], as_json: list[str]
) -> None:
    code, out, err = run("explain", order_file(currency="euro"), "--policy-dir", shipped, *as_json)
    assert (code, "currency" in out + err) == (2, True)


def test_a_missing_order_file_has_exit_code_2(shipped: Path, tmp_path: Path) -> None:
    assert run("explain", tmp_path / "none.json", "--policy-dir", shipped)[0] == 2


def test_an_order_cannot_be_explained_by_a_broken_policy(shipped: Path, order_file: Callable[..., Path]) -> None:
    edited(shipped, "default:", "defualt:")
    code, _, err = run("explain", order_file(), "--policy-dir", shipped)
    assert (code, "did you mean `default`?" in err) == (1, True)


@pytest.mark.parametrize(
    ("changes", "rule", "gate", "legs"),
    [
        (
            {"source": "web"},
            "web_instant_email",
            "ack_gated",
            [["sendgrid_email", "twilio_sms", "smtp_email", "portal"]],
        ),
        ({"source": "shop"}, "repeat_small", "ack_gated", [["twilio_sms", "sendgrid_email", "smtp_email", "portal"]]),
        (
            {"source": "shop", "customer": {"id": "C", "relation": "enterprise"}},
            "enterprise",
            "erp_gated",
            [["sendgrid_email", "twilio_sms", "smtp_email"], ["portal"]],
        ),
        ({"source": "edi"}, "edi_to_portal", "erp_gated", [["portal", "sendgrid_email"]]),
        ({"source": "crm", "customer": {"id": "C", "name": "Ada Example"}}, "crm_deal", "ack_gated", None),
        ({"source": "phone", "priority": "high"}, "urgent", "ack_gated", None),
        ({"source": "portal"}, "default", "erp_gated", [["portal", "twilio_sms"], ["sendgrid_email"]]),
        ({"source": "marketplace"}, "default", "ack_gated", [["portal", "sendgrid_email"]]),
        ({"source": "pos", "contacts": {"phone": "+15005550006"}}, "repeat_small", "ack_gated", None),
        ({"source": "email"}, "default", "ack_gated", None),
    ],
)
def test_the_shipped_matrix_sends_each_kind_of_order_its_own_way(
    shipped: Path,
    order_file: Callable[..., Path],
    changes: dict[str, object],
    rule: str,
    gate: str,
    legs: list[list[str]] | None,
) -> None:
    body = json.loads(run("explain", order_file(**changes), "--policy-dir", shipped, "--json")[1])
    decision = body["assessment"]["decision"]
    assert (decision["rule"], decision["gate"], decision["route"]) == (rule, gate, "straight"), body["assessment"]
    assert legs is None or [leg["channels"] for leg in decision["legs"]] == legs


@pytest.mark.parametrize(
    ("total", "source", "rule"), [(3000, "web", "straight"), (3001, "web", "review"), (5001, "shop", "review")]
)
def test_the_shipped_matrix_reviews_what_is_over_its_thresholds(
    shipped: Path, order_file: Callable[..., Path], total: int, source: str, rule: str
) -> None:
    line = {**ORDER["lines"][0], "unit_price": total}
    file = order_file(lines=[line], totals={"total": total}, source=source)
    body = json.loads(run("explain", file, "--policy-dir", shipped, "--json")[1])
    assert body["assessment"]["decision"]["route"] == rule
