"""A burst of one store's orders against a channel's rate, on the real server: does it keep, and who waits for whom?

`python -m tests.bench.burst --json build/bench-burst.json`: about two minutes; exit 1 when the vendor was ever sent
more than the rate in a second (and one: arrivals are not as even as sends), when a buyer was told twice or not at
all, or when an order of another store, or on another channel, waited more than half as long as the burst's own.
"""

import argparse
import asyncio
import copy
import json
import shutil
import sys
import tempfile
from datetime import datetime, timedelta
from pathlib import Path

import httpx
import yaml
from pydantic import AwareDatetime, TypeAdapter
from rich.console import Console
from rich.table import Table

from orderack.contracts.queries import OrderStatus
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import Order
from orderack.domain.value import Value
from orderack.embedded.demo.driver import Driver, told
from orderack.embedded.demo.orders import an_order
from orderack.embedded.stack import Ports, running
from orderack.settings import Settings
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders

AT_ONCE = 16
"""Orders handed in side by side."""


class Accepted(Value):
    target: str
    at: AwareDatetime
    key: str | None = None


class _Log(Value):
    accepted: tuple[Accepted, ...]


class Figures(Value):
    """What was measured. Durations in seconds."""

    ok: bool
    orders: int
    rate: float
    sends: int
    seconds: float
    most_in_a_second: int
    told_p50: float
    told_p99: float
    by_channel: dict[str, int]
    told_twice: int
    not_told: int
    other_store: float
    other_channel: float


_LOG = TypeAdapter(_Log)


def own_policy(folder: Path) -> Path:
    """The policy with a second store, and a channel that is waited for however long it takes."""
    shutil.copytree(Settings().policy_dir, folder)
    file = folder / "policy.yaml"
    policy = yaml.safe_load(file.read_text())
    policy["stores"]["other"] = copy.deepcopy(policy["stores"]["demo"])
    policy["service_levels"] |= {"fallback_after": "14m", "hold_after": "15m"}
    file.write_text(yaml.safe_dump(policy, sort_keys=False))
    return folder


def an_order_of(number: str, place: int, store: str = "demo", source: str = "web") -> Order:
    """An order that no other resembles."""
    order = an_order(number, place % 900, source=source, price=f"{50 + place % 97}.{place % 90 + 10}")
    email = f"buyer{place}.{store}@example.com"
    return order.model_copy(update={"store": store, "contacts": order.contacts.model_copy(update={"email": email})})


def received(status: OrderStatus) -> bool:
    return any(message.kind in (Kind.RECEIVED, Kind.CONFIRMATION) for message in told(status))


async def until_told(driver: Driver, order: Order) -> float:
    """Hand it in; seconds until its buyer first hears of it."""
    await driver.orders.submit(order)
    status = await driver.until(order.ref, received, "be told", within=900)
    return (min(message.at for message in told(status)) - order.trigger_at).total_seconds()


def most_in_a_second(moments: list[datetime]) -> int:
    """The most acceptances in any one second."""
    ordered, start, most = sorted(moments), 0, 0
    for end, moment in enumerate(ordered):
        while moment - ordered[start] >= timedelta(seconds=1):
            start += 1
        most = max(most, end - start + 1)
    return most


async def burst(driver: Driver, orders: int, rate: float) -> Figures:
    turns, loop = asyncio.Semaphore(AT_ONCE), asyncio.get_running_loop()

    async def hand_in(order: Order) -> Order:
        async with turns:
            await driver.orders.submit(order)
        return order

    async def others() -> tuple[float, float]:
        await asyncio.sleep(3)
        beside = an_order_of(f"{driver.run}-O", 7_001, store="other")
        apart = an_order_of(f"{driver.run}-T", 7_002, source="phone")
        return await asyncio.gather(until_told(driver, beside), until_told(driver, apart))

    started = loop.time()
    ours = [an_order_of(f"{driver.run}-{place}", place) for place in range(orders)]
    handing_in = asyncio.gather(*(hand_in(order) for order in ours))
    other_store, other_channel = await others()
    await handing_in
    waits = []
    for order in ours:
        status = await driver.until(order.ref, lambda s: any(m.kind is Kind.CONFIRMATION for m in told(s)), "end", 240)
        waits.append((min(m.at for m in told(status)) - order.trigger_at).total_seconds())
    seconds = loop.time() - started
    log = _LOG.validate_python((await driver.http.get(f"{driver.stack.sandbox_url}/log")).json()).accepted
    sends = [entry for entry in log if entry.target in ("sendgrid", "twilio", "smtp") and entry.key]
    keys = [entry.key for entry in sends]
    most = most_in_a_second([entry.at for entry in sends if entry.target == "sendgrid"])
    channels = [entry.target for entry in sends]
    waits.sort()
    figures = Figures(
        ok=False,
        orders=orders,
        rate=rate,
        sends=len(sends),
        seconds=round(seconds, 1),
        most_in_a_second=most,
        told_p50=round(waits[len(waits) // 2], 2),
        told_p99=round(waits[int(len(waits) * 0.99)], 2),
        by_channel={name: channels.count(name) for name in sorted(set(channels))},
        told_twice=len(keys) - len(set(keys)),
        not_told=sum(f"demo/{order.number}/" not in " ".join(filter(None, keys)) for order in ours),
        other_store=round(other_store, 2),
        other_channel=round(other_channel, 2),
    )
    limit = figures.told_p50 / 2
    kept = most <= rate + 1 and not figures.told_twice and not figures.not_told
    return figures.model_copy(update={"ok": kept and other_store <= limit and other_channel <= limit})


async def run(orders: int, rate: float) -> Figures:
    with tempfile.TemporaryDirectory() as folder:
        extra = {
            "ORDERACK_POLICY_DIR": str(own_policy(Path(folder) / "policy")),
            "ORDERACK_RATES": json.dumps({"sendgrid_email": rate, "twilio_sms": 5}),
        }
        async with running(Path(folder) / "home", Ports(0, 0, 0, 0, 0), extra=extra) as stack:
            async with httpx.AsyncClient(timeout=60) as http:
                return await burst(Driver(stack, Orders(await connect(env=stack.environment)), http), orders, rate)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.burst", description=__doc__)
    parser.add_argument("--orders", type=int, default=60)
    parser.add_argument("--rate", type=float, default=2.0, help="sends in a second that the e-mail channel may make")
    parser.add_argument("--json", type=Path, metavar="FILE")
    asked = parser.parse_args()
    figures = asyncio.run(run(asked.orders, asked.rate))
    if asked.json:
        asked.json.parent.mkdir(parents=True, exist_ok=True)
        asked.json.write_text(figures.model_dump_json(indent=1) + "\n")
    table = Table(show_header=False, title="a burst against a rate", title_justify="left")
    for name, value in figures.model_dump().items():
        table.add_row(name.replace("_", " "), str(value))
    Console().print(table)
    sys.exit(0 if figures.ok else 1)


if __name__ == "__main__":
    main()
