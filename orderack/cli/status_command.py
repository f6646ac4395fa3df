"""`orderack status`: where one order stands."""

from collections.abc import Iterator

from orderack.cli.options import AsJson
from orderack.cli.printing import console, print_facts, print_json, print_table, when, words
from orderack.cli.references import Ref, reference
from orderack.cli.session import orders_door, run
from orderack.cli.zones import zone_of
from orderack.contracts.queries import AcknowledgementStatus, ClockStatus, OrderStatus, QuestionStatus, SendStatus
from orderack.domain.assessment import Side
from orderack.domain.order import OrderRef
from orderack.domain.sayable import sayable


def status(order: Ref, as_json: AsJson = False) -> None:
    """Where an order stands: stage, what it waits for, deadlines, messages and their evidence, questions.

    Each call is one query to Temporal, which Temporal Cloud bills: ask, don't poll (`orderack watch` is free).

    Example: orderack status demo/1001

    Exit code 0: known; 1: no such order; 3: Temporal or a worker did not answer.
    """
    found = run(_status(reference(order)))
    if as_json:
        print_json(found)
        return
    print_facts(_facts(found))
    if found.acknowledgements:
        print_table(("message", "rev", "out", "evidence", "channels"), map(_message, found.acknowledgements))
    if found.clocks:
        print_table(("clock", "due", "outcome", "owner"), map(_clock, found.clocks))
    for question in found.questions:
        print_facts(_question(question))
    console().print(sayable(found, zone_of(found.ref.store)), soft_wrap=True, markup=False)


async def _status(ref: OrderRef) -> OrderStatus:
    return await (await orders_door()).status(ref)


def _facts(found: OrderStatus) -> Iterator[tuple[str, object]]:
    yield "order", found.ref
    yield "side", "SHADOW RUN: nothing of it goes out (orderack shadow show)" if found.side is Side.SHADOW else None
    yield "stage", words(found.stage) + (", escalated" if found.escalated else "")
    yield "revision", f"{found.revision} (confirmed: {found.confirmed_revision or 'none'})"
    yield "waits for", found.waiting_for
    yield "next due", found.next_due_at
    yield "owner", found.owner
    yield "ERP document", found.erp_document_id
    yield "payment", found.payment
    yield "promise date", found.promise_on
    yield "rule", f"{found.rule}, {found.gate}, policy {found.policy_version}" if found.rule else None
    for flag in found.flags:
        yield "flag", f"{words(flag.name)}: {flag.why}"
    yield "team", found.handoff_owner
    yield "accepted by", found.handoff_accepted_by
    for why in found.work_why_not:
        yield "work waits", why
    for key in found.unknown_sends:
        again_at = found.repeats_due.get(key)
        yield "in doubt", f"{key} ({f'said again {when(again_at)}; before: ' if again_at else ''}orderack settle)"
    yield "quarantined", found.quarantined or None


def _message(said: AcknowledgementStatus) -> tuple[object, ...]:
    channels = ", ".join(map(_send, said.sends))
    return f"{words(said.kind)} {said.n}", said.revision, said.out_at, said.grade, channels


def _send(send: SendStatus) -> str:
    """`sendgrid_email unavailable (paused)`."""
    why = f" ({words(send.detail)})" if send.detail else ""
    return f"{send.channel} {words(send.state)}{why}"


def _question(question: QuestionStatus) -> Iterator[tuple[str, object]]:
    yield "question", question.id
    yield "asked", f"{when(question.at)} by {question.via}, revision {question.revision}"
    yield "", " ".join(question.text.split())
    yield "answered", f"{when(question.answered_at)} by {question.answered_by}" if question.answered_at else None
    yield "waits for", None if question.answered_at else "an answer (orderack answer)"


def _clock(clock: ClockStatus) -> tuple[object, ...]:
    return words(clock.name), clock.due_at, _outcome(clock), clock.owner


def _outcome(clock: ClockStatus) -> str:
    if clock.breached_at:
        return "breached"
    if clock.met_at:
        return "met"
    return "stopped" if clock.stopped_at else "running"
