"""What cannot be decided again is said and counted, and never compared."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio
from sqlalchemy import text

from orderack.contracts.journal import Event, Stage
from orderack.ledger.repository import SqlLedger
from tests.diagnostics.whatif.shop import Step, _entry, _journal, a_ledger, live, policy, simulated, steps

FEW = 24


@pytest_asyncio.fixture
async def few(sqlite_template: Path, tmp_path: Path) -> AsyncIterator[tuple[SqlLedger, list[Step]]]:
    """A small past of this test's own."""
    made = [step for step in steps(FEW) if step.revision == 1]
    async with a_ledger(sqlite_template, tmp_path, "few") as ledger:
        await live(ledger, policy(tmp_path, "in_force"), made)
        yield ledger, made


async def tamper(ledger: SqlLedger, statement: str, **values: object) -> None:
    async with ledger._database.write() as session:
        await session.execute(text(statement), values)


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
    await tamper(ledger, "UPDATE revisions SET explanation=:e WHERE number=:n", e=explanation, n=made[0].order.number)
    in_force = policy(tmp_path, "in_force")
    found = await simulated(ledger, in_force, in_force)
    assert (found.self_check.not_kept, found.orders) == ({"no_inputs": 1}, len(made) - 1)


async def test_an_order_that_the_rules_failed_on_is_counted_and_left_out(few: Few, tmp_path: Path) -> None:
    ledger, made = few
    await tamper(
        ledger,
        "UPDATE revisions SET assessment=json_set(assessment, '$.decision.rule', 'assessment_failed') WHERE number=:n",
        n=made[0].order.number,
    )
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
    await tamper(
        ledger,
        "UPDATE revisions SET assessment=json_set(assessment, '$.decision.team', 'warehouse', '$.promise_on', "
        "'2030-01-01') WHERE number=:n",
        n=number,
    )
    in_force = policy(tmp_path, "in_force")
    found = await simulated(ledger, in_force, in_force)
    assert [(one.order, one.what) for one in found.self_check.otherwise] == [(f"demo/{number}", ("team", "promise_on"))]
    assert (found.orders, found.different) == (len(made) - 1, 0)
    assert any("not decided as recorded" in words for words in found.warnings)


async def test_other_words_for_the_same_decision_are_no_difference(few: Few, tmp_path: Path) -> None:
    ledger, made = few
    await tamper(
        ledger, "UPDATE revisions SET assessment=json_set(assessment, '$.decision.why', 'As an older version said.')"
    )
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
    await tamper(
        ledger,
        "UPDATE revisions SET assessment=json_set(assessment, '$.flags', json(:flags)), recorded_at=:at "
        "WHERE number='again'",
        flags="["
        + ",".join(f.model_dump_json() for f in decided["again", 1].flags if f.name != "probable_duplicate")
        + "]",
        at=f"{again.now.replace(tzinfo=None, microsecond=900_000)}",
    )
    await tamper(
        ledger,
        "UPDATE revisions SET recorded_at=:at WHERE number=:n",
        at=f"{again.now.replace(tzinfo=None, microsecond=500_000)}",
        n=first.order.number,
    )
    found = await simulated(ledger, in_force, in_force)
    assert "demo/again" not in {one.order for one in found.self_check.otherwise if "flags" in one.what}
