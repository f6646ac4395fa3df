"""What a task about an order says in any CRM. Internal: nothing here ever counts for the buyer."""

import hashlib
from datetime import date

from orderack.domain.acknowledgement import Kind
from orderack.domain.order import Order, Priority
from orderack.ports import Message

KEY_LIMIT = 255
"""Characters of a text field that can hold a unique key, in Salesforce and in Zoho."""
SUBJECT_LIMIT = 230


def task_key(message: Message) -> str:
    """Our key and a mark of its spelling, for a CRM may take `a-1` for `A-1`; its digest where it is too long."""
    key = message.key_text
    digest = hashlib.sha256(key.encode()).hexdigest()
    marked = f"{key}~{digest[:8]}"
    return marked if len(marked) <= KEY_LIMIT else digest


def task_subject(message: Message) -> str:
    """The message's own subject, which names the order; without a fitting one its number and what it is about."""
    subject = " ".join(message.content.subject.split())
    if 0 < len(subject) <= SUBJECT_LIMIT:
        return subject
    return f"Order {' '.join(message.key.ref.number.split())}: {message.kind.value.replace('_', ' ')}"


def task_text(message: Message) -> str:
    """The whole message."""
    return "\n\n".join(part for part in (message.content.subject, message.content.text) if part)


def task_due(order: Order | None) -> date | None:
    """The day of the partner's own deadline, else the day the order came in: a repeat says the same."""
    if order is None:
        return None
    return (order.partner_deadline.due_at if order.partner_deadline else order.trigger_at).date()


def is_urgent(message: Message) -> bool:
    """An alert, or anything about an order of high priority."""
    return message.kind is Kind.ALERT or (message.order is not None and message.order.priority is Priority.HIGH)


def id_in(system: str, order: Order | None) -> str | None:
    """The order's id in that system, where the order names it."""
    if order is None:
        return None
    return next((external.id for external in order.external_ids if external.system.lower() == system), None)
