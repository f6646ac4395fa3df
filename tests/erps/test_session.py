"""One session for all who ask at once: signed in once, renewed once, given back whatever happened."""

import asyncio
from collections.abc import Callable
from contextlib import suppress

import pytest

from orderack.erps import _session
from orderack.erps._session import SharedSession
from orderack.errors import InDoubt, Misconfigured, OrderAckError, Refused, Unavailable


class House:
    """The other side: counts, and fails when it is told to."""

    def __init__(self) -> None:
        self.given = 0
        self.open: set[int] = set()
        self.slow = 0.0
        self.fails: list[Exception] = []
        self.farewell: Exception | None = None

    async def sign_in(self) -> int:
        if self.fails:
            raise self.fails.pop(0)
        self.given += 1
        number = self.given
        self.open.add(number)
        await asyncio.sleep(self.slow)
        return number

    async def sign_out(self, session: int) -> None:
        if self.farewell is not None:
            raise self.farewell
        self.open.discard(session)

    def shared(self, *, lingers: bool) -> SharedSession[int]:
        return SharedSession(self.sign_in, self.sign_out, lingers=lingers)


@pytest.fixture
def house() -> House:
    return House()


@pytest.mark.parametrize("lingers", [True, False])
async def test_twenty_at_once_sign_in_once_and_renew_once(house: House, lingers: bool) -> None:
    shared, renewed = house.shared(lingers=lingers), asyncio.Barrier(20)

    async def work() -> int:
        async with shared.seat():
            first = await shared.get()
            await renewed.wait()
            shared.forget(first)
            return await shared.get()

    assert {*(await asyncio.gather(*(work() for _ in range(20))))} == {2}
    assert house.given == 2
    await shared.aclose()
    assert 2 not in house.open


async def test_who_forgets_an_old_session_late_does_not_end_the_new_one(house: House) -> None:
    shared = house.shared(lingers=True)
    first = await shared.get()
    shared.forget(first)
    second = await shared.get()
    shared.forget(first)
    assert await shared.get() == second
    await shared.aclose()


async def test_it_is_given_back_with_the_last_user_unless_it_lingers(house: House) -> None:
    shared = house.shared(lingers=False)
    async with shared.seat():
        async with shared.seat():
            await shared.get()
        assert house.open == {1}
    assert house.open == set()
    lingering = house.shared(lingers=True)
    async with lingering.seat():
        await lingering.get()
    assert house.open == {2}
    await lingering.aclose()
    assert house.open == set()


async def test_it_is_given_back_after_a_failure_and_after_a_cancellation(house: House) -> None:
    shared = house.shared(lingers=False)
    with suppress(Refused):
        async with shared.seat():
            await shared.get()
            raise Refused("no")
    assert house.open == set()

    async def waits() -> None:
        async with shared.seat():
            await shared.get()
            await asyncio.sleep(60)

    task = asyncio.create_task(waits())
    await asyncio.sleep(0.01)
    assert house.open == {2}
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert house.open == set()


@pytest.mark.parametrize("lingers", [True, False])
async def test_a_sign_in_whose_caller_is_gone_is_used_by_the_next_or_given_back(house: House, lingers: bool) -> None:
    house.slow = 0.05
    shared = house.shared(lingers=lingers)

    async def asks() -> None:
        async with shared.seat():
            await shared.get()

    task = asyncio.create_task(asks())
    await asyncio.sleep(0.01)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    if lingers:
        assert await shared.get() == 1
    await shared.aclose()
    assert (house.given, house.open) == (1, set())


async def test_a_caller_that_is_cancelled_in_the_moment_of_its_sign_in_leaves_no_seat_taken(house: House) -> None:
    loop = asyncio.get_running_loop()

    async def sign_in() -> int:
        number = await house.sign_in()
        loop.call_soon(lambda: loop.call_soon(task.cancel))  # when the answer is there, and its caller not yet back
        return number

    shared = SharedSession(sign_in, house.sign_out, lingers=False)

    async def asks() -> None:
        async with shared.seat():
            await shared.get()
            raise AssertionError("it was cancelled before")

    task = asyncio.create_task(asks())
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (house.given, house.open) == (1, set())


async def test_a_sign_in_that_failed_is_tried_anew_and_its_error_is_told(house: House) -> None:
    shared = house.shared(lingers=True)
    house.fails = [Unavailable("no seat"), Misconfigured("no password")]
    for fate in (Unavailable, Misconfigured):
        with pytest.raises(fate):
            await shared.get()
    assert await shared.get() == 1
    await shared.aclose()


async def test_a_sign_in_that_failed_with_nobody_waiting_is_not_told_to_the_next(house: House) -> None:
    async def fails() -> int:
        await asyncio.sleep(0.02)
        raise Unavailable("slow")

    shared = SharedSession(fails, house.sign_out, lingers=True)
    task = asyncio.create_task(shared.get())
    await asyncio.sleep(0.005)
    task.cancel()
    with suppress(asyncio.CancelledError):
        await task
    await asyncio.sleep(0.03)
    shared._sign_in = house.sign_in
    assert await shared.get() == 1
    await shared.aclose()


@pytest.mark.parametrize("error", [Unavailable("x"), InDoubt("x"), Misconfigured("x"), Refused("x")])
async def test_a_farewell_that_fails_is_nobodys_trouble(house: House, error: OrderAckError) -> None:
    house.farewell = error
    shared = house.shared(lingers=False)
    async with shared.seat():
        await shared.get()
    await shared.aclose()
    assert house.open == {1}


async def test_nobody_waits_long_for_a_farewell(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_session, "SIGN_OUT_SECONDS", 0.02)

    async def hangs(session: int) -> None:
        await asyncio.sleep(60)

    shared = SharedSession(house.sign_in, hangs, lingers=True)
    await shared.get()
    async with asyncio.timeout(1):
        await shared.aclose()


async def test_once_closed_it_signs_in_no_more_so_that_no_seat_is_left_taken(house: House) -> None:
    shared = house.shared(lingers=False)
    refused: list[str] = []

    async def late(ready: Callable[[], object]) -> None:
        async with shared.seat():
            await shared.get()
            ready()
            await asyncio.sleep(0.02)
            try:
                await shared.get()
            except Unavailable as error:
                refused.append(str(error))

    begun = asyncio.Event()
    task = asyncio.create_task(late(begun.set))
    await begun.wait()
    await shared.aclose()
    await task
    assert house.open == set()
    assert len(refused) == 1
