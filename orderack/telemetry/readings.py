"""Figures that are asked for when somebody scrapes, and kept for a while, so that scraping costs the ledger little."""

import asyncio
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import NamedTuple

import structlog
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from orderack.errors import OrderAckError
from orderack.telemetry.metrics import Figure

log = structlog.get_logger(__name__)

KEPT_SECONDS = 10.0
KEPT_PER_SECOND = 20.0
"""What took one second to find is kept for twenty: at most a twentieth of one connection's time goes into figures."""
PATIENCE_SECONDS = 5.0
"""Prometheus gives up after 10 s by default."""


class Reading(NamedTuple):
    """One gauge's value; `labels` in the order in which the figure names them."""

    figure: Figure
    value: float
    labels: tuple[str, ...] = ()


Ask = Callable[[], Awaitable[Sequence[Reading]]]


class Asking(Collector):
    """Asks in the event loop's thread for what is scraped in another. A scrape is never broken by what it finds."""

    def __init__(self, figures: Sequence[Figure], ask: Ask, loop: asyncio.AbstractEventLoop) -> None:
        """`figures`: what is asked for; the first of them says whether there was an answer."""
        self._figures = figures
        self._ask = ask
        self._loop = loop
        self._turn = asyncio.Lock()
        self._kept: Sequence[Reading] = ()
        self._until = 0.0

    def describe(self) -> Iterable[GaugeMetricFamily]:
        return families(self._figures, ())

    def collect(self) -> Iterable[GaugeMetricFamily]:
        asked = asyncio.run_coroutine_threadsafe(self._read(), self._loop)
        try:
            return families(self._figures, asked.result(PATIENCE_SECONDS + 1))
        except (TimeoutError, CancelledError):
            asked.cancel()
            return families(self._figures, (Reading(self._figures[0], 0),))

    async def _read(self) -> Sequence[Reading]:
        async with self._turn:
            if time.monotonic() < self._until:
                return self._kept
            began = time.monotonic()
            self._kept = await self._asked()
            ended = time.monotonic()
            self._until = ended + max(KEPT_SECONDS, KEPT_PER_SECOND * (ended - began))
            return self._kept

    async def _asked(self) -> Sequence[Reading]:
        try:
            async with asyncio.timeout(PATIENCE_SECONDS):
                return (Reading(self._figures[0], 1), *await self._ask())
        except (OrderAckError, TimeoutError) as error:
            log.warning("figures are missing", of=self._figures[0].name, why=type(error).__name__)
        except Exception:
            log.exception("figures cannot be found", of=self._figures[0].name)
        return (Reading(self._figures[0], 0),)


def families(figures: Sequence[Figure], readings: Iterable[Reading]) -> list[GaugeMetricFamily]:
    """In the catalogue's order, those without a reading too: what is documented is there to be found."""
    found: Mapping[str, GaugeMetricFamily] = {
        figure.name: GaugeMetricFamily(figure.name, figure.help, labels=figure.labels) for figure in figures
    }
    for reading in readings:
        found[reading.figure.name].add_metric(reading.labels, reading.value)
    return list(found.values())
