"""SAP Business One in the sandbox: the adapter, set up by the sandbox's settings alone, gets along with it."""

from decimal import Decimal

import httpx
import pytest

from orderack.embedded.sandbox import Action, Behaviour, Fault, Target
from orderack.embedded.sandbox.vendors.sap_b1 import SEATS
from orderack.erps._sap_b1_wire import key_of
from orderack.errors import Misconfigured, Refused, Unavailable
from orderack.ports import Awaited, RawRequest
from tests.conformance.erp import NOW
from tests.embedded.sandbox.erp_suite import ErpSandboxSuite, the_order


class TestSapB1InTheSandbox(ErpSandboxSuite):
    target = Target.SAP_B1
    system = "sap_b1"

    def live(self, vendor, order):
        kept = [one for one in vendor.books.orders.values() if one.text("U_OrderackKey") == key_of(order.ref)]
        return [(str(one.number), int(one.text("U_OrderackRev"))) for one in kept if not one.cancelled]

    def free_seats(self, vendor):
        vendor.expire()

    def seats(self, vendor):
        return len(vendor.sessions)

    def lack(self, vendor, sku):
        vendor.books.lacking.add(sku)

    async def test_receipts_are_pushed_by_the_integration_and_are_the_ones_that_are_found(self, sandbox, gateway):
        async with self.erp() as erp:
            await erp.submit(the_order(), 1)
            (post,) = await gateway.wait_for(1, "/receipts/sap_b1")
            request = RawRequest(url=post.url, headers=dict(post.headers), body=post.body)
            erp.verify(request)
            (pushed,) = erp.receipts(request)
            found = await erp.find(the_order().ref, 1)
            assert found is not None
            assert (pushed.id, pushed.document_id, pushed.lines) == (found.id, found.document_id, found.lines)

    async def test_a_draft_that_is_changed_stays_one_draft_and_can_be_cancelled(self, sandbox):
        sandbox.state.behaviour = Behaviour(books_after=60)
        vendor = self.vendor(sandbox)
        async with self.erp() as erp:
            await erp.submit(the_order(), 1)
            assert (await erp.submit(the_order(), 2)).waits
            (draft,) = vendor.books.drafts.values()
            assert draft.text("U_OrderackRev") == "2"
            assert await erp.cancel(the_order().ref, None, "the buyer asked") is True
            assert vendor.books.drafts == {}

    async def test_a_declined_draft_is_refused(self, sandbox):
        sandbox.state.behaviour = Behaviour(books_after=60)
        async with self.erp() as erp:
            await erp.submit(the_order(), 1)
            for draft in self.vendor(sandbox).books.drafts.values():
                draft.authorization = "dasRejected"
            with pytest.raises(Refused, match="declined"):
                await erp.submit(the_order(), 1)

    async def test_an_order_that_was_cancelled_there_is_not_added_again(self, sandbox):
        async with self.erp() as erp:
            await erp.submit(the_order(), 1)
            (kept,) = self.vendor(sandbox).books.orders.values()
            kept.cancelled = True
            with pytest.raises(Refused, match="cancelled"):
                await erp.submit(the_order(), 1)
        assert len(self.vendor(sandbox).books.orders) == 1

    async def test_what_was_delivered_stays_and_the_rest_may_change_in_the_same_document(self, sandbox):
        order, vendor = the_order(), self.vendor(sandbox)
        kettle, cups = order.lines
        async with self.erp() as erp:
            first = await erp.submit(order, 1)
            (kept,) = vendor.books.orders.values()
            kept.delivered[1] = Decimal(3)
            for revision, quantity in ((2, 2), (3, 0)):
                left = (kettle, cups.model_copy(update={"quantity": Decimal(quantity)}))[: 2 if quantity else 1]
                with pytest.raises(Refused, match="line 2 cannot be changed any more: 3 of it has left"):
                    await erp.submit(order.model_copy(update={"lines": left}), revision)
            assert kept.text("U_OrderackRev") == "1"
            more = kettle.model_copy(update={"line_id": "3", "sku": "MUG"})
            fewer = cups.model_copy(update={"quantity": Decimal(4)})
            booking = await erp.submit(order.model_copy(update={"lines": (fewer, more)}), 4)
            assert booking.document_id == first.document_id
            assert booking.receipt is not None
            assert [(line.line_id, line.quantity) for line in booking.receipt.lines] == [("2", 4), ("3", 1)]
        assert [(row["LineNum"], row["ItemCode"], row["Quantity"]) for row in kept.rows] == [
            (1, "CUP", 4.0),
            (2, "MUG", 1.0),
        ]

    async def test_a_row_that_a_person_added_and_one_that_is_discounted_no_more(self, sandbox):
        order, vendor = the_order(), self.vendor(sandbox)
        cheaper = order.lines[0].model_copy(update={"discount": Decimal(5), "instructions": "wrap it"})
        async with self.erp() as erp:
            totals = order.totals.model_copy(update={"discount": Decimal(5)})
            said = {"lines": (cheaper,), "totals": totals, "instructions": "ring"}
            await erp.submit(order.model_copy(update=said), 1)
            (kept,) = vendor.books.orders.values()
            kept.write({"DocumentLines": [*kept.rows, {"ItemCode": "CATALOGUE", "Quantity": 1.0}]})
            await erp.submit(order, 2)
        assert [row["ItemCode"] for row in kept.rows] == ["KETTLE", "CATALOGUE", "CUP"]
        assert (kept.rows[0]["DiscountPercent"], kept.rows[0]["ItemDetails"]) == (0.0, "")
        assert kept.text("OpeningRemarks") == ""

    async def test_many_that_wait_are_asked_about_at_once(self, sandbox):
        refs = [the_order(f"W-{n}").ref for n in range(7)]
        async with self.erp() as erp:
            for ref in refs[:6]:
                await erp.submit(the_order(ref.number), 1)
            await erp.cancel(refs[5], None, "")
            wanted = [Awaited(ref=ref, revision=1, since=NOW) for ref in refs]
            several = await erp.find_several(wanted)
            assert list(several) == [await erp.find(ref, 1) for ref in refs[:5]]
            assert await erp.find_several([Awaited(ref=refs[0], revision=2, since=NOW)]) == ()
            assert await erp.find_several([]) == ()

    async def test_what_somebody_changed_meanwhile_is_read_anew(self, sandbox):
        async with self.erp() as erp:
            await erp.submit(the_order(), 1)
            sandbox.state.faults.add(Fault(target=Target.SAP_B1, action=Action.REFUSE, code="-2039"))
            with pytest.raises(Unavailable, match="holds the record"):
                await erp.submit(the_order(), 2)
            assert (await erp.submit(the_order(), 2)).receipt is not None

    async def test_an_order_is_invoiced_once_and_only_what_is_open(self, sandbox):
        async with self.erp() as erp:
            await erp.submit(the_order(), 1)
            first, again = [await erp.invoice(the_order().ref, "100001") for _ in range(2)]
            assert first == again
            receipt = await erp.find(the_order().ref, 1)
            assert receipt is not None
            assert {line.verdict for line in receipt.lines} == {"available"}
            with pytest.raises(Refused, match="closed"):
                await erp.submit(the_order(), 2)
        assert len(self.vendor(sandbox).books.invoices) == 1

    async def test_an_invoice_that_was_cut_off_is_not_made_twice(self, sandbox):
        async with self.erp() as erp:
            await erp.submit(the_order(), 1)
            fault = Fault(target=Target.SAP_B1, action=Action.CUT_OFF_AFTER_ACCEPT, match="/Invoices")
            sandbox.state.faults.add(fault)
            with pytest.raises(Exception, match="did not answer"):
                await erp.invoice(the_order().ref, "100001")
            assert await erp.invoice(the_order().ref, "100001")
        assert len(self.vendor(sandbox).books.invoices) == 1

    async def test_an_order_that_is_not_there_cannot_be_invoiced(self, sandbox):
        async with self.erp() as erp:
            with pytest.raises(Refused, match="no such order"):
                await erp.invoice(the_order().ref, "1")

    async def test_all_seats_taken_is_unavailable(self, sandbox):
        vendor = self.vendor(sandbox)
        vendor.sessions = {str(n): (".node1", float("inf")) for n in range(SEATS)}
        async with self.erp() as erp:
            with pytest.raises(Unavailable):
                await erp.submit(the_order(), 1)

    async def test_the_business_partner_is_looked_up_by_e_mail(self, sandbox, monkeypatch):
        monkeypatch.setenv("ORDERACK_ERP_SAP_B1_CUSTOMER_FIELD", "EmailAddress")
        async with self.erp() as erp:
            await erp.submit(the_order(), 1)
            stranger = the_order("A-2").contacts.model_copy(update={"email": "o'neil@example.com"})
            await erp.submit(the_order("A-2").model_copy(update={"contacts": stranger}), 1)
        ada, other = self.vendor(sandbox).books.orders.values()
        assert (ada.text("CardCode"), other.text("CardCode")) == ("C-ADA", "C20000")

    async def test_a_partners_field_that_is_not_there_is_ours_to_mend(self, sandbox, monkeypatch):
        monkeypatch.setenv("ORDERACK_ERP_SAP_B1_CUSTOMER_FIELD", "U_ShopId")
        async with self.erp() as erp:
            with pytest.raises(Misconfigured, match="ORDERACK_ERP_SAP_B1_CUSTOMER_FIELD"):
                await erp.submit(the_order(), 1)

    @pytest.mark.parametrize("drop", ["B1SESSION", "ROUTEID"])
    async def test_both_cookies_are_needed(self, sandbox, drop):
        own = sandbox.environment()
        login = {
            "CompanyDB": own["ORDERACK_ERP_SAP_B1_COMPANY_DB"],
            "UserName": own["ORDERACK_ERP_SAP_B1_USER_NAME"],
            "Password": own["ORDERACK_ERP_SAP_B1_PASSWORD"],
        }
        async with httpx.AsyncClient(base_url=f"{own['ORDERACK_ERP_SAP_B1_BASE_URL']}/", trust_env=False) as http:
            cookies = dict((await http.post("Login", json=login)).cookies)
        async with httpx.AsyncClient(base_url=f"{own['ORDERACK_ERP_SAP_B1_BASE_URL']}/", trust_env=False) as http:
            query = {"$filter": "U_OrderackKey eq 'x'"}
            whole = await http.get("Orders", params=query, headers={"Cookie": _cookie(cookies)})
            less = {name: value for name, value in cookies.items() if name != drop}
            half = await http.get("Orders", params=query, headers={"Cookie": _cookie(less)})
        assert (whole.status_code, half.status_code, half.json()["error"]["code"]) == (200, 401, 301)


def _cookie(cookies: dict[str, str]) -> str:
    return "; ".join(f"{name}={value}" for name, value in cookies.items())
