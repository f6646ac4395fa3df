"""Salesforce opportunities: what the Apex class posts is a hint, one that is won is an order, a note says it once."""

import base64
import json
import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from orderack.domain.money import add_up
from orderack.domain.source import AnswerKey, AnswerStage, AnswerState
from orderack.embedded.sandbox.signatures import standard_webhooks
from orderack.errors import BadSignature, InDoubt, InvalidInput, Misconfigured, Unavailable
from orderack.ports import Connection, Delivery, Hint, RawRequest, Skipped, Snapshot, SourceAnswer, Standing
from orderack.sources._deal import snapshot_of
from orderack.sources._salesforce_deal import Opportunity, deal_of
from orderack.sources.salesforce_deal import SalesforceDeal, SalesforceDealSettings
from tests.conformance.peer import Answer, CutOff, json_answer, running_peer
from tests.conformance.source import NOW, SPECS, SourceConformance, anything, quickly

KEY = "whsec_" + base64.b64encode(b"a secret of the class, thirty-two").decode()
CONNECTION = Connection(
    store="shop", system="salesforce_deal", source="crm", country="DE", fields={"Liefertermin__c": "date"}
)
TOKEN = json_answer(200, {"access_token": "00D!session", "token_type": "Bearer"})
DEAL = {
    "attributes": {"type": "Opportunity"},
    "Id": "006xx0000000001AAA", "Name": "Lampen", "Amount": 90.0, "StageName": "Closed Won", "IsWon": True,
    "Description": "vormittags", "CurrencyIsoCode": "EUR", "CloseDate": "2026-11-21",
    "LastModifiedDate": "2026-11-21T09:29:00.000+0000", "LastStageChangeDate": "2026-11-21T09:28:00.000+0000",
    "Liefertermin__c": "2026-12-01", "Zahlungsziel__c": "net 14", "PO__c": None,
    "Account": {
        "attributes": {"type": "Account", "url": "/services/data/v65.0/sobjects/Account/001xx0000000001AAA"},
        "Id": "001xx0000000001AAA", "Name": "Example GmbH", "AccountNumber": "K-1", "Phone": "030 5550006",
        "ShippingStreet": "Musterweg 1\r\nHinterhaus", "ShippingCity": "Berlin", "ShippingState": None,
        "ShippingPostalCode": "10115", "ShippingCountry": "Germany",
        "BillingStreet": None, "BillingCity": None, "BillingState": None, "BillingPostalCode": None,
        "BillingCountry": None,
    },
    "OpportunityLineItems": {"totalSize": 2, "done": True, "records": [
        {"attributes": {"type": "OpportunityLineItem"}, "Id": "00kxx0000000001AAA", "Quantity": 2.0,
         "UnitPrice": 45.0, "TotalPrice": 80.0, "Description": "warmweiß",
         "ProductCode": "LMP-1", "Product2Id": "01txx0000000001AAA", "Product2": {"Name": "Lampe"}},
        {"Id": "00kxx0000000002AAA", "Quantity": 1.0, "UnitPrice": 10.0, "TotalPrice": 10.0, "Description": None,
         "ProductCode": None, "Product2Id": "01txx0000000002AAA", "Product2": {"Name": "Schirm"}},
    ]},
    "OpportunityContactRoles": {"records": [
        {"attributes": {"type": "OpportunityContactRole"}, "ContactId": "003xx0000000001AAA", "IsPrimary": True,
         "Contact": {"attributes": {"type": "Contact"}, "Name": "Ada Exämple",
                     "Email": "ada@example.com", "Phone": None, "MobilePhone": "+15005550006"}},
    ]},
}  # fmt: skip


def salesforce(base_url: str = "http://127.0.0.1:9", **more: object) -> SalesforceDeal:
    given_ = {
        "client_id": "client",
        "client_secret": "secret-of-the-app",
        "webhook_secret": KEY,
        "terms_field": "Zahlungsziel__c",
        "purchase_order_field": "PO__c",
        "base_url": base_url,
    }
    settings = SalesforceDealSettings(**(given_ | more))
    return SalesforceDeal(CONNECTION, settings, "ORDERACK_SOURCE_SHOP_SALESFORCE_DEAL_", clock=lambda: NOW)


def signed(body: bytes, at: datetime = NOW, message: str = "msg_1") -> RawRequest:
    """Signed by the sandbox's code, which is not the adapter's."""
    headers = standard_webhooks(KEY, message, int(at.timestamp()), body)
    return RawRequest(url="https://orders.example.com/intake/shop/salesforce_deal", headers=headers, body=body)


