"""Cut off while sending: each class of provider settles the doubt in its own way, and none is sent to twice."""

from datetime import timedelta

import pytest

from activities.sending import ECHO_WITHIN, REPEATABLE
from orderack.domain.acknowledgement import SendState
from orderack.domain.evidence import EvidenceEvent
from orderack.errors import InDoubt, Refused, Unavailable
from orderack.ports import Message, Sent
from tests.activities.fakes import (
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
from tests.activities.world import GIVE_UP, LEASE, NOW, World, request

BOTH = pytest.mark.parametrize("step", [CUT_OFF, LOST], ids=["after it was taken", "before it was taken"])
LATE = LEASE + timedelta(seconds=20)
"""Some time after the lease: the other attempt's worker is dead."""


WAITS = {"key": None, "lookup": LEASE, "echo": ECHO_WITHIN}
"""A key makes it the same send, which is tried again at the workflow's own pace; what can be looked up has to have come
to be seen; an echo has a while."""


async def _cut_off(world: World, channel: str) -> None:
    """One attempt that is cut off: it is to be tried again after what its class asks for, and not before."""
    error = await world.fail(channel)
    assert (error.type, error.non_retryable, error.next_retry_delay) == ("Unavailable", False, WAITS[channel])
    assert str(error).startswith("Unavailable: in doubt: ")
    if wait := WAITS[channel]:
        early = await world.fail(channel)
        assert "another attempt holds this send" in str(early)
        world.clock.advance(wait)


@BOTH
async def test_with_a_key_it_is_sent_again_with_the_same_key(world: World, step: Step) -> None:
    channel = world.with_channel(KeyChannel(step))
    await _cut_off(world, "key")
    (outcome,) = await world.send("key")
    assert outcome.state is SendState.ACCEPTED
    first, second = channel.attempts
    assert first == second
    assert len(channel.taken) == 1


async def test_with_a_key_a_provider_out_of_reach_leaves_the_doubt_standing_and_no_fallback_goes_out(
    world: World,
) -> None:
    channel = world.with_channel(KeyChannel(CUT_OFF, DOWN, DOWN))
    await _cut_off(world, "key")
    await world.fail("key")
    assert (await world.stored_send("key")).in_doubt_since == NOW
    world.clock.advance(2 * GIVE_UP)
    assert "503" in str(await world.fail("key"))
    world.clock.advance(LEASE)
    assert [outcome.state for outcome in await world.send("key")] == [SendState.ACCEPTED]
    assert len(channel.taken) == 1


async def test_with_a_lookup_what_is_found_is_accepted_at_once_and_not_sent_again(world: World) -> None:
    channel = world.with_channel(LookupChannel(CUT_OFF))
    await world.fail("lookup")
    (outcome,) = await world.send("lookup")
    assert (outcome.state, outcome.provider_id) == (SendState.ACCEPTED, "p-1")
    assert (len(channel.attempts), channel.lookups) == (1, [NOW])


async def test_with_a_lookup_what_is_not_found_is_sent_once_nobody_else_can_send_it(world: World) -> None:
    channel = world.with_channel(LookupChannel(LOST))
    await _cut_off(world, "lookup")
    assert (len(channel.attempts), channel.lookups) == (1, [NOW])
    (outcome,) = await world.send("lookup")
    assert outcome.state is SendState.ACCEPTED
    assert (len(channel.attempts), len(channel.taken), channel.lookups) == (2, 1, [NOW, NOW])


@pytest.mark.parametrize("error", [Unavailable("503"), InDoubt("reset"), Refused("forbidden")], ids=type)
async def test_nothing_is_sent_while_it_cannot_be_looked_up(
    world: World, error: Exception, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = world.with_channel(LookupChannel(CUT_OFF))

    async def fails(message: Message, since: object) -> Sent | None:
        raise error

    with monkeypatch.context() as away:
        away.setattr(channel, "lookup", fails)
        await _cut_off(world, "lookup")
        world.clock.advance(2 * GIVE_UP)
        failure = await world.fail("lookup")
        assert (failure.type, failure.non_retryable) == ("Unavailable", False)
    world.clock.advance(LEASE)
    assert [outcome.state for outcome in await world.send("lookup")] == [SendState.ACCEPTED]
    assert len(channel.attempts) == 1


async def test_with_a_key_a_dead_worker_is_waited_for_no_longer_than_it_goes_unnoticed(world: World) -> None:
    channel = world.with_channel(KeyChannel(KILLED_AFTER))
    with pytest.raises(Killed):
        await world.run(request("key"))
    early = await world.fail("key")
    assert early.next_retry_delay == REPEATABLE < LEASE
    world.clock.advance(REPEATABLE)
    assert [outcome.state for outcome in await world.send("key")] == [SendState.ACCEPTED]
    assert len(channel.taken) == 1


@pytest.mark.parametrize("kind", [LookupChannel, EchoChannel, NoneChannel])
async def test_without_a_key_nothing_is_sent_or_given_up_while_the_other_attempt_may_live(
    world: World, kind: type[NoneChannel]
) -> None:
    channel = world.with_channel(kind(KILLED_BEFORE))
    with pytest.raises(Killed):
        await world.run(request(channel.name))
    world.clock.advance(LEASE - timedelta(seconds=1))
    assert (await world.fail(channel.name)).next_retry_delay == timedelta(seconds=1)
    assert len(channel.attempts) == 1


@pytest.mark.parametrize("event", [EvidenceEvent.DELIVERED, EvidenceEvent.BOUNCED])
async def test_with_an_echo_it_is_accepted_by_the_providers_own_report(world: World, event: EvidenceEvent) -> None:
    channel = world.with_channel(EchoChannel(CUT_OFF))
    await _cut_off(world, "echo")
    await world.echo("echo", event)
    (outcome,) = await world.send("echo")
    assert (outcome.state, outcome.detail) == (SendState.ACCEPTED, f"by its echo: {event}")
    assert len(channel.attempts) == 1


async def test_an_echo_that_is_quicker_than_the_providers_answer_settles_it_at_once(world: World) -> None:
    channel = world.with_channel(EchoChannel())
    answer = channel.send

    async def echoes_first(message: Message) -> Sent:
        await answer(message)
        await world.echo("echo")
        raise InDoubt("reset")

    channel.send = echoes_first  # type: ignore[method-assign]
    assert [outcome.state for outcome in await world.send("echo")] == [SendState.ACCEPTED]
    assert len(channel.taken) == 1


@BOTH
async def test_with_no_echo_nobody_knows_and_it_is_never_sent_again(world: World, step: Step) -> None:
    channel = world.with_channel(EchoChannel(step))
    await _cut_off(world, "echo")
    first = await world.send("echo")
    world.clock.advance(2 * GIVE_UP)
    assert await world.send("echo") == first
    assert [outcome.state for outcome in first] == [SendState.UNKNOWN]
    assert len(channel.attempts) == 1


async def test_an_echo_that_comes_after_we_gave_up_still_settles_it(world: World) -> None:
    world.with_channel(EchoChannel(CUT_OFF))
    await _cut_off(world, "echo")
    await world.send("echo")
    await world.echo("echo")
    assert [outcome.state for outcome in await world.send("echo")] == [SendState.ACCEPTED]


@BOTH
async def test_with_nothing_to_ask_it_is_unknown_at_once_and_never_sent_again(world: World, step: Step) -> None:
    channel = world.with_channel(NoneChannel(step))
    first = await world.send("none")
    world.clock.advance(2 * GIVE_UP)
    assert await world.send("none") == first
    assert [outcome.state for outcome in first] == [SendState.UNKNOWN]
    assert first[0].detail == str(step.error)
    assert len(channel.attempts) == 1


@pytest.mark.parametrize(
    ("channel", "state", "attempts"),
    [
        (KeyChannel(), SendState.ACCEPTED, 1),
        (LookupChannel(), SendState.ACCEPTED, 1),
        (EchoChannel(), SendState.UNKNOWN, 0),
        (NoneChannel(), SendState.UNKNOWN, 0),
    ],
    ids=lambda value: getattr(value, "name", str(value)),
)
async def test_a_worker_that_died_between_claim_and_send_leaves_a_doubt_of_the_same_kind(
    world: World, channel: NoneChannel, state: SendState, attempts: int
) -> None:
    world.with_channel(channel)
    await world.claimed_by_another(channel.name, LATE)
    (outcome,) = await world.send(channel.name)
    assert (outcome.state, len(channel.attempts)) == (state, attempts)
    assert await world.send(channel.name) == (outcome,)
    assert len(channel.attempts) == attempts


async def test_an_echo_settles_the_send_of_a_worker_that_died(world: World) -> None:
    channel = world.with_channel(EchoChannel())
    await world.claimed_by_another("echo", LATE)
    await world.echo("echo")
    assert [outcome.state for outcome in await world.send("echo")] == [SendState.ACCEPTED]
    assert channel.attempts == []


@pytest.mark.parametrize("step", [KILLED_AFTER, KILLED_BEFORE], ids=["after it was taken", "before it was taken"])
@pytest.mark.parametrize(
    ("kind", "state"),
    [
        (KeyChannel, SendState.ACCEPTED),
        (LookupChannel, SendState.ACCEPTED),
        (EchoChannel, SendState.UNKNOWN),
        (NoneChannel, SendState.UNKNOWN),
    ],
)
async def test_a_worker_that_dies_while_sending_leaves_one_message_at_most(
    world: World, kind: type[NoneChannel], state: SendState, step: Step
) -> None:
    channel = world.with_channel(kind(step))
    with pytest.raises(Killed):
        await world.run(request(channel.name))
    world.clock.advance(LATE)
    (outcome,) = await world.send(channel.name)
    assert outcome.state is state
    assert len(channel.taken) == (1 if state is SendState.ACCEPTED else step.takes)


async def test_in_doubt_it_is_not_given_up_for_a_fallback(world: World) -> None:
    world.with_channel(EchoChannel(CUT_OFF))
    world.clock.advance(2 * GIVE_UP)
    assert (await world.fail("echo")).next_retry_delay == ECHO_WITHIN


async def test_a_refusal_of_the_second_attempt_ends_it(world: World) -> None:
    channel = world.with_channel(LookupChannel(LOST, REFUSED))
    await _cut_off(world, "lookup")
    assert [outcome.state for outcome in await world.send("lookup")] == [SendState.REJECTED]
    assert channel.taken == []
