"""X12's syntax and envelopes: any delimiters, any text."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderack.edi.envelope import Envelope, GroupError, Interchange, Party, SetError, alone, read_interchanges, wrap
from orderack.edi.syntax import MAX_ELEMENTS, Delimiters, Malformed, Segment, seg
from tests.conformance.source import quickly
from tests.edi import interchanges as edi

AT = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
ENVELOPE = Envelope(Party("ZZ", "US"), Party("01", "THEM"), "US", "THEM", "004010", "P", 42, AT)

marks = st.sampled_from("*~>|^!'?\\:;{}\x1c\x1d\x1e\x1f\x85§\n")


@st.composite
def delimiters(draw: st.DrawFn) -> Delimiters:
    four = draw(st.lists(marks, min_size=4, max_size=4, unique=True))
    end = draw(st.sampled_from(["", "\n", "\r\n"]))
    return Delimiters(element=four[0], component=four[1], segment=four[2], repetition=four[3], line_end=end)


bodies = st.lists(st.lists(st.text(max_size=12), max_size=6), min_size=1, max_size=5)


def _written(bodies: Sequence[Sequence[str]], marks: Delimiters, version: str = "004010") -> Interchange:
    body = [seg("REF", *elements) for elements in bodies]
    (found,) = read_interchanges(wrap("855", [body], replace(ENVELOPE, version=version), marks))
    return found


@quickly
@given(bodies, delimiters(), st.sampled_from(["004010", "005010"]))
def test_what_is_written_reads_back_as_clean_text(elements: list[list[str]], marks: Delimiters, version: str) -> None:
    found = _written(elements, marks, version)
    assert found.fault is None
    (group,) = found.groups
    (one,) = group.sets
    assert (group.errors, one.errors) == ([], [])
    back = [[segment.at(number + 1) for number in range(6)] for segment in one.segments[1:-1]]
    clean = [[marks.clean(text) for text in row] + [""] * (6 - len(row)) for row in elements]
    assert back == clean
    assert (found.sender.id, found.receiver.id, found.control, group.version) == ("US", "THEM", "000000042", version)


@quickly
@given(bodies, delimiters())
def test_a_set_kept_by_itself_is_the_same_set(elements: list[list[str]], marks: Delimiters) -> None:
    found = _written(elements, marks)
    (group,) = found.groups
    (again,) = read_interchanges(alone(found, group, group.sets[0]))
    assert again.fault is None
    assert again.groups[0].sets[0].segments == group.sets[0].segments


@quickly
@given(st.text(max_size=300))
def test_any_text_is_an_interchange_or_malformed_at_a_named_place(text: str) -> None:
    for start in ("", "ISA*", edi.one(edi.order()).decode()[:150]):
        found = _faults(start + text)
        assert all(one.where and one.note for one in found)


def _faults(text: str) -> list[Malformed]:
    try:
        return [one.fault for one in read_interchanges(text) if one.fault]
    except Malformed as malformed:
        return [malformed]


@pytest.mark.parametrize("marks", [("|", ":", "\n"), ("*", ">", "'"), ("\x1d", "\x1f", "\x1c"), ("^", "<", "~")])
def test_the_isa_itself_says_what_the_delimiters_are(marks: Sequence[str]) -> None:
    body = edi.interchange([edi.group([edi.order()])], delimiters=marks).decode()
    (found,) = read_interchanges(body)
    assert found.fault is None
    assert found.groups[0].sets[0].segments[1].at(3) == "PO-4711"


def test_several_interchanges_may_stand_in_one_text() -> None:
    texts = [edi.one(edi.order(), control=f"00000090{number}").decode() for number in (1, 2)]
    found = list(read_interchanges("\r\n\n".join(texts)))
    assert [one.control for one in found] == ["000000901", "000000902"]
    assert [one.tokens.text for one in found] == [text.rstrip("\n") for text in texts]


@pytest.mark.parametrize(
    ("text", "where", "note"),
    [
        ("", "ISA", "022"),
        ("hello", "ISA", "022"),
        ("ISA*00*", "ISA", "022"),
        ("ISA" + "A" * 200, "ISA", "026"),
        (edi.one(edi.order()).decode().replace("*P*>", "*P*A"), "ISA", "026"),
        (edi.one(edi.order()).decode().replace("FJORDLIGHT     ", "FJORDLIGHT       "), "ISA08", "022"),
        (edi.one(edi.order()).decode().replace("BEG*", "12BEG*"), "segment 4", "024"),
        (edi.one(edi.order()).decode().replace("CTT*3", "CTT" + "*3" * (MAX_ELEMENTS + 1)), "CTT", "024"),
        (edi.one(edi.order()).decode()[:-30], "segment", "023"),
    ],
)
def test_what_is_malformed_is_named_by_its_place(text: str, where: str, note: str) -> None:
    with pytest.raises(Malformed) as no:
        list(read_interchanges(text))
    assert where in no.value.where
    assert no.value.note == note


def _group(text: str, old: str, new: str) -> Interchange:
    assert old in text
    (found,) = read_interchanges(text.replace(old, new))
    assert found.fault is None
    return found


@pytest.mark.parametrize(
    ("old", "new", "group_errors", "set_errors"),
    [
        ("GE*1*17", "GE*2*17", [GroupError.COUNT], []),
        ("GE*1*17", "GE*1*18", [GroupError.CONTROL_NUMBERS], []),
        ("GE*1*17~\n", "", [GroupError.NO_TRAILER], []),
        ("*0001~\nGE", "*0002~\nGE", [], [SetError.CONTROL_NUMBERS]),
        ("CTT*3~", "CTT*3~MSG*x~", [], [SetError.COUNT]),
        ("ST*850*0001", "ST*850", [], [SetError.NO_CONTROL_NUMBER, SetError.CONTROL_NUMBERS]),
    ],
)
def test_an_envelope_that_does_not_fit_has_x12s_code(
    old: str, new: str, group_errors: list[GroupError], set_errors: list[SetError]
) -> None:
    found = _group(edi.one(edi.order()).decode(), old, new)
    assert found.groups[0].errors == group_errors
    assert found.groups[0].sets[0].errors == set_errors


def test_a_set_without_its_end_and_a_group_number_used_twice_are_seen() -> None:
    open_ended = [one for one in edi.order() if not one.startswith("SE*")]
    (found,) = read_interchanges(edi.interchange([edi.group([open_ended]), edi.group([edi.order()])]).decode())
    assert found.groups[0].sets[0].errors == [SetError.NO_TRAILER]
    assert found.groups[1].errors == [GroupError.REPEATED_CONTROL_NUMBER]


def test_delimiters_that_text_needs_are_none() -> None:
    for mark in ("A", "7", " ", "-", ".", "+"):
        with pytest.raises(ValueError, match="delimiter"):
            Delimiters(element=mark)


def test_elements_are_named_as_the_standard_names_them() -> None:
    segment = Segment("PO1", ("1", "10", "EA", "12.5"), 7)
    assert (segment.at(4), segment.at(9), segment.name(4), segment.name()) == (
        "12.5",
        "",
        "PO104 (segment 7)",
        "PO1 (segment 7)",
    )
