"""Logs as they come: kinds of file, ways to write a time or an order number, columns of any name, rows of no use."""

import json
from datetime import UTC, datetime
from pathlib import Path

import polars as pl
import pytest

from orderack.diagnostics.gap.diagnose import Options, Report, diagnose
from orderack.diagnostics.gap.keys import NORMALISATIONS, match
from orderack.diagnostics.gap.reading import read_log
from orderack.diagnostics.gap.stamps import EMPTY, NO_TIME_OF_DAY, NOT_ONE, UNREADABLE, resolution, stamps
from orderack.errors import InvalidInput

AT = datetime(2026, 11, 22, 5, 58, 59, tzinfo=UTC).timestamp()

SAME = {
    "2026-11-22T05:58:59Z": AT,
    "2026-11-22 05:58:59": AT,
    "2026-11-22T05:58:59.250+00:00": AT + 0.25,
    "2026-11-22 06:58:59 +0100": AT,
    "2026-11-22T00:58:59-05:00": AT,
    "2026-11-22 05:58:59,250 UTC": AT + 0.25,
    "2026/11/22 05:58:59": AT,
    "20261122T055859Z": AT,
    "20261122055859": AT,
    "1795327139": AT,
    "1795327139.5": AT + 0.5,
    "1795327139250": AT + 0.25,
    "1795327139250000": AT + 0.25,
    "11/22/2026 5:58:59 AM": AT,
    "22.11.2026 05:58:59": AT,
    "22 Nov 2026 05:58:59": AT,
    "Sun, 22 Nov 2026 05:58:59 +0000": AT,
    "22/Nov/2026:05:58:59 +0000": AT,
    "Nov 22, 2026 5:58:59 AM": AT,
    "November 22, 2026 at 5:58:59 AM": AT,
}


@pytest.mark.parametrize("text", SAME)
def test_a_time_is_read_however_it_is_written(text: str) -> None:
    read = stamps(pl.Series([text]), "UTC")
    assert read.at.to_list() == [pytest.approx(SAME[text], abs=1e-3)]
    assert read.why.to_list() == [None]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", EMPTY),
        ("null", EMPTY),
        ("2026-11-22", NO_TIME_OF_DAY),
        ("soon", UNREADABLE),
        ("2026-02-30 10:00:00", UNREADABLE),
        ("2026-11-22 25:00:00", UNREADABLE),
        ("1026-11-22 05:00:00", UNREADABLE),
        ("2026-10-25 02:30:00", NOT_ONE),
        ("2026-03-29 02:30:00", NOT_ONE),
    ],
)
def test_what_is_no_time_says_why(text: str, why: str) -> None:
    read = stamps(pl.Series([text, "2026-11-22 05:58:59"]), "Europe/Berlin")
    assert (read.at[0], read.why[0]) == (None, why)
    assert read.at[1] == AT - 3_600


def test_day_or_month_first_is_seen_by_what_can_only_be_a_day_and_may_be_told() -> None:
    days = stamps(pl.Series(["03/04/2026 10:00", "22/04/2026 10:00"]), "UTC").at
    months = stamps(pl.Series(["03/04/2026 10:00", "04/22/2026 10:00"]), "UTC").at
    assert (days[1], months[1]) == (months[1], days[1])
    assert days[0] == datetime(2026, 4, 3, 10, tzinfo=UTC).timestamp()
    assert months[0] == datetime(2026, 3, 4, 10, tzinfo=UTC).timestamp()
    told = stamps(pl.Series(["03/04/2026 10:00"]), "UTC", "day").at
    assert told[0] == days[0]


def test_what_times_are_rounded_to_is_seen() -> None:
    assert [resolution(pl.Series([t])) for t in (7_200.0, 7_260.0, 7_261.0, 7_261.5)] == [3_600, 60, 1, 0]


