"""What a provider does wrong, against each provider class: one order each, at the same time, in running processes."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial

from orderack.embedded.sandbox import Action
from tests.faults.fault import Fault, Outcome
from tests.faults.rig import CLASSES, PATIENT, TARGETS, Rig, Setup
from tests.faults.sweep import sweep

WORLD = Setup(workers=2, settings={"ORDERACK_SEND_LEASE_SECONDS": "21"})
"""The lease is longer than a whole exchange may take (18 s)."""
EVERY = tuple(CLASSES)


@dataclass(frozen=True)
class Misdeed:
    """What a provider does to the confirmation of each order, and what may come of it."""

    name: str
    what: str
    action: Action
    doubts: Mapping[str, int]
    """Sends in doubt at the end, by class: nobody can know, and a person is asked."""
    letters: tuple[str, ...] = EVERY
    times: int = 1
    more: Mapping[str, object] | None = None


NOBODY = dict.fromkeys(EVERY, 0)
WITHOUT_ECHO = {"A": 0, "B": 0, "C": 1, "D": 1}
"""It was not taken, and no report says so."""
WITHOUT_A_TRACE = {"A": 0, "B": 0, "C": 0, "D": 1}
"""It was taken: whoever can be asked, or reports, settles it."""

MISDEEDS = (
    Misdeed(
        "throttling", "429 with Retry-After 3, three times", Action.THROTTLE, NOBODY, times=3, more={"retry_after": 3}
    ),
    Misdeed("error-500", "500, nothing taken", Action.FAIL, {**WITHOUT_ECHO, "D": 0}, more={"status": 500}),
    Misdeed("error-503", "503 twice, nothing taken", Action.FAIL, {**WITHOUT_ECHO, "D": 0}, times=2),
    Misdeed("slow", "an answer after 6 s", Action.SLOW, WITHOUT_A_TRACE, more={"seconds": 6}),
    Misdeed("black-hole", "takes nothing and never answers", Action.HANG, WITHOUT_ECHO),
    Misdeed("cut-off-before", "closes the connection, nothing taken", Action.CUT_OFF_BEFORE, WITHOUT_ECHO),
    Misdeed("cut-off-after", "takes it and closes the connection", Action.CUT_OFF_AFTER_ACCEPT, WITHOUT_A_TRACE),
    Misdeed("nonsense", "takes it and answers 200 with a page that says nothing", Action.NONSENSE, WITHOUT_A_TRACE),
    Misdeed("echo-twice", "reports it twice", Action.DUPLICATE_WEBHOOK, NOBODY, letters=("C",)),
    Misdeed("echo-late", "reports it 5 s late", Action.LATE_WEBHOOK, NOBODY, letters=("C",), more={"seconds": 5}),
    Misdeed("echo-never", "never reports it", Action.NO_WEBHOOK, NOBODY, letters=("C",)),
)


async def misbehaves(rig: Rig, misdeed: Misdeed) -> Outcome:
    """The provider of each class does it to one confirmation."""
    await rig.all_work()
    await rig.healthy()
    orders = {letter: rig.order(CLASSES[letter]) for letter in misdeed.letters}
    faults = {}
    for letter, order in orders.items():
        target, more = TARGETS[CLASSES[letter]], misdeed.more or {}
        match = order.contacts.email if letter != "A" else order.contacts.chats[0].id
        faults[letter] = await rig.strikes(target, misdeed.action, match=match, after=1, times=misdeed.times, **more)
    began = datetime.now(UTC)
    for order in orders.values():
        await rig.hand_in(order)
    for order in orders.values():
        await rig.told(order.ref, PATIENT)
    took = (datetime.now(UTC) - began).total_seconds()
    judged = {letter: await rig.judge({order.ref: CLASSES[letter]}) for letter, order in orders.items()}
    struck = {letter: await rig.struck(fault) for letter, fault in faults.items()}
    wrong = [problem for one in judged.values() for problem in one.wrong]
    for letter, one in judged.items():
        found, wanted = (one.lost, one.doubled, one.in_doubt), (0, 0, misdeed.doubts[letter])
        if found != wanted:
            wrong.append(f"class {letter}: {found} lost, doubled, in doubt, and not {wanted}")
        if not struck[letter]:
            wrong.append(f"class {letter}: never struck")
    return Outcome(
        fired=sum(struck.values()),
        orders=len(orders),
        lost=sum(one.lost for one in judged.values()),
        doubled=sum(one.doubled for one in judged.values()),
        in_doubt=sum(one.in_doubt for one in judged.values()),
        wrong=tuple(wrong),
        note=f"all told in {took:.1f} s",
    )


FAULTS = (
    *(
        Fault(
            name=f"provider-{misdeed.name}",
            what=f"{misdeed.what}; class {', '.join(misdeed.letters)}",
            run=partial(misbehaves, misdeed=misdeed),
            setup=WORLD,
        )
        for misdeed in MISDEEDS
    ),
    sweep("provider-checked", WORLD),
)
