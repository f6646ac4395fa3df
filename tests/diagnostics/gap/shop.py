"""A made-up shop whose gap has a known cause. It simulates queues, mailers and imports; it knows no threshold.

Orders arrive by a daily curve with bursts and dull days, over one to four channels. A webhook brings each to an
integration, which works through its queue, and an ERP books it. Any of them may be slow in its own way. Logs lack
rows, have rows twice, have rows of others, and their clocks disagree.
"""

from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
from numpy.typing import NDArray

Numbers = NDArray[np.float64]
Flags = NDArray[np.bool_]

CAUSES = ("erp_queue", "integration_queue", "trigger")
CHANNELS = ("web", "amazon", "pos", "wholesale")
DAY = 86_400.0
START = datetime(2026, 2, 2, tzinfo=UTC).timestamp()


@dataclass
class Shop:
    """What happened, by the true clock; NaN: it never did."""

    seed: int
    cause: str
    captured: Numbers
    channel: NDArray[np.str_]
    received: Numbers
    delivered: Numbers
    receipt: Numbers
    confirmed: Numbers
    sku: NDArray[np.str_]
    quantity: NDArray[np.int64]
    with_confirmations: bool
    with_integration: bool
    erp_clock: float
    """Seconds that the ERP's clock is ahead."""
    story: list[str] = field(default_factory=list)
    """How it was made, for whoever reads a failure."""

    def __len__(self) -> int:
        return len(self.captured)


def shop(cause: str, orders: int, seed: int) -> Shop:
    """A shop with this cause (one of `CAUSES`, or `mixed`), with that many orders in both logs, or a few more."""
    return _Maker(cause, orders, seed).make()


