"""What fails for many orders is marked down: by whichever worker sees it, probed by one at a time, lifted by the first
answer. A worker is an object of its own here, with the same ledger."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
from sqlalchemy import event
from temporalio.exceptions import ApplicationError
from temporalio.testing import ActivityEnvironment

from activities import Outages, SubmitToErp
from activities._marks import LEASE, ORDERACK, SLOWEST, SOONEST, between_probes
from activities._outages import AWAY_FROM, BEHIND, PAUSED_FOR
from activities.acknowledge import Acknowledge
from activities.cancel_in_erp import CancelInErp
from activities.sending import AWAY_FROM as CHANNEL_AWAY_FROM
from activities.sending import HELD_FOR
from orderack.contracts.activities import CancelInErpRequest, ErpAnswer, SubmitToErpRequest
from orderack.domain.acknowledgement import Reason, SendOutcome, SendState
from orderack.domain.order import OrderRef
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable
from orderack.ports import Pause
from orderack.ports.channel_book import of_erp
from tests.activities.fakes import (
    ACCEPTED,
    DOWN,
    LOST,
    REFUSED,
    THROTTLED,
    EchoChannel,
    KeyChannel,
    NoneChannel,
    Step,
    failing,
)
from tests.activities.fakes import ScriptedErp as Erp
from tests.activities.world import NOW, World, request
from tests.ledger.samples import REF, journal, order

SECOND = timedelta(seconds=1)


@dataclass
class Desk:
    """The ERP's workers."""

    world: World
    erp: Erp = field(default_factory=Erp)
    woken: list[str] = field(default_factory=list)
    seen: list[Outages] = field(default_factory=list)
    sleeping: bool = False
    """Whether a submission of theirs waits in Temporal."""

    def __post_init__(self) -> None:
        self.world.erps["main"] = self.erp

    def worker(self) -> SubmitToErp:
        return SubmitToErp(self.world.ledger, self.world.erps, self.outages(), self.world.clock)

    def outages(self) -> Outages:
        made = Outages(self.world.ledger, self.wake, self.world.clock)
        self.seen.append(made)
        return made

    def end(self) -> None:
        """What the workers do beside their activities ends with them."""
        for made in self.seen:
            for task in (*made._probing.values(), *made._waking.values()):
                task.cancel()

    async def wake(self, ref: OrderRef, activity: str) -> bool:
        self.woken.append(ref.number)
        return self.sleeping

    @property
    def asked(self) -> int:
        """Orders that the ERP was given."""
        return len(self.erp.booked)

    async def submit(self, worker: SubmitToErp, number: int | str) -> ErpAnswer | ApplicationError:
        ref = OrderRef(store=REF.store, number=str(number))
        made = SubmitToErpRequest(ref=ref, revision=1, erp="main", journal=journal(ref=ref))
        try:
            return (await ActivityEnvironment().run(worker.submit_to_erp, made)).answer
        except ApplicationError as error:
            return error

    async def goes_down(self, worker: SubmitToErp, error: Exception | None = None) -> ApplicationError:
        """Five orders fail over 20 s; how the last of them failed."""
        self.erp.submitting = failing(error or Unavailable("503"))
        last: ErpAnswer | ApplicationError | None = None
        for place in range(5):
            self.world.clock.advance(AWAY_FROM / 4 if place else timedelta(0))
            last = await self.submit(worker, place)
        assert isinstance(last, ApplicationError)
        return last

    async def mark(self) -> Pause | None:
        return (await self.world.ledger.paused()).get(of_erp("main"))

    def comes_back(self) -> None:
        self.erp.submitting = Erp().submitting


@pytest.fixture
async def desk(world: World) -> AsyncIterator[Desk]:
    for number in range(12):
        await world.save(order(str(number)))
    made = Desk(world)
    yield made
    made.end()


# -- an ERP -----------------------------------------------------------------------------------------------------------


async def test_an_erp_that_answers_nobody_is_marked_down_with_the_figures(desk: Desk) -> None:
    error = await desk.goes_down(desk.worker())
    assert await desk.mark() == Pause(
        channel="erp/main",
        at=desk.world.clock(),
        by=ORDERACK,
        reason="no answer to 5 attempts of 5 orders within 20 s",
        probe_at=desk.world.clock() + SOONEST,
    )
    assert error.next_retry_delay is not None
    assert error.next_retry_delay == SOONEST + BEHIND, "should nobody be woken for the probe"


