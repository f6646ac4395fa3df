"""`timeline.html`: the case for a person to read, on a screen or on paper. No script, nothing fetched, no live link."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from decimal import Decimal

from jinja2 import Environment, PackageLoader, StrictUndefined

from orderack.contracts.journal import Event
from orderack.dispute import verifier
from orderack.dispute.case import Case, Fact, Revision, Send, Told
from orderack.dispute.words import ANSWERS, ASSURANCES, CHANGED, CLOCKS, EVENTS, GRADES, KINDS, STATES, plain_words
from orderack.domain.acknowledgement import Kind
from orderack.domain.difference import Change, difference
from orderack.domain.evidence import Grade
from orderack.domain.order import Address, Line, Order
from orderack.domain.proof import Mark
from orderack.ledger.projection import Deadline

_TEMPLATES = Environment(
    loader=PackageLoader("orderack.dispute"),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)

DECISIONS = (
    *(Event.ORDER_ACCEPTED, Event.ASSESSED, Event.REVIEW_OPENED, Event.REVIEW_DECIDED, Event.ESCALATED),
    *(Event.DE_ESCALATED, Event.REASSIGNED, Event.CLAIMED, Event.CONFIRMED, Event.DECLINED, Event.QUESTION_ASKED),
    *(Event.QUESTION_ANSWERED, Event.CHANGE_PROPOSED, Event.CANCEL_REQUESTED, Event.CANCELLED, Event.REJECTED),
    *(Event.SEND_SETTLED, Event.HANDED_OFF, Event.HANDOFF_FROZEN, Event.HANDOFF_ACCEPTED, Event.WORK_MAY_BEGIN),
    Event.PAYMENT_CHANGED,
)
ERP = (Event.SUBMITTED_TO_ERP, Event.ERP_RECEIPT, Event.ERP_RECEIPT_STALE, Event.ERP_REFUSED, Event.ERP_CANCELLED)


@dataclass(frozen=True)
class Writing:
    """How this document writes a moment: with its date, its seconds and its zone."""

    zone: tzinfo

    def moment(self, at: datetime | None) -> str:
        return f"{at.astimezone(self.zone):%d %b %Y, %H:%M:%S %Z}" if at else "–"


def timeline_html(case: Case, names: Mapping[int, str], zone: tzinfo, exported_at: datetime) -> str:
    """The document. Every sentence about a message is its generated claim."""
    write = Writing(zone)
    view = {
        "case": case,
        "order": str(case.record.ref),
        "exported_at": write.moment(exported_at),
        "zone": str(zone),
        "moment": write.moment,
        "summary": tuple(_summary(case, write)),
        "revisions": tuple(_revisions(case, write)),
        "told": tuple(_told(told, names, write) for told in case.told),
        "other_facts": tuple(_fact(one, write) for one in case.other_facts),
        "levels": tuple(_level(one, write) for one in case.projection.deadlines),
        "decisions": tuple(_entries(case, DECISIONS, write)),
        "erp": tuple(_entries(case, ERP, write)),
        "entries": tuple(_entries(case, tuple(Event), write)),
        "answers": ANSWERS,
        "grades": GRADES,
        "cannot": verifier.CANNOT,
        "number": _number,
    }
    return _TEMPLATES.get_template("timeline.html").render(view)


def _summary(case: Case, write: Writing) -> Iterator[tuple[str, str]]:
    """The first page's facts: name and value."""
    last = case.entries[-1] if case.entries else None
    documents = ", ".join(case.projection.document_ids)
    yield "First recorded", write.moment(case.first_recorded_at)
    yield "Revisions", str(len(case.revisions))
    yield "ERP documents", documents or "none"
    yield "Messages to the buyer", str(sum(told.kind is not Kind.ALERT for told in case.told))
    yield "Last entry", f"{plain_words(last.event)}, {write.moment(last.at)}" if last else "none"
    yield "Audit chain", f"{case.record.length} rows"


# -- the order ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class RevisionView:
    stored: Revision
    recorded: str
    facts: tuple[tuple[str, str], ...]
    lines: tuple[Line, ...]
    changes: tuple[tuple[str, str, str], ...]
    compared_to: int | None
    flags: tuple[str, ...]


