"""Orders, receipts and decisions for the stories: invented, complete, and easy to vary."""

from datetime import datetime, timedelta
from decimal import Decimal

from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import (
    Assessment,
    Decision,
    Doubts,
    ErpMode,
    Flag,
    FlagName,
    Gate,
    Leg,
    OnDoubt,
    Route,
    ServiceLevels,
    SourceCall,
)
from orderack.domain.order import (
    Address,
    Contacts,
    Customer,
    Line,
    Order,
    PartnerDeadline,
    Payment,
    PaymentStatus,
    Totals,
)
from orderack.domain.receipt import ErpReceipt, LineVerdict, StockVerdict


def an_order(number: str, at: datetime, *, quantity: int = 2, partner_due: datetime | None = None) -> Order:
    """A complete order of one or two lines."""
    return Order(
        store="demo",
        number=number,
        source="web",
        trigger_at=at,
        customer=Customer(id="C-1"),
        contacts=Contacts(email="ada@example.com", phone="+15005550006"),
        lines=(
            Line(line_id="1", sku="TEA", description="Tea", quantity=Decimal(quantity), unit_price=Decimal("9.90")),
            Line(line_id="2", sku="CUP", description="Cup", quantity=Decimal(1), unit_price=Decimal("20.00")),
        ),
        delivery_address=Address(street="1 High Street", city="London", postal_code="N1 1AA", country="GB"),
        payment=Payment(status=PaymentStatus.CONFIRMED, terms="prepaid"),
        currency="EUR",
        totals=Totals(total=Decimal("9.90") * quantity + 20),
        partner_deadline=PartnerDeadline(partner="bigmart", due_at=partner_due) if partner_due else None,
    )


def a_receipt(order: Order, at: datetime, *, id: str = "R1", revision: int | None = 1, **verdicts: str) -> ErpReceipt:
    """The ERP booked it; lines are available unless `l1="backordered"` says otherwise."""
    lines = tuple(
        LineVerdict(line_id=line.line_id, verdict=StockVerdict(verdicts.get(f"l{line.line_id}", "available")))
        for line in order.lines
    )
    return ErpReceipt(
        id=id,
        erp="sandbox",
        store=order.store,
        number=order.number,
        revision=revision,
        document_id=f"SO-{order.number}-{revision or 1}",
        recorded_at=at,
        lines=lines,
    )


def a_decision(
    *,
    gate: Gate = Gate.ACK_GATED,
    route: Route = Route.STRAIGHT,
    withhold: bool = False,
    silent: bool = False,
    erp_mode: ErpMode = ErpMode.PUSH,
    legs: tuple[tuple[str, ...], ...] = (("email", "sms"),),
    levels: ServiceLevels | None = None,
    evidence_needed: str = "E2",
    time_zone: str = "UTC",
    answer: SourceCall | None = None,
    invoice: bool = False,
    tell: bool = False,
    team: str = "operations",
    rota: tuple[str, ...] = ("ops-1", "ops-2", "ops-3"),
    internal: tuple[str, ...] = ("slack",),
    on_doubt: dict[str, str] | None = None,
    pages: tuple[str, ...] = ("portal",),
) -> Decision:
    """What the matrix would have said."""
    kinds = {Kind(kind): OnDoubt(word) for kind, word in (on_doubt or {}).items()}
    return Decision(
        rule="test",
        policy_version="p1",
        route=route,
        gate=gate,
        withhold_received=withhold,
        withhold_updates=silent,
        erp="sandbox",
        erp_mode=erp_mode,
        legs=tuple(Leg(channels=leg) for leg in legs),
        internal=(Leg(channels=internal),) if internal else (),
        team=team,
        rota=rota,
        reviewers=("reviewer-1", "reviewer-2"),
        evidence_needed=evidence_needed,
        time_zone=time_zone,
        levels=levels or ServiceLevels(),
        answer=answer,
        invoice=invoice,
        tell_handoffs=tell,
        on_doubt=Doubts(kinds=kinds, pages=pages) if kinds else None,
    )


def an_assessment(order: Order, revision: int, decision: Decision, flags: tuple[Flag, ...] = ()) -> Assessment:
    return Assessment(revision=revision, content_hash=order.content_hash, flags=flags, decision=decision)


HIGH_VALUE = Flag(name=FlagName.HIGH_VALUE, why="total 9,000 EUR is above 5,000 EUR")
INCOMPLETE = Flag(name=FlagName.INCOMPLETE, why="there is no delivery address", field="delivery_address")

MINUTE, HOUR = timedelta(minutes=1), timedelta(hours=1)
