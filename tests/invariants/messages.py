"""The invariants about messages: what may be said, when, and how often."""

from collections import Counter
from collections.abc import Iterator
from datetime import datetime, timedelta

from orderack.bootstrap import channel_traits
from orderack.contracts.journal import Event, Stage
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.order import OrderRef
from orderack.embedded.sandbox.faults import Operation, Target
from orderack.ports import Idempotency, Medium
from tests.invariants.logs import SLACK, Life, Run, Violation, case, is_message
from workflows._clocks import levels, tick
from workflows._state import OrderState

Cases = Iterator[Violation | None]

TRAITS = channel_traits()
SEEN_WITHIN = timedelta(seconds=5)


# -- I1 -------------------------------------------------------------------------------------------------------------


def confirmed_only_when_booked(run: Run) -> Cases:
    """I1. By the provider's own clock against the server's: both are the run's machine."""
    for entry, key in run.sent_of(Kind.CONFIRMATION):
        life = run.life_of.get(key.ref)
        booked = [told.at for told in life.receipts if told.revision == key.revision] if life else []
        first = min(booked, default=None)
        evidence = f"{key} taken by {entry.target} with receipts of that revision at {[str(at) for at in booked]}"
        yield case(first is not None and first <= entry.at, key.ref, entry.at, evidence)


# -- I2 -------------------------------------------------------------------------------------------------------------


def one_holding(run: Run) -> Cases:
    """I2. Taken by providers: one at most. Decided: exactly where it was due and the order still open. What the policy
    had said again, since nobody knew whether it went out, is the same one."""
    taken: dict[OrderRef, set[tuple[int, int]]] = {}
    for entry, key in run.sent_of(Kind.HOLDING):
        life = run.life_of.get(key.ref)
        ack = life.state.find_ack(key.kind, key.revision, key.n) if life and life.state else None
        if ack and ack.repeat_of:
            continue
        told = taken.setdefault(key.ref, set())
        told.add((key.revision, key.n))
        yield case(len(told) == 1, key.ref, entry.at, f"a second holding message went out: {key}")
    for life in run.lives or ():
        if life.state is not None and (due := _hold_due(life.state)):
            yield _holding_where_due(life, life.state, due, run.account.exported_at)


def _hold_due(state: OrderState) -> datetime | None:
    if state.trigger_at is None or state.assessment is None:
        return None
    return state.trigger_at + levels(state).hold_after


def _holding_where_due(life: Life, state: OrderState, due: datetime, until: datetime) -> Violation | None:
    said = [ack.decided_at for ack in state.said(Kind.HOLDING) if not ack.repeat_of]
    over = _over_at(state)
    if over is not None and over < due - tick(state):
        return case(not said, life.ref, min(said, default=None), f"holding was decided, and it was over at {over}")
    silent = state.assessment is None or state.assessment.decision.withhold_updates or not _reachable(state)
    waits = until <= due + SLACK or (over is not None and over <= due + SLACK)
    wanted = not silent and not waits
    return case(
        len(said) == 1 if wanted else len(said) <= 1,
        life.ref,
        due,
        f"holding was due and {len(said)} were decided; it was over at {over}",
    )


def _reachable(state: OrderState) -> bool:
    return state.assessment is not None and bool(state.assessment.decision.legs)


def _over_at(state: OrderState) -> datetime | None:
    """When the order stopped waiting: booked, confirmed, or called off."""
    ends = (Event.ERP_RECEIPT, Event.CONFIRMED, Event.CANCELLED, Event.REJECTED)
    return min((entry.at for entry in state.timeline if entry.event in ends), default=None)


# -- I3 -------------------------------------------------------------------------------------------------------------


def updates_keep_their_pace(run: Run) -> Cases:
    """I3. Numbered without a gap, two hours apart at least, none later than its slot's end, none after the end."""
    for life in run.lives or ():
        if life.state is None:
            continue
        yield from _updates(life.ref, life.state)


def _updates(ref: OrderRef, state: OrderState) -> Cases:
    promised = levels(state)
    escalated = [entry.at for entry in state.timeline if entry.event is Event.ESCALATED]
    over = [entry.at for entry in state.timeline if entry.event in (Event.DE_ESCALATED, Event.CANCELLED)]
    numbers: Counter[int] = Counter()
    for update in state.said(Kind.UPDATE):
        numbers[update.revision] += 1
        at = update.decided_at
        yield case(update.n == numbers[update.revision], ref, at, f"update {update.n} is not number {numbers}")
        if update.repeat_of:
            continue  # it was in doubt, and is said again when its wait is over
        began = max((start for start in escalated if start <= at), default=None)
        if began is None:
            yield case(False, ref, at, f"update {update.n} without an escalation")
            continue
        ended = any(began <= end <= at for end in over)
        yield case(not ended, ref, at, f"update {update.n} after the escalation was over")
        into = (at - began) % promised.update_every
        on_time = into <= SLACK or promised.update_every - into <= tick(state)
        quiet = state.assessment is not None and state.assessment.decision.quiet_hours is not None
        first = at - began >= promised.update_every - tick(state)
        yield case(
            first and (on_time or quiet or _was_down(state, at)), ref, at, f"update {update.n} is {into} off its slot"
        )


def _was_down(state: OrderState, at: datetime) -> bool:
    """Whether a breached clock beside it says that nobody was there to keep the time."""
    marks = (entry.at for entry in state.timeline if entry.event is Event.CLOCK_BREACHED and entry.due_at)
    return any(abs(mark - at) <= SLACK for mark in marks)


