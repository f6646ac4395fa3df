"""Made-up messages that take every branch a wording can take; the policy check renders them all."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from orderack.contracts.activities import Facts, ForTeam, TeamWord
from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import Assessment, Decision
from orderack.domain.order import (
    Address,
    Contacts,
    Customer,
    DeliveryWindow,
    Line,
    Order,
    Payment,
    PaymentStatus,
    Pickup,
    Totals,
)
from orderack.domain.response import LineAnswer, Outcome
from orderack.domain.store import StoreProfile
from orderack.ports import Content

_AT = datetime(2026, 6, 1, 12, 0, tzinfo=UTC)
_DUE = _AT + timedelta(hours=2)
_ON = date(2026, 6, 12)

STORE = StoreProfile(
    id="sample-store",
    display_name="Sample & Sons",
    contact_email="orders@example.com",
    contact_phone="+15005550006",
    contact_hours="09:00 – 17:00",
    postal_address="1 Sample Street, Springfield",
)

ORDER = Order(
    store="sample-store",
    number="S-1042",
    source="web_form",
    trigger_at=_AT,
    customer=Customer(name="Ada Example"),
    contacts=Contacts(email="ada@example.com"),
    lines=(
        Line(
            line_id="1", sku="WT-2", model="Walnut 2", description="Walnut tray", quantity=Decimal(2),
            unit_price=Decimal("24.50"), instructions="Wrap as a gift", design="Initials A.E.",
        ),
        Line(
            line_id="2", sku="CK-9", description="Carrot cake", quantity=Decimal(3), unit_price=Decimal(18),
            dietary="No nuts",
        ),
    ),
    delivery_address=Address(street="12 Invented Road", city="Springfield", postal_code="00001", country="US"),
    delivery_window=DeliveryWindow(start=_AT + timedelta(days=11), end=_AT + timedelta(days=11, hours=2)),
    payment=Payment(status=PaymentStatus.CONFIRMED, terms="Net 30", method="Card"),
    currency="USD",
    totals=Totals(discount=Decimal(5), tax=Decimal("7.70"), shipping=Decimal("6.10"), total=Decimal("111.80")),
    instructions="Ring twice",
)  # fmt: skip

_PICKUP = ORDER.model_copy(
    update={"delivery_address": None, "delivery_window": None, "pickup": Pickup(location="Counter 4", at=_DUE)}
)

_PREVIOUS = ORDER.model_copy(
    update={
        "lines": (ORDER.lines[0].model_copy(update={"quantity": Decimal(1)}),),
        "instructions": None,
        "totals": ORDER.totals.model_copy(update={"total": Decimal(50)}),
    }
)

_IN_STOCK = (
    LineAnswer(line_id="1", outcome=Outcome.ACCEPT, accepted=Decimal(2)),
    LineAnswer(line_id="2", outcome=Outcome.ACCEPT, accepted=Decimal(3)),
)
_MIXED = (
    LineAnswer(line_id="1", outcome=Outcome.SUBSTITUTE, accepted=Decimal(2), substitute_sku="WT-3"),
    LineAnswer(
        line_id="2", outcome=Outcome.BACKORDER, accepted=Decimal(1), backordered=Decimal(2), expected_on=_ON,
        note="Baked to order",
    ),
)  # fmt: skip

_BOOKED = Facts(document_id="SO-77001", answers=_IN_STOCK, promise_on=_ON)
_WAITING = Facts(
    next_update_at=_DUE, decided_by=_DUE, owner="order desk", waiting_for="the ERP's receipt", escalated=True,
    reason="A made-up reason",
)  # fmt: skip
_ANSWERED = Facts(reason="A made-up reason", question="Which colour?", answer="Walnut, oiled.", decided_by=_DUE)

_FOR_TEAM = tuple(
    Facts(
        owner="duty manager", decided_by=_DUE, waiting_for="the team to accept the handoff",
        for_team=ForTeam(word=word, revision=2, content_hash="3f9a" * 16, team="kitchen", waits=waits),
    )
    for word in TeamWord
    for waits in ((), ("a made-up reason to wait",))
)  # fmt: skip


def samples(kind: Kind, language: str) -> Iterator[Content]:
    """Messages of this kind, each taking other branches: with and without dates, owner, change, backorder, pickup."""
    facts = {
        Kind.HOLDING: (_WAITING, Facts()),
        Kind.UPDATE: (_WAITING, Facts(owner="order desk"), Facts()),
        Kind.ALERT: (_WAITING, Facts(reason="A made-up reason"), *_FOR_TEAM),
        Kind.QUESTION: (_ANSWERED, Facts(question="Which colour?")),
        Kind.ANSWER: (_ANSWERED, Facts(question="Which colour?", answer="Walnut, oiled.")),
        Kind.CONFIRMATION: (_BOOKED, _BOOKED.model_copy(update={"answers": _MIXED}), Facts(document_id="SO-1")),
    }.get(kind, (_ANSWERED, Facts()))
    facts = (*facts, facts[0].model_copy(update={"may_repeat": True}))
    orders = (ORDER, _PICKUP, ORDER.model_copy(update={"customer": Customer()}))
    changes = (None, _PREVIOUS) if kind in (Kind.CONFIRMATION, Kind.CHANGE_RECEIVED, Kind.ALERT) else (None,)
    for order in orders:
        for told in facts:
            for previous in changes:
                yield Content(
                    kind=kind,
                    language=language,
                    store=STORE,
                    order=order,
                    revision=2 if previous else 1,
                    assessment=Assessment(
                        revision=1, content_hash="0", decision=Decision(rule="sample", policy_version="0")
                    ),
                    facts=told,
                    previous=previous,
                    page_url="https://orders.example.com/o/sample",
                    sheet_url="https://orders.example.com/board/sheet/sample-store/S-1042?revision=2",
                )
