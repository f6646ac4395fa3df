"""What the buyer's page shows: an order's standing in the buyer's words, and never a promise that was not made."""

import base64
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from jinja2 import Environment, PackageLoader, StrictUndefined

from orderack.contracts.journal import Stage
from orderack.contracts.queries import OrderStatus
from orderack.domain.acknowledgement import Audience, Kind, SendState
from orderack.domain.order import Address, Line, Order, OrderRef, PaymentStatus
from orderack.domain.response import LineAnswer, Outcome
from orderack.domain.store import StoreProfile
from orderack.gateway.standing import called_off
from orderack.messages.formats import Formats, locale_for, zone_for
from orderack.ports import Channel, Message, StoredRevision, StoredSend

_TEMPLATES = Environment(
    loader=PackageLoader("orderack.gateway"), autoescape=True, undefined=StrictUndefined, trim_blocks=True
)
_STYLE = _TEMPLATES.get_template("style.css").render()
_HASH = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()

CSP = f"default-src 'none'; style-src 'sha256-{_HASH}'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
"""No script, no image, no frame, nothing from elsewhere: only our own style sheet and our own form."""

_PENDING = ("We have your order. It is not confirmed yet.", "We book it and check the stock; then we write to you.")
_WORDS: Mapping[str, tuple[str, str]] = {
    Stage.AWAITING_ORDER: ("Your order has not reached us yet.", "This page shows it as soon as it has."),
    Stage.ASSESSING: _PENDING,
    Stage.AWAITING_ERP: _PENDING,
    Stage.REVIEW: (
        "We have your order. It is not confirmed yet.",
        "A person is looking at it; then we write to you.",
    ),
    Stage.CONFIRMED: ("Your order is confirmed.", "We hand it to the team that prepares it."),
    Stage.HANDED_OFF: ("Your order is confirmed.", "It is with the team that prepares it."),
    Stage.CANCELLED: ("Your order is cancelled.", "Nothing more happens."),
    Stage.REJECTED: ("We cannot fulfil this order.", "Nothing more happens; our last message says why."),
    Stage.CLOSED: ("This order is closed.", "Our messages below say how it ended."),
}
_CHANGING = (
    "Your order is confirmed as revision {confirmed}. Your change is not confirmed yet.",
    "We check the change (revision {revision}); then we write to you. Until then work rests.",
)
_OPEN = (Stage.ASSESSING, Stage.REVIEW, Stage.AWAITING_ERP)

_ANSWERS: Mapping[Outcome, str] = {
    Outcome.ACCEPT: "In stock",
    Outcome.QUANTITY: "Quantity changed",
    Outcome.PRICE: "Price changed",
    Outcome.DATE: "Date changed",
    Outcome.SUBSTITUTE: "Replaced",
    Outcome.BACKORDER: "On backorder",
    Outcome.REJECT: "Not available",
    Outcome.HOLD: "Not answered yet",
}
_PAYMENT: Mapping[PaymentStatus, str] = {
    PaymentStatus.CONFIRMED: "Paid",
    PaymentStatus.PENDING: "Payment pending",
    PaymentStatus.FLAGGED: "Payment pending",
}


@dataclass(frozen=True)
class LineRow:
    title: str
    sku: str
    quantity: str
    price: str
    answer: str
    notes: tuple[str, ...]


@dataclass(frozen=True)
class MessageRow:
    at: str
    subject: str
    text: str


@dataclass(frozen=True)
class PageView:
    store: StoreProfile
    number: str
    headline: str
    next: str
    revision: int
    confirmed: bool
    confirmed_at: str
    document: str
    promise: str
    lines: tuple[LineRow, ...]
    facts: tuple[tuple[str, str], ...]
    messages: tuple[MessageRow, ...]
    affirm_path: str | None
    affirmed: bool
    changed_meanwhile: bool
    current: bool
    """False while the order itself can't be asked: then the page says less."""