class TestSalesforceDeal(SourceConformance):
    name = "salesforce_deal"
    secrets = ("secret-of-the-app", KEY, "00D!session")
    required = ("base_url", "client_id")
    body = b'{"id":"006xx0000000001AAA"}'

    def make(self, base_url: str = "http://127.0.0.1:9") -> SalesforceDeal:
        return salesforce(base_url)

    def signed(self, body: bytes, at: datetime = NOW) -> RawRequest:
        return signed(body, at)


def rows(*records: dict) -> Answer:
    return json_answer(200, {"totalSize": len(records), "done": True, "records": list(records)})


async def fetched(deal: dict = DEAL, **more: object) -> Snapshot:
    async with running_peer() as peer:
        source = salesforce(peer.url, **more)
        peer.will(TOKEN, rows(deal))
        (reading,) = await source.fetch("006xx0000000001")
        await source.aclose()
    assert isinstance(reading, Snapshot)
    return reading


class TestWhatAnOpportunitySays:
    async def test_nothing_of_it_is_lost(self) -> None:
        found = await fetched()
        order = found.order
        assert (found.external_id, found.standing) == ("006xx0000000001AAA", Standing.OPEN)
        assert found.at == datetime(2026, 11, 21, 9, 29, tzinfo=UTC)
        assert order.trigger_at == datetime(2026, 11, 21, 9, 28, tzinfo=UTC)
        assert (order.customer.id, order.customer.name) == ("001xx0000000001AAA", "Example GmbH")
        assert (order.contacts.email, order.contacts.phone) == ("ada@example.com", "+15005550006")
        assert [(line.sku, line.quantity, line.unit_price, line.discount) for line in order.lines] == [
            ("LMP-1", 2, 45, 10),
            ("product:01txx0000000002AAA", 1, 10, 0),
        ]
        assert order.totals.total == add_up(order) == Decimal(90)
        assert order.delivery_address
        assert (order.delivery_address.street, order.delivery_address.street2) == ("Musterweg 1", "Hinterhaus")
        assert (order.delivery_address.country, order.delivery_address.name) == ("DE", "Ada Exämple")
        assert order.billing_address == order.delivery_address
        assert (order.payment.terms, order.purchase_order, order.instructions) == ("net 14", None, "vormittags")
        assert order.delivery_window
        assert ("salesforce_contact", "003xx0000000001AAA") in {(one.system, one.id) for one in order.external_ids}

    @pytest.mark.parametrize(
        "change",
        [{"StageName": "Negotiation", "IsWon": False}, {"StageName": "X", "IsWon": False, "CurrencyIsoCode": None}],
    )
    async def test_one_that_left_the_stage_is_cancelled(self, change: dict) -> None:
        found = await fetched({**DEAL, **change})
        assert (found.standing, found.reason) == (Standing.CANCELLED, f"the deal's stage is {change['StageName']}")

    async def test_the_stage_may_be_one_of_the_shops_own(self) -> None:
        ordered = {**DEAL, "StageName": "Ordered", "IsWon": False}
        assert (await fetched(ordered, won_stages="Ordered, Repeat")).standing is Standing.OPEN
        assert (await fetched(DEAL, won_stages="Ordered")).standing is Standing.CANCELLED

    async def test_without_lines_account_and_people_it_is_still_an_order(self) -> None:
        bare = {**DEAL, "Account": None, "OpportunityLineItems": None, "OpportunityContactRoles": None}
        order = (await fetched(bare)).order
        assert (order.lines, order.customer.id, order.delivery_address) == ((), None, None)
        assert order.totals.total == 90

    async def test_one_query_asks_for_all_of_it_and_takes_no_id_that_is_none(self) -> None:
        async with running_peer() as peer:
            source = salesforce(peer.url, currency="EUR")
            peer.will(TOKEN, rows())
            (reading,) = await source.fetch("006xx0000000001AAA")
            assert isinstance(reading, Skipped)
            asked = parse_qs(urlsplit(peer.received[-1].target).query)["q"][0]
            assert asked.endswith("WHERE Id = '006xx0000000001AAA'")
            assert "CurrencyIsoCode" not in asked
            assert "Liefertermin__c" in asked
            for hostile in ("006' OR Name != '", "../limits", ""):
                (reading,) = await source.fetch(hostile)
                assert isinstance(reading, Skipped)
            assert len(peer.received) == 2
            await source.aclose()

    async def test_every_field_that_is_asked_for_exists_in_salesforces_own_description(self) -> None:
        if not SPECS.is_dir():
            pytest.skip("the vendors' descriptions are not beside this checkout")
        known = json.loads((SPECS / "salesforce" / "sobject-fields-from-describe.json").read_text())
        async with running_peer() as peer:
            source = salesforce(peer.url)
            peer.will(TOKEN, rows())
            await source.fetch("006xx0000000001AAA")
            asked = parse_qs(urlsplit(peer.received[-1].target).query)["q"][0]
            await source.aclose()
        for kind in ("Account", "Contact"):
            fields = set(re.findall(rf"\b{kind}\.(\w+)", asked))
            assert fields
            assert fields <= set(known[kind])