async def test_while_it_is_marked_down_nothing_is_tried_and_one_comes_to_the_probe_by_itself(
    desk: Desk,
) -> None:
    marking, other = desk.worker(), desk.worker()
    await desk.goes_down(marking)
    asked = desk.asked
    delays = [(await desk.submit(other, number)).next_retry_delay for number in range(5, 9)]  # type: ignore[union-attr]
    assert delays == [SOONEST + BEHIND, PAUSED_FOR, PAUSED_FOR, PAUSED_FOR]
    assert (await desk.submit(marking, 9)).next_retry_delay == SOONEST + BEHIND  # type: ignore[union-attr]
    assert desk.asked == asked


async def test_for_each_probe_one_of_the_longest_waiting_is_woken_and_not_the_same_for_ever(desk: Desk) -> None:
    worker = desk.worker()
    desk.sleeping = True
    await desk.goes_down(worker)
    desk.world.clock.advance(SOONEST)
    for wanted in (1, 2, 3, 4):
        async with asyncio.timeout(60):
            while len(desk.woken) < wanted:  # noqa: ASYNC110 (a task of the activity's own)
                await asyncio.sleep(0.05)
    assert desk.woken[:4] == [REF.number, "0", "1", REF.number], "nobody has taken it, and so it is called again"


async def test_one_probe_at_a_time_is_let_through_whoever_comes(desk: Desk) -> None:
    workers = [desk.worker() for _ in range(4)]
    await desk.goes_down(workers[0])
    began, release = 0, asyncio.Event()

    async def hangs() -> None:
        nonlocal began
        began += 1
        await release.wait()
        began -= 1
        raise Unavailable("503")

    desk.erp.submitting = hangs
    for _ in range(5):
        release.clear()
        mark = await desk.mark()
        assert mark is not None
        assert mark.probe_at is not None
        desk.world.clock.at = mark.probe_at
        running = [asyncio.create_task(desk.submit(worker, 5 + place)) for place, worker in enumerate(workers)]
        async with asyncio.timeout(60):
            others = len(running) - 1
            while began < 1 or sum(task.done() for task in running) < others:  # noqa: ASYNC110 (tasks of their own)
                await asyncio.sleep(0.01)
        assert began == 1
        release.set()
        assert all(isinstance(one, ApplicationError) for one in await asyncio.gather(*running))


async def test_a_probe_that_fails_is_followed_by_a_later_one(desk: Desk) -> None:
    worker = desk.worker()
    await desk.goes_down(worker)
    began, apart = desk.world.clock(), list[float]()
    for _ in range(12):
        mark = await desk.mark()
        assert mark is not None
        assert mark.probe_at is not None
        apart.append((mark.probe_at - desk.world.clock()).total_seconds())
        desk.world.clock.at = mark.probe_at
        assert isinstance(await desk.submit(worker, 5), ApplicationError)
    assert apart[:2] == [SOONEST.total_seconds()] * 2
    assert apart == sorted(apart)
    assert apart[-1] == SLOWEST.total_seconds()
    assert mark is not None
    assert mark.at == began, "since when it is down stays known"


@pytest.mark.parametrize("answer", [None, Refused("closed for stocktaking")], ids=["booked", "refused"])
async def test_the_probe_that_is_answered_lifts_the_mark_and_its_worker_alone_wakes_the_others(
    desk: Desk, answer: Exception | None
) -> None:
    one, two = desk.worker(), desk.worker()
    await desk.goes_down(one)
    for number in (5, 6):
        await desk.submit(two, number)
    desk.world.clock.advance(SOONEST)
    desk.erp.submitting = failing(answer) if answer else Erp().submitting
    assert await desk.submit(two, 7) is (ErpAnswer.REFUSED if answer else ErpAnswer.SUBMITTED)
    assert await desk.mark() is None
    await asyncio.sleep(0.1)
    woken = list(desk.woken)
    assert woken[-13:] == [REF.number, *map(str, range(12))], "all that wait, the oldest first"
    assert await desk.submit(one, 8) is (ErpAnswer.REFUSED if answer else ErpAnswer.SUBMITTED)
    await asyncio.sleep(0.1)
    assert desk.woken == woken