def page_view(
    *,
    store: StoreProfile,
    ref: OrderRef,
    stage: str,
    revision: int,
    stored: StoredRevision | None,
    status: OrderStatus | None,
    sends: Sequence[StoredSend],
    channels: Mapping[str, Channel],
    affirmed: bool,
    affirm_path: str | None,
    changed_meanwhile: bool,
) -> PageView:
    """Everything on the page. What is confirmed comes from `status` alone; the rest from the ledger."""
    formats = Formats(locale_for("en", "en", store.country), zone_for(store.time_zone))
    confirmed = status is not None and status.confirmed_revision is not None and not called_off(status)
    headline, follows = _CHANGING if confirmed and stage in _OPEN else _WORDS.get(stage, _PENDING)
    numbers = {"confirmed": revision, "revision": status.revision if status else revision}
    order = stored.order if stored else None
    answers = status.answers if status and confirmed and status.confirmed_revision == status.revision else ()
    return PageView(
        store=store,
        number=ref.number,
        headline=headline.format(**numbers),
        next=follows.format(**numbers),
        revision=revision,
        confirmed=confirmed,
        confirmed_at=formats.moment(status.confirmed_at) if confirmed and status and status.confirmed_at else "",
        document=(status.erp_document_id or "") if confirmed and status else "",
        promise=formats.day(status.promise_on) if answers and status and status.promise_on else "",
        lines=tuple(_lines(order, answers, formats)) if order else (),
        facts=tuple(_facts(order, formats)) if order else (),
        messages=tuple(_messages(sends, channels, formats)),
        affirm_path=affirm_path if confirmed and stage != Stage.CLOSED else None,
        affirmed=affirmed,
        changed_meanwhile=changed_meanwhile,
        current=status is not None,
    )


def order_html(view: PageView) -> str:
    return _TEMPLATES.get_template("order.html").render(view=view, style=_STYLE)


def gone_html() -> str:
    return _TEMPLATES.get_template("gone.html").render(style=_STYLE)


def _lines(order: Order, answers: Sequence[LineAnswer], formats: Formats) -> Iterator[LineRow]:
    by_line = {answer.line_id: answer for answer in answers}
    for line in order.lines:
        answer = by_line.get(line.line_id)
        yield LineRow(
            title=line.description or line.model or line.sku,
            sku=line.sku,
            quantity=formats.number(line.quantity),
            price=formats.money(line.unit_price, order.currency),
            answer=_ANSWERS[answer.outcome] if answer else "",
            notes=tuple(_notes(line, answer, formats)),
        )


def _notes(line: Line, answer: LineAnswer | None, formats: Formats) -> Iterator[str]:
    if answer and answer.backordered:
        yield f"{formats.number(answer.accepted)} now, {formats.number(answer.backordered)} later"
    if answer and answer.expected_on:
        yield f"Expected {formats.day(answer.expected_on)}"
    if answer and answer.substitute_sku:
        yield f"Replaced by {answer.substitute_sku}"
    for label, text in (("Design", line.design), ("Dietary", line.dietary), ("Instructions", line.instructions)):
        if text:
            yield f"{label}: {text}"


def _facts(order: Order, formats: Formats) -> Iterator[tuple[str, str]]:
    yield "Total", formats.money(order.totals.total, order.currency)
    yield "Payment", _PAYMENT[order.payment.status] + (f", {order.payment.terms}" if order.payment.terms else "")
    if order.pickup:
        yield "Pickup", order.pickup.location
        if order.pickup.at:
            yield "Pickup time", formats.moment(order.pickup.at)
    if order.delivery_address:
        yield "Delivery address", _address(order.delivery_address)
    if order.delivery_window:
        yield (
            "You asked for",
            f"{formats.moment(order.delivery_window.start)} – {formats.moment(order.delivery_window.end)}",
        )
    if order.instructions:
        yield "Your instructions", order.instructions


def _address(address: Address) -> str:
    town = " ".join(part for part in (address.postal_code, address.city, address.region) if part)
    parts = (address.name, address.company, address.street, address.street2, town, address.country)
    return "\n".join(part for part in parts if part)


def _messages(sends: Sequence[StoredSend], channels: Mapping[str, Channel], formats: Formats) -> Iterator[MessageRow]:
    """What we told the buyer, once per message, whichever channels carried it; never an internal alert."""
    shown: set[tuple[int, Kind, int]] = set()
    for send in sorted(sends, key=lambda send: send.claimed_at):
        channel = channels.get(send.channel)
        if send.state is not SendState.ACCEPTED or not channel or channel.traits.audience is not Audience.BUYER:
            continue
        message = Message.model_validate_json(send.message_json)
        identity = (message.key.revision, message.kind, message.key.n)
        if message.kind is Kind.ALERT or identity in shown:
            continue
        shown.add(identity)
        yield MessageRow(formats.moment(send.claimed_at), message.content.subject, message.content.text)
