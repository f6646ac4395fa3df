"""The Cin7 Omni account in the sandbox: the adapter, set up by the sandbox's settings alone, books orders once."""

import asyncio
from collections import Counter
from decimal import Decimal

import pytest

from orderack.clients import http
from orderack.domain.order import Totals
from orderack.domain.receipt import StockVerdict
from orderack.embedded.sandbox import Action, Behaviour, Fault, Operation, SkuStock, Target
from orderack.erps import cin7_omni
from orderack.erps._cin7_omni_order import reference
from orderack.erps.cin7_omni import make
from orderack.errors import InDoubt, Misconfigured, Refused, Unavailable
from orderack.ports import Awaited
from tests.conformance.erp import LINES, NOW, REF, an_order
from tests.embedded.sandbox.erp_suite import each_lost

ORDER = an_order()
PREFIX = "ORDERACK_ERP_CIN7_OMNI_"
KEY = "shop/A-1001/1"


@pytest.fixture(autouse=True)
def _at_once(monkeypatch):
    monkeypatch.setattr(cin7_omni, "PACE", 0.0)


@pytest.fixture
def account(sandbox):
    return next(vendor for vendor in sandbox.vendors if vendor.target is Target.CIN7_OMNI)


@pytest.fixture
def built(sandbox, monkeypatch, tmp_path):
    """Adapters as a worker builds them."""
    monkeypatch.chdir(tmp_path)
    sandbox.state.behaviour = Behaviour(books_after=0)
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    return lambda: make("cin7_omni", PREFIX)


@pytest.fixture
async def erp(built):
    made = built()
    yield made
    await made.aclose()


def orders(sandbox, key=KEY):
    """The orders that came of this submission, and how often each was written."""
    return Counter(entry.provider_id for entry in sandbox.state.log.entries(Target.CIN7_OMNI) if entry.key == key)


def rows(account):
    """Code and quantity of the one order's lines that still have one."""
    (document,) = account.books.all()
    return [(line["code"], line["qty"]) for line in document.lines if line["qty"]]


async def test_an_order_is_a_draft_and_is_booked_once_it_is_approved(erp, sandbox):
    sandbox.state.behaviour = Behaviour(books_after=0.1)
    booking = await erp.submit(ORDER, 1)
    assert (booking.document_id, booking.receipt) == (reference(REF), None)
    assert "draft" in booking.waits
    assert await erp.find(REF, 1) is None
    await asyncio.sleep(0.2)
    receipt = await erp.find(REF, 1)
    assert (receipt.document_id, receipt.revision) == (booking.document_id, 1)
    assert [line.verdict for line in receipt.lines] == [StockVerdict.AVAILABLE] * 2
    assert orders(sandbox) == {booking.document_id: 1}


async def test_the_stock_table_is_what_the_lines_say(erp, sandbox):
    table = sandbox.state.stock
    table.set("KETTLE", SkuStock(verdict=StockVerdict.UNAVAILABLE))
    table.set("CUP", SkuStock(verdict=StockVerdict.PARTIAL, available=Decimal(2)))
    free = await erp.availability(LINES)
    assert [line.verdict for line in free] == [StockVerdict.UNAVAILABLE, StockVerdict.PARTIAL]
    kettle, cup = (await erp.submit(ORDER, 1)).receipt.lines
    assert (kettle.line_id, kettle.verdict) == ("1", StockVerdict.UNAVAILABLE)
    assert (cup.line_id, cup.verdict, cup.quantity) == ("2", StockVerdict.PARTIAL, Decimal(2))
    table.set("KETTLE", SkuStock(verdict=StockVerdict.BACKORDERED))
    kettle, _ = (await erp.find(REF, 1)).lines
    assert kettle.verdict is StockVerdict.BACKORDERED


async def test_what_other_orders_were_promised_is_not_promised_again(erp, sandbox):
    sandbox.state.stock.set("CUP", SkuStock(verdict=StockVerdict.PARTIAL, available=Decimal(7)))
    first = an_order(REF.model_copy(update={"number": "B-1"}))
    assert [line.verdict for line in (await erp.submit(first, 1)).receipt.lines] == [StockVerdict.AVAILABLE] * 2
    cup = (await erp.submit(ORDER, 1)).receipt.lines[1]
    assert (cup.verdict, cup.quantity) == (StockVerdict.PARTIAL, Decimal(2))


async def test_a_substitute_that_a_person_put_there_is_seen(erp, sandbox):
    sandbox.state.stock.set("CUP", SkuStock(verdict=StockVerdict.SUBSTITUTED, substitute_sku="MUG"))
    cup = (await erp.submit(ORDER, 1)).receipt.lines[1]
    assert (cup.verdict, cup.substitute_sku) == (StockVerdict.SUBSTITUTED, "MUG")


