"""Nothing is promised before the ERP's receipt: the guard judges our words, never the buyer's."""

import itertools
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from orderack.domain.acknowledgement import NO_PROMISE, Kind
from orderack.domain.order import Contacts, Customer, Line, Payment
from orderack.errors import Misconfigured
from orderack.messages import MessageRenderer, check_wordings
from orderack.messages.guard import commitments, masked
from orderack.messages.samples import ORDER, samples
from orderack.ports import Content

Make = Callable[..., Content]

COMMITTING = {
    "en": (
        "Your order is confirmed.",
        "We confirm your order.",
        "We have accepted your order",
        "Delivery guaranteed!",
        "We promise to be quick.",
        "It will ship soon.",
        "Your order will be delivered soon.",
        "Your goods will arrive soon",
        "We'll deliver it",
        "It ships on arrival, delivered by the evening",
        "Everything is in stock.",
        "Your items are reserved.",
        "Your parcel is on its way.",
        "You will receive your order soon.",
        "Estimated delivery: soon",
        "Delivery date: see below",
        "We come on Friday.",
        "Expect us by June 12.",
        "12 June",
        "12.06.2026",
        "2026-06-12",
        "6/12/2026",
        "We come tomorrow.",
        "within 3 working days",
        "in two weeks",
    ),
    "de": (
        "Ihre Bestellung ist bestätigt.",
        "Auftragsbestätigung",
        "Wir bestätigen Ihre Bestellung.",
        "Ihre Bestellung ist angenommen.",
        "Wir garantieren die Lieferung.",
        "Wir versprechen es.",
        "Ihre Ware wird in Kürze geliefert.",
        "Wir liefern bald.",
        "Ihr Paket wurde versandt.",
        "Alle Artikel sind auf Lager.",
        "Für Sie reserviert.",
        "Ihr Liefertermin",
        "Ihr Paket ist unterwegs.",
        "Sie erhalten Ihre Ware bald.",
        "Wir kommen am Freitag.",
        "12. Juni",
        "Wir kommen morgen.",
        "innerhalb von 3 Werktagen",
    ),
    "fr": (
        "Votre commande est confirmée.",
        "Nous confirmons votre commande.",
        "Votre commande est acceptée.",
        "Livraison garantie",
        "Nous vous promettons d'aller vite.",
        "Votre commande sera livrée bientôt.",
        "Votre colis est expédié.",
        "Nous livrerons bientôt.",
        "Tout est en stock.",
        "Date de livraison",
        "Vous recevrez votre commande bientôt.",
        "Nous venons le vendredi.",
        "12 juin",
        "Nous venons demain.",
        "sous 3 jours",
    ),
    "es": (
        "Su pedido está confirmado.",
        "Confirmamos su pedido.",
        "Hemos aceptado su pedido.",
        "Entrega garantizada",
        "Se lo prometemos.",
        "Su pedido será enviado pronto.",
        "Su pedido se enviará pronto.",
        "Su pedido llegará pronto.",
        "Todo está en existencias.",
        "Fecha de entrega",
        "Recibirá su pedido pronto.",
        "Iremos el viernes.",
        "12 de junio",
        "Iremos mañana.",
        "en 3 días",
    ),
}
HARMLESS = {
    "en": (
        "Received, confirmation pending.",
        "It is not yet confirmed.",
        "This is not an order confirmation and not an acceptance of your order.",
        "As soon as it is confirmed, we write again.",
        "Please confirm your address.",
        "We are waiting for confirmation.",
        "We will not ship anything until then.",
        "We check the stock, the price and the delivery address.",
        "You hear from us again by ▢.",
        "We will write again within 2 hours.",
    ),
    "de": (
        "Die Bestätigung steht noch aus.",
        "Sie ist noch nicht bestätigt.",
        "Dies ist noch keine Auftragsbestätigung und keine Annahme Ihrer Bestellung.",
        "Sobald wir Ihre Bestellung bestätigt haben, schreiben wir.",
        "Bitte bestätigen Sie Ihre Adresse.",
        "Guten Morgen",
        "Wir schreiben bis ▢ wieder, innerhalb von 2 Stunden.",
    ),
    "fr": (
        "Confirmation en attente.",
        "Elle n’est pas encore confirmée.",
        "Ce message ne vaut pas acceptation de votre commande.",
        "Dès que votre commande est confirmée, nous vous écrirons.",
        "Veuillez confirmer votre adresse.",
        "Nous vous écrirons avant ▢.",
    ),
    "es": (
        "Confirmación pendiente.",
        "Todavía no está confirmado.",
        "Este mensaje no supone la aceptación de su pedido.",
        "En cuanto su pedido esté confirmado, le escribiremos.",
        "Por favor, confirme su dirección.",
        "Le atendemos por la mañana.",
    ),
}


def _pairs(table: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(language, phrase) for language, phrases in table.items() for phrase in phrases]


@pytest.mark.parametrize(("language", "phrase"), _pairs(COMMITTING))
def test_a_phrase_that_commits_is_seen(language: str, phrase: str) -> None:
    assert commitments(language, phrase)


@pytest.mark.parametrize(("language", "phrase"), _pairs(HARMLESS))
def test_a_phrase_that_leaves_it_open_passes(language: str, phrase: str) -> None:
    assert commitments(language, phrase) == ()