async def test_a_worker_that_saw_the_silence_too_wakes_nobody_once_another_has_lifted_the_mark(desk: Desk) -> None:
    one, two = desk.worker(), desk.worker()
    desk.erp.submitting = failing(Unavailable("503"))
    for _ in range(2):
        await desk.submit(two, 5)
        desk.world.clock.advance(AWAY_FROM)
    await desk.goes_down(one)
    await desk.submit(two, 6)
    desk.world.clock.advance(SOONEST)
    desk.comes_back()
    assert await desk.submit(one, 7) is ErpAnswer.SUBMITTED
    await asyncio.sleep(0.1)
    woken = list(desk.woken)
    assert await desk.submit(two, 8) is ErpAnswer.SUBMITTED
    await asyncio.sleep(0.1)
    assert desk.woken == woken


async def test_a_worker_that_dies_in_its_probe_is_followed_by_another(desk: Desk) -> None:
    dying, other = desk.worker(), desk.worker()
    await desk.goes_down(dying)
    desk.world.clock.advance(SOONEST)
    mark = await desk.mark()
    assert mark is not None
    assert await dying._outages._marks.probe(mark), "and never heard of again"
    desk.comes_back()
    assert isinstance(await desk.submit(other, 6), ApplicationError)
    desk.world.clock.advance(LEASE)
    assert await desk.submit(other, 6) is ErpAnswer.SUBMITTED
    assert await desk.mark() is None


async def test_a_worker_that_is_stopped_in_its_probe_gives_it_back(desk: Desk) -> None:
    worker = desk.worker()
    await desk.goes_down(worker)
    desk.world.clock.advance(SOONEST)
    desk.erp.submitting = failing(Misconfigured("the password ran out"))
    assert isinstance(await desk.submit(worker, 6), ApplicationError)
    mark = await desk.mark()
    assert mark is not None
    assert mark.probe_at == desk.world.clock() + SOONEST, "not the whole lease"


async def test_a_pause_by_hand_is_not_probed_and_an_operator_s_word_ends_a_mark(desk: Desk) -> None:
    worker = desk.worker()
    await desk.goes_down(worker)
    asked = desk.asked
    assert await desk.world.ledger.pause(Pause(channel="erp/main", at=desk.world.clock(), by="ann"))
    desk.world.clock.advance(timedelta(hours=1))
    turned_away = await desk.submit(worker, 6)
    assert isinstance(turned_away, ApplicationError)
    assert "paused by ann" in str(turned_away)
    assert (turned_away.next_retry_delay, desk.asked) == (PAUSED_FOR, asked)
    await desk.world.ledger.resume("erp/main")
    desk.comes_back()
    assert await desk.submit(worker, 6) is ErpAnswer.SUBMITTED


async def test_a_pause_that_is_made_during_a_probe_stands_though_the_probe_is_answered(desk: Desk) -> None:
    worker = desk.worker()
    await desk.goes_down(worker)
    desk.world.clock.advance(SOONEST)

    async def paused_meanwhile() -> None:
        await desk.world.ledger.pause(Pause(channel="erp/main", at=desk.world.clock(), by="ann"))

    desk.erp.submitting = paused_meanwhile
    assert await desk.submit(worker, 6) is ErpAnswer.SUBMITTED
    mark = await desk.mark()
    assert mark is not None
    assert (mark.by, mark.probe_at) == ("ann", None)


async def test_refusals_and_settings_of_ours_never_mark_an_erp(desk: Desk) -> None:
    for error in (Refused("blocked"), Misconfigured("the password ran out")):
        worker = desk.worker()
        desk.erp.submitting = failing(error)
        for place in range(30):
            desk.world.clock.advance(2 * SECOND)
            await desk.submit(worker, place % 12)
    assert await desk.mark() is None


async def test_one_slow_order_never_marks_an_erp(desk: Desk) -> None:
    worker = desk.worker()
    for place in range(60):
        desk.world.clock.advance(3 * SECOND)
        desk.erp.submitting = failing(InDoubt("no answer in time"))
        assert isinstance(await desk.submit(worker, 1), ApplicationError)
        desk.comes_back()
        if place < 30:
            assert await desk.submit(worker, 2 + place % 10) is ErpAnswer.SUBMITTED
    assert await desk.mark() is None


async def test_flapping_is_no_more_than_a_change_in_twenty_five_seconds(desk: Desk) -> None:
    """It answers each probe, and then nobody: a mark needs its twenty seconds of silence again, the probe its five."""
    worker, changes, was = desk.worker(), 0, False
    for second in range(300):
        desk.world.clock.at = NOW + second * SECOND
        mark = await desk.mark()
        if (mark is not None) is not was:
            was, changes = mark is not None, changes + 1
        due = mark is not None and mark.probe_at is not None and mark.probe_at <= desk.world.clock()
        desk.erp.submitting = Erp().submitting if due else failing(Unavailable("503"))
        await desk.submit(worker, second % 12)
    assert 4 <= changes <= 2 * 300 / 25