def _revisions(case: Case, write: Writing) -> Iterator[RevisionView]:
    before: Revision | None = None
    for one in case.revisions:
        yield RevisionView(
            stored=one,
            recorded=write.moment(one.recorded_at),
            facts=tuple((name, value) for name, value in _order_facts(one, write) if value),
            lines=one.order.lines if one.order else (),
            changes=tuple(_changes(before.order, one.order)) if before and before.order and one.order else (),
            compared_to=before.revision if before else None,
            flags=tuple(flag.why for flag in one.assessment.flags),
        )
        before = one


def _order_facts(one: Revision, write: Writing) -> Iterator[tuple[str, str]]:
    decision = one.assessment.decision
    if (order := one.order) is not None:
        yield "Source", order.source
        yield "Placed", write.moment(order.trigger_at)
        yield "Customer", " · ".join(filter(None, (order.customer.name, order.customer.id)))
        yield "Contact", " · ".join(filter(None, (order.contacts.email, order.contacts.phone)))
        yield "Deliver to", _address(order.delivery_address)
        yield "Bill to", _address(order.billing_address)
        yield "Pick up", order.pickup.location or "" if order.pickup else ""
        yield "Payment", " · ".join(filter(None, (order.payment.status, order.payment.method, order.payment.terms)))
        yield "Instructions", order.instructions or ""
        yield "Total", f"{order.totals.total} {order.currency}"
    yield "Promised for", _day(one.assessment.promise_on)
    yield (
        "Decided by rule",
        f"{decision.rule} (policy {decision.policy_version}){f': {decision.why}' if decision.why else ''}",
    )
    yield "ERP", one.erp or ""


_LINE: Mapping[str, Callable[[Line], object]] = {
    "item": lambda line: f"{line.sku} {line.description}".strip(),
    "quantity": lambda line: _number(line.quantity),
    "unit_price": lambda line: line.unit_price,
    "line_instructions": lambda line: line.instructions,
    "design": lambda line: line.design,
    "dietary": lambda line: line.dietary,
    "line_added": lambda line: f"{_number(line.quantity)} × {line.unit_price}",
    "line_removed": lambda line: f"{_number(line.quantity)} × {line.unit_price}",
}
_ORDER: Mapping[str, Callable[[Order], object]] = {
    "instructions": lambda order: order.instructions,
    "address": lambda order: _address(order.delivery_address),
    "pickup": lambda order: order.pickup.location if order.pickup else None,
    "window": lambda order: f"{order.delivery_window.start:%Y-%m-%d %H:%M %Z}" if order.delivery_window else None,
    "discount": lambda order: order.totals.discount,
    "shipping": lambda order: order.totals.shipping,
    "tax": lambda order: order.totals.tax,
    "total": lambda order: f"{order.totals.total} {order.currency}",
    "terms": lambda order: order.payment.terms,
}


def _changes(before: Order, after: Order) -> Iterator[tuple[str, str, str]]:
    """What changed, its value before, its value after."""
    old, new = ({line.line_id: line for line in order.lines} for order in (before, after))
    for change in difference(before, after):
        line = new.get(change.line_id or "") or old.get(change.line_id or "")
        label = f"{line.description or line.sku}: {CHANGED[change.what]}" if line else CHANGED[change.what]
        yield label, _value(change, before, old), _value(change, after, new)


def _value(change: Change, order: Order, lines: Mapping[str, Line]) -> str:
    if change.line_id is None:
        found = _ORDER[change.what](order)
    else:
        line = lines.get(change.line_id)
        found = _LINE[change.what](line) if line else None
    return str(found) if found not in (None, "") else "none"


# -- messages and their evidence --------------------------------------------------------------------------------------


@dataclass(frozen=True)
class FactView:
    at: str
    what: str
    grade: Grade
    grade_words: str
    origin: str
    reasons: tuple[str, ...]
    recorded: str
    row: int
    raw_sha256: str


@dataclass(frozen=True)
class SendView:
    send: Send
    name: str
    state: str
    at: str
    recipient: str
    subject: str
    text: str


@dataclass(frozen=True)
class ToldView:
    told: Told
    title: str
    internal: bool
    out: str
    claim: str
    marks: tuple[tuple[str, str], ...]
    sends: tuple[SendView, ...]
    facts: tuple[FactView, ...]


