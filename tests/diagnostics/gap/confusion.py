"""How often the doctor is right: shops whose cause is known, written as files, diagnosed, counted.

`python -m tests.diagnostics.gap.confusion --seeds 100` prints the table of docs/gap-doctor.md.
"""

import argparse
import math
import sys
from collections import Counter
from collections.abc import Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from orderack.diagnostics.gap.diagnose import Options, diagnose
from tests.diagnostics.gap.files import write
from tests.diagnostics.gap.shop import CAUSES, shop

TRUTHS = (*CAUSES, "mixed")
TOO_FEW = "fewer than 500"
"""A shop of any cause with too few orders: only `refused` is right."""

Case = tuple[str, int, int]
"""Truth, seed, orders."""


def cases(seeds: Iterable[int], most: int = 20_000) -> Iterator[Case]:
    """For each seed each cause with 500 orders or more, and one shop with too few."""
    for seed in seeds:
        for truth in TRUTHS:
            random = np.random.default_rng([seed, 3, len(truth)])
            size = 500 if seed % 5 == 0 else int(math.exp(random.uniform(math.log(500), math.log(most))))
            yield truth, seed, size
        random = np.random.default_rng([seed, 4])
        yield TOO_FEW, seed, int(random.integers(60, 490))


def said(case: Case) -> tuple[str, str]:
    """What the doctor says of this shop, and how the shop was made."""
    truth, seed, orders = case
    cause = TRUTHS[seed % len(TRUTHS)] if truth == TOO_FEW else truth
    made = shop(cause, orders, seed)
    with TemporaryDirectory() as folder:
        logs = write(made, Path(folder))
        found = diagnose(logs.files, Options(zones=logs.zones)).diagnosis
    return found.verdict.value, "; ".join([*made.story, str(found.ruling.refusal or "")])


def right(truth: str, verdict: str) -> bool:
    """With too few orders refusing is right, and nothing else is; with enough, only the cause."""
    return verdict == ("refused" if truth == TOO_FEW else truth)


def table(counted: Counter[tuple[str, str]]) -> Iterator[str]:
    """A row a truth, a column a verdict, in Markdown."""
    verdicts = (*TRUTHS, "refused")
    yield f"| the cause is | {' | '.join(verdicts)} | right |"
    yield f"| --- |{' --- |' * (len(verdicts) + 1)}"
    for truth in (*TRUTHS, TOO_FEW):
        row = [counted[truth, verdict] for verdict in verdicts]
        good = sum(count for verdict, count in zip(verdicts, row, strict=True) if right(truth, verdict))
        yield f"| {truth} | {' | '.join(map(str, row))} | {good} of {sum(row)} |"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=100)
    parser.add_argument("--first", type=int, default=0)
    parser.add_argument("--most", type=int, default=20_000)
    asked = parser.parse_args()
    todo = list(cases(range(asked.first, asked.first + asked.seeds), asked.most))
    counted: Counter[tuple[str, str]] = Counter()
    with ProcessPoolExecutor(2) as pool:
        for (truth, seed, orders), (verdict, story) in zip(todo, pool.map(said, todo), strict=True):
            counted[truth, verdict] += 1
            if not right(truth, verdict):
                print(f"{truth}, seed {seed}, {orders} orders: {verdict} ({story})", file=sys.stderr, flush=True)
    print("\n".join(table(counted)))


if __name__ == "__main__":
    main()
