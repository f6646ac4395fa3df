"""A storm on the whole installation: real server, two workers, an ERP and an e-mail provider that are down for all.

Buyers are told at once all the same, what is down is left in peace but for one probe at a time, and afterwards each
order is booked and confirmed once, the oldest first. What is counted is counted by those who were called.
"""

import asyncio
import json
import shutil
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence
from copy import deepcopy
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import pytest_asyncio
import yaml

from activities._marks import LEASE, SOONEST, between_probes
from activities._outages import IN_A_SECOND
from orderack.domain.acknowledgement import Kind
from orderack.domain.order import Order, OrderRef
from orderack.embedded.demo.driver import told
from orderack.embedded.demo.orders import STORE, an_order
from orderack.embedded.sandbox import Action, Operation, Target
from orderack.messages.labels import LABELS, load_labels
from orderack.ports import Message, Pause
from orderack.ports.channel_book import of_erp
from orderack.settings import Settings
from tests.e2e.storm_workers import LAUNCHER, UNMARKED
from tests.faults.rig import Rig, Setup, world
from tests.faults.world_stage import Shop, confirmed, now, until

OTHER = "outlet"
ERP = of_erp("sandbox")
SENDGRID = "sendgrid_email"
MINUTE = timedelta(seconds=60)
COME_BY_THEMSELVES = 3
"""The order that is the probe, and in each worker the one that was told to come to it."""
AT_ONCE = timedelta(seconds=10)
"""Two or three seconds where two processors do all of it. Without a mark each waits out its channel's 30 s."""


MARKS = tuple(load_labels(file).repeat_sms for file in sorted(Settings().policy_dir.glob(f"messages/*/{LABELS}")))
"""What a repeat's SMS begins with, in each language."""


def own_policy(folder: Path) -> Path:
    """Two stores with the same rules. Nobody but the orders themselves asks the ERP."""
    shutil.copytree(Settings().policy_dir, folder)
    file = folder / "policy.yaml"
    policy = yaml.safe_load(file.read_text())
    policy["erps"] = {"sandbox": {"system": "sandbox", "ask_every": "1000h"}}
    policy["stores"][STORE]["checks"] = []
    policy["stores"][OTHER] = deepcopy(policy["stores"][STORE])
    file.write_text(yaml.safe_dump(policy, sort_keys=False))
    return folder


@pytest_asyncio.fixture(scope="module")
async def rig(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Rig]:
    folder = tmp_path_factory.mktemp("storm")
    settings = {
        "ORDERACK_POLICY_DIR": str(own_policy(folder / "own")),
        "ORDERACK_SEND_LEASE_SECONDS": "20",
        "ORDERACK_SWEEP_MINUTES": "1440",
        "ORDERACK_RATES": json.dumps({"sendgrid_email": 20, "twilio_sms": 20}),
    }
    async with world(folder, Setup(settings=settings, workers=2, launcher=LAUNCHER)) as made:
        await made.behaves(books_after=0.2)
        yield made


class Trade:
    """Orders of both stores, handed in one after the other."""

    def __init__(self, rig: Rig) -> None:
        self.shop = Shop(rig)
        self.rig = rig

    def order(self) -> Order:
        place = self.rig.number()
        made = an_order(f"S-{self.rig.driver.run}-{place:04d}", place)
        return made.model_copy(update={"store": (STORE, OTHER)[place % 2]})

    async def some(self, count: int, every: float) -> list[Order]:
        began, orders = time.monotonic(), list[Order]()
        for place in range(count):
            await asyncio.sleep(max(began + place * every - time.monotonic(), 0))
            orders.append(self.order())
            await self.shop.hand_in(orders[-1])
        return orders


def refs_of(orders: Sequence[Order]) -> list[OrderRef]:
    return [order.ref for order in orders]


async def mark(rig: Rig, name: str) -> Pause | None:
    return (await rig.ledger.paused()).get(name)


async def is_marked(rig: Rig, name: str) -> Pause:
    found: list[Pause] = []

    async def holds() -> bool:
        found.extend(one for one in [await mark(rig, name)] if one)
        return bool(found)

    await until(holds, f"{name} to be marked down", 60)
    return found[0]


async def is_up(rig: Rig, name: str, within: float) -> None:
    async def holds() -> bool:
        return await mark(rig, name) is None

    await until(holds, f"{name} to be marked up", within)


async def calls(rig: Rig, target: Target, operation: Operation = Operation.SEND) -> int:
    """How often it was called so, by its own account."""
    tally = (await rig.driver.http.get(f"{rig.stack.sandbox_url}/log")).json()["tally"]
    return sum(one["count"] for one in tally if (one["target"], one["operation"]) == (target, operation))


