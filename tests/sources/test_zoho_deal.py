"""Zoho CRM deals: one that is won is an order."""

import json
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, TypeAdapter

from orderack.clients.wire import read
from orderack.domain.money import add_up
from orderack.domain.order import PaymentStatus
from orderack.errors import InvalidInput, Misconfigured
from orderack.ports import RawRequest, Skipped, Standing
from orderack.sources._deal import snapshot_of
from orderack.sources._zoho_deal import Record, SalesOrder, ZohoDeal, deal_of
from orderack.sources.zoho_deal import ZohoDeals
from tests.conformance.peer import Answer, json_answer, running_peer
from tests.conformance.source import NOW, SourceConformance, quickly
from tests.sources.mutations import mutated
from tests.sources.zoho_account import (
    ACCOUNT,
    CONNECTION,
    CONTACT,
    DEAL,
    ID,
    LAMP,
    ORDER_ID,
    SECRET,
    SECRETS,
    SHADE,
    SOLD,
    WHOLE,
    Account,
    fetched,
    posted,
    told,
    with_,
    zoho,
)


class TestZohoDeal(SourceConformance):
    name = "zoho_deal"
    secrets = SECRETS
    required = ("client_id", "client_secret", "refresh_token")
    binds_body = False
    body = told()

    def make(self, base_url: str = "http://127.0.0.1:9") -> ZohoDeals:
        return zoho(base_url)

    def signed(self, body: bytes, at: datetime = NOW) -> RawRequest:
        return posted(body, **{"x-orderack-secret": SECRET})


