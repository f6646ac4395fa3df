"""What the elements of the segments that we read must be (X12 dictionary, versions 004010 to 005010), as data.

An element is `reference:type:longest`, with `!` where it is mandatory; `-` is one that we do not read. Lengths are
those of the longer version, and shortest lengths are not held against anybody: nothing depends on them.
"""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum

from orderack.edi.envelope import TransactionSet, clock_of, day_of
from orderack.edi.syntax import Segment

_SHARES = " ".join(["67:AN:80 380:R:15"] * 9)
_IDS = " ".join(["235:ID:2 234:AN:80"] * 10)
_SPEC: Mapping[str, str] = {
    "BEG": "353:ID:2! 92:ID:2! 324:AN:22! 328:AN:30 373:DT:8! 367:AN:30",
    "BCH": "353:ID:2! 92:ID:2! 324:AN:22! 328:AN:30 327:AN:8 373:DT:8! 326:AN:45 367:AN:30 127:AN:50 373:DT:8 373:DT:8",
    "CUR": "98:ID:3! 100:ID:3!",
    "REF": "128:ID:3! 127:AN:50 352:AN:80",
    "PER": "366:ID:2! 93:AN:60 365:ID:2 364:AN:256 365:ID:2 364:AN:256 365:ID:2 364:AN:256",
    "ITD": "336:ID:2 333:ID:2 338:R:6 370:DT:8 351:N0:3 446:DT:8 386:N0:3 362:N2:10 - - - 352:AN:80",
    "DTM": "374:ID:3! 373:DT:8 337:TM:8",
    "N1": "98:ID:3! 93:AN:60 66:ID:2 67:AN:80",
    "N2": "93:AN:60! 93:AN:60",
    "N3": "166:AN:55! 166:AN:55",
    "N4": "19:AN:30 156:AN:3 116:AN:15 26:ID:3",
    "PO1": f"350:AN:20 380:R:15! 355:ID:2 212:R:17 639:ID:2 {_IDS}",
    "POC": f"350:AN:20 670:ID:2! 380:R:15 671:R:9 - 212:R:17 639:ID:2 {_IDS}",
    "PID": "349:ID:1! 750:ID:3 559:ID:2 751:AN:12 352:AN:80",
    "MSG": "933:AN:264!",
    "NTE": "363:ID:3 352:AN:80!",
    "N9": "128:ID:3! 127:AN:50 369:AN:45",
    "SAC": "248:ID:1! 1300:ID:4 559:ID:2 1301:AN:10 610:N2:15 378:ID:1 332:R:6 118:R:9 355:ID:2 380:R:15",
    "TXI": "963:ID:2! 782:R:18 954:R:10",
    "SDQ": f"355:ID:2! 66:ID:2 67:AN:80! 380:R:15! {_SHARES}",
    "CTT": "354:N0:6! 347:R:10",
    "AMT": "522:ID:3! 782:R:18!",
}
MOST_FINDINGS = 50


class Wrong(StrEnum):
    """AK403 (element 723)."""

    MISSING = "1"
    TOO_LONG = "5"
    CHARACTER = "6"
    VALUE = "7"
    DATE = "8"
    TIME = "9"


class WrongSegment(StrEnum):
    """AK304 (element 720)."""

    MISSING = "3"
    TOO_OFTEN = "5"
    ELEMENTS = "8"


@dataclass(frozen=True, slots=True)
class Element:
    reference: str
    kind: str
    longest: int
    mandatory: bool


def _elements(text: str) -> tuple[Element | None, ...]:
    found: list[Element | None] = []
    for word in text.split():
        if word == "-":
            found.append(None)
            continue
        reference, kind, longest = word.rstrip("!").split(":")
        found.append(Element(reference, kind, int(longest), word.endswith("!")))
    return tuple(found)


