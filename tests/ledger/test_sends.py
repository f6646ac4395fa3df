"""The send protocol: one winner per key, leases, doubts, and echoes that beat the retry (reliability.md §4.2)."""

import asyncio
from datetime import timedelta

import pytest

from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.ledger.repository import SqlLedger
from tests.ledger.samples import LEASE, NOW, REF, fact, key, message, outcome

LATER = NOW + LEASE
"""The first moment at which the first claim's lease is over."""


async def test_of_twenty_claims_at_once_one_wins(ledger: SqlLedger) -> None:
    claims = await asyncio.gather(*(ledger.claim(key(), message(key()), NOW, LEASE) for _ in range(20)))
    assert [claim.mine for claim in claims].count(True) == 1
    assert all(claim.send.attempts == 1 for claim in claims)


async def test_of_twenty_claims_at_once_on_an_expired_lease_one_wins(ledger: SqlLedger) -> None:
    await ledger.claim(key(), message(key()), NOW, LEASE)
    await asyncio.gather(*(ledger.ping() for _ in range(20)))  # connections are open: the claims truly meet
    claims = await asyncio.gather(*(ledger.claim(key(), message(key()), LATER, LEASE) for _ in range(20)))
    assert [claim.mine for claim in claims].count(True) == 1


@pytest.mark.parametrize(
    ("ended", "wait", "mine", "first"),
    [
        (None, timedelta(0), False, False),
        (None, LEASE - timedelta(microseconds=1), False, False),
        (None, LEASE, True, False),
        (SendState.ACCEPTED, LEASE, False, False),
        (SendState.REJECTED, LEASE, False, False),
        (SendState.UNKNOWN, LEASE, False, False),
        (SendState.UNAVAILABLE, timedelta(0), True, True),
    ],
)
async def test_a_second_claim_is_granted_only_where_nothing_can_go_out_twice(
    ledger: SqlLedger, ended: SendState | None, wait: timedelta, mine: bool, first: bool
) -> None:
    begun = await ledger.claim(key(), message(key()), NOW, LEASE)
    assert (begun.mine, begun.first, begun.send.state) == (True, True, SendState.CLAIMED)
    if ended:
        await ledger.finish(key(), outcome(ended), NOW)
    again = await ledger.claim(key(), message(key()), NOW + wait, LEASE)
    assert (again.mine, again.first) == (mine, first)
    assert again.send.state is (SendState.CLAIMED if mine else ended or SendState.CLAIMED)
    assert again.send.attempts == 1 + mine


async def test_every_attempt_sends_the_bytes_of_the_first_claim(ledger: SqlLedger) -> None:
    begun = await ledger.claim(key(), message(key(), "first words"), NOW, LEASE)
    again = await ledger.claim(key(), message(key(), "other words"), LATER, LEASE)
    assert again.mine
    assert again.send.message_json == begun.send.message_json == message(key(), "first words").model_dump_json()
    assert again.send.body_sha256 == begun.send.body_sha256


async def test_a_lease_that_ran_out_is_a_doubt_until_the_send_ends(ledger: SqlLedger) -> None:
    await ledger.claim(key(), message(key()), NOW, LEASE)
    again = await ledger.claim(key(), message(key()), LATER, LEASE)
    assert again.send.in_doubt_since == LATER
    assert (again.send.claimed_at, again.send.lease_until) == (NOW, LATER + LEASE)
    ended = await ledger.finish(key(), outcome(SendState.ACCEPTED, "p-1"), LATER)
    assert (ended.state, ended.in_doubt_since, ended.provider_id) == (SendState.ACCEPTED, None, "p-1")


async def test_a_doubt_is_dated_from_its_first_sign(ledger: SqlLedger) -> None:
    await ledger.claim(key(), message(key()), NOW, LEASE)
    await ledger.doubt(key(), "read timeout", NOW + timedelta(seconds=9), NOW + LEASE)
    await ledger.doubt(key(), "read timeout again", NOW + timedelta(seconds=20), NOW + LEASE)
    ended = await ledger.finish(key(), outcome(SendState.UNKNOWN), LATER)
    assert (ended.state, ended.in_doubt_since) == (SendState.UNKNOWN, NOW + timedelta(seconds=9))


@pytest.mark.parametrize(
    ("was", "then", "stands"),
    [
        (SendState.ACCEPTED, SendState.REJECTED, SendState.ACCEPTED),
        (SendState.ACCEPTED, SendState.UNKNOWN, SendState.ACCEPTED),
        (SendState.ACCEPTED, SendState.UNAVAILABLE, SendState.ACCEPTED),
        (SendState.REJECTED, SendState.UNKNOWN, SendState.REJECTED),
        (SendState.REJECTED, SendState.UNAVAILABLE, SendState.REJECTED),
        (SendState.REJECTED, SendState.ACCEPTED, SendState.ACCEPTED),
        (SendState.UNKNOWN, SendState.REJECTED, SendState.REJECTED),
        (SendState.UNKNOWN, SendState.ACCEPTED, SendState.ACCEPTED),
        (SendState.UNKNOWN, SendState.UNAVAILABLE, SendState.UNKNOWN),  # that one attempt was not sent frees no other
        (SendState.UNAVAILABLE, SendState.ACCEPTED, SendState.ACCEPTED),
    ],
)
async def test_a_later_end_replaces_an_earlier_one_only_where_it_is_truer(
    ledger: SqlLedger, was: SendState, then: SendState, stands: SendState
) -> None:
    await ledger.claim(key(), message(key()), NOW, LEASE)
    await ledger.finish(key(), outcome(was), NOW)
    ended = await ledger.finish(key(), outcome(then), LATER)
    assert ended.state is stands
    assert await ledger.send(str(key())) == ended


