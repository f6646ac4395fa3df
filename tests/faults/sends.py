"""kill -9 of a worker at each place of a send, against each provider class (reliability.md §3.1, §4.1)."""

from collections.abc import Sequence
from datetime import UTC
from functools import partial

from temporalio.api.enums.v1 import EventType
from temporalio.api.history.v1 import HistoryEvent

from orderack.contracts.ids import order_workflow_id
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import OrderRef
from tests.faults.fault import Fault, Outcome
from tests.faults.points import Point
from tests.faults.rig import CLASSES, PATIENT, Rig, Setup, eventually
from tests.faults.sweep import sweep
from tests.faults.victim import LAUNCHER, arm, attempts, died_at

LEASE = 15.0
"""Seconds. With the default of 45, what has to wait for the lease waits that much longer."""
WORLD = Setup(workers=3, launcher=LAUNCHER, settings={"ORDERACK_SEND_LEASE_SECONDS": str(LEASE)})

RUNNING = 6.0
"""Seconds within which a running send is on another worker (the issue's aim)."""
WHAT = {
    Point.BEFORE_CLAIM: "killed before the claim is committed",
    Point.CLAIMED: "killed after the claim, before the connection",
    Point.HALF_WRITTEN: "killed with half of the request written",
    Point.UNREAD: "killed after the provider accepted, answer unread",
    Point.UNRECORDED: "killed with the answer read, ledger not written",
    Point.UNREPORTED: "killed with the ledger written, activity not reported",
    Point.UNTOLD: "killed with the activity reported, workflow task not done",
}
CONFIRMED = 3
"""Which activity's result tells that the confirmation is out: after the booking and the first word."""


async def killed(rig: Rig, point: Point, letter: str) -> Outcome:
    """One order whose confirmation meets the fault; all else about it is as on any day."""
    channel = CLASSES[letter]
    await rig.all_work(at_least=2)  # so that one is there when the other dies; the third may still be coming up
    await rig.behaves(books_after=2.0)  # the first word is out when the second is struck: a crash cuts all in flight
    order = rig.order(channel)
    key = f"{order.ref}/1/{Kind.CONFIRMATION}/1/{channel}"
    proof = arm(rig.folder, point, f"{order.ref.number}/{CONFIRMED}" if point is Point.UNTOLD else key)
    await rig.hand_in(order)
    await eventually(proof.exists, f"{point} to strike", PATIENT)
    at = died_at(proof)
    await rig.told(order.ref, PATIENT)
    judged = await rig.judge({order.ref: channel})
    events = [event for event in await history(rig, order.ref) if when(event) > at]
    ended = next(when(event) for event in events if event.event_type == ENDS_WITH[point is Point.UNTOLD])
    over = next((began for began in attempts(rig.folder, key) if began > at), ended) - at
    wrong = [*judged.wrong, *unlike(judged.lost, judged.doubled, judged.in_doubt, point, letter)]
    if point is not Point.UNTOLD and over > RUNNING:
        wrong.append(f"the send was taken over after {over:.1f} s (aim: {RUNNING:g})")
    return Outcome(
        fired=1,
        orders=1,
        lost=judged.lost,
        doubled=judged.doubled,
        in_doubt=judged.in_doubt,
        recovery=round(ended - at, 2),
        wrong=tuple(wrong),
        note=f"taken over after {over:.1f} s, ended after {ended - at:.1f} s",
    )


ENDS_WITH = {
    False: EventType.EVENT_TYPE_ACTIVITY_TASK_COMPLETED,
    True: EventType.EVENT_TYPE_WORKFLOW_TASK_COMPLETED,
}
"""What tells that the order goes on: by whether its own code was struck."""


def unlike(lost: int, doubled: int, in_doubt: int, point: Point, letter: str) -> list[str]:
    """What the class does not promise. A key and a lookup settle every doubt; an echo those that were sent."""
    doubts = {
        "A": 0,
        "B": 0,
        "C": int(point in (Point.CLAIMED, Point.HALF_WRITTEN)),
        "D": int(point in (Point.CLAIMED, Point.HALF_WRITTEN, Point.UNREAD, Point.UNRECORDED)),
    }[letter]
    found = {"lost": (lost, 0), "doubled": (doubled, 0), "in doubt": (in_doubt, doubts)}
    return [f"{count} {name}, and not {wanted}" for name, (count, wanted) in found.items() if count != wanted]


async def history(rig: Rig, ref: OrderRef) -> Sequence[HistoryEvent]:
    """All that happened to the order, as the server has it."""
    return [event async for event in rig.client.get_workflow_handle(order_workflow_id(ref)).fetch_history_events()]


def when(event: HistoryEvent) -> float:
    return event.event_time.ToDatetime(UTC).timestamp()


FAULTS = (
    *(
        Fault(
            name=f"{point}-{letter}",
            what=f"{WHAT[point]}; class {letter} ({CLASSES[letter]})",
            run=partial(killed, point=point, letter=letter),
            setup=WORLD,
        )
        for point in Point
        for letter in CLASSES
    ),
    sweep("kills-checked", WORLD),
)
