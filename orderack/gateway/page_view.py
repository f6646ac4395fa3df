"""What the buyer's page shows: an order's standing in the buyer's words, and never a promise that was not made."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal

from babel import Locale

from orderack.domain.difference import difference
from orderack.domain.order import Order, PaymentStatus
from orderack.domain.response import Outcome
from orderack.domain.store import BuyerMay, Offer
from orderack.gateway.page_extras import offers, pay_url
from orderack.gateway.page_forms import Fault, countries, line_field, row
from orderack.gateway.page_state import Asked, PageState
from orderack.messages.addresses import address_lines
from orderack.messages.brand import contact_views, store_view
from orderack.messages.changes import change_views
from orderack.messages.clean import line, prose, unlinked
from orderack.messages.compose import MAX_CHANGES, MAX_NOTICES
from orderack.messages.formats import Formats, locale_for, zone_for
from orderack.messages.labels import Labels, fill
from orderack.messages.lines import LineWriter, title
from orderack.messages.page_labels import Deed, Note, PageLabels, PageWording, Standing, Taken
from orderack.messages.view import ChangeView, ContactView, LineView, Row, StoreView
from orderack.ports import Channel, StoredRevision

_TONES: Mapping[Standing, str] = {
    Standing.CONFIRMED: "good",
    Standing.HANDED_OFF: "good",
    Standing.CANCELLED: "bad",
    Standing.REJECTED: "bad",
}
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
    words: str


@dataclass(frozen=True)
class MessageRow:
    at: str
    by: str
    subject: str
    text: str


@dataclass(frozen=True)
class FaultRow:
    """One field that is wrong, named."""

    field: str
    label: str
    message: str


@dataclass(frozen=True)
class Attempt:
    """A form that was not taken: what was typed, and what is wrong with it."""

    action: BuyerMay
    typed: Mapping[str, str]
    faults: Sequence[Fault] = ()


@dataclass(frozen=True)
class PageView:
    language: str
    w: PageLabels
    labels: Labels
    store: StoreView
    title: str
    heading: str
    headline: str
    next: str
    tone: str
    notes: tuple[str, ...]
    notice: ToldRow | None
    faults: tuple[FaultRow, ...]
    revision: int
    shown_heading: str
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
    offered: frozenset[BuyerMay]
    confirmed: bool
    affirmed: str
    assent: bool
    assented: str
    cancels_late: bool
    told: tuple[ToldRow, ...]
    messages: tuple[MessageRow, ...]
    contact: tuple[ContactView, ...]
    path: str
    form_id: str
    address: Mapping[str, str] | None
    instructions: str
    countries: Sequence[tuple[str, str]]
    attempt: BuyerMay | None
    typed: Mapping[str, str]
    wrong: Mapping[str, str]

    def value(self, field: str, otherwise: str = "") -> str:
        """What stands in the field: as it was typed, else as the order has it."""
        return self.typed.get(field, otherwise)


def tongue_for(wording: PageWording, state: PageState) -> Tongue:
    """The buyer's language, dates in the store's zone. Raises Misconfigured."""
    tag = state.stored.order.contacts.language if state.stored else ""
    language = wording.language_for(tag)
    page, labels = wording.words(language)
    locale = locale_for(tag, language, state.store.country)
    return Tongue(language, page, labels, locale, Formats(locale, zone_for(state.store.time_zone)))


def page_view(
    state: PageState,
    tongue: Tongue,
    channels: Mapping[str, Channel],
    *,
    path: str,
    form_id: str,
    note: Note | None = None,
    attempt: Attempt | None = None,
    taken: str = "",
) -> PageView:
    """Everything on the page. `note`: why a form was not taken; `taken`: the request of which to give notice."""
    w, labels, formats = tongue.page, tongue.labels, tongue.formats
    order = state.stored.order if state.stored else None
    standing = w.standings[state.standing]
    numbers = {"confirmed": str(state.confirmed), "revision": str(_latest(state))}
    store, number = store_view(state.store), line(state.link.ref.number)
    asked = next((each for each in state.asked if each.request.id == taken), None)
    proof = state.proof
    writer = LineWriter(order, state.answers, labels, formats) if order else None
    troubled = writer.troubled()[:MAX_NOTICES] if writer and state.answers else ()
    return PageView(
        language=tongue.language,
        w=w,
        labels=labels,
        store=store,
        title=fill(w.title, number=number, store=store.name),
        heading=fill(w.heading, number=number),
        headline=fill(standing.headline, **numbers),
        next=fill(standing.next, **numbers),
        tone=_TONES.get(state.standing, "late"),
        notes=tuple(w.notes[each] for each in (note, Note.AWAY if state.away else None) if each),
        notice=_told(asked, tongue) if asked else None,
        faults=tuple(_faults(attempt, order, w)) if attempt and order else (),
        revision=state.revision,
        shown_heading=w.confirmed_heading if state.confirmed else w.received_heading,
        facts=tuple(_facts(state, tongue)),
        changed_since=fill(w.changed_since, revision=str(state.previous.revision)) if state.previous else "",
        changes=_changes(state.previous, state.stored, tongue),
        pending=_changes(state.stored, state.pending, tongue),
        troubles=tuple(map(writer.notice, troubled)) if writer else (),
        lines=tuple(_lines(order, state, tongue)) if order else (),
        answered=bool(state.answers),
        totals=tuple(_totals(order, tongue)) if order else (),
        total=Row(labels.total, formats.rounded(order.totals.total, order.currency)) if order else None,
        details=tuple(_details(order, state, tongue)) if order else (),
        pay_url=pay_url(state.store.page, state.status, state.facts, state.link.ref.number),
        offers=offers(state.store.page, state.status, state.facts),
        offered=state.offered,
        confirmed=state.confirmed is not None,
        affirmed=_dated(w.affirm.done, state.affirmed_at, state, formats),
        assent=bool(proof.assented),
        assented=_dated(
            w.line_answer.accepted if proof.assented else w.line_answer.declined,
            proof.assent.at if proof.assent else None,
            state,
            formats,
        ),
        cancels_late=state.cancels_late,
        told=tuple(
            _told(each, tongue) for each in state.asked if state.link.role == each.request.provenance.recipient_role
        ),
        messages=tuple(_messages(state, channels, tongue)),
        contact=contact_views(state.store, labels),
        path=path,
        form_id=form_id,
        address=_address(order) if order else None,
        instructions=prose(order.instructions or "") if order else "",
        countries=countries(tongue.locale) if BuyerMay.CHANGE in state.offered else (),
        attempt=attempt.action if attempt else None,
        typed=attempt.typed if attempt else {},
        wrong={fault.field: w.errors[fault.wrong] for fault in attempt.faults} if attempt else {},
    )


def _latest(state: PageState) -> int:
    return state.status.revision if state.status else state.revision


def _dated(words: str, at: datetime | None, state: PageState, formats: Formats) -> str:
    return fill(words, revision=str(state.revision), at=formats.moment(at)) if at else ""


def _faults(attempt: Attempt, order: Order, w: PageLabels) -> Iterator[FaultRow]:
    for fault in attempt.faults:
        yield FaultRow(fault.field, _label(fault.field, order, w), w.errors[fault.wrong])


def _label(field: str, order: Order, w: PageLabels) -> str:
    """What the page calls a field."""
    what, _, place = field.rpartition("-")
    if what in ("line", "quantity"):
        item = title(order.lines[int(place) - 1])
        return item if what == "line" else fill(w.change.quantity, item=item)
    others = {"text": w.ask.text, "note": w.line_answer.note, "reason": w.cancel.reason, "sure": w.cancel.heading}
    return others.get(field) or str(getattr(w.change, field))


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
            quantity_field=f"quantity-{place}",
            quantity=tongue.formats.number(ordered.quantity),
            shown=view,
            answer=tongue.page.answers[outcome] if outcome else "",
            tone=_ANSWERED.get(outcome, "late") if outcome else "",
        )


def _totals(order: Order, tongue: Tongue) -> Iterator[Row]:
    totals, labels, formats = order.totals, tongue.labels, tongue.formats
    if totals.discount:
        yield Row(labels.discount, "−" + formats.rounded(totals.discount, order.currency))
    yield Row(labels.shipping, formats.rounded(totals.shipping, order.currency))
    yield Row(labels.tax, formats.rounded(totals.tax, order.currency))


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


def _told(asked: Asked, tongue: Tongue) -> ToldRow:
    w, request = tongue.page, asked.request
    return ToldRow(
        at=fill(w.taken_at, at=tongue.formats.moment(request.at)),
        deed=fill(w.deeds[Deed(request.deed)], revision=str(request.revision)),
        taken=w.taken[asked.taken],
        tone=_HEARD[asked.taken],
        words=unlinked(prose(request.text)),
    )


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


def _address(order: Order) -> Mapping[str, str] | None:
    """What the form for another address begins with; None where the order is fetched."""
    if order.pickup:
        return None
    fields = ("street", "street2", "city", "postal_code", "region", "country")
    return {field: row(getattr(order.delivery_address, field, None) or "") for field in fields}
