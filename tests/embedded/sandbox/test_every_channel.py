"""Every channel: set up by the sandbox alone, checked, and tried with one message that its look-alike takes."""

import pytest

from orderack import channels
from orderack.channels import load
from orderack.cli.channel_trial import Fate, Wanted, trial, tried
from orderack.domain.acknowledgement import Audience, Kind
from orderack.domain.order import ExternalId
from orderack.embedded.sandbox import Sandbox
from orderack.messages import MessageRenderer
from orderack.ports import Checks
from tests.cli.conftest import ROOT

TO = {
    "line": "U" + "0123456789abcdef" * 2,
    "viber": "01234567890A=",
    "whatsapp": "+15005550010",
}
ON = {"shopify_note": "820982911946154508", "woocommerce_note": "727"}
"""The shop's own order that a note is written on."""
KIND = {"activecampaign": Kind.CONFIRMATION}
"""It takes finished orders only."""


@pytest.fixture(scope="module")
def renderer() -> MessageRenderer:
    return MessageRenderer(ROOT / "policy" / "messages")


def address(name: str) -> str:
    traits = load()[name].adapter.traits
    if traits.audience is Audience.INTERNAL:
        return "ops"
    return TO.get(name) or {"email": "ada@example.com", "phone": "+15005550010"}.get(traits.address, "123456")


@pytest.mark.parametrize("name", sorted(load()))
async def test_every_channel_is_set_up_by_the_sandbox_checked_and_sends(
    sandbox: Sandbox, renderer: MessageRenderer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for variable, value in sandbox.environment().items():
        monkeypatch.setenv(variable, value)
    channel = channels.build([name])[name]
    on = ExternalId(system=name.removesuffix("_note"), id=ON[name]) if name in ON else None
    wanted = Wanted(to=address(name), kind=KIND.get(name, Kind.RECEIVED), language="en", on=on)
    message = trial(name, channel.traits, wanted, renderer, "https://acks.example.com")
    try:
        if isinstance(channel, Checks):
            assert await channel.check()
            assert sandbox.state.log.entries() == ()
        ended = await tried(channel, message)
    finally:
        await channel.aclose()
    assert (ended.fate, ended.detail if ended.fate is not Fate.ACCEPTED else "") == (Fate.ACCEPTED, "")
    if channel.name != "portal":
        assert len(sandbox.state.log.entries()) == 1
