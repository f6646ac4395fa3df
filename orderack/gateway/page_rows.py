"""The parts of the buyer's page that say something of the order: its lines, its facts, its story."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from babel import Locale

from orderack.domain.difference import difference
from orderack.domain.order import Order, PaymentStatus
from orderack.domain.response import Outcome
from orderack.domain.store import Offer
from orderack.gateway.page_extras import offers, pay_url
from orderack.gateway.page_forms import line_field, quantity_field
from orderack.gateway.page_state import Asked, PageState
from orderack.messages.addresses import address_lines
from orderack.messages.changes import change_views
from orderack.messages.clean import line, prose, unlinked
from orderack.messages.compose import MAX_CHANGES, MAX_NOTICES
from orderack.messages.formats import Formats, locale_for, zone_for
from orderack.messages.labels import Labels, fill
from orderack.messages.lines import LineWriter, title
from orderack.messages.page_labels import Deed, PageLabels, PageWording, Taken
from orderack.messages.totals import totals_rows
from orderack.messages.view import ChangeView, LineView, Row
from orderack.ports import Channel, StoredRevision

_ANSWERED: Mapping[Outcome, str] = {Outcome.ACCEPT: "good", Outcome.REJECT: "bad", Outcome.HOLD: "bad"}
_HEARD: Mapping[Taken, str] = {
    Taken.TOLD: "good",
    Taken.RECORDED: "good",
    Taken.ASKED_INSTEAD: "late",
    Taken.REFUSED: "bad",
    Taken.CLOSED: "bad",
    Taken.OUTDATED: "bad",
}


@dataclass(frozen=True)
class Tongue:
    """How this reader is spoken to."""

    language: str
    page: PageLabels
    labels: Labels
    locale: Locale
    formats: Formats


def tongue_for(wording: PageWording, state: PageState) -> Tongue:
    """The buyer's language, dates in the store's zone. Raises Misconfigured."""
    tag = state.stored.order.contacts.language if state.stored else ""
    language = wording.language_for(tag)
    page, labels = wording.words(language)
    locale = locale_for(tag, language, state.store.country)
    return Tongue(language, page, labels, locale, Formats(locale, zone_for(state.store.time_zone)))


@dataclass(frozen=True)
class LineRow:
    """One ordered line. `answer` is empty before the ERP's answer; `tone` is `good`, `late` or `bad`."""

    field: str
    quantity_field: str
    quantity: str
    shown: LineView
    answer: str
    tone: str


@dataclass(frozen=True)
class ToldRow:
    """What the buyer did, and what became of it."""

    at: str
    deed: str
    taken: str
    tone: str
    items: tuple[str, ...]
    words: str


@dataclass(frozen=True)
class MessageRow:
    at: str
    by: str
    subject: str
    text: str


@dataclass(frozen=True)
class Shown:
    """What the page says of the order; an empty part is not shown."""

    heading: str
    facts: tuple[Row, ...]
    changed_since: str
    changes: tuple[ChangeView, ...]
    pending: tuple[ChangeView, ...]
    troubles: tuple[str, ...]
    lines: tuple[LineRow, ...]
    answered: bool
    totals: tuple[Row, ...]
    total: Row | None
    details: tuple[Row, ...]
    pay_url: str
    offers: tuple[Offer, ...]
    told: tuple[ToldRow, ...]
    messages: tuple[MessageRow, ...]


def shown(state: PageState, tongue: Tongue, channels: Mapping[str, Channel]) -> Shown:
    """Everything that is known and may be said; what is not confirmed is shown as received."""
    w, labels, formats = tongue.page, tongue.labels, tongue.formats
    order, rules = state.stored.order if state.stored else None, state.store.page
    return Shown(
        heading=w.confirmed_heading if state.confirmed else w.received_heading,
        facts=tuple(_facts(state, tongue)),
        changed_since=fill(w.changed_since, revision=str(state.previous.revision)) if state.previous else "",
        changes=_changes(state.previous, state.stored, tongue),
        pending=_changes(state.stored, state.pending, tongue),
        troubles=tuple(_troubles(order, state, tongue)) if order and state.answers else (),
        lines=tuple(_lines(order, state, tongue)) if order else (),
        answered=bool(state.answers),
        totals=totals_rows(order, labels, formats) if order else (),
        total=Row(labels.total, formats.rounded(order.totals.total, order.currency)) if order else None,
        details=tuple(_details(order, state, tongue)) if order else (),
        pay_url=pay_url(rules, state.status, state.facts, state.link.ref.number),
        offers=offers(rules, state.status, state.facts),
        told=tuple(told(each, state, tongue) for each in state.asked),
        messages=tuple(_messages(state, channels, tongue)),
    )


