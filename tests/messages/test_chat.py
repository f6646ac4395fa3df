"""The chat shape: plain words in one message, whatever the order's size, with all that the buyer must be told."""

import re
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orderack.domain.acknowledgement import NO_PROMISE, Kind
from orderack.domain.response import LineAnswer, Outcome
from orderack.errors import Misconfigured
from orderack.messages import MessageRenderer
from orderack.messages.samples import ORDER, samples
from orderack.ports import Content, Rendered

LANGUAGES = ("en", "de", "fr", "es")
BUYER_KINDS = tuple(kind for kind in Kind if kind is not Kind.ALERT)
LISTING = (Kind.RECEIVED, Kind.CONFIRMATION, Kind.REJECTION, Kind.CANCELLATION)
PROMISE = {
    "en": "Friday, June 12, 2026",
    "de": "Freitag, 12. Juni 2026",
    "fr": "vendredi 12 juin 2026",
    "es": "viernes, 12 de junio de 2026",
}
OPEN_DATE = {"en": "not fixed yet", "de": "noch nicht", "fr": "pas encore", "es": "aún"}
TOTAL = {"en": "$111.80", "de": "111,80", "fr": "111,80", "es": "$111.80"}
MORE = {
    "en": r"and ([\d,]+) more",
    "de": r"und ([\d.]+) weiterer?",
    "fr": r"et ([\d ]+) autres?",
    "es": r"y ([\d.,]+) más",
}
OPEN = {"en": "View your order", "de": "Bestellung ansehen", "fr": "Voir votre commande", "es": "Ver su pedido"}
LINK = "https://orders.example.com/o/" + "t" * 60
Make = Callable[..., Content]


def chat_of(message: Rendered) -> str:
    assert message.chat is not None
    return message.chat.replace("\u00a0", " ").replace("\u202f", " ")


def sized(content: Content, lines: int, words: str, late: int) -> Content:
    """The same message about an order of so many lines, the last of them late."""
    items = tuple(
        ORDER.lines[0].model_copy(update={"line_id": str(n), "sku": f"SKU-{n}", "description": f"{words} {n}"})
        for n in range(lines)
    )
    fine = [LineAnswer(line_id=str(n), outcome=Outcome.ACCEPT, accepted=Decimal(2)) for n in range(lines - late)]
    waits = [
        LineAnswer(line_id=str(n), outcome=Outcome.BACKORDER, backordered=Decimal(2), expected_on=date(2026, 6, 12))
        for n in range(lines - late, lines)
    ]
    facts = content.facts.model_copy(update={"answers": (*fine, *waits)})
    return content.model_copy(update={"order": content.order.model_copy(update={"lines": items}), "facts": facts})


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    kind=st.sampled_from(BUYER_KINDS),
    language=st.sampled_from(LANGUAGES),
    sample=st.integers(0, 17),
    lines=st.integers(1, 100) | st.sampled_from([101, 700, 5_000]),
    words=st.sampled_from(["Tray", "Walnut tray, oiled, with handles", "W" * 150]),
    late=st.integers(0, 40),
)
def test_any_size_is_one_message_with_total_date_count_and_order(
    renderer: MessageRenderer, kind: Kind, language: str, sample: int, lines: int, words: str, late: int
) -> None:
    contents = list(samples(kind, language))
    content = sized(contents[sample % len(contents)], lines, words, min(late, lines))
    chat = chat_of(renderer.render(content))
    assert len(chat) <= 2_000
    assert "S-1042" in chat
    assert not re.search(r"<[a-z/]|\*\*|\]\(|https?://", chat)
    assert "orders@example.com" in chat
    if kind is Kind.CONFIRMATION:
        promised = bool(content.facts.promise_on or late or content.order.pickup)
        assert (f"{PROMISE[language]}" in chat) or (OPEN_DATE[language] in chat) or not content.facts.promise_on
        assert promised or OPEN_DATE[language] in chat
    if kind in LISTING:
        assert TOTAL[language] in chat
        shown = sum(f"{words} {n} · " in chat for n in range(lines))
        told = [int(re.sub(r"\D", "", found)) for found in re.findall(MORE[language], chat)]
        none = [int(re.sub(r"\D", "", found)) for found in re.findall(r"^- ([\d.,  ]+) \w+$", chat, re.MULTILINE)]
        assert shown == lines or lines - shown in (told if shown else none), "what is left out is counted"
        assert shown or len(words) == 150, "an order of common words is never without its first lines"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_confirmation_says_date_backorder_total_next_step_and_contact(
    renderer: MessageRenderer, plain: Make, language: str
) -> None:
    late = sized(plain(Kind.CONFIRMATION, language), 3, "Tray", 1)
    message = renderer.render(late)
    chat = chat_of(message)
    for said in (PROMISE[language], TOTAL[language], "SO-77001", "Tray 0 · 2 × ", "orders@example.com", "+15005550006"):
        assert said in chat
    assert chat.startswith(message.subject.replace("\u00a0", " ").replace("\u202f", " "))
    steps = re.findall(r"^- (.+)$", message.text, re.MULTILINE)[-3:]
    assert steps[0].replace("\u202f", " ").replace("\u00a0", " ") in chat
    assert re.search(r"Tray 2 ?: .*Tray 0", chat, re.DOTALL), "what is late comes first"


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_link_is_a_button_and_never_in_the_words(renderer: MessageRenderer, plain: Make, language: str) -> None:
    for kind in Kind:
        message = renderer.render(plain(kind, language, page_url=LINK))
        assert "example.com/o/" not in chat_of(message)
        assert message.open_label == OPEN[language]
        assert len(message.open_label) <= 20


