"""HubSpot deals: signed batches are hints, a deal that is won is an order, a note says once where it stands."""

import base64
import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from openapi_core import OpenAPI

from orderack.domain.money import add_up
from orderack.domain.order import PaymentStatus
from orderack.domain.source import AnswerKey, AnswerStage, AnswerState
from orderack.errors import BadSignature, InvalidInput, Misconfigured, Unavailable
from orderack.ports import Connection, Hint, RawRequest, Recalls, Skipped, Snapshot, SourceAnswer, Standing, Stands
from orderack.sources._deal import snapshot_of
from orderack.sources._hubspot_deal import Thing, deal_of
from orderack.sources.hubspot_deal import HubspotDeal, HubspotDealSettings
from tests.conformance.openapi import described_as
from tests.conformance.peer import Answer, CutOff, json_answer, running_peer
from tests.conformance.source import NOW, SPECS, SourceConformance, anything, quickly

URL = "https://orders.example.com/intake/shop/hubspot_deal"
SECRET = "client-secret-of-the-app"
CONNECTION = Connection(
    store="shop",
    system="hubspot_deal",
    source="crm",
    country="DE",
    time_zone="Europe/Berlin",
    fields={"wunschtermin": "date", "gravur": "design"},
)
EVENT = {
    "eventId": 100, "subscriptionId": 1234, "portalId": 62515, "appId": 98765, "occurredAt": 1795253400000,
    "subscriptionType": "deal.propertyChange", "attemptNumber": 0, "objectId": 9007199254740993,
    "propertyName": "dealstage", "propertyValue": "closedwon", "changeSource": "CRM",
}  # fmt: skip
DEAL = {
    "id": "9007199254740993",
    "properties": {
        "amount": "107.10", "closedate": "2026-11-21T09:00:00Z", "deal_currency_code": "EUR", "dealname": "Ada: Lampen",
        "dealstage": "closedwon", "description": "<p>Bitte <b>vormittags</b></p>",
        "hs_lastmodifieddate": "2026-11-21T09:29:00.123Z", "hs_v2_date_entered_closedwon": "2026-11-21T09:28:00Z",
        "wunschtermin": "2026-12-01", "zahlungsziel": "net 14", "po": "B-77",
    },
    "associations": {
        "line items": {"results": [{"id": "1", "type": "deal_to_line_item"}, {"id": "2", "type": "deal_to_line_item"}]},
        "contacts": {"results": [{"id": "51", "type": "deal_to_contact"}]},
        "companies": {"results": [{"id": "71", "type": "deal_to_company"}]},
    },
}  # fmt: skip
LINES = [
    {"id": "2", "properties": {"name": "Schirm", "quantity": "1", "price": "10", "amount": "10.00", "hs_sku": None,
                               "hs_product_id": "900", "hs_tax_amount": "1.90", "hs_total_discount": None}},
    {"id": "1", "properties": {"name": "Lampe", "quantity": "2", "price": "45", "amount": "80.00", "hs_sku": "LMP-1",
                               "hs_tax_amount": "15.20", "hs_total_discount": "10.00", "description": "warmweiß"}},
]  # fmt: skip
CONTACT = {"id": "51", "properties": {"email": "ada@example.com", "firstname": "Ada", "lastname": "Exämple",
                                      "phone": "030 5550006", "hs_language": "de"}}  # fmt: skip
COMPANY = {"id": "71", "properties": {"name": "Example GmbH", "address": "Musterweg 1", "city": "Berlin",
                                      "zip": "10115", "country": "Germany"}}  # fmt: skip


def hubspot(base_url: str = "http://127.0.0.1:9", **more: object) -> HubspotDeal:
    settings = HubspotDealSettings(
        token="pat-eu1-secret",
        client_secret=SECRET,
        terms_property="zahlungsziel",
        purchase_order_property="po",
        base_url=base_url,
        **more,
    )
    return HubspotDeal(CONNECTION, settings, "ORDERACK_SOURCE_SHOP_HUBSPOT_DEAL_", clock=lambda: NOW)


