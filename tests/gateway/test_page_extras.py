"""Paying and other offers stand beside a confirmation that leaves nothing open, and nowhere else."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest

from orderack.contracts.journal import Stage
from orderack.contracts.queries import AcknowledgementStatus, OrderStatus
from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from orderack.domain.order import PaymentStatus
from orderack.domain.response import LineAnswer, Outcome
from orderack.domain.store import Offer, PageRules
from orderack.gateway.page_extras import offers, pay_url
from tests.gateway.conftest import Gateway
from tests.gateway.page_world import a_buyer, confirmed
from tests.temporal.server import now
from tests.workflows.orders import an_order

RULES = PageRules(
    pay_url="https://pay.example/{number}?x=1", offers=(Offer(title="Oil & co", url="https://shop.example/oil"),)
)
IN_STOCK = (LineAnswer(line_id="1", outcome=Outcome.ACCEPT, accepted=Decimal(2)),)
CLEAN = confirmed(an_order("1", now()), payment=PaymentStatus.PENDING, answers=IN_STOCK)


def fact(event: EvidenceEvent, revision: int = 1) -> EvidenceFact:
    return EvidenceFact(
        id="e", event=event, grade=Grade.E5, channel="portal", revision=revision, kind=Kind.CONFIRMATION,
        occurred_at=now(),
    )  # fmt: skip


def answered(outcome: Outcome, **counts: int) -> tuple[LineAnswer, ...]:
    return (*IN_STOCK, LineAnswer(line_id="2", outcome=outcome, **{name: Decimal(n) for name, n in counts.items()}))


def said(kind: Kind) -> tuple[AcknowledgementStatus, ...]:
    return (AcknowledgementStatus(kind=kind, revision=1, n=1, decided_at=now()),)


CASES: dict[str, tuple[dict[str, object], tuple[EvidenceFact, ...], bool, bool]] = {
    "clean, payment pending": ({}, (), True, True),
    "handed off": ({"stage": Stage.HANDED_OFF}, (), True, True),
    "paid already": ({"payment": PaymentStatus.CONFIRMED}, (), False, True),
    "payment flagged": ({"payment": PaymentStatus.FLAGGED}, (), False, False),
    "payment unknown": ({"payment": None}, (), False, True),
    "not confirmed": ({"confirmed_revision": None, "stage": Stage.AWAITING_ERP}, (), False, False),
    "in review": ({"stage": Stage.REVIEW}, (), False, False),
    "a change under way": ({"revision": 2, "stage": Stage.ASSESSING}, (), False, False),
    "a change waits for the ERP": ({"revision": 2, "stage": Stage.AWAITING_ERP}, (), False, False),
    "revision 2, stage not moved yet": ({"revision": 2}, (), False, False),
    "escalated": ({"escalated": True}, (), False, False),
    "cancelled": ({"stage": Stage.CANCELLED}, (), False, False),
    "rejected": ({"stage": Stage.REJECTED}, (), False, False),
    "closed": ({"stage": Stage.CLOSED}, (), False, False),
    "called off, not yet moved": ({"acknowledgements": said(Kind.CANCELLATION)}, (), False, False),
    "disputed": ({}, (fact(EvidenceEvent.DISPUTED),), False, False),
    "declined": ({}, (fact(EvidenceEvent.DECLINED),), False, False),
    "an earlier revision was declined": ({}, (fact(EvidenceEvent.DECLINED, 0),), True, True),
    "affirmed": ({}, (fact(EvidenceEvent.AFFIRMED),), True, True),
    "a line on backorder": ({"answers": answered(Outcome.BACKORDER, backordered=1)}, (), True, False),
    "a line in part": ({"answers": answered(Outcome.ACCEPT, accepted=1, backordered=1)}, (), True, False),
    "a line rejected": ({"answers": answered(Outcome.REJECT, rejected=1)}, (), True, False),
    "a line not answered": ({"answers": answered(Outcome.HOLD)}, (), True, False),
    "no line answered": ({"answers": ()}, (), True, False),
    "a line replaced": ({"answers": answered(Outcome.SUBSTITUTE, accepted=1)}, (), True, True),
}


@pytest.mark.parametrize(("more", "facts", "pays", "sells"), CASES.values(), ids=CASES)
def test_paying_and_offers_by_state(
    more: dict[str, object], facts: tuple[EvidenceFact, ...], pays: bool, sells: bool
) -> None:
    status = CLEAN.model_copy(update=more)
    assert bool(pay_url(RULES, status, facts, "1")) is pays
    assert bool(offers(RULES, status, facts)) is sells


def test_an_order_that_cannot_be_asked_shows_neither() -> None:
    assert pay_url(RULES, None, (), "1") == ""
    assert offers(RULES, None, ()) == ()


def test_a_store_without_them_shows_neither() -> None:
    assert pay_url(PageRules(), CLEAN, (), "1") == ""
    assert offers(PageRules(), CLEAN, ()) == ()


@pytest.mark.parametrize(
    ("number", "url"),
    [
        ("A-1", "https://pay.example/A-1?x=1"),
        ("A/1 ü&x=2#y", "https://pay.example/A%2F1%20%C3%BC%26x%3D2%23y?x=1"),
        ("../evil.example", "https://pay.example/..%2Fevil.example?x=1"),
        ("{number}", "https://pay.example/%7Bnumber%7D?x=1"),
    ],
)
def test_the_number_is_percent_encoded(number: str, url: str) -> None:
    assert pay_url(RULES, CLEAN, (), number) == url


@pytest.mark.parametrize("url", ["javascript:alert(1)//{number}", "data:text/html,{number}", "//x.example", "x", ""])
def test_no_other_address_becomes_a_link(url: str) -> None:
    rules = PageRules(pay_url=url, offers=(Offer(title="x", url=url),))
    assert pay_url(rules, CLEAN, (), "1") == ""
    assert offers(rules, CLEAN, ()) == ()


async def test_the_page_shows_them_as_links(gateway: Gateway) -> None:
    buyer = await a_buyer(gateway)
    buyer.rules(pay_url=RULES.pay_url, offers=[offer.model_dump() for offer in RULES.offers])
    clean: OrderStatus = confirmed(
        buyer.order, payment=PaymentStatus.PENDING, answers=(*IN_STOCK, IN_STOCK[0].model_copy(update={"line_id": "2"}))
    )
    buyer.stands(clean)
    shown = (await buyer.opens()).text
    assert 'href="https://pay.example/1001?x=1"' in shown
    assert re.search(r'href="https://shop.example/oil"[^>]*>Oil &amp; co</a>', shown)
    buyer.stands(clean.model_copy(update={"escalated": True, "confirmed_at": now() - timedelta(days=1)}))
    shown = (await buyer.opens()).text
    assert "pay.example" not in shown
    assert "shop.example/oil" not in shown
