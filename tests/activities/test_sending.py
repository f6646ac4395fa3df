"""A send waits for its turn, honours pauses and opt-outs, and leaves room for other channels."""

import asyncio
from collections.abc import Mapping
from datetime import datetime, timedelta

import pytest
from temporalio.testing import ActivityEnvironment

from activities.sending import Sending
from orderack.domain.acknowledgement import Audience, Reason, SendKey, SendOutcome, SendState
from orderack.domain.address import address_sha256
from orderack.domain.order import OrderRef
from orderack.errors import Unavailable
from orderack.ledger import channel_book
from orderack.ports import ClaimResult, Medium, Message, Pause, Sent, Terms
from tests.activities.fakes import DOWN, LOST, THROTTLED, EchoChannel, KeyChannel, LookupChannel, NoneChannel, Step
from tests.activities.world import ADDRESS, GIVE_UP, LEASE, NOW, World, dispatch, key, request
from tests.ledger.samples import order

ADA = address_sha256(ADDRESS)
TRAITS = KeyChannel.traits


def trait(monkeypatch: pytest.MonkeyPatch, kind: type[NoneChannel] = KeyChannel, **changed: object) -> None:
    monkeypatch.setattr(kind, "traits", kind.traits.model_copy(update=changed))


async def busy(world: World, channel: str, sends: int, rate: float) -> None:
    """Other orders of the store have taken that many turns."""
    for number in range(sends):
        ref = await world.save(order(f"B-{number}"))
        taken = SendKey(ref=ref, revision=1, kind=request(channel).dispatches[0].kind, n=1, channel=channel)
        sent = await world._rendered(channel)
        await world.ledger.claim(taken, sent.model_copy(update={"key": taken}), NOW, LEASE)
        await world.ledger.turn(taken, rate, NOW)


# -- pauses -------------------------------------------------------------------------------------------------------


async def test_a_paused_channel_sends_nothing_and_the_fallback_has_its_turn_at_once(world: World) -> None:
    channel = world.with_channel(KeyChannel())
    await world.ledger.pause(Pause(channel="key", at=NOW, by="grace"))
    (outcome,) = await world.send("key")
    assert (outcome.state, outcome.reason, channel.attempts) == (SendState.UNAVAILABLE, Reason.PAUSED, [])
    await world.ledger.resume("key")
    (outcome,) = await world.send("key")
    assert (outcome.state, outcome.reason, len(channel.taken)) == (SendState.ACCEPTED, None, 1)


async def test_a_pause_holds_up_no_other_channel(world: World) -> None:
    world.with_channel(KeyChannel())
    fine = world.with_channel(NoneChannel())
    await world.ledger.pause(Pause(channel="key", at=NOW, by="grace"))
    assert [outcome.state for outcome in await world.send("key", "none")] == [
        SendState.UNAVAILABLE,
        SendState.ACCEPTED,
    ]
    assert len(fine.taken) == 1


async def test_what_ended_before_the_pause_stays_as_it_ended(world: World) -> None:
    world.with_channel(KeyChannel())
    first = await world.send("key")
    await world.ledger.pause(Pause(channel="key", at=NOW, by="grace"))
    assert await world.send("key") == first


async def test_a_send_in_doubt_waits_out_a_pause_for_its_fallback_could_be_a_second_send(world: World) -> None:
    channel = world.with_channel(KeyChannel(LOST))
    await world.fail("key")
    await world.ledger.pause(Pause(channel="key", at=NOW, by="grace"))
    world.clock.advance(GIVE_UP)
    error = await world.fail("key")
    assert (error.type, len(channel.attempts)) == ("Unavailable", 1)
    await world.ledger.resume("key")
    world.clock.advance(LEASE)
    (outcome,) = await world.send("key")
    assert outcome.state is SendState.ACCEPTED


# -- opt-outs -----------------------------------------------------------------------------------------------------


async def test_who_opted_out_is_not_written_to_and_the_ledger_says_why(world: World) -> None:
    channel = world.with_channel(KeyChannel())
    await world.ledger.opted("key", ADA, out=True, at=NOW, basis="key:stop")
    (outcome,) = await world.send("key")
    assert (outcome.state, outcome.reason, outcome.detail) == (SendState.REJECTED, Reason.OPTED_OUT, "key:stop")
    held = await world.stored_send("key")
    assert (held.state, held.reason, channel.attempts) == (SendState.REJECTED, Reason.OPTED_OUT, [])


