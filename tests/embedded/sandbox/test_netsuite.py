"""The NetSuite account in the sandbox: the adapter, set up by the sandbox's settings alone, books orders in it once."""

import asyncio
from collections import Counter
from decimal import Decimal

import httpx
import pytest
from pydantic import ValidationError

from orderack.clients import http
from orderack.domain.order import Customer, Totals
from orderack.domain.receipt import StockVerdict
from orderack.embedded.sandbox import Action, Behaviour, Fault, Operation, SkuStock, Target
from orderack.erps.netsuite import NetsuiteErp, NetsuiteSettings, make
from orderack.errors import Misconfigured, Refused, Unavailable
from orderack.ports import Awaited, RawRequest
from tests.conformance.erp import LINES, NOW, REF, an_order
from tests.embedded.sandbox.erp_suite import each_lost

ORDER = an_order()
PREFIX = "ORDERACK_ERP_NETSUITE_"
KEY = "shop/A-1001/1"


@pytest.fixture
def built(sandbox, monkeypatch, tmp_path):
    """Adapters as a worker builds them, each with a cache of its own."""
    monkeypatch.chdir(tmp_path)
    for name, value in sandbox.environment().items():
        monkeypatch.setenv(name, value)
    return lambda: make("netsuite", PREFIX)


@pytest.fixture
async def erp(built):
    made = built()
    yield made
    await made.aclose()


def documents(sandbox, key=KEY):
    """The documents that came of this submission, and how often it was written."""
    entries = [entry for entry in sandbox.state.log.entries(Target.NETSUITE) if entry.key == key]
    return Counter(entry.provider_id for entry in entries), len([entry for entry in entries if not entry.repeated])


async def found(erp, revision=1):
    """The receipt, asked for until it is there."""
    for _ in range(100):
        if (receipt := await erp.find(REF, revision)) is not None:
            return receipt
        await asyncio.sleep(0.02)
    raise AssertionError("never booked")


async def test_an_order_waits_for_its_approval_and_is_booked_a_while_later(erp, sandbox):
    sandbox.state.behaviour = Behaviour(books_after=0.1)
    booking = await erp.submit(ORDER, 1)
    assert booking.receipt is None
    assert "Pending Approval" in booking.waits
    receipt = await found(erp)
    assert (receipt.document_id, receipt.revision) == (booking.document_id, 1)
    assert [line.verdict for line in receipt.lines] == [StockVerdict.AVAILABLE] * 2
    assert documents(sandbox) == ({booking.document_id: 1}, 1)


async def test_the_stock_table_is_what_the_lines_say(erp, sandbox):
    sandbox.state.behaviour = Behaviour(books_after=0)
    table = sandbox.state.stock
    table.set("KETTLE", SkuStock(verdict=StockVerdict.UNAVAILABLE))
    table.set("CUP", SkuStock(verdict=StockVerdict.PARTIAL, available=Decimal(2), expected_on="2026-12-01"))
    receipt = (await erp.submit(ORDER, 1)).receipt
    kettle, cup = receipt.lines
    assert (kettle.line_id, kettle.verdict) == ("1", StockVerdict.UNAVAILABLE)
    assert (cup.verdict, cup.quantity, str(cup.expected_on)) == (StockVerdict.PARTIAL, Decimal(2), "2026-12-01")
    table.set("CUP", SkuStock(verdict=StockVerdict.SUBSTITUTED, substitute_sku="MUG"))
    assert (await erp.find(REF, 1)).lines[1].substitute_sku == "MUG"
    table.set("CUP", SkuStock(verdict=StockVerdict.BACKORDERED, expected_on="2026-12-02"))
    assert (await erp.find(REF, 1)).lines[1].verdict is StockVerdict.BACKORDERED
    kettle, cup = await erp.availability(LINES)
    assert (kettle.verdict, cup.verdict) == (StockVerdict.BACKORDERED, StockVerdict.BACKORDERED)


async def test_a_later_revision_changes_the_same_document_and_an_older_one_never_comes_back(erp, sandbox):
    sandbox.state.behaviour = Behaviour(books_after=0)
    first = await erp.submit(ORDER, 1)
    changed = ORDER.model_copy(update={"lines": LINES[:1], "totals": Totals(total=Decimal(20))})
    second = await erp.submit(changed, 2)
    assert first.document_id == second.document_id
    assert [line.line_id for line in second.receipt.lines] == ["1"]
    assert await erp.find(REF, 1) is None
    with pytest.raises(Refused, match="revision 2"):
        await erp.submit(ORDER, 1)
    assert (await erp.find(REF, 2)).id == second.receipt.id


