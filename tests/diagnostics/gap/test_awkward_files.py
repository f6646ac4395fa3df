"""Logs as people really export them: by Excel, by an ERP in German, by an API, and files that are no log at all."""

import json
from pathlib import Path

import numpy as np
import polars as pl
import pytest

from orderack.diagnostics.gap.diagnose import Options, Report, diagnose
from orderack.diagnostics.gap.quantities import quantities
from orderack.diagnostics.gap.reading import read_log
from orderack.diagnostics.gap.stamps import UNREADABLE, stamps
from orderack.diagnostics.gap.verdict import Refusal, Verdict
from orderack.errors import InvalidInput
from tests.diagnostics.gap.made import captures

AT = 1_795_352_700.0
"""22 November 2026, 13:05:00 UTC."""


@pytest.mark.parametrize(
    "text", ["22.11.26 13:05", "11/22/26 1:05 PM", "22-NOV-26 13:05:00", "46348.545139", "46348,545139"]
)
def test_times_as_excel_and_oracle_write_them_are_read(text: str) -> None:
    assert stamps(pl.Series([text]), "UTC").at.to_list() == [AT]


@pytest.mark.parametrize("text", ["26-11-22 13:05", "22 Nov 20:05:59", "46348.54", "46348.540000"])
def test_what_may_be_another_day_a_year_that_is_not_there_or_a_price_is_no_time(text: str) -> None:
    read = stamps(pl.Series([text]), "UTC")
    assert (read.at[0], read.why[0]) == (None, UNREADABLE)


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        (["2,0", "1.234,5", "1.000"], [2, 1234.5, 1000]),
        (["2.0", "1,234.5", "1,000"], [2, 1234.5, 1000]),
        (["3", "", "many"], [3, None, None]),
        (["0,125"], [0.125]),
        (["12", "850", "1.500", ""], [12, 850, 1500, None]),
        (["1.234.567"], [1234567]),
        (["12.000", "850.000"], [12, 850]),
        (["12", "1500", "1.500"], [12, 1500, 1.5]),
        (["12", "0.125"], [12, 0.125]),
        (["2", "1.5"], [2, 1.5]),
    ],
)
def test_a_quantity_with_commas_or_points_is_read_by_what_its_column_shows(
    written: list[str], meant: list[float | None]
) -> None:
    assert quantities(pl.Series(written)).to_list() == meant


@pytest.mark.parametrize(
    ("before", "line"),
    [("sep=,\r\n", 5), ("\n\n", 6), ("Orders of the shop\nmade on Sunday\n\n", 7), ("", 4)],
    ids=["Excel's own line", "blank lines", "a title", "nothing"],
)
def test_lines_before_the_headings_are_passed_over_and_lines_are_still_counted_right(
    before: str, line: int, tmp_path: Path
) -> None:
    file = tmp_path / "orders.csv"
    rows = "number,created_at\n1,2026-11-22 10:00:00\n2,2026-11-22 10:00:00\n3,a,b\n4,2026-11-22 10:00:00\n"
    file.write_text(before + rows)
    log = read_log("orders", file)
    assert log.columns == ("number", "created_at")
    assert [each.line for each in log.bad] == [line]
    assert log.frame["\x00line"].to_list() == [line - 2, line - 1, line + 1]
    assert bool(log.notes) is bool(before)


def test_utf_16_that_does_not_say_so_is_read(tmp_path: Path) -> None:
    for encoding in ("utf-16-le", "utf-16-be"):
        file = tmp_path / f"{encoding}.csv"
        file.write_bytes("number,created_at\n1,2026-11-22 10:00:00\n".encode(encoding))
        assert read_log("orders", file).columns == ("number", "created_at")


def test_rows_in_an_apis_answer_are_read_and_an_order_by_itself_stays_one_row(tmp_path: Path) -> None:
    file = tmp_path / "answer.json"
    rows = [{"number": n, "created_at": "2026-11-22T10:00:00Z"} for n in (1, 2)]
    file.write_text(json.dumps({"next_page": None, "count": 2, "orders": rows}, indent=1))
    assert read_log("orders", file).frame["number"].to_list() == ["1", "2"]
    file.write_text(json.dumps(rows[0] | {"lines": [{"sku": "A"}, {"sku": "B"}]}))
    assert read_log("orders", file).columns == ("number", "created_at")


def test_fields_inside_fields_of_parquet_are_columns(tmp_path: Path) -> None:
    file = tmp_path / "orders.parquet"
    pl.DataFrame({"order": [{"number": 7, "at": {"created": "2026-11-22 10:00:00"}}], "lines": [[1]]}).write_parquet(
        file
    )
    log = read_log("orders", file)
    assert log.columns == ("order.number", "order.at.created")
    assert log.frame.row(0)[1:] == (7, "2026-11-22 10:00:00")


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"\x89PNG\r\n\x1a\n" + bytes(range(256)), "is a picture or a document"),
        (b"PK\x03\x04" + bytes(range(256)), "is a workbook or an archive"),
        (b"\x1f\x8b\x08" + bytes(range(256)), "is compressed"),
        (bytes(range(256)) * 4, "holds bytes that are no text"),
        (b'{"orders": []}', "has no column that can be read"),
    ],
)
def test_a_file_that_is_no_log_is_named_for_what_it_is(content: bytes, said: str, tmp_path: Path) -> None:
    file = tmp_path / "log.csv"
    file.write_bytes(content)
    with pytest.raises(InvalidInput, match=said) as refused:
        read_log("orders", file)
    assert str(refused.value).isprintable()


