"""`acknowledge`: what goes out, to whom, once; and how each answer of a provider ends."""

import asyncio
from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError

from activities import acknowledge
from orderack.contracts.activities import Facts, ForTeam, Offer, TeamWord
from orderack.domain.acknowledgement import Kind, Reason, SendState
from orderack.domain.order import Contacts, OrderRef
from orderack.domain.receipt import ErpReceipt
from orderack.errors import InDoubt, Misconfigured, Unavailable
from orderack.ports import Message, MessageLinks, Rendered, Sent
from tests.activities.fakes import (
    DOWN,
    REFUSED,
    THROTTLED,
    TOO_LONG,
    UNSET,
    KeyChannel,
    LookupChannel,
    NoneChannel,
    OwnersChannel,
    ScriptedErp,
    SmsChannel,
    failing,
    taking,
)
from tests.activities.world import ADDRESS, GIVE_UP, NOW, World, dispatch, request
from tests.ledger.samples import REF, journal, order, stored

RECEIPT = ErpReceipt(id="r-1", erp="main", store=REF.store, number=REF.number, document_id="SO-1", recorded_at=NOW)


async def test_the_buyer_is_told_in_the_shops_words_and_the_ledger_holds_what_was_sent(world: World) -> None:
    channel = world.with_channel(KeyChannel())
    (outcome,) = await world.send("key")
    (message,) = channel.taken
    held = await world.stored_send("key")
    assert (outcome.state, outcome.provider_id, outcome.body_sha256) == (SendState.ACCEPTED, "p-1", held.body_sha256)
    assert (message.recipient, message.key_text) == (ADDRESS, "north/1001/1/received/1/key")
    assert message.status_url == "https://shop.example/key"
    assert "1001" in message.content.text
    assert "Demo & Sons" in message.content.text
    assert held.message_json == message.model_dump_json()
    assert [entry.seq for entry in await world.ledger.entries(REF)] == [1]


