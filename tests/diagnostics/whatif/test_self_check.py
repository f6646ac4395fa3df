"""What cannot be decided again is said and counted, and never compared."""

import json
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
from sqlalchemy import select

from orderack.contracts.journal import Event, Stage
from orderack.ledger.repository import SqlLedger
from orderack.ledger.tables import Revisions
from tests.diagnostics.whatif.shop import Step, _entry, _journal, live, policy, simulated, steps

FEW = 24


@pytest_asyncio.fixture
async def few(ledger: SqlLedger, tmp_path: Path) -> tuple[SqlLedger, list[Step]]:
    """A small past of this test's own, on either database."""
    made = [step for step in steps(FEW) if step.revision == 1]
    await live(ledger, policy(tmp_path, "in_force"), made)
    return ledger, made


Edit = Callable[[Any], None]
"""Of a stored assessment, as JSON has it."""


async def tamper(ledger: SqlLedger, number: str | None = None, edit: Edit | None = None, **columns: object) -> None:
    """Change what stands recorded of one order's revisions, or of all."""
    async with ledger._database.write() as session:
        for row in (await session.execute(select(Revisions))).scalars().all():
            if number not in (None, row.number):
                continue
            if edit is not None:
                made = json.loads(row.assessment)
                edit(made)
                row.assessment = json.dumps(made)
            for name, value in columns.items():
                setattr(row, name, value)


Few = tuple[SqlLedger, list[Step]]


async def test_an_erased_order_is_counted_and_left_out(few: Few, tmp_path: Path) -> None:
    ledger, made = few
    await ledger.erase(made[3].order.ref, "grace", "asked for it", datetime.now(UTC))
    in_force = policy(tmp_path, "in_force")
    found = await simulated(ledger, in_force, in_force)
    assert found.self_check.not_kept == {"erased": 1}
    assert (found.self_check.as_recorded, found.orders) == (len(made) - 1, len(made) - 1)


@pytest.mark.parametrize("explanation", ["", "{}", "not JSON"])
async def test_a_decision_without_its_findings_is_counted_and_left_out(
    few: Few, tmp_path: Path, explanation: str
) -> None:
    ledger, made = few
    await tamper(ledger, made[0].order.number, explanation=explanation)
    in_force = policy(tmp_path, "in_force")
    found = await simulated(ledger, in_force, in_force)
    assert (found.self_check.not_kept, found.orders) == ({"no_inputs": 1}, len(made) - 1)


async def test_an_order_that_the_rules_failed_on_is_counted_and_left_out(few: Few, tmp_path: Path) -> None:
    ledger, made = few
    await tamper(ledger, made[0].order.number, lambda found: found["decision"].update(rule="assessment_failed"))
    in_force = policy(tmp_path, "in_force")
    found = await simulated(ledger, in_force, in_force)
    assert (found.self_check.not_kept, found.orders) == ({"failed": 1}, len(made) - 1)


async def test_an_order_without_content_is_counted(few: Few, tmp_path: Path) -> None:
    ledger, made = few
    early = Step(made[0].order.model_copy(update={"number": "early"}))
    await ledger.write(_journal(early, Stage.AWAITING_ORDER, [_entry(early, 1, Event.ERP_RECEIPT, "SO-1")]))
    in_force = policy(tmp_path, "in_force")
    found = await simulated(ledger, in_force, in_force)
    assert (found.self_check.without_content, found.orders) == (1, len(made))


async def test_a_decision_that_does_not_come_out_again_is_named_and_left_out(few: Few, tmp_path: Path) -> None:
    ledger, made = few
    number = made[5].order.number

    def otherwise(found: Any) -> None:
        found["decision"]["team"] = "warehouse"
        found["promise_on"] = "2030-01-01"

    await tamper(ledger, number, otherwise)
    in_force = policy(tmp_path, "in_force")
    found = await simulated(ledger, in_force, in_force)
    assert [(one.order, one.what) for one in found.self_check.otherwise] == [(f"demo/{number}", ("team", "promise_on"))]
    assert (found.orders, found.different) == (len(made) - 1, 0)
    assert any("not decided as recorded" in words for words in found.warnings)


async def test_other_words_for_the_same_decision_are_no_difference(few: Few, tmp_path: Path) -> None:
    ledger, made = few
    await tamper(ledger, edit=lambda found: found["decision"].update(why="As an older version said."))
    in_force = policy(tmp_path, "in_force")
    found = await simulated(ledger, in_force, in_force)
    assert found.self_check.as_recorded == len(made)


async def test_clocks_that_were_divided_otherwise_are_not_taken_for_another_policy(few: Few, tmp_path: Path) -> None:
    ledger, made = few
    scaled = policy(tmp_path, "in_force").scaled(60)
    found = await simulated(ledger, scaled, scaled, divisor=60)
    assert {one.what for one in found.self_check.otherwise} == {("levels",)}
    assert len(found.self_check.otherwise) == len(made)
    assert any("ORDERACK_POLICY_DIVISOR" in words for words in found.warnings)


async def test_only_the_span_and_the_store_asked_for_are_read(few: Few, tmp_path: Path) -> None:
    ledger, made = few
    in_force = policy(tmp_path, "in_force")
    assert (await simulated(ledger, in_force, in_force, store="north")).revisions == 0
    assert (await simulated(ledger, in_force, in_force, since=datetime.now(UTC))).revisions == 0
    assert (await simulated(ledger, in_force, in_force, store="demo")).revisions == len(made)


async def test_what_was_seen_in_the_same_moment_is_settled_by_the_record(few: Few, tmp_path: Path) -> None:
    """Two like orders at once: the second's look may come before the first's record, whatever the order of the rows."""
    ledger, made = few
    first = next(step for step in made if step.order.customer.relation == "repeat")
    again = Step(first.order.model_copy(update={"number": "again"}), stock=first.stock)
    in_force = policy(tmp_path, "in_force")
    decided = await live(ledger, in_force, [again])
    assert "probable_duplicate" in {flag.name for flag in decided["again", 1].flags}

    # As if the look had come before the record of the first, and its own record after it.
    def unseen(found: Any) -> None:
        found["flags"] = [flag for flag in found["flags"] if flag["name"] != "probable_duplicate"]

    await tamper(ledger, "again", unseen, recorded_at=again.now.replace(microsecond=900_000))
    await tamper(ledger, first.order.number, recorded_at=again.now.replace(microsecond=500_000))
    found = await simulated(ledger, in_force, in_force)
    assert "demo/again" not in {one.order for one in found.self_check.otherwise if "flags" in one.what}
