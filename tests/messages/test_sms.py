"""SMS arithmetic against 3GPP TS 23.038 and 23.040."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orderack.messages.sms import Alphabet, fit, plain, segments, unaccented

GSM, UCS = Alphabet.GSM_7, Alphabet.UCS_2


@pytest.mark.parametrize(
    ("text", "alphabet", "units", "count"),
    [
        ("", GSM, 0, 0),
        ("a", GSM, 1, 1),
        ("a" * 160, GSM, 160, 1),
        ("a" * 161, GSM, 161, 2),
        ("a" * 306, GSM, 306, 2),
        ("a" * 307, GSM, 307, 3),
        ("€" * 80, GSM, 160, 1),
        ("€" * 81, GSM, 162, 2),
        ("a" * 152 + "€" + "a" * 10, GSM, 164, 2),
        ("a" * 152 + "€" + "a" * 151, GSM, 305, 2),
        ("a" * 152 + "€" + "a" * 152, GSM, 306, 3),
        ("^{}\\[~]|€\f", GSM, 20, 1),
        ("àèéùìòÇØøÅåÆæßÉÄÖÑÜ§äöñü¿¡", GSM, 26, 1),
        ("ç", UCS, 1, 1),
        ("á" * 70, UCS, 70, 1),
        ("á" * 71, UCS, 71, 2),
        ("á" * 134, UCS, 134, 2),
        ("á" * 135, UCS, 135, 3),
        ("😀" * 35, UCS, 70, 1),
        ("😀" * 36, UCS, 72, 2),
        ("á" * 66 + "😀" + "á" * 66, UCS, 134, 3),
        ("`", UCS, 1, 1),
        ("…", UCS, 1, 1),
    ],
)
def test_a_text_costs_the_segments_the_standard_says(text: str, alphabet: Alphabet, units: int, count: int) -> None:
    counted = segments(text)
    assert (counted.alphabet, counted.units, counted.count) == (alphabet, units, count)


def test_typographic_characters_do_not_cost_a_second_alphabet() -> None:
    assert segments(plain("“2 × 3” – it’s 4 PM…")).alphabet is GSM


def test_details_go_before_the_head_and_the_link_stays() -> None:
    text = fit("Store: order A-1 confirmed.", ["Delivery Jun 12.", "x" * 300], "https://s.example/o/1")
    assert text == "Store: order A-1 confirmed. Delivery Jun 12. https://s.example/o/1"


def test_an_accent_goes_before_a_date_does() -> None:
    head, date = "Tienda: " + "articulo " * 8 + "artículo.", "Entrega 12 jun 2026."
    text = fit(head, [date], "https://s.example/" + "o" * 40)
    assert date in text
    assert "articulo. " in text
    assert segments(text).alphabet is GSM


def test_accents_stay_where_the_text_needs_the_wider_alphabet_anyway() -> None:
    assert unaccented("artículo 😀") == "artículo 😀"


def test_a_link_that_fills_two_segments_alone_is_dropped_and_the_words_stay() -> None:
    text = fit("Store: order A-1 received.", [], "https://s.example/" + "x" * 400)
    assert text == "Store: order A-1 received."


@given(
    head=st.text(max_size=400),
    details=st.lists(st.text(max_size=200), max_size=4),
    link=st.sampled_from(["", "https://orders.example.com/o/" + "t" * 40]),
)
def test_whatever_it_is_given_an_sms_keeps_to_two_segments_and_its_link(
    head: str, details: list[str], link: str
) -> None:
    text = fit(head, details, link)
    assert segments(text).count <= 2
    assert text.endswith(link)
