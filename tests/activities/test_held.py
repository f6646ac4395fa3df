"""What no other channel can carry is held while its channel is down, and is lost neither then nor at its return."""

from datetime import timedelta

import pytest
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities._marks import ORDERACK, SOONEST
from activities._outages import PAUSED_FOR
from activities.invoice_in_erp import InvoiceInErp
from activities.sending import HELD_FOR
from orderack.contracts.activities import InvoiceRequest
from orderack.domain.acknowledgement import Kind, Reason, SendState
from orderack.domain.order import OrderRef
from orderack.errors import InDoubt, Refused, Unavailable
from orderack.ports import NO_LATER, Pause
from orderack.ports.channel_book import of_erp
from tests.activities.fakes import ACCEPTED, DOWN, REFUSED, THROTTLED, KeyChannel, NoneChannel, ScriptedErp, Step
from tests.activities.test_storm import Desk, storm
from tests.activities.test_storm import busy as busy
from tests.activities.test_storm import desk as desk
from tests.activities.world import NOW, World, dispatch, request
from tests.ledger.samples import REF, journal, order

LONG_AGO = {"give_up_at": NOW - timedelta(hours=1)}
"""Its patience was over before it could be tried."""


async def alone(world: World, number: str) -> OrderRef:
    """An order whose buyer is told by this channel or not at all."""
    return await world.save(order(number), ["key"])


async def test_a_message_that_is_risked_as_a_probe_and_fails_is_held_and_not_given_up(busy: World) -> None:
    channel = busy.with_channel(KeyChannel())
    ref = await alone(busy, "99")
    await storm(busy, busy.activity, "key")
    busy.clock.advance(SOONEST)
    channel.script = [DOWN]
    failed = await busy.fail("key", ref=ref, **LONG_AGO)
    assert failed.next_retry_delay == HELD_FOR
    busy.clock.advance(HELD_FOR)
    (outcome,) = await busy.send("key", ref=ref, **LONG_AGO)
    assert (outcome.state, len(channel.taken)) == (SendState.ACCEPTED, 1)


