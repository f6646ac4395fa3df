"""997 and TA1: what we say of the interchanges that come, and what partners say of ours. No promise is in either."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import groupby

from orderack.edi.envelope import GROUP_IN_WORDS, IN_WORDS, Group, Interchange, SetError, TransactionSet
from orderack.edi.rules import Finding, WrongSegment
from orderack.edi.syntax import Segment, seg

ACCEPTED, PARTLY, REJECTED = "A", "P", "R"

_OF_PEOPLE = frozenset({"93", "166", "364", "352", "933"})
"""Elements that name people and where they live: name, address, communication number, free text."""


@dataclass(slots=True)
class Verdict:
    """What we make of one transaction set."""

    of: TransactionSet
    errors: list[SetError] = field(default_factory=list)
    findings: list[Finding] = field(default_factory=list)

    @property
    def accepted(self) -> bool:
        return not self.errors and not self.findings


def acknowledge(group: Group, verdicts: Sequence[Verdict], *, details: bool = True) -> list[Segment]:
    """The 997 of a group, without ST and SE. `details`: every segment and element that is wrong, by AK3 and AK4."""
    found = [seg("AK1", group.functional_id, group.control)]
    for verdict in verdicts:
        found.append(seg("AK2", verdict.of.code, verdict.of.control))
        if details:
            found += _details(verdict.findings)
        errors = [*verdict.errors, *([SetError.SEGMENTS] if verdict.findings else [])]
        found.append(seg("AK5", ACCEPTED if verdict.accepted else REJECTED, *dict.fromkeys(errors)))
    taken = 0 if group.errors else sum(verdict.accepted for verdict in verdicts)
    status = ACCEPTED if taken == len(verdicts) and not group.errors else PARTLY if taken else REJECTED
    counts = (str(group.told or len(verdicts)), str(len(verdicts)), str(taken))
    return [*found, seg("AK9", status, *counts, *dict.fromkeys(group.errors))]


def _details(findings: Sequence[Finding]) -> list[Segment]:
    found: list[Segment] = []
    by_segment = groupby(sorted(findings, key=lambda one: (one.place, one.tag)), key=lambda one: (one.tag, one.place))
    for (tag, place), group in by_segment:
        ours = list(group)
        whole = next((one.code for one in ours if isinstance(one.code, WrongSegment)), WrongSegment.ELEMENTS)
        found.append(seg("AK3", tag, str(place), "", whole))
        found += [seg("AK4", str(one.element), one.reference, one.code, _copy(one)) for one in ours if one.element]
    return found


def _copy(finding: Finding) -> str:
    """AK404: the bad element again; nobody's name, address or number goes into what we keep of an interchange."""
    return "" if finding.reference in _OF_PEOPLE else finding.value


def report(interchange: Interchange, note: str, at: datetime) -> Segment:
    """TA1: the interchange is accepted (note 000), or refused as a whole."""
    day, time = interchange.header.at(9), interchange.header.at(10)
    return seg("TA1", interchange.control, day or f"{at:%y%m%d}", time or f"{at:%H%M}", _status(note), note)


def _status(note: str) -> str:
    return ACCEPTED if note == "000" else REJECTED


@dataclass(frozen=True, slots=True)
class Said:
    """What a partner says of one of our sets, or, without a set, of a group or an interchange of ours."""

    document: str
    control: str
    """Of the group or the interchange: the number that our answer has in the record."""
    status: str
    why: str

    @property
    def accepted(self) -> bool:
        return self.status in {ACCEPTED, "E"}

    def __str__(self) -> str:
        word = "accepted" if self.accepted else "rejected"
        return f"{self.document} {self.control} {word} by the partner{f': {self.why}' if self.why else ''}"


def read_acknowledgement(of: TransactionSet) -> list[Said]:
    """What a 997 says: of each set, and of the group where it is not taken as a whole."""
    control, document, why, found = "", "", list[str](), list[Said]()
    for segment in of.segments:
        match segment.tag:
            case "AK1":
                control = segment.at(2)
            case "AK2":
                document, why = segment.at(1), []
            case "AK3":
                why.append(f"{segment.at(1)} at {segment.at(2)}: {_SEGMENT_WORDS.get(segment.at(4), segment.at(4))}")
            case "AK4":
                why.append(f"element {segment.at(1)}: {_ELEMENT_WORDS.get(segment.at(3), segment.at(3))}")
            case "AK5":
                codes = [IN_WORDS.get(code, f"code {code}") for code in segment.elements[1:] if code]
                found.append(Said(document or "set", control, segment.at(1), "; ".join([*codes, *why])[:500]))
            case "AK9" if segment.at(1) not in {ACCEPTED, "E"} and all(one.accepted for one in found):
                codes = [GROUP_IN_WORDS.get(code, f"code {code}") for code in segment.elements[4:] if code]
                found.append(Said("group", control, segment.at(1), "; ".join(codes)[:500]))
    return found


def read_report(segment: Segment) -> Said:
    """What a TA1 says of an interchange of ours."""
    return Said("interchange", segment.at(1), segment.at(4), f"note {segment.at(5)}" if segment.at(5) != "000" else "")


_SEGMENT_WORDS: Mapping[str, str] = {
    "1": "a segment that is not known",
    "2": "a segment that is not expected there",
    "3": "a segment is missing",
    "4": "a loop stands there too often",
    "5": "a segment stands there too often",
    "6": "a segment that the set does not have",
    "7": "not in its place",
    "8": "errors in its elements",
}
_ELEMENT_WORDS: Mapping[str, str] = {
    "1": "is missing",
    "2": "is missing beside another",
    "3": "is too many",
    "4": "is too short",
    "5": "is too long",
    "6": "holds a character that it may not",
    "7": "has a value that is not taken",
    "8": "is no date",
    "9": "is no time",
    "10": "may not stand beside another",
}
