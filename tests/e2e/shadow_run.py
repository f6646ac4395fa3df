"""A store in shadow mode on a whole installation: its orders, the old flow, and the ERP that it books them in."""

import asyncio
import shutil
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import yaml

from orderack.domain.order import Order
from orderack.embedded.demo.driver import Driver, NotAsTold
from orderack.embedded.demo.orders import an_order, with_quantity
from orderack.settings import Settings
from tests.ended import Ended

AT_ONCE = 8
"""Orders on their way in at a time."""
COMMAND = Path(sys.executable).with_name("orderack")
NO_ACT = {"lookup", "availability"}
"""What may be asked of vendors and ERPs in a shadow run: questions."""


def shadow_policy(folder: Path, **more: object) -> Path:
    """The policy as it stands, with its store in shadow mode, which takes as many orders a day as there are."""
    shutil.copytree(Settings().policy_dir, folder)
    file = folder / "policy.yaml"
    policy = yaml.safe_load(file.read_text())
    policy["stores"]["demo"] |= {"mode": "shadow"} | more
    policy["stores"]["demo"]["calendar"]["capacity_per_day"] = 100_000
    file.write_text(yaml.safe_dump(policy, sort_keys=False))
    return folder


@dataclass
class ShadowRun:
    """The world around the store. The old flow's messages are noted as they are sent, and fed in later."""

    driver: Driver
    old: list[dict[str, object]] = field(default_factory=list)
    took: dict[str, float] = field(default_factory=dict)

    async def command(self, *arguments: str) -> Ended:
        process = await asyncio.create_subprocess_exec(
            str(COMMAND),
            *arguments,
            env=self.driver.stack.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        out, err = await process.communicate()
        return Ended(process.returncode or 0, out.decode(), err.decode())

    def tells(self, order: Order, kind: str, at: datetime, **figures: object) -> None:
        """The old flow sends a message. It says what the order says, but for these figures."""
        said: dict[str, object] = {"total": str(order.totals.total), "currency": order.currency}
        event = {
            "id": f"{order.number}-{kind}",
            "order": order.number,
            "kind": kind,
            "at": at.isoformat(),
            "channel": "shopmail",
            "figures": said | {"lines": len(order.lines)} | figures,
        }
        self.old.append(event)

    async def usual(self, order: Order, **figures: object) -> None:
        """The order comes in; the old flow says so, books it, and confirms what is booked."""
        await self.hand_in(order)
        self.tells(order, "order_received", datetime.now(UTC))
        await self.driver.erp_books(order)
        self.tells(order, "order_confirmation", datetime.now(UTC) + timedelta(seconds=1), **figures)

    async def hand_in(self, order: Order) -> None:
        """As a shop does: again, where it is asked to."""
        for waited in range(6):
            try:
                return await self.driver.hand_in(order)
            except NotAsTold as again:
                if "intake answered 503" not in str(again):
                    raise
                await asyncio.sleep(2**waited / 4)
        raise AssertionError("the intake never took it")

    async def usual_orders(self, name: str, many: int, first: int = 0) -> None:
        """So many, each of another buyer: those from `first` on."""
        turn = asyncio.Semaphore(AT_ONCE)

        async def one(place: int) -> None:
            async with turn:
                await self.usual(an_order(f"{name}-{place:04d}", first + place))

        async with self.timed("orders in"):
            await asyncio.gather(*(one(place) for place in range(many)))

    async def confirmed_on_capture(self, number: str) -> None:
        """S3's gap: the old flow confirms what its ERP has not booked."""
        order = an_order(number, 901)
        await self.driver.hand_in(order)
        self.tells(order, "order_received", datetime.now(UTC))
        self.tells(order, "order_confirmation", datetime.now(UTC))
        await asyncio.sleep(0.5)
        await self.driver.erp_books(order)

    async def held_by_us(self, number: str) -> None:
        """We hold it for a person; the old flow confirms it all the same."""
        order = with_quantity(an_order(number, 902), 900)
        await self.driver.hand_in(order)
        await self.driver.erp_books(order)
        self.tells(order, "order_confirmation", datetime.now(UTC) + timedelta(seconds=1))

    async def another_total(self, number: str) -> None:
        order = an_order(number, 903)
        await self.usual(order, total=str(order.totals.total + Decimal("4.90")))

    async def feed(self) -> list[str]:
        """Post what the old flow sent; what became of each."""
        stack = self.driver.stack
        outcomes: list[str] = []
        async with self.timed("old events in"):
            for begin in range(0, len(self.old), 200):
                answer = await self.driver.http.post(
                    f"{stack.gateway_url}/shadow/demo/events",
                    json=self.old[begin : begin + 200],
                    headers={"Authorization": f"Bearer {stack.secrets.api_key}"},
                )
                assert answer.status_code == httpx.codes.ACCEPTED, answer.text
                outcomes += [event["outcome"] for event in answer.json()["events"]]
        return outcomes

    async def report(self) -> dict[str, Any]:
        ended = await self.command("shadow", "report", "--settle", "0s", "--json")
        assert ended.code == 0, ended.err
        return ended.json

    async def settled(self, orders: int, within: float = 120) -> dict[str, Any]:
        """Wait until so many orders have come through and both sides have said their say, and nothing moves."""
        deadline, before = time.monotonic() + within, None
        async with self.timed("the rest of their way"):
            while time.monotonic() < deadline:
                found = await self.report()
                said = {t["message"]: t["ours"]["orders"] for t in found["timing"]}
                if found["orders"] >= orders and said == before:
                    return found
                before = said
                await asyncio.sleep(2)
        raise AssertionError(f"not settled within {within:g} s: {before}")

    async def cutover(self, *arguments: str) -> Ended:
        return await self.command("cutover", "demo", "--by", "grace", "--settle", "0s", *arguments)

    async def left_the_house(self) -> list[dict[str, Any]]:
        """What vendors and ERPs were told, as they themselves remember."""
        log = (await self.driver.http.get(f"{self.driver.stack.sandbox_url}/log")).json()
        return [one for one in log["tally"] if one["operation"] not in NO_ACT]

    def timed(self, what: str) -> "_Timed":
        return _Timed(self.took, what)


@dataclass
class _Timed:
    took: dict[str, float]
    what: str
    begun: float = 0.0

    async def __aenter__(self) -> None:
        self.begun = time.monotonic()

    async def __aexit__(self, *_: object) -> None:
        self.took[self.what] = round(self.took.get(self.what, 0) + time.monotonic() - self.begun, 1)