async def test_messages_that_all_come_back_at_once_wait_for_their_turn_however_long(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(KeyChannel, "traits", KeyChannel.traits.model_copy(update={"rate_per_second": 0.1}))
    channel = world.with_channel(KeyChannel())
    refs = [await alone(world, str(number)) for number in range(6)]
    await world.send("key", ref=refs[0], **LONG_AGO)
    later = [(ref, (await world.fail("key", ref=ref, **LONG_AGO)).next_retry_delay) for ref in refs[1:]]
    began = world.clock()
    for ref, after in later:
        world.clock.at = max(world.clock(), began + (after or timedelta(0)))
        (outcome,) = await world.send("key", ref=ref, **LONG_AGO)
        assert outcome.state is SendState.ACCEPTED
    assert len({message.key_text for message in channel.taken}) == len(refs)


async def test_what_was_held_survives_the_hiccups_of_the_return_and_what_was_not_is_given_up(world: World) -> None:
    channel = world.with_channel(KeyChannel())
    held, hurried = await alone(world, "1"), await alone(world, "2")
    await world.ledger.pause(Pause(channel="key", at=world.clock(), by="ann"))
    await world.fail("key", ref=held, **LONG_AGO)
    await world.ledger.resume("key")
    channel.script = [DOWN, THROTTLED, ACCEPTED, DOWN]
    assert (await world.fail("key", ref=held, **LONG_AGO)).next_retry_delay == HELD_FOR
    assert (await world.fail("key", ref=held, **LONG_AGO)).next_retry_delay == timedelta(seconds=7)
    assert [one.state for one in await world.send("key", ref=held, **LONG_AGO)] == [SendState.ACCEPTED]
    (outcome,) = await world.send("key", ref=hurried, **LONG_AGO)
    assert (outcome.state, outcome.reason) == (SendState.UNAVAILABLE, None)


@pytest.mark.parametrize("last", [True, False, None])
async def test_a_repeat_is_held_where_its_own_order_of_channels_ends_and_not_where_its_leg_s_does(
    world: World, last: bool | None
) -> None:
    """It goes by the leg's second channel first, and by the first, which left the doubt, last."""
    world.with_channel(KeyChannel())
    ref = await world.save(order("95"), ["none", "key"])
    await world.ledger.pause(Pause(channel="key", at=world.clock(), by="ann"))
    repeat = dispatch("key").model_copy(update={"n": 2, "last": last})
    wanted = {"ref": ref, "dispatches": (repeat,), "facts": request("key").facts}
    if last is False:
        (outcome,) = await world.send(**wanted)
        assert (outcome.state, outcome.reason) == (SendState.UNAVAILABLE, Reason.PAUSED)
    else:
        assert (await world.fail(**wanted)).next_retry_delay == HELD_FOR


@pytest.mark.parametrize("step", [ACCEPTED, REFUSED], ids=["out", "refused"])
async def test_of_two_messages_neither_waits_for_the_other_one_s_channel(world: World, step: Step) -> None:
    """`holding` to the buyer and the alert to the owner: what became of one is told while the other is held."""
    world.with_channel(KeyChannel())
    world.with_channel(NoneChannel(step))
    ref = await world.save(order("98"), ["key"], ["none", "another"])
    await world.ledger.pause(Pause(channel="key", at=world.clock(), by="ann"))
    both = (
        dispatch("none").model_copy(update={"kind": Kind.HOLDING}),
        dispatch("key", "owner").model_copy(update={"kind": Kind.ALERT}),
    )
    wanted = {"ref": ref, "dispatches": both, "facts": request("key").facts}
    told, held = await world.send(**wanted, in_parts=True)
    assert told.state is (SendState.ACCEPTED if step is ACCEPTED else SendState.REJECTED)
    assert (held.state, held.reason) == (SendState.CLAIMED, Reason.PAUSED)
    alone_now = await world.fail(**wanted | {"dispatches": both[1:]}, in_parts=True)
    assert alone_now.next_retry_delay == HELD_FOR, "nothing else is left to be told"
    assert (await world.fail(**wanted)).next_retry_delay == HELD_FOR, "an order that knows of no parts"


async def test_a_leg_is_held_until_its_message_has_gone_by_another_and_not_only_gone_on(world: World) -> None:
    """The fallback that the other leg goes on to may say no as well."""
    world.with_channel(KeyChannel())
    world.with_channel(NoneChannel(REFUSED))
    ref = await world.save(order("97"), ["key"], ["none", "another"])
    await world.ledger.pause(Pause(channel="key", at=world.clock(), by="ann"))
    held, refused = await world.send("key", "none", ref=ref, in_parts=True)
    assert (held.state, refused.state) == (SendState.CLAIMED, SendState.REJECTED)
    world.with_channel(NoneChannel())
    other = await world.save(order("96"), ["key"], ["none", "another"])
    held, told = await world.send("key", "none", ref=other, in_parts=True)
    assert (held.state, told.state) == (SendState.UNAVAILABLE, SendState.ACCEPTED)


async def test_a_recipient_that_is_none_says_nothing_of_a_channel_that_is_marked_down(busy: World) -> None:
    """An adapter may see that before it asks anybody."""
    channel = busy.with_channel(KeyChannel())
    await storm(busy, busy.activity, "key")
    busy.clock.advance(SOONEST)
    channel.script = [Step(error=Refused("no phone number", Reason.BAD_RECIPIENT))]
    ref = OrderRef(store=REF.store, number="9")
    (outcome,) = await busy.send("key", ref=ref)
    assert outcome.state is SendState.REJECTED
    mark = (await busy.ledger.paused()).get("key")
    assert mark is not None
    assert mark.probe_at == busy.clock() + SOONEST


async def test_a_mark_of_a_worker_whose_clock_is_hours_ahead_is_probed_all_the_same(desk: Desk) -> None:
    ahead = desk.world.clock() + timedelta(hours=3)
    await desk.world.ledger.pause(
        Pause(channel="erp/main", at=ahead, by=ORDERACK, probe_at=ahead + SOONEST, reason="no answer")
    )
    desk.erp.submitting = ScriptedErp().submitting
    assert not isinstance(await desk.submit(desk.worker(), 1), ApplicationError)
    assert await desk.mark() is None


async def test_a_probe_that_is_due_within_two_minutes_is_waited_for(desk: Desk) -> None:
    now = desk.world.clock()
    await desk.world.ledger.pause(
        Pause(channel="erp/main", at=now, by=ORDERACK, probe_at=now + NO_LATER, reason="no answer")
    )
    assert isinstance(await desk.submit(desk.worker(), 1), ApplicationError)
    assert not await desk.world.ledger.probe("erp/main", now, now + SOONEST)
    assert desk.asked == 0


async def test_a_ledger_that_does_not_answer_at_the_last_door_marks_nobody_down(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def away(ref: OrderRef) -> bool:
        raise Unavailable("the ledger's database does not answer")

    channel, sending, submitting = desk.world.with_channel(KeyChannel()), desk.world.activity, desk.worker()
    monkeypatch.setattr(desk.world.ledger, "is_shadow", away)
    for number in range(12):
        desk.world.clock.advance(timedelta(seconds=3))
        made = request("key", ref=OrderRef(store=REF.store, number=str(number)))
        with pytest.raises(ApplicationError) as caught:
            await ActivityEnvironment().run(sending.acknowledge, made)
        assert caught.value.type == "Unavailable"
        assert isinstance(await desk.submit(submitting, number), ApplicationError)
    assert (channel.attempts, desk.asked) == ([], 0)
    assert await desk.world.ledger.paused() == {}


class Invoicing(ScriptedErp):
    """It invoices, as its script says."""

    def __init__(self, *script: Exception | None) -> None:
        super().__init__()
        self.script = list(script)
        self.invoiced = 0

    async def invoice(self, ref: OrderRef, document_id: str) -> str:
        self.invoiced += 1
        if error := self.script.pop(0) if self.script else None:
            raise error
        return "INV-1"


async def test_invoices_wait_out_a_pause_and_probe_what_is_marked_down(desk: Desk) -> None:
    erp = desk.erp = desk.world.erps["main"] = Invoicing(Unavailable("503"), InDoubt("reset"))
    invoicing = InvoiceInErp(desk.world.ledger, desk.world.erps, desk.outages(), desk.world.clock)

    async def invoice() -> str | ApplicationError | None:
        made = InvoiceRequest(ref=REF, erp="main", document_id="SO-1", journal=journal(ref=REF))
        try:
            return (await ActivityEnvironment().run(invoicing.invoice_in_erp, made)).invoice_id
        except ApplicationError as error:
            return error

    await desk.world.ledger.pause(Pause(channel=of_erp("main"), at=NOW, by="ann"))
    turned_away = await invoice()
    assert isinstance(turned_away, ApplicationError)
    assert (turned_away.next_retry_delay, erp.invoiced) == (PAUSED_FOR, 0)
    await desk.world.ledger.resume(of_erp("main"))
    await desk.world.ledger.pause(
        Pause(channel=of_erp("main"), at=NOW, by=ORDERACK, probe_at=desk.world.clock(), reason="no answer")
    )
    for _ in range(2):
        assert isinstance(await invoice(), ApplicationError)
        mark = await desk.mark()
        assert mark is not None
        assert mark.probe_at is not None
        desk.world.clock.at = mark.probe_at
    assert await invoice() == "INV-1"
    assert (erp.invoiced, await desk.mark()) == (3, None)
