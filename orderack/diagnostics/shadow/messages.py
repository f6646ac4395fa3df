"""Messages as they are compared: what went out by several channels at once is one message."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from orderack.domain.acknowledgement import Kind
from orderack.domain.shadow import Figures
from orderack.ledger.shadow_facts import Kept, Old

AT_ONCE = timedelta(minutes=10)
"""Events of the old flow by different channels, no further apart than this, are one message."""


@dataclass(frozen=True)
class Said:
    """One message to the buyer, on either side."""

    at: datetime
    channels: tuple[str, ...]
    figures: Figures
    revision: int | None


ByKind = Mapping[Kind, Sequence[Said]]


def ours(kept: Iterable[Kept]) -> Mapping[str, ByKind]:
    """By order and kind, in the order of their time."""
    found: dict[str, dict[Kind, dict[tuple[int, int], Said]]] = defaultdict(lambda: defaultdict(dict))
    for one in sorted(kept, key=lambda one: one.at):
        same = found[one.number][one.kind]
        first = same.get((one.revision, one.n))
        channels = (*(first.channels if first else ()), one.channel)
        at, figures = (first.at, first.figures) if first else (one.at, one.figures)
        same[one.revision, one.n] = Said(at, channels, figures, one.revision)
    return {number: {kind: [*of.values()] for kind, of in kinds.items()} for number, kinds in found.items()}


def olds(events: Iterable[Old]) -> Mapping[str, ByKind]:
    """By order and kind, in the order of their time; what is none of our kinds is left out."""
    found: dict[str, dict[Kind, list[Said]]] = defaultdict(lambda: defaultdict(list))
    for event in sorted(events, key=lambda event: (event.at, event.id)):
        if event.kind is None:
            continue
        said = found[event.number][event.kind]
        if said and _same(said[-1], event):
            last = said[-1]
            said[-1] = Said(last.at, (*last.channels, event.channel), last.figures, last.revision)
        else:
            said.append(Said(event.at, (event.channel,), event.figures, event.revision))
    return {number: dict(kinds) for number, kinds in found.items()}


def _same(last: Said, event: Old) -> bool:
    another = event.channel not in last.channels and event.revision == last.revision
    return another and event.at - last.at <= AT_ONCE
