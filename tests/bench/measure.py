"""Measuring one run: its history, its size on the server, its Actions by our rules and by the server's metric."""

import asyncio
import re
import socket
from collections import Counter
from dataclasses import dataclass

import httpx
from temporalio.client import WorkflowHandle

from tests.history.actions import actions

METRIC = re.compile(r"^action\{(?P<labels>[^}]*)\} (?P<count>[0-9.e+]+)$", re.MULTILINE)
KIND = re.compile(r'action_type="([^"]*)"')
SCRAPED_EVERY = 2.5
"""Seconds until the server's counters show what has happened."""


@dataclass(frozen=True)
class Cost:
    """What a run's history came to so far."""

    events: int
    actions: int
    bytes: int
    by_rule: dict[str, int]


class Meter:
    def __init__(self, port: int) -> None:
        self._url = f"http://127.0.0.1:{port}/metrics"
        self._before: Counter[str] = Counter()

    async def begin(self) -> None:
        """Count the server's Actions from here on."""
        self._before = await self._counted()

    async def served(self) -> Counter[str]:
        """The Actions that the server counted since, whoever caused them."""
        return await self._counted() - self._before

    async def cost(self, handle: WorkflowHandle[object, object]) -> Cost:
        events = [event async for event in handle.fetch_history_events()]
        info = (await handle.describe()).raw_description.workflow_execution_info
        found = actions(events)
        return Cost(len(events), found.total(), info.history_size_bytes, dict(found))

    async def _counted(self) -> Counter[str]:
        await asyncio.sleep(SCRAPED_EVERY)
        async with httpx.AsyncClient() as client:
            text = (await client.get(self._url)).text
        found: Counter[str] = Counter()
        for line in METRIC.finditer(text):
            kind = KIND.search(line["labels"])
            if kind and 'namespace="default"' in line["labels"]:
                found[kind[1]] += int(float(line["count"]))
        return found


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
