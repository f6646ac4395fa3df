"""How many straight-through orders a second, beside a bare floor: the same steps by hand, on the same server.

Four lanes take turns, round by round, so that a machine that slows down slows all of them:
the product as `orderack up` runs it; the floor with the same effects (the plainest HTTP call and one committed row for
each activity); and, with activities that do nothing, the product's workflow and the floor.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from statistics import median

from rich.console import Console
from temporalio.client import Client

from orderack.embedded.stack import Stack
from orderack.temporal.connect import connect
from tests.bench.figures import Line, Result, at_least, ratio, spread, words
from tests.bench.rig.lanes import FLOOR, ORDER, PLAIN, PRODUCT, plain, product, worker
from tests.bench.rig.load import Lane, Round, drive, names_of, settled
from tests.bench.rig.stage import embedded, order_of

AIM = 0.85
UNDER_WAY = 24
ROUNDS, MEASURED = 5, 4.0
QUICK_ROUNDS, QUICK_MEASURED = 1, 2.0
STEPS = {
    "workflow_execution_signaled": "signals",
    "workflow_execution_update_accepted": "updates",
    "timer_started": "timers",
    "activity_task_scheduled": "activities",
    "marker_recorded": "local activities",
}


async def bench(quick: bool, progress: Console) -> Result:
    async with embedded() as stack, lanes(stack) as taking:
        await warm_up(taking)
        shapes = {lane.name: await shape(stack, lane) for lane in taking}
        rounds = await measured(taking, quick, progress)
    return Result(
        bench="throughput",
        title=f"straight-through orders a second, {UNDER_WAY} under way, {len(rounds[PRODUCT])} rounds by turns",
        lines=tuple(lines(rounds, shapes)),
        notes=NOTES,
    )


@asynccontextmanager
async def lanes(stack: Stack) -> AsyncIterator[Sequence[Lane]]:
    async with AsyncExitStack() as held:
        first = await product(stack)
        await one(first, "W")  # the floor's mails are as long as this one's
        yield [
            first,
            await held.enter_async_context(plain(stack)),
            await held.enter_async_context(worker(stack, ORDER, "order")),
            await held.enter_async_context(worker(stack, FLOOR, "floor")),
        ]


async def one(lane: Lane, run: str) -> None:
    """One order, all the way."""
    lane.count("handed_off", run)
    await lane.hand_in(run, 0)
    await settled(lane, run, 1, patience=60)


async def warm_up(taking: Sequence[Lane]) -> None:
    for lane in taking:
        await one(lane, "X")


async def shape(stack: Stack, lane: Lane) -> Mapping[str, int]:
    """What this lane's first order asked of the server: its history's steps, counted."""
    await asyncio.sleep(0.3)
    client = await client_of(stack, lane)
    handle = client.get_workflow_handle(f"order/demo/{order_of('X', 0).number}")
    found = dict.fromkeys(STEPS.values(), 0)
    async for event in handle.fetch_history_events():
        kind = event.WhichOneof("attributes") or ""
        if (step := STEPS.get(kind.removesuffix("_event_attributes"))) is not None:
            found[step] += 1
    return found


async def client_of(stack: Stack, lane: Lane) -> Client:
    space = {PLAIN: "plain", ORDER: "order", FLOOR: "floor"}.get(lane.name, "default")
    return await connect(env=stack.environment | {"TEMPORAL_NAMESPACE": space})


async def measured(taking: Sequence[Lane], quick: bool, progress: Console) -> Mapping[str, list[Round]]:
    """Every lane in turn, so many rounds; the other way round every second time."""
    rounds: dict[str, list[Round]] = {lane.name: [] for lane in taking}
    stretch = QUICK_MEASURED if quick else MEASURED
    for number in range(QUICK_ROUNDS if quick else ROUNDS):
        for lane in taking if number % 2 == 0 else reversed(taking):
            run = f"R{number}"
            found = await drive(lane, run, under_way=UNDER_WAY, measured=stretch)
            rounds[lane.name].append(found)
            progress.print(f"  round {number + 1}, {lane.name}: {found.per_second:.1f}/s")
    return rounds


def lines(rounds: Mapping[str, Sequence[Round]], shapes: Mapping[str, Mapping[str, int]]) -> list[Line]:
    """The lanes, the ratios with their aims, and where the CPU time goes."""
    rates = {name: [one.per_second for one in found] for name, found in rounds.items()}
    real, alone, literal = (
        ratio(rates[PRODUCT], rates[PLAIN]),
        ratio(rates[ORDER], rates[FLOOR]),
        ratio(rates[PRODUCT], rates[FLOOR]),
    )
    found = [words(f"{name}, orders/s", f"{median(got):.1f} ({spread(got)})") for name, got in rates.items()]
    found.append(at_least("workflow alone / bare floor (nobody does anything)", alone.value, AIM))
    found.append(at_least("orderack / plain Temporal (the same effects)", real.value, AIM))
    found.append(words("orderack / bare floor (effects against none)", f"{literal.value:.2f}"))
    found.append(words("ratios' rounds", "; ".join(spread(each.rounds) for each in (alone, real, literal))))
    found += [words(f"an order of {name}", said(steps)) for name, steps in shapes.items()]
    found += [words(f"CPU an order, {name}", spent(got)) for name, got in rounds.items()]
    return found


def said(steps: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {step}" for step, number in steps.items())


def spent(rounds: Sequence[Round]) -> str:
    """Milliseconds by process, the median of the rounds."""
    each = {name: median(one.cpu_ms[name] for one in rounds) for name in names_of(rounds)}
    return f"{sum(each.values()):.0f} ms: " + ", ".join(f"{name} {ms:.0f}" for name, ms in each.items())


NOTES = (
    "All processes share this machine's cores: CPU time an order is what decides, and it is shown by process.",
    "The sandbox (the vendors' look-alikes) and the load are not ours; they are part of both lanes with effects.",
)