def probes(span: timedelta) -> int:
    """How many there are within so long of a marking, as docs/storm.md states it."""
    at, many = SOONEST, 0
    while at <= span:
        many, at = many + 1, at + between_probes(at)
    return many


async def first_words(rig: Rig, orders: Sequence[Order]) -> list[timedelta]:
    """How long each buyer waited for the first word."""
    waited = []
    for order in orders:
        status = await rig.driver.until(order.ref, lambda one: bool(told(one)), "be told")
        waited.append(told(status)[0].at - order.trigger_at)
    return waited


async def said_once(rig: Rig, orders: Sequence[Order]) -> None:
    """By the vendors' own account nobody was told the same twice, by whichever channel."""
    taken = await rig.taken()
    for ref in refs_of(orders):
        for kind in (Kind.RECEIVED, Kind.CONFIRMATION):
            copies = Counter({key: many for key, many in taken.items() if key.startswith(f"{ref}/1/{kind}/")})
            assert copies.total() <= 1, (ref, copies)


async def submitted(rig: Rig, since: datetime) -> list[tuple[datetime, str]]:
    """The orders that the ERP took since then, in that order."""
    log = [one for one in await rig.accepted() if one.target is Target.ERP and one.operation is Operation.SEND]
    return [(one.at, one.recipient) for one in log if one.at >= since and not one.repeated]


def in_order(ages: Sequence[int], but: int) -> float:
    """Spearman's rank correlation of places with ages (1: the oldest first), but for so many that are out of place."""
    apart = sorted(enumerate(ages), key=lambda one: abs(one[0] - one[1]))
    left = [age for _, age in sorted(apart[: len(ages) - but])]
    places = [sorted(left).index(age) for age in left]
    n = len(left)
    return 1 - 6 * sum((place - age) ** 2 for place, age in enumerate(places)) / (n * (n * n - 1))


async def erp_storm(rig: Rig, count: int, seconds: float) -> tuple[int, timedelta]:
    """So many orders come in the first half of an outage of the ERP. How often it was called, and how long it took from
    its return until all were confirmed."""
    trade, before = Trade(rig), await calls(rig, Target.ERP)
    await rig.strikes(Target.ERP, Action.FAIL, operation=Operation.ANY, times=None)
    began = time.monotonic()
    orders = await trade.some(count, seconds / 2 / count)
    await asyncio.sleep(max(began + seconds - time.monotonic(), 0))
    called = await calls(rig, Target.ERP) - before
    assert max(await first_words(rig, orders)) < MINUTE
    back = now()
    await rig.healthy()
    await confirmed(rig, refs_of(orders), 300)
    took = now() - back
    assert await calls(rig, Target.ERP) - before - called <= count + 1, "each is tried once, when its turn has come"
    await said_once(rig, orders)
    taken = await submitted(rig, back)
    assert Counter(ref for _, ref in taken) == Counter(map(str, refs_of(orders))), "booked once"
    return called, took


async def test_an_erp_that_is_down_is_left_in_peace_and_then_given_its_orders_the_oldest_first(rig: Rig) -> None:
    await storm_with_marks(rig, 24, 40)


async def storm_with_marks(rig: Rig, count: int, seconds: float) -> int:
    watching = asyncio.create_task(marked_at(rig))
    called, took = await erp_storm(rig, count, seconds)
    made, before = await watching
    assert made.by == "orderack"
    span = timedelta(seconds=seconds)
    assert called - before <= probes(span) + 3, "but for what was under way when it was marked"
    assert took < between_probes(span) + timedelta(seconds=count / IN_A_SECOND + 20)
    assert await mark(rig, ERP) is None
    taken = await submitted(rig, made.at)
    ages = sorted((ref for _, ref in taken), key=lambda ref: ref.rpartition("-")[2])  # both stores' numbers run on
    in_turn = in_order([ages.index(ref) for _, ref in taken], COME_BY_THEMSELVES)
    print(f"{count} orders, {seconds} s: called {called} times ({before} before the mark), all confirmed {took} after")
    print(f"the oldest first: {in_turn:.3f}")
    assert in_turn > 0.95
    since = [(at - taken[0][0]).total_seconds() for at, _ in taken]  # its probe; a busy machine may only be later
    assert all(many <= IN_A_SECOND * (after + 1) + 2 for many, after in enumerate(since, 1)), since
    return called


