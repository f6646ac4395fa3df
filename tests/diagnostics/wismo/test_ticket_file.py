"""A helpdesk's export: columns found, told, and what is not there."""

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from orderack.diagnostics.wismo.ticket_file import TicketFile, read_tickets
from orderack.errors import InvalidInput
from tests.diagnostics.wismo.kept import export
from tests.diagnostics.wismo.world import Rule, a_world

AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)


def file(tmp_path: Path, content: str, name: str = "export.csv") -> Path:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8")
    return path


def columns(read: TicketFile) -> dict[str, str]:
    return {each.meaning: each.column for each in read.columns}


def test_every_ticket_of_an_export_comes_back_as_it_was(tmp_path: Path) -> None:
    world = a_world(1, Rule(base=0.1), orders=600)
    read = read_tickets(export(world.tickets, tmp_path / "export.csv"))
    assert [(one.id, one.subject, one.text, one.email) for one in read.tickets] == [
        (one.id, one.subject, one.text, one.email) for one in world.tickets
    ]
    assert all(
        abs((a.created_at - b.created_at).total_seconds()) < 1 for a, b in zip(read.tickets, world.tickets, strict=True)
    )


@pytest.mark.parametrize(
    ("heading", "wanted"),
    [
        (
            "ID,Requester,Requester email,Created at,Updated at,Subject,Description,Tags",
            {"id": "ID", "email": "Requester email", "created": "Created at", "text": "Description"},
        ),
        (
            "conversation_id,started_at,updated_at,author_email,title,first_message,labels,x",
            {"id": "conversation_id", "created": "started_at", "email": "author_email", "text": "first_message"},
        ),
        (
            "Nr,Erstellt am,Geändert am,E-Mail,Betreff,Nachricht,Schlagworte,x",
            {"id": "Nr", "created": "Erstellt am", "email": "E-Mail", "subject": "Betreff", "text": "Nachricht"},
        ),
        (  # Intercom's transcripts
            "message_id,message_body,message_author_email,conversation_tags,conversation_id,conversation_created_at,x,y",
            {"id": "conversation_id", "created": "conversation_created_at", "email": "message_author_email"}
            | {"text": "message_body", "tags": "conversation_tags"},
        ),
        (
            "Conversation ID,Started at,Updated at,User email,Title,First user message,Conversation tags,x",
            {"id": "Conversation ID", "created": "Started at", "email": "User email", "text": "First user message"},
        ),
        (  # Help Scout
            "Number,Subject,Customer Email,Status,Tags,Created,Updated at,Preview",
            {"id": "Number", "subject": "Subject", "email": "Customer Email", "created": "Created", "text": "Preview"},
        ),
        (
            "Ticketnummer,Erstellt am,Geändert am,E-Mail,Betreff,Nachricht,Schlagwörter,x",
            {"id": "Ticketnummer", "created": "Erstellt am", "tags": "Schlagwörter", "text": "Nachricht"},
        ),
    ],
)
def test_columns_are_found_by_their_usual_headings(tmp_path: Path, heading: str, wanted: dict[str, str]) -> None:
    names = heading.split(",")
    of = {name: meaning for meaning, name in wanted.items()}
    row = {"created": "2026-03-02 09:30", "email": "ada@example.com", "text": "Where is it?", "id": "7"}
    at_any_rate = dict.fromkeys(("Updated at", "updated_at", "Geändert am"), "2026-03-05 10:00")
    cells = [row.get(of.get(name, ""), at_any_rate.get(name, "words")) for name in names]
    read = read_tickets(file(tmp_path, f"{heading}\n{','.join(cells)}\n"))
    assert wanted.items() <= columns(read).items()
    assert read.tickets[0].created_at == AT


def test_a_told_column_is_taken_and_a_wrong_one_is_refused_with_those_there_are(tmp_path: Path) -> None:
    path = file(tmp_path, "a;b;c\n1;2026-03-02T09:30:00Z;Where is my order?\n")
    read = read_tickets(path, ("text=c", "id=a"))
    assert (columns(read), read.tickets[0].text) == ({"created": "b", "id": "a", "text": "c"}, "Where is my order?")
    assert [each.how for each in read.columns] == ["contents", "told", "told"]
    for told, says in (("text=z", "has no column z"), ("body=c", "says nothing"), ("c", "says nothing")):
        with pytest.raises(InvalidInput, match=says):
            read_tickets(path, (told,))


@pytest.mark.parametrize(
    ("content", "says"),
    [
        ("", "is empty"),
        ("id,subject\n1,x\n", "no column that looks like the time"),
        ("id,created_at\n1,2026-03-02T09:30:00Z\n", "no column that looks like the buyer's words"),
    ],
)
def test_a_file_that_cannot_do_says_what_is_missing(tmp_path: Path, content: str, says: str) -> None:
    with pytest.raises(InvalidInput, match=says):
        read_tickets(file(tmp_path, content))


def test_an_export_of_a_time_without_tickets_is_no_error(tmp_path: Path) -> None:
    read = read_tickets(file(tmp_path, "id,created_at,subject\n"))
    assert (read.tickets, read.notes) == ((), ("export.csv has no tickets.",))


