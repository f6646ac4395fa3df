"""Zoho CRM deals: what names a deal is a hint, one that is won is an order, and a note says once where it stands."""

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import JsonValue, TypeAdapter, ValidationError

from orderack.clients.wire import MOST_UNPROVED, read
from orderack.domain.money import add_up
from orderack.domain.order import PaymentStatus
from orderack.domain.source import AnswerKey, AnswerStage, AnswerState
from orderack.errors import BadSignature, InvalidInput, Misconfigured, Refused, Unavailable
from orderack.ports import Connection, Delivery, Hint, RawRequest, Skipped, Snapshot, SourceAnswer, Standing
from orderack.sources._deal import snapshot_of
from orderack.sources._zoho_deal import Record, SalesOrder, ZohoDeal, deal_of
from orderack.sources.zoho_deal import ZohoDeals, ZohoDealSettings
from tests.conformance.peer import Answer, CutOff, Peer, Reaction, Received, json_answer, running_peer
from tests.conformance.source import NOW, SourceConformance, quickly
from tests.sources.mutations import mutated

ID, ORDER_ID = "4150868000000700001", "4150868000000800001"
SECRET, NOTIFY = "header-secret-of-ours", "token-of-the-subscription"
CONNECTION = Connection(
    store="shop",
    system="zoho_deal",
    source="crm",
    country="DE",
    time_zone="Europe/Berlin",
    fields={"Liefertermin": "date", "Gravur": "design", "Extras": "instructions"},
)
TOKEN = json_answer(200, {"access_token": "1000.token-of-an-hour", "expires_in": 3600})
DEAL: dict[str, JsonValue] = {
    "id": ID, "Deal_Name": "Lampen", "Stage": "Closed Won", "Amount": 107.1, "Currency": "EUR",
    "Modified_Time": "2026-11-21T10:29:00+01:00", "Closing_Date": "2026-11-21", "Description": "vormittags",
    "Account_Name": {"name": "Example GmbH", "id": "4150868000000100001"},
    "Contact_Name": {"name": "Ada Exämple", "id": "4150868000000200001"},
    "Liefertermin": "2026-12-01", "Zahlungsziel": "net 14", "PO": None, "Extras": ["Karte", "Schleife"],
}  # fmt: skip
LAMP: dict[str, JsonValue] = {
    "id": "4150868000000800011",
    "Product_Name": {"Product_Code": "LMP-1", "name": "Lampe", "id": "4150868000000300001"},
    "Quantity": 2, "List_Price": 45, "Total": 90, "Discount": 10, "Total_After_Discount": 80, "Tax": 15.2,
    "Line_Tax": [{"percentage": 19, "name": "USt", "id": "1", "value": 15.2}], "Net_Total": 95.2,
    "Description": "warmweiß",
}  # fmt: skip
SHADE: dict[str, JsonValue] = {
    "id": "4150868000000800012", "Product_Name": {"Product_Code": None, "name": "Schirm", "id": "4150868000000300002"},
    "Quantity": 1, "List_Price": 10, "Total": 10, "Discount": 0, "Total_After_Discount": 10, "Tax": 1.9,
    "Net_Total": 11.9, "Description": None,
}  # fmt: skip
SOLD: dict[str, JsonValue] = {
    "id": ORDER_ID, "Subject": "Lampen", "SO_Number": "771", "Status": "Created", "Currency": "EUR",
    "Modified_Time": "2026-11-21T10:20:00+01:00", "Deal_Name": {"name": "Lampen", "id": ID}, "Purchase_Order": "B-77",
    "Ordered_Items": [LAMP, SHADE], "Sub_Total": 107.1, "Discount": 0, "Tax": 0, "Adjustment": 0, "Grand_Total": 107.1,
    "Shipping_Street": "Musterweg 1", "Shipping_City": "Berlin", "Shipping_State": None, "Shipping_Code": "10115",
    "Shipping_Country": "Germany", "Billing_Street": None, "Gravur": "A. E.",
}  # fmt: skip
ACCOUNT: dict[str, JsonValue] = {
    "id": "4150868000000100001", "Account_Name": "Example GmbH", "Phone": "030 5550006",
    "Billing_Street": "Postfach 7", "Billing_City": "Berlin", "Billing_Code": "10115", "Billing_Country": "DE",
}  # fmt: skip
CONTACT: dict[str, JsonValue] = {
    "id": "4150868000000200001", "Full_Name": "Ada Exämple", "Email": "ada@example.com", "Phone": None, "Mobile": None,
    "Mailing_Street": "Privatweg 2", "Mailing_City": "Potsdam",
}  # fmt: skip


