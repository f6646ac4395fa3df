"""A customer's messages and what came of them, written into a ledger as the product writes it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count

from orderack.domain.acknowledgement import Kind, Reason, SendKey, SendOutcome, SendState
from orderack.domain.address import address_sha256
from orderack.domain.assessment import Assessment, Decision, Leg, Side
from orderack.domain.evidence import HOLDER_OF_LINK, EvidenceEvent, EvidenceFact, Grade, Provenance
from orderack.domain.flags import fingerprint
from orderack.domain.order import Contacts, Customer, Line, Order, OrderRef, Totals
from orderack.ledger.repository import SqlLedger
from orderack.ports import Message, ReachAsked, Rendered, StoredRevision
from tests.ledger.samples import journal

NOW = datetime(2026, 11, 20, 12, 0, tzinfo=UTC)
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
MAIL, SMS, PORTAL = "sendgrid_email", "twilio_sms", "portal"
LEG = (MAIL, SMS)
PHONE, EMAIL = "+4930555001", "Ada@Example.com"

_ids = count(1)


@dataclass
class Customers:
    """Orders of customers of one store, and messages about them."""

    ledger: SqlLedger
    store: str = "north"

    async def order(
        self,
        number: str,
        ago: timedelta,
        *,
        customer: str | None = "C-7",
        legs: Sequence[Sequence[str]] = (LEG,),
        side: Side = Side.LIVE,
        email: str = EMAIL,
    ) -> OrderRef:
        """One that came so long ago; its messages go by these legs."""
        order = Order(
            store=self.store,
            number=number,
            source="web",
            trigger_at=NOW - ago,
            customer=Customer(id=customer),
            contacts=Contacts(email=email, phone=PHONE),
            lines=(Line.model_validate({"line_id": "1", "sku": "MUG", "quantity": 1, "unit_price": 9}),),
            currency="EUR",
            totals=Totals.model_validate({"total": 9}),
        )
        decision = Decision(
            rule="r", policy_version="v", legs=tuple(Leg(channels=tuple(leg)) for leg in legs), side=side
        )
        assessment = Assessment(revision=1, content_hash=order.content_hash, decision=decision)
        kept = StoredRevision(order=order, revision=1, content_hash=order.content_hash, assessment=assessment)
        await self.ledger.save_revision(kept, fingerprint(order), journal(ref=order.ref))
        return order.ref

    async def send(
        self,
        ref: OrderRef,
        channel: str,
        at: datetime,
        *,
        kind: Kind = Kind.CONFIRMATION,
        n: int = 1,
        state: SendState = SendState.ACCEPTED,
        reason: Reason | None = None,
    ) -> SendKey:
        """A message by this channel that ended so, at once."""
        key = SendKey(ref=ref, revision=1, kind=kind, n=n, channel=channel)
        to = PHONE if channel == SMS else EMAIL
        message = Message(key=key, recipient=to, kind=kind, language="en", content=Rendered(text="…"))
        await self.ledger.claim(key, message, at, timedelta(minutes=1))
        await self.ledger.finish(key, SendOutcome(channel=channel, state=state, reason=reason), at)
        return key

    async def fact(
        self,
        key: SendKey,
        event: EvidenceEvent,
        grade: Grade,
        at: datetime,
        *,
        channel: str | None = None,
        by_link: bool = False,
        id_: str | None = None,
    ) -> EvidenceFact:
        """Something that is known of it; `by_link`: done on the page, where the message's link had led."""
        fact = EvidenceFact(
            id=id_ or f"ev-{next(_ids)}",
            event=event,
            grade=grade,
            channel=PORTAL if by_link else channel or key.channel,
            revision=key.revision,
            kind=key.kind,
            n=key.n,
            occurred_at=at,
            basis="test",
        )
        actor = f"{HOLDER_OF_LINK}{key.channel}" if by_link else "somebody"
        await self.ledger.record_evidence(key.ref, fact, "{}", Provenance(actor=actor))
        return fact

    async def affirmed_by_sms(
        self, number: str, ago: timedelta, *, customer: str | None = "C-7", after: int = 2
    ) -> None:
        """The mail brings nothing, its fallback does: after so many minutes the buyer says that they have it."""
        ref, at = await self.order(number, ago, customer=customer), NOW - ago
        await self.send(ref, MAIL, at)
        key = await self.send(ref, SMS, at + 10 * MINUTE)
        await self.fact(key, EvidenceEvent.AFFIRMED, Grade.E5, at + (10 + after) * MINUTE)


def asked(customer: str | None = "C-7", store: str = "north", **more: object) -> ReachAsked:
    return ReachAsked.model_validate({"store": store, "customer_id": customer, "now": NOW} | more)


def hashed(address: str) -> str:
    return address_sha256(address)