async def test_a_later_revision_changes_the_same_order_and_an_older_one_never_comes_back(erp, sandbox, account):
    first = await erp.submit(ORDER, 1)
    changed = ORDER.model_copy(
        update={
            "lines": (
                LINES[1].model_copy(update={"quantity": Decimal(3)}),
                LINES[0].model_copy(update={"line_id": "9"}),
            ),
            "totals": Totals(total=Decimal("30.50")),
        }
    )
    second = await erp.submit(changed, 2)
    assert first.document_id == second.document_id
    assert [line.line_id for line in second.receipt.lines] == ["2", "9"]
    assert rows(account) == [("CUP", 3.0), ("KETTLE", 1.0)]
    assert await erp.find(REF, 1) is None
    with pytest.raises(Refused, match="revision 2"):
        await erp.submit(ORDER, 1)
    assert orders(sandbox, "shop/A-1001/2") == {first.document_id: 1}


STEPS = [(Operation.SEND, 0), (Operation.LOOKUP, 0), (Operation.LOOKUP, 1), (Operation.AVAILABILITY, 0)]
"""The order; looking, reading back; its stock."""


@pytest.mark.parametrize(("operation", "nth", "action"), each_lost(STEPS))
@pytest.mark.parametrize("revision", [1, pytest.param(2, marks=pytest.mark.long)])
async def test_whatever_request_of_a_submission_is_lost_it_is_booked_once(
    built, sandbox, account, action, operation, nth, revision
):
    first = built()
    for earlier in range(1, revision):
        await first.submit(ORDER, earlier)
    await first.aclose()
    sandbox.state.faults.add(Fault(target=Target.CIN7_OMNI, action=action, operation=operation, after=nth))
    changed = ORDER.model_copy(update={"instructions": f"change {revision}"})
    receipt = None
    for _ in range(3):  # each attempt on a worker that knows nothing of the others'
        erp = built()
        try:
            receipt = (await erp.submit(changed, revision)).receipt
        except Unavailable:
            assert (operation, revision) != (Operation.SEND, 1)
        except InDoubt:
            assert (operation, revision) == (Operation.SEND, 1)
            receipt = await erp.find(REF, revision)
        finally:
            await erp.aclose()
    assert receipt is not None
    assert receipt.revision == revision
    assert orders(sandbox, f"shop/A-1001/{revision}") == {receipt.document_id: 1}
    assert rows(account) == [("KETTLE", 1.0), ("CUP", 5.0)]
    assert sandbox.state.faults.unfired() == ()


async def test_two_at_once_book_one_order_and_a_change_twice_at_once_doubles_no_line(built, account, sandbox):
    one, other = built(), built()
    both = await asyncio.gather(one.submit(ORDER, 1), other.submit(ORDER, 1))
    assert {booking.receipt.document_id for booking in both} == {reference(REF)}
    assert orders(sandbox) == {reference(REF): 1}
    more = ORDER.model_copy(update={"lines": (*LINES, LINES[0].model_copy(update={"line_id": "3", "sku": "POT"}))})
    await asyncio.gather(one.submit(more, 2), other.submit(more, 2), return_exceptions=True)
    assert (await one.submit(more, 2)).receipt.revision == 2
    assert sorted(rows(account)) == [("CUP", 5.0), ("KETTLE", 1.0), ("POT", 1.0)]
    await one.aclose()
    await other.aclose()


async def test_a_change_whose_lines_are_not_taken_is_no_booking(erp, account):
    await erp.submit(ORDER, 1)
    account.ignores_lines = True
    less = ORDER.model_copy(update={"lines": LINES[:1], "totals": Totals(total=Decimal(20))})
    with pytest.raises(Refused, match="lines that were written"):
        await erp.submit(less, 2)
    assert await erp.find(REF, 2) is None


@pytest.mark.parametrize(
    ("fault", "fate", "says"),
    [
        ({"action": Action.REFUSE}, Refused, "not accepted"),
        ({"action": Action.THROTTLE, "retry_after": 7}, Unavailable, "429"),
        ({"action": Action.FAIL}, InDoubt, "503"),
        ({"action": Action.NONSENSE}, InDoubt, "says nothing"),
    ],
)
async def test_every_fault_has_its_fate(erp, sandbox, fault, fate, says):
    sandbox.state.faults.add(Fault(target=Target.CIN7_OMNI, **fault))
    with pytest.raises(fate, match=says) as caught:
        await erp.submit(ORDER, 1)
    assert fault["action"] is not Action.THROTTLE or caught.value.retry_after.total_seconds() == 7


async def test_a_slow_answer_and_none_at_all_are_in_doubt_and_then_found(erp, sandbox, monkeypatch):
    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.3)
    sandbox.state.faults.add(Fault(target=Target.CIN7_OMNI, action=Action.HANG))
    with pytest.raises(InDoubt):
        await erp.submit(ORDER, 1)
    sandbox.state.faults.add(Fault(target=Target.CIN7_OMNI, action=Action.SLOW, seconds=0.6))
    with pytest.raises(InDoubt):
        await erp.submit(ORDER, 1)
    receipt = await erp.find(REF, 1)
    assert orders(sandbox) == {receipt.document_id: 1}


