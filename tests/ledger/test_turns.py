"""Turns: a channel's rate holds whoever sends, stores share it, and whoever comes back does so one by one."""

import asyncio
import heapq
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import count, pairwise
from typing import cast

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Executable, Result
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from orderack.domain.acknowledgement import Kind, SendKey, SendState
from orderack.domain.order import OrderRef
from orderack.ledger import channel_book
from orderack.ledger.repository import SqlLedger
from orderack.ledger.tables import Orders, Sends
from orderack.ports import SOON
from tests.ledger.samples import LEASE, NOW, key, message
from tests.ledger.tampering import hands

_run = count()


def send_of(store: str, number: int, channel: str = "sms") -> SendKey:
    return key(channel=channel, ref=OrderRef(store=store, number=str(number)))


def seconds(moment: datetime) -> float:
    return (moment - NOW).total_seconds()


async def claimed(ledger: SqlLedger, *sends: SendKey) -> None:
    for send in sends:
        await ledger.claim(send, message(send), NOW, LEASE)


# -- one by one ---------------------------------------------------------------------------------------------------


async def test_a_channel_that_is_free_takes_a_send_at_once_and_the_next_one_an_interval_later(
    ledger: SqlLedger,
) -> None:
    sends = [send_of("north", number) for number in range(3)]
    await claimed(ledger, *sends)
    assert [seconds(await ledger.turn(send, 2, NOW)) for send in sends] == [0, 0.5, 1]


async def test_what_was_not_used_is_not_saved_up(ledger: SqlLedger) -> None:
    sends = [send_of("north", number) for number in range(3)]
    await claimed(ledger, *sends)
    await ledger.turn(sends[0], 2, NOW)
    hour = timedelta(hours=1)
    assert [seconds(await ledger.turn(send, 2, NOW + hour)) for send in sends[1:]] == [3600, 3600.5]


async def test_what_a_worker_whose_clock_is_ahead_has_booked_keeps_nobody_waiting(ledger: SqlLedger) -> None:
    ahead, *others = (send_of("north", number) for number in range(9))
    await claimed(ledger, ahead, *others)
    for _ in range(3):
        await ledger.turn(ahead, 1, NOW + timedelta(hours=3))
    told = [await ledger.turn(send, 1, NOW + timedelta(seconds=place)) for place, send in enumerate(others)]
    assert [seconds(turn) for turn in told] == list(range(8))


async def test_a_send_far_behind_is_told_when_to_ask_again_and_keeps_that_time(ledger: SqlLedger) -> None:
    sends = [send_of("north", number) for number in range(6)]
    await claimed(ledger, *sends)
    told = [await ledger.turn(send, 1, NOW) for send in sends]
    assert [seconds(turn) for turn in told] == [0, 1, 2, 4, 5, 6]
    assert await ledger.turn(sends[5], 1, NOW + timedelta(seconds=1)) == told[5]
    stored = await ledger.send(str(sends[5]))
    assert stored is not None
    assert stored.turn_at == told[5]


async def test_coming_when_it_was_told_it_goes_before_those_who_come_anew(ledger: SqlLedger) -> None:
    sends = [send_of("north", number) for number in range(6)]
    await claimed(ledger, *sends)
    told = [await ledger.turn(send, 1, NOW) for send in sends[:5]]
    now = told[3]
    assert await ledger.turn(sends[3], 1, now) == now
    assert seconds(await ledger.turn(sends[5], 1, now)) > seconds(now + SOON)
    assert await ledger.turn(sends[4], 1, told[4]) == told[4]


async def test_a_send_that_missed_its_time_queues_anew_unless_nobody_wants_the_instant(ledger: SqlLedger) -> None:
    sends = [send_of("north", number) for number in range(50)]
    await claimed(ledger, *sends)
    told = [await ledger.turn(send, 2.5, NOW) for send in sends]
    late = told[8] + channel_book.IN_TIME + timedelta(seconds=1)
    assert told[-1] > late, "some still wait"
    assert await ledger.turn(sends[8], 2.5, late) == late
    assert await ledger.turn(sends[9], 2.5, late) > told[-1]
    in_time = told[15] + channel_book.IN_TIME
    assert await ledger.turn(sends[15], 2.5, in_time) <= in_time + SOON