def _told(told: Told, names: Mapping[int, str], write: Writing) -> ToldView:
    proof = told.proof
    assent = "Declined" if proof.assented is False else "Accepted"
    return ToldView(
        told=told,
        title=f"{KINDS[told.kind]}{f' no. {told.n}' if told.n > 1 else ''}, revision {told.revision}",
        internal=told.kind is Kind.ALERT,
        out=write.moment(told.out_at),
        claim=told.claim(write.zone),
        marks=(
            ("Receipt", _mark(proof.receipt, "", write)),
            ("Reading", _mark(proof.reading, "", write)),
            ("Assent", _mark(proof.assent, f"{assent}: ", write)),
        ),
        sends=tuple(_send(send, names[send.position], write) for send in told.channels),
        facts=tuple(_fact(one, write) for one in told.facts),
    )


def _mark(mark: Mark | None, before: str, write: Writing) -> str:
    return f"{before}{write.moment(mark.at)} · {mark.grade} · {mark.channel}" if mark else "no evidence"


def _send(send: Send, name: str, write: Writing) -> SendView:
    content = send.message.content if send.message else None
    short = content.sms if content and "sms" in send.channel else None
    return SendView(
        send=send,
        name=name if content else "",
        state=STATES[send.state] + (f" ({plain_words(send.reason)})" if send.reason else ""),
        at=write.moment(send.finished_at),
        recipient=send.message.recipient if send.message else "",
        subject=content.subject if content and not short else "",
        text=short or (content.text if content else ""),
    )


def _fact(one: Fact, write: Writing) -> FactView:
    fact = one.fact
    signature = {True: "signature checked", False: "not signed", None: ""}[one.verified]
    assurance = ASSURANCES[one.assurance] if one.assurance else ""
    return FactView(
        at=write.moment(fact.occurred_at),
        what=f"{EVENTS[fact.event]} ({fact.channel})",
        grade=fact.grade,
        grade_words=GRADES[fact.grade],
        origin=" · ".join(filter(None, (one.actor, assurance, signature, fact.basis))),
        reasons=tuple(plain_words(reason) for reason in one.machine),
        recorded=write.moment(one.recorded_at),
        row=one.position,
        raw_sha256=one.raw_sha256,
    )


# -- clocks and entries -----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class LevelView:
    clock: str
    owner: str
    started: str
    due: str
    outcome: str
    broken: bool


def _level(one: Deadline, write: Writing) -> LevelView:
    outcome = "open when this was exported"
    if one.breached_at and one.met_at:
        outcome = f"broken on {write.moment(one.breached_at)}; met late, on {write.moment(one.met_at)}"
    elif one.breached_at:
        outcome = f"broken on {write.moment(one.breached_at)}"
    elif one.met_at:
        outcome = f"met on {write.moment(one.met_at)}"
    elif one.stopped_at:
        outcome = f"no longer applied from {write.moment(one.stopped_at)}"
    return LevelView(
        clock=CLOCKS[one.clock],
        owner=one.owner or "–",
        started=write.moment(one.started_at),
        due=write.moment(one.due_at),
        outcome=outcome,
        broken=one.breached_at is not None,
    )


@dataclass(frozen=True)
class EntryView:
    seq: int
    at: str
    revision: int
    what: str
    note: str
    by: str


def _entries(case: Case, events: Sequence[Event], write: Writing) -> Iterator[EntryView]:
    for entry in case.entries:
        if entry.event in events:
            clock = f"{CLOCKS[entry.clock]}, due {write.moment(entry.due_at)}" if entry.clock else ""
            yield EntryView(
                seq=entry.seq,
                at=write.moment(entry.at),
                revision=entry.revision,
                what=plain_words(entry.event),
                note="; ".join(filter(None, (entry.note, clock))),
                by=entry.owner or "",
            )


def _address(address: Address | None) -> str:
    if address is None:
        return ""
    town = " ".join(filter(None, (address.postal_code, address.city)))
    return ", ".join(
        filter(
            None,
            (address.name, address.company, address.street, address.street2, town, address.region, address.country),
        )
    )


def _number(value: Decimal) -> str:
    return f"{value.normalize():f}"


def _day(value: date | None) -> str:
    return f"{value:%d %b %Y}" if value else ""
