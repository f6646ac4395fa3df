"""A vendor that took our message and could not say so says it later: the report settles the doubt, and nothing is sent
twice. By every channel whose reports carry our key, from the look-alike's acceptance to the activity's outcome.
"""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace

import pytest
import pytest_asyncio

from orderack.domain.acknowledgement import SendState
from orderack.domain.evidence import Grade
from orderack.embedded.sandbox import Action, Behaviour, Sandbox, SandboxState
from orderack.embedded.sandbox.courier import Courier, Webhook
from orderack.gateway.webhooks import take
from orderack.ports import Channel, Greets, Idempotency, RawRequest
from tests.activities.conftest import own_ledger, renderer, world
from tests.activities.vendors import CHANNELS, Vendor, traits_of, vendor
from tests.activities.world import World
from tests.gateway.conftest import PUBLIC, Clock, parts_with
from tests.gateway.fakes import ScriptedOrders

__all__ = ["own_ledger", "renderer", "world"]

ECHOES = [name for name in CHANNELS if traits_of(name).idempotency is Idempotency.ECHO]


@pytest_asyncio.fixture
async def posted(monkeypatch: pytest.MonkeyPatch) -> list[Webhook]:
    """What the vendors post, kept instead of posted."""
    kept: list[Webhook] = []
    monkeypatch.setattr(Courier, "post", lambda self, webhook, after: kept.append(webhook))
    return kept


@pytest_asyncio.fixture(scope="module")
async def sandbox() -> AsyncIterator[Sandbox]:
    state = SandboxState(behaviour=Behaviour(delivered_after=0), callback_base=PUBLIC)
    async with Sandbox.start(state=state) as running:
        yield running


async def told(at: Vendor, posted: list[Webhook]) -> ScriptedOrders:
    """The gateway is told all that the vendor posted, twice."""
    orders = ScriptedOrders()
    channel: Channel = at.world.channels[at.name]
    parts = replace(parts_with(at.world.ledger, orders, Clock()), channels={at.name: channel})
    for webhook in [*posted, *posted]:
        url = webhook.url()
        assert url is not None
        headers = {name.lower(): value for name, value in webhook.signed(url).items()}
        request = RawRequest(url=url, headers=headers, body=webhook.body)
        if isinstance(channel, Greets) and await channel.greet(request):
            continue
        await channel.verify(request)
        for event in channel.events(request):
            await take(parts, at.name, event)
    return orders


@pytest.mark.parametrize("name", ECHOES)
@pytest.mark.parametrize("ended", [False, True], ids=["while it is in doubt", "when nobody knew any more"])
async def test_what_was_taken_and_not_answered_is_accepted_by_its_echo(
    name: str, ended: bool, sandbox: Sandbox, world: World, posted: list[Webhook], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with vendor(name, sandbox, world, monkeypatch) as at:
        at.strikes(Action.CUT_OFF_AFTER_ACCEPT)
        await at.attempt()
        if ended:
            assert (await at.until_it_ends()).state is SendState.UNKNOWN
        async with asyncio.timeout(60):
            while not posted:  # noqa: ASYNC110 - what is waited for has no event of its own
                await asyncio.sleep(0.01)
        orders = await told(at, posted)
        outcome = await at.judged()
        assert (outcome.state, len(at.taken())) == (SendState.ACCEPTED, 1)
        assert outcome.detail.startswith("by its echo")
        facts = await world.ledger.evidence(at.ref)
        assert facts
        assert len({fact.id for fact in facts}) == len(facts)
        assert max(fact.grade.rank for fact in facts) <= at.traits.evidence_ceiling.rank
        assert len({fact.id for fact in orders.facts}) == len(orders.facts)
        assert all(fact.grade.rank <= Grade.E2.rank for fact in facts), "nobody has read it"


@pytest.mark.parametrize("name", ECHOES)
async def test_what_was_not_taken_has_no_echo_and_stays_unknown(
    name: str, sandbox: Sandbox, world: World, posted: list[Webhook], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with vendor(name, sandbox, world, monkeypatch) as at:
        at.strikes(Action.CUT_OFF_BEFORE)
        outcome = await at.judged()
        assert (outcome.state, posted, at.taken()) == (SendState.UNKNOWN, [], [])