def signed(body: bytes, at: datetime = NOW, url: str = URL, key: str = SECRET) -> RawRequest:
    stamp = str(int(at.timestamp() * 1000))
    digest = hmac.new(key.encode(), b"POST" + url.encode() + body + stamp.encode(), hashlib.sha256).digest()
    headers = {
        "x-hubspot-signature-v3": base64.b64encode(digest).decode(),
        "x-hubspot-request-timestamp": stamp,
    }
    return RawRequest(url=url, headers=headers, body=body)


class TestHubspotDeal(SourceConformance):
    name = "hubspot_deal"
    secrets = ("pat-eu1-secret", SECRET)
    required = ("token",)
    body = json.dumps([EVENT]).encode()

    def make(self, base_url: str = "http://127.0.0.1:9") -> HubspotDeal:
        return hubspot(base_url)

    def signed(self, body: bytes, at: datetime = NOW) -> RawRequest:
        return signed(body, at)


def whole(deal: dict = DEAL) -> list[Answer]:
    results = ({"results": LINES}, {"results": [CONTACT]}, {"results": [COMPANY]})
    return [json_answer(200, deal), *(json_answer(200, one) for one in results)]


def changed(**properties: object) -> dict:
    return {**DEAL, "properties": {**DEAL["properties"], **properties}}


async def fetched(*answers: Answer, **more: object) -> Snapshot:
    async with running_peer() as peer:
        source = hubspot(peer.url, **more)
        peer.will(*answers)
        (reading,) = await source.fetch("9007199254740993")
        await source.aclose()
    assert isinstance(reading, Snapshot)
    return reading


class TestWhatADealSays:
    async def test_nothing_of_it_is_lost(self) -> None:
        found = await fetched(*whole())
        order = found.order
        assert (found.external_id, found.standing) == ("9007199254740993", Standing.OPEN)
        assert found.at == datetime(2026, 11, 21, 9, 29, 0, 123_000, tzinfo=UTC)
        assert order.trigger_at == datetime(2026, 11, 21, 9, 28, tzinfo=UTC)
        assert (order.number, order.source, order.currency) == ("9007199254740993", "crm", "EUR")
        assert (order.customer.id, order.customer.name) == ("71", "Example GmbH")
        assert (order.contacts.email, order.contacts.phone, order.contacts.language) == (
            "ada@example.com", "+49305550006", "de",
        )  # fmt: skip
        assert [(line.line_id, line.sku, line.quantity, line.unit_price, line.discount) for line in order.lines] == [
            ("1", "LMP-1", 2, 45, 10),
            ("2", "product:900", 1, 10, 0),
        ]
        assert order.lines[0].instructions == "warmweiß"
        assert (order.totals.tax, order.totals.discount) == (Decimal("17.10"), 10)
        assert order.totals.total == add_up(order) == Decimal("107.10")
        assert order.delivery_address
        assert (order.delivery_address.country, order.delivery_address.company) == ("DE", "Example GmbH")
        assert (order.payment.status, order.payment.terms) == (PaymentStatus.PENDING, "net 14")
        assert order.purchase_order == "B-77"
        assert order.instructions == "Bitte  vormittags"
        assert order.delivery_window
        assert order.delivery_window.start.date().isoformat() == "2026-12-01"

    async def test_a_deal_that_left_the_stage_is_cancelled_whatever_it_lacks(self) -> None:
        found = await fetched(json_answer(200, changed(dealstage="contractsent", amount=None, deal_currency_code=None)))
        assert (found.standing, found.reason) == (Standing.CANCELLED, "the deal's stage is contractsent")
        archived = await fetched(json_answer(200, {**DEAL, "archived": True}))
        assert archived.standing is Standing.CANCELLED

    async def test_several_stages_may_count_as_won(self) -> None:
        found = await fetched(*whole(changed(dealstage="4711")), won_stages="closedwon, 4711")
        assert found.standing is Standing.OPEN

    async def test_without_lines_it_is_an_order_without_lines_and_its_amount_stands(self) -> None:
        bare = {**DEAL, "associations": None}
        order = (await fetched(json_answer(200, bare))).order
        assert (order.lines, order.totals.total) == ((), Decimal("107.10"))
        assert (order.customer.id, order.contacts.email) == (None, None)

    async def test_without_an_amount_it_is_the_sum_and_the_terms_are_the_settings(self) -> None:
        deal = changed(amount=None, zahlungsziel=None)
        order = (await fetched(*whole(deal), terms="net 30")).order
        assert (order.totals.total, order.payment.terms) == (Decimal("107.10"), "net 30")

    async def test_properties_of_other_types_than_text_are_read_as_what_they_say(self) -> None:
        numbers = changed(amount=107.1, wunschtermin=None, hs_lastmodifieddate=1795253340123, po=77)
        order = (await fetched(*whole(numbers))).order
        assert (order.totals.total, order.purchase_order) == (Decimal("107.10"), "77")

    @pytest.mark.parametrize("currency", ["EURO", "€", "E U", "US Dollar"])
    async def test_a_currency_that_is_none_is_refused_and_not_cut_to_one(self, currency: str) -> None:
        with pytest.raises(InvalidInput, match="currency"):
            await fetched(*whole(changed(deal_currency_code=currency)))
        assert (await fetched(*whole(changed(deal_currency_code=" eur ")))).order.currency == "EUR"

    async def test_without_a_currency_it_is_refused_unless_the_account_has_one(self) -> None:
        deal = changed(deal_currency_code=None)
        with pytest.raises(InvalidInput, match="currency"):
            await fetched(*whole(deal))
        assert (await fetched(*whole(deal), currency="CHF")).order.currency == "CHF"

    async def test_what_is_asked_for_is_named_and_a_strange_id_stays_one(self) -> None:
        async with running_peer() as peer:
            source = hubspot(peer.url)
            peer.will(Answer(404))
            (reading,) = await source.fetch("../contacts/1")
            assert isinstance(reading, Skipped)
            asked = urlsplit(peer.received[0].target)
            assert asked.path == "/crm/v3/objects/deals/..%2Fcontacts%2F1"
            fields = parse_qs(asked.query)["properties"][0].split(",")
            assert {"dealstage", "wunschtermin", "gravur", "po", "hs_v2_date_entered_closedwon"} <= set(fields)
            await source.aclose()


