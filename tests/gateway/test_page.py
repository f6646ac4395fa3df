"""The buyer's page as it is read: true, complete, in the buyer's language, and safe to open."""

import base64
import hashlib
import html
import re
from datetime import date, timedelta
from decimal import Decimal

import pytest

from orderack.contracts.journal import Stage
from orderack.contracts.queries import OrderStatus
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import Contacts, DeliveryWindow, Order, Pickup, Totals
from orderack.domain.response import LineAnswer, Outcome
from orderack.messages.guard import commitments
from tests.gateway.conftest import Gateway
from tests.gateway.page_world import Buyer, a_buyer, confirmed, received, said, stored, words
from tests.temporal.server import now
from tests.workflows.orders import an_order


@pytest.fixture
async def buyer(gateway: Gateway) -> Buyer:
    return await a_buyer(gateway, instructions="<script>alert(1)</script> ring twice")


async def test_a_confirmed_order_shows_everything_that_was_agreed(buyer: Buyer) -> None:
    order = buyer.order.model_copy(
        update={
            "lines": (
                buyer.order.lines[0].model_copy(update={"design": "Initials A.E."}),
                buyer.order.lines[1].model_copy(update={"dietary": "No nuts", "instructions": "As a gift"}),
            ),
            "delivery_window": DeliveryWindow(start=now(), end=now() + timedelta(hours=2)),
            "totals": Totals(
                discount=Decimal(5), tax=Decimal("7.70"), shipping=Decimal("6.10"), total=Decimal("48.60")
            ),
        }
    )
    await stored(buyer.gateway, order, 2)
    buyer.stands(confirmed(order, revision=2, confirmed_revision=2))
    shown = await buyer.opens()
    assert shown.status_code == 200
    text = words(shown)
    for expected in (
        *("Demo & Sons", "Order 1001", "Your order is confirmed.", "It is with the team", "SO-77", "Thursday"),
        *("Tea", "2 × €9.90", "€19.80", "Accepted", "in stock", "Initials A.E."),
        *("Cup", "On backorder", "1 on backorder, expected Thursday", "No nuts", "As a gift"),
        *("−€5.00", "€6.10", "€7.70", "€48.60", "received", "prepaid"),
        *("1 High Street", "N1 1AA London", "United Kingdom", "Time you asked for", "ring twice", "help@shop.example"),
    ):
        assert expected in text, expected
    assert "<script" not in shown.text


@pytest.mark.parametrize(
    ("outcome", "word"),
    [
        (Outcome.ACCEPT, "Accepted"),
        (Outcome.QUANTITY, "Quantity changed"),
        (Outcome.PRICE, "Price changed"),
        (Outcome.DATE, "Date changed"),
        (Outcome.SUBSTITUTE, "Replaced"),
        (Outcome.BACKORDER, "On backorder"),
        (Outcome.REJECT, "Not available"),
        (Outcome.HOLD, "Still being checked"),
    ],
)
async def test_each_answer_to_a_line_has_its_word(buyer: Buyer, outcome: Outcome, word: str) -> None:
    answer = LineAnswer(line_id="1", outcome=outcome, accepted=Decimal(2))
    buyer.stands(confirmed(buyer.order, answers=(answer,)))
    assert f">{word}</span>" in (await buyer.opens()).text


async def test_a_line_without_an_answer_is_never_shown_as_accepted(buyer: Buyer) -> None:
    buyer.stands(
        confirmed(buyer.order, answers=(LineAnswer(line_id="1", outcome=Outcome.ACCEPT, accepted=Decimal(2)),))
    )
    assert (await buyer.opens()).text.count("Still being checked") == 1


@pytest.mark.parametrize("stage", [Stage.ASSESSING, Stage.AWAITING_ERP, Stage.REVIEW])
@pytest.mark.parametrize("language", ["en", "de", "fr", "es"])
async def test_before_confirmation_the_page_promises_nothing_in_any_language(
    gateway: Gateway, stage: Stage, language: str
) -> None:
    order = an_order("1", now()).model_copy(update={"contacts": Contacts(language=language), "trigger_at": now()})
    buyer = Buyer(gateway, order)
    await stored(gateway, order, stage=stage)
    await said(gateway, order, Kind.RECEIVED)
    told = confirmed(order, confirmed_revision=None, confirmed_at=None)
    buyer.stands(told.model_copy(update={"stage": stage}))
    shown = await buyer.opens()
    assert "Tea" in shown.text
    assert "/affirm" in shown.text
    for promise in ("2027", "SO-77", 'class="badge', "/answer"):
        assert promise not in shown.text
    # Beside the forms, whose buttons the buyer presses, there is not a word that commits us.
    frame = re.sub(r"<details.*?</details>|<style>.*?</style>|<select.*?</select>", " ", shown.text, flags=re.DOTALL)
    said_of_it = html.unescape(re.sub(r"<[^>]*>", " ", frame))
    assert commitments(language, said_of_it.replace(order.number, "")) == ()