# -- I4, I5 ---------------------------------------------------------------------------------------------------------


def no_send_twice(run: Run) -> Cases:
    """I4. A provider that can tell a repeat (key, look-up, echo) never has one; any other, one for each crash."""
    taken: dict[str, int] = {}
    for entry in run.providers or ():
        key = entry.key or entry.idempotency_key
        if entry.repeated or key is None or entry.operation is not Operation.SEND or entry.target is Target.HOOKS:
            continue
        name = f"{entry.target} {key}"
        taken[name] = taken.get(name, 0) + 1
        parsed = run.key_of(entry)
        blind = parsed is not None and _cannot_tell(parsed.channel)
        most = 1 + run.account.crashes if blind else 1
        order = parsed.ref if parsed else key
        yield case(taken[name] <= most, order, entry.at, f"{entry.target} took {key} {taken[name]} times")


def _cannot_tell(channel: str) -> bool:
    return channel in TRAITS and TRAITS[channel].idempotency is Idempotency.NONE


def claimed_before_sent(run: Run) -> Cases:
    """I5. Both ways: what a provider has was claimed before; what is recorded as accepted a provider has."""
    keys = set()
    for entry in run.providers or ():
        if not is_message(entry):
            continue
        row = run.send_of(entry)
        order = row.ref if row else entry.key or entry.provider_id
        if row is not None:
            keys.add(row.key)
        first = row is not None and row.claimed_at <= entry.at + run.account.clocks_apart
        claimed = row.claimed_at if row else None
        evidence = f"{entry.target} took {entry.key or entry.provider_id}; the ledger's claim is from {claimed}"
        yield case(first, order, entry.at, evidence)
    before = run.account.exported_at  # the providers' log is fetched after this, and the ledger after that
    for row in run.rows.sends:
        if row.state is SendState.ACCEPTED and not _is_page(row.channel) and (row.finished_at or before) <= before:
            evidence = f"{row.key} is recorded as accepted ({row.provider_id}); no provider has it"
            yield case(row.key in keys, row.ref, row.finished_at, evidence)


def _is_page(channel: str) -> bool:
    return channel in TRAITS and TRAITS[channel].medium is Medium.PAGE


# -- I10 ------------------------------------------------------------------------------------------------------------


def revisions_only_rise(run: Run) -> Cases:
    """I10. In the timeline and in what was decided; each message that went out has its row."""
    rows = {(row.ref, row.revision, row.kind, row.n) for row in run.rows.acknowledgements}
    for life in run.lives or ():
        state = life.state
        if state is None:
            continue
        highest = 0
        for entry in state.timeline:
            yield case(entry.revision >= highest, life.ref, entry.at, f"revision {entry.revision} after {highest}")
            highest = max(highest, entry.revision)
        newest = 0
        for ack in sorted(state.acknowledgements, key=lambda ack: (ack.decided_at, ack.batch)):
            late = f"{ack.kind} of revision {ack.revision} was decided after revision {newest} had its own"
            yield case(ack.revision >= newest, life.ref, ack.decided_at, late)
            newest = max(newest, ack.revision)
            if ack.out_at is not None:
                known = (life.ref, ack.revision, ack.kind, ack.n) in rows
                evidence = f"the ledger has no {ack.kind} {ack.n} of revision {ack.revision}, which went out"
                yield case(known, life.ref, ack.out_at, evidence)


# -- I17, I20 -------------------------------------------------------------------------------------------------------


def nobody_is_written_to_against_their_will(run: Run) -> Cases:
    """I17, its half that shows afterwards: nothing goes to an address after its opt-out."""
    out = {
        (row.channel, row.address_sha256): row.opted_out_at
        for row in run.rows.reaches
        if row.opted_out_at and (row.opted_in_at is None or row.opted_in_at < row.opted_out_at)
    }
    for entry, key in run.sent:
        row = run.rows.send(str(key))
        since = out.get((row.channel, row.recipient_sha256 or "")) if row else None
        if since is not None:
            yield case(entry.at <= since, key.ref, entry.at, f"{key} went out after the opt-out at {since}")


def doubts_are_seen(run: Run) -> Cases:
    """I20. A send in doubt stands in the timeline within seconds; none is left half done once all is quiet."""
    for row in run.rows.sends:
        if row.state is SendState.UNKNOWN:
            what = f"{row.kind} {row.n} by {row.channel}"
            seen = [e.at for e in run.entries(row.ref) if e.event is Event.SEND_UNKNOWN and e.note.startswith(what)]
            within = SEEN_WITHIN + run.account.clocks_apart
            prompt = row.finished_at is not None and any(at - row.finished_at <= within for at in seen)
            evidence = f"{row.key} has been in doubt since {row.finished_at}; the timeline says so at {seen}"
            yield case(prompt, row.ref, row.finished_at, evidence)
        elif row.state is SendState.CLAIMED:
            held = row.lease_until + SLACK > run.account.exported_at or not run.account.settled
            over = _ended(run, row.ref)
            yield case(held or over, row.ref, row.lease_until, f"{row.key} is claimed, and nobody goes on with it")


def _ended(run: Run, ref: OrderRef) -> bool:
    life = run.life_of.get(ref)
    return life is not None and life.state is not None and life.state.stage is Stage.CLOSED
