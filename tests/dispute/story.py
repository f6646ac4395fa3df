"""An order's whole story in a ledger: two revisions, every kind of evidence, a broken promise, a handoff."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

from orderack.contracts.activities import HandOffRequest
from orderack.contracts.journal import ClockName, Entry, Event, Journal, Stage
from orderack.domain.acknowledgement import Kind, Reason, SendKey, SendOutcome, SendState
from orderack.domain.assessment import Assessment, Decision, Flag, FlagName
from orderack.domain.evidence import Assurance, EvidenceEvent, EvidenceFact, Grade, Provenance
from orderack.domain.order import Address, Contacts, Customer, Line, Order, OrderRef, Totals
from orderack.domain.response import LineAnswer, Outcome
from orderack.ledger.repository import SqlLedger
from orderack.ports import Message, Rendered, StoredRevision

NOW = datetime(2026, 3, 2, 9, 30, 0, 123456, tzinfo=UTC)
REF = OrderRef(store="north", number="1001")
EMAIL, PHONE = "ada@example.com", "+15005550006"
HTML = "<!doctype html><p>Dear Ada, your order is <b>confirmed</b>.</p><img src='https://shop.example/t/pixel.gif'>"


def an_order(quantity: int = 2) -> Order:
    where = Address(name="Ada Example", street="1 Mill Lane", city="Norwich", postal_code="NR1 1AA", country="GB")
    return Order(
        store=REF.store,
        number=REF.number,
        source="storefront",
        trigger_at=NOW,
        customer=Customer(id="C-7", name="Ada Example"),
        contacts=Contacts(email=EMAIL, phone=PHONE),
        lines=(
            Line(
                line_id="1",
                sku="MUG",
                description="Mug, “blue” <large>",
                quantity=Decimal(quantity),
                unit_price=Decimal("8.00"),
            ),
            Line(line_id="2", sku="TEA", description="Tea", quantity=Decimal("1.5"), unit_price=Decimal("4.00")),
        ),
        delivery_address=where,
        billing_address=where,
        currency="GBP",
        totals=Totals(total=Decimal("8.00") * quantity + 6),
    )


def _at(seconds: float) -> datetime:
    return NOW + timedelta(seconds=seconds)


def _revision(order: Order, revision: int) -> StoredRevision:
    flags = (Flag(name=FlagName.NEW_CLIENT, why="A new client: check who they are."),) if revision == 1 else ()
    decision = Decision(rule="web-small", policy_version="a1b2c3", why="web order under the threshold", erp="main")
    found = Assessment(revision=revision, content_hash=order.content_hash, flags=flags, decision=decision)
    return StoredRevision(
        order=order, revision=revision, content_hash=order.content_hash, assessment=found, explanation='{"lead_days":2}'
    )


def _entries() -> Iterable[Entry]:
    first = ClockName.ACKNOWLEDGE
    told: list[tuple[float, Event, int, str, ClockName | None, float, str | None]] = [
        (0, Event.ORDER_ACCEPTED, 1, "", None, 0, None),
        (0, Event.CLOCK_STARTED, 1, "", first, 60, "ops"),
        (1, Event.REVIEW_OPENED, 1, "new_client", None, 0, "grace"),
        (1, Event.CLOCK_STARTED, 1, "", ClockName.REVIEW, 14_400, "grace"),
        (75, Event.CLOCK_BREACHED, 1, "", first, 60, "ops"),
        (80, Event.CLOCK_MET, 1, "", first, 60, "ops"),
        (600, Event.REVIEW_DECIDED, 1, "approve", None, 0, "grace"),
        (600, Event.CLOCK_MET, 1, "", ClockName.REVIEW, 14_400, "grace"),
        (601, Event.SUBMITTED_TO_ERP, 1, "main", None, 0, None),
        (620, Event.ERP_RECEIPT, 1, "SO-4711", None, 0, None),
        (621, Event.CONFIRMED, 1, "", None, 0, None),
        (900, Event.CHANGE_PROPOSED, 2, "by buyer", None, 0, None),
        (960, Event.ERP_RECEIPT, 2, "SO-4711-2", None, 0, None),
        (961, Event.CONFIRMED, 2, "", None, 0, None),
        (970, Event.HANDED_OFF, 2, "kitchen", None, 0, None),
        (1_200, Event.HANDOFF_ACCEPTED, 2, "", None, 0, "lin"),
        (1_300, Event.CLOSED, 2, "", None, 0, None),
    ]
    for seq, (after, event, revision, note, clock, due, owner) in enumerate(told, start=1):
        due_at = _at(due) if clock else None
        yield Entry(
            seq=seq, at=_at(after), event=event, revision=revision, note=note, clock=clock, due_at=due_at, owner=owner
        )


def _journal(entries: Iterable[Entry] = (), stage: Stage = Stage.CLOSED) -> Journal:
    return Journal(ref=REF, stage=stage, revision=2, entries=tuple(entries))


def _key(kind: Kind, channel: str, revision: int = 1) -> SendKey:
    return SendKey(ref=REF, revision=revision, kind=kind, n=1, channel=channel)


async def _sent(ledger: SqlLedger, key: SendKey, outcome: SendOutcome, after: float, html: str | None = None) -> None:
    text = f"Order 1001, revision {key.revision}: {key.kind}. See https://shop.example/o/secret-token"
    content = Rendered(subject=f"Order 1001: {key.kind}", text=text, html=html, sms=text[:60])
    to = PHONE if "sms" in key.channel else EMAIL
    message = Message(key=key, recipient=to, kind=key.kind, language="en", content=content)
    await ledger.claim(key, message, _at(after), timedelta(minutes=1))
    await ledger.finish(key, outcome, _at(after + 1))


def _accepted(channel: str, id_: str) -> SendOutcome:
    return SendOutcome(channel=channel, state=SendState.ACCEPTED, provider_id=id_)


async def tell(ledger: SqlLedger) -> None:
    """Write the story."""
    entries = list(_entries())
    await ledger.save_revision(_revision(an_order(), 1), "f-1", _journal(entries[:6], Stage.REVIEW))
    await _sent(ledger, _key(Kind.RECEIVED, "twilio_sms"), _accepted("twilio_sms", "SM1"), 79)
    await _fact(ledger, "SM1-delivered", EvidenceEvent.DELIVERED, Grade.E2, _key(Kind.RECEIVED, "twilio_sms"), 84)
    await ledger.write(_journal(entries[6:11]))
    await _sent(ledger, _key(Kind.CONFIRMATION, "sendgrid_email"), _accepted("sendgrid_email", "sg-1"), 622, HTML)
    no = SendOutcome(
        channel="twilio_sms", state=SendState.REJECTED, reason=Reason.BAD_RECIPIENT, detail=f"21211 {PHONE}"
    )
    await _sent(ledger, _key(Kind.CONFIRMATION, "twilio_sms"), no, 623)
    first = _key(Kind.CONFIRMATION, "sendgrid_email")
    await _fact(ledger, "sg-1-delivered", EvidenceEvent.DELIVERED, Grade.E2, first, 626)
    machine = ("apple_mail_preload", "seconds_after_delivery")
    await _fact(ledger, "t-1", EvidenceEvent.MACHINE_TOUCH, Grade.M, first, 629, Assurance.NONE, machine=machine)
    await _fact(ledger, "t-2", EvidenceEvent.DISPLAYED, Grade.E3P, first, 800, Assurance.NONE)
    await ledger.save_revision(_revision(an_order(3), 2), "f-2", _journal(entries[11:14]))
    second = _key(Kind.CONFIRMATION, "sendgrid_email", 2)
    await _sent(ledger, second, _accepted("sendgrid_email", "sg-2"), 962, HTML)
    await _sent(
        ledger, _key(Kind.UPDATE, "smtp_email", 2), SendOutcome(channel="smtp_email", state=SendState.UNKNOWN), 965
    )
    await ledger.offer_handoff(_handoff(), _at(970))
    await _fact(ledger, "affirm-2", EvidenceEvent.AFFIRMED, Grade.E5, second, 1_000, Assurance.LINK, channel="portal")
    await _fact(ledger, "accept-2", EvidenceEvent.ASSENTED, Grade.E5, second, 1_001, Assurance.LINK, channel="portal")
    await ledger.write(_journal(entries[14:]))


def _handoff() -> HandOffRequest:
    return HandOffRequest(
        ref=REF,
        revision=2,
        content_hash=an_order(3).content_hash,
        team="kitchen",
        owner="lin",
        document_id="SO-4711-2",
        answers=(
            LineAnswer(line_id="1", outcome=Outcome.ACCEPT, accepted=Decimal(3)),
            LineAnswer(line_id="2", outcome=Outcome.BACKORDER, accepted=Decimal(1), backordered=Decimal("0.5")),
        ),
        journal=_journal(),
    )


async def _fact(
    ledger: SqlLedger,
    id_: str,
    event: EvidenceEvent,
    grade: Grade,
    key: SendKey,
    after: float,
    assurance: Assurance = Assurance.PROVIDER,
    *,
    channel: str | None = None,
    machine: tuple[str, ...] = (),
) -> None:
    fact = EvidenceFact(
        id=id_,
        event=event,
        grade=grade,
        channel=channel or key.channel,
        revision=key.revision,
        kind=key.kind,
        occurred_at=_at(after),
        basis=f"{'page' if channel == 'portal' else key.channel}:{event}",
    )
    origin = Provenance(
        content_sha256="c" * 64,
        actor="",
        assurance=assurance,
        verified=assurance is Assurance.PROVIDER,
        machine=machine,
    )
    await ledger.record_evidence(REF, fact, f'{{"to":"{EMAIL}","event":"{event}"}}', origin)
