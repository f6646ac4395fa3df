"""X12: the 860, line by line."""

from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal

import pytest

from orderack.domain.money import add_up
from orderack.errors import InvalidInput, Unavailable
from orderack.ports import (
    Snapshot,
    Standing,
)
from tests.edi import interchanges as edi
from tests.sources.edi_partner import Partner

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
