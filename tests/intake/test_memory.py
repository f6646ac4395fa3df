"""What the record holds of a connection, over a real ledger: EDI's changes and control numbers rest upon it."""

import asyncio
import random
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from orderack.contracts.journal import Journal, Stage
from orderack.domain.order import Order
from orderack.errors import Unavailable
from orderack.intake.deliveries import Intake
from orderack.intake.memory import ConnectionMemory, recall
from orderack.ledger.repository import SqlLedger
from orderack.ports import Delivery, Ledger, RawRequest, Snapshot
from orderack.sources.edi_x12 import EdiX12, EdiX12Settings
from tests.edi import interchanges as edi
from tests.gateway.fakes import ScriptedOrders
from tests.ledger.samples import stored
from tests.sources.edi_partner import SECRET, connection


@dataclass
class Shop:
    """One connection over a ledger, as a process that has just started has it."""

    ledger: SqlLedger
    orders: ScriptedOrders = field(default_factory=ScriptedOrders)

    def __post_init__(self) -> None:
        settings = EdiX12Settings.model_validate({"inbound_secret": SECRET})
        self.source = EdiX12(connection(), settings, "", self.now)
        self.intake = Intake(self.ledger, self.orders, {"shop/edi_x12": self.source}, self.now)
        recall({"shop/edi_x12": self.source}, self.ledger, self.now)

    def now(self) -> datetime:
        return datetime.now(UTC)

    async def post(self, body: bytes) -> tuple[int, list[str]]:
        """The response's status, and what became of each transaction set."""
        request = RawRequest(url="https://us.example", headers={}, body=body)
        deliveries = self.source.deliveries(request)
        rows = [await self.intake.record(self.source, one) for one in deliveries]
        outcomes = [await self.intake.announce(row) for row in rows]
        recorded = [Delivery.model_validate_json(row.body) for row in rows]
        return (await self.source.respond(request, recorded)).status, outcomes[1:]

    async def assess(self, order: Order, revision: int) -> None:
        """As the workflow does with what it took."""
        journal = Journal(ref=order.ref, stage=Stage.ASSESSING, revision=revision)
        await self.ledger.save_revision(stored(order, revision), "print", journal)

    @property
    def last(self) -> Order:
        return self.orders.contents[-1]


@pytest.fixture
def shop(ledger: SqlLedger) -> Shop:
    return Shop(ledger)


def change(line: str, control: str) -> bytes:
    return edi.one(edi.change([line]), "PC", control)


async def test_changes_are_laid_over_the_order_as_it_was_last_taken(shop: Shop) -> None:
    assert await shop.post(edi.one(edi.order())) == (200, ["submitted"])
    await shop.assess(shop.last, 1)
    assert await shop.post(change("POC*1*QI*12**EA", "000000906")) == (200, ["submitted"])
    await shop.assess(shop.last, 2)
    restarted = Shop(shop.ledger)
    await restarted.post(change("POC*2*DI", "000000907"))
    assert [(line.line_id, int(line.quantity)) for line in restarted.last.lines] == [("1", 12), ("3", 250)]


async def test_a_change_waits_while_the_one_before_it_is_on_its_way(shop: Shop) -> None:
    await shop.post(edi.one(edi.order()))
    with pytest.raises(Unavailable, match="not in the record yet"):
        await shop.post(change("POC*1*QI*12**EA", "000000906"))
    await shop.assess(shop.last, 1)
    await shop.post(change("POC*1*QI*12**EA", "000000906"))
    with pytest.raises(Unavailable):
        await shop.post(change("POC*2*DI", "000000907"))
    await shop.assess(shop.last, 2)
    await shop.post(change("POC*2*DI", "000000907"))
    assert [(line.line_id, int(line.quantity)) for line in shop.last.lines] == [("1", 12), ("3", 250)]


async def test_what_a_person_has_amended_since_is_what_is_changed(shop: Shop) -> None:
    await shop.post(edi.one(edi.order()))
    await shop.assess(shop.last, 1)
    await shop.assess(shop.last.model_copy(update={"instructions": "Ring the bell"}), 2)
    await shop.post(change("POC*1*QI*12**EA", "000000906"))
    assert shop.last.instructions == "Ring the bell"
    assert shop.last.lines[0].quantity == 12