@pytest.mark.parametrize("language", LANGUAGES)
def test_only_what_asks_to_be_affirmed_has_words_for_that_button(
    renderer: MessageRenderer, plain: Make, language: str
) -> None:
    asking = plain(Kind.CONFIRMATION, language, previous=ORDER)
    label, request = renderer.render(asking).affirm_label, renderer.render(asking)
    assert 0 < len(label) <= 20
    assert not label.endswith("…")
    quiet = renderer.render(plain(Kind.CONFIRMATION, language))
    assert quiet.affirm_label == ""
    asked = {"en": "Please confirm", "de": "Bitte bestätigen", "fr": "Merci de confirmer", "es": "Confirme"}[language]
    assert asked in chat_of(request)
    assert asked not in chat_of(quiet)
    for kind in set(Kind) - {Kind.CONFIRMATION}:
        assert renderer.render(plain(kind, language, previous=ORDER)).affirm_label == ""


def test_a_language_without_its_own_chat_button_uses_the_mails(own_english: Path, plain: Make) -> None:
    labels = own_english / "en" / "labels.yaml"
    labels.write_text(re.sub(r"affirm_chat:.*\n", "", labels.read_text()))
    message = MessageRenderer(own_english).render(plain(Kind.CONFIRMATION, previous=ORDER))
    assert message.affirm_label == "Confirm that you have it"
    labels.write_text(labels.read_text() + 'affirm_chat: "Confirm that you have it"\n')
    with pytest.raises(Misconfigured, match="affirm_chat"):
        MessageRenderer(own_english).render(plain(Kind.CONFIRMATION))


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_question_and_an_answer_stand_in_it(renderer: MessageRenderer, plain: Make, language: str) -> None:
    question = chat_of(renderer.render(plain(Kind.QUESTION, language)))
    answer = chat_of(renderer.render(plain(Kind.ANSWER, language)))
    assert "\nWhich colour?" in question
    assert "\nWhich colour?" in answer
    assert "\nWalnut, oiled." in answer
    long = renderer.render(plain(Kind.QUESTION, language, facts__question="Which colour? " * 140))
    assert 700 < len(chat_of(long)) <= 2_000
    assert "…" in chat_of(long)


def test_a_long_wording_keeps_whole_sentences_and_the_facts(own_english: Path, plain: Make) -> None:
    file = own_english / "en" / "confirmation.txt.j2"
    filler = "This sentence of ours is a very long one indeed. " * 60
    file.write_text(file.read_text().replace("{% block body %}", "{% block body %}\n" + filler + "\n\n"))
    chat = chat_of(MessageRenderer(own_english).render(sized(plain(Kind.CONFIRMATION), 90, "Tray", 2)))
    assert len(chat) <= 2_000
    assert PROMISE["en"] in chat
    assert "$111.80" in chat
    assert chat.count("a very long one indeed.") == chat.count("This sentence") > 3


