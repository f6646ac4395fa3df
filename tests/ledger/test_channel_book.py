"""What is remembered of addresses and channels: in any order, twice, by many at once."""

import asyncio
from datetime import datetime, timedelta
from itertools import permutations

import pytest

from orderack.domain.acknowledgement import Reason, SendOutcome, SendState
from orderack.domain.address import address_sha256
from orderack.domain.order import OrderRef
from orderack.ledger.repository import SqlLedger
from orderack.ports import Health, Message, Pause, Reach, Terms
from tests.ledger.samples import LEASE, NOW, REF, key, message

ADA = address_sha256("+15005550006")
BOB = address_sha256("+15005550007")


def at(minutes: float) -> datetime:
    return NOW + timedelta(minutes=minutes)


async def test_of_an_address_nobody_knows_nothing_is_known(ledger: SqlLedger) -> None:
    await ledger.opted("sms", BOB, out=True, at=NOW, basis="sms:stop")
    await ledger.opted("chat", ADA, out=True, at=NOW, basis="chat:stop")
    assert await ledger.reach("sms", ADA) == Reach()
    assert not Reach().opted_out


async def test_an_opt_out_is_remembered_with_what_it_rests_on(ledger: SqlLedger) -> None:
    for _ in range(2):
        await ledger.opted("sms", ADA, out=True, at=NOW, basis="sms:stop")
    reach = await ledger.reach("sms", ADA)
    assert reach == Reach(opted_out_at=NOW, basis="sms:stop")
    assert reach.opted_out


@pytest.mark.parametrize("words", list(permutations([(1, True), (2, False), (3, True), (4, False)], 3)), ids=str)
async def test_the_last_word_by_its_time_counts_in_whatever_order_they_come(
    ledger: SqlLedger, words: tuple[tuple[int, bool], ...]
) -> None:
    for minute, out in words:
        await ledger.opted("sms", ADA, out=out, at=at(minute), basis=f"sms:{minute}")
    last, out = max(words)
    reach = await ledger.reach("sms", ADA)
    assert (reach.opted_out, reach.basis) == (out, f"sms:{last}")


@pytest.mark.parametrize("first", [True, False])
async def test_of_an_opt_out_and_an_opt_in_at_the_same_moment_the_opt_out_counts(
    ledger: SqlLedger, first: bool
) -> None:
    for out in (first, not first):
        await ledger.opted("sms", ADA, out=out, at=NOW, basis="sms:word")
    assert (await ledger.reach("sms", ADA)).opted_out


async def test_when_they_last_wrote_only_moves_forward(ledger: SqlLedger) -> None:
    for minute in (2, 5, 1, 5):
        await ledger.heard("chat", ADA, at(minute))
    assert await ledger.reach("chat", ADA) == Reach(heard_at=at(5))


async def test_many_at_once_lose_no_word(ledger: SqlLedger) -> None:
    told = [ledger.heard("sms", ADA, at(minute)) for minute in range(12)]
    opted = [ledger.opted("sms", ADA, out=minute % 2 == 1, at=at(minute), basis="sms:w") for minute in range(12)]
    await asyncio.gather(*told, *opted)
    reach = await ledger.reach("sms", ADA)
    assert (reach.heard_at, reach.opted_out_at, reach.opted_out) == (at(11), at(11), True)


async def test_a_pause_stands_until_it_is_resumed(ledger: SqlLedger) -> None:
    first = Pause(channel="sms", at=NOW, by="grace", reason="the vendor's incident")
    paused = await asyncio.gather(*(ledger.pause(first) for _ in range(5)))
    assert sorted(paused) == [False] * 4 + [True]
    assert not await ledger.pause(Pause(channel="sms", at=at(1), by="linus"))
    assert await ledger.paused() == {"sms": first}
    resumed = await asyncio.gather(*(ledger.resume("sms") for _ in range(5)))
    assert sorted(resumed) == [False] * 4 + [True]
    assert await ledger.paused() == {}
    assert await ledger.pause(first)


# -- marked down ----------------------------------------------------------------------------------------------------

MARK = Pause(channel="erp/main", at=NOW, by="orderack", reason="no answer", probe_at=at(1))


async def test_of_many_workers_one_takes_the_probe_that_is_due(ledger: SqlLedger) -> None:
    assert sorted(await asyncio.gather(*(ledger.pause(MARK) for _ in range(5)))) == [False] * 4 + [True]
    assert not await ledger.probe("erp/main", at(1) - timedelta(seconds=1), at(2)), "none is due yet"
    taken = await asyncio.gather(*(ledger.probe("erp/main", at(1), at(2)) for _ in range(8)))
    assert sorted(taken) == [False] * 7 + [True]
    assert await ledger.probe("erp/main", at(2), at(4)), "whoever had it died"
    assert not await ledger.probe("erp/main", at(2), at(3)), "it had, and does not move the other's"
    assert await ledger.probe("erp/main", at(4), at(3)), "it has failed, and says when the next is due"
    assert (await ledger.paused())["erp/main"].probe_at == at(3)


async def test_a_mark_is_lifted_once(ledger: SqlLedger) -> None:
    await ledger.pause(MARK)
    assert sorted(await asyncio.gather(*(ledger.lift("erp/main") for _ in range(5)))) == [False] * 4 + [True]
    assert await ledger.paused() == {}
    assert not await ledger.probe("erp/main", at(9), at(10))


