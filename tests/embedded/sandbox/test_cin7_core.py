"""The Cin7 Core account in the sandbox: the adapter, set up by the sandbox's settings alone, books orders once."""

import asyncio
from collections import Counter
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from orderack.clients import http
from orderack.domain.order import Customer, Totals
from orderack.domain.receipt import StockVerdict
from orderack.embedded.sandbox import Action, Behaviour, Fault, Operation, SkuStock, Target
from orderack.erps import cin7_core
from orderack.erps.cin7_core import make
from orderack.errors import BadSignature, InDoubt, InvalidInput, Misconfigured, Refused, Unavailable
from orderack.ports import Awaited, RawRequest
from tests.conformance.erp import LINES, REF, an_order
from tests.embedded.sandbox.erp_suite import each_lost

ORDER = an_order()
PREFIX = "ORDERACK_ERP_CIN7_CORE_"
KEY = "shop/A-1001/1"


@pytest.fixture
def account(sandbox):
    return next(vendor for vendor in sandbox.vendors if vendor.target is Target.CIN7_CORE)


@pytest.fixture
def built(sandbox, monkeypatch, tmp_path):
    """Adapters as a worker builds them, each with a memory of its own."""
    monkeypatch.chdir(tmp_path)
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    return lambda: make("cin7_core", PREFIX)


@pytest.fixture
async def erp(built):
    made = built()
    yield made
    await made.aclose()


def orders(sandbox, key=KEY):
    """The orders that came of this submission, and how often each was written."""
    return Counter(entry.provider_id for entry in sandbox.state.log.entries(Target.CIN7_CORE) if entry.key == key)


def sales(account):
    return [sale for sale in account.books.of(None) if sale.order is not None]


async def found(erp, revision=1):
    """The receipt, asked for until it is there."""
    for _ in range(100):
        if (receipt := await erp.find(REF, revision)) is not None:
            return receipt
        await asyncio.sleep(0.02)
    raise AssertionError("never booked")


async def test_an_order_is_a_draft_and_is_booked_once_it_is_authorised(erp, sandbox):
    sandbox.state.behaviour = Behaviour(books_after=0.1)
    booking = await erp.submit(ORDER, 1)
    assert booking.receipt is None
    assert "draft" in booking.waits
    receipt = await found(erp)
    assert (receipt.document_id, receipt.revision) == (booking.document_id, 1)
    assert [line.verdict for line in receipt.lines] == [StockVerdict.AVAILABLE] * 2
    assert orders(sandbox) == {booking.document_id: 1}


async def test_the_stock_table_is_what_the_lines_say(erp, sandbox):
    sandbox.state.behaviour = Behaviour(books_after=0)
    table = sandbox.state.stock
    table.set("KETTLE", SkuStock(verdict=StockVerdict.UNAVAILABLE))
    table.set("CUP", SkuStock(verdict=StockVerdict.PARTIAL, available=Decimal(2)))
    kettle, cup = (await erp.submit(ORDER, 1)).receipt.lines
    assert (kettle.line_id, kettle.verdict) == ("1", StockVerdict.UNAVAILABLE)
    assert (cup.line_id, cup.verdict, cup.quantity) == ("2", StockVerdict.PARTIAL, Decimal(2))
    kettle, cup = await erp.availability(LINES)
    assert (kettle.verdict, cup.verdict, cup.available) == (StockVerdict.UNAVAILABLE, StockVerdict.PARTIAL, Decimal(2))
    table.set("KETTLE", SkuStock(verdict=StockVerdict.BACKORDERED))
    table.set("CUP", SkuStock(verdict=StockVerdict.SUBSTITUTED, substitute_sku="MUG"))
    kettle, cup = (await erp.find(REF, 1)).lines
    assert (kettle.verdict, cup.substitute_sku) == (StockVerdict.BACKORDERED, "MUG")
    assert (await erp.availability(LINES))[0].verdict is StockVerdict.BACKORDERED


async def test_a_later_revision_changes_the_same_sale_and_an_older_one_never_comes_back(erp, sandbox, account):
    sandbox.state.behaviour = Behaviour(books_after=0)
    first = await erp.submit(ORDER, 1)
    changed = ORDER.model_copy(update={"lines": LINES[:1], "totals": Totals(total=Decimal(20))})
    second = await erp.submit(changed, 2)
    assert first.document_id == second.document_id
    assert [line.line_id for line in second.receipt.lines] == ["1"]
    assert await erp.find(REF, 1) is None
    with pytest.raises(Refused, match="revision 2"):
        await erp.submit(ORDER, 1)
    assert len(sales(account)) == 1


