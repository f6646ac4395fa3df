"""Sentences of buyers with the truth about them: a third to write phrases with, the rest to measure these on."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

_FILE = Path(__file__).with_name("labelled.txt")


@dataclass(frozen=True)
class Sentence:
    """What a buyer wrote, and whether it asks where an order is."""

    asks: bool
    language: str
    words: str

    @property
    def tried(self) -> bool:
        """Phrases were written with it, so it measures nothing."""
        return hashlib.sha256(self.words.encode()).digest()[0] % 3 == 0


def sentences() -> Sequence[Sentence]:
    """All of them."""
    lines = (line for line in _FILE.read_text(encoding="utf-8").splitlines() if line and not line.startswith("#"))
    return [Sentence(line[0] == "+", line[2:4], line[5:]) for line in lines]