async def test_a_pause_by_hand_takes_a_mark_over_and_neither_probe_nor_lift_touches_it(ledger: SqlLedger) -> None:
    by_hand = Pause(channel="erp/main", at=at(2), by="ann", reason="the vendor said: until ten")
    await ledger.pause(MARK)
    assert sorted(await asyncio.gather(*(ledger.pause(by_hand) for _ in range(4)))) == [False] * 3 + [True]
    assert await ledger.paused() == {"erp/main": by_hand}
    assert not await ledger.pause(MARK), "and no mark takes it back"
    assert not await ledger.probe("erp/main", at(5), at(6))
    assert not await ledger.lift("erp/main")
    assert await ledger.paused() == {"erp/main": by_hand}
    assert await ledger.resume("erp/main")


async def test_whoever_resumes_by_hand_lifts_a_mark(ledger: SqlLedger) -> None:
    await ledger.pause(MARK)
    assert await ledger.resume("erp/main")
    assert not await ledger.lift("erp/main")


async def _end(ledger: SqlLedger, channel: str, number: int, state: SendState, **more: Reason) -> None:
    send = key(channel=channel, ref=OrderRef(store=REF.store, number=str(number)))
    await ledger.claim(send, message(send), at(number), LEASE)
    await ledger.finish(send, SendOutcome(channel=channel, state=state, **more), at(number))


async def test_health_is_the_last_success_and_the_last_failure_of_each_channel(ledger: SqlLedger) -> None:
    assert await ledger.health() == {}
    await _end(ledger, "sms", 1, SendState.ACCEPTED)
    await _end(ledger, "sms", 2, SendState.REJECTED, reason=Reason.BLOCKED)
    await _end(ledger, "sms", 3, SendState.ACCEPTED)
    await _end(ledger, "sms", 4, SendState.UNKNOWN)
    await _end(ledger, "mail", 5, SendState.UNAVAILABLE)
    await _end(ledger, "mail", 6, SendState.REJECTED, reason=Reason.BAD_RECIPIENT)
    await _end(ledger, "page", 7, SendState.ACCEPTED)
    assert await ledger.health() == {
        "mail": Health(failed_at=at(6), failure="rejected: bad_recipient"),
        "page": Health(accepted_at=at(7)),
        "sms": Health(accepted_at=at(3), failed_at=at(4), failure="unknown"),
    }


async def test_what_waits_for_its_turn_or_for_a_paused_channel_has_not_failed(ledger: SqlLedger) -> None:
    for number in range(4):
        send = key(channel="sms", ref=OrderRef(store=REF.store, number=str(number)))
        await ledger.claim(send, message(send), NOW, LEASE)
        await ledger.turn(send, 1, NOW)
    await ledger.finish(send, SendOutcome(channel="sms", state=SendState.UNAVAILABLE), NOW)
    await _end(ledger, "sms", 9, SendState.UNAVAILABLE, reason=Reason.PAUSED)
    assert await ledger.health() == {"sms": Health()}


# -- looked up and taken with the claim ---------------------------------------------------------------------------

TERMS = Terms(window=True, rate_per_second=2)


async def test_a_claim_takes_its_turn_and_knows_the_address(ledger: SqlLedger) -> None:
    first, second = key(n=1), key(n=2)
    await ledger.heard(first.channel, address_sha256("ada@example.com"), NOW)
    claim = await ledger.claim(first, message(first), NOW, LEASE, TERMS)
    assert (claim.mine, claim.paused, claim.reach.heard_at, claim.turn_at) == (True, None, NOW, NOW)
    assert Message.model_validate_json(claim.send.message_json).heard_at == NOW
    assert claim.send.turn_at == NOW
    assert (await ledger.claim(second, message(second), NOW, LEASE, TERMS)).turn_at == NOW + timedelta(seconds=0.5)
    stored = await ledger.send(str(second))
    assert stored is not None
    assert stored.turn_at == NOW + timedelta(seconds=0.5)
    later = key(n=3)
    await ledger.claim(later, message(later), NOW, LEASE)
    assert await ledger.turn(later, 2, NOW) == NOW + timedelta(seconds=1), "asked for apart, it is the next"


async def test_what_may_not_go_takes_no_turn(ledger: SqlLedger) -> None:
    pause = Pause(channel="smtp_email", at=NOW, by="grace")
    await ledger.pause(pause)
    paused = await ledger.claim(key(n=1), message(key(n=1)), NOW, LEASE, TERMS)
    assert (paused.mine, paused.paused, paused.turn_at) == (True, pause, None)
    await ledger.resume("smtp_email")
    doubtful = await ledger.claim(key(n=1), message(key(n=1)), NOW + LEASE, LEASE, TERMS)
    assert (doubtful.mine, doubtful.first, doubtful.turn_at) == (True, False, None)
    await ledger.opted("smtp_email", address_sha256("ada@example.com"), out=True, at=NOW, basis="smtp_email:stop")
    unwanted = await ledger.claim(key(n=2), message(key(n=2)), NOW, LEASE, TERMS)
    assert (unwanted.reach.opted_out, unwanted.turn_at) == (True, None)
    inside = await ledger.claim(key(n=3), message(key(n=3)), NOW, LEASE, TERMS.model_copy(update={"reach": False}))
    assert (inside.reach, inside.turn_at) == (Reach(), NOW), "nobody before it has taken a turn"
    held = await ledger.claim(key(n=3), message(key(n=3)), NOW, LEASE, TERMS)
    assert (held.mine, held.turn_at) == (False, None)
