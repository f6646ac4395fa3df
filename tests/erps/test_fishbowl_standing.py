"""What stands in Fishbowl, and what that is for an order: its statuses, its items, and the stock behind them."""

from datetime import date

import pytest

from orderack.domain.receipt import StockVerdict
from orderack.erps._line_marks import mark_of
from orderack.errors import Refused, Unavailable
from tests.conformance.erp import LINES, REF, an_order
from tests.conformance.peer import Answer, Received, running_peer
from tests.erps.test_fishbowl import HEX, NONE_THERE, SHELF, bought, product, rows, so, soitem, table
from tests.erps.test_fishbowl import TestFishbowl as _Suite

SOON = date(2026, 12, 1)


class TestWhatStandsThere:
    """The suite's own server and settings, without its tests."""

    @pytest.fixture
    def suite(self) -> _Suite:
        made = _Suite()
        made.setup_method()
        return made

    @pytest.mark.parametrize("status", [25, 30, 40, 50, 60, 70, 95])
    async def test_an_order_that_is_in_hand_is_neither_changed_nor_removed(self, suite: _Suite, status: int) -> None:
        async with suite.system(rows(so(status=status))) as (peer, erp):
            suite.after, suite.wrote = rows(so(status=status)), True
            with pytest.raises(Refused, match="change it there"):
                await erp.submit(an_order(), 2)
            with pytest.raises(Refused, match="void it there"):
                await erp.cancel(REF, None, "")
            assert await erp.find(REF, 1) is not None
            assert not [request for request in peer.received if request.method == "DELETE"]

    @pytest.mark.parametrize("status", [80, 85, 90])
    async def test_an_order_that_a_person_voided_is_not_booked_and_not_made_again(
        self, suite: _Suite, status: int
    ) -> None:
        async with suite.system(rows(so(status=status))) as (peer, erp):
            assert await erp.find(REF, 1) is None
            assert await erp.cancel(REF, None, "") is True
            suite.after, suite.wrote = rows(so(status=status)), True
            for revision in (1, 2):
                with pytest.raises(Refused):
                    await erp.submit(an_order(), revision)
            assert {request.method for request in peer.received} == {"GET"}

    @pytest.mark.parametrize("status", [0, 77, 1000])
    async def test_a_state_of_their_own_is_asked_for_again(self, suite: _Suite, status: int) -> None:
        async with suite.system(rows(so(status=status))) as (_, erp):
            for call in (erp.find(REF, 1), erp.cancel(REF, None, "")):
                with pytest.raises(Unavailable, match=f"state of its own .{status}."):
                    await call

    async def test_of_several_of_one_number_the_one_that_lives_is_the_order(self, suite: _Suite) -> None:
        void, live, double = so(status=85, id=1), so(id=2), so(id=3)
        async with suite.system(rows(void, live, double), Answer(204)) as (peer, erp):
            suite.the_receipt(await erp.find(REF, 1))
            assert peer.received[1].target == "/api/sales-orders/3"

    @pytest.mark.parametrize(
        ("items", "shelf", "coming", "status", "said"),
        [
            ([("1", "CUP", "5", "0")], ("8", "11"), None, 20, [("partial", 2, None)]),
            ([("1", "CUP", "5", "3")], ("0", "2"), None, 25, [("partial", 3, None)]),
            ([("1", "CUP", "5", "5")], ("0", "0"), None, 60, [("available", 5, None)]),
            ([("1", "CUP", "5", "2")], ("9", "0"), "10", 70, [("partial", 2, None)]),
            ([("1", "CUP", "5", "0")], ("9", "0"), "10", 70, [("unavailable", None, None)]),
            ([("1", "CUP", "0", "0")], ("9", "0"), None, 20, [("unavailable", None, None)]),
            ([("1", "CUP", "3", "0")], ("9", "3"), None, 20, [("available", 3, None)]),
            ([("1", "CUP", "5", "0")], (None, None), "10", 20, [("backordered", None, SOON)]),
            ([("1", "CUP", "5", "0")], ("0", "5"), "10", 20, [("backordered", None, SOON)]),
            ([("1", "CUP", "5", "0")], ("0", "5"), "2", 20, [("backordered", None, None)]),
            ([("1", "CUP", "5", "0"), ("2", "CUP", "5", "0")], ("7", "10"), None, 20,
             [("available", 5, None), ("partial", 2, None)]),
            ([("1", "CUP", "2", "0"), ("1", "CUP", "3", "0")], ("5", "5"), None, 20, [("available", 5, None)]),
            ([("1", "CUP", "2", "0"), ("1", "CUP", "3", "0")], ("4", "5"), "9", 20, [("partial", 4, SOON)]),
        ],
    )  # fmt: skip
    async def test_what_stands_there_is_the_answer_of_each_line(
        self,
        suite: _Suite,
        items: list[tuple[str, str, str, str]],
        shelf: tuple[str | None, str | None],
        coming: str | None,
        status: int,
        said: list[tuple[str, int | None, date | None]],
    ) -> None:
        suite.answers["soitem"] = rows(*(soitem(*one) for one in items))
        suite.answers["product"] = rows(product("CUP", *shelf))
        suite.answers["poitem"] = rows(bought("CUP", coming)) if coming else NONE_THERE
        async with suite.system(rows(so(status=status))) as (_, erp):
            receipt = await erp.find(REF, 1)
            assert receipt is not None
            assert [(line.verdict, line.quantity, line.expected_on) for line in receipt.lines] == said

    async def test_another_product_that_a_person_put_there_is_a_substitute(self, suite: _Suite) -> None:
        changed = soitem("2", "MUG", "5", note=f"#{mark_of('2', 'CUP')}")
        suite.answers["soitem"] = rows(soitem("1", "KETTLE", "1"), changed)
        async with suite.system(suite.found) as (_, erp):
            receipt = await erp.find(REF, 1)
            assert receipt is not None
            assert (receipt.lines[1].verdict, receipt.lines[1].substitute_sku) == (StockVerdict.SUBSTITUTED, "MUG")

    async def test_an_item_that_a_person_removed_leaves_its_line_unanswered(self, suite: _Suite) -> None:
        suite.answers["soitem"] = rows(soitem("1", "KETTLE", "1"))
        async with suite.system(suite.found) as (_, erp):
            receipt = await erp.find(REF, 1)
            assert receipt is not None
            assert not receipt.answers_for_stock(frozenset({"1", "2"}))

    async def test_the_location_group_of_the_settings_is_the_one_whose_stock_counts(self, suite: _Suite) -> None:
        asked: list[str] = []
        async with running_peer() as peer:
            erp = suite.make(peer.url, location_group="O'Hare")

            def server(got: Received) -> Answer | None:
                asked.extend([got.body.decode()] if table(got) == "product" else [])
                return SHELF if table(got) == "product" else suite.aside(got)

            peer.aside = server
            await erp.availability(LINES)
            await erp.aclose()
        (sql,) = asked
        assert [bytes.fromhex(found).decode() for found in HEX.findall(sql)] == ["O'Hare", "CUP", "KETTLE"]
