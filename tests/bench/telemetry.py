"""What telemetry costs: the worker's processor time for a confirmed order without figures, with, and with traces.

`python -m tests.bench.telemetry [--orders N] [--rounds N] [--json FILE]`: one embedded run, its worker started anew for
each turn, the three ways taking turns, so that what else the machine does touches all of them alike.
"""

import argparse
import asyncio
import json
import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from statistics import median

import httpx
import psutil

from orderack.contracts.journal import Stage
from orderack.embedded.demo.driver import Driver
from orderack.embedded.demo.orders import an_order
from orderack.embedded.stack import Ports, Stack, running
from orderack.ledger.repository import SqlLedger, open_ledger
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders
from tests.telemetry.collector import collecting

SCRAPES = 20
_DONE = (Stage.CONFIRMED, Stage.HANDED_OFF)
WARM = 5
"""Orders that a fresh worker takes before its time counts."""


def ways(collector: str) -> Mapping[str, Mapping[str, str]]:
    off = {"ORDERACK_METRICS_ADDRESS": "", "OTEL_EXPORTER_OTLP_ENDPOINT": ""}
    figures = {**off, "ORDERACK_METRICS_ADDRESS": "127.0.0.1:0"}
    return {"off": off, "figures": figures, "figures and traces": {**figures, "OTEL_EXPORTER_OTLP_ENDPOINT": collector}}


async def restarted(stack: Stack, way: Mapping[str, str]) -> psutil.Process:
    """A worker that has just begun in this way."""
    stack.environment |= way
    log, before = stack.home.log("worker"), stack.home.log("worker").read_text().count("working:")
    stack.processes["worker"].kill()
    while log.read_text().count("working:") == before:  # noqa: ASYNC110 - a process rings no bell
        await asyncio.sleep(0.1)
    return psutil.Process(stack.processes["worker"].pid)


async def scrape(stack: Stack, http: httpx.AsyncClient, process: psutil.Process) -> float:
    """Seconds of the worker's processor for one scrape. Prometheus asks every 15 seconds, however many orders come."""
    url = re.findall(r"http://[0-9.:]+/metrics", stack.home.log("worker").read_text())[-1]
    before = used(process)
    for _ in range(SCRAPES):
        (await http.get(url)).raise_for_status()
    return (used(process) - before) / SCRAPES


def used(process: psutil.Process) -> float:
    times = process.cpu_times()
    return float(times.user + times.system)


async def turn(
    driver: Driver, ledger: SqlLedger, way: Mapping[str, str], place: int, orders: int
) -> tuple[float, psutil.Process]:
    """Seconds of the worker's processor for one order, confirmed; and that worker."""
    process = await restarted(driver.stack, way)
    for step in range(WARM):
        await confirmed(driver, ledger, place + step)
    before = used(process)
    for step in range(orders):
        await confirmed(driver, ledger, place + WARM + step)
    return (used(process) - before) / orders, process


async def confirmed(driver: Driver, ledger: SqlLedger, place: int) -> None:
    """Looked for in the ledger: a status would have to be answered by the worker, the more often the slower it is."""
    order = an_order(driver.number(place), place % 900)
    await driver.hand_in(order)
    while not (row := await ledger.order(order.ref)) or row.stage not in _DONE:  # noqa: ASYNC110
        await asyncio.sleep(0.05)


async def measure(orders: int, rounds: int) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {}
    with collecting() as collector, tempfile.TemporaryDirectory() as folder:
        async with httpx.AsyncClient(timeout=60) as http, running(Path(folder) / "home", Ports(0, 0, 0, 0, 0)) as stack:
            driver = Driver(stack, Orders(await connect(env=stack.environment)), http)
            ledger = await open_ledger(f"sqlite+aiosqlite:///{folder}/home/ledger.db")
            place = 1
            for _ in range(rounds):
                for name, way in ways(collector.url).items():
                    seconds, worker = await turn(driver, ledger, way, place, orders)
                    found.setdefault(name, []).append(seconds)
                    print(f"{name}: {seconds * 1000:.1f} ms an order", file=sys.stderr, flush=True)
                    if name == "figures":
                        found.setdefault("a scrape", []).append(await scrape(stack, http, worker))
                    place += WARM + orders
            await ledger.aclose()
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--orders", type=int, default=40)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--json", type=Path)
    given = parser.parse_args()
    found = asyncio.run(measure(given.orders, given.rounds))
    floor = median(found["off"])
    for name, seconds in found.items():
        print(f"{name:20} {median(seconds) * 1000:6.1f} ms   {median(seconds) / floor:5.2f} x an order without")
    if given.json:
        given.json.parent.mkdir(parents=True, exist_ok=True)
        given.json.write_text(json.dumps({"orders": given.orders, "seconds_an_order": found}, indent=1))


if __name__ == "__main__":
    main()