STEPS = [(Operation.SEND, 0), (Operation.SEND, 1), *((Operation.LOOKUP, nth) for nth in range(3))]
"""The sale, its order; looking, looking again, reading back."""


@pytest.mark.parametrize(("operation", "nth", "action"), each_lost(STEPS))
async def test_whatever_request_of_a_submission_is_lost_it_is_booked_once(
    built, sandbox, account, action, operation, nth
):
    sandbox.state.behaviour = Behaviour(books_after=0)
    sandbox.state.faults.add(Fault(target=Target.CIN7_CORE, action=action, operation=operation, after=nth))
    receipt = None
    for _ in range(3):  # each attempt on a worker that knows nothing of the others'
        erp = built()
        try:
            receipt = (await erp.submit(ORDER, 1)).receipt
        except Unavailable:
            assert operation is Operation.LOOKUP or action is Action.FAIL
        except InDoubt:
            assert operation is Operation.SEND
            receipt = await erp.find(REF, 1)
        finally:
            await erp.aclose()
    assert receipt is not None
    assert len(sales(account)) == 1
    assert orders(sandbox) == {receipt.document_id: 1}
    assert sandbox.state.faults.unfired() == ()


@pytest.mark.parametrize("lost", [Operation.SEND, Operation.LOOKUP])
async def test_a_change_that_is_cut_off_between_undoing_and_writing_anew_is_gone_on_with(built, sandbox, account, lost):
    sandbox.state.behaviour = Behaviour(books_after=0)
    erp = built()
    await erp.submit(ORDER, 1)
    for after in range(3):  # undo, header, order
        changed = ORDER.model_copy(update={"instructions": f"change {after}"})
        sandbox.state.faults.clear()
        sandbox.state.faults.add(
            Fault(target=Target.CIN7_CORE, action=Action.CUT_OFF_AFTER_ACCEPT, operation=lost, after=min(after, 1))
        )
        with pytest.raises((InDoubt, Unavailable)):
            await erp.submit(changed, after + 2)
        assert (await erp.submit(changed, after + 2)).receipt.revision == after + 2
    (sale,) = sales(account)
    assert sale.content.ExternalID == "shop/A-1001"
    assert orders(sandbox, "shop/A-1001/4") == {sale.number: 1}
    await erp.aclose()


async def test_two_workers_at_once_write_one_order(built, sandbox, account):
    """Each may open a sale; both go on with the same one, and whose order comes second finds the first one's."""
    sandbox.state.behaviour = Behaviour(books_after=0)
    one, other = built(), built()
    both = await asyncio.gather(one.submit(ORDER, 1), other.submit(ORDER, 1))
    assert both[0] == both[1]
    assert orders(sandbox) == {both[0].document_id: 1}
    assert len(sales(account)) == 1
    for erp in (one, other):
        await erp.aclose()


async def test_a_sale_that_the_list_does_not_show_yet_is_known_to_the_worker_that_made_it(erp, sandbox, account):
    sandbox.state.behaviour = Behaviour(books_after=0)
    account.list_lags = 30
    sandbox.state.faults.add(Fault(target=Target.CIN7_CORE, action=Action.CUT_OFF_BEFORE, after=1))
    with pytest.raises(InDoubt):
        await erp.submit(ORDER, 1)
    assert (await erp.submit(ORDER, 1)).receipt is not None
    assert len(account.books.of("shop/A-1001")) == 1


async def test_of_two_sales_of_one_order_everybody_goes_on_with_the_same(built, sandbox, account):
    """The first answer was lost and the list did not show the sale: an empty one stays, nothing is doubled."""
    sandbox.state.behaviour = Behaviour(books_after=0)
    account.list_lags = 0.2
    sandbox.state.faults.add(Fault(target=Target.CIN7_CORE, action=Action.CUT_OFF_AFTER_ACCEPT))
    first, second = built(), built()
    with pytest.raises(InDoubt):
        await first.submit(ORDER, 1)
    sandbox.state.faults.add(Fault(target=Target.CIN7_CORE, action=Action.CUT_OFF_BEFORE, after=1))
    with pytest.raises(InDoubt):
        await second.submit(ORDER, 1)
    await asyncio.sleep(0.25)
    for erp in (built(), second, first):
        assert (await erp.submit(ORDER, 1)).receipt is not None
        await erp.aclose()
    assert len(account.books.of("shop/A-1001")) == 2
    assert list(orders(sandbox).values()) == [1]
    assert len(sales(account)) == 1