def line(**properties: object) -> dict:
    named = {"name": "Lampe", "quantity": "2", "price": "45", "amount": None, "hs_sku": "LMP-1"}
    return {"id": "1", "properties": named | properties}


ONE_LINE = {**DEAL, "associations": {"line items": {"results": [{"id": "1"}]}}}


async def with_lines(*lines: dict, **deal: object) -> Snapshot:
    refs = [{"id": str(n + 1)} for n in range(len(lines))]
    numbered = [{**one, "id": ref["id"]} for one, ref in zip(lines, refs, strict=True)]
    made = {**changed(**({"amount": None} | deal)), "associations": {"line items": {"results": refs}}}
    return await fetched(json_answer(200, made), json_answer(200, {"results": numbered}))


class TestWhatALineCosts:
    @pytest.mark.parametrize(
        ("said", "price", "discount"),
        [
            ({"amount": "80.00"}, 45, 10),
            ({"hs_total_discount": "10"}, 45, 10),
            ({"hs_discount_percentage": "12.5"}, 45, Decimal("11.25")),
            ({"hs_discount_percentage": "12.5", "amount": "78.75"}, 45, Decimal("11.25")),
            ({"price": None, "amount": "80.00", "hs_total_discount": "10"}, 45, 10),
            ({"price": None, "amount": "80.00"}, 40, 0),
            ({"amount": "100"}, 50, 0),
            ({}, 45, 0),
        ],
    )
    async def test_a_discount_is_an_amount_a_percentage_or_what_is_missing(self, said, price, discount) -> None:
        order = (await with_lines(line(**said))).order
        (one,) = order.lines
        assert (one.unit_price, one.discount) == (price, discount)
        assert order.totals.total == add_up(order)

    @pytest.mark.parametrize(
        ("quantity", "price", "total"),
        [("0.5", "19.99", "10.00"), ("1000", "0.00125", "1.25"), ("0.333333", "30", "10.00"), (None, "7", "7.00")],
    )
    async def test_parts_of_a_piece_and_of_a_cent_are_multiplied_whole(self, quantity, price, total) -> None:
        order = (await with_lines(line(quantity=quantity, price=price))).order
        assert order.totals.total == add_up(order) == Decimal(total)

    @pytest.mark.parametrize(
        ("amount", "post", "total", "basis"),
        [
            ("100", "119", 119, "added"),
            ("119", "119", 119, "added"),
            ("100", "100", 100, "included"),
            (None, "119", 119, "added"),
            ("100", None, 100, "added"),
            ("90", "119", 90, "added"),
        ],
    )
    async def test_whether_the_amount_has_the_tax_is_seen_from_what_the_lines_cost_with_it(
        self, amount, post, total, basis
    ) -> None:
        taxed = line(quantity="1", price="100", hs_tax_amount="19", hs_post_tax_amount=post)
        order = (await with_lines(taxed, amount=amount)).order
        assert (order.totals.total, order.totals.tax_basis) == (total, basis)
        if amount != "90" and post is not None:
            assert add_up(order) == total

    async def test_a_recurring_line_says_how_often_and_the_deals_own_amount_stands(self) -> None:
        monthly = line(quantity="1", price="10", amount="10", recurringbillingfrequency="monthly",
                       hs_recurring_billing_period="P12M", description="Wartung")  # fmt: skip
        order = (await with_lines(monthly, amount="120")).order
        assert order.lines[0].instructions == "Wartung\nbilled monthly for P12M"
        assert (order.totals.total, add_up(order)) == (120, 10)

    async def test_a_line_below_nothing_is_a_discount_and_a_line_of_none_is_none(self) -> None:
        credit = line(name="Gutschrift", quantity="1", price="-5")
        order = (await with_lines(line(), credit, line(quantity="0"))).order
        assert [one.sku for one in order.lines] == ["LMP-1"]
        assert (order.totals.discount, order.totals.total) == (5, 85)
        assert add_up(order) == 85
        assert "Gutschrift (2): -5" in (order.instructions or "")

    @pytest.mark.parametrize(
        ("said", "field"),
        [
            ({"price": None}, "lines[0].price"),
            ({"quantity": "-1", "price": "-4"}, "lines[0].quantity"),
            ({"quantity": "two"}, "quantity"),
            ({"price": "NaN"}, "price"),
            ({"price": "1e40"}, "price"),
        ],
    )
    async def test_what_is_wrong_is_refused_by_its_name(self, said, field) -> None:
        with pytest.raises(InvalidInput) as refused:
            await with_lines(line(**said))
        assert {problem.field for problem in refused.value.problems} == {field}

    @pytest.mark.parametrize(("currency", "total"), [("JPY", "91"), ("KWD", "90.500"), ("EUR", "90.50")])
    async def test_the_total_is_what_can_be_paid_in_the_deals_own_currency(self, currency, total) -> None:
        order = (await with_lines(line(price="45.25"), deal_currency_code=currency)).order
        assert (order.currency, str(order.totals.total)) == (currency, total)


