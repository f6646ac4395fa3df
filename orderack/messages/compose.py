"""From canonical content to a view: which facts a kind of message shows, each in the recipient's language."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from enum import Enum, auto

from orderack.domain.acknowledgement import Kind
from orderack.domain.difference import difference
from orderack.domain.order import Order
from orderack.domain.web_address import web_address
from orderack.messages.addresses import address_lines
from orderack.messages.brand import contact_views, store_view
from orderack.messages.changes import change_views
from orderack.messages.clean import cut, line, prose, unlinked
from orderack.messages.formats import Formats, zone_for
from orderack.messages.labels import Labels, fill
from orderack.messages.lines import LineWriter
from orderack.messages.team import changes_for_team, reason
from orderack.messages.totals import totals_rows
from orderack.messages.view import Row, View
from orderack.ports import Content

MAX_CHANGES = 30
MAX_NOTICES = 10


class Part(Enum):
    """A part of a message that some kinds show and others do not."""

    ORDER = auto()
    COMMITMENT = auto()
    WAITING = auto()
    CHANGES = auto()
    LINES = auto()
    DELIVERY = auto()
    QUESTION = auto()
    ANSWER = auto()
    OWNER = auto()
    BUYER = auto()


_BUYER = frozenset({Part.ORDER, Part.BUYER})

PARTS: Mapping[Kind, frozenset[Part]] = {
    Kind.RECEIVED: _BUYER | {Part.LINES},
    Kind.HOLDING: _BUYER | {Part.WAITING},
    Kind.UPDATE: _BUYER | {Part.WAITING, Part.OWNER},
    Kind.CONFIRMATION: _BUYER | {Part.COMMITMENT, Part.CHANGES, Part.LINES, Part.DELIVERY},
    Kind.CHANGE_RECEIVED: _BUYER | {Part.CHANGES},
    Kind.REJECTION: _BUYER | {Part.LINES},
    Kind.CANCELLATION: _BUYER | {Part.LINES},
    Kind.QUESTION: _BUYER | {Part.QUESTION},
    Kind.ANSWER: _BUYER | {Part.ANSWER},
    Kind.ALERT: frozenset({Part.WAITING, Part.OWNER}),
}
"""Only the confirmation carries stock, a date and what was asked of it; an alert carries nothing of the buyer's."""


def promised_on(content: Content) -> date | None:
    """The one date a confirmation gives: the computed promise, else the ERP's last expected date, else the pickup's."""
    expected = [answer.expected_on for answer in content.facts.answers if answer.expected_on]
    pickup = content.order.pickup
    if content.facts.promise_on or expected:
        return content.facts.promise_on or max(expected)
    return pickup.at.astimezone(zone_for(content.store.time_zone)).date() if pickup and pickup.at else None


def compose(content: Content, labels: Labels, formats: Formats) -> View:
    """Everything the layouts need for this message, and nothing that its kind must not say."""
    parts = PARTS[content.kind]
    store = store_view(content.store)
    if Part.BUYER not in parts:
        changed = changes_for_team(content, labels, formats)
        return View(
            store=store,
            details=_alert(content, labels, formats),
            changes=changed[:MAX_CHANGES],
            more_changes=_more(len(changed) - MAX_CHANGES, labels, formats),
            of_changes=len(changed),
        )
    order, committed = content.order, Part.COMMITMENT in parts
    writer = LineWriter(order, content.facts.answers if committed else (), labels, formats)
    shown = writer.lines() if Part.LINES in parts else ()
    troubled = writer.troubled() if committed else ()
    previous = content.previous if Part.CHANGES in parts else None
    changes = difference(previous, order) if previous else ()
    return View(
        store=store,
        details=_details(content, labels, formats),
        promise=_promise(content, labels, formats) if committed else None,
        changes=change_views(changes[:MAX_CHANGES], previous or order, order, labels, formats),
        more_changes=_more(len(changes) - MAX_CHANGES, labels, formats),
        of_changes=len(changes),
        notices=tuple(map(writer.notice, troubled[:MAX_NOTICES])),
        more_notices=_more(len(troubled) - MAX_NOTICES, labels, formats),
        of_notices=len(troubled),
        lines=shown,
        more_lines=_more(len(order.lines) - len(shown), labels, formats) if shown else "",
        of_lines=len(order.lines),
        totals=totals_rows(order, labels, formats) if shown else (),
        total=Row(labels.total, formats.rounded(order.totals.total, order.currency)) if shown else None,
        address=address_lines(order.delivery_address, formats)
        if Part.DELIVERY in parts and order.delivery_address
        else (),
        instructions=unlinked(prose(order.instructions or "")) if Part.DELIVERY in parts else "",
        question=prose(content.facts.question) if Part.QUESTION in parts else "",
        asked=unlinked(prose(content.facts.question)) if Part.ANSWER in parts else "",
        answer=prose(content.facts.answer) if Part.ANSWER in parts else "",
        contact=contact_views(content.store, labels),
        link=web_address(content.page_url),
        button=web_address(content.page_link) or web_address(content.page_url),
        ask=labels.affirm_ask if asks(content) and web_address(content.page_url) else "",
        shop=web_address(content.shop_link) or web_address(content.store.url or ""),
        pixel=web_address(content.pixel_url),
        honeypot=web_address(content.honeypot_url),
        footer=fill(labels.footer, number=number_words(order), store=store.name),
    )