def zoho(base_url: str = "http://127.0.0.1:9", **more: object) -> ZohoDeals:
    settings = ZohoDealSettings.model_validate(
        {
            "client_id": "1000.client",
            "client_secret": "secret-of-the-client",
            "refresh_token": "1000.refresh-for-ever",
            "webhook_secret": SECRET,
            "notify_token": NOTIFY,
            "terms_field": "Zahlungsziel",
            "purchase_order_field": "PO",
            "base_url": base_url,
            "login_url": base_url,
        }
        | more
    )
    return ZohoDeals(CONNECTION, settings, "ORDERACK_SOURCE_SHOP_ZOHO_DEAL_", clock=lambda: NOW)


def posted(body: bytes, **headers: str) -> RawRequest:
    return RawRequest(url="https://orders.example.com/intake/shop/zoho_deal", headers=headers, body=body)


def told(**more: JsonValue) -> bytes:
    return json.dumps({"module": "Deals", "ids": [ID], "time": "2026-11-21 10:29:00"} | more).encode()


class TestZohoDeal(SourceConformance):
    name = "zoho_deal"
    secrets = ("secret-of-the-client", "1000.refresh-for-ever", SECRET, NOTIFY)
    required = ("client_id", "client_secret", "refresh_token")
    binds_body = False
    body = told()

    def make(self, base_url: str = "http://127.0.0.1:9") -> ZohoDeals:
        return zoho(base_url)

    def signed(self, body: bytes, at: datetime = NOW) -> RawRequest:
        return posted(body, **{"x-orderack-secret": SECRET})


def one(record: JsonValue) -> Answer:
    return json_answer(200, {"data": [record]})


class Account:
    """Records by path; what is not there is a 204. `asked`: each request but the sign-ins."""

    def __init__(self, peer: Peer, records: Mapping[str, JsonValue]) -> None:
        self.records = dict(records)
        self.asked: list[Received] = []
        self.tokens = 0
        self.before: list[Reaction] = []
        """Said instead, first."""
        peer.aside = self

    def __call__(self, request: Received) -> Reaction:
        path = unquote(urlsplit(request.target).path)
        if path == "/oauth/v2/token":
            self.tokens += 1
            return TOKEN
        self.asked.append(request)
        if self.before:
            return self.before.pop(0)
        found = self.records.get(path.removeprefix("/crm/v8/"))
        return (
            Answer(204) if found is None else json_answer(200, {"data": found if isinstance(found, list) else [found]})
        )


WHOLE: Mapping[str, JsonValue] = {
    f"Deals/{ID}": DEAL,
    f"Deals/{ID}/SalesOrders": [{"id": ORDER_ID, "Status": "Created"}],
    f"Sales_Orders/{ORDER_ID}": SOLD,
    "Accounts/4150868000000100001": ACCOUNT,
    "Contacts/4150868000000200001": CONTACT,
}


def with_(path: str, **changes: JsonValue) -> dict[str, JsonValue]:
    record = WHOLE[path]
    assert isinstance(record, dict)
    return {**WHOLE, path: {**record, **changes}}


async def fetched(records: Mapping[str, JsonValue] = WHOLE, external_id: str = ID, **more: object) -> Snapshot:
    async with running_peer() as peer:
        Account(peer, records)
        source = zoho(peer.url, **more)
        (reading,) = await source.fetch(external_id)
        await source.aclose()
    assert isinstance(reading, Snapshot), reading
    return reading


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


