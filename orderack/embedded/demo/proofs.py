"""What each story must have proved, and that the sentence shown for it says no more."""

from collections.abc import Mapping
from dataclasses import dataclass

from orderack.contracts.queries import AcknowledgementStatus, OrderStatus
from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import Grade


@dataclass(frozen=True)
class Proved:
    """How one message must stand in the record at the end: this grade exactly, and this word on its content."""

    grade: Grade | None
    """None: the provider took it, and nothing more is known."""
    revision: int = 1
    kind: Kind = Kind.CONFIRMATION
    assented: bool | None = None

    def message(self, status: OrderStatus) -> AcknowledgementStatus | None:
        """The latest message of this kind and revision."""
        found = [a for a in status.acknowledgements if (a.kind, a.revision) == (self.kind, self.revision)]
        return found[-1] if found else None

    def stands(self, status: OrderStatus) -> bool:
        """Whether it has come to that."""
        said = self.message(status)
        return said is not None and (said.grade, said.proof.assented) == (self.grade, self.assented)

    def wrong(self, status: OrderStatus) -> str:
        """How it stands instead, in words; empty: as it must."""
        said = self.message(status)
        if said is None or self.stands(status):
            return "" if said else f"there is no {self.kind} of revision {self.revision}"
        word = {None: "no word on its content", True: "agreed to", False: "declined"}
        return (
            f"the {self.kind} of revision {self.revision} is proved {said.grade or 'not at all'}, "
            f"{word[said.proof.assented]}; not {self.grade or 'at all'}, {word[self.assented]}"
        )


_OF_ARRIVAL = ("delivery", "arrived", "delivered")
_OF_READING = ("displayed", "opened", "read", "affirmed", "answered", "acted", "reached us", "agreed", "declined")
_OF_AFFIRMING = ("affirmed", "agreed", "declined")
_NEEDS: Mapping[tuple[str, ...], Grade] = {
    _OF_ARRIVAL: Grade.E2,
    _OF_READING: Grade.E3P,
    _OF_AFFIRMING: Grade.E5,
}
"""Words that a sentence may use only from this grade on."""


def says_too_much(said: AcknowledgementStatus, sentence: str) -> str:
    """The word that the evidence does not bear, or what the sentence keeps quiet; empty: it says what is proved.

    Written apart from the generator, by another rule: words against grades.
    """
    asserted = " ".join(_assertions(sentence))
    rank = said.grade.rank if said.grade else Grade.E0.rank
    for words, grade in _NEEDS.items():
        if rank < grade.rank and (word := next((w for w in words if w in asserted), None)):
            return f"“{word}” is said at {said.grade or 'no grade'}"
    if "agreed" in asserted and said.proof.assented is not True:
        return "“agreed” is said, and nobody did"
    if "declined" in asserted and said.proof.assented is not False:
        return "“declined” is said, and nobody did"
    if said.out_at and rank < Grade.E3P.rank and "No evidence" not in sentence:
        return "it does not say that nobody is known to have opened it"
    return ""


def _assertions(sentence: str) -> list[str]:
    """Its clauses but those that deny."""
    clauses = sentence.replace(": that proves no reading", "").split(". ")
    return [clause for clause in clauses if not clause.startswith("No evidence")]