def written(folder: Path, orders: str, erp: str, *told: str) -> Report:
    files = {"orders": folder / "orders.csv", "erp": folder / "erp.csv"}
    files["orders"].write_text(orders)
    files["erp"].write_text(erp)
    return diagnose(files, Options(maps=told, zones=("Europe/Berlin",)))


def test_german_french_and_spanish_headings_are_known(tmp_path: Path) -> None:
    numbers = range(1, 31)
    orders = "Bestellnummer;Kundennummer;Bestelldatum;Rechnungsdatum\n" + "".join(
        f"{n:06};{n % 9};22.11.2026 10:{n:02}:00;23.11.2026 10:00:00\n" for n in numbers
    )
    erps = {
        "Belegnr;Externe Belegnummer;Gebucht am;Liefertermin": "{n}9;{n};22.11.2026 10:{n:02}:40;24.11.2026 10:00:00",
        "N° de commande;Client;Enregistrée le;Livrée le": "{n};{n}8;22.11.2026 10:{n:02}:40;24.11.2026 10:00:00",
        "Número de pedido;Cliente;Registrado el;Entrega": "{n};{n}8;22.11.2026 10:{n:02}:40;24.11.2026 10:00:00",
    }
    for heading, row in erps.items():
        erp = heading + "\n" + "".join(row.format(n=n) + "\n" for n in numbers)
        found = written(tmp_path, orders, erp).diagnosis
        assert found.joined_orders == 30
        assert found.ruling.delay is not None
        assert (found.ruling.delay.minimum, found.ruling.delay.maximum) == (40, 40)


ORDERS = "number,created_at\n1,2026-11-22 10:00:00\n2,2026-11-22 11:00:00\n"
SAP = "VBELN;BSTNK;ERDAT;ERZET\n900;000001;20261122;100500\n901;000002;20261122;110500\n"


def test_a_day_and_a_time_of_day_in_two_columns_are_told_as_one(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match=r"--map erp\.received=ERDAT\+ERZET"):
        written(tmp_path, ORDERS, SAP, "erp.id=BSTNK")
    found = written(tmp_path, ORDERS, SAP, "erp.id=BSTNK", "erp.received=ERDAT+ERZET").diagnosis
    assert found.ruling.delay is not None
    assert (found.joined_orders, found.ruling.delay.maximum) == (2, 300)


def shop(folder: Path, hours: dict[str, float], zones: tuple[str, ...] = ()) -> Report:
    """700 orders that wait in the integration's queue, confirmed on receipt; some logs by a clock without a zone."""
    random = np.random.default_rng(11)
    captured = captures(700, 10)
    receipt = captured + 5 + random.exponential(400, 700)
    times = {"orders": captured, "erp": receipt, "confirmations": receipt + random.uniform(1, 20, 700)}
    files = {}
    for (log, at), name in zip(times.items(), ("created_at", "received_at", "sent_at"), strict=True):
        files[log] = folder / f"{log}.csv"
        zone = "" if log in hours else "Z"
        clock = pl.from_epoch(pl.Series((at + 3_600 * hours.get(log, 0)).astype(np.int64)), time_unit="s")
        texts = clock.dt.strftime(f"%Y-%m-%dT%H:%M:%S{zone}")
        files[log].write_text(f"id,{name}\n" + "".join(f"{n},{text}\n" for n, text in enumerate(texts)))
    return diagnose(files, Options(zones=zones))


@pytest.mark.parametrize(
    ("hours", "refusal"),
    [
        ({"erp": 2.0}, Refusal.ZONE),
        ({"confirmations": 2.0}, Refusal.ZONE),
        ({"orders": -5.5}, Refusal.ZONE),
        ({"erp": -5.0}, Refusal.SHIFTED),
        ({"confirmations": -5.0}, Refusal.SHIFTED),
        ({"erp": 0.0}, None),
    ],
)
def test_a_log_of_an_unnamed_zone_that_is_not_utc_gets_no_verdict(
    hours: dict[str, float], refusal: Refusal | None, tmp_path: Path
) -> None:
    """Its hours would pass for an ERP's even delay, or for confirmations on capture, and with every resample sure."""
    found = shop(tmp_path, hours).diagnosis
    assert found.ruling.refusal is refusal
    assert (found.verdict is Verdict.INTEGRATION_QUEUE) is (refusal is None)
    assert any("read as UTC" in note for note in found.notes)


def test_a_zone_that_was_named_is_believed_and_only_that_logs(tmp_path: Path) -> None:
    assert shop(tmp_path, {"erp": 2.0}, ("erp=UTC",)).diagnosis.ruling.refusal is None
    one = shop(tmp_path, {"erp": 2.0, "orders": 0.0}, ("orders=UTC",)).diagnosis
    assert one.ruling.refusal is Refusal.ZONE
    assert any("read as UTC: erp (700)" in note for note in one.notes)