async def test_what_a_worker_saw_before_a_mark_counts_for_nothing_after_it(desk: Desk) -> None:
    marking, other = desk.worker(), desk.worker()
    desk.erp.submitting = failing(Unavailable("503"))
    for place in range(4):
        await desk.submit(other, place)
    await desk.goes_down(marking)
    assert isinstance(await desk.submit(other, 5), ApplicationError)
    desk.world.clock.advance(SOONEST)
    desk.comes_back()
    assert await desk.submit(marking, 6) is ErpAnswer.SUBMITTED
    desk.erp.submitting = failing(Unavailable("503"))
    assert isinstance(await desk.submit(other, 7), ApplicationError)
    assert await desk.mark() is None, "one failure after the return is one"


async def test_what_made_a_mark_does_not_make_another_when_somebody_else_has_lifted_it(desk: Desk) -> None:
    marking, other = desk.worker(), desk.worker()
    await desk.goes_down(marking)
    desk.world.clock.advance(SOONEST)
    desk.comes_back()
    assert await desk.submit(other, 6) is ErpAnswer.SUBMITTED
    desk.erp.submitting = failing(Unavailable("503"))
    assert isinstance(await desk.submit(marking, 7), ApplicationError)
    assert await desk.mark() is None


async def test_cancellations_wait_and_probe_as_submissions_do(desk: Desk) -> None:
    outages = desk.outages()
    cancelling = CancelInErp(desk.world.ledger, desk.world.erps, outages, desk.world.clock)
    await desk.goes_down(desk.worker())

    async def cancel(number: int) -> ErpAnswer:
        ref = OrderRef(store=REF.store, number=str(number))
        made = CancelInErpRequest(ref=ref, erp="main", document_id="SO-1", reason="off", journal=journal(ref=ref))
        return (await ActivityEnvironment().run(cancelling.cancel_in_erp, made)).answer

    with pytest.raises(ApplicationError, match="marked down"):
        await cancel(1)
    assert desk.erp.cancelled == []
    desk.world.clock.advance(SOONEST)
    assert await cancel(1) is ErpAnswer.SUBMITTED
    assert (len(desk.erp.cancelled), await desk.mark()) == (1, None)


async def test_an_erp_that_is_marked_down_is_not_asked_before_a_holding_message(desk: Desk) -> None:
    desk.world.with_channel(KeyChannel())
    await desk.goes_down(desk.worker())
    await desk.world.run(request("key", ask_erp="main"))
    assert desk.erp.asked == []
    await desk.world.ledger.resume("erp/main")
    await desk.world.run(request("key", ask_erp="main"))
    assert len(desk.erp.asked) == 1


