"""What holds for every look-alike with a mailbox: the adapter, set up by the sandbox's settings alone, gets along."""

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import ClassVar

import httpx
import pytest

from orderack import channels
from orderack.domain.acknowledgement import Reason
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.embedded.sandbox import Action, Fault, Operation, Sandbox, Target
from orderack.errors import BadSignature, InDoubt, Misconfigured, Refused, Unavailable
from orderack.ports import Channel, ChannelEvent, Checks, Message, Polls, RawRequest
from tests.conformance.channel import a_message
from tests.embedded.sandbox.conftest import Gateway


class MailboxSuite(ABC):
    """A test of a look-alike inherits it."""

    name: ClassVar[str]
    target: ClassVar[Target]
    receipts: ClassVar[str]
    """The setting by which receipts are asked for."""
    doors: ClassVar[Sequence[tuple[str, str]]]
    """Method and path of what only the mailbox's own app may do."""
    html: ClassVar[str] = "<p>Order A-1001 is with us. Ada Example, 1 Analytical Way.</p>"

    @property
    def message(self) -> Message:
        return a_message(self.name, "ada@example.com")

    @pytest.fixture
    async def channel(self, sandbox: Sandbox, monkeypatch: pytest.MonkeyPatch, tmp_path: str) -> AsyncIterator[Channel]:
        monkeypatch.chdir(tmp_path)
        for name, value in sandbox.environment().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv(self.receipts, "true")
        made = channels.build([self.name])[self.name]
        yield made
        await made.aclose()

    async def polled(self, channel: Channel) -> Sequence[ChannelEvent]:
        assert isinstance(channel, Polls)
        return await channel.poll(datetime.now(UTC) - timedelta(minutes=10))

    async def hinted(self, channel: Channel, gateway: Gateway, count: int = 1) -> Sequence[ChannelEvent]:
        """What the mailbox holds once that many genuine hints have come."""
        posts = await gateway.wait_for(count, f"/webhooks/{self.name}")
        for post in posts:
            request = RawRequest(url=post.url, headers=dict(post.headers), body=post.body)
            await channel.verify(request)
            assert channel.events(request) == ()
        return await self.polled(channel)

    async def test_a_message_is_sent_and_shown_as_its_reader_sees_it(self, channel: Channel, sandbox: Sandbox) -> None:
        sent = await channel.send(self.message)
        (entry,) = sandbox.state.log.entries(self.target)
        assert (entry.provider_id, entry.key, entry.recipient) == (
            sent.provider_id,
            self.message.key_text,
            "ada@example.com",
        )
        (posted,) = sandbox.state.outbox.find("A-1001", self.target)
        assert (posted.subject, (posted.html or "").strip()) == (self.message.content.subject, self.html)

    async def test_a_lost_answer_is_in_doubt_and_the_look_up_settles_it(
        self, channel: Channel, sandbox: Sandbox
    ) -> None:
        sandbox.state.faults.add(Fault(target=self.target, action=Action.CUT_OFF_AFTER_ACCEPT, match="ada@example.com"))
        with pytest.raises(InDoubt):
            await channel.send(self.message)
        found = await channel.lookup(self.message, datetime.now(UTC))
        assert found is not None
        assert found.provider_id == sandbox.state.log.entries(self.target)[0].provider_id
        assert sandbox.state.faults.unfired() == ()

    async def test_what_never_arrived_is_not_found_and_goes_out_once(self, channel: Channel, sandbox: Sandbox) -> None:
        sandbox.state.faults.add(Fault(target=self.target, action=Action.CUT_OFF_BEFORE))
        with pytest.raises(InDoubt):
            await channel.send(self.message)
        assert await channel.lookup(self.message, datetime.now(UTC)) is None
        await channel.send(self.message)
        assert len(sandbox.state.outbox.find("", self.target)) == 1

    @pytest.mark.parametrize(
        ("fault", "fate"),
        [
            ({"action": Action.REFUSE}, Refused),
            ({"action": Action.REFUSE, "code": "403"}, Misconfigured),
            ({"action": Action.THROTTLE, "retry_after": 7}, Unavailable),
            ({"action": Action.FAIL}, InDoubt),
            ({"action": Action.NONSENSE}, InDoubt),
            ({"action": Action.FAIL, "operation": Operation.ANY}, (InDoubt, Unavailable)),
        ],
    )
    async def test_every_fault_has_its_fate(
        self, channel: Channel, sandbox: Sandbox, fault: Mapping[str, object], fate: type[Exception]
    ) -> None:
        sandbox.state.faults.add(Fault.model_validate({"target": self.target, **fault}))
        with pytest.raises(fate) as caught:
            await channel.send(self.message)
        if isinstance(caught.value, Refused):
            assert caught.value.reason is Reason.BAD_RECIPIENT
        if isinstance(caught.value, Unavailable) and "retry_after" in fault:
            assert caught.value.retry_after == timedelta(seconds=7)
        assert sandbox.state.faults.unfired() == ()

    async def test_a_bounce_comes_into_the_mailbox_and_a_hint_to_us(
        self, channel: Channel, sandbox: Sandbox, gateway: Gateway
    ) -> None:
        sandbox.state.faults.add(Fault(target=self.target, action=Action.BOUNCE, match="ada@example.com", code="5.2.2"))
        sent = await channel.send(self.message)
        (event,) = await self.hinted(channel, gateway)
        assert (event.event, event.basis) == (EvidenceEvent.BOUNCED, f"{self.name}:failed:5.2.2")
        assert (event.provider_id, event.key) == (sent.provider_id, self.message.key_text)

    async def test_a_reply_brings_the_buyers_words(
        self, channel: Channel, gateway: Gateway, http: httpx.AsyncClient
    ) -> None:
        sent = await channel.send(self.message)
        await http.post("/reply", json={"channel": self.name, "match": "A-1001", "text": "Yes & thanks ✓\nAda"})
        events = [one for one in await self.hinted(channel, gateway) if one.event is EvidenceEvent.REPLIED]
        ((text, sender, grade, provider_id),) = [(e.text, e.sender, e.grade, e.provider_id) for e in events]
        assert (text, sender, grade, provider_id) == (
            "Yes & thanks ✓\nAda",
            "ada@example.com",
            Grade.E4,
            sent.provider_id,
        )

    async def test_a_reader_who_agrees_sends_a_notice_where_one_was_asked_for(
        self, channel: Channel, gateway: Gateway, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv(self.receipts, "false")
        quiet = channels.build([self.name])[self.name]
        key = self.message.key.model_copy(update={"n": 2})
        await quiet.send(self.message.model_copy(update={"key": key, "recipient": "bob@example.com"}))
        await quiet.aclose()
        none = await http.post("/reply", json={"channel": self.name, "match": "bob@example.com", "deed": "read"})
        assert none.status_code == 404
        await channel.send(self.message)
        await http.post("/reply", json={"channel": self.name, "match": "ada@example.com", "deed": "read"})
        events = [one for one in await self.hinted(channel, gateway) if one.event is EvidenceEvent.DISPLAYED]
        assert [event.grade for event in events] == [Grade.E3]

    async def test_an_opt_out_is_read(self, channel: Channel, gateway: Gateway, http: httpx.AsyncClient) -> None:
        sent = await channel.send(self.message)
        await http.post("/reply", json={"channel": self.name, "match": "A-1001", "deed": "opt_out"})
        events = await self.hinted(channel, gateway)
        assert [one.provider_id for one in events if one.event is EvidenceEvent.OPTED_OUT] == [sent.provider_id]

    async def test_a_hint_with_one_changed_word_is_refused(
        self, channel: Channel, gateway: Gateway, http: httpx.AsyncClient
    ) -> None:
        await channel.send(self.message)
        await http.post("/reply", json={"channel": self.name, "match": "A-1001", "text": "hello"})
        post = (await gateway.wait_for(1, f"/webhooks/{self.name}"))[-1]
        forged = self.forged(RawRequest(url=post.url, headers=dict(post.headers), body=post.body))
        with pytest.raises(BadSignature):
            await channel.verify(forged)

    @abstractmethod
    def forged(self, request: RawRequest) -> RawRequest:
        """The same with its proof spoilt."""

    async def test_a_check_is_well_and_a_strangers_secret_is_named(
        self, channel: Channel, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        assert isinstance(channel, Checks)
        assert "orders@shop.example.com" in await channel.check()
        monkeypatch.setenv(f"ORDERACK_{self.name.upper()}_CLIENT_SECRET", "a-strangers-secret")
        stranger = channels.build([self.name])[self.name]
        assert isinstance(stranger, Checks)
        with pytest.raises(Misconfigured, match=f"ORDERACK_{self.name.upper()}_"):
            await stranger.check()
        with pytest.raises(Misconfigured):
            await stranger.send(self.message)
        await stranger.aclose()

    async def test_a_stranger_gets_nothing(self, http: httpx.AsyncClient) -> None:
        for method, path in self.doors:
            answer = await http.request(method, f"/{self.target}{path}", headers={"Authorization": "Bearer guessed"})
            assert answer.status_code == 401, path
