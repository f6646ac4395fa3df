"""`orderack channels` and `orderack channel`: the list, doctor, a test message, pause and resume."""

import asyncio
import json
import os
import shutil
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from orderack.channels import load
from orderack.channels.portal import Portal
from orderack.cli.channel_commands import EXITS
from orderack.cli.channel_doctor import _unreachable
from orderack.cli.channel_trial import BANNER, Fate, Wanted, marked, trial, tried
from orderack.cli.main import run
from orderack.domain.acknowledgement import Kind, Reason, SendKey, SendOutcome, SendState
from orderack.domain.order import OrderRef
from orderack.embedded.sandbox import Action, Fault, Operation, Sandbox, Target
from orderack.errors import InDoubt, Misconfigured, OrderAckError, Refused, Unavailable, Unsupported
from orderack.ledger.repository import SqlLedger, open_ledger
from orderack.messages import MessageRenderer
from orderack.ports import Message, Rendered, Sent
from tests.cli.conftest import ROOT

SECRET_WORD = "hush-0123456789"
NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)


@dataclass(frozen=True)
class Said:
    """How a command ended, and what it said."""

    code: int
    out: str
    err: str

    @property
    def json(self) -> dict[str, Any]:
        found = json.loads(self.out)
        assert isinstance(found, dict)
        return found


