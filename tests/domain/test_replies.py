"""Keyword replies: a whole message that means one thing, in four languages; everything else is for a person."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderack.domain.replies import AFFIRMS, OPTS_OUT, affirms, may_mean_the_order, names, opts_out

ALL = [word for words in AFFIRMS.values() for word in words]


@pytest.mark.parametrize("word", ALL)
def test_every_word_of_the_table_affirms_however_it_is_typed(word: str) -> None:
    for typed in (word, word.upper(), f" {word.title()}!! ", f"{word}.", f"“{word}”", word.replace("'", "’")):
        assert affirms(typed), typed
    assert not opts_out(word)


@pytest.mark.parametrize(
    "text",
    [
        *("not ok", "ok but the address is wrong", "yes?", "ok?", "¿sí?", "Received? When", "no", "nein", "non", "NO!"),
        *("", "   ", "...", "yes no", "no thanks", "nicht erhalten", "pas reçu", "no recibido", "okay dokay", "yesss"),
        *("👎", "yes 👎", "👍 but late", 'Liked "Order 1001 is confirmed"', "1001", "STOP", "cancel", "oui non"),
    ],
)
def test_what_is_not_exactly_a_word_of_the_table_affirms_nothing(text: str) -> None:
    assert affirms(text) is None


@given(st.sampled_from(ALL), st.text("abcdefghij klmnop?", min_size=1, max_size=12).filter(str.strip))
def test_a_word_inside_other_words_affirms_nothing(word: str, more: str) -> None:
    for text in (f"not {word}", f"{word}?", f"{word} x{more}", f"x{more} {word}"):
        assert affirms(text) is None


@pytest.mark.parametrize("text", ["👍", "👍🏽", "👍👍", "Yes 👍🏿", "👍 ok", "👍\ufe0f!"])
def test_a_thumbs_up_affirms_alone_and_beside_a_word(text: str) -> None:
    assert affirms(text)


@pytest.mark.parametrize("word", sorted(OPTS_OUT))
def test_an_opt_out_never_affirms(word: str) -> None:
    for typed in (word, word.upper(), f"{word}.", f" {word} !"):
        assert opts_out(typed)
        assert affirms(typed) is None


def test_an_opt_out_is_a_whole_message_too() -> None:
    assert not opts_out("please do not stop")
    assert not opts_out("cancel the second line")
    assert may_mean_the_order("Cancel!")
    assert not may_mean_the_order("STOP")


@pytest.mark.parametrize("text", ["YES 1001", "1001 yes", "Yes #1001.", "ja, Bestellung 1001", "oui commande #1001 👍"])
def test_the_orders_number_may_stand_beside_the_word(text: str) -> None:
    assert names(text, "1001")
    assert affirms(text, ["1001"])
    assert affirms(text) is None


@pytest.mark.parametrize("text", ["YES 11001", "yes 1001-B", "A-1001 yes", "yes 10011"])
def test_a_part_of_another_number_names_no_order(text: str) -> None:
    assert not names(text, "1001")
    assert affirms(text, ["1001"]) is None


def test_a_number_with_signs_in_it_is_taken_as_it_is() -> None:
    assert names("yes A.1+(2)", "A.1+(2)")
    assert not names("yes Ax1", "A.1")
