"""Whatever a provider answers and however often we try, each class lets one message through at most."""

import itertools
import os
from datetime import timedelta

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from temporalio.exceptions import ApplicationError

from orderack.domain.acknowledgement import SendState
from orderack.domain.order import OrderRef
from tests.activities.fakes import (
    ACCEPTED,
    CUT_OFF,
    DOWN,
    KILLED_AFTER,
    KILLED_BEFORE,
    LOST,
    REFUSED,
    EchoChannel,
    KeyChannel,
    Killed,
    LookupChannel,
    NoneChannel,
    Step,
)
from tests.activities.world import GIVE_UP, LEASE, NOW, World, key
from tests.ledger.samples import order

STEPS = (ACCEPTED, CUT_OFF, LOST, DOWN, REFUSED, KILLED_AFTER, KILLED_BEFORE)
EXAMPLES = int(os.environ.get("ORDERACK_FUZZ_EXAMPLES", "20"))
WAITS = (LEASE / 3, LEASE, GIVE_UP)
_numbers = itertools.count(1)

TAKEN = {
    SendState.ACCEPTED: (1,),
    SendState.REJECTED: (0,),
    SendState.UNAVAILABLE: (0,),
    SendState.UNKNOWN: (0, 1),
}
"""What an outcome says of the provider: how many messages it may have taken."""


async def _attempt(world: World, channel: str, ref: OrderRef) -> SendState | None:
    """How the send stands after one attempt; None while it is to be tried again."""
    try:
        (outcome,) = await world.send(channel, ref=ref, give_up_at=NOW + GIVE_UP)
    except (ApplicationError, Killed):
        return None
    return outcome.state


@given(
    kind=st.sampled_from([KeyChannel, LookupChannel, EchoChannel, NoneChannel]),
    steps=st.lists(st.sampled_from(STEPS), min_size=1, max_size=6),
    waits=st.lists(st.sampled_from(WAITS), min_size=8, max_size=8),
    echoes=st.booleans(),
)
@settings(max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_one_message_at_most_and_an_outcome_that_is_true(
    world: World, kind: type[NoneChannel], steps: list[Step], waits: list[timedelta], echoes: bool
) -> None:
    ref = await world.save(order(f"P-{next(_numbers)}"))
    channel = world.with_channel(kind(*steps))
    sent, ended = str(key(channel.name, ref)), list[SendState]()
    world.clock.at = NOW
    for wait in waits:
        state = await _attempt(world, channel.name, ref)
        ended += [state] if state else []
        assert channel.taken_with(sent) <= 1
        if state:
            assert channel.taken_with(sent) in TAKEN[state]
        if echoes and kind is EchoChannel and channel.taken_with(sent):
            await world.echo(channel.name, ref=ref)
        world.clock.advance(wait)
    finals = {state for state in ended if state not in (SendState.UNAVAILABLE, SendState.UNKNOWN)}
    assert len(finals) <= 1, "an accepted or rejected send never becomes anything else"
    if echoes and kind is EchoChannel and channel.taken_with(sent) and ended:
        assert ended[-1] is SendState.ACCEPTED
