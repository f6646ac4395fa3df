"""The invariants about what comes in and what is kept of it."""

import re
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta
from functools import reduce

from orderack.bootstrap import channel_traits
from orderack.contracts.journal import Entry, Event, Stage
from orderack.domain.acknowledgement import Kind
from orderack.domain.evidence import EvidenceEvent, Grade, stronger
from orderack.domain.order import Order, OrderRef
from orderack.embedded.sandbox.faults import Operation, Target
from orderack.gateway.announce import PATIENCE, InboxKind
from orderack.ledger.audit import sha256
from orderack.ledger.columns import storable
from tests.invariants.logs import SLACK, InboxRow, Life, Run, Violation, case
from workflows._clocks import deadlines
from workflows._state import OrderState

Cases = Iterator[Violation | None]

SETTLED_WITHIN = timedelta(seconds=60)
"""From the moment that all is quiet to an inbox in which nothing is left to be told."""

TRAITS = channel_traits()


# -- I6 -------------------------------------------------------------------------------------------------------------


def early_receipts_count(run: Run) -> Cases:
    """I6. A receipt that came before its order is in the order's timeline, and no receipt is there twice."""
    for life in run.lives or ():
        if life.state is None or life.submitted_at is None:
            continue
        taken = [e for e in life.state.timeline if e.event in (Event.ERP_RECEIPT, Event.ERP_RECEIPT_STALE)]
        for told in {told.receipt.id: told for told in reversed(life.receipts)}.values():
            known = [e for e in taken if e.note.startswith(told.receipt.document_id)]
            booked = [e for e in known if e.event is Event.ERP_RECEIPT and e.revision == told.revision]
            early = told.at < life.submitted_at
            came = f"receipt {told.receipt.id} came at {told.at}, the order at {life.submitted_at}"
            evidence = f"{came}: it is in the timeline {len(known)} times"
            yield case(len(booked) <= 1 and (bool(known) or not early), life.ref, told.at, evidence)


# -- I7 -------------------------------------------------------------------------------------------------------------


def as_in_order(run: Run) -> Cases:
    """I7. Each order ends as its twin does, to which everything came once, in order and on time."""
    twins = {life.ref: life for life in run.twin.lives or ()} if run.twin else {}
    for life in run.lives or ():
        twin = twins.get(life.ref)
        if twin is None or run.twin is None:
            yield case(False, life.ref, None, "the twin run has no such order")
            continue
        here, there = outcome_of(run, life), outcome_of(run.twin, twin)
        yield case(here == there, life.ref, None, f"ended as {here}; its orderly twin as {there}")


def outcome_of(run: Run, life: Life) -> tuple[object, ...]:
    """What counts of how an order ended: its stage and revision, what the ERP booked, and what its buyer was told."""
    state, taken = life.state, run.providers or ()
    booked = {_revision(entry.key) for entry in taken if entry.target is Target.ERP and _is_of(entry.key, life.ref)}
    mine = (key for _, key in run.sent if key.ref == life.ref and key.kind is not Kind.ALERT)
    told = sorted({(key.revision, key.kind, key.n) for key in mine})
    stands = (state.stage, state.revision, state.confirmed_revision) if state else None
    return (stands, tuple(sorted(map(str, booked))), tuple(told))


def _revision(key: str | None) -> str:
    """Of an order's key at the ERP, the last part."""
    return (key or "").rpartition("/")[2]


def _is_of(key: str | None, ref: OrderRef) -> bool:
    return (key or "").startswith(f"{ref}/")


# -- I8 -------------------------------------------------------------------------------------------------------------


def nothing_left_in_the_inbox(run: Run) -> Cases:
    """I8. What we took is told within a minute of quiet, and what we answered 2xx for is there."""
    account = run.account
    for row in run.inbox or ():
        due = max(row.received_at, account.quiet_since) + _patience(row)
        if row.announced_at is not None or account.exported_at >= due:
            told = row.announced_at is not None and bool(row.outcome)
            evidence = (
                f"row {row.id} ({row.kind} from {row.source}) came at {row.received_at}: {row.outcome or 'untold'}"
            )
            yield case(told, row.ref or row.external_id, row.received_at, evidence)
    known = {row.ref for row in run.inbox or () if row.kind == InboxKind.ORDER}
    for answer in account.answers:
        if 200 <= answer.status < 300:
            evidence = f"answered {answer.status} and not in the inbox"
            yield case(answer.ref in known, answer.ref, answer.at, evidence)


