"""An intake over a real ledger, a scripted shop and a scripted door to the orders."""

from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from orderack.intake.deliveries import Intake
from orderack.ledger.repository import SqlLedger
from orderack.ports import Delivery
from tests.gateway.fakes import ScriptedOrders
from tests.intake.fakes import FakeSource


@dataclass
class Door:
    """Where the shop's deliveries come in."""

    ledger: SqlLedger
    source: FakeSource = field(default_factory=FakeSource)
    orders: ScriptedOrders = field(default_factory=ScriptedOrders)
    ahead: timedelta = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.ahead

    @property
    def intake(self) -> Intake:
        """As a process that has just started has it."""
        return Intake(self.ledger, self.orders, {"demo/fake": self.source}, self.now)

    async def take(self, delivery: Delivery) -> str:
        row = await self.intake.record(self.source, delivery)
        return await self.intake.announce(row)

    async def unannounced(self) -> int:
        return len(await self.ledger.unannounced(self.now() + timedelta(days=1)))


@pytest.fixture
def door(ledger: SqlLedger) -> Door:
    return Door(ledger)
