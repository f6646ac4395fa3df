"""Every channel that can be checked finds its look-alike well, and says which setting a stranger's key is."""

import pytest

from orderack import channels
from orderack.embedded.sandbox import Action, Fault, Operation, Sandbox, Target
from orderack.errors import Misconfigured, Unavailable
from orderack.ports import Checks

KEYS = {
    "sendgrid_email": ("API_KEY", Target.SENDGRID),
    "slack": ("BOT_TOKEN", Target.SLACK),
    "twilio_sms": ("AUTH_TOKEN", Target.TWILIO),
    "zendesk": ("API_TOKEN", Target.ZENDESK),
    "zendesk_note": ("API_TOKEN", Target.ZENDESK),
    "intercom": ("ACCESS_TOKEN", Target.INTERCOM),
}


async def checked(name: str) -> str:
    channel = channels.build([name])[name]
    try:
        assert isinstance(channel, Checks)
        return await channel.check()
    finally:
        await channel.aclose()


@pytest.mark.parametrize("name", [*KEYS, "smtp_email"])
async def test_a_check_with_the_right_settings_is_well(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for variable, value in sandbox.environment().items():
        monkeypatch.setenv(variable, value)
    assert await checked(name)
    assert sandbox.state.log.entries() == ()


@pytest.mark.parametrize("name", KEYS)
async def test_a_check_with_a_strangers_key_names_its_setting_and_one_at_a_bad_time_is_for_later(
    sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for variable, value in sandbox.environment().items():
        monkeypatch.setenv(variable, value)
    key, target = KEYS[name]
    sandbox.state.faults.add(Fault(target=target, action=Action.FAIL, operation=Operation.LOOKUP))
    with pytest.raises(Unavailable):
        await checked(name)
    monkeypatch.setenv(f"ORDERACK_{name.upper()}_{key}", "a-strangers-0123456789")
    with pytest.raises(Misconfigured, match=f"ORDERACK_{name.upper()}|_{key}"):
        await checked(name)