class TestAllOfIt:
    async def test_two_hundred_lines_come_page_by_page(self) -> None:
        def refs(start: int, stop: int) -> list[dict]:
            return [{"toObjectId": n, "associationTypes": []} for n in range(start, stop)]

        first = {"results": [{"id": "1"}], "paging": {"next": {"after": "100", "link": "?after=100"}}}
        lines = [{**line(hs_sku=f"S-{n}"), "id": str(n)} for n in range(1, 201)]
        order = (await fetched(
            json_answer(200, {**changed(amount="18000"), "associations": {"line items": first}}),
            json_answer(200, {"results": refs(1, 151), "paging": {"next": {"after": "150"}}}),
            json_answer(200, {"results": refs(151, 201)}),
            json_answer(200, {"results": lines[:100]}),
            json_answer(200, {"results": lines[100:]}),
        )).order  # fmt: skip
        assert [one.sku for one in order.lines] == [f"S-{n}" for n in range(1, 201)]
        assert order.totals.total == add_up(order) == 18_000

    async def test_a_deal_of_which_a_line_is_withheld_is_asked_for_again(self) -> None:
        with pytest.raises(Unavailable, match="1 of the deal's 2"):
            await fetched(json_answer(200, DEAL), json_answer(207, {"results": LINES[:1], "errors": [{}]}))

    async def test_without_a_contact_the_company_is_who_bought_and_without_an_address_for_mail_it_is_known(
        self,
    ) -> None:
        deal = {**DEAL, "associations": {"companies": {"results": [{"id": "71"}]}}}
        order = (await fetched(json_answer(200, deal), json_answer(200, {"results": [COMPANY]}))).order
        assert (order.customer.id, order.contacts.email) == ("71", None)
        deal = {**DEAL, "associations": {"contacts": {"results": [{"id": "51"}]}}}
        silent = {"id": "51", "properties": {**CONTACT["properties"], "email": None, "phone": None}}
        order = (await fetched(json_answer(200, deal), json_answer(200, {"results": [silent]}))).order
        assert (order.customer.id, order.contacts.email, order.contacts.phone) == ("51", None, None)


