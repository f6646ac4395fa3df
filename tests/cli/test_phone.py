"""The phone desk: questions one after the other, back and forth, read back, handed in and acknowledged in the call."""

import asyncio
import json
import os
import pty
import signal
from collections.abc import Callable, Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from orderack.cli.phone_dialogue import Cancelled, Dialogue, from_answers
from orderack.cli.phone_order import order_of, read_back
from orderack.cli.phone_questions import Desk, line_in, number_in, window_in
from orderack.domain.order import Order, Relation
from tests.cli.conftest import KeptWorld, Terminal

NOW = datetime(2026, 11, 21, 9, 30, tzinfo=UTC)
DESK = Desk(
    stores=("demo", "other"),
    channels={"twilio_sms": "phone", "sendgrid_email": "email"},
    country="US",
    time_zone="Europe/Berlin",
    currency="EUR",
    language="en",
    today=date(2026, 11, 21),
)
TALK = (
    *("demo", "+1 500 555 0006", "", "Ada Example", "ada@example.com", "twilio", "EUR", "AB-100 10 3,50 Blue lamp"),
    *("CD-200 2 12", "", "4.90", "delivery", "Hauptstr. 5", "10115", "Berlin", "de", "2026-12-01 9:00-12:00"),
    *("ring twice", "net 30"),
)


class Talk:
    """Types these lines, and keeps what was shown."""

    def __init__(self, *lines: str) -> None:
        self.lines: Iterator[str] = iter(lines)
        self.shown: list[str] = []

    def ask(self, prompt: str) -> str:
        self.shown.append(prompt)
        return next(self.lines)

    def dialogue(self, know: Callable[[str, str], Desk] | None = None) -> Dialogue:
        return Dialogue(DESK, self.ask, self.shown.append, know or (lambda store, phone: DESK))


def taken(*lines: str) -> tuple[Order, Talk]:
    talk = Talk(*lines)
    dialogue = talk.dialogue()
    dialogue.go()
    return order_of(dialogue.said, dialogue.desk, "PH-1", NOW), talk


def test_a_talk_becomes_an_order_whose_clock_starts_now() -> None:
    order, _ = taken(*TALK)
    assert (order.store, order.source, order.number, order.trigger_at) == ("demo", "phone", "PH-1", NOW)
    assert [(line.sku, line.quantity, line.unit_price, line.description) for line in order.lines] == [
        ("AB-100", 10, Decimal("3.50"), "Blue lamp"),
        ("CD-200", 2, 12, ""),
    ]
    assert order.totals.total == Decimal("63.90")
    assert (order.contacts.phone, order.contacts.preferred_channel) == ("+15005550006", "twilio_sms")
    assert order.delivery_address is not None
    assert (order.delivery_address.city, order.delivery_address.country) == ("Berlin", "DE")
    assert order.delivery_window is not None
    assert order.delivery_window.start.isoformat() == "2026-12-01T09:00:00+01:00"
    assert (order.payment.terms, order.instructions) == ("net 30", "ring twice")
    assert order.customer.relation is not Relation.NEW, "a number that we do not know is nobody's first order"
    assert order.customer.id is not None


def test_it_is_read_back_in_full_sentences_with_its_total() -> None:
    order, _ = taken(*TALK)
    said = list(read_back(order))
    assert all(sentence.endswith((".", "twice")) for sentence in said)
    told = " ".join(said)
    for words in (
        "10 of AB-100, Blue lamp, at 3.50 EUR each: 35.00 EUR.",
        "2 of CD-200, at 12 EUR each: 24 EUR.",
        "That is 63.90 EUR in all.",
        "It goes to Hauptstr. 5, 10115 Berlin, DE.",
        "Tuesday 01 December 2026, between 09:00 and 12:00",
        "Payment: net 30.",
        "We write to +15005550006 by twilio_sms.",
    ):
        assert words in told