class TestWhatIsPosted:
    async def test_the_header_or_the_token_proves_it_and_nothing_else_does(self) -> None:
        source = zoho()
        await source.verify(posted(told(), **{"x-orderack-secret": SECRET}))
        await source.verify(posted(told(token=NOTIFY)))
        for request in (
            posted(told()),
            posted(told(token="")),
            posted(told(token=SECRET)),
            posted(told(), **{"x-orderack-secret": ""}),
            posted(told(), **{"x-orderack-secret": NOTIFY}),
            posted(told(token=NOTIFY, pad="x" * MOST_UNPROVED)),
        ):
            with pytest.raises(BadSignature):
                await source.verify(request)

    async def test_without_a_secret_of_ours_nothing_is_believed(self) -> None:
        source = zoho(webhook_secret=None, notify_token=None)
        for request in (posted(told()), posted(told(token=""), **{"x-orderack-secret": ""})):
            with pytest.raises(BadSignature):
                await source.verify(request)
        with pytest.raises(ValidationError):
            zoho(webhook_secret="short")

    async def test_a_notification_is_a_hint_for_each_deal_and_its_token_is_not_kept(self) -> None:
        source = zoho()
        body = told(
            ids=[ID, "4150868000000700002", ID], token=NOTIFY, channel_id="1000000068001", server_time=1795253400000,
            operation="update", affected_fields={},
        )  # fmt: skip
        first, second = source.deliveries(posted(body))
        assert (first.id, second.id) == (
            f"1000000068001/1795253400000/{ID}",
            "1000000068001/1795253400000/4150868000000700002",
        )
        assert NOTIFY not in first.body + second.body
        assert await source.read(first) == [Hint(external_id=ID)]

    async def test_the_webhooks_own_time_tells_two_changes_apart_and_the_same_one_twice_is_one(self) -> None:
        source = zoho()
        (first,), (again,), (later,) = (
            source.deliveries(posted(body)) for body in (told(), told(), told(time="2026-11-21 10:30:00"))
        )
        assert first.id == again.id != later.id

    @pytest.mark.parametrize(
        ("body", "hints"),
        [
            (told(ids=ID), [ID]),
            (told(ids=4150868000000700001), [ID]),
            (told(module="Sales_Orders", ids=[ORDER_ID]), [f"Sales_Orders/{ORDER_ID}"]),
            (told(module="Contacts"), []),
            (told(ids=[]), []),
            (told(ids=["../Contacts", "1 or 1=1", None]), []),
        ],
    )
    async def test_what_is_named_is_asked_for_and_what_is_about_no_deal_is_skipped(
        self, body: bytes, hints: list[str]
    ) -> None:
        source = zoho()
        readings = [reading for one in source.deliveries(posted(body)) for reading in await source.read(one)]
        assert [reading.external_id for reading in readings if isinstance(reading, Hint)] == hints
        assert len(readings) >= 1

    def test_what_cannot_be_read_is_kept_as_it_came(self) -> None:
        (kept,) = zoho().deliveries(posted(b"module=Deals&id=1"))
        assert kept.body == "module=Deals&id=1"


class TestLooking:
    async def test_what_was_modified_is_found_and_again_as_the_same(self) -> None:
        row = {"id": ID, "Modified_Time": "2026-11-21T10:00:00+01:00"}
        async with running_peer() as peer:
            account, source = Account(peer, {"Deals": [row]}), zoho(peer.url)
            first = await source.look("", NOW)
            second = await source.look(first.cursor, NOW)
            assert first.deliveries == second.deliveries
            assert await source.read(first.deliveries[0]) == [Hint(external_id=ID)]
            assert not first.more
            since = [request.headers["if-modified-since"] for request in account.asked]
            assert since == ["2026-11-21T08:27:59+00:00", "2026-11-21T08:57:59+00:00"]
            assert parse_qs(urlsplit(account.asked[0].target).query)["fields"] == ["Modified_Time"]
            await source.aclose()

    async def test_a_full_page_goes_on_from_its_last_time_or_to_the_next_page(self) -> None:
        rows = [{"id": f"{ID}{n}", "Modified_Time": f"2026-11-21T09:{n:02d}:00+00:00"} for n in range(2)]
        async with running_peer() as peer:
            account, source = Account(peer, {}), zoho(peer.url)
            full = json_answer(200, {"data": rows, "info": {"more_records": True}})
            account.before = [full, full, Answer(304)]
            first = await source.look("", NOW)
            second = await source.look(first.cursor, NOW)
            third = await source.look(second.cursor, NOW)
            assert (first.more, second.more, third.more) == (True, True, False)
            pages = [parse_qs(urlsplit(request.target).query)["page"] for request in account.asked]
            assert pages == [["1"], ["1"], ["2"]]
            assert account.asked[1].headers["if-modified-since"] == "2026-11-21T09:00:59+00:00"
            await source.aclose()

    @pytest.mark.parametrize(
        ("status", "code", "fate"),
        [
            (401, "INVALID_TOKEN", Misconfigured),
            (401, "OAUTH_SCOPE_MISMATCH", Misconfigured),
            (403, "NO_PERMISSION", Misconfigured),
            (429, "TOO_MANY_REQUESTS", Unavailable),
            (400, "LIMIT_REACHED", Unavailable),
            (500, "INTERNAL_ERROR", Unavailable),
            (400, "INVALID_QUERY", Refused),
        ],
    )
    async def test_every_failure_has_its_fate(self, status: int, code: str, fate: type[Exception]) -> None:
        async with running_peer() as peer:
            account, source = Account(peer, {}), zoho(peer.url)
            account.before = [json_answer(status, {"code": code, "message": "ada@example.com"})] * 2
            with pytest.raises(fate) as caught:
                await source.look("", NOW)
            assert not any(word in str(caught.value) for word in ("ada", *TestZohoDeal.secrets, "1000.token"))
            await source.aclose()

    async def test_a_429_says_when_and_an_ended_token_is_renewed_once(self) -> None:
        async with running_peer() as peer:
            account, source = Account(peer, WHOLE), zoho(peer.url)
            account.before = [json_answer(429, {"code": "TOO_MANY_REQUESTS"}, {"Retry-After": "7"})]
            with pytest.raises(Unavailable) as caught:
                await source.fetch(ID)
            assert caught.value.retry_after
            assert caught.value.retry_after.total_seconds() == 7
            account.before = [json_answer(401, {"code": "INVALID_TOKEN"})]
            (reading,) = await source.fetch(ID)
            assert isinstance(reading, Snapshot)
            assert account.tokens == 2
            assert {request.headers["authorization"] for request in account.asked} == {
                "Zoho-oauthtoken 1000.token-of-an-hour"
            }
            await source.aclose()


