"""What customers' answers had taught, replayed as it was kept; where nothing was kept, that is said and counted."""

from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from orderack.diagnostics.whatif.result import Simulation
from orderack.domain.evidence import EvidenceEvent, Grade
from orderack.ledger.repository import SqlLedger
from tests.diagnostics.whatif.shop import MONDAY, Step, live, policy, simulated, steps
from tests.ledger.reaching import DAY, MAIL, MINUTE, NOW, SMS, Customers

FEW = 40


def learning(mode: str) -> Callable[[Any], None]:
    def edit(document: Any) -> None:
        document["stores"]["demo"]["learn_channels"] = mode

    return edit


async def taught(ledger: SqlLedger) -> None:
    """Every customer of the shop answered text messages before its past begins, and never mail."""
    customers = Customers(ledger, "demo")
    for customer in range(30):
        for number in range(4):
            at = MONDAY - (3 + number) * DAY
            ref = await customers.order(
                f"H-{customer}-{number}", NOW - at, customer=f"C-{customer}", email="h@example.com"
            )
            await customers.send(ref, MAIL, at)
            key = await customers.send(ref, SMS, at + MINUTE)
            await customers.fact(key, EvidenceEvent.AFFIRMED, Grade.E5, at + 3 * MINUTE)


@pytest.mark.parametrize("mode", ["suggest", "apply"])
async def test_what_was_taught_then_is_replayed_and_not_looked_up_again(
    ledger: SqlLedger, tmp_path: Path, mode: str
) -> None:
    made = [step for step in steps(FEW) if step.revision == 1]
    in_force, apply = policy(tmp_path, "in_force", learning(mode)), policy(tmp_path, "apply", learning("apply"))
    off = policy(tmp_path, "off")
    await taught(ledger)
    await live(ledger, in_force, made)
    found = await asked_of(ledger, made, in_force, apply if mode == "suggest" else off)
    assert (found.self_check.as_recorded, found.self_check.otherwise) == (len(made), ())
    assert found.self_check.unlearned == 0
    (told,) = found.kinds
    assert {(group.field, group.before, group.after) for group in told.groups if group.field == "channels"} >= {
        (("channels", MAIL, SMS) if mode == "suggest" else ("channels", SMS, MAIL))
    }


async def test_of_decisions_from_before_the_store_learned_it_is_said_that_nothing_is_known(
    ledger: SqlLedger, tmp_path: Path
) -> None:
    made = [step for step in steps(FEW) if step.revision == 1]
    in_force, apply = policy(tmp_path, "in_force"), policy(tmp_path, "apply", learning("apply"))
    suggest = policy(tmp_path, "suggest", learning("suggest"))
    await taught(ledger)
    await live(ledger, in_force, made)
    found = await asked_of(ledger, made, in_force, apply)
    only_said = await asked_of(ledger, made, in_force, suggest)
    assert (found.self_check.as_recorded, found.self_check.unlearned, found.different) == (len(made), len(made), 0)
    assert any(
        f"of {len(made)} revisions it was not kept how the customer had answered" in one for one in found.warnings
    )
    assert (only_said.self_check.unlearned, only_said.warnings, only_said.different) == (0, (), 0)


async def asked_of(ledger: SqlLedger, made: list[Step], in_force: Any, new: Any) -> Simulation:
    since = made[0].order.trigger_at - timedelta(hours=1)
    return await simulated(ledger, in_force, new, since=since)