def test_an_allowed_phrase_does_not_cover_the_promise_beside_it() -> None:
    assert commitments("en", "Not yet confirmed, but it will ship soon.") == ("will ship",)


BLOCKS = ("subject", "preheader", "headline", "body", "next_steps", "sms")


def _every_block() -> Iterator[object]:
    """Each block of each kind in each language; in the short run one of them, in turn."""
    for turn, (kind, language) in enumerate(itertools.product(sorted(NO_PROMISE), COMMITTING)):
        for place, block in enumerate(BLOCKS):
            short = (turn + turn // len(BLOCKS)) % len(BLOCKS) == place
            yield pytest.param(kind, language, block, marks=() if short else pytest.mark.long)


@pytest.mark.parametrize(("kind", "language", "block"), list(_every_block()))
def test_a_promise_in_any_block_is_refused_with_file_and_phrase(
    own_messages: Path, plain: Make, kind: Kind, language: str, block: str
) -> None:
    file = own_messages / language / f"{kind}.txt.j2"
    start = "{% block " + block + " %}\n"
    file.write_text(file.read_text().replace(start, start + COMMITTING[language][0] + " "))
    with pytest.raises(Misconfigured) as refused:
        MessageRenderer(own_messages).render(plain(kind, language))
    assert f"messages/{language}/{kind}.txt.j2" in str(refused.value)
    assert "confirm" in str(refused.value) or "bestätigt" in str(refused.value)


def test_a_promise_hidden_in_a_label_or_a_branch_is_found_by_the_check(own_messages: Path) -> None:
    labels = own_messages / "en" / "labels.yaml"
    labels.write_text(
        labels.read_text().replace("next_heading: What happens next", "next_heading: Delivery guaranteed")
    )
    file = own_messages / "de" / "update.txt.j2"
    file.write_text(file.read_text().replace("{% if escalated %}", "{% if escalated %}Wir liefern bald. "))
    problems = {problem.field: problem.problem for problem in check_wordings(own_messages)}
    assert "guaranteed" in problems["messages/en/received.txt.j2"]
    assert "wir liefern" in problems["messages/de/update.txt.j2"]
    assert "messages/en/confirmation.txt.j2" not in problems


def test_a_promise_written_as_an_expression_is_our_word_too(own_messages: Path, plain: Make) -> None:
    file = own_messages / "en" / "received.txt.j2"
    file.write_text(file.read_text().replace("We have your order\n", '{{ "Your order is confirmed" }}\n'))
    with pytest.raises(Misconfigured, match="confirmed"):
        MessageRenderer(own_messages).render(plain(Kind.RECEIVED))


@pytest.mark.parametrize("kind", sorted(NO_PROMISE))
def test_a_wording_sent_before_the_receipt_has_no_date_to_name(own_messages: Path, plain: Make, kind: Kind) -> None:
    file = own_messages / "en" / f"{kind}.txt.j2"
    file.write_text(file.read_text().replace("{% block body %}\n", "{% block body %}\nSee you on {{ promise }}.\n\n"))
    with pytest.raises(Misconfigured, match="'promise' is undefined"):
        MessageRenderer(own_messages).render(plain(kind))


@pytest.mark.parametrize("kind", sorted(NO_PROMISE))
@pytest.mark.parametrize("language", tuple(COMMITTING))
def test_the_buyers_own_words_never_trip_the_guard(
    renderer: MessageRenderer, plain: Make, kind: Kind, language: str
) -> None:
    promising = COMMITTING[language][0] + " Guaranteed Fresh Beans 12.06.2026"
    line = Line(line_id="1", sku="guaranteed", description=promising, quantity=1, unit_price=1, design=promising)
    order = ORDER.model_copy(
        update={
            "number": "CONFIRMED-2026-06-12",
            "source": "guaranteed",
            "customer": Customer(name=promising),
            "contacts": Contacts(email="confirmed@example.com"),
            "lines": (line,),
            "instructions": promising,
            "payment": Payment(terms=promising),
        }
    )
    content = plain(kind, language, order=order, facts__question=promising, facts__owner="confirmed",
                    store__display_name="Confirmed & Guaranteed", store__postal_address="Confirmed Street 1",
                    page_url="https://guaranteed.example.com/o/confirmed")  # fmt: skip
    assert "CONFIRMED-2026-06-12" in renderer.render(content).text


def test_masking_leaves_no_data_and_keeps_what_is_absent_absent() -> None:
    content = masked(next(samples(Kind.RECEIVED, "en")))
    dumped = content.order.model_dump_json() + content.store.model_dump_json() + content.facts.model_dump_json()
    for data in ("S-1042", "Ada", "Walnut", "Road", "Net 30", "Sons", "made-up", "example.com"):
        assert data not in dumped
    assert content.order.pickup is None
    assert content.order.lines[1].model is None


def test_a_language_without_a_table_of_promises_cannot_send_before_the_receipt(own_messages: Path, plain: Make) -> None:
    (own_messages / "en").rename(own_messages / "nl")
    (own_messages / "de").rename(own_messages / "en")
    renderer = MessageRenderer(own_messages)
    with pytest.raises(Misconfigured, match="no table of promises"):
        renderer.render(plain(Kind.RECEIVED, "nl"))
    assert renderer.render(plain(Kind.CONFIRMATION, "nl")).text
