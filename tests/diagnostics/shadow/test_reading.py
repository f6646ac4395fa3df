"""The old flow's events from files as shops export them; wrong ones are named by line, and nothing is half read."""

from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from orderack.diagnostics.shadow.reading import MOST_PROBLEMS, read_events
from orderack.domain.acknowledgement import Kind
from orderack.domain.shadow import KINDS, TO_BUYERS, Figures, OldEvent
from orderack.errors import InvalidInput

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
CSV = """Event ID,Order Number,Template,Sent At,Order Total,Currency,Items,Delivery Date
m-1,1001,Order Confirmation,2026-03-02T09:30:00Z,20.00,EUR,2,2026-03-05
m-2,1002,order-received,2026-03-02 09:30:00,,,,
"""


def read(text: str, columns: dict[str, str] | None = None, kinds: dict[str, str] | None = None) -> list[OldEvent]:
    return list(read_events(text, columns or {}, kinds or {}))


def problems(text: str, columns: dict[str, str] | None = None) -> list[str]:
    with pytest.raises(InvalidInput) as wrong:
        read(text, columns)
    return [f"{p.field}: {p.problem}" for p in wrong.value.problems]


def test_a_shops_export_is_read_by_the_usual_names_of_its_columns() -> None:
    first, second = read(CSV)
    assert (first.id, first.order, first.means, first.at) == ("m-1", "1001", Kind.CONFIRMATION, AT)
    assert first.figures == Figures(total=Decimal("20.00"), currency="EUR", lines=2, promise_on=date(2026, 3, 5))
    assert (second.means, second.at, second.figures) == (Kind.RECEIVED, AT, Figures()), "without a zone it is UTC"


def test_a_row_without_an_id_is_the_same_event_whenever_it_is_read() -> None:
    rows = "order,kind,at\n1,confirmation,2026-03-02T09:30Z\n1,confirmation,2026-03-02T09:31Z\n"
    once, again = read(rows), read(rows)
    assert once == again
    assert len({event.id for event in once}) == 2


def test_columns_and_kinds_can_be_named() -> None:
    rows = "Bestellung;x\n"
    assert "no column is order or kind or at" in problems(rows)[0]
    rows = "nr,what,when\n7,Eingang,2026-03-02T09:30Z\n"
    (event,) = read(rows, {"order": "nr", "kind": "what", "at": "when"}, {"Eingang": "received"})
    assert (event.order, event.means) == ("7", Kind.RECEIVED)
    assert problems(rows, {"order": "number"}) == ["order: the file has no column 'number'"]


def test_ndjson_is_read_as_the_gateway_takes_it() -> None:
    event = OldEvent(id="m-1", order="1001", kind="confirmed", at=AT, figures=Figures(lines=2))
    assert read(event.model_dump_json() + "\n\n" + event.model_dump_json()) == [event, event]
    (number,) = read('{"id": 5, "order": 1001, "kind": "other", "at": "2026-03-02T09:30:00+01:00"}')
    assert (number.id, number.order, number.means) == ("5", "1001", None)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "header: no column is order or kind or at; the file has none"),
        ("order,kind,at\n1,hello,2026-03-02T09:30Z\n", "line 2, kind: 'hello' is no kind of message that we know"),
        ("order,kind,at\n1,received,yesterday\n", "line 2, at"),
        ("order,kind,at\n1,received,\n", "line 2, at"),
        ("order,kind,at\n,received,2026-03-02T09:30Z\n", "line 2, order"),
        ("order,kind,at,total\n1,received,2026-03-02T09:30Z,twenty\n", "line 2, figures.total"),
        ('{"order": "1"}\n[]', "line 2: is no JSON object"),
        ('{"order": "1"', "line 1: is no JSON object"),
    ],
)
def test_what_is_wrong_is_said_by_line_and_nothing_is_read(text: str, said: str) -> None:
    assert any(found.startswith(said) for found in problems(text)), problems(text)


def test_a_file_of_nothing_but_mistakes_is_not_listed_without_end() -> None:
    rows = "order,kind,at\n" + "1,hello,2026-03-02T09:30Z\n" * 500
    assert len(problems(rows)) == MOST_PROBLEMS


def test_every_kind_of_ours_that_a_buyer_gets_is_a_word_for_itself() -> None:
    assert {kind: KINDS[kind] for kind in TO_BUYERS} == {kind: kind for kind in TO_BUYERS}
    assert Kind.ALERT not in KINDS.values()