ELEMENTS: Mapping[str, tuple[Element | None, ...]] = {tag: _elements(text) for tag, text in _SPEC.items()}


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong with a set: which segment, which element, and how (AK3, AK4)."""

    tag: str
    place: int
    """In the set, ST being 1."""
    code: Wrong | WrongSegment
    words: str
    element: int = 0
    reference: str = ""
    value: str = ""
    """As it came, for the sender's eyes alone."""

    @property
    def where(self) -> str:
        element = f"{self.element:02d}" if self.element else ""
        return f"{self.tag}{element} (segment {self.place})"


class Reporter:
    """What is found wrong with one set, by the segment it is found in."""

    def __init__(self) -> None:
        self.found: list[Finding] = []

    def element(self, segment: Segment, number: int, code: Wrong, words: str) -> None:
        spec = ELEMENTS.get(segment.tag, ())
        known = spec[number - 1] if number <= len(spec) else None
        self._add(segment, code, words, number, known.reference if known else "", segment.at(number))

    def segment(self, segment: Segment, code: WrongSegment, words: str) -> None:
        self._add(segment, code, words, 0, "", "")

    def missing(self, tag: str, before: Segment, words: str) -> None:
        """A segment that should stand where `before` does."""
        self.found.append(Finding(tag, before.position, WrongSegment.MISSING, words))

    def _add(self, at: Segment, code: Wrong | WrongSegment, words: str, number: int, ref: str, value: str) -> None:
        if len(self.found) < MOST_FINDINGS:
            self.found.append(Finding(at.tag, at.position, code, words, number, ref, value[:99]))


_NUMBER = re.compile(r"-?(\d{1,15}(\.\d{0,12})?|\.\d{1,12})")
_CONTROL = re.compile("[\x00-\x1f\x7f]")

_FITS: Mapping[str, tuple[Callable[[str], bool], Wrong, str]] = {
    "AN": (lambda text: not _CONTROL.search(text), Wrong.CHARACTER, "holds a control character"),
    "ID": (lambda text: text.isalnum(), Wrong.CHARACTER, "is not letters and digits"),
    "N0": (
        lambda text: text.removeprefix("-").isdecimal() and text.isascii(),
        Wrong.CHARACTER,
        "is not a whole number",
    ),
    "N2": (
        lambda text: text.removeprefix("-").isdecimal() and text.isascii(),
        Wrong.CHARACTER,
        "is not digits alone (the last two are decimals)",
    ),
    "R": (lambda text: _NUMBER.fullmatch(text) is not None and text.isascii(), Wrong.CHARACTER, "is not a number"),
    "DT": (lambda text: day_of(text) is not None, Wrong.DATE, "is not a date (CCYYMMDD)"),
    "TM": (lambda text: clock_of(text) is not None, Wrong.TIME, "is not a time"),
}


def check_elements(of: TransactionSet, report: Reporter) -> None:
    """Every element that the tables know: there where it must be, and of its type and length."""
    for segment in of.segments:
        spec = ELEMENTS.get(segment.tag)
        if spec is None:
            continue
        for number, element in enumerate(spec, 1):
            if element is not None:
                _check(segment, number, element, report)


def _check(segment: Segment, number: int, element: Element, report: Reporter) -> None:
    text = segment.at(number)
    if not text:
        if element.mandatory:
            report.element(segment, number, Wrong.MISSING, "is missing")
        return
    fits, code, words = _FITS[element.kind]
    if len(text.replace("-", "").replace(".", "") if element.kind in "N0 N2 R" else text) > element.longest:
        report.element(segment, number, Wrong.TOO_LONG, f"is longer than {element.longest} characters")
    elif not fits(text):
        report.element(segment, number, code, words)


def number_of(text: str) -> Decimal | None:
    """A number of type R that has been checked; None where it was left out."""
    return Decimal(text) if text else None


def two_decimals(text: str) -> Decimal | None:
    """A number of type N2: the last two digits are decimals."""
    return Decimal(text).scaleb(-2) if text else None


def first(segments: Sequence[Segment], tag: str) -> Segment | None:
    return next(all_of(segments, tag), None)


def all_of(segments: Sequence[Segment], *tags: str) -> Iterator[Segment]:
    return (segment for segment in segments if segment.tag in tags)
