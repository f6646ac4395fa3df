"""Is a delay consistent or variable (R176-R178)? By its spread, and by what hour and volume explain of it."""

from dataclasses import dataclass

import numpy as np
from scipy import stats

from orderack.diagnostics.gap.resampling import Flags, Interval, Numbers, Places, interval, resamples
from orderack.diagnostics.gap.thresholds import EXPLAINED, SPREAD, SWING, VOLUME_MINUTES

_FLOOR = 1.0
"""Seconds: what is shorter is not waiting."""

_EDGES = (0.02, 0.98)
"""Quantiles that single orders stuck for hours are drawn in to, before a mean is taken."""

_FEW = 5
"""Orders in an hour under which it is left out of the test over hours."""


@dataclass(frozen=True)
class Load:
    """What may move a delay, order by order in the order of capture."""

    hour: Numbers
    """Local time of capture, 0 to 24, as a fraction."""
    volumes: tuple[Numbers, ...]
    """Orders captured around it, one array for each of `VOLUME_MINUTES`."""
    group: Places
    """The channel's number: a channel's own level is no variation."""

    def of(self, chosen: Flags) -> "Load":
        return Load(self.hour[chosen], tuple(each[chosen] for each in self.volumes), self.group[chosen])


@dataclass(frozen=True)
class Variation:
    """How one delay varies."""

    spread: Interval
    """Third quartile over first, each channel at its own level."""
    swing: Interval
    """Expected delay at busy (90th percentile) over calm (10th) times, by hour and volume."""
    explained: Interval
    """Share of the variance of the logarithm that hour and volume explain, adjusted for the terms of the fit."""
    hour_p: float
    """Kruskal-Wallis over the hours of the day."""
    hour_effect: float
    """Its epsilon squared."""
    volume_rho: Interval
    """Spearman, with the orders in the window named beside."""
    volume_p: float
    """Of the strongest of the windows, times their number (Bonferroni)."""
    volume_minutes: int
    variable: bool
    agree: float
    """Share of the resamples that say the same."""


def variation(delay: Numbers, load: Load) -> Variation:
    """Of delays in seconds, sorted by capture."""
    level = _levelled(np.log(np.maximum(_unskewed(delay), _FLOOR)), load.group)
    window = _strongest(level, load)
    volume = load.volumes[window]
    drawn = resamples(len(level))
    spread = _spreads(level, drawn)
    swing, explained = _fits(level, _terms(load.hour, volume), drawn)
    rho, rho_p = _correlation(level, volume)
    ranks = stats.rankdata(level), stats.rankdata(volume)
    hour_p, hour_effect = _hours(level, load.hour)
    says = _variable(spread, swing, explained)
    return Variation(
        spread=interval(float(spread[0]), spread[1:]),
        swing=interval(float(swing[0]), swing[1:]),
        explained=interval(float(explained[0]), explained[1:]),
        hour_p=hour_p,
        hour_effect=hour_effect,
        volume_rho=interval(rho, _pearsons(ranks[0], ranks[1], drawn)),
        volume_p=min(1.0, rho_p * len(VOLUME_MINUTES)),
        volume_minutes=VOLUME_MINUTES[window],
        variable=bool(says[0]),
        agree=float(np.mean(says[1:] == says[0])),
    )


def _variable(spread: Numbers, swing: Numbers, explained: Numbers) -> Flags:
    found: Flags = (spread >= SPREAD) | ((swing >= SWING) & (explained >= EXPLAINED))
    return found


def _unskewed(delay: Numbers) -> Numbers:
    """Receipts before their capture show a clock that is behind; move it so that almost none is."""
    early = float(np.quantile(delay, 0.01))
    return delay - early + _FLOOR if early < 0 else delay


def _levelled(values: Numbers, group: Places) -> Numbers:
    levelled = values.copy()
    for each in np.unique(group):
        chosen = group == each
        levelled[chosen] -= np.median(values[chosen])
    low, high = np.quantile(levelled, _EDGES)
    tamed: Numbers = np.clip(levelled, low, high)
    return tamed


def _spreads(level: Numbers, drawn: Places) -> Numbers:
    """Of all orders, then of each resample."""
    low, high = np.quantile(level[drawn], [0.25, 0.75], axis=1)
    whole = np.quantile(level, [0.25, 0.75])
    ratios: Numbers = np.exp(np.concatenate(([whole[1] - whole[0]], high - low)))
    return ratios


def _terms(hour: Numbers, volume: Numbers) -> Numbers:
    """A daily curve of two harmonics, and volume as a curve of its logarithm."""
    turn = 2 * np.pi * hour / 24
    load = np.log1p(volume)
    scale = load.std() or 1.0
    load = (load - load.mean()) / scale
    columns = (np.ones_like(turn), np.sin(turn), np.cos(turn), np.sin(2 * turn), np.cos(2 * turn), load, load**2)
    return np.column_stack(columns)


def _fits(level: Numbers, terms: Numbers, drawn: Places) -> tuple[Numbers, Numbers]:
    """Swing and explained share, of all orders and then of each resample (least squares, by the normal equations)."""
    swings, shares = [], []
    ridge = np.eye(terms.shape[1]) * 1e-6  # where an hour or a volume never changes
    for places in (np.arange(len(level)), *drawn):
        x, y = terms[places], level[places]
        fitted = x @ np.linalg.solve(x.T @ x + ridge, x.T @ y)
        whole = float(((y - y.mean()) ** 2).sum())
        left = float(((y - fitted) ** 2).sum())
        freed = (len(y) - 1) / max(1, len(y) - x.shape[1])
        shares.append(1 - left / whole * freed if whole > 0 else 0.0)
        swings.append(float(np.exp(np.subtract(*np.quantile(fitted, [0.9, 0.1])))))
    return np.asarray(swings), np.asarray(shares)


def _strongest(level: Numbers, load: Load) -> int:
    return int(np.argmax([abs(_correlation(level, volume)[0]) for volume in load.volumes]))


def _correlation(one: Numbers, other: Numbers) -> tuple[float, float]:
    """Spearman's rho and its p; nought of what never changes."""
    if np.ptp(one) == 0 or np.ptp(other) == 0:
        return 0.0, 1.0
    found = stats.spearmanr(one, other)
    return float(found.statistic), float(found.pvalue)


def _pearsons(one: Numbers, other: Numbers, drawn: Places) -> Numbers:
    """Of ranks that were given once over all orders, for each resample."""
    a, b = one[drawn], other[drawn]
    a, b = a - a.mean(axis=1, keepdims=True), b - b.mean(axis=1, keepdims=True)
    below = np.sqrt((a**2).sum(axis=1) * (b**2).sum(axis=1))
    made: Numbers = np.divide((a * b).sum(axis=1), below, out=np.zeros(len(a)), where=below > 0)
    return made


def _hours(level: Numbers, hour: Numbers) -> tuple[float, float]:
    """Kruskal-Wallis over the hours that have some orders: p, and epsilon squared as the size of the effect."""
    whole = hour.astype(np.int64)
    groups = [level[whole == each] for each in range(24) if int((whole == each).sum()) >= _FEW]
    if len(groups) < 2 or np.ptp(np.concatenate(groups)) == 0:
        return 1.0, 0.0
    found = stats.kruskal(*groups)
    count = sum(map(len, groups))
    return float(found.pvalue), max(0.0, (float(found.statistic) - len(groups) + 1) / (count - len(groups)))
