"""One shop's past for the folder's tests: two hundred orders, decided by the real `assess`."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
import pytest_asyncio

from orderack.domain.assessment import Assessment
from orderack.ledger.repository import SqlLedger
from orderack.policy.model import Policy
from tests.diagnostics.whatif.shop import Step, a_ledger, live, policy, steps

ORDERS = 200


@dataclass
class Past:
    """What the policy in force decided."""

    folder: Path
    template: Path
    in_force: Policy
    steps: list[Step]
    ledger: SqlLedger
    decided: Mapping[tuple[str, int], Assessment]


@pytest_asyncio.fixture(scope="session")
async def past(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Past]:
    folder = tmp_path_factory.mktemp("shop")
    in_force, made = policy(folder, "in_force"), steps(ORDERS)
    async with a_ledger(sqlite_template, folder, "recorded") as ledger:
        yield Past(folder, sqlite_template, in_force, made, ledger, await live(ledger, in_force, made))