async def an_answer(stage: AnswerStage = AnswerStage.CONFIRMED) -> SourceAnswer:
    order = (await fetched()).order
    key = AnswerKey(ref=order.ref, revision=1, stage=stage)
    return SourceAnswer(key=key, order=order, external_id=ID, page_url="https://orders.example.com/o/1", now=NOW)


SAVED = json_answer(201, {"data": [{"code": "SUCCESS", "status": "success", "details": {"id": "4150868000000900001"}}]})


class TestAnswering:
    async def test_a_note_is_written_once_starts_no_rule_and_is_found_again(self) -> None:
        async with running_peer() as peer:
            account, source, answer = Account(peer, {}), zoho(peer.url), await an_answer()
            account.before = [Answer(204), SAVED]
            first = await source.answer(answer)
            written = json.loads(account.asked[-1].body)
            assert written["trigger"] == []
            (note,) = written["data"]
            assert "https://orders.example.com/o/1" in note["Note_Content"]
            assert len(note["Note_Title"]) <= 120
            account.records[f"Deals/{ID}/Notes"] = [
                {"id": "4150868000000900000", "Note_Title": None},
                {"id": "4150868000000900001", "Note_Title": note["Note_Title"]},
            ]
            again = await source.answer(answer)
            assert (first.state, again.state) == (AnswerState.ACCEPTED, AnswerState.ACCEPTED)
            assert first.reference == again.reference == "4150868000000900001"
            assert [request.method for request in account.asked] == ["GET", "POST", "GET"]
            await source.aclose()

    async def test_a_cut_off_note_is_looked_for_before_it_is_written_again(self) -> None:
        async with running_peer() as peer:
            account, source, answer = Account(peer, {}), zoho(peer.url), await an_answer()
            account.before = [Answer(204), CutOff(), Answer(204), SAVED]
            with pytest.raises(Unavailable):
                await source.answer(answer)
            assert (await source.answer(answer)).state is AnswerState.ACCEPTED
            assert [request.method for request in account.asked] == ["GET", "POST", "GET", "POST"]
            await source.aclose()

    @pytest.mark.parametrize(
        ("code", "fate"),
        [("INVALID_DATA", Refused), ("RECORD_LOCKED", Unavailable), ("NO_PERMISSION", Misconfigured)],
    )
    async def test_a_refusal_inside_a_200_is_one(self, code: str, fate: type[Exception]) -> None:
        async with running_peer() as peer:
            account, source, answer = Account(peer, {}), zoho(peer.url), await an_answer()
            account.before = [
                Answer(204),
                json_answer(200, {"data": [{"code": code, "status": "error", "details": {}}]}),
            ]
            with pytest.raises(fate, match=code):
                await source.answer(answer)
            await source.aclose()

    async def test_the_connection_can_be_tried(self) -> None:
        async with running_peer() as peer:
            Account(peer, {"Deals": [{"id": ID}]})
            source = zoho(peer.url)
            assert "Closed Won" in await source.check()
            await source.aclose()


async def test_a_delivery_that_is_no_json_is_refused_by_name() -> None:
    with pytest.raises(InvalidInput):
        await zoho().read(Delivery(id="1", body="module=Deals"))
