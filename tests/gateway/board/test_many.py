"""Ten thousand open orders: the board stays small, and asks the record as often as for ten."""

import time
from datetime import timedelta
from decimal import Decimal

import pytest
from sqlalchemy import event

from orderack.domain.acknowledgement import SendState
from orderack.domain.order import OrderRef
from orderack.gateway.board.feed import LISTED
from orderack.ledger.database import insert_all
from orderack.ledger.repository import SqlLedger
from orderack.ledger.tables import Handoffs, Orders, Reviews, Revisions, Sends
from orderack.temporal.open_orders import OpenOrder
from tests.gateway.board.board_world import World, words
from tests.ledger.samples import stored
from tests.temporal.server import now

STAGES = ("review", "awaiting_erp", "confirmed", *("handed_off",) * 7)
STATEMENTS = 30
"""Of one look: some for the whole, three for each ERP and two for each channel."""
SLOWEST = 3.0
"""Seconds, on a machine that does other things as well."""


async def fill(ledger: SqlLedger, many: int) -> None:
    """So many open orders in every stage, each with its revision and a message."""
    sample, at = stored(), now()
    assessment, content = sample.assessment.model_dump_json(), sample.order.model_dump_json()
    orders, revisions, handoffs, reviews, sends = [], [], [], [], []
    for place in range(many):
        key = {"store": "demo", "number": f"N{place:05}"}
        stage, came = STAGES[place % len(STAGES)], at - timedelta(minutes=place % 3_000)
        due = at + timedelta(minutes=place % 600, seconds=30)
        row = Orders(
            **key, received_at=came, updated_at=came, stage=stage, revision=1, trigger_at=came, next_due_at=due
        )
        row.source, row.total, row.currency, row.content_revision = "web", Decimal(place), "EUR", 1
        orders.append(row.model_dump())
        got = None if stage in ("review", "awaiting_erp") else came + timedelta(seconds=place % 9)
        revisions.append(
            Revisions(
                **key,
                **{"revision": 1, "recorded_at": came, "content_hash": "h", "content": content, "content_sha256": "h"},
                **{"assessment": assessment, "explanation": "", "fingerprint": "f", "erp": "main"},
                submitted_to_erp_at=came,
                erp_receipt_at=got,
            ).model_dump()
        )
        if stage == "handed_off":
            offered = {"id": f"h{place}", "content_hash": "h", "team": "ops", "answers": "[]", "offered_at": came}
            handoffs.append(Handoffs(**key, revision=1, **offered).model_dump())
        if stage == "review":
            reviews.append(Reviews(**key, seq=1, revision=1, opened_at=came, why="high_value").model_dump())
        message = {"kind": "confirmation", "n": 1, "channel": "email", "key": f"k{place}", "message_sha256": "h"}
        times = {"attempts": 1, "claimed_at": came, "lease_until": came, "finished_at": came}
        sends.append(Sends(**key, revision=1, state=SendState.ACCEPTED, **message, **times).model_dump())
    async with ledger._database.write() as session:
        for table, rows in (
            *((Orders, orders), (Revisions, revisions), (Handoffs, handoffs)),
            *((Reviews, reviews), (Sends, sends)),
        ):
            await insert_all(session, table, rows)


@pytest.mark.parametrize("many", [10, 10_000])
async def test_the_board_of_many_orders_is_as_small_and_asks_as_little_as_of_few(many: int, desk: World) -> None:
    ledger = desk.gateway.ledger
    await fill(ledger, many)
    asked: list[str] = []

    def count(connection: object, cursor: object, statement: str, *rest: object) -> None:
        asked.append(statement)

    engine = ledger._database._engine.sync_engine
    event.listen(engine, "before_cursor_execute", count)
    try:
        began = time.monotonic()
        record = await ledger.board(["demo", "other"], now())
        took = time.monotonic() - began
    finally:
        event.remove(engine, "before_cursor_execute", count)
    assert sum(row.orders for row in record.standings) == many
    assert len(asked) <= STATEMENTS
    assert took < SLOWEST
    rows = [OrderRef(store="demo", number=f"N{place:05}") for place in range(0, many, 10)][:LISTED]
    desk.orders.lists += [OpenOrder(ref=ref, started_at=now(), stage="review") for ref in rows]
    page = await (await desk.logged_in()).get("/board")
    assert len(page.content) < 60_000
    text = words(page)
    assert f"{many} open orders" in text
    assert f"With the team {many * 7 // 10}" in text
    assert f"{many // 10} to review" in text