def _patience(row: InboxRow) -> timedelta:
    """A report about a message that we do not know (yet) may wait for our own record of it."""
    strange = row.kind == InboxKind.CHANNEL_EVENT and row.ref is None
    return PATIENCE + SETTLED_WITHIN if strange else SETTLED_WITHIN


# -- I9 -------------------------------------------------------------------------------------------------------------


def ledger_is_history(run: Run) -> Cases:
    """I9. The timeline that replay gives is the ledger's, but for what is still on its way; bytes are as recorded."""
    for life in run.lives or ():
        if life.state is not None:
            yield _same_timeline(run, life, life.state)
        for key, digest in life.sent_bytes:
            row = run.rows.send(key)
            evidence = f"{key}: the history says {digest}, the ledger {row.message_sha256 if row else 'nothing'}"
            yield case(row is not None and row.message_sha256 == digest, life.ref, None, evidence)
    for row in run.rows.sends:
        if row.message is not None:
            evidence = f"{row.key}: the message does not have the digest that is recorded of it"
            yield case(sha256(row.message) == row.message_sha256, row.ref, row.claimed_at, evidence)


def _same_timeline(run: Run, life: Life, state: OrderState) -> Violation | None:
    on_its_way = {entry.seq for entry in state.unwritten}
    replayed = {entry.seq: _stored(entry) for entry in state.timeline}
    first = min(replayed, default=0)
    until = run.account.exported_at  # the ledger is copied after the history: what is newer than both is left out
    recorded = {
        r.seq: r.entry for r in run.entries(life.ref) if r.seq >= first and (r.seq in replayed or r.at <= until)
    }
    missing = sorted(replayed.keys() - recorded.keys() - on_its_way)
    invented = sorted(recorded.keys() - replayed.keys())
    both = replayed.keys() & recorded.keys()
    other = sorted(seq for seq in both if not _same(replayed[seq], recorded[seq]))
    evidence = f"timeline: entries {missing} are missing, {invented} are invented, {other} differ"
    return case(not (missing or invented or other), life.ref, None, evidence)


def _same(replayed: Entry, recorded: Entry) -> bool:
    """But for a time before the history's: `assess` writes within a workflow task, and where the server never heard of
    that task's end (it was killed, or the task took too long) the entry stands as the lost attempt wrote it."""
    return recorded == replayed.model_copy(update={"at": min(recorded.at, replayed.at)})


def _stored(entry: Entry) -> Entry:
    """As the ledger can hold it."""
    return entry.model_copy(update={"note": storable(entry.note)})


# -- I11 ------------------------------------------------------------------------------------------------------------


def evidence_is_its_messages_own(run: Run) -> Cases:
    """I11. Of a message that was sent, no stronger than its channel can prove, and the strongest grade stands."""
    sent = {(row.ref, row.revision, row.kind, row.n): row for row in run.rows.sends}
    grades: dict[tuple[OrderRef, int, Kind, int], list[Grade]] = {}
    for fact in run.rows.evidence:
        message = (fact.ref, fact.revision, fact.kind, fact.n)
        grades.setdefault(message, []).append(fact.grade)
        what = f"{fact.event} ({fact.grade}) by {fact.channel} of {fact.kind} {fact.n}, revision {fact.revision}"
        yield case(message in sent, fact.ref, fact.recorded_at, f"{what}: no such message was sent")
        yield case(
            not _above_ceiling(fact.channel, fact.event, fact.grade), fact.ref, fact.recorded_at, f"{what}: above"
        )
    for row in run.rows.acknowledgements:
        strongest = grades.get((row.ref, row.revision, row.kind, row.n))
        best = reduce(stronger, strongest) if strongest else None
        evidence = f"{row.kind} {row.n} of revision {row.revision} stands at {row.grade}; its evidence says {best}"
        yield case(row.grade == best, row.ref, row.out_at, evidence)


def _above_ceiling(channel: str, event: EvidenceEvent, grade: Grade) -> bool:
    """A person's own act (a page's button, a reply) may prove more than the channel that carried the message."""
    reported = (EvidenceEvent.ACCEPTED, EvidenceEvent.DELIVERED, EvidenceEvent.BOUNCED)
    return channel in TRAITS and event in reported and grade.rank > TRAITS[channel].evidence_ceiling.rank


