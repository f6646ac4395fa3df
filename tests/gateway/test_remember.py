"""What events say of an address is remembered by its hash: in any order, twice, and whether or not a message fits."""

from datetime import datetime, timedelta

import pytest

from orderack.domain.acknowledgement import Kind, SendOutcome, SendState
from orderack.domain.address import address_sha256
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from orderack.domain.order import OrderRef
from orderack.gateway.announce import PATIENCE, announce_stragglers
from orderack.gateway.watermarks import NEWEST, id_of
from orderack.ports import ChannelEvent, Reach
from tests.gateway.conftest import Gateway
from tests.gateway.test_replies import ADA, BOB, REF, button, out, reply, report
from tests.temporal.server import now

OPT = {True: EvidenceEvent.OPTED_OUT, False: EvidenceEvent.OPTED_IN}


def opt(out: bool, id: str = "o1", sender: str | None = ADA, at: datetime | None = None, **more: str) -> ChannelEvent:
    return ChannelEvent(
        id=id, event=OPT[out], grade=None, occurred_at=at or now(), basis=f"text:{id}", sender=sender, **more
    )


async def reach(gateway: Gateway, address: str = ADA, channel: str = "text") -> Reach:
    return await gateway.ledger.reach(channel, address_sha256(address))


async def test_an_opt_out_is_remembered_at_once_though_no_message_fits_it(gateway: Gateway) -> None:
    event = opt(True)
    answer = await report(gateway, event)
    assert answer.json()["waiting"] == 1
    held = await reach(gateway)
    assert (held.opted_out, held.opted_out_at, held.basis) == (True, event.occurred_at, "text:o1")
    assert await reach(gateway, BOB) == Reach()
    gateway.clock.ahead = PATIENCE + timedelta(minutes=1)
    await announce_stragglers(gateway.parts)
    assert (await reach(gateway)).opted_out_at == event.occurred_at
    assert await gateway.inbox() == []


async def test_an_opt_out_that_names_a_message_is_the_recipients(gateway: Gateway) -> None:
    key = await out(gateway)
    await report(gateway, opt(True, sender=None, key=str(key)))
    held = await reach(gateway)
    assert (held.opted_out, held.heard_at) == (True, None)
    assert [fact.event for fact in gateway.orders.facts] == [EvidenceEvent.OPTED_OUT]


@pytest.mark.parametrize("first", [True, False])
async def test_the_last_word_counts_by_its_own_time(gateway: Gateway, first: bool) -> None:
    stop, start = opt(True, "o1", at=now() - timedelta(minutes=2)), opt(False, "o2", at=now() - timedelta(minutes=1))
    for event in (stop, start) if first else (start, stop):
        await report(gateway, event)
    assert not (await reach(gateway)).opted_out


async def test_a_time_from_the_future_silences_nobody_for_ever(gateway: Gateway) -> None:
    await report(gateway, opt(True, "o1", at=now() + timedelta(days=400)))
    await report(gateway, opt(False, "o2", at=now() + timedelta(seconds=1)))
    held = await reach(gateway)
    assert held.opted_out_at is not None
    assert held.opted_out_at <= now()
    gateway.clock.ahead = timedelta(seconds=5)
    await report(gateway, opt(False, "o3", at=now() + timedelta(seconds=4)))
    assert not (await reach(gateway)).opted_out


async def test_an_opt_in_is_evidence_of_nothing_and_no_news_for_the_order(gateway: Gateway) -> None:
    key = await out(gateway, state=SendState.UNKNOWN)
    await report(gateway, opt(False, key=str(key)))
    (fact,) = await gateway.ledger.evidence(REF)
    assert (fact.event, fact.grade) == (EvidenceEvent.OPTED_IN, Grade.E0)
    send = await gateway.ledger.send(str(key))
    assert send is not None
    assert send.state is SendState.UNKNOWN
    assert gateway.orders.facts == []


async def test_an_opt_in_about_a_message_is_remembered_though_no_order_hears_of_it(gateway: Gateway) -> None:
    key = await out(gateway)
    await report(gateway, opt(True, "o1", key=str(key), at=now() - timedelta(minutes=2)))
    await report(gateway, opt(False, "o2", key=str(key)))
    held = await reach(gateway)
    assert (held.opted_out, held.basis) == (False, "text:o2")
    assert [fact.id for fact in gateway.orders.facts] == ["o1"]
    assert await gateway.inbox() == []


async def test_an_opt_in_that_the_sweep_tells_is_no_news_either(gateway: Gateway) -> None:
    await report(gateway, opt(False, provider_id="p-1"))
    await gateway.ledger.finish(
        await out(gateway), SendOutcome(channel="text", state=SendState.ACCEPTED, provider_id="p-1"), now()
    )
    gateway.clock.ahead = timedelta(minutes=1)
    await announce_stragglers(gateway.parts)
    assert gateway.orders.facts == []


@pytest.mark.parametrize("text", ["hello?", "yes"])
async def test_when_somebody_writes_it_is_remembered(gateway: Gateway, text: str) -> None:
    await out(gateway)
    event = reply(text)
    for _ in range(2):
        await report(gateway, event)
    assert await reach(gateway) == Reach(heard_at=event.occurred_at)