async def test_the_script_in_the_account_pushes_a_receipt_that_the_adapter_believes(erp, sandbox, gateway):
    sandbox.state.callback_base = gateway.url
    sandbox.state.stock.set("CUP", SkuStock(verdict=StockVerdict.PARTIAL, available=Decimal(2)))
    await erp.submit(ORDER, 1)
    (pushed,) = await gateway.wait_for(1, "/receipts/netsuite")
    request = RawRequest(url=pushed.url, headers=dict(pushed.headers), body=pushed.body)
    erp.verify(request)
    assert list(erp.receipts(request)) == [await erp.find(REF, 1)]


async def test_an_order_that_got_lost_is_never_booked(erp, sandbox):
    sandbox.state.behaviour = Behaviour(books_after=0)
    sandbox.state.faults.add(Fault(target=Target.NETSUITE, action=Action.LOSE))
    assert (await erp.submit(ORDER, 1)).receipt is None
    assert await erp.find(REF, 1) is None


EVERY_REQUEST = [
    *((Operation.LOOKUP, nth) for nth in range(5)),
    (Operation.SEND, 0),
]
"""Look, customer, currency, items, write, read back."""


@pytest.mark.parametrize(("operation", "nth", "action"), each_lost(EVERY_REQUEST))
async def test_whatever_request_of_a_submission_is_lost_it_is_booked_once(built, sandbox, action, operation, nth):
    sandbox.state.behaviour = Behaviour(books_after=0)
    sandbox.state.faults.add(Fault(target=Target.NETSUITE, action=action, operation=operation, after=nth))
    failed = 0
    for _ in range(3):  # each attempt on a worker that knows nothing of the others'
        erp = built()
        try:
            receipt = (await erp.submit(ORDER, 1)).receipt
        except Unavailable:
            failed += 1
        finally:
            await erp.aclose()
    assert receipt is not None
    seen, written = documents(sandbox)
    assert (len(seen), written) == (1, 1)
    assert sandbox.state.faults.unfired() == ()
    # a write that answers 200 with a page is as good as one that says 204: the read-back decides
    assert failed == (0 if (operation, action) == (Operation.SEND, Action.NONSENSE) else 1)


async def test_two_workers_at_once_make_one_document(built, sandbox):
    erps = [built() for _ in range(4)]
    bookings = await asyncio.gather(*(erp.submit(ORDER, 1) for erp in erps))
    assert len({booking.document_id for booking in bookings}) == 1
    assert documents(sandbox)[1] == 1
    for erp in erps:
        await erp.aclose()


@pytest.mark.parametrize(
    ("fault", "fate", "says"),
    [
        ({"action": Action.REFUSE}, Refused, "USER_ERROR"),
        ({"action": Action.REFUSE, "code": "SSS_REQUEST_LIMIT_EXCEEDED"}, Unavailable, "no seat"),
        ({"action": Action.REFUSE, "code": "RCRD_HAS_BEEN_CHANGED"}, Unavailable, "holds the record"),
        ({"action": Action.REFUSE, "code": "INSUFFICIENT_PERMISSION"}, Misconfigured, "TOKEN_ID"),
        ({"action": Action.THROTTLE, "retry_after": 7}, Unavailable, "429"),
        ({"action": Action.FAIL}, Unavailable, "503"),
    ],
)
async def test_every_fault_has_its_fate(erp, sandbox, fault, fate, says):
    sandbox.state.faults.add(Fault(target=Target.NETSUITE, **fault))
    with pytest.raises(fate, match=says):
        await erp.submit(ORDER, 1)
    assert documents(sandbox) == ({}, 0)
    assert (await erp.submit(ORDER, 1)).document_id


async def test_a_slow_answer_and_none_at_all_are_tried_again(erp, sandbox, monkeypatch):
    monkeypatch.setattr(http, "TOTAL_SECONDS", 0.3)
    sandbox.state.faults.add(Fault(target=Target.NETSUITE, action=Action.HANG))
    with pytest.raises(Unavailable):
        await erp.submit(ORDER, 1)
    sandbox.state.faults.add(Fault(target=Target.NETSUITE, action=Action.SLOW, seconds=0.6))
    with pytest.raises(Unavailable):
        await erp.submit(ORDER, 1)
    await erp.submit(ORDER, 1)
    assert documents(sandbox)[1] == 1