# -- I12 ------------------------------------------------------------------------------------------------------------


RESTS = (Stage.CONFIRMED, Stage.HANDED_OFF, Stage.REVIEW, Stage.CANCELLED, Stage.REJECTED, Stage.CLOSED)


def nobody_is_stuck(run: Run) -> Cases:
    """I12. Every order waits for a person, for a time to come, or for nothing; and each that we took is known."""
    now = run.account.exported_at
    taken = {row.ref for row in run.rows.orders} | {row.ref for row in run.inbox or ()}
    for life in run.lives or ():
        state = life.state
        if state is None:
            stranger = life.turned_away and life.ref not in taken
            yield case(stranger, life.ref, None, f"its state cannot be told: {life.unreplayable}")
            continue
        open_until = [deadline for deadline in deadlines(state, telling=False) if deadline.at > now - SLACK]
        overdue = [deadline for deadline in deadlines(state, telling=False) if deadline.at <= now - SLACK]
        at_work = life.last_event_at > now - SLACK
        moves = at_work or (not overdue and (bool(open_until) or state.stage is Stage.CLOSED))
        at_rest = state.stage in RESTS or not run.account.settled
        evidence = f"{state.stage}: overdue {[deadline.name for deadline in overdue]}, waits for {open_until[:1]}"
        yield case(moves and at_rest, life.ref, state.started_at, evidence)
    known = {life.ref for life in run.lives or ()}
    for row in run.rows.orders:
        yield case(row.ref in known, row.ref, row.received_at, "the ledger has it, and no workflow does")


# -- I14, I15 -------------------------------------------------------------------------------------------------------


def histories_replay(run: Run) -> Cases:
    """I14, of this run: this version of the workflow takes every order up."""
    for life in run.lives or ():
        yield case(not life.unreplayable, life.ref, None, life.unreplayable)


def one_order_each(run: Run) -> Cases:
    """I15. One beginning, one document in the ERP, however often it was handed in."""
    for life in run.lives or ():
        evidence = f"begun at {[str(at) for at in life.started_at]}"
        yield case(len(life.started_at) <= 1, life.ref, life.started_at[-1] if life.started_at else None, evidence)
    documents: dict[str, dict[str, datetime]] = {}
    for entry in run.providers or ():
        if entry.target is Target.ERP and entry.operation is Operation.SEND:
            booked = documents.setdefault(entry.recipient, {})
            booked.setdefault(entry.provider_id, entry.at)
            yield case(len(booked) == 1, entry.recipient, entry.at, f"booked as {sorted(booked)}")


# -- I16 ------------------------------------------------------------------------------------------------------------


def nobody_is_named_in_public(run: Run) -> Cases:
    """I16. No buyer's word where no codec reaches: ids, search attributes, failures, keys, notes, process logs."""
    canaries = canaries_of(run)
    if not canaries:
        return
    found = re.compile("|".join(re.escape(word) for word in sorted(canaries, key=len, reverse=True)), re.IGNORECASE)
    for where, order, text in _public(run):
        match = found.search(text)
        evidence = f"{where} holds a buyer's {canaries.get(match[0].casefold(), 'word')}" if match else ""
        yield case(match is None, order, None, evidence)


def _public(run: Run) -> Iterator[tuple[str, object, str]]:
    for life in run.lives or ():
        yield "the history", life.ref, "\n".join((*life.in_public, *life.signals))
    for entry in run.providers or ():
        yield f"the key at {entry.target}", entry.key, f"{entry.key} {entry.idempotency_key}"
    for row in run.rows.timeline:
        yield f"entry {row.seq} of the timeline", row.ref, row.note
    for name, text in run.process_logs or ():
        yield f"{name}.log", name, text


def canaries_of(run: Run) -> Mapping[str, str]:
    """The buyers' own words in this run's orders, case-folded, and which kind each is."""
    words: dict[str, str] = {}
    for row in run.rows.revisions:
        if row.order is not None:
            words |= {word.casefold(): kind for word, kind in _words_of(row.order) if len(word) >= 6}
    return words


def _words_of(order: Order) -> Iterator[tuple[str, str]]:
    yield order.contacts.email or "", "e-mail address"
    yield order.contacts.phone or "", "phone number"
    yield order.customer.name or "", "name"
    for address in (order.delivery_address, order.billing_address):
        if address is not None:
            yield address.name or "", "name"
            yield address.street or "", "street"
