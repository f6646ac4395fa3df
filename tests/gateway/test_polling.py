"""Mailboxes: read in time, at once when told to, and what they hold is taken once, as if it had been posted."""

import asyncio
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

import httpx
import pytest
from structlog.testing import capture_logs

from orderack import channels
from orderack.domain.acknowledgement import Kind, SendKey, SendOutcome, SendState
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.domain.order import OrderRef
from orderack.embedded.sandbox import Action, Behaviour, Fault, Sandbox, SandboxState, Target
from orderack.errors import Misconfigured, Unavailable
from orderack.gateway.app import create_app
from orderack.gateway.parts import GatewayParts
from orderack.gateway.polling import OVERLAP, REACH, Polling
from orderack.ports import ChannelEvent, Polls
from orderack.settings import Settings
from tests.conformance.channel import a_message
from tests.gateway.conftest import PUBLIC, Gateway
from tests.gateway.fakes import SigningChannel, signed
from tests.temporal.server import now

REF = OrderRef(store="demo", number="1001")


class Mailbox(SigningChannel):
    """A provider whose reports lie in a mailbox; its webhook is a hint."""

    name: ClassVar[str] = "mailbox"

    def __init__(self) -> None:
        self.mails: list[ChannelEvent] = []
        self.asked: list[datetime] = []
        self.failures: list[Exception] = []
        self.looked = asyncio.Event()

    async def poll(self, since: datetime) -> Sequence[ChannelEvent]:
        self.asked.append(since)
        self.looked.set()
        if self.failures:
            raise self.failures.pop(0)
        return list(self.mails)

    async def has_looked(self, times: int) -> None:
        async with asyncio.timeout(60):
            while len(self.asked) < times:
                self.looked.clear()
                await self.looked.wait()


def a_bounce(id: str = "m1", number: str = "1001") -> ChannelEvent:
    return ChannelEvent(
        id=id,
        event=EvidenceEvent.BOUNCED,
        grade=None,
        provider_id=f"p-{number}",
        occurred_at=now(),
        basis="mailbox:failed:5.1.1",
        raw="action: failed",
    )


def with_mailboxes(gateway: Gateway, *mailboxes: Mailbox, every: timedelta = timedelta(hours=1)) -> GatewayParts:
    channels = {**gateway.parts.channels, **{f"mailbox{n or ''}": box for n, box in enumerate(mailboxes)}}
    return replace(gateway.parts, channels=channels, poll_every=every)


async def test_what_a_mailbox_holds_is_taken_as_what_is_posted_and_once(gateway: Gateway) -> None:
    await gateway.accepted_send(REF, channel="mailbox")
    box = Mailbox()
    polling = Polling(with_mailboxes(gateway, box), "mailbox", box)
    box.mails = [a_bounce()]
    assert await polling.work() == 1
    assert await polling.work() == 0
    (fact,) = gateway.orders.facts
    assert (fact.id, fact.event, fact.channel) == ("m1", EvidenceEvent.BOUNCED, "mailbox")
    assert len(await gateway.ledger.evidence(REF)) == 1
    assert await gateway.inbox() == []


async def test_a_gateway_that_starts_again_reads_it_all_again_and_tells_nothing_twice(gateway: Gateway) -> None:
    await gateway.accepted_send(REF, channel="mailbox")
    box = Mailbox()
    box.mails = [a_bounce()]
    for _ in range(3):
        assert await Polling(with_mailboxes(gateway, box), "mailbox", box).work() == 1
    assert len(gateway.orders.facts) == len(await gateway.ledger.evidence(REF)) == 1


async def test_the_first_look_reaches_back_a_week_and_each_further_one_a_little_behind_the_last(
    gateway: Gateway,
) -> None:
    box = Mailbox()
    polling = Polling(with_mailboxes(gateway, box), "mailbox", box)
    began = gateway.clock()
    await polling.work()
    gateway.clock.ahead = timedelta(minutes=30)
    await polling.work()
    first, second = box.asked
    assert abs(first - (began - REACH)) < timedelta(seconds=5)
    assert abs(second - (began - OVERLAP)) < timedelta(seconds=5)


async def test_a_look_that_failed_is_made_up_for_by_the_next(gateway: Gateway) -> None:
    box = Mailbox()
    polling = Polling(with_mailboxes(gateway, box), "mailbox", box)
    await polling.work()
    box.failures = [Unavailable("down"), Misconfigured("check ORDERACK_MAILBOX_TOKEN")]
    gateway.clock.ahead = timedelta(hours=5)
    with pytest.raises(Unavailable):
        await polling.work()
    with capture_logs() as logs, pytest.raises(Misconfigured):
        await polling.work()
    assert [(line["log_level"], line["why"]) for line in logs] == [("error", "check ORDERACK_MAILBOX_TOKEN")]
    await polling.work()
    assert box.asked[1] == box.asked[2] == box.asked[3] < gateway.clock() - timedelta(hours=5)