async def test_what_the_account_does_not_have_is_named_by_its_line_and_never_by_the_buyer(erp, sandbox, monkeypatch):
    strange = ORDER.model_copy(update={"lines": (LINES[0], LINES[1].model_copy(update={"sku": "404-CUP"}))})
    with pytest.raises(Refused, match="line 2"):
        await erp.submit(strange, 1)
    guest = ORDER.model_copy(update={"customer": Customer(id="404-Ada", name="Ada Example")})
    assert (await erp.submit(guest, 1)).document_id
    monkeypatch.delenv(f"{PREFIX}GUEST_CUSTOMER")
    strict = make("netsuite", PREFIX)
    with pytest.raises(Refused, match="customer") as caught:
        await strict.submit(guest, 2)
    assert "Ada" not in str(caught.value)
    await strict.aclose()


async def test_charges_are_lines_of_their_own_and_one_without_an_item_is_ours_to_mend(erp, monkeypatch, sandbox):
    sandbox.state.behaviour = Behaviour(books_after=0)
    totals = Totals(discount=Decimal(5), shipping=Decimal("4.90"), total=Decimal("37.40"))
    charged = ORDER.model_copy(update={"totals": totals})
    assert len((await erp.submit(charged, 1)).receipt.lines) == 2
    monkeypatch.delenv(f"{PREFIX}DISCOUNT_ITEM")
    bare = make("netsuite", PREFIX)
    with pytest.raises(Misconfigured, match="ORDERACK_ERP_NETSUITE_DISCOUNT_ITEM"):
        await bare.submit(charged, 2)
    await bare.aclose()


async def test_cancelling_closes_the_lines_once_and_comes_too_late_after_the_invoice(erp, sandbox):
    sandbox.state.behaviour = Behaviour(books_after=0)
    assert await erp.cancel(REF, None, "the buyer asked") is False
    document = (await erp.submit(ORDER, 1)).document_id
    assert await erp.cancel(REF, document, "the buyer asked") is True
    assert await erp.cancel(REF, document, "the buyer asked") is True
    entries = [e for e in sandbox.state.log.entries(Target.NETSUITE) if e.operation is Operation.CANCEL]
    assert [entry.provider_id for entry in entries] == [document]
    assert {line.verdict for line in (await erp.find(REF, 1)).lines} == {StockVerdict.UNAVAILABLE}


async def test_an_invoice_is_made_once_whatever_is_lost(erp, sandbox):
    sandbox.state.behaviour = Behaviour(books_after=0)
    document = (await erp.submit(ORDER, 1)).document_id
    sandbox.state.faults.add(Fault(target=Target.NETSUITE, action=Action.CUT_OFF_AFTER_ACCEPT))
    with pytest.raises(Unavailable):
        await erp.invoice(REF, document)
    number = await erp.invoice(REF, document)
    assert number == await erp.invoice(REF, document)
    made = [e.provider_id for e in sandbox.state.log.entries(Target.NETSUITE) if (e.key or "").startswith("invoice")]
    assert made == [number]
    with pytest.raises(Refused, match="invoiced"):
        await erp.cancel(REF, document, "")


async def test_a_login_that_is_none_names_the_settings_and_a_request_cannot_be_replayed(sandbox, built, monkeypatch):
    monkeypatch.setenv(f"{PREFIX}TOKEN_SECRET", "wrong")
    stranger = built()
    for asking in (stranger.submit(ORDER, 1), stranger.find(REF, 1), stranger.availability(LINES)):
        with pytest.raises(Misconfigured, match="ORDERACK_ERP_NETSUITE_ACCOUNT"):
            await asking
    await stranger.aclose()
    own = sandbox.environment()
    fields = {name.removeprefix(PREFIX).lower(): text for name, text in own.items() if name.startswith(PREFIX)}
    fixed = NetsuiteErp("netsuite", NetsuiteSettings.model_validate(fields), nonce=lambda: "onceonceonce")
    now = fixed._http.clock()
    fixed._http.clock = lambda: now
    assert await fixed.find(REF, 1) is None
    with pytest.raises(Misconfigured):
        await fixed.find(REF, 1)
    await fixed.aclose()