async def test_while_a_change_is_checked_the_confirmed_revision_stands_and_the_change_is_shown_apart(
    buyer: Buyer,
) -> None:
    changed = buyer.order.model_copy(update={"lines": buyer.order.lines[:1]})
    await stored(buyer.gateway, changed, 2, Stage.ASSESSING)
    buyer.stands(confirmed(buyer.order, stage=Stage.ASSESSING, revision=2, content_hash=changed.content_hash))
    text = await buyer.reads()
    assert "confirmed as revision 1. Your change is not confirmed yet" in text
    assert "The change that we are checking" in text
    assert "Cup: removed" in text
    assert "What is confirmed" in text
    assert "in stock" not in text
    assert "On backorder" not in text


async def test_the_next_confirmation_shows_what_changed_since_the_last(buyer: Buyer) -> None:
    changed = buyer.order.model_copy(
        update={"lines": buyer.order.lines[:1], "totals": Totals(total=Decimal("19.80")), "instructions": None}
    )
    await stored(buyer.gateway, changed, 2)
    await stored(buyer.gateway, changed.model_copy(update={"instructions": "knock"}), 3)
    await said(buyer.gateway, changed, revision=3)
    buyer.stands(confirmed(changed, revision=3, confirmed_revision=3, answers=()))
    text = await buyer.reads()
    assert "Compared with revision 1" in text
    assert "Cup: removed" in text
    assert "Before: €39.80 Now: €19.80" in text
    assert "Now: knock" in text


async def test_a_first_confirmation_shows_no_change(buyer: Buyer) -> None:
    assert "What changed" not in await buyer.reads()


@pytest.mark.parametrize(
    ("stage", "kind", "headline"),
    [
        (Stage.CANCELLED, None, "Your order is cancelled."),
        (Stage.REJECTED, None, "We cannot fulfil this order."),
        (Stage.CLOSED, None, "This order is closed."),
        (Stage.AWAITING_ORDER, None, "Your order has not reached us yet."),
    ],
)
async def test_an_order_that_ended_says_so(buyer: Buyer, stage: Stage, kind: Kind | None, headline: str) -> None:
    buyer.stands(confirmed(buyer.order, stage=stage))
    text = await buyer.reads()
    assert headline in text
    assert "Your order is confirmed" not in text
    if stage in (Stage.CANCELLED, Stage.REJECTED):
        assert "What is confirmed" not in text


async def test_an_order_to_be_fetched_shows_where_and_when(gateway: Gateway) -> None:
    pickup = Pickup(location="Counter 4", at=now() + timedelta(days=1))
    buyer = await a_buyer(gateway, delivery_address=None, pickup=pickup)
    shown = await buyer.opens()
    assert "Counter 4" in words(shown)
    assert "Ready for pickup" in words(shown)
    assert 'name="street"' not in shown.text


async def test_the_page_shows_what_we_told_the_buyer_and_no_internal_alert(buyer: Buyer) -> None:
    await said(buyer.gateway, buyer.order, Kind.RECEIVED)
    await said(buyer.gateway, buyer.order, Kind.UPDATE, channel="alerts")
    shown = (await buyer.opens()).text
    assert "Subject received 1" in shown
    assert "Text received 1 &lt;b&gt;&amp;&lt;/b&gt;" in shown
    assert "by e-mail" in shown
    assert "Subject update" not in shown


@pytest.mark.parametrize(
    ("language", "confirmed_word", "total", "day"),
    [
        ("en", "Your order is confirmed", "€39.80", "Thursday, 4 March 2027"),
        ("de", "Ihre Bestellung ist bestätigt", "39,80 €", "Donnerstag, 4. März 2027"),
        ("fr", "Votre commande est confirmée", "39,80 €", "jeudi 4 mars 2027"),
        ("es", "Su pedido está confirmado", "39,80 €", "jueves, 4 de marzo de 2027"),
        ("de-AT", "Ihre Bestellung ist bestätigt", "39,80", "Donnerstag, 4. März 2027"),
        ("pl", "Your order is confirmed", "€39.80", "Thursday, 4 March 2027"),
    ],
)
async def test_the_page_speaks_the_buyers_language(
    gateway: Gateway, language: str, confirmed_word: str, total: str, day: str
) -> None:
    stores = gateway.parts.stores
    assert isinstance(stores, dict)
    stores["demo"] = stores["demo"].model_copy(update={"country": "DE" if language != "en" else "GB"})
    if language == "pl":
        stores["demo"] = stores["demo"].model_copy(update={"country": "GB"})
    buyer = await a_buyer(gateway, contacts=Contacts(email="ada@example.com", language=language))
    shown = await buyer.opens()
    spoken = {"de-AT": "de", "pl": "en"}.get(language, language)
    assert f'<html lang="{spoken}">' in shown.text
    text = words(shown).replace("\xa0", " ").replace("\u202f", " ")
    for expected in (confirmed_word, total, day):
        assert expected in text


