"""What an owner of exceptions is told, in words: the worst first, within each shape's limit, and no live links."""

import shutil
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from orderack.domain.order import OrderRef
from orderack.domain.store import StoreProfile
from orderack.messages.check import check_wordings
from orderack.messages.digest import CHAT_LIMIT, LINES, WORDING, DigestRenderer, worst
from orderack.ports.digests import Digest, DigestItem, DigestState, Untold
from orderack.ports.sweeps import ExceptionKind, OpenException

WORDS = Path(__file__).parents[2] / "policy" / "messages"
AT = datetime(2026, 3, 2, 9, 30, tzinfo=UTC)
LANGUAGES = ("en", "de", "fr", "es")


def item(
    number: str, *, age: int = 0, total: str | None = "10", currency: str = "EUR", kind: ExceptionKind | None = None
) -> DigestItem:
    found = OpenException(
        ref=OrderRef(store="demo", number=number),
        kind=kind or ExceptionKind.MISSING_IN_ERP,
        revision=1,
        system="netsuite",
        since=AT - timedelta(minutes=age),
        opened_at=AT,
        seen_at=AT,
        owner="ops",
    )
    return DigestItem(of=Untold(exception=found, total=total and Decimal(total), currency=currency), news=True)


def digest(*items: DigestItem) -> Digest:
    return Digest(id=1, team="t", owner="ops", state=DigestState.OPEN, made_at=AT, version=1, items=items)


def renderer(folder: Path = WORDS) -> DigestRenderer:
    return DigestRenderer(folder, lambda id_: StoreProfile(id=id_, display_name=id_), "https://ops.example/board")


def test_the_worst_are_in_turn_the_longest_waiting_and_the_dearest_of_their_currency() -> None:
    items = [
        item("old", age=90),
        item("older", age=95),
        item("dear", total="900"),
        item("yen", total="90000", currency="JPY"),
        item("cheap yen", total="1000", currency="JPY"),
        item("unknown", total=None),
    ]
    chosen = [one.of.exception.ref.number for one in worst(items, 4)]
    assert chosen[0] == "older"
    assert chosen[2] == "old"
    assert {chosen[1], chosen[3]} == {"dear", "yen"}
    assert len(worst(items, 100)) == len(items)


@pytest.mark.parametrize("language", LANGUAGES)
def test_ten_have_a_line_and_the_rest_are_counted(language: str) -> None:
    made = renderer().render(digest(*(item(f"N{n:03}" + "x" * 60, age=n) for n in range(300))), language)
    assert sum(row.startswith("- ") for row in made.text.splitlines()) == LINES
    assert "290" in made.text
    assert made.chat is not None
    assert len(made.chat) <= CHAT_LIMIT
    assert "300" in made.subject
    assert made.link == "https://ops.example/board"


def test_a_number_of_a_strangers_choice_makes_no_link() -> None:
    made = renderer().render(digest(item("https://evil.example/x")), "en")
    listed = next(row for row in made.text.splitlines() if row.startswith("- "))
    assert "evil[.]example" in listed


def test_an_order_that_is_absent_in_two_places_is_worth_its_total_once() -> None:
    twice = (item("A", total="10"), item("A", total="10", kind=ExceptionKind.NOT_RUNNING))
    assert "Together worth €10.00." in renderer().render(digest(*twice), "en").text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_kind_without_words_is_found_by_the_policys_check(language: str, tmp_path: Path) -> None:
    folder = shutil.copytree(WORDS, tmp_path / "messages")
    assert check_wordings(folder) == ()
    file = folder / language / WORDING
    rows = [row for row in file.read_text().splitlines() if "waits_in_erp" not in row]
    file.write_text("\n".join(rows) + "\n")
    assert [problem.field for problem in check_wordings(folder)] == [f"messages/{language}/{WORDING}"]
