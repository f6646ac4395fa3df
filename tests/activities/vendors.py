"""Every channel at its vendor's look-alike: the real adapter, activity and ledger, and what was taken."""

import ssl
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest
from temporalio.exceptions import ApplicationError

from orderack import channels
from orderack.channels import load
from orderack.contracts.activities import AcknowledgeRequest, Dispatch
from orderack.domain.acknowledgement import Audience, Kind, SendOutcome, SendState
from orderack.domain.order import ChatId, ExternalId, Line, Order, OrderRef
from orderack.embedded.sandbox import Action, Fault, Operation, Sandbox, Target
from orderack.embedded.sandbox.record import Acceptance
from orderack.ports import Channel, Traits
from tests.activities.fakes import NoneChannel
from tests.activities.world import GIVE_UP, World, dispatch, request
from tests.ledger.samples import order

CHANNELS = tuple(name for name in sorted(load()) if name != "portal")
"""All that have a vendor."""
ONE_OF_EACH = ("line", "gmail", "twilio_sms", "telegram")
"""A key, a look-up, an echo, nothing."""


def one_of_each(names: Sequence[str] = CHANNELS) -> pytest.MarkDecorator:
    """A test by these channels; one of each class of idempotency is enough for what differs by class alone."""
    short = [name for name in names if name in ONE_OF_EACH] or names[:1]
    marked = [pytest.param(name, marks=() if name in short else pytest.mark.long) for name in names]
    return pytest.mark.parametrize("name", marked)


CHATS = {
    "whatsapp": "+15005550006",
    "line": "U" + "0123456789abcdef" * 2,
    "viber": "01234567890A=",
    "telegram": "15005550006",
    "messenger": "15005550006",
}
EXTERNAL = {"shopify": "820982911946154508", "woocommerce": "727", "salesforce": "801000000000001AAA"}
PATIENCE = 30
"""Attempts; a send that needs more never ends."""


def traits_of(name: str) -> Traits:
    return load()[name].adapter.traits


def target_of(name: str) -> Target:
    """The look-alike of this channel's vendor."""
    (found,) = [target for target in Target if name == target or name.startswith(f"{target}_")]
    return found


def an_order(number: str) -> Order:
    """An order with all that any of the channels asks for."""
    made = order(number)
    return made.model_copy(
        update={
            "lines": tuple(Line.model_validate(line.model_dump() | {"quantity": "2"}) for line in made.lines),
            "contacts": made.contacts.model_copy(
                update={
                    "email": f"{number.lower()}@example.com",
                    "chats": tuple(ChatId(platform=app, id=id_) for app, id_ in CHATS.items()),
                }
            ),
            "external_ids": tuple(ExternalId(system=system, id=id_) for system, id_ in EXTERNAL.items()),
        }
    )


@dataclass
class Vendor:
    """One channel, one message, and the vendor's own account of what it took."""

    name: str
    sandbox: Sandbox
    world: World
    ref: OrderRef
    before: int
    started: datetime
    n: int = 1
    ends: list[SendOutcome] = field(default_factory=list)

    @property
    def traits(self) -> Traits:
        return traits_of(self.name)

    def strikes(self, action: Action, **more: object) -> None:
        """The vendor misbehaves so, from now on."""
        values = {"target": target_of(self.name), "action": action, **more}
        self.sandbox.state.faults.add(Fault.model_validate(values))

    def struck(self) -> int:
        """How often it did."""
        return sum(standing.fired for standing in self.sandbox.state.faults.standings())

    def healthy(self) -> None:
        self.sandbox.state.faults.clear()

    def taken(self) -> list[Acceptance]:
        """The messages that the vendor took, and would not call the same as an earlier one."""
        entries = self.sandbox.state.log.entries(target_of(self.name))[self.before :]
        return [entry for entry in entries if entry.operation is Operation.SEND and not entry.repeated]

    def request(self, **more: object) -> AcknowledgeRequest:
        role = "buyer" if self.traits.audience is Audience.BUYER else "ops"
        made: Dispatch = dispatch(self.name, role).model_copy(update={"n": self.n})
        values = {"ref": self.ref, "dispatches": (made,), "give_up_at": self.started + GIVE_UP}
        return request(self.name, **(values | more))

    async def attempt(self, **more: object) -> SendOutcome | ApplicationError:
        """One attempt, by a worker that has just started."""
        try:
            (outcome,) = (await self.world.run(self.request(**more))).outcomes
        except ApplicationError as error:
            return error
        self.ends.append(outcome)
        return outcome

    async def until_it_ends(self) -> SendOutcome:
        """Attempts as Temporal makes them, each when it is asked for, until there is an outcome."""
        for waited in range(PATIENCE):
            ended = await self.attempt()
            if isinstance(ended, SendOutcome):
                return ended
            assert not ended.non_retryable, ended
            self.world.clock.advance(ended.next_retry_delay or timedelta(seconds=2**waited))
        raise AssertionError(f"{self.name} never ended: {ended}")

    async def judged(self) -> SendOutcome:
        """How it ended, which is true by the vendor's own account, and stays so when it is asked again."""
        outcome = await self.until_it_ends()
        self.is_true(outcome)
        again = await self.attempt()
        assert isinstance(again, SendOutcome)
        if outcome.state is not SendState.UNAVAILABLE:
            assert again == outcome
            self.is_true(again)
        return outcome

    def is_true(self, outcome: SendOutcome) -> None:
        """What an outcome may say, given what the vendor took."""
        count = len(self.taken())
        allowed = {
            SendState.ACCEPTED: (1,),
            SendState.REJECTED: (0,),
            SendState.UNAVAILABLE: (0,),
            SendState.UNKNOWN: (0, 1),
        }[outcome.state]
        assert count in allowed, f"{self.name} ended {outcome.state} ({outcome.detail}), and its vendor took {count}"


_NO_TLS = ssl.create_default_context()
"""The look-alikes speak none; to make one for each client is what would cost the time."""
_count = iter(range(10_000, 100_000))


@asynccontextmanager
async def vendor(
    name: str, sandbox: Sandbox, world: World, monkeypatch: pytest.MonkeyPatch, **settings: str
) -> AsyncIterator[Vendor]:
    """The channel set up by the sandbox alone, and a new order to tell."""
    environment = {"ORDERACK_ACTIVECAMPAIGN_KIND": Kind.RECEIVED, **sandbox.environment(), **settings}
    for variable, value in environment.items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(ssl, "create_default_context", lambda *of, **more: _NO_TLS)
    made: Channel = channels.build([name])[name]
    sandbox.state.faults.clear()
    world.channels[name] = cast("NoneChannel", made)
    world.clock.at = datetime.now(UTC)
    ref = await world.save(an_order(f"V-{next(_count)}"))
    try:
        yield Vendor(name, sandbox, world, ref, len(sandbox.state.log.entries(target_of(name))), world.clock.at)
    finally:
        await made.aclose()