async def test_a_retry_sends_the_stored_bytes_though_the_wording_has_changed(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = world.with_channel(KeyChannel(DOWN))
    await world.fail("key")
    monkeypatch.setattr(world.renderer, "render", lambda content: Rendered(text="other words"))
    await world.send("key")
    first, second = channel.attempts
    assert first.model_dump_json() == second.model_dump_json()
    assert "other words" not in second.content.text


@pytest.mark.parametrize("replies", [True, False])
async def test_the_wording_is_told_whether_the_channel_can_be_answered(
    world: World, replies: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = KeyChannel()
    monkeypatch.setattr(KeyChannel, "traits", KeyChannel.traits.model_copy(update={"replies": replies}))
    monkeypatch.setattr(world.renderer, "render", lambda content: Rendered(text=f"reply: {content.takes_replies}"))
    world.with_channel(channel)
    await world.send("key")
    (message,) = channel.attempts
    assert message.content.text == f"reply: {replies}"


async def test_what_was_sent_stays_sent_though_the_wording_has_been_broken_since(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    channel = world.with_channel(KeyChannel())
    first = await world.send("key")

    def broken(content: object) -> Rendered:
        raise Misconfigured("messages/en/received.txt.j2 is broken")

    monkeypatch.setattr(world.renderer, "render", broken)
    assert await world.send("key") == first
    world.clock.advance(2 * GIVE_UP)
    assert await world.send("key") == first
    assert len(channel.attempts) == 1


async def test_a_message_about_a_change_goes_to_the_contacts_of_the_revision_that_is_named(world: World) -> None:
    redirected = Contacts(email="elsewhere@example.com", language="de")
    await world.ledger.save_revision(
        stored(order(total="25.00").model_copy(update={"contacts": redirected}), 2), "fingerprint", journal(revision=2)
    )
    channel = world.with_channel(KeyChannel())
    change = {"revision": 2, "dispatches": (dispatch("key").model_copy(update={"kind": Kind.CHANGE_RECEIVED}),)}
    await world.send("key", **change, contacts_of=1, facts=Facts(changed_from=1))
    await world.send("key", **change | {"dispatches": (dispatch("key"),)})
    notice, other = channel.taken
    assert (notice.recipient, notice.language) == (ADDRESS, "en")
    assert "25.00" in notice.content.text
    assert (other.recipient, other.language) == ("elsewhere@example.com", "de")


async def test_a_message_for_contacts_that_are_no_longer_known_goes_to_nobody(world: World) -> None:
    channel = world.with_channel(KeyChannel())
    (outcome,) = await world.send("key", contacts_of=7)
    assert (outcome.state, outcome.reason) == (SendState.REJECTED, Reason.NO_RECIPIENT)
    assert channel.attempts == []


async def test_asked_twice_it_is_one_send_and_one_answer(world: World) -> None:
    channel = world.with_channel(NoneChannel())
    assert await world.send("none") == await world.send("none")
    assert len(channel.attempts) == 1


async def test_asked_twice_at_once_it_is_one_send(world: World) -> None:
    channel = world.with_channel(NoneChannel())
    answers = await asyncio.gather(world.send("none"), world.send("none"), return_exceptions=True)
    accepted = [answer for answer in answers if not isinstance(answer, BaseException)]
    waiting = [str(answer) for answer in answers if isinstance(answer, BaseException)]
    assert accepted
    assert all("another attempt holds this send" in text for text in waiting)
    assert len(channel.attempts) == 1
    assert await world.send("none") == accepted[0]


async def test_a_send_that_another_attempt_holds_is_waited_for_as_long_as_its_lease(world: World) -> None:
    channel = world.with_channel(KeyChannel())
    await world.claimed_by_another("key", timedelta(seconds=15))
    error = await world.fail("key")
    assert (error.type, error.non_retryable, error.next_retry_delay) == ("Unavailable", False, timedelta(seconds=30))
    assert channel.attempts == []


async def test_a_refusal_ends_the_send_with_the_providers_reason(world: World) -> None:
    channel = world.with_channel(KeyChannel(REFUSED))
    (outcome,) = await world.send("key")
    assert (outcome.state, outcome.reason) == (SendState.REJECTED, Reason.BLOCKED)
    assert outcome.detail == "E-17 it is on the block list"
    assert await world.send("key") == (outcome,)
    assert len(channel.attempts) == 1


async def test_what_a_channel_cannot_carry_is_rejected(world: World) -> None:
    world.with_channel(KeyChannel(TOO_LONG))
    (outcome,) = await world.send("key")
    assert (outcome.state, outcome.reason, outcome.detail) == (SendState.REJECTED, Reason.UNSUPPORTED, "max_length")


async def test_a_throttled_send_is_tried_again_when_the_provider_said(world: World) -> None:
    world.with_channel(NoneChannel(THROTTLED))
    error = await world.fail("none")
    assert (error.type, error.non_retryable, error.next_retry_delay) == ("Unavailable", False, timedelta(seconds=7))
    (outcome,) = await world.send("none")
    assert outcome.state is SendState.ACCEPTED


async def test_a_provider_out_of_reach_is_given_up_for_the_fallback_at_the_policys_time(world: World) -> None:
    channel = world.with_channel(LookupChannel(DOWN, DOWN))
    world.clock.advance(GIVE_UP - timedelta(seconds=1))
    await world.fail("lookup")
    world.clock.advance(timedelta(seconds=1))
    (outcome,) = await world.send("lookup")
    assert (outcome.state, outcome.reason, outcome.detail) == (SendState.UNAVAILABLE, None, "503")
    assert channel.taken == []


@pytest.mark.parametrize("known", [True, False], ids=["its key is missing", "there is no such channel"])
async def test_a_channel_that_is_not_configured_is_waited_for_and_then_given_up(world: World, known: bool) -> None:
    if known:
        world.with_channel(KeyChannel(UNSET, UNSET))
    error = await world.fail("key")
    assert (error.type, error.non_retryable) == ("Unavailable", False)
    world.clock.advance(GIVE_UP)
    (outcome,) = await world.send("key")
    assert (outcome.state, outcome.reason) == (SendState.UNAVAILABLE, Reason.NOT_CONFIGURED)


async def test_one_channel_out_of_reach_neither_stops_the_other_nor_sends_it_again(world: World) -> None:
    down, fine = world.with_channel(KeyChannel(THROTTLED)), world.with_channel(NoneChannel())
    error = await world.fail("key", "none")
    assert error.next_retry_delay == timedelta(seconds=7)
    assert (len(down.taken), len(fine.taken)) == (0, 1)
    outcomes = await world.send("key", "none")
    assert [(o.channel, o.state) for o in outcomes] == [("key", SendState.ACCEPTED), ("none", SendState.ACCEPTED)]
    assert (len(down.taken), len(fine.attempts)) == (1, 1)


async def test_of_several_waits_the_longest_is_kept(world: World) -> None:
    world.with_channel(KeyChannel(THROTTLED))
    world.with_channel(LookupChannel(DOWN))
    world.with_channel(NoneChannel())
    await world.claimed_by_another("none", timedelta(seconds=15))
    assert (await world.fail("lookup", "key", "none")).next_retry_delay == timedelta(seconds=30)


async def test_an_internal_message_goes_to_the_owners_role(world: World) -> None:
    channel = world.with_channel(OwnersChannel())
    await world.run(request(dispatches=(dispatch("owners", "duty_manager"),)))
    assert [message.recipient for message in channel.taken] == ["duty_manager"]


async def test_a_phone_number_is_sent_to_as_one(world: World) -> None:
    channel = world.with_channel(SmsChannel())
    await world.send("sms")
    assert [message.recipient for message in channel.taken] == ["+15005550006"]


async def test_a_buyer_without_an_address_of_the_channels_kind_has_no_recipient(world: World) -> None:
    channel = world.with_channel(SmsChannel())
    content = order("1002")
    ref = await world.save(content.model_copy(update={"contacts": content.contacts.model_copy(update={"phone": None})}))
    (outcome,) = await world.send("sms", ref=ref)
    assert (outcome.state, outcome.reason) == (SendState.REJECTED, Reason.NO_RECIPIENT)
    assert channel.attempts == []


async def test_where_the_erp_has_the_order_nothing_is_sent_and_its_receipt_returned(world: World) -> None:
    channel = world.with_channel(KeyChannel())
    world.erps["main"] = ScriptedErp(receipt=RECEIPT)
    result = await world.run(request("key", ask_erp="main"))
    assert (result.receipt, result.outcomes, channel.attempts) == (RECEIPT, (), [])
    assert world.erps["main"].asked == [(REF, 1)]


@pytest.mark.parametrize(
    "erp",
    [
        ScriptedErp(),
        ScriptedErp(receipt=RECEIPT, finding=failing(Unavailable("503"))),
        ScriptedErp(receipt=RECEIPT, finding=failing(InDoubt("reset"))),
        ScriptedErp(receipt=RECEIPT, finding=failing(Misconfigured("no key"))),
        ScriptedErp(receipt=RECEIPT, finding=taking(30)),
        ScriptedErp(name="another", receipt=RECEIPT),
    ],
    ids=["has it not", "is down", "cuts off", "is not configured", "is slow", "is unknown"],
)
async def test_the_message_goes_out_where_the_erp(
    world: World, erp: ScriptedErp, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert timedelta(seconds=5) == acknowledge.ASK_WITHIN
    monkeypatch.setattr(acknowledge, "ASK_WITHIN", timedelta(seconds=0.05))
    channel = world.with_channel(KeyChannel())
    world.erps[erp.name] = erp
    result = await world.run(request("key", ask_erp="main"))
    assert result.receipt is None
    assert [outcome.state for outcome in result.outcomes] == [SendState.ACCEPTED]
    assert len(channel.taken) == 1


async def test_an_order_that_the_ledger_does_not_hold_is_waited_for(world: World) -> None:
    channel = world.with_channel(KeyChannel())
    error = await world.fail("key", revision=2)
    assert (error.type, error.non_retryable) == ("Unavailable", False)
    unknown = await world.fail("key", ref=OrderRef(store="north", number="9999"))
    assert (unknown.type, channel.attempts) == ("Unavailable", [])


def _offer() -> Offer:
    content = order()
    return Offer(
        revision=1, content_hash=content.content_hash, team="kitchen", owner="chef", document_id="SO-1", answers=()
    )


def _to_team() -> dict[str, object]:
    told = ForTeam(word=TeamWord.OFFERED, revision=1, content_hash=order().content_hash, team="kitchen")
    alert = dispatch("owners", "chef").model_copy(update={"kind": Kind.ALERT})
    return {"dispatches": (alert,), "offer": _offer(), "facts": Facts(owner="chef", for_team=told)}


async def test_the_handoff_is_in_the_ledger_before_its_team_hears_of_it_and_once_however_often_it_is_told(
    world: World,
) -> None:
    await world.save()
    seen: list[int] = []

    class Watching(OwnersChannel):
        async def send(self, message: Message) -> Sent:
            seen.append(len(await world.ledger.open_handoffs(5)))
            return await super().send(message)

    channel = world.with_channel(Watching(DOWN))
    with pytest.raises(ApplicationError):
        await world.run(request(**_to_team()))
    (open_one,) = await world.ledger.open_handoffs(5)
    assert (open_one.team, open_one.revision) == ("kitchen", 1), "stored although the channel was away"
    await world.run(request(**_to_team()))
    await world.run(request(**_to_team()))
    assert set(seen) == {1}, "stored before it was told"
    assert len(channel.taken) == 1
    assert len(await world.ledger.open_handoffs(5)) == 1
    assert [entry.seq for entry in await world.ledger.entries(REF)] == [1]


async def test_a_message_to_the_team_leads_to_the_sheet_on_the_board(world: World) -> None:
    await world.save()
    channel = world.with_channel(OwnersChannel())
    world.links = lambda key, role, to: MessageLinks(sheet_url="https://shop.example/board/sheet/north/1001?revision=1")
    await world.run(request(**_to_team()))
    (message,) = channel.taken
    assert message.content.link == "https://shop.example/board/sheet/north/1001?revision=1"
    assert message.recipient == "chef"
    assert "kitchen" in message.content.text
    assert ADDRESS.lower() not in message.content.text.lower()
