"""The twenty invariants: what each says, which logs it needs, and its check; or where else it is proved."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from orderack.domain.value import Value
from tests.invariants import facts, messages
from tests.invariants.logs import Log, Run, Violation

Check = Callable[[Run], Iterator[Violation | None]]


@dataclass(frozen=True)
class Invariant:
    """`check` None: no log of a run can show it; `elsewhere` names the tests that do (or that do the rest of it)."""

    id: str
    sentence: str
    needs: frozenset[Log] = frozenset()
    check: Check | None = None
    elsewhere: str = ""


def _needs(*logs: Log) -> frozenset[Log]:
    return frozenset(logs)


INVARIANTS = (
    Invariant(
        "I1",
        "No provider took a confirmation before the ERP's receipt of that revision had reached the order.",
        _needs(Log.PROVIDERS, Log.HISTORIES),
        messages.confirmed_only_when_booked,
    ),
    Invariant(
        "I2",
        "One holding message an order at most: exactly where it was still open when that was due.",
        _needs(Log.PROVIDERS, Log.HISTORIES),
        messages.one_holding,
    ),
    Invariant(
        "I3",
        "Updates are numbered without a gap, keep to their two hours, and end with the escalation.",
        _needs(Log.HISTORIES),
        messages.updates_keep_their_pace,
    ),
    Invariant(
        "I4",
        "A provider with a key, a look-up or an echo took no message twice; any other at most one more per crash.",
        _needs(Log.PROVIDERS),
        messages.no_send_twice,
    ),
    Invariant(
        "I5",
        "Nothing was sent that was not claimed before; nothing is recorded as accepted that no provider has.",
        _needs(Log.PROVIDERS, Log.LEDGER),
        messages.claimed_before_sent,
    ),
    Invariant(
        "I6",
        "A receipt that came before its order counts once the order is there, and counts once.",
        _needs(Log.HISTORIES),
        facts.early_receipts_count,
    ),
    Invariant(
        "I7",
        "What comes twice, late or out of order ends as it does when it comes once, in time and in order.",
        _needs(Log.PROVIDERS, Log.HISTORIES, Log.TWIN),
        facts.as_in_order,
        "tests/workflows/test_out_of_order.py, tests/intake/test_deliveries.py",
    ),
    Invariant(
        "I8",
        "What was answered 2xx is in the inbox, and a minute after all is quiet nothing in it is untold.",
        _needs(Log.INBOX),
        facts.nothing_left_in_the_inbox,
    ),
    Invariant(
        "I9",
        "The ledger's timeline is the replayed history's, and every message has the digest that both recorded.",
        _needs(Log.LEDGER, Log.HISTORIES),
        facts.ledger_is_history,
    ),
    Invariant(
        "I10",
        "Revisions only rise, nothing is decided about an older one, and what went out is on record.",
        _needs(Log.LEDGER, Log.HISTORIES),
        messages.revisions_only_rise,
    ),
    Invariant(
        "I11",
        "Evidence is of a message that was sent, within what its channel can prove, and never weakens.",
        _needs(Log.LEDGER),
        facts.evidence_is_its_messages_own,
        "tests/gateway/test_page.py (its token), tests/touches/test_properties.py",
    ),
    Invariant(
        "I12",
        "Every order is at rest or waits for a time to come: none is stuck, none is known to the ledger alone.",
        _needs(Log.LEDGER, Log.HISTORIES),
        facts.nobody_is_stuck,
    ),
    Invariant(
        "I13",
        "The same policy and the same facts give the same decision.",
        elsewhere="tests/policy/test_decide.py: test_deciding_is_pure_and_keeps_its_promises",
    ),
    Invariant(
        "I14",
        "This version of the workflow replays every history of the run.",
        _needs(Log.HISTORIES),
        facts.histories_replay,
        "tests/replay (histories of every story and version)",
    ),
    Invariant(
        "I15",
        "An order that is handed in twice is one order: one beginning, one document in the ERP.",
        _needs(Log.PROVIDERS, Log.HISTORIES),
        facts.one_order_each,
        "tests/temporal/test_orders.py (after its close)",
    ),
    Invariant(
        "I16",
        "No buyer is named where no codec reaches: ids, search attributes, failures, providers' keys, notes, logs.",
        _needs(Log.LEDGER, Log.HISTORIES),
        facts.nobody_is_named_in_public,
        "tests/sources/test_no_leaks.py (errors)",
    ),
    Invariant(
        "I17",
        "Nothing goes to an address after its opt-out.",
        _needs(Log.PROVIDERS, Log.LEDGER),
        messages.nobody_is_written_to_against_their_will,
        "tests/activities/test_sending.py and test_opted_out_by_every_channel.py (at the moment of the send), "
        "tests/workflows/test_clocks.py (quiet hours)",
    ),
    Invariant(
        "I18",
        "Amounts and quantities in messages are the order's own decimals.",
        elsewhere="tests/messages/test_formats.py and test_hostile.py; tests/architecture/test_source.py (no float)",
    ),
    Invariant(
        "I19",
        "A forged, replayed, stale or oversized request changes no row.",
        elsewhere="tests/gateway/test_attacks_webhooks.py, test_attacks_sources.py, test_attacks_bodies.py",
    ),
    Invariant(
        "I20",
        "A send in doubt stands in the timeline within five seconds, and none is left half done.",
        _needs(Log.LEDGER),
        messages.doubts_are_seen,
    ),
)
"""reliability.md §2, in the product's words."""


class State(StrEnum):
    HELD = "held"
    VIOLATED = "VIOLATED"
    NOT_CHECKED = "not checked"


class Finding(Value):
    """What one invariant's check found. `looked_at`: how many cases the run had for it."""

    id: str
    sentence: str
    state: State
    looked_at: int = 0
    why: str = ""
    violations: tuple[Violation, ...] = ()


def check(run: Run, invariants: tuple[Invariant, ...] = INVARIANTS) -> tuple[Finding, ...]:
    """Every invariant against the run. One whose data is not at hand, or that had no case, is never called held."""
    return tuple(_finding(run, one) for one in invariants)


def _finding(run: Run, one: Invariant) -> Finding:
    if one.check is None:
        return Finding(id=one.id, sentence=one.sentence, state=State.NOT_CHECKED, why=f"see {one.elsewhere}")
    if missing := sorted(one.needs - run.at_hand):
        return Finding(
            id=one.id, sentence=one.sentence, state=State.NOT_CHECKED, why=f"not at hand: {', '.join(missing)}"
        )
    cases = list(one.check(run))
    broken = tuple(found for found in cases if found is not None)
    if not cases:
        return Finding(id=one.id, sentence=one.sentence, state=State.NOT_CHECKED, why="the run had no such case")
    return Finding(
        id=one.id,
        sentence=one.sentence,
        state=State.VIOLATED if broken else State.HELD,
        looked_at=len(cases),
        violations=broken,
    )