class _Maker:
    def __init__(self, cause: str, orders: int, seed: int) -> None:
        self.cause, self.seed = cause, seed
        self.random = np.random.default_rng([seed, len(cause), orders])
        self.lost = float(self.random.uniform(0, 0.03))
        self.count = int(np.ceil(orders / (1 - self.lost))) + 3
        self.wanted = orders
        self.story: list[str] = []
        self.shared = ""

    def make(self) -> Shop:
        captured = self._arrivals()
        channel = self._channels()
        causes = self._causes(channel)
        received = captured + self._transit()
        delivered, receipt, confirmed = received.copy(), received.copy(), np.full(self.count, np.nan)
        layered = self.cause == "mixed" and len(set(causes)) == 1
        for path in dict.fromkeys(paths := self._paths(causes, layered)):
            mine = paths == path
            delivered[mine], receipt[mine] = self._path(path, captured, received, mine)
        for cause in dict.fromkeys(causes):
            mine = causes == cause
            confirmed[mine] = self._confirmations(cause, captured[mine], receipt[mine])
        lost = np.zeros(self.count, dtype=np.bool_)
        lost[self.random.choice(self.count, max(0, self.count - self.wanted), replace=False)] = True
        receipt[lost] = np.nan
        gated = np.isin(causes, ["erp_queue", "integration_queue"])
        confirmed[lost & gated] = np.nan
        confirmed[self.random.random(self.count) < self.random.uniform(0, 0.02)] = np.nan
        skus = np.array([f"SKU-{each:03d}" for each in range(int(self.random.integers(5, 60)))])
        return Shop(
            seed=self.seed,
            cause=self.cause,
            captured=captured,
            channel=channel,
            received=received,
            delivered=delivered,
            receipt=receipt,
            confirmed=confirmed,
            sku=self.random.choice(skus, self.count),
            quantity=self.random.geometric(0.6, self.count),
            with_confirmations="trigger" in causes or bool(self.random.random() < 0.5),
            with_integration=layered or bool(self.random.random() < 0.3),
            erp_clock=float(self.random.choice([0.0, self.random.uniform(-15, 15)])),
            story=self.story,
        )

    def _say(self, words: str) -> None:
        self.story.append(words)

    def _arrivals(self) -> Numbers:
        """A daily curve with one or two tops, weekends of their own, some sales."""
        random = self.random
        days = float(random.uniform(3, 8) if self.wanted > 5_000 else random.uniform(3, 28))
        grid = np.arange(0, days * DAY, 300.0)
        hour = grid / 3_600 % 24
        tops = [
            (random.uniform(9, 15), random.uniform(2, 4), 1.0),
            (random.uniform(18, 22), random.uniform(1, 3), random.uniform(0, 1.5)),
        ]
        rate = random.uniform(0.02, 0.25) + sum(
            weight * np.exp(-0.5 * (((hour - top + 12) % 24 - 12) / width) ** 2) for top, width, weight in tops
        )
        rate = rate * np.where((grid // DAY % 7) >= 5, random.uniform(0.4, 1.6), 1.0)
        rate = rate * random.lognormal(0, 0.25, int(days) + 1)[(grid // DAY).astype(int)]
        for _ in range(int(random.integers(0, 6))):
            since, length = random.uniform(0, days * DAY), random.uniform(600, 7_200)
            rate = rate * np.where((grid >= since) & (grid < since + length), random.uniform(2, 8), 1.0)
        slot = random.choice(len(grid), self.count, p=rate / rate.sum())
        self._say(f"{self.count} orders in {days:.1f} days")
        return np.sort(START + grid[slot] + random.uniform(0, 300, self.count))

    def _channels(self) -> NDArray[np.str_]:
        least = 2 if self.cause == "mixed" else 1
        names = np.array(CHANNELS[: int(self.random.integers(least, 4 if self.cause == "mixed" else 5))])
        weights = self.random.dirichlet(np.full(len(names), 4.0 if self.cause != "mixed" else 30.0))
        return self.random.choice(names, self.count, p=weights)

    def _causes(self, channel: NDArray[np.str_]) -> NDArray[np.str_]:
        if self.cause != "mixed":
            return np.full(self.count, self.cause)
        names = list(dict.fromkeys(channel.tolist()))
        drawn = self.random.random()
        if drawn < 0.2:
            self._say("both stages of one path")
            return np.full(self.count, "integration_queue")
        causes = list(self.random.permutation(CAUSES)[:2])
        if drawn < 0.35:
            share = self.random.uniform(0.35, 0.65)
            other = next(each for each in causes if each != "trigger")
            self.shared = str(other)
            self._say(f"{share:.0%} of all orders on capture, else {other}")
            return np.where(self.random.random(self.count) < share, "trigger", other)
        mapped = {name: causes[place % 2] for place, name in enumerate(names)}
        self._say(f"by channel: {mapped}")
        return np.array([mapped[each] for each in channel.tolist()])

    def _paths(self, causes: NDArray[np.str_], layered: bool) -> NDArray[np.str_]:
        """One path for all where single orders, and not channels, differ in what confirms them."""
        if layered:
            return np.full(self.count, "layered")
        if self.shared:
            return np.full(self.count, self.shared)
        return causes

    def _transit(self) -> Numbers:
        random = self.random
        transit = random.lognormal(np.log(random.uniform(0.5, 4)), 0.4, self.count)
        again = random.random(self.count) < random.uniform(0, 0.02)
        return transit + again * random.uniform(20, 90, self.count)

    def _path(self, cause: str, captured: Numbers, received: Numbers, mine: Flags) -> tuple[Numbers, Numbers]:
        """Delivered and booked, of the orders that are `mine`; all of them load the shop."""
        at = received[mine]
        if cause == "trigger":
            kind = self.random.choice(["fast", "erp_queue", "integration_queue"])
            self._say(f"behind the trigger: {kind}")
            if kind == "fast":
                handed = at + 0.3
                return handed, handed + self.random.lognormal(np.log(self.random.uniform(1, 8)), 0.5, len(at))
            return self._path(kind, captured, received, mine)
        if cause == "erp_queue":
            handed = at + self.random.uniform(0.2, 2, len(at))
            return handed, self._erp(handed, captured)
        handed = self._integration(at, captured)
        if cause == "layered":
            level = float(np.mean(handed - at)) * self.random.uniform(0.7, 1.4)
            return handed, handed + self._steps(len(at), level)
        return handed, handed + self.random.lognormal(np.log(self.random.uniform(2, 10)), 0.35, len(at))

    # -- the ERP ------------------------------------------------------------------------------------------------

    def _erp(self, handed: Numbers, captured: Numbers) -> Numbers:
        """Steady steps behind one another, some orders stuck, a little slower at the height of the day."""
        random = self.random
        if random.random() < 0.2:
            return self._import(handed)
        level = float(np.exp(random.uniform(np.log(60), np.log(1_500))))
        took = self._steps(len(handed), level)
        busy = np.searchsorted(captured, handed + 900) - np.searchsorted(captured, handed - 900)
        slower = random.uniform(0, 0.15)
        took = took * (1 + slower * busy / max(1, busy.max()))
        tick = random.choice([0.0, random.uniform(0.05, 0.25) * level])
        stuck = random.random(len(handed)) < random.uniform(0, 0.025)
        took = took + random.uniform(0, 1, len(handed)) * tick + stuck * level * random.pareto(1.5, len(handed))
        self._say(f"erp: {level:.0f} s, {slower:.0%} slower at the top, looks every {tick:.0f} s")
        return handed + took

    def _steps(self, count: int, level: float) -> Numbers:
        steps = int(self.random.integers(2, 7))
        weights = self.random.dirichlet(np.full(steps, 5.0))
        shape = self.random.uniform(8, 60)
        return np.asarray(sum(self.random.gamma(shape, level * weight / shape, count) for weight in weights))

    def _import(self, handed: Numbers) -> Numbers:
        """Every so many minutes all that lies there, one after another."""
        every = float(self.random.choice([5, 10, 15, 20, 30])) * 60
        offset, each = self.random.uniform(0, every), self.random.uniform(0.02, 0.3)
        run = np.ceil((handed - offset) / every) * every + offset
        place = np.zeros(len(handed))
        order = np.argsort(handed)
        runs = run[order]
        firsts = np.searchsorted(runs, runs)
        place[order] = np.arange(len(runs)) - firsts
        self._say(f"erp: an import every {every / 60:.0f} min")
        return run + self.random.uniform(2, 20) + place * each + self.random.uniform(0, 2, len(handed))

    # -- the integration ----------------------------------------------------------------------------------------

    def _integration(self, at: Numbers, captured: Numbers) -> Numbers:
        random = self.random
        kind = str(random.choice(["worker", "limit", "unreliable", "shared"]))
        rate = len(at) / (at[-1] - at[0] + 1)
        peak = float(np.quantile(np.diff(np.searchsorted(at, np.arange(at.min(), at.max(), 3_600))), 0.9)) / 3_600
        if kind in ("worker", "limit") and peak < 1 / 90:
            kind = "unreliable" if random.random() < 0.5 else "shared"
        self._say(f"integration: {kind}, {rate * 3_600:.0f} orders an hour")
        made: Numbers = getattr(self, f"_{kind}")(at, peak)
        return made

    def _worker(self, at: Numbers, peak: float) -> Numbers:
        """One worker behind one queue, which the busiest hours overfill."""
        service = self.random.uniform(0.9, 1.25) / peak
        return self._queue(at, self.random.gamma(3, service / 3, len(at)))

    def _limit(self, at: Numbers, peak: float) -> Numbers:
        """The other side takes so many a minute, and the rest waits for the next one."""
        most = max(1, int(peak * 60 * self.random.uniform(0.85, 1.05)))
        return self._queue(at, np.full(len(at), 60.0 / most)) + self.random.lognormal(0.7, 0.4, len(at))

    def _queue(self, at: Numbers, service: Numbers) -> Numbers:
        order = np.argsort(at)
        done, free = np.empty(len(at)), 0.0
        for place in order.tolist():
            free = max(free, float(at[place])) + float(service[place])
            done[place] = free
        return done

    def _unreliable(self, at: Numbers, peak: float) -> Numbers:
        """Deliveries fail and are tried again, later and later."""
        random = self.random
        wait = random.lognormal(np.log(random.uniform(5, 40)), random.uniform(0.6, 1.1), len(at))
        fails, pause = random.uniform(0.15, 0.4), random.uniform(15, 60)
        for attempt in range(4):
            failed = random.random(len(at)) < fails ** (attempt + 1) ** 0.7
            wait = wait + failed * pause * 2**attempt * random.uniform(0.8, 1.2, len(at))
        return at + wait

    def _shared(self, at: Numbers, peak: float) -> Numbers:
        """A middleware that other jobs keep busy at some hours."""
        random = self.random
        hour = at / 3_600 % 24
        top, width = random.uniform(8, 20), random.uniform(2, 4)
        busy = np.exp(-0.5 * (((hour - top + 12) % 24 - 12) / width) ** 2)
        level = random.uniform(10, 90) * (1 + random.uniform(2, 9) * busy)
        return at + level * random.lognormal(0, random.uniform(0.2, 0.5), len(at))

    # -- the confirmation ---------------------------------------------------------------------------------------

    def _confirmations(self, cause: str, captured: Numbers, receipt: Numbers) -> Numbers:
        random = self.random
        mailer = random.lognormal(np.log(random.uniform(1, 8)), 0.5, len(captured))
        if random.random() < 0.25:
            mailer = mailer + random.uniform(0, random.choice([10.0, 30.0]), len(captured))
        return captured + mailer if cause == "trigger" else receipt + mailer
