"""Small logs with times that a test chooses, and what the doctor says of them."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import polars as pl

from orderack.diagnostics.gap.diagnose import Options, Report, diagnose
from tests.diagnostics.gap.shop import START, Numbers

DAY = 86_400.0


def captures(orders: int, days: float, seed: int = 1) -> Numbers:
    """Evenly over the days, at random."""
    return np.sort(START + np.random.default_rng(seed).uniform(0, days * DAY, orders))


@dataclass(frozen=True)
class Made:
    """A shop's times, in seconds since 1970; NaN: it is not in that log."""

    captured: Numbers
    receipt: Numbers
    confirmed: Numbers | None = None
    delivered: Numbers | None = None
    received: Numbers | None = None
    channel: Sequence[str] = ()

    def files(self, folder: Path) -> dict[str, Path]:
        ids = [f"{1_000 + place}" for place in range(len(self.captured))]
        channel = list(self.channel) or ["web"] * len(ids)
        whole = {
            "orders": pl.DataFrame({"order_id": ids, "captured_at": self.captured, "channel": channel}),
            "erp": pl.DataFrame({"order_id": ids, "received_at": self.receipt}),
        }
        if self.confirmed is not None:
            whole["confirmations"] = pl.DataFrame({"order_id": ids, "sent_at": self.confirmed})
        stamps = {"delivered_at": self.delivered, "received_at": self.received}
        if any(each is not None for each in stamps.values()):
            whole["integration"] = pl.DataFrame(
                {"order_id": ids} | {name: each for name, each in stamps.items() if each is not None}
            )
        files: dict[str, Path] = {}
        for name, frame in whole.items():
            files[name] = folder / f"{name}.parquet"
            time = frame.columns[1]
            frame.filter(pl.col(time).is_not_nan()).write_parquet(files[name])
        return files

    def diagnosed(self, folder: Path) -> Report:
        return diagnose(self.files(folder), Options())


def steady(orders: int, level: float, sigma: float = 0.15, seed: int = 2) -> Numbers:
    """Delays about a level."""
    return np.random.default_rng(seed).lognormal(np.log(level), sigma, orders)
