"""Which tickets ask where an order is: phrases against sentences, true and misleading."""

import pytest

from orderack.diagnostics.wismo.phrases import decided_by, normal, phrase_in
from orderack.ports.helpdesk import Ticket
from tests.diagnostics.wismo.labelled import sentences
from tests.diagnostics.wismo.world import SINCE


def ticket(subject: str = "", text: str = "", tags: frozenset[str] = frozenset()) -> Ticket:
    return Ticket("t", SINCE, subject, text, tags=tags)


@pytest.mark.parametrize(
    ("words", "language"),
    [
        ("where is my order", "en"),
        ("WHERE’S MY ORDER?!", "en"),
        ("did you get my order?", "en"),
        ("Did my order go through?", "en"),
        ("Hello,\n\nI have not received\nmy parcel.", "en"),
        ("Wo bleibt meine Bestellung?", "de"),
        ("ist meine bestellung angekommen", "de"),
        ("Où est ma commande ?", "fr"),
        ("OU EST MA COMMANDE", "fr"),
        ("¿Dónde está mi pedido?", "es"),
        ("donde esta mi pedido", "es"),
    ],
)
def test_a_ticket_that_asks_is_seen_whatever_its_case_accents_and_lines(words: str, language: str) -> None:
    assert (phrase_in(words) or "").startswith(f"{language}: ")


@pytest.mark.parametrize(
    "words",
    [
        "I want to return my order",
        "where is my invoice",
        "Where is my refund for the order?",
        "Where is the order button?",
        "Where can I find my order number?",
        "Thank you, my order has come",
        "Wo ist meine Rechnung?",
        "Où est ma facture ?",
        "¿Dónde está mi factura?",
        "Where is the office? My order is fine.",
        "Wann ist der Artikel wieder da?",
        "¿Dónde encuentro mi número de pedido? Gracias, ya recibí mi pedido",
        "Order. Where is it that you are located?",
        "",
        "   …  ",
        "?" * 5_000,
    ],
)
def test_a_ticket_that_asks_for_something_else_does_not_count(words: str) -> None:
    assert phrase_in(words) is None


def test_a_phrase_does_not_reach_over_the_end_of_a_sentence() -> None:
    assert phrase_in("I have not yet decided. Received my order, thank you") is None
    assert phrase_in("I have not received my order, thank you")


def test_the_subject_decides_before_the_message_and_a_tag_before_both() -> None:
    asks = ticket("Wo bleibt meine Bestellung?", "Where is my order?")
    assert (decided_by(asks) or "").startswith("de: ")
    tagged = ticket("Where is my order?", tags=frozenset({"WISMO", "vip"}))
    assert decided_by(tagged, ("wismo", "lost")) == "tag: wismo"
    assert decided_by(ticket("Return", tags=frozenset({"vip"})), ("wismo",)) is None


def test_words_far_down_a_long_message_do_not_decide() -> None:
    assert decided_by(ticket("Lamp", "The lamp is broken. " * 150 + "Where is my order?")) is None


def test_what_decided_is_a_phrase_of_the_file_and_never_the_buyers_words() -> None:
    found = decided_by(ticket("Where is my purchase, says Ada of Elm Street"))
    assert found == "en: where is|are|the <mine>? <order>"


def test_words_are_compared_without_accents_apostrophes_and_punctuation() -> None:
    assert normal("Où: MÉ, (N°5)? Ça-va!\n") == "ou . me n 5 . ca va . "
    assert normal("It hasn’t come.") == "it hasnt come . "


def test_the_sentences_are_many_and_of_every_kind() -> None:
    every = sentences()
    measured = [one for one in every if not one.tried]
    assert len({one.words for one in every}) == len(every)
    assert len(measured) >= 200
    for language in ("en", "de", "fr", "es"):
        for asks in (True, False):
            assert sum(one.asks is asks and one.language == language for one in measured) >= 18


def test_the_sentences_that_the_phrases_were_written_with_are_all_judged_rightly() -> None:
    assert [one.words for one in sentences() if one.tried and (phrase_in(one.words) is not None) != one.asks] == []


def test_of_sentences_the_phrases_were_not_written_with_nearly_all_are_judged_rightly() -> None:
    measured = [(one, phrase_in(one.words) is not None) for one in sentences() if not one.tried]
    hits = sum(one.asks and found for one, found in measured)
    wrong = [one.words for one, found in measured if found and not one.asks]
    missed = [one.words for one, found in measured if one.asks and not found]
    assert hits / (hits + len(wrong)) >= 0.97, wrong
    assert hits / (hits + len(missed)) >= 0.93, missed
