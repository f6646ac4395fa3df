"""Keyed chance: the same question about the same order always has the same answer, whatever was asked before it.

A stream of random numbers would give every later decision another answer as soon as one is taken away; so that a story
can be told twice, once with duplicates and once without, each decision has its own number.
"""

from collections.abc import Sequence
from hashlib import blake2b
from typing import TypeVar

T = TypeVar("T")

SECOND = 1_000_000
"""Simulated time is counted in whole microseconds."""

MINUTE, HOUR, DAY = 60 * SECOND, 3_600 * SECOND, 86_400 * SECOND


class Dice:
    """Answers that depend on the seed and on the question alone."""

    def __init__(self, seed: str) -> None:
        self.seed = seed
        self._begun = blake2b(seed.encode(), digest_size=8)

    def roll(self, *key: object) -> float:
        """A number in [0, 1)."""
        asked = self._begun.copy()
        asked.update("/".join(map(str, key)).encode())
        return (int.from_bytes(asked.digest(), "big") >> 11) / (1 << 53)

    def chance(self, probability: float, *key: object) -> bool:
        """Whether it happens."""
        return probability > 0 and self.roll(*key) < probability

    def between(self, low: int, high: int, *key: object) -> int:
        """A whole number in [low, high)."""
        return low + int((high - low) * self.roll(*key))

    def pick(self, options: Sequence[T], *key: object) -> T:
        """One of them, each as likely as the other."""
        return options[int(len(options) * self.roll(*key))]

    def weighed(self, options: Sequence[tuple[float, T]], *key: object) -> T:
        """One of them, as likely as its weight says."""
        left = self.roll(*key) * sum(weight for weight, _ in options)
        for weight, option in options:
            left -= weight
            if left < 0:
                return option
        return options[-1][1]
