"""The adaptive gate: which way to confirm, from how fast this ERP has been answering."""

import math
from collections.abc import Sequence
from datetime import timedelta

from orderack.domain.assessment import Gate
from orderack.domain.value import Value
from orderack.policy.duration import in_words
from orderack.policy.model import GateChoice

ENOUGH_SAMPLES = 20


class Latency(Value):
    """How long an ERP took from submission to receipt, over its latest receipts."""

    samples: int = 0
    p95: float | None = None
    """Seconds; None without samples."""


class GateChosen(Value):
    gate: Gate
    why: str


def measure(seconds: Sequence[float]) -> Latency:
    """The 95th percentile by nearest rank: a latency that was really seen."""
    if not seconds:
        return Latency()
    rank = math.ceil(0.95 * len(seconds))
    return Latency(samples=len(seconds), p95=sorted(seconds)[rank - 1])


def choose_gate(choice: GateChoice, said_by: str, latency: Latency, budget: timedelta) -> GateChosen:
    """The gate, and the numbers that made it. Adaptive holds for the ERP only when 95 % of receipts fit the budget."""
    if choice is not GateChoice.ADAPTIVE:
        return GateChosen(gate=Gate(choice.value), why=f"{said_by} says {choice.value}")
    if latency.p95 is None or latency.samples < ENOUGH_SAMPLES:
        why = f"adaptive: {latency.samples} receipts measured, {ENOUGH_SAMPLES} needed to rely on"
        return GateChosen(gate=Gate.ACK_GATED, why=why)
    fits = latency.p95 <= budget.total_seconds()
    against = f"{'within' if fits else 'over'} the {in_words(budget)} budget"
    why = f"adaptive: 95 % of {latency.samples} receipts came in {latency.p95:.3g} s, {against}"
    return GateChosen(gate=Gate.ERP_GATED if fits else Gate.ACK_GATED, why=why)
