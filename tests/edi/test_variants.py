"""What partners' guides allow besides the plain case: envelopes, units, prices, places, dates, charges."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

import pytest

from orderack.domain.completeness import MINIMUM, missing_fields
from orderack.domain.money import add_up
from orderack.domain.order import Order, Priority
from orderack.edi.prices import price_per
from orderack.ports import Skipped, Snapshot
from tests.edi import interchanges as edi
from tests.sources.edi_partner import Partner, said

ONE = ("PO1*1*10*EA*2.5**VN*LAMP",)
TAIL = ("CTT*1",)
BARE = ("BEG*00*SA*PO-4711**20261120", "N1*ST*Example Stores*92*0012", "N3*1 Example Street", "N4*Springfield*IL*62701")


async def order_of(
    heading: Sequence[str] = BARE, lines: Sequence[str] = ONE, tail: Sequence[str] = TAIL, **over: object
) -> Order:
    count = sum(line.startswith("PO1*") for line in lines)
    end = [segment.replace("CTT*1", f"CTT*{count}") for segment in tail]
    return await Partner(over).order(edi.one(edi.transaction("850", [*heading, *lines, *end])))


def fields(order: Order) -> list[str]:
    return [doubt.field for doubt in order.doubts]


# -- envelopes --------------------------------------------------------------------------------------------------------

GOOD = edi.one(edi.order()).decode()
TERMINATED: Mapping[str, str] = {
    "a line feed after each segment": GOOD,
    "nothing after any": GOOD.replace("\n", ""),
    "carriage return and line feed": GOOD.replace("\n", "\r\n"),
    "line feeds for terminators": GOOD.replace("~\n", "\n"),
    "carriage returns and line feeds for terminators": GOOD.replace("~\n", "\r\n"),
    "no terminator after IEA's line": GOOD.rstrip("\n"),
    "blank lines and a byte order mark": "\ufeff\r\n" + GOOD.replace("~\n", "~\n\n") + "\n\n \t",
    "another element separator": GOOD.replace("*", "|"),
    "a separator that is not printed": GOOD.replace("*", "\x1d").replace("~\n", "\x1c"),
    "blanks at the ends of elements": GOOD.replace("*EA*", "*EA *").replace("*VN*", "* VN*").replace("*USD", "*USD "),
    "its codes in lower case": GOOD.replace("*EA*", "*ea*").replace("*VN*", "*vn*").replace("*USD", "*usd"),
    "empty elements at the ends of segments": GOOD.replace("LAMP-1*UP", "LAMP-1*UP").replace("*US~", "*US**~"),
    "a retailer's own release": GOOD.replace("*004010~", "*004010VICS~"),
    "the later version, with a repetition separator": GOOD.replace("*U*00401*", "*^*00501*").replace(
        "004010", "005010"
    ),
    "control numbers without zeros": GOOD.replace("*000000905*", "*905*").replace("*000000905~", "*905~"),
    "elements of ISA that are not padded": GOOD.replace("FJORDLIGHT     ", "FJORDLIGHT").replace(
        "123456789      ", "123456789"
    ),
}


@pytest.mark.parametrize("case", TERMINATED)
async def test_an_interchange_is_the_same_order_with(case: str) -> None:
    plain = await Partner().order(GOOD.encode())
    order = await Partner().order(TERMINATED[case].encode())
    assert order == plain
    assert add_up(order) == order.totals.total


async def test_an_interchange_of_several_groups_and_sets_is_acknowledged_group_by_group() -> None:
    def numbered(number: int, control: str) -> list[str]:
        return edi.order([f"BEG*00*SA*PO-{number}**20261120", *edi.HEADING[1:]], control=control)

    first = edi.group([numbered(1, "0001"), numbered(2, "0002")], control="17")
    second = edi.group([numbered(3, "0001")], control="18")
    change = edi.group([[one.replace("PO-4711", "PO-9") for one in edi.change(["POC*1*DI"])]], "PC", "19")
    body = edi.interchange([first, second, change])
    partner = Partner()
    greeting, _ = await partner.post(body)
    assert said(greeting.body, "AK1") == [["AK1", "PO", "17"], ["AK1", "PO", "18"], ["AK1", "PC", "19"]]
    assert [one[2:] for one in said(greeting.body, "AK9")] == [["2", "2", "2"], ["1", "1", "1"], ["1", "1", "1"]]
    assert [one[2] for one in said(greeting.body, "ST")] == ["0001", "0002", "0003"]
    taken = [one for one in await _readings(partner, body) if isinstance(one, Snapshot)]
    assert [one.order.number for one in taken] == ["PO-1", "PO-2", "PO-3"]


async def _readings(partner: Partner, body: bytes) -> list[object]:
    found: list[object] = []
    for delivery in (await partner.post(body))[1]:
        try:
            found += await partner.source.read(delivery)
        except Exception as no:
            found.append(no)
    return found


# -- lines ------------------------------------------------------------------------------------------------------------

PRICES: Mapping[tuple[str, str], str | None] = {
    ("", "EA"): "1", ("PE", "CA"): "1", ("LE", "EA"): "1", ("UM", "LB"): "1", ("CT", "EA"): "1", ("NC", "EA"): "1",
    ("HP", "EA"): "100", ("LC", "EA"): "100", ("QH", "EA"): "100", ("HP", "HU"): "1",
    ("TP", "EA"): "1000", ("TM", "EA"): "1000", ("QS", "TH"): "1",
    ("PN", "EA"): "10", ("PD", "EA"): "12", ("TD", "DZ"): "1", ("HT", "EA"): "100000", ("TT", "EA"): "10000",
    ("PP", "LB"): "1", ("PP", "CA"): None, ("HF", "FT"): "100", ("HF", "RL"): None, ("PF", ""): None,
    ("TB", "EA"): None, ("NQ", "EA"): None, ("ES", "EA"): None, ("ZZ", "EA"): None,
}  # fmt: skip


@pytest.mark.parametrize(("basis", "unit"), PRICES)
async def test_a_price_is_for_as_many_as_its_basis_says_or_in_doubt(basis: str, unit: str) -> None:
    wanted = PRICES[basis, unit]
    assert price_per(basis, unit) == (Decimal(wanted) if wanted else None)
    order = await order_of(lines=(f"PO1*1*24*{unit}*600*{basis}*VN*LAMP",))
    assert order.lines[0].amount == 24 * 600 / Decimal(wanted or 1)
    assert fields(order) == ([] if wanted else ["lines[0].unit_price"])
    assert add_up(order) == order.totals.total


@pytest.mark.parametrize(
    ("code", "unit"), [("EA", None), ("CA", "case"), ("CS", "case"), ("DZ", "dozen"), ("XQ", "XQ")]
)
async def test_a_quantity_counts_what_its_unit_says(code: str, unit: str | None) -> None:
    order = await order_of(lines=(f"PO1*1*4*{code}*10**VN*LAMP", "PO4*12*1*EA"))
    assert (order.lines[0].quantity, order.lines[0].unit) == (Decimal(4), unit)
    assert "PO4 12 1 EA" in (order.lines[0].instructions or "")


async def test_lines_without_a_number_get_one_that_no_other_has() -> None:
    order = await order_of(lines=("PO1*2*1*EA*1**VN*A", "PO1**1*EA*1**VN*B", "PO1**1*EA*1**VN*C"))
    assert [(line.line_id, line.sku) for line in order.lines] == [("2", "A"), ("1", "B"), ("3", "C")]


async def test_a_line_that_an_860_adds_without_a_number_replaces_none() -> None:
    partner = Partner()
    await partner.order(edi.one(edi.order()))
    await partner.order(edi.one(edi.change(["POC*2*DI"]), "PC", "000000906"))
    order = await partner.order(edi.one(edi.change(["POC**AI*1**EA*5**VN*NEW"], (), "2"), "PC", "000000907"))
    assert [(line.line_id, line.sku) for line in order.lines] == [("1", "LAMP-1"), ("3", "SCREW-5"), ("2", "NEW")]


async def test_a_line_that_an_860_adds_without_a_price_is_in_doubt() -> None:
    partner = Partner()
    await partner.order(edi.one(edi.order()))
    added = ["TXI*ST*41.06", "POC*4*AI*1**EA***VN*NEW", "POC*5*AI*1**EA*3*TB*VN*NEW"]
    order = await partner.order(edi.one(edi.change(added[1:], added[:1]), "PC", "000000906"))
    assert fields(order) == ["lines[3].unit_price", "lines[4].unit_price"]


async def test_a_change_that_sends_a_line_elsewhere_is_in_doubt_and_what_it_repeats_is_told_once() -> None:
    partner = Partner()
    await partner.order(edi.one(edi.order()))
    heading = ("TXI*ST*41.06", "N1*ST*Example Stores No 12*92*0012", "N3*1 Example Street", "N4*Springfield*IL*62701")
    lines = ("POC*1*CT", "MSG*In a crate", "N1*ST*Example Stores*92*0013", "N3*9 Example Street")
    body = edi.transaction("860", ["BCH*04*SA*PO-4711**1*20261120", *heading, *lines, "CTT*1"])
    order = await partner.order(edi.one(body, "PC", "000000906"))
    assert fields(order) == ["delivery_address"]
    assert (order.instructions or "").count("ship to Example Stores No 12 (92 0012)") == 1
    assert "ST: Example Stores, 0013, 9 Example Street" in (order.lines[0].instructions or "")
    assert "In a crate" in (order.lines[0].instructions or "")


async def test_shares_that_do_not_come_to_what_is_ordered_are_refused_in_the_997() -> None:
    lines = ("PO1*1*10*EA*2.5**VN*LAMP", "SDQ*EA*92*0007*6*0019*3")
    body = edi.one(edi.transaction("850", [*BARE, *lines, "CTT*1"]))
    greeting, _ = await Partner().post(body)
    assert said(greeting.body, "AK3") == [["AK3", "PO1", "6", "", "8"]]
    assert said(greeting.body, "AK4") == [["AK4", "2", "380", "7", "10"]]


# -- places -----------------------------------------------------------------------------------------------------------

ST_OTHER = ("N1*ST*Example Stores*92*0013", "N3*9 Example Street", "N4*Springfield*IL*62703")
NO_ST = BARE[:1]
SPLIT: Mapping[str, tuple[Sequence[str], Sequence[str], bool]] = {
    "one place in the heading": (BARE, ONE, False),
    "shares of several shops and no place of its own": (NO_ST, (*ONE, "SDQ*EA*92*0007*6*0019*4"), True),
    "shares of several shops, all by one warehouse": (BARE, (*ONE, "SDQ*EA*92*0007*6*0019*4"), False),
    "shares of one shop": (NO_ST, (*ONE, "SDQ*EA*92*0007*10"), False),
    "two places in the heading": ((*BARE, *ST_OTHER), ONE, True),
    "a place of its own on a line": (BARE, (*ONE, *ST_OTHER), True),
    "the same place on every line": (NO_ST, (*ONE, *ST_OTHER, "PO1*2*1*EA*1**VN*B", *ST_OTHER), False),
}


@pytest.mark.parametrize("case", SPLIT)
async def test_where_an_order_goes_with(case: str) -> None:
    heading, lines, split = SPLIT[case]
    order = await order_of(heading, lines)
    assert fields(order) == (["delivery_address"] if split else [])
    everything = order.model_dump_json()
    for place in ("9 Example Street", "0007", "0019"):
        assert (place in everything) == any(place in segment for segment in (*heading, *lines))


async def test_the_lines_common_place_is_the_orders() -> None:
    order = await order_of(*SPLIT["the same place on every line"][:2])
    assert order.delivery_address is not None
    assert order.delivery_address.street == "9 Example Street"


async def test_of_people_and_places_besides_nothing_is_lost() -> None:
    heading = (
        *BARE,
        "PER*DC*Grace Example*TE*+15005550006*FX*+15005550007",
        "N1*BY*Example Stores Head Office*92*1",
        "N3*2 Example Street",
        "PER*OC*Ada Example*EM*ada@example.com",
        "N1*SF*Example Warehouse*92*77",
        "N1*Z7*Counter 4*92*0441",
    )
    order = await order_of(heading)
    assert (order.contacts.email, order.customer.name) == ("ada@example.com", "Example Stores Head Office")
    words = order.instructions or ""
    for one in ("ship to Example Stores (92 0012)", "SF: Example Warehouse, 77", "Z7: Counter 4, 0441"):
        assert one in words
    assert "contact ST DC: Grace Example, TE +15005550006, FX +15005550007" in words
    assert "contact BY OC: Ada Example" in words


# -- heading ----------------------------------------------------------------------------------------------------------


async def test_a_rush_order_is_urgent_and_its_type_is_told() -> None:
    order = await order_of((BARE[0].replace("*SA*", "*RO*"), *BARE[1:]))
    assert order.priority is Priority.HIGH
    assert "order type RO" in (order.instructions or "")


async def test_a_frame_agreement_is_a_persons_to_see_and_a_release_of_it_is_an_order() -> None:
    assert fields(await order_of((BARE[0].replace("*SA*", "*BE*"), *BARE[1:]))) == ["lines"]
    assert fields(await order_of((BARE[0].replace("*SA*PO-4711*", "*BE*PO-4711*3"), *BARE[1:]))) == []


@pytest.mark.parametrize("kind", ["IN", "BQ", "BD"])
async def test_what_asks_for_nothing_to_be_delivered_is_acknowledged_and_no_order(kind: str) -> None:
    body = edi.one(edi.transaction("850", [BARE[0].replace("*SA*", f"*{kind}*"), *BARE[1:], *ONE, "CTT*1"]))
    partner = Partner()
    assert said((await partner.post(body))[0].body, "AK5") == [["AK5", "A"]]
    (reading,) = await partner.readings(body)
    assert isinstance(reading, Skipped)


DATES: Mapping[str, tuple[str, str | None]] = {
    "DTM*002*20261201": ("2026-12-01 2026-12-01", None),
    "DTM*002*20261201*1430": ("2026-12-01 2026-12-01", None),
    "DTM*064*20261201~DTM*063*20261205": ("2026-12-01 2026-12-05", None),
    "DTM*063*20261205": ("2026-12-05 2026-12-05", None),
    "DTM*064*20261205~DTM*063*20261201": ("", "deliver not later than 2026-12-01"),
    "DTM*002*20261201~DTM*010*20261128": ("2026-12-01 2026-12-01", "ship on 2026-11-28"),
    "DTM*002*20261201~DTM*017*20261203": ("2026-12-01 2026-12-01", "delivery asked for 2026-12-03"),
    "DTM*037*20261128~DTM*038*20261130": ("", "ship not before 2026-11-28"),
    "DTM*002****RD8*20261201-20261205": ("", "DTM 002 RD8 20261201-20261205"),
    "DTM*999*20261201": ("", "date 999 2026-12-01"),
}


@pytest.mark.parametrize("dates", DATES)
async def test_every_date_is_the_window_or_told(dates: str) -> None:
    window, words = DATES[dates]
    order = await order_of((*BARE, *dates.split("~")), time_zone="America/Chicago")
    found = order.delivery_window
    assert (f"{found.start:%Y-%m-%d} {found.end:%Y-%m-%d}" if found else "") == window
    assert words is None or words in (order.instructions or "")


MONEY: Mapping[str, tuple[Sequence[str], Sequence[str], Sequence[str], str, Sequence[str]]] = {
    # heading, of the line, tail; total; doubts
    "an allowance on the whole": (["SAC*A*C310***250"], [], [], "22.50", []),
    "an allowance on a line": ([], ["SAC*A*C310***250"], [], "22.50", []),
    "freight and a surcharge": (["SAC*C*D240***1000", "SAC*C*ZZZZ***99"], [], [], "35.99", []),
    "tax on the line": ([], ["TXI*ST*1.75"], [], "26.75", []),
    "tax of which only the rate is named": (["TXI*ST**7"], [], [], "25.00", ["totals"]),
    "an allowance of which only the rate is named": (["SAC*A*C310****1*5"], [], [], "25.00", ["totals"]),
    "tax both in the heading and on the line": (["TXI*ST*1.75"], ["TXI*ST*1.75"], [], "28.50", ["totals.tax"]),
    "tax in both places, and the buyer's total": (["TXI*ST*1.75"], ["TXI*ST*1.75"], ["AMT*TT*28.50"], "28.50", []),
    "a total of the line besides": ([], ["AMT*1*25"], [], "25.00", []),
    "a service that is neither charge nor allowance": (["SAC*N*C040"], [], [], "25.00", []),
}


@pytest.mark.parametrize("case", MONEY)
async def test_money_adds_up_with(case: str) -> None:
    heading, line, tail, total, doubts = MONEY[case]
    order = await order_of((*BARE, *heading), (*ONE, *line), (*TAIL, *tail))
    assert f"{order.totals.total:.2f}" == total
    assert add_up(order) == order.totals.total
    assert fields(order) == list(doubts)


@pytest.mark.parametrize(
    ("segment", "words"),
    [("AMT*1*25", "AMT 1 25"), ("SAC*N*C040", "SAC N C040"), ("TXI*ST**7", "charge tax ST 7 %"), ("FOB*PB", "FOB PB")],
)
async def test_what_is_no_amount_is_told(segment: str, words: str) -> None:
    assert words in ((await order_of((*BARE, segment))).instructions or "")
    assert words in ((await order_of(lines=(*ONE, segment))).lines[0].instructions or "")


async def test_instructions_that_have_no_room_are_a_persons_to_read_in_the_850() -> None:
    long = ("N9*L1**NOTE", *(f"MSG*{'word ' * 50}" for _ in range(9)))
    assert fields(await order_of((*BARE[:1], *long, *BARE[1:]))) == ["instructions"]
    assert fields(await order_of(lines=(*ONE, *long))) == ["lines[0].instructions"]


async def test_so_are_those_that_a_change_makes_too_long() -> None:
    partner = Partner()
    await partner.order(edi.one(edi.order()))
    long = ["N9*L1**NOTE", *(f"MSG*{'word ' * 50}{at}" for at in range(7))]
    order = await partner.order(edi.one(edi.change(["POC*1*QI*12**EA"], [*long, "TXI*ST*41.06"]), "PC", "000000906"))
    assert fields(order) == []
    order = await partner.order(edi.one(edi.change(["POC*1*QI*13**EA"], [*long, "TXI*ST*41.06"]), "PC", "000000907"))
    assert fields(order) == []  # the same again is told once
    more = [segment.replace("word", "next") for segment in long]
    order = await partner.order(edi.one(edi.change(["POC*1*QI*14**EA"], [*more, "TXI*ST*41.06"]), "PC", "000000908"))
    assert fields(order) == ["instructions"]


async def test_the_least_that_an_850_can_be_names_what_it_lacks() -> None:
    order = await order_of(("BEG*00*SA*1**20261120",), ("PO1**1***",))
    assert missing_fields(order, MINIMUM, set())
    assert fields(order) == ["lines[0].unit_price"]
