"""A delivery that was refused is kept, and is read anew once the fault is mended here."""

import asyncio
import json
from collections.abc import Sequence
from datetime import timedelta

import pytest

from orderack.domain.problem import Problem
from orderack.errors import InvalidInput
from orderack.intake.deliveries import Outcome
from orderack.ledger.source_book import RETRIES
from orderack.ports import Delivery, Reading
from tests.intake.conftest import Door
from tests.intake.fakes import a_delivery

FAKE = "demo/fake"


class NotYetMended:
    """The adapter before its repair."""

    async def __call__(self, delivery: Delivery) -> Sequence[Reading]:
        raise InvalidInput([Problem(field="currency", problem="is none that we know", remedy="send another")])


@pytest.fixture
async def broken(door: Door, monkeypatch: pytest.MonkeyPatch) -> pytest.MonkeyPatch:
    """Two deliveries were refused."""
    with pytest.MonkeyPatch.context() as fault:
        fault.setattr(door.source, "read", NotYetMended())
        for number, order in (("d1", "1"), ("d2", "2")):
            assert (await door.take(a_delivery(number, order))).startswith(Outcome.REFUSED)
    return monkeypatch


async def sweep(door: Door) -> list[str]:
    rows = await door.ledger.unannounced(door.now() + timedelta(days=1))
    return [await door.intake.announce(row) for row in rows]


@pytest.mark.usefixtures("broken")
async def test_a_refused_delivery_becomes_its_order_once_it_can_be_read(door: Door) -> None:
    latest, first = await door.ledger.refused(FAKE)
    assert await door.ledger.retry_refused(FAKE, "grace", door.now(), first.id) == 1
    assert await sweep(door) == [Outcome.SUBMITTED]
    assert [order.ref.number for order in door.orders.submitted] == ["1001"]
    assert [row.id for row in await door.ledger.refused(FAKE)] == [latest.id], "the other one was not named"


@pytest.mark.usefixtures("broken")
async def test_all_of_them_are_taken_in_the_order_in_which_they_came(door: Door) -> None:
    assert await door.ledger.retry_refused(FAKE, "grace", door.now()) == 2
    assert await sweep(door) == [Outcome.SUBMITTED, Outcome.SUBMITTED]
    assert await door.ledger.refused(FAKE) == []
    assert await door.ledger.retry_refused(FAKE, "grace", door.now()) == 0
    assert await sweep(door) == []


async def test_what_still_cannot_be_read_is_refused_again(door: Door, broken: pytest.MonkeyPatch) -> None:
    broken.setattr(door.source, "read", NotYetMended())
    assert await door.ledger.retry_refused(FAKE, "grace", door.now()) == 2
    assert all(outcome.startswith(Outcome.REFUSED) for outcome in await sweep(door))
    assert len(await door.ledger.refused(FAKE)) == 2


@pytest.mark.usefixtures("broken")
async def test_an_order_that_has_moved_on_is_not_set_back(door: Door) -> None:
    assert await door.take(a_delivery("d3", "1", minute=9, quantity="9")) == Outcome.SUBMITTED
    (first,) = [row for row in await door.ledger.refused(FAKE) if row.external_id == "d1"]
    await door.ledger.retry_refused(FAKE, "grace", door.now(), first.id)
    assert await sweep(door) == [Outcome.STALE]
    assert len(door.orders.submitted) == 1


@pytest.mark.usefixtures("broken")
async def test_who_retried_what_and_why_it_had_been_refused_stays_on_the_record(door: Door) -> None:
    await door.ledger.retry_refused(FAKE, "grace", door.now())
    latest = await door.ledger.received(f"{RETRIES}/{FAKE}", "")
    assert len(latest) == 2
    assert all(row.outcome == "retried by grace" and row.announced_at for row in latest)
    act = json.loads(latest[-1].body)
    assert act == {"delivery": "d1", "by": "grace", "was": "refused: currency: is none that we know"}
    await sweep(door)
    assert len(await door.ledger.refused(FAKE)) == 0, "the record of it is no delivery"


@pytest.mark.usefixtures("broken")
async def test_neither_another_connections_nor_a_taken_one_is_retried(door: Door) -> None:
    assert await door.take(a_delivery("d3", "3")) == Outcome.SUBMITTED
    taken = await door.intake.record(door.source, a_delivery("d3", "3"))
    assert await door.ledger.retry_refused(FAKE, "grace", door.now(), taken.id) == 0
    assert await door.ledger.retry_refused("other/fake", "grace", door.now()) == 0
    assert await sweep(door) == []


@pytest.mark.usefixtures("broken")
async def test_two_people_who_retry_at_once_retry_once(door: Door) -> None:
    done = await asyncio.gather(*(door.ledger.retry_refused(FAKE, by, door.now()) for by in ("grace", "ada")))
    assert sorted(done) == [0, 2]
    assert len(await door.ledger.received(f"{RETRIES}/{FAKE}", "")) == 2
