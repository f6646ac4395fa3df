"""The folder of channels is the registry, and every file in it has its conformance test."""

import importlib
import sys
from pathlib import Path

import pytest

from orderack import registry
from orderack.channels import build, load
from orderack.errors import Misconfigured
from orderack.registry import ChannelSpec
from tests.conformance.channel import ChannelConformance

HERE = Path(__file__).parent


@pytest.mark.parametrize("name", sorted(load()))
def test_every_channel_has_a_conformance_test_of_its_name(name: str) -> None:
    assert (HERE / f"test_{name}.py").is_file(), f"write tests/channels/test_{name}.py"
    module = importlib.import_module(f"tests.channels.test_{name}")
    suites = [
        found for found in vars(module).values() if isinstance(found, type) and found.__module__ == module.__name__
    ]
    assert [suite for suite in suites if issubclass(suite, ChannelConformance) and suite.name == name]


def test_the_names_are_these_for_ever() -> None:
    """They are stored in ledgers and histories; adding one is fine."""
    assert set(load()) >= {"portal", "sendgrid_email", "slack", "smtp_email", "twilio_sms"}


def test_a_file_without_a_registration_is_an_error_and_an_underscore_is_skipped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    room = tmp_path / "some_room"
    room.mkdir()
    (room / "__init__.py").write_text("")
    (room / "_hidden.py").write_text("raise AssertionError('must not be imported')")
    monkeypatch.syspath_prepend(str(tmp_path))
    assert registry.load([str(room)], "some_room", "CHANNEL", ChannelSpec) == {}
    (room / "half_done.py").write_text("CHANNEL = 1")
    with pytest.raises(Misconfigured, match=r"some_room\.half_done has no `CHANNEL: ChannelSpec`"):
        registry.load([str(room)], "some_room", "CHANNEL", ChannelSpec)
    for name in [name for name in sys.modules if name.startswith("some_room")]:
        del sys.modules[name]


def test_a_channel_nobody_wrote_is_misconfigured_and_said_so() -> None:
    with pytest.raises(Misconfigured, match="carrier_pigeon is not configured: no file of that name"):
        build()["carrier_pigeon"]


def test_an_empty_setting_is_a_missing_one_and_secrets_are_marked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERACK_SMTP_EMAIL_HOST", "")
    monkeypatch.setenv("ORDERACK_SMTP_EMAIL_SENDER", "orders@shop.example.com")
    assert build(["smtp_email"]).not_configured == {"smtp_email": ("ORDERACK_SMTP_EMAIL_HOST is missing",)}
    secret = {variable.name for spec in load().values() for variable in spec.variables if variable.secret}
    assert secret == {
        "ORDERACK_ACTIVECAMPAIGN_API_TOKEN",
        "ORDERACK_GMAIL_CLIENT_SECRET",
        "ORDERACK_GMAIL_MESSAGE_ID_SECRET",
        "ORDERACK_GMAIL_REFRESH_TOKEN",
        "ORDERACK_GMAIL_SERVICE_ACCOUNT_KEY",
        "ORDERACK_GOOGLE_CHAT_PRIVATE_KEY",
        "ORDERACK_HUBSPOT_EMAIL_TOKEN",
        "ORDERACK_INTERCOM_ACCESS_TOKEN",
        "ORDERACK_INTERCOM_CLIENT_SECRET",
        "ORDERACK_KLAVIYO_API_KEY",
        "ORDERACK_LINE_CHANNEL_ACCESS_TOKEN",
        "ORDERACK_LINE_CHANNEL_SECRET",
        "ORDERACK_MAILGUN_EMAIL_API_KEY",
        "ORDERACK_MAILGUN_EMAIL_WEBHOOK_SIGNING_KEY",
        "ORDERACK_MESSENGER_APP_SECRET",
        "ORDERACK_MESSENGER_PAGE_ACCESS_TOKEN",
        "ORDERACK_MESSENGER_VERIFY_TOKEN",
        "ORDERACK_OUTLOOK_CLIENT_SECRET",
        "ORDERACK_OUTLOOK_CLIENT_STATE",
        "ORDERACK_OUTLOOK_MESSAGE_ID_SECRET",
        "ORDERACK_SALESFORCE_EMAIL_CLIENT_SECRET",
        "ORDERACK_SALESFORCE_EMAIL_PRIVATE_KEY",
        "ORDERACK_SALESFORCE_TASK_CLIENT_SECRET",
        "ORDERACK_SALESFORCE_TASK_PRIVATE_KEY",
        "ORDERACK_SENDGRID_EMAIL_API_KEY",
        "ORDERACK_SES_EMAIL_SECRET_ACCESS_KEY",
        "ORDERACK_SES_EMAIL_SESSION_TOKEN",
        "ORDERACK_SHOPIFY_NOTE_CLIENT_SECRET",
        "ORDERACK_SLACK_BOT_TOKEN",
        "ORDERACK_SLACK_SIGNING_SECRET",
        "ORDERACK_SMTP_EMAIL_PASSWORD",
        "ORDERACK_TELEGRAM_BOT_TOKEN",
        "ORDERACK_TELEGRAM_WEBHOOK_SECRET",
        "ORDERACK_TWILIO_SMS_AUTH_TOKEN",
        "ORDERACK_VIBER_AUTH_TOKEN",
        "ORDERACK_VONAGE_SMS_API_SECRET",
        "ORDERACK_VONAGE_SMS_SIGNATURE_SECRET",
        "ORDERACK_WEBHOOK_SECRET",
        "ORDERACK_WHATSAPP_ACCESS_TOKEN",
        "ORDERACK_WHATSAPP_APP_SECRET",
        "ORDERACK_WHATSAPP_VERIFY_TOKEN",
        "ORDERACK_WOOCOMMERCE_NOTE_CONSUMER_KEY",
        "ORDERACK_WOOCOMMERCE_NOTE_CONSUMER_SECRET",
        "ORDERACK_ZENDESK_API_TOKEN",
        "ORDERACK_ZENDESK_NOTE_API_TOKEN",
        "ORDERACK_ZENDESK_WEBHOOK_SECRET",
        "ORDERACK_ZOHO_TASK_CLIENT_SECRET",
        "ORDERACK_ZOHO_TASK_REFRESH_TOKEN",
    }


def test_a_channel_with_its_settings_is_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ORDERACK_SMTP_EMAIL_HOST", "127.0.0.1")
    monkeypatch.setenv("ORDERACK_SMTP_EMAIL_SENDER", "orders@shop.example.com")
    built = build(["smtp_email", "portal"])
    assert set(built.ready) == {"smtp_email", "portal"}
    assert built["smtp_email"].name == "smtp_email"


@pytest.mark.parametrize("name", sorted(load()))
def test_the_documentation_lists_every_channel_with_its_ceiling(name: str) -> None:
    page = (HERE.parents[1] / "docs" / "adding-a-channel.md").read_text()
    (row,) = [line for line in page.splitlines() if line.startswith(f"| `{name}` |")]
    assert f"| {load()[name].adapter.traits.evidence_ceiling} " in row
