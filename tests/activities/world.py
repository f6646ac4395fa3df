"""One order in a real ledger, scripted channels and an ERP, a clock that only the test moves, and the activity."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities.acknowledge import Acknowledge
from activities.sending import Sending
from orderack.channels import load
from orderack.contracts.activities import AcknowledgeRequest, AcknowledgeResult, Dispatch, Facts
from orderack.contracts.journal import Event
from orderack.domain.acknowledgement import Audience, Kind, SendKey, SendOutcome
from orderack.domain.assessment import Leg
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from orderack.domain.order import Order, OrderRef
from orderack.domain.store import StoreProfile
from orderack.errors import Misconfigured
from orderack.ledger.repository import SqlLedger
from orderack.messages import MessageRenderer
from orderack.ports import Channel, Message, MessageLinks, StoredSend
from tests.activities.fakes import NoneChannel, ScriptedErp
from tests.ledger.samples import REF, entry, journal, order, stored

NOW = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
LEASE = timedelta(seconds=45)
GIVE_UP = timedelta(hours=1)
ADDRESS = "Ada@Example.com"
KNOWN = ("none", "key", "lookup", "echo", "sms", "owners", *load())


@dataclass
class Clock:
    at: datetime = NOW

    def __call__(self) -> datetime:
        return self.at

    def advance(self, by: timedelta) -> None:
        self.at += by


@dataclass
class World:
    ledger: SqlLedger
    renderer: MessageRenderer
    clock: Clock = field(default_factory=Clock)
    channels: dict[str, NoneChannel] = field(default_factory=dict)
    erps: dict[str, ScriptedErp] = field(default_factory=dict)
    links: Callable[[SendKey, str, str], MessageLinks] = lambda key, role, to: MessageLinks(
        page_url="https://shop.example/o"
    )
    rates: dict[str, float] = field(default_factory=dict)
    slept: list[float] = field(default_factory=list)
    store: StoreProfile = field(default_factory=lambda: StoreProfile(id="north", display_name="Demo & Sons"))

    def with_channel(self, channel: NoneChannel) -> NoneChannel:
        self.channels[channel.name] = channel
        return channel

    def _channel(self, name: str) -> Channel:
        if name not in self.channels:
            raise Misconfigured(f"the channel {name} is not configured")
        return self.channels[name]

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.clock.advance(timedelta(seconds=seconds))

    @property
    def activity(self) -> Acknowledge:
        """As a worker that has just started has it: nothing is remembered but in the ledger."""
        sending = Sending(
            LEASE, lambda channel: f"https://shop.example/{channel}", self.links, rates=self.rates, sleep=self.sleep
        )
        stores: Callable[[str], StoreProfile] = lambda id_: self.store  # noqa: E731
        return Acknowledge(self.ledger, self._channel, self.erps, stores, self.renderer, sending, self.clock)

    async def save(self, content: Order | None = None, *chains: Sequence[str]) -> OrderRef:
        """Revision 1 of this order; `chains`: its channels, each with what comes after it. None: another one does."""
        content = content or order()
        known = stored(content)
        legs = tuple(Leg(channels=tuple(chain)) for chain in chains or [(name, "another") for name in KNOWN])
        decision = known.assessment.decision.model_copy(update={"legs": legs, "internal": legs})
        assessment = known.assessment.model_copy(update={"decision": decision})
        revision = known.model_copy(update={"assessment": assessment})
        await self.ledger.save_revision(revision, "fingerprint", journal(ref=content.ref))
        return content.ref

    async def run(
        self, request: AcknowledgeRequest, environment: ActivityEnvironment | None = None
    ) -> AcknowledgeResult:
        environment = environment or ActivityEnvironment()
        return await environment.run(self.activity.acknowledge, request)

    async def send(self, *channels: str, **more: object) -> tuple[SendOutcome, ...]:
        """The outcomes of one attempt at one message by each of these channels."""
        return (await self.run(request(*channels, **more))).outcomes

    async def fail(self, *channels: str, **more: object) -> ApplicationError:
        """How one attempt fails, as Temporal sees it."""
        with pytest.raises(ApplicationError) as caught:
            await self.run(request(*channels, **more))
        return caught.value

    async def stored_send(self, channel: str, ref: OrderRef = REF) -> StoredSend:
        found = await self.ledger.send(str(key(channel, ref)))
        assert found is not None
        return found

    async def claimed_by_another(self, channel: str, ago: timedelta) -> None:
        """Another worker claimed this send so long ago, and no more was heard of it."""
        sent = await self._rendered(channel)
        await self.ledger.claim(sent.key, sent, self.clock() - ago, LEASE)

    async def _rendered(self, channel: str) -> Message:
        """The message that the other worker made."""
        revision = await self.ledger.revision(REF, 1)
        assert revision is not None
        made = self.activity._message(
            request(channel), revision, None, dispatch(channel), self.channels[channel], key(channel)
        )
        assert made is not None
        return made

    async def echo(self, channel: str, event: EvidenceEvent = EvidenceEvent.DELIVERED, ref: OrderRef = REF) -> None:
        """The provider reports the message by its key."""
        fact = EvidenceFact(
            id=f"echo-{ref}-{channel}",
            event=event,
            grade=Grade.E2,
            channel=channel,
            revision=1,
            kind=Kind.RECEIVED,
            occurred_at=self.clock(),
        )
        await self.ledger.record_evidence(ref, fact, "{}")


def key(channel: str, ref: OrderRef = REF) -> SendKey:
    return SendKey(ref=ref, revision=1, kind=Kind.RECEIVED, n=1, channel=channel)


def dispatch(channel: str, role: str = "buyer") -> Dispatch:
    audience = Audience.BUYER if role == "buyer" else Audience.INTERNAL
    return Dispatch(kind=Kind.RECEIVED, channel=channel, audience=audience, recipient_role=role)


def request(*channels: str, **more: object) -> AcknowledgeRequest:
    """`received` of revision 1 by each of these channels; `more` replaces fields of the request."""
    ref = OrderRef.model_validate(more.get("ref", REF))
    made = AcknowledgeRequest(
        ref=ref,
        revision=1,
        dispatches=tuple(dispatch(channel) for channel in channels),
        facts=Facts(decided_by=NOW + timedelta(hours=4)),
        give_up_at=NOW + GIVE_UP,
        journal=journal([entry(1, Event.ORDER_ACCEPTED)], ref=ref),
    )
    return AcknowledgeRequest.model_validate(made.model_dump() | more)