@pytest.mark.parametrize(
    ("place", "wrong", "remedy"),
    [
        (0, "elsewhere", "say one of demo, other"),
        (1, "hello", "+1 500 555 0006"),
        (4, "ada at example", "ada@example.com"),
        (5, "fax", "twilio_sms, sendgrid_email"),
        (6, "euros", "EUR"),
        (7, "AB-100", "AB-100 10 3.50"),
        (7, "AB-100 ten 3.50", "is no number"),
        (7, "AB-100 0 3.50", "above 0"),
        (7, "AB-100 -1 3.50", "is no number"),
        (10, "0.001", "round it"),
        (11, "boat", "delivery, pickup"),
        (15, "Germany", "two letters"),
        (16, "tomorrow", "2026-12-01 9:00-12:00"),
        (16, "2026-12-01 12:00-9:00", "swap the two"),
        (16, "2026-11-20", "that day is past"),
        (18, "", "This is needed"),
    ],
)
def test_a_wrong_answer_is_named_at_once_with_its_remedy_and_asked_again(place: int, wrong: str, remedy: str) -> None:
    order, talk = taken(*TALK[:place], wrong, *TALK[place:])
    assert remedy.casefold() in " ".join(talk.shown).casefold()
    assert order == taken(*TALK)[0]


def test_one_goes_back_as_far_as_one_likes() -> None:
    order, _ = taken(*TALK[:4], "<", "<", "K-100", "Ada Example", *TALK[4:])
    assert order.customer.id == "K-100"
    again, _ = taken("<", *TALK)
    assert again == taken(*TALK)[0]


def test_a_question_mark_shows_what_was_said() -> None:
    _, talk = taken(*TALK[:4], "?", *TALK[4:])
    assert "  name: Ada Example" in talk.shown


def test_an_exclamation_mark_cancels_anywhere() -> None:
    for place in range(len(TALK)):
        with pytest.raises(Cancelled):
            Talk(*TALK[:place], "!").dialogue().go()


def agreed(*lines: str) -> tuple[bool, Dialogue, Talk]:
    talk = Talk(*TALK, *lines)
    dialogue = talk.dialogue()
    dialogue.go()
    order = order_of(dialogue.said, dialogue.desk, "PH-1", NOW)
    return dialogue.agreed(order, tuple(read_back(order))), dialogue, talk


def test_only_a_yes_sends_it() -> None:
    assert agreed("perhaps", "", "yes")[0]
    with pytest.raises(Cancelled):
        agreed("!")


def test_a_no_corrects_one_answer_and_leaves_the_others() -> None:
    sent, dialogue, _ = agreed("no", "line 1", "AB-100 12 3.50 Blue lamp")
    assert not sent
    order = order_of(dialogue.said, DESK, "PH-1", NOW)
    assert order.lines[0].quantity == 12
    assert len(order.lines) == 2
    assert order.payment.terms == "net 30"


def test_a_correction_that_is_wrong_or_names_nothing_changes_nothing() -> None:
    for lines in (("no", "colour"), ("no", "line 1", "nonsense")):
        sent, dialogue, _ = agreed(*lines)
        assert not sent
        assert order_of(dialogue.said, DESK, "PH-1", NOW) == taken(*TALK)[0]


def test_what_is_fetched_instead_is_asked_for_its_place_and_loses_its_address() -> None:
    _, dialogue, _ = agreed("no", "way", "pickup", "Kiel depot")
    order = order_of(dialogue.said, DESK, "PH-1", NOW)
    assert order.pickup is not None
    assert order.pickup.location == "Kiel depot"
    assert order.delivery_address is None


def test_a_known_callers_answers_stand_in_brackets() -> None:
    known = DESK.model_copy(update={"last": taken(*TALK)[0]})
    talk = Talk("demo", "+15005550006", *[""] * 5, "EF-1 1 2", *[""] * 9, "")
    dialogue = talk.dialogue(lambda store, phone: known)
    dialogue.go()
    order = order_of(dialogue.said, dialogue.desk, "PH-2", NOW)
    assert order.customer.relation is Relation.REPEAT
    assert (order.customer.name, order.contacts.email, order.payment.terms) == (
        "Ada Example",
        "ada@example.com",
        "net 30",
    )
    assert order.delivery_address is not None
    assert order.delivery_address.street == "Hauptstr. 5"