class TestWhatADealSays:
    async def test_nothing_of_it_is_lost(self) -> None:
        found = await fetched()
        order = found.order
        assert (found.external_id, found.standing) == (ID, Standing.OPEN)
        assert found.at == order.trigger_at == datetime(2026, 11, 21, 9, 29, tzinfo=UTC)
        assert (order.number, order.source, order.currency) == (ID, "crm", "EUR")
        assert (order.customer.id, order.customer.name) == ("4150868000000100001", "Example GmbH")
        assert (order.contacts.email, order.contacts.phone) == ("ada@example.com", "+49305550006")
        assert [(line.sku, line.quantity, line.unit_price, line.discount) for line in order.lines] == [
            ("LMP-1", 2, 45, 10),
            ("product:4150868000000300002", 1, 10, 0),
        ]
        assert order.lines[0].instructions == "warmweiß"
        assert (order.totals.tax, order.totals.discount) == (Decimal("17.10"), 10)
        assert order.totals.total == add_up(order) == Decimal("107.10")
        assert order.delivery_address
        assert order.billing_address
        assert (order.delivery_address.street, order.delivery_address.country) == ("Musterweg 1", "DE")
        assert order.billing_address.street == "Postfach 7"
        assert (order.payment.status, order.payment.terms) == (PaymentStatus.PENDING, "net 14")
        assert (order.purchase_order, order.instructions) == (
            "B-77",
            "vormittags\nExtras: Karte, Schleife\ndesign: A. E.",
        )
        assert order.delivery_window
        assert {(one.system, one.id) for one in order.external_ids} >= {("zoho", ID), ("zoho_sales_order", ORDER_ID)}

    @pytest.mark.parametrize("stage", ["Negotiation/Review", "Closed Lost", None])
    async def test_a_deal_that_left_the_stage_is_cancelled_whatever_it_lacks(self, stage: str | None) -> None:
        found = await fetched({f"Deals/{ID}": {**DEAL, "Stage": stage, "Currency": None, "Amount": None}})
        assert found.standing is Standing.CANCELLED
        assert found.reason == f"the deal's stage is {stage or 'none'}"

    async def test_the_stages_that_count_are_the_shops_own(self) -> None:
        deal = with_(f"Deals/{ID}", Stage="Bestellt")
        assert (await fetched(deal, won_stages="Bestellt, Nachbestellt")).standing is Standing.OPEN
        assert (await fetched(won_stages="Bestellt")).standing is Standing.CANCELLED

    async def test_without_a_sales_order_it_is_an_order_without_lines(self) -> None:
        records = {path: record for path, record in WHOLE.items() if "Sales" not in path}
        order = (await fetched(records)).order
        assert (order.lines, order.totals.total, order.totals.tax) == ((), Decimal("107.10"), 0)
        assert order.delivery_address
        assert order.delivery_address.street == "Privatweg 2"

    async def test_without_an_amount_too_it_costs_nothing_yet(self) -> None:
        assert (await fetched({f"Deals/{ID}": {**DEAL, "Amount": None}})).order.totals.total == 0

    async def test_the_newest_sales_order_that_was_not_cancelled_counts(self) -> None:
        made: JsonValue = [{"id": "4150868000000800009", "Status": "Cancelled"}, {"id": ORDER_ID, "Status": "Created"}]
        order = (await fetched({**WHOLE, f"Deals/{ID}/SalesOrders": made})).order
        assert ("zoho_sales_order", ORDER_ID) in {(one.system, one.id) for one in order.external_ids}

    async def test_a_sales_order_leads_to_its_deal_and_is_as_new_as_its_last_change(self) -> None:
        later = with_(f"Sales_Orders/{ORDER_ID}", Modified_Time="2026-11-21T11:00:00+01:00")
        found = await fetched(later, f"Sales_Orders/{ORDER_ID}")
        assert (found.external_id, found.at) == (ID, datetime(2026, 11, 21, 10, tzinfo=UTC))
        async with running_peer() as peer:
            Account(peer, with_(f"Sales_Orders/{ORDER_ID}", Deal_Name=None))
            source = zoho(peer.url)
            (reading,) = await source.fetch(f"Sales_Orders/{ORDER_ID}")
            assert isinstance(reading, Skipped)
            await source.aclose()

    @pytest.mark.parametrize(
        ("item", "discount"),
        [
            ({"Discount": "10 %", "Total_After_Discount": None}, 9),
            ({"Discount": "12.5%", "Total_After_Discount": None}, Decimal("11.25")),
            ({"Discount": 9, "Total_After_Discount": None}, 9),
            ({"Discount": "9.00", "Total_After_Discount": None}, 9),
            ({"Discount": None, "Total_After_Discount": 81}, 9),
            ({"Discount": None, "Total_After_Discount": None}, 0),
        ],
    )
    async def test_a_discount_is_an_amount_a_percentage_or_what_is_missing(
        self, item: dict[str, JsonValue], discount: Decimal
    ) -> None:
        sold = with_(f"Sales_Orders/{ORDER_ID}", Ordered_Items=[{**LAMP, **item}], Grand_Total=None)
        (line,) = (await fetched(sold)).order.lines
        assert (line.unit_price, line.discount) == (45, discount)

    @pytest.mark.parametrize(
        ("changes", "total", "discount", "fees", "tax"),
        [
            ({"Discount": 7.1, "Grand_Total": 100}, 100, Decimal("17.10"), 0, Decimal("17.10")),
            ({"Adjustment": 4.9, "Grand_Total": 112}, 112, 10, Decimal("4.90"), Decimal("17.10")),
            ({"Adjustment": -4.1, "Grand_Total": 103}, 103, Decimal("14.10"), 0, Decimal("17.10")),
            ({"Tax": 2.9, "Grand_Total": 110}, 110, 10, 0, 20),
            (
                {"Ordered_Items": [{**LAMP, "Tax": None, "Line_Tax": [{"value": 10}, {"value": "5.20"}]}],
                 "Grand_Total": "95.20"},
                Decimal("95.20"), 10, 0, Decimal("15.20"),
            ),
            ({"Grand_Total": None}, Decimal("107.10"), 10, 0, Decimal("17.10")),
        ],
    )  # fmt: skip
    async def test_the_sales_orders_own_sums_re_add(
        self, changes: dict[str, JsonValue], total: Decimal, discount: Decimal, fees: Decimal, tax: Decimal
    ) -> None:
        order = (await fetched(with_(f"Sales_Orders/{ORDER_ID}", **changes))).order
        totals = order.totals
        assert (totals.total, totals.discount, totals.fees, totals.tax) == (total, discount, fees, tax)
        assert add_up(order) == total

    async def test_money_that_does_not_re_add_stays_as_zoho_says(self) -> None:
        order = (await fetched(with_(f"Sales_Orders/{ORDER_ID}", Grand_Total=99))).order
        assert (order.totals.total, add_up(order)) == (99, Decimal("107.10"))

    async def test_the_currency_is_the_sales_orders_the_deals_or_the_settings(self) -> None:
        yen = with_(f"Sales_Orders/{ORDER_ID}", Currency="JPY", Grand_Total=107)
        assert (await fetched(yen)).order.currency == "JPY"
        silent = {f"Deals/{ID}": {**DEAL, "Currency": None}}
        with pytest.raises(InvalidInput, match="currency"):
            await fetched(silent)
        assert (await fetched(silent, currency="CHF")).order.currency == "CHF"

    async def test_names_of_any_script_an_id_as_a_number_and_prices_of_many_decimals_are_whole(self) -> None:
        item = {**LAMP, "id": 9007199254740993, "Product_Name": {"name": "灯 💡 אור", "id": 9007199254740995},
                "Quantity": "1000", "List_Price": "0.00125", "Discount": 0, "Total_After_Discount": 1.25,
                "Tax": 0}  # fmt: skip
        sold = with_(f"Sales_Orders/{ORDER_ID}", Ordered_Items=[item], Grand_Total="1.25")
        order = (await fetched(sold)).order
        (line,) = order.lines
        assert (line.line_id, line.description, line.sku) == (
            "9007199254740993", "灯 💡 אור", "product:9007199254740995",
        )  # fmt: skip
        assert (line.amount, line.discount) == (Decimal("1.25"), 0)
        assert order.totals.total == add_up(order) == Decimal("1.25")

    async def test_what_is_longer_than_we_keep_goes_to_a_person(self) -> None:
        assert (await fetched(with_(f"Deals/{ID}", Description="x" * 1_900))).order.doubts == ()
        assert (await fetched(with_(f"Deals/{ID}", Description="x" * 2_001))).order.doubts
        items: JsonValue = [{**LAMP, "Description": "y" * 2_001}, SHADE]
        assert (await fetched(with_(f"Sales_Orders/{ORDER_ID}", Ordered_Items=items))).order.doubts

    async def test_two_hundred_lines_are_two_hundred(self) -> None:
        items: list[JsonValue] = [{**SHADE, "id": f"41508680000009{n:05d}"} for n in range(200)]
        order = (await fetched(with_(f"Sales_Orders/{ORDER_ID}", Ordered_Items=items, Grand_Total="2380"))).order
        assert len(order.lines) == 200
        assert order.totals.total == add_up(order) == 2380

    async def test_without_account_contact_phone_and_address_it_is_still_an_order(self) -> None:
        order = (await fetched({f"Deals/{ID}": {**DEAL, "Account_Name": None, "Contact_Name": []}})).order
        assert (order.customer.id, order.contacts.email, order.contacts.phone) == (None, None, None)
        assert (order.delivery_address, order.billing_address) == (None, None)

    async def test_a_contact_without_an_address_for_mail_is_known_by_its_id(self) -> None:
        records = with_("Contacts/4150868000000200001", Email=None)
        order = (await fetched({**records, f"Deals/{ID}": {**DEAL, "Account_Name": None}})).order
        assert (order.customer.id, order.contacts.email) == ("4150868000000200001", None)

    @pytest.mark.parametrize(
        ("changes", "field"),
        [
            ({"Ordered_Items": [{**LAMP, "Quantity": "two"}]}, "Quantity"),
            ({"Ordered_Items": [{**LAMP, "Quantity": -2, "Total_After_Discount": 80}]}, "lines[0].quantity"),
            ({"Ordered_Items": [{**LAMP, "List_Price": None, "Total_After_Discount": None}]}, "lines[0].price"),
            ({"Ordered_Items": "none"}, "Ordered_Items"),
            ({"Grand_Total": -1}, "totals.total"),
            ({"Currency": "E1R"}, "currency"),
        ],
    )
    async def test_what_is_wrong_is_refused_by_its_name(self, changes: dict[str, JsonValue], field: str) -> None:
        with pytest.raises(InvalidInput) as refused:
            await fetched(with_(f"Sales_Orders/{ORDER_ID}", **changes))
        assert any(field in problem.field for problem in refused.value.problems), refused.value.problems

    @pytest.mark.parametrize("strange", ["../org", "1 or 1=1", "", "Deals/x", "Accounts/../1", "٣"])
    async def test_no_id_that_is_none_is_asked_for(self, strange: str) -> None:
        source = zoho()  # where nobody answers
        (reading,) = await source.fetch(strange)
        assert isinstance(reading, Skipped)
        await source.aclose()

    async def test_a_deal_that_is_not_there_is_nothing_and_a_wrong_address_is_ours_to_mend(self) -> None:
        async with running_peer() as peer:
            account, source = Account(peer, {}), zoho(peer.url)
            refusals = [json_answer(400, {"code": "INVALID_DATA", "status": "error"}), Answer(204)]
            for refusal in refusals:
                account.before = [refusal]
                (reading,) = await source.fetch(ID)
                assert isinstance(reading, Skipped)
            account.before = [json_answer(404, {"code": "INVALID_URL_PATTERN"})]
            with pytest.raises(Misconfigured, match="BASE_URL"):
                await source.fetch(ID)
            account.before = [Answer(404, b"<html>")]
            with pytest.raises(Misconfigured, match="BASE_URL"):
                await source.fetch(ID)
            await source.aclose()