async def test_a_button_and_an_opt_in_are_words_too_and_a_report_is_none(gateway: Gateway) -> None:
    key = await out(gateway)
    pressed = button(key)
    await report(gateway, pressed.model_copy(update={"event": EvidenceEvent.DISPLAYED, "grade": Grade.E3}))
    assert await reach(gateway) == Reach()
    await report(gateway, pressed.model_copy(update={"id": "b2"}))
    assert (await reach(gateway)).heard_at == pressed.occurred_at
    started = opt(False, sender=BOB)
    await report(gateway, started)
    assert (await reach(gateway, BOB)).heard_at == started.occurred_at


async def test_inside_the_house_nobody_is_remembered(gateway: Gateway) -> None:
    await report(gateway, opt(True), "alerts")
    await report(gateway, reply("hello"), "alerts")
    assert await reach(gateway, channel="alerts") == Reach()


# -- watermarks ---------------------------------------------------------------------------------------------------


def seen(id: str = "w1", upto: datetime | None = None, sender: str = ADA) -> ChannelEvent:
    return ChannelEvent(
        id=id,
        event=EvidenceEvent.DISPLAYED,
        grade=Grade.E3,
        occurred_at=now(),
        basis="text:read",
        raw="{}",
        sender=sender,
        watermark=upto or now(),
    )


async def facts(gateway: Gateway, number: str) -> list[EvidenceFact]:
    return list(await gateway.ledger.evidence(OrderRef(store="demo", number=number)))


async def test_a_watermark_is_evidence_for_each_accepted_message_before_it(gateway: Gateway) -> None:
    minutes = timedelta(minutes=1)
    first = await out(gateway, ago=30 * minutes)
    second = await out(gateway, OrderRef(store="demo", number="2"), ago=20 * minutes)
    await out(gateway, OrderRef(store="demo", number="3"), ago=20 * minutes, to=BOB)
    await out(gateway, OrderRef(store="demo", number="4"), ago=20 * minutes, state=SendState.UNKNOWN)
    await out(gateway, OrderRef(store="demo", number="5"), ago=5 * minutes)
    answer = await report(gateway, seen(upto=now() - 10 * minutes))
    assert answer.json() == {"events": 1, "waiting": 0}
    (one,), (two,) = await facts(gateway, REF.number), await facts(gateway, "2")
    assert (one.id, two.id) == (id_of("w1", str(first)), id_of("w1", str(second)))
    assert (one.event, one.grade, one.basis) == (EvidenceEvent.DISPLAYED, Grade.E3, "text:read")
    assert [await facts(gateway, number) for number in "345"] == [[], [], []]
    assert sorted(fact.id for fact in gateway.orders.facts) == sorted((one.id, two.id))
    assert await gateway.inbox() == []


async def test_the_same_watermark_twice_is_once(gateway: Gateway) -> None:
    await out(gateway)
    event = seen()
    for _ in range(3):
        await report(gateway, event)
    assert len(await facts(gateway, REF.number)) == len(gateway.orders.facts) == 1


async def test_a_watermark_before_any_message_waits_and_is_given_up(gateway: Gateway) -> None:
    assert (await report(gateway, seen())).json()["waiting"] == 1
    gateway.clock.ahead = PATIENCE + timedelta(minutes=1)
    await announce_stragglers(gateway.parts)
    assert await gateway.inbox() == []
    assert gateway.orders.facts == []


async def test_a_message_that_waited_for_its_turn_was_not_seen_before_it_went(gateway: Gateway) -> None:
    earlier = now() - timedelta(minutes=9)
    key = await out(gateway, ago=timedelta(minutes=10))
    await gateway.ledger.turn(key, 1, earlier + timedelta(minutes=5))
    await report(gateway, seen(upto=earlier))
    assert await facts(gateway, REF.number) == []


async def test_it_reaches_back_a_month_and_to_fifty_messages(gateway: Gateway) -> None:
    for revision in range(1, NEWEST + 3):
        await out(gateway, kind=Kind.CONFIRMATION, revision=revision, ago=timedelta(days=2))
    await out(gateway, OrderRef(store="demo", number="old"), ago=timedelta(days=31))
    await report(gateway, seen())
    assert len(await facts(gateway, REF.number)) == NEWEST
    assert await facts(gateway, "old") == []


async def test_while_temporal_is_away_the_rest_is_told_later_and_nothing_twice(gateway: Gateway) -> None:
    await out(gateway)
    await out(gateway, OrderRef(store="demo", number="2"))
    gateway.orders.away = True
    assert (await report(gateway, seen())).json()["waiting"] == 1
    gateway.orders.away = False
    gateway.clock.ahead = timedelta(minutes=1)
    await announce_stragglers(gateway.parts)
    assert len(gateway.orders.facts) == 2
    assert (len(await facts(gateway, REF.number)), len(await facts(gateway, "2"))) == (1, 1)


async def test_a_report_is_erased_with_the_order_it_became_evidence_of_and_an_opt_out_is_kept(
    gateway: Gateway,
) -> None:
    await out(gateway)
    await report(gateway, seen())
    await report(gateway, reply("hello", "m2"))
    await report(gateway, opt(True, "o9", at=now()))
    before = await reach(gateway)
    assert before.heard_at is not None
    assert await gateway.ledger.erase(REF, "grace", "asked by the buyer", now())
    row = await gateway.ledger.receive("webhooks/text", "w1", "channel_event", None, "", now())
    assert row.body == ""
    assert await reach(gateway) == before.model_copy(update={"heard_at": None})
    assert (await reach(gateway)).opted_out


def test_ids_stay_within_a_name() -> None:
    assert len(id_of("x" * 200, "demo/1/1/confirmation/1/text")) <= 200
    assert id_of("w", "a") != id_of("w", "b")
