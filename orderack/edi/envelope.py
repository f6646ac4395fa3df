"""Envelopes (X12.5, X12.6): interchange, groups, transaction sets; what is wrong with each, by X12's own codes."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from enum import StrEnum

from orderack.edi.syntax import Delimiters, Malformed, Segment, Tokens, seg, tokenize, written

FUNCTIONAL_ID = {"850": "PO", "855": "PR", "860": "PC", "865": "CA", "997": "FA"}
"""Transaction set → GS01."""


class SetError(StrEnum):
    """AK502 … (element 718)."""

    NOT_SUPPORTED = "1"
    NO_TRAILER = "2"
    CONTROL_NUMBERS = "3"
    COUNT = "4"
    SEGMENTS = "5"
    NO_CONTROL_NUMBER = "7"
    REPEATED_CONTROL_NUMBER = "23"


class GroupError(StrEnum):
    """AK905 … (element 716)."""

    NOT_SUPPORTED = "1"
    VERSION = "2"
    NO_TRAILER = "3"
    CONTROL_NUMBERS = "4"
    COUNT = "5"
    REPEATED_CONTROL_NUMBER = "19"


IN_WORDS: dict[str, str] = {
    SetError.NO_TRAILER: "has no SE",
    SetError.CONTROL_NUMBERS: "SE02 is not ST02",
    SetError.COUNT: "SE01 is not the number of its segments",
    SetError.NO_CONTROL_NUMBER: "ST02 is missing",
    SetError.REPEATED_CONTROL_NUMBER: "ST02 is that of an earlier set of the group",
}
GROUP_IN_WORDS: dict[str, str] = {
    GroupError.NOT_SUPPORTED: "GS01 is no kind of document that is taken here",
    GroupError.VERSION: "GS08 is not the version agreed on",
    GroupError.NO_TRAILER: "has no GE",
    GroupError.CONTROL_NUMBERS: "GE02 is not GS06",
    GroupError.COUNT: "GE01 is not the number of its transaction sets",
    GroupError.REPEATED_CONTROL_NUMBER: "GS06 is that of an earlier group of the interchange",
}


@dataclass(slots=True)
class TransactionSet:
    """From ST to SE. Its segments are counted within it, ST being 1, as AK302 does."""

    segments: list[Segment]
    errors: list[SetError] = field(default_factory=list)

    @property
    def code(self) -> str:
        return self.segments[0].at(1)

    @property
    def control(self) -> str:
        return self.segments[0].at(2)

    def __str__(self) -> str:
        return f"{self.code or 'transaction set'} {self.control}".strip()


@dataclass(slots=True)
class Group:
    """From GS to GE."""

    header: Segment
    sets: list[TransactionSet] = field(default_factory=list)
    errors: list[GroupError] = field(default_factory=list)
    told: int = 0
    """How many sets GE01 says that there are."""

    @property
    def functional_id(self) -> str:
        return self.header.at(1)

    @property
    def control(self) -> str:
        return self.header.at(6)

    @property
    def version(self) -> str:
        return self.header.at(8)


@dataclass(frozen=True, slots=True)
class Party:
    """Who an interchange is from or for: ISA05/06, ISA07/08."""

    qualifier: str
    id: str

    def __str__(self) -> str:
        return f"{self.qualifier}/{self.id}"


@dataclass(slots=True)
class Interchange:
    """From ISA to IEA. `fault`: it cannot be trusted as a whole, and nothing in it is taken."""

    tokens: Tokens
    groups: list[Group] = field(default_factory=list)
    reports: list[Segment] = field(default_factory=list)
    """TA1: what the sender says of interchanges of ours."""
    fault: Malformed | None = None

    @property
    def header(self) -> Segment:
        return self.tokens.segments[0]

    @property
    def sender(self) -> Party:
        return Party(self.header.at(5), self.header.at(6))

    @property
    def receiver(self) -> Party:
        return Party(self.header.at(7), self.header.at(8))

    @property
    def control(self) -> str:
        return self.header.at(13)

    @property
    def wants_ta1(self) -> bool:
        return self.header.at(14) == "1"

    @property
    def usage(self) -> str:
        return self.header.at(15)


def read_interchanges(text: str) -> Iterator[Interchange]:
    """Each interchange in the text. Raises Malformed where there is none, or the text is cut off."""
    for tokens in tokenize(text):
        yield _read(tokens)


def _read(tokens: Tokens) -> Interchange:
    found = Interchange(tokens)
    if not (found.control.isascii() and found.control.isdigit() and len(found.control) <= 9):
        found.fault = Malformed("ISA13 (segment 1)", "is not a number of nine digits", "018")
        return found
    end = tokens.segments[-1]
    found.reports = [segment for segment in tokens.segments if segment.tag == "TA1"]
    body = [segment for segment in tokens.segments[1:] if segment.tag != "TA1"]
    if end.tag != "IEA":
        found.fault = Malformed(f"IEA (segment {len(tokens.segments) + 1})", "is missing", "023")
        return found
    try:
        found.groups = _groups(body[:-1])
    except Malformed as malformed:
        found.fault = malformed
        return found
    if end.at(2).lstrip("0") != found.control.lstrip("0"):
        found.fault = Malformed(end.name(2), "is not ISA13", "001")
    elif not _counts(end.at(1), len(found.groups)):
        found.fault = Malformed(end.name(1), f"is not the number of groups, which is {len(found.groups)}", "021")
    return found


def _counts(said: str, count: int) -> bool:
    return said.isascii() and said.isdigit() and len(said) < 10 and int(said) == count


def _groups(segments: Sequence[Segment]) -> list[Group]:
    groups: list[Group] = []
    group: Group | None = None
    for segment in segments:
        if segment.tag == "GS":
            if group is not None:
                group.errors.append(GroupError.NO_TRAILER)
                _unended(group)
            group = Group(segment)
            if segment.at(6) in {one.control for one in groups}:
                group.errors.append(GroupError.REPEATED_CONTROL_NUMBER)
            groups.append(group)
        elif group is None:
            raise Malformed(segment.name(), "stands outside of any group (GS … GE)", "024")
        elif segment.tag == "GE":
            _end_group(group, segment)
            group = None
        else:
            _into(group, segment)
    if group is not None:
        group.errors.append(GroupError.NO_TRAILER)
        _unended(group)
    return groups


def _end_group(group: Group, trailer: Segment) -> None:
    _unended(group)
    group.told = int(trailer.at(1)) if _digits(trailer.at(1)) else 0
    if trailer.at(2).lstrip("0") != group.control.lstrip("0"):
        group.errors.append(GroupError.CONTROL_NUMBERS)
    if not _counts(trailer.at(1), len(group.sets)):
        group.errors.append(GroupError.COUNT)


def _digits(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) < 7


def _into(group: Group, segment: Segment) -> None:
    """Of a set of this group."""
    is_open = bool(group.sets) and group.sets[-1].segments[-1].tag != "SE"
    if segment.tag == "ST":
        _unended(group)
        found = TransactionSet([replace(segment, position=1)])
        if not segment.at(2):
            found.errors.append(SetError.NO_CONTROL_NUMBER)
        elif segment.at(2) in {one.control for one in group.sets}:
            found.errors.append(SetError.REPEATED_CONTROL_NUMBER)
        group.sets.append(found)
        return
    if not is_open:
        raise Malformed(segment.name(), "stands outside of any transaction set (ST … SE)", "024")
    found = group.sets[-1]
    found.segments.append(replace(segment, position=len(found.segments) + 1))
    if segment.tag == "SE":
        if not _counts(segment.at(1), len(found.segments)):
            found.errors.append(SetError.COUNT)
        if segment.at(2) != found.control:
            found.errors.append(SetError.CONTROL_NUMBERS)


def _unended(group: Group) -> None:
    if group.sets and group.sets[-1].segments[-1].tag != "SE":
        group.sets[-1].errors.append(SetError.NO_TRAILER)


def alone(interchange: Interchange, group: Group, found: TransactionSet) -> str:
    """One set as an interchange by itself, every element as it came: what is kept of it, and read again."""
    marks = interchange.tokens.delimiters
    header, control = interchange.header, interchange.control
    segments = (group.header, *found.segments, seg("GE", "1", group.control), seg("IEA", "1", control))
    lines = (marks.element.join((one.tag, *one.elements)) for one in (header, *segments))
    return "".join(f"{line}{marks.segment}\n" for line in lines)


@dataclass(frozen=True, slots=True)
class Envelope:
    """What goes around the sets that we send."""

    sender: Party
    receiver: Party
    group_sender: str
    group_receiver: str
    version: str
    """Of the documents, as in GS08: `004010`."""
    usage: str
    control: int
    """At most nine digits. Given once: it is ISA13 and GS06."""
    at: datetime
    ack_requested: bool = False


def wrap(
    code: str,
    sets: Sequence[Sequence[Segment]],
    envelope: Envelope,
    delimiters: Delimiters,
    reports: Sequence[Segment] = (),
) -> str:
    """The interchange of these sets of one kind (`code`), in one group, each without its ST and SE; TA1s go first."""
    group: list[Segment] = []
    if sets:
        day, clock = f"{envelope.at:%Y%m%d}", f"{envelope.at:%H%M%S}"
        own = (envelope.group_sender, envelope.group_receiver, day, clock, str(envelope.control))
        group.append(seg("GS", FUNCTIONAL_ID[code], *own, "X", envelope.version))
        for number, body in enumerate(sets, 1):
            group += [seg("ST", code, f"{number:04d}"), *body, seg("SE", str(len(body) + 2), f"{number:04d}")]
        group.append(seg("GE", str(len(sets)), str(envelope.control)))
    end = seg("IEA", "1" if sets else "0", f"{envelope.control:09d}")
    return written((_isa(envelope, delimiters), *reports, *group, end), delimiters)


def _isa(envelope: Envelope, delimiters: Delimiters) -> Segment:
    return seg(
        *("ISA", "00", "", "00", "", envelope.sender.qualifier, envelope.sender.id),
        *(envelope.receiver.qualifier, envelope.receiver.id, f"{envelope.at:%y%m%d}", f"{envelope.at:%H%M}"),
        delimiters.repetition if envelope.version >= "00402" else "U",
        *(envelope.version[:5], f"{envelope.control:09d}", "1" if envelope.ack_requested else "0"),
        *(envelope.usage, delimiters.component),
    )


def day_of(text: str) -> date | None:
    """A date of X12: eight digits, or six with the century left out (2000 and later)."""
    if not (text.isascii() and text.isdigit() and len(text) in (6, 8)):
        return None
    full = text if len(text) == 8 else f"20{text}"
    try:
        return date(int(full[:4]), int(full[4:6]), int(full[6:]))
    except ValueError:
        return None


def clock_of(text: str) -> time | None:
    """A time of day of X12: HHMM, HHMMSS, or with decimals of the second, which are dropped."""
    if not (text.isascii() and text.isdigit() and len(text) in (4, 6, 7, 8)):
        return None
    hour, minute, second = int(text[:2]), int(text[2:4]), int(text[4:6] or 0)
    return time(hour, minute, second) if hour < 24 and minute < 60 and second < 60 else None