async def test_what_could_not_be_recorded_is_taken_with_the_next_look(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    await gateway.accepted_send(REF, channel="mailbox")
    box = Mailbox()
    polling = Polling(with_mailboxes(gateway, box), "mailbox", box)
    await polling.work()
    receive, failing = gateway.ledger.receive, [True]

    async def away(*args: object, **named: object) -> object:
        if failing:
            failing.pop()
            raise Unavailable("the ledger is away")
        return await receive(*args, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(gateway.ledger, "receive", away)
    box.mails = [a_bounce()]
    gateway.clock.ahead = timedelta(hours=1)
    with pytest.raises(Unavailable):
        await polling.work()
    assert gateway.orders.facts == []
    assert await polling.work() == 1
    assert box.asked[1] == box.asked[2]
    assert len(gateway.orders.facts) == 1


async def test_an_event_that_no_code_foresaw_keeps_none_of_its_neighbours(
    gateway: Gateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    await gateway.accepted_send(REF, channel="mailbox")
    box = Mailbox()
    polling = Polling(with_mailboxes(gateway, box), "mailbox", box)
    receive = gateway.ledger.receive

    async def picky(source: str, external_id: str, *more: object) -> object:
        if external_id == "bad":
            raise RuntimeError("never thought of")
        return await receive(source, external_id, *more)  # type: ignore[arg-type]

    monkeypatch.setattr(gateway.ledger, "receive", picky)
    box.mails = [a_bounce("bad"), a_bounce("good")]
    assert await polling.work() == 1
    assert [fact.id for fact in gateway.orders.facts] == ["good"]


async def test_a_forged_report_is_kept_and_changes_nothing(gateway: Gateway) -> None:
    await gateway.accepted_send(REF, channel="mailbox")
    box = Mailbox()
    forged = a_bounce().model_copy(update={"event": EvidenceEvent.UNKNOWN, "provider_id": None})
    box.mails = [forged]
    await Polling(with_mailboxes(gateway, box), "mailbox", box).work()
    assert gateway.orders.facts == []
    assert [row.external_id for row in await gateway.inbox()] == ["m1"]


async def test_while_the_gateway_runs_a_mailbox_is_read_at_once_and_again_and_again(gateway: Gateway) -> None:
    box = Mailbox()
    app = create_app(with_mailboxes(gateway, box, every=timedelta(milliseconds=20)))
    async with app.router.lifespan_context(app):
        await box.has_looked(3)


async def test_one_mailbox_that_fails_or_hangs_keeps_no_other_from_being_read(gateway: Gateway) -> None:
    class Hangs(Mailbox):
        async def poll(self, since: datetime) -> Sequence[ChannelEvent]:
            await asyncio.Event().wait()
            raise AssertionError

    broken, fine = Mailbox(), Mailbox()
    broken.failures = [RuntimeError("never thought of"), Unavailable("down")]
    app = create_app(with_mailboxes(gateway, Hangs(), broken, fine, every=timedelta(milliseconds=20)))
    async with app.router.lifespan_context(app):
        await fine.has_looked(3)
        await broken.has_looked(4)


async def test_a_hint_that_is_genuine_has_the_mailbox_read_at_once(gateway: Gateway) -> None:
    await gateway.accepted_send(REF, channel="mailbox")
    box = Mailbox()
    app = create_app(with_mailboxes(gateway, box))
    transport = httpx.ASGITransport(app)
    async with app.router.lifespan_context(app), httpx.AsyncClient(transport=transport, base_url=PUBLIC) as http:
        await box.has_looked(1)
        box.mails = [a_bounce()]
        url = f"{PUBLIC}/webhooks/mailbox"
        forged = await http.post("/webhooks/mailbox", content=b"[]", headers=signed(b"[]", url, secret=b"guessed"))
        assert forged.status_code == 401
        await asyncio.sleep(0.05)
        assert len(box.asked) == 1, "anybody can post to us"
        hint = await http.post("/webhooks/mailbox", content=b"[]", headers=signed(b"[]", url))
        assert hint.status_code == 200
        await box.has_looked(2)
        async with asyncio.timeout(60):
            while not gateway.orders.facts:  # noqa: ASYNC110 - what is waited for has no event of its own
                await asyncio.sleep(0.01)


@pytest.mark.parametrize("name", ["gmail", "outlook"])
async def test_a_bounce_and_a_reply_in_a_vendors_mailbox_become_evidence_of_their_message(
    name: str, gateway: Gateway, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    async with Sandbox.start(state=SandboxState(behaviour=Behaviour(delivered_after=0))) as sandbox:
        monkeypatch.chdir(tmp_path)
        for variable, value in sandbox.environment().items():
            monkeypatch.setenv(variable, value)
        channel = channels.build([name])[name]
        assert isinstance(channel, Polls)
        sandbox.state.faults.add(Fault(target=Target(name), action=Action.BOUNCE, match="gone@example.com"))
        for n, recipient in enumerate(("ada@example.com", "gone@example.com"), 1):
            key = SendKey(ref=REF, revision=1, kind=Kind.CONFIRMATION, n=n, channel=name)
            message = a_message(name, recipient).model_copy(update={"key": key})
            await gateway.ledger.claim(key, message, gateway.clock(), timedelta(minutes=1))
            sent = await channel.send(message)
            outcome = SendOutcome(channel=name, state=SendState.ACCEPTED, provider_id=sent.provider_id)
            await gateway.ledger.finish(key, outcome, gateway.clock())
        async with httpx.AsyncClient(base_url=sandbox.url, trust_env=False) as buyer:
            await buyer.post("/reply", json={"channel": name, "match": "ada@example.com", "text": "Yes, thank you!"})
        polling = Polling(replace(gateway.parts, channels={name: channel}), name, channel)
        async with asyncio.timeout(60):
            while len(gateway.orders.facts) < 2:
                await polling.work()
        assert {fact.n: (fact.event, fact.grade, fact.basis) for fact in gateway.orders.facts} == {
            1: (EvidenceEvent.AFFIRMED, Grade.E5, f"{name}:reply:yes thank you"),
            2: (EvidenceEvent.BOUNCED, Grade.E0, f"{name}:failed:{'5.1.1' if name == 'gmail' else '5.1.10'}"),
        }
        await channel.aclose()


def test_how_often_is_a_setting() -> None:
    assert Settings(_env_file=None).poll_seconds == 60
