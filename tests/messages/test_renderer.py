"""What each kind of message says, in every language."""

import re
import time
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from html import unescape
from pathlib import Path

import pytest
from markupsafe import escape

from orderack.contracts.activities import Facts
from orderack.domain.acknowledgement import NO_PROMISE, Kind
from orderack.domain.order import Customer, Pickup
from orderack.domain.response import LineAnswer, Outcome
from orderack.errors import Misconfigured
from orderack.messages import MessageRenderer, wordings
from orderack.messages.samples import ORDER, samples
from orderack.messages.sms import segments
from orderack.ports import Content

LANGUAGES = ("en", "de", "fr", "es")
BUYER_KINDS = tuple(kind for kind in Kind if kind is not Kind.ALERT)
Make = Callable[..., Content]

ACCEPTANCE_DISCLAIMED = {
    "en": "not yet a confirmation and not an acceptance",
    "de": "noch keine Auftragsbestätigung und keine Annahme",
    "fr": "pas encore une confirmation et il ne vaut pas acceptation",
    "es": "no es una confirmación ni una aceptación",
}
BACKORDER_TOLD = {"en": "on backorder", "de": "im Rückstand", "fr": "en rupture", "es": "en espera"}
PROMISE_WORDS = {
    "en": "Friday, June 12, 2026",
    "de": "Freitag, 12. Juni 2026",
    "fr": "vendredi 12 juin 2026",
    "es": "viernes, 12 de junio de 2026",
}
BACKORDER = (
    LineAnswer(line_id="1", outcome=Outcome.ACCEPT, accepted=Decimal(2)),
    LineAnswer(
        line_id="2",
        outcome=Outcome.BACKORDER,
        accepted=Decimal(1),
        backordered=Decimal(2),
        expected_on=date(2026, 6, 19),
    ),
)


def _flat(text: str) -> str:
    return text.replace("\u00a0", " ").replace("\u202f", " ")


def _words_of(html: str) -> str:
    body = re.sub(r"<style.*?</style>|<head.*?</head>", "", html, flags=re.DOTALL)
    return _flat(unescape(re.sub(r"<[^>]+>", " ", body)))


def test_every_language_has_every_kind(messages_dir: Path) -> None:
    assert wordings(messages_dir) == {(language, kind) for language in LANGUAGES for kind in Kind}


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", tuple(Kind))
def test_every_message_names_its_order_in_every_shape(renderer: MessageRenderer, kind: Kind, language: str) -> None:
    for content in samples(kind, language):
        message = renderer.render(content)
        assert message.html is not None
        assert message.sms is not None
        for shape in (message.subject, message.text, message.html, message.sms):
            assert "S-1042" in shape
        assert len(message.subject) <= 150
        assert "\n" not in message.subject
        assert segments(message.sms).count <= 2
        assert f'lang="{language}"' in message.html


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", tuple(Kind))
def test_text_and_html_say_the_same(renderer: MessageRenderer, kind: Kind, language: str) -> None:
    for content in samples(kind, language):
        message = renderer.render(content)
        words = set(re.findall(r"\w+", _words_of(message.html or "").casefold()))
        said = re.sub(r"https?://\S+", "", _flat(message.text)).casefold()
        assert set(re.findall(r"\w+", said)) <= words


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("kind", BUYER_KINDS)
def test_every_buyers_message_says_what_happens_next_and_whom_to_contact(
    renderer: MessageRenderer, plain: Make, kind: Kind, language: str
) -> None:
    message = renderer.render(plain(kind, language))
    assert message.link == "https://orders.example.com/o/sample"
    for shape in (message.text, message.html or ""):
        assert "https://orders.example.com/o/sample" in shape
        assert "orders@example.com" in shape
        assert "+15005550006" in shape
    assert message.text.count("\n- ") >= 2


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_confirmation_says_everything_that_was_agreed(renderer: MessageRenderer, plain: Make, language: str) -> None:
    message = renderer.render(plain(Kind.CONFIRMATION, language))
    for shape in (_flat(message.text), _words_of(message.html or "")):
        for said in (
            "S-1042", "SO-77001", "Walnut tray", "WT-2", "Walnut 2", "Carrot cake", "CK-9", "Wrap as a gift",
            "Initials A.E.", "No nuts", "Ring twice", "12 Invented Road", "00001 Springfield", "Net 30", "Card",
            PROMISE_WORDS[language],
        ):  # fmt: skip
            assert said in shape
        for amount in ("24.50", "49.00", "54.00", "5.00", "7.70", "6.10", "111.80"):
            assert amount in shape or amount.replace(".", ",") in shape
    assert BACKORDER_TOLD[language] not in message.text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_backorder_is_told_first_in_every_shape(renderer: MessageRenderer, plain: Make, language: str) -> None:
    message = renderer.render(plain(Kind.CONFIRMATION, language, facts__answers=BACKORDER))
    told = BACKORDER_TOLD[language]
    assert told in message.subject
    assert told in (message.sms or "")
    for shape in (message.text, message.html or ""):
        assert shape.index(told) < shape.index("SO-77001")
        assert shape.rindex("Carrot cake") < shape.rindex("Walnut tray")


