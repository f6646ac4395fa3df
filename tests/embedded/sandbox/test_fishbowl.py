"""Fishbowl in the sandbox: the adapter, set up by the sandbox's settings alone, gets along with it."""

import asyncio

import pytest

from orderack.embedded.sandbox import Action, Behaviour, Fault, Target
from orderack.embedded.sandbox.vendors.fishbowl import SEATS
from orderack.erps._fishbowl_order import Mark, number_of
from orderack.errors import InDoubt, Misconfigured, OrderAckError, Refused, Unavailable
from orderack.ports import Awaited, Invoices
from tests.conformance.erp import NOW
from tests.embedded.sandbox.erp_suite import ErpSandboxSuite, the_order

INJECTIONS = (
    "x' OR '1'='1",
    "x'; DROP TABLE so; --",
    "\\' OR 1=1 -- ",
    'x" OR ""="',
    "x'), (SELECT 1) --",
    "_utf8mb4 x''",
)


class TestFishbowlInTheSandbox(ErpSandboxSuite):
    target = Target.FISHBOWL
    system = "fishbowl"

    def live(self, vendor, order):
        found = [one for one in vendor.books.orders() if one["num"] == number_of(order.ref)]
        marks = [(str(one["num"]), Mark.read(str(one["note"]))) for one in found if one["statusId"] not in (80, 85, 90)]
        return [(number, mark.revision) for number, mark in marks if mark is not None and mark.ref == order.ref]

    def free_seats(self, vendor):
        vendor.expire()

    def seats(self, vendor):
        return len(vendor.sessions)

    def lack(self, vendor, sku):
        vendor.books.lacking.add(sku)

    @pytest.mark.parametrize("again", ["refused", "ignored", "doubled"])
    async def test_whatever_a_second_import_does_there_is_one_order(self, sandbox, again):
        vendor = self.vendor(sandbox)
        vendor.books.again = again
        for n in range(3):
            order = the_order(f"{again}-{n}")
            async with self.erp() as one, self.erp() as other:
                receipts = await asyncio.gather(self.until_booked(one, order), self.until_booked(other, order))
            assert len({receipt.document_id for receipt in receipts}) == 1
            assert len(self.live(vendor, order)) == 1

    async def test_an_import_that_comes_after_its_look_up_is_one_order_too(self, sandbox):
        """The answer was lost, and so the same import is on its way again."""
        vendor = self.vendor(sandbox)
        sandbox.state.faults.add(Fault(target=Target.FISHBOWL, action=Action.CUT_OFF_AFTER_ACCEPT))
        async with self.erp() as erp:
            with pytest.raises(InDoubt):
                await erp.submit(the_order(), 1)
            assert self.seats(vendor) == 0
            assert (await erp.submit(the_order(), 1)).receipt is not None
        assert len(sandbox.state.log.entries(Target.FISHBOWL)) == 1

    @pytest.mark.parametrize("status", [25, 60, 70, 95])
    async def test_an_order_that_is_in_hand_is_not_replaced_and_not_removed(self, sandbox, status):
        vendor = self.vendor(sandbox)
        async with self.erp() as erp:
            await erp.submit(the_order(), 1)
            ((order_id,),) = [[int(one["id"])] for one in vendor.books.orders()]
            vendor.books.turn(order_id, status)
            with pytest.raises(Refused, match="change it there"):
                await erp.submit(the_order(), 2)
            with pytest.raises(Refused, match="void it there"):
                await erp.cancel(the_order().ref, None, "")
            assert await erp.find(the_order().ref, 1) is not None

    @pytest.mark.parametrize("status", [80, 85, 90])
    async def test_a_void_order_is_refused_and_is_off_already(self, sandbox, status):
        vendor = self.vendor(sandbox)
        async with self.erp() as erp:
            await erp.submit(the_order(), 1)
            vendor.books.turn(int(vendor.books.orders()[0]["id"]), status)
            with pytest.raises(Refused, match="void or cancelled"):
                await erp.submit(the_order(), 1)
            assert await erp.find(the_order().ref, 1) is None
            assert await erp.cancel(the_order().ref, None, "") is True

    async def test_a_state_that_is_not_known_is_asked_for_again(self, sandbox):
        vendor = self.vendor(sandbox)
        async with self.erp() as erp:
            await erp.submit(the_order(), 1)
            vendor.books.turn(int(vendor.books.orders()[0]["id"]), 77)
            with pytest.raises(Unavailable, match="77"):
                await erp.find(the_order().ref, 1)

    async def test_an_estimate_is_what_was_asked_for_where_the_settings_say_so(self, sandbox, monkeypatch):
        monkeypatch.setenv("ORDERACK_ERP_FISHBOWL_ISSUE", "false")
        vendor = self.vendor(sandbox)
        async with self.erp() as erp:
            assert "estimate" in (await erp.submit(the_order(), 1)).waits
            vendor.books.issue(int(vendor.books.orders()[0]["id"]))
            assert await erp.find(the_order().ref, 1) is not None

    @pytest.mark.parametrize("sku", INJECTIONS)
    async def test_no_sku_can_end_the_question_it_is_put_in(self, sandbox, sku):
        vendor = self.vendor(sandbox)
        vendor.books.lacking.add("NOTHING")
        order = the_order()
        lines = (order.lines[0].model_copy(update={"sku": sku}), order.lines[1].model_copy(update={"sku": "NOTHING"}))
        async with self.erp() as erp:
            (stock,) = await erp.availability(lines)
            assert stock.line_id == "1"
            await erp.submit(order.model_copy(update={"lines": lines[:1]}), 1)
            assert await erp.find(order.ref, 1) is not None
        (booked,) = vendor.books.orders()
        (item,) = vendor.books.items(int(booked["id"]))
        assert item["productNum"] == sku

    @pytest.mark.parametrize("number", INJECTIONS)
    async def test_no_order_number_can_end_the_question_it_is_put_in(self, sandbox, number):
        number = number.strip()
        async with self.erp() as erp:
            await erp.submit(the_order("A-1"), 1)
            assert await erp.find(the_order(number).ref, 1) is None
            await erp.submit(the_order(number), 1)
            found = await erp.find(the_order(number).ref, 1)
            assert found is not None
            assert found.number == number

    @pytest.mark.parametrize(
        ("code", "fate"), [("1162", Unavailable), ("1009", Unavailable), ("1120", Misconfigured), ("1200", Refused)]
    )
    async def test_the_older_interfaces_codes_inside_a_200_are_read(self, sandbox, code, fate):
        sandbox.state.faults.add(Fault(target=Target.FISHBOWL, action=Action.REFUSE, code=code))
        async with self.erp() as erp:
            with pytest.raises(fate):
                await erp.submit(the_order(), 1)

    async def test_a_session_that_ended_inside_a_200_is_renewed(self, sandbox):
        sandbox.state.faults.add(Fault(target=Target.FISHBOWL, action=Action.REFUSE, code="1164"))
        async with self.erp() as erp:
            assert (await erp.submit(the_order(), 1)).receipt is not None
        assert sandbox.state.faults.unfired() == ()

    async def test_all_seats_taken_is_unavailable_and_an_application_nobody_approved_is_ours_to_mend(self, sandbox):
        vendor = self.vendor(sandbox)
        vendor.sessions = {str(n) for n in range(SEATS)}
        async with self.erp() as erp:
            with pytest.raises(Unavailable, match="no seat"):
                await erp.submit(the_order(), 1)
            vendor.sessions.clear()
            vendor.approved = False
            with pytest.raises(Misconfigured, match="approved the application orderack"):
                await erp.submit(the_order(), 1)

    @pytest.mark.parametrize("outcome", ["booked", "refused", "down"])
    async def test_the_seat_is_given_back_whatever_comes_of_it(self, sandbox, outcome):
        vendor = self.vendor(sandbox)
        fault = {"refused": {"action": Action.REFUSE}, "down": {"action": Action.FAIL}}.get(outcome)
        if fault is not None:
            sandbox.state.faults.add(Fault(target=Target.FISHBOWL, **fault))
        async with self.erp() as erp:
            try:
                await erp.submit(the_order(), 1)
            except OrderAckError:
                assert outcome != "booked"
            assert self.seats(vendor) == 0

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
            self.vendor(sandbox).books.turn(1, 77)
            assert len(await erp.find_several(wanted)) == 4
            assert self.seats(self.vendor(sandbox)) == 0

    async def test_it_has_no_invoice_trigger(self, sandbox):
        async with self.erp() as erp:
            assert not isinstance(erp, Invoices)

    async def test_an_order_of_that_number_without_our_mark_is_left_alone(self, sandbox):
        vendor = self.vendor(sandbox)
        sandbox.state.behaviour = Behaviour(books_after=0)
        async with self.erp() as erp:
            await erp.submit(the_order(), 1)
            vendor.books._db.execute("UPDATE so SET note = 'called about colour'")
            with pytest.raises(Refused, match="mark"):
                await erp.submit(the_order(), 2)
            assert await erp.find(the_order().ref, 1) is None