def told(asked: Asked, state: PageState, tongue: Tongue) -> ToldRow:
    """One request of the buyer's, dated, with what became of it."""
    w, request = tongue.page, asked.request
    known = [stored.order for stored in (state.stored, state.previous, state.pending) if stored]
    names = {ordered.line_id: title(ordered) for order in reversed(known) for ordered in order.lines}
    return ToldRow(
        at=fill(w.taken_at, at=tongue.formats.moment(request.at)),
        deed=fill(w.deeds[Deed(request.deed)], revision=str(request.revision)),
        taken=w.taken[asked.taken],
        tone=_HEARD[asked.taken],
        items=tuple(names[line_id] for line_id in request.declined if line_id in names),
        words=unlinked(prose(request.text)),
    )


def _troubles(order: Order, state: PageState, tongue: Tongue) -> Iterator[str]:
    writer = LineWriter(order, state.answers, tongue.labels, tongue.formats)
    troubled = writer.troubled()
    yield from map(writer.notice, troubled[:MAX_NOTICES])
    if len(troubled) > MAX_NOTICES:
        yield tongue.formats.plural(tongue.labels.more, len(troubled) - MAX_NOTICES)


def _facts(state: PageState, tongue: Tongue) -> Iterator[Row]:
    """What is certain of the revision shown; of an unconfirmed one, only which it is."""
    w, labels, formats, status = tongue.page, tongue.labels, tongue.formats, state.status
    if state.confirmed and status:
        if status.confirmed_at:
            yield Row(w.confirmed_at, formats.moment(status.confirmed_at))
        if status.erp_document_id:
            yield Row(labels.document, line(status.erp_document_id))
        if state.answers:
            fetched = state.stored is not None and state.stored.order.pickup is not None
            label = labels.pickup_date if fetched else labels.delivery_date
            yield Row(label, formats.day(status.promise_on) if status.promise_on else labels.date_open)
    yield Row(labels.revision, formats.number(Decimal(state.revision)))


def _changes(before: StoredRevision | None, after: StoredRevision | None, tongue: Tongue) -> tuple[ChangeView, ...]:
    if before is None or after is None:
        return ()
    changes = difference(before.order, after.order)[:MAX_CHANGES]
    return change_views(changes, before.order, after.order, tongue.labels, tongue.formats)


def _lines(order: Order, state: PageState, tongue: Tongue) -> Iterator[LineRow]:
    answers = {answer.line_id: answer.outcome for answer in state.answers}
    shown = LineWriter(order, state.answers, tongue.labels, tongue.formats).every()
    for place, (ordered, view) in enumerate(zip(order.lines, shown, strict=True), 1):
        outcome = answers.get(ordered.line_id, Outcome.HOLD) if state.answers else None
        yield LineRow(
            field=line_field(place),
            quantity_field=quantity_field(place),
            quantity=tongue.formats.number(ordered.quantity),
            shown=view,
            answer=tongue.page.answers[outcome] if outcome else "",
            tone=_ANSWERED.get(outcome, "late") if outcome else "",
        )


def _details(order: Order, state: PageState, tongue: Tongue) -> Iterator[Row]:
    labels, formats = tongue.labels, tongue.formats
    if order.pickup:
        yield Row(labels.pickup, unlinked(line(order.pickup.location)))
        if order.pickup.at:
            yield Row(labels.pickup_time, formats.moment(order.pickup.at))
    if order.delivery_address:
        yield Row(labels.address, "\n".join(address_lines(order.delivery_address, formats)))
    if order.delivery_window:
        yield Row(labels.window, formats.span(order.delivery_window.start, order.delivery_window.end))
    if order.instructions:
        yield Row(labels.instructions_heading, unlinked(prose(order.instructions)))
    yield Row(labels.payment, labels.payment_status[_payment(order, state)])
    for label, text in ((labels.payment_terms, order.payment.terms), (labels.payment_method, order.payment.method)):
        if text:
            yield Row(label, unlinked(line(text)))


def _payment(order: Order, state: PageState) -> PaymentStatus:
    return (state.status.payment if state.status else None) or order.payment.status


def _messages(state: PageState, channels: Mapping[str, Channel], tongue: Tongue) -> Iterator[MessageRow]:
    """What we told the buyer, the latest first; once per message, whichever channels carried it."""
    media, seen = tongue.page.media, set()
    rows = []
    for said in state.said:
        identity = (said.revision, said.kind, said.n)
        if identity in seen or said.message is None:
            continue
        seen.add(identity)
        medium = channels[said.channel].traits.medium
        by = fill(tongue.page.by, channel=media.get(medium, media["other"]))
        content = said.message.content
        rows.append(MessageRow(tongue.formats.moment(said.at), by, line(content.subject), content.text))
    return reversed(rows)
