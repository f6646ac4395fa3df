"""The mailbox shows the buttons of a chat's message in the words that its reader sees."""

from datetime import UTC, datetime

import httpx
import pytest

from orderack import channels
from orderack.channels import load
from orderack.domain.acknowledgement import Kind, SendKey
from orderack.embedded.sandbox import Sandbox
from orderack.embedded.sandbox.vendors.messenger import Messenger
from orderack.messages import MessageRenderer
from orderack.messages.samples import samples
from orderack.ports import Message
from tests.cli.conftest import ROOT
from tests.embedded.sandbox.test_every_channel import address

SHOWN = {
    "google_chat": ("Erhalt bestätigen", "Bestellung ansehen"),
    "line": ("Erhalt bestätigen", "Bestellung ansehen"),
    "messenger": ("Erhalt bestätigen", "Bestellung ansehen"),
    "telegram": ("Erhalt bestätigen", "Bestellung ansehen"),
    "viber": ("Erhalt bestätigen", "Bestellung ansehen"),
    "whatsapp": ("Erhalt bestätigen",),
}


@pytest.fixture(scope="module")
def renderer() -> MessageRenderer:
    return MessageRenderer(ROOT / "policy" / "messages")


def changed_order(name: str, renderer: MessageRenderer) -> Message:
    """The confirmation of a changed order, in German: it asks for the buyer's word."""
    content = list(samples(Kind.CONFIRMATION, "de"))[-1]
    rendered = renderer.render(content)
    return Message(
        key=SendKey(ref=content.order.ref, revision=2, kind=Kind.CONFIRMATION, n=1, channel=name),
        recipient=address(name),
        kind=Kind.CONFIRMATION,
        language="de",
        content=rendered.model_copy(update={"chat": "Erfunden & kurz"}),
        sender_name="Fjord",
        heard_at=datetime.now(UTC),
        order=content.order if load()[name].adapter.traits.needs_order else None,
    )


@pytest.mark.parametrize("name", sorted(SHOWN))
async def test_the_page_of_a_chats_message_shows_its_buttons_in_the_messages_language(
    sandbox: Sandbox, http: httpx.AsyncClient, renderer: MessageRenderer, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    for variable, value in sandbox.environment().items():
        monkeypatch.setenv(variable, value)
    if name == "messenger":
        (vendor,) = [one for one in sandbox.vendors if isinstance(one, Messenger)]
        vendor._heard[address(name)] = datetime.now(UTC).timestamp()
    channel = channels.build([name])[name]
    try:
        await channel.send(changed_order(name, renderer))
    finally:
        await channel.aclose()
    (shown,) = sandbox.state.outbox.find()
    assert shown.buttons == SHOWN[name]
    assert "Erfunden & kurz" in shown.text
    page = (await http.get(f"/mailbox/{shown.id}")).text
    assert all(f"<span>{words}</span>" in page for words in SHOWN[name])