async def test_the_look_alike_refuses_what_netsuite_would(sandbox):
    async with httpx.AsyncClient(base_url=f"{sandbox.url}/netsuite/services/rest") as stranger:
        assert (await stranger.get("/record/v1/salesOrder/eid:x")).status_code == 401
        assert (await stranger.post("/query/v1/suiteql", json={"q": "SELECT 1"})).status_code == 401


async def test_many_orders_that_wait_are_asked_about_by_one_question_and_only_what_is_approved_is_read(
    erp, sandbox, monkeypatch
):
    sandbox.state.behaviour = Behaviour(books_after=0)
    refs = [REF.model_copy(update={"number": number}) for number in ("W-0", "O'Brien", "W-2", "W-3")]
    for ref in refs[:2]:
        await erp.submit(an_order(ref), 1)
    sandbox.state.faults.add(Fault(target=Target.NETSUITE, action=Action.LOSE))
    await erp.submit(an_order(refs[2]), 1)
    asked, send = [], erp._http.send

    async def counted(method, path, **more):
        asked.append(method)
        return await send(method, path, **more)

    monkeypatch.setattr(erp._http, "send", counted)
    found = await erp.find_several([Awaited(ref=ref, revision=1, since=NOW) for ref in refs])
    assert {receipt.number for receipt in found} == {"W-0", "O'Brien"}
    assert asked == ["POST", "GET", "GET"]
    assert await erp.find_several([Awaited(ref=refs[0], revision=2, since=NOW)]) == ()
    assert await erp.find_several([]) == ()


@pytest.fixture
def by_certificate(sandbox, built, monkeypatch):
    """The adapter with the other login."""
    account = next(vendor for vendor in sandbox.vendors if vendor.target is Target.NETSUITE)
    for name in ("CONSUMER_SECRET", "TOKEN_ID", "TOKEN_SECRET"):
        monkeypatch.delenv(f"{PREFIX}{name}")
    for name, value in account.by_certificate().items():
        monkeypatch.setenv(name, value)
    return account


async def test_with_a_certificate_one_token_serves_all_requests_and_one_that_died_is_renewed(
    sandbox, by_certificate, built
):
    sandbox.state.behaviour = Behaviour(books_after=0)
    erp = built()
    assert (await erp.submit(ORDER, 1)).receipt is not None
    assert (await erp.availability(LINES))[0].verdict is StockVerdict.AVAILABLE
    assert len(by_certificate.machine.tokens) == 1
    by_certificate.machine.tokens.clear()
    both = await asyncio.gather(erp.find(REF, 1), erp.submit(ORDER, 1))
    assert len(by_certificate.machine.tokens) == 1
    assert both[0] == both[1].receipt
    assert documents(sandbox)[1] == 1
    await erp.aclose()


@pytest.mark.parametrize("setting", ["CONSUMER_KEY", "CERTIFICATE_ID"])
async def test_a_certificate_that_the_account_does_not_know_names_the_settings(
    by_certificate, built, monkeypatch, setting
):
    monkeypatch.setenv(f"{PREFIX}{setting}", "wrong")
    erp = built()
    with pytest.raises(Misconfigured, match=f"{PREFIX}ACCOUNT, _CONSUMER_KEY, _CERTIFICATE_ID and _PRIVATE_KEY"):
        await erp.submit(ORDER, 1)
    await erp.aclose()


@pytest.mark.parametrize(
    ("take", "give"),
    [
        (("TOKEN_ID",), {}),
        (("CONSUMER_SECRET", "TOKEN_ID", "TOKEN_SECRET"), {}),
        (("CONSUMER_SECRET", "TOKEN_ID", "TOKEN_SECRET"), {"CERTIFICATE_ID": "cert-1"}),
        ((), {"CERTIFICATE_ID": "cert-1"}),
    ],
)
def test_half_a_login_or_two_are_refused_with_what_to_set(built, monkeypatch, take, give):
    for name in take:
        monkeypatch.delenv(f"{PREFIX}{name}")
    for name, value in give.items():
        monkeypatch.setenv(f"{PREFIX}{name}", value)
    with pytest.raises(ValidationError, match="one login, whole") as caught:
        built()
    assert "cert-1" not in str(caught.value)