Orderack = Callable[..., Awaitable[Said]]


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A folder without `.env`, and no settings but the policy's place."""
    for name in [name for name in os.environ if name.startswith("ORDERACK_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("ORDERACK_POLICY_DIR", str(ROOT / "policy"))
    monkeypatch.setenv("USER", "grace")
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def orderack(capsys: pytest.CaptureFixture[str]) -> Orderack:
    """Run a command in this process: starting one of its own takes a second each."""

    async def call(*arguments: str) -> Said:
        code = await asyncio.to_thread(run, arguments)
        said = capsys.readouterr()
        assert "Traceback" not in said.err
        return Said(code, said.out, said.err)

    return call


@pytest_asyncio.fixture
async def ledger(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, sqlite_template: Path) -> AsyncIterator[SqlLedger]:
    """The ledger that the commands find."""
    url = f"sqlite+aiosqlite:///{shutil.copy(sqlite_template, tmp_path / 'ledger.db')}"
    monkeypatch.setenv("ORDERACK_DATABASE_URL", url)
    found = await open_ledger(url)
    yield found
    await found.aclose()


@pytest_asyncio.fixture
async def sandbox(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Sandbox]:
    """The vendors' look-alikes, and the settings that name them."""
    async with Sandbox.start() as running:
        for name, value in running.environment().items():
            monkeypatch.setenv(name, value)
        yield running


async def sent(ledger: SqlLedger, number: int, outcome: SendOutcome, at: datetime) -> None:
    """A send by smtp_email that ended so."""
    ref = OrderRef(store="demo", number=str(number))
    key = SendKey(ref=ref, revision=1, kind=Kind.RECEIVED, n=1, channel="smtp_email")
    words = Message(key=key, recipient="ada@example.com", kind=Kind.RECEIVED, language="en", content=Rendered(text="…"))
    await ledger.claim(key, words, at, timedelta(minutes=1))
    await ledger.finish(key, outcome, at)


async def test_the_list_has_every_channel_of_the_registry_and_says_what_each_lacks(orderack: Orderack) -> None:
    listed = (await orderack("channels", "--json")).json
    rows = {row["name"]: row for row in listed["channels"]}
    assert list(rows) == list(load())
    assert rows["portal"]["state"] == "ready"
    smtp = rows["smtp_email"]
    assert (smtp["state"], smtp["audience"], smtp["address"]) == ("missing settings", "buyer", "email")
    assert smtp["lacks"] == ["ORDERACK_SMTP_EMAIL_HOST", "ORDERACK_SMTP_EMAIL_SENDER"]
    assert (rows["slack"]["audience"], rows["twilio_sms"]["rate_per_second"]) == ("internal", 1.0)
    assert rows["twilio_sms"]["strongest_evidence"] == "E2 delivered; E5 affirmed by a reply"
    assert smtp["strongest_evidence"] == "E1 accepted"
    assert rows["zendesk"]["doubt"] == "asking the vendor whether it has it"
    assert all(row["description"] and row["doubt"] and row["evidence_ceiling"] for row in rows.values())


async def test_without_a_ledger_the_table_shows_the_rest_and_says_so(orderack: Orderack) -> None:
    said = await orderack("channels")
    assert said.code == 0
    assert [line.split()[0] for line in said.out.splitlines()] == ["channel", *load()]
    assert "there is no ledger" in said.err
    assert f"1 of {len(load())} can send. `orderack channel doctor NAME`" in said.err
    assert "there is no ledger" in (await orderack("channels", "--json")).json["ledger"]


async def test_a_ledger_that_is_none_or_is_broken_is_said_and_not_an_error(
    orderack: Orderack, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ledger.db").write_text("not a database at all, but long enough to be read as one by mistake")
    for url in (f"sqlite+aiosqlite:///{tmp_path}/ledger.db", "not a url", "postgresql+psycopg://127.0.0.1:9/x"):
        monkeypatch.setenv("ORDERACK_DATABASE_URL", url)
        said = await orderack("channels", "--json")
        assert said.code == 0, url
        assert said.json["ledger"], url


async def test_the_list_shows_pauses_and_how_the_last_sends_ended(orderack: Orderack, ledger: SqlLedger) -> None:
    accepted = SendOutcome(channel="smtp_email", state=SendState.ACCEPTED)
    refused = SendOutcome(channel="smtp_email", state=SendState.REJECTED, reason=Reason.BAD_RECIPIENT)
    await sent(ledger, 1, accepted, NOW)
    await sent(ledger, 2, refused, NOW + timedelta(minutes=5))
    await orderack("channel", "pause", "smtp_email", "--reason", "it moves")
    listed = (await orderack("channels", "--json")).json
    assert listed["ledger"] == ""
    (row,) = [row for row in listed["channels"] if row["name"] == "smtp_email"]
    assert (row["state"], row["paused_by"], row["pause_reason"]) == ("paused", "grace", "it moves")
    assert row["lacks"] == ["ORDERACK_SMTP_EMAIL_HOST", "ORDERACK_SMTP_EMAIL_SENDER"]
    assert datetime.fromisoformat(row["last_success"]) == NOW
    assert datetime.fromisoformat(row["last_failure"]) == NOW + timedelta(minutes=5)
    assert "bad" in row["failure"]
    (line,) = [line for line in (await orderack("channels")).out.splitlines() if line.startswith("smtp_email")]
    assert "paused since" in line
    assert "by grace" in line


async def test_a_value_that_is_wrong_is_named_and_never_shown(
    orderack: Orderack, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ORDERACK_SMTP_EMAIL_PORT", SECRET_WORD)
    monkeypatch.setenv("ORDERACK_SMTP_EMAIL_PASSWORD", SECRET_WORD)
    monkeypatch.setenv("ORDERACK_SLACK_CHANNELS", SECRET_WORD)
    monkeypatch.setenv("ORDERACK_TWILIO_SMS_ACCOUNT_SID", "AC1")
    monkeypatch.setenv("ORDERACK_TWILIO_SMS_AUTH_TOKEN", SECRET_WORD)
    names = ("smtp_email", "slack", "twilio_sms")
    said = await orderack("channel", "doctor", *names, "--json")
    assert said.code == 1
    found = {one["channel"]: one["settings"] for one in said.json["channels"]}
    states = {
        setting["variable"].removeprefix("ORDERACK_"): setting["state"]
        for one in found.values()
        for setting in one["settings"]
    }
    assert states["SMTP_EMAIL_HOST"] == "missing"
    assert states["SMTP_EMAIL_PORT"] == states["SLACK_CHANNELS"] == "not valid"
    assert states["SMTP_EMAIL_PASSWORD"] == "present"
    assert states["SMTP_EMAIL_USERNAME"] == "left out"
    assert found["twilio_sms"]["problems"] == [
        "set one of ORDERACK_TWILIO_SMS_SENDER and ORDERACK_TWILIO_SMS_MESSAGING_SERVICE_SID"
    ]
    shown = said.out + (await orderack("channel", "doctor", *names)).out + (await orderack("channels", "--json")).out
    assert SECRET_WORD not in shown
    listed = {row["name"]: row["state"] for row in (await orderack("channels", "--json")).json["channels"]}
    assert [listed[name] for name in names] == ["not valid"] * 3


async def test_settings_in_a_file_count_as_the_channel_counts_them(orderack: Orderack, tmp_path: Path) -> None:
    (tmp_path / ".env").write_text(
        "ORDERACK_SMTP_EMAIL_HOST=127.0.0.1\nORDERACK_SMTP_EMAIL_SENDER=a@shop.example.com\n"
    )
    said = await orderack("channel", "doctor", "smtp_email", "--offline", "--json")
    (found,) = said.json["channels"]
    assert (said.code, found["word"]) == (0, "not asked")
    assert [one["state"] for one in found["settings"]["settings"] if one["required"]] == ["present", "present"]


async def test_doctor_without_names_looks_at_what_is_set_up_and_names_the_rest(
    orderack: Orderack, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = await orderack("channel", "doctor", "--offline", "--json")
    assert said.code == 0
    assert [one["channel"] for one in said.json["channels"]] == ["portal"]
    assert set(said.json["not_set_up"]) == set(load()) - {"portal"}
    monkeypatch.setenv("ORDERACK_SMTP_EMAIL_HOST", "127.0.0.1")
    said = await orderack("channel", "doctor", "--offline")
    assert said.code == 1
    assert "smtp_email: missing settings" in said.out


async def test_doctor_asks_the_vendor_and_tells_a_wrong_key_from_a_vendor_that_is_away(
    orderack: Orderack, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = await orderack("channel", "doctor", "slack", "twilio_sms", "smtp_email", "zendesk", "--json")
    assert said.code == 0
    assert [one["word"] for one in said.json["channels"]] == ["well"] * 4
    sandbox.state.faults.add(Fault(target=Target.SLACK, action=Action.FAIL, operation=Operation.LOOKUP))
    away = await orderack("channel", "doctor", "slack", "--json")
    assert (away.code, away.json["channels"][0]["word"]) == (3, "away")
    sandbox.state.faults.add(Fault(target=Target.SLACK, action=Action.FAIL, operation=Operation.LOOKUP))
    with monkeypatch.context() as without:
        without.delenv("ORDERACK_TWILIO_SMS_AUTH_TOKEN")
        assert (await orderack("channel", "doctor", "slack", "twilio_sms")).code == 1
    monkeypatch.setenv("ORDERACK_SLACK_BOT_TOKEN", SECRET_WORD)
    wrong = await orderack("channel", "doctor", "slack")
    assert wrong.code == 1
    assert "wrong: Slack refuses us (invalid_auth): check ORDERACK_SLACK_BOT_TOKEN" in wrong.out
    assert SECRET_WORD not in wrong.out
    assert sandbox.state.log.entries() == ()


async def test_doctor_says_what_to_register_and_whether_the_address_can_be_reached(
    orderack: Orderack, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = await orderack("channel", "doctor", "slack", "--offline")
    assert "http://127.0.0.1:8090/webhooks/slack" in said.out
    assert load()["slack"].obtain in said.out
    assert "no vendor out there reaches it" in said.out
    monkeypatch.setenv("ORDERACK_PUBLIC_URL", "https://acks.example.com/")
    (found,) = (await orderack("channel", "doctor", "slack", "--offline", "--json")).json["channels"]
    assert (found["webhook"]["url"], found["webhook"]["problem"]) == ("https://acks.example.com/webhooks/slack", "")
    assert "Request URL" in found["webhook"]["register_at"]
    (smtp,) = (await orderack("channel", "doctor", "smtp_email", "--offline", "--json")).json["channels"]
    assert smtp["webhook"] is None


@pytest.mark.parametrize(
    ("url", "problem"),
    [
        ("https://acks.example.com", ""),
        ("https://8.8.8.8", ""),
        ("http://acks.example.com", "not https"),
        ("https://localhost:8090", "no vendor out there"),
        ("https://127.0.0.1", "no vendor out there"),
        ("https://10.1.2.3", "no vendor out there"),
        ("https://[::1]", "no vendor out there"),
        ("https://gateway.internal", "no vendor out there"),
        ("acks.example.com", "is no address"),
        ("https://[", "is no address"),
    ],
)
def test_an_address_that_no_vendor_reaches_is_told_by_its_looks(url: str, problem: str) -> None:
    assert problem in _unreachable(url)
    assert bool(problem) == bool(_unreachable(url))


@pytest.mark.parametrize(
    "command",
    [
        ("channel", "doctor", "twilio_smss"),
        ("channel", "test", "twilio_smss", "--to", "+15005550006", "--yes"),
        ("channel", "pause", "twilio_smss"),
        ("channel", "resume", "twilio_smss"),
    ],
    ids=lambda command: command[1],
)
async def test_a_name_that_is_none_is_answered_with_the_one_that_was_meant(
    orderack: Orderack, command: tuple[str, ...]
) -> None:
    said = await orderack(*command)
    assert (said.code, said.err) == (2, "orderack: NAME: is no channel of ours. Remedy: did you mean twilio_sms?\n")
    far = await orderack(*command[:2], "carrier_pigeon", *command[3:])
    assert far.code == 2
    assert "the channels are " in far.err


async def test_a_test_message_goes_out_once_marked_as_one_and_belongs_to_no_order(
    orderack: Orderack, sandbox: Sandbox
) -> None:
    said = await orderack("channel", "test", "smtp_email", "--to", "grace@example.com", "--language", "de", "--yes")
    assert said.code == 0
    assert "accepted: the provider has it" in said.out
    (mail,) = sandbox.state.outbox.find("", Target.SMTP)
    assert mail.recipient == "grace@example.com"
    assert mail.subject.startswith("[TEST] ")
    assert mail.text.startswith(BANNER["de"])
    assert BANNER["de"] in (mail.html or "")
    assert len(sandbox.state.log.entries()) == 1


async def test_every_test_is_a_send_of_its_own_in_the_store_test_and_a_role_gets_an_alert(
    orderack: Orderack, sandbox: Sandbox
) -> None:
    first = await orderack("channel", "test", "slack", "--to", "ops", "--yes", "--json")
    second = await orderack("channel", "test", "slack", "--to", "ops", "--kind", "update", "--yes", "--json")
    assert (first.json["fate"], first.json["kind"], second.json["kind"]) == ("accepted", "alert", "update")
    assert first.json["provider_id"]
    assert first.json["key"].startswith("test/TEST-")
    assert first.json["key"].split("/")[1] != second.json["key"].split("/")[1]
    assert len(sandbox.state.log.entries(Target.SLACK)) == 2


@pytest.mark.parametrize(
    ("action", "more", "fate", "code"),
    [
        (Action.REFUSE, {}, "refused", 1),
        (Action.THROTTLE, {"retry_after": 7}, "unavailable", 3),
        (Action.CUT_OFF_AFTER_ACCEPT, {}, "in doubt", 3),
    ],
)
async def test_how_a_test_ended_is_said_in_the_words_and_exit_codes_of_the_fates(
    orderack: Orderack, sandbox: Sandbox, action: Action, more: dict[str, int], fate: str, code: int
) -> None:
    sandbox.state.faults.add(Fault.model_validate({"target": Target.TWILIO, "action": action} | more))
    said = await orderack("channel", "test", "twilio_sms", "--to", "+15005550010", "--yes", "--json")
    assert (said.code, said.json["fate"]) == (code, fate)
    assert sandbox.state.faults.unfired() == ()
    if fate == "refused":
        assert (said.json["reason"], said.json["code"]) == ("opted_out", "21610")


@pytest.mark.parametrize(
    ("error", "fate", "code"),
    [
        (Refused("no", Reason.CONTENT, "c-1"), Fate.REFUSED, 1),
        (Unsupported("max_length"), Fate.UNSUPPORTED, 1),
        (Misconfigured("check it"), Fate.MISCONFIGURED, 2),
        (Unavailable("later"), Fate.UNAVAILABLE, 3),
        (InDoubt("cut off"), Fate.IN_DOUBT, 3),
    ],
)
async def test_whatever_a_channel_raises_is_an_answer_with_its_exit_code(
    monkeypatch: pytest.MonkeyPatch, error: OrderAckError, fate: Fate, code: int
) -> None:
    async def fails(self: Portal, message: Message) -> Sent:
        raise error

    monkeypatch.setattr(Portal, "send", fails)
    wanted = Wanted(to="page", kind=Kind.RECEIVED, language="en")
    renderer = MessageRenderer(ROOT / "policy" / "messages")
    found = await tried(Portal(), trial("portal", Portal.traits, wanted, renderer, "https://acks.example.com"))
    assert (found.fate, EXITS[found.fate], found.detail) == (fate, code, str(error))
    assert (found.code, found.reason) == (("c-1", "content") if fate is Fate.REFUSED else ("", ""))


async def test_a_wrong_address_is_refused_and_a_channel_without_settings_is_ours_to_mend(
    orderack: Orderack, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = await orderack("channel", "test", "smtp_email", "--to", "nobody", "--yes")
    assert wrong.code == 1
    assert "bad recipient" in wrong.out
    monkeypatch.delenv("ORDERACK_SMTP_EMAIL_HOST")
    lacking = await orderack("channel", "test", "smtp_email", "--to", "ada@example.com", "--yes", "--json")
    assert (lacking.code, lacking.json["fate"]) == (2, "misconfigured")
    assert "ORDERACK_SMTP_EMAIL_HOST is missing" in lacking.json["detail"]
    assert sandbox.state.log.entries() == ()


async def test_a_channel_that_writes_on_a_shops_order_is_told_which(orderack: Orderack, sandbox: Sandbox) -> None:
    shown = await orderack("channel", "test", "woocommerce_note", "--to", "ops", "--yes")
    assert "--on SYSTEM=ID" in shown.out
    none = await orderack("channel", "test", "woocommerce_note", "--to", "ops", "--yes", "--json")
    assert (none.code, none.json["reason"]) == (1, "no_recipient")
    for wrong in ("woocommerce", "=1", "woocommerce=", f"x={'1' * 201}"):
        said = await orderack("channel", "test", "woocommerce_note", "--to", "ops", "--on", wrong, "--yes")
        assert said.code == 2
    assert sandbox.state.log.entries() == ()
    on = ("--on", "woocommerce=727")
    told = await orderack("channel", "test", "woocommerce_note", "--to", "ops", *on, "--yes", "--json")
    assert told.json["reason"] != "no_recipient"


async def test_what_cannot_be_tried_says_what_to_do_instead(orderack: Orderack, sandbox: Sandbox) -> None:
    page = await orderack("channel", "test", "portal", "--to", "ada@example.com", "--yes")
    assert (page.code, page.out) == (2, "")
    assert "hand in an order" in page.err
    kind = await orderack("channel", "test", "activecampaign", "--to", "ada@example.com", "--yes")
    assert kind.code == 1
    assert "it does not carry received; try another --kind" in kind.out
    assert sandbox.state.log.entries() == ()


async def test_what_is_not_set_up_leads_to_the_doctor_and_wordings_that_are_not_there_to_their_setting(
    orderack: Orderack, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = await orderack("channel", "test", "whatsapp", "--to", "+15005550010", "--yes")
    assert said.code == 2
    assert "orderack channel doctor whatsapp" in said.out
    monkeypatch.setenv("ORDERACK_POLICY_DIR", "elsewhere")
    said = await orderack("channel", "test", "whatsapp", "--to", "+15005550010", "--yes")
    assert (said.code, said.out) == (2, "")
    assert "elsewhere/messages: name the policy's folder in ORDERACK_POLICY_DIR" in said.err


async def test_nothing_goes_out_without_a_yes(orderack: Orderack, sandbox: Sandbox) -> None:
    for more in ((), ("--json",)):
        said = await orderack("channel", "test", "smtp_email", "--to", "ada@example.com", *more)
        assert said.code == 2
    for wrong in (("--to", " "), ("--to", "ada@example.com", "--language", "x"), ("--to", "a", "--kind", "poem")):
        said = await orderack("channel", "test", "smtp_email", *wrong, "--yes")
        assert said.code == 2
    assert sandbox.state.log.entries() == ()


def test_every_shape_of_a_test_says_so_and_asks_for_no_affirmation() -> None:
    shapes = Rendered(
        subject="Your order", text="words", html="<html><BODY class='x'><p>words</p>", sms="words", chat="w" * 2_000,
        affirm_label="Got it",
    )  # fmt: skip
    test = marked(shapes, "es-MX")
    assert test.subject == "[PRUEBA] Your order"
    assert test.text == f"{BANNER['es']}\n\nwords"
    assert test.html is not None
    assert test.html.startswith("<html><BODY class='x'><p style=")
    assert test.sms == "PRUEBA: words"
    assert test.chat is not None
    assert test.chat.startswith(BANNER["es"])
    assert len(test.chat) == 2_000
    assert test.affirm_label == ""
    assert marked(Rendered(text="x"), "xx").text == f"{BANNER['en']}\n\nx"


async def test_a_channel_is_paused_once_and_the_first_pause_stands_until_it_is_resumed(
    orderack: Orderack, ledger: SqlLedger
) -> None:
    first = await orderack("channel", "pause", "slack", "--reason", "too loud", "--by", "ada", "--json")
    assert (first.code, first.json["changed"], first.json["reason"]) == (0, True, "too loud")
    again = await orderack("channel", "pause", "slack", "--json")
    assert (again.code, again.json["changed"], again.json["by"]) == (0, False, "ada")
    assert "was paused already" in (await orderack("channel", "pause", "slack")).out
    assert set(await ledger.paused()) == {"slack"}
    assert "sends again" in (await orderack("channel", "resume", "slack")).out
    assert await ledger.paused() == {}
    assert (await orderack("channel", "resume", "slack", "--json")).json["changed"] is False
    assert "take the fallback" in (await orderack("channel", "pause", "slack")).out


async def test_pausing_without_a_ledger_is_said_and_promises_nothing(orderack: Orderack) -> None:
    for command in ("pause", "resume"):
        said = await orderack("channel", command, "slack")
        assert said.code == 3
        assert "there is no ledger" in said.err