async def test_a_send_in_doubt_keeps_its_place_for_its_lease_kept_it_away(ledger: SqlLedger) -> None:
    sends = [send_of("north", number) for number in range(40)]
    await claimed(ledger, *sends)
    told = [await ledger.turn(send, 2.5, NOW) for send in sends]
    await ledger.doubt(sends[8], "read timeout", NOW, NOW + LEASE)
    late = told[8] + channel_book.IN_TIME + timedelta(seconds=1)
    there = next(send for send, turn in zip(sends, told, strict=True) if turn > late)
    assert await ledger.turn(there, 2.5, late) == late, "the instant itself is taken"
    assert await ledger.turn(sends[8], 2.5, late) <= late + SOON


async def test_a_send_must_have_been_claimed(ledger: SqlLedger) -> None:
    with pytest.raises(LookupError):
        await ledger.turn(send_of("north", 1), 1, NOW)


async def test_channels_know_nothing_of_each_other(ledger: SqlLedger) -> None:
    sends = [send_of("north", number) for number in range(20)]
    other = send_of("north", 1, "mail")
    await claimed(ledger, *sends, other)
    for send in sends:
        await ledger.turn(send, 1, NOW)
    assert await ledger.turn(other, 1, NOW) == NOW


async def test_of_many_who_ask_at_once_no_two_have_the_same_instant(ledger: SqlLedger) -> None:
    sends = [send_of(store, number) for store in ("north", "south") for number in range(12)]
    await claimed(ledger, *sends)
    told = sorted(await asyncio.gather(*(ledger.turn(send, 10, NOW) for send in sends)))
    booked = [turn for turn in told if turn <= NOW + SOON]
    assert [seconds(turn) for turn in booked] == pytest.approx([n / 10 for n in range(len(booked))])
    assert len(booked) == 21


# -- all of them --------------------------------------------------------------------------------------------------


@dataclass
class Ended:
    """How a burst went."""

    went: list[tuple[float, str]] = field(default_factory=list)
    """When each send left, and its store."""
    asked: Counter[SendKey] = field(default_factory=Counter)

    def of(self, store: str) -> list[float]:
        return [at for at, whose in self.went if whose == store]

    @property
    def attempts(self) -> float:
        return sum(self.asked.values()) / len(self.asked)


class Burst:
    """Sends that come when they are told to, a little early or late; the ledger is real, the clock is the test's.

    All of it is one transaction, which spares ten thousand commits.
    """

    def __init__(self, session: AsyncSession, rate: float, late: Sequence[float] = (0.0,)) -> None:
        self._session = session
        self._rate = rate
        self._late = late
        self._channel = f"channel-{next(_run)}"

    async def runs(self, arrivals: Sequence[tuple[float, str]]) -> Ended:
        ref = {store: OrderRef(store=store, number=self._channel) for _, store in arrivals}
        sends = [(at, key(n=n, channel=self._channel, ref=ref[store])) for n, (at, store) in enumerate(arrivals)]
        await self._claim([send for _, send in sends])
        waiting = [(at, n, send) for n, (at, send) in enumerate(sends)]
        heapq.heapify(waiting)
        ended, now = Ended(), 0.0
        while waiting:
            at, n, send = heapq.heappop(waiting)
            now = max(now, at)
            ended.asked[send] += 1
            turn = seconds(await channel_book.turn(self._session, send, self._rate, NOW + timedelta(seconds=now)))
            await self._session.flush()
            if turn <= now + SOON.total_seconds():
                ended.went.append((turn, send.ref.store))
            else:
                late = self._late[sum(ended.asked.values()) % len(self._late)]
                heapq.heappush(waiting, (max(turn + late, now), n, send))
        ended.went.sort()
        return ended

    async def _claim(self, sends: Sequence[SendKey]) -> None:
        for ref in {send.ref for send in sends}:
            times = {"received_at": NOW, "updated_at": NOW}
            self._session.add(Orders(store=ref.store, number=ref.number, stage="confirmed", revision=1, **times))
        await self._session.flush()
        for send in sends:
            times = {"claimed_at": NOW, "lease_until": NOW}
            row = Sends(**_columns(send), state=SendState.CLAIMED, message_sha256="", attempts=1, **times)
            self._session.add(row)
        await self._session.flush()
        self._session.expunge_all()


def _columns(send: SendKey) -> dict[str, object]:
    named = {"revision": 1, "kind": Kind.CONFIRMATION, "n": send.n, "channel": send.channel, "key": str(send)}
    return {"store": send.ref.store, "number": send.ref.number, **named}


def busiest(went: Sequence[float], window: float) -> int:
    """The most sends that left within any such window."""
    first, most = 0, 0
    for last, at in enumerate(went):
        while at - went[first] >= window - 1e-6:
            first += 1
        most = max(most, last - first + 1)
    return most