async def marked_at(rig: Rig) -> tuple[Pause, int]:
    """The mark, and how often the ERP had been called by then in this storm."""
    before = await calls(rig, Target.ERP)
    made = await is_marked(rig, ERP)
    return made, await calls(rig, Target.ERP) - before


@pytest.mark.long
async def test_what_marking_saves_an_erp_that_is_down_for_minutes(rig: Rig) -> None:
    plain = rig.folder / UNMARKED
    plain.touch()
    without, took = await erp_storm(rig, 60, 180)
    plain.unlink()
    marked = await storm_with_marks(rig, 60, 180)
    print(f"calls at the ERP while down: {without} without marks (back in {took}), {marked} with them")
    assert marked < without / 2


async def test_two_workers_make_one_probe_at_a_time_and_one_that_is_killed_in_it_is_followed_by_another(
    rig: Rig,
) -> None:
    await rig.strikes(Target.ERP, Action.FAIL, operation=Operation.ANY, times=None)
    orders = await Trade(rig).some(12, 2)
    await is_marked(rig, ERP)
    await rig.healthy()
    hanging = await rig.strikes(Target.ERP, Action.HANG, times=None)

    async def struck() -> bool:
        return await rig.struck(hanging) > 0

    await until(struck, "a probe", 30)
    more = await Trade(rig).some(6, 0.5)
    await asyncio.sleep(3)
    assert await rig.struck(hanging) == 1, "whoever comes while it lasts, in either worker"
    rig.kill(*rig.workers)
    await rig.healthy()
    await rig.all_work()
    await is_up(rig, ERP, LEASE.total_seconds() + 30)
    await confirmed(rig, refs_of([*orders, *more]), 120)
    await said_once(rig, [*orders, *more])


async def test_while_the_e_mail_provider_is_down_the_first_word_goes_straight_by_the_next_channel(rig: Rig) -> None:
    await rig.strikes(Target.SENDGRID, Action.FAIL, operation=Operation.ANY, times=None)
    trade = Trade(rig)
    hit = asyncio.create_task(trade.some(24, 0.6))
    await is_marked(rig, SENDGRID)
    unlucky = await hit
    before = await calls(rig, Target.SENDGRID)
    began = time.monotonic()
    orders = await trade.some(30, 0.5)
    waited = sorted(await first_words(rig, orders))
    for order in orders:
        status = await rig.driver.status(order.ref)
        assert status is not None
        assert told(status)[0].channel == "twilio_sms"
    print("first words by SMS, seconds:", *(f"{one.total_seconds():.1f}" for one in waited))
    assert waited[len(waited) * 95 // 100] < AT_ONCE
    down_for = timedelta(seconds=time.monotonic() - began + 20)
    assert await calls(rig, Target.SENDGRID) - before <= probes(down_for), "no message was risked"
    await rig.healthy()
    await asyncio.sleep(between_probes(down_for).total_seconds() + 1)
    late = await trade.some(6, 1.0)
    for order in late:
        await rig.driver.confirmed(order.ref)
    assert await mark(rig, SENDGRID) is None
    status = await rig.driver.confirmed(late[-1].ref)
    assert {one.channel for one in told(status)} == {SENDGRID}
    await said_once(rig, [*unlucky, *orders, *late])


async def test_first_words_that_an_outage_left_in_doubt_are_said_again_marked_and_heard_by_nobody_twice(
    rig: Rig,
) -> None:
    await rig.behaves(books_after=600)  # else the confirmations overtake them
    failing = await rig.strikes(Target.SENDGRID, Action.FAIL, operation=Operation.ANY, times=None)
    orders = await Trade(rig).some(12, 0.5)
    waited, repeated = [], 0
    for order in orders:
        status = await rig.driver.until(order.ref, lambda one: bool(told(one)), "be told", 150)
        word = told(status)[0]
        waited.append((word.at - order.trigger_at).total_seconds())
        assert (word.kind, word.channel, status.unknown_sends) == (Kind.RECEIVED, "twilio_sms", ())
        repeated += word.n == 2
        send = await rig.ledger.send(f"{order.ref}/1/{Kind.RECEIVED}/{word.n}/{word.channel}")
        assert send is not None
        sms = Message.model_validate_json(send.message_json).content.sms
        assert sms.startswith(MARKS) == (word.n == 2)
    print(f"{repeated} of {len(orders)} first words said again; seconds:", *(f"{one:.1f}" for one in sorted(waited)))
    assert await rig.struck(failing) > 0
    assert repeated > len(orders) / 2
    assert max(waited) < MINUTE.total_seconds()
    await rig.healthy()
    await rig.behaves(books_after=0.2)
    await said_once(rig, orders)