class Remembers:
    """A memory in which these deals are orders."""

    def __init__(self, *taken: str) -> None:
        self._taken = taken

    async def order(self, external_id: str) -> Stands | None:
        made = (await fetched(*whole())).order
        return Stands(order=made, content_hash=made.content_hash, at=NOW) if external_id in self._taken else None


MERGED = {**DEAL, "id": "900", "properties": {**DEAL["properties"], "hs_merged_object_ids": "5;6"}}


class TestMerging:
    """HubSpot answers for a deal that was merged with the one that it became."""

    async def merged(self, memory: Remembers | None) -> Snapshot:
        async with running_peer() as peer:
            source = hubspot(peer.url)
            if memory:
                source.recall(memory)
            peer.will(json_answer(200, {**MERGED, "associations": None}), *whole(MERGED))
            (reading,) = await source.fetch("5")
            assert [urlsplit(one.target).path.rpartition("/")[2] for one in peer.received[:2]] == ["5", "900"]
            await source.aclose()
        assert len(reading.order.lines) == 2
        return reading

    @pytest.mark.parametrize(
        ("memory", "known_as"),
        [(Remembers("6"), "6"), (Remembers("900"), "900"), (Remembers(), "900"), (None, "900")],
    )
    async def test_the_order_that_one_of_them_was_goes_on(self, memory, known_as) -> None:
        assert isinstance(hubspot(), Recalls)
        assert (await self.merged(memory)).external_id == known_as

    async def test_of_several_orders_a_person_says_which_stands(self) -> None:
        with pytest.raises(InvalidInput, match=r"5, 6"):
            await self.merged(Remembers("5", "6"))


@quickly
@given(data=st.data())
def test_a_mutated_deal_is_an_order_or_a_named_refusal(data: st.DataObject) -> None:
    kinds = {"deal": DEAL, "line": LINES[0], "contact": CONTACT, "company": COMPANY}
    which = data.draw(st.sampled_from(list(kinds)))
    fields = dict(kinds[which]["properties"])
    place = data.draw(st.sampled_from(list(fields)))
    fields[place] = data.draw(anything)
    kinds[which] = {**kinds[which], "properties": fields}
    try:
        things = {kind: Thing.model_validate_json(json.dumps(body)) for kind, body in kinds.items()}
    except ValueError:
        return
    try:
        deal = deal_of(
            things["deal"], [things["line"]], things["contact"], things["company"], won_stages=frozenset({"closedwon"}),
            names={"number": None, "terms": None, "purchase_order": None}, own=(), country="DE", language="en",
            currency=None,
        )  # fmt: skip
        found = snapshot_of(deal, CONNECTION, "hubspot", None)
    except InvalidInput:
        return
    free = which == "deal" and place in ("amount", "dealstage", "deal_currency_code")
    assert free or found.order.totals.total == Decimal("107.10"), "what the deal says stands, whatever else is wrong"