def item(**more: object) -> dict:
    own = {"Id": "00kxx0000000009AAA", "Quantity": 2.0, "UnitPrice": 45.0, "TotalPrice": 90.0, "ProductCode": "LMP-1"}
    return own | more


def of_lines(*lines: dict, **more: object) -> dict:
    return {**DEAL, "Amount": None, "OpportunityLineItems": {"done": True, "records": list(lines)}, **more}


class TestWhatALineCosts:
    @pytest.mark.parametrize(
        ("said", "price", "discount"),
        [
            ({"TotalPrice": 81.0, "Discount": 10.0}, 45, 9),
            ({"TotalPrice": 90.0}, 45, 0),
            ({"TotalPrice": None}, 45, 0),
            ({"UnitPrice": None}, 45, 0),
            ({"UnitPrice": "45", "Quantity": "2", "TotalPrice": "81.00"}, 45, 9),
            ({"TotalPrice": 99.0}, Decimal("49.5"), 0),
        ],
    )
    async def test_what_it_costs_in_all_goes_before_its_price(self, said, price, discount) -> None:
        order = (await fetched(of_lines(item(**said)))).order
        (line,) = order.lines
        assert (line.unit_price, line.discount) == (price, discount)
        assert order.totals.total == add_up(order)

    async def test_parts_of_a_piece_and_of_a_cent_are_multiplied_whole(self) -> None:
        lines = (
            item(Quantity=0.5, UnitPrice=19.98, TotalPrice=9.99),
            item(Quantity=1000, UnitPrice=0.00125, TotalPrice=1.25),
        )
        order = (await fetched(of_lines(lines[0], {**lines[1], "Id": "00kxx0000000008AAA"}))).order
        assert order.totals.total == add_up(order) == Decimal("11.24")
        assert [line.discount for line in order.lines] == [0, 0]

    @pytest.mark.parametrize(
        ("said", "field"),
        [
            ({"Quantity": -2.0, "TotalPrice": 90.0}, "lines[0].quantity"),
            ({"UnitPrice": None, "TotalPrice": None}, "lines[0].price"),
            ({"Quantity": "two"}, "Quantity"),
            ({"Id": "x" * 19}, "Id"),
        ],
    )
    async def test_what_is_wrong_is_refused_by_its_name(self, said, field) -> None:
        with pytest.raises(InvalidInput) as refused:
            await fetched(of_lines(item(**said)))
        assert all(field in problem.field for problem in refused.value.problems)

    async def test_an_amount_that_is_not_the_lines_stands_as_salesforce_says(self) -> None:
        order = (await fetched(of_lines(item(), Amount=1000))).order
        assert (order.totals.total, add_up(order)) == (1000, 90)

    async def test_a_field_of_the_shops_own_may_be_ticked_or_several(self) -> None:
        ticked = {**DEAL, "Geschenk__c": True, "Extras__c": "Karte;Schleife"}
        connection = CONNECTION.model_copy(update={"fields": {"Geschenk__c": "instructions", "Extras__c": "design"}})
        async with running_peer() as peer:
            source = salesforce(peer.url)
            source.connection = connection
            peer.will(TOKEN, rows(ticked))
            (reading,) = await source.fetch("006xx0000000001")
            await source.aclose()
        assert "Geschenk__c: true" in reading.order.instructions