class Direct:
    """A session without the driver's thread: the same statements on the same database, eight times as fast."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self.add, self.get_bind, self.expunge_all = session.add, session.get_bind, session.expunge_all

    async def execute(self, statement: Executable, *of: Mapping[str, object]) -> Result[tuple[object, ...]]:
        return self._session.execute(statement, *of)

    async def flush(self) -> None:
        self._session.flush()


@pytest.fixture
def session(ledger_url: str) -> Iterator[AsyncSession]:
    with Session(hands(ledger_url), expire_on_commit=False) as found:
        yield cast("AsyncSession", Direct(found))


on_sqlite = pytest.mark.parametrize("ledger_url", ["sqlite"], indirect=True)
mostly_sqlite = pytest.mark.parametrize(
    "ledger_url", ["sqlite", pytest.param("postgres", marks=pytest.mark.long)], indirect=True
)
"""What is computed is the same on both databases, and it is much. One burst is always sent on PostgreSQL, too."""


@on_sqlite
@pytest.mark.parametrize("burst", [500, pytest.param(5_000, marks=pytest.mark.long)])
async def test_thousands_of_orders_of_one_store_neither_pass_the_rate_nor_starve_another_store(
    session: AsyncSession, burst: int
) -> None:
    rate = 10
    arrivals = [(n / 100, "north") for n in range(burst)]  # a hundred a second, as fast as orders are handed in
    ended = await Burst(session, rate, (0.0, 0.3, -0.4, 1.5, 0.05)).runs([*arrivals, (20.0, "south")])
    (south,) = ended.of("south")
    went = [at for at, _ in ended.went]
    assert len(went) == burst + 1
    assert south - 20 < 5
    for window in (1, 5, 60):
        assert busiest(went, window) <= rate * window
    assert burst / rate - 1 <= went[-1] <= burst / rate + 20
    assert ended.attempts <= 2.5
    assert max(ended.asked.values()) <= 6


@mostly_sqlite
async def test_stores_that_send_at_once_share_the_rate(session: AsyncSession) -> None:
    stores = ("north", "south", "west")
    arrivals = [(n / 50, store) for n in range(150) for store in stores]
    ended = await Burst(session, 10, (0.0, 0.2)).runs(arrivals)
    went = [at for at, _ in ended.went]
    assert busiest(went, 1) <= 10
    assert went[-1] <= 50
    assert ended.attempts <= 4
    halfway = {store: sum(at <= 22 for at in ended.of(store)) for store in stores}
    assert min(halfway.values()) >= 0.6 * max(halfway.values()), halfway


@mostly_sqlite
async def test_a_store_that_comes_into_anothers_burst_has_its_share(session: AsyncSession) -> None:
    arrivals = [(0.0, "north")] * 400 + [(10.0, "south")] * 40
    ended = await Burst(session, 10).runs(arrivals)
    assert busiest([at for at, _ in ended.went], 1) <= 10
    assert max(ended.of("south")) <= 25
    assert ended.went[-1][0] <= 50
    assert ended.attempts <= 4


async def test_sends_that_always_come_too_late_go_all_the_same(session: AsyncSession) -> None:
    ended = await Burst(session, 10, (30.0,)).runs([(n / 50, "north") for n in range(200)])
    assert busiest([at for at, _ in ended.went], 1) <= 10
    assert ended.attempts <= 6
    assert ended.went[-1][0] <= 150


@on_sqlite
@given(
    rate=st.sampled_from([0.2, 1.0, 7.0, 50.0]),
    arrivals=st.lists(
        st.tuples(st.floats(0, 20), st.sampled_from(["north", "south", "west"])), min_size=1, max_size=40
    ),
    late=st.lists(st.floats(-2, 8), min_size=1, max_size=4),
)
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
async def test_whatever_comes_all_of_it_goes_within_the_rate_and_never_before_it_came(
    session: AsyncSession, rate: float, arrivals: list[tuple[float, str]], late: list[float]
) -> None:
    ended = await Burst(session, rate, late).runs(sorted(arrivals))
    went = [at for at, _ in ended.went]
    assert len(went) == len(arrivals)
    assert all(after - before >= 1 / rate - 1e-5 for before, after in pairwise(went))
    for store in {store for _, store in arrivals}:
        came = sorted(at for at, whose in arrivals if whose == store)
        assert all(left >= at - 1e-5 for left, at in zip(ended.of(store), came, strict=True))