@pytest.mark.parametrize(
    ("fault", "fate", "says"),
    [
        ({"action": Action.REFUSE}, Refused, "not accepted"),
        ({"action": Action.THROTTLE, "retry_after": 7}, Unavailable, "503"),
        ({"action": Action.FAIL}, Unavailable, "503"),
        ({"action": Action.FAIL, "status": 500}, InDoubt, "500"),
        ({"action": Action.FAIL, "status": 502}, InDoubt, "502"),
        ({"action": Action.NONSENSE}, InDoubt, "says nothing"),
    ],
)
async def test_every_fault_has_its_fate(erp, sandbox, fault, fate, says):
    sandbox.state.faults.add(Fault(target=Target.CIN7_CORE, **fault))
    with pytest.raises(fate, match=says) as caught:
        await erp.submit(ORDER, 1)
    assert fault["action"] is not Action.THROTTLE or caught.value.retry_after.total_seconds() == 7
    assert orders(sandbox) == {}


async def test_a_slow_answer_and_none_at_all_are_in_doubt_and_then_found(erp, sandbox, monkeypatch):
    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.3)
    sandbox.state.behaviour = Behaviour(books_after=0)
    sandbox.state.faults.add(Fault(target=Target.CIN7_CORE, action=Action.HANG))
    with pytest.raises(InDoubt):
        await erp.submit(ORDER, 1)
    sandbox.state.faults.add(Fault(target=Target.CIN7_CORE, action=Action.SLOW, seconds=0.6, after=1))
    with pytest.raises(InDoubt):
        await erp.submit(ORDER, 1)
    receipt = await erp.find(REF, 1)
    assert orders(sandbox) == {receipt.document_id: 1}


async def test_the_sixty_first_call_of_a_minute_is_put_off(erp, account):
    account.limited = True
    for _ in range(60):
        await erp.find(REF, 1)
    with pytest.raises(Unavailable, match="limiting") as caught:
        await erp.submit(ORDER, 1)
    assert caught.value.retry_after.total_seconds() == 20


async def test_what_the_account_does_not_have_is_named_by_its_line(erp, sandbox):
    strange = ORDER.model_copy(update={"lines": (LINES[0], LINES[1].model_copy(update={"sku": "404-CUP"}))})
    with pytest.raises(Refused, match=r"line 2: .*was not found"):
        await erp.submit(strange, 1)
    assert orders(sandbox) == {}


@pytest.mark.parametrize(("page", "pages", "asked"), [(1_000, 5, 4), (3, 5, 5), (1, 1, 6)])
async def test_many_orders_that_wait_are_asked_about_by_one_list(
    erp, account, sandbox, monkeypatch, page, pages, asked
):
    """Page by page; what a list that has no end does not show is asked for by itself."""
    monkeypatch.setattr(cin7_core, "PAGE", page)
    monkeypatch.setattr(cin7_core, "MOST_PAGES", pages)
    sandbox.state.behaviour = Behaviour(books_after=0)
    refs = [REF.model_copy(update={"number": f"W-{n}"}) for n in range(4)]
    for ref in refs[:3]:
        await erp.submit(an_order(ref), 1)
    account.books.of(None)[2].order.Memo = "somebody's own"
    waiting = [*refs[1:3], refs[0]] if pages == 1 else refs
    account._calls.clear()
    since = datetime.now(UTC)
    found = await erp.find_several([Awaited(ref=ref, revision=1, since=since) for ref in waiting])
    assert {receipt.number for receipt in found} == {"W-0", "W-1"}
    assert len(account._calls) == asked
    assert await erp.find_several([Awaited(ref=refs[0], revision=2, since=since)]) == ()
    assert await erp.find_several([]) == ()


async def test_an_order_in_another_currency_than_the_customers_is_refused(erp, account, sandbox):
    account.currency = "AUD"
    with pytest.raises(Refused, match="kept in AUD, the order is in EUR"):
        await erp.submit(ORDER, 1)
    with pytest.raises(Refused, match="kept in AUD"):  # the empty sale is there now
        await erp.submit(ORDER, 1)
    assert orders(sandbox) == {}
    assert len(account.books.of("shop/A-1001")) == 1