def test_each_way_of_writing_an_order_number_is_tried_in_turn_and_counted() -> None:
    ours = ["1001", "ab-1002", "#1003", "gid://shop/Order/1004", "001005", "WEB1006", "1007", "1008"]
    theirs = ["1001", "AB-1002", "1003", "1004", "1005", "SO-0001006", "1007.0", "9999"]
    found = match(pl.Series(ours), pl.Series(theirs))
    assert found.by == tuple((name, count) for name, count in zip(NORMALISATIONS, (1, 1, 2, 1, 1, 1), strict=True))
    assert dict(found.pairs.select("theirs", "ours").iter_rows())["SO-0001006"] == "WEB1006"
    assert "9999" not in found.pairs["theirs"].to_list()


def test_a_number_that_could_be_two_orders_is_not_joined() -> None:
    found = match(pl.Series(["A-7", "B-7", "8"]), pl.Series(["7", "8"]))
    assert (found.pairs.height, found.ambiguous) == (1, 1)


def small(folder: Path, orders: str, erp: str, *, kind: str = "csv", **options: tuple[str, ...]) -> Report:
    files = {"orders": folder / f"orders.{kind}", "erp": folder / "erp.csv"}
    files["orders"].write_text(orders)
    files["erp"].write_text(erp)
    return diagnose(files, Options(**options))  # type: ignore[arg-type]


ERP = "ref;booked\n1;2026-11-22 10:05:00\n2;2026-11-22 11:05:00\n"


def test_rows_that_cannot_be_used_are_counted_with_their_lines(tmp_path: Path) -> None:
    orders = (
        "number,created_at\n1,2026-11-22 10:00:00\n2,yesterday\n,2026-11-22 10:00:00\n4,2026-11-22 10:00:00,too much\n"
        '"5\n",2026-11-22 10:00:00\n2,2026-11-22 11:00:00\n8,never\n'
    )
    found = small(tmp_path, orders, ERP).diagnosis
    log = found.logs[0]
    assert (log.rows, log.orders, log.unreadable) == (7, 3, 4)
    assert [(each.line, each.why) for each in log.unreadable_rows] == [
        (3, UNREADABLE),
        (4, "has no order number"),
        (5, "has 3 fields, the heading has 2"),
        (9, UNREADABLE),
    ]
    assert found.joined_orders == 2


def test_an_order_twice_counts_once_with_its_first_times(tmp_path: Path) -> None:
    orders = "number,created_at\n1,2026-11-22 10:00:00\n1,2026-11-22 10:00:00\n1,2026-11-22 10:02:00\n"
    erp = "ref,booked\n1,2026-11-22 10:09:00\n1,2026-11-22 10:05:00\n"
    found = small(tmp_path, orders, erp).diagnosis
    assert [log.repeated for log in found.logs] == [2, 1]
    assert found.ruling.delay is not None
    assert (found.ruling.delay.orders, found.ruling.delay.maximum) == (1, 300)


def test_lines_of_ndjson_with_fields_inside_fields_and_faults(tmp_path: Path) -> None:
    orders = "\n".join(
        [
            json.dumps({"order": {"number": "1", "createdAt": "2026-11-22T10:00:00Z"}, "lines": [1]}),
            "{broken",
            "7",
            json.dumps({"order": {"number": "2", "createdAt": "2026-11-22T11:00:00Z"}, "note": None}),
        ]
    )
    found = small(tmp_path, orders, ERP, kind="ndjson").diagnosis
    assert [(each.line, each.why) for each in found.logs[0].unreadable_rows] == [
        (2, "is no JSON"),
        (3, "is no JSON object"),
    ]
    assert {each.column for each in found.mapping if each.log == "orders"} == {"order.number", "order.createdAt"}
    assert found.joined_orders == 2


