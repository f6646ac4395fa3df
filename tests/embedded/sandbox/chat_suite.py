"""What holds for every chat's look-alike and our adapter, configured by the sandbox's environment alone."""

import importlib
from collections.abc import AsyncIterator
from typing import ClassVar

import httpx
import pytest

from orderack.domain.acknowledgement import Kind, Reason, SendKey
from orderack.domain.evidence import EvidenceEvent
from orderack.domain.order import OrderRef
from orderack.embedded.sandbox import Action, Fault, Sandbox, Target
from orderack.errors import BadSignature, InDoubt, Refused, Unavailable
from orderack.ports import Channel, ChannelEvent, Checks, Message, RawRequest, Rendered
from orderack.registry import ChannelSpec, build
from tests.embedded.sandbox.conftest import Gateway, Received


class ChatSuite:
    """A vendor brings its names, and what it can report."""

    target: ClassVar[Target]
    recipient: ClassVar[str]
    refused_as: ClassVar[Reason] = Reason.BAD_RECIPIENT
    retry_after: ClassVar[float | None] = 7
    """What the adapter reads from a throttled answer that says 7."""
    remembers: ClassVar[bool] = False
    """The vendor knows a key again."""
    reports: ClassVar[int] = 0
    """Events that follow a send by themselves."""
    signs_body: ClassVar[bool] = True
    affirm_label: ClassVar[str] = "Got it"

    def message(self, number: str = "A-1", **content: str | None) -> Message:
        name = self.target.value
        shapes = {
            "subject": f"Order {number}",
            "text": f"We have order {number} <ü>",
            "affirm_label": self.affirm_label,
        }
        shapes["link"] = "https://acks.example.com/o/abc"
        return Message(
            key=SendKey(ref=OrderRef(store="shop", number=number), revision=1, kind=Kind.ALERT, n=1, channel=name),
            recipient=self.recipient,
            kind=Kind.ALERT,
            language="en",
            content=Rendered.model_validate(shapes | content),
            sender_name="Fjord",
        )

    @pytest.fixture
    async def channel(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Channel]:
        spec: ChannelSpec = importlib.import_module(f"orderack.channels.{self.target.value}").CHANNEL
        for variable in spec.variables:
            monkeypatch.delenv(variable.name, raising=False)
        for name, value in sandbox.environment().items():
            monkeypatch.setenv(name, value)
        built = build({self.target.value: spec})
        assert built.not_configured == {}
        channel = built[self.target.value]
        yield channel
        await channel.aclose()

    async def read(self, channel: Channel, post: Received) -> list[ChannelEvent]:
        """Verify as the gateway does; a changed byte of the proof (and of the body) must not pass."""
        request = RawRequest(url=post.url, headers=dict(post.headers), body=post.body)
        await channel.verify(request)
        if self.signs_body:
            with pytest.raises(BadSignature):
                await channel.verify(request.model_copy(update={"body": post.body + b" "}))
        return list(channel.events(request))

    async def done(
        self, channel: Channel, gateway: Gateway, http: httpx.AsyncClient, deed: str, text: str = ""
    ) -> ChannelEvent:
        """What the channel makes of the buyer's deed."""
        before = len(gateway.received)
        body = {"channel": channel.name, "match": "A-1", "deed": deed, "text": text}
        assert (await http.post("/reply", json=body)).status_code == 202
        post = (await gateway.wait_for(before + 1, f"/webhooks/{channel.name}"))[-1]
        (event,) = await self.read(channel, post)
        return event

    async def test_a_message_is_accepted_logged_and_shown(self, sandbox: Sandbox, channel: Channel) -> None:
        sent = await channel.send(self.message())
        (entry,) = sandbox.state.log.entries(self.target)
        assert (entry.provider_id, entry.key) == (sent.provider_id, self.message().key_text)
        (shown,) = sandbox.state.outbox.find("A-1", self.target)
        assert "We have order A-1" in shown.text
        assert "https://acks.example.com/o/abc" in [link.url for link in shown.links()]

    async def test_the_same_message_twice_is_as_many_messages_as_the_vendor_makes_of_it(
        self, sandbox: Sandbox, channel: Channel
    ) -> None:
        sent = [await channel.send(self.message()) for _ in range(2)]
        assert len({one.provider_id for one in sent}) == (1 if self.remembers else 2)
        assert len(sandbox.state.outbox.find("A-1", self.target)) == (1 if self.remembers else 2)

    async def test_a_cut_off_after_accept_is_in_doubt_and_the_message_is_out(
        self, sandbox: Sandbox, channel: Channel
    ) -> None:
        sandbox.state.faults.add(Fault(target=self.target, action=Action.CUT_OFF_AFTER_ACCEPT))
        with pytest.raises(InDoubt):
            await channel.send(self.message())
        assert len(sandbox.state.outbox.find("A-1", self.target)) == 1
        if self.remembers:
            await channel.send(self.message())
            assert len(sandbox.state.outbox.find("A-1", self.target)) == 1

    async def test_every_fault_has_its_fate(self, sandbox: Sandbox, channel: Channel) -> None:
        sandbox.state.faults.add(Fault(target=self.target, action=Action.REFUSE))
        with pytest.raises(Refused) as refused:
            await channel.send(self.message())
        assert refused.value.reason is self.refused_as
        assert refused.value.code
        sandbox.state.faults.add(Fault(target=self.target, action=Action.THROTTLE, retry_after=7))
        with pytest.raises(Unavailable) as later:
            await channel.send(self.message())
        assert (later.value.retry_after and later.value.retry_after.total_seconds()) == self.retry_after
        for action in (Action.FAIL, Action.CUT_OFF_BEFORE, Action.NONSENSE):
            sandbox.state.faults.add(Fault(target=self.target, action=action))
            with pytest.raises(InDoubt):
                await channel.send(self.message())
        assert sandbox.state.faults.unfired() == ()

    async def test_a_check_passes(self, channel: Channel) -> None:
        assert isinstance(channel, Checks)
        assert await channel.check()

    async def test_a_press_of_the_button_affirms_that_message(
        self, channel: Channel, gateway: Gateway, http: httpx.AsyncClient
    ) -> None:
        sent = await channel.send(self.message())
        await gateway.wait_for(self.reports)
        event = await self.done(channel, gateway, http, "press")
        assert event.event is EvidenceEvent.AFFIRMED
        assert event.key == self.message().key_text or (event.key is None and event.provider_id == sent.provider_id)