def test_rows_without_a_time_are_counted_by_line_and_their_words_are_in_no_note(tmp_path: Path) -> None:
    content = 'id,created_at,subject\n1,2026-03-02T09:30:00Z,one\n2,secret words,two\n3,2026-03-03T09:30:00Z,"x",y\n'
    read = read_tickets(file(tmp_path, content + "4,2026-03-04T09:30:00Z,four\n5,2026-03-04T09:30:00Z,five\n"))
    assert [one.id for one in read.tickets] == ["1", "4", "5"]
    notes = " ".join(read.notes)
    assert "rows without a time that can be read: 1, the first in line 3" in notes
    assert "rows that could not be read: 1, the first in line 4" in notes
    assert "secret" not in notes


def test_times_without_a_zone_are_in_the_told_one_and_utc_is_said(tmp_path: Path) -> None:
    path = file(tmp_path, "id,created_at,subject\n1,2026-03-02 10:30,x\n")
    assert read_tickets(path, zone="Europe/Berlin").tickets[0].created_at == AT
    assert any("read as UTC" in note for note in read_tickets(path).notes)


def test_ndjson_with_fields_inside_fields_and_tags_of_any_writing_are_read(tmp_path: Path) -> None:
    ticket = {
        "id": 5,
        "created_at": "2026-03-02T09:30:00Z",
        "requester": {"id": 9, "email": "Ada <ada@example.com>"},
        "subject": "Where?",
        "description": "Where is it?",
        "tags": "wismo vip",
    }
    (one,) = read_tickets(file(tmp_path, json.dumps(ticket) + "\n", "tickets.ndjson")).tickets
    assert (one.id, one.email) == ("5", "ada@example.com")
    assert {"wismo", "vip"} <= one.tags


@pytest.mark.parametrize(
    ("heading", "cells"),
    [
        ("Subject,Request", ("Where is my order? I am Ada", "Please call Ada back")),
        ("Description,Reference", ("ada@example.com", "+49 30 5550100")),
        ("Subject,Conversation", ("Ada\u00a0asks", "Ada waits")),
    ],
)
def test_a_column_of_words_or_addresses_is_not_taken_for_one_of_ids(
    tmp_path: Path, heading: str, cells: tuple[str, str]
) -> None:
    rows = "".join(f"2026-03-02T09:30:00Z,hi,{cell}\n" for cell in cells)
    read = read_tickets(file(tmp_path, f"Created,{heading}\n{rows}"))
    assert "id" not in columns(read)
    assert [one.id for one in read.tickets] == ["line 2", "line 3"]


def test_a_column_that_was_told_for_one_of_ids_is_shown_only_where_it_holds_ids(tmp_path: Path) -> None:
    rows = ("ada@example.com", "+49 30 5550100", "Ada waits", "ada@example.com", "T-7/\u00e4#1", "")
    content = "Created,Subject,Who\n" + "".join(f"2026-03-02T09:30:00Z,hi,{who}\n" for who in rows)
    ids = [one.id for one in read_tickets(file(tmp_path, content), ["id=Who"]).tickets]
    assert ids[0] == ids[3]
    assert len(set(ids)) == 5, "the same is still the same, and another another"
    assert not any(word in id_ for id_ in ids[:4] for word in ("@", "Ada", "5550"))
    assert ids[4:] == ["T-7/\u00e4#1", "line 7"]


def test_tags_of_several_words_and_of_a_json_list_are_found(tmp_path: Path) -> None:
    content = (
        "created_at,description,tags\n"
        '2026-03-02T09:30:00Z,hi,"[""orderack"", ""wismo""]"\n'
        '2026-03-02T09:30:00Z,hi,"vip, where is my order"\n'
    )
    listed, spaced = (one.tags for one in read_tickets(file(tmp_path, content)).tickets)
    assert listed == {"orderack", "wismo"}
    assert {"vip", "where is my order"} <= spaced


@pytest.mark.parametrize("told", [[], ["text=Nope"]])
@pytest.mark.parametrize(
    "first", ["7,ada@example.com,Hello", "7,Ada,Where is it?", "+49 30 5550100,Ada,Hello", "7,2026-03-02 09:30,Hello"]
)
def test_a_file_without_headings_is_refused_without_its_first_ticket(
    tmp_path: Path, first: str, told: list[str]
) -> None:
    with pytest.raises(InvalidInput) as refused:
        read_tickets(file(tmp_path, f"{first}\n8,x,y\n"), told)
    assert "a first line that does not look like headings" in str(refused.value)
    assert not any(word in str(refused.value) for word in ("ada@", "Ada", "Where", "5550", "Hello"))


def test_a_file_without_ids_says_that_a_repeated_row_counts_twice(tmp_path: Path) -> None:
    read = read_tickets(file(tmp_path, "created_at,subject\n2026-03-02T09:30:00Z,x\n"))
    assert read.tickets[0].id == "line 2"
    assert "counts twice" in " ".join(read.notes)


def test_an_export_of_subjects_alone_says_that_fewer_are_seen_to_ask(tmp_path: Path) -> None:
    """A view of Zendesk has no words of the buyer but the subject."""
    read = read_tickets(file(tmp_path, "Id,Subject,Created at\n7,Where is my order?,2026-03-02 09:30\n"))
    assert [one.subject for one in read.tickets] == ["Where is my order?"]
    assert any("by the subject alone" in note for note in read.notes)
