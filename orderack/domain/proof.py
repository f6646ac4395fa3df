"""Receipt, reading and assent: three separate answers to "what does the record prove of this message?" (mission.md §4).

Folding facts in any order, any number of times, gives the same answer.
"""

from collections.abc import Iterable
from datetime import datetime

from pydantic import AwareDatetime

from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from orderack.domain.order import Name, Text
from orderack.domain.value import Value


class Mark(Value):
    """The fact that proves one of the three."""

    at: AwareDatetime
    channel: Name
    grade: Grade
    basis: Text
    event: EvidenceEvent = EvidenceEvent.UNKNOWN


class Proof(Value):
    """What is proved of one message of one revision. Nothing here follows from silence."""

    receipt: Mark | None = None
    """It entered the recipient's system: the earliest fact of E2 or better. Read implies delivered."""
    reading: Mark | None = None
    """It was shown or acted on: the strongest fact of E3p or better, of equals the earliest."""
    assent: Mark | None = None
    """The buyer's last word on its content."""
    assented: bool | None = None
    """True: accepted. False: declined, a part or all. None: not a word."""
    machine: Mark | None = None
    """The earliest machine touch: kept to be told apart; it proves none of the three."""
    returned: Mark | None = None
    """The earliest report that it failed or came back: it takes nothing from what speaks for an arrival."""

    def and_(self, fact: EvidenceFact) -> "Proof":
        """What is proved when this fact is known too."""
        mark = Mark(at=fact.occurred_at, channel=fact.channel, grade=fact.grade, basis=fact.basis, event=fact.event)
        update: dict[str, object] = {}
        if proves_receipt(fact):
            update["receipt"] = _earlier(self.receipt, mark)
        if proves_reading(fact):
            update["reading"] = max(self.reading or mark, mark, key=_weight)
        if fact.grade is Grade.M:
            update["machine"] = _earlier(self.machine, mark)
        if fact.event is EvidenceEvent.BOUNCED:
            update["returned"] = _earlier(self.returned, mark)
        if fact.event in _ASSENT and (
            self.assent is None or _word(self.assent, self.assented) < _word(mark, _ASSENT[fact.event])
        ):
            update |= {"assent": mark, "assented": _ASSENT[fact.event]}
        return self.model_copy(update=update) if update else self


_ASSENT = {EvidenceEvent.ASSENTED: True, EvidenceEvent.DECLINED: False}


def proves_receipt(fact: EvidenceFact) -> bool:
    """A machine touch corroborates delivery; by itself it proves none."""
    return fact.grade.rank >= Grade.E2.rank


def proves_reading(fact: EvidenceFact) -> bool:
    """An attested delivery (a signed AS2 MDN, a qualified delivery service) is E6 and proves a receipt only."""
    return fact.grade.rank >= Grade.E3P.rank and fact.event is not EvidenceEvent.DELIVERED


def prove(facts: Iterable[EvidenceFact]) -> Proof:
    """What these facts about one message prove."""
    proof = Proof()
    for fact in facts:
        proof = proof.and_(fact)
    return proof


def _earlier(known: Mark | None, mark: Mark) -> Mark:
    return mark if known is None or _place(mark) < _place(known) else known


def _place(mark: Mark) -> tuple[datetime, int, str, str, str]:
    return (mark.at, -mark.grade.rank, mark.channel, mark.basis, mark.event)


def _weight(mark: Mark) -> tuple[int, float, str, str, str]:
    return (mark.grade.rank, -mark.at.timestamp(), mark.channel, mark.basis, mark.event)


def _word(mark: Mark, assented: bool | None) -> tuple[datetime, bool, int, str, str]:
    """The later word counts; of two at the same moment, the one that declines."""
    return (mark.at, assented is False, mark.grade.rank, mark.channel, mark.basis)