async def test_a_send_that_was_never_claimed_cannot_end(ledger: SqlLedger) -> None:
    with pytest.raises(LookupError):
        await ledger.finish(key(), outcome(SendState.ACCEPTED), NOW)
    await ledger.doubt(key(), "nothing there", NOW, NOW + LEASE)
    assert await ledger.sends(REF) == []


@pytest.mark.parametrize("state", [None, SendState.UNKNOWN, SendState.UNAVAILABLE])
@pytest.mark.parametrize("event", [EvidenceEvent.ACCEPTED, EvidenceEvent.DELIVERED, EvidenceEvent.BOUNCED])
async def test_an_echo_settles_a_send_in_doubt_and_beats_the_retry(
    ledger: SqlLedger, state: SendState | None, event: EvidenceEvent
) -> None:
    await ledger.claim(key(), message(key()), NOW, LEASE)
    await ledger.doubt(key(), "reset", NOW, NOW + LEASE)
    if state:
        await ledger.finish(key(), outcome(state), NOW)
    assert await ledger.record_evidence(REF, fact(event=event), "{}")
    again = await ledger.claim(key(), message(key()), LATER, LEASE)
    assert (again.mine, again.send.state, again.send.in_doubt_since) == (False, SendState.ACCEPTED, None)


@pytest.mark.parametrize("event", [EvidenceEvent.UNKNOWN, EvidenceEvent.OPTED_OUT])
async def test_a_word_that_proves_no_sending_settles_nothing(ledger: SqlLedger, event: EvidenceEvent) -> None:
    await ledger.claim(key(), message(key()), NOW, LEASE)
    assert await ledger.record_evidence(REF, fact(event=event, grade=Grade.E0), "{}")
    assert (await ledger.claim(key(), message(key()), LATER, LEASE)).mine


async def test_an_echo_of_one_channel_settles_no_other(ledger: SqlLedger) -> None:
    other = key(channel="twilio_sms")
    await ledger.claim(other, message(other), NOW, LEASE)
    assert await ledger.record_evidence(REF, fact(), "{}")
    assert (await ledger.sends(REF))[0].state is SendState.CLAIMED


async def test_the_providers_id_that_comes_after_its_echo_is_kept(ledger: SqlLedger) -> None:
    await ledger.claim(key(), message(key()), NOW, LEASE)
    await ledger.record_evidence(REF, fact(), "{}")
    ended = await ledger.finish(key(), outcome(SendState.ACCEPTED, "p-9"), LATER)
    assert ended.provider_id == "p-9"
    assert (found := await ledger.reported(None, "smtp_email", "p-9"))
    assert found.send == ended
    assert await ledger.reported(None, "twilio_sms", "p-9") is None
    assert await ledger.verify_chain(REF) == []


async def test_evidence_is_recorded_once_per_channel_and_id(ledger: SqlLedger) -> None:
    assert await ledger.record_evidence(REF, fact(), "raw")
    assert not await ledger.record_evidence(REF, fact(), "raw, sent again")
    assert await ledger.record_evidence(REF, fact().model_copy(update={"channel": "twilio_sms"}), "raw")
    assert [found.channel for found in await ledger.evidence(REF)] == ["smtp_email", "twilio_sms"]
    assert (await ledger.evidence(REF))[0] == fact()


async def test_of_twenty_deliveries_of_one_event_one_is_new(ledger: SqlLedger) -> None:
    new = await asyncio.gather(*(ledger.record_evidence(REF, fact(), "raw") for _ in range(20)))
    assert new.count(True) == 1
    assert await ledger.verify_chain(REF) == []


async def test_sends_of_an_order_are_listed_and_no_other_orders(ledger: SqlLedger) -> None:
    elsewhere = key(ref=REF.model_copy(update={"number": "1002"}))
    keys = [key(Kind.RECEIVED), key(), key(channel="twilio_sms"), key(Kind.UPDATE, n=2)]
    for offset, each in enumerate([*keys, elsewhere]):
        await ledger.claim(each, message(each), NOW + timedelta(seconds=offset), LEASE)
    assert [send.key for send in await ledger.sends(REF)] == [str(each) for each in keys]
    assert await ledger.send("no/such/key") is None


async def test_names_as_long_as_they_may_be_fit(ledger: SqlLedger) -> None:
    long = key(ref=REF.model_copy(update={"number": "9" * 200}), channel="c" * 200)
    assert (await ledger.claim(long, message(long), NOW, LEASE)).mine
    assert await ledger.send(str(long))
