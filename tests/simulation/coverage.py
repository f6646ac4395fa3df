"""What a run has reached of what can be reached: every event, stage, kind, clock and end of a send."""

from collections import Counter
from collections.abc import Mapping

from orderack.contracts.journal import ClockName, Event, Stage
from orderack.domain.acknowledgement import Kind, SendState
from orderack.domain.evidence import EvidenceEvent
from workflows._state import LegState

OUT_OF_REACH: Mapping[str, str] = {
    "event clock_started": "nothing notes it: a clock's start is in `status`",
    "event clock_stopped": "nothing notes it: a promise that fell away is in `status`",
    "clock update_every": "an escalation's own time, no clock of the list",
    "clock evidence_within": "a leg's own time, no clock of the list",
    "clock doubt_within": "a leg's own time, no clock of the list",
    "leg pending": "legs are looked at when the order has closed",
    "evidence accepted": "no provider reports it apart from its answer",
    "evidence opted_in": "about an address and never about a message",
}
"""What no order can reach, and why."""

WANTED: tuple[str, ...] = tuple(
    name
    for name in (
        *(f"event {event}" for event in Event),
        *(f"stage {stage}" for stage in Stage),
        *(f"kind {kind}" for kind in Kind),
        *(f"clock {clock}" for clock in ClockName),
        *(f"send {state}" for state in SendState),
        *(f"leg {state}" for state in LegState),
        *(f"evidence {event}" for event in EvidenceEvent),
    )
    if name not in OUT_OF_REACH
)

ENOUGH = 5_000
"""A run of so many orders reaches everything, or has stopped testing something."""


def missing(reached: Counter[str]) -> list[str]:
    """What was not reached and could have been."""
    return [name for name in WANTED if not reached[name]]
