"""EDI X12: what partners send, what they are answered."""

import base64
import re
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import httpx
import pytest
import respx
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr, ValidationError

from orderack import sources
from orderack.domain.completeness import MINIMUM, missing_fields
from orderack.domain.money import add_up
from orderack.domain.order import Order
from orderack.domain.problem import Problem
from orderack.domain.response import LineAnswer, Outcome
from orderack.domain.source import AnswerKey, AnswerStage, AnswerState
from orderack.embedded.sandbox.signatures import standard_webhooks
from orderack.errors import BadSignature, InvalidInput, Misconfigured, OrderAckError, Refused, Unavailable
from orderack.ports import (
    Connection,
    Delivery,
    Given,
    Greeting,
    RawRequest,
    Skipped,
    Snapshot,
    SourceAnswer,
    Standing,
    Stands,
)
from orderack.registry import build_sources
from orderack.sources.edi_x12 import EdiX12, EdiX12Settings
from tests.conformance.source import NOW, SourceConformance, quickly
from tests.edi import interchanges as edi

SECRET = "whsec_" + base64.b64encode(b"the gateway's own secret").decode()
PARTNER: Mapping[str, object] = {
    "theirs": {"qualifier": "01", "id": "123456789"},
    "ours": {"id": "FJORDLIGHT"},
    "versions": ["004010", "005010"],
    "time_zone": "America/Chicago",
    "answer_within_hours": 24,
}
GATEWAY = "https://van.example/out"


def connection(**over: object) -> Connection:
    partners = {"acme": {**PARTNER, **over}}
    return Connection(store="shop", system="edi_x12", source="edi", country="US", time_zone="UTC", partners=partners)


@dataclass
class Notebook:
    """A memory as the record is one."""

    orders: dict[str, Stands] = field(default_factory=dict)
    recorded: dict[str, Delivery] = field(default_factory=dict)
    numbers: dict[str, dict[str, Given]] = field(default_factory=dict)

    async def order(self, external_id: str) -> Stands | None:
        return self.orders.get(external_id)

    async def delivery(self, delivery_id: str) -> Delivery | None:
        return self.recorded.get(delivery_id)

    async def number(self, purpose: str, series: str, first: int = 1) -> Given:
        given = self.numbers.setdefault(series, {})
        return given.setdefault(purpose, Given(number=first + len(given), at=NOW))

    def record(self, delivery: Delivery) -> Delivery:
        return self.recorded.setdefault(delivery.id, delivery)

    def take(self, snapshot: Snapshot) -> None:
        order = snapshot.order
        self.orders[snapshot.external_id] = Stands(order=order, content_hash=order.content_hash, at=snapshot.at)


@dataclass
class Partner:
    """The connection with its record, and a clock that can be put forward."""

    over: Mapping[str, object] = field(default_factory=dict)
    settings: Mapping[str, object] = field(default_factory=dict)
    now: datetime = NOW
    book: Notebook = field(default_factory=Notebook)

    def __post_init__(self) -> None:
        made = {"inbound_secret": SECRET, "outbound_url": GATEWAY, **self.settings}
        settings = EdiX12Settings.model_validate(made)
        self.source = EdiX12(connection(**self.over), settings, "ORDERACK_SOURCE_", lambda: self.now)
        self.source.recall(self.book)

    async def post(self, body: bytes) -> tuple[Greeting, list[Delivery]]:
        """As the gateway does it: record, then respond."""
        request = RawRequest(url="https://us.example/intake", headers={}, body=body)
        deliveries = list(self.source.deliveries(request))
        return await self.source.respond(request, [self.book.record(one) for one in deliveries]), deliveries

    async def readings(self, body: bytes) -> list[Snapshot | Skipped | str]:
        """What became of each transaction set; a refusal in words. Orders are taken."""
        found: list[Snapshot | Skipped | str] = []
        for delivery in (await self.post(body))[1]:
            if delivery.topic == "interchange":
                continue
            try:
                (reading,) = await self.source.read(delivery)
            except InvalidInput as no:
                found.append(str(no))
                continue
            assert isinstance(reading, Snapshot | Skipped)
            found.append(reading)
            if isinstance(reading, Snapshot):
                self.book.take(reading)
        return found

    async def order(self, body: bytes) -> Order:
        (reading,) = await self.readings(body)
        assert isinstance(reading, Snapshot), reading
        return reading.order


def said(text: str, tag: str) -> list[list[str]]:
    return [segment for segment in edi.parsed(text) if segment[0] == tag]


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


# -- what is refused, and how the partner is told ---------------------------------------------------------------------

