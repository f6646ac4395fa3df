"""EDI X12: what partners send, what they are answered."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

import pytest
from pydantic import SecretStr

from orderack.domain.completeness import MINIMUM, missing_fields
from orderack.domain.money import add_up
from orderack.embedded.sandbox.signatures import standard_webhooks
from orderack.ports import (
    Connection,
    RawRequest,
)
from orderack.sources.edi_x12 import EdiX12, EdiX12Settings
from tests.conformance.source import NOW, SourceConformance
from tests.edi import interchanges as edi
from tests.sources.edi_partner import SECRET, Partner, connection


class TestConformance(SourceConformance):
    name = "edi_x12"
    secrets = (SECRET,)
    required = ("inbound_secret",)
    body = edi.one(edi.order())

    def connection(self) -> Connection:
        return connection()

    def make(self, base_url: str = "http://127.0.0.1:9") -> EdiX12:
        settings = EdiX12Settings(inbound_secret=SecretStr(SECRET), outbound_url=base_url)
        return EdiX12(connection(), settings, "ORDERACK_SOURCE_SHOP_EDI_X12_", lambda: NOW)

    def signed(self, body: bytes, at: datetime = NOW) -> RawRequest:
        headers = standard_webhooks(SECRET, "msg_1", int(at.timestamp()), body)
        return RawRequest(url="https://us.example/intake/shop/edi_x12", headers=headers, body=body)


# -- the 850 ----------------------------------------------------------------------------------------------------------


async def test_an_850_is_the_whole_order_and_its_money_adds_up() -> None:
    order = await Partner().order(edi.one(edi.order()))
    assert (order.number, order.purchase_order, order.source) == ("PO-4711", "PO-4711", "edi")
    assert [f"{line.line_id} {line.sku} {line.quantity:f} {line.amount.normalize():f}" for line in order.lines] == [
        "1 LAMP-1 10 125",
        "2 BULB-9 4 400",
        "3 SCREW-5 250 8",
    ]
    totals = order.totals
    assert (totals.discount, totals.shipping, totals.tax) == (Decimal(10), Decimal("25.99"), Decimal("41.06"))
    assert totals.total == Decimal("590.05") == add_up(order)
    assert order.lines[1].discount == 10
    assert order.lines[1].unit == "case"
    assert order.lines[0].unit is None
    assert order.lines[0].instructions == "NOTE\nGift wrap"
    assert order.payment.terms == "2% 10 days, net 30"
    assert order.instructions is not None
    assert all(word in order.instructions for word in ("Please call before delivery", "DP 042 Household", "UPSN"))
    assert not missing_fields(order, MINIMUM, {"email", "phone"})


async def test_an_850_names_who_where_and_when() -> None:
    order = await Partner().order(edi.one(edi.order()))
    assert order.customer.id == "92-0001"
    assert order.customer.name == "Example Stores"
    assert (order.contacts.email, order.contacts.phone) == ("ada@example.com", "+15005550006")
    assert order.delivery_address is not None
    assert (order.delivery_address.street, order.delivery_address.street2) == ("1 Example Street", "Dock 4")
    assert (order.delivery_address.name, order.delivery_address.city) == ("Ada Example", "Springfield")
    assert order.billing_address is not None
    assert order.billing_address.street == "2 Example Street"
    window = order.delivery_window
    assert window is not None
    assert window.start.isoformat() == "2026-12-01T00:00:00-06:00"
    assert window.end.isoformat() == "2026-12-05T23:59:00-06:00"
    assert order.partner_deadline is not None
    assert order.partner_deadline.due_at == NOW + timedelta(hours=24)


async def test_item_numbers_are_kept_under_the_partners_words_and_under_ours() -> None:
    order = await Partner().order(edi.one(edi.order()))
    codes = {code.system: code.id for code in order.lines[0].codes}
    assert codes == {
        "x12_VN": "LAMP-1",
        "x12_UP": "012345678905",
        "x12_BP": "B-77",
        "gtin": "012345678905",
        "buyer_item": "B-77",
        "x12_unit": "EA",
        "edi_x12_line": "1",
    }


HEADING_WITH: Mapping[str, tuple[str, str, object]] = {
    "its own terms in words": ("ITD*01*3*2**10**30", "ITD*14***********Net 45", "terms:Net 45"),
    "no terms at all": ("ITD*01*3*2**10**30", "REF*ZZ*1", "terms:as agreed with the trading partner"),
    "a currency of its own": ("CUR*BY*USD", "CUR*BY*CAD", "currency:CAD"),
    "no currency": ("CUR*BY*USD", "REF*ZZ*1", "currency:USD"),
    "a release number": ("BEG*00*SA*PO-4711**20261120*CT-9", "BEG*00*BK*PO-4711*3*20261120", "number:PO-4711-3"),
    "a six-digit date": ("DTM*064*20261201", "DTM*064*261201", "start:2026-12-01"),
}


@pytest.mark.parametrize("case", HEADING_WITH)
async def test_a_heading_with(case: str) -> None:
    old, new, wanted = HEADING_WITH[case]
    assert old in edi.HEADING
    order = await Partner().order(edi.one(edi.order([new if one == old else one for one in edi.HEADING])))
    assert order.delivery_window is not None
    seen = {
        "terms": order.payment.terms,
        "currency": order.currency,
        "number": order.number,
        "start": order.delivery_window.start.date().isoformat(),
    }
    word, _, value = str(wanted).partition(":")
    assert seen[word] == value


async def test_a_code_that_stands_for_an_address_is_looked_up_in_the_partners_profile() -> None:
    heading = [one for one in edi.HEADING if not one.startswith(("N2", "N3", "N4"))]
    bare = await Partner().order(edi.one(edi.order(heading)))
    assert bare.delivery_address is None or not bare.delivery_address.street
    assert "ship to Example Stores No 12 (92 0012)" in (bare.instructions or "")
    place = {"street": "9 Known Road", "city": "Springfield", "country": "US"}
    order = await Partner({"locations": {"92/0012": place}}).order(edi.one(edi.order(heading)))
    assert order.delivery_address is not None
    assert order.delivery_address.street == "9 Known Road"


async def test_a_total_that_does_not_add_up_is_kept_as_the_buyer_says() -> None:
    order = await Partner().order(edi.one(edi.order(tail=["CTT*3", "AMT*TT*599.99"])))
    assert order.totals.total == Decimal("599.99") != add_up(order)


async def test_an_order_without_a_total_comes_to_what_its_parts_do() -> None:
    order = await Partner().order(edi.one(edi.order(tail=["CTT*3*264"])))
    assert order.totals.total == Decimal("590.05")


async def test_a_line_without_a_price_is_in_doubt_and_one_free_of_charge_is_not() -> None:
    lines = ("PO1*1*1*EA***VN*A", "PO1*2*1*EA**NC*VN*B")
    order = await Partner().order(edi.one(edi.order(lines=lines, tail=["CTT*2"])))
    assert [doubt.field for doubt in order.doubts] == ["lines[0].unit_price"]


async def test_what_no_field_holds_is_told_to_people() -> None:
    lines = ("PO1*1*10*EA*1**VN*A", "SDQ*EA*92*0012*6*0013*4", "PKG*F****Shrink wrap")
    order = await Partner().order(edi.one(edi.order(lines=lines, tail=["CTT*1"])))
    assert order.lines[0].instructions == "to 0012: 6, to 0013: 4\nPKG F Shrink wrap"


async def test_a_number_with_more_digits_than_money_has_keeps_the_lines_worth() -> None:
    order = await Partner().order(edi.one(edi.order(lines=("PO1*1*1000*EA*0.123456**VN*A",), tail=["CTT*1"])))
    assert order.lines[0].amount == Decimal("123.456")
