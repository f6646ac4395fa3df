"""The three signals of S3 on shops so small that each list can be worked out by hand."""

import csv
from pathlib import Path

import pytest

from orderack.diagnostics.gap.diagnose import Options, Report, diagnose
from orderack.diagnostics.gap.listing import guarded, write_lists

T = 1_795_300_000
"""Seconds since 1970 at which each log begins."""


def shop(folder: Path, stock: str | None = None, sku: str = "MUG") -> Report:
    """Ten orders of two mugs, a minute apart; receipts after five minutes, but none of order 4, and 9 is too recent."""
    files = {name: folder / f"{name}.csv" for name in ("orders", "erp", "confirmations")}
    orders = [f"{n},{T + 60 * n},web,{sku},2\n" for n in range(10)]
    receipts = [f"{n},{T + 60 * n + 300}\n" for n in range(9) if n != 4]
    told = [f"{n},{T + 60 * n + (10 if n < 6 else 310)}\n" for n in range(9)]
    files["orders"].write_text("order_id,captured_at,channel,sku,quantity\n" + "".join(orders))
    files["erp"].write_text("order_id,booked_at\n" + "".join(receipts))
    files["confirmations"].write_text("order_id,sent_at\n" + "".join(told))
    if stock is not None:
        files["stock"] = folder / "stock.csv"
        files["stock"].write_text(stock)
    return diagnose(files, Options())


def test_orders_confirmed_before_the_receipt_are_listed_with_how_long(tmp_path: Path) -> None:
    found = shop(tmp_path).diagnosis.signals
    assert found.confirmed_before_receipt == 5
    assert {each.order for each in found.confirmed_before_receipt_orders} == {"0", "1", "2", "3", "5"}
    assert {each.seconds for each in found.confirmed_before_receipt_orders} == {290}


def test_an_order_that_support_cannot_find_is_told_from_one_that_is_too_recent(tmp_path: Path) -> None:
    found = shop(tmp_path).diagnosis.signals
    assert [(each.order, each.line) for each in found.not_in_erp_orders] == [("4", 6)]
    assert (found.not_in_erp, found.too_recent, found.before_erp_log) == (1, 1, 0)


def test_demand_that_planning_does_not_see_is_what_is_captured_and_not_yet_booked(tmp_path: Path) -> None:
    found = shop(tmp_path).diagnosis.signals
    assert (found.unseen_unit, found.unseen_lost) == ("units", 4)
    assert found.unseen_peak == 8
    assert [(each.sku, each.peak) for each in found.unseen_items] == [("MUG", 8)]


def test_sales_beyond_the_erps_stock_figure_while_it_did_not_know_of_them_are_oversold(tmp_path: Path) -> None:
    """Stock 7 all along: the fourth order finds six mugs sold and not yet in the ERP, and makes it eight."""
    found = shop(tmp_path, f"sku,stock,at\nMUG,7,{T - 100}\n").diagnosis.signals
    first = found.oversold_lines[0]
    assert (first.order, first.in_gap, first.stock, first.short) == ("3", 8, 7, 1)
    assert found.oversold == 7


def test_without_times_the_stock_is_the_first_figure_less_what_the_erp_has_booked(tmp_path: Path) -> None:
    found = shop(tmp_path, "sku,stock\nMUG,15\n").diagnosis.signals
    first = found.oversold_lines[0]
    assert (first.order, first.stock, first.in_gap) == ("7", 9, 10)


def test_stock_that_suffices_is_no_oversell_and_no_stock_log_is_no_figure(tmp_path: Path) -> None:
    assert shop(tmp_path, f"sku,stock,at\nMUG,700,{T - 100}\n").diagnosis.signals.oversold == 0
    none = shop(tmp_path).diagnosis.signals
    assert none.oversold is None
    assert "--stock" in none.oversold_why


def test_a_list_that_a_spreadsheet_opens_calculates_nothing(tmp_path: Path) -> None:
    found = shop(tmp_path, f"sku,stock,at\n=cmd|'/C calc'!A1,7,{T - 100}\n", sku="=cmd|'/C calc'!A1")
    written = write_lists(found.signals, found.joined, tmp_path / "lists")
    assert {file.name for file in written} >= {"oversold.csv", "not-in-erp.csv", "confirmed-before-receipt.csv"}
    with (tmp_path / "lists" / "oversold.csv").open(newline="") as opened:
        rows = list(csv.DictReader(opened))
    assert len(rows) == 7
    assert {row["sku"] for row in rows} == {"'=cmd|'/C calc'!A1"}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1+2", "@SUM(A1)", "\t=1", "|x", "%x"])
def test_whatever_begins_a_formula_stands_behind_an_apostrophe_and_numbers_stay_numbers(text: str) -> None:
    assert guarded(text) == f"'{text}"
    assert guarded(-3.5) == -3.5