async def test_charges_are_service_products_and_one_without_is_ours_to_mend(erp, account, monkeypatch):
    totals = Totals(discount=Decimal(5), shipping=Decimal("4.90"), total=Decimal("37.40"))
    charged = ORDER.model_copy(update={"totals": totals, "customer": Customer()})
    await erp.submit(charged, 1)
    (sale,) = sales(account)
    assert [(c.Description, c.Total) for c in sale.order.AdditionalCharges] == [("Discount", -5.0), ("Shipping", 4.9)]
    monkeypatch.delenv(f"{PREFIX}SHIPPING_CHARGE")
    bare = make("cin7_core", PREFIX)
    with pytest.raises(Misconfigured, match="ORDERACK_ERP_CIN7_CORE_SHIPPING_CHARGE"):
        await bare.submit(charged, 2)
    await bare.aclose()


async def test_cancelling_voids_the_sale_once_and_comes_too_late_after_the_invoice(erp, sandbox, account):
    sandbox.state.behaviour = Behaviour(books_after=0)
    assert await erp.cancel(REF, None, "the buyer asked") is False
    document = (await erp.submit(ORDER, 1)).document_id
    sales(account)[0].invoiced = True
    with pytest.raises(Refused, match="too late: invoiced"):
        await erp.cancel(REF, document, "the buyer asked")
    sales(account)[0].invoiced = False
    assert await erp.cancel(REF, document, "the buyer asked") is True
    assert await erp.cancel(REF, document, "the buyer asked") is True
    entries = [e for e in sandbox.state.log.entries(Target.CIN7_CORE) if e.operation is Operation.CANCEL]
    assert [entry.provider_id for entry in entries] == [document]
    assert {line.verdict for line in (await erp.find(REF, 1)).lines} == {StockVerdict.UNAVAILABLE}
    with pytest.raises(Refused, match="voided"):
        await erp.submit(ORDER, 2)


async def test_an_order_that_got_lost_is_never_booked_and_one_of_drafts_waits(erp, sandbox, monkeypatch):
    sandbox.state.behaviour = Behaviour(books_after=0)
    monkeypatch.setenv(f"{PREFIX}AUTHORISE", "false")
    careful = make("cin7_core", PREFIX)
    assert "draft" in (await careful.submit(ORDER, 1)).waits
    assert await careful.find(REF, 1) is None
    await careful.aclose()


async def test_a_webhook_carries_a_secret_and_no_receipt(erp, sandbox, gateway):
    sandbox.state.callback_base = gateway.url
    await erp.submit(ORDER, 1)
    (pushed,) = await gateway.wait_for(1, "/receipts/cin7_core")
    request = RawRequest(url=pushed.url, headers=dict(pushed.headers), body=pushed.body)
    erp.verify(request)
    assert erp.receipts(request) == ()
    with pytest.raises(BadSignature):
        erp.verify(request.model_copy(update={"headers": {**request.headers, "x-orderack-secret": "another-secret-"}}))
    with pytest.raises(BadSignature):
        erp.verify(request.model_copy(update={"headers": {}}))
    with pytest.raises(InvalidInput):
        erp.receipts(request.model_copy(update={"body": b"["}))


async def test_a_login_that_is_none_names_the_settings(built, monkeypatch):
    monkeypatch.setenv(f"{PREFIX}APPLICATION_KEY", "wrong")
    stranger = built()
    for asking in (stranger.submit(ORDER, 1), stranger.find(REF, 1), stranger.availability(LINES)):
        with pytest.raises(Misconfigured, match="ORDERACK_ERP_CIN7_CORE_ACCOUNT_ID"):
            await asking
    await stranger.aclose()


async def test_two_lines_of_one_item_are_not_promised_the_same_piece(erp, sandbox):
    sandbox.state.stock.set("CUP", SkuStock(verdict=StockVerdict.PARTIAL, available=Decimal(7)))
    one, other = await erp.availability([LINES[1], LINES[1].model_copy(update={"line_id": "9"})])
    assert (one.verdict, other.verdict, other.available) == (StockVerdict.AVAILABLE, StockVerdict.PARTIAL, Decimal(2))