class TestAllOfIt:
    def page(self, first: int, last: int, rest: str | None) -> dict:
        records = [item(Id=f"00kxx{n:010d}AAA") for n in range(first, last)]
        return {"totalSize": 250, "done": rest is None, "nextRecordsUrl": rest, "records": records}

    async def test_more_lines_than_an_answer_holds_are_asked_for(self) -> None:
        locator = "/services/data/v65.0/query/01gxx0000000001AAA-200"
        async with running_peer() as peer:
            source = salesforce(peer.url)
            deal = {**DEAL, "Amount": 22500, "OpportunityLineItems": self.page(0, 200, locator)}
            peer.will(TOKEN, rows(deal), json_answer(200, self.page(200, 250, None)))
            (reading,) = await source.fetch("006xx0000000001")
            assert peer.received[-1].target == locator
            assert len(reading.order.lines) == 250
            assert reading.order.totals.total == add_up(reading.order) == 22_500
            await source.aclose()

    @pytest.mark.parametrize("rest", ["https://elsewhere.invalid/steal", "/query/../limits", "", None])
    async def test_no_answer_sends_our_login_elsewhere(self, rest: str | None) -> None:
        page = {**self.page(0, 1, rest), "done": False}
        with pytest.raises(InvalidInput, match="nextRecordsUrl"):
            await fetched({**DEAL, "OpportunityLineItems": page})

    async def test_a_field_that_the_account_has_not_is_ours_to_mend_and_named(self) -> None:
        async with running_peer() as peer:
            source = salesforce(peer.url)
            peer.will(TOKEN, json_answer(400, [{"errorCode": "INVALID_FIELD", "message": "No such column 'PO__c'"}]))
            with pytest.raises(Misconfigured, match="field names in ORDERACK_SOURCE_SHOP_SALESFORCE_DEAL_"):
                await source.fetch("006xx0000000001")
            await source.aclose()

    async def test_an_ended_session_is_renewed_once(self) -> None:
        async with running_peer() as peer:
            source = salesforce(peer.url)
            ended = json_answer(401, [{"errorCode": "INVALID_SESSION_ID", "message": "Session expired"}])
            peer.will(TOKEN, ended, TOKEN, rows(DEAL))
            (reading,) = await source.fetch("006xx0000000001")
            assert isinstance(reading, Snapshot)
            await source.aclose()

    @pytest.mark.parametrize("name", ["Id FROM User--", "Name,Phone", "a'b", "é__c", "", "A" * 121])
    async def test_no_field_name_can_change_the_query(self, name: str) -> None:
        source = salesforce()
        source.connection = CONNECTION.model_copy(update={"fields": {name: "design"}})
        with pytest.raises(InvalidInput, match="name of a field"):
            await source.fetch("006xx0000000001")
        with pytest.raises(ValidationError):
            salesforce(terms_field=name)
        await source.aclose()


@quickly
@given(data=st.data())
def test_a_mutated_opportunity_is_an_order_or_a_named_refusal(data: st.DataObject) -> None:
    body = json.loads(json.dumps(DEAL))
    at = data.draw(st.sampled_from([
        body, body["Account"], body["OpportunityLineItems"]["records"][0],
        body["OpportunityContactRoles"]["records"][0]["Contact"],
    ]))  # fmt: skip
    place = data.draw(st.sampled_from(list(at)))
    at[place] = data.draw(anything)
    try:
        found = Opportunity.model_validate_json(json.dumps(body))
    except ValueError:
        return
    deal = None
    try:
        deal = deal_of(found, stages=frozenset(), names={}, own=("Liefertermin__c",), country="DE", currency=None)
        order = snapshot_of(deal, CONNECTION, "salesforce", None).order
    except InvalidInput:
        return
    free = place in ("Amount", "StageName", "IsWon", "CurrencyIsoCode")
    assert free or order.totals.total == 90, "what the opportunity says stands, whatever else is wrong"


class TestWhatIsPosted:
    async def test_an_old_or_strange_call_is_not_believed(self) -> None:
        source, body = salesforce(), b'{"id":"006xx0000000001AAA"}'
        await source.verify(signed(body))
        with pytest.raises(BadSignature):
            await source.verify(signed(body, NOW - timedelta(minutes=6)))
        with pytest.raises(BadSignature):
            await salesforce(webhook_secret=None).verify(signed(body))

    async def test_it_is_a_hint_under_its_own_id(self) -> None:
        source = salesforce()
        (delivery,) = source.deliveries(signed(b'{"id":"006xx0000000001AAA"}', message="msg_7"))
        assert delivery.id == "msg_7"
        assert await source.read(delivery) == [Hint(external_id="006xx0000000001AAA")]
        (reading,) = await source.read(Delivery(id="1", body='{"id":"x\' OR"}'))
        assert isinstance(reading, Skipped)


