"""`orderack doctor` on settings and ledger: each wrong state is found and said, and nothing secret with it."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import text

from orderack.cli.doctor_findings import Finding, Standing
from orderack.cli.doctor_ledger import LATE, SOON, check_ledger, check_schema
from orderack.cli.doctor_settings import channels_of, check_policy_and_systems, check_settings
from orderack.cli.doctor_temporal import between, skew
from orderack.cli.main import run
from orderack.domain.order import OrderRef
from orderack.ledger import schema
from orderack.ledger.database import make_engine
from orderack.ledger.repository import SqlLedger
from orderack.policy.load import load_policy
from orderack.ports import Pause
from orderack.ports.channel_book import of_erp
from orderack.settings import Settings

ROOT = Path(__file__).parents[2]
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SECRET = "a-secret-that-nobody-is-to-see-0123456789"
DIGEST = "ab" * 32

WHOLE = {"secret": SECRET, "public_url": "https://orders.example", "api_keys": f"shop:demo:{DIGEST}"}

AMISS: tuple[tuple[str, dict[str, object], str, Standing, str], ...] = (
    ("no secret", {"secret": ""}, "secret", Standing.WRONG, "not set"),
    ("a short secret", {"secret": "hunter2"}, "secret", Standing.WRONG, "7 characters"),
    ("no address", {"public_url": "orders"}, "public-url", Standing.WRONG, "no address"),
    ("a broken address", {"public_url": "http://[::1"}, "public-url", Standing.WRONG, "no address"),
    ("this machine", {"public_url": "http://127.0.0.1:8090"}, "public-url", Standing.WARN, "this machine"),
    ("in clear", {"public_url": "http://orders.example"}, "public-url", Standing.WRONG, "not https"),
    ("no key", {"api_keys": ""}, "api-keys", Standing.WARN, "nobody can hand in"),
    ("a broken key", {"api_keys": "shop:demo:hunter2"}, "api-keys", Standing.WRONG, "entry 1"),
    ("clocks for a demo", {"policy_divisor": 60}, "clocks-of-the-policy", Standing.WARN, "divided by 60"),
    ("a file for many", {"database_url": ""}, "ledger-place", Standing.WARN, "a file on this machine"),
)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Somewhere with no `.env`, and none of this machine's settings."""
    monkeypatch.chdir(tmp_path)
    for name in ("ORDERACK_CODEC_KEYS", "ORDERACK_DATABASE_URL", "ORDERACK_SECRET", "ORDERACK_API_KEYS"):
        monkeypatch.delenv(name, raising=False)


def touch(file: str) -> None:
    Path(file).touch()


def found(findings: list[Finding], check: str) -> Finding:
    return next(one for one in findings if one.check == check)


@pytest.mark.parametrize(
    ("change", "check", "standing", "words"), [row[1:] for row in AMISS], ids=[r[0] for r in AMISS]
)
def test_a_setting_that_is_amiss_is_named(
    change: dict[str, object], check: str, standing: Standing, words: str
) -> None:
    one = found(list(check_settings(Settings.model_validate(WHOLE | change))), check)
    assert one.standing is standing
    assert words in one.said
    assert one.do
    assert SECRET not in one.said + one.do
    assert "hunter2" not in one.said + one.do


def test_settings_that_are_whole_are_fine_but_that_nothing_is_sealed() -> None:
    settings = Settings.model_validate(WHOLE | {"database_url": "postgresql+psycopg://db/ledger"})
    assert [one.check for one in check_settings(settings) if one.standing is not Standing.OK] == ["codec-keys"]


def test_a_broken_key_that_seals_is_wrong_and_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERACK_CODEC_KEYS", "first:hunter2")
    one = found(list(check_settings(Settings.model_validate(WHOLE))), "codec-keys")
    assert one.standing is Standing.WRONG
    assert "hunter2" not in one.said


@pytest.mark.parametrize(
    ("seconds", "standing"), [(0.3, "ok"), (-1.9, "ok"), (3, "warn"), (-3, "warn"), (11, "wrong"), (-3600, "wrong")]
)
def test_clocks_that_differ_are_said_by_how_much_and_which_way(seconds: float, standing: str) -> None:
    one = skew("clock-ledger", timedelta(seconds=seconds), "the ledger's")
    assert one.standing == standing
    assert standing == "ok" or ("ahead of" if seconds > 0 else "behind") in one.said


def test_a_slow_answer_is_no_skew() -> None:
    began, ended = NOW, NOW + timedelta(seconds=8)
    assert between(NOW + timedelta(seconds=5), began, ended) == timedelta()
    assert between(NOW - timedelta(seconds=5), began, ended) == timedelta(seconds=-5)
    assert between(NOW + timedelta(seconds=11), began, ended) == timedelta(seconds=3)


# -- the policy, and what it names ------------------------------------------------------------------------------------


async def test_a_policy_that_is_broken_is_wrong(tmp_path: Path) -> None:
    (tmp_path / "policy.yaml").write_text("stores: {}\n")
    findings = await check_policy_and_systems(Settings(policy_dir=tmp_path), offline=True)
    assert [(one.check, one.standing) for one in findings] == [("policy", Standing.WRONG)]


