"""Run all stories side by side, look at them while they live, and judge them."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zoneinfo import ZoneInfo

import httpx
from pydantic import TypeAdapter

from orderack.contracts.ids import order_workflow_id
from orderack.contracts.queries import OrderStatus
from orderack.domain.acknowledgement import Kind
from orderack.domain.assessment import ServiceLevels
from orderack.domain.order import Order
from orderack.domain.value import Value
from orderack.embedded.demo import report
from orderack.embedded.demo.driver import Driver, NotAsTold, told
from orderack.embedded.demo.orders import STORE, an_order
from orderack.embedded.demo.stories import STORIES
from orderack.embedded.demo.story import Story
from orderack.embedded.stack import Ports, running
from orderack.errors import OrderAckError
from orderack.policy.load import load_policy
from orderack.policy.model import Levels
from orderack.settings import Settings
from orderack.temporal.connect import connect
from orderack.temporal.orders import Orders

DIVISOR = 150.0
"""15 minutes become 6 seconds, 2 hours 48; what is promised within a minute or two is divided less (policy)."""

LEASE_SECONDS = "3"
APART = 1.2
"""Seconds from one story's beginning to the next: scaled clocks leave no room for a queue at the door."""

BOOKS_AFTER = 0.2
"""Seconds that the sandbox ERP takes to book."""


@dataclass
class Live:
    """What the screen shows of one story while it runs."""

    story: Story
    order: Order
    status: OrderStatus | None = None
    ended: str = ""
    failure: str = ""


@dataclass
class Show:
    """Called whenever something may have changed."""

    draw: Callable[[list[Live]], None]
    lives: list[Live] = field(default_factory=list)


class _Log(Value):
    key: str | None = None
    repeated: bool = False


_ENTRIES: TypeAdapter[list[_Log]] = TypeAdapter(list[_Log])


async def demo(
    folder: Path, draw: Callable[[list[Live]], None], keep: Callable[[report.DemoRecord], None] | None
) -> report.DemoRecord:
    """Start the embedded run in `folder`, tell the stories, judge them. `keep`: called before waiting to be ended."""
    extra = {"ORDERACK_POLICY_DIVISOR": str(DIVISOR), "ORDERACK_SEND_LEASE_SECONDS": LEASE_SECONDS}
    async with running(folder, Ports(0, 0, 0, 0, 0), extra=extra) as stack:
        client = await connect(env=stack.environment)
        async with httpx.AsyncClient(timeout=30) as http:
            driver = Driver(stack, Orders(client), http)
            await driver.erp_takes(BOOKS_AFTER)
            await _warm_up(driver)
            record = await tell_all(driver, Show(draw))
        if keep:
            keep(record)
            await asyncio.Event().wait()
        return record


async def tell_all(driver: Driver, show: Show) -> report.DemoRecord:
    """All stories, each beginning a moment after the one before, and then side by side."""
    loop = asyncio.get_running_loop()
    started = loop.time()
    for place, story in enumerate(STORIES):
        show.lives.append(Live(story, story.order(driver.number(place), place)))
    looking = asyncio.create_task(_look(driver, show))
    await asyncio.gather(*(_tell(driver, live, place) for place, live in enumerate(show.lives)))
    looking.cancel()
    await _refresh(driver, show)
    twice = await _sent_twice(driver)
    stories = [await _judge(driver, live, twice) for live in show.lives]
    return report.DemoRecord(
        ok=all(story.ok for story in stories),
        divisor=DIVISOR,
        seconds=round(loop.time() - started, 1),
        stories=tuple(stories),
        channels=report.channels(live.status for live in show.lives if live.status),
        ui=driver.stack.ui_url,
        mailbox=f"{driver.stack.sandbox_url}/mailbox",
    )


async def _warm_up(driver: Driver) -> None:
    """One order first: the wording is compiled and connections are open before anything is measured."""
    order = an_order(driver.number(-1), 99)
    await driver.hand_in(order)
    await driver.confirmed(order.ref)


async def _tell(driver: Driver, live: Live, place: int) -> None:
    await asyncio.sleep(place * APART)
    live.order = live.story.order(live.order.number, place)  # its clocks start now
    try:
        await live.story.tell(driver, live.order)
        for proof in live.story.proofs:
            what = f"have its {proof.kind} of revision {proof.revision} proved {proof.grade}"
            await driver.until(live.order.ref, proof.stands, what)
        live.ended = "as told"
    except (NotAsTold, OrderAckError, httpx.HTTPError) as error:
        live.ended, live.failure = "not as told", str(error) or type(error).__name__


async def _look(driver: Driver, show: Show) -> None:
    while True:
        await _refresh(driver, show)
        await asyncio.sleep(0.5)


async def _refresh(driver: Driver, show: Show) -> None:
    for live in show.lives:
        live.status = await driver.status(live.order.ref) or live.status
    show.draw(show.lives)


async def _sent_twice(driver: Driver) -> set[str]:
    """Keys that a provider accepted more than once: the sandbox's own log is the ground truth."""
    answer = await driver.http.get(f"{driver.stack.sandbox_url}/log")
    keys = [entry.key for entry in _ENTRIES.validate_python(answer.json()["accepted"]) if entry.key]
    return {key for key in keys if keys.count(key) > 1 and key.count("/") == 5}


async def _judge(driver: Driver, live: Live, twice: set[str]) -> report.StoryRecord:
    """The story's record; what it found wrong, in one sentence."""
    base = {"name": live.story.name, "sentence": live.story.sentence, "order": str(live.order.ref)}
    if live.status is None:
        return report.StoryRecord.model_validate(base | {"ok": False, "why_not": live.failure or "it never began"})
    status = live.status
    entries = (await driver.timeline(live.order.ref)).entries
    zone = _zone()
    wrong = next(filter(None, (proof.wrong(status) for proof in live.story.proofs)), "")
    why = live.failure or report.rule_broken(status, entries) or _wrong_words(live.story, status) or wrong
    why = why or report.said_too_much(status, zone)
    if doubled := sorted(key for key in twice if f"/{live.order.number}/" in key):
        why = why or f"sent twice: {doubled[0]}"
    found: Mapping[str, object] = {
        "ok": not why,
        "why_not": why,
        "stage": status.stage,
        "messages": report.messages(status, _levels()),
        "service_levels": report.clocks(status),
        "evidence": report.evidence(status, live.story.proofs, zone),
        "timeline": tuple(report.line(entry, status.received_at) for entry in entries),
        "ui": driver.stack.order_url(order_workflow_id(live.order.ref)),
    }
    return report.StoryRecord.model_validate({**base, **found})


def _wrong_words(story: Story, status: OrderStatus) -> str:
    """Whether the buyer was told exactly what the story says, in its order."""
    kinds = list(dict.fromkeys((m.kind, m.revision, m.n) for m in told(status)))
    said = [str(kind) for kind, _, _ in kinds]
    wanted = [str(kind) for kind in story.kinds]
    while said.count(Kind.UPDATE) > wanted.count(Kind.UPDATE) > 0:  # a slow machine may see one more
        said.remove(Kind.UPDATE)
    return "" if said == wanted else f"the buyer was told {', '.join(said) or 'nothing'}; not {', '.join(wanted)}"


def _levels() -> ServiceLevels:
    """The service levels as the stories lived them."""
    policy = load_policy(Settings().policy_dir).scaled(DIVISOR)
    return policy.levels(policy.stores.get(STORE), Levels())


def _zone() -> ZoneInfo:
    """The store's: its people read these times."""
    return ZoneInfo(load_policy(Settings().policy_dir).stores[STORE].profile.time_zone)