def test_a_backordered_line_says_how_many_come_now_and_when_the_rest(renderer: MessageRenderer, plain: Make) -> None:
    text = renderer.render(plain(Kind.CONFIRMATION, facts__answers=BACKORDER)).text
    assert "Stock: 1 in stock, 2 on backorder, expected Friday, June 19, 2026" in text


def test_a_substitute_a_refusal_and_a_line_on_hold_are_each_said(renderer: MessageRenderer, plain: Make) -> None:
    answers = (LineAnswer(line_id="1", outcome=Outcome.SUBSTITUTE, accepted=Decimal(2), substitute_sku="WT-3"),)
    text = renderer.render(plain(Kind.CONFIRMATION, facts__answers=answers)).text
    assert "- Walnut tray: replaced by WT-3" in text
    assert "- Carrot cake: not settled yet" in text
    refused = (LineAnswer(line_id="2", outcome=Outcome.REJECT, rejected=Decimal(3)),)
    assert "3 not available" in renderer.render(plain(Kind.CONFIRMATION, facts__answers=refused)).text


def test_without_a_computed_date_the_last_expected_one_counts(renderer: MessageRenderer, plain: Make) -> None:
    facts = Facts(document_id="SO-1", answers=BACKORDER)
    assert "Delivery date: Friday, June 19, 2026" in renderer.render(plain(Kind.CONFIRMATION, facts=facts)).text


def test_a_confirmation_without_any_date_says_so(renderer: MessageRenderer, plain: Make) -> None:
    facts = Facts(document_id="SO-1", answers=BACKORDER[:1])
    text = renderer.render(plain(Kind.CONFIRMATION, facts=facts)).text
    assert "Delivery date: not fixed yet; we will tell you" in text


def test_a_pickup_says_where_and_when_in_the_stores_time(renderer: MessageRenderer, plain: Make) -> None:
    pickup = Pickup(location="Counter 4", at=ORDER.trigger_at)
    content = plain(Kind.CONFIRMATION, order__pickup=pickup, store__time_zone="America/New_York")
    text = _flat(renderer.render(content).text)
    assert "Pickup at: Counter 4" in text
    assert "Pickup time: Monday, June 1, 2026, 8:00 AM EDT" in text
    assert "ready for pickup on" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_change_shows_what_changed_before_anything_else_of_the_order(
    renderer: MessageRenderer, plain: Make, language: str
) -> None:
    previous = ORDER.model_copy(update={"lines": ORDER.lines[:1], "instructions": None})
    message = renderer.render(plain(Kind.CONFIRMATION, language, previous=previous, revision=2))
    for shape in (message.text, message.html or ""):
        assert "Carrot cake:" in shape
        assert shape.index("Carrot cake:") < shape.index("SO-77001")
    assert "Ring twice" in message.text.split("SO-77001")[0]


