"""Orders, journals and messages as the ledger is given them."""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from orderack.contracts.journal import ClockName, Entry, Event, Journal, Stage
from orderack.domain.acknowledgement import Kind, SendKey, SendOutcome, SendState
from orderack.domain.assessment import Assessment, Decision
from orderack.domain.evidence import EvidenceEvent, EvidenceFact, Grade
from orderack.domain.order import Contacts, Customer, ExternalId, Line, Order, OrderRef, Totals
from orderack.ports import Message, PastAsked, Rendered, StoredRevision

NOW = datetime(2026, 3, 2, 9, 30, 0, 123456, tzinfo=UTC)
REF = OrderRef(store="north", number="1001")
LEASE = timedelta(seconds=40)


def order(number: str = REF.number, *, customer: str = "C-7", total: str = "20.00", external: str = "gid-55") -> Order:
    return Order(
        store=REF.store,
        number=number,
        source="storefront",
        trigger_at=NOW,
        customer=Customer(id=customer, name="Ada Example"),
        contacts=Contacts(email="Ada@Example.com", phone="+1 (500) 555-0006"),
        lines=(
            Line(line_id="1", sku="MUG", quantity=Decimal("1.5"), unit_price=Decimal("8.00")),
            Line(line_id="2", sku="MUG", quantity=Decimal("1"), unit_price=Decimal("8.00")),
        ),
        currency="EUR",
        totals=Totals(total=Decimal(total)),
        external_ids=(ExternalId(system="storefront", id=external),),
    )


def stored(content: Order | None = None, revision: int = 1) -> StoredRevision:
    content = content or order()
    decision = Decision(rule="default", policy_version="v1", erp="main")
    assessment = Assessment(revision=revision, content_hash=content.content_hash, decision=decision)
    return StoredRevision(
        order=content,
        revision=revision,
        content_hash=content.content_hash,
        assessment=assessment,
        explanation='{"lead_days":2}',
    )


def entry(seq: int, event: Event = Event.ASSESSED, *, revision: int = 1, note: str = "", after: float = 0) -> Entry:
    return Entry(seq=seq, at=NOW + timedelta(seconds=after), event=event, revision=revision, note=note)


def clock_entry(seq: int, event: Event, clock: ClockName, minutes: int, *, after: float = 0) -> Entry:
    due_at = NOW + timedelta(minutes=minutes)
    return Entry(
        seq=seq, at=NOW + timedelta(seconds=after), event=event, revision=1, clock=clock, due_at=due_at, owner="ops"
    )


def journal(
    entries: Sequence[Entry] = (), *, stage: Stage = Stage.ASSESSING, ref: OrderRef = REF, revision: int = 1
) -> Journal:
    return Journal(
        ref=ref,
        stage=stage,
        revision=revision,
        owner="ops",
        next_due_at=NOW + timedelta(hours=1),
        entries=tuple(entries),
    )


def asked(store: str = "north", **more: object) -> PastAsked:
    """Of no customer, no ERP and no fingerprint, since `NOW`; `more` replaces fields."""
    nobody: dict[str, object] = {"customer_id": None, "since": NOW, "fingerprint": "-", "alike_since": NOW, "erp": None}
    return PastAsked.model_validate({"store": store} | nobody | more)


def key(kind: Kind = Kind.CONFIRMATION, *, n: int = 1, channel: str = "smtp_email", ref: OrderRef = REF) -> SendKey:
    return SendKey(ref=ref, revision=1, kind=kind, n=n, channel=channel)


def message(send_key: SendKey, text: str = "Your order is confirmed.") -> Message:
    content = Rendered(subject="Order 1001", text=text)
    return Message(key=send_key, recipient="ada@example.com", kind=send_key.kind, language="en", content=content)


def outcome(state: SendState, provider_id: str | None = None) -> SendOutcome:
    return SendOutcome(channel="smtp_email", state=state, provider_id=provider_id)


def fact(id_: str = "ev-1", event: EvidenceEvent = EvidenceEvent.DELIVERED, grade: Grade = Grade.E2) -> EvidenceFact:
    return EvidenceFact(
        id=id_,
        event=event,
        grade=grade,
        channel="smtp_email",
        revision=1,
        kind=Kind.CONFIRMATION,
        occurred_at=NOW + timedelta(seconds=5),
        basis="smtp_email:delivered",
    )