async def test_forty_orders_that_wait_are_asked_about_in_two_requests(erp, sandbox, account):
    refs = [REF.model_copy(update={"number": f"W-{n}"}) for n in range(40)]
    for ref in refs[:3]:
        await erp.submit(an_order(ref), 1)
    account.limited = True
    account._calls.clear()
    wanted = [Awaited(ref=ref, revision=1, since=NOW) for ref in refs]
    assert {receipt.number for receipt in await erp.find_several(wanted)} == {"W-0", "W-1", "W-2"}
    assert len(account._calls) == 2


async def test_its_pace_keeps_to_three_a_second(erp, account, monkeypatch):
    monkeypatch.setattr(cin7_omni, "PACE", 0.34)
    account.limited = True
    assert (await erp.submit(ORDER, 1)).receipt is not None


async def test_cancelling_voids_the_order_once_and_comes_too_late_after_the_invoice(erp, sandbox, account):
    assert await erp.cancel(REF, None, "the buyer asked") is False
    document = (await erp.submit(ORDER, 1)).document_id
    assert await erp.invoice(REF, document) == "70001"
    assert await erp.invoice(REF, document) == "70001"
    with pytest.raises(Refused, match="too late: invoiced"):
        await erp.cancel(REF, document, "the buyer asked")
    with pytest.raises(Refused, match="too late: invoiced"):
        await erp.submit(ORDER, 2)
    account.books.all()[0].fields["invoiceDate"] = None
    assert await erp.cancel(REF, document, "the buyer asked") is True
    assert await erp.cancel(REF, document, "the buyer asked") is True
    entries = [e for e in sandbox.state.log.entries(Target.CIN7_OMNI) if e.operation is Operation.CANCEL]
    assert [entry.provider_id for entry in entries] == [document]
    assert {line.verdict for line in (await erp.find(REF, 1)).lines} == {StockVerdict.UNAVAILABLE}
    with pytest.raises(Refused, match="voided"):
        await erp.submit(ORDER, 2)
    with pytest.raises(Refused, match="no approved order"):
        await erp.invoice(REF, document)


@pytest.mark.parametrize("action", [Action.CUT_OFF_BEFORE, Action.CUT_OFF_AFTER_ACCEPT, Action.FAIL])
async def test_an_invoice_that_is_asked_for_again_after_a_cut_is_the_same_one(erp, sandbox, account, action):
    document = (await erp.submit(ORDER, 1)).document_id
    sandbox.state.faults.add(Fault(target=Target.CIN7_OMNI, action=action))
    with pytest.raises(Unavailable):
        await erp.invoice(REF, document)
    assert await erp.invoice(REF, document) == "70001"


async def test_an_order_on_hold_or_declined_by_a_person_is_told_as_it_is(erp, account):
    await erp.submit(ORDER, 1)
    fields = account.books.all()[0].fields
    fields["stage"] = "On Hold"
    assert await erp.find(REF, 1) is None
    assert "On Hold" in (await erp.submit(ORDER, 1)).waits
    fields["stage"] = "Declined"
    assert {line.verdict for line in (await erp.find(REF, 1)).lines} == {StockVerdict.UNAVAILABLE}


async def test_an_order_of_somebody_elses_under_our_reference_is_left_alone(erp, account):
    await erp.submit(ORDER, 1)
    account.books.all()[0].fields["internalComments"] = "mine"
    with pytest.raises(Refused, match="somebody else"):
        await erp.submit(ORDER, 2)
    with pytest.raises(Refused, match="somebody else"):
        await erp.cancel(REF, None, "")
    assert await erp.find(REF, 1) is None


async def test_an_order_that_got_lost_is_never_booked(erp, sandbox):
    sandbox.state.faults.add(Fault(target=Target.CIN7_OMNI, action=Action.LOSE))
    assert "draft" in (await erp.submit(ORDER, 1)).waits
    assert await erp.find(REF, 1) is None


async def test_a_login_that_is_none_names_the_settings(built, monkeypatch):
    monkeypatch.setenv(f"{PREFIX}CONNECTION_KEY", "wrong")
    stranger = built()
    for asking in (stranger.submit(ORDER, 1), stranger.find(REF, 1), stranger.availability(LINES)):
        with pytest.raises(Misconfigured, match="ORDERACK_ERP_CIN7_OMNI_USERNAME"):
            await asking
    await stranger.aclose()


async def test_two_lines_of_one_item_are_not_promised_the_same_piece(erp, sandbox):
    sandbox.state.stock.set("CUP", SkuStock(verdict=StockVerdict.PARTIAL, available=Decimal(7)))
    one, other = await erp.availability([LINES[1], LINES[1].model_copy(update={"line_id": "9"})])
    assert (one.verdict, other.verdict, other.available) == (StockVerdict.AVAILABLE, StockVerdict.PARTIAL, Decimal(2))
