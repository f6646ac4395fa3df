"""850 → order → one answer per line → 855 or 865 → read back by other code: the same quantities."""

from datetime import date
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from orderack.domain.response import LineAnswer, Outcome
from orderack.edi.acknowledgment import Answer, acknowledgment
from orderack.edi.checks import check_purchase
from orderack.edi.envelope import read_interchanges, wrap
from orderack.edi.partner import STATUS, read_profiles
from orderack.edi.purchase import read_purchase
from orderack.edi.syntax import Delimiters
from orderack.sources._edi_x12_context import Context
from orderack.sources._edi_x12_order import order_of
from tests.conformance.source import NOW, quickly
from tests.edi import interchanges as edi
from tests.edi.test_syntax import ENVELOPE, delimiters
from tests.sources.edi_partner import PARTNER, connection

PROFILE = read_profiles({"acme": PARTNER})["acme"]
quantities = st.decimals(min_value="0.0001", max_value="99999", places=4)
NO = Decimal(0)


@st.composite
def answers(draw: st.DrawFn, line_id: str, quantity: Decimal) -> LineAnswer:
    """Any answer whose quantities come to what was ordered."""
    outcome = draw(st.sampled_from(list(Outcome)))
    note = draw(st.none() | st.text(min_size=1, max_size=30))
    if outcome is Outcome.HOLD:
        return LineAnswer(line_id=line_id, outcome=outcome, held=quantity, note=note)
    accepted = draw(st.sampled_from([NO, quantity / 2, quantity]).map(lambda part: part.quantize(Decimal("0.0001"))))
    accepted = min(accepted, quantity)
    later = draw(st.booleans())
    rest = quantity - accepted
    return LineAnswer(
        line_id=line_id,
        outcome=outcome,
        accepted=accepted,
        backordered=rest if later else NO,
        rejected=NO if later else rest,
        expected_on=draw(st.none() | st.just(date(2026, 12, 24))),
        note=note,
    )


@quickly
@given(st.data(), st.lists(quantities, min_size=1, max_size=6), delimiters(), st.booleans())
def test_what_was_answered_is_what_the_partner_reads(
    data: st.DataObject, ordered: list[Decimal], marks: Delimiters, is_change: bool
) -> None:
    lines = [f"PO1*{at}*{quantity:f}*EA*2.5**VN*SKU-{at}" for at, quantity in enumerate(ordered, 1)]
    body = edi.one(edi.order(lines=lines, tail=[f"CTT*{len(lines)}*{sum(ordered):f}"]))
    (found,) = read_interchanges(body.decode())
    (incoming,) = found.groups[0].sets
    findings = check_purchase(incoming)
    assert [finding.tag for finding in findings] in ([], ["CTT"])  # ten digits is all that CTT02 holds
    order = order_of(read_purchase(incoming), Context(connection(), "acme", PROFILE, NOW))
    assert [line.quantity for line in order.lines] == ordered
    said = tuple(data.draw(answers(line.line_id, line.quantity)) for line in order.lines)
    answer = Answer(order, said, "SO-1", None, "", is_change)
    profile = PROFILE.model_copy(update={"delimiters": marks})
    text = wrap(answer.code, [acknowledgment(answer, profile, on=date(2026, 11, 21))], ENVELOPE, marks)
    notes = [" ".join(marks.clean(one.note or "").split()) for one in said]
    assert [segment[1:] for segment in edi.parsed(text) if segment[0] == "MSG"] == [[note] for note in notes if note]
    assert _read_back(text) == [
        (one.line_id, {STATUS[Outcome.HOLD]: line.quantity}) if one.outcome is Outcome.HOLD else (one.line_id, _by(one))
        for one, line in zip(said, order.lines, strict=True)
    ]


def _by(said: LineAnswer) -> dict[str, Decimal]:
    """Quantity by ACK01."""
    head = Outcome.ACCEPT if said.outcome in (Outcome.BACKORDER, Outcome.REJECT) else said.outcome
    parts = {head: said.accepted, Outcome.BACKORDER: said.backordered, Outcome.REJECT: said.rejected}
    return {STATUS[outcome]: quantity for outcome, quantity in parts.items() if quantity}


def _read_back(text: str) -> list[tuple[str, dict[str, Decimal]]]:
    found: list[tuple[str, dict[str, Decimal]]] = []
    for segment in edi.parsed(text):
        if segment[0] in ("PO1", "POC"):
            found.append((segment[1], {}))
        elif segment[0] == "ACK":
            found[-1][1][segment[1]] = Decimal(segment[2])
    return found


def _lines_of(**over: object) -> list[list[str]]:
    """The 855 of one line, with an answer changed so."""
    body = edi.one(edi.order(lines=["PO1*1*10*EA*2.5**VN*LAMP"], tail=["CTT*1"])).decode()
    (found,) = read_interchanges(body)
    order = order_of(read_purchase(found.groups[0].sets[0]), Context(connection(), "acme", PROFILE, NOW))
    said = LineAnswer.model_validate({"line_id": "1", "outcome": "accept", "accepted": 10} | over)
    answer = Answer(order, (said,), str(over.pop("document", "SO-1")), None, "", is_change=False)
    text = wrap("855", [acknowledgment(answer, PROFILE, on=date(2026, 11, 21))], ENVELOPE, Delimiters())
    return edi.parsed(text)


def test_a_price_that_the_erp_booked_is_the_one_that_is_said() -> None:
    said = _lines_of(outcome="price", unit_price="2.75")
    assert ["PO1", "1", "10", "EA", "2.75", "", "VN", "LAMP"] in said
    assert ["ACK", "IP", "10", "EA"] in said


def test_what_is_accepted_rejected_and_open_of_one_line_is_said_apart() -> None:
    said = _lines_of(outcome="hold", accepted=4, rejected=1, held=5)
    assert [segment[1:3] for segment in said if segment[0] == "ACK"] == [["IA", "4"], ["IR", "1"], ["IH", "5"]]


def test_a_number_of_ours_that_has_no_room_is_left_out_and_not_cut() -> None:
    (own,) = [segment for segment in _lines_of(document="SO-" + "7" * 28) if segment[0] == "BAK"]
    assert own[8:] == ["", "20261121"]
    (own,) = [segment for segment in _lines_of(document="SO-" + "7" * 27) if segment[0] == "BAK"]
    assert own[8] == "SO-" + "7" * 27


def test_a_note_of_which_nothing_can_be_written_is_no_segment() -> None:
    assert not [segment for segment in _lines_of(note="~*~") if segment[0] in ("N9", "MSG")]
    (first, second) = [segment for segment in _lines_of(note="word " * 60) if segment[0] == "MSG"]
    assert len(first[1]) <= 264
    assert (first[1] + " " + second[1]).split() == ["word"] * 60