def test_an_item_of_the_last_order_is_known_by_its_number_and_any_other_is_asked_its_price() -> None:
    known = DESK.model_copy(update={"last": taken(*TALK)[0]})
    talk = Talk("demo", "+15005550006", *[""] * 5, "ab-100 4", "XX-9 3", "XX-9 3 1.10", *[""] * 10, "")
    dialogue = talk.dialogue(lambda store, phone: known)
    dialogue.go()
    order = order_of(dialogue.said, dialogue.desk, "PH-2", NOW)
    assert [(line.sku, line.quantity, line.unit_price) for line in order.lines] == [
        ("AB-100", 4, Decimal("3.50")),
        ("XX-9", 3, Decimal("1.10")),
    ]
    assert any("XX-9 was not in the last order" in line for line in talk.shown)
    assert "4 of AB-100, Blue lamp, at 3.50 EUR each: 14.00 EUR." in list(read_back(order))


def test_email_is_offered_only_to_whoever_gave_an_address() -> None:
    talk = Talk(*TALK[:4], "", "sendgrid_email", "twilio_sms", *TALK[6:])
    talk.dialogue().go()
    assert any("say one of twilio_sms" in line for line in talk.shown)


def test_numbers_and_times_are_read_with_point_or_comma() -> None:
    assert number_in("3,5") == number_in("3.5") == Decimal("3.5")
    assert line_in("A-1 2x 3") == ("A-1", 2, 3, "")
    assert window_in("2026-12-01", "UTC")[1].hour == 23
    for wrong in ("1.000,5", "NaN", "1e3", ""):
        with pytest.raises(ValueError, match="no number"):
            number_in(wrong)


def test_a_scripts_answers_are_checked_as_a_persons_are() -> None:
    given = {"store": "demo", "phone": "+15005550006", "name": "Ada", "way": "pickup", "location": "Kiel"}
    given |= {"line 1": "AB-100 1 2", "terms": "prepaid"}
    _, said = from_answers(DESK, given, lambda store, phone: DESK)
    assert order_of(said, DESK, "PH-3", NOW).totals.total == 2
    for more, words in (
        ({"terms": ""}, "terms: is missing"),
        ({"colour": "red"}, "colour: "),
        ({"phone": "x"}, "phone: "),
    ):
        with pytest.raises(ValueError, match=words):
            from_answers(DESK, given | more, lambda store, phone: DESK)


def answers(number: str) -> dict[str, str]:
    """What a script answers."""
    day = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    return {
        **{
            "number": number,
            "store": "demo",
            "phone": "+15005550006",
            "name": "Ada Example",
            "line 1": "AB-100 2 3.50",
        },
        **{"currency": "EUR", "way": "delivery", "street": "Hauptstr. 5", "postal_code": "10115", "city": "Berlin"},
        **{"country": "DE", "when": day, "terms": "net 30"},
    }


async def test_answers_from_a_file_are_handed_in_and_the_acknowledgement_is_seen(
    terminal: Terminal, kept: KeptWorld
) -> None:
    number = f"PH-{os.getpid()}-{datetime.now(UTC):%H%M%S%f}"
    file = terminal.file("call.json", json.dumps(answers(number)))
    ended = await terminal("phone", "--answers", file, "--wait", "30", "--json")
    assert (ended.code, ended.err) == (0, "")
    assert ended.json["order"] == {"store": "demo", "number": number}
    assert ended.json["reply"]["verdict"] == "accepted"
    assert ended.json["acknowledged_at"]
    again = await terminal("phone", "--answers", "-", "--wait", "1", stdin=json.dumps(answers(number)))
    assert again.code == 0
    assert "is taken" in again.out


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("Dear Sirs", "is not JSON"),
        ('["a"]', "is not an object of texts"),
        ('{"store": 1}', "is not an object of texts"),
        ('{"store": "elsewhere"}', "store: cannot be taken"),
        ('{"store": "demo", "phone": "x"}', "phone: cannot be taken"),
    ],
)
async def test_wrong_answers_are_named_before_anything_is_sent(content: str, words: str, bare: Terminal) -> None:
    ended = await bare("phone", "--answers", bare.file("call.json", content))
    assert (ended.code, ended.out) == (2, "")
    assert words in ended.err


