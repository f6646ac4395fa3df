"""A made-up shop's logs as files, each as some system would have written it: names, ids, times, gaps and repeats."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import numpy as np
import polars as pl

from tests.diagnostics.gap.shop import Shop

ZONE = ZoneInfo("Europe/Berlin")


@dataclass(frozen=True)
class Logs:
    """The files, and what a caller has to say of them."""

    files: Mapping[str, Path]
    zones: tuple[str, ...]

    @property
    def arguments(self) -> list[str]:
        """As they are given on the command line."""
        given = [word for name, file in self.files.items() for word in (f"--{name}", str(file))]
        return given + [word for zone in self.zones for word in ("--time-zone", zone)]


def write(shop: Shop, folder: Path) -> Logs:
    """Forms and oddities are drawn by the shop's seed."""
    random = np.random.default_rng([shop.seed, 7])
    numbers = 10_000 + random.choice(900_000, len(shop), replace=False)
    ids = [f"{each}" for each in np.sort(numbers).tolist()]
    style = str(random.choice(["shopify", "plain", "magento"]))
    names = _order_ids(style, ids)
    files: dict[str, Path] = {}
    naive = {"orders": False, "erp": bool(random.random() < 0.4)}

    orders = {
        "shopify": ("Name", "Created at", "Source"),
        "plain": ("order_id", "captured_at", "channel"),
        "magento": ("increment_id", "created_at", "store"),
    }[style]
    rows = [
        {
            orders[0]: names[place],
            orders[1]: _time(shop.captured[place], style),
            orders[2]: str(shop.channel[place]),
            "sku": str(shop.sku[place]),
            "quantity": int(shop.quantity[place]),
        }
        for place in range(len(shop))
    ]
    files["orders"] = _file(
        folder / "orders", _repeated(rows, random), str(random.choice(["csv", "ndjson", "parquet"]))
    )

    there = np.flatnonzero(np.isfinite(shop.receipt))
    shift = shop.receipt + shop.erp_clock
    erp_style = "naive" if naive["erp"] else str(random.choice(["epoch", "plain"]))
    erp = [
        {
            "document": f"SO-{place:07d}",
            "external_order_no": _erp_id(ids[place], random_style=style),
            "created": _time(shift[place], erp_style),
        }
        for place in there[np.argsort(shift[there])].tolist()
    ]
    others = [
        {
            "document": f"SO-9{each:06d}",
            "external_order_no": f"PH{each:05d}",
            "created": _time(float(random.uniform(shift[there].min(), shift[there].max())), erp_style),
        }
        for each in range(int(random.uniform(0, 0.08) * len(there)))
    ]
    files["erp"] = _file(folder / "erp", _repeated(erp + others, random), str(random.choice(["csv", "ndjson"])))

    if shop.with_confirmations:
        told = np.flatnonzero(np.isfinite(shop.confirmed))
        mails = [
            {"order": names[place], "sent_at": _time(shop.confirmed[place], "plain"), "to": "x@example.com"}
            for place in told.tolist()
        ]
        files["confirmations"] = _file(folder / "confirmations", mails, "ndjson")
    if shop.with_integration:
        passed = [
            {"orderId": ids[place], "deliveredAt": _time(shop.delivered[place], "epoch")} for place in range(len(shop))
        ]
        files["integration"] = _file(folder / "integration", passed, "csv")
    return Logs(files, ("erp=Europe/Berlin",) if naive["erp"] else ())


def _order_ids(style: str, ids: Sequence[str]) -> list[str]:
    return [f"#{each}" if style == "shopify" else f"{int(each):09d}" if style == "magento" else each for each in ids]


def _erp_id(number: str, *, random_style: str) -> str:
    return {"shopify": number, "plain": f"WEB-{number}", "magento": number}[random_style]


def _time(seconds: float, style: str) -> str:
    at = datetime.fromtimestamp(float(seconds), UTC)
    match style:
        case "shopify":
            return at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S %z")
        case "epoch":
            return str(int(float(seconds) * 1_000))
        case "naive":
            return at.astimezone(ZONE).strftime("%Y-%m-%d %H:%M:%S")
        case _:
            return at.isoformat(timespec="milliseconds")


def _repeated(rows: list[dict[str, object]], random: np.random.Generator) -> list[dict[str, object]]:
    again = random.choice(len(rows), int(random.uniform(0, 0.02) * len(rows)), replace=False)
    return rows + [rows[place] for place in again.tolist()]


def _file(path: Path, rows: Sequence[Mapping[str, object]], kind: str) -> Path:
    file = path.with_suffix(f".{kind}")
    if kind == "ndjson":
        file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    elif kind == "csv":
        pl.DataFrame(list(rows)).write_csv(file)
    else:
        pl.DataFrame(list(rows)).write_parquet(file)
    return file