async def test_who_opted_in_again_is(world: World) -> None:
    channel = world.with_channel(KeyChannel())
    await world.ledger.opted("key", ADA, out=True, at=NOW, basis="key:stop")
    await world.ledger.opted("key", ADA, out=False, at=NOW + timedelta(seconds=1), basis="key:start")
    await world.send("key")
    assert len(channel.taken) == 1


async def test_an_opt_out_is_of_one_channel(world: World) -> None:
    world.with_channel(KeyChannel())
    await world.ledger.opted("another", ADA, out=True, at=NOW, basis="another:stop")
    assert [outcome.state for outcome in await world.send("key")] == [SendState.ACCEPTED]


async def test_inside_the_house_nobody_opts_out(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    trait(monkeypatch, audience=Audience.INTERNAL)
    world.with_channel(KeyChannel())
    await world.ledger.opted("key", ADA, out=True, at=NOW, basis="key:stop")
    assert [outcome.state for outcome in await world.send("key")] == [SendState.ACCEPTED]


async def test_of_a_send_that_ends_in_doubt_it_is_told_since_when(world: World) -> None:
    world.with_channel(EchoChannel(LOST))
    began = world.clock()
    await world.fail("echo")
    world.clock.advance(LEASE)
    (outcome,) = await world.send("echo")
    assert (outcome.state, outcome.since) == (SendState.UNKNOWN, began)
    assert [one.since for one in await world.send("echo")] == [began]
    world.with_channel(KeyChannel())
    assert [one.since for one in await world.send("key")] == [None]


async def test_a_repeat_to_who_has_opted_out_since_goes_on_to_the_next_channel(world: World) -> None:
    channel = world.with_channel(KeyChannel())
    await world.ledger.opted("key", ADA, out=True, at=NOW, basis="key:stop")
    repeat = dispatch("key").model_copy(update={"n": 2, "last": False})
    (outcome,) = await world.send("key", dispatches=(repeat,), facts=request("key").facts)
    assert (outcome.state, outcome.reason, channel.attempts) == (SendState.REJECTED, Reason.OPTED_OUT, [])


async def test_an_opt_out_that_came_while_a_send_was_in_doubt_is_honoured_and_the_doubt_is_told(world: World) -> None:
    channel = world.with_channel(KeyChannel(LOST))
    await world.fail("key")
    await world.ledger.opted("key", ADA, out=True, at=NOW, basis="key:stop")
    world.clock.advance(LEASE)
    (outcome,) = await world.send("key")
    assert (outcome.state, len(channel.attempts)) == (SendState.UNKNOWN, 1)


async def test_a_send_that_a_lookup_finds_lost_is_refused_to_who_opted_out_since(world: World) -> None:
    channel = world.with_channel(LookupChannel(LOST))
    await world.fail("lookup")
    await world.ledger.opted("lookup", ADA, out=True, at=NOW, basis="lookup:stop")
    world.clock.advance(LEASE)
    (outcome,) = await world.send("lookup")
    assert (outcome.state, outcome.reason, len(channel.attempts)) == (SendState.REJECTED, Reason.OPTED_OUT, 1)


# -- what the message holds ---------------------------------------------------------------------------------------


async def test_a_message_holds_the_order_and_when_they_wrote_only_where_the_channel_needs_it(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.ledger.heard("key", ADA, NOW - timedelta(hours=2))
    await world.ledger.heard("none", ADA, NOW - timedelta(hours=2))
    trait(monkeypatch, needs_order=True, window=timedelta(hours=24))
    needing, plain = world.with_channel(KeyChannel()), world.with_channel(NoneChannel())
    await world.send("key", "none")
    (full,), (bare,) = needing.taken, plain.taken
    assert full.order == order()
    assert (full.sender_name, full.heard_at) == ("Demo & Sons", NOW - timedelta(hours=2))
    assert (bare.order, bare.sender_name, bare.heard_at) == (None, "Demo & Sons", None)


# -- keys that are forgotten --------------------------------------------------------------------------------------


@pytest.mark.parametrize(("after", "state", "attempts"), [(0, SendState.ACCEPTED, 2), (1, SendState.UNKNOWN, 1)])
async def test_a_doubt_older_than_the_vendors_memory_is_never_sent_again(
    world: World, after: int, state: SendState, attempts: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    trait(monkeypatch, key_lasts=timedelta(minutes=10))
    channel = world.with_channel(KeyChannel(LOST))
    await world.fail("key")
    world.clock.advance(timedelta(minutes=10) - LEASE - timedelta(seconds=1 - after))
    (outcome,) = await world.send("key")
    assert (outcome.state, len(channel.attempts)) == (state, attempts)


@pytest.mark.parametrize("takes", [True, False])
async def test_such_a_doubt_is_looked_up_where_that_can_be_done(
    world: World, takes: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    trait(monkeypatch, LookupChannel, idempotency=TRAITS.idempotency, key_lasts=timedelta(minutes=10))
    channel = world.with_channel(LookupChannel(Step(takes=takes, error=LOST.error)))
    await world.fail("lookup")
    world.clock.advance(timedelta(minutes=11))
    (outcome,) = await world.send("lookup")
    assert outcome.state is SendState.ACCEPTED
    assert (len(channel.taken), len(channel.lookups)) == (1, 1)


# -- turns --------------------------------------------------------------------------------------------------------


async def test_a_turn_that_is_near_is_waited_for(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    trait(monkeypatch, rate_per_second=1.0)
    channel = world.with_channel(KeyChannel())
    await busy(world, "key", 2, 1.0)
    await world.send("key")
    assert (world.slept, len(channel.taken)) == ([2.0], 1)


async def test_an_account_with_a_rate_of_its_own_keeps_to_that(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    trait(monkeypatch, NoneChannel, rate_per_second=1_000.0)
    world.rates["none"] = 1.0
    world.with_channel(NoneChannel())
    await busy(world, "none", 10, 1.0)
    assert (await world.fail("none")).next_retry_delay == timedelta(seconds=11)


async def test_sends_that_a_busy_worker_is_late_with_go_one_after_the_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger gave each its turn in time; the worker had no time for them, and now all are due at once."""

    usual = world.ledger.claim

    async def due(key: SendKey, message: Message, now: datetime, lease: timedelta, terms: Terms) -> ClaimResult:
        return (await usual(key, message, now, lease, terms)).model_copy(update={"turn_at": now})

    trait(monkeypatch, EchoChannel, rate_per_second=2.0)
    monkeypatch.setattr(world.ledger, "claim", due)
    channel, worker = world.with_channel(EchoChannel()), world.activity
    for n in range(1, 5):
        made = request("echo")
        dispatches = (made.dispatches[0].model_copy(update={"n": n}),)
        await ActivityEnvironment().run(worker.acknowledge, made.model_copy(update={"dispatches": dispatches}))
    assert (len(channel.taken), world.slept) == (4, [0.5, 0.5, 0.5])


async def test_a_turn_that_is_far_is_come_back_for_and_the_send_is_free_until_then(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    trait(monkeypatch, NoneChannel, rate_per_second=1.0)
    channel = world.with_channel(NoneChannel())
    await busy(world, "none", 10, 1.0)
    error = await world.fail("none")
    assert (error.type, error.non_retryable, error.next_retry_delay) == ("Unavailable", False, timedelta(seconds=11))
    assert ((await world.stored_send("none")).state, channel.attempts) == (SendState.UNAVAILABLE, [])
    world.clock.advance(timedelta(seconds=11))
    assert [outcome.state for outcome in await world.send("none")] == [SendState.ACCEPTED]
    assert (world.slept, len(channel.taken)) == ([], 1)


async def test_a_turn_that_comes_after_the_policys_patience_leaves_the_fallback_its_time(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    trait(monkeypatch, rate_per_second=0.01)
    channel = world.with_channel(KeyChannel())
    await busy(world, "key", 2, 0.01)
    patience = {"give_up_at": NOW + timedelta(seconds=30)}
    assert (await world.fail("key", **patience)).next_retry_delay == timedelta(seconds=30)
    world.clock.advance(timedelta(seconds=30))
    (outcome,) = await world.send("key", **patience)
    assert (outcome.state, outcome.reason, channel.attempts) == (SendState.UNAVAILABLE, None, [])


async def test_two_far_turns_of_a_batch_are_come_back_for_one_by_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    trait(monkeypatch, rate_per_second=1.0)
    trait(monkeypatch, NoneChannel, rate_per_second=0.1)
    world.with_channel(KeyChannel())
    world.with_channel(NoneChannel())
    await busy(world, "key", 10, 1.0)
    await busy(world, "none", 10, 0.1)
    assert (await world.fail("none", "key")).next_retry_delay == timedelta(seconds=11)


async def test_a_providers_own_delay_comes_before_a_turn(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    trait(monkeypatch, rate_per_second=1.0)
    world.with_channel(KeyChannel())
    world.with_channel(NoneChannel(THROTTLED))
    await busy(world, "key", 10, 1.0)
    assert (await world.fail("key", "none")).next_retry_delay == timedelta(seconds=7)


async def test_our_own_page_has_no_rate(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    trait(monkeypatch, rate_per_second=0.01)
    channel = world.with_channel(KeyChannel())
    await busy(world, "key", 3, 0.01)
    trait(monkeypatch, medium=Medium.PAGE)
    await world.send("key")
    assert len(channel.taken) == 1
    assert (await world.stored_send("key")).turn_at is None


async def test_a_ledger_that_fails_between_claim_and_send_makes_no_doubt(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise Unavailable("the ledger does not answer")

    channel = world.with_channel(EchoChannel())
    monkeypatch.setattr(channel_book, "_lanes", away)
    await world.fail("echo")
    assert await world.ledger.send(str(key("echo"))) is None, "without its turn it is not claimed either"
    monkeypatch.undo()
    assert [outcome.state for outcome in await world.send("echo")] == [SendState.ACCEPTED]
    assert len(channel.attempts) == 1


async def test_a_ledger_that_fails_between_a_doubt_settled_and_its_turn_makes_no_new_one(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(*_: object) -> None:
        raise Unavailable("the ledger does not answer")

    channel = world.with_channel(LookupChannel(LOST))
    await world.fail("lookup")
    world.clock.advance(LEASE)
    monkeypatch.setattr(world.ledger, "turn", away)
    await world.fail("lookup")
    assert (await world.stored_send("lookup")).in_doubt_since is None
    monkeypatch.undo()
    assert [outcome.state for outcome in await world.send("lookup")] == [SendState.ACCEPTED]
    assert len(channel.lookups) == 1


async def test_the_turn_is_taken_again_for_each_try(world: World) -> None:
    world.with_channel(KeyChannel(DOWN))
    await world.fail("key")
    first = (await world.stored_send("key")).turn_at
    world.clock.advance(timedelta(seconds=4))
    await world.send("key")
    assert (first, (await world.stored_send("key")).turn_at) == (NOW, NOW + timedelta(seconds=4))


# -- room for others ----------------------------------------------------------------------------------------------


class Hanging(KeyChannel):
    """A vendor that answers nobody until it is let go."""

    def __init__(self) -> None:
        super().__init__()
        self.let_go, self.full = asyncio.Event(), asyncio.Event()

    async def send(self, message: Message) -> Sent:
        self.attempts.append(message)
        if len(self.attempts) == Sending().at_once:
            self.full.set()
        await self.let_go.wait()
        return self._answer(Step(takes=True), message)


async def test_a_vendor_that_hangs_takes_only_its_share_of_the_worker(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    trait(monkeypatch, Hanging, rate_per_second=1_000.0)
    hanging = Hanging()
    world.with_channel(hanging)
    fine = world.with_channel(NoneChannel())
    refs = [await world.save(order(f"H-{number}")) for number in range(20)]
    activity, most = world.activity, Sending().at_once

    async def one(ref: OrderRef) -> SendOutcome | str:
        try:
            return (await activity.acknowledge(request("key", ref=ref))).outcomes[0]
        except Exception as error:
            return str(error)

    running = [asyncio.create_task(one(ref)) for ref in refs]
    await hanging.full.wait()
    ends = asyncio.as_completed(running)
    turned_away = [await next(ends) for _ in range(len(refs) - most)]
    assert all("in flight" in str(answer) for answer in turned_away)
    assert len(hanging.attempts) == most
    assert (await activity.acknowledge(request("none"))).outcomes[0].state is SendState.ACCEPTED
    assert len(fine.taken) == 1
    hanging.let_go.set()
    ended: Mapping[str, int] = {}
    for task in running:
        answer = await task
        state = answer.state if isinstance(answer, SendOutcome) else "turned away"
        ended = {**ended, state: ended.get(state, 0) + 1}
    assert ended == {SendState.ACCEPTED: most, "turned away": len(refs) - most}
    states = [(await world.stored_send("key", ref)).state for ref in refs]
    assert states.count(SendState.UNAVAILABLE) == len(refs) - most