@quickly
@given(data=st.data())
def test_a_mutated_deal_is_an_order_or_a_named_refusal(data: st.DataObject) -> None:
    records = {"deal": DEAL, "order": SOLD, "account": ACCOUNT, "contact": CONTACT}
    which = data.draw(st.sampled_from(list(records)))
    bodies = {name: json.dumps(data.draw(mutated(body)) if name == which else body) for name, body in records.items()}
    try:
        deal = deal_of(
            read(TypeAdapter(ZohoDeal), bodies["deal"].encode("utf-8", "replace")),
            read(TypeAdapter(SalesOrder), bodies["order"].encode("utf-8", "replace")),
            read(TypeAdapter(Record), bodies["account"].encode("utf-8", "replace")),
            read(TypeAdapter(Record), bodies["contact"].encode("utf-8", "replace")),
            stages=frozenset({"Closed Won"}), names={"terms": "Zahlungsziel"}, own=("Liefertermin", "Gravur"),
            country="DE", currency=None,
        )  # fmt: skip
        found = snapshot_of(deal, CONNECTION, "zoho", None)
    except InvalidInput:
        return
    total = found.order.totals.total
    assert total == Decimal("107.10") or which in ("deal", "order")
    assert found.standing is Standing.CANCELLED or total == add_up(found.order) or which == "order"