def test_a_change_shows_the_value_before_and_after(renderer: MessageRenderer, plain: Make) -> None:
    line = ORDER.lines[0].model_copy(update={"quantity": Decimal(1), "unit_price": Decimal("20.00")})
    previous = ORDER.model_copy(update={"lines": (line, ORDER.lines[1])})
    text = renderer.render(plain(Kind.CONFIRMATION, previous=previous, revision=2)).text
    assert "- Walnut tray: quantity\n  Before: 1\n  Now: 2\n" in text
    assert "- Walnut tray: unit price\n  Before: $20.00\n  Now: $24.50\n" in text


@pytest.mark.parametrize("language", LANGUAGES)
def test_received_disclaims_acceptance_and_gives_no_date(renderer: MessageRenderer, plain: Make, language: str) -> None:
    content = plain(Kind.RECEIVED, language, facts=Facts(promise_on=date(2026, 6, 12), answers=BACKORDER))
    message = renderer.render(content)
    assert ACCEPTANCE_DISCLAIMED[language] in message.text
    for shape in (message.text, message.html or "", message.sms or "", message.subject):
        assert "2026" not in shape
        assert "12:00" not in shape


@pytest.mark.parametrize("kind", sorted(NO_PROMISE))
def test_before_the_receipt_neither_stock_nor_the_promise_is_shown(
    renderer: MessageRenderer, plain: Make, kind: Kind
) -> None:
    content = plain(kind, facts=Facts(promise_on=date(2026, 6, 12), answers=BACKORDER, document_id="SO-77001"))
    message = renderer.render(content)
    for shape in (message.text, message.html or "", message.sms or ""):
        assert "June 12" not in shape
        assert "Jun 12" not in shape
        assert "in stock" not in shape
        assert "SO-77001" not in shape


@pytest.mark.parametrize("language", LANGUAGES)
def test_holding_and_update_say_when_the_buyer_hears_again(
    renderer: MessageRenderer, plain: Make, language: str
) -> None:
    for kind in (Kind.HOLDING, Kind.UPDATE):
        message = renderer.render(plain(kind, language, store__time_zone="Europe/Berlin"))
        for shape in (message.text, message.html or "", message.sms or ""):
            assert "2026" in shape
            assert re.search(r"16:00|4:00", shape)


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_update_names_the_owner_and_says_in_the_buyers_words_what_it_waits_for(
    renderer: MessageRenderer, plain: Make, language: str
) -> None:
    text = renderer.render(plain(Kind.UPDATE, language)).text
    assert "order desk" in text
    assert "ERP" not in text
    assert "A made-up reason" not in text


def test_a_question_is_put_word_for_word(renderer: MessageRenderer, plain: Make) -> None:
    question = "Is {{ 7*7 }} right?\nSee https://design.example.com/a <b>or</b> not."
    message = renderer.render(plain(Kind.QUESTION, facts__question=question))
    assert "Is {{ 7*7 }} right?" in message.text
    assert "See https://design.example.com/a <b>or</b> not." in message.text
    assert "&lt;b&gt;or&lt;/b&gt;" in (message.html or "")


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_answer_stands_word_for_word_below_what_the_buyer_asked(
    renderer: MessageRenderer, plain: Make, language: str
) -> None:
    answer = "Yes: {{ 7*7 }} of them.\nConfirmed <b>tomorrow</b>; see https://orders.example.com/care."
    facts = Facts(question="Is it oiled?\nSee www.example.com", answer=answer)
    message = renderer.render(plain(Kind.ANSWER, language, facts=facts))
    for row in ("Is it oiled?", "See www[.]example[.]com", *answer.split("\n")):
        assert row in message.text
        assert str(escape(row)) in (message.html or "")
    assert message.text.index("Is it oiled?") < message.text.index("Yes: {{ 7*7 }}")


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("answer", ["Yes, it is.", "Yes. " + "It is a long story. " * 60, "是" * 500])
def test_the_sms_of_an_answer_begins_it_as_far_as_two_segments_go_and_names_no_address(
    renderer: MessageRenderer, plain: Make, language: str, answer: str
) -> None:
    sms = renderer.render(plain(Kind.ANSWER, language, facts=Facts(answer=f"{answer} bad.example.com"))).sms or ""
    assert segments(sms).count <= 2
    assert ("Yes" in sms) is answer.startswith("Yes")
    assert "bad.example.com" not in sms
    assert sms.endswith("https://orders.example.com/o/sample")


