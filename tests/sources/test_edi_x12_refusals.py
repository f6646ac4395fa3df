"""X12: what is refused, how the partner is told, and what comes twice."""

import re
import time
from collections.abc import Mapping, Sequence
from datetime import timedelta

import pytest

from orderack.errors import InvalidInput
from orderack.ports import (
    Skipped,
    Snapshot,
    Standing,
)
from tests.edi import interchanges as edi
from tests.sources.edi_partner import Partner, said

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
