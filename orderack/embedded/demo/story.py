"""What a story is made of."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import Grade
from orderack.domain.order import Order
from orderack.embedded.demo.driver import Driver, NotAsTold
from orderack.embedded.demo.proofs import Proved

Tell = Callable[[Driver, Order], Awaitable[None]]


@dataclass(frozen=True)
class Story:
    name: str
    sentence: str
    order: Callable[[str, int], Order]
    tell: Tell
    kinds: tuple[Kind, ...]
    """What the buyer is told, in this order; `update` stands for at least the number given."""
    proofs: tuple[Proved, ...] = (Proved(Grade.E2),)
    """How its messages must stand in the record at the end."""


def check(holds: bool, otherwise: str) -> None:
    if not holds:
        raise NotAsTold(otherwise)