@pytest.mark.parametrize("kind", [Kind.REJECTION, Kind.CANCELLATION])
@pytest.mark.parametrize("language", LANGUAGES)
def test_a_refusal_and_a_cancellation_give_their_reason(
    renderer: MessageRenderer, plain: Make, kind: Kind, language: str
) -> None:
    message = renderer.render(plain(kind, language, facts__reason="Outside our delivery area"))
    assert "Outside our delivery area" in message.text
    assert "Outside our delivery area" in (message.html or "")


@pytest.mark.parametrize("language", LANGUAGES)
def test_an_alert_says_who_what_why_and_by_when_and_nothing_of_the_buyers(
    renderer: MessageRenderer, plain: Make, language: str
) -> None:
    message = renderer.render(plain(Kind.ALERT, language))
    for said in ("S-1042", "sample-store", "order desk", "A made-up reason", "the ERP's receipt", "2026"):
        assert said in message.text
    everything = "".join(filter(None, (message.subject, message.text, message.html, message.sms)))
    for private in ("Ada", "ada@", "Invented Road", "Walnut", "111", "Net 30", "/o/sample", "+1500"):
        assert private not in everything
    assert message.link is None


@pytest.mark.parametrize(
    ("tag", "headline"),
    [
        ("de-AT", "Ihre Bestellung ist bei uns eingegangen"),
        ("fr-CA", "Votre commande nous est bien parvenue"),
        ("pt-BR", "We have your order"),
        ("../../etc", "We have your order"),
    ],
)
def test_a_language_falls_back_to_its_base_and_then_to_english(
    renderer: MessageRenderer, plain: Make, tag: str, headline: str
) -> None:
    assert renderer.render(plain(Kind.RECEIVED, tag)).text.startswith(headline)


def test_a_buyer_without_a_name_is_still_greeted(renderer: MessageRenderer, plain: Make) -> None:
    assert "\nHello,\n" in renderer.render(plain(Kind.RECEIVED, order__customer=Customer())).text


@pytest.mark.parametrize(("count", "words"), [(1, "order of 1 item."), (2, "order of 2 items.")])
def test_one_item_is_not_called_items(renderer: MessageRenderer, plain: Make, count: int, words: str) -> None:
    assert words in renderer.render(plain(Kind.RECEIVED, order__lines=ORDER.lines[:count])).text


def test_a_zone_that_does_not_exist_is_named_as_the_stores_mistake(renderer: MessageRenderer, plain: Make) -> None:
    with pytest.raises(Misconfigured, match="time_zone"):
        renderer.render(plain(Kind.RECEIVED, store__time_zone="Mars/Olympus"))


def test_the_same_content_renders_to_the_same_bytes(renderer: MessageRenderer, plain: Make, messages_dir: Path) -> None:
    content = plain(Kind.CONFIRMATION, "de")
    assert renderer.render(content) == MessageRenderer(messages_dir).render(content)


@pytest.mark.parametrize("kind", [Kind.RECEIVED, Kind.CONFIRMATION])
def test_a_render_takes_a_few_milliseconds_of_processor(renderer: MessageRenderer, plain: Make, kind: Kind) -> None:
    content = plain(kind)
    renderer.render(content)

    def batch() -> float:
        began = time.process_time()
        for _ in range(20):
            renderer.render(content)
        return (time.process_time() - began) / 20

    assert min(batch() for _ in range(5)) < 0.01
