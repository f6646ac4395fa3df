"""Finding orders, and what an assessment asks of the past."""

from datetime import timedelta
from decimal import Decimal

import pytest

from orderack.contracts.ids import order_workflow_id
from orderack.contracts.journal import Event, Stage
from orderack.domain.order import OrderRef
from orderack.ledger.repository import SqlLedger
from tests.ledger.samples import NOW, REF, asked, entry, journal, order, stored


@pytest.mark.parametrize(
    "text",
    [
        "1001",
        "north/1001",
        order_workflow_id(REF),
        "gid-55",
        "SO-4711",
        "C-7",
        "ada@example.com",
        "ADA@EXAMPLE.COM",
        "+15005550006",
        "1 500 555-0006",
        "  1001 ",
    ],
)
async def test_an_order_is_found_by_every_id_it_has(ledger: SqlLedger, text: str) -> None:
    other = order("1002", customer="C-8", external="gid-56")
    contacts = other.contacts.model_copy(update={"email": "bo@example.com", "phone": "+15005550009"})
    await ledger.save_revision(
        stored(other.model_copy(update={"contacts": contacts})),
        "f-2",
        journal(ref=OrderRef(store="north", number="1002")),
    )
    await ledger.save_revision(stored(), "f-1", journal([entry(1, Event.ERP_RECEIPT, note="SO-4711")]))
    assert [row.ref for row in await ledger.find(text)] == [REF]


@pytest.mark.parametrize(
    "text", ["", " ", "100", "north", "%", "ada@", "555", "/", "order/", "' OR 1=1 --", "1001/north"]
)
async def test_nothing_but_an_exact_match_is_found(ledger: SqlLedger, text: str) -> None:
    await ledger.save_revision(stored(), "f-1", journal())
    assert await ledger.find(text) == []


async def test_the_latest_revisions_contacts_are_the_ones_searched(ledger: SqlLedger) -> None:
    await ledger.save_revision(stored(), "f-1", journal())
    contacts = order().contacts.model_copy(update={"email": "ada.new@example.com"})
    await ledger.save_revision(stored(order().model_copy(update={"contacts": contacts}), 2), "f-1", journal())
    assert await ledger.find("ada@example.com") == []
    assert [row.ref for row in await ledger.find("ada.new@example.com")] == [REF]


async def test_no_more_orders_are_found_than_asked_for_and_the_latest_touched_first(ledger: SqlLedger) -> None:
    refs = [OrderRef(store="north", number=str(number)) for number in range(5)]
    for ref in refs:
        await ledger.save_revision(stored(order(ref.number)), "f-1", journal(ref=ref))
    assert [row.ref for row in await ledger.find("C-7", limit=2)] == [refs[4], refs[3]]


async def test_orders_are_listed_by_stage_and_store_with_the_next_due_first(ledger: SqlLedger) -> None:
    for number, hours in (("1", 3), ("2", None), ("3", 1)):
        due = NOW + timedelta(hours=hours) if hours else None
        standing = journal(ref=OrderRef(store="north", number=number), stage=Stage.REVIEW)
        await ledger.write(standing.model_copy(update={"next_due_at": due}))
    await ledger.write(journal(ref=OrderRef(store="south", number="4"), stage=Stage.CLOSED))
    assert [row.ref.number for row in await ledger.orders(stage=Stage.REVIEW)] == ["3", "1", "2"]
    assert [row.ref.number for row in await ledger.orders(store="south")] == ["4"]
    assert [row.ref.number for row in await ledger.orders(limit=3)] == ["3", "4", "1"]
    assert await ledger.orders(stage=Stage.CLOSED, store="north") == []


async def test_past_orders_tell_quantities_per_sku_since_a_time(ledger: SqlLedger) -> None:
    await ledger.save_revision(stored(), "f-1", journal())
    (past,) = (await ledger.past(asked(customer_id="C-7"))).orders
    assert (past.ref, past.total, past.currency, past.trigger_at) == (REF, Decimal("20.00"), "EUR", NOW)
    assert past.quantities == {"MUG": Decimal("2.5")}
    later = NOW + timedelta(microseconds=1)
    for nothing in (asked(customer_id="C-7", since=later), asked("south", customer_id="C-7"), asked(customer_id="C-8")):
        assert (await ledger.past(nothing)).orders == ()


async def test_orders_with_the_same_fingerprint_are_found(ledger: SqlLedger) -> None:
    for number in ("1", "2"):
        await ledger.save_revision(stored(order(number)), "same", journal(ref=OrderRef(store="north", number=number)))
    await ledger.save_revision(stored(order("3")), "other", journal(ref=OrderRef(store="north", number="3")))
    for store in ("north", "south"):
        alike = (await ledger.past(asked(store, fingerprint="same"))).alike
        assert {past.ref.number for past in alike} == {"1", "2"}
    assert (await ledger.past(asked(fingerprint="same", alike_since=NOW + timedelta(microseconds=1)))).alike == ()


async def test_receipt_latencies_are_the_seconds_from_submission_to_receipt(ledger: SqlLedger) -> None:
    for number, seconds in (("1", 2.5), ("2", 40.0), ("3", -1.0)):
        ref = OrderRef(store="north", number=number)
        start = 100.0 * int(number)
        submitted = entry(1, Event.SUBMITTED_TO_ERP, after=start)
        receipt = entry(2, Event.ERP_RECEIPT, after=start + seconds)
        again = entry(3, Event.ERP_RECEIPT, after=start + 90)
        await ledger.write(journal([receipt], ref=ref))
        await ledger.write(journal([submitted, again], ref=ref))
        await ledger.save_revision(stored(order(number)), "f", journal(ref=ref))
    assert (await ledger.past(asked(erp="main"))).latencies == (40.0, 2.5)
    assert (await ledger.past(asked(erp="main", latencies=1))).latencies == (40.0,)
    assert (await ledger.past(asked(erp="other"))).latencies == ()


async def test_the_queue_counts_orders_accepted_and_neither_handed_off_nor_ended(ledger: SqlLedger) -> None:
    for stage in Stage:
        await ledger.write(journal(ref=OrderRef(store="north", number=stage), stage=stage))
    waiting = {Stage.ASSESSING, Stage.REVIEW, Stage.AWAITING_ERP, Stage.CONFIRMED}
    assert (await ledger.past(asked("north"))).queue_depth == len(waiting)
    assert (await ledger.past(asked("south"))).queue_depth == 0
