"""What holds for a vendor that sends to buyers and posts what became of it: the look-alike with our own adapter."""

import asyncio
import importlib
from collections.abc import AsyncIterator
from typing import ClassVar

import httpx
import pytest

from orderack.domain.acknowledgement import Kind, Reason, SendKey
from orderack.domain.evidence import EvidenceEvent
from orderack.domain.order import OrderRef
from orderack.embedded.sandbox import Action, Fault, Sandbox, Target
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable
from orderack.ports import Channel, ChannelEvent, Checks, Greets, Message, RawRequest, Rendered
from orderack.registry import ChannelSpec, build
from tests.embedded.sandbox.conftest import Gateway, Received


class ReportingSuite:
    """A vendor brings its names, and what it reports of a message by itself."""

    name: ClassVar[str]
    target: ClassVar[Target]
    recipient: ClassVar[str]
    secret: ClassVar[str]
    """The setting that signs us in."""
    reports: ClassVar[tuple[EvidenceEvent, ...]]
    retry_after: ClassVar[float | None] = None
    """What the adapter reads from a throttled answer that says 7."""
    greetings: ClassVar[int] = 0
    """Posts that ask whether the URL is ours, before the first event."""

    def message(self, gateway_url: str, number: str = "A-1", **content: str | None) -> Message:
        shapes = {"subject": f"Order {number}", "text": f"We have order {number} ✓", "sms": f"Order {number} is here"}
        return Message(
            key=SendKey(
                ref=OrderRef(store="shop", number=number), revision=1, kind=Kind.RECEIVED, n=1, channel=self.name
            ),
            recipient=self.recipient,
            kind=Kind.RECEIVED,
            language="en",
            content=Rendered.model_validate({**shapes, "html": f"<p>We have order {number}</p>", **content}),
            status_url=f"{gateway_url}/webhooks/{self.name}",
        )

    @pytest.fixture
    async def channel(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Channel]:
        channel = self.configured(sandbox, monkeypatch)
        yield channel
        await channel.aclose()

    def configured(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, **other: str) -> Channel:
        spec: ChannelSpec = importlib.import_module(f"orderack.channels.{self.name}").CHANNEL
        for variable in spec.variables:
            monkeypatch.delenv(variable.name, raising=False)
        for name, value in {**sandbox.environment(), **other}.items():
            monkeypatch.setenv(name, value)
        built = build({self.name: spec})
        assert built.not_configured == {}
        return built[self.name]

    async def read(self, channel: Channel, post: Received) -> list[ChannelEvent]:
        """As the gateway does: a greeting is answered and brings no event, all else is verified and read."""
        request = RawRequest(method=post.method, url=post.url, headers=dict(post.headers), body=post.body)
        if isinstance(channel, Greets) and await channel.greet(request) is not None:
            return []
        await channel.verify(request)
        return list(channel.events(request))

    async def told(self, channel: Channel, gateway: Gateway, count: int) -> list[ChannelEvent]:
        """The first `count` events that the gateway gets, greetings answered on the way."""
        events: list[ChannelEvent] = []
        for place in range(self.greetings + count):
            posts = await gateway.wait_for(place + 1, f"/webhooks/{self.name}")
            events += await self.read(channel, posts[place])
        return events

    async def done(
        self, channel: Channel, gateway: Gateway, http: httpx.AsyncClient, deed: str, text: str = ""
    ) -> ChannelEvent:
        """What the channel makes of the buyer's deed."""
        before = len(gateway.received)
        body = {"channel": self.name, "match": "A-1", "deed": deed, "text": text}
        assert (await http.post("/reply", json=body)).status_code == 202
        post = (await gateway.wait_for(before + 1, f"/webhooks/{self.name}"))[before]
        (event,) = await self.read(channel, post)
        return event

    async def test_a_message_is_accepted_logged_and_shown(
        self, sandbox: Sandbox, channel: Channel, gateway: Gateway
    ) -> None:
        sent = await channel.send(self.message(gateway.url))
        (entry,) = sandbox.state.log.entries(self.target)
        assert (entry.provider_id, entry.key) == (sent.provider_id, self.message(gateway.url).key_text)
        (shown,) = sandbox.state.outbox.find("A-1", self.target)
        assert "A-1" in shown.text

    async def test_its_reports_are_verified_and_read_by_the_adapter(self, channel: Channel, gateway: Gateway) -> None:
        message = self.message(gateway.url)
        sent = await channel.send(message)
        events = await self.told(channel, gateway, len(self.reports))
        assert sorted(event.event for event in events) == sorted(self.reports)
        assert {(event.key, event.provider_id) for event in events} == {(message.key_text, sent.provider_id)}

    async def test_a_bounce_is_reported(self, sandbox: Sandbox, channel: Channel, gateway: Gateway) -> None:
        sandbox.state.faults.add(Fault(target=self.target, action=Action.BOUNCE))
        await channel.send(self.message(gateway.url))
        events = await self.told(channel, gateway, len(self.reports))
        kinds = {event.event for event in events}
        assert EvidenceEvent.BOUNCED in kinds
        assert EvidenceEvent.DELIVERED not in kinds

    async def test_a_report_that_comes_twice_has_one_id(
        self, sandbox: Sandbox, channel: Channel, gateway: Gateway
    ) -> None:
        sandbox.state.faults.add(Fault(target=self.target, action=Action.DUPLICATE_WEBHOOK))
        await channel.send(self.message(gateway.url))
        events = await self.told(channel, gateway, 2 * len(self.reports))
        assert len({event.id for event in events}) == len(self.reports)

    async def test_without_webhooks_nothing_is_reported(
        self, sandbox: Sandbox, channel: Channel, gateway: Gateway
    ) -> None:
        sandbox.state.faults.add(Fault(target=self.target, action=Action.NO_WEBHOOK))
        await channel.send(self.message(gateway.url))
        await self.told(channel, gateway, 0)
        await asyncio.sleep(0.1)
        assert len(gateway.received) == self.greetings

    async def test_a_cut_off_after_accept_is_in_doubt_and_its_reports_settle_it(
        self, sandbox: Sandbox, channel: Channel, gateway: Gateway
    ) -> None:
        sandbox.state.faults.add(Fault(target=self.target, action=Action.CUT_OFF_AFTER_ACCEPT))
        message = self.message(gateway.url)
        with pytest.raises(InDoubt):
            await channel.send(message)
        assert len(sandbox.state.outbox.find("A-1", self.target)) == 1
        events = await self.told(channel, gateway, len(self.reports))
        assert {event.key for event in events} == {message.key_text}

    async def test_every_fault_has_its_fate(self, sandbox: Sandbox, channel: Channel, gateway: Gateway) -> None:
        message = self.message(gateway.url)
        sandbox.state.faults.add(Fault(target=self.target, action=Action.REFUSE))
        with pytest.raises(Refused) as refused:
            await channel.send(message)
        assert refused.value.reason in {Reason.BAD_RECIPIENT, Reason.OPTED_OUT}
        assert refused.value.code
        sandbox.state.faults.add(Fault(target=self.target, action=Action.THROTTLE, retry_after=7))
        with pytest.raises(Unavailable) as later:
            await channel.send(message)
        assert (later.value.retry_after and later.value.retry_after.total_seconds()) == self.retry_after
        for action in (Action.FAIL, Action.CUT_OFF_BEFORE, Action.NONSENSE):
            sandbox.state.faults.add(Fault(target=self.target, action=action))
            with pytest.raises(InDoubt):
                await channel.send(message)
        assert sandbox.state.faults.unfired() == ()

    async def test_a_check_passes_and_a_wrong_secret_neither_checks_nor_sends(
        self, sandbox: Sandbox, channel: Channel, gateway: Gateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert isinstance(channel, Checks)
        assert await channel.check()
        stranger = self.configured(sandbox, monkeypatch, **{self.secret: "wrong-0123456789"})
        assert isinstance(stranger, Checks)
        with pytest.raises(Misconfigured):
            await stranger.check()
        with pytest.raises(Misconfigured):
            await stranger.send(self.message(gateway.url))
        await stranger.aclose()
        assert sandbox.state.log.entries(self.target) == ()