class TestLooking:
    async def test_what_was_modified_is_found_and_again_as_the_same(self) -> None:
        one = {"Id": "006xx0000000001AAA", "LastModifiedDate": "2026-11-21T09:00:00.000+0000"}
        async with running_peer() as peer:
            source = salesforce(peer.url)
            peer.will(TOKEN, rows(one))
            first = await source.look("", NOW)
            second = await source.look(first.cursor, NOW)
            assert first.deliveries == second.deliveries
            assert not first.more
            asked = [parse_qs(urlsplit(got.target).query)["q"][0] for got in peer.received[1:]]
            assert "LastModifiedDate >= 2026-11-21T08:28:00.000Z" in asked[0]
            assert "LastModifiedDate >= 2026-11-21T08:58:00.000Z" in asked[1]
            await source.aclose()

    async def test_thousands_of_one_second_do_not_turn_pages_for_ever(self) -> None:
        page = rows(
            *({"Id": f"006xx{n:010d}AAA", "LastModifiedDate": "2026-11-21T09:00:00.000+0000"} for n in range(200))
        )
        async with running_peer() as peer:
            source, cursor, looks = salesforce(peer.url), "", 0
            peer.will(TOKEN, page)
            while True:
                looked = await source.look(cursor, NOW)
                cursor, looks = looked.cursor, looks + 1
                if not looked.more:
                    break
            assert 10 <= looks <= 12
            offsets = [parse_qs(urlsplit(got.target).query)["q"][0].rpartition(" ")[2] for got in peer.received[1:]]
            assert max(int(offset) for offset in offsets) <= 2_000
            await source.aclose()

    @pytest.mark.parametrize(
        ("status", "code", "fate"),
        [
            (403, "REQUEST_LIMIT_EXCEEDED", Unavailable),
            (400, "INVALID_FIELD", Misconfigured),
            (400, "UNABLE_TO_LOCK_ROW", Unavailable),
            (500, "UNKNOWN_EXCEPTION", Unavailable),
            (404, "NOT_FOUND", Misconfigured),
        ],
    )
    async def test_every_failure_has_its_fate(self, status: int, code: str, fate: type[Exception]) -> None:
        async with running_peer() as peer:
            source = salesforce(peer.url)
            peer.will(TOKEN, json_answer(status, [{"errorCode": code, "message": "ada@example.com"}]))
            with pytest.raises(fate) as caught:
                await source.look("", NOW)
            assert "ada" not in str(caught.value)
            if fate is Misconfigured:
                assert "ORDERACK_SOURCE_SHOP_SALESFORCE_DEAL_" in str(caught.value)
            await source.aclose()


async def an_answer() -> SourceAnswer:
    order = (await fetched()).order
    key = AnswerKey(ref=order.ref, revision=1, stage=AnswerStage.CONFIRMED)
    return SourceAnswer(
        key=key, order=order, external_id="006xx0000000001AAA", page_url="https://orders.example.com/o/1", now=NOW
    )


class TestAnswering:
    async def test_a_note_is_written_once_and_found_again(self) -> None:
        async with running_peer() as peer:
            source, answer = salesforce(peer.url), await an_answer()
            peer.will(TOKEN, rows(), json_answer(201, {"id": "002xx1", "success": True, "errors": []}))
            first = await source.answer(answer)
            written = json.loads(peer.received[-1].body)
            assert written["ParentId"] == "006xx0000000001AAA"
            assert len(written["Title"]) <= 80
            assert "https://orders.example.com/o/1" in written["Body"]
            peer.will(rows({"Id": "002xx1"}))
            again = await source.answer(answer)
            assert written["Title"] in parse_qs(urlsplit(peer.received[-1].target).query)["q"][0]
            assert (first.state, first.reference, again.reference) == (AnswerState.ACCEPTED, "002xx1", "002xx1")
            assert sum(one.target.endswith("/sobjects/Note") for one in peer.received) == 1
            await source.aclose()

    async def test_a_cut_off_note_is_in_doubt_and_looked_for_first(self) -> None:
        async with running_peer() as peer:
            source, answer = salesforce(peer.url), await an_answer()
            peer.will(TOKEN, rows(), CutOff())
            with pytest.raises(InDoubt):
                await source.answer(answer)
            peer.will(rows({"Id": "002xx1"}))
            assert (await source.answer(answer)).detail == "it was there already"
            await source.aclose()
