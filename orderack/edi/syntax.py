"""X12's syntax (X12.5, X12.6): delimiters that the ISA segment itself declares, segments, elements. No meaning yet.

X12 has no way to write a delimiter as text, so the writer puts a space in its place (`Delimiters.clean`).
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from pydantic import ConfigDict, Field, model_validator

from orderack.domain.value import Value

ISA_ELEMENTS = 16
ISA_WIDTHS = (2, 10, 2, 10, 2, 15, 2, 15, 6, 4, 1, 5, 9, 1, 1, 1)
MAX_SEGMENTS = 50_000
MAX_ELEMENTS = 100
"""Of one segment; the widest of the standard has fewer than forty."""

_TAG = re.compile(r"[A-Z][A-Z0-9]{1,2}")
_BETWEEN = "\r\n\t \ufeff"
"""What may stand between segments for people's eyes."""
_UNWRITABLE = re.compile("[\x00-\x1f\x7f-\x9f\ud800-\udfff\ufffe\uffff]")


class Malformed(Exception):
    """Text that is no interchange: where, what is wrong, and X12's own code for it (TA105, interchange note code)."""

    def __init__(self, where: str, problem: str, note: str) -> None:
        super().__init__(f"{where} {problem}")
        self.where = where
        self.problem = problem
        self.note = note


class Delimiters(Value):
    """The characters that part an interchange. `line_end` follows each segment, for people's eyes."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    element: str = Field(default="*", min_length=1, max_length=1)
    component: str = Field(default=">", min_length=1, max_length=1)
    segment: str = Field(default="~", min_length=1, max_length=1)
    repetition: str = Field(default="^", min_length=1, max_length=1)
    """Written from version 00402 on; before, its place holds the standards id `U`."""
    line_end: str = Field(default="", pattern=r"^[\r\n]*$")

    @model_validator(mode="after")
    def _tells_apart(self) -> "Delimiters":
        marks = (self.element, self.component, self.segment, self.repetition)
        if len(set(marks)) < len(marks):
            raise ValueError("two delimiters are the same character")
        if any(mark.isalnum() or mark in " -.+" for mark in marks):
            raise ValueError("a delimiter cannot be a letter, a digit, a space or what numbers are written with")
        return self

    def clean(self, text: str) -> str:
        """The text as an element can carry it: delimiters and control characters are spaces, none at its ends."""
        for mark in (self.element, self.component, self.segment, self.repetition):
            text = text.replace(mark, " ")
        return _UNWRITABLE.sub(" ", text).strip()


@dataclass(frozen=True, slots=True)
class Segment:
    """One segment. Elements are numbered from 1, as in the standard: `BEG03` is `at(3)`."""

    tag: str
    elements: tuple[str, ...] = ()
    position: int = 0
    """Its place in the interchange, ISA being 1; within a transaction set in that, ST being 1."""

    def at(self, number: int) -> str:
        """The element without spaces at its ends; empty where it was left out."""
        return self.elements[number - 1].strip() if number <= len(self.elements) else ""

    def pairs(self, first: int) -> Iterator[tuple[str, str]]:
        """(qualifier, value) from this element on, as in PO106/07, PO108/09 …: those that have both."""
        for number in range(first, len(self.elements), 2):
            if self.at(number) and self.at(number + 1):
                yield self.at(number), self.at(number + 1)

    def name(self, number: int = 0) -> str:
        """`PO104 (segment 12)`, or the segment's own where no element is meant."""
        return (
            f"{self.tag}{number:02d} (segment {self.position})" if number else f"{self.tag} (segment {self.position})"
        )


def seg(tag: str, *elements: str) -> Segment:
    """A segment to be written; elements left empty at the end are not written."""
    return Segment(tag, elements)


@dataclass(frozen=True, slots=True)
class Tokens:
    """One interchange's segments as they stand, from ISA to IEA or to the end of the text."""

    delimiters: Delimiters
    segments: tuple[Segment, ...]
    text: str
    """The interchange itself."""