@pytest.mark.parametrize("label", ["items_heading: Your confirmed items", 'more: {other: "and {n} more, guaranteed"}'])
def test_an_early_promise_among_the_labels_of_a_chat_is_refused(own_english: Path, plain: Make, label: str) -> None:
    file = own_english / "en" / "labels.yaml"
    file.write_text(file.read_text() + "\n" + label + "\n")  # of a name that stands twice, the last one counts
    for kind in NO_PROMISE & set(LISTING):
        with pytest.raises(Misconfigured, match=r"confirmed|guaranteed"):
            MessageRenderer(own_english).render(plain(kind))


@pytest.mark.parametrize("kind", BUYER_KINDS)
@pytest.mark.parametrize("language", LANGUAGES)
def test_when_everything_is_long_the_date_the_total_and_the_request_are_there(
    renderer: MessageRenderer, plain: Make, kind: Kind, language: str
) -> None:
    long = "Very long words of someone else " * 60
    full = sized(plain(kind, language), 300, long[:150], 40)
    order = full.order.model_copy(
        update={
            "number": "S-1042 " + "9" * 190,
            "customer": full.order.customer.model_copy(update={"name": long}),
            "payment": full.order.payment.model_copy(update={"terms": long, "method": long}),
        }
    )
    previous = order.model_copy(update={"lines": (), "instructions": long, "delivery_address": None})
    facts = full.facts.model_copy(
        update={"document_id": "D" * 200, "reason": long, "question": long, "answer": long, "owner": long[:200]}
    )
    store = full.store.model_copy(update={"display_name": long[:190], "contact_hours": long[:190]})
    content = full.model_copy(update={"order": order, "previous": previous, "facts": facts, "store": store})
    chat = chat_of(renderer.render(content))
    assert len(chat) <= 2_000
    if kind is Kind.CONFIRMATION:
        assert PROMISE[language] in chat
        assert {"en": "Please confirm", "de": "Bitte best", "fr": "Merci de conf", "es": "Confirme"}[language] in chat
    if kind in LISTING:
        assert TOTAL[language] in chat


def test_web_addresses_of_strangers_are_not_live(renderer: MessageRenderer, plain: Make) -> None:
    bad = "https://evil.example.com/pay"
    item = ORDER.lines[0].model_copy(update={"description": bad, "sku": bad, "model": bad})
    order = ORDER.model_copy(update={"number": bad, "lines": (item,), "instructions": bad})
    customer = order.customer.model_copy(update={"name": bad})
    order = order.model_copy(update={"customer": customer})
    for kind in BUYER_KINDS:
        for previous in (None, ORDER):
            content = plain(kind, order=order, previous=previous, facts__reason=bad)
            message = renderer.render(content)
            assert "://evil" not in chat_of(message) + message.subject
            assert "evil.example" not in chat_of(message)


def test_every_ending_of_the_change_is_shown_or_counted(renderer: MessageRenderer, plain: Make) -> None:
    before = sized(plain(Kind.CONFIRMATION), 60, "Tray", 0).order
    doubled = [item.model_copy(update={"quantity": Decimal(7)}) for item in before.lines]
    after = before.model_copy(update={"lines": tuple(doubled)})
    chat = chat_of(renderer.render(plain(Kind.CHANGE_RECEIVED, order=after, previous=before)))
    shown = len(re.findall(r"^- .*→", chat, re.MULTILINE))
    assert shown
    assert f"- and {60 - shown} more" in chat


@pytest.mark.parametrize("language", LANGUAGES)
def test_the_statement_is_one_line_of_the_sms_without_its_link_and_request(
    renderer: MessageRenderer, plain: Make, language: str
) -> None:
    message = renderer.render(plain(Kind.CONFIRMATION, language, previous=ORDER, page_url=LINK, takes_replies=True))
    for said in ("S-1042", "2026", "111"):
        assert said in message.statement
    assert "http" not in message.statement
    assert re.search(r"[.]$", message.statement)
    assert not re.search(r"\b(YES|JA|OUI|SI)\b", message.statement)
    for kind in Kind:
        statement = renderer.render(plain(kind, language, order__number="S-1042" + "9" * 190)).statement
        assert 0 < len(statement) <= 300
        assert not re.search(r"[\n\t]|    ", statement)
