"""What the gateway is asked for when its figures are scraped: the record, the open orders, the disk."""

import asyncio
import shutil
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

from orderack.ports import GatewayLedger
from orderack.telemetry import metrics
from orderack.telemetry.process import Telemetry
from orderack.telemetry.readings import Reading
from orderack.temporal.open_orders import OpenOrders
from orderack.temporal.orders import Orders


class DiskUsage(NamedTuple):
    free: int
    size: int


def _disk(home: Path) -> DiskUsage:
    """The disk that holds this folder, or would."""
    place = home.resolve()
    while not place.exists():
        place = place.parent
    found = shutil.disk_usage(place)
    return DiskUsage(found.free, found.total)


def serve_figures(telemetry: Telemetry, ledger: GatewayLedger, orders: Orders, home: Path) -> None:
    """Serve them beside what this process counts."""

    async def of_ledger() -> Sequence[Reading]:
        return await ledger.readings(datetime.now(UTC))

    async def of_temporal() -> Sequence[Reading]:
        return [Reading(metrics.ESCALATIONS, await orders.count_open(OpenOrders(escalated=True)))]

    async def of_host() -> Sequence[Reading]:
        disk = await asyncio.to_thread(_disk, home)
        return [Reading(metrics.DISK_FREE, disk.free), Reading(metrics.DISK_SIZE, disk.size)]

    telemetry.ask(metrics.OF_LEDGER, of_ledger)
    telemetry.ask(metrics.OF_TEMPORAL, of_temporal)
    telemetry.ask(metrics.OF_HOST, of_host)