WRONG: Mapping[str, tuple[Sequence[str], str, list[list[str]]]] = {
    "a quantity that is no number": (
        ("PO1*1*ten*EA*1**VN*A",), "PO102 (segment 22): is not a number", [["AK4", "2", "380", "6", "ten"]],
    ),
    "no quantity": (("PO1*1**EA*1**VN*A",), "PO102 (segment 22): is missing", [["AK4", "2", "380", "1"]]),
    "a quantity of none": (("PO1*1*0*EA*1**VN*A",), "PO102", [["AK4", "2", "380", "7", "0"]]),
    "a price below zero": (("PO1*1*1*EA*-1**VN*A",), "PO104", [["AK4", "4", "212", "7", "-1"]]),
    "the same line twice": (
        ("PO1*1*1*EA*1**VN*A", "PO1*1*1*EA*1**VN*B"), "PO101", [["AK4", "1", "350", "7", "1"]],
    ),
    "a date that is none": (
        ("PO1*1*1*EA*1**VN*A", "DTM*002*20261341"), "DTM02", [["AK4", "2", "373", "8", "20261341"]],
    ),
    "an amount with a decimal point where two decimals are implied": (
        ("PO1*1*1*EA*1**VN*A", "SAC*A*C310***10.50"), "SAC05", [["AK4", "5", "610", "6", "10.50"]],
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", WRONG)
async def test_a_997_names_segment_and_element_of(case: str) -> None:
    lines, words, elements = WRONG[case]
    partner = Partner()
    body = edi.one(edi.order(lines=lines, tail=[f"CTT*{sum(line.startswith('PO1') for line in lines)}"]))
    greeting, _ = await partner.post(body)
    assert greeting.status == 200
    assert greeting.media_type == "application/edi-x12"
    assert said(greeting.body, "AK4") == elements
    assert said(greeting.body, "AK5") == [["AK5", "R", "5"]]
    assert said(greeting.body, "AK9") == [["AK9", "R", "1", "1", "0"]]
    (refusal,) = await partner.readings(body)
    assert isinstance(refusal, str)
    assert words in refusal
    assert "850 0001" in refusal


async def _ak5(body: bytes) -> list[list[str]]:
    return said((await Partner().post(body))[0].body, "AK5")


async def test_counts_that_do_not_fit_are_refused_for_a_part_of_the_order_is_missing() -> None:
    assert await _ak5(edi.one(edi.order(tail=["CTT*4"]))) == [["AK5", "R", "5"]]
    assert await _ak5(edi.one(edi.order(tail=["CTT*3*999"]))) == [["AK5", "R", "5"]]
    lenient = (await Partner({"hash_total": False}).post(edi.one(edi.order(tail=["CTT*3*999"]))))[0]
    assert said(lenient.body, "AK5") == [["AK5", "A"]]
    short = edi.one(edi.transaction("850", [*edi.HEADING, *edi.LINES], count=9))
    assert await _ak5(short) == [["AK5", "R", "4"]]


async def test_an_order_that_is_well_formed_and_none_is_refused_in_the_997_and_not_after_it() -> None:
    body = edi.one(edi.order(["BEG*00*SA*PO-1**20261120", "CUR*BY*ZZZ"], tail=["CTT*3"]))
    partner = Partner()
    assert said((await partner.post(body))[0].body, "AK5") == [["AK5", "R", "5"]]
    (refusal,) = await partner.readings(body)
    assert "currency is not a currency" in str(refusal)


async def test_the_good_orders_of_an_interchange_are_taken_beside_the_bad_ones() -> None:
    good, bad = edi.order(control="0001"), edi.order(lines=("PO1*1*x*EA*1**VN*A",), tail=["CTT*1"], control="0002")
    other = edi.order([edi.HEADING[0].replace("4711", "4712"), *edi.HEADING[1:]], control="0001")
    body = edi.interchange([edi.group([good, bad], control="17"), edi.group([other], control="18")])
    partner = Partner()
    greeting, _ = await partner.post(body)
    assert said(greeting.body, "AK9") == [["AK9", "P", "2", "2", "1"], ["AK9", "A", "1", "1", "1"]]
    assert [segment[2] for segment in said(greeting.body, "AK1")] == ["17", "18"]
    first, second, third = await partner.readings(body)
    assert isinstance(first, Snapshot)
    assert isinstance(second, str)
    assert isinstance(third, Snapshot)
    assert (first.order.number, third.order.number) == ("PO-4711", "PO-4712")


async def test_a_set_whose_number_an_earlier_one_has_is_refused_in_both_places() -> None:
    twin = edi.order([edi.HEADING[0].replace("4711", "4712"), *edi.HEADING[1:]])
    body = edi.interchange([edi.group([edi.order(), twin])])
    partner = Partner()
    assert said((await partner.post(body))[0].body, "AK5") == [["AK5", "A"], ["AK5", "R", "23"]]
    first, second = await partner.readings(body)
    assert isinstance(first, Snapshot)
    assert "ST02 is that of an earlier set" in str(second)


ENVELOPES: Mapping[str, tuple[bytes, bytes, str, str]] = {
    "another sender": (b"01*123456789", b"01*999999999", "ISA06", "006"),
    "another receiver": (b"ZZ*FJORDLIGHT", b"ZZ*SOMEONE   ", "ISA08", "008"),
    "another number at its end": (b"IEA*1*000000905", b"IEA*1*000000906", "IEA02", "001"),
    "another count of groups": (b"IEA*1*", b"IEA*2*", "IEA01", "021"),
    "no end": (b"IEA*1*000000905~\n", b"", "IEA", "023"),
    "a segment outside of groups": (b"GS*PO", b"ZZZ*1~GS*PO", "ZZZ (segment 2)", "024"),
}


@pytest.mark.parametrize("case", ENVELOPES)
async def test_an_interchange_with(case: str) -> None:
    """is refused whole, by name and by TA1, and nothing of it is taken."""
    old, new, where, note = ENVELOPES[case]
    body = edi.one(edi.order())
    assert old in body
    partner = Partner()
    greeting, deliveries = await partner.post(body.replace(old, new))
    assert greeting.status == 422
    if note in ("006", "008"):
        assert where in greeting.body
    else:
        assert said(greeting.body, "TA1") == [["TA1", "000000905", "261121", "0930", "R", note]]
        assert not said(greeting.body, "GS")
    (delivery,) = deliveries
    with pytest.raises(InvalidInput, match=re.escape(where)):
        await partner.source.read(delivery)


async def test_what_was_cut_off_may_come_again_whole_under_its_number() -> None:
    partner, body = Partner(), edi.one(edi.order())
    await partner.post(body.replace(b"IEA*1*000000905~\n", b""))
    assert (await partner.post(body))[0].status == 200
    assert isinstance((await partner.readings(body))[0], Snapshot)


async def test_text_that_breaks_off_in_a_segment_is_named_by_its_place() -> None:
    greeting, (delivery,) = await Partner().post(edi.one(edi.order())[:-20] + b"SE*1")
    assert greeting.status == 422
    assert "has no end" in greeting.body
    assert delivery.topic == "unreadable"


async def test_a_version_or_a_document_that_was_not_agreed_on_is_refused_by_its_group() -> None:
    newer = edi.one(edi.order()).replace(b"*X*004010", b"*X*003040")
    assert said((await Partner().post(newer))[0].body, "AK9") == [["AK9", "R", "1", "1", "0", "2"]]
    invoice = edi.one(edi.transaction("810", ["BIG*20261121*1"]), kind="IN")
    greeting, (delivery,) = await Partner().post(invoice)
    assert said(greeting.body, "AK9") == [["AK9", "R", "1", "1", "0", "1"]]
    with pytest.raises(InvalidInput, match="GS01 is no kind of document"):
        await Partner().source.read(delivery)


async def test_a_test_interchange_is_acknowledged_and_is_no_order() -> None:
    partner = Partner()
    greeting, (delivery,) = await partner.post(edi.interchange([edi.group([edi.order()])], usage="T"))
    assert said(greeting.body, "AK5") == [["AK5", "A"]]
    (reading,) = await partner.source.read(delivery)
    assert reading == Skipped(why="a test interchange (ISA15)")


async def test_a_ta1_is_sent_where_it_is_asked_for() -> None:
    greeting, _ = await Partner().post(edi.interchange([edi.group([edi.order()])], wants_ta1="1"))
    assert said(greeting.body, "TA1") == [["TA1", "000000905", "261121", "0930", "A", "000"]]
    assert said(greeting.body, "AK5") == [["AK5", "A"]]


# -- once ------------------------------------------------------------------------------------------------------------


async def test_the_same_interchange_twice_is_once_and_is_answered_in_the_same_bytes() -> None:
    partner, body = Partner(), edi.one(edi.order())
    first, deliveries = await partner.post(body)
    partner.now += timedelta(hours=3)
    second, again = await partner.post(body)
    assert [one.id for one in deliveries] == [one.id for one in again]
    assert first == second
    assert len(partner.book.recorded) == 2


async def test_a_repeat_is_answered_as_it_was_whatever_the_profile_says_by_now() -> None:
    partner, body = Partner(), edi.one(edi.order(tail=["CTT*3*999"]))
    first, _ = await partner.post(body)
    lenient = Partner({"hash_total": False, "versions": ["005010"]}, book=partner.book)
    again, _ = await lenient.post(body)
    assert said(first.body, "AK5") == said(again.body, "AK5") == [["AK5", "R", "5"]]
    new, _ = await lenient.post(edi.one(edi.order(tail=["CTT*3*999"]), control="000000906").replace(b"4010~", b"5010~"))
    assert said(new.body, "AK5") == [["AK5", "A"]]


async def test_no_order_is_kept_with_the_interchange_that_it_came_in() -> None:
    partner = Partner()
    _, (whole, order) = await partner.post(edi.one(edi.order()))
    assert "Ada" in order.body
    assert "Ada" not in whole.body
    _, (refused,) = await partner.post(edi.one(edi.order(), control="000000906")[:-30])
    assert "Ada" in refused.body  # nothing else of it is recorded


async def test_a_997_copies_nobodys_name_or_address() -> None:
    heading = [*edi.HEADING, f"PER*BD*{'Ada Example ' * 9}", "CUR*BY*USDOLLAR"]
    greeting, _ = await Partner().post(edi.one(edi.order(heading)))
    assert said(greeting.body, "AK4") == [["AK4", "2", "93", "5"], ["AK4", "2", "100", "5", "USDOLLAR"]]


async def test_five_thousand_lines_are_judged_in_seconds_and_what_is_too_large_is_refused_by_name() -> None:
    def of(count: int) -> bytes:
        lines = [f"PO1*{at}*2*EA*1.25**VN*SKU-{at}" for at in range(1, count + 1)]
        return edi.one(edi.order(lines=lines, tail=[f"CTT*{count}*{2 * count}"]), control=f"{count:09d}")

    partner, begun = Partner(), time.monotonic()
    assert len((await partner.order(of(1_000))).lines) == 1_000
    greeting, _ = await partner.post(of(5_000))
    assert time.monotonic() - begun < 20
    assert said(greeting.body, "AK3") == [["AK3", "BEG", "2", "", "8"]]
    (refusal,) = await partner.readings(of(5_000))
    assert "order is larger than 1048576 bytes" in str(refusal)


async def test_a_control_number_with_other_content_is_refused() -> None:
    partner, body = Partner(), edi.one(edi.order())
    await partner.readings(body)
    other = edi.one(edi.order([edi.HEADING[0].replace("4711", "4799"), *edi.HEADING[1:]]))
    greeting, _ = await partner.post(other)
    assert greeting.status == 422
    assert said(greeting.body, "TA1")[0][4:] == ["R", "025"]
    (refusal,) = await partner.readings(other)
    assert "ISA13 (segment 1) was used before" in str(refusal)
    assert "acme/PO-4799" not in partner.book.orders
    assert (await partner.post(body))[0].status == 200
    numbers = {said((await partner.post(one))[0].body, "ISA")[0][13] for one in (body, other)}
    assert len(numbers) == 2


async def test_an_order_sent_again_under_a_new_number_is_the_same_order() -> None:
    partner = Partner()
    first = await partner.order(edi.one(edi.order()))
    partner.now += timedelta(hours=2)
    again = await partner.order(edi.one(edi.order(), control="000000906"))
    assert again.content_hash == first.content_hash
    duplicate = edi.order([edi.HEADING[0].replace("*00*", "*07*"), *edi.HEADING[1:]])
    (reading,) = await partner.readings(edi.one(duplicate, control="000000907"))
    assert isinstance(reading, Skipped)


async def test_an_850_may_cancel() -> None:
    partner = Partner()
    await partner.order(edi.one(edi.order()))
    cancels = edi.transaction("850", ["BEG*01*SA*PO-4711**20261120", "NTE*GEN*Not needed"])
    (reading,) = await partner.readings(edi.one(cancels, control="000000906"))
    assert isinstance(reading, Snapshot)
    assert (reading.standing, reading.reason) == (Standing.CANCELLED, "Not needed")


# -- the 860 ---------------------------------------------------------------------------------------------------------

Lines = list[tuple[str, Decimal, Decimal]]
BEFORE: Lines = [
    ("1", Decimal(10), Decimal("12.5")),
    ("2", Decimal(4), Decimal(100)),
    ("3", Decimal(250), Decimal("0.032")),
]


def _with(*over: tuple[str, object, object]) -> Lines:
    changed = {line: (line, Decimal(str(quantity)), Decimal(str(price))) for line, quantity, price in over}
    kept = [changed.pop(line[0], line) for line in BEFORE]
    return [line for line in [*kept, *changed.values()] if line[1]]


CHANGES: Mapping[str, tuple[str, Lines]] = {
    "AI adds": ("POC*4*AI*7**EA*2**VN*NEW-1", _with(("4", 7, 2))),
    "DI deletes": ("POC*2*DI", _with(("2", 0, 0))),
    "QI raises": ("POC*1*QI*15**EA", _with(("1", 15, "12.5"))),
    "QD lowers": ("POC*1*QD*3**EA", _with(("1", 3, "12.5"))),
    "QD to none deletes": ("POC*1*QD*0**EA", _with(("1", 0, 0))),
    "PC reprices": ("POC*1*PC*10**EA*11", _with(("1", 10, 11))),
    "PQ does both": ("POC*1*PQ*2**EA*9.5", _with(("1", 2, "9.5"))),
    "CA takes what it says": ("POC*1*CA*6**EA*12.5", _with(("1", 6, "12.5"))),
    "RZ replaces": ("POC*1*RZ*6**EA*8**VN*LAMP-2", _with(("1", 6, 8))),
    "CT changes dates alone": ("POC*1*CT*99**EA*99", BEFORE),
    "NC changes nothing": ("POC*1*NC*99**EA*99", BEFORE),
}


@pytest.mark.parametrize("case", CHANGES)
async def test_an_860_line(case: str) -> None:
    line, wanted = CHANGES[case]
    partner = Partner()
    before = await partner.order(edi.one(edi.order()))
    assert [(one.line_id, one.quantity, one.unit_price) for one in before.lines] == BEFORE
    (reading,) = await partner.readings(edi.one(edi.change([line]), "PC", "000000906"))
    assert isinstance(reading, Snapshot), reading
    assert [(one.line_id, one.quantity, one.unit_price) for one in reading.order.lines] == wanted
    assert reading.upon == before.content_hash
    assert add_up(reading.order) == reading.order.totals.total
    assert reading.order.partner_deadline == before.partner_deadline
    assert reading.order.delivery_address == before.delivery_address


async def test_an_860_may_be_replaced_item_by_item_and_dates_and_notes_are_told() -> None:
    partner = Partner()
    await partner.order(edi.one(edi.order()))
    lines = ["POC*1*RZ*6**EA*8**VN*LAMP-2", "PID*F****Lamp, steel", "DTM*002*20261224"]
    body = edi.transaction("860", ["BCH*04*SA*PO-4711**2*20261120", "NTE*GEN*Hurry", *lines, "CTT*1"])
    order = await partner.order(edi.one(body, "PC", "000000906"))
    assert (order.lines[0].sku, order.lines[0].description) == ("LAMP-2", "Lamp, steel")
    assert "2026-12-24" in (order.lines[0].instructions or "")
    assert (order.instructions or "").endswith("Hurry")
    assert ("x12_change", "2") in [(one.system, one.id) for one in order.external_ids]


async def test_an_860_read_again_changes_nothing_more() -> None:
    partner = Partner({"quantity_changes": "difference"})
    await partner.order(edi.one(edi.order()))
    body = edi.one(edi.change(["POC*1*QI*5**EA"]), "PC", "000000906")
    first, again = await partner.order(body), await partner.order(body)
    assert first.lines[0].quantity == 15 == again.lines[0].quantity
    assert first.content_hash == again.content_hash


async def test_changes_follow_each_other() -> None:
    partner = Partner()
    await partner.order(edi.one(edi.order()))
    await partner.order(edi.one(edi.change(["POC*1*QI*12**EA"]), "PC", "000000906"))
    order = await partner.order(edi.one(edi.change(["POC*2*DI"], sequence="2"), "PC", "000000907"))
    assert [(line.line_id, int(line.quantity)) for line in order.lines] == [("1", 12), ("3", 250)]
    assert order.totals.discount == 0  # the allowance was of the line that is gone


UNFIT: Mapping[str, tuple[str, str]] = {
    "a line that is not there": ("POC*9*PC*1**EA*1", "POC01 (segment 3): is no line of the order"),
    "a raise that lowers": ("POC*1*QI*5**EA", "POC03 (segment 3): is no QI"),
    "a cut that says the old quantity": ("POC*1*QD*10*3*EA", "POC03 (segment 3): is no QD"),
    "a cut that raises": ("POC*1*QD*50**EA", "POC03 (segment 3): is no QD"),
    "an added line that is there": ("POC*1*AI*5**EA*1**VN*X", "POC01 (segment 3): is a line that the order has"),
    "a code nobody knows": ("POC*1*ZZ*5**EA", "POC02 (segment 3): is none of"),
    "a change of quantity without one": ("POC*1*QI***EA", "POC03 (segment 3): is missing"),
}


@pytest.mark.parametrize("case", UNFIT)
async def test_an_860_is_refused_for(case: str) -> None:
    line, words = UNFIT[case]
    partner = Partner()
    await partner.order(edi.one(edi.order()))
    (refusal,) = await partner.readings(edi.one(edi.change([line]), "PC", "000000906"))
    assert words in str(refusal)


async def test_an_860_waits_for_its_order_and_not_for_ever() -> None:
    partner = Partner()
    deliveries = (await partner.post(edi.one(edi.change(["POC*2*DI"]), "PC")))[1]
    with pytest.raises(Unavailable):
        await partner.source.read(deliveries[1])
    partner.now += timedelta(hours=2)
    with pytest.raises(InvalidInput, match="BCH03"):
        await partner.source.read(deliveries[1])


async def test_an_860_may_cancel_and_may_hold_the_whole_order() -> None:
    partner = Partner()
    await partner.order(edi.one(edi.order()))
    whole = edi.change(["POC*7*AI*1**EA*5**VN*Z"], purpose="05")
    order = await partner.order(edi.one(whole, "PC", "000000906"))
    assert [(line.line_id, line.sku) for line in order.lines] == [("7", "Z")]
    (reading,) = await partner.readings(edi.one(edi.change([], purpose="01"), "PC", "000000907"))
    assert isinstance(reading, Snapshot)
    assert reading.standing is Standing.CANCELLED


async def test_the_first_850_sent_again_does_not_undo_a_change() -> None:
    partner = Partner()
    await partner.order(edi.one(edi.order()))
    await partner.order(edi.one(edi.change(["POC*2*DI"]), "PC", "000000906"))
    (refusal,) = await partner.readings(edi.one(edi.order(), control="000000907"))
    assert "BEG01" in str(refusal)


# -- the answer ------------------------------------------------------------------------------------------------------


def answer(order: Order, lines: Sequence[LineAnswer], revision: int = 1, stage: str = "confirmed") -> SourceAnswer:
    return SourceAnswer(
        key=AnswerKey(ref=order.ref, revision=revision, stage=AnswerStage(stage)),
        order=order,
        external_id="acme/PO-4711",
        lines=tuple(lines),
        document_id="SO-1001",
        promise_on=date(2026, 12, 1),
        now=NOW,
    )


SAID = (
    LineAnswer(line_id="1", outcome=Outcome.ACCEPT, accepted=Decimal(10)),
    LineAnswer(
        line_id="2",
        outcome=Outcome.BACKORDER,
        accepted=Decimal(1),
        backordered=Decimal(3),
        expected_on=date(2026, 12, 20),
    ),
    LineAnswer(line_id="3", outcome=Outcome.REJECT, rejected=Decimal(250), note="No longer made"),
)
GOLDEN = Path(__file__).parents[1] / "edi" / "golden"


@dataclass
class Sent:
    """What the partner's gateway took."""

    status: int = 202
    requests: list[httpx.Request] = field(default_factory=list)

    def take(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        return httpx.Response(self.status, text="no such mailbox of ada@example.com")

    @property
    def texts(self) -> list[str]:
        return [request.content.decode() for request in self.requests]


@pytest.fixture
def sent() -> Iterator[Sent]:
    with respx.mock:
        gateway = Sent()
        respx.post(url__startswith=GATEWAY).mock(side_effect=gateway.take)
        yield gateway


def golden(name: str, text: str) -> None:
    """Line by line, for people's eyes."""
    assert text.replace("~", "~\n") == (GOLDEN / name).read_text()


async def test_an_855_says_of_every_line_what_the_erp_said(sent: Sent) -> None:
    partner = Partner()
    order = await partner.order(edi.one(edi.order()))
    answered = await partner.source.answer(answer(order, SAID))
    assert (answered.state, answered.reference) == (AnswerState.ACCEPTED, "000000002")
    golden("855.edi", sent.texts[0])
    assert said(sent.texts[0], "BAK")[0][2] == "AC"
    assert str(sent.requests[0].url) == f"{GATEWAY}/acme"


async def test_the_same_answer_again_is_the_same_bytes_under_the_same_number(sent: Sent) -> None:
    partner = Partner()
    order = await partner.order(edi.one(edi.order()))
    await partner.source.answer(answer(order, SAID))
    partner.now += timedelta(days=2)
    await partner.source.answer(answer(order, SAID).model_copy(update={"now": partner.now}))
    await partner.source.answer(answer(order, SAID, revision=2))
    first, again, other = sent.texts
    assert first == again
    assert said(first, "ISA")[0][13] != said(other, "ISA")[0][13]


async def test_997s_and_answers_are_numbered_in_one_series_of_the_partners_own(sent: Sent) -> None:
    partner = Partner({"control_numbers_from": 7_001})
    order = await partner.order(edi.one(edi.order()))
    await partner.source.answer(answer(order, SAID))
    assert said(sent.texts[0], "ISA")[0][13] == "000007002"
    assert [(series, len(given)) for series, given in partner.book.numbers.items()] == [("acme", 2)]


async def test_an_865_answers_a_changed_order(sent: Sent) -> None:
    partner = Partner()
    await partner.order(edi.one(edi.order()))
    order = await partner.order(edi.one(edi.change(["POC*3*DI", "POC*1*QI*12**EA"]), "PC", "000000906"))
    lines = [
        LineAnswer(line_id="1", outcome=Outcome.QUANTITY, accepted=Decimal(8), rejected=Decimal(4)),
        LineAnswer(line_id="2", outcome=Outcome.SUBSTITUTE, accepted=Decimal(4), substitute_sku="BULB-10"),
    ]
    await partner.source.answer(answer(order, lines, revision=2))
    golden("865.edi", sent.texts[0])


KINDS: Mapping[str, tuple[Outcome, str, str]] = {
    "all accepted": (Outcome.ACCEPT, "AD", "IA"),
    "all rejected": (Outcome.REJECT, "RD", "IR"),
    "all on hold": (Outcome.HOLD, "AH", "IH"),
    "another day": (Outcome.DATE, "AC", "DR"),
    "another price": (Outcome.PRICE, "AC", "IP"),
}


@pytest.mark.parametrize("case", KINDS)
async def test_the_855_of_an_order_with(case: str, sent: Sent) -> None:
    outcome, kind, status = KINDS[case]
    partner = Partner()
    order = await partner.order(edi.one(edi.order()))
    part = {Outcome.REJECT: "rejected", Outcome.HOLD: "held"}.get(outcome, "accepted")
    lines = [
        LineAnswer.model_validate({"line_id": one.line_id, "outcome": outcome, part: one.quantity})
        for one in order.lines
    ]
    await partner.source.answer(answer(order, lines))
    assert said(sent.texts[0], "BAK")[0][2] == kind
    assert {ack[1] for ack in said(sent.texts[0], "ACK")} == {status}


async def test_a_partners_own_codes_are_used(sent: Sent) -> None:
    partner = Partner({"line_status": {"accept": "AA", "backorder": "BP"}, "date_qualifier": "067"})
    order = await partner.order(edi.one(edi.order()))
    await partner.source.answer(answer(order, SAID))
    assert [(ack[1], ack[4:6]) for ack in said(sent.texts[0], "ACK")] == [
        ("AA", ["067", "20261201"]),
        ("AA", ["067", "20261201"]),
        ("BP", ["067", "20261220"]),
        ("IR", []),
    ]


async def test_an_order_that_is_rejected_or_cancelled_is_answered_in_full(sent: Sent) -> None:
    partner = Partner()
    order = await partner.order(edi.one(edi.order()))
    await partner.source.answer(answer(order, (), stage="rejected").model_copy(update={"reason": "Not sold there"}))
    await partner.source.answer(answer(order, SAID, stage="cancelled"))
    rejected, cancelled = sent.texts
    assert said(rejected, "BAK")[0][2] == "RD"
    assert said(rejected, "MSG") == [["MSG", "Not sold there"]]
    assert [ack[1:3] for ack in said(rejected, "ACK")] == [["IR", "10"], ["IR", "4"], ["IR", "250"]]
    assert said(cancelled, "BCA")[0][2] == "RD"


@pytest.mark.parametrize("lines", [SAID[:2], (*SAID, SAID[0]), (SAID[0], SAID[1], SAID[1])])
async def test_an_answer_that_leaves_a_line_out_is_not_sent(lines: Sequence[LineAnswer], sent: Sent) -> None:
    partner = Partner()
    order = await partner.order(edi.one(edi.order()))
    with pytest.raises(Refused, match="not every line"):
        await partner.source.answer(answer(order, lines))
    assert not sent.requests


async def test_an_answer_whose_quantities_do_not_add_up_is_not_sent(sent: Sent) -> None:
    partner = Partner()
    order = await partner.order(edi.one(edi.order()))
    short = SAID[0].model_copy(update={"accepted": Decimal(9)})
    with pytest.raises(Refused, match="line 1 is answered for 9 of 10"):
        await partner.source.answer(answer(order, (short, *SAID[1:])))
    assert not sent.requests


FATES: Mapping[int, type[OrderAckError] | None] = {
    200: None, 202: None, 409: None, 400: Refused, 422: Refused, 401: Misconfigured, 404: Misconfigured,
    429: Unavailable, 500: Unavailable, 503: Unavailable,
}  # fmt: skip


@pytest.mark.parametrize("status", FATES)
async def test_the_gateways_answer(status: int, sent: Sent) -> None:
    sent.status, fate, partner = status, FATES[status], Partner()
    order = await partner.order(edi.one(edi.order()))
    if fate is None:
        assert (await partner.source.answer(answer(order, SAID))).state is AnswerState.ACCEPTED
        return
    with pytest.raises(fate) as no:
        await partner.source.answer(answer(order, SAID))
    assert "ada@example.com" not in str(no.value)


async def test_what_goes_out_is_proved_by_the_secret_that_is_set(sent: Sent) -> None:
    own = "a partner's own token"
    for settings, wanted in (
        ({"outbound_secret": "a token for all of them"}, "Bearer a token for all of them"),
        ({"outbound_secret": "a token for all of them", "partner_secrets": {"acme": own}}, f"Bearer {own}"),
    ):
        partner = Partner(settings=settings)
        await partner.source.answer(answer(await partner.order(edi.one(edi.order())), SAID))
        assert sent.requests[-1].headers["authorization"] == wanted
    partner = Partner(settings={"outbound_secret": SECRET})
    await partner.source.answer(answer(await partner.order(edi.one(edi.order())), SAID))
    request = sent.requests[-1]
    own = request.headers["webhook-id"]
    assert own == f"acme-{request.headers['idempotency-key']}"
    assert own.startswith("acme-000000002-")
    expected = standard_webhooks(SECRET, own, int(NOW.timestamp()), request.content)
    assert request.headers["webhook-signature"] == expected["webhook-signature"]


async def test_a_partners_own_address_goes_before_the_connections(sent: Sent) -> None:
    with respx.mock:
        own = respx.post("https://as2.example/acme").mock(return_value=httpx.Response(200))
        partner = Partner({"outbound": "https://as2.example/acme"})
        await partner.source.answer(answer(await partner.order(edi.one(edi.order())), SAID))
        assert own.call_count == 1


async def test_a_directory_takes_whole_files_named_by_their_number(tmp_path: Path) -> None:
    partner = Partner({"outbound": "directory"}, {"drop_directory": tmp_path})
    order = await partner.order(edi.one(edi.order()))
    for _ in range(2):
        await partner.source.answer(answer(order, SAID))
    (file,) = (tmp_path / "acme").iterdir()
    assert file.name == "000000002-855.edi"
    golden("855.edi", file.read_text())
    bare = Partner({"outbound": "directory"})
    with pytest.raises(Misconfigured, match="DROP_DIRECTORY"):
        await bare.source.answer(answer(order, SAID))


async def test_the_doctor_says_which_partner_there_is_no_way_to() -> None:
    assert "1 partners" in await Partner().source.check()
    with pytest.raises(Misconfigured, match=r"OUTBOUND_URL is missing, and partners\.acme"):
        await Partner(settings={"outbound_url": None}).source.check()
    with pytest.raises(Misconfigured, match="DROP_DIRECTORY"):
        await Partner({"outbound": "directory"}).source.check()


async def test_a_997_goes_out_as_well_where_the_partner_wants_it(sent: Sent) -> None:
    partner = Partner({"functional_ack": True})
    greeting, deliveries = await partner.post(edi.one(edi.order()))
    for _ in range(2):
        await partner.source.read(deliveries[0])
    assert sent.texts == [greeting.body, greeting.body]
    golden("997.edi", greeting.body)


# -- what partners say of our answers ----------------------------------------------------------------------------------


def acknowledged(*segments: str) -> bytes:
    return edi.one(edi.transaction("997", ["AK1*PR*5000", *segments]), "FA", "000000950")


async def test_a_997_of_the_partners_is_read() -> None:
    body = acknowledged("AK2*855*0001", "AK5*A", "AK9*A*1*1*1")
    greeting, _ = await Partner().post(body)
    assert greeting.body == ""  # an acknowledgement is not acknowledged
    (reading,) = await Partner().readings(body)
    assert reading == Skipped(why="855 5000 accepted by the partner")


async def test_a_997_that_rejects_an_855_is_seen() -> None:
    body = acknowledged("AK2*855*0001", "AK3*ACK*7**8", "AK4*1*668*7*ZZ", "AK5*R*5", "AK9*R*1*1*0")
    (refusal,) = await Partner().readings(body)
    assert "855 5000 rejected by the partner" in str(refusal)
    assert "ACK at 7" in str(refusal)
    (whole,) = await Partner().readings(acknowledged("AK9*R*1*1*0*2"))
    assert "group 5000 rejected by the partner: GS08 is not the version agreed on" in str(whole)


async def test_a_ta1_that_rejects_an_interchange_of_ours_is_seen() -> None:
    for status, wanted in (("A*000", None), ("R*006", "interchange 000005000 rejected")):
        partner = Partner()
        _, (delivery,) = await partner.post(
            edi.interchange([[f"TA1*000005000*261121*0930*{status}"]]).replace(b"IEA*1", b"IEA*0")
        )
        if wanted is None:
            assert isinstance((await partner.source.read(delivery))[0], Skipped)
            continue
        with pytest.raises(InvalidInput, match=wanted):
            await partner.source.read(delivery)


# -- the door, and the profile -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("secret", "header"),
    [
        ("a token of sixteen or more", "Bearer a token of sixteen or more"),
        ("gateway:a long password", "Basic " + base64.b64encode(b"gateway:a long password").decode()),
    ],
)
async def test_a_bearer_token_or_a_password_opens_the_door(secret: str, header: str) -> None:
    source = Partner(settings={"inbound_secret": secret}).source
    await source.verify(RawRequest(url="https://us.example", headers={"authorization": header}, body=b""))
    for other in ("", header + "x", header.lower(), f"Bearer {secret} "):
        if other != header:
            with pytest.raises(BadSignature):
                await source.verify(RawRequest(url="https://us.example", headers={"authorization": other}, body=b""))


PROFILES: Mapping[str, tuple[Mapping[str, object], str]] = {
    "no ids of theirs": ({"theirs": {"qualifier": "ZZ"}}, "partners.acme.theirs.id"),
    "a version nobody writes": ({"versions": ["4010"]}, "partners.acme.versions.0"),
    "a delimiter that is a letter": ({"delimiters": {"element": "A"}}, "partners.acme.delimiters"),
    "two delimiters alike": ({"delimiters": {"element": "~"}}, "partners.acme.delimiters"),
    "an address without https": ({"outbound": "http://as2.example"}, "partners.acme.outbound"),
    "an unknown outcome": ({"line_status": {"fine": "IA"}}, "partners.acme.line_status"),
    "a misspelt key": ({"verisons": ["004010"]}, "partners.acme.verisons"),
    "a zone that is none": ({"time_zone": "Mars/Base"}, "partners.acme.time_zone"),
}


@pytest.mark.parametrize("case", PROFILES)
def test_a_profile_with(case: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """is named by its key, and the connection is not configured."""
    over, key = PROFILES[case]
    monkeypatch.setenv("ORDERACK_SOURCE_SHOP_EDI_X12_INBOUND_SECRET", SECRET)
    lacking = build_sources(sources.load(), [connection(**over)]).not_configured["shop/edi_x12"]
    assert any(key in one for one in lacking)
    assert not any(SECRET in one for one in lacking)


def test_partners_with_the_same_ids_or_none_at_all_are_refused() -> None:
    settings = EdiX12Settings(inbound_secret=SecretStr(SECRET))
    twins = connection().model_copy(update={"partners": {"acme": PARTNER, "twin": PARTNER}})
    with pytest.raises(ValidationError, match=r"partners\.twin: has the ids of acme"):
        EdiX12(twins, settings, "")
    with pytest.raises(ValidationError, match="there is none"):
        EdiX12(connection().model_copy(update={"partners": {}}), settings, "")


# -- anything ----------------------------------------------------------------------------------------------------------

GOOD = edi.rich()


async def test_the_rich_interchange_is_an_order_and_a_change_of_it() -> None:
    found = await Partner().readings(GOOD)
    assert [type(one) for one in found] == [Snapshot, Snapshot]


async def _survives(body: bytes) -> None:
    """Each set is an order that adds up, or refused by name; and the partner is told which."""
    partner = Partner()
    await partner.readings(edi.one(edi.order()))
    greeting, deliveries = await partner.post(body)
    assert greeting.status in (200, 422)
    assert greeting.body.strip()
    named: list[Problem] = []
    rejected = "".join(greeting.body.split("AK5*A"))
    for delivery in deliveries:
        try:
            (reading,) = await partner.source.read(delivery)
        except InvalidInput as no:
            named += no.problems
            continue
        except Unavailable:
            continue
        if isinstance(reading, Snapshot):
            assert add_up(reading.order) == reading.order.totals.total or "AMT" in delivery.body
        if isinstance(reading, Snapshot) and reading.standing is Standing.OPEN:
            assert rejected != greeting.body  # what is taken was accepted in the 997
    assert all(one.field and one.problem for one in named)


@quickly
@given(body=st.binary(max_size=300) | st.binary(max_size=200).map(lambda tail: GOOD[:400] + tail))
async def test_no_bytes_end_in_a_traceback(body: bytes) -> None:
    await _survives(body)


@quickly
@given(data=st.data())
async def test_a_good_interchange_with_any_element_changed_is_an_order_or_refused_by_name(data: st.DataObject) -> None:
    segments = GOOD.decode().split("~")
    at = data.draw(st.integers(0, len(segments) - 2))
    elements = segments[at].split("*")
    number = data.draw(st.integers(0, len(elements) - 1))
    elements[number] = data.draw(
        st.sampled_from(["", "0", "-1", "99999999999999", "é", "2026", "1E9", "."]) | st.text()
    )
    segments[at] = "*".join(elements)
    if data.draw(st.booleans()):
        segments.insert(data.draw(st.integers(0, len(segments))), segments.pop(at))
    await _survives("~".join(segments).encode("utf-8", "replace"))


@quickly
@given(data=st.data())
async def test_a_good_interchange_with_segments_dropped_or_doubled_survives(data: st.DataObject) -> None:
    segments = GOOD.decode().split("~")
    at = data.draw(st.integers(0, len(segments) - 2))
    copies = data.draw(st.integers(0, 2))
    await _survives("~".join([*segments[:at], *[segments[at]] * copies, *segments[at + 1 :]]).encode())