def tokenize(text: str) -> Iterator[Tokens]:
    """Every interchange in the text, one after the other. Raises Malformed at what belongs to none."""
    rest = text.lstrip(_BETWEEN)
    if not rest:
        raise Malformed("ISA (segment 1)", "is missing: the text is empty", "022")
    while rest:
        tokens, length = _one(rest)
        yield tokens
        rest = rest[length:].lstrip(_BETWEEN)


def _one(text: str) -> tuple[Tokens, int]:
    delimiters, length = _declared(text)
    segments, at, size = list[Segment](), 0, len(text)
    while at < size:
        end = text.find(delimiters.segment, at)
        if end < 0:
            if text[at:].strip(_BETWEEN):
                place = f"segment {len(segments) + 1}"
                raise Malformed(place, "has no end: the text breaks off there", "023")
            break
        piece = text[at:end].lstrip(_BETWEEN)
        at = end + 1
        if not piece and len(segments):
            continue
        segments.append(_segment(piece, delimiters, len(segments) + 1))
        if segments[-1].tag == "IEA":
            break
    length = at
    return Tokens(delimiters, tuple(segments), text[:length]), length


def _segment(piece: str, delimiters: Delimiters, position: int) -> Segment:
    tag, *elements = piece.split(delimiters.element)
    if not _TAG.fullmatch(tag):
        raise Malformed(f"segment {position}", "begins with no segment's name", "024")
    if position > MAX_SEGMENTS:
        raise Malformed(f"segment {position}", f"is one of more than {MAX_SEGMENTS}: send smaller interchanges", "024")
    if len(elements) > MAX_ELEMENTS:
        raise Malformed(f"{tag} (segment {position})", f"has more than {MAX_ELEMENTS} elements", "024")
    return Segment(tag, tuple(elements), position)


def _declared(text: str) -> tuple[Delimiters, int]:
    """The delimiters that the ISA segment declares by its own form, and where it ends."""
    if not text.startswith("ISA") or len(text) < 4:
        raise Malformed("ISA (segment 1)", "is not what the text begins with", "022")
    parts = text[:400].split(text[3], ISA_ELEMENTS)
    last = parts[ISA_ELEMENTS] if len(parts) > ISA_ELEMENTS else ""
    if len(last) < 2:
        raise Malformed("ISA (segment 1)", f"has not its {ISA_ELEMENTS} elements", "022")
    for number, (part, width) in enumerate(zip(parts[1:-1], ISA_WIDTHS, strict=False), 1):
        if len(part) > width:
            raise Malformed(f"ISA{number:02d} (segment 1)", f"is longer than {width} characters", "022")
    repetition = parts[11] if parts[11] and not parts[11].isalnum() else ""
    try:
        spare = next(mark for mark in "^!|%" if mark not in (text[3], last[0], last[1]))
        delimiters = Delimiters(element=text[3], component=last[0], segment=last[1], repetition=repetition or spare)
    except ValueError:
        raise Malformed("ISA (segment 1)", "declares delimiters that cannot be told apart from text", "026") from None
    return delimiters, sum(map(len, parts[:ISA_ELEMENTS])) + ISA_ELEMENTS + 2


def written(segments: Sequence[Segment], delimiters: Delimiters) -> str:
    """The text of these segments. ISA's elements are padded as they have to be; all others carry clean text."""
    return "".join(_line(segment, delimiters) + delimiters.segment + delimiters.line_end for segment in segments)


def _line(segment: Segment, delimiters: Delimiters) -> str:
    if segment.tag == "ISA":
        fixed = [text[:width].ljust(width) for text, width in zip(segment.elements, ISA_WIDTHS, strict=True)]
        return delimiters.element.join(("ISA", *fixed))
    elements = [delimiters.clean(element) for element in segment.elements]
    while elements and not elements[-1]:
        elements.pop()
    return delimiters.element.join((segment.tag, *elements))