@pytest.mark.parametrize("language", ["de", "fr", "es"])
async def test_no_english_word_is_left_in_another_language(gateway: Gateway, language: str) -> None:
    buyer = await a_buyer(gateway, contacts=Contacts(language=language))
    await buyer.sent("question", text="?")
    text = await buyer.reads()
    for english in ("Your", "order", "Please", "Submit", "Send", "Quantity", "confirmed", "Recorded", "Delivery"):
        assert not re.search(rf"\b{english}\b", text), english


async def test_times_are_the_stores(buyer: Buyer) -> None:
    stores = buyer.gateway.parts.stores
    assert isinstance(stores, dict)
    stores["demo"] = stores["demo"].model_copy(update={"time_zone": "Asia/Tokyo"})
    buyer.stands(confirmed(buyer.order, confirmed_at=now().replace(hour=20, minute=30)))
    assert re.search(r"0?5:30\W?(AM )?.*(Japan|GMT\+9|JST)", await buyer.reads())


async def test_opening_the_page_changes_nothing(buyer: Buyer) -> None:
    for _ in range(3):
        assert (await buyer.opens()).status_code == 200
    assert await buyer.facts() == []
    assert await buyer.gateway.inbox() == []
    orders = buyer.gateway.orders
    assert (orders.facts, orders.changes, orders.cancellations, orders.questions) == ([], [], [], [])


async def test_while_temporal_is_away_the_page_shows_the_record_and_claims_no_stock(buyer: Buyer) -> None:
    buyer.gateway.orders.away = True
    shown = await buyer.opens()
    assert shown.status_code == 200
    text = words(shown)
    assert "Stock and dates cannot be shown right now" in text
    assert "Tea" in text
    assert "in stock" not in text
    assert "/answer" not in shown.text


async def test_an_order_that_temporal_no_longer_keeps_is_shown_from_the_record_as_closed(buyer: Buyer) -> None:
    del buyer.gateway.orders.standing[buyer.order.ref]
    shown = await buyer.opens()
    assert "This order is closed." in words(shown)
    assert "Tea" in words(shown)
    assert "<form" not in shown.text


async def test_a_role_other_than_the_buyers_sees_no_forms(buyer: Buyer) -> None:
    buyer.role = "warehouse"
    shown = await buyer.opens()
    assert "Tea" in words(shown)
    assert "<form" not in shown.text
    assert "<button" not in shown.text


async def test_the_page_runs_no_script_loads_nothing_from_elsewhere_and_cannot_be_framed(buyer: Buyer) -> None:
    shown = await buyer.opens()
    policy = shown.headers["content-security-policy"]
    (style,) = re.findall(r"<style>(.*?)</style>", shown.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(html.unescape(style).encode()).digest()).decode()
    assert html.unescape(style) == style
    assert policy == (
        f"default-src 'none'; style-src 'sha256-{digest}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
    )
    assert shown.headers["cache-control"] == "no-store"
    assert shown.headers["referrer-policy"] == "no-referrer"
    assert not re.search(r"<(script|img|iframe|link|object|embed)\b|\son\w+=|\sstyle=", shown.text)
    assert "http" not in shown.text


async def test_every_form_posts_to_this_page_and_names_its_revision_and_itself(buyer: Buyer) -> None:
    shown = (await buyer.opens()).text
    forms = re.findall(r"<form method=\"post\" action=\"([^\"]*)\">(.*?)</form>", shown, re.DOTALL)
    assert [action.rsplit("/", 1)[1] for action, _ in forms] == ["affirm", "answer", "question", "change", "cancel"]
    assert all(action.startswith("/o/") and 'name="revision" value="1"' in form for action, form in forms)
    ids = set(re.findall(r'name="form" value="([^"]+)"', shown))
    assert ids.isdisjoint(re.findall(r'name="form" value="([^"]+)"', (await buyer.opens()).text))


async def test_an_order_whose_content_is_gone_still_has_a_page(gateway: Gateway) -> None:
    order: Order = an_order("bare", now())
    buyer = Buyer(gateway, order)
    buyer.stands(OrderStatus(ref=order.ref, stage=Stage.HANDED_OFF, revision=4, confirmed_revision=4))
    shown = await buyer.opens()
    assert shown.status_code == 200
    assert "Your order is confirmed" in words(shown)
    assert "<form" not in shown.text


async def test_a_date_promised_for_another_revision_is_not_shown(buyer: Buyer) -> None:
    buyer.stands(confirmed(buyer.order, revision=2, stage=Stage.REVIEW, promise_on=date(2031, 1, 2)))
    assert "2031" not in await buyer.reads()


async def test_the_received_page_offers_no_answer_to_what_is_not_confirmed(buyer: Buyer) -> None:
    buyer.stands(received(buyer.order))
    shown = (await buyer.opens()).text
    assert "/answer" not in shown
    assert "/cancel" in shown