async def test_without_a_terminal_it_says_what_to_do(bare: Terminal) -> None:
    ended = await bare("phone", stdin="demo\n")
    assert ended.code == 2
    assert "is no terminal" in ended.err
    assert "--answers" in ended.err


async def test_a_door_that_is_away_is_said_with_the_orders_reference(bare: Terminal) -> None:
    ended = await bare("phone", "--answers", bare.file("call.json", json.dumps(answers("PH-away"))))
    assert ended.code == 3
    assert "whether order demo/PH-away was taken is not known" in ended.err


def draft_in(folder: Path) -> Path:
    (file,) = (folder / ".orderack" / "phone").iterdir()
    return file


async def test_an_order_that_nobody_answered_for_is_kept_and_handed_in_later_once(
    terminal: Terminal, kept: KeptWorld
) -> None:
    away = {"TEMPORAL_ADDRESS": "127.0.0.1:9"}
    number = f"PH-{os.getpid()}-{datetime.now(UTC):%H%M%S%f}"
    day = (datetime.now(UTC) + timedelta(days=3)).date().isoformat()
    file = terminal.file("call.json", json.dumps(answers(number)))
    ended = await terminal("phone", "--answers", file, **away)
    draft = draft_in(terminal.folder)
    assert ended.code == 3
    assert f"orderack submit {draft.relative_to(terminal.folder)}" in ended.err
    assert draft.stat().st_mode & 0o777 == 0o600
    assert day in draft.read_text()
    again = await terminal("phone", "--answers", file, **away)
    assert (again.code, draft_in(terminal.folder)) == (3, draft), "one call is one file"
    first = await terminal("submit", str(draft), "--json")
    second = await terminal("submit", str(draft), "--json")
    assert [one.json["revision"] for one in (first, second)] == [1, 1]
    assert [one.code for one in (first, second)] == [0, 0]


async def rest_of(terminal: int) -> bytes:
    """All that is shown until the other end is closed."""
    shown = b""
    while True:
        try:
            shown += await asyncio.to_thread(os.read, terminal, 4_096)
        except OSError:
            return shown


async def prompted(terminal: int) -> bytes:
    """All that is shown until something is asked."""
    shown = b""
    while not shown.endswith(b": "):
        shown += await asyncio.to_thread(os.read, terminal, 4_096)
    return shown


async def at_a_terminal(bare: Terminal, *typed: bytes, interrupt: bool = False) -> tuple[int, str]:
    """What `orderack phone` shows at a terminal where this is typed, and how it ends."""
    ours, theirs = pty.openpty()
    process = await asyncio.create_subprocess_exec(
        *bare.command("phone", "--wait", "0"),
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
        cwd=bare.folder,
        env=bare.environment,
    )
    os.close(theirs)
    shown = b""
    try:
        async with asyncio.timeout(90):
            for line in typed:
                shown += await prompted(ours)
                os.write(ours, line)
            reading = asyncio.create_task(rest_of(ours))
            while interrupt and not reading.done():
                # what comes between a prompt and the reading below it is noticed at the next key only
                process.send_signal(signal.SIGINT)
                await asyncio.wait([reading], timeout=2)
            shown += await reading
            return await process.wait(), shown.decode(errors="replace")
    finally:
        if process.returncode is None:
            process.kill()
        os.close(ours)


async def test_at_a_terminal_cancelling_and_ctrl_c_and_ctrl_d_send_nothing(bare: Terminal) -> None:
    code, shown = await at_a_terminal(bare, b"demo\n", b"!\n")
    assert (code, "Cancelled: nothing was sent." in shown) == (1, True)
    code, shown = await at_a_terminal(bare, b"", interrupt=True)
    assert (code, "nothing was sent" in shown) == (130, True)
    code, shown = await at_a_terminal(bare, b"\x04")
    assert (code, "nothing was sent" in shown) == (130, True)


def test_no_temporary_file_of_a_talk_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    taken(*TALK)
    assert not list(tmp_path.iterdir())