class TestWhatIsPosted:
    async def test_the_address_the_time_and_the_key_are_part_of_what_is_signed(self) -> None:
        source, body = hubspot(), json.dumps([EVENT]).encode()
        await source.verify(signed(body))
        await source.verify(signed(body, NOW - timedelta(minutes=4)))
        moved = signed(body).model_copy(update={"url": URL + "?a=1"})
        late = signed(body, NOW - timedelta(minutes=6))
        for request in (moved, late, signed(body, key="other"), signed(body).model_copy(update={"method": "PUT"})):
            with pytest.raises(BadSignature):
                await source.verify(request)

    async def test_the_signature_is_hubspots(self) -> None:
        """Worked out by another program: printf of method, address, body and time, then openssl dgst -hmac."""
        request = RawRequest(
            url="https://example.com/hook",
            headers={
                "x-hubspot-signature-v3": VECTOR,
                "x-hubspot-request-timestamp": "1795253400000",
            },
            body=b'[{"eventId":1}]',
        )
        await hubspot().verify(request)

    async def test_a_batch_is_a_delivery_for_each_event_and_a_second_attempt_is_the_same(self) -> None:
        source = hubspot()
        batch = [EVENT, {**EVENT, "eventId": 101, "objectId": 5}, {**EVENT, "attemptNumber": 3}]
        first, second = source.deliveries(signed(json.dumps(batch).encode()))
        assert first.id == "62515/100/9007199254740993/1795253400000"
        assert await source.read(first) == [Hint(external_id="9007199254740993")]
        assert await source.read(second) == [Hint(external_id="5")]

    async def test_a_hundred_events_are_told_apart_and_only_this_accounts_deals_are_asked_for(self) -> None:
        source = hubspot(portal_id="62515")
        kinds = ("deal.propertyChange", "deal.creation", "contact.propertyChange", "line_item.creation", "deal.merge")
        batch = [{**EVENT, "eventId": n, "objectId": n, "subscriptionType": kinds[n % 5]} for n in range(98)]
        batch += [{**EVENT, "eventId": 98, "portalId": 1}, {**EVENT, "eventId": 99, "objectId": None}]
        deliveries = source.deliveries(signed(json.dumps(batch).encode()))
        assert len({one.id for one in deliveries}) == 100
        readings = [reading for one in deliveries for reading in await source.read(one)]
        hints = [reading.external_id for reading in readings if isinstance(reading, Hint)]
        assert hints == [str(n) for n in range(98) if n % 5 in (0, 1, 4)]
        assert len(readings) == 100

    async def test_what_is_about_no_deal_is_skipped(self) -> None:
        source = hubspot()
        (one,) = source.deliveries(signed(json.dumps([{**EVENT, "subscriptionType": "contact.creation"}]).encode()))
        (reading,) = await source.read(one)
        assert isinstance(reading, Skipped)

    async def test_without_a_secret_nothing_is_believed(self) -> None:
        source = HubspotDeal(CONNECTION, HubspotDealSettings(token="pat"), "P_", clock=lambda: NOW)
        with pytest.raises(BadSignature):
            await source.verify(signed(b"[]", key=""))


VECTOR = "E0P/qkwzEaDEUOpDazYnnR3m9jYyTXyMuwbLQhF/ZmI="


class TestLooking:
    async def test_what_was_modified_is_found_page_by_page_and_again_as_the_same(self) -> None:
        one = {"id": "1", "properties": {"hs_lastmodifieddate": "2026-11-21T09:00:00Z", "dealstage": "closedwon"}}
        two = {"id": "2", "properties": {"hs_lastmodifieddate": "2026-11-21T09:10:00Z", "dealstage": "new"}}
        async with running_peer() as peer:
            source = hubspot(peer.url)
            peer.will(
                json_answer(200, {"results": [one], "paging": {"next": {"after": "100"}}}),
                json_answer(200, {"results": [two]}),
                json_answer(200, {"results": [two]}),
            )
            first = await source.look("", NOW)
            second = await source.look(first.cursor, NOW)
            third = await source.look(second.cursor, NOW)
            assert [first.more, second.more, third.more] == [True, False, False]
            assert second.deliveries == third.deliveries
            assert await source.read(first.deliveries[0]) == [Hint(external_id="1")]
            since = [
                json.loads(asked.body)["filterGroups"][0]["filters"][0]["value"] for asked in peer.received
            ]  # fmt: skip
            assert since[1] == str(int(datetime(2026, 11, 21, 9, tzinfo=UTC).timestamp() * 1000))
            assert int(since[2]) < int(datetime(2026, 11, 21, 9, 10, tzinfo=UTC).timestamp() * 1000)
            await source.aclose()

    @pytest.mark.parametrize(
        ("status", "fate"),
        [
            (401, Misconfigured),
            (403, Misconfigured),
            (423, Unavailable),
            (429, Unavailable),
            (502, Unavailable),
            (400, Unavailable),
        ],
    )
    async def test_every_failure_has_its_fate(self, status: int, fate: type[Exception]) -> None:
        async with running_peer() as peer:
            source = hubspot(peer.url)
            peer.will(json_answer(status, {"status": "error", "message": "ada@example.com"}))
            with pytest.raises(fate) as caught:
                await source.look("", NOW)
            assert "ada" not in str(caught.value)
            await source.aclose()