def asks(content: Content) -> bool:
    """Whether the buyer is asked to confirm having it: where the policy says so, and of a changed order always."""
    confirmed = Part.COMMITMENT in PARTS[content.kind]
    return confirmed and (content.assessment.decision.button or content.previous is not None)


def _details(content: Content, labels: Labels, formats: Formats) -> tuple[Row, ...]:
    order, facts, parts = content.order, content.facts, PARTS[content.kind]
    rows = [(labels.order_number, number_words(order))]
    if content.revision > 1:
        rows.append((labels.revision, formats.number(Decimal(content.revision))))
    rows.append((labels.source, source_words(order.source, labels)))
    if Part.COMMITMENT in parts:
        rows += _commitment(content, labels, formats)
    if Part.LINES in parts or Part.COMMITMENT in parts:
        rows.append((labels.payment, labels.payment_status[order.payment.status]))
    if Part.COMMITMENT in parts:
        rows.append((labels.payment_terms, unlinked(line(order.payment.terms or ""))))
        rows.append((labels.payment_method, unlinked(line(order.payment.method or ""))))
    if Part.WAITING in parts:
        rows.append((labels.waiting_for, waiting_words(facts.waiting_for, labels)))
    if Part.OWNER in parts:
        rows.append((labels.owner, line(facts.owner or "")))
    if Part.WAITING in parts and (moment := facts.next_update_at or facts.decided_by):
        rows.append((labels.next_update, formats.moment(moment)))
    return _rows(rows)


def _commitment(content: Content, labels: Labels, formats: Formats) -> list[tuple[str, str]]:
    order, promise = content.order, _promise(content, labels, formats)
    rows = [(labels.document, line(content.facts.document_id or "")), (promise.label, promise.value)]
    if order.pickup:
        rows.append((labels.pickup, unlinked(line(order.pickup.location))))
        if order.pickup.at:
            rows.append((labels.pickup_time, formats.moment(order.pickup.at)))
    if order.delivery_window:
        rows.append((labels.window, formats.span(order.delivery_window.start, order.delivery_window.end)))
    return rows


def _promise(content: Content, labels: Labels, formats: Formats) -> Row:
    when = promised_on(content)
    label = labels.pickup_date if content.order.pickup else labels.delivery_date
    return Row(label, formats.day(when) if when else labels.date_open)


def _alert(content: Content, labels: Labels, formats: Formats) -> tuple[Row, ...]:
    facts = content.facts
    due = facts.decided_by or facts.next_update_at
    return _rows(
        [
            (labels.order_number, number_words(content.order)),
            (labels.store, line(content.store.id)),
            (labels.waiting_for, line(facts.waiting_for)),
            (labels.reason, line(reason(content), 500)),
            (labels.owner, line(facts.owner or "")),
            (labels.due, formats.moment(due) if due else ""),
        ]
    )


def number_words(order: Order) -> str:
    """The order's number as a message shows it: a buyer's system may have chosen it, so it is no live link either."""
    return unlinked(line(order.number))


def source_words(source: str, labels: Labels) -> str:
    """The order's channel in the language's own words; a source without words is shown by its name."""
    return labels.sources.get(source) or cut(line(source).replace("_", " "), 60)


def waiting_words(waiting_for: str, labels: Labels) -> str:
    """What the order waits for, for a buyer: our inner words are never shown, only the file's translations."""
    if not waiting_for:
        return ""
    return labels.waiting.get(waiting_for, labels.waiting["other"])


def _more(count: int, labels: Labels, formats: Formats) -> str:
    return formats.plural(labels.more, count) if count > 0 else ""


def _rows(rows: list[tuple[str, str]]) -> tuple[Row, ...]:
    return tuple(Row(label, value) for label, value in rows if value)