async def test_a_change_of_what_has_changed_meanwhile_is_read_again(shop: Shop) -> None:
    await shop.post(edi.one(edi.order()))
    await shop.assess(shop.last, 1)
    (first,) = await shop.source.read(_set_of(shop, change("POC*1*QI*12**EA", "000000906")))
    await shop.post(change("POC*1*QI*15**EA", "000000907"))
    row = await shop.intake.record(shop.source, _set_of(shop, change("POC*1*QI*12**EA", "000000906")))
    assert isinstance(first, Snapshot)
    with pytest.raises(Unavailable, match="changed meanwhile"):
        await shop.intake._snapshot(first, shop.source, row)
    row = await shop.intake.record(shop.source, _set_of(shop, change("POC*2*DI", "000000908")))
    with pytest.raises(Unavailable, match="not in the record yet"):
        await shop.intake.announce(row)  # and nobody holds the order any more


def _set_of(shop: Shop, body: bytes) -> Delivery:
    return shop.source.deliveries(RawRequest(url="https://us.example", headers={}, body=body))[1]


async def test_a_control_number_used_again_for_other_content_reaches_no_order(shop: Shop) -> None:
    await shop.post(edi.one(edi.order()))
    other = edi.one(edi.order([edi.HEADING[0].replace("4711", "4712"), *edi.HEADING[1:]]))
    status, (outcome,) = await shop.post(other)
    assert status == 422
    assert "ISA13" in outcome
    assert [order.number for order in shop.orders.submitted] == ["PO-4711"]
    assert await shop.post(edi.one(edi.order())) == (200, ["submitted"])  # as it was the first time
    assert len(shop.orders.submitted) == 1


def purposes(count: int) -> list[str]:
    return [f"shop/PO-{at}/1/confirmed" for at in range(1, count + 1)]


def memory_of(ledger: Ledger) -> ConnectionMemory:
    return ConnectionMemory(ledger, connection(), lambda: datetime.now(UTC))


async def test_a_number_is_given_once_and_kept(shop: Shop) -> None:
    memory = memory_of(shop.ledger)
    first, other = [await memory.number(purpose, "acme") for purpose in purposes(2)]
    again = await memory_of(shop.ledger).number(purposes(2)[0], "acme")
    assert first == again
    assert (first.number, other.number) == (1, 2)
    assert not await shop.ledger.unannounced(datetime.now(UTC) + timedelta(days=1))


async def test_each_partner_has_numbers_of_its_own_that_go_on_after_those_used_elsewhere(shop: Shop) -> None:
    memory = memory_of(shop.ledger)
    given = [await memory.number("997/a", "acme"), await memory.number("997/b", "globex", 7_001)]
    given += [await memory.number("997/c", "acme", 500), await memory.number("997/d", "acme", 1)]
    assert [one.number for one in given] == [1, 7_001, 500, 501]
    assert (await memory.number("997/a", "acme", 500)).number == 1


async def test_numbers_asked_for_at_once_follow_each_other_without_a_gap(shop: Shop) -> None:
    """Five processes, each asking for each number, in orders of their own."""
    wanted, draw = purposes(9), random.Random(9)

    async def one_process() -> dict[str, int]:
        memory = memory_of(shop.ledger)
        order = draw.sample(wanted, len(wanted))
        return {purpose: (await memory.number(purpose, "acme")).number for purpose in order}

    first, *others = await asyncio.gather(*(one_process() for _ in range(5)))
    assert sorted(first.values()) == [*range(1, 10)]
    assert all(other == first for other in others)


class Died(BaseException):
    """The process is gone."""


class Dying:
    """A ledger whose process dies at one of its calls."""

    def __init__(self, ledger: SqlLedger, after: int) -> None:
        self._ledger = ledger
        self._left = after

    def __getattr__(self, name: str) -> object:
        self._left -= 1
        if self._left < 0:
            raise Died
        return getattr(self._ledger, name)


@pytest.mark.parametrize("swept", [False, True])
@pytest.mark.parametrize("after", range(8))
async def test_a_process_that_dies_while_a_number_is_given_leaves_no_gap(shop: Shop, after: int, swept: bool) -> None:
    wanted = purposes(3)
    await memory_of(shop.ledger).number(wanted[0], "acme")
    with suppress(Died):
        await memory_of(cast(Ledger, Dying(shop.ledger, after))).number(wanted[1], "acme")
    for row in await shop.ledger.unannounced(datetime.now(UTC) + timedelta(days=1)) if swept else ():
        await shop.ledger.announced(row.id, "unreadable", datetime.now(UTC))
    numbers = [(await memory_of(shop.ledger).number(purpose, "acme")).number for purpose in (wanted[2], *wanted)]
    assert sorted(set(numbers)) == [1, 2, 3]
    assert numbers[0] == numbers[3]
