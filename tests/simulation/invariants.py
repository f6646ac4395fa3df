"""What must always hold: one pure function for each, named by its id (the design's I1 to I20; ours beside them).

Each takes what the world knows for certain and what the order says, and returns what is wrong, in words; nothing, when
nothing is. The fault tests ask the same of a real run.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, time, timedelta
from decimal import Decimal
from itertools import pairwise
from zoneinfo import ZoneInfo

from orderack.contracts.activities import TeamWord
from orderack.contracts.journal import ClockName, Entry
from orderack.domain.acknowledgement import NO_PROMISE, Audience, Kind, SendState
from orderack.domain.assessment import Decision, OnDoubt, QuietHours
from orderack.domain.evidence import Grade
from orderack.domain.order import Order
from orderack.domain.response import LineAnswer
from tests.simulation.providers import Accepted
from workflows._state import Acknowledgement, Clock, LegState

LATE = timedelta(seconds=60)
"""A deadline that is further past than this must be met or on the record as broken."""

AFTER_THE_END = frozenset({Kind.CANCELLATION, Kind.REJECTION, Kind.ANSWER})
"""What a buyer may be told of an order that has ended: that it has, and the answer to a question of the buyer's own."""


def i1_no_confirmation_before_its_receipt(accepted: Iterable[Accepted], booked: Mapping[int, int]) -> Iterator[str]:
    """`booked`: when the ERP's own book has each revision."""
    for message in accepted:
        if message.kind is Kind.CONFIRMATION and booked.get(message.key.revision, message.at + 1) > message.at:
            yield f"{message.key} went out before the ERP had booked revision {message.key.revision}"


def i2_said_once(acknowledgements: Sequence[Acknowledgement], again: int) -> Iterator[str]:
    """At most one holding an order and one confirmation a revision. `again`: repeats that a person asked for."""
    holding = sum(ack.kind is Kind.HOLDING for ack in acknowledgements)
    if holding > 1 + again:
        yield f"{holding} holding messages"
    confirmed = Counter(ack.revision for ack in acknowledgements if ack.kind is Kind.CONFIRMATION)
    for revision, times in confirmed.items():
        if times > 1 + again:
            yield f"revision {revision} is confirmed {times} times"


def i3_updates_apart(acknowledgements: Sequence[Acknowledgement], every: timedelta, again: int) -> Iterator[str]:
    """Two updates are at least half their interval apart: after an outage, slots are skipped and not made up for."""
    if again:
        return
    decided = [ack.decided_at for ack in acknowledgements if ack.kind is Kind.UPDATE]
    for before, after in pairwise(decided):
        if after - before < every / 2:
            yield f"updates at {before:%d %b %H:%M:%S} and {after:%d %b %H:%M:%S}"


def i4_one_acceptance_a_key(accepted: Iterable[Accepted]) -> Iterator[str]:
    """No provider, of whichever class, takes one message twice."""
    for key, times in Counter(str(message.key) for message in accepted).items():
        if times > 1:
            yield f"{key} was accepted {times} times"


def i4_one_confirmation_a_channel(accepted: Iterable[Accepted], again: int) -> Iterator[str]:
    """Whatever its key says: nobody has the same revision confirmed twice by one channel."""
    told = Counter((m.key.revision, m.channel) for m in accepted if m.kind is Kind.CONFIRMATION)
    for (revision, channel), times in told.items():
        if times > 1 + again:
            yield f"revision {revision} went out as confirmed {times} times by {channel}"


def i5_only_what_was_accepted(
    acknowledgements: Iterable[Acknowledgement], accepted: Iterable[Accepted], vouched: frozenset[tuple[str, int, int]]
) -> Iterator[str]:
    """What the order takes for sent, a provider has: this kind of this revision. `vouched`: a person said so."""
    has = {(m.kind, m.key.revision, m.key.n, m.channel) for m in accepted}
    for ack in acknowledgements:
        for leg in ack.legs:
            if leg.state is not LegState.DONE or (str(ack.kind), ack.revision, ack.n) in vouched:
                continue
            if (ack.kind, ack.revision, ack.n, leg.channel) not in has:
                yield f"{ack.kind} {ack.n} of revision {ack.revision} counts as sent, and {leg.channel} never had it"


def i5_ledger_knows_what_was_accepted(accepted: Iterable[Accepted], rows: Mapping[str, SendState]) -> Iterator[str]:
    """What a provider accepted has a claim in the ledger that was not given up."""
    for message in accepted:
        if rows.get(str(message.key)) not in (SendState.ACCEPTED, SendState.UNKNOWN, SendState.CLAIMED):
            yield f"{message.key} was accepted, and the ledger says {rows.get(str(message.key))}"


def i6_receipt_counts(stage_waits: bool, revision: int, seen: Iterable[tuple[int, bool]]) -> Iterator[str]:
    """A whole receipt of the current revision that came in is never still waited for."""
    for of, whole in seen:
        if stage_waits and of == revision and whole:
            yield f"the ERP's receipt of revision {revision} came in, and the order still waits for it"