async def test_watching_costs_the_usual_case_no_statement(desk: Desk) -> None:
    """What is paused is read once for a submission and once for a send, as it always was, and nothing is written."""
    seen = list[str]()
    engine = desk.world.ledger._database._engine.sync_engine
    desk.world.with_channel(KeyChannel())

    def saw(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", saw)
    try:
        assert await desk.submit(desk.worker(), 1) is ErpAnswer.SUBMITTED
        await desk.world.send("key")
    finally:
        event.remove(engine, "before_cursor_execute", saw)
    about = [one for one in seen if "pauses" in one]
    assert [one.split()[0] for one in about] == ["SELECT", "SELECT"]


# -- a channel --------------------------------------------------------------------------------------------------------


async def send(world: World, worker: Acknowledge, number: int, channel: str) -> SendOutcome | ApplicationError:
    ref = OrderRef(store=REF.store, number=str(number))
    made = request(channel, ref=ref, give_up_at=world.clock() + timedelta(seconds=30))
    try:
        return (await ActivityEnvironment().run(worker.acknowledge, made)).outcomes[0]
    except ApplicationError as error:
        return error


async def storm(world: World, worker: Acknowledge, channel: str, steps: Sequence[Step] = (DOWN,)) -> None:
    """Five orders' sends fail over ten seconds."""
    world.channels[channel].script = [*steps] * 5
    for place in range(5):
        world.clock.advance(CHANNEL_AWAY_FROM / 4 if place else timedelta(0))
        assert isinstance(await send(world, worker, place, channel), ApplicationError)
    world.channels[channel].script = []


async def marked(world: World, channel: str) -> Pause | None:
    return (await world.ledger.paused()).get(channel)


@pytest.fixture
async def busy(world: World) -> World:
    for number in range(20):
        await world.save(order(str(number)))
    return world


async def test_a_channel_that_answers_nobody_is_marked_down_and_others_go_straight_to_their_fallback(
    busy: World,
) -> None:
    channel, worker, other = busy.with_channel(KeyChannel()), busy.activity, busy.activity
    await storm(busy, worker, "key")
    mark = await marked(busy, "key")
    assert mark is not None
    assert (mark.by, mark.reason) == (ORDERACK, "no answer to 5 attempts of 5 orders within 10 s")
    attempts = len(channel.attempts)
    for number, desk in enumerate((worker, other), start=7):
        outcome = await send(busy, desk, number, "key")
        assert isinstance(outcome, SendOutcome)
        assert (outcome.state, outcome.reason) == (SendState.UNAVAILABLE, Reason.PAUSED)
    assert len(channel.attempts) == attempts


async def test_a_message_without_a_fallback_waits_out_mark_and_pause_and_goes_once(busy: World) -> None:
    channel, worker = busy.with_channel(KeyChannel()), busy.activity
    await busy.save(order("99"), ["key"])
    await storm(busy, worker, "key")
    attempts = len(channel.attempts)
    for pause in (None, Pause(channel="key", at=busy.clock(), by="ann")):
        if pause:
            await busy.ledger.pause(pause)
        held = await send(busy, worker, 99, "key")
        assert isinstance(held, ApplicationError)
        assert held.next_retry_delay == HELD_FOR
    made = request("key", ref=OrderRef(store=REF.store, number="99"), give_up_at=NOW)
    with pytest.raises(ApplicationError, match="no other channel"):
        await ActivityEnvironment().run(worker.acknowledge, made)
    assert len(channel.attempts) == attempts, "long given up by its own patience, and still it waits"
    await busy.ledger.resume("key")
    for _ in range(2):
        outcome = await send(busy, worker, 99, "key")
        assert isinstance(outcome, SendOutcome)
        assert outcome.state is SendState.ACCEPTED
    assert len(channel.taken) == 1


async def test_a_message_that_goes_by_another_leg_waits_for_none_that_is_held(busy: World) -> None:
    """The order would not hear that its buyer was told before the channel is up again."""
    fine = busy.with_channel(NoneChannel())
    busy.with_channel(KeyChannel())
    ref = await busy.save(order("98"), ["key"], ["none"])
    await busy.ledger.pause(Pause(channel="key", at=busy.clock(), by="ann"))
    held, told = (await busy.run(request("key", "none", ref=ref))).outcomes
    assert (held.state, held.reason, told.state) == (SendState.UNAVAILABLE, Reason.PAUSED, SendState.ACCEPTED)
    assert len(fine.taken) == 1


async def test_a_leg_that_said_no_and_has_another_channel_is_not_kept_from_it(busy: World) -> None:
    refusing = busy.with_channel(NoneChannel(REFUSED, REFUSED))
    busy.with_channel(KeyChannel())
    await busy.ledger.pause(Pause(channel="key", at=busy.clock(), by="ann"))
    goes_on = await busy.save(order("97"), ["key"], ["none", "sms"])
    held, refused = (await busy.run(request("key", "none", ref=goes_on))).outcomes
    assert (held.reason, refused.state) == (Reason.PAUSED, SendState.REJECTED)
    ends = await busy.save(order("96"), ["key"], ["none"])
    with pytest.raises(ApplicationError, match="no other channel"):
        await busy.run(request("key", "none", ref=ends))
    assert len(refusing.attempts) == 2, "of the two that remain, one waits"


async def test_a_probe_that_is_accepted_marks_the_channel_up_and_the_next_go_by_it_again(busy: World) -> None:
    channel, worker, other = busy.with_channel(KeyChannel()), busy.activity, busy.activity
    await storm(busy, worker, "key")
    busy.clock.advance(SOONEST)
    for number, desk in enumerate((other, worker, other), start=6):
        outcome = await send(busy, desk, number, "key")
        assert isinstance(outcome, SendOutcome)
        assert outcome.state is SendState.ACCEPTED
    assert (await marked(busy, "key"), len(channel.taken)) == (None, 3)


async def test_a_probe_that_fails_comes_back_at_once_and_takes_its_fallback(busy: World) -> None:
    channel, worker = busy.with_channel(KeyChannel()), busy.activity
    await storm(busy, worker, "key")
    busy.clock.advance(SOONEST)
    channel.script = [DOWN]
    failed = await send(busy, worker, 6, "key")
    assert isinstance(failed, ApplicationError)
    assert failed.next_retry_delay == SECOND
    outcome = await send(busy, worker, 6, "key")
    assert isinstance(outcome, SendOutcome)
    assert (outcome.state, outcome.reason) == (SendState.UNAVAILABLE, Reason.PAUSED)


async def test_a_send_in_doubt_stays_with_its_channel(busy: World) -> None:
    channel, worker = busy.with_channel(KeyChannel()), busy.activity
    await storm(busy, worker, "key", [LOST])
    busy.clock.advance(timedelta(seconds=46))
    mark = await marked(busy, "key")
    assert mark is not None
    await busy.ledger.probe("key", busy.clock(), busy.clock() + SLOWEST)
    waits = await send(busy, worker, 0, "key")
    assert isinstance(waits, ApplicationError)
    assert "in doubt" in str(waits)
    await busy.ledger.resume("key")
    busy.clock.advance(timedelta(seconds=46))
    outcome = await send(busy, worker, 0, "key")
    assert isinstance(outcome, SendOutcome)
    assert (outcome.state, channel.taken_with(channel.attempts[0].key_text)) == (SendState.ACCEPTED, 1)


class AskedEcho(EchoChannel):
    """It can be asked whether our login holds."""

    away = True
    checks = 0

    async def check(self) -> str:
        self.checks += 1
        if self.away:
            raise Unavailable("503")
        return "it holds"


async def test_no_message_is_risked_where_the_vendor_does_not_even_answer_for_our_login(busy: World) -> None:
    channel = AskedEcho()
    busy.with_channel(channel)
    worker = busy.activity
    await storm(busy, worker, "echo", [LOST])
    attempts = len(channel.attempts)
    for _ in range(3):
        mark = await marked(busy, "echo")
        assert mark is not None
        assert mark.probe_at is not None
        busy.clock.at = mark.probe_at
        outcome = await send(busy, worker, 9, "echo")
        assert isinstance(outcome, SendOutcome)
        assert (outcome.state, outcome.reason) == (SendState.UNAVAILABLE, Reason.PAUSED), "its fallback, at once"
    assert (len(channel.attempts), channel.checks) == (attempts, 3)
    channel.away = False
    busy.clock.advance(SLOWEST)
    outcome = await send(busy, worker, 10, "echo")
    assert isinstance(outcome, SendOutcome)
    assert outcome.state is SendState.ACCEPTED
    assert await marked(busy, "echo") is None


async def test_one_bad_address_and_a_vendor_s_pace_never_mark_a_channel(busy: World) -> None:
    worker, channel = busy.activity, busy.with_channel(KeyChannel())
    channel.script = [REFUSED] * 40
    for place in range(40):
        busy.clock.advance(SECOND)
        await send(busy, worker, place % 20, "key")
    channel.script = [THROTTLED, THROTTLED, ACCEPTED] * 10
    attempts = len(channel.attempts)
    for place in range(100, 130):
        await busy.save(order(str(place)))
        busy.clock.advance(2 * SECOND)
        await send(busy, worker, place, "key")
    assert len(channel.attempts) == attempts + 30
    assert await marked(busy, "key") is None


async def test_a_ledger_that_cannot_be_written_to_breaks_no_send(busy: World, monkeypatch: pytest.MonkeyPatch) -> None:
    async def away(*_: object) -> bool:
        raise Unavailable("the ledger's database does not answer")

    worker, _ = busy.activity, busy.with_channel(KeyChannel())
    await storm(busy, worker, "key")
    busy.clock.advance(SOONEST)
    with monkeypatch.context() as patch:
        patch.setattr(busy.ledger, "lift", away)
        outcome = await send(busy, worker, 6, "key")
    assert isinstance(outcome, SendOutcome)
    assert outcome.state is SendState.ACCEPTED
    busy.clock.advance(LEASE)
    await send(busy, worker, 7, "key")
    assert await marked(busy, "key") is None, "the next probe lifts it"


def test_probes_follow_each_other_ever_more_slowly_up_to_a_minute() -> None:
    at, moments = timedelta(0), list[int]()
    while at < timedelta(minutes=10):
        at += between_probes(at) if moments else SOONEST
        moments.append(round(at.total_seconds()))
    assert moments[:9] == [5, 10, 15, 22, 34, 51, 76, 114, 171]
    assert len(moments) == 17