async def an_answer(stage: AnswerStage = AnswerStage.CONFIRMED) -> SourceAnswer:
    order = (await fetched(*whole())).order
    key = AnswerKey(ref=order.ref, revision=1, stage=stage)
    return SourceAnswer(
        key=key, order=order, external_id="9007199254740993", page_url="https://orders.example.com/o/1", now=NOW
    )


class TestAnswering:
    async def test_a_note_is_written_once_and_found_again(self) -> None:
        async with running_peer() as peer:
            source, answer = hubspot(peer.url), await an_answer()
            peer.will(json_answer(200, DEAL), json_answer(201, {"id": "88", "properties": {}}))
            first = await source.answer(answer)
            written = json.loads(peer.received[-1].body)
            assert "https://orders.example.com/o/1" in written["properties"]["hs_note_body"]
            noted = {**DEAL, "associations": {"notes": {"results": [{"id": "87"}, {"id": "88"}]}}}
            notes = [
                {"id": "87", "properties": {"hs_note_body": None}},
                {"id": "88", "properties": written["properties"]},
            ]
            peer.will(json_answer(200, noted), json_answer(200, {"results": notes}))
            again = await source.answer(answer)
            assert (first.state, again.state) == (AnswerState.ACCEPTED, AnswerState.ACCEPTED)
            assert (first.reference, again.reference) == ("88", "88")
            assert sum(one.target.endswith("/notes") for one in peer.received) == 1
            await source.aclose()

    async def test_our_own_note_does_not_change_the_order(self) -> None:
        noted = {**DEAL, "associations": {**DEAL["associations"], "notes": {"results": [{"id": "88"}]}}}
        noted["properties"] = {**DEAL["properties"], "hs_lastmodifieddate": "2026-11-21T09:40:00Z"}
        before, after = await fetched(*whole()), await fetched(*whole(noted))
        assert after.at > before.at
        assert after.order.content_hash == before.order.content_hash

    @pytest.mark.parametrize("status", [400, 409, 422])
    async def test_a_note_that_is_wrong_is_refused_and_not_written_for_ever(self, status: int) -> None:
        async with running_peer() as peer:
            source, answer = hubspot(peer.url), await an_answer()
            peer.will(json_answer(200, DEAL), json_answer(status, {"message": "ada@example.com"}))
            refused = await source.answer(answer)
            assert refused.state is AnswerState.REFUSED
            assert "ada" not in refused.detail
            await source.aclose()

    async def test_a_cut_off_note_is_asked_for_again_after_a_look(self) -> None:
        async with running_peer() as peer:
            source, answer = hubspot(peer.url), await an_answer()
            peer.will(json_answer(200, DEAL), CutOff())
            with pytest.raises(Unavailable):
                await source.answer(answer)
            peer.will(Answer(404))
            assert (await source.answer(answer)).state is AnswerState.REFUSED
            await source.aclose()

    async def test_a_contact_is_asked_for_as_hubspot_describes_it(self) -> None:
        if not SPECS.is_dir():
            pytest.skip("the vendors' descriptions are not beside this checkout")
        tree = json.loads((SPECS / "hubspot" / "contacts_v3.openapi.json").read_text())
        async with running_peer() as peer:
            source = hubspot(peer.url)
            peer.will(*whole())
            await source.fetch("9007199254740993")
            (asked,) = (one for one in peer.received if "/contacts/" in one.target)
            described_as(OpenAPI.from_dict(tree), "https://api.hubapi.com", asked)
            await source.aclose()

    async def test_the_note_is_as_hubspot_describes_it(self) -> None:
        if not SPECS.is_dir():
            pytest.skip("the vendors' descriptions are not beside this checkout")
        tree = json.loads((SPECS / "hubspot" / "notes_v3.openapi.json").read_text())
        async with running_peer() as peer:
            source, answer = hubspot(peer.url), await an_answer()
            noted = {**DEAL, "associations": {"notes": {"results": [{"id": "87"}]}}}
            peer.will(json_answer(200, noted), json_answer(200, {"results": []}), json_answer(201, {"id": "88"}))
            await source.answer(answer)
            _, read, write = peer.received
            for request in (read, write):
                described_as(OpenAPI.from_dict(tree), "https://api.hubapi.com", request)
            await source.aclose()