def i8_accounted(told: Iterable[str], seen: frozenset[str]) -> Iterator[str]:
    """Every fact that was told is known to the order."""
    for fact in told:
        if fact not in seen:
            yield f"{fact} was told, and the order does not know it"


def i8_quarantined(malformed: int, quarantined: int) -> Iterator[str]:
    """What cannot be read is kept where an operator sees it."""
    if quarantined < malformed:
        yield f"{malformed} things could not be read, and {quarantined} are in quarantine"


def i9_ledger_is_history(written: Mapping[int, Entry], timeline: Sequence[Entry], last: int) -> Iterator[str]:
    """The ledger has every entry of the order, and no other."""
    if sorted(written) != list(range(1, last + 1)):
        missing = sorted(set(range(1, last + 1)) - set(written))
        yield f"the ledger lacks entries {missing[:5]} of {last}"
    for entry in timeline:
        if written.get(entry.seq, entry) != entry:
            yield f"entry {entry.seq} is another in the ledger: {written[entry.seq].event} for {entry.event}"


def i10_revisions_rise(before: int, after: int) -> Iterator[str]:
    if after < before:
        yield f"revision {after} after revision {before}"


def i10_decided_in_order(acknowledgements: Sequence[Acknowledgement], again: int) -> Iterator[str]:
    """No message about a revision is decided once a later one was (but by a person who says so).

    What was withdrawn unsent is not heard by anybody: a change that is called off before it was looked at.
    """
    if again:
        return
    for before, after in pairwise(ack for ack in acknowledgements if not _withdrawn_unsent(ack)):
        if after.revision < before.revision:
            yield f"{after.kind} of revision {after.revision} was decided after {before.kind} of {before.revision}"


def _withdrawn_unsent(ack: Acknowledgement) -> bool:
    return ack.out_at is None and all(leg.state is LegState.SUPERSEDED for leg in ack.legs)


def i17_quiet_hours(
    acknowledgements: Iterable[Acknowledgement], quiet: QuietHours | None, where: ZoneInfo
) -> Iterator[str]:
    """No update is decided in the store's quiet hours."""
    if quiet is None:
        return
    start, end = time.fromisoformat(quiet.start), time.fromisoformat(quiet.end)
    for ack in acknowledgements:
        at = (ack.decided_at + timedelta(seconds=2)).astimezone(where).time()
        within = start <= at < end if start <= end else at >= start or at < end
        if ack.kind is Kind.UPDATE and within:
            yield f"an update at {at:%H:%M} in the quiet hours from {quiet.start} to {quiet.end}"


def i18_amounts_are_the_orders(order: Order, answers: Sequence[LineAnswer]) -> Iterator[str]:
    """Every line is answered once, and what is accepted, backordered and refused is what was ordered, to the digit."""
    found = {answer.line_id: answer for answer in answers}
    if sorted(found) != sorted(line.line_id for line in order.lines) or len(found) != len(answers):
        yield f"lines {sorted(found)} are answered"
    for line in order.lines:
        answer = found.get(line.line_id)
        if answer is None:
            continue
        parts = (answer.accepted, answer.backordered, answer.rejected, answer.held)
        if sum(parts, Decimal(0)) != line.quantity:
            yield f"line {line.line_id}: {line.quantity} ordered, {' + '.join(map(str, parts))} answered"


def p1_no_promise(message: Accepted) -> Iterator[str]:
    """A message that must not commit to anything carries neither document, nor answers, nor a day."""
    facts = message.facts
    if message.kind in NO_PROMISE and (facts.document_id or facts.answers or facts.promise_on):
        said = f"document {facts.document_id}, day {facts.promise_on}, {len(facts.answers)} lines"
        yield f"{message.key} promises: {said}"


def c1_nothing_after_the_end(message: Accepted, ended_at: int | None) -> Iterator[str]:
    """Once an order has ended, no send to its buyer begins but one that says so."""
    if message.audience is not Audience.BUYER or message.kind in AFTER_THE_END:
        return
    if ended_at is not None and message.asked_at > ended_at:
        yield f"{message.key} was sent after the order had ended"


def c2_no_waiting_once_confirmed(
    acknowledgements: Iterable[Acknowledgement], confirmed_at: datetime | None, revision: int
) -> Iterator[str]:
    """Nobody who has the confirmation of a revision is told that it is still waited for."""
    for ack in acknowledgements:
        waits = ack.kind in (Kind.HOLDING, Kind.UPDATE) and ack.revision == revision
        if confirmed_at is not None and waits and ack.decided_at > confirmed_at:
            yield f"{ack.kind} {ack.n} of revision {revision} was decided after its confirmation"