def test_the_id_columns_that_join_are_found_though_their_names_say_otherwise(tmp_path: Path) -> None:
    """`order_number` is the ERP's own; the shop's number stands under a name that says nothing."""
    numbers = range(1, 41)
    orders = "id,order_number,created_at\n" + "".join(f"{n},#W{n + 500},2026-11-22 10:{n:02}:00\n" for n in numbers)
    erp = "order_number,memo,booked\n" + "".join(f"SO{n + 77},W{n + 500},2026-11-22 11:{n:02}:00\n" for n in numbers)
    found = small(tmp_path, orders, erp).diagnosis
    columns = {(each.log, each.meaning): (each.column, each.how) for each in found.mapping}
    assert columns["erp", "id"] == ("memo", "contents")
    assert columns["orders", "id"] == ("order_number", "name")
    assert found.joined_orders == 40


def test_a_told_column_counts_and_one_that_is_not_there_is_said_with_those_that_are(tmp_path: Path) -> None:
    orders = (
        "number,created_at,paid\n1,2026-11-22 10:00:00,2026-11-22 10:01:00\n2,2026-11-22 11:00:00,2026-11-22 11:01:00\n"
    )
    found = small(tmp_path, orders, ERP, maps=("orders.captured=paid",)).diagnosis
    assert found.ruling.delay is not None
    assert found.ruling.delay.maximum == 240
    with pytest.raises(InvalidInput, match="has no column paid_at"):
        small(tmp_path, orders, ERP, maps=("orders.captured=paid_at",))


def test_each_log_may_have_a_zone_of_its_own(tmp_path: Path) -> None:
    orders = "number,created_at\n1,2026-11-22T10:00:00Z\n2,2026-11-22T11:00:00Z\n"
    local = ERP.replace(" 10:", " 05:").replace(" 11:", " 06:")
    found = small(tmp_path, orders, local, zones=("erp=America/New_York",)).diagnosis
    assert found.ruling.delay is not None
    assert found.ruling.delay.maximum == 300
    assert not any("read as UTC" in note for note in found.notes)


def test_logs_that_have_no_order_in_common_are_bad_input(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no order number of the ERP's log"):
        small(tmp_path, "number,created_at\n8,2026-11-22 10:00:00\n9,2026-11-22 10:00:00\n", ERP)


@pytest.mark.parametrize(
    "content",
    [
        b"number;created_at\n1;2026-11-22 10:00:00\n",
        b"\xef\xbb\xbfnumber,created_at\r\n1,2026-11-22 10:00:00\r\n",
        "number\tcreated_at\n1\t2026-11-22 10:00:00\n".encode("utf-16"),
        "number,created_at,who\n1,2026-11-22 10:00:00,Zoë\n".encode("cp1252"),
        b'[{"number": 1, "created_at": "2026-11-22 10:00:00"}]',
    ],
    ids=["semicolons", "byte-order-mark", "utf-16 tabs", "windows-1252", "one JSON list"],
)
def test_a_log_is_read_in_many_dresses(content: bytes, tmp_path: Path) -> None:
    file = tmp_path / "log.txt"
    file.write_bytes(content)
    log = read_log("orders", file)
    assert log.columns[:2] == ("number", "created_at")
    assert log.frame.row(0)[1:3] == ("1", "2026-11-22 10:00:00")


def test_of_several_deliveries_the_last_before_the_receipt_counts(tmp_path: Path) -> None:
    """The first failed; the last came twice, after the ERP had it."""
    files = {name: tmp_path / f"{name}.csv" for name in ("orders", "erp", "integration")}
    numbers = range(600)
    files["orders"].write_text("number,created_at\n" + "".join(f"{n},{1_795_300_000 + n}\n" for n in numbers))
    files["erp"].write_text("ref,booked\n" + "".join(f"{n},{1_795_300_100 + n}\n" for n in numbers))
    tries = "".join(f"{n},{1_795_300_000 + n + after}\n" for n in numbers for after in (5, 90, 400))
    files["integration"].write_text("order,delivered_at\n" + tries)
    stages = diagnose(files, Options()).diagnosis.ruling.stages
    assert stages is not None
    assert (stages.first.minimum, stages.first.maximum) == (90, 90)
