"""HubSpot deals: one that is won is an order, whatever its lines cost by."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from urllib.parse import parse_qs, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderack.domain.money import add_up
from orderack.domain.order import PaymentStatus
from orderack.errors import InvalidInput, Unavailable
from orderack.ports import RawRequest, Skipped, Snapshot, Standing
from orderack.sources._deal import snapshot_of
from orderack.sources._hubspot_deal import Thing, deal_of
from orderack.sources.hubspot_deal import HubspotDeal
from tests.conformance.peer import Answer, json_answer, running_peer
from tests.conformance.source import NOW, SourceConformance, anything, quickly
from tests.sources.hubspot_portal import (
    COMPANY,
    CONNECTION,
    CONTACT,
    DEAL,
    EVENT,
    LINES,
    SECRET,
    changed,
    fetched,
    hubspot,
    signed,
    whole,
)


class TestHubspotDeal(SourceConformance):
    name = "hubspot_deal"
    secrets = ("pat-eu1-secret", SECRET)
    required = ("token",)
    body = json.dumps([EVENT]).encode()

    def make(self, base_url: str = "http://127.0.0.1:9") -> HubspotDeal:
        return hubspot(base_url)

    def signed(self, body: bytes, at: datetime = NOW) -> RawRequest:
        return signed(body, at)


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