def d2_said_again_once_and_marked(
    acknowledgements: Sequence[Acknowledgement], decision: Decision, again: int, clocks: Sequence[Clock]
) -> Iterator[str]:
    """What the policy has said again: only what it says so of, marked, after its wait, once for each leg in doubt, and
    nothing to a buyer under a fraud hold. `again`: repeats that a person asked for, which look the same."""
    minutes = [clock for clock in clocks if clock.name is ClockName.ACKNOWLEDGE]
    kinds = decision.on_doubt.kinds if decision.on_doubt else {}
    first = {(ack.kind, ack.revision, ack.n): ack for ack in acknowledgements}
    for ack in (ack for ack in acknowledgements if ack.repeat_of):
        before, name = first[ack.kind, ack.revision, ack.repeat_of or 0], f"{ack.kind} {ack.n} of {ack.revision}"
        if kinds.get(ack.kind) is not OnDoubt.RESEND_MARKED:
            yield f"{name} was said again, and the policy does not say so"
        if not ack.facts.may_repeat:
            yield f"{name} is not marked"
        if ack.audience is Audience.BUYER and decision.withhold_updates:
            yield f"{name} went to a buyer under a fraud hold"
        if before.repeat_of and not again:
            yield f"{name} repeats a repeat"
        soon = ack.decided_at - before.decided_at < decision.levels.doubt_within - timedelta(seconds=2)
        if soon and not any(_in_its_last_quarter(minute, ack.decided_at) for minute in minutes):
            yield f"{name} was said again before its wait was over"
    told = Counter((ack.kind, ack.revision, ack.repeat_of) for ack in acknowledgements if ack.repeat_of)
    for (kind, revision, n), times in told.items():
        if times > len(first[kind, revision, n or 0].legs) + again:
            yield f"{kind} {n} of {revision} was said again {times} times"


def _in_its_last_quarter(minute: Clock, at: datetime) -> bool:
    """Then a repeat need not wait any longer: the buyer is owed a word within the minute."""
    quarter = (minute.due_at - minute.started_at) / 4
    return minute.due_at - quarter - timedelta(seconds=2) <= at <= minute.due_at


def h1_no_work_of_what_has_ended(message: Accepted, ended_at: int | None) -> Iterator[str]:
    """Once an order has ended, no word begins to its team that there is work to take or to begin."""
    word = message.facts.for_team
    takes = word is not None and word.word in (TeamWord.OFFERED, TeamWord.MAY_BEGIN)
    if takes and message.audience is Audience.INTERNAL and ended_at is not None and message.asked_at > ended_at:
        yield f"{message.key} went to the team after the order had ended"


def h2_told_of_what_is_offered(message: Accepted, offered: Mapping[int, str]) -> Iterator[str]:
    """What a team is told that it is offered is in the ledger, under the very content. `offered`: the ledger's."""
    word = message.facts.for_team
    offers = word is not None and word.word is TeamWord.OFFERED and message.audience is Audience.INTERNAL
    if word is not None and offers and offered.get(word.revision) != word.content_hash:
        yield f"{message.key} offers revision {word.revision}, and the ledger does not"


def h3_told_once(acknowledgements: Sequence[Acknowledgement]) -> Iterator[str]:
    """A team hears of a revision that it is offered, or may begin, once; again only when something came between."""
    alerts = [ack for ack in acknowledgements if ack.kind is Kind.ALERT and ack.facts.for_team]
    told = [(ack.facts.for_team.word, ack.facts.for_team.revision, ack.owner) for ack in alerts if ack.facts.for_team]
    for before, after in pairwise(told):
        word, revision, owner = after
        if before == after and word is not TeamWord.STOPPED:
            yield f"{owner} is told twice: {word} {revision}"


def d1_met_or_recorded(clocks: Iterable[Clock], now: datetime, *, telling: bool) -> Iterator[str]:
    """No deadline is long past and neither met nor on the record as broken. `telling`: a send watches the minute."""
    for clock in clocks:
        watched = telling and clock.name is ClockName.ACKNOWLEDGE
        if clock.open and clock.due_at < now - LATE and not watched:
            yield f"{clock.name} was due at {clock.due_at:%d %b %H:%M:%S} and is neither met nor broken"


def e1_no_more_than_proved(ack: Acknowledgement, ceilings: Iterable[Grade], was_accepted: bool) -> Iterator[str]:
    """A message's grade is no better than what its channels can prove, and none where nobody accepted it."""
    if ack.grade is None:
        return
    best = max((ceiling.rank for ceiling in ceilings), default=-1)
    if ack.grade.rank > best:
        yield f"{ack.kind} {ack.n} of revision {ack.revision} counts as {ack.grade}, and its channels prove less"
    if not was_accepted:
        yield f"{ack.kind} {ack.n} of revision {ack.revision} counts as {ack.grade}, and no provider accepted it"


def a2_same_answer(answers: Mapping[str, Sequence[bytes]]) -> Iterator[str]:
    """The same request has the same answer, however often and through however many histories it is made."""
    for request, given in answers.items():
        if len(set(given)) > 1:
            yield f"{request} was answered in {len(set(given))} ways"