async def test_every_channel_source_and_erp_of_the_policy_is_looked_at(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = Settings(policy_dir=ROOT / "policy", public_url="https://orders.example")
    findings = await check_policy_and_systems(settings, offline=True)
    policy = load_policy(ROOT / "policy")
    assert {"portal", "sendgrid_email", "slack"} <= set(channels_of(policy))
    checks = {one.check for one in findings}
    assert {f"channel/{name}" for name in channels_of(policy)} <= checks
    assert {f"source/{store}/{name}" for store, row in policy.stores.items() for name in row.connections} <= checks
    lacking = found(findings, "erp/sandbox")
    assert lacking.standing is Standing.WRONG
    assert "ORDERACK_ERP_SANDBOX_API_KEY" in lacking.said
    for name in ("BASE_URL", "API_KEY", "WEBHOOK_SECRET"):
        monkeypatch.setenv(
            f"ORDERACK_ERP_SANDBOX_{name}",
            "whsec_YS1zZWNyZXQtb2YtdGhlLXRlc3RzLTI0" if name != "BASE_URL" else "http://erp.example",
        )
    again = await check_policy_and_systems(settings, offline=True)
    assert found(again, "erp/sandbox").standing is Standing.OK


# -- the ledger -------------------------------------------------------------------------------------------------------


async def test_a_ledger_that_is_not_there_is_away(tmp_path: Path) -> None:
    one = await check_schema(f"sqlite+aiosqlite:///{tmp_path}/none.db")
    assert (one.standing, one.away) == (Standing.WRONG, True)
    assert not (tmp_path / "none.db").exists()


async def test_a_schema_is_said_to_be_missing_old_of_this_code_or_newer(empty_url: str) -> None:
    if empty_url.startswith("sqlite"):
        touch(empty_url.removeprefix("sqlite+aiosqlite:///"))
    assert "no schema yet" in (await check_schema(empty_url)).said
    await schema.upgrade(empty_url)
    assert (await check_schema(empty_url)).standing is Standing.OK
    await schema.downgrade(empty_url, "-1")
    old = await check_schema(empty_url)
    assert (old.standing, old.do) == (Standing.WRONG, "orderack ledger migrate")
    engine = make_engine(empty_url)
    async with engine.begin() as connection:
        await connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    await engine.dispose()
    newer = await check_schema(empty_url)
    assert newer.standing is Standing.WRONG
    assert "newer code" in newer.said


async def test_events_that_nobody_was_told_of_are_found_by_their_age(ledger: SqlLedger) -> None:
    ref = OrderRef(store="demo", number="1001")
    assert found(await check_ledger(ledger, NOW), "unannounced").standing is Standing.OK
    await ledger.receive("intake/demo", "1001", "order", ref, "{}", NOW - SOON / 2)
    assert found(await check_ledger(ledger, NOW), "unannounced").standing is Standing.OK
    await ledger.receive("intake/demo", "1002", "order", ref, "{}", NOW - SOON * 2)
    young = found(await check_ledger(ledger, NOW), "unannounced")
    assert (young.standing, young.said[:1]) == (Standing.WARN, "1")
    await ledger.receive("intake/demo", "1003", "order", ref, "{}", NOW - LATE * 2)
    old = found(await check_ledger(ledger, NOW), "unannounced")
    assert old.standing is Standing.WRONG
    assert "40 min" in old.said


async def test_what_is_paused_or_marked_down_is_said_though_its_settings_are_well(ledger: SqlLedger) -> None:
    assert found(await check_ledger(ledger, NOW), "in-service").standing is Standing.OK
    await ledger.pause(Pause(channel="twilio_sms", at=NOW, by="ann"))
    await ledger.pause(Pause(channel=of_erp("sandbox"), at=NOW, by="orderack", reason="no answer", probe_at=NOW))
    erp, channel = (one for one in await check_ledger(ledger, NOW) if one.check == "in-service")
    assert (erp.standing, channel.standing) == (Standing.WARN, Standing.WARN)
    assert "sandbox: marked down since 21 Nov 12:00:00 UTC: no answer" in erp.said
    assert erp.do.endswith("orderack erp resume sandbox")
    assert "twilio_sms: paused since 21 Nov 12:00:00 UTC by ann" in channel.said
    assert channel.do.endswith("orderack channel resume twilio_sms")


async def test_the_clock_of_a_database_server_is_compared(ledger: SqlLedger) -> None:
    one = found(await check_ledger(ledger, NOW), "clock-ledger")
    assert one.standing is Standing.OK


# -- the command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def away(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """No server, no ledger, and secrets that are not to be shown."""
    monkeypatch.setenv("TEMPORAL_ADDRESS", "127.0.0.1:9")
    monkeypatch.setenv("ORDERACK_POLICY_DIR", str(ROOT / "policy"))
    monkeypatch.setenv("ORDERACK_HOME", str(tmp_path / "home"))
    monkeypatch.setenv("ORDERACK_SECRET", SECRET)
    monkeypatch.setenv("ORDERACK_API_KEYS", f"shop:demo:{DIGEST}")
    monkeypatch.setenv("ORDERACK_SLACK_BOT_TOKEN", SECRET)


@pytest.mark.usefixtures("away")
def test_without_server_and_ledger_it_says_so_and_looks_at_the_rest(capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["doctor", "--offline", "--json"]) == 3
    told = json.loads(capsys.readouterr().out)
    assert told["sound"] is False
    by_check = {one["check"]: one for one in told["findings"]}
    assert by_check["temporal"]["away"]
    assert by_check["ledger"]["away"]
    assert by_check["policy"]["standing"] == "ok"
    assert SECRET not in str(told)
    assert DIGEST not in str(told)
    assert run(["doctor", "--offline"]) == 3
    shown = capsys.readouterr()
    assert "wrong" in shown.out
    assert "looked at" in shown.err
    assert SECRET not in shown.out + shown.err


def test_every_finding_that_is_amiss_says_what_to_do() -> None:
    settings = Settings.model_validate({"policy_divisor": 2})
    assert all(one.do for one in check_settings(settings) if one.standing is not Standing.OK)
